//! Holds back early handshakes and media.
//!
//! A browser that answers starts DTLS as soon as its own check of a pair has succeeded, a round trip before our agent
//! nominates that pair. The library drops earlier packets, and the browser retries only 50 ms later. So the sockets
//! hold such datagrams back until a pair is selected. The far side sends media together with its last flight. The library
//! drops it if it has not derived the keys yet, which would cost the first picture, so the sockets hold it back, too.

use futures_util::task::AtomicWaker;
use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// Most handshake datagrams that a socket holds back; a first flight is one or two. When full, further ones are dropped,
/// and the sender retransmits them.
const KEPT: usize = 4;
/// Most media datagrams: those of a first picture. When full, further ones are dropped, and requested again.
const KEPT_MEDIA: usize = 64;
/// Longest datagram to hold back, in bytes; those of handshakes and media are shorter.
const LONGEST: usize = 2048;

/// What passes: at first neither handshakes nor media, with a path handshakes, and with a connection all.
///
/// ```text
/// WAITING --a pair is selected--> PATH --keys are there--> CONNECTED
/// ```
const WAITING: u8 = 0;
const PATH: u8 = 1;
const CONNECTED: u8 = 2;

/// Opens in two steps, when a pair is selected and when the handshake is complete.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    stage: AtomicU8,
    /// One for each socket that was ever bound.
    sockets: Mutex<Vec<Arc<AtomicWaker>>>,
}

impl Gate {
    /// Releases the handshakes held back, and lets all later ones pass.
    pub(crate) fn open(&self) {
        if self.stage.fetch_max(PATH, Ordering::AcqRel) == WAITING {
            locked(&self.sockets).iter().for_each(|waker| waker.wake());
        }
    }

    /// Releases the media held back, and lets everything pass.
    pub(crate) fn connect(&self) {
        if self.stage.swap(CONNECTED, Ordering::AcqRel) != CONNECTED {
            std::mem::take(&mut *locked(&self.sockets)).iter().for_each(|waker| waker.wake());
        }
    }

    /// Wraps a socket with this gate.
    pub(crate) fn guard(self: &Arc<Self>, socket: Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket> {
        if self.stage() == CONNECTED {
            return socket;
        }
        let waker = Arc::new(AtomicWaker::new());
        locked(&self.sockets).push(waker.clone());
        Arc::new(Guarded { socket, gate: self.clone(), waker, kept: Mutex::default(), any: AtomicBool::new(false) })
    }

    fn stage(&self) -> u8 {
        self.stage.load(Ordering::Acquire)
    }
}

/// A socket with a gate.
#[derive(Debug)]
struct Guarded {
    socket: Arc<dyn AsyncUdpSocket>,
    gate: Arc<Gate>,
    waker: Arc<AtomicWaker>,
    kept: Mutex<Kept>,
    /// Whether anything is held back, to avoid the lock for every packet of a call.
    any: AtomicBool,
}

/// The datagrams held back, in the order in which they came.
#[derive(Debug, Default)]
struct Kept {
    handshake: VecDeque<(RecvMeta, Vec<u8>)>,
    media: VecDeque<(RecvMeta, Vec<u8>)>,
}

impl Guarded {
    /// Holds a datagram back, if this stage does not let it pass.
    fn keep(&self, stage: u8, meta: RecvMeta, data: &[u8]) -> bool {
        let mut kept = locked(&self.kept);
        let (queue, most) = match (is_dtls(data), is_media(data)) {
            (true, _) if stage == WAITING => (&mut kept.handshake, KEPT),
            (_, true) if stage != CONNECTED => (&mut kept.media, KEPT_MEDIA),
            _ => return false,
        };
        if queue.len() < most && data.len() <= LONGEST {
            queue.push_back((meta, data.to_vec()));
            self.any.store(true, Ordering::Release);
        }
        true
    }

    fn take(&self, stage: u8) -> Option<(RecvMeta, Vec<u8>)> {
        if stage == WAITING {
            return None;
        }
        let mut kept = locked(&self.kept);
        let taken = kept.handshake.pop_front();
        let taken = taken.or_else(|| kept.media.pop_front_if(|_| stage == CONNECTED));
        self.any.store(!kept.handshake.is_empty() || !kept.media.is_empty(), Ordering::Release);
        taken
    }
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// RFC 7983: the first byte of DTLS is 20 to 63.
fn is_dtls(data: &[u8]) -> bool {
    data.first().is_some_and(|first| (20..64).contains(first))
}

/// RFC 7983: the first byte of RTP and RTCP is 128 to 191. Media in channel data of TURN counts as well.
fn is_media(data: &[u8]) -> bool {
    let is_media = |data: &[u8]| data.first().is_some_and(|first| (128..192).contains(first));
    is_media(data) || crate::stun::channel_data(data).is_some_and(|(_, data)| is_media(data))
}

impl AsyncUdpSocket for Guarded {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.socket.poll_send(context, transmit)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if self.gate.stage() != CONNECTED {
            self.waker.register(context.waker());
        }
        loop {
            let stage = self.gate.stage();
            if self.any.load(Ordering::Acquire)
                && let Some((kept, data)) = self.take(stage)
                && let (Some(buffer), Some(meta)) = (buffers.first_mut(), meta.first_mut())
                && data.len() <= buffer.len()
            {
                buffer[..data.len()].copy_from_slice(&data);
                *meta = kept;
                return Poll::Ready(Ok(1));
            }
            // Before, receive one message at a time, so that each can be held back or passed.
            let few = if stage == CONNECTED { buffers.len().min(meta.len()) } else { 1 };
            let outcome = self.socket.poll_recv(context, &mut buffers[..few], &mut meta[..few]);
            match (&outcome, buffers.first(), meta.first()) {
                (Poll::Ready(Ok(1)), Some(buffer), Some(meta))
                    if stage != CONNECTED && self.keep(stage, *meta, &buffer[..meta.len.min(buffer.len())]) => {}
                _ => return outcome,
            }
        }
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Wire, receive_with};
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn only_the_handshake_waits_for_the_path() {
        let (wire, gate, count) = (Arc::new(Wire::default()), Arc::new(Gate::default()), Arc::new(Count::default()));
        let (socket, waker) = (gate.guard(wire.clone()), Waker::from(count.clone()));
        [vec![22, 1], vec![0, 1], vec![22, 2], vec![128, 3]].into_iter().for_each(|data| wire.deliver(data));
        assert_eq!(receive_with(&*socket, &waker), Some(vec![0, 1]), "STUN passes");
        assert_eq!(receive_with(&*socket, &waker), None);
        gate.open();
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "the reader is woken");
        wire.deliver(vec![22, 3]);
        for expected in [[22, 1], [22, 2], [22, 3]] {
            assert_eq!(receive_with(&*socket, &waker), Some(expected.to_vec()), "in order");
        }
        assert_eq!(receive_with(&*socket, &waker), None);
    }

    #[test]
    fn media_waits_for_the_keys() {
        let (wire, gate, count) = (Arc::new(Wire::default()), Arc::new(Gate::default()), Arc::new(Count::default()));
        let (socket, waker) = (gate.guard(wire.clone()), Waker::from(count.clone()));
        [vec![128, 1], vec![22, 1]].into_iter().for_each(|data| wire.deliver(data));
        assert_eq!(receive_with(&*socket, &waker), None);
        gate.open();
        [vec![0x40, 0, 0, 1, 129], vec![22, 2], vec![191, 3]].into_iter().for_each(|data| wire.deliver(data));
        assert_eq!(receive_with(&*socket, &waker), Some(vec![22, 1]));
        assert_eq!(receive_with(&*socket, &waker), Some(vec![22, 2]));
        assert_eq!(receive_with(&*socket, &waker), None);
        let woken = count.0.load(Ordering::Relaxed);
        gate.connect();
        assert_eq!(count.0.load(Ordering::Relaxed), woken + 1, "the reader is woken");
        wire.deliver(vec![130, 4]);
        for expected in [vec![128, 1], vec![0x40, 0, 0, 1, 129], vec![191, 3], vec![130, 4]] {
            assert_eq!(receive_with(&*socket, &waker), Some(expected), "in order");
        }
        assert_eq!(receive_with(&*socket, &waker), None);
    }

    #[test]
    fn the_delayed_packets_are_bounded() {
        let (wire, gate) = (Arc::new(Wire::default()), Arc::new(Gate::default()));
        let (socket, waker) = (gate.guard(wire.clone()), Waker::from(Arc::new(Count::default())));
        (0..3 * KEPT).map(|number| vec![22, number as u8]).for_each(|data| wire.deliver(data));
        assert_eq!(receive_with(&*socket, &waker), None);
        gate.open();
        assert_eq!(std::iter::from_fn(|| receive_with(&*socket, &waker)).count(), KEPT);
        (0..3 * KEPT_MEDIA).map(|number| vec![128, number as u8]).for_each(|data| wire.deliver(data));
        assert_eq!(receive_with(&*socket, &waker), None);
        gate.connect();
        assert_eq!(std::iter::from_fn(|| receive_with(&*socket, &waker)).count(), KEPT_MEDIA);
    }
}
