//! The window's commands for reports, blocks, and what stewards do. The server decides, and a refusal is returned.

use super::TheEngine;
use super::tables::ask;
use crate::state::CommandError;
use engine::BoardAnswer;
use engine::signaling::board::{BoardRequest, OrderBook, Whom};
use engine::signaling::message::ParticipantId;

type Answer = Result<(), CommandError>;

/// Reports somebody in the call, or on the board, to the stewards.
#[tauri::command]
pub(crate) async fn report(
    engine: TheEngine<'_>,
    participant: Option<String>,
    person: Option<String>,
    text: String,
) -> Answer {
    ask(&engine, BoardRequest::Report { whom: whom(participant, person), text }).await
}

/// Blocks somebody in the call, or on the board.
#[tauri::command]
pub(crate) async fn block(engine: TheEngine<'_>, participant: Option<String>, person: Option<String>) -> Answer {
    ask(&engine, BoardRequest::Block { whom: whom(participant, person) }).await
}

#[tauri::command]
pub(crate) async fn unblock(engine: TheEngine<'_>, person: String) -> Answer {
    ask(&engine, BoardRequest::Unblock { person }).await
}

/// Acknowledges what stewards did to this person.
#[tauri::command]
pub(crate) async fn acts_seen(engine: TheEngine<'_>) -> Answer {
    ask(&engine, BoardRequest::Seen).await
}

#[tauri::command]
pub(crate) async fn close_table(engine: TheEngine<'_>, table: String, reason: String) -> Answer {
    ask(&engine, BoardRequest::CloseTable { table, reason }).await
}

/// Suspends somebody for some hours; 0: until it is lifted.
#[tauri::command]
pub(crate) async fn suspend(engine: TheEngine<'_>, person: String, hours: u32, reason: String) -> Answer {
    ask(&engine, BoardRequest::Suspend { person, hours, reason }).await
}

#[tauri::command]
pub(crate) async fn lift(engine: TheEngine<'_>, person: String) -> Answer {
    ask(&engine, BoardRequest::Lift { person }).await
}

#[tauri::command]
pub(crate) async fn close_report(engine: TheEngine<'_>, report: u32) -> Answer {
    ask(&engine, BoardRequest::CloseReport { report }).await
}

/// Returns reports, suspensions and acts, for a steward.
#[tauri::command]
pub(crate) async fn order_book(engine: TheEngine<'_>) -> Result<Box<OrderBook>, CommandError> {
    match engine.board(BoardRequest::OrderBook).await? {
        BoardAnswer::OrderBook(book) => Ok(book),
        BoardAnswer::Done
        | BoardAnswer::Invite { .. }
        | BoardAnswer::Calendar { .. }
        | BoardAnswer::AboutMe(_)
        | BoardAnswer::Photo(_)
        | BoardAnswer::Devices(_) => {
            Err(CommandError { code: "internal".into(), message: "the server sent something else".into() })
        }
    }
}

fn whom(participant: Option<String>, person: Option<String>) -> Whom {
    Whom { participant: participant.map(ParticipantId), person }
}
