//! The relay's ends of all streams.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use relay::Client;

use super::stream::{OUT_BYTES, Outlet, StreamId};

/// Bytes for all clients of one turn. At this number they are handed over immediately.
const TURN_BYTES: usize = 1 << 20;

/// All open streams, as many as there are places for.
#[derive(Default)]
pub(super) struct Outlets {
    outlets: HashMap<StreamId, Outlet>,
    by_client: HashMap<Client, StreamId>,
    /// Streams with pending frames, each once.
    pending: Vec<StreamId>,
    pending_bytes: usize,
}

impl Outlets {
    /// Adds a stream. Returns the stream that had the same 5-tuple before, if it has not been closed.
    pub(super) fn open(&mut self, id: StreamId, outlet: Outlet) -> Option<Outlet> {
        let before = self.by_client.insert(outlet.client, id);
        self.outlets.insert(id, outlet);
        self.outlets.remove(&before?)
    }

    /// Removes a stream, which ends it.
    pub(super) fn close(&mut self, id: StreamId) -> Option<Outlet> {
        let outlet = self.outlets.remove(&id)?;
        if self.by_client.get(&outlet.client) == Some(&id) {
            self.by_client.remove(&outlet.client);
        }
        outlet.credit.close();
        Some(outlet)
    }

    /// The stream of a client.
    pub(super) fn of(&self, client: &Client) -> Option<StreamId> {
        self.by_client.get(client).copied()
    }

    pub(super) fn get_mut(&mut self, id: StreamId) -> Option<&mut Outlet> {
        self.outlets.get_mut(&id)
    }

    /// Adds a frame for a client, or drops it if the client accepts too little.
    pub(super) fn push(&mut self, client: &Client, frame: &[u8]) {
        let Some(id) = self.of(client) else { return };
        let Some(outlet) = self.outlets.get_mut(&id) else { return };
        let waiting = outlet.queued.load(Ordering::SeqCst) + outlet.pending.len();
        if waiting + frame.len() > OUT_BYTES {
            return tracing::trace!("a TURN client accepts too little: a frame is dropped");
        }
        if outlet.pending.is_empty() {
            self.pending.push(id);
        }
        outlet.pending.extend_from_slice(frame);
        self.pending_bytes += frame.len();
    }

    pub(super) fn is_full(&self) -> bool {
        self.pending_bytes >= TURN_BYTES
    }

    /// Hands the pending frames to the tasks of their streams.
    pub(super) fn flush(&mut self) {
        self.pending_bytes = 0;
        for id in self.pending.drain(..) {
            let Some(outlet) = self.outlets.get_mut(&id) else { continue };
            let mut batch = std::mem::take(&mut outlet.pending);
            batch.shrink_to_fit();
            let bytes = batch.len();
            outlet.queued.fetch_add(bytes, Ordering::SeqCst);
            if outlet.frames.try_send(batch).is_err() {
                outlet.queued.fetch_sub(bytes, Ordering::SeqCst);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::stream::BATCHES_OUT;
    use relay::Transport;
    use std::sync::Arc;
    use tokio::sync::{Semaphore, mpsc};

    fn client(port: u16) -> Client {
        let remote = ([192, 0, 2, 1], port).into();
        Client { transport: Transport::Tcp, remote, local: ([11, 0, 0, 1], 3478).into() }
    }

    fn outlet(client: Client) -> (Outlet, mpsc::Receiver<Vec<u8>>) {
        let (frames, queue) = mpsc::channel(BATCHES_OUT);
        let credit = Arc::new(Semaphore::new(1));
        (Outlet { client, frames, queued: Arc::default(), credit, ticket: None, pending: Vec::new() }, queue)
    }

    #[test]
    fn a_slow_client_loses_the_newest_frames_and_another_client_none() {
        let mut outlets = Outlets::default();
        let [(slow, mut slow_queue), (fast, mut fast_queue)] = [outlet(client(1)), outlet(client(2))];
        outlets.open(StreamId(0), slow);
        outlets.open(StreamId(1), fast);
        let mut received = 0;
        for n in 0..100_u8 {
            outlets.push(&client(1), &[n; 1_000]);
            outlets.push(&client(2), &[n; 1_000]);
            outlets.flush();
            while let Ok(batch) = fast_queue.try_recv() {
                received += batch.len();
                let fast = outlets.get_mut(StreamId(1)).unwrap();
                fast.queued.fetch_sub(batch.len(), Ordering::SeqCst);
            }
        }
        assert_eq!(received, 100_000);
        let kept: Vec<u8> = std::iter::from_fn(|| slow_queue.try_recv().ok()).map(|batch| batch[0]).collect();
        assert_eq!(kept, (0..(OUT_BYTES / 1_000) as u8).collect::<Vec<_>>());
    }

    #[test]
    fn small_batches_are_bounded_by_their_number() {
        let mut outlets = Outlets::default();
        let (slow, mut queue) = outlet(client(1));
        outlets.open(StreamId(0), slow);
        for _ in 0..200 {
            outlets.push(&client(1), &[1; 4]);
            outlets.flush();
        }
        assert_eq!(std::iter::from_fn(|| queue.try_recv().ok()).count(), BATCHES_OUT);
        assert_eq!(outlets.get_mut(StreamId(0)).unwrap().queued.load(Ordering::SeqCst), 4 * BATCHES_OUT);
    }

    #[test]
    fn a_5_tuple_that_is_used_once_more_belongs_to_the_newer_stream() {
        let mut outlets = Outlets::default();
        let [(old, _old_queue), (new, mut new_queue)] = [outlet(client(1)), outlet(client(1))];
        assert!(outlets.open(StreamId(0), old).is_none());
        assert!(outlets.open(StreamId(1), new).is_some());
        assert!(outlets.close(StreamId(0)).is_none());
        outlets.push(&client(1), b"data");
        outlets.flush();
        assert_eq!(new_queue.try_recv().unwrap(), b"data");
        assert!(outlets.close(StreamId(1)).is_some());
        assert_eq!(outlets.of(&client(1)), None);
    }
}
