//! One person's connection: WebRTC by str0m, in RTP mode.
//!
//! The client offers, the server answers once. Voices and pictures that the client sends are sources; lines on which it only
//! receives are slots, in the order of the offer. The server is an ICE-lite agent (RFC 8445 section 2.5): it has one public
//! address, answers checks and sends none.

mod answer;
mod events;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use str0m::bwe::Bitrate;
use str0m::media::{KeyframeRequestKind, Mid, Pt, Rid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite, Ssrc, Vp8Descriptor};
use str0m::{Input, Rtc};

pub(crate) use answer::Answered;
pub use answer::OfferRefused;
pub(crate) use events::Happened;

use crate::limits::MAX_QUEUED_BYTES;
use crate::packet::{Forwarded, Kind, Slot};

/// A connection.
pub(crate) struct Connection {
    rtc: Rtc,
    sources: Vec<Line>,
    audio: Vec<Outgoing>,
    video: Vec<Outgoing>,
    opus: Option<Pt>,
    vp8: Option<Pt>,
    /// The SSRCs of the client that are known to be of a source. At most one for each encoding and one to spare.
    streams: HashMap<Ssrc, (Kind, u8)>,
    ufrag: String,
    /// When an authenticated datagram came last.
    pub(crate) last_received: Instant,
    pub(crate) is_connected: bool,
    /// Shares of packets that were lost lately, to the client and from it.
    pub(crate) loss_down: Option<f32>,
    pub(crate) loss_up: Option<f32>,
}

/// A line of the description on which the client sends.
#[derive(Debug)]
struct Line {
    mid: Mid,
    kind: Kind,
    /// The encodings, smallest first. Empty without simulcast.
    rids: Vec<Rid>,
}

/// A line on which the client receives.
#[derive(Debug)]
struct Outgoing {
    mid: Mid,
    ssrc: Ssrc,
}

/// What became of a packet to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    Queued,
    /// Too much waits for the pacer.
    Full,
}

impl Connection {
    /// The server's user name fragment, which the client's checks contain.
    pub(crate) fn ufrag(&self) -> &str {
        &self.ufrag
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.rtc.is_alive()
    }

    pub(crate) fn slots(&self) -> (usize, usize) {
        (self.audio.len(), self.video.len())
    }

    /// The name of a slot's line in the description.
    pub(crate) fn mid(&self, slot: Slot) -> Option<String> {
        self.outgoing(slot).map(|line| line.mid.to_string())
    }

    /// Handles a datagram. Returns whether it is from the client: whether the check is authentic, or anything else comes from
    /// an address that an authentic check came from.
    pub(crate) fn receive(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, datagram: &[u8]) -> bool {
        let Ok(receive) = Receive::new(Protocol::Udp, from, to, datagram) else { return false };
        let input = Input::Receive(now, receive);
        if !self.rtc.accepts(&input) {
            return false;
        }
        if let Err(error) = self.rtc.handle_input(input) {
            tracing::debug!(%error, "a datagram is refused");
        }
        self.last_received = now;
        true
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
            tracing::debug!(%error, "a connection has failed");
            self.rtc.disconnect();
        }
    }

    /// Queues a packet. The next [`Connection::handle_timeout`] lets it go.
    pub(crate) fn send(&mut self, now: Instant, slot: Slot, packet: Forwarded) -> Sent {
        let Some(ssrc) = self.outgoing(slot).map(|line| line.ssrc) else { return Sent::Queued };
        let is_video = matches!(slot, Slot::Video(_));
        let Some(pt) = (if is_video { self.vp8 } else { self.opus }) else { return Sent::Queued };
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx(&ssrc) else { return Sent::Queued };
        if stream.queue_info().is_some_and(|queue| queue.byte_size() > MAX_QUEUED_BYTES) {
            return Sent::Full;
        }
        let extensions = ExtensionValues {
            audio_level: packet.level.map(|level| -(level.min(127) as i8)),
            video_orientation: packet.orientation,
            ..ExtensionValues::default()
        };
        let patch = patch(&packet);
        let mut write = RtpWrite::new(pt, packet.sequence.into(), packet.timestamp, now, packet.payload)
            .marker(packet.marker)
            .ext_vals(extensions)
            .nackable(is_video)
            .csrc(&[packet.from.0]);
        if let Some(patch) = patch {
            write = write.vp8_patch(patch);
        }
        stream.write_rtp(write);
        Sent::Queued
    }

    /// Requests a keyframe of the client.
    pub(crate) fn request_keyframe(&mut self, kind: Kind, layer: u8) {
        let Some(line) = self.sources.iter().find(|line| line.kind == kind) else { return };
        let rid = line.rids.get(usize::from(layer)).copied();
        if let Some(stream) = self.rtc.direct_api().stream_rx_by_mid(line.mid, rid) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }

    /// Sets the rate in bit/s that the client could use, up to which the estimate is probed.
    pub(crate) fn desire(&mut self, bits: u64) {
        self.rtc.bwe().set_bitrate(Bitrate::ZERO, Bitrate::bps(bits));
    }

    /// Tells the client that the connection ends.
    pub(crate) fn close(&mut self) {
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "a connection did not close");
        }
    }

    fn outgoing(&self, slot: Slot) -> Option<&Outgoing> {
        match slot {
            Slot::Audio(index) => self.audio.get(usize::from(index)),
            Slot::Video(index) => self.video.get(usize::from(index)),
        }
    }
}

/// The change of a packet's VP8 descriptor.
fn patch(packet: &Forwarded) -> Option<str0m::rtp::Vp8Patch> {
    if packet.picture.is_none() && packet.base.is_none() {
        return None;
    }
    let mut builder = Vp8Descriptor::parse(&packet.payload).ok()?.patch();
    if let Some(picture) = packet.picture {
        builder = builder.picture_id(picture);
    }
    if let Some(base) = packet.base {
        builder = builder.tl0_pic_idx(base);
    }
    builder.build().ok()
}
