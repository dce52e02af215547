//! Sharing a screen or a window.

use super::{Answer, TheEngine, command};
use crate::frames::packet;
use crate::state::{CommandError, ScreenChoice};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::{Command, FeedFrame, ScreenInfo, ScreenKind};

/// The screens and windows that can be shared, with small pictures of them.
#[tauri::command]
pub(crate) async fn screens() -> Result<Vec<ScreenChoice>, CommandError> {
    let found = tokio::task::spawn_blocking(engine::screens).await;
    let found = found.map_err(|error| CommandError { code: "internal".into(), message: error.to_string() })??;
    Ok(found.into_iter().map(choice).collect())
}

fn choice(ScreenInfo { id, name, kind, size: (width, height), preview }: ScreenInfo) -> ScreenChoice {
    let packet = |frame| STANDARD.encode(packet::encode(&FeedFrame { stream: 0, sequence: 0, frame }));
    ScreenChoice { id, name, window: kind == ScreenKind::Window, width, height, preview: preview.map(packet) }
}

#[tauri::command]
pub(crate) async fn share(engine: TheEngine<'_>, id: String, name: String) -> Answer {
    command(&engine, Command::Share { id, name }).await
}

#[tauri::command]
pub(crate) async fn stop_share(engine: TheEngine<'_>) -> Answer {
    command(&engine, Command::StopShare).await
}
