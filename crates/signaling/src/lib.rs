//! Lunchroom's signalling protocol, without I/O: messages, links, identity, limits and the reconnecting session.

pub mod message;
