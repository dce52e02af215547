//! The task that carries datagrams over one stream.
//!
//! ```text
//!  connecting ──opened──▶ carrying ──the socket is dropped──▶ the rest is written ──▶ closed
//!      │                     │ the stream breaks
//!      ▼                     ▼
//!   failed: the socket    lost: the connection is notified
//!   refuses datagrams
//! ```

use super::connector::{Connector, StreamServer};
use super::framing::{self, Deframer};
use super::link::{Datagram, Filter, Link};
use crate::handler::DriverEvent;
use outbound::Stream;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// Longest wait for the server's first message. The library sends a request immediately, so a server that speaks TURN
/// answers within a round trip.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// Longest time in which the rest is written, for example the release of the allocation.
const LINGER: Duration = Duration::from_secs(1);
/// Bytes that are written at once. What waits longer stays in the queue, where it can be dropped.
const BATCH: usize = 8 * 1024;

/// See the module documentation.
pub(super) struct Carrier {
    pub(super) server: StreamServer,
    pub(super) connector: Connector,
    pub(super) link: Arc<Link>,
    /// Datagrams for the socket, from this address. When full, the stream is not read.
    pub(super) incoming: mpsc::Sender<Datagram>,
    pub(super) at: SocketAddr,
    /// Sent to `events` if the stream breaks.
    pub(super) lost: DriverEvent,
    pub(super) events: mpsc::Sender<DriverEvent>,
}

impl Carrier {
    pub(super) async fn run(self) {
        let opened = tokio::select! {
            opened = self.connector.open(&self.server) => opened,
            () = self.link.closed() => return,
        };
        let Some(stream) = opened else { return self.link.fail() };
        if let Err(error) = self.carry(stream).await
            && !self.link.is_ending()
        {
            tracing::debug!("a stream to a TURN server over {} broke: {error}", self.server.transport);
            // The task has ended if this fails.
            let _ = self.events.send(self.lost).await;
        }
    }

    /// Returns `Ok` when the socket was dropped.
    async fn carry(&self, stream: Box<dyn Stream>) -> io::Result<()> {
        let (reader, writer) = tokio::io::split(stream);
        tokio::select! {
            outcome = self.read(reader) => outcome,
            outcome = self.write(writer) => outcome,
            () = self.abandoned() => Ok(()),
        }
    }

    async fn abandoned(&self) {
        self.link.closed().await;
        tokio::time::sleep(LINGER).await;
    }

    async fn read(&self, mut reader: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut deframer = Deframer::default();
        let mut buffer = vec![0; 16 * 1024];
        let mut has_answered = false;
        let deadline = tokio::time::Instant::now() + FIRST_ANSWER;
        loop {
            let reading = reader.read(&mut buffer);
            let count = if has_answered {
                reading.await?
            } else {
                let first = tokio::time::timeout_at(deadline, reading).await;
                first.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??
            };
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            deframer.push(&buffer[..count]);
            while let Some(datagram) = deframer.next().map_err(io::Error::other)? {
                has_answered = true;
                if self.incoming.send((self.at, datagram.to_vec())).await.is_err() {
                    return Ok(());
                }
            }
        }
    }

    async fn write(&self, mut writer: impl AsyncWrite + Unpin) -> io::Result<()> {
        let mut filter = Filter::default();
        let mut batch = Vec::new();
        loop {
            // Read before the queue is emptied: nothing is pushed after it.
            let is_closed = self.link.is_closed();
            while batch.len() < BATCH
                && let Some((waited, datagram)) = self.link.pop(Instant::now())
            {
                if filter.admits(waited, &datagram) {
                    if framing::is_release(&datagram) {
                        self.link.release();
                    }
                    framing::write(&datagram, &mut batch);
                }
            }
            if !batch.is_empty() {
                writer.write_all(&batch).await?;
                // With TLS, written is not sent.
                writer.flush().await?;
                batch.clear();
            } else if is_closed {
                return writer.shutdown().await;
            } else {
                self.link.ready().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::address;
    use super::*;
    use crate::relay_transport::RelayTransport;
    use outbound::Proxies;
    use tokio::io::duplex;
    use tokio::net::TcpListener;

    const REQUEST: [u8; 20] = [0, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    const ANSWER: [u8; 20] = [1, 3, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

    fn carrier(port: u16) -> (Carrier, mpsc::Receiver<Datagram>, mpsc::Receiver<DriverEvent>) {
        let (incoming, received) = mpsc::channel(4);
        let (events, happened) = mpsc::channel(4);
        let carrier = Carrier {
            server: StreamServer { host: "127.0.0.1".into(), port, transport: RelayTransport::Tcp },
            connector: Connector { fingerprint: None, proxies: Proxies::Direct },
            link: Link::new(),
            incoming,
            at: address::addresses(0)[0],
            lost: DriverEvent::RelayLost { server: 0 },
            events,
        };
        (carrier, received, happened)
    }

    #[tokio::test]
    async fn datagrams_pass_and_the_last_ones_too_when_the_socket_is_dropped() {
        let (carrier, mut received, _happened) = carrier(0);
        let (ours, mut server) = duplex(4096);
        let link = carrier.link.clone();
        link.push(Instant::now(), &REQUEST).unwrap();
        let at = carrier.at;
        let task = tokio::spawn(async move { carrier.carry(Box::new(ours)).await });
        let mut request = [0; 20];
        server.read_exact(&mut request).await.unwrap();
        assert_eq!(request, REQUEST);
        server.write_all(&ANSWER).await.unwrap();
        assert_eq!(received.recv().await, Some((at, ANSWER.to_vec())));
        link.push(Instant::now(), &[0x40, 0, 0, 1, 9]).unwrap();
        link.close();
        let mut rest = Vec::new();
        server.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, [0x40, 0, 0, 1, 9, 0, 0, 0]);
        task.await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_trickles_half_a_message_is_given_up() {
        let (carrier, _received, _happened) = carrier(0);
        let (ours, mut server) = duplex(4096);
        let start = tokio::time::Instant::now();
        let task = tokio::spawn(async move { carrier.carry(Box::new(ours)).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.write_all(&ANSWER[..3]).await.unwrap();
        assert_eq!(task.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(start.elapsed(), FIRST_ANSWER);
    }

    #[tokio::test]
    async fn a_broken_stream_is_reported_and_rubbish_breaks_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (carrier, _received, mut happened) = carrier(listener.local_addr().unwrap().port());
        tokio::spawn(carrier.run());
        let (mut server, _) = listener.accept().await.unwrap();
        server.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        assert!(matches!(happened.recv().await, Some(DriverEvent::RelayLost { server: 0 })));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_fails_the_link() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (carrier, _received, mut happened) = carrier(listener.local_addr().unwrap().port());
        drop(listener);
        let link = carrier.link.clone();
        carrier.run().await;
        assert!(link.push(Instant::now(), &REQUEST).is_err());
        assert!(happened.recv().await.is_none(), "nothing was lost");
    }
}
