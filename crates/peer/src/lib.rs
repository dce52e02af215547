//! A peer connection with our own media transport.
//!
//! The `webrtc` crate provides ICE, DTLS and SRTP. Two interceptors pass its packets to `transport`, which does the
//! rest:
//!
//! ```text
//!  encoders ─► MediaOut ─┐                                   ┌─► MediaSink ─► jitter buffers
//!                  MediaPath { Sender, Receiver }  (path.rs, receiving.rs: two short locks)
//!                        ▼                                   ▲
//!              Outgoing (nearest the wire)         Incoming (farthest from it)
//!                        └── SRTP ─ DTLS ─ ICE ─ sockets ────┘      the library's driver
//!                        ▲ kick ends its sleep (kick.rs, runtime.rs)
//!  owner ─► Peer ─► Task ┴─ negotiation, SDP, candidates, events ─► owner
//! ```
//!
//! - Descriptions and candidates of the far side are parsed into our own types and written again before the library
//!   sees them (`sdp`, `candidate`, `standin`). The negotiated lines become transport streams (`agreement`). Packets
//!   are assigned to streams by SSRC, MID or payload type (`demux`), and newly learned streams are reported to the
//!   arrival recorders (`recorder`).
//! - One task owns a connection and its negotiation (`task`, `negotiation`). The drivers of all connections run on one
//!   dedicated thread; a panic in the library ends only its connection.
//! - One data channel for files has a fixed id, so that no negotiation is needed when the first file is sent (`data`). The
//!   library opens an association only during the first handshake.
//! - Our own addresses are sent through one filter (`outward`). Checks of addresses that the far side signals are
//!   limited over all connections (`checks`, `paced`). Nothing that a stranger sends reaches the library (`admission`),
//!   and of DTLS only as much as a call needs (`dtls_limit`).
//! - TURN servers over TCP and TLS get addresses that no network has; sockets carry the datagrams for these over a
//!   stream (`turn_stream`).
//! - Measures that shorten the setup: one certificate per process, ICE rounds of 10 ms, an immediate first flight of
//!   the DTLS client (`handler`), handshakes that arrive before nomination (`early`), relays (`relayed`), a nomination and
//!   a first ClientHello that are answered here (`confirmation`, `dtls_cookie`).

mod address;
mod admission;
mod agreement;
mod candidate;
mod checks;
mod command;
mod config;
mod confirmation;
mod connection;
mod data;
mod demux;
mod descriptions;
mod dtls_cookie;
mod dtls_limit;
mod early;
mod error;
mod event;
mod flights;
mod forwarded;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod gathered;
mod handler;
mod injected;
mod kick;
mod library;
mod media_out;
mod negotiation;
mod nominations;
mod outbox;
mod outgoing;
mod outward;
mod paced;
mod packet;
mod path;
mod peer;
mod receiving;
mod recorder;
mod relay_transport;
mod relayed;
mod remote_candidates;
mod report;
mod runtime;
mod sdp;
mod senders;
mod servers;
mod session;
mod sink;
mod sound;
mod ssrcs;
mod standin;
mod stats;
mod stun;
mod task;
mod timer;
mod turn_stream;
#[cfg(test)]
mod wire;

pub use config::{IceServer, PeerConfig, Slots};
pub use data::{DataChannel, DataMessage};
pub use error::PeerError;
pub use event::{DescriptionKind, PeerEvent, PeerState, TrackKind};
pub use media_out::{MediaOut, TrackHandle};
pub use outbound::{Proxies, Proxy};
pub use paced::CheckPacer;
pub use peer::Peer;
pub use relay_transport::RelayTransport;
pub use sdp::MAX_DATA_BYTES;
pub use session::FarSession;
pub use sink::MediaSink;
pub use sound::OutgoingSound;
pub use stats::PeerStats;
pub use transport::AudioNeed;

/// Most remote candidates of one ICE generation; further ones are refused.
pub const MAX_REMOTE_CANDIDATES: usize = 32;
/// Most media lines over the life of a connection; an offer with more is refused. A forwarder's answer has as many as our
/// offer.
pub const MAX_MEDIA_LINES: usize = 16;
