//! Accepts connections, counts them, and waits for them to end when the server stops.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::admission::{Admission, Refused, Returned, Ticket};
use crate::connection::stopped;
use crate::http::{self, Front, Reached};

/// Longest time for a TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after a failed accept, for example when every file descriptor is in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that wait, unread, because too many arrived at once from their source: all members at a school share one
/// address, and it takes a moment to tell who they are. When full, further ones are refused.
const MAX_WAITING: usize = 1_024;
/// Longest time that a connection waits before it is refused.
const WAITING_PATIENCE: Duration = Duration::from_secs(20);
/// How often waiting connections are tried again.
const WAITING_PAUSE: Duration = Duration::from_millis(20);
/// How long a stopping server waits for its connections to end.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// The answer to a refused connection, if it is not encrypted.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Accepts connections until the server stops, then waits up to [`STOP_PATIENCE`] for them to end.
pub(crate) async fn run(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    front: Arc<Front>,
    admission: Admission,
    mut stopping: watch::Receiver<bool>,
) {
    let (back, mut returned) = mpsc::unbounded_channel();
    let mut doors = Doors { tls, front, admission, back, waiting: VecDeque::new() };
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => doors.arrived(Instant::now(), stream, peer),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(what) = returned.recv() => doors.admission.take_back(Instant::now(), what),
            () = sleep(WAITING_PAUSE), if !doors.waiting.is_empty() => doors.try_again(Instant::now()),
            () = stopped(&mut stopping) => break,
        }
    }
    drop(doors);
    drop(listener);
    let ended = timeout(STOP_PATIENCE, async { while returned.recv().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}

/// Accepts and refuses connections.
struct Doors {
    tls: Option<TlsAcceptor>,
    front: Arc<Front>,
    admission: Admission,
    back: mpsc::UnboundedSender<Returned>,
    /// In order of arrival, at most [`MAX_WAITING`].
    waiting: VecDeque<(Instant, TcpStream, SocketAddr)>,
}

impl Doors {
    fn arrived(&mut self, now: Instant, stream: TcpStream, peer: SocketAddr) {
        match self.admission.enter(now, peer.ip()) {
            Ok(sources) => self.take_in(stream, Ticket::new(sources, self.back.clone())),
            Err(Refused::ForNow) if self.waiting.len() < MAX_WAITING => self.waiting.push_back((now, stream, peer)),
            Err(Refused::ForNow | Refused::Full) => refuse(stream, peer, self.tls.is_some()),
        }
    }

    fn try_again(&mut self, now: Instant) {
        for _ in 0..self.waiting.len() {
            let Some((since, stream, peer)) = self.waiting.pop_front() else { return };
            match self.admission.enter(now, peer.ip()) {
                Ok(sources) => self.take_in(stream, Ticket::new(sources, self.back.clone())),
                Err(Refused::ForNow) if now.duration_since(since) < WAITING_PATIENCE => {
                    self.waiting.push_back((since, stream, peer));
                }
                Err(Refused::ForNow | Refused::Full) => refuse(stream, peer, self.tls.is_some()),
            }
        }
    }

    fn take_in(&self, stream: TcpStream, ticket: Ticket) {
        tokio::spawn(take_in(stream, self.tls.clone(), Arc::clone(&self.front), ticket));
    }
}

async fn take_in(stream: TcpStream, tls: Option<TlsAcceptor>, front: Arc<Front>, ticket: Ticket) {
    // Each message is one write, so collecting more data would only add latency.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    let Ok(local) = stream.local_addr() else { return };
    let reached = Reached { local, encrypted: tls.is_some() };
    let ticket = Arc::new(ticket);
    match tls {
        None => http::serve(stream, front, reached, ticket).await,
        Some(tls) => match timeout(TLS_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => http::serve(stream, front, reached, ticket).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake timed out"),
        },
    }
}

fn refuse(mut stream: TcpStream, peer: SocketAddr, encrypted: bool) {
    tracing::debug!(%peer, "too many connections");
    if !encrypted {
        // The socket buffer is empty, so this write does not block.
        tokio::spawn(async move {
            let _ = timeout(ACCEPT_PAUSE, stream.write_all(TOO_MANY)).await;
        });
    }
}
