//! Forwards media in large rooms (a selective forwarding unit, SFU), without I/O.
//!
//! [`Sfu`] has all rooms and one connection for each person. It takes datagrams and the time, and returns datagrams.
//! [`Room`] decides who gets which part of what others publish, and makes a continuous stream of it for each of a
//! receiver's slots. It takes packets and the time, and returns [`Output`]s. All bounds are in [`limits`].
//!
//! # Slots
//!
//! A receiver has a fixed number of slots for voices and pictures, each with an SSRC of its own, which are negotiated once.
//! What a slot shows changes without negotiation. The contributing source (CSRC) of each packet says whose it is.

pub mod limits;

mod connection;
mod crypto;
mod encoding;
mod forwarder;
mod gaps;
mod packet;
mod publisher;
mod rate;
mod receiver;
mod room;
mod selection;
mod sfu;
mod voice;
mod vp8;

pub use connection::OfferRefused;
pub use crypto::provider as crypto_provider;
pub use limits::Bounds;
pub use packet::{Forwarded, Kind, Packet, ParticipantId, Slot, Source};
pub use rate::Rate;
pub use receiver::Wanted;
pub use room::{Counters, Full, Output, Room};
pub use sfu::{Config, Event, NoRoom, Person, RoomId, Sfu};
