//! The encoder: linear combinations of the packets of the last frames.

use super::field::coefficient;
use super::{HEADER, SPAN, Source, WINDOW};
use bytes::{BufMut, Bytes, BytesMut};
use std::collections::VecDeque;

/// Creates the repair packets of one stream.
#[derive(Debug, Default)]
pub(crate) struct RepairEncoder {
    /// Packets of the window, with consecutive sequence numbers. At most [`SPAN`]; when full, the oldest is no longer
    /// protected.
    sources: VecDeque<Source>,
    /// Sequence number of the first packet.
    first: u16,
    seed: u16,
}

impl RepairEncoder {
    /// Adds a media packet that was sent. If it does not continue the sequence numbers, the window restarts with it.
    pub(crate) fn add(&mut self, sequence: u16, source: Source) {
        if sequence != self.first.wrapping_add(self.sources.len() as u16) {
            self.sources.clear();
        }
        if self.sources.is_empty() {
            self.first = sequence;
        }
        let begins_frame = self.sources.back().is_none_or(|last| last.timestamp != source.timestamp);
        self.sources.push_back(source);
        while self.sources.len() > SPAN || begins_frame && self.frames() > WINDOW {
            self.sources.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }

    /// Returns the payload of the next repair packet, or `None` if the window is empty. `remaining` is the number of further
    /// repair packets of this frame.
    pub(crate) fn repair(&mut self, remaining: u8) -> Option<Bytes> {
        if self.sources.is_empty() {
            return None;
        }
        self.seed = self.seed.wrapping_add(1);
        let mut combination = Vec::new();
        for (index, source) in self.sources.iter().enumerate() {
            source.add_to(&mut combination, coefficient(self.seed, index));
        }
        let mut payload = BytesMut::with_capacity(HEADER + combination.len());
        payload.put_u16(self.first);
        payload.put_u8(self.sources.len() as u8);
        payload.put_u16(self.seed);
        payload.put_u8(remaining);
        payload.put_slice(&combination);
        Some(payload.freeze())
    }

    /// Empties the window.
    pub(crate) fn reset(&mut self) {
        self.sources.clear();
    }

    fn frames(&self) -> usize {
        let mut frames = usize::from(!self.sources.is_empty());
        let pairs = self.sources.iter().zip(self.sources.iter().skip(1));
        frames += pairs.filter(|(a, b)| a.timestamp != b.timestamp).count();
        frames
    }
}
