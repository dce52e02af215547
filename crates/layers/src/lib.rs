//! Which video layer goes to whom on one shared uplink.
//!
//! A mesh is each client being a small SFU: every source is encoded in a few layers, each once, and each receiver gets the
//! layer that suits its tile and its path. All assigned leave by the same uplink, of which several paths share one estimate.
//! [`allocate`] decides it all at once; a server that forwards runs the same function.

mod allocate;
mod fill;
mod ladder;

pub use allocate::allocate;
pub use ladder::{Rung, ladder};

/// A receiver, and the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathId(pub u32);

/// A camera or a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u32);

/// What can be sent to one receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// Whose.
    pub id: PathId,
    /// The path's own estimate in bit/s, less what sound and retransmissions take.
    pub available: u64,
}

/// What a picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Content {
    /// People: any size, every frame.
    Camera,
    /// Text: full size, few frames.
    Screen,
}

/// A tile that a receiver shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The receiver.
    pub path: PathId,
    /// What it shows. The same for all who want it, like `content` and `capture_height`.
    pub source: SourceId,
    /// What kind of picture it is.
    pub content: Content,
    /// Rows that the source has.
    pub capture_height: u32,
    /// Rows of the tile, in device pixels.
    pub tile_height: u32,
    /// Higher ones are served first: a share before faces, a speaker before the others.
    pub priority: u8,
}

/// How much of a layer is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Temporal {
    /// The base layer, half of the frames, for [`Temporal::BASE_SHARE`] of the rate.
    Base,
    /// All frames.
    All,
}

impl Temporal {
    /// The part of a layer's rate that its base needs, in tenths.
    pub const BASE_SHARE: u64 = 6;

    /// Rate of a layer of `bitrate` sent so.
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
    /// Of which source.
    pub source: SourceId,
    /// Its place in the [`ladder`], 0 the smallest.
    pub layer: u8,
    /// Rows.
    pub height: u32,
    /// Bit/s for the encoder.
    pub bitrate: u64,
}

/// What one receiver gets of one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The receiver.
    pub path: PathId,
    /// The source.
    pub source: SourceId,
    /// The layer and how much of it; `None`: the path cannot carry even the smallest, it is to be paused.
    pub sent: Option<(u8, Temporal)>,
}

/// Who gets what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allocation {
    /// Layers that somebody gets, by source and layer. Others need not be encoded.
    pub layers: Vec<Layer>,
    /// Each wanted pair of receiver and source once, by path and source.
    pub assigned: Vec<Assigned>,
}

impl Allocation {
    /// What a receiver gets of a source.
    pub fn sent(&self, path: PathId, source: SourceId) -> Option<(u8, Temporal)> {
        self.assigned.iter().find(|a| a.path == path && a.source == source).and_then(|a| a.sent)
    }

    /// Rate of a layer, 0 if nobody gets it.
    pub fn bitrate(&self, source: SourceId, layer: u8) -> u64 {
        self.layers.iter().find(|l| l.source == source && l.layer == layer).map_or(0, |l| l.bitrate)
    }

    /// Rate to one receiver in all.
    pub fn path_total(&self, path: PathId) -> u64 {
        self.assigned.iter().filter(|a| a.path == path).map(|a| self.cost(a)).sum()
    }

    /// Rate over the uplink in all.
    pub fn total(&self) -> u64 {
        self.assigned.iter().map(|a| self.cost(a)).sum()
    }

    fn cost(&self, a: &Assigned) -> u64 {
        a.sent.map_or(0, |(layer, temporal)| temporal.cost(self.bitrate(a.source, layer)))
    }
}
