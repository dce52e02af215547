//! What the probes observed. [`crate::diagnose`] interprets it.

use std::net::{IpAddr, SocketAddr};

use outbound::ProxyError;
use signaling::ice_url::IceScheme;

/// Everything that was observed, in the order in which a connection needs it. A hop behind the first that failed is
/// `NotReached` or empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// The server's host, without brackets.
    pub host: String,
    /// The server's TCP port.
    pub port: u16,
    /// Whether the server is reached over TLS.
    pub encrypted: bool,
    /// The proxy that the system's settings name.
    pub proxy: ProxyUse,
    /// The name of the server, or of the proxy if there is one.
    pub lookup: Lookup,
    /// A TCP connection to each of those addresses.
    pub tcp: Vec<(SocketAddr, Tcp)>,
    /// TLS, the WebSocket and the protocol on it.
    pub server: Server,
    /// The host of a sign-in page that answers plain HTTP in place of a server with TLS. Examined only after a failure.
    pub portal: Option<String>,
    /// Seconds by which the server's clock is ahead of ours, if it sent its time.
    pub clock_ahead: Option<i64>,
    /// The STUN and TURN servers that the server named.
    pub relays: Vec<Relay>,
    /// The size of datagrams to the first STUN or TURN server that answers over UDP.
    pub mtu: Mtu,
}

/// The proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyUse {
    /// The settings name none.
    None,
    /// The settings name one that is not an HTTP proxy.
    Unsupported,
    /// This one, `host:port`. `fault` is why it does not connect us.
    Http {
        /// `host:port`.
        place: String,
        /// Why it does not connect us. `None` while it was not asked, too.
        fault: Option<ProxyError>,
    },
}

/// A lookup in the DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    /// The addresses. For an address, itself.
    Found(Vec<IpAddr>),
    /// The resolver reports that there is none, or that it cannot be asked.
    Failed,
    /// No answer in time.
    Silent,
}

/// A connection attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tcp {
    /// Connected.
    Open,
    /// Refused with a reset.
    Refused,
    /// The network reports that it is unreachable, or this computer has no route.
    Unreachable,
    /// No answer in time.
    Silent,
    /// Connected, but nothing follows. Another address works.
    Mute,
}

/// How far the connection to the server came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// No connection.
    NotReached,
    /// The TLS handshake failed.
    Tls(Tls),
    /// The WebSocket did not open.
    Upgrade(Upgrade),
    /// The handshake of the protocol failed.
    Hello(Hello),
    /// The server accepted us.
    Welcome,
}

/// Why a TLS handshake failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// The certificate is not the one that the link names.
    NotPinned {
        /// Who issued the presented one.
        issuer: Option<String>,
    },
    /// The system does not trust the issuer.
    Untrusted {
        /// The issuer.
        issuer: Option<String>,
    },
    /// The certificate is for other names.
    Name,
    /// The certificate has expired.
    Expired,
    /// The certificate is not valid yet.
    NotValidYet,
    /// This system has no root certificates.
    NoRoots,
    /// The answer is not TLS, or no version that we support.
    NotTls,
    /// The connection was closed.
    Closed,
    /// The handshake was not complete in time.
    Silent,
}

/// Why a WebSocket did not open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upgrade {
    /// A redirection, to this host if it names one.
    Redirect {
        /// The host of `Location`.
        to: Option<String>,
    },
    /// A page (status 200).
    Page,
    /// Another status.
    Status(u16),
    /// The answer is not HTTP, or not a WebSocket.
    NotHttp,
    /// The connection was closed.
    Closed,
    /// No complete answer in time.
    Silent,
}

/// Why the protocol's handshake failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hello {
    /// The first messages are not those of our protocol.
    Stranger,
    /// The server does not support our version.
    Version,
    /// The server refused us with this code.
    Refused(String),
    /// The connection was closed.
    Closed,
    /// No answer in time.
    Silent,
}

/// A STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// STUN, or TURN with its transport.
    pub scheme: IceScheme,
    /// The host, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// What happened.
    pub outcome: Outcome,
}

/// How far an exchange with a STUN or TURN server came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Its name has no address, or was not resolved in time.
    NoAddress,
    /// No answer: over UDP to any datagram, over TCP to the connection.
    Silent,
    /// The port is closed: a reset, or ICMP's port unreachable.
    Closed,
    /// The network reports that it is unreachable, or this computer has no route.
    Unreachable,
    /// The proxy does not connect us.
    Proxy(ProxyError),
    /// The TLS handshake failed.
    Tls,
    /// Connected over TCP or TLS, but it answers no request.
    Mute,
    /// It answers with something else.
    Garbage,
    /// It answers with this error code of STUN.
    Error(u16),
    /// It has a relayed address for us, but forwarded nothing to it.
    Allocated,
    /// STUN: our address as it sees it. TURN: a datagram came back through our own allocation.
    Works(SocketAddr),
}

/// The path MTU, as bytes of UDP payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mtu {
    /// No STUN server answers over UDP, or this system cannot forbid fragmentation.
    NotMeasured,
    /// The largest datagram that passed.
    Measured {
        /// Bytes of UDP payload.
        passes: usize,
        /// The smallest that did not pass, and whether the network reported it. `None` if all passed.
        fails: Option<Failed>,
    },
}

/// A datagram that is too large for the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed {
    /// Bytes of UDP payload.
    pub bytes: usize,
    /// Whether ICMP reported it, so that the system refuses to send it. Otherwise it vanished.
    pub reported: bool,
}

impl Examination {
    /// Nothing observed yet.
    pub fn new(host: &str, port: u16, encrypted: bool) -> Examination {
        Examination {
            host: host.to_owned(),
            port,
            encrypted,
            proxy: ProxyUse::None,
            lookup: Lookup::Found(Vec::new()),
            tcp: Vec::new(),
            server: Server::NotReached,
            portal: None,
            clock_ahead: None,
            relays: Vec::new(),
            mtu: Mtu::NotMeasured,
        }
    }

    /// Whether a TCP connection to the server, or the proxy, was opened.
    pub(crate) fn is_connected(&self) -> bool {
        self.tcp.iter().any(|(_, outcome)| *outcome == Tcp::Open)
    }

    /// The relays with this scheme.
    pub(crate) fn of(&self, scheme: IceScheme) -> impl Iterator<Item = &Relay> {
        self.relays.iter().filter(move |relay| relay.scheme == scheme)
    }

    /// Whether a relay with this scheme can be used.
    pub(crate) fn has(&self, scheme: IceScheme) -> bool {
        self.of(scheme).any(|relay| relay.outcome.is_usable())
    }
}

impl Outcome {
    /// Whether calls can use the server. A guest without a seat may not allocate (403); that the relay knows them proves
    /// the path.
    pub fn is_usable(self) -> bool {
        match self {
            Outcome::Works(_) | Outcome::Allocated | Outcome::Error(403) => true,
            Outcome::NoAddress
            | Outcome::Silent
            | Outcome::Closed
            | Outcome::Unreachable
            | Outcome::Proxy(_)
            | Outcome::Tls
            | Outcome::Mute
            | Outcome::Garbage
            | Outcome::Error(_) => false,
        }
    }
}
