//! The decisions of a STUN and TURN server (RFC 8489, RFC 8656), without I/O.
//!
//! [`Relay`] holds every allocation with its permissions and channels. For each datagram it decides who sent it, what
//! they may have, and where their data goes. It takes bytes and the time, and returns [`Action`]s. The caller handles
//! sockets and clocks. How bytes arrive (a datagram, a stream, a stream inside TLS) is part of a client's name.
//! [`stream`] divides streams into frames. [`request`] is the client's side, for diagnosis.
//!
//! # Memory
//!
//! Everything kept has a bound that no client can move. At the default settings (1,000 allocations, 5,000 sessions):
//!
//! | What | Bound | Bytes |
//! |---|---|---|
//! | permission | 64 per allocation, 40 bytes | 2.5 KiB per allocation |
//! | channel | 64 per allocation, 56 bytes | 3.5 KiB per allocation |
//! | allocation with its entries in the tables and counts | the total, 1.5 KiB | 7.5 KiB with all permissions and channels |
//! | all allocations | 1,000 | 7.5 MiB |
//! | standing of a session | open ones and those that left allocations: 6,000, 150 bytes | 0.9 MiB |
//! | ended relayed addresses | 1,000, 32 bytes | 32 KiB |
//! | meters of answers to unproved senders | 8,192, 16 bytes | 128 KiB |
//! | streams | allocations and 200 more, 200 bytes | 240 KiB |
//!
//! The total is 8.9 MiB. Datagrams without proof leave nothing behind. The driver has a [`stream::Framer`] of 8 KiB for
//! each stream.

pub mod limits;
pub mod request;
pub mod stream;

mod allocation;
mod bandwidth;
mod client;
mod connections;
mod credentials;
mod message;
mod nonce;
mod policy;
mod quota;
mod rate;
mod refusals;
#[allow(clippy::module_inception)]
mod relay;
mod sessions;
mod slots;

pub use bandwidth::Bandwidth;
pub use client::{Client, Transport};
pub use credentials::{Secrets, password};
pub use policy::{OwnService, PeerPolicy};
pub use quota::Shares;
pub use rate::Rate;
pub use relay::{Action, Config, NotOpened, Now, Open, Relay};
pub use slots::PortId;
