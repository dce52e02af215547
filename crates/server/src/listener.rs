//! Takes connections in, counts them, and sees them out when the server stops.

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
/// Pause after the system could not take a connection in, for example because every file handle is in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that wait because too many came at once from where they come, before anything is read from them: a
/// school's members all have one address, and who they are is known a moment later. When full, they are refused.
const MAX_WAITING: usize = 1_024;
/// How long one waits before it is refused.
const WAITING_PATIENCE: Duration = Duration::from_secs(20);
/// How often those who wait are tried again.
const WAITING_PAUSE: Duration = Duration::from_millis(20);
/// How long a stopping server waits for its connections to end.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// The answer to a connection over its address's share, where it can be read.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Accepts until the server stops, then waits for the connections to end, for a while.
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

/// Where connections come in.
struct Doors {
    tls: Option<TlsAcceptor>,
    front: Arc<Front>,
    admission: Admission,
    back: mpsc::UnboundedSender<Returned>,
    /// Earliest first, at most [`MAX_WAITING`].
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
    // Each message is written in one go: waiting for more would only delay it.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let Ok(local) = stream.local_addr() else { return };
    let reached = Reached { local, encrypted: tls.is_some() };
    let ticket = Arc::new(ticket);
    match tls {
        None => http::serve(stream, front, reached, ticket).await,
        Some(tls) => match timeout(TLS_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => http::serve(stream, front, reached, ticket).await,
            Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        },
    }
}

fn refuse(mut stream: TcpStream, peer: SocketAddr, encrypted: bool) {
    tracing::debug!(%peer, "too many connections");
    if !encrypted {
        // One attempt on an empty socket buffer: it never waits.
        tokio::spawn(async move {
            let _ = timeout(ACCEPT_PAUSE, stream.write_all(TOO_MANY)).await;
        });
    }
}
