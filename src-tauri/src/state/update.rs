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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Media, Stage};
    use serde_json::{Value, json};

    fn state() -> AppState {
        let call = CallState {
            stage: Stage::Idle,
            room: String::new(),
            you: None,
            media: Media::default(),
            participants: vec![],
            chat: vec![],
            unsent: vec![],
            notice: None,
            lobby: vec![],
            locked: false,
            host: None,
        };
        let board = BoardState {
            now_ms: 1,
            zone: "Asia/Seoul".into(),
            member: true,
            tables: vec![],
            people: vec![],
            free_count: 0,
            waiting: None,
            seated: None,
        };
        AppState {
            session: SessionState::Closed { problem: None },
            call: Arc::new(call),
            devices: vec![],
            choice: Choice::default(),
            problems: vec![],
            settings: Settings::default(),
            you: You { key: String::new() },
            link: None,
            hosting: None,
            board: Some(Arc::new(board)),
            reminders: vec![],
            frames: None,
            version: String::new(),
        }
    }

    fn between(old: &AppState, new: &AppState) -> Option<Value> {
        AppUpdate::between(old, new).map(|update| serde_json::to_value(update).expect("JSON"))
    }

    #[test]
    fn the_first_update_is_the_whole_state() {
        let whole = serde_json::to_value(AppUpdate::whole(&state())).expect("JSON");
        assert_eq!(whole, serde_json::to_value(state()).expect("JSON"));
    }

    #[test]
    fn only_what_changed_is_sent_and_what_is_gone_is_null() {
        let old = state();
        assert_eq!(between(&old, &state()), None);
        let mut new = old.clone();
        Arc::make_mut(&mut new.call).room = "soup".into();
        let call = serde_json::to_value(&new.call).expect("JSON");
        assert_eq!(between(&old, &new), Some(json!({ "call": call })));
        let gone = AppState { board: None, ..new.clone() };
        assert_eq!(between(&new, &gone), Some(json!({ "board": null })));
    }
}
