//! Encodes frames with each codec, decodes them, and compares.

mod common;

use codecs::{Content, DecodeError, EncodeError, video_decoder, video_encoder};
use common::{Clip, FPS, config, encoder};
use media::encoded::{EncodedFrame, VideoCodec};
use media::frame::{Color, FramePool, Matrix, VideoFrame};
use media::quality::psnr_y;
use std::time::Duration;

#[test]
fn frames_round_trip_with_timestamps_and_little_loss() {
    for (codec, least) in [(VideoCodec::Vp8, 36.5), (VideoCodec::Vp9, 37.5), (VideoCodec::H264, 36.0)] {
        let clip = Clip::new(320, 180);
        let mut encoder = encoder(codec, 320, 180, 700_000);
        let mut decoder = video_decoder(codec, FramePool::new()).expect("a decoder");
        let (mut sum, mut shown) = (0.0, 0);
        for n in 0..90 {
            let frame = clip.frame(n);
            let Some(encoded) = encoder.encode(&frame, false).expect("encoded") else { continue };
            assert_eq!((encoded.codec, encoded.keyframe), (codec, n == 0));
            assert_eq!((encoded.width, encoded.height), (320, 180));
            assert_eq!((encoded.time, encoded.rtp_timestamp), (frame.time, frame.rtp_timestamp));
            let decoded = decoder.decode(&encoded).expect("decoded").expect("shown");
            assert_eq!((decoded.time, decoded.rtp_timestamp), (frame.time, frame.rtp_timestamp));
            assert_eq!(decoded.color, Color::default());
            sum += psnr_y(&decoded, &frame, 0);
            shown += 1;
        }
        let mean = sum / f64::from(shown);
        assert!(shown >= 85 && mean > least, "{codec:?}: {mean:.2} dB over {shown} frames");
    }
}

#[test]
fn chroma_planes_keep_their_order_and_odd_sizes_are_complete() {
    for (codec, shown) in [(VideoCodec::Vp8, (177, 99)), (VideoCodec::Vp9, (177, 99)), (VideoCodec::H264, (176, 98))] {
        let frame = Clip::new(177, 99).frame(0);
        let encoded = encoder(codec, 177, 99, 2_000_000).encode(&frame, true).expect("encoded").expect("kept");
        assert_eq!((encoded.width, encoded.height), shown);
        let mut decoder = video_decoder(codec, FramePool::new()).expect("a decoder");
        let decoded = decoder.decode(&encoded).expect("decoded").expect("shown");
        assert_eq!((decoded.width(), decoded.height()), shown);
        let mean = |plane: &[u8]| plane.iter().map(|v| f64::from(*v)).sum::<f64>() / plane.len() as f64;
        assert!((mean(decoded.u()) - mean(frame.u())).abs() < 2.0, "{codec:?}");
        assert!((mean(decoded.v()) - mean(frame.v())).abs() < 2.0, "{codec:?}");
        let corner = |f: &VideoFrame| f64::from(f.y()[f.y().len() - 1 - f.width() as usize]);
        assert!((corner(&decoded) - mean(&frame.y()[177 * 96..])).abs() < 70.0);
    }
}

/// The bitrate of `frames` frames starting at number `from`, in bit/s.
fn rate(encoder: &mut dyn codecs::VideoEncoder, clip: &Clip, from: u32, frames: u32) -> f64 {
    let bytes: usize = (from..from + frames)
        .map(|n| encoder.encode(&clip.frame(n), false).expect("encoded").map_or(0, |e| e.data.len()))
        .sum();
    bytes as f64 * 8.0 * f64::from(FPS) / f64::from(frames)
}

fn assert_near(rate: f64, target: f64, what: &str) {
    assert!((0.85..=1.15).contains(&(rate / target)), "{what}: {rate:.0} bit/s for a target of {target:.0}");
}

#[test]
fn the_bitrate_is_held_over_five_seconds() {
    let clip = Clip::new(320, 180);
    for codec in VideoCodec::ALL {
        for target in [150_000, 400_000, 1_000_000] {
            let mut encoder = encoder(codec, 320, 180, target);
            let rate = rate(&mut *encoder, &clip, 0, 5 * FPS);
            assert_near(rate, target as f64, &format!("{codec:?}"));
        }
    }
}

#[test]
fn a_new_bitrate_is_followed_without_a_keyframe() {
    let clip = Clip::new(320, 180);
    for codec in VideoCodec::ALL {
        let mut encoder = encoder(codec, 320, 180, 1_000_000);
        rate(&mut *encoder, &clip, 0, 3 * FPS);
        encoder.set_rate(250_000, FPS);
        // When the rate drops, measure from the drop on, because excess bits would wait in a queue.
        let down = rate(&mut *encoder, &clip, 3 * FPS, 5 * FPS);
        assert_near(down, 250_000.0, &format!("{codec:?} down"));
        encoder.set_rate(800_000, FPS);
        for n in 8 * FPS..9 * FPS {
            assert!(encoder.encode(&clip.frame(n), false).expect("encoded").is_none_or(|e| !e.keyframe));
        }
        let up = rate(&mut *encoder, &clip, 9 * FPS, 5 * FPS);
        assert_near(up, 800_000.0, &format!("{codec:?} up"));
        assert_eq!(encoder.config().bitrate, 800_000);
    }
}

/// Sizes of the frames after a change of the bitrate, relative to the mean size at the new one.
fn sizes_after_step(codec: VideoCodec, before: u64, after: u64, frames: u32) -> Vec<f64> {
    let clip = Clip::new(640, 360);
    let mut encoder = encoder(codec, 640, 360, before);
    rate(&mut *encoder, &clip, 0, 5 * FPS);
    encoder.set_rate(after, FPS);
    let mean = after as f64 / 8.0 / f64::from(FPS);
    let size = |n| encoder.encode(&clip.frame(n), false).expect("encoded").map_or(0, |e| e.data.len());
    (5 * FPS..5 * FPS + frames).map(size).map(|bytes| bytes as f64 / mean).collect()
}

#[test]
fn a_much_lower_bitrate_takes_effect_within_three_frames() {
    for codec in VideoCodec::ALL {
        for (before, after) in [(1_700_000, 350_000), (1_700_000, 800_000), (700_000, 300_000)] {
            let sizes = sizes_after_step(codec, before, after, 15);
            let excess = sizes[..3].iter().sum::<f64>() - 3.0;
            assert!(excess < 6.0, "{codec:?} {before} {after}: {sizes:?}");
            assert!(sizes[3..].iter().all(|size| *size < 2.5), "{codec:?} {before} {after}: {sizes:?}");
        }
    }
}

#[test]
fn a_much_higher_bitrate_drops_no_frame() {
    for codec in [VideoCodec::Vp8, VideoCodec::Vp9] {
        let sizes = sizes_after_step(codec, 300_000, 1_700_000, 30);
        assert!(sizes.iter().all(|size| *size > 0.0), "{codec:?}: {sizes:?}");
    }
}

#[test]
fn frames_on_a_narrow_path_are_even_in_size() {
    let clip = Clip::new(640, 360);
    for codec in [VideoCodec::Vp8, VideoCodec::Vp9] {
        let mut encoder = codecs::video_encoder(codecs::EncoderConfig {
            full_bitrate: 1_700_000,
            ..config(codec, 640, 360, 600_000)
        })
        .expect("an encoder");
        rate(&mut *encoder, &clip, 0, 2 * FPS);
        let size = |n| encoder.encode(&clip.frame(n), false).expect("encoded").map_or(0, |e| e.data.len());
        let sizes: Vec<usize> = (2 * FPS..10 * FPS).map(size).collect();
        let mean = sizes.iter().sum::<usize>() as f64 / sizes.len() as f64;
        let largest = sizes.iter().copied().max().unwrap_or(0) as f64 / mean;
        assert!(largest < 2.5, "{codec:?}: {largest}");
    }
}

#[test]
fn a_camera_slower_than_configured_gets_the_whole_bitrate() {
    let clip = Clip::new(320, 180);
    for codec in VideoCodec::ALL {
        let mut encoder = encoder(codec, 320, 180, 400_000);
        let mut bits = 0;
        for n in 0..8 * 12 {
            let frame = clip.frame_at(n, Duration::from_secs(n.into()) / 12);
            let encoded = encoder.encode(&frame, false).expect("encoded");
            bits += if n >= 3 * 12 { encoded.map_or(0, |e| e.data.len() * 8) } else { 0 };
        }
        assert_near(bits as f64 / 5.0, 400_000.0, &format!("{codec:?}"));
    }
}

#[test]
fn a_forced_keyframe_decodes_on_its_own() {
    let clip = Clip::new(320, 180);
    for codec in VideoCodec::ALL {
        let mut encoder = encoder(codec, 320, 180, 300_000);
        for n in 0..40 {
            let encoded = encoder.encode(&clip.frame(n), n % 13 == 0).expect("encoded");
            if n % 13 == 0 {
                let encoded = encoded.expect("a forced keyframe is not dropped");
                assert!(encoded.keyframe, "{codec:?} {n}");
                let mut decoder = video_decoder(codec, FramePool::new()).expect("a decoder");
                assert!(decoder.decode(&encoded).expect("decoded").is_some());
            } else {
                assert!(encoded.is_none_or(|e| !e.keyframe), "{codec:?} {n}");
            }
        }
    }
}

#[test]
fn frames_are_dropped_to_hold_the_bitrate_except_forced_keyframes() {
    let clip = Clip::new(640, 360);
    for codec in VideoCodec::ALL {
        let mut encoder = encoder(codec, 640, 360, 20_000);
        let mut dropped = 0;
        for n in 0..60 {
            let encoded = encoder.encode(&clip.frame(n * 7), n % 20 == 0).expect("encoded");
            assert!(n % 20 != 0 || encoded.as_ref().is_some_and(|e| e.keyframe), "{codec:?}");
            dropped += u32::from(encoded.is_none());
        }
        assert!(dropped > 10, "{codec:?} dropped {dropped}");
    }
}

#[test]
fn a_resolution_change_continues_in_the_same_decoder() {
    for codec in VideoCodec::ALL {
        let mut decoder = video_decoder(codec, FramePool::new()).expect("a decoder");
        for (width, height) in [(320, 180), (640, 360), (160, 90), (180, 320)] {
            let clip = Clip::new(width, height);
            let mut encoder = encoder(codec, width, height, 600_000);
            for n in 0..3 {
                let Some(encoded) = encoder.encode(&clip.frame(n), false).expect("encoded") else { continue };
                let decoded = decoder.decode(&encoded).expect("decoded").expect("shown");
                assert_eq!((decoded.width(), decoded.height()), (width, height), "{codec:?}");
                let quality = psnr_y(&decoded, &clip.frame(n), 0);
                assert!(quality > 27.0, "{codec:?} {width}x{height}: {quality:.1} dB");
            }
        }
    }
}

#[test]
fn a_frame_of_another_size_is_refused() {
    for codec in VideoCodec::ALL {
        let refused = encoder(codec, 320, 180, 300_000).encode(&Clip::new(160, 90).frame(0), false);
        assert_eq!(refused.err(), Some(EncodeError::Size { width: 160, height: 90 }));
    }
}

#[test]
fn encoders_of_invalid_sizes_are_refused() {
    for codec in VideoCodec::ALL {
        for (width, height) in [(0, 0), (8, 360), (5000, 100), (4096, 4096)] {
            let refused = video_encoder(config(codec, width, height, 300_000)).err();
            assert!(matches!(refused, Some(EncodeError::Config(_))), "{codec:?} {width}x{height}: {refused:?}");
        }
    }
}

#[test]
fn the_bitstream_carries_range_and_matrix() {
    let clip = Clip::new(160, 96);
    for codec in [VideoCodec::Vp9, VideoCodec::H264] {
        let mut encoder = encoder(codec, 160, 96, 500_000);
        let mut decoder = video_decoder(codec, FramePool::new()).expect("a decoder");
        let mut n = 0;
        for matrix in [Matrix::Bt601, Matrix::Bt709] {
            for full_range in [true, false] {
                let color = Color { matrix, full_range };
                for at in 0..3 {
                    let mut frame = clip.frame(n);
                    (frame.color, n) = (color, n + 1);
                    let encoded = encoder.encode(&frame, false).expect("encoded").expect("kept");
                    assert_eq!(encoded.keyframe, at == 0, "a new meaning needs a keyframe");
                    let decoded = decoder.decode(&encoded).expect("decoded").expect("shown");
                    assert_eq!(decoded.color, color, "{codec:?}");
                    assert!(psnr_y(&decoded, &frame, 0) > 28.0, "the numbers are not converted");
                }
            }
        }
    }
}

#[test]
fn vp8_input_is_converted_to_limited_range() {
    let pool = FramePool::new();
    let mut frame = pool.take(64, 64);
    frame.data_mut().fill(255);
    let mut frame = frame.freeze(Clip::new(16, 16).frame(0).time);
    frame.color.full_range = true;
    let encoded = encoder(VideoCodec::Vp8, 64, 64, 500_000).encode(&frame, true).expect("encoded").expect("kept");
    let mut decoder = video_decoder(VideoCodec::Vp8, pool).expect("a decoder");
    let decoded = decoder.decode(&encoded).expect("decoded").expect("shown");
    assert!(!decoded.color.full_range);
    assert!(decoded.y().iter().all(|y| y.abs_diff(235) <= 2), "{:?}", &decoded.y()[..8]);
    assert!(decoded.u().iter().all(|u| u.abs_diff(240) <= 2), "{:?}", &decoded.u()[..8]);
}

/// The types of the NAL units of an access unit.
fn nal_types(encoded: &EncodedFrame) -> Vec<u8> {
    let starts = encoded.data.windows(4).filter(|four| four[..3] == [0, 0, 1]);
    starts.map(|four| four[3] & 0x1f).collect()
}

#[test]
fn an_h264_access_unit_has_one_slice_and_an_idr_its_parameter_sets() {
    for (width, height) in [(320, 180), (1280, 720)] {
        let clip = Clip::new(width, height);
        let mut config = config(VideoCodec::H264, width, height, 1_500_000);
        config.threads = 4;
        let mut encoder = video_encoder(config).expect("an encoder");
        for n in 0..12 {
            let Some(encoded) = encoder.encode(&clip.frame(n), n == 6).expect("encoded") else { continue };
            assert!(encoded.data.starts_with(&[0, 0, 0, 1]) || encoded.data.starts_with(&[0, 0, 1]));
            let expected: &[u8] = if n % 6 == 0 { &[7, 8, 5] } else { &[1] };
            assert_eq!(nal_types(&encoded), expected, "{width}x{height} {n}");
            if n == 0 {
                let sps = encoded.data.windows(4).position(|four| four[..3] == [0, 0, 1]).expect("a start") + 4;
                assert_eq!(encoded.data[sps], 66, "baseline");
                assert_eq!(encoded.data[sps + 1] & 0x40, 0x40, "constrained");
                assert_eq!(encoded.data[sps + 2], 31, "level 3.1");
            }
        }
    }
}

#[test]
fn screen_content_and_threads_are_supported() {
    for codec in VideoCodec::ALL {
        let clip = Clip::new(640, 360);
        let mut config = config(codec, 640, 360, 900_000);
        (config.content, config.threads) = (Content::Screen, 2);
        let mut encoder = video_encoder(config).expect("an encoder");
        let mut decoder = video_decoder(codec, FramePool::new()).expect("a decoder");
        for n in 0..10 {
            if let Some(encoded) = encoder.encode(&clip.frame(n), false).expect("encoded") {
                assert!(decoder.decode(&encoded).expect("decoded").is_some());
            }
        }
    }
}

#[test]
fn the_base_layer_is_decoded_without_the_upper_one() {
    let clip = Clip::new(320, 180);
    let mut encoder = encoder(VideoCodec::Vp8, 320, 180, 400_000);
    let decoder = || video_decoder(VideoCodec::Vp8, FramePool::new()).expect("a decoder");
    let (mut whole, mut base) = (decoder(), decoder());
    let (mut frames, mut bytes) = ([0u32; 2], [0; 2]);
    for n in 0..240 {
        // Switched on, off, and on, without keyframes.
        let layered = (30..90).contains(&n) || n >= 120;
        assert!(encoder.set_temporal_layers(layered));
        let frame = clip.frame(n);
        let Some(encoded) = encoder.encode(&frame, n == 200).expect("encoded") else { continue };
        assert_eq!(encoded.keyframe, n == 0 || n == 200);
        let decoded = whole.decode(&encoded).expect("decoded").expect("shown");
        assert!(psnr_y(&decoded, &frame, 0) > 28.0, "frame {n}");
        if encoded.temporal == 0 {
            let without = base.decode(&encoded).expect("decoded").expect("shown");
            assert!(without.data() == decoded.data(), "frame {n} refers to the upper layer");
        }
        assert!(encoded.temporal == 0 || layered);
        if n > 120 {
            frames[usize::from(encoded.temporal)] += 1;
            bytes[usize::from(encoded.temporal)] += encoded.data.len();
        }
    }
    let share = bytes[0] as f64 / (bytes[0] + bytes[1]) as f64;
    assert!(frames[0].abs_diff(frames[1]) <= 4, "{frames:?}");
    assert!((0.5..0.6).contains(&share), "the base layer has {share:.2} of the bits");
}

#[test]
fn vp9_and_h264_have_no_upper_layer() {
    for codec in [VideoCodec::Vp9, VideoCodec::H264] {
        assert!(!encoder(codec, 320, 180, 400_000).set_temporal_layers(true), "{codec:?}");
    }
}

#[test]
fn decoding_starts_at_a_keyframe() {
    for codec in VideoCodec::ALL {
        let clip = Clip::new(160, 96);
        let mut encoder = encoder(codec, 160, 96, 500_000);
        let mut decoder = video_decoder(codec, FramePool::new()).expect("a decoder");
        encoder.encode(&clip.frame(0), true).expect("encoded");
        let delta = encoder.encode(&clip.frame(1), false).expect("encoded").expect("kept");
        assert_eq!(decoder.decode(&delta).err(), Some(DecodeError::NeedKeyframe), "{codec:?}");
        let other = VideoCodec::ALL.into_iter().find(|other| *other != codec).expect("another");
        let mut other = video_decoder(other, FramePool::new()).expect("a decoder");
        assert_eq!(other.decode(&delta).err(), Some(DecodeError::Codec));
    }
}
