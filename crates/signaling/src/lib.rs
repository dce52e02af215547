//! Lunchroom's signalling protocol, without I/O: messages, links, identity, limits and the reconnecting session.
//!
//! PROTOCOL.md at the top of the repository describes the protocol in prose, for people who write another client.
//! Nothing here opens a socket, starts a thread or reads a clock: the time is passed in as `now`, and frames are
//! strings.

pub mod account;
pub mod avatar;
pub mod backlog;
pub mod board;
pub mod board_fold;
pub mod close;
pub mod comparison;
pub mod connection_report;
mod error;
pub mod forwarding;
mod hello;
pub mod host;
mod ice;
pub mod ice_url;
pub mod ics;
mod id;
pub mod identity;
pub mod limits;
pub mod link;
pub mod message;
pub mod numbering;
pub mod parse;
mod reaction;
pub mod server_session;
pub mod session;
pub mod statement;
pub mod text;
mod welcome;
