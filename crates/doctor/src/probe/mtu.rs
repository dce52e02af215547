//! The path MTU to a STUN server: Binding requests of several sizes that must not be fragmented. Only the way to the
//! server is measured.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use relay::request::Request;
use tokio::time::{Instant, timeout_at};

use super::random;
use crate::examination::{Failed, Mtu};

/// Sizes of UDP payload, ascending. 548 fits into the 576 bytes that every IPv4 host accepts, 1,232 into the 1,280 of
/// IPv6; 1,452 and 1,472 fill Ethernet's 1,500 with the headers of IPv6 and IPv4.
const SIZES: [usize; 8] = [548, 1_000, 1_200, 1_232, 1_300, 1_400, 1_452, 1_472];
/// The first size that needs IPv4.
const ONLY_V4: usize = 1_472;
/// How often each datagram is sent until it is answered, so that loss does not look like a limit.
const ROUNDS: u32 = 5;
/// How long each round waits.
const ROUND: Duration = Duration::from_millis(300);

/// What became of one size.
struct Probe {
    bytes: usize,
    request: Request,
    answered: bool,
    reported: bool,
}

/// Measures. `None` if the server does not answer these requests, or if this system cannot forbid fragmentation.
pub(super) async fn measure(server: SocketAddr) -> Option<Mtu> {
    let socket = unfragmented(server).ok()?;
    socket.set_nonblocking(true).ok()?;
    let socket = tokio::net::UdpSocket::from_std(socket).ok()?;
    let sizes = SIZES.into_iter().filter(|bytes| *bytes < ONLY_V4 || server.is_ipv4());
    let mut probes: Vec<Probe> = sizes
        .map(|bytes| Probe { bytes, request: Request::binding_of(random(), bytes), answered: false, reported: false })
        .collect();
    for _ in 0..ROUNDS {
        for probe in probes.iter_mut().filter(|probe| !probe.answered) {
            if let Err(error) = socket.send(probe.request.bytes()).await {
                probe.reported |= is_too_long(&error);
            }
        }
        receive(&socket, &mut probes).await;
        if probes.iter().all(|probe| probe.answered) {
            break;
        }
    }
    result(&probes)
}

/// Records answers until the round is over or everything is answered.
async fn receive(socket: &tokio::net::UdpSocket, probes: &mut [Probe]) {
    let ends = Instant::now() + ROUND;
    let mut buffer = [0; 2_048];
    while probes.iter().any(|probe| !probe.answered) {
        match timeout_at(ends, socket.recv(&mut buffer)).await {
            Ok(Ok(length)) => {
                let answer = &buffer[..length];
                let answered = probes.iter_mut().find(|probe| probe.request.response(answer).is_some());
                answered.into_iter().for_each(|probe| probe.answered = true);
            }
            // An ICMP message. The next send reports that a datagram is too long.
            Ok(Err(_)) => {}
            Err(_) => return,
        }
    }
}

/// The largest size up to which everything passes.
fn result(probes: &[Probe]) -> Option<Mtu> {
    let passes = probes.iter().rev().find(|probe| probe.answered)?.bytes;
    let larger = probes.iter().find(|probe| probe.bytes > passes);
    let fails = larger.map(|probe| Failed { bytes: probe.bytes, reported: probe.reported });
    Some(Mtu::Measured { passes, fails })
}

/// A socket whose datagrams routers must not fragment (the DF bit), so that the system refuses those that are known to
/// be too long.
#[cfg(target_os = "linux")]
fn unfragmented(server: SocketAddr) -> io::Result<UdpSocket> {
    use super::channel::any;
    use rustix::net::sockopt::{Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};
    use rustix::net::sockopt::{set_ip_mtu_discover, set_ipv6_mtu_discover};
    let socket = UdpSocket::bind(any(server))?;
    match server {
        SocketAddr::V4(_) => set_ip_mtu_discover(&socket, Ipv4PathMtuDiscovery::DO)?,
        SocketAddr::V6(_) => set_ipv6_mtu_discover(&socket, Ipv6PathMtuDiscovery::DO)?,
    }
    socket.connect(server)?;
    Ok(socket)
}

/// Not supported here.
#[cfg(not(target_os = "linux"))]
fn unfragmented(_server: SocketAddr) -> io::Result<UdpSocket> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(target_os = "linux")]
fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::MSGSIZE.raw_os_error())
}

#[cfg(not(target_os = "linux"))]
fn is_too_long(_error: &io::Error) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(answered: usize, reported: bool) -> Option<Mtu> {
        let probe = |(n, bytes)| Probe {
            bytes,
            request: Request::binding([0; 12]),
            answered: n < answered,
            reported: reported && n >= answered,
        };
        result(&SIZES.into_iter().enumerate().map(probe).collect::<Vec<_>>())
    }

    #[test]
    fn the_limit_is_between_the_largest_that_passes_and_the_next() {
        assert_eq!(measured(0, false), None);
        let fails = |bytes, reported| Some(Failed { bytes, reported });
        assert_eq!(measured(2, false), Some(Mtu::Measured { passes: 1_000, fails: fails(1_200, false) }));
        assert_eq!(measured(4, true), Some(Mtu::Measured { passes: 1_232, fails: fails(1_300, true) }));
        assert_eq!(measured(8, false), Some(Mtu::Measured { passes: 1_472, fails: None }));
    }
}
