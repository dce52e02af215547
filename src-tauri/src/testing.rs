//! A state for tests, in which nothing has happened yet.

use crate::state::{Abilities, AppState, Settings, You};
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
        notices: 0,
    }
}
