//! The colour bars of the kernel's test pattern generator (`v4l2-tpg`), which vivid produces.

use media::frame::VideoFrame;

/// From left to right, RGB at 75 % (`TPG_PAT_75_COLORBAR`): white, yellow, cyan, green, magenta, red, blue, black.
const BARS: [[f64; 3]; 8] = [
    [191.0, 191.0, 191.0],
    [191.0, 191.0, 0.0],
    [0.0, 191.0, 191.0],
    [0.0, 191.0, 0.0],
    [191.0, 0.0, 191.0],
    [191.0, 0.0, 0.0],
    [0.0, 0.0, 191.0],
    [0.0, 0.0, 0.0],
];

/// Largest difference that compression, ranges and matrices may cause.
const TOLERANCE: f64 = 14.0;

/// Checks that the frame shows the bars, near its bottom, where the generator writes no text.
pub fn check(frame: &VideoFrame) -> Result<(), String> {
    for (n, rgb) in BARS.iter().enumerate() {
        let (expected, found) = (yuv(*rgb), sample(frame, n));
        if expected.iter().zip(&found).any(|(e, f)| (e - f).abs() > TOLERANCE) {
            return Err(format!("bar {n}: expected {expected:.0?}, found {found:.0?}"));
        }
    }
    Ok(())
}

/// Returns the mean of Y, U and V in the middle of a bar.
fn sample(frame: &VideoFrame, bar: usize) -> [f64; 3] {
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    let mean = |plane: &[u8], width: usize, height: usize| {
        let (mut sum, mut count) = (0.0, 0.0);
        for y in height * 7 / 8..height * 15 / 16 {
            for x in (width * (4 * bar + 1) / 32)..(width * (4 * bar + 3) / 32) {
                sum += f64::from(plane[y * width + x]);
                count += 1.0;
            }
        }
        sum / count
    };
    let (half_width, half_height) = (frame.chroma_width(), height.div_ceil(2));
    [mean(frame.y(), width, height), mean(frame.u(), half_width, half_height), mean(frame.v(), half_width, half_height)]
}

/// Converts RGB to YUV by BT.601, limited range.
fn yuv([r, g, b]: [f64; 3]) -> [f64; 3] {
    let luma = 0.299 * r + 0.587 * g + 0.114 * b;
    [
        16.0 + luma * 219.0 / 255.0,
        128.0 + (b - luma) / 1.772 * 224.0 / 255.0,
        128.0 + (r - luma) / 1.402 * 224.0 / 255.0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use media::frame::FramePool;
    use std::time::Instant;

    fn drawn(bars: &[[f64; 3]]) -> VideoFrame {
        let (width, height) = (64, 32);
        let mut frame = FramePool::new().take(width, height);
        let (y, u, v) = frame.planes_mut();
        for (plane, width, part) in [(y, 64, 0), (u, 32, 1), (v, 32, 2)] {
            for (n, value) in plane.iter_mut().enumerate() {
                *value = yuv(bars[n % width * 8 / width])[part].round() as u8;
            }
        }
        frame.freeze(Instant::now())
    }

    #[test]
    fn bars_are_recognised_and_other_colours_are_not() {
        assert_eq!(check(&drawn(&BARS)), Ok(()));
        let mut swapped = BARS;
        swapped.swap(2, 4);
        assert!(check(&drawn(&swapped)).is_err());
        assert!(check(&drawn(&[[128.0; 3]; 8])).is_err());
    }
}
