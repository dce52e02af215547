//! Opens streams to TURN servers.

use crate::relay_transport::RelayTransport;
use outbound::{Destination, Proxies, Stream};
use std::time::Duration;

/// Longest time until a stream is open: the lookup of its name, TCP, the proxy and TLS.
const CONNECT: Duration = Duration::from_secs(8);

/// A TURN server that is reached over a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamServer {
    /// A name or an IP address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Never UDP.
    pub(crate) transport: RelayTransport,
}

/// How streams are opened.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    /// SHA-256 of a certificate that is trusted beside those that the system trusts.
    pub(crate) fingerprint: Option<[u8; 32]>,
    pub(crate) proxies: Proxies,
}

impl Connector {
    /// Opens a stream, directly and through the proxy at the same time. Returns `None`, and logs why, if neither works.
    pub(super) async fn open(&self, server: &StreamServer) -> Option<Box<dyn Stream>> {
        let tls = match server.transport {
            RelayTransport::Tls => match outbound::relay_config(self.fingerprint) {
                Ok(config) => Some(config),
                Err(error) => {
                    tracing::warn!("no TURN over TLS: {error}");
                    return None;
                }
            },
            RelayTransport::Udp | RelayTransport::Tcp => None,
        };
        let to = Destination { host: server.host.clone(), port: server.port, tls };
        let direct = outbound::connect_within(CONNECT, &to, None);
        let proxied = async {
            let proxy = self.proxies.find(&to.host, to.port).await.ok().flatten()?;
            Some(outbound::connect_within(CONNECT, &to, Some(&proxy)).await)
        };
        tokio::pin!(direct, proxied);
        let outcomes = tokio::select! {
            outcome = &mut direct => match outcome {
                Ok(stream) => return Some(stream),
                Err(error) => (Some(error), proxied.await),
            },
            outcome = &mut proxied => match outcome {
                Some(Ok(stream)) => return Some(stream),
                other => match direct.await {
                    Ok(stream) => return Some(stream),
                    Err(error) => (Some(error), other),
                },
            },
        };
        match outcomes {
            (_, Some(Ok(stream))) => return Some(stream),
            (_, Some(Err(error))) => tracing::warn!("no TURN over {} through the proxy: {error}", server.transport),
            (Some(error), None) => tracing::warn!("no TURN over {}: {error}", server.transport),
            (None, None) => {}
        }
        None
    }
}
