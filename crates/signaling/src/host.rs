//! Compares and classifies hosts as hosts, never as text. `url` has normalized them: lower case, IDNA, every spelling
//! of an IP address.

use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Whether a host is on this machine or in a private network, where a server may work without TLS.
pub fn is_private(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => is_private_v4(*address),
        Host::Ipv6(address) => is_private_v6(*address),
        Host::Domain(name) => {
            let name = relative(name);
            name == "localhost" || name.ends_with(".localhost") || name.ends_with(".local")
        }
    }
}

/// Whether two URLs have the same host and port. A missing port is the scheme's default.
pub fn is_same_place(one: &Url, other: &Url) -> bool {
    let known = one.port_or_known_default();
    is_same(one.host(), other.host()) && known.is_some() && known == other.port_or_known_default()
}

/// A domain without the trailing dot of the root (RFC 1034 section 3.1). It names the same host.
pub fn relative(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn is_same(one: Option<Host<&str>>, other: Option<Host<&str>>) -> bool {
    match (one, other) {
        (Some(Host::Domain(one)), Some(Host::Domain(other))) => relative(one) == relative(other),
        (Some(one), Some(other)) => one == other,
        (None, _) | (_, None) => false,
    }
}

/// Whether a host can appear in a query unescaped. URLs allow `&` and other characters in a domain, but no real
/// domain contains them.
pub(crate) fn is_plain(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(_) | Host::Ipv6(_) => true,
        Host::Domain(name) => name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    address.is_loopback() || address.is_private() || address.is_link_local()
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    match address.to_ipv4_mapped() {
        Some(v4) => is_private_v4(v4),
        None => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(one: &str, other: &str) -> bool {
        let url = |text: &str| Url::parse(text).expect("an address");
        is_same_place(&url(one), &url(other))
    }

    #[test]
    fn spellings_of_a_host_are_equal() {
        for (one, other) in [
            ("https://lunch.example", "wss://lunch.example"),
            ("https://lunch.example.", "wss://lunch.example"),
            ("https://LUNCH.example:443", "wss://lunch.EXAMPLE."),
            ("https://b\u{fc}cher.example", "wss://xn--bcher-kva.example"),
            ("http://[::1]:7077", "ws://[0:0:0:0:0:0:0:1]:7077"),
            ("http://127.0.0.1", "ws://127.1:80"),
        ] {
            assert!(place(one, other), "{one} {other}");
        }
    }

    #[test]
    fn other_hosts_and_ports_are_different() {
        for (one, other) in [
            ("https://lunch.example", "wss://lunch.example.evil"),
            ("https://lunch.example", "ws://lunch.example"),
            ("https://lunch.example:8443", "wss://lunch.example"),
            ("https://1.0.0.127.example", "https://127.0.0.1"),
            ("lunchroom:soup", "lunchroom:soup"),
        ] {
            assert!(!place(one, other), "{one} {other}");
        }
    }
}
