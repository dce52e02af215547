//! Decodes arbitrary bytes. The result is an error or a frame, never a panic, and a keyframe always recovers.

mod common;

use bytes::Bytes;
use codecs::{DecodeError, MAX_PIXELS, OpusConfig, OpusDecoder, OpusEncoder, VideoDecoder, video_decoder};
use common::{Clip, encoder};
use media::audio::AudioDecoder;
use media::encoded::{EncodedFrame, VideoCodec};
use media::frame::FramePool;
use proptest::prelude::*;
use std::sync::LazyLock;

const FRAMES: u32 = 12;

static STREAMS: LazyLock<Vec<Vec<EncodedFrame>>> = LazyLock::new(|| {
    let clip = Clip::new(96, 64);
    let stream = |codec| {
        let mut encoder = encoder(codec, 96, 64, 200_000);
        (0..FRAMES).filter_map(|n| encoder.encode(&clip.frame(n), n == 6).expect("encoded")).collect()
    };
    VideoCodec::ALL.map(stream).to_vec()
});

fn open(codec: VideoCodec) -> Box<dyn VideoDecoder> {
    video_decoder(codec, FramePool::new()).expect("a decoder")
}

fn with(frame: &EncodedFrame, data: Vec<u8>) -> EncodedFrame {
    EncodedFrame { data: data.into(), ..frame.clone() }
}

/// Damage to one frame.
#[derive(Debug, Clone)]
enum Damage {
    Flip(Vec<(prop::sample::Index, u8)>),
    Cut(prop::sample::Index),
    Replace(Vec<u8>),
    Append(Vec<u8>),
    Lose,
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    prop_oneof![
        4 => prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..12).prop_map(Damage::Flip),
        2 => any::<prop::sample::Index>().prop_map(Damage::Cut),
        1 => bytes().prop_map(Damage::Replace),
        1 => bytes().prop_map(Damage::Append),
        1 => Just(Damage::Lose),
    ]
}

fn damaged(frame: &EncodedFrame, damage: &Damage) -> Option<EncodedFrame> {
    let mut data = frame.data.to_vec();
    match damage {
        Damage::Flip(flips) => flips.iter().for_each(|(at, bits)| {
            let at = at.index(data.len());
            data[at] ^= bits;
        }),
        Damage::Cut(at) => data.truncate(at.index(data.len())),
        Damage::Replace(bytes) => data.clone_from(bytes),
        Damage::Append(bytes) => data.extend(bytes),
        Damage::Lose => return None,
    }
    Some(with(frame, data))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_streams_never_panic_and_recover_at_a_keyframe(
        hurts in prop::collection::vec((0..FRAMES as usize, damage()), 1..6),
    ) {
        for stream in STREAMS.iter() {
            let mut decoder = open(stream[0].codec);
            for (n, frame) in stream.iter().enumerate() {
                let hurt = hurts.iter().find(|(at, _)| *at == n);
                let frame = match hurt {
                    Some((_, hurt)) => damaged(frame, hurt),
                    None => Some(frame.clone()),
                };
                if let Some(Ok(Some(picture))) = frame.map(|frame| decoder.decode(&frame)) {
                    prop_assert!(picture.width() * picture.height() <= MAX_PIXELS);
                }
            }
            let healed = decoder.decode(&stream[0]).expect("an intact keyframe is decoded").expect("and shown");
            let fresh = open(stream[0].codec).decode(&stream[0]).expect("decoded").expect("shown");
            prop_assert_eq!(healed.data(), fresh.data());
        }
    }

    #[test]
    fn random_bytes_decode_to_nothing(data in prop::collection::vec(any::<u8>(), 0..400)) {
        for stream in STREAMS.iter() {
            let mut decoder = open(stream[0].codec);
            let _ = decoder.decode(&with(&stream[0], data.clone()));
            let _ = decoder.decode(&stream[0]);
            let _ = decoder.decode(&with(&stream[0], data.clone()));
        }
    }

    #[test]
    fn valid_headers_before_random_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..300)) {
        let starts: [(VideoCodec, &[u8]); 4] = [
            (VideoCodec::Vp8, &[0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x00, 0x30, 0x00]),
            (VideoCodec::Vp9, &[0x82, 0x49, 0x83, 0x42, 0x00, 0x03, 0xf0, 0x02, 0xf6]),
            (VideoCodec::H264, &[0, 0, 0, 1, 0x67, 66, 0xe0, 31]),
            (VideoCodec::H264, &[0, 0, 0, 1, 0x65]),
        ];
        for (codec, start) in starts {
            let frame = EncodedFrame { codec, ..STREAMS[0][0].clone() };
            let _ = open(codec).decode(&with(&frame, [start, &data].concat()));
        }
    }

    #[test]
    fn arbitrary_opus_packets_never_panic(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..8)) {
        let mut decoder = OpusDecoder::new().expect("a decoder");
        let mut out = vec![];
        for packet in packets {
            let before = out.len();
            if decoder.decode(&packet, &mut out).is_err() {
                prop_assert_eq!(out.len(), before);
                decoder.conceal(480, &mut out);
                prop_assert_eq!(out.len(), before + 480);
            }
            let before = out.len();
            let fec = decoder.decode_fec(&packet, 960, &mut out);
            prop_assert_eq!(out.len() - before, if fec.is_ok() { 960 } else { 0 });
        }
        prop_assert!(out.iter().all(|sample| sample.is_finite()));
    }
}

#[test]
fn frames_above_the_bound_are_refused_before_allocation() {
    // Keyframes of 16383x16383 (VP8) and 65536x65536 (VP9) that are marked as shown.
    let vp8 = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0xff, 0x3f, 0xff, 0x3f, 0, 0, 0, 0];
    let vp9 = [0x82, 0x49, 0x83, 0x42, 0x20, 0xff, 0xff, 0xff, 0xff, 0, 0, 0];
    // An SPS with 1000 by 1000 macroblocks, followed by a slice of an IDR picture.
    let h264 = [0, 0, 0, 1, 0x67, 66, 0xe0, 31, 0xda, 0x00, 0x3e, 0x80, 0x07, 0xd1, 0x90, 0, 0, 1, 0x65, 0x88, 0x84];
    for (codec, data) in [(VideoCodec::Vp8, &vp8[..]), (VideoCodec::Vp9, &vp9), (VideoCodec::H264, &h264)] {
        let frame = EncodedFrame { codec, data: Bytes::copy_from_slice(data), ..STREAMS[0][0].clone() };
        let refused = open(codec).decode(&frame).err();
        assert!(matches!(refused, Some(DecodeError::TooLarge { .. })), "{codec:?}: {refused:?}");
    }
}

#[test]
fn an_empty_frame_is_an_error() {
    for stream in STREAMS.iter() {
        let mut decoder = open(stream[0].codec);
        decoder.decode(&stream[0]).expect("decoded");
        assert_eq!(decoder.decode(&with(&stream[1], vec![])).err(), Some(DecodeError::Corrupt));
        assert_eq!(decoder.decode(&stream[1]).err(), Some(DecodeError::NeedKeyframe));
    }
}

#[test]
fn an_empty_opus_packet_is_refused_and_the_next_decoded() {
    let mut encoder = OpusEncoder::new(OpusConfig::default()).expect("an encoder");
    let mut decoder = OpusDecoder::new().expect("a decoder");
    let mut out = vec![];
    assert!(decoder.decode(&[], &mut out).is_err());
    decoder.decode(&encoder.encode(&[0.1; 960]).expect("encoded"), &mut out).expect("decoded");
    assert_eq!(out.len(), 960);
}
