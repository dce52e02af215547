//! The sizes in which a source is encoded.

use crate::Content;

/// One size in a ladder, with its useful range of rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// Height in pixels.
    pub height: u32,
    /// Rate in bit/s below which a smaller size looks better.
    pub floor: u64,
    /// Rate in bit/s above which quality no longer improves.
    pub ceiling: u64,
}

/// Maximum number of sizes in a ladder.
pub(crate) const MAX_ENCODINGS: usize = 3;

/// Smallest height in pixels at which people are recognisable.
const SMALLEST: u32 = 135;

/// Rates of VP8 at 30 frames per second: height in pixels, floor, ceiling.
const RATES: [(u32, u64, u64); 6] = [
    (90, 30_000, 150_000),
    (180, 60_000, 350_000),
    (360, 220_000, 1_800_000),
    (540, 450_000, 2_400_000),
    (720, 700_000, 3_000_000),
    (1080, 1_400_000, 5_000_000),
];

/// Returns the ladder of a source of this height, smallest size first, never empty. A camera has up to three sizes,
/// each half as high as the next. A screen has only its own size, because text cannot be scaled down.
pub fn ladder(content: Content, capture_height: u32) -> Vec<Encoding> {
    let top = capture_height.max(2);
    let mut encodings = match content {
        Content::Camera => (0..MAX_ENCODINGS as u32)
            .map(|halvings| top >> halvings)
            .take_while(|height| *height == top || *height >= SMALLEST)
            .map(camera)
            .collect(),
        Content::Screen => vec![screen(top)],
    };
    encodings.reverse();
    encodings
}

fn camera(height: u32) -> Encoding {
    Encoding { height, floor: rate(height, |r| r.1), ceiling: rate(height, |r| r.2) }
}

/// Slides change rarely: they may arrive slowly, but sharp.
fn screen(height: u32) -> Encoding {
    Encoding { height, floor: 150_000, ceiling: rate(height, |r| r.2).max(1_000_000) }
}

/// Interpolates linearly in the height between the entries of the table, and is constant beyond them.
fn rate(height: u32, column: impl Fn(&(u32, u64, u64)) -> u64) -> u64 {
    let above = RATES.partition_point(|entry| entry.0 < height).min(RATES.len() - 1);
    let (low, high) = (&RATES[above.saturating_sub(1)], &RATES[above]);
    let height = height.clamp(low.0, high.0);
    let part = u64::from(height - low.0) * (column(high) - column(low));
    column(low) + part.checked_div(u64::from(high.0 - low.0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn heights(capture: u32) -> Vec<u32> {
        ladder(Content::Camera, capture).iter().map(|r| r.height).collect()
    }

    #[test]
    fn a_camera_has_up_to_three_halved_sizes() {
        assert_eq!(heights(720), [180, 360, 720]);
        assert_eq!(heights(360), [180, 360]);
        assert_eq!(heights(480), [240, 480]);
        assert_eq!(heights(1080), [270, 540, 1080]);
        assert_eq!(heights(120), [120]);
    }

    #[test]
    fn a_screen_has_a_single_size() {
        let encodings = ladder(Content::Screen, 1_200);
        assert_eq!((encodings.len(), encodings[0].height, encodings[0].ceiling), (1, 1_200, 5_000_000));
    }

    #[test]
    fn rates_are_interpolated_between_entries() {
        assert_eq!(camera(270), Encoding { height: 270, floor: 140_000, ceiling: 1_075_000 });
        assert_eq!(camera(4_000).ceiling, 5_000_000);
        assert_eq!(camera(2).floor, 30_000);
    }

    proptest! {
        #[test]
        fn a_ladder_is_monotonic(height in any::<u32>(), is_screen in any::<bool>()) {
            let encodings = ladder(if is_screen { Content::Screen } else { Content::Camera }, height);
            prop_assert!((1..=MAX_ENCODINGS).contains(&encodings.len()));
            prop_assert!(encodings.iter().all(|r| r.floor < r.ceiling && r.height > 0));
            let rises = |w: &[Encoding]| w[0].height < w[1].height && w[0].floor <= w[1].floor && w[0].ceiling <= w[1].ceiling;
            prop_assert!(encodings.windows(2).all(rises));
        }
    }
}
