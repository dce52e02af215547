//! A sender's key.

use std::fmt;

use zeroize::Zeroizing;

/// The key with which one participant encrypts in one epoch: the SFrame base key of all their streams. It is erased
/// when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SenderKey {
    epoch: u32,
    base: Zeroizing<[u8; 32]>,
}

impl SenderKey {
    /// A key of 32 random bytes. A sender's epochs grow.
    pub fn new(epoch: u32, base: Zeroizing<[u8; 32]>) -> SenderKey {
        SenderKey { epoch, base }
    }

    /// The sender's epoch.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    pub(crate) fn base(&self) -> &[u8; 32] {
        &self.base
    }
}

impl fmt::Debug for SenderKey {
    /// Does not show the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SenderKey").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_key() {
        let key = SenderKey::new(3, Zeroizing::new([7; 32]));
        assert_eq!(format!("{key:?}"), "SenderKey { epoch: 3, .. }");
    }
}
