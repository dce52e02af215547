//! The signalling, STUN and TURN server, as a library and as the program `lunchroom-server`.
//!
//! [`Server::start`] serves WebSockets and the pages of links on one TCP port, and STUN and TURN on one UDP port. One
//! task, the hub, owns every room and session. A task for each connection carries text between its socket and the hub
//! over bounded queues. Nothing else is shared.

mod accounts;
mod admission;
mod certificate;
mod check;
pub mod config;
mod connection;
mod data;
pub mod error;
mod feeds;
mod figures;
mod forwarding;
mod frames;
mod http;
mod hub;
mod ice;
mod keeping;
mod line;
mod listener;
mod memory;
mod meter;
mod metrics;
mod openid;
mod renewal;
mod server;
pub mod settings;
mod store;
mod tls;
mod turn;
mod udp;
mod zone;

pub use config::{BuiltinTurn, Config, Forwarding, Tls, Turn};
pub use error::StartError;
pub use server::Server;
pub use zone::machine_zone;
