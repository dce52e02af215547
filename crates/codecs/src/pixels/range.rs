//! Converts full range (0..=255) to limited range (16..=235, chroma 16..=240), ITU-T H.273 section 8.3.

use media::frame::{FrameMut, FramePool, VideoFrame};

/// The frame in limited range, the only range of VP8 and the one that every receiver handles correctly. A frame that is
/// already limited is returned unchanged.
pub fn full_to_limited(frame: &VideoFrame, pool: &FramePool) -> VideoFrame {
    if !frame.color.full_range {
        return frame.clone();
    }
    let mut out = pool.take(frame.width(), frame.height());
    let (y, u, v) = out.planes_mut();
    map(frame.y(), y, luma);
    map(frame.u(), u, chroma);
    map(frame.v(), v, chroma);
    let mut out = out.freeze(frame.time);
    (out.rotation, out.rtp_timestamp) = (frame.rotation, frame.rtp_timestamp);
    out.color.matrix = frame.color.matrix;
    out
}

/// Converts a full-range frame to limited range in place.
pub fn limit_range(frame: &mut FrameMut) {
    let (y, u, v) = frame.planes_mut();
    y.iter_mut().for_each(|value| *value = luma(*value));
    u.iter_mut().chain(v).for_each(|value| *value = chroma(*value));
}

fn map(from: &[u8], to: &mut [u8], change: fn(u8) -> u8) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = change(*from));
}

/// `16 + y * 219 / 255` in 8.8 fixed point, which fits into 16-bit lanes.
fn luma(value: u8) -> u8 {
    ((u16::from(value) * 220 + 16 * 256 + 128) >> 8) as u8
}

/// `128 + (c - 128) * 224 / 255`.
fn chroma(value: u8) -> u8 {
    ((u16::from(value) * 225 + 128 * (256 - 225) + 128) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_within_one_of_the_exact_value() {
        for value in 0..=255u8 {
            let exact = 16.0 + f64::from(value) * 219.0 / 255.0;
            assert!((f64::from(luma(value)) - exact).abs() < 1.0, "{value}");
            let exact = 128.0 + (f64::from(value) - 128.0) * 224.0 / 255.0;
            assert!((f64::from(chroma(value)) - exact).abs() < 1.0, "{value}");
        }
        assert_eq!([luma(0), luma(255), chroma(0), chroma(128), chroma(255)], [16, 235, 16, 128, 240]);
    }
}
