//! Hints and default routes from the kernel (rtnetlink(7), proc_net(5)).

use super::paths::{Gateway, Paths};
use bytes::BytesMut;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a change of the network causes.
const GROUPS: i32 = libc::RTMGRP_LINK
    | libc::RTMGRP_IPV4_IFADDR
    | libc::RTMGRP_IPV6_IFADDR
    | libc::RTMGRP_IPV4_ROUTE
    | libc::RTMGRP_IPV6_ROUTE;
/// Bytes of a notification that are read; the rest of it is dropped.
const NOTIFICATION: usize = 4096;

/// Consecutive errors after which the socket is not read any more.
const MOST_ERRORS: u8 = 3;

/// The kernel's notifications. They wait in the socket's buffer; one that is lost there is followed by an error, which is
/// a hint too.
pub(super) struct Hints {
    socket: Option<TokioSocket>,
    errors: u8,
}

impl Hints {
    pub(super) fn open() -> Hints {
        let socket = notifications();
        if let Err(error) = &socket {
            tracing::warn!("the kernel does not report changes of the network: {error}");
        }
        Hints { socket: socket.ok(), errors: 0 }
    }

    /// Whether some changes have no hint, so that the network must be read at an interval.
    pub(super) fn are_incomplete(&self) -> bool {
        self.socket.is_none()
    }

    /// Waits for the next hint.
    pub(super) async fn next(&mut self) {
        let Some(socket) = &mut self.socket else { return std::future::pending().await };
        // What a notification says is read from the tables.
        let received = socket.recv(&mut BytesMut::with_capacity(NOTIFICATION)).await;
        self.errors = if received.is_ok() { 0 } else { self.errors + 1 };
        if self.errors == MOST_ERRORS {
            self.socket = None;
        }
    }

    /// The present paths.
    pub(super) fn paths(&self) -> Paths {
        let table = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let (v4, v6) = (table("/proc/thread-self/net/route"), table("/proc/thread-self/net/ipv6_route"));
        Paths::read(v4.lines().filter_map(ipv4).chain(v6.lines().filter_map(ipv6)).collect())
    }
}

fn notifications() -> std::io::Result<TokioSocket> {
    let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
    socket.socket_mut().bind(&SocketAddr::new(0, GROUPS as u32))?;
    Ok(socket)
}

/// A default route in a line of `/proc/net/route`: interface, destination, gateway, flags, two counters, metric, mask.
/// Numbers are hexadecimal, in the machine's byte order, but for counters and the metric.
fn ipv4(line: &str) -> Option<Gateway> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [interface, destination, gateway, _, _, _, metric, mask, ..] = words[..] else { return None };
    let number = |word: &str| u32::from_str_radix(word, 16).ok();
    if (number(destination)?, number(mask)?) != (0, 0) {
        return None;
    }
    let address = Ipv4Addr::from(number(gateway)?.to_ne_bytes());
    Some(Gateway { ipv6: false, metric: metric.parse().ok()?, address: address.into(), interface: interface.into() })
}

/// A default route in a line of `/proc/net/ipv6_route`: destination, its prefix length, source, its prefix length,
/// gateway, metric, two counters, flags, interface. Numbers are hexadecimal.
fn ipv6(line: &str) -> Option<Gateway> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, prefix, _, _, gateway, metric, _, _, _, interface] = words[..] else { return None };
    // On `lo` there is a route for what no other one leads to.
    if prefix != "00" || interface == "lo" {
        return None;
    }
    let address = IpAddr::from(Ipv6Addr::from(u128::from_str_radix(gateway, 16).ok()?));
    Some(Gateway { ipv6: true, metric: u32::from_str_radix(metric, 16).ok()?, address, interface: interface.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_are_read_and_others_are_not() {
        let table = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
                     wire\t00000000\t0103A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                     wire\t0003A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n";
        let found: Vec<Gateway> = table.lines().filter_map(ipv4).collect();
        let address = if cfg!(target_endian = "little") { [192, 168, 3, 1] } else { [1, 3, 168, 192] };
        let expected = Gateway { ipv6: false, metric: 100, address: address.into(), interface: "wire".into() };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn ipv6_default_routes_are_read_too() {
        let none = "0".repeat(32);
        let gateway = "fe800000000000000000000000000001";
        let table = [
            format!("{none} 00 {none} 00 {gateway} 00000400 00000001 00000000 00000003     wire"),
            format!("{none} 00 {none} 00 {none} ffffffff 00000001 00000000 00200200       lo"),
            format!(
                "20010db8000000000000000000000000 40 {none} 00 {none} 00000100 00000001 00000000 00000001     wire"
            ),
        ];
        let found: Vec<Gateway> = table.iter().filter_map(|line| ipv6(line)).collect();
        let address = "fe80::1".parse().expect("an address");
        assert_eq!(found, [Gateway { ipv6: true, metric: 1_024, address, interface: "wire".into() }]);
    }
}
