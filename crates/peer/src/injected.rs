//! Datagrams that a socket makes itself. Its reader receives them as if they had come from the network.

use futures_util::task::AtomicWaker;
use std::collections::VecDeque;
use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Context;
use webrtc::runtime::RecvMeta;

/// Most datagrams that wait for the reader. When full, further ones are dropped: what they replace is then done by the
/// network, which takes longer.
const MAX_WAITING: usize = 8;

/// The datagrams that wait for a socket's reader.
#[derive(Debug, Default)]
pub(crate) struct Injected {
    waiting: Mutex<VecDeque<(SocketAddr, Vec<u8>)>>,
    /// Whether there are any, so that packets of a call take no lock.
    any: AtomicBool,
    reader: AtomicWaker,
}

impl Injected {
    /// Passes a datagram to the reader, as if it came from this address.
    pub(crate) fn push(&self, from: SocketAddr, datagram: Vec<u8>) {
        let mut waiting = self.locked();
        if waiting.len() < MAX_WAITING {
            waiting.push_back((from, datagram));
            self.any.store(true, Ordering::Release);
        }
        drop(waiting);
        self.reader.wake();
    }

    /// Receives the next datagram into the first buffer. Returns false if there is none; the reader is then woken by the
    /// next one.
    pub(crate) fn receive(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> bool {
        self.reader.register(context.waker());
        if !self.any.load(Ordering::Acquire) {
            return false;
        }
        let mut waiting = self.locked();
        let next = waiting.pop_front();
        self.any.store(!waiting.is_empty(), Ordering::Release);
        drop(waiting);
        let (Some((from, datagram)), Some(buffer), Some(meta)) = (next, buffers.first_mut(), meta.first_mut()) else {
            return false;
        };
        let Some(place) = buffer.get_mut(..datagram.len()) else { return false };
        place.copy_from_slice(&datagram);
        *meta = RecvMeta::default();
        (meta.addr, meta.len, meta.stride) = (from, datagram.len(), datagram.len());
        true
    }

    fn locked(&self) -> MutexGuard<'_, VecDeque<(SocketAddr, Vec<u8>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn datagrams_are_received_in_order_and_bounded() {
        let (injected, from) = (Injected::default(), SocketAddr::from(([192, 0, 2, 1], 7)));
        (0..3 * MAX_WAITING).for_each(|number| injected.push(from, vec![number as u8]));
        let (mut buffer, mut meta) = ([0; 4], [RecvMeta::default()]);
        let mut context = Context::from_waker(Waker::noop());
        for number in 0..MAX_WAITING {
            assert!(injected.receive(&mut context, &mut [IoSliceMut::new(&mut buffer)], &mut meta));
            assert_eq!((meta[0].addr, meta[0].len, buffer[0]), (from, 1, number as u8));
        }
        assert!(!injected.receive(&mut context, &mut [IoSliceMut::new(&mut buffer)], &mut meta));
    }
}
