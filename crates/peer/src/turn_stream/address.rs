//! The addresses that stand for the servers, one of each family, so that every local socket can send to one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The port of all of them.
const PORT: u16 = 3478;
/// In the reserved class E, RFC 1112 section 4.
const V4: [u8; 3] = [240, 0, 0];
/// The discard-only prefix, RFC 6666.
const V6: u16 = 0x100;

/// The host name for the library. `.invalid` exists nowhere (RFC 6761 section 6.4).
pub(crate) fn host(server: usize) -> String {
    format!("relay{server}.invalid")
}

/// The server of a host name, with or without its port.
pub(crate) fn server_of_host(host: &str) -> Option<usize> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.strip_prefix("relay")?.strip_suffix(".invalid")?.parse().ok()
}

/// Its addresses.
pub(crate) fn addresses(server: usize) -> Vec<SocketAddr> {
    let Ok(last) = u8::try_from(server) else { return Vec::new() };
    let v4 = Ipv4Addr::new(V4[0], V4[1], V4[2], last);
    let v6 = Ipv6Addr::new(V6, 0, 0, 0, 0, 0, 0, last.into());
    vec![SocketAddr::new(v4.into(), PORT), SocketAddr::new(v6.into(), PORT)]
}

/// The server of an address.
pub(crate) fn server_of(address: SocketAddr) -> Option<usize> {
    let server = match address.ip() {
        IpAddr::V4(ip) => ip.octets().strip_prefix(&V4).map(|rest| rest[0])?,
        IpAddr::V6(ip) => match ip.segments() {
            [V6, 0, 0, 0, 0, 0, 0, last] => u8::try_from(last).ok()?,
            _ => return None,
        },
    };
    (address.port() == PORT).then_some(server.into())
}

/// Whether it stands for a server. No datagram of a network may have it as its source.
pub(crate) fn is_stream_address(address: SocketAddr) -> bool {
    server_of(address).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_its_addresses_stand_for_one_server() {
        for server in [0, 3, 255] {
            assert_eq!(server_of_host(&format!("{}:3478", host(server))), Some(server));
            assert_eq!(addresses(server).into_iter().map(server_of).collect::<Vec<_>>(), [Some(server); 2]);
        }
        assert_eq!(server_of_host("relay.example:3478"), None);
        assert!(!is_stream_address("240.0.1.0:3478".parse().unwrap()));
        assert!(!is_stream_address("240.0.0.1:3479".parse().unwrap()));
        assert!(addresses(256).is_empty());
    }

    #[test]
    fn the_far_side_cannot_name_one() {
        assert!(addresses(1).iter().all(|address| crate::address::is_nobody(address.ip())));
    }
}
