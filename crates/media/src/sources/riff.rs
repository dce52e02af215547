//! Parses WAV files, including ones with wrong lengths.
//!
//! RIFF as defined by Microsoft and IBM in 1991, with the 64-bit sizes of RF64 and BW64 (EBU Tech 3306, ITU-R BS.2088).
//! Programs that write to a pipe, crash, or omit a padding byte leave wrong lengths, so a length is used only if it
//! agrees with the data. `hound` reads well-formed files well, but trusts every length.

use super::error::WavError;

/// The sample format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    pub(super) encoding: Encoding,
    pub(super) channels: usize,
    pub(super) rate: u32,
    /// Bytes per sample.
    pub(super) container: usize,
    /// Number of bits used in a sample.
    pub(super) bits: u32,
}

/// The encoding of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Unsigned up to 8 bits, signed above.
    Integer,
    Float,
}

/// Returns the format and the audio data, which may end within a frame.
pub(super) fn parse(bytes: &[u8]) -> Result<(Format, &[u8]), WavError> {
    let kind = bytes.get(..4).unwrap_or_default();
    let wave = bytes.get(8..12).is_some_and(|id| id == b"WAVE");
    match kind {
        b"RIFF" | b"RF64" | b"BW64" if wave => {}
        b"RIFX" => return Err(WavError::Unsupported("big-endian samples (RIFX)".into())),
        _ => return Err(WavError::NoWav),
    }
    let found = walk(bytes);
    let format = found.format.ok_or(WavError::NoFormat)?;
    let format = parse_format(format)?;
    let data = found.data.ok_or(WavError::Empty)?;
    Ok((format, data))
}

#[derive(Default)]
struct Found<'a> {
    format: Option<&'a [u8]>,
    data: Option<&'a [u8]>,
}

/// Walks the chunks up to the audio data. If the chain is broken, or a length exceeds the file, searches for the chunks
/// by name.
fn walk(bytes: &[u8]) -> Found<'_> {
    let mut found = Found::default();
    let (mut at, mut data_size) = (12, None);
    while let Some((id, size)) = header(bytes, at) {
        let body = bytes.get(at + 8..).unwrap_or_default();
        let mut len = size;
        match id {
            b"ds64" => data_size = u64_at(body, 8),
            b"fmt " => found.format = found.format.or(Some(&body[..body.len().min(size.max(SHORTEST_FORMAT))])),
            b"data" if found.data.is_none() => {
                let size = if size == u32::MAX as usize { data_size.unwrap_or(u64::MAX) } else { size as u64 };
                len = sound_len(body, size);
                found.data = Some(&body[..len]);
            }
            _ => {}
        }
        if found.data.is_some() && found.format.is_some() {
            return found;
        }
        at = next(bytes, at + 8, len);
    }
    search(bytes, found)
}

/// The start of the chunk that follows the one whose body starts at `body`. Odd chunks should be padded, but some are
/// not.
fn next(bytes: &[u8], body: usize, size: usize) -> usize {
    let end = body.saturating_add(size);
    let padded = end.saturating_add(size % 2);
    if !is_chunk(bytes, padded) && is_chunk(bytes, end) { end } else { padded }
}

/// The length of the audio data: `size` if there are as many bytes and another chunk or nothing follows, otherwise all
/// remaining bytes.
fn sound_len(body: &[u8], size: u64) -> usize {
    let all = body.len();
    let Some(size) = usize::try_from(size).ok().filter(|size| *size < all) else { return all };
    let padded = size + size % 2;
    let tag = |at| body.get(at..).is_some_and(|rest| rest.starts_with(b"TAG") || rest.starts_with(b"ID3"));
    let ends = [size, padded].into_iter().any(|at| is_chunk(body, at) || tag(at));
    if ends || padded == all { size } else { all }
}

/// Whether a chunk may start here: its name is common, or it is printable and its length fits into the file.
fn is_chunk(bytes: &[u8], at: usize) -> bool {
    header(bytes, at).is_some_and(|(id, size)| {
        let readable = id.iter().all(|c| (b' '..=b'~').contains(c));
        USUAL.contains(&id) || readable && size <= bytes.len().saturating_sub(at.saturating_add(8))
    })
}

/// Chunks that programs commonly add.
const USUAL: [&[u8; 4]; 14] = [
    b"fmt ", b"data", b"LIST", b"fact", b"bext", b"JUNK", b"junk", b"PEAK", b"cue ", b"smpl", b"iXML", b"axml",
    b"id3 ", b"ds64",
];

/// Searches for the chunks by name, for a broken chain.
fn search<'a>(bytes: &'a [u8], mut found: Found<'a>) -> Found<'a> {
    let place = |id: &[u8], from: usize| Some(bytes.get(from..)?.windows(4).position(|four| four == id)? + from);
    if found.format.is_none()
        && let Some(at) = place(b"fmt ", 12)
    {
        found.format = bytes.get(at + 8..);
    }
    let after = found.format.map_or(12, |format| format.as_ptr() as usize - bytes.as_ptr() as usize);
    if found.data.is_none()
        && let Some(at) = place(b"data", after)
        && let Some((_, size)) = header(bytes, at)
    {
        let body = bytes.get(at + 8..).unwrap_or_default();
        found.data = Some(&body[..sound_len(body, size as u64)]);
    }
    found
}

fn header(bytes: &[u8], at: usize) -> Option<(&[u8; 4], usize)> {
    let id = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
    let size = u32::from_le_bytes(bytes.get(at + 4..at.checked_add(8)?)?.try_into().ok()?);
    Some((id, size as usize))
}

/// Bytes of a format chunk up to the bits per sample.
const SHORTEST_FORMAT: usize = 16;
const PCM: u16 = 1;
const FLOAT: u16 = 3;
const EXTENSIBLE: u16 = 0xFFFE;

fn parse_format(chunk: &[u8]) -> Result<Format, WavError> {
    let u16_at = |at: usize| chunk.get(at..at + 2).map(|b| u16::from_le_bytes([b[0], b[1]])).ok_or(WavError::NoFormat);
    let (mut tag, channels, rate) = (u16_at(0)?, usize::from(u16_at(2)?), u32_at(chunk, 4).ok_or(WavError::NoFormat)?);
    let (block, mut bits) = (usize::from(u16_at(12)?), u32::from(u16_at(14)?));
    let named = bits.div_ceil(8) as usize;
    if tag == EXTENSIBLE
        && let (Ok(valid), Ok(sub)) = (u16_at(18), u16_at(24))
    {
        tag = sub;
        bits = if (1..=bits).contains(&u32::from(valid)) { valid.into() } else { bits };
    }
    let encoding = match tag {
        PCM => Encoding::Integer,
        FLOAT => Encoding::Float,
        other => return Err(WavError::Unsupported(format!("compressed audio (format {other:#06x})"))),
    };
    if channels == 0 {
        return Err(WavError::Unsupported("no channels".into()));
    }
    // A frame longer than its samples pads them (24 bits in 4 bytes). An implausible length is ignored.
    let padded = block / channels;
    let container = if block % channels == 0 && (named..=8).contains(&padded) { padded } else { named };
    let fits = match encoding {
        Encoding::Integer => (1..=32).contains(&bits) && container <= 4,
        Encoding::Float => matches!((bits, container), (32, 4) | (64, 8)),
    };
    let format = Format { encoding, channels, rate, container, bits };
    if fits { Ok(format) } else { Err(WavError::Unsupported(format!("samples of {bits} bits"))) }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chunk(id: &[u8; 4], size: u32, body: &[u8]) -> Vec<u8> {
        [&id[..], &size.to_le_bytes(), body].concat()
    }

    /// Mono, 48 kHz, 16 bit.
    fn format() -> Vec<u8> {
        chunk(b"fmt ", 16, &[1, 0, 1, 0, 0x80, 0xBB, 0, 0, 0, 0x77, 1, 0, 2, 0, 16, 0])
    }

    /// 100 samples that do not look like text.
    fn sound() -> Vec<u8> {
        (0..100i16).flat_map(|n| (n * 300 - 9_000).to_le_bytes()).collect()
    }

    fn file(kind: &[u8; 4], size: u32, chunks: &[Vec<u8>]) -> Vec<u8> {
        [&kind[..], &size.to_le_bytes(), b"WAVE", &chunks.concat()].concat()
    }

    fn data(bytes: &[u8]) -> Vec<u8> {
        let (format, data) = parse(bytes).expect("a file that can be played");
        let expected = Format { encoding: Encoding::Integer, channels: 1, rate: 48_000, container: 2, bits: 16 };
        assert_eq!(format, expected);
        data.to_vec()
    }

    #[test]
    fn wrong_chunk_lengths_lose_no_samples() {
        let list = || chunk(b"LIST", 4, b"INFO");
        for riff in [0, 1, 36, 236, u32::MAX] {
            for said in [200, 0, 1, 40, 201, 4_000, u32::MAX] {
                let bytes = file(b"RIFF", riff, &[format(), chunk(b"data", said, &sound())]);
                assert_eq!(data(&bytes), sound(), "RIFF of {riff}, data of {said} bytes");
            }
            let bytes = file(b"RIFF", riff, &[format(), chunk(b"data", 200, &sound()), list()]);
            assert_eq!(data(&bytes), sound(), "the rest is not sound");
        }
    }

    #[test]
    fn chunks_after_the_samples_are_ignored() {
        let cut_list = chunk(b"LIST", 400, b"INFOISFT");
        let tag = [&b"TAGsomething"[..], &[0; 116]].concat();
        for after in [chunk(b"id3 ", 3, b"abc"), cut_list, tag, chunk(b"xyz1", 2, b"ab")] {
            let bytes = file(b"RIFF", 36, &[format(), chunk(b"data", 200, &sound()), after]);
            assert_eq!(data(&bytes), sound());
        }
    }

    #[test]
    fn odd_chunks_may_be_unpadded() {
        for id in [b"LIST", b"bext", b"odd1"] {
            for len in [1u32, 3, 25] {
                let body = vec![b'x'; len as usize];
                for padding in [&[][..], &[0]] {
                    let odd = [chunk(id, len, &body), padding.to_vec()].concat();
                    let before = file(b"RIFF", 0, &[odd.clone(), format(), chunk(b"data", 200, &sound())]);
                    assert_eq!(data(&before), sound(), "{len} bytes and {} of padding", padding.len());
                    let between = file(b"RIFF", 0, &[format(), odd, chunk(b"data", 200, &sound())]);
                    assert_eq!(data(&between), sound(), "{len} bytes and {} of padding", padding.len());
                }
            }
        }
        let odd = file(b"RIFF", 0, &[format(), chunk(b"data", 199, &sound()[..199]), vec![0]]);
        assert_eq!(data(&odd), &sound()[..199], "padding is not sound");
    }

    #[test]
    fn sizes_of_64_bits_are_supported() {
        for kind in [b"RF64", b"BW64"] {
            for said in [200u64, 0, u64::MAX, 120, 9_000] {
                let sizes = [&36u64.to_le_bytes()[..], &said.to_le_bytes(), &100u64.to_le_bytes(), &[0; 4]].concat();
                let chunks = [chunk(b"ds64", 28, &sizes), format(), chunk(b"data", u32::MAX, &sound())];
                assert_eq!(data(&file(kind, u32::MAX, &chunks)), sound(), "{said}");
            }
            let sizes = [&0u64.to_le_bytes()[..], &200u64.to_le_bytes(), &[0; 12]].concat();
            let chunks =
                [chunk(b"ds64", 28, &sizes), format(), chunk(b"data", u32::MAX, &sound()), chunk(b"LIST", 4, b"INFO")];
            assert_eq!(data(&file(kind, u32::MAX, &chunks)), sound());
        }
    }

    #[test]
    fn a_broken_chunk_chain_is_searched() {
        for lie in [0, 3, 5_000, u32::MAX - 1] {
            let junk = chunk(b"LIST", lie, &[7; 40]);
            let bytes = file(b"RIFF", 0, &[format(), junk.clone(), chunk(b"data", 200, &sound())]);
            assert_eq!(data(&bytes), sound(), "a chunk that says {lie}");
            let bytes = file(b"RIFF", 0, &[junk, format(), chunk(b"data", 200, &sound())]);
            assert_eq!(data(&bytes), sound(), "a chunk that says {lie}");
        }
        let mut short_format = format();
        short_format[4] = 0;
        let bytes = file(b"RIFF", 0, &[short_format, chunk(b"data", 200, &sound())]);
        assert_eq!(data(&bytes), sound());
    }

    #[test]
    fn a_truncated_file_yields_its_samples() {
        let whole = file(b"RIFF", 236, &[format(), chunk(b"data", 200, &sound())]);
        for len in 0..whole.len() {
            match parse(&whole[..len]) {
                Ok((_, data)) => assert_eq!(data, &sound()[..len - 44]),
                Err(_) => assert!(len < 44, "{len}"),
            }
        }
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
            let _ = parse(&[&b"RIFF\0\0\0\0WAVE"[..], &bytes].concat());
        }

        #[test]
        fn modified_files_yield_samples_or_an_error(
            changes in prop::collection::vec((0usize..60, any::<u8>()), 1..6),
            cut in 0usize..260,
        ) {
            let mut bytes = file(b"RF64", 236, &[format(), chunk(b"data", 200, &sound()), chunk(b"LIST", 4, b"INFO")]);
            for (at, to) in changes {
                bytes[at] = to;
            }
            bytes.truncate(cut);
            if let Ok((format, data)) = parse(&bytes) {
                prop_assert!(format.channels > 0 && (1..=8).contains(&format.container) && data.len() <= bytes.len());
            }
        }
    }
}
