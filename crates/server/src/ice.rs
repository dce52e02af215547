//! Which STUN and TURN servers a client is told of, and with which credentials.
//!
//! Credentials are those of the TURN REST API (draft-uberti-behave-turn-rest-00): the user name is `expiry:session`,
//! the password base64(HMAC-SHA1(secret, user name)). coturn's `use-auth-secret` understands the same.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use signaling::identity::PublicKey;
use signaling::message::{IceServer, SessionId};

/// Longest user name the relay looks at: an expiry, a colon and a session's id.
const MAX_USERNAME_BYTES: usize = 128;

/// Makes and checks what clients are told.
#[derive(Debug, Clone)]
pub(crate) struct IceDirectory {
    place: Place,
    secret: String,
    lifetime: Duration,
}

/// Where STUN and TURN are.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    Nowhere,
    /// On the host by which the client came, at this UDP port.
    Here {
        port: u16,
    },
    Elsewhere {
        urls: Vec<String>,
    },
}

impl IceDirectory {
    pub(crate) fn new(place: Place, secret: String, lifetime: Duration) -> IceDirectory {
        IceDirectory { place, secret, lifetime }
    }

    /// The entries for one session of a client that came by `host` (IPv6 in brackets).
    pub(crate) fn servers(&self, host: &str, session: &SessionId, now: SystemTime) -> Vec<IceServer> {
        let (stun, turn) = match &self.place {
            Place::Nowhere => return Vec::new(),
            Place::Here { port } => {
                (vec![format!("stun:{host}:{port}")], vec![format!("turn:{host}:{port}?transport=udp")])
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

/// STUN at the same places: every TURN server is a STUN server too (RFC 8656 section 3).
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

/// A user name that the relay believes until it expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TurnUser {
    /// Marks the person: the same for each session of one device.
    pub(crate) person: String,
    pub(crate) password: String,
}

/// Why a user name is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TurnUserError {
    #[error("not a user name of this server")]
    Malformed,
    #[error("the credentials have expired")]
    Expired,
}

/// What a user name says; the password has still to be proved by the request's integrity.
pub(crate) fn turn_user(secret: &str, username: &str, now: SystemTime) -> Result<TurnUser, TurnUserError> {
    if username.len() > MAX_USERNAME_BYTES {
        return Err(TurnUserError::Malformed);
    }
    let (expiry, session) = username.split_once(':').ok_or(TurnUserError::Malformed)?;
    let expiry: u64 = expiry.parse().map_err(|_| TurnUserError::Malformed)?;
    if expiry <= unix_seconds(now) {
        return Err(TurnUserError::Expired);
    }
    // Whoever has the secret may also make user names of another form, as for coturn: each is a person then.
    let person = session.rsplit_once('.').map_or(session, |(_, mark)| mark);
    Ok(TurnUser { person: person.to_owned(), password: password(secret, username) })
}

/// A new session's id: 128 random bits, and a mark of the person that lets the relay count allocations by person
/// without asking who has which session.
pub(crate) fn new_session_id(key: &PublicKey) -> Result<SessionId, getrandom::Error> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)?;
    let mark = Sha256::digest(key.as_bytes());
    let mark = URL_SAFE_NO_PAD.encode(&mark[..8]);
    Ok(SessionId(format!("{}.{mark}", URL_SAFE_NO_PAD.encode(random))))
}

/// The host part of a STUN or TURN URL for a client: the configured one, else the one it asked for, else the
/// address it reached.
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

/// Letters, digits, dots and hyphens, or an IPv6 address in brackets: nothing that means something in a URL.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inside) => inside.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'),
    }
}

fn password(secret: &str, username: &str) -> String {
    // HMAC takes a key of any length: this cannot fail.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(username.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
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

    #[test]
    fn credentials_are_those_of_coturn() {
        // echo -n 1700000000:s.p | openssl dgst -sha1 -hmac secret -binary | base64
        assert_eq!(password("secret", "1700000000:s.p"), "7hMPhSA5ZVKWrqwWzSNTRbonyKM=");
    }

    #[test]
    fn a_client_is_told_of_this_server_by_the_name_it_used() {
        let directory = IceDirectory::new(Place::Here { port: 3478 }, "secret".into(), Duration::from_secs(60));
        let servers = directory.servers("[::1]", &session(), at(1_000));
        assert_eq!(servers[0].urls, ["stun:[::1]:3478"]);
        assert_eq!(servers[0].username, None);
        assert_eq!(servers[1].urls, ["turn:[::1]:3478?transport=udp"]);
        assert!(servers[1].username.as_ref().is_some_and(|name| name.starts_with("1060:")));
    }

    #[test]
    fn a_client_is_told_of_external_relays_and_their_stun() {
        let urls = ["turn:relay.example:3478", "turn:relay.example:3478?transport=tcp", "turns:relay.example:5349"];
        let urls: Vec<String> = urls.map(str::to_owned).to_vec();
        let place = Place::Elsewhere { urls: urls.clone() };
        let servers =
            IceDirectory::new(place, "secret".into(), Duration::from_secs(60)).servers("x", &session(), at(0));
        assert_eq!(servers[0].urls, ["stun:relay.example:3478"]);
        assert_eq!(servers[1].urls, urls);
        let none = IceDirectory::new(Place::Nowhere, "secret".into(), Duration::ZERO);
        assert!(none.servers("x", &session(), at(0)).is_empty());
    }

    #[test]
    fn a_user_name_is_believed_until_it_expires() {
        let directory = IceDirectory::new(Place::Here { port: 1 }, "secret".into(), Duration::from_secs(60));
        let servers = directory.servers("h", &session(), at(1_000));
        let (name, credential) = (servers[1].username.clone().unwrap(), servers[1].credential.clone().unwrap());
        let user = turn_user("secret", &name, at(1_059)).unwrap();
        assert_eq!(user.password, credential);
        assert_eq!(turn_user("secret", &name, at(1_060)), Err(TurnUserError::Expired));
        assert_ne!(turn_user("other", &name, at(1_000)).unwrap().password, credential);
        for bad in ["", "1", "99999999999", "x:s.p", "-1:s.p", &format!("99999999999:{}.p", "s".repeat(200))] {
            assert_eq!(turn_user("secret", bad, at(0)), Err(TurnUserError::Malformed), "{bad}");
        }
    }

    #[test]
    fn one_device_has_many_sessions_and_one_mark() {
        let (one, other) = (session(), session());
        assert_ne!(one, other);
        assert!(one.0.len() <= signaling::limits::MAX_ID_BYTES);
        let mark = |id: &SessionId| turn_user("x", &format!("9999999999:{}", id.0), at(0)).unwrap().person;
        assert_eq!(mark(&one), mark(&other));
        let stranger = new_session_id(&DeviceKey::from_secret(&[2; 32]).public()).unwrap();
        assert_ne!(mark(&one), mark(&stranger));
    }

    #[test]
    fn hosts_come_from_the_setting_then_the_request_then_the_socket() {
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
