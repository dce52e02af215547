//! Connects to a host, directly or through a proxy, with or without TLS.

use crate::first::{Failed, first_of};
use crate::proxy::{Proxy, ProxyError};
use crate::stream::{Stream, encrypt, tcp};
use rustls::ClientConfig;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Where a connection leads.
#[derive(Debug, Clone)]
pub struct Destination {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS, with the name `host`; `None` for a plain connection.
    pub tls: Option<Arc<ClientConfig>>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The name was not resolved, or no address accepts connections.
    #[error("it cannot be reached: {0}")]
    Unreachable(io::Error),
    /// The TLS handshake failed.
    #[error("the TLS handshake failed: {0}")]
    Tls(io::Error),
    /// The proxy does not connect us.
    #[error(transparent)]
    Proxy(#[from] ProxyError),
    /// It took too long.
    #[error("it does not answer in time")]
    Timeout,
}

/// Connects to a host within this time, through the proxy if there is one.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect_within(
    time: Duration,
    to: &Destination,
    proxy: Option<&Proxy>,
) -> Result<Box<dyn Stream>, ConnectError> {
    tokio::time::timeout(time, connect(to, proxy)).await.unwrap_or(Err(ConnectError::Timeout))
}

/// The addresses of a host, in the order of the resolver.
///
/// # Errors
/// The name was not resolved.
pub async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((host, port)).await?.collect())
}

async fn connect(to: &Destination, proxy: Option<&Proxy>) -> Result<Box<dyn Stream>, ConnectError> {
    let (host, port) = proxy.map_or((to.host.as_str(), to.port), |proxy| (proxy.host(), proxy.port()));
    let addresses = resolve(host, port).await.map_err(ConnectError::Unreachable)?;
    let reached = first_of(addresses, |address, _| async move { tcp(address).await.map_err(Failed::Unreached) });
    let nothing = || io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    let stream = match (reached.await, proxy) {
        (Ok(stream), Some(proxy)) => proxy.tunnel(stream, &to.host, to.port).await?,
        (Ok(stream), None) => Box::new(stream),
        (Err(_), Some(_)) => return Err(ProxyError::Unreachable.into()),
        (Err(error), None) => return Err(ConnectError::Unreachable(error.unwrap_or_else(nothing))),
    };
    match &to.tls {
        Some(config) => Ok(Box::new(encrypt(config.clone(), &to.host, stream).await.map_err(ConnectError::Tls)?)),
        None => Ok(stream),
    }
}
