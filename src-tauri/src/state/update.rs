//! What changed between two states.

use super::{Abilities, AppState, FrameAccess, Hosting, PendingLink, Settings, You};
use engine::signaling::board_fold::BoardState;
use engine::signaling::message::{ErrorCode, ParticipantId};
use engine::{
    CallView, ChatLine, DeviceChoice, DeviceInfo, Problem, Reminder, SessionView, Share, SoundCheckView, TransferView,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The fields of an [`AppState`] that changed. The page copies them into its state. The first update has all fields.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct AppUpdate {
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<Arc<CallView>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reconnecting_since_ms: Option<Option<u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(as = "Option<BTreeMap<String, u32>>"))]
    interrupted_since_ms: Option<BTreeMap<ParticipantId, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chat: Option<ChatUpdate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfers: Option<Arc<[TransferView]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(as = "Option<Option<String>>"))]
    notice: Option<Option<ErrorCode>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<Arc<[DeviceInfo]>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    choice: Option<DeviceChoice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listening: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(as = "Option<Vec<String>>"))]
    same_room: Option<Vec<ParticipantId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sound_check: Option<SoundCheckView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<Option<Share>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(as = "Option<Vec<String>>"))]
    sharing: Option<Vec<ParticipantId>>,
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
    abilities: Option<Abilities>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

/// The change of the chat: the page keeps the first `keep` of its lines and appends the new ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ChatUpdate {
    /// The number of lines that stay.
    pub keep: usize,
    /// The new lines, oldest first.
    pub lines: Vec<Arc<ChatLine>>,
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
            reconnecting_since_ms: other(old, new, |state| &state.reconnecting_since_ms),
            interrupted_since_ms: other(old, new, |state| &state.interrupted_since_ms),
            chat: ChatUpdate::between(old.map(|state| &*state.chat), &new.chat),
            transfers: other(old, new, |state| &state.transfers),
            dropped: other(old, new, |state| &state.dropped),
            notice: other(old, new, |state| &state.notice),
            devices: other(old, new, |state| &state.devices),
            choice: other(old, new, |state| &state.choice),
            listening: other(old, new, |state| &state.listening),
            same_room: other(old, new, |state| &state.same_room),
            sound_check: other(old, new, |state| &state.sound_check),
            share: other(old, new, |state| &state.share),
            sharing: other(old, new, |state| &state.sharing),
            problems: other(old, new, |state| &state.problems),
            settings: other(old, new, |state| &state.settings),
            you: other(old, new, |state| &state.you),
            link: other(old, new, |state| &state.link),
            hosting: other(old, new, |state| &state.hosting),
            board: other(old, new, |state| &state.board),
            reminders: other(old, new, |state| &state.reminders),
            frames: other(old, new, |state| &state.frames),
            abilities: other(old, new, |state| &state.abilities),
            version: other(old, new, |state| &state.version),
        }
    }
}

impl ChatUpdate {
    /// The lines that both have are the last of the old chat and the first of the new one.
    fn between(old: Option<&Vec<Arc<ChatLine>>>, new: &Vec<Arc<ChatLine>>) -> Option<Self> {
        let Some(old) = old else { return Some(Self { keep: 0, lines: new.clone() }) };
        if old == new {
            return None;
        }
        let last = old.last().and_then(|last| new.iter().rposition(|line| Arc::ptr_eq(line, last)));
        let keep = last.map_or(0, |at| at + 1);
        let keep = if old.ends_with(&new[..keep]) { keep } else { 0 };
        Some(Self { keep, lines: new[keep..].to_vec() })
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
    use crate::testing;
    use serde_json::{Value, json};

    fn state() -> AppState {
        let board = BoardState {
            now_ms: 1,
            skew_ms: 0,
            zone: "Asia/Seoul".into(),
            member: true,
            tables: vec![],
            rounds: vec![],
            people: vec![],
            free_count: 0,
            hungry_count: 0,
            waiting: None,
            seated: None,
            order: Default::default(),
        };
        AppState { board: Some(Arc::new(board)), ..testing::state() }
    }

    fn line(n: u64) -> Arc<ChatLine> {
        Arc::new(ChatLine { from: ParticipantId("a".into()), name: "Ada".into(), text: n.to_string(), at: n })
    }

    fn with_chat(lines: &[Arc<ChatLine>]) -> AppState {
        AppState { chat: Arc::new(lines.to_vec()), ..state() }
    }

    fn between(old: &AppState, new: &AppState) -> Option<Value> {
        AppUpdate::between(old, new).map(|update| serde_json::to_value(update).expect("JSON"))
    }

    #[test]
    fn the_first_update_is_the_whole_state() {
        let state = with_chat(&[line(1)]);
        let whole = serde_json::to_value(AppUpdate::whole(&state)).expect("JSON");
        let mut expected = serde_json::to_value(&state).expect("JSON");
        expected["chat"] = json!({ "keep": 0, "lines": state.chat });
        assert_eq!(whole, expected);
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

    #[test]
    fn a_new_line_of_chat_is_sent_without_the_earlier_ones() {
        let lines: Vec<_> = (0..5).map(line).collect();
        let chat = |old: &[Arc<ChatLine>], new: &[Arc<ChatLine>]| between(&with_chat(old), &with_chat(new));
        assert_eq!(chat(&lines[..2], &lines[..3]), Some(json!({ "chat": { "keep": 2, "lines": [lines[2]] } })));
        assert_eq!(chat(&lines[..4], &lines[1..]), Some(json!({ "chat": { "keep": 3, "lines": [lines[4]] } })));
        assert_eq!(chat(&lines[..2], &lines[3..]), Some(json!({ "chat": { "keep": 0, "lines": &lines[3..] } })));
        assert_eq!(chat(&lines[..2], &[]), Some(json!({ "chat": { "keep": 0, "lines": [] } })));
        assert_eq!(chat(&[], &lines[..1]), Some(json!({ "chat": { "keep": 0, "lines": [lines[0]] } })));
    }
}
