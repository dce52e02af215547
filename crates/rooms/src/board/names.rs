//! Names that nobody can guess.

use sha2::{Digest, Sha256};

/// The alphabet: lower case, without letters that look alike (Crockford's base 32).
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Letters in a name: 80 bits.
const LENGTH: usize = 16;
/// Prefix of the rooms of tables.
const ROOM: &str = "t-";

/// A sequence of names, different for each seed and unpredictable without it.
pub(super) struct Names {
    seed: [u8; 32],
    given: u64,
}

// The seed is as secret as every future name.
impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Names").field("given", &self.given).finish_non_exhaustive()
    }
}

impl Names {
    /// `seed` must be random and must not be used for another sequence.
    pub(super) fn new(seed: [u8; 32]) -> Names {
        Names { seed, given: 0 }
    }

    /// Returns a new id for a table.
    pub(super) fn id(&mut self) -> String {
        self.bytes().iter().take(LENGTH).map(letter).collect()
    }

    /// Returns a new name for a room.
    pub(super) fn room(&mut self) -> String {
        ROOM.chars().chain(self.bytes().iter().take(LENGTH).map(letter)).collect()
    }

    /// Returns 32 new random bytes.
    pub(super) fn bytes(&mut self) -> [u8; 32] {
        self.given += 1;
        let mut hash = Sha256::new();
        hash.update(b"lunchroom-names-v1\0");
        hash.update(self.seed);
        hash.update(self.given.to_be_bytes());
        hash.finalize().into()
    }
}

/// Whether a room is named like those of tables. Knowing the name of such a room is not enough to join it.
pub(super) fn is_table_room(room: &str) -> bool {
    room.strip_prefix(ROOM).is_some_and(|rest| rest.len() == LENGTH && rest.bytes().all(|b| LETTERS.contains(&b)))
}

fn letter(byte: &u8) -> char {
    char::from(LETTERS[usize::from(byte % 32)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use signaling::limits::is_room_name;
    use std::collections::BTreeSet;

    #[test]
    fn generated_names_are_unique_room_names() {
        let (mut here, mut there) = (Names::new([1; 32]), Names::new([2; 32]));
        let mut seen = BTreeSet::new();
        for _ in 0..1_000 {
            for name in [here.room(), there.room()] {
                assert!(is_room_name(&name) && is_table_room(&name), "{name}");
                assert!(seen.insert(name));
            }
        }
        assert!(!is_table_room("t-party") && !is_table_room("soup") && !is_table_room("t-ilou56789abcdefg"));
    }

    #[test]
    fn debug_output_hides_the_seed() {
        assert_eq!(format!("{:?}", Names::new([7; 32])), "Names { given: 0, .. }");
    }
}
