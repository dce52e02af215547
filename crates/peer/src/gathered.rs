//! Our candidates of one ICE generation.

use crate::candidate::{Candidate, CandidateType};
use crate::relay_transport::RelayTransport;
use crate::servers::Servers;
use std::collections::HashMap;
use std::net::SocketAddr;

/// Most relayed candidates that are remembered: the library has one for each server and interface.
const MAX_RELAYED: usize = 64;

/// Counts our candidates, and knows the servers of the relayed ones.
#[derive(Debug)]
pub(crate) struct Gathered {
    servers: Servers,
    count: usize,
    /// Transport to the server, and its number if that is a stream, by relayed address.
    relayed: HashMap<SocketAddr, (RelayTransport, Option<usize>)>,
}

impl Gathered {
    pub(crate) fn new(servers: Servers) -> Gathered {
        Gathered { servers, count: 0, relayed: HashMap::new() }
    }

    /// Replaces the servers.
    pub(crate) fn set_servers(&mut self, servers: Servers) {
        self.servers = servers;
    }

    /// A new generation begins. Relayed addresses of the last one stay known, because its pair is in use until the new
    /// one has a pair.
    pub(crate) fn begin(&mut self) {
        self.count = 0;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Counts a candidate. One from a server over a stream gets a lower priority.
    pub(crate) fn add(&mut self, candidate: &mut Candidate, url: &str) {
        self.count += 1;
        if candidate.kind != CandidateType::Relay {
            return;
        }
        let source = self.servers.source(url);
        candidate.lower(source.0.rank());
        if let Some(address) = candidate.socket_address() {
            if self.relayed.len() >= MAX_RELAYED {
                self.relayed.clear();
            }
            self.relayed.insert(address, source);
        }
    }

    /// The transport to our TURN server that gave us this address.
    pub(crate) fn transport(&self, relayed: SocketAddr) -> Option<RelayTransport> {
        self.relayed.get(&relayed).map(|(transport, _)| *transport)
    }

    /// Whether this relayed address is reached over this stream.
    pub(crate) fn is_over(&self, relayed: SocketAddr, server: usize) -> bool {
        self.relayed.get(&relayed).is_some_and(|(_, stream)| *stream == Some(server))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::candidate;
    use crate::config::IceServer;

    #[tokio::test]
    async fn relays_over_streams_are_preferred_less_and_known_by_their_address() {
        let urls = ["turn:127.0.0.1:1", "turn:127.0.0.1:2?transport=tcp", "turns:127.0.0.1:3"].map(Into::into);
        let server = IceServer { urls: urls.to_vec(), username: "u".into(), credential: "c".into() };
        let servers = Servers::usable(&[server], false).await;
        let urls: Vec<String> = servers.library.iter().map(|server| server.urls[0].clone()).collect();
        let mut gathered = Gathered::new(servers);
        let texts = urls.iter().enumerate().map(|(n, url)| {
            let text = format!("candidate:1 1 udp 50331903 192.0.2.1 {} typ relay raddr 0.0.0.0 rport 9", 1000 + n);
            let mut relayed = candidate::parse(&text).unwrap();
            gathered.add(&mut relayed, url);
            relayed.to_string()
        });
        let texts: Vec<String> = texts.collect();
        for (text, priority) in texts.iter().zip([50_331_903, 33_554_687, 16_777_471]) {
            assert!(text.contains(&format!(" {priority} ")), "{text}");
        }
        let at = |port| SocketAddr::from(([192, 0, 2, 1], port));
        assert_eq!(gathered.transport(at(1002)), Some(RelayTransport::Tls));
        assert!(gathered.is_over(at(1001), 0) && !gathered.is_over(at(1001), 1) && !gathered.is_over(at(1000), 0));
        gathered.begin();
        assert!(gathered.is_empty() && gathered.transport(at(1000)).is_some());
    }
}
