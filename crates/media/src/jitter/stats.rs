//! What an audio jitter buffer counts.

/// Counters since the beginning, with the meanings of `RTCInboundRtpStreamStats` (W3C webrtc-stats).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AudioBufferStats {
    /// `totalSamplesReceived`: samples played since the first packet, invented ones included.
    pub total_samples: u64,
    /// `concealedSamples`: of those, invented in place of missing ones. Samples out of FEC and the comfort noise of
    /// discontinuous transmission are not among them.
    pub concealed_samples: u64,
    /// `silentConcealedSamples`: of the concealed, silent ones.
    pub silent_concealed_samples: u64,
    /// `concealmentEvents`: times that concealment began.
    pub concealment_events: u64,
    /// `insertedSamplesForDeceleration`.
    pub inserted_samples: u64,
    /// `removedSamplesForAcceleration`.
    pub removed_samples: u64,
    /// `jitterBufferDelay`: seconds from a packet's arrival until its sample was played, summed over samples.
    pub jitter_buffer_delay_s: f64,
    /// `jitterBufferTargetDelay`: seconds that the buffer aimed at, summed over samples.
    pub jitter_buffer_target_delay_s: f64,
    /// `jitterBufferEmittedCount`: samples in the two sums.
    pub jitter_buffer_emitted: u64,
    /// Packets that came, duplicates and late ones included.
    pub packets_received: u64,
    /// `packetsDiscarded`: too late, twice, too many or damaged.
    pub packets_discarded: u64,
    /// Samples won back from in-band FEC.
    pub fec_samples: u64,
}
