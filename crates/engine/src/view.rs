//! What a window shows: one value, of which the newest wins. Its large parts are shared: a new value holds the same
//! `Arc` of each part that has not changed.

use crate::config::{DeviceChoice, ServerAddress};
use crate::sound_check::SoundCheckView;
use call::{CallView, ChatLine};
use devices::{DeviceInfo, DeviceKind};
use files::TransferView;
use serde::{Deserialize, Serialize};
use signaling::account::AccountInfo;
use signaling::board::Notice;
use signaling::board_fold::BoardState;
use signaling::message::ParticipantId;
use std::sync::Arc;

/// Everything a window shows.
#[derive(Debug, Clone, PartialEq)]
pub struct AppView {
    /// The signalling session.
    pub session: SessionView,
    /// What its server says about accounts.
    pub account: AccountView,
    /// The call.
    pub call: Arc<CallView>,
    /// The call's chat, oldest line first. The `Arc` changes only when a line arrives or the chat is cleared.
    pub chat: Arc<Vec<Arc<ChatLine>>>,
    /// The devices found by the last search.
    pub devices: Arc<[DeviceInfo]>,
    /// The chosen devices.
    pub choice: DeviceChoice,
    /// Whether the microphone is open only to notice that the person speaks while it is off. Nothing of that is sent.
    pub listening: bool,
    /// The participants in the same room, who are not played here: the laptops would howl.
    pub same_room: Vec<ParticipantId>,
    /// The check of one's own sound.
    pub sound_check: SoundCheckView,
    /// The screen or window that we share.
    pub share: Option<Share>,
    /// The participants who share a screen, earliest first in the room.
    pub sharing: Vec<ParticipantId>,
    /// The board of the kept server, as soon as all of it has arrived.
    pub board: Option<Arc<BoardState>>,
    /// The latest notices of the board, oldest first, for notifications even while the window is closed. Their numbers
    /// count up.
    pub reminders: Arc<[Reminder]>,
    /// The files that people in calls send each other, the oldest first.
    pub transfers: Arc<[TransferView]>,
    /// Current problems: devices that should be open but are not, or a command that failed.
    pub problems: Arc<[Problem]>,
}

impl AppView {
    /// Replaces the call. Equal participants keep their `Arc`, as chat lines do. Returns whether the call differs.
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

/// What a server says about accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountView {
    /// Whether people can sign in with one.
    pub sign_in: bool,
    /// The account to which this device belongs, if it belongs to one.
    pub own: Option<AccountInfo>,
}

/// A notice of the board with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Reminder {
    /// Later ones have higher numbers, for as long as the engine runs.
    pub number: u64,
    /// The notice.
    #[serde(flatten)]
    pub notice: Notice,
}

/// The signalling session, as people see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SessionView {
    /// No session is wanted, or the last one was refused.
    Closed {
        /// Why it was refused, if it was.
        problem: Option<Problem>,
    },
    /// The session is being established.
    Connecting {
        /// The server.
        #[cfg_attr(feature = "typescript", ts(type = "string"))]
        server: ServerAddress,
        /// Why the last attempt failed, if one did.
        problem: Option<Problem>,
    },
    /// The session is established.
    Open {
        /// The server.
        #[cfg_attr(feature = "typescript", ts(type = "string"))]
        server: ServerAddress,
    },
}

impl SessionView {
    /// The server of the session, established or not. `None` if there is no session.
    pub fn server(&self) -> Option<&ServerAddress> {
        match self {
            SessionView::Open { server } | SessionView::Connecting { server, .. } => Some(server),
            SessionView::Closed { .. } => None,
        }
    }
}

/// A problem, described for people and programs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Problem {
    /// A stable code, which the UI translates.
    pub code: String,
    /// A message in English that says what to do.
    pub message: String,
    /// The kind of device concerned, if any.
    pub device: Option<DeviceKind>,
}

/// A screen or window that we share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Share {
    /// Its id in the list of sources.
    pub id: String,
    /// Its name there.
    pub name: String,
    /// How it goes.
    pub state: ShareState,
}

/// State of our share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ShareState {
    /// The first picture is awaited.
    Starting,
    /// The others see it.
    Live,
    /// The window is minimised or on another desktop. The others see its last picture.
    Hidden,
}

/// Identifies a picture.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Picture {
    /// Our own camera.
    Own,
    /// A participant's camera.
    Camera(ParticipantId),
    /// A participant's second picture: a shared screen.
    Share(ParticipantId),
}

/// A picture that a window shows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Tile {
    /// A number chosen by the window.
    pub stream: u16,
    /// The picture.
    pub picture: Picture,
    /// Width in device pixels.
    pub width: u32,
    /// Height in device pixels.
    pub height: u32,
    /// Whether the tile is visible. A hidden tile receives no frames.
    pub visible: bool,
}
