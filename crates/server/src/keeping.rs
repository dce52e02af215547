//! Holds back what the board has decided until it is on disk.
//!
//! ```text
//!  Output::Write ─▶ store ──────────────── written n ─┐
//!  Output::Kept, Output::Publish ─▶ gate (after n) ───┴─▶ to the sessions
//! ```

use std::collections::VecDeque;

use rooms::board::{Board, Calendar, Change, Saved};
use rooms::text;
use signaling::account::AccountNews;
use signaling::backlog::Text;
use signaling::board::BoardNews;
use signaling::message::{ErrorCode, ErrorMessage, ServerMessage, SessionId};
use tokio::sync::mpsc;

use crate::accounts::{self, Accounts};
use crate::config::Config;
use crate::data::random_bytes;
use crate::error::StartError;
use crate::store::{self, Changes, Store, Stored};

/// Batches that wait because the store's queue is full, and messages that wait for a batch. When either exceeds this,
/// the disk has stalled: requests to the board are refused with `not_saved` before they are decided.
const MOST_WAITING: usize = 8_192;
/// Bytes of changes that are not on disk yet; with the same consequence.
pub(crate) const UNWRITTEN_BYTES: usize = 32 * 1024 * 1024;

/// A change of an account at most, in bytes.
const ACCOUNT_CHANGE_BYTES: usize = 2 * 1024;

/// A message to send when the changes before it are on disk.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Word {
    To(SessionId, ServerMessage),
    ToAll(Vec<SessionId>, Text),
    /// End a session.
    End(SessionId, ErrorCode),
}

/// The store, and the queue of messages that wait for it. Owned by the hub.
#[derive(Debug)]
pub(crate) struct Keeping {
    calendar: Calendar,
    /// For how long it is remembered who met whom, in milliseconds.
    meetings_kept_ms: u64,
    invite_secret: [u8; 32],
    store: Store,
    reports: mpsc::UnboundedReceiver<Stored>,
    /// The content of the store at the start, from which the first board is built.
    saved: Saved,
    saved_accounts: accounts::Saved,
    /// The issuer whose accounts count, if there is one.
    issuer: Option<String>,
    stewards: Vec<String>,
    /// Batches that the store has not accepted yet, in order. Bounded by [`MOST_WAITING`] through
    /// [`Keeping::is_stuck`].
    backlog: VecDeque<(u64, Changes)>,
    /// Messages, each with the batch it waits for. Bounded in the same way.
    gate: VecDeque<(u64, Word)>,
    given: u64,
    safe: u64,
    /// The size of each batch that is not on disk, and their sum. Bounded by [`UNWRITTEN_BYTES`] through
    /// [`Keeping::is_stuck`].
    unwritten: VecDeque<(u64, usize)>,
    unwritten_bytes: usize,
}

impl Keeping {
    /// Reads the stored board and starts the store.
    pub(crate) fn open(config: &Config) -> Result<Keeping, StartError> {
        let calendar = Calendar::new(&config.zone)
            .ok_or_else(|| StartError::Config(format!("{:?} is not a known time zone", config.zone)))?;
        let mut opened = store::open(config.data_dir.as_deref())?;
        let (saved, invite_secret) = (std::mem::take(&mut opened.saved), opened.invite_secret);
        let saved_accounts = std::mem::take(&mut opened.accounts);
        // Unbounded, but never longer than the number of batches in the store's queue.
        let (sender, reports) = mpsc::unbounded_channel();
        let store = Store::start(opened, move |stored| {
            let _ = sender.send(stored); // if the hub has ended, nobody waits for it
        })?;
        let (backlog, gate) = (VecDeque::new(), VecDeque::new());
        let (given, safe, unwritten, unwritten_bytes) = (0, 0, VecDeque::new(), 0);
        let meetings_kept_ms = u64::try_from(config.meetings_kept.as_millis()).unwrap_or(u64::MAX);
        Ok(Keeping {
            calendar,
            meetings_kept_ms,
            invite_secret,
            store,
            reports,
            saved,
            saved_accounts,
            issuer: config.openid.as_ref().map(|openid| openid.issuer.clone()),
            stewards: config.stewards.clone(),
            backlog,
            gate,
            given,
            safe,
            unwritten,
            unwritten_bytes,
        })
    }

    /// Builds the board from what was stored.
    pub(crate) fn board(&mut self, unix_ms: u64) -> Result<Board, StartError> {
        let saved = std::mem::take(&mut self.saved);
        let board = Board::new(self.calendar.clone(), random_bytes()?, self.invite_secret, saved, unix_ms);
        Ok(board.remembering_meetings_for(self.meetings_kept_ms))
    }

    /// Builds the accounts from what was stored.
    pub(crate) fn accounts(&mut self) -> Accounts {
        Accounts::new(std::mem::take(&mut self.saved_accounts), self.issuer.clone())
    }

    /// Keys of stewards in the settings.
    pub(crate) fn stewards(&mut self) -> Vec<String> {
        std::mem::take(&mut self.stewards)
    }

    /// Receives the next report of the store.
    pub(crate) async fn next_report(&mut self) -> Option<Stored> {
        self.reports.recv().await
    }

    /// Whether so much waits for the disk that no new request may be decided.
    pub(crate) fn is_stuck(&self) -> bool {
        let waiting = self.backlog.len().max(self.gate.len());
        waiting >= MOST_WAITING || self.unwritten_bytes >= UNWRITTEN_BYTES
    }

    /// Writes changes to the store.
    pub(crate) fn write(&mut self, changes: impl Into<Changes>) {
        let changes = changes.into();
        self.given += 1;
        let of_accounts = changes.accounts.len() * ACCOUNT_CHANGE_BYTES;
        let bytes = changes.board.iter().map(Change::bytes).sum::<usize>() + of_accounts;
        self.unwritten.push_back((self.given, bytes));
        self.unwritten_bytes += bytes;
        self.backlog.push_back((self.given, changes));
        self.hand_over();
    }

    /// Passes waiting batches to the store while it has room.
    pub(crate) fn hand_over(&mut self) {
        while let Some((number, changes)) = self.backlog.pop_front() {
            if let Err(changes) = self.store.write(number, changes) {
                return self.backlog.push_front((number, changes));
            }
        }
    }

    /// Queues a message until everything written so far is on disk. Returns it if that is already the case.
    pub(crate) fn hold(&mut self, word: Word) -> Option<Word> {
        if self.safe == self.given && self.gate.is_empty() {
            return Some(word);
        }
        self.gate.push_back((self.given, word));
        None
    }

    /// Everything up to this batch is on disk. Returns the messages that may be sent now.
    pub(crate) fn written(&mut self, number: u64) -> Vec<Word> {
        self.safe = self.safe.max(number);
        while let Some((_, bytes)) = self.unwritten.pop_front_if(|(number, _)| *number <= self.safe) {
            self.unwritten_bytes -= bytes;
        }
        self.hand_over();
        let free = self.gate.iter().take_while(|(after, _)| *after <= self.safe).count();
        self.gate.drain(..free).map(|(_, word)| word).collect()
    }

    /// The waiting batches are lost. Returns the board as it is stored, and error messages for the clients that waited.
    pub(crate) fn failed(&mut self, saved: Saved, unix_ms: u64) -> Result<(Board, Vec<Word>), StartError> {
        self.store.go_on();
        self.backlog.clear();
        self.unwritten.clear();
        self.unwritten_bytes = 0;
        self.safe = self.given;
        self.saved = saved;
        let words = self.gate.drain(..).filter_map(|(_, word)| apology(word)).collect();
        Ok((self.board(unix_ms)?, words))
    }
}

/// Turns a confirmation into a `not_saved` error. News of changes that were lost are dropped.
fn apology(word: Word) -> Option<Word> {
    let not_saved = |about| {
        let code = ErrorCode::NotSaved;
        ServerMessage::Error(ErrorMessage { code, message: text(code).into(), about })
    };
    match word {
        Word::To(to, ServerMessage::Board(BoardNews::Done { about })) => Some(Word::To(to, not_saved(Some(about)))),
        Word::To(to, refused @ ServerMessage::Error(_)) => Some(Word::To(to, refused)),
        Word::To(to, ServerMessage::Account(AccountNews::Done { about })) => Some(Word::To(to, not_saved(Some(about)))),
        Word::To(_, _) | Word::ToAll(_, _) | Word::End(_, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeping() -> Keeping {
        Keeping::open(&Config::default()).unwrap()
    }

    fn word(about: u64) -> Word {
        Word::To(SessionId("s".into()), ServerMessage::Board(BoardNews::Done { about }))
    }

    #[tokio::test]
    async fn a_message_waits_only_for_earlier_writes() {
        let mut keeping = keeping();
        assert_eq!(keeping.hold(word(1)), Some(word(1)), "nothing to wait for");
        keeping.write(vec![Change::Gone { id: "a".into() }]);
        assert_eq!(keeping.hold(word(2)), None);
        keeping.write(vec![Change::Gone { id: "b".into() }]);
        assert_eq!(keeping.hold(word(3)), None);
        assert_eq!(keeping.written(1), [word(2)]);
        assert_eq!(keeping.written(2), [word(3)]);
        assert_eq!(keeping.hold(word(4)), Some(word(4)));
    }

    #[tokio::test]
    async fn requests_are_refused_while_too_much_is_unwritten() {
        let mut keeping = keeping();
        let with = vec!["k".repeat(43); 1_000];
        let wish = rooms::board::Hungry { name: "x".repeat(192), since: 0, with };
        let mut given = 0;
        while !keeping.is_stuck() {
            keeping.write(vec![Change::Hungry { key: "k".repeat(43), wish: Some(wish.clone()) }; 16]);
            given += 1;
        }
        assert!((10..1_000).contains(&given), "{given}: by bytes");
        keeping.written(given);
        assert!(!keeping.is_stuck());
    }

    #[tokio::test]
    async fn written_batches_release_their_messages() {
        let mut keeping = keeping();
        keeping.write(vec![Change::Gone { id: "a".into() }]);
        assert!(matches!(keeping.next_report().await, Some(Stored::Written(1))));
    }

    #[tokio::test]
    async fn a_failed_write_is_answered_with_an_error() {
        let mut keeping = keeping();
        keeping.write(vec![Change::Gone { id: "a".into() }]);
        keeping.hold(word(7));
        keeping.hold(Word::ToAll(vec![], signaling::backlog::Pool::default().keep("{}")));
        let (_, words) = keeping.failed(Saved::default(), 0).unwrap();
        let [Word::To(_, ServerMessage::Error(error))] = words.as_slice() else { panic!("{words:?}") };
        assert_eq!((error.code, error.about), (ErrorCode::NotSaved, Some(7)));
        assert_eq!(keeping.hold(word(8)), Some(word(8)));
    }
}
