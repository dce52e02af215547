//! TURN over TCP and TLS (RFC 8656 section 2.1). The library speaks TURN only over UDP, so these servers get addresses
//! that no network has, and the library's sockets carry what it sends there over a stream:
//!
//! ```text
//!  library ─► StreamSocket ─► queue ─► carrier (task) ─► TCP or TLS ─► server
//!     ▲                                   │ Deframer
//!     └──── poll_recv ◄─ channel ◄────────┘
//! ```
//!
//! - No socket on this machine is open for it, so no other program can inject datagrams.
//! - A server has one stream in a connection, and one allocation. It is connected when the library gathers, that is at
//!   the first description and at each ICE restart, by the route that the system chooses: directly and through the
//!   proxy at the same time, whichever is faster.
//! - An allocation belongs to its stream (RFC 8656 section 3.2). When the stream breaks, the connection's state becomes
//!   `Failed` if it is in use, and the ICE restart that follows connects a new one. A restart may also replace the
//!   servers and their credentials.

mod address;
mod carrier;
mod connector;
pub(crate) mod framing;
mod link;
mod socket;
mod streams;

pub(crate) use address::{addresses, host, server_of_host};
pub(crate) use connector::{Connector, StreamServer};
pub(crate) use socket::attach;
pub(crate) use streams::Streams;

/// Most TURN servers over streams in one connection; further ones are ignored.
pub(crate) const MAX_STREAMS: usize = 4;
