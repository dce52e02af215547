//! Addresses of STUN and TURN servers (RFC 7064, RFC 7065).

use std::net::Ipv6Addr;

/// How a STUN or TURN server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IceScheme {
    /// STUN over UDP.
    Stun,
    /// TURN over UDP.
    TurnUdp,
    /// TURN over TCP.
    TurnTcp,
    /// TURN over TLS.
    TurnTls,
}

/// An address that we support.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IceUrl<'a> {
    /// The scheme and transport.
    pub scheme: IceScheme,
    /// A name or an IP address, without brackets.
    pub host: &'a str,
    /// The port, or the default of the scheme.
    pub port: u16,
}

impl<'a> IceUrl<'a> {
    /// Parses one of `RTCIceServer.urls`. `None` if it is invalid, or a transport that we do not support.
    pub fn parse(url: &'a str) -> Option<IceUrl<'a>> {
        let (scheme, rest) = url.split_once(':')?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (scheme, default_port) = match (scheme, query) {
            ("stun", "" | "transport=udp") => (IceScheme::Stun, 3478),
            ("turn", "" | "transport=udp") => (IceScheme::TurnUdp, 3478),
            ("turn", "transport=tcp") => (IceScheme::TurnTcp, 3478),
            ("turns", "" | "transport=tcp") => (IceScheme::TurnTls, 5349),
            _ => return None,
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').filter(|(host, _)| host.parse::<Ipv6Addr>().is_ok())?;
                (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
            }
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Some(default_port), |port| port.parse().ok())?;
        (!host.is_empty()).then_some(IceUrl { scheme, host, port })
    }
}

#[cfg(test)]
mod tests {
    use super::IceScheme::{Stun, TurnTcp, TurnTls, TurnUdp};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stun_and_turn_addresses_are_parsed() {
        let read = |url| IceUrl::parse(url).map(|url| (url.scheme, url.host, url.port));
        assert_eq!(read("stun:stun.example.org"), Some((Stun, "stun.example.org", 3478)));
        assert_eq!(read("turn:192.0.2.1:5000?transport=udp"), Some((TurnUdp, "192.0.2.1", 5000)));
        assert_eq!(read("turn:[2001:db8::1]:5000"), Some((TurnUdp, "2001:db8::1", 5000)));
        assert_eq!(read("turn:a?transport=tcp"), Some((TurnTcp, "a", 3478)));
        assert_eq!(read("turns:a"), Some((TurnTls, "a", 5349)));
        assert_eq!(read("turns:a:443?transport=tcp"), Some((TurnTls, "a", 443)));
        for broken in ["", "stun:", "turn:a:70000", "turns:a?transport=udp", "stuns:a", "http://a", "turn:[::1"] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }

    #[test]
    fn brackets_contain_an_ipv6_address_and_only_a_port_follows() {
        for broken in ["turn:[a]", "turn:[[::1]", "turn:[::1]5000", "turn:[::1]:", "turn:[192.0.2.1]:1"] {
            assert_eq!(IceUrl::parse(broken), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_without_a_panic(text in "(stun|turns?):[\\[\\]a-z0-9:.?=]{0,40}|.{0,40}") {
            let _ = IceUrl::parse(&text);
        }
    }
}
