//! Audio packets, each once.

use crate::sequence::Unwrapper;

/// Packets before the newest among which duplicates are known; older ones are dropped, too late to be heard anyway.
const WINDOW: u64 = 128;

/// So many older ones in a row, and the sender has begun anew.
const STALE_IN_A_ROW: u32 = 10;

#[derive(Debug, Default)]
pub(crate) struct Once {
    unwrapper: Unwrapper,
    stale: u32,
    /// Bit n: the newest packet less n arrived.
    seen: u128,
}

impl Once {
    /// Whether this packet is the first of its number.
    pub(crate) fn is_new(&mut self, sequence: u16) -> bool {
        let before = self.unwrapper.newest();
        let number = self.unwrapper.unwrap(sequence);
        match before {
            Some(newest) if number <= newest => {
                let age = newest - number;
                if age >= WINDOW {
                    return self.is_new_life(sequence);
                }
                self.stale = 0;
                let bit = 1_u128 << age;
                let new = self.seen & bit == 0;
                self.seen |= bit;
                new
            }
            Some(newest) => {
                self.stale = 0;
                let shift = u32::try_from(number - newest).unwrap_or(u32::MAX);
                self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
                true
            }
            None => {
                self.seen = 1;
                true
            }
        }
    }

    fn is_new_life(&mut self, sequence: u16) -> bool {
        self.stale += 1;
        if self.stale < STALE_IN_A_ROW {
            return false;
        }
        *self = Once::default();
        self.is_new(sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_passes_once_in_any_order() {
        let mut once = Once::default();
        let passed: Vec<bool> = [65_535, 1, 0, 1, 65_535, 2, 0].map(|s| once.is_new(s)).to_vec();
        assert_eq!(passed, [true, true, true, false, false, true, false]);
        assert!(!once.is_new(65_000));
        assert!(once.is_new(1000));
        assert!(!once.is_new(2));
    }

    #[test]
    fn a_sender_that_begins_anew_is_heard_again() {
        let mut once = Once::default();
        assert!(once.is_new(30_000));
        let heard = (1..=20).filter(|sequence| once.is_new(*sequence)).count();
        assert_eq!(heard, 11);
    }
}
