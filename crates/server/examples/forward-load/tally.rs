//! What one client has received.

use std::collections::HashMap;
use std::time::Instant;

use str0m::rtp::{RtpPacket, Ssrc};

use crate::display::Display;
use crate::pictures::{ENCODINGS, Stamp};

#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// All datagrams, and their bytes without headers of UDP and IP.
    pub(crate) datagrams: u64,
    pub(crate) bytes: u64,
    /// Packets of sound, and of pictures in each encoding.
    pub(crate) sound: u64,
    pub(crate) pictures: [u64; ENCODINGS.len()],
    /// Keyframes that others have requested of this client, and that it has requested.
    pub(crate) requested: u64,
    pub(crate) requests: u64,
    /// Microseconds from sending to the arrival at the client's socket.
    pub(crate) latencies: Vec<u32>,
    streams: HashMap<Ssrc, Stream>,
    /// By the number of the author.
    pub(crate) displays: HashMap<u8, Display>,
}

/// The packets of one SSRC, by their extended sequence numbers.
#[derive(Debug, Clone, Copy)]
struct Stream {
    first: u64,
    last: u64,
    count: u64,
}

impl Tally {
    /// Handles a packet that came at `arrived`, in microseconds since 1970. Returns whether a keyframe is to be requested.
    pub(crate) fn take(&mut self, now: Instant, arrived: Option<u64>, packet: &RtpPacket) -> bool {
        let sequence = *packet.seq_no;
        let new = Stream { first: sequence, last: sequence, count: 0 };
        let stream = self.streams.entry(packet.header.ssrc).or_insert(new);
        stream.last = stream.last.max(sequence);
        stream.count += u64::from(sequence >= stream.first);
        let Some(stamp) = Stamp::read(&packet.payload) else { return false };
        if let Some(arrived) = arrived {
            self.latencies.push(arrived.saturating_sub(stamp.sent).min(u32::MAX.into()) as u32);
        }
        match stamp.encoding() {
            None => self.sound += 1,
            Some(encoding) => self.pictures[encoding] += 1,
        }
        let asks = stamp.encoding().is_some() && self.displays.entry(stamp.author).or_default().take(now, stamp);
        self.requests += u64::from(asks);
        asks
    }

    /// Packets that never came.
    pub(crate) fn lost(&self) -> u64 {
        self.streams.values().map(|stream| (stream.last + 1 - stream.first).saturating_sub(stream.count)).sum()
    }

    /// Packets with something in them.
    pub(crate) fn packets(&self) -> u64 {
        self.sound + self.pictures.iter().sum::<u64>()
    }

    /// Begins to count anew. What is displayed goes on.
    pub(crate) fn clear(&mut self) {
        let mut displays = std::mem::take(&mut self.displays);
        displays.values_mut().for_each(|display| display.shown.clear());
        *self = Tally { displays, ..Tally::default() };
    }
}
