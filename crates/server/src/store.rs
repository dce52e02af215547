//! What the board keeps on disk: one SQLite file, one thread that writes it.
//!
//! ```text
//!  hub ── batch n ──▶ queue ──▶ store thread: one transaction for all that waits ── written n ──▶ hub
//! ```
//! A batch is safe when its number comes back: the journal is a write-ahead log with `synchronous = FULL`, so that
//! neither a killed process nor a power cut takes it back.

mod read;
mod schema;
mod write;

use std::path::Path;
use std::sync::mpsc;

use rooms::board::{Change, Saved};
use rusqlite::Connection;

use crate::error::StartError;

/// Name of the file in the data folder.
pub(crate) const FILE: &str = "board.sqlite3";
/// Batches waiting for the store thread. When full the hub keeps the rest itself, for a while ([`crate::keeping`]).
const QUEUE: usize = 4_096;
/// Batches of one transaction: as many as wait, up to this.
const TOGETHER: usize = 512;

/// What the store tells the hub.
#[derive(Debug)]
pub(crate) enum Stored {
    /// Everything up to this batch is safe.
    Written(u64),
    /// Nothing after the last `Written` is, and nothing of it will be: this is what there is.
    Failed(Box<Saved>),
}

/// The hub's end of the store. Dropping it lets the thread finish and end.
#[derive(Debug)]
pub(crate) struct Store {
    batches: mpsc::SyncSender<Batch>,
    thread: Option<std::thread::JoinHandle<()>>,
    /// Counts failures: batches of before one are void.
    epoch: u64,
}

#[derive(Debug)]
struct Batch {
    number: u64,
    epoch: u64,
    changes: Vec<Change>,
}

/// What was kept, and the secret of invites.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) saved: Saved,
    pub(crate) invite_secret: [u8; 32],
    connection: Connection,
}

/// Opens the file of a data folder, or a store that keeps nothing, and brings it up to date.
pub(crate) fn open(data_dir: Option<&Path>) -> Result<Opened, StartError> {
    let path = data_dir.map(|folder| folder.join(FILE));
    let wrong = |source: rusqlite::Error| StartError::Store {
        path: path.clone().unwrap_or_else(|| ":memory:".into()),
        reason: source.to_string(),
    };
    let mut connection = match &path {
        Some(path) => {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)
                    .map_err(|source| StartError::Data { path: folder.to_owned(), source })?;
            }
            Connection::open(path)
        }
        None => Connection::open_in_memory(),
    }
    .map_err(wrong)?;
    schema::prepare(&mut connection).map_err(wrong)?;
    let fresh = crate::data::random_bytes()?;
    let invite_secret = schema::invite_secret(&connection, fresh).map_err(wrong)?;
    let saved = read::all(&connection).map_err(wrong)?;
    Ok(Opened { saved, invite_secret, connection })
}

impl Store {
    /// Starts the thread. `told` is called on it.
    pub(crate) fn start(connection: Opened, told: impl Fn(Stored) + Send + 'static) -> Result<Store, StartError> {
        let (batches, queue) = mpsc::sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || run(connection.connection, &queue, told))
            .map_err(StartError::Thread)?;
        Ok(Store { batches, thread: Some(thread), epoch: 0 })
    }

    /// Hands a batch over, numbered in order. Given back when the queue is full, or the thread has ended.
    pub(crate) fn write(&mut self, number: u64, changes: Vec<Change>) -> Result<(), Vec<Change>> {
        match self.batches.try_send(Batch { number, epoch: self.epoch, changes }) {
            Ok(()) => Ok(()),
            Err(mpsc::TrySendError::Full(batch) | mpsc::TrySendError::Disconnected(batch)) => Err(batch.changes),
        }
    }

    /// The hub has heard of a failure: what it hands over from now on counts again.
    pub(crate) fn go_on(&mut self) {
        self.epoch += 1;
    }
}

impl Drop for Store {
    /// Waits until everything handed over is safe.
    fn drop(&mut self) {
        let (closed, _) = mpsc::sync_channel(0);
        self.batches = closed;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a thread that panicked has nothing left to write
        }
    }
}

fn run(mut connection: Connection, queue: &mpsc::Receiver<Batch>, told: impl Fn(Stored)) {
    let mut epoch = 0;
    while let Ok(first) = queue.recv() {
        let mut batches = vec![first];
        while batches.len() < TOGETHER
            && let Ok(more) = queue.try_recv()
        {
            batches.push(more);
        }
        // What was handed over before the hub heard of a failure rests on what was never written.
        batches.retain(|batch| batch.epoch == epoch);
        let Some(last) = batches.last().map(|batch| batch.number) else { continue };
        match write::all(&mut connection, batches.iter().flat_map(|batch| &batch.changes)) {
            Ok(()) => told(Stored::Written(last)),
            Err(error) => {
                tracing::error!(%error, "the board could not be written down");
                epoch += 1;
                match read::all(&connection) {
                    Ok(saved) => told(Stored::Failed(Box::new(saved))),
                    Err(error) => return tracing::error!(%error, "nor read: the board keeps nothing from now on"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
