//! What changed between two states.

use super::{
    AppState, BoardState, CallState, Choice, Device, FrameAccess, Hosting, PendingLink, Problem, Reminder,
    SessionState, Settings, You,
};
use serde::Serialize;
use std::sync::Arc;

/// The fields of an [`AppState`] that changed. The page puts them into the state it has; the first update has all of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AppUpdate {
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<Arc<CallState>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<Vec<Device>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    choice: Option<Choice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<Problem>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Settings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    you: Option<You>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<Option<PendingLink>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hosting: Option<Option<Hosting>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    board: Option<Option<Arc<BoardState>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reminders: Option<Vec<Reminder>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<Option<FrameAccess>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

impl AppUpdate {
    /// All of a state.
    pub fn whole(state: &AppState) -> Self {
        Self::collect(None, state)
    }

    /// What is new in a state; `None` if nothing is.
    pub fn between(old: &AppState, new: &AppState) -> Option<Self> {
        (old != new).then(|| Self::collect(Some(old), new))
    }

    fn collect(old: Option<&AppState>, new: &AppState) -> Self {
        Self {
            session: other(old, new, |state| &state.session),
            call: other(old, new, |state| &state.call),
            devices: other(old, new, |state| &state.devices),
            choice: other(old, new, |state| &state.choice),
            problems: other(old, new, |state| &state.problems),
            settings: other(old, new, |state| &state.settings),
            you: other(old, new, |state| &state.you),
            link: other(old, new, |state| &state.link),
            hosting: other(old, new, |state| &state.hosting),
            board: other(old, new, |state| &state.board),
            reminders: other(old, new, |state| &state.reminders),
            frames: other(old, new, |state| &state.frames),
            version: other(old, new, |state| &state.version),
        }
    }
}

/// A field of the new state, unless it is as it was.
fn other<T: Clone + PartialEq>(old: Option<&AppState>, new: &AppState, field: fn(&AppState) -> &T) -> Option<T> {
    let value = field(new);
    old.is_none_or(|old| field(old) != value).then(|| value.clone())
}
