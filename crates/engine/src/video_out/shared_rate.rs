//! The bitrate of an encoding that several subscribers share, and whether it has two temporal layers, so that a slower one
//! can do without the upper layer.

use layers::Temporal;

/// Two layers cost 0.6 to 1.4 dB of VP8 (docs/benchmarks.md), up to a quarter of the bitrate. So they begin when the others
/// then get this much more, and end when it is no longer this much.
const WORTH: f64 = 1.5;
const STILL_WORTH: f64 = 1.35;
/// A subscriber with at least this share of the bitrate receives all frames, and the bitrate follows it.
const NEARLY: f64 = 0.9;

/// What an encoding is to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SharedRate {
    /// bit/s.
    pub(super) bitrate: u64,
    /// Whether there are two temporal layers. Subscribers with less than `bitrate` receive the base layer only.
    pub(super) layered: bool,
}

/// Decides for subscribers that can receive these bitrates. `layered`: whether it has two layers now; `None` if the codec
/// has no second one.
pub(super) fn shared_rate(bitrates: &[u64], layered: Option<bool>) -> SharedRate {
    let (lowest, highest) = (bitrates.iter().copied().min().unwrap_or(0), bitrates.iter().copied().max().unwrap_or(0));
    let carried = highest.min(lowest * 10 / Temporal::BASE_SHARE);
    let gain = carried as f64 / lowest.max(1) as f64;
    match layered {
        Some(layered) if gain >= if layered { STILL_WORTH } else { WORTH } => {
            let nearly = bitrates.iter().copied().filter(|rate| *rate as f64 >= carried as f64 * NEARLY);
            SharedRate { bitrate: nearly.min().unwrap_or(carried).min(carried), layered: true }
        }
        Some(_) | None => SharedRate { bitrate: lowest, layered: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decided(bitrates: &[u64], layered: Option<bool>) -> (u64, bool) {
        let SharedRate { bitrate, layered } = shared_rate(bitrates, layered);
        (bitrate, layered)
    }

    #[test]
    fn one_slower_subscriber_does_not_hold_back_the_others() {
        assert_eq!(decided(&[1_000, 600, 1_000], Some(false)), (1_000, true));
        assert_eq!(decided(&[1_000, 500, 1_000], Some(false)), (833, true), "its base layer must fit");
        assert_eq!(decided(&[1_000, 600, 950], Some(false)), (950, true), "nearly as fast");
    }

    #[test]
    fn layers_begin_only_when_they_are_worth_it_and_end_later() {
        assert_eq!(decided(&[1_000], Some(false)), (1_000, false));
        assert_eq!(decided(&[1_000, 700], Some(false)), (700, false));
        assert_eq!(decided(&[1_000, 700], Some(true)), (1_000, true));
        assert_eq!(decided(&[1_000, 800], Some(true)), (800, false));
        assert_eq!(decided(&[1_000, 600], None), (600, false), "a codec without layers");
        assert_eq!(decided(&[], Some(true)), (0, false));
    }

    proptest! {
        #[test]
        fn nobody_is_sent_more_than_they_can_receive(
            bitrates in proptest::collection::vec(1..5_000_000u64, 1..12),
            layered in proptest::option::of(any::<bool>()),
        ) {
            let shared = shared_rate(&bitrates, layered);
            for rate in bitrates {
                let sent = match shared.layered && rate < shared.bitrate {
                    true => Temporal::Base.cost(shared.bitrate),
                    false => shared.bitrate,
                };
                prop_assert!(sent <= rate, "{sent} to a subscriber with {rate}");
            }
        }
    }
}
