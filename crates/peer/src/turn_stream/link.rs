//! The queue from a socket to the task that carries its datagrams.

use super::framing::{Kind, TransactionId, kind};
use crossbeam_queue::ArrayQueue;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Datagrams that wait for the stream. When full, the oldest is dropped: media that is late is of no use, and requests
/// are sent again.
const QUEUE: usize = 128;
/// Data that has waited longer is dropped, so that a stream that is slow for a while adds no more delay than this. The
/// sender's estimate sees the delay and the loss, as on any path.
const MAX_AGE: Duration = Duration::from_millis(250);
/// Transaction ids that are remembered. A stream loses nothing, so a request that was written once is not written again
/// (RFC 8489 section 6.2.2).
const WRITTEN: usize = 32;

/// A datagram from a stream, and the address that stands for its server.
pub(super) type Datagram = (SocketAddr, Vec<u8>);

/// The queue of one stream.
#[derive(Debug)]
pub(super) struct Link {
    queue: ArrayQueue<(Instant, Vec<u8>)>,
    ready: Notify,
    closed: AtomicBool,
    closing: Notify,
    failed: AtomicBool,
    released: AtomicBool,
}

impl Link {
    pub(super) fn new() -> Arc<Link> {
        Arc::new(Link {
            queue: ArrayQueue::new(QUEUE),
            ready: Notify::new(),
            closed: AtomicBool::new(false),
            closing: Notify::new(),
            failed: AtomicBool::new(false),
            released: AtomicBool::new(false),
        })
    }

    /// Adds a datagram.
    ///
    /// # Errors
    /// No stream could be opened.
    pub(super) fn push(&self, now: Instant, datagram: &[u8]) -> io::Result<()> {
        if self.failed.load(Ordering::Acquire) {
            return Err(io::ErrorKind::NotConnected.into());
        }
        self.queue.force_push((now, datagram.to_vec()));
        self.ready.notify_one();
        Ok(())
    }

    /// The oldest datagram, and how long it has waited.
    pub(super) fn pop(&self, now: Instant) -> Option<(Duration, Vec<u8>)> {
        self.queue.pop().map(|(at, datagram)| (now.saturating_duration_since(at), datagram))
    }

    /// Waits until something was pushed, or the link was closed.
    pub(super) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// No stream could be opened.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// The allocation was released, so the server may close the stream.
    pub(super) fn release(&self) {
        self.released.store(true, Ordering::Release);
    }

    /// Whether the end of the stream is expected.
    pub(super) fn is_ending(&self) -> bool {
        self.is_closed() || self.released.load(Ordering::Acquire)
    }

    /// Nothing more will be pushed.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.ready.notify_one();
        self.closing.notify_one();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits for [`Link::close`].
    pub(super) async fn closed(&self) {
        self.closing.notified().await;
    }
}

/// Decides what of the queue is written.
#[derive(Debug, Default)]
pub(super) struct Filter {
    written: VecDeque<TransactionId>,
}

impl Filter {
    /// Whether to write a datagram that has waited for this long.
    pub(super) fn admits(&mut self, waited: Duration, datagram: &[u8]) -> bool {
        match kind(datagram) {
            Kind::Request(id) if self.written.contains(&id) => false,
            Kind::Request(id) => {
                if self.written.len() == WRITTEN {
                    self.written.pop_front();
                }
                self.written.push_back(id);
                true
            }
            Kind::Data => waited <= MAX_AGE,
            Kind::Unknown => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: u8) -> Vec<u8> {
        [&[0, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[id; 12]].concat()
    }

    const DATA: [u8; 5] = [0x40, 0, 0, 1, 9];

    #[test]
    fn a_full_queue_drops_the_oldest() {
        let (link, now) = (Link::new(), Instant::now());
        (0..QUEUE + 3).for_each(|n| link.push(now, &[n as u8]).unwrap());
        let left: Vec<u8> = std::iter::from_fn(|| link.pop(now)).map(|(_, datagram)| datagram[0]).collect();
        assert_eq!((left.len(), left[0]), (QUEUE, 3));
    }

    #[test]
    fn late_data_is_dropped_and_late_requests_are_not() {
        let mut filter = Filter::default();
        let late = MAX_AGE + Duration::from_millis(1);
        assert!(filter.admits(MAX_AGE, &DATA) && !filter.admits(late, &DATA));
        assert!(filter.admits(late, &request(1)));
    }

    #[test]
    fn a_request_is_written_once() {
        let mut filter = Filter::default();
        assert!(filter.admits(Duration::ZERO, &request(1)) && !filter.admits(Duration::ZERO, &request(1)));
        for id in 2..=u8::try_from(WRITTEN).unwrap() + 1 {
            assert!(filter.admits(Duration::ZERO, &request(id)));
        }
        assert_eq!(filter.written.len(), WRITTEN);
    }

    #[test]
    fn a_link_that_failed_takes_nothing() {
        let link = Link::new();
        link.push(Instant::now(), &DATA).unwrap();
        link.fail();
        assert!(link.push(Instant::now(), &DATA).is_err());
    }
}
