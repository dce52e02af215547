//! Audio packets that wait to be decoded, in the order of their time.

use super::toc::Toc;
use crate::encoded::AudioPacket;
use bytes::Bytes;
use std::collections::VecDeque;

/// Packets that wait at most. When one more comes the oldest is dropped: what is newest matters most in a conversation.
pub(super) const PACKETS: usize = 64;

#[derive(Debug)]
pub(super) struct Packet {
    /// First sample on the stream's clock, which does not wrap.
    pub(super) start: i64,
    /// When it came, in samples of the buffer's clock.
    pub(super) arrived: i64,
    pub(super) sequence: u16,
    pub(super) toc: Toc,
    pub(super) data: Bytes,
}

impl Packet {
    pub(super) fn new(packet: AudioPacket, toc: Toc, start: i64, arrived: i64) -> Self {
        Self { start, arrived, sequence: packet.sequence, toc, data: packet.data }
    }

    pub(super) fn end(&self) -> i64 {
        self.start + self.toc.samples as i64
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inserted {
    Fresh,
    Duplicate,
    /// In, at the cost of the oldest.
    Overflow,
}

#[derive(Debug, Default)]
pub(super) struct Packets {
    waiting: VecDeque<Packet>,
}

impl Packets {
    pub(super) fn insert(&mut self, packet: Packet) -> Inserted {
        let at = self.waiting.partition_point(|other| other.start < packet.start);
        if self.waiting.get(at).is_some_and(|other| other.start == packet.start) {
            return Inserted::Duplicate;
        }
        self.waiting.insert(at, packet);
        if self.waiting.len() > PACKETS {
            self.waiting.pop_front();
            return Inserted::Overflow;
        }
        Inserted::Fresh
    }

    pub(super) fn front(&self) -> Option<&Packet> {
        self.waiting.front()
    }

    pub(super) fn pop(&mut self) -> Option<Packet> {
        self.waiting.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
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
    fn the_oldest_goes_when_it_is_full() {
        let mut packets = Packets::default();
        for i in 0..PACKETS as i64 {
            assert_eq!(packets.insert(packet(i * 960)), Inserted::Fresh);
        }
        assert_eq!(packets.insert(packet(PACKETS as i64 * 960)), Inserted::Overflow);
        assert_eq!((packets.len(), packets.front().map(|p| p.start)), (PACKETS, Some(960)));
    }

    proptest! {
        #[test]
        fn packets_come_out_sorted_and_once(starts in prop::collection::vec(0i64..90, 0..200)) {
            let mut packets = Packets::default();
            for start in &starts {
                packets.insert(packet(*start));
                prop_assert!(packets.len() <= PACKETS);
            }
            let out: Vec<i64> = std::iter::from_fn(|| packets.pop().map(|p| p.start)).collect();
            prop_assert!(out.windows(2).all(|w| w[0] < w[1]));
        }
    }
}
