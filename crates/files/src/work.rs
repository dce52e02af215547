//! What transfers want done: messages to people, and work for the disk.

use crate::message::{Digest, Message, Reason, TransferId};
use std::collections::VecDeque;

/// The other side of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their device's key.
    pub key: String,
    /// Their name.
    pub name: String,
}

/// Work for the disk. The requests of one transfer are carried out in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskRequest {
    /// Compares the file's first `offset` bytes with this hash, and continues reading there or at the beginning.
    Check {
        /// The transfer.
        id: TransferId,
        /// Returned with the answer.
        epoch: u32,
        /// Bytes.
        offset: u64,
        /// The hash.
        sha256: Digest,
    },
    /// Reads the next bytes.
    Read {
        /// The transfer.
        id: TransferId,
        /// Returned with the answer.
        epoch: u32,
    },
    /// Closes the file that is sent. No answer.
    Close {
        /// The transfer.
        id: TransferId,
    },
    /// Looks whether this offer was accepted before and has left a part.
    Find {
        /// The transfer.
        id: TransferId,
        /// The sender's key.
        key: String,
        /// Bytes of the whole file.
        size: u64,
    },
    /// Opens the part, or an earlier part of the same file of the same sender, or begins a new one.
    Prepare {
        /// The transfer.
        id: TransferId,
        /// Returned with the answer.
        epoch: u32,
        /// The sender's key.
        key: String,
        /// The safe name.
        name: String,
        /// Bytes of the whole file.
        size: u64,
    },
    /// Appends to the part.
    Write {
        /// The transfer.
        id: TransferId,
        /// Returned with the answer.
        epoch: u32,
        /// What to append.
        data: Vec<u8>,
    },
    /// Empties the part. No answer.
    Reset {
        /// The transfer.
        id: TransferId,
    },
    /// Writes everything to the disk and returns the hash of the whole part.
    Finish {
        /// The transfer.
        id: TransferId,
    },
    /// Gives the part its name.
    Keep {
        /// The transfer.
        id: TransferId,
    },
    /// Deletes the part. No answer.
    Discard {
        /// The transfer.
        id: TransferId,
    },
}

/// What the disk answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskAnswer {
    /// Whether the receiver's part is the beginning of the file.
    Checked {
        /// Of the request.
        epoch: u32,
        /// The result.
        same: bool,
    },
    /// The next bytes of the file.
    Read {
        /// Of the request.
        epoch: u32,
        /// Bytes.
        data: Vec<u8>,
        /// The hash of the whole file, with its last bytes.
        end: Option<Digest>,
    },
    /// Whether this very offer was accepted before.
    Found {
        /// The result.
        accepted: bool,
    },
    /// The part is open.
    Prepared {
        /// Of the request.
        epoch: u32,
        /// Bytes that are there.
        offset: u64,
        /// Their hash.
        sha256: Digest,
    },
    /// A block has been written.
    Written {
        /// Of the request.
        epoch: u32,
    },
    /// The hash of the whole part.
    Finished {
        /// The hash.
        sha256: Digest,
    },
    /// The file has its name.
    Kept {
        /// The name in the download folder.
        name: String,
    },
    /// A request failed.
    Failed {
        /// Why.
        error: DiskError,
    },
}

/// Why the disk cannot do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// No space is left.
    #[error("the disk is full")]
    Full,
    /// The file that is sent has another length now, or is gone.
    #[error("the file has changed")]
    Changed,
    /// Anything else.
    #[error("the file cannot be read or written")]
    Other,
}

impl DiskError {
    pub(crate) fn reason(self) -> Reason {
        match self {
            DiskError::Full => Reason::DiskFull,
            DiskError::Changed => Reason::Changed,
            DiskError::Other => Reason::Disk,
        }
    }
}

/// What the transfers want done.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) messages: VecDeque<(String, Message)>,
    pub(crate) disk: VecDeque<DiskRequest>,
}

impl Effects {
    pub(crate) fn send(&mut self, person: &Person, message: Message) {
        self.messages.push_back((person.key.clone(), message));
    }

    pub(crate) fn disk(&mut self, request: DiskRequest) {
        self.disk.push_back(request);
    }
}
