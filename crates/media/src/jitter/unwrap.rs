//! Unwraps RTP timestamps.

/// Extends 32-bit RTP timestamps to 64 bits. The result is the value closest to the highest one so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unwrap32 {
    last: Option<i64>,
}

impl Unwrap32 {
    pub(crate) fn unwrap(&mut self, value: u32) -> i64 {
        let Some(last) = self.last else {
            self.last = Some(i64::from(value));
            return i64::from(value);
        };
        let step = value.wrapping_sub(last as u32) as i32;
        let unwrapped = last + i64::from(step);
        self.last = Some(last.max(unwrapped));
        unwrapped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_unwraps_forwards_and_backwards() {
        let mut unwrap = Unwrap32::default();
        let unwrapped = [u32::MAX - 1, 1, u32::MAX, 2].map(|v| unwrap.unwrap(v));
        assert_eq!(unwrapped.map(|v| v - unwrapped[0]), [0, 3, 1, 4]);
    }

    proptest! {
        #[test]
        fn steps_of_less_than_half_the_range_are_exact(
            start in any::<u32>(),
            steps in prop::collection::vec(-2_000_000_000i64..2_100_000_000, 1..200),
        ) {
            let mut unwrap = Unwrap32::default();
            let (mut highest, mut at) = (i64::from(start), i64::from(start));
            let zero = unwrap.unwrap(at as u32);
            for step in steps {
                at = highest + step;
                highest = highest.max(at);
                let moved = at - i64::from(start);
                prop_assert_eq!(unwrap.unwrap(at as u32) - zero, moved);
            }
        }
    }
}
