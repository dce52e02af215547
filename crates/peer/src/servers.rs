//! Converts STUN and TURN servers to the form that the library supports.

use crate::config::IceServer;
use std::net::SocketAddr;
use std::time::Duration;
use webrtc::peer_connection::RTCIceServer;

/// Longest wait for a DNS lookup. In the library a lookup would block the whole connection.
const LOOKUP: Duration = Duration::from_secs(1);
/// Most addresses used, over all servers.
const MAX_SERVERS: usize = 8;

/// The servers with their names resolved, without those that the library does not support: it uses only UDP, and
/// rejects the whole list if one address is invalid.
pub(crate) async fn usable(servers: &[IceServer]) -> Vec<RTCIceServer> {
    let mut usable = Vec::new();
    for server in servers {
        for url in &server.urls {
            if usable.len() == MAX_SERVERS {
                return usable;
            }
            match Address::parse(url) {
                Some(address) => usable.extend(address.resolve(server).await),
                None => tracing::warn!("ignoring a STUN or TURN server: only UDP is supported"),
            }
        }
    }
    usable
}

/// The addresses of the TURN servers among these.
pub(crate) fn relays(servers: &[RTCIceServer]) -> Vec<SocketAddr> {
    let urls = servers.iter().flat_map(|server| &server.urls);
    urls.filter_map(|url| url.strip_prefix("turn:")?.parse().ok()).collect()
}

/// `scheme:host:port` of RFC 7064 or RFC 7065, UDP only.
#[derive(Debug, PartialEq, Eq)]
struct Address<'a> {
    scheme: &'a str,
    host: &'a str,
    port: u16,
}

impl<'a> Address<'a> {
    fn parse(url: &'a str) -> Option<Address<'a>> {
        let (scheme, rest) = url.split_once(':')?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        if !matches!(scheme, "stun" | "turn") || !matches!(query, "" | "transport=udp") {
            return None;
        }
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (host, port.strip_prefix(':'))
            }
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Some(3478), |port| port.parse().ok())?;
        (!host.is_empty()).then_some(Address { scheme, host, port })
    }

    async fn resolve(&self, server: &IceServer) -> Option<RTCIceServer> {
        let lookup = tokio::time::timeout(LOOKUP, tokio::net::lookup_host((self.host, self.port)));
        let mut addresses: Vec<SocketAddr> = match lookup.await {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => {
                tracing::warn!("cannot resolve a STUN or TURN server: {error}");
                return None;
            }
            Err(_) => {
                tracing::warn!("a STUN or TURN server was not resolved within {LOOKUP:?}");
                return None;
            }
        };
        // IPv4 first, because it is the usual family behind a NAT.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let url = format!("{}:{}", self.scheme, addresses.first()?);
        let server =
            RTCIceServer { urls: vec![url], username: server.username.clone(), credential: server.credential.clone() };
        // This checks whether TURN has its credentials.
        server.urls().is_ok().then_some(server)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stun_and_turn_uris_are_parsed() {
        let read = |url| Address::parse(url).map(|a| (a.scheme, a.host, a.port));
        assert_eq!(read("stun:stun.example.org"), Some(("stun", "stun.example.org", 3478)));
        assert_eq!(read("turn:192.0.2.1:5000?transport=udp"), Some(("turn", "192.0.2.1", 5000)));
        assert_eq!(read("turn:[2001:db8::1]:5000"), Some(("turn", "2001:db8::1", 5000)));
        for broken in ["", "stun:", "turn:a:70000", "turns:a", "turn:a?transport=tcp", "http://a", "turn:[::1"] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }

    #[tokio::test]
    async fn an_unusable_server_does_not_disable_the_others() {
        let servers = [
            IceServer { urls: vec!["turn:127.0.0.1:1".into(), "stun:127.0.0.1:2".into()], ..IceServer::default() },
            IceServer { urls: vec!["turn:[::1]:3".into()], username: "u".into(), credential: "c".into() },
        ];
        let urls: Vec<String> = usable(&servers).await.into_iter().flat_map(|server| server.urls).collect();
        assert_eq!(urls, ["stun:127.0.0.1:2", "turn:[::1]:3"], "TURN without a credential is of no use");
    }
}
