//! How a person is shown where there is no camera: a photo, or a colour and a glyph.
//!
//! A photo is a small JPEG without metadata. Its id is the hash of its bytes, so a client keeps it for as long as it
//! likes, and whoever does not know the id cannot ask for it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::text::{NameError, clean_label};

/// Bytes of a photo. Its base64url must fit in a frame.
pub const MAX_PHOTO_BYTES: usize = 44 * 1024;
/// Longest side of a photo in pixels.
pub const MAX_PHOTO_SIDE: u16 = 512;
/// Colours to choose from. A client may show any colours for them, and the default for a number that is not below.
pub const AVATAR_COLORS: u8 = 8;
/// Characters (Unicode scalar values) of a glyph: one emoji may have that many.
pub const MAX_GLYPH_CHARS: usize = 8;

/// How a person is shown. Everything absent: by the initials of the name, in the colour that follows from the key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Avatar {
    /// Id of the photo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional = nullable))]
    pub photo: Option<String>,
    /// Colour, below [`AVATAR_COLORS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional = nullable))]
    pub color: Option<u8>,
    /// A letter or an emoji in place of the initials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "typescript", ts(optional = nullable))]
    pub glyph: Option<String>,
}

impl Avatar {
    /// Whether nothing was chosen.
    pub fn is_default(&self) -> bool {
        *self == Avatar::default()
    }

    /// Removes what cannot be shown. A server does this with what a client sends, and a client with what a server sends.
    pub fn clean(&mut self) {
        self.color = self.color.filter(|color| *color < AVATAR_COLORS);
        self.glyph = self.glyph.take().and_then(|glyph| clean_glyph(&glyph).ok().flatten());
        self.photo = self.photo.take().filter(|id| is_photo_id(id));
    }
}

/// Cleans a glyph. `None` if nothing is left.
///
/// # Errors
/// It is too long, or has control characters.
pub fn clean_glyph(glyph: &str) -> Result<Option<String>, NameError> {
    clean_label(glyph, MAX_GLYPH_CHARS).map(|glyph| Some(glyph).filter(|glyph| !glyph.is_empty()))
}

/// Returns the id of a photo: 128 bits of SHA-256, base64url.
pub fn photo_id(jpeg: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(&Sha256::digest(jpeg)[..16])
}

/// Whether a text has the form of a photo's id.
pub fn is_photo_id(id: &str) -> bool {
    id.len() == 22 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Why a photo cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PhotoError {
    /// Not a JPEG, or a damaged one.
    #[error("this is not a JPEG photo")]
    NotJpeg,
    /// More than [`MAX_PHOTO_BYTES`] or [`MAX_PHOTO_SIDE`].
    #[error("a photo can have at most {MAX_PHOTO_BYTES} bytes and {MAX_PHOTO_SIDE} pixels on each side")]
    TooLarge,
}

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const COM: u8 = 0xfe;

/// Returns a JPEG (ITU-T T.81) without its comments, metadata (place, camera, thumbnail) and whatever follows its end.
/// Only the structure is read: nothing is decoded.
///
/// # Errors
/// [`PhotoError`].
pub fn without_metadata(jpeg: &[u8]) -> Result<Vec<u8>, PhotoError> {
    if jpeg.len() > 16 * MAX_PHOTO_BYTES {
        return Err(PhotoError::TooLarge);
    }
    let mut rest = jpeg.strip_prefix(&[0xff, SOI]).ok_or(PhotoError::NotJpeg)?;
    let (mut clean, mut has_size, mut has_scan) = (vec![0xff, SOI], false, false);
    loop {
        // Any number of fill bytes may precede a marker.
        rest = rest.strip_prefix(&[0xff]).ok_or(PhotoError::NotJpeg)?;
        let (&marker, after) = rest.split_first().ok_or(PhotoError::NotJpeg)?;
        match marker {
            0xff => continue,
            EOI if has_size && has_scan => {
                clean.extend([0xff, EOI]);
                return Some(clean).filter(|clean| clean.len() <= MAX_PHOTO_BYTES).ok_or(PhotoError::TooLarge);
            }
            // Neither stands alone outside of a scan.
            0x00..=0xbf | 0xd0..=SOI | EOI => return Err(PhotoError::NotJpeg),
            _ => {}
        }
        let length: [u8; 2] = after.get(..2).and_then(|two| two.try_into().ok()).ok_or(PhotoError::NotJpeg)?;
        let (segment, mut next) =
            after.split_at_checked(usize::from(u16::from_be_bytes(length))).ok_or(PhotoError::NotJpeg)?;
        if is_frame(marker) {
            check_size(segment)?;
            has_size = true;
        }
        if !is_metadata(marker) {
            clean.extend([0xff, marker]);
            clean.extend_from_slice(segment);
        }
        if marker == SOS {
            let (scan, after) = next.split_at(scan_length(next));
            clean.extend_from_slice(scan);
            (next, has_scan) = (after, true);
        }
        rest = next;
    }
}

/// Whether a marker begins a frame header: SOF0 to SOF15 without DHT, JPG and DAC, which have numbers between them.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

/// Whether a segment is metadata. APP0 (JFIF) and APP14 (Adobe) say how to decode.
fn is_metadata(marker: u8) -> bool {
    matches!(marker, 0xe1..=0xed | 0xef..=0xfd | COM)
}

/// Checks the size in a frame header: precision, height, width (T.81 section B.2.2).
fn check_size(segment: &[u8]) -> Result<(), PhotoError> {
    let [_, _, _, h0, h1, w0, w1, ..] = segment else { return Err(PhotoError::NotJpeg) };
    match (u16::from_be_bytes([*w0, *w1]), u16::from_be_bytes([*h0, *h1])) {
        (0, _) | (_, 0) => Err(PhotoError::NotJpeg),
        (width, height) if width.max(height) > MAX_PHOTO_SIDE => Err(PhotoError::TooLarge),
        (_, _) => Ok(()),
    }
}

/// Length of the entropy-coded data at the beginning: up to the next marker that is neither a stuffed byte nor a restart.
fn scan_length(data: &[u8]) -> usize {
    let marker = data.windows(2).position(|two| two[0] == 0xff && !matches!(two[1], 0x00 | 0xd0..=0xd7));
    marker.unwrap_or(data.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A JPEG's structure with these segments before the frame header.
    fn jpeg(segments: &[(u8, &[u8])], (width, height): (u16, u16)) -> Vec<u8> {
        let [h0, h1] = height.to_be_bytes();
        let [w0, w1] = width.to_be_bytes();
        let mut bytes = vec![0xff, SOI];
        let frame: &[u8] = &[8, h0, h1, w0, w1, 1, 1, 0x11, 0];
        for (marker, content) in segments.iter().copied().chain([(0xc0, frame), (SOS, &[1, 1, 0, 0, 63, 0])]) {
            bytes.extend([0xff, marker]);
            bytes.extend((content.len() as u16 + 2).to_be_bytes());
            bytes.extend_from_slice(content);
        }
        bytes.extend([1, 2, 0xff, 0x00, 3, 0xff, 0xd0, 4, 0xff, EOI]);
        bytes
    }

    #[test]
    fn metadata_comments_and_what_follows_the_end_are_removed() {
        let plain = jpeg(&[(0xe0, b"JFIF\0")], (256, 256));
        let exif = jpeg(&[(0xe0, b"JFIF\0"), (0xe1, b"Exif\0\0 37.5665 N"), (COM, b"taken by Ada")], (256, 256));
        assert_eq!(without_metadata(&plain).as_ref(), Ok(&plain));
        assert_eq!(without_metadata(&[&exif[..], b"PK and a second file"].concat()), Ok(plain));
    }

    #[test]
    fn metadata_between_two_scans_is_removed() {
        let whole = jpeg(&[], (16, 16));
        let (first, end) = whole.split_at(whole.len() - 2);
        let second = [0xff, SOS, 0, 8, 1, 1, 0, 0, 63, 0, 9, 9];
        let hidden = [&[0xff, COM, 0, 5][..], b"Ada", &second].concat();
        let clean = without_metadata(&[first, &hidden, end].concat());
        assert_eq!(clean, Ok([first, &second, end].concat()));
    }

    #[test]
    fn large_photos_and_other_files_are_refused() {
        assert_eq!(without_metadata(&jpeg(&[], (513, 16))), Err(PhotoError::TooLarge));
        assert_eq!(without_metadata(&jpeg(&[], (0, 16))), Err(PhotoError::NotJpeg));
        let table = vec![7; MAX_PHOTO_BYTES];
        assert_eq!(without_metadata(&jpeg(&[(0xdb, &table)], (16, 16))), Err(PhotoError::TooLarge));
        let whole = jpeg(&[(0xe0, b"JFIF\0")], (16, 16));
        for length in 0..whole.len() {
            assert_eq!(without_metadata(&whole[..length]), Err(PhotoError::NotJpeg), "cut after {length}");
        }
        assert_eq!(without_metadata(b"\x89PNG\r\n\x1a\n"), Err(PhotoError::NotJpeg));
        assert_eq!(without_metadata(&[0xff, SOI, 0xff, EOI]), Err(PhotoError::NotJpeg), "without a photo");
    }

    #[test]
    fn what_cannot_be_shown_is_removed() {
        let mut avatar = Avatar { photo: Some("../x".into()), color: Some(8), glyph: Some("\u{202e} ".into()) };
        avatar.clean();
        assert!(avatar.is_default(), "{avatar:?}");
        let family = "👨‍👩‍👧‍👦";
        let mut avatar = Avatar { photo: Some(photo_id(b"x")), color: Some(7), glyph: Some(family.into()) };
        let before = avatar.clone();
        avatar.clean();
        assert_eq!(avatar, before);
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_cleaned_once(bytes in proptest::collection::vec(any::<u8>(), 0..400), at in 0..60usize) {
            let mut damaged = jpeg(&[(0xe0, b"JFIF\0"), (0xe1, b"Exif")], (64, 64));
            let at = at.min(damaged.len());
            damaged.splice(at..at, bytes);
            if let Ok(clean) = without_metadata(&damaged) {
                prop_assert_eq!(without_metadata(&clean), Ok(clean.clone()));
            }
        }
    }
}
