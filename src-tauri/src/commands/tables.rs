//! The window's commands for the board and for a table's room. The server decides, and a refusal is returned.

use super::{TheEngine, command};
use crate::calendar;
use crate::figures::unix_ms;
use crate::folders::Folders;
use crate::state::{CalendarAddress, CommandError, SavedCalendar};
use engine::signaling::board::{AboutMe, BoardRequest, CalendarToken, Draft, Presence, RoomRequest};
use engine::signaling::ics;
use engine::signaling::limits::is_calendar_token;
use engine::signaling::link::Link;
use engine::signaling::message::ParticipantId;
use engine::{BoardAnswer, Command, Engine, ServerAddress};
use std::time::Instant;
use tauri::State;

type Answer = Result<(), CommandError>;

/// Error codes of an invite request that mean that no invite is needed.
const OPEN_DOOR: [&str; 2] = ["no_such_table", "unexpected_message"];
/// The title of a lunch without a topic in calendars.
const LUNCH: &str = "Lunchroom";
/// The name of the file with what a server holds about this person, without its extension.
const ABOUT_FILE: &str = "lunchroom-about-me";

#[tauri::command]
pub(crate) async fn lay_table(engine: TheEngine<'_>, draft: Draft) -> Answer {
    ask(&engine, BoardRequest::Lay(draft)).await
}

/// Takes a seat. At a full table the person waits for one, unless `wait` is false.
#[tauri::command]
pub(crate) async fn take_seat(engine: TheEngine<'_>, table: String, wait: Option<bool>) -> Answer {
    ask(&engine, BoardRequest::Take { table, wait: wait.unwrap_or(true) }).await
}

#[tauri::command]
pub(crate) async fn leave_seat(engine: TheEngine<'_>, table: String) -> Answer {
    ask(&engine, BoardRequest::Leave { table }).await
}

#[tauri::command]
pub(crate) async fn delete_table(engine: TheEngine<'_>, table: String) -> Answer {
    ask(&engine, BoardRequest::Delete { table }).await
}

/// Cancels this date of a weekly table.
#[tauri::command]
pub(crate) async fn cancel_date(engine: TheEngine<'_>, table: String) -> Answer {
    ask(&engine, BoardRequest::CancelDate { table }).await
}

/// Moves a table that has not begun to another time.
#[tauri::command]
pub(crate) async fn move_table(engine: TheEngine<'_>, table: String, starts_ms: u64, minutes: u32) -> Answer {
    ask(&engine, BoardRequest::Move { table, starts_ms, minutes }).await
}

#[tauri::command]
pub(crate) async fn eat_now(engine: TheEngine<'_>, with: Vec<String>) -> Answer {
    ask(&engine, BoardRequest::EatNow { with }).await
}

#[tauri::command]
pub(crate) async fn stop_waiting(engine: TheEngine<'_>) -> Answer {
    ask(&engine, BoardRequest::StopWaiting).await
}

#[tauri::command]
pub(crate) async fn set_presence(engine: TheEngine<'_>, presence: Presence) -> Answer {
    ask(&engine, BoardRequest::Presence { presence }).await
}

/// Returns everything that the server holds about this person.
#[tauri::command]
pub(crate) async fn about_me(engine: TheEngine<'_>) -> Result<Box<AboutMe>, CommandError> {
    everything(&engine).await
}

/// Saves everything that the server holds about this person as JSON among the downloads, and returns the file's path.
#[tauri::command]
pub(crate) async fn save_about_me(engine: TheEngine<'_>, folders: State<'_, Folders>) -> Result<String, CommandError> {
    let about = everything(&engine).await?;
    let failed = |error: std::io::Error| CommandError { code: "about_not_written".into(), message: error.to_string() };
    let text = serde_json::to_string_pretty(&about).map_err(std::io::Error::other).map_err(failed)?;
    let folder = folders.downloads.clone();
    let written =
        tokio::task::spawn_blocking(move || crate::folders::write_new(&folder, ABOUT_FILE, "json", &text)).await;
    let path = written.map_err(std::io::Error::other).and_then(|written| written).map_err(failed)?;
    Ok(path.display().to_string())
}

#[tauri::command]
pub(crate) async fn forget_me(engine: TheEngine<'_>) -> Answer {
    ask(&engine, BoardRequest::ForgetMe).await
}

/// Returns a link that admits `uses` devices to the room within `hours` hours.
#[tauri::command]
pub(crate) async fn make_invite(
    engine: TheEngine<'_>,
    room: String,
    uses: u16,
    hours: u32,
) -> Result<String, CommandError> {
    let server = server(&engine)?;
    match engine.board(BoardRequest::Invite { room: room.clone(), uses, hours }).await {
        Ok(BoardAnswer::Invite { room, invite, .. }) => link(&server, &room, Some(&invite)),
        Ok(
            BoardAnswer::Done
            | BoardAnswer::Calendar { .. }
            | BoardAnswer::AboutMe(_)
            | BoardAnswer::Photo(_)
            | BoardAnswer::OrderBook(_)
            | BoardAnswer::Devices(_),
        ) => Err(CommandError { code: "internal".into(), message: "the server sent no invite".into() }),
        // A room without a table has no door to guard, and neither has any room of a server without a board.
        Err(problem) if OPEN_DOOR.contains(&problem.code.as_str()) => link(&server, &room, None),
        Err(problem) => Err(problem.into()),
    }
}

/// Returns a table as the text of a calendar file.
#[tauri::command]
pub(crate) async fn ics(engine: TheEngine<'_>, table: String) -> Result<String, CommandError> {
    Ok(event(&engine, &table)?.text)
}

/// Saves a table as a calendar file among the downloads, and opens it with the system's calendar.
#[tauri::command]
pub(crate) async fn save_calendar(
    engine: TheEngine<'_>,
    folders: State<'_, Folders>,
    table: String,
) -> Result<SavedCalendar, CommandError> {
    let Event { topic, text } = event(&engine, &table)?;
    let folder = folders.downloads.clone();
    let written = tokio::task::spawn_blocking(move || calendar::save(&folder, &topic, &text)).await;
    let path = written
        .map_err(std::io::Error::other)
        .and_then(|written| written)
        .map_err(|error| CommandError { code: "calendar_not_written".into(), message: error.to_string() })?;
    let opened = open::that_detached(&path).inspect_err(|error| tracing::warn!("no calendar: {error}")).is_ok();
    Ok(SavedCalendar { path: path.display().to_string(), opened })
}

struct Event {
    topic: String,
    text: String,
}

fn event(engine: &Engine, table: &str) -> Result<Event, CommandError> {
    let link_to = server(engine)?;
    let view = engine.view();
    let view = view.borrow();
    let found = view.board.as_ref().and_then(|board| board.tables.iter().find(|one| one.info.id == table));
    let missing = || CommandError { code: "no_such_table".into(), message: "There is no such table.".into() };
    let table = &found.ok_or_else(missing)?.info;
    let link = link(&link_to, &table.room, None).ok();
    let text = ics::event(table, LUNCH, link.as_deref(), unix_ms(Instant::now()));
    Ok(Event { topic: table.topic.clone(), text })
}

/// Returns the address of the person's calendar. `token` is the one that the settings have. The server makes another if
/// that is not valid.
#[tauri::command]
pub(crate) async fn calendar_address(
    engine: TheEngine<'_>,
    token: Option<String>,
) -> Result<CalendarAddress, CommandError> {
    let server = server(&engine)?;
    let token = token.filter(|token| is_calendar_token(token)).map(CalendarToken);
    match engine.board(BoardRequest::Calendar { token }).await {
        Ok(BoardAnswer::Calendar { token: CalendarToken(token) }) => {
            Ok(CalendarAddress { address: calendar::address(&server.url, &token), token })
        }
        Ok(
            BoardAnswer::Done
            | BoardAnswer::Invite { .. }
            | BoardAnswer::AboutMe(_)
            | BoardAnswer::Photo(_)
            | BoardAnswer::OrderBook(_)
            | BoardAnswer::Devices(_),
        ) => Err(CommandError { code: "internal".into(), message: "the server sent no address".into() }),
        // A server that does not know the request.
        Err(problem) if problem.code == "malformed" => {
            Err(CommandError { code: "calendar_unsupported".into(), message: problem.message })
        }
        Err(problem) => Err(problem.into()),
    }
}

/// Voids the address of the person's calendar.
#[tauri::command]
pub(crate) async fn revoke_calendar(engine: TheEngine<'_>) -> Answer {
    ask(&engine, BoardRequest::RevokeCalendar).await
}

#[tauri::command]
pub(crate) async fn admit(engine: TheEngine<'_>, id: String) -> Answer {
    room(&engine, RoomRequest::Admit { id: ParticipantId(id) }).await
}

#[tauri::command]
pub(crate) async fn refuse(engine: TheEngine<'_>, id: String) -> Answer {
    room(&engine, RoomRequest::Refuse { id: ParticipantId(id) }).await
}

#[tauri::command]
pub(crate) async fn lock(engine: TheEngine<'_>, locked: bool) -> Answer {
    room(&engine, RoomRequest::Lock { locked }).await
}

#[tauri::command]
pub(crate) async fn mute(engine: TheEngine<'_>, id: String) -> Answer {
    room(&engine, RoomRequest::Mute { id: ParticipantId(id) }).await
}

#[tauri::command]
pub(crate) async fn lower_hand(engine: TheEngine<'_>, id: String) -> Answer {
    room(&engine, RoomRequest::LowerHand { id: ParticipantId(id) }).await
}

#[tauri::command]
pub(crate) async fn spotlight(engine: TheEngine<'_>, id: Option<String>) -> Answer {
    room(&engine, RoomRequest::Spotlight { id: id.map(ParticipantId) }).await
}

#[tauri::command]
pub(crate) async fn hand_over(engine: TheEngine<'_>, id: String) -> Answer {
    room(&engine, RoomRequest::HandOver { id: ParticipantId(id) }).await
}

#[tauri::command]
pub(crate) async fn remove(engine: TheEngine<'_>, id: String) -> Answer {
    room(&engine, RoomRequest::Remove { id: ParticipantId(id) }).await
}

async fn everything(engine: &Engine) -> Result<Box<AboutMe>, CommandError> {
    match engine.board(BoardRequest::AboutMe).await? {
        BoardAnswer::AboutMe(about) => Ok(about),
        BoardAnswer::Done
        | BoardAnswer::Invite { .. }
        | BoardAnswer::Calendar { .. }
        | BoardAnswer::Photo(_)
        | BoardAnswer::OrderBook(_)
        | BoardAnswer::Devices(_) => {
            Err(CommandError { code: "internal".into(), message: "the server sent something else".into() })
        }
    }
}

pub(super) async fn ask(engine: &Engine, request: BoardRequest) -> Answer {
    Ok(engine.board(request).await.map(drop)?)
}

async fn room(engine: &Engine, request: RoomRequest) -> Answer {
    command(engine, Command::Room(request)).await
}

pub(super) fn server(engine: &Engine) -> Result<ServerAddress, CommandError> {
    let message = "There is no connection to a server.";
    let missing = || CommandError { code: "not_connected".into(), message: message.into() };
    engine.view().borrow().session.server().cloned().ok_or_else(missing)
}

/// Returns the link to a room. It leads to a web page that offers the app. With a self-signed certificate, browsers
/// would warn about that page, so the link then opens the app directly.
fn link(server: &ServerAddress, room: &str, invite: Option<&str>) -> Result<String, CommandError> {
    let link = Link::new(room, server.url.as_str(), server.fingerprint, invite).map_err(crate::address::refusal)?;
    Ok(if server.fingerprint.is_some() { link.to_string() } else { link.to_web() })
}
