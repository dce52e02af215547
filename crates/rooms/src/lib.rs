//! A server's decisions about rooms and the people in them, without I/O.
//!
//! [`Rooms`] holds every session and every [`Room`]. It takes messages and events with the time at which they
//! happened, and returns [`Output`]s: what to send to whom, and which sessions to end. The server handles sockets,
//! sequence numbers and clocks.

pub mod board;
pub mod bucket;
pub mod limits;
pub mod room;
mod room_view;
#[allow(clippy::module_inception)]
pub mod rooms;
pub mod rounds;
pub mod source;

pub use bucket::{Bucket, Rate};
pub use limits::{ForwardLimits, Limits, Rates, Shares};
pub use room::{Directed, ForwarderRequest, Person, Room};
pub use rooms::{Output, Rooms, text};
