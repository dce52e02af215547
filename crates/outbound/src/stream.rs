//! The layers of a connection: TCP and TLS.

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
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

/// A TCP connection that sends small packets immediately.
///
/// # Errors
/// Those of `connect`.
pub async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // Without these, packets are only late.
    let _ = stream.set_nodelay(true);
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(NOT_SENT);
    Ok(stream)
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
