//! Messages to a STUN or TURN server, as datagrams or as frames of a stream.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use outbound::Stream;
use relay::request::{Request, Response, is_message};
use relay::stream::{Framer, frames};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

use crate::examination::Outcome;

/// The largest datagram that we receive.
const MAX_DATAGRAM: usize = 2_048;
/// First interval at which a request is sent again over UDP, RFC 8489 section 6.2.1. It doubles.
const RESEND: Duration = Duration::from_millis(500);

/// A connection to a server.
pub(super) enum Channel {
    Udp(UdpSocket),
    Stream { stream: Box<dyn Stream>, framer: Framer, waiting: VecDeque<Vec<u8>> },
}

impl Channel {
    /// A UDP socket for one server.
    pub(super) async fn udp(server: SocketAddr) -> io::Result<Channel> {
        let socket = UdpSocket::bind(any(server)).await?;
        socket.connect(server).await?;
        Ok(Channel::Udp(socket))
    }

    pub(super) fn stream(stream: Box<dyn Stream>) -> Channel {
        Channel::Stream { stream, framer: Framer::new(), waiting: VecDeque::new() }
    }

    pub(super) async fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Channel::Udp(socket) => socket.send(message).await.map(|_| ()),
            Channel::Stream { stream, .. } => {
                stream.write_all(message).await?;
                stream.flush().await
            }
        }
    }

    /// Receives one message. Can be cancelled without a loss.
    pub(super) async fn receive(&mut self) -> io::Result<Vec<u8>> {
        match self {
            Channel::Udp(socket) => {
                let mut buffer = vec![0; MAX_DATAGRAM];
                let length = socket.recv(&mut buffer).await?;
                buffer.truncate(length);
                Ok(buffer)
            }
            Channel::Stream { stream, framer, waiting } => loop {
                if let Some(frame) = waiting.pop_front() {
                    return Ok(frame);
                }
                let count = stream.read(framer.space()).await?;
                if count == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let invalid = |_| io::Error::from(io::ErrorKind::InvalidData);
                framer.filled(std::time::Instant::now(), count).map_err(invalid)?;
                if let Some(whole) = framer.take() {
                    waiting.extend(frames(&whole).map(<[u8]>::to_vec));
                }
            },
        }
    }

    /// Sends a request until it is answered; over UDP again and again. `reached` becomes `Garbage` if something else
    /// than STUN arrives.
    ///
    /// # Errors
    /// What the failure of the connection means.
    pub(super) async fn ask(&mut self, request: &Request, reached: &mut Outcome) -> Result<Response, Outcome> {
        let is_udp = matches!(self, Channel::Udp(_));
        let mut interval = RESEND;
        loop {
            self.send(request.bytes()).await.map_err(|error| fault(&error))?;
            let next = Instant::now() + interval;
            interval *= 2;
            loop {
                tokio::select! {
                    received = self.receive() => {
                        let received = received.map_err(|error| fault(&error))?;
                        if let Some(response) = request.response(&received) {
                            return Ok(response);
                        }
                        if !is_message(&received) && *reached != Outcome::Allocated {
                            *reached = Outcome::Garbage;
                        }
                    }
                    () = sleep_until(next), if is_udp => break,
                }
            }
        }
    }
}

/// The unspecified address of the same family.
pub(super) fn any(server: SocketAddr) -> SocketAddr {
    match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

/// What an error of a connection that was open means.
pub(super) fn fault(error: &io::Error) -> Outcome {
    match error.kind() {
        // Over UDP, an ICMP message that the port is closed.
        io::ErrorKind::ConnectionRefused => Outcome::Closed,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::PermissionDenied => {
            Outcome::Unreachable
        }
        io::ErrorKind::InvalidData => Outcome::Garbage,
        _ => Outcome::Mute,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    #[tokio::test]
    async fn rubbish_on_a_stream_is_recognised_and_half_a_frame_is_not_an_answer() {
        let (ours, mut theirs) = duplex(1024);
        let mut channel = Channel::stream(Box::new(ours));
        theirs.write_all(&[0xff; 64]).await.expect("it is open");
        let failed = channel.ask(&Request::binding([1; 12]), &mut Outcome::Mute).await;
        assert_eq!(failed, Err(Outcome::Garbage));
        let (ours, mut theirs) = duplex(1024);
        let mut channel = Channel::stream(Box::new(ours));
        theirs.write_all(&Request::binding([1; 12]).bytes()[..10]).await.expect("it is open");
        drop(theirs);
        assert_eq!(channel.ask(&Request::binding([1; 12]), &mut Outcome::Mute).await, Err(Outcome::Mute));
    }

    #[tokio::test]
    async fn a_closed_udp_port_is_recognised() {
        let mut channel = Channel::udp(testkit::loopback::address()).await.expect("a socket");
        let failed = channel.ask(&Request::binding([1; 12]), &mut Outcome::Silent).await;
        assert_eq!(failed, Err(Outcome::Closed));
    }
}
