//! How a TURN server is reached.

use std::fmt;
use std::net::SocketAddr;

/// The transport between us and our TURN server, `relayProtocol` of W3C WebRTC. In order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RelayTransport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
}

impl RelayTransport {
    /// The word in W3C WebRTC: `udp`, `tcp` or `tls`.
    pub fn word(self) -> &'static str {
        match self {
            RelayTransport::Udp => "udp",
            RelayTransport::Tcp => "tcp",
            RelayTransport::Tls => "tls",
        }
    }

    /// 0 for the preferred transport.
    pub(crate) fn rank(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for RelayTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A TURN server as the library sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    pub(crate) transport: RelayTransport,
}
