//! Chooses the STUN and TURN servers for a client, and makes its credentials.
//!
//! The credentials follow the TURN REST API (draft-uberti-behave-turn-rest-00): the user name is `expiry:session`, and
//! [`relay::password`] derives the password from it. coturn's `use-auth-secret` accepts the same.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use relay::password;
use sha2::{Digest, Sha256};
use signaling::identity::PublicKey;
use signaling::message::{IceServer, SessionId};

/// Makes the list of ICE servers for each client.
#[derive(Clone)]
pub(crate) struct IceDirectory {
    place: Place,
    /// The secret of this server's own relay, or the one shared with other servers, depending on `place`.
    secret: Vec<u8>,
    lifetime: Duration,
}

/// Where STUN and TURN are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Nowhere,
    /// On the host by which the client connected, at this UDP port.
    Here {
        port: u16,
        streams: StreamPorts,
    },
    Elsewhere {
        urls: Vec<String>,
    },
}

/// Where TURN over TCP and TLS is.
#[derive(Debug, Clone)]
pub(crate) enum StreamPorts {
    /// On the host by which the client connected: at this TCP port, and at the port of WebSockets.
    Own { tcp: Option<u16>, shared: Shared },
    /// At these URLs.
    Configured(Vec<String>),
}

/// How the port of WebSockets accepts TURN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shared {
    No,
    Plain,
    Tls,
    /// Inside TLS for clients that pin the certificate, and without TLS for browsers, which would not accept it.
    SelfSigned,
}

/// The host (IPv6 in brackets) and port by which a client reached this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entrance {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl StreamPorts {
    /// The URLs for one client. What works in most networks comes last: clients prefer UDP, then TCP, then TLS.
    fn urls(&self, entrance: &Entrance) -> Vec<String> {
        let (tcp, shared) = match self {
            StreamPorts::Configured(urls) => return urls.clone(),
            StreamPorts::Own { tcp, shared } => (*tcp, *shared),
        };
        let Entrance { host, port } = entrance;
        let at = |scheme, port| format!("{scheme}:{host}:{port}?transport=tcp");
        let mut urls: Vec<String> = tcp.map(|port| at("turn", port)).into_iter().collect();
        match shared {
            Shared::No => {}
            Shared::Plain => urls.push(at("turn", *port)),
            Shared::Tls => urls.push(at("turns", *port)),
            Shared::SelfSigned => urls.extend([at("turn", *port), at("turns", *port)]),
        }
        urls.dedup();
        urls
    }
}

impl IceDirectory {
    pub(crate) fn new(place: Place, secret: Vec<u8>, lifetime: Duration) -> IceDirectory {
        IceDirectory { place, secret, lifetime }
    }

    /// The ICE servers for one session of a client.
    pub(crate) fn servers(&self, entrance: &Entrance, session: &SessionId, now: SystemTime) -> Vec<IceServer> {
        let (stun, turn) = match &self.place {
            Place::Nowhere => return Vec::new(),
            Place::Here { port, streams } => {
                let host = &entrance.host;
                let udp = format!("turn:{host}:{port}?transport=udp");
                (vec![format!("stun:{host}:{port}")], [vec![udp], streams.urls(entrance)].concat())
            }
            Place::Elsewhere { urls } => (stun_urls(urls), urls.clone()),
        };
        let username = format!("{}:{}", unix_seconds(now + self.lifetime), session.0);
        let credential = password(&self.secret, &username);
        let stun = IceServer { urls: stun, username: None, credential: None };
        let turn = IceServer { urls: turn, username: Some(username), credential: Some(credential) };
        [stun, turn].into_iter().filter(|server| !server.urls.is_empty()).collect()
    }
}

/// STUN URLs for TURN servers: every TURN server is a STUN server too (RFC 8656 section 3).
fn stun_urls(turn: &[String]) -> Vec<String> {
    let mut urls: Vec<String> = Vec::new();
    for place in turn.iter().filter_map(|url| url.strip_prefix("turn:")) {
        let place = place.split('?').next().unwrap_or(place);
        let url = format!("stun:{place}");
        if !urls.contains(&url) {
            urls.push(url);
        }
    }
    urls
}

/// Makes the id of a new session: 128 random bits, and a hash of the person's key. The hash lets the relay count
/// allocations by person without asking which session belongs to whom.
pub(crate) fn new_session_id(key: &PublicKey) -> Result<SessionId, getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    let mark = Sha256::digest(key.as_bytes());
    let mark = URL_SAFE_NO_PAD.encode(&mark[..8]);
    Ok(SessionId(format!("{}.{mark}", URL_SAFE_NO_PAD.encode(random))))
}

/// The host of a STUN or TURN URL for a client: the configured one, otherwise the one that the client requested,
/// otherwise the address it reached.
pub(crate) fn host_for(public: Option<&str>, asked: Option<&str>, reached: SocketAddr) -> String {
    if let Some(public) = public {
        return public.to_owned();
    }
    let asked = asked.and_then(|asked| asked.parse::<hyper::http::uri::Authority>().ok());
    match asked {
        Some(authority) if is_host(authority.host()) => authority.host().to_owned(),
        Some(_) | None => match reached.ip().to_canonical() {
            std::net::IpAddr::V4(ip) => ip.to_string(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        },
    }
}

/// Letters, digits, dots and hyphens, or an IPv6 address in brackets: nothing with a special meaning in a URL.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'),
    }
}

fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use signaling::identity::DeviceKey;

    fn session() -> SessionId {
        new_session_id(&DeviceKey::from_secret(&[1; 32]).public()).unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn entrance() -> Entrance {
        Entrance { host: "[::1]".into(), port: 443 }
    }

    /// The servers that a client of this server receives.
    fn here(streams: StreamPorts) -> Vec<IceServer> {
        let place = Place::Here { port: 3478, streams };
        let directory = IceDirectory::new(place, b"secret".to_vec(), Duration::from_secs(60));
        directory.servers(&entrance(), &session(), at(1_000))
    }

    #[test]
    fn the_ice_servers_use_the_host_that_the_client_used() {
        let servers = here(StreamPorts::Own { tcp: Some(3478), shared: Shared::Tls });
        assert_eq!(servers[0].urls, ["stun:[::1]:3478"]);
        assert_eq!(servers[0].username, None);
        let udp_tcp_tls =
            ["turn:[::1]:3478?transport=udp", "turn:[::1]:3478?transport=tcp", "turns:[::1]:443?transport=tcp"];
        assert_eq!(servers[1].urls, udp_tcp_tls);
        assert!(servers[1].username.as_ref().is_some_and(|name| name.starts_with("1060:")));
    }

    #[test]
    fn a_client_receives_the_streams_that_can_reach_this_server() {
        let streams = |streams| here(streams)[1].urls[1..].to_vec();
        let own = |tcp, shared| streams(StreamPorts::Own { tcp, shared });
        let [plain, shared] = ["turn:[::1]:3478?transport=tcp", "turn:[::1]:443?transport=tcp"];
        assert_eq!(own(Some(3478), Shared::No), [plain]);
        assert_eq!(own(Some(3478), Shared::Plain), [plain, shared]);
        assert_eq!(own(None, Shared::SelfSigned), [shared, "turns:[::1]:443?transport=tcp"]);
        let urls = vec!["turns:turn.lunch.example:443?transport=tcp".to_owned()];
        assert_eq!(streams(StreamPorts::Configured(urls.clone())), urls);
    }

    #[test]
    fn external_relays_are_announced_with_their_stun() {
        let urls = ["turn:relay.example:3478", "turn:relay.example:3478?transport=tcp", "turns:relay.example:5349"];
        let urls: Vec<String> = urls.map(str::to_owned).to_vec();
        let place = Place::Elsewhere { urls: urls.clone() };
        let servers = IceDirectory::new(place, b"secret".to_vec(), Duration::from_secs(60)).servers(
            &entrance(),
            &session(),
            at(0),
        );
        assert_eq!(servers[0].urls, ["stun:relay.example:3478"]);
        assert_eq!(servers[1].urls, urls);
        let none = IceDirectory::new(Place::Nowhere, b"secret".to_vec(), Duration::ZERO);
        assert!(none.servers(&entrance(), &session(), at(0)).is_empty());
    }

    #[test]
    fn sessions_of_a_device_share_its_mark() {
        let (one, other) = (session(), session());
        assert_ne!(one, other);
        assert!(one.0.len() <= signaling::limits::MAX_ID_BYTES);
        // The relay identifies a person by what follows the last dot.
        let mark = |id: &SessionId| id.0.rsplit_once('.').unwrap().1.to_owned();
        assert_eq!(mark(&one), mark(&other));
        let stranger = new_session_id(&DeviceKey::from_secret(&[2; 32]).public()).unwrap();
        assert_ne!(mark(&one), mark(&stranger));
    }

    #[test]
    fn the_host_is_that_of_the_setting_the_request_or_the_socket() {
        let reached: SocketAddr = "[::ffff:192.0.2.1]:7077".parse().unwrap();
        assert_eq!(host_for(Some("lunch.example"), Some("other"), reached), "lunch.example");
        assert_eq!(host_for(None, Some("lunch.local:7077"), reached), "lunch.local");
        assert_eq!(host_for(None, Some("[2001:db8::1]:7077"), reached), "[2001:db8::1]");
        assert_eq!(host_for(None, None, reached), "192.0.2.1");
        assert_eq!(host_for(None, None, "[2001:db8::1]:1".parse().unwrap()), "[2001:db8::1]");
        for bad in ["", "a b", "evil\"host", "a?b", "user@", "[::1", "a%20b"] {
            assert_eq!(host_for(None, Some(bad), reached), "192.0.2.1", "{bad}");
        }
    }
}
