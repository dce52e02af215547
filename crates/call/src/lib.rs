//! Who is in a call, what they may, and how it is joined, kept and left.
//!
//! [`Call`] is the only judge of consent: it asks for a peer connection or an open device in an [`Output`] and only
//! between the person's own [`Command::Join`] and the end of the call. It neither reads SDP nor touches a frame.

mod call;
mod displayed;
mod event;
mod inflow;
mod link;
mod rejoin;
mod unsent;
#[cfg(test)]
mod vectors;
mod view;

pub use call::Call;
pub use event::{Command, Input, Output, PeerInput, PeerSignal, SdpKind, SendOutcome, Signal};
pub use link::LinkState;
pub use unsent::{ChatRefusal, MAX_BYTES as MAX_UNSENT_BYTES, MAX_LINES as MAX_UNSENT_LINES, NotSaid, UnsentLine};
pub use view::{CallView, ChatLine, Distrust, Ended, ParticipantView, Stage};
