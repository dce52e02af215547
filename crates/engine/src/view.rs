//! What a window shows: one whole value, newest wins. Its large parts are shared: a new value holds the same `Arc` of
//! each part that has not changed.

use crate::config::{DeviceChoice, ServerAddress};
use call::CallView;
use devices::{DeviceInfo, DeviceKind};
use signaling::board::Notice;
use signaling::board_fold::BoardState;
use std::sync::Arc;

/// Everything a window shows.
#[derive(Debug, Clone, PartialEq)]
pub struct AppView {
    /// The signalling session.
    pub session: SessionView,
    /// The call.
    pub call: Arc<CallView>,
    /// Devices found at the last look.
    pub devices: Arc<[DeviceInfo]>,
    /// Devices in use, as chosen.
    pub choice: DeviceChoice,
    /// The board of the server that is kept, once it is whole.
    pub board: Option<Arc<BoardState>>,
    /// The last notices of the board, oldest first, for notifications even with the window closed. Each has a number that
    /// counts up.
    pub notices: Arc<[(u64, Notice)]>,
    /// What is wrong: devices that ought to be open, a command that could not be carried out.
    pub problems: Arc<[Problem]>,
}

impl AppView {
    /// Puts a new call in place of the old one. Participants that are the same stay the same `Arc`, as the chat does.
    /// True if it is another call.
    pub(crate) fn replace_call(&mut self, mut call: CallView) -> bool {
        if call.participants == self.call.participants {
            call.participants = self.call.participants.clone();
        }
        let other = *self.call != call;
        if other {
            self.call = Arc::new(call);
        }
        other
    }
}

/// The signalling session as people see it.
#[derive(Debug, Clone, PartialEq)]
pub enum SessionView {
    /// None is wanted, or the last one was refused.
    Closed {
        /// Why it was refused, if it was.
        problem: Option<Problem>,
    },
    /// On the way.
    Connecting {
        /// To whom.
        server: ServerAddress,
        /// Why the last try failed, if one did.
        problem: Option<Problem>,
    },
    /// It stands.
    Open {
        /// With whom.
        server: ServerAddress,
    },
}

impl SessionView {
    /// With whom there is a session, or one on its way.
    pub fn server(&self) -> Option<&ServerAddress> {
        match self {
            SessionView::Open { server } | SessionView::Connecting { server, .. } => Some(server),
            SessionView::Closed { .. } => None,
        }
    }
}

/// Something that is wrong, for people and programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Stable code, which the UI translates.
    pub code: String,
    /// English words that say what to do.
    pub message: String,
    /// The kind of device it concerns, if any.
    pub device: Option<DeviceKind>,
}

/// Which pictures.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Picture {
    /// One's own camera.
    Own,
    /// Somebody's camera.
    Camera(signaling::message::ParticipantId),
    /// Somebody's second picture: a shared screen.
    Share(signaling::message::ParticipantId),
}

/// A picture as a window shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// A number the window chose.
    pub stream: u16,
    /// Which picture.
    pub picture: Picture,
    /// Width in device pixels.
    pub width: u32,
    /// Height in device pixels.
    pub height: u32,
    /// Nothing is sent for what nobody sees.
    pub visible: bool,
}
