//! Addresses that must not be sent to, whoever signals them.

use std::net::{IpAddr, Ipv4Addr};

/// Whether the address is this machine itself.
pub(crate) fn is_loopback(ip: IpAddr) -> bool {
    judge(ip).is_loopback()
}

/// Whether the address is not a single reachable host: unspecified, multicast, broadcast, reserved, or link-local.
///
/// A link-local address is ambiguous without its interface, which a candidate cannot name; we gather none ourselves. In
/// data centres, 169.254.169.254 is an internal service of the host.
pub(crate) fn is_nobody(ip: IpAddr) -> bool {
    match judge(ip) {
        IpAddr::V4(v4) => {
            v4.is_multicast() || v4.is_link_local() || v4.octets()[0] == 0 || v4.octets()[0] >= 240 // RFC 1112 section 4
        }
        IpAddr::V6(v6) => {
            let is_discarded = v6.segments().starts_with(&[0x100, 0, 0, 0]); // RFC 6666
            v6.is_unspecified() || v6.is_multicast() || v6.is_unicast_link_local() || is_discarded
        }
    }
}

/// The embedded IPv4 address, if an IPv6 address contains one.
fn judge(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) => v4(g, h), // mapped, RFC 4291 section 2.5.5.2
        (0, 0, 0, 0, 0, 0) if (g, h) > (0, 1) => v4(g, h), // compatible, RFC 4291 section 2.5.5.1
        (0x64, 0xff9b, 0, 0, 0, 0) => v4(g, h), // translated, RFC 6052 section 2.1
        (0x2002, ..) => v4(b, c),            // 6to4, RFC 3056 section 2
        _ => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unroutable_addresses_are_recognised_in_every_form() {
        for nobody in [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.251",
            "239.1.1.1",
            "255.255.255.255",
            "240.0.0.1",
            "169.254.169.254",
            "::",
            "ff02::fb",
            "fe80::1",
            "100::1",
            "::ffff:224.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "::169.254.169.254",
            "2002:a9fe:a9fe::1",
            "2002:e000:1::1",
        ] {
            assert!(is_nobody(nobody.parse().unwrap()), "{nobody}");
        }
        for somebody in ["10.0.0.1", "192.0.2.7", "169.253.0.1", "2001:db8::1", "fd00::1", "64:ff9b::192.0.2.7"] {
            assert!(!is_nobody(somebody.parse().unwrap()), "{somebody}");
        }
    }

    #[test]
    fn loopback_addresses_are_recognised_in_every_form() {
        for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::1"] {
            assert!(is_loopback(own.parse().unwrap()), "{own}");
        }
        assert!(!is_loopback("128.0.0.1".parse().unwrap()));
    }
}
