//! Unwraps 16-bit sequence numbers.

/// Extends 16-bit sequence numbers to 64 bits, relative to the newest one so far (RFC 3550 appendix A.1).
#[derive(Debug, Clone, Default)]
pub(crate) struct Unwrapper {
    newest: Option<u64>,
}

/// Offset of the first number. It leaves room for reordered packets with smaller numbers.
const BASE: u64 = 1 << 16;

impl Unwrapper {
    /// Returns the extended number of `sequence`. A newer number advances the window.
    pub(crate) fn unwrap(&mut self, sequence: u16) -> u64 {
        let number = self.peek(sequence);
        self.newest = Some(self.newest.map_or(number, |newest| newest.max(number)));
        number
    }

    /// Returns the extended number without advancing the window.
    pub(crate) fn peek(&self, sequence: u16) -> u64 {
        let newest = self.newest.unwrap_or(BASE + u64::from(sequence));
        let ahead = sequence.wrapping_sub(newest as u16) as i16;
        // The window starts at BASE and only advances, so a number up to 32768 below it cannot underflow.
        newest.saturating_add_signed(i64::from(ahead))
    }

    /// The newest extended number so far.
    pub(crate) fn newest(&self) -> Option<u64> {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wraps_both_ways() {
        let mut unwrapper = Unwrapper::default();
        let first = unwrapper.unwrap(65_534);
        assert_eq!(unwrapper.unwrap(2), first + 4);
        assert_eq!(unwrapper.unwrap(65_533), first - 1);
        assert_eq!(unwrapper.newest(), Some(first + 4));
    }

    proptest! {
        #[test]
        fn keeps_the_low_bits(numbers in prop::collection::vec(any::<u16>(), 1..200)) {
            let mut unwrapper = Unwrapper::default();
            for number in numbers {
                prop_assert_eq!(unwrapper.unwrap(number) as u16, number);
            }
        }
    }
}
