//! The sockets of allocations.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use crate::udp::Port;

/// Number of random ports tried for an allocation before it fails (508).
const PORT_ATTEMPTS: usize = 32;

/// Binds the sockets of an allocation: a random port of the range, and the next higher one if requested.
pub(super) fn bind_relayed(
    ip: IpAddr,
    range: &RangeInclusive<u16>,
    even: bool,
    beside: bool,
    buffer: usize,
) -> Option<(Port, Option<Port>)> {
    let (first, last) = (u32::from(*range.start()), u32::from(*range.end()));
    for _ in 0..PORT_ATTEMPTS {
        let mut random = [0; 4];
        getrandom::fill(&mut random).ok()?;
        // Random, so that relayed addresses cannot be predicted from earlier ones (RFC 8656 section 7.2).
        let number = first + u32::from_be_bytes(random) % (last - first + 1);
        let number = if even { number & !1 } else { number };
        let above = number + 1;
        if number < first || (beside && above > last) {
            continue;
        }
        let bind = |number: u32| Port::bind(SocketAddr::new(ip, u16::try_from(number).ok()?), true, buffer).ok();
        let Some(port) = bind(number) else { continue };
        if !beside {
            return Some((port, None));
        }
        if let Some(above) = bind(above) {
            return Some((port, Some(above)));
        }
    }
    None
}
