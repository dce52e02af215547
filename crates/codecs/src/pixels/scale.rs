//! Scales frames: area average for reduction, bilinear for enlargement, independently for each axis.

use media::frame::{FramePool, VideoFrame};

/// The frame at another size; sides of 0 become 1. When reducing, each new pixel is the mean of the area it covers,
/// which avoids aliasing; when enlarging, pixels are interpolated. Time, colour and rotation are kept.
pub fn scale(frame: &VideoFrame, width: u32, height: u32, pool: &FramePool) -> VideoFrame {
    let (width, height) = (width.max(1), height.max(1));
    if (width, height) == (frame.width(), frame.height()) || frame.width() == 0 || frame.height() == 0 {
        return frame.clone();
    }
    let mut out = pool.take(width, height);
    let (y, u, v) = out.planes_mut();
    let half = |side: u32| side.div_ceil(2) as usize;
    let luma = Resize::new([frame.width() as usize, frame.height() as usize], [width as usize, height as usize]);
    luma.run(frame.y(), y);
    let chroma = Resize::new([half(frame.width()), half(frame.height())], [half(width), half(height)]);
    chroma.run(frame.u(), u);
    chroma.run(frame.v(), v);
    let mut out = out.freeze(frame.time);
    (out.rotation, out.color, out.rtp_timestamp) = (frame.rotation, frame.color, frame.rtp_timestamp);
    out
}

/// Fractional bits of a weight. A weighted sum of bytes fits into 16 + 8 bits, which leaves room for both axes.
const POINT: u32 = 8;

/// For each new sample along an axis, the weights of `taps` old samples from `first[n]` on.
struct Axis {
    taps: usize,
    first: Vec<usize>,
    weights: Vec<u16>,
}

impl Axis {
    fn new(from: usize, to: usize) -> Self {
        let real: Vec<_> = (0..to).map(|n| if to < from { area(n, from, to) } else { linear(n, from, to) }).collect();
        let taps = real.iter().map(|(_, weights)| weights.len()).max().unwrap_or(1);
        let mut axis = Axis { taps, first: Vec::with_capacity(to), weights: vec![0; taps * to] };
        for ((first, real), weights) in real.into_iter().zip(axis.weights.chunks_exact_mut(taps)) {
            // Every sample has the same number of taps, so the last ones start a little earlier, with zero weights.
            let start = first.min(from - taps);
            axis.first.push(start);
            round(&real, &mut weights[first - start..]);
        }
        axis
    }

    /// The first old sample of each new one, and the weights.
    fn spans(&self) -> impl Iterator<Item = (usize, &[u16])> {
        self.first.iter().copied().zip(self.weights.chunks_exact(self.taps))
    }
}

/// Rounds weights so that their sum is still exactly 1.
fn round(real: &[f64], weights: &mut [u16]) {
    let (mut exact, mut given) = (0.0, 0);
    for (real, weight) in real.iter().zip(weights) {
        exact += real * f64::from(1u32 << POINT);
        let upto = exact.round() as i32;
        *weight = (upto - given) as u16;
        given = upto;
    }
}

/// New sample `n` covers the old ones from `n * from / to` to `(n + 1) * from / to`.
fn area(n: usize, from: usize, to: usize) -> (usize, Vec<f64>) {
    let ratio = from as f64 / to as f64;
    let (start, end) = (n as f64 * ratio, (n + 1) as f64 * ratio);
    let first = start as usize;
    let last = ((end - 1e-9).ceil() as usize).clamp(first + 1, from);
    let weights = (first..last).map(|at| (end.min((at + 1) as f64) - start.max(at as f64)) / ratio).collect();
    (first, weights)
}

fn linear(n: usize, from: usize, to: usize) -> (usize, Vec<f64>) {
    let at = ((n as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
    let first = at as usize;
    match first + 1 < from {
        true => (first, vec![1.0 - at.fract(), at.fract()]),
        false => (first, vec![1.0]),
    }
}

struct Resize {
    from: [usize; 2],
    to: [usize; 2],
    across: Axis,
    down: Axis,
}

impl Resize {
    fn new(from: [usize; 2], to: [usize; 2]) -> Self {
        Self { from, to, across: Axis::new(from[0], to[0]), down: Axis::new(from[1], to[1]) }
    }

    fn run(&self, from: &[u8], to: &mut [u8]) {
        if self.from == [self.to[0] * 2, self.to[1] * 2] {
            return halve(from, to, self.to[0]);
        }
        let width = self.from[0];
        let mut row = vec![0u16; width];
        for ((first, weights), out) in self.down.spans().zip(to.chunks_exact_mut(self.to[0])) {
            row.fill(0);
            for (old, weight) in from[first * width..].chunks_exact(width).zip(weights).filter(|(_, w)| **w > 0) {
                // At most 255 * 256: the weights sum to 256.
                row.iter_mut().zip(old).for_each(|(sum, byte)| *sum += u16::from(*byte) * weight);
            }
            match self.across.taps {
                1 => self.squeeze::<1>(&row, out),
                2 => self.squeeze::<2>(&row, out),
                3 => self.squeeze::<3>(&row, out),
                4 => self.squeeze::<4>(&row, out),
                5 => self.squeeze::<5>(&row, out),
                _ => self.squeeze_any(&row, out),
            }
        }
    }

    /// Scales a row, with a number of taps that the compiler can unroll.
    fn squeeze<const TAPS: usize>(&self, row: &[u16], out: &mut [u8]) {
        let weights = self.across.weights.as_chunks::<TAPS>().0;
        for ((first, weights), out) in self.across.first.iter().zip(weights).zip(out) {
            let Some(old) = row[*first..].first_chunk::<TAPS>() else { continue };
            let sum: u32 = (0..TAPS).map(|n| u32::from(old[n]) * u32::from(weights[n])).sum();
            *out = rounded(sum);
        }
    }

    fn squeeze_any(&self, row: &[u16], out: &mut [u8]) {
        for ((first, weights), out) in self.across.spans().zip(out) {
            *out = rounded(row[first..].iter().zip(weights).map(|(v, w)| u32::from(*v) * u32::from(*w)).sum());
        }
    }
}

/// Rounds a sum that is weighted along both axes to a byte.
fn rounded(sum: u32) -> u8 {
    ((sum + (1 << (2 * POINT - 1))) >> (2 * POINT)) as u8
}

/// The common case for encodings: each new pixel is the mean of four.
fn halve(from: &[u8], to: &mut [u8], width: usize) {
    for (rows, out) in from.chunks_exact(width * 4).zip(to.chunks_exact_mut(width)) {
        let (above, below) = rows.split_at(width * 2);
        for ((out, a), b) in out.iter_mut().zip(above.chunks_exact(2)).zip(below.chunks_exact(2)) {
            let sum = u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]);
            *out = ((sum + 2) >> 2) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn frame(width: u32, height: u32, pixel: impl Fn(f64, f64) -> f64) -> VideoFrame {
        let mut frame = FramePool::new().take(width, height);
        let (y, u, v) = frame.planes_mut();
        for (n, byte) in y.iter_mut().enumerate() {
            let (x, line) = (n as u32 % width, n as u32 / width);
            *byte = pixel((f64::from(x) + 0.5) / f64::from(width), (f64::from(line) + 0.5) / f64::from(height)) as u8;
        }
        u.fill(90);
        v.fill(200);
        frame.freeze(Instant::now())
    }

    #[test]
    fn a_gradient_keeps_its_values_in_every_size() {
        let gradient = |x: f64, y: f64| 20.0 + 150.0 * x + 60.0 * y;
        let pool = FramePool::new();
        let original = frame(640, 360, gradient);
        for (width, height) in [(320, 180), (426, 240), (101, 57), (960, 540), (1281, 721), (640, 100), (17, 33)] {
            let scaled = scale(&original, width, height, &pool);
            let exact = frame(width, height, gradient);
            // Away from the edges, where enlarging has nothing to interpolate with.
            let edge = if width > 640 { 4 } else { 0 };
            for line in edge..height as usize - edge {
                for x in edge..width as usize - edge {
                    let at = line * width as usize + x;
                    let (have, want) = (scaled.y()[at], exact.y()[at]);
                    assert!(have.abs_diff(want) <= 2, "{width}x{height} at {x},{line}: {have} {want}");
                }
            }
            assert!(scaled.u().iter().all(|u| *u == 90) && scaled.v().iter().all(|v| *v == 200));
        }
    }

    #[test]
    fn fine_stripes_become_grey_instead_of_aliasing() {
        let stripes = frame(640, 360, |x, _| if ((x * 640.0) as u32).is_multiple_of(2) { 0.0 } else { 255.0 });
        for width in [320, 300, 213] {
            let scaled = scale(&stripes, width, 180, &FramePool::new());
            assert!(scaled.y().iter().all(|y| (60..=195).contains(y)), "{width}");
        }
    }

    #[test]
    fn the_extremes_survive_both_ways() {
        let white = frame(64, 64, |_, _| 255.0);
        for side in [1, 2, 31, 32, 63, 65, 128] {
            assert!(scale(&white, side, side, &FramePool::new()).y().iter().all(|y| *y == 255), "{side}");
        }
        let dot = frame(1, 1, |_, _| 77.0);
        assert!(scale(&dot, 9, 5, &FramePool::new()).y().iter().all(|y| *y == 77));
    }
}
