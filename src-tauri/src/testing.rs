//! A state for tests, in which nothing has happened yet.

use crate::state::{Abilities, AppState, Settings, You};
use engine::signaling::board::PersonInfo;
use engine::signaling::board_fold::BoardState;
use engine::signaling::message::MediaState;
use engine::{CallView, DeviceChoice, SessionView, Stage};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(crate) fn state() -> AppState {
    AppState {
        session: SessionView::Closed { problem: None },
        call: Arc::new(call()),
        reconnecting_since_ms: None,
        interrupted_since_ms: BTreeMap::new(),
        chat: Arc::default(),
        transfers: Arc::default(),
        dropped: vec![],
        notice: None,
        devices: Arc::default(),
        choice: DeviceChoice::default(),
        listening: false,
        same_room: vec![],
        sound_check: engine::SoundCheckView::Idle,
        share: None,
        sharing: vec![],
        problems: vec![],
        settings: Settings::default(),
        you: You::default(),
        link: None,
        hosting: None,
        board: None,
        reminders: vec![],
        frames: None,
        abilities: Abilities::default(),
        version: String::new(),
    }
}

/// The board of a member, with these people and no tables.
pub(crate) fn board(people: Vec<PersonInfo>) -> BoardState {
    BoardState {
        now_ms: 0,
        skew_ms: 0,
        zone: "Asia/Seoul".into(),
        member: true,
        tables: vec![],
        rounds: vec![],
        people: people.into_iter().map(Arc::new).collect(),
        free_count: 0,
        hungry_count: 0,
        waiting: None,
        seated: None,
        order: Default::default(),
    }
}

/// No call.
pub(crate) fn call() -> CallView {
    CallView {
        stage: Stage::Idle,
        reconnecting_since: None,
        room: String::new(),
        you: None,
        media: MediaState::default(),
        announced: MediaState::default(),
        hand: None,
        reaction: None,
        participants: Arc::default(),
        unsent: vec![],
        host: None,
        locked: false,
        spotlight: None,
        lobby: vec![],
        notice: None,
        forwarded: false,
        notices: 0,
    }
}
