//! The people in a call and their permissions; joining, staying in and leaving a call.
//!
//! [`Call`] alone decides about consent. Only between the person's own [`Command::Join`] and the end of the call does
//! it request a peer connection or an open device, in an [`Output`]. It does not parse SDP and never handles a frame.

mod call;
mod displayed;
mod event;
mod inflow;
mod link;
mod reactions;
mod rejoin;
mod unsent;
#[cfg(test)]
mod vectors;
mod view;

pub use call::Call;
pub use call::MAX_PICTURES;
pub use event::{Command, ForwarderInput, ForwarderOutput, Input, Output, PeerSignal, SdpKind, SendOutcome, Signal};
pub use link::{LinkState, PeerInput, Repair};
pub use reactions::ShownReaction;
pub use unsent::{ChatRefusal, MAX_BYTES as MAX_UNSENT_BYTES, MAX_LINES as MAX_UNSENT_LINES, NotSaid, UnsentLine};
pub use view::{CallView, ChatLine, Distrust, Ended, ParticipantView, Stage};
