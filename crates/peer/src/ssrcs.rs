//! Generates SSRCs.

/// Generates SSRCs that differ from each other and, most likely, from the far side's.
#[derive(Debug)]
pub(crate) struct Ssrcs(pub(crate) u64);

impl Ssrcs {
    /// The next SSRC (splitmix64).
    pub(crate) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) as u32).max(1)
    }
}
