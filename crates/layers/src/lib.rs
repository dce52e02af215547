//! Decides which video layer each receiver gets on one shared uplink.
//!
//! In a mesh each client acts as a small SFU. It encodes every source in a few layers, each once, and each receiver
//! gets the layer that suits its tile and its path. All layers leave through the same uplink, whose estimate several
//! paths share. [`allocate()`] decides everything in one step. In an SFU, whose sources are encoded
//! already, [`allocate_encodings()`] does the same for each receiver.

mod allocate;
mod fill;
mod ladder;
mod plan;

pub use allocate::{allocate, allocate_encodings};
pub use ladder::{Encoding, ladder};

/// Identifies a receiver and the path to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u32);

/// Identifies a camera or a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// The capacity of the path to one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// The path.
    pub id: PathId,
    /// The path's own estimate in bit/s, without audio and retransmissions.
    pub available: u64,
}

/// The kind of content of a video source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// People: any size, every frame.
    Camera,
    /// Text: full size, few frames.
    Screen,
}

/// A receiver's request for a source, with the size of its tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The receiver.
    pub path: PathId,
    /// The source. All requests for one source have the same `content` and `capture_height`.
    pub source: SourceId,
    /// Kind of content.
    pub content: Content,
    /// Height of the source in pixels.
    pub capture_height: u32,
    /// Height of the tile in device pixels.
    pub tile_height: u32,
    /// Higher priorities are served first: a screen before cameras, the speaker before the others.
    pub priority: u8,
}

/// Temporal layers of a layer to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Temporal {
    /// The base temporal layer: half of the frames, for [`Temporal::BASE_SHARE`] of the rate.
    Base,
    /// All frames.
    All,
}

impl Temporal {
    /// The base's share of a layer's rate, in tenths.
    pub const BASE_SHARE: u64 = 6;

    /// Rate in bit/s of sending a layer of `bitrate`.
    pub fn cost(self, bitrate: u64) -> u64 {
        match self {
            Temporal::Base => bitrate.saturating_mul(Self::BASE_SHARE) / 10,
            Temporal::All => bitrate,
        }
    }
}

/// A layer to encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// The source.
    pub source: SourceId,
    /// Index in the [`ladder()`]; 0 is the smallest size.
    pub layer: u8,
    /// Height in pixels.
    pub height: u32,
    /// Rate for the encoder in bit/s.
    pub bitrate: u64,
}

/// The assignment for one receiver and one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The receiver.
    pub path: PathId,
    /// The source.
    pub source: SourceId,
    /// The layer and its temporal layers; `None` if the path cannot carry even the smallest, and the video must be
    /// paused.
    pub sent: Option<(u8, Temporal)>,
}

/// The result of [`allocate()`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allocation {
    /// Layers that have receivers, ordered by source and layer. Others need not be encoded.
    pub layers: Vec<Layer>,
    /// One entry for each requested pair of receiver and source, ordered by path and source.
    pub assigned: Vec<Assigned>,
}

impl Allocation {
    /// Returns what a receiver gets from a source.
    pub fn sent(&self, path: PathId, source: SourceId) -> Option<(u8, Temporal)> {
        self.assigned.iter().find(|a| a.path == path && a.source == source).and_then(|a| a.sent)
    }

    /// Rate of a layer in bit/s, 0 if it has no receiver.
    pub fn bitrate(&self, source: SourceId, layer: u8) -> u64 {
        self.layers.iter().find(|l| l.source == source && l.layer == layer).map_or(0, |l| l.bitrate)
    }

    /// Total rate to one receiver in bit/s.
    pub fn path_total(&self, path: PathId) -> u64 {
        self.assigned.iter().filter(|a| a.path == path).map(|a| self.cost(a)).sum()
    }

    /// Total rate over the uplink in bit/s.
    pub fn total(&self) -> u64 {
        self.assigned.iter().map(|a| self.cost(a)).sum()
    }

    fn cost(&self, a: &Assigned) -> u64 {
        a.sent.map_or(0, |(layer, temporal)| temporal.cost(self.bitrate(a.source, layer)))
    }
}
