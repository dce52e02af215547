//! Holds back early handshakes.
//!
//! A browser that answers starts DTLS as soon as its own check of a pair has succeeded, a round trip before our agent
//! nominates that pair. The library drops earlier packets, and the browser retries only 50 ms later. So the sockets
//! hold such datagrams back until a pair is selected.

use futures_util::task::AtomicWaker;
use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// Most datagrams that a socket holds back; a first flight is one or two. When full, further ones are dropped, and the
/// sender retransmits them.
const KEPT: usize = 4;
/// Longest datagram to hold back, in bytes; handshake datagrams are shorter.
const LONGEST: usize = 2048;

/// Opens once, when a pair is selected.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    open: AtomicBool,
    /// One for each socket that was ever bound.
    sockets: Mutex<Vec<Arc<AtomicWaker>>>,
}

impl Gate {
    /// Releases the datagrams held back, and lets all later ones pass.
    pub(crate) fn open(&self) {
        if !self.open.swap(true, Ordering::AcqRel) {
            let sockets = std::mem::take(&mut *self.sockets.lock().unwrap_or_else(PoisonError::into_inner));
            sockets.iter().for_each(|waker| waker.wake());
        }
    }

    /// Wraps a socket with this gate.
    pub(crate) fn guard(self: &Arc<Self>, socket: Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket> {
        if self.open.load(Ordering::Acquire) {
            return socket;
        }
        let waker = Arc::new(AtomicWaker::new());
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner).push(waker.clone());
        Arc::new(Guarded { socket, gate: self.clone(), waker, kept: Mutex::default(), any: AtomicBool::new(false) })
    }
}

/// A socket with a gate.
#[derive(Debug)]
struct Guarded {
    socket: Arc<dyn AsyncUdpSocket>,
    gate: Arc<Gate>,
    waker: Arc<AtomicWaker>,
    kept: Mutex<VecDeque<(RecvMeta, Vec<u8>)>>,
    /// Whether anything is held back, to avoid the lock for every packet of a call.
    any: AtomicBool,
}

impl Guarded {
    fn keep(&self, meta: RecvMeta, data: &[u8]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT && data.len() <= LONGEST {
            kept.push_back((meta, data.to_vec()));
            self.any.store(true, Ordering::Release);
        }
    }

    fn take(&self) -> Option<(RecvMeta, Vec<u8>)> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = kept.pop_front();
        self.any.store(!kept.is_empty(), Ordering::Release);
        taken
    }
}

/// RFC 7983: the first byte of DTLS is 20 to 63.
fn is_dtls(data: &[u8]) -> bool {
    data.first().is_some_and(|first| (20..64).contains(first))
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
        if !self.gate.open.load(Ordering::Acquire) {
            self.waker.register(context.waker());
        }
        loop {
            let open = self.gate.open.load(Ordering::Acquire);
            if open
                && self.any.load(Ordering::Acquire)
                && let Some((kept, data)) = self.take()
                && let (Some(buffer), Some(meta)) = (buffers.first_mut(), meta.first_mut())
                && data.len() <= buffer.len()
            {
                buffer[..data.len()].copy_from_slice(&data);
                *meta = kept;
                return Poll::Ready(Ok(1));
            }
            // While closed, receive one message at a time, so that each can be held back or passed.
            let few = if open { buffers.len().min(meta.len()) } else { 1 };
            let outcome = self.socket.poll_recv(context, &mut buffers[..few], &mut meta[..few]);
            match (&outcome, buffers.first(), meta.first()) {
                (Poll::Ready(Ok(1)), Some(buffer), Some(meta)) if !open && is_dtls(buffer) => {
                    self.keep(*meta, &buffer[..meta.len.min(buffer.len())]);
                }
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
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};

    #[derive(Debug, Default)]
    struct Wire(Mutex<VecDeque<Vec<u8>>>);

    impl AsyncUdpSocket for Wire {
        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(SocketAddr::from(([127, 0, 0, 1], 1)))
        }

        fn poll_send(&self, _: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(transmit.contents.len()))
        }

        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            buffers: &mut [IoSliceMut<'_>],
            meta: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            let Some(data) = self.0.lock().unwrap().pop_front() else { return Poll::Pending };
            buffers[0][..data.len()].copy_from_slice(&data);
            (meta[0].len, meta[0].stride) = (data.len(), data.len());
            Poll::Ready(Ok(1))
        }
    }

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn receive(socket: &dyn AsyncUdpSocket, waker: &Waker) -> Option<Vec<u8>> {
        let (mut buffer, mut meta) = ([0u8; 64], [RecvMeta::default()]);
        let mut buffers = [IoSliceMut::new(&mut buffer)];
        match socket.poll_recv(&mut Context::from_waker(waker), &mut buffers, &mut meta) {
            Poll::Ready(outcome) => {
                assert_eq!(outcome.unwrap(), 1);
                Some(buffer[..meta[0].len].to_vec())
            }
            Poll::Pending => None,
        }
    }

    #[test]
    fn only_the_handshake_waits_for_the_path() {
        let (wire, gate, count) = (Arc::new(Wire::default()), Arc::new(Gate::default()), Arc::new(Count::default()));
        let (socket, waker) = (gate.guard(wire.clone()), Waker::from(count.clone()));
        wire.0.lock().unwrap().extend([vec![22, 1], vec![0, 1], vec![22, 2], vec![128, 3]]);
        assert_eq!(receive(&*socket, &waker), Some(vec![0, 1]), "STUN passes");
        assert_eq!(receive(&*socket, &waker), Some(vec![128, 3]), "media passes");
        assert_eq!(receive(&*socket, &waker), None);
        gate.open();
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "the reader is woken");
        wire.0.lock().unwrap().push_back(vec![22, 3]);
        for expected in [[22, 1], [22, 2], [22, 3]] {
            assert_eq!(receive(&*socket, &waker), Some(expected.to_vec()), "in order");
        }
        assert_eq!(receive(&*socket, &waker), None);
    }

    #[test]
    fn the_delayed_packets_are_bounded() {
        let (wire, gate) = (Arc::new(Wire::default()), Arc::new(Gate::default()));
        let (socket, waker) = (gate.guard(wire.clone()), Waker::from(Arc::new(Count::default())));
        wire.0.lock().unwrap().extend((0..3 * KEPT).map(|number| vec![22, number as u8]));
        assert_eq!(receive(&*socket, &waker), None);
        gate.open();
        assert_eq!(std::iter::from_fn(|| receive(&*socket, &waker)).count(), KEPT);
    }
}
