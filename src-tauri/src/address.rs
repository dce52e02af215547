//! Conversion of servers and links to and from text. `signaling` alone checks input from outside.

use crate::state::{CommandError, KnownServer, PendingLink};
use engine::ServerAddress;
use engine::signaling::link::{Link, LinkError};

/// A placeholder room, because a server's address is checked as part of a link.
const SOME_ROOM: &str = "lunch";

/// Parses a server's address and the fingerprint of its certificate.
pub(crate) fn server(url: &str, fingerprint: Option<&str>) -> Result<ServerAddress, CommandError> {
    let link = link(SOME_ROOM, url, fingerprint, None)?;
    Ok(ServerAddress { url: link.server, fingerprint: link.fingerprint })
}

/// Builds a link from its parts.
pub(crate) fn link(
    room: &str,
    url: &str,
    fingerprint: Option<&str>,
    invite: Option<&str>,
) -> Result<Link, CommandError> {
    let fingerprint = match fingerprint.map(|text| bytes(text).ok_or(LinkError::Fingerprint)).transpose() {
        Ok(fingerprint) => fingerprint,
        Err(error) => return Err(refusal(error)),
    };
    Link::new(room, url, fingerprint, invite).map_err(refusal)
}

/// Describes a link for the window.
pub(crate) fn pending(link: &Link, known: &[KnownServer]) -> PendingLink {
    PendingLink {
        room: link.room.clone(),
        server: plain(&link.server),
        known: known.iter().any(|server| origin(server).is_some_and(|origin| origin == link.origin())),
        fingerprint: link.fingerprint.as_ref().map(hex),
        invite: link.invite.clone(),
    }
}

/// The origin of a known server. `None` if its entry in the settings is invalid.
pub(crate) fn origin(known: &KnownServer) -> Option<String> {
    server(&known.url, known.fingerprint.as_deref()).ok().map(|address| address.origin())
}

/// `wss://host[:port]`, without the trailing slash of a URL.
pub(crate) fn plain(url: &url::Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// Formats a fingerprint as 64 hexadecimal digits.
pub(crate) fn hex(fingerprint: &[u8; 32]) -> String {
    fingerprint.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Converts the reason why a link or an address was refused.
pub(crate) fn refusal(error: LinkError) -> CommandError {
    CommandError { code: error.code().into(), message: error.to_string() }
}

/// Parses digits with or without colons, as people copy them.
fn bytes(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let pair = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    digits.chunks(2).map(pair).collect::<Option<Vec<u8>>>()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_round_trip() {
        let fingerprint = [0xabu8; 32];
        assert_eq!(bytes(&hex(&fingerprint)), Some(fingerprint));
        assert_eq!(bytes(&vec!["ab"; 32].join(":")), Some(fingerprint));
        for bad in ["", "ab", &"zz".repeat(32), &"ab".repeat(33), &"+a".repeat(32), "äöü"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_server_is_identified_by_its_fingerprint_or_address() {
        let known = |url: &str, fingerprint: Option<String>| KnownServer {
            url: url.into(),
            fingerprint,
            name: String::new(),
            secret: None,
            calendar: None,
        };
        let fingerprint = hex(&[7; 32]);
        let pinned = Link::new("soup", "wss://10.0.0.9:7077", Some([7; 32]), None).unwrap();
        assert!(!pending(&pinned, &[known("wss://10.0.0.9:7077", None)]).known);
        assert!(!pending(&pinned, &[known("wss://10.0.0.9:7077", Some(hex(&[8; 32])))]).known);
        assert!(pending(&pinned, &[known("wss://10.0.0.2:7077", Some(fingerprint))]).known, "its address has changed");
        let public = Link::new("soup", "wss://lunch.example", None, None).unwrap();
        assert!(pending(&public, &[known("wss://lunch.example", None)]).known);
        assert!(!pending(&public, &[known("nonsense", None)]).known);
        assert_eq!(pending(&public, &[]).server, "wss://lunch.example");
    }

    #[test]
    fn untrusted_addresses_are_validated() {
        for (url, fingerprint, code) in [
            ("http://lunch.example", None, "link_server"),
            ("ws://lunch.example", None, "link_insecure"),
            ("wss://lunch.example", Some("nonsense"), "link_fingerprint"),
            ("javascript:alert(1)", None, "link_server"),
        ] {
            assert_eq!(server(url, fingerprint).map_err(|e| e.code), Err(code.into()), "{url}");
        }
        assert!(server("ws://127.0.0.1:7077", None).is_ok());
    }
}
