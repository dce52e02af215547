//! What a server is told before it starts.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use rooms::{Limits, Rate};
use url::Url;

/// Port of the WebSocket unless told otherwise.
pub const DEFAULT_PORT: u16 = 7077;
/// Port of STUN and TURN unless told otherwise: the one RFC 8489 and RFC 8656 name.
pub const DEFAULT_TURN_PORT: u16 = 3478;
/// Ports of relayed addresses unless told otherwise: the dynamic ports of RFC 6335, as RFC 8656 section 7.2 advises.
pub const DEFAULT_RELAY_PORTS: RangeInclusive<u16> = 49_152..=65_535;

/// What a client waits before it comes again, where nothing else is set.
pub(crate) const DEFAULT_RETRY_MS: u64 = 2_000;

/// Connections for so many sessions: more for those who have not said hello yet, for web pages and for old sockets of
/// sessions that have new ones.
pub(crate) fn connections_for(sessions: usize) -> usize {
    sessions.saturating_add((sessions / 10).max(100))
}

/// What a server is told before it starts. [`Config::default`] is what the program does without any setting,
/// except that it keeps nothing on disk.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where WebSockets and web pages are served. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// Whether they are encrypted.
    pub tls: Tls,
    /// Where the generated secret and certificate are kept. `None` keeps nothing: both are new at each start.
    pub data_dir: Option<PathBuf>,
    /// How clients outside reach this server, `wss://host[:port]`: for links, and its host for STUN and TURN.
    /// `None` uses the name by which each client came.
    pub public_url: Option<Url>,
    /// Origins of web pages that may connect besides this server's own, like `https://guest.example`; `*` for any.
    pub allowed_origins: Vec<String>,
    /// Folder with the guest page's files (`guest`, `shared`), for those who work on them. `None` serves those in the
    /// program.
    pub ui_dir: Option<PathBuf>,
    /// Shared secret of TURN credentials. `None` takes the one in `data_dir`, or makes one.
    pub secret: Option<String>,
    /// Secret of the community: who does not prove it comes in by invite only and sees no board. `None`: everybody who
    /// reaches the server is one of the community.
    pub member_secret: Option<String>,
    /// IANA time zone of the community, for lunches that come again each week.
    pub zone: String,
    /// How long TURN credentials are good for what is allocated anew. What is running goes on: with the relay in this process
    /// while the session lives, with coturn always.
    pub credential_lifetime: Duration,
    /// STUN and TURN.
    pub turn: Turn,
    /// Rooms, sessions and their rates.
    pub rooms: Limits,
    /// Connections at one time, those without a session included.
    pub connections: usize,
    /// Connections at one time from one address (IPv6: from one /64). 0 is as many as there are.
    pub connections_per_address: usize,
    /// New connections from one address.
    pub connection_rate: Rate,
    /// Whether those two also limit this machine itself. Usually not: what comes from it is a proxy for everybody.
    pub limit_loopback: bool,
    /// How long a client has for its hello.
    pub hello_timeout: Duration,
    /// After how long a client that says nothing is taken for gone.
    pub silence: Duration,
    /// What clients are told to wait before they come again when the server stops.
    pub retry_after: Duration,
}

/// How WebSockets and web pages are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Not at all: `ws:` and `http:`. For this machine, a private network, or behind a proxy that encrypts.
    Off,
    /// With a certificate made and kept by the server. Clients pin its fingerprint, which is in the links.
    SelfSigned,
    /// With a certificate from files in PEM form.
    Files {
        /// The certificate and those between it and an authority.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// Where clients find STUN and TURN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Nowhere: calls work only between addresses that reach each other.
    Off,
    /// In this process.
    Builtin(BuiltinTurn),
    /// In other servers that share the secret, such as coturn with `use-auth-secret`: `turn:host:port`, `turns:...`.
    External(Vec<String>),
}

/// STUN and TURN over UDP in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltinTurn {
    /// Where. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// Addresses under which peers reach relayed traffic, at most one of each family. Empty: this machine's own.
    pub external: Vec<IpAddr>,
    /// Ports of relayed addresses.
    pub ports: RangeInclusive<u16>,
    /// Also relay to private networks (RFC 1918, RFC 6598, RFC 4193).
    pub allow_lan: bool,
    /// Also relay to this machine itself. For tests.
    pub allow_loopback: bool,
    /// Allocations of one person (one device key) at one time. A call needs one for each other participant and network.
    pub per_person: usize,
    /// Allocations at one time.
    pub total: usize,
}

impl Default for Config {
    fn default() -> Config {
        let limits = Limits::default();
        Config {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DEFAULT_PORT),
            tls: Tls::Off,
            data_dir: None,
            public_url: None,
            allowed_origins: Vec::new(),
            ui_dir: None,
            secret: None,
            member_secret: None,
            zone: "UTC".into(),
            credential_lifetime: Duration::from_secs(12 * 3600),
            turn: Turn::Builtin(BuiltinTurn::default()),
            connections: connections_for(limits.sessions),
            rooms: limits,
            connections_per_address: 64,
            connection_rate: Rate::new(10.0, 100.0),
            limit_loopback: false,
            hello_timeout: signaling::limits::HANDSHAKE_TIMEOUT,
            silence: signaling::limits::SILENCE_LIMIT,
            retry_after: Duration::from_millis(DEFAULT_RETRY_MS),
        }
    }
}

impl Default for BuiltinTurn {
    fn default() -> BuiltinTurn {
        BuiltinTurn {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DEFAULT_TURN_PORT),
            external: Vec::new(),
            ports: DEFAULT_RELAY_PORTS,
            allow_lan: false,
            allow_loopback: false,
            per_person: 64,
            total: 1_000,
        }
    }
}
