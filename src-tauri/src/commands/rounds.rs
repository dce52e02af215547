//! The window's commands for planned rounds. The server decides, and a refusal is returned.

use super::TheEngine;
use super::tables::ask;
use crate::state::CommandError;
use engine::signaling::board::{BoardRequest, RoundDraft};

type Answer = Result<(), CommandError>;

#[tauri::command]
pub(crate) async fn lay_round(engine: TheEngine<'_>, draft: RoundDraft) -> Answer {
    ask(&engine, BoardRequest::LayRound(draft)).await
}

/// Cancels a round with all its dates.
#[tauri::command]
pub(crate) async fn cancel_round(engine: TheEngine<'_>, round: String) -> Answer {
    ask(&engine, BoardRequest::CancelRound { round }).await
}

/// Signs up for a round's next date.
#[tauri::command]
pub(crate) async fn sign_up(engine: TheEngine<'_>, round: String) -> Answer {
    ask(&engine, BoardRequest::SignUp { round }).await
}

#[tauri::command]
pub(crate) async fn withdraw(engine: TheEngine<'_>, round: String) -> Answer {
    ask(&engine, BoardRequest::Withdraw { round }).await
}
