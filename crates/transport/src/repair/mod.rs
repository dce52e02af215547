//! Forward error correction: repair packets restore lost video packets without a round trip.
//!
//! The code is a sliding window random linear code, as in RFC 8681, with its own payload format. Each repair packet is a
//! random linear combination over GF(256) of the source packets of the last [`WINDOW`] frames. A receiver that lacks `n`
//! of them restores all from any `n` linearly independent repair packets. Because windows overlap, the repair packets of
//! a frame also protect the frames before it.
//!
//! Browsers do not support this code. It is used only if both ends have negotiated it. The payload of a repair packet:
//!
//! ```text
//!  0                   1                   2                   3
//! | first source sequence number  | source count  | seed ...      |
//! | ... seed      | remaining     | combination ...               |
//! ```
//!
//! `remaining` is the number of further repair packets of this frame. The combination is computed over the payload length
//! (2 bytes), marker (1), RTP timestamp (4) and payload of each source packet, padded with zeros to the longest.

mod decoder;
mod encoder;
mod field;
mod loss_history;

use bytes::Bytes;

pub(crate) use decoder::{RepairDecoder, covered_until};
pub(crate) use encoder::RepairEncoder;
pub(crate) use loss_history::LossHistory;

/// Number of frames that a repair packet covers. In simulations, 4 and 6 restored no more, and fewer restored less.
pub(crate) const WINDOW: usize = 3;
/// Most source packets that a repair packet covers.
const SPAN: usize = 120;
/// Length of the header before the combination, in bytes.
const HEADER: usize = 6;
/// Length of the protected fields before the payload, in bytes: length, marker, timestamp.
const PREFIX: usize = 7;
/// A repair payload is this many bytes longer than the longest source payload that it covers.
pub(crate) const OVERHEAD: usize = HEADER + PREFIX;

/// A source packet: the protected fields of a media packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) marker: bool,
    pub(crate) timestamp: u32,
    pub(crate) payload: Bytes,
}

impl Source {
    fn prefix(&self) -> [u8; PREFIX] {
        let [a, b] = (self.payload.len() as u16).to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        [a, b, u8::from(self.marker), t0, t1, t2, t3]
    }

    /// Adds the packet, multiplied by a coefficient, to a combination.
    fn add_to(&self, combination: &mut Vec<u8>, coefficient: u8) {
        let len = PREFIX + self.payload.len();
        if combination.len() < len {
            combination.resize(len, 0);
        }
        let (prefix, payload) = combination.split_at_mut(PREFIX);
        field::add_scaled(prefix, coefficient, &self.prefix());
        field::add_scaled(payload, coefficient, &self.payload);
    }

    /// Parses a combination of one packet with the coefficient 1. `None` if it is not a valid packet.
    fn from_combination(combination: &[u8]) -> Option<Source> {
        let (&[a, b, marker, t0, t1, t2, t3], rest) = combination.split_first_chunk::<PREFIX>()?;
        let payload = rest.get(..usize::from(u16::from_be_bytes([a, b])))?;
        if payload.is_empty() || marker > 1 {
            return None;
        }
        let timestamp = u32::from_be_bytes([t0, t1, t2, t3]);
        Some(Source { marker: marker == 1, timestamp, payload: Bytes::copy_from_slice(payload) })
    }
}

#[cfg(test)]
mod tests;
