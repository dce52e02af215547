//! One peer connection, with our transport inside it.

mod agreement;
mod candidate;
mod config;
mod connection;
mod early;
mod error;
mod event;
mod handler;
mod incoming;
mod kick;
mod media_out;
mod negotiation;
mod outbox;
mod outgoing;
mod path;
mod peer;
mod relayed;
mod report;
mod runtime;
mod sdp;
mod servers;
mod sink;
mod standin;
mod stats;
mod task;
mod timer;

pub use config::{IceServer, PeerConfig};
pub use error::PeerError;
pub use event::{DescriptionKind, PeerEvent, PeerState, TrackKind};
pub use media_out::{MediaOut, TrackHandle};
pub use peer::Peer;
pub use sink::MediaSink;
pub use stats::PeerStats;

/// Remote candidates of one ICE generation that are taken; more are refused.
pub const MAX_REMOTE_CANDIDATES: usize = 32;
/// Media lines that a connection may ever have; an offer with more is refused.
pub const MAX_MEDIA_LINES: usize = 16;
