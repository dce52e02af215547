//! Carries the frames of one client's stream to the relay's thread, and frames for the client back.
//!
//! Each stream has a task of its own. A client that is slow, or sends half a frame, delays only its own task.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use mio::Waker;
use relay::Client;
use relay::limits::{MAX_IDLE_STREAMS, MAX_STREAM_FRAME_BYTES};
use relay::stream::Framer;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep_until, timeout};

use crate::admission::Ticket;

/// Streams that have just been closed by the relay and whose tasks have not ended yet. When there are this many, further
/// streams are refused.
const ENDING: usize = 50;
/// Batches of frames of one stream on their way to the relay's thread. With the next one, the stream waits and reads
/// nothing meanwhile.
const BATCHES_IN: usize = 1;
/// Messages of one stream to the relay's thread: that it has opened, its frames, and that it has closed.
const MESSAGES: usize = 2 + BATCHES_IN;
/// Bytes on their way to one client: 0.1 s of a good video stream. The newest frames over it are dropped, as a full
/// router would.
pub(super) const OUT_BYTES: usize = 32 * 1024;
/// Batches of frames on their way to one client. The newest frames over it are dropped.
pub(super) const BATCHES_OUT: usize = 64;
/// Longest time that a client may take to accept a batch of frames before its stream is closed.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for the end of TLS.
const ENDING_TIMEOUT: Duration = Duration::from_secs(1);
/// Batches for a client are joined up to this many bytes, so that many small ones cost one write and one TLS record.
const WRITE_BYTES: usize = 8 * 1024;
/// The most memory that one stream uses, in bytes: unfinished frames, a batch on its way to the relay's thread, those on
/// their way back, the joined ones while they grow, and the task.
pub(crate) const STREAM_BYTES: usize =
    (1 + BATCHES_IN) * MAX_STREAM_FRAME_BYTES + OUT_BYTES + 2 * WRITE_BYTES + 4 * 1024;

/// Number of streams for a number of allocations, with those that have no allocation (yet).
pub(crate) fn streams_for(allocations: usize) -> usize {
    allocations.saturating_add(MAX_IDLE_STREAMS + ENDING)
}

/// Messages that all streams together can have on their way. The queue for them has as many places, so it is never full.
pub(super) fn messages_for(allocations: usize) -> usize {
    MESSAGES * streams_for(allocations)
}

/// A stream, numbered from the start of the server. Its 5-tuple may be used by a later stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct StreamId(pub(super) u64);

/// A message of a stream to the relay's thread.
pub(super) enum Message {
    Opened(StreamId, Box<Outlet>),
    /// Whole frames, one after another.
    Frames(StreamId, Vec<u8>),
    Closed(StreamId),
}

/// The relay's end of a stream.
pub(super) struct Outlet {
    pub(super) client: Client,
    /// Closing it ends the stream.
    pub(super) frames: mpsc::Sender<Vec<u8>>,
    /// Bytes in `frames`, and in the batch that is being written.
    pub(super) queued: Arc<AtomicUsize>,
    /// Batches that the stream may hand over.
    pub(super) credit: Arc<Semaphore>,
    /// Counts the stream against its source until it has an allocation.
    pub(super) ticket: Option<Ticket>,
    /// Frames of this turn.
    pub(super) pending: Vec<u8>,
}

/// Connects streams to the relay's thread.
#[derive(Clone)]
pub(crate) struct Streams {
    messages: SyncSender<Message>,
    waker: Arc<Waker>,
    /// Whether the relay's thread has been woken and has not looked at the messages yet.
    pub(super) woken: Arc<AtomicBool>,
    places: Arc<Semaphore>,
    next: Arc<AtomicU64>,
}

impl Streams {
    pub(super) fn new(messages: SyncSender<Message>, waker: Arc<Waker>, allocations: usize) -> Streams {
        let places = Arc::new(Semaphore::new(streams_for(allocations).min(Semaphore::MAX_PERMITS)));
        Streams { messages, waker, woken: Arc::default(), places, next: Arc::default() }
    }

    /// Carries frames until the client or the relay closes the stream, or the server has `stopped`.
    pub(crate) async fn carry<S>(&self, io: S, client: Client, ticket: Ticket, stopped: impl Future<Output = ()>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let Ok(_place) = self.places.try_acquire() else {
            tracing::debug!("too many TURN streams");
            return;
        };
        let id = StreamId(self.next.fetch_add(1, Ordering::Relaxed));
        let (frames, queue) = mpsc::channel(BATCHES_OUT);
        let (queued, credit) = (Arc::<AtomicUsize>::default(), Arc::new(Semaphore::new(BATCHES_IN)));
        let (written, granted) = (Arc::clone(&queued), Arc::clone(&credit));
        let outlet = Outlet { client, frames, queued, credit, ticket: Some(ticket), pending: Vec::new() };
        // Notifies the relay of the end whenever this task ends, also by a panic.
        let open = Registration { streams: self, id };
        self.send(Message::Opened(id, Box::new(outlet)));
        let (mut reader, mut writer) = split(io);
        tokio::select! {
            () = self.receive(id, &mut reader, &granted) => {}
            () = transmit(&mut writer, queue, &written) => {}
            () = stopped => {}
        }
        // Before the socket is closed: its port may be used again then.
        drop(open);
        let _ = timeout(ENDING_TIMEOUT, writer.shutdown()).await;
    }

    /// Hands whole frames to the relay until the stream ends, breaks, or takes too long for one frame.
    async fn receive<R: AsyncRead + Unpin>(&self, id: StreamId, reader: &mut R, credit: &Semaphore) {
        let mut framer = Framer::new();
        loop {
            let deadline = framer.poll_timeout();
            let read = reader.read(framer.space());
            let count = match deadline {
                None => read.await,
                Some(at) => tokio::select! {
                    read = read => read,
                    () = sleep_until(at.into()) => return tracing::debug!("a TURN client sent half a frame"),
                },
            };
            let (Ok(count @ 1..), now) = (count, Instant::now()) else { return };
            let result = framer.filled(now, count);
            if let Some(frames) = framer.take() {
                // The relay closes it with the stream.
                let Ok(permit) = credit.acquire().await else { return };
                permit.forget();
                self.send(Message::Frames(id, frames));
            }
            if let Err(broken) = result {
                return tracing::debug!(?broken, "a TURN client's stream is broken");
            }
        }
    }

    fn send(&self, message: Message) {
        // The queue has a place for every message of every stream. If the relay has ended, it needs none.
        if self.messages.try_send(message).is_ok()
            && !self.woken.swap(true, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            tracing::error!(%error, "cannot wake the relay");
        }
    }
}

/// A stream that the relay knows. Dropping it reports the end of the stream.
struct Registration<'a> {
    streams: &'a Streams,
    id: StreamId,
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        self.streams.send(Message::Closed(self.id));
    }
}

/// Writes frames to the client until the relay closes the stream or the client accepts nothing.
async fn transmit<W: AsyncWrite + Unpin>(writer: &mut W, mut queue: mpsc::Receiver<Vec<u8>>, queued: &AtomicUsize) {
    let mut next = None;
    loop {
        let first = match next.take() {
            Some(batch) => Some(batch),
            None => queue.recv().await,
        };
        let Some(mut batch) = first else { return };
        while let Ok(more) = queue.try_recv() {
            if batch.len() + more.len() > WRITE_BYTES {
                next = Some(more);
                break;
            }
            batch.extend_from_slice(&more);
        }
        let write = async {
            writer.write_all(&batch).await?;
            writer.flush().await
        };
        let written = timeout(WRITE_TIMEOUT, write).await;
        queued.fetch_sub(batch.len(), Ordering::SeqCst);
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return tracing::debug!(%error, "cannot write to a TURN client"),
            Err(_) => return tracing::debug!("a TURN client accepts nothing"),
        }
    }
}
