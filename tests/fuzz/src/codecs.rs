//! What C libraries decode: pictures of a camera, and frames and Opus packets from the network.
#![allow(dead_code, reason = "each test uses one of them")]

use std::time::{Duration, Instant};

use bytes::Bytes;
use codecs::pixels::{Mjpeg, Plane, i420, nv12, yuyv};
use codecs::{MAX_PIXELS, OpusDecoder, VideoDecoder, video_decoder};
use media::audio::BLOCK;
use media::encoded::{AudioPacket, EncodedFrame, VideoCodec};
use media::frame::{FramePool, VideoFrame};
use media::jitter::AudioBuffer;

/// A JPEG of a camera.
pub(crate) fn jpeg(data: &[u8]) {
    let pool = FramePool::new();
    if let Ok(frame) = Mjpeg::new().decode(data, &pool, Instant::now()) {
        check(&frame);
    }
}

/// A camera's frame without compression.
///
/// Input: one byte each for the width, the height, and the strides of luma and chroma, two for where chroma begins, and
/// the frame.
pub(crate) fn pixels(data: &[u8]) {
    let [width, height, luma_stride, chroma_stride, high, low, bytes @ ..] = data else { return };
    let (width, height) = (u32::from(*width).max(1), u32::from(*height).max(1));
    let place = usize::from(u16::from_be_bytes([*high, *low]));
    let luma = || Plane { bytes, stride: (*luma_stride).into() };
    let chroma = || Plane { bytes: bytes.get(place..).unwrap_or_default(), stride: (*chroma_stride).into() };
    let pool = FramePool::new();
    let mut frame = pool.take(width, height);
    let _ = yuyv(luma(), &mut frame); // its samples are interleaved
    for converted in [nv12(luma(), chroma(), &mut frame), i420([luma(), chroma(), chroma()], &mut frame)] {
        let last = (height as usize - 1) * usize::from(*luma_stride);
        let last = bytes.get(last..last + width as usize);
        assert!(converted.is_err() || last.is_some_and(|last| frame.planes_mut().0.ends_with(last)));
    }
}

/// Frames through one decoder: first byte for the codec, then records of two bytes of length, and that many bytes.
pub(crate) fn bitstream(data: &[u8]) {
    let Some((&codec, mut rest)) = data.split_first() else { return };
    let codec = VideoCodec::ALL[usize::from(codec) % VideoCodec::ALL.len()];
    let Ok(mut decoder) = video_decoder(codec, FramePool::new()) else { return };
    let mut rtp_timestamp = 0u32;
    while let [high, low, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (data, left) = after.split_at(after.len().min(length));
        rest = left;
        rtp_timestamp = rtp_timestamp.wrapping_add(3_000);
        decode(&mut *decoder, codec, data, rtp_timestamp);
    }
}

fn decode(decoder: &mut dyn VideoDecoder, codec: VideoCodec, data: &[u8], rtp_timestamp: u32) {
    let data = Bytes::copy_from_slice(data);
    let (width, height, layer, temporal, time) = (0, 0, 0, 0, Instant::now());
    // The assembler reads from the bitstream whether a frame is a keyframe; a decoder must not rely on it.
    let keyframe = rtp_timestamp == 3_000;
    let frame = EncodedFrame {
        codec,
        data,
        keyframe,
        rtp_timestamp,
        width,
        height,
        layer,
        temporal,
        time,
        captured: None,
        source: None,
    };
    if let Ok(Some(shown)) = decoder.decode(&frame) {
        assert_eq!(shown.rtp_timestamp, rtp_timestamp);
        check(&shown);
    }
}

fn check(frame: &VideoFrame) {
    assert!(frame.width() > 0 && frame.height() > 0 && frame.width() * frame.height() <= MAX_PIXELS);
}

/// Opus packets through the jitter buffer: records of one byte each for the step of the sequence number, the step of
/// the timestamp in 20 ms, the wait in 10 ms (with the age of a copy) and the length, and that many bytes.
pub(crate) fn opus(data: &[u8]) {
    let Ok(mut decoder) = OpusDecoder::new() else { return };
    let (mut buffer, mut now, mut rest) = (AudioBuffer::new(), Instant::now(), data);
    let (mut sequence, mut rtp_timestamp) = (0u16, 0u32);
    while let [step, time, wait, length, after @ ..] = rest {
        let (payload, left) = after.split_at(after.len().min(usize::from(*length)));
        rest = left;
        sequence = sequence.wrapping_add_signed(i16::from(*step as i8));
        rtp_timestamp = rtp_timestamp.wrapping_add_signed(i32::from(*time as i8) * 960);
        let (data, age) = (Bytes::copy_from_slice(payload), u32::from(wait >> 3) * 480);
        buffer.push(AudioPacket { sequence, rtp_timestamp, data, age, level: None, arrived: now, source: None });
        for _ in 0..wait % 8 {
            now += Duration::from_millis(10);
            let mut out = [f32::NAN; BLOCK];
            buffer.pull(now, &mut decoder, &mut out);
            assert!(out.iter().all(|sample| sample.is_finite()));
        }
    }
}
