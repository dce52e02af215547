//! Compares a received frame with the original: PSNR and SSIM of luma.
//!
//! Both use complete blocks of 8x8 pixels below the first rows, which contain the stamp. A frame of another size is
//! first scaled to the size of the reference, bilinearly with pixel centres at one half. SSIM follows Wang et al. 2004
//! with the constants for 8 bits, on blocks that do not overlap.

use crate::frame::VideoFrame;

const BLOCK: usize = 8;
const C1: f64 = 6.5025; // (0.01 * 255)^2
const C2: f64 = 58.5225; // (0.03 * 255)^2

/// Number of rows to skip so that no block touches the stamp.
pub fn band_rows(height: u32) -> u32 {
    (f64::from(height) * 0.1 / 8.0 + 0.5).ceil() as u32 * 8
}

/// PSNR in dB and SSIM below the stamp, of `received` against a luma plane of `width * height` bytes.
///
/// PSNR is infinite for equal frames. Both are NaN if there is no block to compare, or if `reference` is too short.
pub fn compare(reference: &[u8], width: u32, height: u32, received: &VideoFrame) -> (f64, f64) {
    let errors = errors(reference, width, height, received, band_rows(height));
    (errors.psnr(), errors.ssim())
}

/// PSNR of luma in dB, `received` against `reference`, without the first `skip_rows`. Infinite for equal frames, NaN if
/// there is nothing to compare.
pub fn psnr_y(reference: &VideoFrame, received: &VideoFrame, skip_rows: u32) -> f64 {
    errors(reference.y(), reference.width(), reference.height(), received, skip_rows).psnr()
}

/// SSIM of luma, `received` against `reference`, without the first `skip_rows`. NaN if there is nothing to compare.
pub fn ssim_y(reference: &VideoFrame, received: &VideoFrame, skip_rows: u32) -> f64 {
    errors(reference.y(), reference.width(), reference.height(), received, skip_rows).ssim()
}

#[derive(Debug, Default)]
struct Errors {
    squares: f64,
    similarity: f64,
    blocks: u32,
}

impl Errors {
    fn psnr(&self) -> f64 {
        let pixels = f64::from(self.blocks) * (BLOCK * BLOCK) as f64;
        10.0 * (255.0 * 255.0 / (self.squares / pixels)).log10()
    }

    fn ssim(&self) -> f64 {
        self.similarity / f64::from(self.blocks)
    }

    fn add(&mut self, reference: &[u8], received: &[f32], width: usize, x: usize) {
        let (mut sa, mut sb, mut saa, mut sbb, mut sab) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for row in 0..BLOCK {
            let at = row * width + x;
            for (a, b) in reference[at..at + BLOCK].iter().zip(&received[at..at + BLOCK]) {
                let (a, b) = (f64::from(*a), f64::from(*b));
                sa += a;
                sb += b;
                saa += a * a;
                sbb += b * b;
                sab += a * b;
                self.squares += (a - b) * (a - b);
            }
        }
        let n = (BLOCK * BLOCK) as f64;
        let (ma, mb) = (sa / n, sb / n);
        let (va, vb, cov) = (saa / n - ma * ma, sbb / n - mb * mb, sab / n - ma * mb);
        self.similarity += (2.0 * ma * mb + C1) * (2.0 * cov + C2) / ((ma * ma + mb * mb + C1) * (va + vb + C2));
        self.blocks += 1;
    }
}

fn errors(reference: &[u8], width: u32, height: u32, received: &VideoFrame, skip_rows: u32) -> Errors {
    let (w, h) = (width as usize, height as usize);
    let mut errors = Errors::default();
    if reference.len() < w * h || received.width() == 0 || received.height() == 0 {
        return errors;
    }
    let mut rows = vec![0.0; w * BLOCK];
    for top in (skip_rows as usize..(h + 1).saturating_sub(BLOCK)).step_by(BLOCK) {
        for (i, row) in rows.chunks_mut(w.max(1)).enumerate() {
            scaled_row(received, top + i, w, h, row);
        }
        for x in (0..(w + 1).saturating_sub(BLOCK)).step_by(BLOCK) {
            errors.add(&reference[top * w..(top + BLOCK) * w], &rows, w, x);
        }
    }
    errors
}

/// Row `row` of the frame scaled to `w` by `h`.
fn scaled_row(picture: &VideoFrame, row: usize, w: usize, h: usize, out: &mut [f32]) {
    let (from_w, from_h) = (picture.width() as usize, picture.height() as usize);
    if (from_w, from_h) == (w, h) {
        for (to, from) in out.iter_mut().zip(&picture.y()[row * w..]) {
            *to = f32::from(*from);
        }
        return;
    }
    let (y0, y1, b) = between(row, from_h, h);
    let (upper, lower) = (&picture.y()[y0 * from_w..], &picture.y()[y1 * from_w..]);
    for (x, to) in out.iter_mut().enumerate() {
        let (x0, x1, a) = between(x, from_w, w);
        let mix = |line: &[u8]| f64::from(line[x0]) * (1.0 - a) + f64::from(line[x1]) * a;
        *to = (mix(upper) * (1.0 - b) + mix(lower) * b) as f32;
    }
}

/// The two source pixels around the centre of pixel `at`, and the weight of the second.
fn between(at: usize, from: usize, to: usize) -> (usize, usize, f64) {
    let centre = (at as f64 + 0.5) * from as f64 / to as f64 - 0.5;
    let centre = centre.clamp(0.0, (from - 1) as f64);
    let first = centre as usize;
    (first, (first + 1).min(from - 1), centre - first as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FramePool;
    use std::time::Instant;

    fn picture(w: u32, h: u32, luma: impl Fn(usize, usize) -> u8) -> VideoFrame {
        let mut frame = FramePool::new().take(w, h);
        let (y, _, _) = frame.planes_mut();
        for (i, p) in y.iter_mut().enumerate() {
            *p = luma(i % w as usize, i / w as usize);
        }
        frame.freeze(Instant::now())
    }

    fn waves(x: usize, y: usize) -> u8 {
        (128.0 + 60.0 * (x as f64 * 0.11).sin() + 40.0 * (y as f64 * 0.07).cos()) as u8
    }

    #[test]
    fn equal_pictures_are_perfect() {
        let a = picture(64, 48, waves);
        assert_eq!(psnr_y(&a, &a, 8), f64::INFINITY);
        assert!((ssim_y(&a, &a, 8) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_constant_error_has_its_textbook_psnr() {
        let (a, b) = (picture(64, 48, waves), picture(64, 48, |x, y| waves(x, y) + 5));
        assert!((psnr_y(&a, &b, 0) - 10.0 * (65025.0f64 / 25.0).log10()).abs() < 1e-9);
        assert!(ssim_y(&a, &b, 0) < 1.0);
    }

    #[test]
    fn the_skipped_rows_do_not_count() {
        let (a, b) = (picture(64, 48, waves), picture(64, 48, |x, y| if y < 8 { 0 } else { waves(x, y) }));
        assert!(psnr_y(&a, &b, 0) < 30.0);
        assert_eq!(psnr_y(&a, &b, 8), f64::INFINITY);
        assert_eq!(compare(a.y(), 64, 48, &b).0, f64::INFINITY);
    }

    #[test]
    fn a_half_size_picture_is_scaled_up_first() {
        let a = picture(128, 96, waves);
        let half = picture(64, 48, |x, y| {
            let sum: u32 = (0..4).map(|i| u32::from(waves(2 * x + i % 2, 2 * y + i / 2))).sum();
            (sum / 4) as u8
        });
        let (psnr, ssim) = compare(a.y(), 128, 96, &half);
        assert!(psnr > 40.0 && ssim > 0.98, "{psnr} {ssim}");
    }

    #[test]
    fn without_a_comparison_there_is_no_score() {
        let a = picture(64, 8, waves);
        assert!(psnr_y(&a, &a, 8).is_nan());
        assert!(compare(&[0; 3], 64, 48, &a).1.is_nan());
    }

    /// Results of `quality()` in the measuring rig's `sink.js` for these frames (a reference of 160x120; the same frame
    /// and a smaller one received).
    #[test]
    fn scores_match_the_reference_implementation() {
        let a = picture(160, 120, |x, y| ((x * 7 + y * 13 + x * y / 5) % 200 + 20) as u8);
        let same = picture(160, 120, |x, y| ((x * 7 + y * 13 + x * y / 5 + (x * y) % 9) % 200 + 20) as u8);
        let small = picture(100, 75, |x, y| ((x * 11 + y * 5) % 180 + 30) as u8);
        let round = |(p, s): (f64, f64)| ((p * 100.0).round() / 100.0, (s * 10_000.0).round() / 10_000.0);
        assert_eq!(round(compare(a.y(), 160, 120, &same)), (20.0, 0.9047));
        assert_eq!(round(compare(a.y(), 160, 120, &small)), (10.62, 0.0057));
    }
}
