//! Generates SSRCs.

use crate::sdp::Stream;

/// Generates SSRCs that differ from each other and, most likely, from the far side's.
#[derive(Debug)]
pub(crate) struct Ssrcs(fastrand::Rng);

impl Ssrcs {
    /// Makes a generator with this seed.
    pub(crate) fn new(seed: u64) -> Ssrcs {
        Ssrcs(fastrand::Rng::with_seed(seed))
    }

    /// Generates the SSRCs of a video stream and its retransmissions.
    pub(crate) fn next_pair(&mut self) -> Stream {
        Stream { ssrc: self.next(), rtx: Some(self.next()) }
    }

    /// Generates an SSRC, never 0.
    pub(crate) fn next(&mut self) -> u32 {
        self.0.u32(1..)
    }
}
