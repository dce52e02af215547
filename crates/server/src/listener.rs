//! Takes connections in, counts them, and sees them out when the server stops.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::admission::Admission;
use crate::connection::stopped;
use crate::http::{self, Front, Reached};

/// Longest time for a TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause after the system could not take a connection in, for example because every file handle is in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a stopping server waits for its connections to end.
const STOP_PATIENCE: Duration = Duration::from_secs(3);
/// The answer to a connection over its address's share, where it can be read.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A place among the connections, given back when dropped.
pub(crate) struct Ticket {
    ip: IpAddr,
    /// Unbounded, and never longer than there are connections.
    back: mpsc::UnboundedSender<IpAddr>,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // The listener is gone when the server has stopped: nobody counts any more.
        let _ = self.back.send(self.ip);
    }
}

/// Accepts until the server stops, then waits for the connections to end, for a while.
pub(crate) async fn run(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    front: Arc<Front>,
    mut admission: Admission,
    mut stopping: watch::Receiver<bool>,
) {
    let (back, mut returned) = mpsc::unbounded_channel();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if admission.enter(Instant::now(), peer.ip()) {
                        let ticket = Ticket { ip: peer.ip(), back: back.clone() };
                        tokio::spawn(take_in(stream, tls.clone(), Arc::clone(&front), ticket));
                    } else {
                        refuse(stream, peer, tls.is_some());
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ip) = returned.recv() => admission.leave(ip),
            () = stopped(&mut stopping) => break,
        }
    }
    drop(listener);
    drop(back);
    let ended = timeout(STOP_PATIENCE, async { while returned.recv().await.is_some() {} }).await;
    if ended.is_err() {
        tracing::warn!("some connections did not end in time");
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
