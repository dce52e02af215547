//! Converts STUN and TURN servers to the form that the library supports.

use crate::config::IceServer;
use crate::relay_transport::{Relay, RelayTransport};
use crate::turn_stream::{self, MAX_STREAMS, StreamServer};
use signaling::ice_url::{IceScheme, IceUrl};
use std::net::SocketAddr;
use std::time::Duration;
use webrtc::peer_connection::RTCIceServer;

/// Longest wait for a DNS lookup. In the library a lookup would block the whole connection.
const LOOKUP: Duration = Duration::from_secs(1);
/// Most addresses used, over all servers.
const MAX_SERVERS: usize = 8;

/// The servers of a connection.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    /// As the library takes them. TURN servers over streams have hosts that only [`Streams`](turn_stream::Streams)
    /// resolves.
    pub(crate) library: Vec<RTCIceServer>,
    /// TURN servers over TCP and TLS.
    pub(crate) streams: Vec<StreamServer>,
}

impl Servers {
    /// Resolves the names and leaves out what is not supported: the library rejects the whole list if one address is
    /// invalid. `prefers_v6`: whether there is no IPv4 here.
    pub(crate) async fn usable(servers: &[IceServer], prefers_v6: bool) -> Servers {
        let mut streams = Vec::new();
        let mut lookups = Vec::new();
        for (server, url) in servers.iter().flat_map(|server| server.urls.iter().map(move |url| (server, url))) {
            let Some(url) = IceUrl::parse(url) else {
                tracing::warn!("ignoring a STUN or TURN server of an unsupported kind");
                continue;
            };
            let stream = stream(url);
            if lookups.len() == MAX_SERVERS || stream.is_some() && streams.len() == MAX_STREAMS {
                continue;
            }
            let number = stream.is_some().then_some(streams.len());
            streams.extend(stream);
            lookups.push(async move {
                let place = match number {
                    Some(number) => format!("{}:{}", turn_stream::host(number), url.port),
                    None => resolve(url, prefers_v6).await?.to_string(),
                };
                listed(server, format!("{}:{place}?transport=udp", library_scheme(url.scheme)))
            });
        }
        let library = futures_util::future::join_all(lookups).await.into_iter().flatten().collect();
        Servers { library, streams }
    }

    /// The addresses of the TURN servers, as the library sees them.
    pub(crate) fn relays(&self) -> Vec<Relay> {
        let urls = self.library.iter().flat_map(|server| &server.urls);
        urls.flat_map(|url| self.relays_of(url)).collect()
    }

    /// The transport to the TURN server from which the library gathered a candidate, and its number if that is a
    /// stream.
    pub(crate) fn source(&self, url: &str) -> (RelayTransport, Option<usize>) {
        let place = url.split_once(':').map_or(url, |(_, rest)| rest).split('?').next().unwrap_or_default();
        let server = turn_stream::server_of_host(place);
        let transport = server.and_then(|server| self.streams.get(server)).map(|stream| stream.transport);
        (transport.unwrap_or(RelayTransport::Udp), server)
    }

    fn relays_of(&self, url: &str) -> Vec<Relay> {
        let Some(place) = url.strip_prefix("turn:").and_then(|rest| rest.split('?').next()) else { return Vec::new() };
        match self.source(url) {
            (transport, Some(server)) => {
                turn_stream::addresses(server).into_iter().map(|address| Relay { address, transport }).collect()
            }
            (transport, None) => place.parse().map(|address| Relay { address, transport }).into_iter().collect(),
        }
    }
}

/// `None` if it is a TURN server without credentials.
fn listed(server: &IceServer, url: String) -> Option<RTCIceServer> {
    let url = url.strip_suffix("?transport=udp").filter(|_| url.starts_with("stun:")).unwrap_or(&url).to_owned();
    let server =
        RTCIceServer { urls: vec![url], username: server.username.clone(), credential: server.credential.clone() };
    server.urls().is_ok().then_some(server)
}

/// The transport to a TURN server. `None` for STUN, which is always over UDP.
fn transport(scheme: IceScheme) -> Option<RelayTransport> {
    match scheme {
        IceScheme::Stun => None,
        IceScheme::TurnUdp => Some(RelayTransport::Udp),
        IceScheme::TurnTcp => Some(RelayTransport::Tcp),
        IceScheme::TurnTls => Some(RelayTransport::Tls),
    }
}

fn library_scheme(scheme: IceScheme) -> &'static str {
    if transport(scheme).is_some() { "turn" } else { "stun" }
}

/// The server, if it is reached over a stream.
fn stream(url: IceUrl<'_>) -> Option<StreamServer> {
    let transport = transport(url.scheme).filter(|transport| *transport != RelayTransport::Udp)?;
    Some(StreamServer { host: url.host.into(), port: url.port, transport })
}

async fn resolve(IceUrl { host, port, .. }: IceUrl<'_>, prefers_v6: bool) -> Option<SocketAddr> {
    let lookup = tokio::time::timeout(LOOKUP, outbound::resolve(host, port));
    let mut addresses = match lookup.await {
        Ok(Ok(addresses)) => addresses,
        Ok(Err(error)) => {
            tracing::warn!("cannot resolve a STUN or TURN server: {error}");
            return None;
        }
        Err(_) => {
            tracing::warn!("a STUN or TURN server was not resolved within {LOOKUP:?}");
            return None;
        }
    };
    // IPv4 first where there is some, because it is the usual family behind a NAT.
    addresses.sort_by_key(|address| address.is_ipv6() != prefers_v6);
    addresses.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    use RelayTransport::{Tcp, Tls, Udp};

    fn server(urls: &[&str]) -> IceServer {
        let urls = urls.iter().map(|url| (*url).into()).collect();
        IceServer { urls, username: "u".into(), credential: "c".into() }
    }

    #[tokio::test]
    async fn an_unusable_server_does_not_disable_the_others() {
        let servers = [
            IceServer { urls: vec!["turn:127.0.0.1:1".into(), "stun:127.0.0.1:2".into()], ..IceServer::default() },
            server(&["turn:[::1]:3"]),
        ];
        let usable = Servers::usable(&servers, false).await;
        let urls: Vec<String> = usable.library.into_iter().flat_map(|server| server.urls).collect();
        assert_eq!(urls, ["stun:127.0.0.1:2", "turn:[::1]:3?transport=udp"], "TURN without a credential is of no use");
    }

    #[tokio::test]
    async fn a_server_over_a_stream_keeps_its_name_and_stands_for_addresses() {
        let urls = ["turn:192.0.2.1:1", "turn:a.example:2?transport=tcp", "turns:b.example"];
        let usable = Servers::usable(&[server(&urls)], false).await;
        let hosts: Vec<_> = usable.streams.iter().map(|one| (one.host.as_str(), one.port, one.transport)).collect();
        assert_eq!(hosts, [("a.example", 2, Tcp), ("b.example", 5349, Tls)]);
        let transports: Vec<_> = usable.relays().iter().map(|relay| relay.transport).collect();
        assert_eq!(transports, [Udp, Tcp, Tcp, Tls, Tls], "one address of each family for a stream");
        let sources: Vec<_> = usable.library.iter().map(|one| usable.source(&one.urls[0])).collect();
        assert_eq!(sources, [(Udp, None), (Tcp, Some(0)), (Tls, Some(1))]);
    }

    #[tokio::test]
    async fn the_number_of_servers_is_bounded() {
        let urls: Vec<String> = (1..20).map(|port| format!("turn:127.0.0.1:{port}?transport=tcp")).collect();
        let many = server(&urls.iter().map(String::as_str).collect::<Vec<_>>());
        let usable = Servers::usable(&[many], false).await;
        assert_eq!((usable.streams.len(), usable.library.len()), (MAX_STREAMS, MAX_STREAMS));
    }
}
