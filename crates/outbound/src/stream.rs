//! The layers of a connection: TCP and TLS.

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A connection, plain or encrypted, direct or through a proxy.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Bytes that the system's buffer holds beyond those on their way. What waits longer waits in the caller's queue, where
/// it can be dropped.
#[cfg(target_os = "linux")]
const NOT_SENT: u32 = 16 * 1024;

/// After this time a second attempt is made beside the first. The system repeats a lost SYN only after a second (RFC 6298
/// section 2).
const SECOND_ATTEMPT: Duration = Duration::from_millis(300);

/// A TCP connection that sends small packets immediately.
///
/// # Errors
/// Those of `connect`.
pub async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = twice(SECOND_ATTEMPT, || TcpStream::connect(address)).await?;
    // Without these, packets are only late.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    {
        let socket = socket2::SockRef::from(&stream);
        let _ = socket.set_tcp_notsent_lowat(NOT_SENT);
        // A few small messages are on their way at a time: waiting twice as long after each loss spares nobody, and
        // takes seconds in a network that loses many packets.
        let _ = socket.set_tcp_thin_linear_timeouts(true);
    }
    Ok(stream)
}

/// Makes an attempt, and another one if the first takes longer than `after`. The first success wins, and otherwise the last
/// error.
async fn twice<T, F: Future<Output = io::Result<T>>>(after: Duration, attempt: impl Fn() -> F) -> io::Result<T> {
    let mut first = pin!(attempt());
    if let Ok(outcome) = tokio::time::timeout(after, &mut first).await {
        return outcome;
    }
    let mut second = pin!(attempt());
    tokio::select! {
        outcome = &mut first => match outcome {
            Ok(stream) => Ok(stream),
            Err(_) => second.await,
        },
        outcome = &mut second => match outcome {
            Ok(stream) => Ok(stream),
            Err(_) => first.await,
        },
    }
}

/// Adds TLS to a connection. A trailing dot of the host is not part of the certificate's name.
///
/// # Errors
/// `InvalidInput` if the host is not a name that a certificate can have; otherwise those of the handshake, see
/// [`crate::TlsFailure::of`].
pub async fn encrypt<S: Stream>(
    config: Arc<ClientConfig>,
    host: &str,
    stream: S,
) -> io::Result<tokio_rustls::client::TlsStream<S>> {
    let name = host.strip_suffix('.').unwrap_or(host).to_owned();
    let name = ServerName::try_from(name).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    TlsConnector::from(config).connect(name, stream).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::time::Instant;

    const MS: Duration = Duration::from_millis(1);

    /// Runs attempts that end after these times. Returns the outcome, its time, and the number of attempts.
    async fn run(outcomes: [(Duration, io::Result<u8>); 2]) -> (io::Result<u8>, Duration, usize) {
        let (start, begun) = (Instant::now(), AtomicUsize::new(0));
        let outcome = twice(300 * MS, || {
            let (after, outcome) = &outcomes[begun.fetch_add(1, Ordering::Relaxed)];
            let outcome = outcome.as_ref().map_err(io::Error::kind).copied();
            async move {
                tokio::time::sleep(*after).await;
                outcome.map_err(Into::into)
            }
        });
        (outcome.await, start.elapsed(), begun.into_inner())
    }

    fn refused<T>() -> io::Result<T> {
        Err(io::ErrorKind::ConnectionRefused.into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_syn_costs_little() {
        let (outcome, time, attempts) = run([(1_050 * MS, Ok(1)), (50 * MS, Ok(2))]).await;
        assert_eq!((outcome.ok(), attempts), (Some(2), 2));
        assert!(time < 360 * MS, "{time:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_answer_needs_no_second_attempt() {
        assert!(matches!(run([(200 * MS, Ok(1)), (MS, Ok(2))]).await, (Ok(1), _, 1)));
        let (outcome, _, attempts) = run([(200 * MS, refused()), (MS, Ok(2))]).await;
        assert_eq!(
            (outcome.map_err(|error| error.kind()), attempts),
            (refused().map_err(|error: io::Error| error.kind()), 1)
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_other_attempt_counts_if_one_fails() {
        assert!(matches!(run([(900 * MS, Ok(1)), (50 * MS, refused())]).await, (Ok(1), _, 2)));
        assert!(matches!(run([(400 * MS, refused()), (500 * MS, Ok(2))]).await, (Ok(2), _, 2)));
        let (outcome, _, _) = run([(400 * MS, refused()), (500 * MS, refused())]).await;
        assert_eq!(outcome.map_err(|error| error.kind()), Err(io::ErrorKind::ConnectionRefused));
    }
}
