//! The hub's end of a connection, and what was handed over but is not in the socket yet.
//!
//! Messages are stored once, in the outbox of their session. A connection receives the next of them only as its socket
//! accepts the previous ones, so a client that does not read costs no more than its window.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signaling::message::{ErrorCode, ServerMessage};
use signaling::numbering::body;
use tokio::sync::{mpsc, oneshot};

/// Bytes handed to one connection that its socket has not accepted yet. The rest waits in the outbox.
pub(crate) const WINDOW: usize = 16 * 1024;
/// The window as long as all connections together stay within [`WRITING_BYTES`].
const WIDE_WINDOW: usize = 256 * 1024;
/// Bytes handed to all connections beyond [`WINDOW`]. When full, each connection has only [`WINDOW`], and a longer
/// frame waits.
pub(crate) const WRITING_BYTES: usize = 48 * 1024 * 1024;
/// Number of frames handed to one connection: as many short ones as fit into [`WIDE_WINDOW`].
const FRAMES: usize = WIDE_WINDOW / FRAME_OVERHEAD;
/// Memory of a frame besides its text, in bytes.
const FRAME_OVERHEAD: usize = 128;

/// The bytes handed to all connections beyond their windows. Shared by the hub and every connection.
pub(crate) type Budget = Arc<AtomicUsize>;

/// The hub's end.
#[derive(Debug)]
pub(crate) struct Line {
    frames: mpsc::Sender<Outgoing>,
    /// Cuts the connection even if its client reads nothing.
    cut: oneshot::Sender<ErrorCode>,
    writing: Arc<Writing>,
    budget: Budget,
}

/// The connection's end.
#[derive(Debug)]
pub(crate) struct Queue {
    pub(crate) frames: mpsc::Receiver<Outgoing>,
    pub(crate) cut: oneshot::Receiver<ErrorCode>,
    pub(crate) writing: Arc<Writing>,
}

/// An item of a connection's write queue.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Text(String, Charge),
    /// The last item: close with this code.
    Close(u16),
}

/// What one connection has been handed and its socket has not accepted.
#[derive(Debug, Default)]
pub(crate) struct Writing {
    bytes: AtomicUsize,
    /// Whether the hub has more to send.
    is_wanted: AtomicBool,
}

impl Writing {
    /// Whether the hub must be notified that there is room again. True once for each request.
    pub(crate) fn take_wanted(&self) -> bool {
        self.is_wanted.swap(false, Ordering::SeqCst)
    }
}

/// A frame's share of the window, returned when the frame has been written or dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    writing: Arc<Writing>,
    bytes: usize,
    budget: Option<Budget>,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.writing.bytes.fetch_sub(self.bytes, Ordering::SeqCst);
        if let Some(budget) = &self.budget {
            budget.fetch_sub(self.bytes, Ordering::SeqCst);
        }
    }
}

impl Line {
    /// Both ends.
    pub(crate) fn new(budget: Budget) -> (Line, Queue) {
        let (frames, queue) = mpsc::channel(FRAMES);
        let (cut, cut_off) = oneshot::channel();
        let writing = Arc::new(Writing::default());
        let line = Line { frames, cut, writing: Arc::clone(&writing), budget };
        (line, Queue { frames: queue, cut: cut_off, writing })
    }

    /// Whether a frame of this size may be handed over now. If not, the connection reports when there is room again.
    pub(crate) fn admits(&self, bytes: usize) -> bool {
        // Set the flag before checking, so that frames written in between are reported.
        self.writing.is_wanted.store(true, Ordering::SeqCst);
        let fits = self.frames.capacity() > FRAMES / 8 && (self.is_narrow(bytes) || self.is_wide(bytes));
        if fits {
            self.writing.is_wanted.store(false, Ordering::SeqCst);
        }
        fits
    }

    /// Whether the hub waits for the connection to report that there is room.
    pub(crate) fn is_waiting(&self) -> bool {
        self.writing.is_wanted.load(Ordering::SeqCst)
    }

    /// Hands over a frame, whether or not there is room.
    pub(crate) fn hand(&self, text: String) {
        let bytes = text.len() + FRAME_OVERHEAD;
        let budget = (!self.is_narrow(text.len())).then(|| Arc::clone(&self.budget));
        self.writing.bytes.fetch_add(bytes, Ordering::SeqCst);
        if let Some(budget) = &budget {
            budget.fetch_add(bytes, Ordering::SeqCst);
        }
        let charge = Charge { writing: Arc::clone(&self.writing), bytes, budget };
        // If the queue is closed, the connection is about to report its end to the hub. If it is full, no last message
        // fits.
        let _ = self.frames.try_send(Outgoing::Text(text, charge));
    }

    /// Sends a message without a sequence number.
    pub(crate) fn say(&self, message: &ServerMessage) {
        self.hand(body(message));
    }

    /// Closes the connection after everything that was handed over.
    pub(crate) fn close(self, code: u16) {
        if self.frames.try_send(Outgoing::Close(code)).is_err() {
            self.cut(ErrorCode::TooSlow);
        }
    }

    /// Cuts the connection immediately, with a `bye` if the socket still accepts it.
    pub(crate) fn cut(self, code: ErrorCode) {
        // If the connection has ended already, there is nothing to cut.
        let _ = self.cut.send(code);
    }

    fn is_narrow(&self, bytes: usize) -> bool {
        self.writing.bytes.load(Ordering::SeqCst) + bytes + FRAME_OVERHEAD <= WINDOW
    }

    fn is_wide(&self, bytes: usize) -> bool {
        let more = bytes + FRAME_OVERHEAD;
        self.writing.bytes.load(Ordering::SeqCst) + more <= WIDE_WINDOW
            && self.budget.load(Ordering::SeqCst) + more <= WRITING_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_receives_at_most_its_window() {
        let budget = Budget::default();
        let (line, mut queue) = Line::new(Arc::clone(&budget));
        let frame = "x".repeat(60_000);
        let mut handed = 0;
        while line.admits(frame.len()) {
            line.hand(frame.clone());
            handed += 1;
        }
        assert_eq!(handed, WIDE_WINDOW / frame.len());
        assert!(line.is_waiting() && queue.writing.take_wanted() && !queue.writing.take_wanted());
        assert!(budget.load(Ordering::SeqCst) <= handed * (frame.len() + FRAME_OVERHEAD));
        while let Ok(written) = queue.frames.try_recv() {
            drop(written);
        }
        assert_eq!(budget.load(Ordering::SeqCst), 0);
        assert!(line.admits(frame.len()));
    }

    #[test]
    fn each_connection_keeps_its_own_window_under_pressure() {
        let budget = Arc::new(AtomicUsize::new(WRITING_BYTES));
        let (line, queue) = Line::new(Arc::clone(&budget));
        assert!(!line.admits(60_000));
        let mut handed = 0;
        while line.admits(100) {
            line.hand("x".repeat(100));
            handed += 1;
        }
        assert!((32..=WINDOW / 100).contains(&handed), "{handed}");
        drop(queue);
        assert_eq!(budget.load(Ordering::SeqCst), WRITING_BYTES);
    }

    #[test]
    fn a_closed_connection_returns_its_unwritten_bytes() {
        let budget = Budget::default();
        let (line, queue) = Line::new(Arc::clone(&budget));
        line.hand("x".repeat(50_000));
        assert!(budget.load(Ordering::SeqCst) > 50_000);
        drop(queue);
        line.hand("x".repeat(50_000));
        assert_eq!(budget.load(Ordering::SeqCst), 0);
    }
}
