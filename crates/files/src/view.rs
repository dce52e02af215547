//! What people see of a transfer.

use crate::message::Reason;
use serde::Serialize;

/// A row of the list of transfers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct TransferView {
    /// The transfer.
    pub id: String,
    /// Whether we send the file.
    pub outgoing: bool,
    /// The key of the other person.
    pub key: String,
    /// The name of the other person, as it was last.
    pub person: String,
    /// The file's safe name.
    pub name: String,
    /// Bytes.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub size: u64,
    /// Bytes that have been transferred.
    #[cfg_attr(feature = "typescript", ts(type = "number"))]
    pub moved: u64,
    /// What happens now.
    pub state: TransferState,
    /// Why it failed or stands still, if it does.
    pub reason: Option<Reason>,
}

/// What happens with a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum TransferState {
    /// The receiver has not answered the offer.
    Offered,
    /// There is no connection to the other person.
    Waiting,
    /// A side looks at what is there already.
    Preparing,
    /// The file is being transferred.
    Moving,
    /// We pause it.
    Paused,
    /// The other side pauses it.
    PausedThere,
    /// The receiver checks and stores the file.
    Checking,
    /// The receiver has the file.
    Done,
    /// The receiver did not want it.
    Declined,
    /// It ended early; see the reason.
    Failed,
}

impl TransferState {
    /// Whether the transfer goes on as long as there is a connection, or can at once.
    pub fn needs_connection(self) -> bool {
        match self {
            TransferState::Offered | TransferState::Preparing | TransferState::Moving | TransferState::Checking => true,
            TransferState::Waiting
            | TransferState::Paused
            | TransferState::PausedThere
            | TransferState::Done
            | TransferState::Declined
            | TransferState::Failed => false,
        }
    }
}

impl TransferState {
    /// Whether nothing more will happen.
    pub fn is_over(self) -> bool {
        match self {
            TransferState::Done | TransferState::Declined | TransferState::Failed => true,
            TransferState::Offered
            | TransferState::Waiting
            | TransferState::Preparing
            | TransferState::Moving
            | TransferState::Paused
            | TransferState::PausedThere
            | TransferState::Checking => false,
        }
    }
}
