//! Sending files to people in a call. Pure: data in, data out, `now` passed in.
//!
//! ```text
//!  commands ──▶ ┌───────────┐ ──▶ messages and chunks for a data channel   (message.rs, chunk.rs)
//!  messages ──▶ │ Transfers │ ──▶ requests to the disk
//!  disk     ──▶ └───────────┘ ──▶ TransferView
//!                 │     └ Outgoing, Incoming: one state machine for each file
//!                 └ Rate: how fast a connection may send (rate.rs)
//! ```
//! No more than a few hundred kilobytes of a file are in memory. PROTOCOL.md describes the messages.

mod chunk;
mod incoming;
mod message;
mod name;
mod outgoing;
mod rate;
mod transfers;
mod view;
mod work;

pub use chunk::{Chunk, ChunkError, HEADER_BYTES, MAX_CHUNK_BYTES, MAX_DATA_BYTES};
pub use message::{Digest, MAX_MESSAGE_BYTES, MAX_SIZE, Message, MessageError, Reason, TransferId};
pub use name::{numbered, safe};
pub use rate::Rate;
pub use transfers::{Action, MAX_ROWS, Offered, Sent, Transfers};
pub use view::{TransferState, TransferView};
pub use work::{DiskAnswer, DiskError, DiskRequest, Person};
