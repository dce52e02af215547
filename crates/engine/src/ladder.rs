//! The picture size for each bitrate.

use signaling::message::Resolution;
use std::time::{Duration, Instant};

/// The size of an encoding, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Size {
    fn pixels(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// The largest size with the source's aspect ratio within the limits. Both sides are even.
pub(crate) fn fit(width: u32, height: u32, max_width: u32, max_height: u32) -> Size {
    let (width, height) = (width.max(2), height.max(2));
    let scale = (f64::from(max_width) / f64::from(width)).min(f64::from(max_height) / f64::from(height)).min(1.0);
    scaled(Size { width, height }, scale)
}

/// The rate above which a size shows no visible improvement, bit/s. Follows Chromium's table for cameras: 360p 1.7
/// Mb/s, 540p 2 Mb/s, 720p 2.5 Mb/s. Rates between are interpolated by pixels.
pub(crate) fn most_useful(size: Size, fps: u32) -> u64 {
    const TABLE: [(u64, u64); 6] = [
        (320 * 180, 600_000),
        (480 * 270, 1_000_000),
        (640 * 360, 1_700_000),
        (960 * 540, 2_000_000),
        (1280 * 720, 2_500_000),
        (1920 * 1080, 5_000_000),
    ];
    let at_30 = interpolate(&TABLE, size.pixels());
    at_30 * u64::from(fps.clamp(5, 60)).min(30) / 30
}

/// The rate below which a size looks worse than the next smaller one, bit/s.
fn least_useful(size: Size) -> u64 {
    const TABLE: [(u64, u64); 5] =
        [(320 * 180, 0), (480 * 270, 140_000), (640 * 360, 220_000), (960 * 540, 450_000), (1280 * 720, 700_000)];
    interpolate(&TABLE, size.pixels())
}

/// The lowest bitrate of an encoder for this size, bit/s. With less, it would drop frames in its own uneven way.
pub(crate) fn floor(size: Size) -> u64 {
    (least_useful(size) * 2 / 3).max(40_000)
}

/// The highest value of the last one to two [`RecentPeak::WINDOW`]s.
#[derive(Debug, Default)]
pub(crate) struct RecentPeak {
    current: u64,
    previous: u64,
    started: Option<Instant>,
}

impl RecentPeak {
    const WINDOW: Duration = Duration::from_secs(1);

    /// Adds a value, and returns the highest one.
    pub(crate) fn add(&mut self, now: Instant, value: u64) -> u64 {
        let started = *self.started.get_or_insert(now);
        if now.saturating_duration_since(started) >= Self::WINDOW {
            (self.started, self.previous, self.current) = (Some(now), self.current, 0);
        }
        self.current = self.current.max(value);
        self.current.max(self.previous)
    }
}

/// The encoding sizes of a source, largest first. One receiver gets finer steps. Several receivers get only halves, so
/// that they share encoders.
fn sizes(source: Size, alone: bool) -> impl DoubleEndedIterator<Item = Size> {
    let steps: &[f64] = if alone { &[1.0, 0.75, 0.5, 0.375, 0.25] } else { &[1.0, 0.5, 0.25] };
    steps.iter().map(move |s| scaled(source, *s)).filter(move |r| r.height.min(r.width) >= 90 || *r == source)
}

/// The sizes of a camera's encodings for a forwarder, smallest first.
pub(crate) fn simulcast(source: Size) -> Vec<Size> {
    sizes(source, false).rev().collect()
}

/// The smallest size that fills the displayed size when enlarged by at most an eighth, which is not visible.
pub(crate) fn covering(source: Size, most: Option<Resolution>, alone: bool) -> Size {
    let Some(most) = most else { return source };
    let shown = fit(source.width, source.height, most.max_width, most.max_height);
    let covers = |size: &Size| u64::from(size.width) * 9 >= u64::from(shown.width) * 8;
    sizes(source, alone).rev().find(covers).unwrap_or(source)
}

/// The size that is this many steps below `top`, or the smallest.
pub(crate) fn reduced(source: Size, top: Size, steps: usize, alone: bool) -> Size {
    let smaller = sizes(source, alone).filter(|size| size.pixels() < top.pixels()).take(steps);
    smaller.last().unwrap_or(top)
}

/// The size of this source for a bitrate, no larger than `top`. `before` gives hysteresis: the size increases only when
/// the bitrate exceeds its minimum by 30 %.
pub(crate) fn choose(source: Size, top: Size, bitrate: u64, before: Option<Size>, alone: bool) -> Size {
    let sizes = || sizes(source, alone).filter(|size| size.pixels() <= top.pixels());
    let enough = |size: &Size| {
        let larger = before.is_some_and(|b| size.pixels() > b.pixels());
        let floor = least_useful(*size);
        bitrate >= if larger { floor + floor * 3 / 10 } else { floor }
    };
    sizes().find(enough).or_else(|| sizes().next_back()).unwrap_or(top)
}

fn scaled(source: Size, scale: f64) -> Size {
    let even = |n: u32| (((f64::from(n) * scale) / 2.0).round() as u32 * 2).max(2);
    Size { width: even(source.width), height: even(source.height) }
}

fn interpolate(table: &[(u64, u64)], pixels: u64) -> u64 {
    let Some(above) = table.iter().position(|(p, _)| *p >= pixels) else {
        return table.last().map_or(0, |(_, rate)| *rate);
    };
    let (p1, r1) = table[above];
    let Some((p0, r0)) = above.checked_sub(1).map(|below| table[below]) else {
        return r1 * pixels / p1;
    };
    r0 + (r1 - r0) * (pixels - p0) / (p1 - p0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HD: Size = Size { width: 1280, height: 720 };

    #[test]
    fn a_source_keeps_its_aspect_ratio() {
        assert_eq!(fit(1920, 1080, 1280, 720), HD);
        assert_eq!(fit(640, 480, 1280, 720), Size { width: 640, height: 480 });
        assert_eq!(fit(720, 1280, 1280, 720), Size { width: 406, height: 720 });
        assert_eq!(fit(0, 0, 1280, 720), Size { width: 2, height: 2 });
    }

    #[test]
    fn a_lower_bitrate_never_gives_a_larger_size() {
        for alone in [true, false] {
            let sizes: Vec<u64> = (0..40).map(|n| choose(HD, HD, n * 50_000, None, alone).pixels()).collect();
            assert!(sizes.windows(2).all(|w| w[0] <= w[1]), "{sizes:?}");
        }
    }

    #[test]
    fn a_reduction_takes_the_next_smaller_size() {
        let pick = |steps, alone| reduced(HD, HD, steps, alone).width;
        assert_eq!([0, 1, 2, 9].map(|steps| pick(steps, true)), [1280, 960, 640, 320]);
        assert_eq!([0, 1, 2, 9].map(|steps| pick(steps, false)), [1280, 640, 320, 320]);
    }

    #[test]
    fn a_bitrate_near_a_threshold_does_not_oscillate() {
        let floor = least_useful(HD);
        let small = choose(HD, HD, floor - 1, Some(HD), true);
        assert!(small.pixels() < HD.pixels());
        assert_eq!(choose(HD, HD, floor + 1, Some(small), true), small);
        assert_eq!(choose(HD, HD, floor * 14 / 10, Some(small), true), HD);
    }

    #[test]
    fn a_short_drop_of_the_bitrate_does_not_change_the_peak() {
        let (mut peak, start) = (RecentPeak::default(), Instant::now());
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert_eq!(peak.add(at(0), 900), 900);
        assert!((1..10).all(|n| peak.add(at(n * 100), 100) == 900));
        assert_eq!(peak.add(at(1_050), 2_000), 2_000);
        assert!((11..30).all(|n| peak.add(at(n * 100), 100) == 2_000));
        assert_eq!(peak.add(at(3_100), 100), 100);
    }

    #[test]
    fn the_floor_is_below_the_rate_that_a_size_is_chosen_for() {
        for scale in [1.0, 0.75, 0.5] {
            let size = scaled(HD, scale);
            assert!(floor(size) < least_useful(size), "{size:?}");
        }
    }

    #[test]
    fn the_encoding_never_exceeds_the_displayed_size() {
        let most = |max_width, max_height| Some(Resolution { max_width, max_height });
        for (shown, alone, want) in [
            (None, true, (1280, 720)),
            (most(1280, 720), true, (1280, 720)),
            (most(4000, 4000), true, (1280, 720)),
            (most(1060, 1000), true, (960, 540)),
            (most(1060, 1000), false, (1280, 720)),
            (most(640, 640), true, (640, 360)),
            (most(700, 394), true, (640, 360)),
            (most(424, 240), false, (640, 360)),
            (most(424, 240), true, (480, 270)),
            (most(100, 60), true, (320, 180)),
            (most(0, 0), true, (320, 180)),
        ] {
            let top = covering(HD, shown, alone);
            assert_eq!((top.width, top.height), want, "{shown:?} {alone}");
            assert_eq!(choose(HD, top, 10_000_000, None, alone), top);
            assert!(choose(HD, top, 100_000, None, alone).pixels() <= top.pixels());
        }
        let small = Size { width: 160, height: 120 };
        assert_eq!(covering(small, most(10, 10), true), Size { width: 120, height: 90 });
    }

    #[test]
    fn the_table_is_exact_at_its_entries() {
        assert_eq!(most_useful(Size { width: 640, height: 360 }, 30), 1_700_000);
        assert_eq!(most_useful(HD, 30), 2_500_000);
        assert_eq!(most_useful(Size { width: 3840, height: 2160 }, 30), 5_000_000);
    }
}
