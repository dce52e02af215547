//! Commands about files that people in a call send each other. The page never names a path: people choose or drop files.

use super::{Answer, TheDesk, TheEngine, command};
use crate::desk::Ask;
use crate::state::CommandError;
use engine::signaling::message::ParticipantId;
use engine::{Command, TransferAction};
use serde::Deserialize;
use std::path::PathBuf;
use tauri::AppHandle;
use tauri_plugin_dialog::DialogExt as _;
use tokio::sync::oneshot;

/// What the person does with a transfer.
#[derive(Debug, Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub(crate) enum TransferChoice {
    Accept,
    Decline,
    Pause,
    Resume,
    Cancel,
    Remove,
}

/// Lets the person choose files, and offers them to participants.
#[tauri::command]
pub(crate) async fn send_files(app: AppHandle, engine: TheEngine<'_>, to: Vec<String>) -> Answer {
    let (chosen, choice) = oneshot::channel();
    app.dialog().file().pick_files(move |files| {
        let _ = chosen.send(files); // the command may have ended
    });
    let files = choice.await.ok().flatten().unwrap_or_default();
    let paths: Vec<PathBuf> = files.into_iter().filter_map(|file| file.into_path().ok()).collect();
    if paths.is_empty() {
        return Ok(());
    }
    Ok(engine.offer_files(paths, ids(to)).await?)
}

/// Offers the files that were dropped on the window to participants.
#[tauri::command]
pub(crate) async fn send_dropped(desk: TheDesk<'_>, engine: TheEngine<'_>, to: Vec<String>) -> Answer {
    let (answer, dropped) = oneshot::channel();
    desk.tell(Ask::TakeDropped(answer)).await;
    let paths = dropped.await.unwrap_or_default();
    if paths.is_empty() {
        return Ok(());
    }
    Ok(engine.offer_files(paths, ids(to)).await?)
}

#[tauri::command]
pub(crate) async fn dismiss_dropped(desk: TheDesk<'_>) -> Answer {
    desk.tell(Ask::Dropped(vec![])).await;
    Ok(())
}

#[tauri::command]
pub(crate) async fn transfer(engine: TheEngine<'_>, id: String, choice: TransferChoice) -> Answer {
    let action = match choice {
        TransferChoice::Accept => TransferAction::Accept,
        TransferChoice::Decline => TransferAction::Decline,
        TransferChoice::Pause => TransferAction::Pause,
        TransferChoice::Resume => TransferAction::Resume,
        TransferChoice::Cancel => TransferAction::Cancel,
        TransferChoice::Remove => TransferAction::Remove,
    };
    command(&engine, Command::Transfer { id, action }).await
}

/// Opens the folder of a received file. The file itself is never opened.
#[tauri::command]
pub(crate) async fn show_transfer(engine: TheEngine<'_>, id: String) -> Answer {
    let gone = || CommandError { code: "file_gone".into(), message: "The file is not there any more.".into() };
    let path = engine.received_file(id).await.filter(|path| path.exists()).ok_or_else(gone)?;
    let folder = path.parent().ok_or_else(gone)?.to_owned();
    let opened = tokio::task::spawn_blocking(move || open::that_detached(folder)).await;
    opened.map_err(std::io::Error::other).and_then(|opened| opened).map_err(|error| {
        tracing::warn!("the folder of a file: {error}");
        CommandError { code: "folder_not_opened".into(), message: error.to_string() }
    })
}

fn ids(to: Vec<String>) -> Vec<ParticipantId> {
    to.into_iter().map(ParticipantId).collect()
}
