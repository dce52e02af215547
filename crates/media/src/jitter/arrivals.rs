//! Remembers which packets have arrived, whole or as redundancy in later packets.

use std::collections::VecDeque;

/// Number of packets remembered: more than the oldest copy can be late by.
const MAX_KNOWN: usize = 64;
/// Weight of a packet in the loss rate.
const LOSS_WEIGHT: f32 = 1.0 / 128.0;
/// Playback waits for redundancy from the first loss rate on, until the loss is below the second.
const WAIT_START: f32 = 0.01;
const WAIT_END: f32 = 0.004;

/// How the audio of a time arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In its own packet.
    Packet,
    /// As a copy (RFC 2198) or in-band FEC in a later packet.
    Redundancy,
}

/// The recent arrivals.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// RTP time and sequence number of each packet, ordered by time.
    known: VecDeque<(i64, u16)>,
    /// Share of packets of which redundancy arrived first.
    loss: f32,
    waits: bool,
}

impl Arrivals {
    /// Records that the audio from `start` on, of the packet with this number, has arrived. Returns whether playback should
    /// be late enough for it: if it is the first arrival, and for redundancy only while packets are lost often enough.
    pub(super) fn record(&mut self, start: i64, sequence: u16, form: Form) -> bool {
        let at = self.known.partition_point(|known| known.0 < start);
        let is_too_old = at == 0 && self.known.len() == MAX_KNOWN;
        if is_too_old || self.known.get(at).is_some_and(|known| known.0 == start) {
            return false;
        }
        self.known.insert(at, (start, sequence));
        if self.known.len() > MAX_KNOWN {
            self.known.pop_front();
        }
        let lost = f32::from(u8::from(form == Form::Redundancy));
        self.loss += (lost - self.loss) * LOSS_WEIGHT;
        self.waits = self.loss > if self.waits { WAIT_END } else { WAIT_START };
        form == Form::Packet || self.waits
    }

    /// Whether the packet with this number has arrived in any form.
    pub(super) fn has(&self, sequence: u16) -> bool {
        self.known.iter().any(|known| known.1 == sequence)
    }

    /// Forgets all arrivals, after a jump of the sender's clock.
    pub(super) fn clear(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records packets of 20 ms, of which every `nth` arrives only as a copy. Returns the number of copies that count.
    fn feed(arrivals: &mut Arrivals, packets: std::ops::Range<i64>, nth: i64) -> usize {
        let counts = |n: i64, arrivals: &mut Arrivals| {
            let form = if n % nth == 0 { Form::Redundancy } else { Form::Packet };
            arrivals.record(n * 960, n as u16, form) && form == Form::Redundancy
        };
        packets.filter(|n| counts(*n, arrivals)).count()
    }

    fn lossy() -> Arrivals {
        Arrivals { waits: true, loss: 0.5, ..Arrivals::default() }
    }

    #[test]
    fn redundancy_counts_while_packets_are_lost() {
        let mut arrivals = Arrivals::default();
        assert_eq!(feed(&mut arrivals, 1..1_000, 250), 0);
        assert!(feed(&mut arrivals, 1_000..2_000, 20) > 45);
        feed(&mut arrivals, 2_000..3_000, 5_000);
        assert_eq!(feed(&mut arrivals, 3_000..4_000, 250), 0);
    }

    #[test]
    fn a_copy_of_a_known_packet_does_not_count() {
        let mut arrivals = lossy();
        assert!(arrivals.record(960, 1, Form::Packet));
        assert!(!arrivals.record(960, 1, Form::Redundancy));
        assert!(arrivals.record(0, 0, Form::Redundancy));
        assert!(!arrivals.record(0, 0, Form::Redundancy));
        assert!(arrivals.has(0) && !arrivals.has(2));
    }

    #[test]
    fn memory_is_bounded() {
        let mut arrivals = lossy();
        (0..1_000).for_each(|n| assert!(arrivals.record(n * 960, n as u16, Form::Redundancy)));
        assert_eq!(arrivals.known.len(), MAX_KNOWN);
        assert!(!arrivals.record(0, 0, Form::Redundancy), "too old");
    }
}
