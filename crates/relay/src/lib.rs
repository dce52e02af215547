//! What a STUN and TURN server decides (RFC 8489, RFC 8656), without I/O.
//!
//! [`Relay`] holds every allocation, with its permissions and channels, and decides about each datagram: who asks, what
//! they may have, where their data goes. Bytes and the time go in; [`Action`]s come out. Sockets and clocks are the
//! caller's business, and how bytes come (a datagram, a stream, a stream inside TLS) is no more than a part of a
//! client's name.
//!
//! # Memory
//!
//! Everything kept has a bound that no client moves. At the default settings (1,000 allocations, 5,000 sessions):
//!
//! | What | Bound | Bytes |
//! |---|---|---|
//! | permission | 64 an allocation, 40 bytes | 2.5 KiB an allocation |
//! | channel | 64 an allocation, 56 bytes | 3.5 KiB an allocation |
//! | allocation with its names in the tables and the counts | the total, 1.5 KiB | 7.5 KiB with all permissions and channels |
//! | all allocations | 1,000 | 7.5 MiB |
//! | standing of a session | those open, and those that left allocations: 6,000, 150 bytes | 0.9 MiB |
//! | relayed addresses that ended | 1,000, 32 bytes | 32 KiB |
//! | meters of answers to the unproved | 8,192, 16 bytes | 128 KiB |
//!
//! Together 8.6 MiB. Nothing is kept for datagrams that prove nothing.

pub mod limits;

mod allocation;
mod client;
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

pub use client::{Client, Transport};
pub use credentials::{Secrets, password};
pub use policy::PeerPolicy;
pub use quota::Shares;
pub use rate::Rate;
pub use relay::{Action, Config, NotAFrame, NotOpened, Now, Open, Relay, frame_length};
pub use slots::PortId;
