//! Removes duplicates of audio packets.

use crate::sequence::Unwrapper;

/// Number of sequence numbers before the newest for which duplicates are detected. Older packets are dropped, because
/// they are too late to be played.
const WINDOW: u64 = 128;

/// The sender has restarted if this many consecutive packets are older than the window.
const RESTART_AFTER: u32 = 10;

/// A sliding window of received sequence numbers.
#[derive(Debug, Default)]
pub(crate) struct DuplicateFilter {
    unwrapper: Unwrapper,
    stale_packets: u32,
    /// Bit n is set if the packet n before the newest was received.
    received: u128,
}

impl DuplicateFilter {
    /// Whether this is the first packet with this sequence number.
    pub(crate) fn is_new(&mut self, sequence: u16) -> bool {
        let previous_newest = self.unwrapper.newest();
        let number = self.unwrapper.unwrap(sequence);
        match previous_newest {
            Some(newest) if number <= newest => {
                let age = newest - number;
                if age >= WINDOW {
                    return self.accept_restart(sequence);
                }
                self.stale_packets = 0;
                let bit = 1_u128 << age;
                let new = self.received & bit == 0;
                self.received |= bit;
                new
            }
            Some(newest) => {
                self.stale_packets = 0;
                let shift = u32::try_from(number - newest).unwrap_or(u32::MAX);
                self.received = self.received.checked_shl(shift).unwrap_or(0) | 1;
                true
            }
            None => {
                self.received = 1;
                true
            }
        }
    }

    /// Counts a packet older than the window. Accepts it if that shows a restarted sender.
    fn accept_restart(&mut self, sequence: u16) -> bool {
        self.stale_packets += 1;
        if self.stale_packets < RESTART_AFTER {
            return false;
        }
        *self = DuplicateFilter::default();
        self.is_new(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sequence_number_passes_once_in_any_order() {
        let mut filter = DuplicateFilter::default();
        let passed: Vec<bool> = [65_535, 1, 0, 1, 65_535, 2, 0].map(|s| filter.is_new(s)).to_vec();
        assert_eq!(passed, [true, true, true, false, false, true, false]);
        assert!(!filter.is_new(65_000));
        assert!(filter.is_new(1000));
        assert!(!filter.is_new(2));
    }

    #[test]
    fn packets_of_a_restarted_sender_are_accepted() {
        let mut filter = DuplicateFilter::default();
        assert!(filter.is_new(30_000));
        let accepted = (1..=20).filter(|sequence| filter.is_new(*sequence)).count();
        assert_eq!(accepted, 11);
    }
}
