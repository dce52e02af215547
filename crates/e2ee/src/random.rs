//! Random bytes from one seed.

use std::convert::Infallible;

use hpke::rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

/// Bytes that nobody can predict who does not know the seed. Each block replaces the state, so that whoever reads the
/// state later learns nothing of what was drawn before.
pub(crate) struct Random(Zeroizing<[u8; 32]>);

impl Random {
    /// `seed` has 32 random bytes that nobody else knows and that are not used twice.
    pub(crate) fn new(seed: [u8; 32]) -> Random {
        Random(Zeroizing::new(seed))
    }

    /// The next 32 bytes.
    pub(crate) fn block(&mut self) -> Zeroizing<[u8; 32]> {
        let mut hash = Sha512::new();
        hash.update(b"lunchroom-random-v1\0");
        hash.update(*self.0);
        let both: Zeroizing<[u8; 64]> = Zeroizing::new(hash.finalize().into());
        let mut block = Zeroizing::new([0; 32]);
        let (state, drawn) = both.split_at(32);
        self.0.copy_from_slice(state);
        block.copy_from_slice(drawn);
        block
    }
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let [a, b, c, d, ..] = *self.block();
        Ok(u32::from_le_bytes([a, b, c, d]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let [a, b, c, d, e, f, g, h, ..] = *self.block();
        Ok(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for part in bytes.chunks_mut(32) {
            part.copy_from_slice(&self.block()[..part.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Random {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_draws_the_same_blocks_and_none_twice() {
        let draw = |seed| {
            let mut random = Random::new([seed; 32]);
            (0..100).map(|_| *random.block()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        let mut all = [draw(1), draw(2)].concat();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 200);
    }
}
