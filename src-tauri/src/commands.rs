//! The commands that the window may call. Each one forwards to the engine or the desk, and decides nothing.

pub(crate) mod account;
pub(crate) mod files;
pub(crate) mod order;
pub(crate) mod rounds;
pub(crate) mod share;
pub(crate) mod tables;
pub(crate) mod web;

use crate::clipboard::Clipboard;
use crate::desk::{Ask, DeskHandle};
use crate::folders::Folders;
use crate::frames::Fallback;
use crate::state::{AppUpdate, CommandError, Join, Language, OwnAvatar, Settings, Stats};
use crate::{figures, logging, window};
use engine::signaling::avatar::PhotoError;
use engine::signaling::board::BoardRequest;
use engine::signaling::comparison;
use engine::signaling::message::{MediaState, ParticipantId, Reaction};
use engine::{BoardAnswer, Command, DeviceChoice, Engine, Report, Tile};
use std::sync::Arc;
use tauri::ipc::{Channel, Response};
use tauri::{AppHandle, State};

type Answer = Result<(), CommandError>;
type TheEngine<'a> = State<'a, Arc<Engine>>;
type TheDesk<'a> = State<'a, DeskHandle>;

#[tauri::command]
pub(crate) async fn subscribe(desk: TheDesk<'_>, channel: Channel<AppUpdate>) -> Answer {
    desk.tell(Ask::Subscribe(channel)).await;
    Ok(())
}

#[tauri::command]
pub(crate) async fn join(
    desk: TheDesk<'_>,
    room: String,
    server: Option<String>,
    fingerprint: Option<String>,
    invite: Option<String>,
    media: MediaState,
) -> Answer {
    let join = Join { room, server, fingerprint, invite, media };
    desk.ask(|answer| Ask::Join(join, answer)).await
}

#[tauri::command]
pub(crate) async fn connect(desk: TheDesk<'_>, server: Option<String>, fingerprint: Option<String>) -> Answer {
    desk.ask(|answer| Ask::Connect(server, fingerprint, answer)).await
}

#[tauri::command]
pub(crate) async fn disconnect(engine: TheEngine<'_>) -> Answer {
    command(&engine, Command::Disconnect).await
}

#[tauri::command]
pub(crate) async fn leave(engine: TheEngine<'_>) -> Answer {
    command(&engine, Command::Leave).await
}

#[tauri::command]
pub(crate) async fn set_microphone(engine: TheEngine<'_>, on: bool) -> Answer {
    command(&engine, Command::SetMicrophone(on)).await
}

#[tauri::command]
pub(crate) async fn set_camera(engine: TheEngine<'_>, on: bool) -> Answer {
    command(&engine, Command::SetCamera(on)).await
}

#[tauri::command]
pub(crate) async fn set_hand(engine: TheEngine<'_>, raised: bool) -> Answer {
    command(&engine, Command::SetHand(raised)).await
}

#[tauri::command]
pub(crate) async fn react(engine: TheEngine<'_>, reaction: Reaction) -> Answer {
    command(&engine, Command::React(reaction)).await
}

#[tauri::command]
pub(crate) async fn send_chat(engine: TheEngine<'_>, text: String) -> Answer {
    Ok(engine.send_chat(text).await.map(drop)?)
}

#[tauri::command]
pub(crate) async fn drop_line(engine: TheEngine<'_>, number: u64) -> Answer {
    command(&engine, Command::DropLine(number)).await
}

/// The numbers of the code by which two people compare their keys.
#[tauri::command]
pub(crate) async fn compare(
    desk: TheDesk<'_>,
    id: String,
    key: String,
) -> Result<[u8; comparison::NUMBERS], CommandError> {
    let (own, other) = desk.keys(&id, &key)?;
    // It takes about a quarter of a second.
    let code = tokio::task::spawn_blocking(move || comparison::code(own, other)).await;
    code.map_err(|error| CommandError { code: "internal".into(), message: error.to_string() })
}

#[tauri::command]
pub(crate) async fn mark_compared(desk: TheDesk<'_>, id: String, key: String) -> Answer {
    desk.ask(|answer| Ask::MarkCompared(id, key, answer)).await
}

#[tauri::command]
pub(crate) async fn preview(engine: TheEngine<'_>, media: MediaState) -> Answer {
    command(&engine, Command::Preview(media)).await
}

#[tauri::command]
pub(crate) async fn select_devices(desk: TheDesk<'_>, choice: DeviceChoice) -> Answer {
    desk.ask(|answer| Ask::Select(choice, answer)).await
}

#[tauri::command]
pub(crate) async fn refresh_devices(engine: TheEngine<'_>) -> Answer {
    command(&engine, Command::RefreshDevices).await
}

#[tauri::command]
pub(crate) async fn test_sound(engine: TheEngine<'_>) -> Answer {
    command(&engine, Command::TestSound).await
}

/// Starts the check of one's own sound, or stops it.
#[tauri::command]
pub(crate) async fn check_sound(engine: TheEngine<'_>, on: bool) -> Answer {
    command(&engine, Command::CheckSound(on)).await
}

/// Plays a participant even if they are in the same room.
#[tauri::command]
pub(crate) async fn play_anyway(engine: TheEngine<'_>, id: String) -> Answer {
    command(&engine, Command::PlayAnyway(ParticipantId(id))).await
}

#[tauri::command]
pub(crate) async fn save_settings(desk: TheDesk<'_>, settings: Settings) -> Answer {
    desk.ask(|answer| Ask::Save(Box::new(settings), answer)).await
}

/// Sets how others see the person. The server receives it as soon as it is there.
#[tauri::command]
pub(crate) async fn set_avatar(desk: TheDesk<'_>, avatar: OwnAvatar) -> Answer {
    let wrong = |error: PhotoError| CommandError { code: "bad_photo".into(), message: error.to_string() };
    let avatar = avatar.cleaned().map_err(wrong)?;
    let settings = Settings { avatar, ..desk.shown.borrow().settings.clone() };
    desk.ask(|answer| Ask::Save(Box::new(settings), answer)).await
}

/// Returns somebody's photo: a JPEG, base64url.
#[tauri::command]
pub(crate) async fn photo(engine: TheEngine<'_>, id: String) -> Result<String, CommandError> {
    match engine.board(BoardRequest::Photo { id }).await? {
        BoardAnswer::Photo(jpeg) => Ok(jpeg),
        _ => Err(CommandError { code: "internal".into(), message: "the server sent no photo".into() }),
    }
}

#[tauri::command]
pub(crate) async fn open_link(desk: TheDesk<'_>, link: String) -> Answer {
    desk.ask(|answer| Ask::OpenLink(link, answer)).await
}

#[tauri::command]
pub(crate) async fn dismiss_link(desk: TheDesk<'_>) -> Answer {
    desk.tell(Ask::DismissLink).await;
    Ok(())
}

#[tauri::command]
pub(crate) async fn dismiss_notice(desk: TheDesk<'_>) -> Answer {
    desk.tell(Ask::DismissNotice).await;
    Ok(())
}

/// Dismisses the reminders up to this number.
#[tauri::command]
pub(crate) async fn dismiss_reminders(desk: TheDesk<'_>, last: u64) -> Answer {
    desk.tell(Ask::DismissReminders(last)).await;
    Ok(())
}

#[tauri::command]
pub(crate) async fn host_here(desk: TheDesk<'_>) -> Answer {
    desk.ask(Ask::Host).await
}

#[tauri::command]
pub(crate) async fn stop_hosting(desk: TheDesk<'_>) -> Answer {
    desk.tell(Ask::StopHosting).await;
    Ok(())
}

#[tauri::command]
pub(crate) async fn stats(engine: TheEngine<'_>) -> Result<Stats, CommandError> {
    Ok(figures::stats(&engine.stats().await?))
}

/// Returns everybody's loudness and who speaks, for a window without the frame socket.
#[tauri::command]
pub(crate) async fn levels(engine: TheEngine<'_>) -> Result<serde_json::Value, CommandError> {
    Ok(figures::levels(&engine.levels().borrow()))
}

#[tauri::command]
pub(crate) async fn tiles(fallback: State<'_, Fallback>, tiles: Vec<Tile>) -> Answer {
    fallback.tiles(tiles).await;
    Ok(())
}

/// Returns the next picture of a stream, as a packet of the frame socket. Empty if none arrives within two seconds.
#[tauri::command]
pub(crate) async fn next_frame(fallback: State<'_, Fallback>, stream: u16) -> Result<Response, CommandError> {
    Ok(Response::new(fallback.next(stream).await))
}

/// Checks the way to a server, by default the one in use. Takes up to 20 seconds.
#[tauri::command]
pub(crate) async fn check_connection(
    desk: TheDesk<'_>,
    server: Option<String>,
    fingerprint: Option<String>,
    language: Language,
) -> Result<Report, CommandError> {
    let (server, secret) = desk.to_check(server.as_deref(), fingerprint.as_deref())?;
    Ok(engine::check_connection(server, secret, crate::CLIENT.into(), language.into()).await)
}

/// Asks everybody in the call to check their connections. Their answers appear in the state.
#[tauri::command]
pub(crate) async fn check_others(engine: TheEngine<'_>) -> Answer {
    command(&engine, Command::CheckOthers).await
}

/// Writes the log to one file, for bug reports, and returns its path.
#[tauri::command]
pub(crate) async fn export_log(folders: State<'_, Folders>) -> Result<String, CommandError> {
    let folders = folders.inner().clone();
    let written = tokio::task::spawn_blocking(move || logging::export(&folders.log, &folders.downloads)).await;
    match written.map_err(std::io::Error::other).and_then(|written| written) {
        Ok(file) => Ok(file.display().to_string()),
        Err(error) => Err(CommandError { code: "log_not_written".into(), message: error.to_string() }),
    }
}

#[tauri::command]
pub(crate) async fn copy(clipboard: State<'_, Clipboard>, text: String) -> Answer {
    clipboard.set(text).map_err(|message| CommandError { code: "clipboard".into(), message })
}

#[tauri::command]
pub(crate) async fn small_window(app: AppHandle, on: bool) -> Answer {
    window::set_small(&app, on).map_err(|error| CommandError { code: "window_size".into(), message: error.to_string() })
}

async fn command(engine: &Engine, command: Command) -> Answer {
    Ok(engine.command(command).await?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    /// A command that one of the three does not know is refused only when the window calls it.
    #[test]
    fn the_handler_the_manifest_and_the_capability_have_the_same_commands() {
        let manifest = names(between(include_str!("../build.rs"), "commands(&[", "])"), "\"", "\"");
        let handler = names(between(include_str!("lib.rs"), "generate_handler![", "]"), "commands::", "");
        let handler: BTreeSet<String> =
            handler.iter().map(|name| name.rsplit("::").next().unwrap_or(name).to_owned()).collect();
        let capability = names(include_str!("../capabilities/main.json"), "\"allow-", "\"");
        assert!(manifest.len() > 40);
        assert_eq!((&manifest, &manifest), (&handler, &capability));
    }

    fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
        text.split_once(start).and_then(|(_, rest)| rest.split_once(end)).expect("the list").0
    }

    /// The names in a list with one on each line, without what is before and after them.
    fn names(list: &str, before: &str, after: &str) -> BTreeSet<String> {
        let lines = list.lines().map(|line| line.trim().trim_end_matches(','));
        let bare = lines.filter_map(|line| line.strip_prefix(before)?.strip_suffix(after));
        bare.map(|name| name.replace('-', "_")).collect()
    }
}
