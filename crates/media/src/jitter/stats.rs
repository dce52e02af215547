//! Statistics of an audio jitter buffer.

/// Counters since the start, defined as in `RTCInboundRtpStreamStats` (W3C webrtc-stats).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct AudioBufferStats {
    /// `totalSamplesReceived`: samples played since the first packet, including concealed ones.
    pub total_samples: u64,
    /// `concealedSamples`: samples that were concealed. Samples recovered from FEC and the comfort noise of DTX are not
    /// included.
    pub concealed_samples: u64,
    /// `silentConcealedSamples`: concealed samples that were silent.
    pub silent_concealed_samples: u64,
    /// `concealmentEvents`: number of times that concealment started.
    pub concealment_events: u64,
    /// `insertedSamplesForDeceleration`.
    pub inserted_samples: u64,
    /// `removedSamplesForAcceleration`.
    pub removed_samples: u64,
    /// `jitterBufferDelay`: time from the arrival of a packet until a sample of it was played, in seconds, summed over samples.
    pub jitter_buffer_delay_s: f64,
    /// `jitterBufferTargetDelay`: target delay in seconds, summed over samples.
    pub jitter_buffer_target_delay_s: f64,
    /// `jitterBufferEmittedCount`: number of samples in the two sums.
    pub jitter_buffer_emitted: u64,
    /// Packets received, including duplicates and late ones.
    pub packets_received: u64,
    /// `packetsDiscarded`: packets that were late, duplicate, invalid, skipped, or dropped from a full buffer.
    pub packets_discarded: u64,
    /// Samples recovered from in-band FEC.
    pub fec_samples: u64,
}
