//! The sizes that a source is encoded in.

use crate::Content;

/// A size, and the rates between which it is worth its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Rows.
    pub height: u32,
    /// Bit/s below which a smaller size looks better.
    pub floor: u64,
    /// Bit/s above which nothing is gained.
    pub ceiling: u64,
}

/// Rungs of a ladder at most.
pub(crate) const RUNGS: usize = 3;

/// Rows below which nobody is recognised.
const SMALLEST: u32 = 135;

/// Rates that VP8 needs at 30 frames a second: rows, floor, ceiling.
const RATES: [(u32, u64, u64); 6] = [
    (90, 30_000, 150_000),
    (180, 60_000, 350_000),
    (360, 220_000, 1_800_000),
    (540, 450_000, 2_400_000),
    (720, 700_000, 3_000_000),
    (1080, 1_400_000, 5_000_000),
];

/// The ladder of a source of so many rows, smallest first, never empty: a camera in up to three sizes, each half of the one
/// above it; a screen in its own only, as text cannot be made smaller.
pub fn ladder(content: Content, capture_height: u32) -> Vec<Rung> {
    let top = capture_height.max(2);
    let mut rungs = match content {
        Content::Camera => (0..RUNGS as u32)
            .map(|halvings| top >> halvings)
            .take_while(|height| *height == top || *height >= SMALLEST)
            .map(camera)
            .collect(),
        Content::Screen => vec![screen(top)],
    };
    rungs.reverse();
    rungs
}

fn camera(height: u32) -> Rung {
    Rung { height, floor: rate(height, |r| r.1), ceiling: rate(height, |r| r.2) }
}

/// A slide changes seldom: it may come slowly, but sharp.
fn screen(height: u32) -> Rung {
    Rung { height, floor: 150_000, ceiling: rate(height, |r| r.2).max(1_000_000) }
}

/// Linear in rows between the entries of the table, constant beyond them.
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
    fn a_screen_has_only_its_own() {
        let rungs = ladder(Content::Screen, 1_200);
        assert_eq!((rungs.len(), rungs[0].height, rungs[0].ceiling), (1, 1_200, 5_000_000));
    }

    #[test]
    fn rates_between_the_entries_are_between_theirs() {
        assert_eq!(camera(270), Rung { height: 270, floor: 140_000, ceiling: 1_075_000 });
        assert_eq!(camera(4_000).ceiling, 5_000_000);
        assert_eq!(camera(2).floor, 30_000);
    }

    proptest! {
        #[test]
        fn a_ladder_rises_in_everything(height in any::<u32>(), is_screen in any::<bool>()) {
            let rungs = ladder(if is_screen { Content::Screen } else { Content::Camera }, height);
            prop_assert!((1..=RUNGS).contains(&rungs.len()));
            prop_assert!(rungs.iter().all(|r| r.floor < r.ceiling && r.height > 0));
            let rises = |w: &[Rung]| w[0].height < w[1].height && w[0].floor <= w[1].floor && w[0].ceiling <= w[1].ceiling;
            prop_assert!(rungs.windows(2).all(rises));
        }
    }
}
