//! A look at each datagram before the `turn` crate gets it.
//!
//! Refused here is what the crate would answer wrongly or not at all: peers that are not allowed (403), requests
//! that need an allocation where there is none (437), and attributes it handles in a way that can be abused (420).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use super::switch::Switch;

/// Type of the answer that permits peers.
pub(super) const CREATE_PERMISSION_SUCCESS: u16 = 0x0108;

const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER_BYTES: usize = 20;
/// Peers one request may name. Each is remembered for minutes; nobody has more candidates of one kind.
const MAX_PEERS: usize = 32;

const REFRESH: u16 = 0x0004;
const SEND_INDICATION: u16 = 0x0016;
const CREATE_PERMISSION: u16 = 0x0008;
const CHANNEL_BIND: u16 = 0x0009;
const ALLOCATE: u16 = 0x0003;
const BINDING: u16 = 0x0001;

const ATTR_ERROR_CODE: u16 = 0x0009;
const ATTR_UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const ATTR_LIFETIME: u16 = 0x000d;
const ATTR_XOR_PEER_ADDRESS: u16 = 0x0012;
const ATTR_EVEN_PORT: u16 = 0x0018;
const ATTR_RESERVATION_TOKEN: u16 = 0x0022;

/// What to do with a datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Drop,
    /// Send this back.
    Answer(Vec<u8>),
    /// Let the crate handle it; these are the peers it names.
    Pass { peers: Vec<SocketAddr> },
}

/// Judges datagrams.
#[derive(Debug)]
pub(super) struct Front {
    pub(super) switch: Arc<Switch>,
}

impl Front {
    /// Judges a datagram of a client that has an allocation or none.
    pub(super) fn judge(&self, datagram: &[u8], has_allocation: bool) -> Verdict {
        // The two highest bits tell channel data (01) from STUN (00) (RFC 8656 section 12).
        match datagram.first().map(|first| first >> 6) {
            Some(1) if has_allocation => Verdict::Pass { peers: Vec::new() },
            Some(0) => {
                Message::parse(datagram).map_or(Verdict::Drop, |message| self.judge_stun(&message, has_allocation))
            }
            Some(_) | None => Verdict::Drop,
        }
    }

    fn judge_stun(&self, message: &Message<'_>, has_allocation: bool) -> Verdict {
        match message.kind {
            BINDING => Verdict::Pass { peers: Vec::new() },
            ALLOCATE => {
                // Pairs of ports are for RTP without multiplexing, which nobody here uses.
                match message.attributes().find(|(kind, _)| [ATTR_EVEN_PORT, ATTR_RESERVATION_TOKEN].contains(kind)) {
                    Some((kind, _)) => Verdict::Answer(message.unknown_attribute(kind)),
                    None => Verdict::Pass { peers: Vec::new() },
                }
            }
            REFRESH if has_allocation || message.ends_allocation() => Verdict::Pass { peers: Vec::new() },
            CREATE_PERMISSION | CHANNEL_BIND if has_allocation => self.judge_peers(message),
            REFRESH | CREATE_PERMISSION | CHANNEL_BIND => Verdict::Answer(message.error(437, "Allocation Mismatch")),
            SEND_INDICATION if has_allocation => match message.peers() {
                Some(peers) if peers.iter().all(|peer| self.switch.may_be_named(*peer)) => Verdict::Pass { peers },
                Some(_) | None => Verdict::Drop,
            },
            _ => Verdict::Drop,
        }
    }

    fn judge_peers(&self, message: &Message<'_>) -> Verdict {
        match message.peers() {
            None => Verdict::Answer(message.error(400, "Bad Request")),
            Some(peers) if peers.is_empty() || peers.len() > MAX_PEERS => {
                Verdict::Answer(message.error(400, "Bad Request"))
            }
            Some(peers) if peers.iter().all(|peer| self.switch.may_be_named(*peer)) => Verdict::Pass { peers },
            Some(_) => Verdict::Answer(message.error(403, "Forbidden")),
        }
    }
}

/// Whether a datagram of somebody with an allocation makes the relay remember something.
pub(super) fn costs(datagram: &[u8]) -> bool {
    let kind = datagram.first_chunk().map(|kind| u16::from_be_bytes(*kind));
    kind.is_some_and(|kind| [CREATE_PERMISSION, CHANNEL_BIND, REFRESH].contains(&kind))
}

/// A STUN message whose attributes fill it exactly.
struct Message<'a> {
    kind: u16,
    /// Magic cookie and transaction id: what addresses are masked with.
    mask: &'a [u8; 16],
    body: &'a [u8],
}

impl<'a> Message<'a> {
    fn parse(datagram: &'a [u8]) -> Option<Message<'a>> {
        let (header, body) = datagram.split_at_checked(HEADER_BYTES)?;
        let kind = u16::from_be_bytes([header[0], header[1]]);
        let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let mask: &[u8; 16] = header.get(4..)?.try_into().ok()?;
        let sound = mask.starts_with(&MAGIC_COOKIE) && length == body.len() && length % 4 == 0;
        let message = Message { kind, mask, body };
        (sound && message.is_whole()).then_some(message)
    }

    fn is_whole(&self) -> bool {
        let mut attributes = self.attributes();
        attributes.by_ref().for_each(drop);
        attributes.rest.is_empty()
    }

    fn attributes(&self) -> Attributes<'a> {
        Attributes { rest: self.body }
    }

    fn ends_allocation(&self) -> bool {
        self.attributes().any(|(kind, value)| kind == ATTR_LIFETIME && value == [0; 4])
    }

    /// Every peer named; `None` if one of them cannot be read.
    fn peers(&self) -> Option<Vec<SocketAddr>> {
        let named = self.attributes().filter(|(kind, _)| *kind == ATTR_XOR_PEER_ADDRESS);
        named.map(|(_, value)| self.address(value)).collect()
    }

    /// XOR-PEER-ADDRESS: a zero byte, the family, the masked port and address (RFC 8489 section 14.2).
    fn address(&self, value: &[u8]) -> Option<SocketAddr> {
        let (head, address) = value.split_at_checked(4)?;
        let port = u16::from_be_bytes([head[2] ^ self.mask[0], head[3] ^ self.mask[1]]);
        let ip: IpAddr = match (head[1], address.len()) {
            (1, 4) => Ipv4Addr::from(self.unmask::<4>(address)?).into(),
            (2, 16) => Ipv6Addr::from(self.unmask::<16>(address)?).into(),
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }

    fn unmask<const N: usize>(&self, masked: &[u8]) -> Option<[u8; N]> {
        let mut out: [u8; N] = masked.try_into().ok()?;
        out.iter_mut().zip(self.mask).for_each(|(byte, mask)| *byte ^= mask);
        Some(out)
    }

    fn error(&self, code: u16, reason: &str) -> Vec<u8> {
        self.failure(&[(ATTR_ERROR_CODE, error_value(code, reason))])
    }

    fn unknown_attribute(&self, kind: u16) -> Vec<u8> {
        let unknown = kind.to_be_bytes().to_vec();
        self.failure(&[(ATTR_ERROR_CODE, error_value(420, "Unknown Attribute")), (ATTR_UNKNOWN_ATTRIBUTES, unknown)])
    }

    /// An error response to this request. Without integrity: the request's own has not been looked at.
    fn failure(&self, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend_from_slice(&kind.to_be_bytes());
            body.extend_from_slice(&u16::try_from(value.len()).unwrap_or(0).to_be_bytes());
            body.extend_from_slice(value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut out = (self.kind | 0x0110).to_be_bytes().to_vec();
        out.extend_from_slice(&u16::try_from(body.len()).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(self.mask);
        out.extend_from_slice(&body);
        out
    }
}

fn error_value(code: u16, reason: &str) -> Vec<u8> {
    let mut value = vec![0, 0, (code / 100) as u8, (code % 100) as u8];
    value.extend_from_slice(reason.as_bytes());
    value
}

struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (head, rest) = self.rest.split_at_checked(4)?;
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let value = rest.get(..length)?;
        self.rest = rest.get(length.next_multiple_of(4)..)?;
        Some((u16::from_be_bytes([head[0], head[1]]), value))
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::PeerPolicy;
    use super::*;
    use proptest::prelude::*;

    fn front() -> Front {
        Front { switch: Arc::new(Switch::new(PeerPolicy::default(), 1)) }
    }

    fn message(kind: u16, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
        let mask: [u8; 16] = [0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let mut out = Message { kind, mask: &mask, body: &[] }.failure(attributes);
        out[..2].copy_from_slice(&kind.to_be_bytes());
        out
    }

    fn peer(addr: &str) -> (u16, Vec<u8>) {
        let addr: SocketAddr = addr.parse().expect("an address");
        let mask: [u8; 16] = [0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let port = (addr.port() ^ 0x2112).to_be_bytes();
        let (family, bytes) = match addr.ip() {
            IpAddr::V4(ip) => (1, ip.octets().to_vec()),
            IpAddr::V6(ip) => (2, ip.octets().to_vec()),
        };
        let masked = bytes.iter().zip(mask).map(|(byte, mask)| byte ^ mask);
        (ATTR_XOR_PEER_ADDRESS, [0, family].into_iter().chain(port).chain(masked).collect())
    }

    fn code(verdict: Verdict) -> Option<u16> {
        let Verdict::Answer(answer) = verdict else { return None };
        let message = Message::parse(&answer).expect("a sound answer");
        let (_, value) = message.attributes().find(|(kind, _)| *kind == ATTR_ERROR_CODE)?;
        Some(u16::from(value[2]) * 100 + u16::from(value[3]))
    }

    #[test]
    fn peers_that_are_not_allowed_are_forbidden() {
        for kind in [CREATE_PERMISSION, CHANNEL_BIND] {
            for addr in ["127.0.0.1:53", "192.168.1.1:80", "[::ffff:10.0.0.1]:9", "169.254.169.254:80"] {
                assert_eq!(code(front().judge(&message(kind, &[peer(addr)]), true)), Some(403), "{addr}");
            }
            let hidden = message(kind, &[peer("8.8.8.8:1"), peer("127.0.0.1:2")]);
            assert_eq!(code(front().judge(&hidden, true)), Some(403));
        }
        let send = message(SEND_INDICATION, &[peer("127.0.0.1:53")]);
        assert_eq!(front().judge(&send, true), Verdict::Drop);
    }

    #[test]
    fn peers_that_are_allowed_pass_and_are_named() {
        let request = message(CREATE_PERMISSION, &[peer("8.8.8.8:1"), peer("[2606:4700::1]:2")]);
        let peers = ["8.8.8.8:1", "[2606:4700::1]:2"].map(|addr| addr.parse().expect("an address")).to_vec();
        assert_eq!(front().judge(&request, true), Verdict::Pass { peers });
    }

    #[test]
    fn a_request_that_needs_an_allocation_is_told_there_is_none() {
        for kind in [CREATE_PERMISSION, CHANNEL_BIND, REFRESH] {
            assert_eq!(code(front().judge(&message(kind, &[peer("8.8.8.8:1")]), false)), Some(437));
        }
        let end = message(REFRESH, &[(ATTR_LIFETIME, vec![0; 4])]);
        assert_eq!(front().judge(&end, false), Verdict::Pass { peers: vec![] });
        assert_eq!(front().judge(&[0x40, 0, 0, 0], false), Verdict::Drop);
        assert_eq!(front().judge(&[0x40, 0, 0, 0], true), Verdict::Pass { peers: vec![] });
    }

    #[test]
    fn pairs_of_ports_are_an_unknown_attribute() {
        let answer = front().judge(&message(ALLOCATE, &[(ATTR_EVEN_PORT, vec![0x80])]), false);
        assert_eq!(code(answer), Some(420));
        assert_eq!(front().judge(&message(ALLOCATE, &[]), false), Verdict::Pass { peers: vec![] });
    }

    #[test]
    fn messages_that_do_not_add_up_are_dropped() {
        let good = message(BINDING, &[(0x8022, b"abc".to_vec())]);
        assert_eq!(front().judge(&good, false), Verdict::Pass { peers: vec![] });
        for length in 0..good.len() {
            assert_eq!(front().judge(&good[..length], false), Verdict::Drop, "{length}");
        }
        let mut cookie = good.clone();
        cookie[4] = 0;
        assert_eq!(front().judge(&cookie, false), Verdict::Drop);
        let mut long = good.clone();
        long[23] = 200;
        assert_eq!(front().judge(&long, false), Verdict::Drop);
        let mut many: Vec<_> = Vec::new();
        many.resize(MAX_PEERS + 1, peer("8.8.8.8:1"));
        assert_eq!(code(front().judge(&message(CREATE_PERMISSION, &many), true)), Some(400));
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_verdict(bytes in prop::collection::vec(any::<u8>(), 0..200), allocated: bool) {
            let _ = front().judge(&bytes, allocated);
        }

        #[test]
        fn no_message_with_a_denied_peer_passes(
            kind in prop::sample::select(vec![CREATE_PERMISSION, CHANNEL_BIND, SEND_INDICATION]),
            others in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..20)), 0..4),
            place in 0..5usize,
        ) {
            let mut attributes = others;
            attributes.insert(place.min(attributes.len()), peer("10.0.0.1:1"));
            let passed = matches!(front().judge(&message(kind, &attributes), true), Verdict::Pass { .. });
            prop_assert!(!passed);
        }

        #[test]
        fn attributes_behind_any_head_never_panic(kind: u16, body in prop::collection::vec(any::<u8>(), 0..120), allocated: bool) {
            let mut bytes = message(kind & 0x3fff, &[]);
            bytes[2..4].copy_from_slice(&(body.len() as u16).to_be_bytes());
            bytes.extend(body);
            let _ = front().judge(&bytes, allocated);
        }
    }
}
