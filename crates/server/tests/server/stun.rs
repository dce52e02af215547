//! Writes the requests of a TURN client byte by byte, and reads the answers.

use std::net::{IpAddr, SocketAddr};

use hmac::{Hmac, Mac as _};
use sha1::Sha1;
use signaling::message::IceServer;
use turn::auth::generate_auth_key;

pub(crate) const XOR_PEER_ADDRESS: u16 = 0x0012;
pub(crate) const DATA: u16 = 0x0013;
pub(crate) const CHANNEL_NUMBER: u16 = 0x000c;
pub(crate) const NONCE: u16 = 0x0015;
pub(crate) const UDP: (u16, &[u8]) = (0x0019, &[17, 0, 0, 0]);

/// The requests of one client with its credentials.
pub(crate) struct Requests {
    pub(crate) username: String,
    pub(crate) key: Vec<u8>,
    pub(crate) nonce: Vec<u8>,
    transactions: u8,
}

impl Requests {
    pub(crate) fn new(credentials: IceServer) -> Requests {
        let username = credentials.username.expect("a user name");
        let key = generate_auth_key(&username, "lunchroom", &credentials.credential.expect("a password"));
        Requests { username, key, nonce: Vec::new(), transactions: 0 }
    }

    pub(crate) fn message(&mut self, kind: u16, attributes: &[(u16, &[u8])], signed: bool) -> Vec<u8> {
        self.transactions += 1;
        let mut out = kind.to_be_bytes().to_vec();
        out.extend([0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, self.transactions]);
        attributes.iter().for_each(|(kind, value)| add(&mut out, *kind, value));
        if signed {
            add(&mut out, 0x0006, self.username.as_bytes());
            add(&mut out, 0x0014, b"lunchroom");
            add(&mut out, NONCE, &self.nonce);
            // The length includes the integrity attribute that follows (RFC 8489 section 14.5).
            set_length(&mut out, 24);
            let mut mac = Hmac::<Sha1>::new_from_slice(&self.key).expect("any length");
            mac.update(&out);
            let integrity = mac.finalize().into_bytes();
            add(&mut out, 0x0008, &integrity);
        }
        set_length(&mut out, 0);
        out
    }

    /// A Send indication.
    pub(crate) fn indication(&mut self, peer: SocketAddr, data: &[u8]) -> Vec<u8> {
        self.message(0x0016, &[(XOR_PEER_ADDRESS, &xor(peer)), (DATA, data)], false)
    }
}

fn add(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend(kind.to_be_bytes());
    out.extend((value.len() as u16).to_be_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn set_length(out: &mut [u8], more: usize) {
    let length = (out.len() - 20 + more) as u16;
    out[2..4].copy_from_slice(&length.to_be_bytes());
}

/// The value of XOR-PEER-ADDRESS.
pub(crate) fn xor(addr: SocketAddr) -> Vec<u8> {
    let IpAddr::V4(ip) = addr.ip() else { panic!("IPv4 only") };
    let port = (addr.port() ^ 0x2112).to_be_bytes();
    let ip = (ip.to_bits() ^ 0x2112_a442).to_be_bytes();
    [&[0, 1], &port[..], &ip[..]].concat()
}

pub(crate) fn attribute(message: &[u8], wanted: u16) -> Option<Vec<u8>> {
    let mut rest = &message[20..];
    while rest.len() >= 4 {
        let (kind, length) = (u16::from_be_bytes([rest[0], rest[1]]), usize::from(rest[3]) | usize::from(rest[2]) << 8);
        if kind == wanted {
            return Some(rest[4..4 + length].to_vec());
        }
        rest = &rest[4 + length.next_multiple_of(4)..];
    }
    None
}

pub(crate) fn error_code(message: &[u8]) -> Option<u16> {
    attribute(message, 0x0009).map(|value| u16::from(value[2]) * 100 + u16::from(value[3]))
}
