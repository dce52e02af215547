//! The configuration of a server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use rooms::{ForwardLimits, Limits, Rate};
use url::Url;

/// Default port for WebSockets and web pages.
pub const DEFAULT_PORT: u16 = 7077;
/// Default port for STUN and TURN over UDP and TCP, as assigned by RFC 8489 and RFC 8656.
pub const DEFAULT_TURN_PORT: u16 = 3478;
/// Default port for forwarded media over UDP.
pub const DEFAULT_FORWARD_PORT: u16 = 3479;
/// Most that one person may send to the forwarder by default, in Mbit/s: three encodings and a screen at their best, and as
/// much again for retransmissions and probes.
pub(crate) const DEFAULT_FORWARD_PERSON_MBIT: u64 = 20;
/// Default ports for relayed addresses: the dynamic ports of RFC 6335, as RFC 8656 section 7.2 recommends.
pub const DEFAULT_RELAY_PORTS: RangeInclusive<u16> = 49_152..=65_535;

/// Default time in milliseconds that clients wait before they reconnect after the server stops.
pub(crate) const DEFAULT_RETRY_MS: u64 = 2_000;

/// Maximum number of connections for a number of sessions. The surplus is for clients that have not sent a hello yet,
/// for web pages, and for old sockets of sessions that have resumed on new ones.
pub(crate) fn connections_for(sessions: usize) -> usize {
    sessions.saturating_add((sessions / 10).max(100))
}

/// The configuration of a server. [`Config::default`] is what the program does without any setting, except that it
/// stores nothing on disk.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address for WebSockets and web pages. Port 0 takes any free port.
    pub listen: SocketAddr,
    /// The address for metrics, in the format of OpenMetrics. `None` serves none.
    pub metrics_listen: Option<SocketAddr>,
    /// Whether connections are encrypted.
    pub tls: Tls,
    /// How often the files of a certificate are read again, to serve a renewed one.
    pub certificate_check: Duration,
    /// The folder for the generated secret and certificate. `None` stores nothing; both are new at each start.
    pub data_dir: Option<PathBuf>,
    /// Public URL of this server, `wss://host[:port]`: used in links, and its host for STUN and TURN. `None` uses the
    /// name by which each client connected.
    pub public_url: Option<Url>,
    /// Origins of other web pages that may connect, such as `https://guest.example`; `*` allows any.
    pub allowed_origins: Vec<String>,
    /// Folder with the files of the pages (`door`, `guest`, `shared`), for development. `None` serves the files built into the
    /// program.
    pub ui_dir: Option<PathBuf>,
    /// Shared secret for TURN credentials. `None` uses the one in `data_dir`, or generates one.
    pub secret: Option<String>,
    /// Secret of the community. People who do not prove that they know it need an invite to enter a room, and cannot
    /// see the board. `None`: everybody who can reach the server is a member.
    pub member_secret: Option<String>,
    /// Where people sign in with an account. `None`: nobody can. With accounts and without a secret, only devices of
    /// accounts are members.
    pub openid: Option<OpenId>,
    /// Stewards of the community, by the key of a device or the id of a person.
    pub stewards: Vec<String>,
    /// IANA time zone of the community, for weekly lunches.
    pub zone: String,
    /// For how long the server remembers who met whom. Zero: not at all.
    pub meetings_kept: Duration,
    /// How long TURN credentials allow new allocations. Existing allocations continue: with the relay of this process
    /// while the session lives, with coturn always.
    pub credential_lifetime: Duration,
    /// STUN and TURN.
    pub turn: Turn,
    /// Forwarding of media in large rooms. `None`: all media goes directly from person to person.
    pub forwarding: Option<Forwarding>,
    /// Limits on rooms and sessions, and their rates.
    pub rooms: Limits,
    /// Maximum number of connections, including those without a session.
    pub connections: usize,
    /// Maximum number of connections from one address (IPv6: from one /64). 0 means no limit.
    pub connections_per_address: usize,
    /// Rate of new connections from one address.
    pub connection_rate: Rate,
    /// Whether the two limits above also apply to this machine itself. Usually not: such a connection comes from a
    /// proxy that serves everybody.
    pub limit_loopback: bool,
    /// How long a client has to send its hello.
    pub hello_timeout: Duration,
    /// How long a client may be silent before its connection is closed.
    pub silence: Duration,
    /// How long clients wait before they reconnect after the server stops.
    pub retry_after: Duration,
}

/// An issuer of accounts (OpenID Connect Core 1.0), and who of its people are members.
#[derive(Clone, PartialEq, Eq)]
pub struct OpenId {
    /// The issuer's identifier, such as `https://accounts.example`, exactly as it writes it itself. Its configuration is
    /// at `/.well-known/openid-configuration` below it.
    pub issuer: String,
    /// The id of this server at the issuer.
    pub client_id: String,
    /// The secret of this server at the issuer. `None`: the issuer needs none.
    pub client_secret: Option<String>,
    /// Scopes to ask for, besides `openid`.
    pub scopes: Vec<String>,
    /// The claim that lists a person's roles; a dot leads into an object, as in `realm_access.roles`.
    pub role_claim: Option<String>,
    /// People with one of these roles are members. Empty: everybody with an account.
    pub member_roles: Vec<String>,
    /// People with one of these roles are stewards, and members too.
    pub steward_roles: Vec<String>,
    /// Only people with a verified e-mail address of one of these domains are members. Empty: any.
    pub email_domains: Vec<String>,
}

impl std::fmt::Debug for OpenId {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenId").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// How WebSockets and web pages are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// No encryption: `ws:` and `http:`. For this machine, a private network, or behind a proxy that terminates TLS.
    Off,
    /// A self-signed certificate that the server generates and stores. Clients pin its fingerprint, which is in the
    /// links.
    SelfSigned,
    /// A certificate from files in PEM form.
    Files {
        /// The certificate chain.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// Where clients find STUN and TURN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Nowhere: calls work only between addresses that can reach each other directly.
    Off,
    /// In this process.
    Builtin(BuiltinTurn),
    /// On other servers that share the secret, such as coturn with `use-auth-secret`: `turn:host:port`, `turns:...`.
    External(Vec<String>),
}

/// STUN and TURN in this process: over UDP, and over TCP and TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltinTurn {
    /// The address for UDP and TCP. Port 0 takes any free port.
    pub listen: SocketAddr,
    /// Further TCP addresses that accept only TURN, for example behind a proxy.
    pub stream_listen: Vec<SocketAddr>,
    /// URLs of TURN over TCP and TLS that clients receive, if a proxy or firewall is in front of this server. Empty: the
    /// ports of this server itself.
    pub stream_urls: Vec<String>,
    /// Public addresses for relayed traffic, at most one for each family. Empty: this machine's own.
    pub external: Vec<IpAddr>,
    /// Ports of relayed addresses.
    pub ports: RangeInclusive<u16>,
    /// Whether to relay to private networks too (RFC 1918, RFC 6598, RFC 4193).
    pub allow_lan: bool,
    /// Whether to relay to this machine itself. For tests.
    pub allow_loopback: bool,
    /// Maximum number of simultaneous allocations for one person (one device key). A call needs one for each other
    /// participant and network.
    pub per_person: usize,
    /// Maximum number of simultaneous allocations.
    pub total: usize,
    /// Most that is relayed in all, in bits for each second. `None` is no bound.
    pub bandwidth: Option<u64>,
}

/// Forwarding of media in large rooms, over UDP in this process. Only rooms are forwarded whose clients all can do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forwarding {
    /// The address for UDP. Port 0 takes any free port.
    pub listen: SocketAddr,
    /// Public addresses, at most one for each family. Empty: this machine's own.
    pub external: Vec<IpAddr>,
    /// Which rooms are forwarded, and how many. [`Limits::forwarding`] of a server is this.
    pub limits: ForwardLimits,
    /// Most that one person may send, in bit/s.
    pub person_bits: u64,
    /// Most that one room is sent in all, in bit/s. `None` is no bound.
    pub room_bits: Option<u64>,
}

impl Default for Forwarding {
    fn default() -> Forwarding {
        Forwarding {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DEFAULT_FORWARD_PORT),
            external: Vec::new(),
            limits: ForwardLimits::default(),
            person_bits: DEFAULT_FORWARD_PERSON_MBIT * 1_000_000,
            room_bits: None,
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        let limits = Limits::default();
        Config {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DEFAULT_PORT),
            metrics_listen: None,
            tls: Tls::Off,
            certificate_check: Duration::from_secs(30),
            data_dir: None,
            public_url: None,
            allowed_origins: Vec::new(),
            ui_dir: None,
            secret: None,
            member_secret: None,
            openid: None,
            stewards: Vec::new(),
            zone: "UTC".into(),
            meetings_kept: Duration::from_millis(rooms::board::KEPT_MS),
            credential_lifetime: Duration::from_secs(12 * 3600),
            turn: Turn::Builtin(BuiltinTurn::default()),
            forwarding: None,
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
            stream_listen: Vec::new(),
            stream_urls: Vec::new(),
            external: Vec::new(),
            ports: DEFAULT_RELAY_PORTS,
            allow_lan: false,
            allow_loopback: false,
            per_person: 64,
            total: 1_000,
            bandwidth: None,
        }
    }
}
