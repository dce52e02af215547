//! Accepts connections, counts them, and waits for them to end when the server stops.
//!
//! The first byte of a connection, and the first one inside TLS, tells what it is: TLS, HTTP, or TURN.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use relay::stream::begins_stun;
use relay::{Client, Transport};
use rooms::source::Source;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::admission::{Admission, Refused, Returned, Ticket};
use crate::connection::stopped;
use crate::figures::Figures;
use crate::http::{self, Front, Reached};
use crate::turn::Streams;

/// Longest time until the first byte of a connection, and until the first one inside TLS.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for a TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(5);
/// The first byte of a TLS connection: a handshake record (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 0x16;
/// Size of the buffer in which the first bytes inside TLS wait for whoever reads on. Longer reads bypass it.
const FIRST_BYTES: usize = 64;
/// Bytes of TURN that wait in the system, unsent, for one client. More would only add delay: what does not fit is
/// dropped.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 16 * 1024;
/// Bytes of TURN that TLS encrypts ahead of the socket.
const TLS_BUFFER: usize = 16 * 1024;
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

/// What connections of a port may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Serves {
    /// WebSockets, web pages, and TURN if this server has a relay.
    Everything,
    Turn,
}

/// The ports.
pub(crate) struct Listeners {
    listeners: Vec<(TcpListener, Serves)>,
    /// The one to ask first, so that a busy port does not keep others waiting.
    first: usize,
}

impl Listeners {
    pub(crate) fn new(listeners: Vec<(TcpListener, Serves)>) -> Listeners {
        Listeners { listeners, first: 0 }
    }

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr, Serves)> {
        let count = self.listeners.len();
        let Listeners { listeners, first } = self;
        poll_fn(|context| {
            for n in 0..count {
                let at = (*first + n) % count;
                let (listener, serves) = &listeners[at];
                if let Poll::Ready(accepted) = listener.poll_accept(context) {
                    *first = (at + 1) % count;
                    return Poll::Ready(accepted.map(|(stream, peer)| (stream, peer, *serves)));
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// What every connection may need.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) front: Arc<Front>,
    pub(crate) turn: Option<Streams>,
    pub(crate) figures: Figures,
}

/// Accepts connections until the server stops, then waits up to [`STOP_PATIENCE`] for them to end.
pub(crate) async fn run(
    mut listeners: Listeners,
    service: Service,
    admission: Admission,
    mut stopping: watch::Receiver<bool>,
) {
    let (back, mut returned) = mpsc::unbounded_channel();
    let mut doors = Doors { service, admission, back, waiting: VecDeque::new() };
    loop {
        tokio::select! {
            accepted = listeners.accept() => match accepted {
                Ok((stream, peer, serves)) => doors.arrived(Instant::now(), Arrival { stream, peer, serves }),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(what) = returned.recv() => doors.admission.take_back(Instant::now(), what),
            () = sleep(WAITING_PAUSE), if !doors.waiting.is_empty() => doors.try_again(Instant::now()),
            () = stopped(&mut stopping) => break,
        }
        doors.service.figures.connections.set(i64::try_from(doors.admission.open()).unwrap_or(i64::MAX));
    }
    drop(doors);
    drop(listeners);
    let ended = timeout(STOP_PATIENCE, async { while returned.recv().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!("some connections did not end in time");
    }
}

/// Accepts and refuses connections.
struct Doors {
    service: Service,
    admission: Admission,
    back: mpsc::UnboundedSender<Returned>,
    /// In order of arrival, at most [`MAX_WAITING`].
    waiting: VecDeque<(Instant, Arrival)>,
}

/// A new connection.
struct Arrival {
    stream: TcpStream,
    peer: SocketAddr,
    serves: Serves,
}

impl Doors {
    fn arrived(&mut self, now: Instant, arrival: Arrival) {
        match self.admission.enter(now, arrival.peer.ip()) {
            Ok(sources) => self.take_in(arrival, sources),
            Err(Refused::ForNow) if self.waiting.len() < MAX_WAITING => self.waiting.push_back((now, arrival)),
            Err(Refused::ForNow | Refused::Full) => self.refuse(arrival),
        }
    }

    fn try_again(&mut self, now: Instant) {
        for _ in 0..self.waiting.len() {
            let Some((since, arrival)) = self.waiting.pop_front() else { return };
            match self.admission.enter(now, arrival.peer.ip()) {
                Ok(sources) => self.take_in(arrival, sources),
                Err(Refused::ForNow) if now.duration_since(since) < WAITING_PATIENCE => {
                    self.waiting.push_back((since, arrival));
                }
                Err(Refused::ForNow | Refused::Full) => self.refuse(arrival),
            }
        }
    }

    fn take_in(&self, arrival: Arrival, sources: Vec<Source>) {
        tokio::spawn(take_in(arrival, self.service.clone(), Ticket::new(sources, self.back.clone())));
    }

    fn refuse(&self, Arrival { mut stream, peer, serves }: Arrival) {
        tracing::debug!(%peer, "too many connections");
        self.service.figures.connections_refused.inc();
        if self.service.tls.is_none() && serves == Serves::Everything {
            // The socket buffer is empty, so this write does not block.
            tokio::spawn(async move {
                let _ = timeout(ACCEPT_PAUSE, stream.write_all(TOO_MANY)).await;
            });
        }
    }
}

/// Finds out what a connection is, and serves it.
async fn take_in(Arrival { stream, peer, serves }: Arrival, service: Service, ticket: Ticket) {
    // Each message is one write, so collecting more data would only add latency.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    // Nor does waiting longer and longer before a lost message is sent again, as long as there are few of them.
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(&stream).set_tcp_thin_linear_timeouts(true) {
        tracing::debug!(%error, "cannot set TCP_THIN_LINEAR_TIMEOUTS");
    }
    let Ok(local) = stream.local_addr() else { return };
    let mut first = [0];
    let Ok(Ok(1..)) = timeout(FIRST_BYTE_TIMEOUT, stream.peek(&mut first)).await else {
        return tracing::debug!("a connection sent nothing");
    };
    let connection = Connection { peer, local, serves, encrypted: false };
    match &service.tls {
        Some(tls) if first[0] == TLS_HANDSHAKE => {
            let Some((stream, first)) = decrypt(stream, tls).await else { return };
            serve(stream, first, Connection { encrypted: true, ..connection }, service, ticket).await;
        }
        Some(_) | None => serve(stream, first[0], connection, service, ticket).await,
    }
}

/// Where a connection is from, and how it arrived.
struct Connection {
    peer: SocketAddr,
    local: SocketAddr,
    serves: Serves,
    encrypted: bool,
}

/// Returns the first byte inside TLS too, which is still to be read.
async fn decrypt(stream: TcpStream, tls: &TlsAcceptor) -> Option<(BufReader<TlsStream<TcpStream>>, u8)> {
    let stream = match timeout(TLS_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, "TLS handshake failed");
            return None;
        }
        Err(_) => {
            tracing::debug!("TLS handshake timed out");
            return None;
        }
    };
    let mut stream = BufReader::with_capacity(FIRST_BYTES, stream);
    let first = match timeout(FIRST_BYTE_TIMEOUT, stream.fill_buf()).await {
        Ok(Ok(bytes)) => bytes.first().copied(),
        Ok(Err(_)) | Err(_) => None,
    };
    if first.is_none() {
        tracing::debug!("a connection sent nothing inside TLS");
    }
    Some((stream, first?))
}

async fn serve<S: Stream>(stream: S, first: u8, connection: Connection, service: Service, ticket: Ticket) {
    let Connection { peer, local, serves, encrypted } = connection;
    let Service { tls, front, turn, .. } = service;
    if begins_stun(first) {
        let Some(turn) = turn else { return tracing::debug!("this server has no relay for a TURN client") };
        let mut stream = stream;
        stream.bound_unsent();
        let transport = if encrypted { Transport::Tls } else { Transport::Tcp };
        let [remote, local] = [peer, local].map(|addr| SocketAddr::new(addr.ip().to_canonical(), addr.port()));
        let client = Client { transport, remote, local };
        let mut stopping = front.context.stopping.clone();
        turn.carry(stream, client, ticket, stopped(&mut stopping)).await;
    } else if serves == Serves::Everything && encrypted == tls.is_some() {
        http::serve(stream, front, Reached { local, encrypted }, Arc::new(ticket)).await;
    } else {
        tracing::debug!("a connection is neither TLS nor TURN");
    }
}

/// A connection, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    /// Bounds what waits below this stream until the network accepts it.
    fn bound_unsent(&mut self);
}

impl Stream for TcpStream {
    fn bound_unsent(&mut self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = socket2::SockRef::from(&*self).set_tcp_notsent_lowat(UNSENT) {
            tracing::debug!(%error, "cannot set TCP_NOTSENT_LOWAT");
        }
    }
}

impl Stream for BufReader<TlsStream<TcpStream>> {
    fn bound_unsent(&mut self) {
        let (stream, tls) = self.get_mut().get_mut();
        stream.bound_unsent();
        tls.set_buffer_limit(Some(TLS_BUFFER));
    }
}
