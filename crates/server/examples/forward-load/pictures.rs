//! Pictures and sound as clients publish them: made packets with the descriptors and frame headers of VP8 (RFC 7741, RFC
//! 6386 section 9.1), whose contents nobody can decode.
//!
//! A camera has three encodings with two temporal layers. Frames of the base layer refer to the one before in that layer, the
//! others to the newest of the base layer. The last bytes of each packet are a [`Stamp`], which the forwarder passes on as it
//! does all of a frame.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Frames of a camera in a second.
pub(crate) const FPS: u32 = 30;
/// Time between two packets of sound.
pub(crate) const SOUND_EVERY: Duration = Duration::from_millis(20);
/// The encodings, smallest first.
pub(crate) const ENCODINGS: [Encoding; 3] = [
    Encoding { rid: "q", width: 320, height: 180, bits: 150_000 },
    Encoding { rid: "h", width: 640, height: 360, bits: 500_000 },
    Encoding { rid: "f", width: 1280, height: 720, bits: 1_500_000 },
];
/// Ticks of the RTP clock for each frame.
pub(crate) const FRAME_TICKS: u32 = 90_000 / FPS;
/// Ticks of the RTP clock for each packet of sound.
pub(crate) const SOUND_TICKS: u32 = 960;

/// Longest payload of a packet in bytes.
const PAYLOAD_BYTES: usize = 1_100;
/// A packet of Opus at 32 kbit/s.
const SOUND_BYTES: usize = 80;
/// A keyframe is this many times as large as other frames.
const KEYFRAME_SIZE: usize = 5;
/// Length of the payload descriptor: two bytes of flags, a picture id of 15 bits, TL0PICIDX, and the temporal layer.
const DESCRIPTOR_BYTES: usize = 6;
const STAMP_BYTES: usize = 24;
const MAGIC: [u8; 2] = [0x1c, 0x0d];
/// [`Stamp::encoding`] of sound.
const SOUND: u8 = u8::MAX;

/// An encoding of a camera.
pub(crate) struct Encoding {
    pub(crate) rid: &'static str,
    pub(crate) width: u16,
    pub(crate) height: u16,
    /// Without keyframes and headers, in bit/s.
    bits: usize,
}

/// What a packet says about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Number of the person who publishes it.
    pub(crate) author: u8,
    /// Index in [`ENCODINGS`], or [`SOUND`].
    encoding: u8,
    pub(crate) temporal: u8,
    /// The packet's place in its frame, and how many packets the frame has.
    pub(crate) index: u8,
    pub(crate) count: u8,
    pub(crate) is_key: bool,
    /// The frame's number. All encodings of one picture have the same.
    pub(crate) frame: u32,
    /// The frame that is needed to decode this one. Its own number if it is a keyframe.
    pub(crate) refers: u32,
    /// When it was sent, in microseconds since 1970.
    pub(crate) sent: u64,
}

impl Stamp {
    /// Reads the stamp of a payload. `None` if there is none, as in an empty packet.
    pub(crate) fn read(payload: &[u8]) -> Option<Stamp> {
        let bytes = &payload[payload.len().checked_sub(STAMP_BYTES)?..];
        let long = |at: usize| bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_be_bytes);
        let sent = bytes.get(16..).and_then(|eight| eight.try_into().ok()).map(u64::from_be_bytes)?;
        let stamp = Stamp {
            author: bytes[2],
            encoding: bytes[3],
            temporal: bytes[4],
            index: bytes[5],
            count: bytes[6],
            is_key: bytes[7] != 0,
            frame: long(8)?,
            refers: long(12)?,
            sent,
        };
        (bytes[..2] == MAGIC).then_some(stamp)
    }

    /// The index in [`ENCODINGS`]; `None` for sound.
    pub(crate) fn encoding(&self) -> Option<usize> {
        (self.encoding != SOUND).then_some(self.encoding.into())
    }

    fn write(&self, payload: &mut [u8]) {
        let at = payload.len().saturating_sub(STAMP_BYTES);
        let fields = [self.author, self.encoding, self.temporal, self.index, self.count, u8::from(self.is_key)];
        let numbers = [self.frame.to_be_bytes(), self.refers.to_be_bytes()].concat();
        payload[at..].copy_from_slice(&[&MAGIC[..], &fields, &numbers, &self.sent.to_be_bytes()].concat());
    }
}

/// Microseconds since 1970, by the clock that the system stamps received datagrams with.
pub(crate) fn unix_micros() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// The encoder of one encoding.
#[derive(Debug)]
pub(crate) struct Encoder {
    author: u8,
    encoding: u8,
    /// The next frame is a keyframe.
    pub(crate) key: bool,
    /// Frames since the keyframe.
    since_key: u32,
    /// The newest frame of the base layer.
    base: u32,
    picture: u16,
    base_index: u8,
}

impl Encoder {
    pub(crate) fn new(author: u8, encoding: usize) -> Encoder {
        Encoder { author, encoding: encoding as u8, key: true, since_key: 0, base: 0, picture: 0, base_index: 0 }
    }

    /// The payloads of the frame of this number.
    pub(crate) fn frame(&mut self, number: u32) -> Vec<Arc<[u8]>> {
        let is_key = std::mem::take(&mut self.key);
        self.since_key = if is_key { 0 } else { self.since_key.wrapping_add(1) };
        let temporal = (self.since_key % 2) as u8;
        let refers = if is_key { number } else { self.base };
        self.picture = (self.picture + 1) & 0x7fff;
        if temporal == 0 {
            (self.base, self.base_index) = (number, self.base_index.wrapping_add(1));
        }
        let bytes = ENCODINGS[usize::from(self.encoding)].bits / 8 / FPS as usize;
        let bytes = bytes * if is_key { KEYFRAME_SIZE } else { 1 };
        let count = bytes.div_ceil(PAYLOAD_BYTES);
        let stamp = Stamp {
            author: self.author,
            encoding: self.encoding,
            temporal,
            index: 0,
            count: count as u8,
            is_key,
            frame: number,
            refers,
            sent: unix_micros(),
        };
        let packet = |index: usize| self.packet(Stamp { index: index as u8, ..stamp }, bytes.div_ceil(count));
        (0..count).map(packet).collect()
    }

    fn packet(&self, stamp: Stamp, bytes: usize) -> Arc<[u8]> {
        let [high, low] = (0x8000 | self.picture).to_be_bytes();
        let starts = if stamp.index == 0 { 0x90 } else { 0x80 };
        let mut payload = vec![starts, 0xe0, high, low, self.base_index, stamp.temporal << 6 | 0x20];
        if stamp.index == 0 {
            // Bit 0 is clear in a keyframe, and bit 4 says that the frame is shown.
            payload.extend([if stamp.is_key { 0x10 } else { 0x11 }, 0x02, 0x00]);
        }
        if stamp.index == 0 && stamp.is_key {
            let Encoding { width, height, .. } = ENCODINGS[usize::from(self.encoding)];
            payload.extend([0x9d, 0x01, 0x2a]);
            payload.extend([width.to_le_bytes(), height.to_le_bytes()].concat());
        }
        payload.resize(bytes.max(payload.len() + STAMP_BYTES) + DESCRIPTOR_BYTES, 0x5a);
        stamp.write(&mut payload);
        payload.into()
    }
}

/// The payload of the n-th packet of a voice.
pub(crate) fn sound(author: u8, n: u32) -> Arc<[u8]> {
    let mut payload = vec![0x5a; SOUND_BYTES];
    let stamp = Stamp { author, encoding: SOUND, count: 1, frame: n, sent: unix_micros(), ..Stamp::default() };
    stamp.write(&mut payload);
    payload.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use str0m::rtp::Vp8Descriptor;

    #[test]
    fn a_frame_says_what_it_needs() {
        let mut encoder = Encoder::new(3, 2);
        let frames: Vec<Vec<Stamp>> = (10..14)
            .map(|number| encoder.frame(number).iter().map(|payload| Stamp::read(payload).expect("stamped")).collect())
            .collect();
        let first = |frame: usize| frames[frame][0];
        assert_eq!([0, 1, 2, 3].map(|frame| first(frame).refers), [10, 10, 10, 12]);
        assert_eq!([0, 1, 2, 3].map(|frame| first(frame).temporal), [0, 1, 0, 1]);
        assert!(first(0).is_key && !first(1).is_key);
        assert_eq!((frames[1].len(), first(1).count, frames[0].len()), (6, 6, 29));
        assert_eq!((first(1).author, first(1).encoding()), (3, Some(2)));
        assert_eq!(Stamp::read(&sound(1, 7)).and_then(|stamp| stamp.encoding()), None);
        assert_eq!(Stamp::read(&[0; 40]), None);
    }

    #[test]
    fn descriptors_are_those_of_vp8() {
        let mut encoder = Encoder::new(0, 0);
        for payload in (0..3).flat_map(|number| encoder.frame(number)) {
            assert!(Vp8Descriptor::parse(&payload).is_ok());
        }
        let key = Encoder::new(0, 1).frame(0).remove(0);
        assert_eq!(key[DESCRIPTOR_BYTES + 3..][..7], [0x9d, 1, 0x2a, 0x80, 2, 104, 1]);
    }
}
