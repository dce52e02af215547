//! Parses the structure of an Opus packet without decoding it (RFC 6716 section 3).

use crate::audio::MAX_PACKET_SAMPLES;

/// The properties of an Opus packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Toc {
    /// Duration of the packet in samples at 48 kHz.
    pub(super) samples: usize,
    /// Duration of each frame in samples. In-band FEC recovers this much of the previous packet.
    pub(super) frame: usize,
    /// Contains a redundant copy of the previous frame (LBRR, RFC 6716 section 2.1.7).
    pub(super) fec: bool,
    /// A DTX packet, which only signals silence.
    pub(super) dtx: bool,
}

impl Toc {
    /// Parses a packet. `None` if it is invalid.
    pub(super) fn parse(payload: &[u8]) -> Option<Self> {
        let (&toc, rest) = payload.split_first()?;
        let frame = frame_samples(toc >> 3);
        let (count, first) = match toc & 3 {
            0 => (1, Some(rest)),
            1 => (2, Some(rest)),
            2 => (2, skip_length(rest)),
            _ => {
                let flags = *rest.first()?;
                (usize::from(flags & 63), first_frame(flags, &rest[1..]))
            }
        };
        let samples = frame * count;
        if samples == 0 || samples > MAX_PACKET_SAMPLES {
            return None;
        }
        let silk = toc >> 3 < 16;
        let fec =
            silk && first.and_then(|f| f.first()).is_some_and(|first_byte| has_lbrr(*first_byte, frame, toc & 4 != 0));
        Some(Self { samples, frame, fec, dtx: payload.len() <= 2 })
    }
}

/// Duration of a frame in samples (RFC 6716 table 2).
fn frame_samples(config: u8) -> usize {
    match (config, config & 3) {
        (0..12, n) => [480, 960, 1_920, 2_880][usize::from(n)],
        (12..16, n) => [480, 960][usize::from(n & 1)],
        (_, n) => [120, 240, 480, 960][usize::from(n)],
    }
}

/// Skips a frame length of one or two bytes.
fn skip_length(bytes: &[u8]) -> Option<&[u8]> {
    match bytes.first()? {
        252..=255 => bytes.get(2..),
        0..=251 => bytes.get(1..),
    }
}

/// The first frame of a packet with a signalled number of frames (code 3).
fn first_frame(flags: u8, mut bytes: &[u8]) -> Option<&[u8]> {
    if flags & 0x40 != 0 {
        loop {
            let (&padding, rest) = bytes.split_first()?;
            bytes = rest;
            if padding != 255 {
                break;
            }
        }
    }
    if flags & 0x80 != 0 {
        for _ in 1..flags & 63 {
            bytes = skip_length(bytes)?;
        }
    }
    Some(bytes)
}

/// Reads the LBRR flags. Each follows the VAD flags of its channel, one for each 20 ms, at the start of the SILK frame
/// (RFC 6716 section 4.2.3). In stereo, the side channel follows the mid channel.
fn has_lbrr(first_byte: u8, frame: usize, stereo: bool) -> bool {
    let frames = (frame / 960).max(1);
    let side = 6usize.checked_sub(2 * frames).is_some_and(|shift| first_byte >> shift & 1 == 1);
    first_byte >> (7 - frames) & 1 == 1 || stereo && side
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(payload: &[u8]) -> (usize, usize, bool, bool) {
        let toc = Toc::parse(payload).expect("a packet");
        (toc.samples, toc.frame, toc.fec, toc.dtx)
    }

    #[test]
    fn durations_are_those_of_the_table() {
        assert_eq!(parse(&[9 << 3, 0, 0]), (960, 960, false, false)); // SILK wide band, 20 ms
        assert_eq!(parse(&[11 << 3, 0, 0]), (2_880, 2_880, false, false));
        assert_eq!(parse(&[14 << 3 | 1, 0, 0]), (960, 480, false, false)); // hybrid, twice 10 ms
        assert_eq!(parse(&[31 << 3 | 3, 3, 0]), (2_880, 960, false, false)); // CELT, three of 20 ms
    }

    #[test]
    fn the_lbrr_flag_is_found() {
        assert!(parse(&[9 << 3, 0b0100_0000, 0]).2);
        assert!(!parse(&[9 << 3, 0b1011_1111, 0]).2);
        assert!(parse(&[11 << 3, 0b0001_0000, 0]).2); // 60 ms: after three voice flags
        assert!(!parse(&[31 << 3, 0b0100_0000, 0]).2); // CELT has none
        assert!(parse(&[9 << 3 | 2, 1, 0b0100_0000, 0]).2);
        assert!(parse(&[9 << 3 | 3, 0xC0 | 2, 1, 1, 0b0100_0000, 0, 0]).2);
    }

    #[test]
    fn a_packet_of_one_or_two_bytes_is_silence() {
        assert!(parse(&[9 << 3]).3 && parse(&[9 << 3, 0]).3);
    }

    #[test]
    fn too_long_and_empty_packets_are_rejected() {
        assert_eq!(Toc::parse(&[]), None);
        assert_eq!(Toc::parse(&[11 << 3 | 3, 3, 0]), None); // 180 ms
        assert_eq!(Toc::parse(&[9 << 3 | 3, 0]), None);
        assert_eq!(Toc::parse(&[9 << 3 | 3]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_within_bounds(payload in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(toc) = Toc::parse(&payload) {
                prop_assert!(toc.samples <= MAX_PACKET_SAMPLES && toc.samples >= toc.frame && toc.samples % 120 == 0);
            }
        }
    }
}
