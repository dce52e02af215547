//! Audio packets that wait to be decoded, ordered by RTP time.

use super::toc::Toc;
use crate::encoded::AudioPacket;
use bytes::Bytes;
use std::collections::VecDeque;

/// Most waiting packets. When full, the oldest is dropped, because in a conversation the newest audio matters most.
pub(super) const MAX_PACKETS: usize = 64;

#[derive(Debug)]
pub(super) struct Packet {
    /// RTP time of the first sample, unwrapped.
    pub(super) start: i64,
    /// Arrival time, in samples on the clock of the jitter buffer.
    pub(super) arrived: i64,
    pub(super) sequence: u16,
    pub(super) toc: Toc,
    pub(super) data: Bytes,
}

impl Packet {
    pub(super) fn new(packet: AudioPacket, toc: Toc, start: i64, arrived: i64) -> Self {
        let packets_earlier = packet.age as usize / toc.samples;
        let sequence = packet.sequence.wrapping_sub(packets_earlier as u16);
        Self { start, arrived, sequence, toc, data: packet.data }
    }

    pub(super) fn end(&self) -> i64 {
        self.start + self.toc.samples as i64
    }
}

/// The result of an insertion.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    New,
    Duplicate,
    /// Inserted, and the oldest packet was dropped.
    Overflow,
}

#[derive(Debug, Default)]
pub(super) struct PacketBuffer {
    packets: VecDeque<Packet>,
}

impl PacketBuffer {
    pub(super) fn insert(&mut self, packet: Packet) -> Inserted {
        let at = self.packets.partition_point(|other| other.start < packet.start);
        if self.packets.get(at).is_some_and(|other| other.start == packet.start) {
            return Inserted::Duplicate;
        }
        self.packets.insert(at, packet);
        if self.packets.len() > MAX_PACKETS {
            self.packets.pop_front();
            return Inserted::Overflow;
        }
        Inserted::New
    }

    pub(super) fn front(&self) -> Option<&Packet> {
        self.packets.front()
    }

    pub(super) fn pop(&mut self) -> Option<Packet> {
        self.packets.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(start: i64) -> Packet {
        let toc = Toc { samples: 960, frame: 960, fec: false, dtx: false };
        Packet { start, arrived: 0, sequence: 0, toc, data: Bytes::new() }
    }

    #[test]
    fn a_full_buffer_drops_the_oldest_packet() {
        let mut buffer = PacketBuffer::default();
        for i in 0..MAX_PACKETS as i64 {
            assert_eq!(buffer.insert(packet(i * 960)), Inserted::New);
        }
        assert_eq!(buffer.insert(packet(MAX_PACKETS as i64 * 960)), Inserted::Overflow);
        assert_eq!((buffer.len(), buffer.front().map(|p| p.start)), (MAX_PACKETS, Some(960)));
    }

    proptest! {
        #[test]
        fn packets_are_sorted_and_unique(starts in prop::collection::vec(0i64..90, 0..200)) {
            let mut buffer = PacketBuffer::default();
            for start in &starts {
                buffer.insert(packet(*start));
                prop_assert!(buffer.len() <= MAX_PACKETS);
            }
            let out: Vec<i64> = std::iter::from_fn(|| buffer.pop().map(|p| p.start)).collect();
            prop_assert!(out.windows(2).all(|w| w[0] < w[1]));
        }
    }
}
