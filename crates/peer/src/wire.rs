//! A network of one socket, for tests of the sockets that wrap others.

use std::collections::VecDeque;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// The far side's address.
const FAR: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7);

/// Keeps what is sent, and delivers what the test gives it.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    sent: Mutex<Vec<Vec<u8>>>,
    incoming: Mutex<VecDeque<Vec<u8>>>,
}

impl Wire {
    /// What has been sent.
    pub(crate) fn sent(&self) -> Vec<Vec<u8>> {
        self.sent.lock().unwrap().clone()
    }

    /// Lets a datagram arrive from the far side.
    pub(crate) fn deliver(&self, datagram: Vec<u8>) {
        self.incoming.lock().unwrap().push_back(datagram);
    }
}

impl AsyncUdpSocket for Wire {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 1)))
    }

    fn poll_send(&self, _: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.sent.lock().unwrap().push(transmit.contents.to_vec());
        Poll::Ready(Ok(transmit.contents.len()))
    }

    fn poll_recv(
        &self,
        _: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let Some(data) = self.incoming.lock().unwrap().pop_front() else { return Poll::Pending };
        buffers[0][..data.len()].copy_from_slice(&data);
        (meta[0].addr, meta[0].len, meta[0].stride) = (FAR, data.len(), data.len());
        Poll::Ready(Ok(1))
    }
}

/// Sends a datagram to the far side.
pub(crate) fn send(socket: &dyn AsyncUdpSocket, contents: &[u8]) {
    let transmit = Transmit { destination: FAR, ecn: None, contents, segment_size: None, src_ip: None };
    assert!(socket.poll_send(&mut Context::from_waker(Waker::noop()), &transmit).is_ready());
}

/// What the socket's reader receives. Empty for a datagram that a wrapper held back.
pub(crate) fn receive(socket: &dyn AsyncUdpSocket) -> Option<Vec<u8>> {
    receive_with(socket, Waker::noop())
}

/// As [`receive`], for a reader with this waker.
pub(crate) fn receive_with(socket: &dyn AsyncUdpSocket, waker: &Waker) -> Option<Vec<u8>> {
    let (mut buffer, mut meta) = ([0u8; 256], [RecvMeta::default()]);
    let mut buffers = [IoSliceMut::new(&mut buffer)];
    let outcome = socket.poll_recv(&mut Context::from_waker(waker), &mut buffers, &mut meta);
    outcome.is_ready().then(|| buffer[..meta[0].len].to_vec())
}
