//! Converts the engine's view for the window.

mod board;

pub(crate) use board::{board, draft, person, presence, reminder, table};

use crate::address::plain;
use crate::state::{
    CallState, ChatLine, Choice, CommandError, Device, DeviceKind, Knocker, Link, Media, Participant, Picture, Problem,
    SessionState, Stage, Tile, UnsentLine,
};
use engine::signaling::message::{ErrorCode, LeaveReason, MediaState, ParticipantId};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The session.
pub(crate) fn session(view: &engine::SessionView) -> SessionState {
    let told = |at: &Option<engine::Problem>| at.as_ref().map(problem);
    match view {
        engine::SessionView::Closed { problem } => SessionState::Closed { problem: told(problem) },
        engine::SessionView::Connecting { server, problem } => {
            SessionState::Connecting { server: plain(&server.url), problem: told(problem) }
        }
        engine::SessionView::Open { server } => SessionState::Open { server: plain(&server.url) },
    }
}

/// The call, with its chat converted by [`line`].
pub(crate) fn call(view: &engine::CallView, chat: Vec<Arc<ChatLine>>) -> CallState {
    CallState {
        stage: stage(&view.stage),
        room: view.room.clone(),
        you: view.you.as_ref().map(|id| id.0.clone()),
        media: media(view.media),
        participants: view.participants.iter().map(participant).collect(),
        chat,
        unsent: view.unsent.iter().map(unsent).collect(),
        notice: view.notice.map(code),
        lobby: view.lobby.iter().map(knocker).collect(),
        locked: view.locked,
        host: view.host.as_ref().map(|id| id.0.clone()),
    }
}

pub(crate) fn device(device: &engine::DeviceInfo) -> Device {
    Device {
        id: device.id.clone(),
        name: device.name.clone(),
        kind: device_kind(device.kind),
        default: device.default,
        synthetic: device.synthetic,
    }
}

pub(crate) fn choice(choice: &engine::DeviceChoice) -> Choice {
    let engine::DeviceChoice { camera, microphone, speaker } = choice.clone();
    Choice { camera, microphone, speaker }
}

pub(crate) fn problem(problem: &engine::Problem) -> Problem {
    Problem { code: problem.code.clone(), message: problem.message.clone(), device: problem.device.map(device_kind) }
}

/// Converts a tile for the engine.
pub(crate) fn tile(tile: Tile) -> engine::Tile {
    let picture = match tile.picture {
        Picture::Own => engine::Picture::Own,
        Picture::Camera { id } => engine::Picture::Camera(ParticipantId(id)),
        Picture::Share { id } => engine::Picture::Share(ParticipantId(id)),
    };
    let Tile { stream, width, height, visible, .. } = tile;
    engine::Tile { stream, picture, width, height, visible }
}

/// Everybody's loudness in dBFS, keyed by participant. Our own has the key `own`.
pub(crate) fn levels(levels: &engine::Levels) -> serde_json::Map<String, serde_json::Value> {
    let round = |dbfs: f32| serde_json::Value::from((f64::from(dbfs) * 10.0).round() / 10.0);
    let own = levels.own.map(|dbfs| ("own".to_owned(), round(dbfs)));
    own.into_iter().chain(levels.others.iter().map(|(id, dbfs)| (id.0.clone(), round(*dbfs)))).collect()
}

/// The error for an engine that does not answer.
pub(crate) fn stopped(error: engine::EngineError) -> CommandError {
    CommandError { code: "engine_stopped".into(), message: error.to_string() }
}

/// The Unix time of an instant, in milliseconds.
pub(crate) fn unix_ms(at: Instant) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(at.elapsed()).as_millis() as u64
}

fn media(media: MediaState) -> Media {
    Media { microphone: media.microphone, camera: media.camera }
}

fn stage(stage: &engine::Stage) -> Stage {
    match stage {
        engine::Stage::Idle => Stage::Idle,
        engine::Stage::Joining => Stage::Joining,
        engine::Stage::Knocking => Stage::Knocking,
        engine::Stage::Joined => Stage::Joined,
        engine::Stage::Reconnecting { since } => Stage::Reconnecting { since_ms: unix_ms(*since) },
        engine::Stage::Ended(why) => Stage::Ended { code: ended(*why) },
    }
}

fn ended(why: engine::Ended) -> String {
    match why {
        engine::Ended::Left => "left".into(),
        engine::Ended::Removed(reason) => reason_code(reason),
        engine::Ended::Refused(error) => code(error),
        engine::Ended::Untrusted(why) => why.code().into(),
    }
}

fn participant(who: &engine::ParticipantView) -> Participant {
    Participant {
        id: who.id.0.clone(),
        name: who.name.clone(),
        key: who.key.clone(),
        media: media(who.media),
        link: match who.link {
            engine::LinkState::Connecting => Link::Connecting,
            engine::LinkState::Connected => Link::Connected,
            engine::LinkState::Interrupted { .. } => Link::Mending,
        },
        distrust: who.distrust.map(|error| error.code().into()),
        connected: who.connected,
    }
}

fn knocker(who: &engine::signaling::board::Knocker) -> Knocker {
    Knocker { id: who.id.0.clone(), name: who.name.clone(), key: who.key.clone() }
}

pub(crate) fn line(line: &engine::ChatLine) -> ChatLine {
    ChatLine { from: line.from.0.clone(), name: line.name.clone(), text: line.text.clone(), at: line.at }
}

fn unsent(line: &engine::UnsentLine) -> UnsentLine {
    let failed = line.failed.map(|why| match why {
        engine::NotSaid::Unconfirmed => "chat_unconfirmed".into(),
        engine::NotSaid::CallEnded => "chat_call_ended".into(),
        engine::NotSaid::Refused(error) => code(error),
    });
    UnsentLine { number: line.number, text: line.text.clone(), failed }
}

fn device_kind(kind: engine::DeviceKind) -> DeviceKind {
    match kind {
        engine::DeviceKind::Camera => DeviceKind::Camera,
        engine::DeviceKind::Microphone => DeviceKind::Microphone,
        engine::DeviceKind::Speaker => DeviceKind::Speaker,
    }
}

/// The code as sent on the wire.
fn code(code: ErrorCode) -> String {
    word(&code)
}

fn reason_code(reason: LeaveReason) -> String {
    word(&reason)
}

fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).ok();
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_else(|| "unknown".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_calls_have_the_codes_of_the_wire() {
        assert_eq!(ended(engine::Ended::Left), "left");
        assert_eq!(ended(engine::Ended::Refused(ErrorCode::RoomFull)), "room_full");
        assert_eq!(ended(engine::Ended::Removed(LeaveReason::Replaced)), "replaced");
    }
}
