//! The packets that are missing in a stream, whose places are kept.

use std::collections::VecDeque;

use crate::limits::MAX_GAPS;

/// A range of missing packets, and what holds for those that still arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The publisher's sequence numbers, both included.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// To be added to a sequence number, modulo 2^64.
    pub(crate) sequence_offset: u64,
    /// To be added to a picture id and to TL0PICIDX.
    pub(crate) picture_offset: u16,
    pub(crate) base_offset: u8,
    /// To be added to a timestamp.
    pub(crate) timestamp_offset: u32,
    /// Timestamps to the receiver before and after the range.
    pub(crate) before: u32,
    pub(crate) after: u32,
    /// The highest temporal layer that is forwarded.
    pub(crate) highest: u8,
}

/// Missing ranges, oldest first. At most [`MAX_GAPS`]; another replaces the oldest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gaps {
    ranges: VecDeque<Gap>,
}

impl Gaps {
    pub(crate) fn push(&mut self, gap: Gap) {
        if self.ranges.len() >= MAX_GAPS {
            self.ranges.pop_front();
        }
        self.ranges.push_back(gap);
    }

    /// Forgets all ranges and returns them, newest first.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Gap> {
        std::mem::take(&mut self.ranges).into_iter().rev()
    }

    /// Takes a packet out of its range, with the timestamp of its place to the receiver, and whether that is its own. `None`
    /// if it is not missing. A timestamp that is not between those on either side is replaced by the one before.
    pub(crate) fn take(&mut self, sequence: u64, timestamp: u32) -> Option<(Gap, u32, bool)> {
        let at = self.ranges.iter().position(|gap| (gap.first..=gap.last).contains(&sequence))?;
        let gap = self.ranges.remove(at)?;
        let timestamp = timestamp.wrapping_add(gap.timestamp_offset);
        let fits = timestamp.wrapping_sub(gap.before) <= gap.after.wrapping_sub(gap.before);
        let own = if fits { timestamp } else { gap.before };
        let halves = [
            (sequence < gap.last).then(|| Gap { first: sequence + 1, before: own, ..gap }),
            (sequence > gap.first).then(|| Gap { last: sequence - 1, after: own, ..gap }),
        ];
        for half in halves.into_iter().flatten() {
            if self.ranges.len() < MAX_GAPS {
                self.ranges.insert(at.min(self.ranges.len()), half);
            }
        }
        Some((gap, own, fits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(first: u64, last: u64) -> Gap {
        Gap {
            first,
            last,
            sequence_offset: 0,
            picture_offset: 0,
            base_offset: 0,
            timestamp_offset: 10,
            before: u32::MAX - 5,
            after: 100,
            highest: 0,
        }
    }

    #[test]
    fn each_missing_packet_is_taken_once() {
        let mut gaps = Gaps::default();
        gaps.push(gap(5, 8));
        assert!(gaps.take(4, 0).is_none() && gaps.take(9, 0).is_none());
        for sequence in [6, 8, 5, 7] {
            assert!(gaps.take(sequence, 0).is_some(), "{sequence}");
            assert!(gaps.take(sequence, 0).is_none(), "{sequence}");
        }
        assert!(gaps.ranges.is_empty());
    }

    #[test]
    fn timestamps_stay_between_those_on_either_side() {
        let mut gaps = Gaps::default();
        gaps.push(gap(5, 8));
        let mut take = |sequence, timestamp| gaps.take(sequence, timestamp).map(|(_, own, fits)| (own, fits));
        assert_eq!(take(6, 30), Some((40, true)));
        assert_eq!(take(7, 20), Some((40, false)), "before its predecessor");
        assert_eq!(take(8, 91), Some((40, false)), "after its successor");
        assert_eq!(take(5, u32::MAX - 12), Some((u32::MAX - 2, true)), "wrapped");
    }

    #[test]
    fn the_oldest_range_is_given_up() {
        let mut gaps = Gaps::default();
        (0..=MAX_GAPS as u64).for_each(|n| gaps.push(gap(3 * n, 3 * n)));
        assert!(gaps.take(0, 0).is_none());
        assert!(gaps.take(3, 0).is_some());
    }
}
