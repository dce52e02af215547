//! A moving test pattern: seats that circle a round table, in front of colour bars and a moving band.

use super::font;
use crate::frame::{FrameMut, FramePool, VideoFrame};
use crate::stamp;
use std::f32::consts::TAU;
use std::time::Instant;

type Yuv = [u8; 3];

const BARS: [Yuv; 7] = // 75 % bars in BT.601, limited range: white, yellow, cyan, green, magenta, red, blue
    [
        [180, 128, 128],
        [162, 44, 142],
        [131, 156, 44],
        [112, 72, 58],
        [84, 184, 198],
        [65, 100, 212],
        [35, 212, 114],
    ];
const TABLE: Yuv = [200, 112, 138];
const PLATE: Yuv = [226, 126, 130];
const SEAT: Yuv = [96, 108, 190];
const SEATS: usize = 6;
/// Frames per revolution of the table.
const ROUND: u64 = 240;
/// Columns by which the bottom band moves per frame.
const SCROLL: usize = 4;
/// Width after which the band repeats.
const BAND_PERIOD: usize = 512;

/// Draws the test pattern. Static parts are drawn once, so a frame costs little more than a copy.
#[derive(Debug)]
pub struct TestPattern {
    width: u32,
    height: u32,
    label: String,
    still: Vec<u8>,
    band: Vec<u8>,
}

impl TestPattern {
    /// Most characters of the label that are shown.
    pub const LABEL: usize = 24;

    /// Makes a pattern of this size with a label, of which ASCII characters are shown.
    pub fn new(width: u32, height: u32, label: &str) -> Self {
        let mut still = FramePool::new().take(width, height);
        draw_bars(&mut still);
        let mut pattern = Self {
            width,
            height,
            label: label.chars().take(Self::LABEL).collect(),
            still: Vec::new(),
            band: band_row(width as usize),
        };
        pattern.draw_text(&mut still, 0, &pattern.label);
        pattern.still = still.data_mut().to_vec();
        pattern
    }

    /// Frame `n`, made at `unix_ms`: shows the time (UTC) and the number, and has a stamp.
    pub fn frame(&self, n: u64, unix_ms: u64, pool: &FramePool, time: Instant) -> VideoFrame {
        let mut frame = pool.take(self.width, self.height);
        frame.data_mut().copy_from_slice(&self.still);
        self.draw_band(&mut frame, n);
        draw_table(&mut frame, n);
        self.draw_text(&mut frame, 1, &clock(unix_ms, n));
        stamp::write(&mut frame, unix_ms, (n % 4096) as u16);
        frame.freeze(time)
    }

    /// Draws a noisy band along the bottom edge that moves sideways.
    fn draw_band(&self, frame: &mut FrameMut, n: u64) {
        let (w, h) = (self.width as usize, self.height as usize);
        let offset = (n as usize % (BAND_PERIOD / SCROLL)) * SCROLL;
        let (y, _, _) = frame.planes_mut();
        for row in h - h / 10..h {
            let shift = (offset + row / 8 % 16 * 24) % BAND_PERIOD;
            y[row * w..][..w].copy_from_slice(&self.band[shift..shift + w]);
        }
    }

    fn draw_text(&self, frame: &mut FrameMut, line: usize, text: &str) {
        let (w, h) = (self.width as usize, self.height as usize);
        let scale = (h / 180).max(1);
        let top = stamp::band_height(self.height) as usize + scale * (4 + line * (font::HEIGHT + 4));
        let left = 4 * scale;
        let (y, _, _) = frame.planes_mut();
        let right = (left + text.chars().count() * font::ADVANCE * scale).min(w);
        for row in top.saturating_sub(scale)..top + font::HEIGHT * scale {
            if row < h {
                y[row * w..][left.saturating_sub(scale).min(right)..right].fill(24);
            }
        }
        for (i, c) in text.chars().enumerate() {
            draw_glyph(y, w, left + i * font::ADVANCE * scale, top, scale, c);
        }
    }
}

fn draw_glyph(luma: &mut [u8], w: usize, left: usize, top: usize, scale: usize, c: char) {
    let columns = font::columns(c);
    let right = (left + columns.len() * scale).min(w);
    for row in 0..font::HEIGHT * scale {
        let Some(line) = luma.get_mut((top + row) * w..(top + row + 1) * w) else { return };
        for x in left..right {
            if columns[(x - left) / scale] >> (row / scale) & 1 == 1 {
                line[x] = 235;
            }
        }
    }
}

/// `12:34:56.789 #1234`, UTC.
fn clock(unix_ms: u64, n: u64) -> String {
    let (s, ms) = (unix_ms / 1000, unix_ms % 1000);
    format!("{:02}:{:02}:{:02}.{ms:03} #{n}", s / 3600 % 24, s / 60 % 60, s % 60)
}

fn draw_bars(frame: &mut FrameMut) {
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let (y, u, v) = frame.planes_mut();
    for row in 0..h {
        for (x, luma) in y[row * w..][..w].iter_mut().enumerate() {
            let shade = row * 60 / h; // darker towards the bottom, to make scaling and banding visible
            *luma = BARS[x * BARS.len() / w][0].saturating_sub(shade as u8).max(16);
        }
    }
    let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
    for i in 0..cw * ch {
        let [_, blue, red] = BARS[i % cw * BARS.len() / cw];
        (u[i], v[i]) = (blue, red);
    }
}

fn band_row(width: usize) -> Vec<u8> {
    let mut noise = 0x2545_F491u32;
    let period: Vec<u8> = (0..BAND_PERIOD)
        .map(|x| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let wave = (TAU * x as f32 * 9.0 / BAND_PERIOD as f32).sin();
            (126.0 + 60.0 * wave + (noise >> 27) as f32) as u8
        })
        .collect();
    period.iter().copied().cycle().take(width + BAND_PERIOD).collect()
}

fn draw_table(frame: &mut FrameMut, n: u64) {
    let (w, h) = (frame.width() as f32, frame.height() as f32);
    let unit = w.min(h);
    let (x, y) = (w / 2.0, h * 0.56);
    draw_disc(frame, x, y, unit * 0.2, TABLE);
    let turn = (n % ROUND) as f32 / ROUND as f32;
    for seat in 0..SEATS {
        let angle = TAU * (turn + seat as f32 / SEATS as f32);
        let (dx, dy) = (angle.cos() * unit, angle.sin() * unit);
        draw_disc(frame, x + dx * 0.28, y + dy * 0.28, unit * 0.05, SEAT);
        draw_disc(frame, x + dx * 0.14, y + dy * 0.14, unit * 0.03, PLATE);
    }
}

fn draw_disc(frame: &mut FrameMut, x: f32, y: f32, radius: f32, [luma, blue, red]: Yuv) {
    let (w, h) = (frame.width() as usize, frame.height() as usize);
    let (yp, up, vp) = frame.planes_mut();
    fill_disc(yp, w, h, (x, y, radius), luma);
    let half = (x / 2.0, y / 2.0, radius / 2.0);
    fill_disc(up, w.div_ceil(2), h.div_ceil(2), half, blue);
    fill_disc(vp, w.div_ceil(2), h.div_ceil(2), half, red);
}

fn fill_disc(plane: &mut [u8], w: usize, h: usize, (x, y, radius): (f32, f32, f32), value: u8) {
    let rows = (y - radius).max(0.0) as usize..((y + radius) as usize + 1).min(h);
    for row in rows {
        let dy = row as f32 + 0.5 - y;
        let reach = (radius * radius - dy * dy).max(0.0).sqrt();
        let (from, to) = ((x - reach).max(0.0) as usize, ((x + reach) as usize).min(w));
        if from < to {
            plane[row * w + from..row * w + to].fill(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(n: u64) -> VideoFrame {
        TestPattern::new(640, 360, "Test").frame(n, 1_700_000_000_000 + n * 33, &FramePool::new(), Instant::now())
    }

    #[test]
    fn each_frame_carries_its_stamp() {
        let stamp = stamp::read(&frame(5_000)).expect("stamp");
        assert_eq!((stamp.unix_ms, stamp.seq), ((1_700_000_000_000 + 165_000) % (1 << 40), 5_000 % 4096));
    }

    #[test]
    fn the_pattern_moves_below_the_stamp() {
        let (a, b) = (frame(10), frame(11));
        let from = 640 * 60; // below stamp and text
        let moved = a.y()[from..].iter().zip(&b.y()[from..]).filter(|(a, b)| a != b).count();
        assert!(moved > 5_000, "{moved}");
        assert_ne!(a.u(), frame(40).u());
    }

    #[test]
    fn the_label_is_drawn() {
        let draw = |label| TestPattern::new(640, 360, label).frame(1, 0, &FramePool::new(), Instant::now());
        assert_ne!(draw("anna").data(), draw("berta").data());
        assert_eq!(draw("anna").data(), draw("ANNA").data());
    }

    #[test]
    fn the_clock_reads_as_utc() {
        assert_eq!(clock(1_700_000_001_042, 7), "22:13:21.042 #7");
    }

    proptest! {
        #[test]
        fn every_size_and_label_can_be_drawn(w in 1u32..400, h in 1u32..300, n in any::<u64>(), label in ".{0,40}") {
            let frame = TestPattern::new(w, h, &label).frame(n, n, &FramePool::new(), Instant::now());
            prop_assert_eq!((frame.width(), frame.height()), (w, h));
        }
    }
}
