//! Frames of a stream, however its bytes arrive.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use relay::limits::{MAX_STREAM_FRAME_BYTES, STREAM_FRAME_TIME};
use relay::stream::{Broken, Framer, begins_stun, frames};

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
/// Longest attributes of a STUN message that fits.
const LONGEST_BODY: usize = MAX_STREAM_FRAME_BYTES - 20;

fn stun(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut out = kind.to_be_bytes().to_vec();
    out.extend((body.len() as u16).to_be_bytes());
    out.extend(COOKIE);
    out.extend([7; 12]);
    out.extend(body);
    out
}

/// Channel data as it is on a stream, with its padding.
fn channel(number: u16, data: &[u8]) -> Vec<u8> {
    let mut out = number.to_be_bytes().to_vec();
    out.extend((data.len() as u16).to_be_bytes());
    out.extend(data);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// Passes bytes on in pieces of these lengths, as often as needed. Returns the frames and how it ended.
fn divide(bytes: &[u8], pieces: &[usize]) -> (Vec<Vec<u8>>, Result<(), Broken>) {
    let (mut framer, now, mut divided, mut rest) = (Framer::new(), Instant::now(), Vec::new(), bytes);
    for piece in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let space = framer.space();
        let length = (*piece).min(rest.len()).min(space.len());
        assert!(length > 0, "the framer has no space");
        space[..length].copy_from_slice(&rest[..length]);
        rest = &rest[length..];
        let result = framer.filled(now, length);
        if let Some(whole) = framer.take() {
            divided.extend(frames(&whole).map(<[u8]>::to_vec));
        }
        if result.is_err() {
            return (divided, result);
        }
    }
    (divided, Ok(()))
}

fn frame() -> impl Strategy<Value = Vec<u8>> {
    let data = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        prop::collection::vec(any::<u8>(), 1_000..1_300),
        Just(vec![5; LONGEST_BODY]),
    ];
    (any::<bool>(), 0_u16..0x1000, data).prop_map(|(is_stun, number, mut data)| {
        if is_stun {
            data.truncate(data.len() / 4 * 4);
            stun(number, &data)
        } else {
            channel(0x4000 + number, &data)
        }
    })
}

proptest! {
    #[test]
    fn any_split_of_a_stream_gives_the_same_frames(
        sent in prop::collection::vec(frame(), 1..12),
        pieces in prop::collection::vec(1_usize..3_000, 1..20),
    ) {
        let (divided, result) = divide(&sent.concat(), &pieces);
        prop_assert_eq!((divided, result), (sent, Ok(())));
    }

    #[test]
    fn any_bytes_are_divided_or_refused_and_any_split_decides_alike(
        bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(0x40), any::<u8>()], 0..300),
        pieces in prop::collection::vec(1_usize..50, 1..10),
    ) {
        let (divided, result) = divide(&bytes, &pieces);
        prop_assert_eq!(&bytes[..divided.concat().len()], &divided.concat());
        let (one_by_one, by_byte) = divide(&bytes, &[1]);
        prop_assert_eq!((divided, result), (one_by_one, by_byte));
    }
}

#[test]
fn bytes_that_are_not_turn_end_the_stream_at_the_first_wrong_byte() {
    let wrong_cookie = [&[0, 1, 0, 0, 0x21][..], &[0x13]].concat();
    let unaligned = [0, 1, 0, 3];
    for broken in [&[0x80][..], &[0xff], &wrong_cookie, &unaligned, b"\x16\x03\x01\x00\xf0"] {
        let (before, last) = broken.split_at(broken.len() - 1);
        assert_eq!(divide(before, &[1]), (vec![], Ok(())), "{before:?}");
        assert_eq!(divide(&[before, last].concat(), &[1]).1, Err(Broken::NotTurn), "{broken:?}");
    }
}

#[test]
fn a_frame_over_the_limit_ends_the_stream_before_its_data_is_kept() {
    let longest = channel(0x4000, &vec![1; MAX_STREAM_FRAME_BYTES - 4]);
    assert_eq!(divide(&longest, &[4_096]), (vec![longest.clone()], Ok(())));
    let longer = [0x40, 0, ((MAX_STREAM_FRAME_BYTES - 3) >> 8) as u8, (MAX_STREAM_FRAME_BYTES - 3) as u8];
    assert_eq!(divide(&longer, &[4]), (vec![], Err(Broken::TooLong)));
    assert_eq!(divide(&stun(1, &vec![0; LONGEST_BODY + 4])[..8], &[8]), (vec![], Err(Broken::TooLong)));
}

#[test]
fn a_frame_that_trickles_has_a_deadline_and_the_next_one_has_its_own() {
    let (mut framer, start) = (Framer::new(), Instant::now());
    let mut receive = |at: Instant, bytes: &[u8]| {
        framer.space()[..bytes.len()].copy_from_slice(bytes);
        framer.filled(at, bytes.len()).expect("whole or not yet");
        framer.take();
        framer.poll_timeout()
    };
    let second = |n| start + Duration::from_secs(n);
    assert_eq!(receive(start, &[0x40]), Some(start + STREAM_FRAME_TIME));
    assert_eq!(receive(second(1), &[0, 0, 2]), Some(start + STREAM_FRAME_TIME), "not extended by each byte");
    assert_eq!(receive(second(2), &[1, 1, 0, 0]), None);
    assert_eq!(receive(second(3), &channel(0x4000, b"hi")), None);
    let one_and_a_half = [channel(0x4000, b"hi"), vec![0x40]].concat();
    assert_eq!(receive(second(4), &one_and_a_half), Some(second(4) + STREAM_FRAME_TIME));
}

#[test]
fn a_streams_first_byte_tells_turn_from_http_and_tls() {
    assert!(begins_stun(stun(1, &[])[0]) && begins_stun(stun(3, &[])[0]));
    for other in [b'G', b'P', b'\r', 0x16, 0x40, 0x80] {
        assert!(!begins_stun(other), "{other:x}");
    }
}
