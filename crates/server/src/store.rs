//! Stores the board and the accounts on disk: one SQLite file, written by one thread.
//!
//! ```text
//!  hub ── batch n ──▶ queue ──▶ store thread: one transaction for all waiting batches ── written n ──▶ hub
//! ```
//! A batch is durable when its number is reported: the journal is a write-ahead log with `synchronous = FULL`, so
//! neither a killed process nor a power failure loses it.

mod read;
mod schema;
mod write;

use std::path::Path;
use std::sync::mpsc;

use rooms::board::{Change, Saved};
use rusqlite::{Connection, ErrorCode};

use crate::accounts;
use crate::error::{StartError, StoreFault};

/// File name in the data folder.
pub(crate) const FILE: &str = "board.sqlite3";
/// Batches waiting for the store thread. When full, the hub keeps the rest, up to a bound ([`crate::keeping`]).
const QUEUE: usize = 4_096;
/// Most batches in one transaction.
const TOGETHER: usize = 512;

/// A report of the store to the hub.
#[derive(Debug)]
pub(crate) enum Stored {
    /// Everything up to this batch is durable.
    Written(u64),
    /// Nothing after the last `Written` was stored or will be. This is the stored state.
    Failed(Box<(Saved, accounts::Saved)>),
}

/// Changes of the board and of accounts that belong together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Changes {
    pub(crate) board: Vec<Change>,
    pub(crate) accounts: Vec<accounts::Change>,
}

impl From<Vec<Change>> for Changes {
    fn from(board: Vec<Change>) -> Changes {
        Changes { board, accounts: Vec::new() }
    }
}

impl From<Vec<accounts::Change>> for Changes {
    fn from(accounts: Vec<accounts::Change>) -> Changes {
        Changes { board: Vec::new(), accounts }
    }
}

/// The hub's end of the store. Dropping it lets the thread finish its work and end.
#[derive(Debug)]
pub(crate) struct Store {
    batches: mpsc::SyncSender<Batch>,
    thread: Option<std::thread::JoinHandle<()>>,
    /// Number of failures so far. Batches of an earlier epoch are discarded.
    epoch: u64,
}

#[derive(Debug)]
struct Batch {
    number: u64,
    epoch: u64,
    changes: Changes,
}

/// The stored state, and the secret that signs invites.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) saved: Saved,
    pub(crate) accounts: accounts::Saved,
    pub(crate) invite_secret: [u8; 32],
    connection: Connection,
}

/// Opens the file in a data folder, or a database in memory without one, and migrates it to the current schema.
pub(crate) fn open(data_dir: Option<&Path>) -> Result<Opened, StartError> {
    if let Some(folder) = data_dir {
        std::fs::create_dir_all(folder).map_err(|source| StartError::Data { path: folder.to_owned(), source })?;
    }
    let path = data_dir.map(|folder| folder.join(FILE));
    let fresh = crate::data::random_bytes()?;
    open_file(path.as_deref(), fresh)
        .map_err(|fault| StartError::Store { path: path.unwrap_or_else(|| ":memory:".into()), fault })
}

fn open_file(path: Option<&Path>, fresh_secret: [u8; 32]) -> Result<Opened, StoreFault> {
    let mut connection = match path {
        Some(path) => Connection::open(path)?,
        None => Connection::open_in_memory()?,
    };
    schema::prepare(&mut connection)?;
    let invite_secret = schema::invite_secret(&connection, fresh_secret)?;
    let saved = read::all(&connection)?;
    let accounts = read::accounts(&connection)?;
    Ok(Opened { saved, accounts, invite_secret, connection })
}

impl From<rusqlite::Error> for StoreFault {
    fn from(error: rusqlite::Error) -> StoreFault {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreFault::InUse,
            Some(ErrorCode::DiskFull) => StoreFault::DiskFull,
            Some(ErrorCode::PermissionDenied | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => StoreFault::NotAllowed,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreFault::Damaged(error.to_string()),
            _ => StoreFault::Other(error.to_string()),
        }
    }
}

impl Store {
    /// Starts the thread. `report` is called on it.
    pub(crate) fn start(connection: Opened, report: impl Fn(Stored) + Send + 'static) -> Result<Store, StartError> {
        let (batches, queue) = mpsc::sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || run(connection.connection, &queue, report))
            .map_err(StartError::Thread)?;
        Ok(Store { batches, thread: Some(thread), epoch: 0 })
    }

    /// Queues a batch; numbers must increase. Returns the changes if the queue is full or the thread has ended.
    pub(crate) fn write(&mut self, number: u64, changes: impl Into<Changes>) -> Result<(), Changes> {
        match self.batches.try_send(Batch { number, epoch: self.epoch, changes: changes.into() }) {
            Ok(()) => Ok(()),
            Err(mpsc::TrySendError::Full(batch) | mpsc::TrySendError::Disconnected(batch)) => Err(batch.changes),
        }
    }

    /// The hub has processed a failure: batches written from now on are stored again.
    pub(crate) fn go_on(&mut self) {
        self.epoch += 1;
    }
}

impl Drop for Store {
    /// Waits until every queued batch is durable.
    fn drop(&mut self) {
        let (closed, _) = mpsc::sync_channel(0);
        self.batches = closed;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panicked thread cannot write anything more
        }
    }
}

fn run(mut connection: Connection, queue: &mpsc::Receiver<Batch>, report: impl Fn(Stored)) {
    let (mut epoch, mut failing) = (0, false);
    while let Ok(first) = queue.recv() {
        let mut batches = vec![first];
        while batches.len() < TOGETHER
            && let Ok(more) = queue.try_recv()
        {
            batches.push(more);
        }
        // Batches sent before the hub learned of a failure build on changes that were never stored.
        batches.retain(|batch| batch.epoch == epoch);
        let Some(last) = batches.last().map(|batch| batch.number) else { continue };
        match write::batches(&mut connection, batches.iter().map(|batch| &batch.changes)) {
            Ok(()) => {
                if batches.iter().any(|batch| erases(&batch.changes)) {
                    empty_journal(&connection);
                }
                if std::mem::take(&mut failing) {
                    tracing::info!("the board is written again");
                }
                report(Stored::Written(last));
            }
            Err(error) => {
                // Once for each time that it begins: every change would fail.
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(
                        "cannot write the board, so changes of it are refused: {}",
                        StoreFault::from(error)
                    );
                }
                epoch += 1;
                match read::all(&connection).and_then(|saved| Ok((saved, read::accounts(&connection)?))) {
                    Ok(saved) => report(Stored::Failed(Box::new(saved))),
                    Err(error) => {
                        return tracing::error!(%error, "cannot read the board either; nothing is stored from now on");
                    }
                }
            }
        }
    }
}

/// Whether changes must leave nothing in the journal: somebody or a device is erased, or the time of old records is up.
/// The latter happens each hour, so that records of tables that are over do not stay there for long either.
fn erases(Changes { board, accounts }: &Changes) -> bool {
    use accounts::Change::{DeviceGone, Forget};
    board.iter().any(|change| matches!(change, Change::Forget { .. } | Change::Prune { .. }))
        || accounts.iter().any(|change| matches!(change, DeviceGone { .. } | Forget { .. }))
}

/// Moves the journal's pages into the file and truncates it. Until then, the journal has rows as they were before they
/// were erased, and so has the file if the erased pages are only in the journal.
fn empty_journal(connection: &Connection) {
    // The changes are durable either way, and a later checkpoint moves them too.
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    if busy.as_ref().ok() != Some(&0) {
        tracing::warn!(?busy, "cannot empty the journal now, so erased data stays in it for a while");
    }
}

#[cfg(test)]
mod tests;
