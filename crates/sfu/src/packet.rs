//! Packets as they come from a person and as they go to another.

use std::sync::Arc;

use str0m::rtp::VideoOrientation;

use crate::vp8::{self, Vp8};

/// A person in a room. Never used for somebody else in the same room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParticipantId(pub u32);

/// What a person publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Their voice.
    Audio,
    /// Their camera.
    Camera,
    /// A screen or window.
    Screen,
}

impl Kind {
    /// Ticks of the RTP clock in a second.
    pub(crate) fn clock(self) -> u32 {
        if self == Kind::Audio { 48_000 } else { 90_000 }
    }
}

/// A published picture or voice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// Whose it is.
    pub from: ParticipantId,
    /// What it is.
    pub kind: Kind,
}

/// A place in a receiver's connection for one picture or voice at a time. It has an SSRC of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// For a voice.
    Audio(u8),
    /// For a picture.
    Video(u8),
}

/// A packet from a person.
#[derive(Debug, Clone)]
pub struct Packet {
    /// The publisher's SSRC. It means nothing outside their connection.
    pub ssrc: u32,
    /// The sequence number, extended by the number of times that it has wrapped around.
    pub sequence: u64,
    /// RTP timestamp.
    pub timestamp: u32,
    /// End of a frame, or beginning of a talk spurt.
    pub marker: bool,
    /// Sound level in -dBov: 0 is the loudest, 127 silence (RFC 6464).
    pub level: Option<u8>,
    /// The rotation of the picture.
    pub orientation: Option<VideoOrientation>,
    /// Everything after the header.
    pub payload: Arc<[u8]>,
}

impl Packet {
    /// The descriptor of a picture's packet.
    pub(crate) fn vp8(&self) -> Option<Vp8> {
        vp8::parse(&self.payload)
    }
}

/// A packet for a receiver. The payload is the publisher's, and its descriptor is yet to be changed.
#[derive(Debug, Clone)]
pub struct Forwarded {
    /// Whose it is; sent as the contributing source (CSRC).
    pub from: ParticipantId,
    /// Extended sequence number of the slot.
    pub sequence: u64,
    /// RTP timestamp of the slot.
    pub timestamp: u32,
    /// As published.
    pub marker: bool,
    /// As published.
    pub level: Option<u8>,
    /// As published.
    pub orientation: Option<VideoOrientation>,
    /// As published. Empty for a packet that only takes the place of one that the receiver does not get.
    pub payload: Arc<[u8]>,
    /// The VP8 picture id to write, if the payload has one.
    pub picture: Option<u16>,
    /// The VP8 TL0PICIDX to write, if the payload has one.
    pub base: Option<u8>,
}
