//! One peer connection, with our transport inside it.
//!
//! The `webrtc` crate does ICE, DTLS and SRTP; two interceptors hand its packets to `transport`, which does the rest:
//!
//! ```text
//!  encoders ─► MediaOut ─┐                                   ┌─► MediaSink ─► jitter buffers
//!                  MediaPath { Sender, Receiver }  (path.rs, two short locks)
//!                        ▼                                   ▲
//!              Outgoing (nearest the wire)         Incoming (farthest from it)
//!                        └── SRTP ─ DTLS ─ ICE ─ sockets ────┘      the library's driver
//!                        ▲ kick ends its sleep (kick.rs, runtime.rs)
//!  owner ─► Peer ─► Task ┴─ negotiation, SDP, candidates, events ─► owner
//! ```
//!
//! - Descriptions and candidates of the far side are read into types of ours and written anew before the library sees
//!   them (`sdp`, `candidate`, `standin`); what both sides agreed on becomes streams of transport (`agreement`), and
//!   packets find theirs by SSRC, name or payload type (`demux`), of which the recorders of arrivals are told
//!   (`recorder`).
//! - One task owns a connection and its negotiation (`task`, `negotiation`). Drivers of all connections run on one
//!   thread of their own; a panic in the library ends its connection alone.
//! - What the far side is told of our addresses passes through one place (`outward`), and how often addresses that it
//!   names are checked is bounded over all connections (`checks`, `paced`).
//! - Where time was lost at setup and is no more: one certificate a process, ICE rounds of 10 ms, the DTLS client's
//!   first flight (`handler`), handshakes that come before nomination (`early`), relays (`relayed`).

#![allow(unexpected_cfgs, reason = "cargo-fuzz sets `fuzzing`")]

mod address;
mod agreement;
mod candidate;
mod checks;
mod config;
mod connection;
mod demux;
mod early;
mod error;
mod event;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod handler;
mod incoming;
mod kick;
mod media_out;
mod negotiation;
mod outbox;
mod outgoing;
mod outward;
mod paced;
mod path;
mod peer;
mod recorder;
mod relayed;
mod report;
mod runtime;
mod sdp;
mod servers;
mod session;
mod sink;
mod standin;
mod stats;
mod task;
mod timer;

pub use config::{IceServer, PeerConfig};
pub use error::PeerError;
pub use event::{DescriptionKind, PeerEvent, PeerState, TrackKind};
pub use media_out::{MediaOut, TrackHandle};
pub use paced::CheckPacer;
pub use peer::Peer;
pub use session::FarSession;
pub use sink::MediaSink;
pub use stats::PeerStats;

/// Remote candidates of one ICE generation that are taken; more are refused.
pub const MAX_REMOTE_CANDIDATES: usize = 32;
/// Media lines that a connection may ever have; an offer with more is refused.
pub const MAX_MEDIA_LINES: usize = 16;
