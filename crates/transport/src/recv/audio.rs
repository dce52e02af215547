//! Audio packets, each once.

use crate::sequence::Unwrapper;

/// Packets before the newest among which duplicates are known; older ones are dropped, too late to be heard anyway.
const WINDOW: u64 = 128;

#[derive(Debug, Default)]
pub(crate) struct Once {
    unwrapper: Unwrapper,
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
                let bit = if age < WINDOW { 1_u128 << age } else { return false };
                let new = self.seen & bit == 0;
                self.seen |= bit;
                new
            }
            Some(newest) => {
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
}
