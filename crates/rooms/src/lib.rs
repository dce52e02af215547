//! What a server decides about rooms and the people in them, without I/O.
//!
//! [`Rooms`] holds every session and every [`Room`]. Messages and events go in with the time they happened at, and
//! [`Output`]s come out: what to send to whom, and whose session to end. Sockets, message numbers and clocks are
//! the server's business.

pub mod board;
pub mod bucket;
pub mod limits;
mod picture;
pub mod room;
#[allow(clippy::module_inception)]
pub mod rooms;
pub mod source;

pub use bucket::{Bucket, Rate};
pub use limits::{Limits, Rates, Shares};
pub use room::{Directed, Person, Room};
pub use rooms::{Output, Rooms, text};
