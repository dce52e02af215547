//! Measures how much of a message has arrived before it is complete: memory that a client occupies before the server
//! can know what the message is.
//!
//! ```text
//!            > FREE bytes                    a slot is free                  complete, or closed
//!  Small ─────────────────▶ Waiting for one ───────────────▶ Large (has a slot) ──────────────▶ Small
//!    └──────────────────────── > the longest message, with its frames' heads ────────────────▶ TooMuch
//! ```

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use signaling::limits::MAX_FRAME_BYTES;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

use crate::frames::Fragments;

/// Size of an unfinished message that every connection may have without a slot, in bytes.
pub(crate) const FREE: usize = 8 * 1024;
/// Size limit of a message with its frame headers, in bytes. Empty fragments count too.
const MOST: usize = MAX_FRAME_BYTES + FREE;
/// Bytes read at a time.
pub(crate) const READ_BYTES: usize = 4 * 1024;
/// Memory of a longer unfinished message: its fragments, in a buffer that grows by doubling, and the complete message
/// until the hub has taken it.
pub(crate) const SLOT_BYTES: usize = 3 * MAX_FRAME_BYTES;
/// Number of longer messages that may be unfinished at a time: for everybody, and in addition for proved members. When
/// no slot is free, a connection waits for one and reads nothing meanwhile. A slot is held at most a little longer
/// than [`MESSAGE_TIMEOUT`].
pub(crate) const SLOTS: usize = 160;
pub(crate) const MEMBER_SLOTS: usize = 96;
/// Longest time for the rest of a message longer than [`FREE`].
pub(crate) const MESSAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// Slots for everybody, and for proved members only.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    anybody: Arc<Semaphore>,
    members: Arc<Semaphore>,
}

impl Default for Slots {
    fn default() -> Slots {
        Slots { anybody: Arc::new(Semaphore::new(SLOTS)), members: Arc::new(Semaphore::new(MEMBER_SLOTS)) }
    }
}

/// The size of one connection's unfinished message. Shared by the stream and its reader.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    unfinished: AtomicUsize,
}

impl Meter {
    /// A message is complete.
    pub(crate) fn finished(&self) {
        self.unfinished.store(0, Ordering::Relaxed);
    }

    /// A frame of this many bytes did not belong to a message.
    pub(crate) fn discount(&self, bytes: usize) {
        let less = |unfinished: usize| Some(unfinished.saturating_sub(bytes));
        // The closure always returns a value.
        let _ = self.unfinished.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// More bytes have arrived than the longest message can have.
    pub(crate) fn is_too_much(&self) -> bool {
        self.unfinished.load(Ordering::Relaxed) > MOST
    }

    /// The unfinished message is longer than [`FREE`].
    pub(crate) fn is_large(&self) -> bool {
        self.unfinished.load(Ordering::Relaxed) > FREE
    }
}

type Acquire = Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>;

/// A stream that reads no more of a message than its meter allows, and that splits long frames into fragments.
pub(crate) struct Metered<S> {
    io: S,
    fragments: Fragments,
    /// Bytes that were read and not passed on yet.
    read: Box<[u8]>,
    handed: usize,
    filled: usize,
    meter: Arc<Meter>,
    slots: Slots,
    is_member: bool,
    slot: Option<OwnedSemaphorePermit>,
    waiting: Option<Acquire>,
}

impl<S> Metered<S> {
    pub(crate) fn new(io: S, slots: Slots) -> Metered<S> {
        Metered {
            io,
            fragments: Fragments::default(),
            read: vec![0; READ_BYTES].into(),
            handed: 0,
            filled: 0,
            meter: Arc::default(),
            slots,
            is_member: false,
            slot: None,
            waiting: None,
        }
    }

    pub(crate) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// The client has proved to be a member.
    pub(crate) fn prove_member(&mut self) {
        self.is_member = true;
    }

    fn poll_slot(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.slot.is_some() {
            return Poll::Ready(Ok(()));
        }
        let first = if self.is_member { &self.slots.members } else { &self.slots.anybody };
        if let Ok(slot) = Arc::clone(first).try_acquire_owned() {
            (self.slot, self.waiting) = (Some(slot), None);
            return Poll::Ready(Ok(()));
        }
        let slots = Arc::clone(&self.slots.anybody);
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(slots.acquire_owned()));
        let acquired = ready!(waiting.as_mut().poll(context));
        self.waiting = None;
        // The semaphore is never closed.
        self.slot = Some(acquired.map_err(io::Error::other)?);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.handed < this.filled || this.fragments.has_more() {
                let read = &this.read[this.handed..this.filled];
                let (used, put) = this.fragments.pass(read, buffer.initialize_unfilled());
                this.handed += used;
                buffer.advance(put);
                if put > 0 {
                    return Poll::Ready(Ok(()));
                }
            }
            ready!(this.poll_fill(context))?;
            if this.filled == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + Unpin> Metered<S> {
    /// Reads more bytes; none at the end of the stream.
    fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.meter.is_too_much() {
            return Poll::Ready(Err(io::Error::other("message too long")));
        }
        if self.meter.is_large() {
            ready!(self.poll_slot(context))?;
        } else {
            // Free the slot only now: the memory of the previous message was in use until it had been passed on.
            (self.slot, self.waiting) = (None, None);
        }
        let mut buffer = ReadBuf::new(&mut self.read);
        ready!(Pin::new(&mut self.io).poll_read(context, &mut buffer))?;
        (self.handed, self.filled) = (0, buffer.filled().len());
        self.meter.unfinished.fetch_add(self.filled, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;
    use tokio::time::timeout;

    const MOMENT: Duration = Duration::from_millis(50);

    async fn read_all(stream: &mut Metered<&[u8]>) -> io::Result<usize> {
        let mut total = 0;
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer).await? {
                0 => return Ok(total),
                read => total += read,
            }
        }
    }

    fn slots(anybody: usize, members: usize) -> Slots {
        Slots { anybody: Arc::new(Semaphore::new(anybody)), members: Arc::new(Semaphore::new(members)) }
    }

    #[tokio::test]
    async fn a_long_message_takes_a_slot_and_frees_it() {
        let bytes = vec![0; 60_000];
        let slots = slots(1, 1);
        let mut first = Metered::new(&bytes[..], slots.clone());
        assert_eq!(read_all(&mut first).await.unwrap(), bytes.len());
        let mut second = Metered::new(&bytes[..], slots.clone());
        assert!(timeout(MOMENT, read_all(&mut second)).await.is_err(), "waits");
        let mut member = Metered::new(&bytes[..], slots.clone());
        member.prove_member();
        assert_eq!(read_all(&mut member).await.unwrap(), bytes.len(), "has a slot of the members'");
        first.meter().finished();
        assert_eq!(first.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(read_all(&mut second).await.is_ok());
    }

    #[tokio::test]
    async fn an_oversized_message_is_not_read() {
        let bytes = vec![0; 2 * MOST];
        let mut stream = Metered::new(&bytes[..], Slots::default());
        assert!(read_all(&mut stream).await.is_err());
        assert!(stream.meter().is_too_much());
    }

    #[tokio::test]
    async fn consecutive_short_messages_need_no_slot() {
        let bytes = vec![0; 1024 * 1024];
        let mut stream = Metered::new(&bytes[..], slots(0, 0));
        let meter = stream.meter();
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).await.unwrap() > 0 {
            meter.discount(96);
            meter.finished();
        }
    }
}
