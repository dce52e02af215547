//! A moving clip that resembles a natural scene: gradients, texture and grain, a panning camera, a person walking by.

#![allow(dead_code)] // each test file uses its own part

use codecs::{Content, EncoderConfig, VideoEncoder, video_encoder};
use media::encoded::VideoCodec;
use media::frame::{FramePool, VideoFrame};
use std::time::{Duration, Instant};

pub(crate) const FPS: u32 = 30;

/// Frames of one size.
pub(crate) struct Clip {
    width: u32,
    height: u32,
    texture: Vec<f32>,
    pool: FramePool,
    start: Instant,
}

const SIDE: usize = 512;

impl Clip {
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Self { width, height, texture: texture(), pool: FramePool::new(), start: Instant::now() }
    }

    /// Frame number `n`, due `n` thirtieths of a second after the first.
    pub(crate) fn frame(&self, n: u32) -> VideoFrame {
        self.frame_at(n, Duration::from_secs(n.into()) / FPS)
    }

    pub(crate) fn frame_at(&self, n: u32, time: Duration) -> VideoFrame {
        let mut frame = self.pool.take(self.width, self.height);
        let (width, height) = (self.width as usize, self.height as usize);
        let (y, u, v) = frame.planes_mut();
        for (line, row) in y.chunks_exact_mut(width).enumerate() {
            for (x, pixel) in row.iter_mut().enumerate() {
                *pixel = self.luma(n as usize, x, line).clamp(16.0, 235.0) as u8;
            }
        }
        let half = width.div_ceil(2);
        for at in 0..half * height.div_ceil(2) {
            let (x, line) = (at % half, at / half);
            u[at] = (100 + x * 50 / half) as u8;
            v[at] = (110 + (line + n as usize / 2) * 40 / height.max(1) % 60) as u8;
        }
        let mut frame = frame.freeze(self.start + time);
        frame.rtp_timestamp = 90_000u32.wrapping_add(n * 3_000);
        frame
    }

    fn luma(&self, n: usize, x: usize, line: usize) -> f32 {
        let at = |x: usize, line: usize| self.texture[line % SIDE * SIDE + x % SIDE];
        let slope = 60.0 + 90.0 * x as f32 / self.width as f32 + 30.0 * line as f32 / self.height as f32;
        let walker = (n * 3 % (self.width as usize + 80)) as f32 - 40.0;
        let (dx, dy) = (x as f32 - walker, line as f32 - self.height as f32 * 0.6);
        let grain = self.texture[(x * 7 + line * 131 + n * 7919) % (SIDE * SIDE)] * 4.0;
        grain
            + match (dx * dx / 900.0 + dy * dy / 3600.0) < 1.0 {
                true => 60.0 + at(x.wrapping_sub(n * 3) & 511, line) * 50.0,
                false => slope + at(x + n, line + n / 3) * 40.0,
            }
    }
}

/// Seeded noise, smooth over several scales, in -1..=1.
fn texture() -> Vec<f32> {
    let mut seed = 0x1234_5678u32;
    let noise: Vec<f32> = (0..SIDE * SIDE)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect();
    let mut sum = vec![0.0; SIDE * SIDE];
    for (scale, weight) in [(32, 0.4), (8, 0.3), (2, 0.15), (1, 0.15)] {
        for (n, sum) in sum.iter_mut().enumerate() {
            let (x, line) = (n % SIDE, n / SIDE);
            let (fx, fy) = ((x % scale) as f32 / scale as f32, (line % scale) as f32 / scale as f32);
            let corner = |dx, dy| {
                let (cx, cy) = ((x / scale + dx) * scale % SIDE, (line / scale + dy) * scale % SIDE);
                noise[cy * SIDE + cx]
            };
            let above = corner(0, 0) * (1.0 - fx) + corner(1, 0) * fx;
            let below = corner(0, 1) * (1.0 - fx) + corner(1, 1) * fx;
            *sum += weight * (above * (1.0 - fy) + below * fy);
        }
    }
    sum
}

pub(crate) fn config(codec: VideoCodec, width: u32, height: u32, bitrate: u64) -> EncoderConfig {
    EncoderConfig {
        codec,
        width,
        height,
        fps: FPS,
        bitrate,
        full_bitrate: 0,
        threads: 1,
        content: Content::Camera,
        speed: None,
    }
}

pub(crate) fn encoder(codec: VideoCodec, width: u32, height: u32, bitrate: u64) -> Box<dyn VideoEncoder> {
    video_encoder(config(codec, width, height, bitrate)).expect("an encoder")
}
