//! A socket of the library that reaches some servers over streams.

use super::address::{is_stream_address, server_of};
use super::link::{Datagram, Link};
use super::streams::Streams;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;
use tokio::sync::mpsc;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// Datagrams of all streams of a socket that wait for the driver. When full, the streams are not read.
const INCOMING: usize = 256;

/// Wraps a socket, so that it can send to the servers.
pub(crate) fn attach(streams: &Arc<Streams>, socket: Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket> {
    if streams.count() == 0 { socket } else { Arc::new(StreamSocket::new(socket, streams.clone())) }
}

/// See the module documentation.
#[derive(Debug)]
struct StreamSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    streams: Arc<Streams>,
    /// The streams of this socket, by server.
    links: Mutex<Vec<Option<Arc<Link>>>>,
    incoming: mpsc::Sender<Datagram>,
    received: Mutex<mpsc::Receiver<Datagram>>,
}

impl StreamSocket {
    fn new(socket: Arc<dyn AsyncUdpSocket>, streams: Arc<Streams>) -> StreamSocket {
        let (incoming, received) = mpsc::channel(INCOMING);
        let links = Mutex::new(vec![None; streams.count()]);
        StreamSocket { socket, streams, links, incoming, received: Mutex::new(received) }
    }

    fn send(&self, server: usize, at: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let mut links = locked(&self.links);
        let link = links.get_mut(server).ok_or(io::ErrorKind::AddrNotAvailable)?;
        if link.is_none() {
            *link = self.streams.open(server, at, self.incoming.clone());
        }
        // The library stops gathering over a server to which it cannot send.
        link.as_ref().ok_or(io::ErrorKind::AddrNotAvailable)?.push(Instant::now(), datagram)
    }

    fn receive(&self, context: &mut Context<'_>, buffer: &mut IoSliceMut<'_>, meta: &mut RecvMeta) -> Poll<()> {
        loop {
            match locked(&self.received).poll_recv(context) {
                // A longer one than the library ever reads from a network is dropped.
                Poll::Ready(Some((_, datagram))) if datagram.len() > buffer.len() => {}
                Poll::Ready(Some((from, datagram))) => {
                    buffer[..datagram.len()].copy_from_slice(&datagram);
                    *meta = RecvMeta::default();
                    (meta.addr, meta.len, meta.stride) = (from, datagram.len(), datagram.len());
                    return Poll::Ready(());
                }
                // Never `None`: the socket has a sender itself.
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}

impl Drop for StreamSocket {
    fn drop(&mut self) {
        locked(&self.links).iter().flatten().for_each(|link| link.close());
    }
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl AsyncUdpSocket for StreamSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let Some(server) = server_of(transmit.destination) else { return self.socket.poll_send(context, transmit) };
        let segment = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        for datagram in transmit.contents.chunks(segment) {
            if let Err(error) = self.send(server, transmit.destination, datagram) {
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(transmit.contents.len()))
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if let (Some(buffer), Some(meta)) = (buffers.first_mut(), meta.first_mut())
            && self.receive(context, buffer, meta).is_ready()
        {
            return Poll::Ready(Ok(1));
        }
        let outcome = self.socket.poll_recv(context, buffers, meta);
        if let Poll::Ready(Ok(count)) = outcome {
            // Nobody on a network may pass for a stream. The library ignores an empty datagram.
            let forged = meta.iter_mut().take(count).filter(|meta| is_stream_address(meta.addr));
            forged.for_each(|meta| (meta.len, meta.stride) = (0, 0));
        }
        outcome
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }
}
