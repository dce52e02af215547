//! Stateless nonces: each contains its time and proves its client.
//!
//! A nonce is base64url(seconds since the start in 4 bytes, HMAC-SHA256 over these and the 5-tuple truncated to 12
//! bytes). Whoever has one has received a datagram at that address, so a spoofed source has none (RFC 8489
//! section 9.2).

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::client::{Client, Transport};
use crate::limits::NONCE_LIFETIME;

const SECONDS_BYTES: usize = 4;
const MAC_BYTES: usize = 12;

/// Creates and checks nonces.
#[derive(Debug)]
pub(crate) struct Nonces {
    key: [u8; 32],
    start: Instant,
}

impl Nonces {
    pub(crate) fn new(key: [u8; 32], start: Instant) -> Nonces {
        Nonces { key, start }
    }

    pub(crate) fn make(&self, now: Instant, client: &Client) -> String {
        let seconds = self.seconds(now).to_be_bytes();
        let proof = self.proof(seconds, client).finalize().into_bytes();
        URL_SAFE_NO_PAD.encode([&seconds[..], &proof[..MAC_BYTES]].concat())
    }

    /// Whether a nonce was created for this client and has not expired.
    pub(crate) fn is_good(&self, now: Instant, client: &Client, nonce: &str) -> bool {
        let mut raw = [0; SECONDS_BYTES + MAC_BYTES];
        if URL_SAFE_NO_PAD.decode_slice(nonce, &mut raw) != Ok(raw.len()) {
            return false;
        }
        let (seconds, proof) = raw.split_at(SECONDS_BYTES);
        let mut made = [0; SECONDS_BYTES];
        made.copy_from_slice(seconds);
        let age = self.seconds(now).checked_sub(u32::from_be_bytes(made));
        age.is_some_and(|age| u64::from(age) < NONCE_LIFETIME.as_secs())
            && self.proof(made, client).verify_truncated_left(proof).is_ok()
    }

    fn seconds(&self, now: Instant) -> u32 {
        u32::try_from(now.saturating_duration_since(self.start).as_secs()).unwrap_or(u32::MAX)
    }

    fn proof(&self, seconds: [u8; SECONDS_BYTES], client: &Client) -> Hmac<Sha256> {
        let mut mac = keyed(&self.key);
        mac.update(&seconds);
        mac.update(&[match client.transport {
            Transport::Udp => 0,
            Transport::Tcp => 1,
            Transport::Tls => 2,
        }]);
        for SocketAddrBytes { ip, port } in [client.remote, client.local].map(bytes) {
            mac.update(&ip);
            mac.update(&port);
        }
        mac
    }
}

/// HMAC-SHA256 with a key of this relay.
pub(crate) fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    let Ok(mac) = Hmac::new_from_slice(key) else { unreachable!("HMAC takes a key of any length") };
    mac
}

struct SocketAddrBytes {
    ip: [u8; 16],
    port: [u8; 2],
}

fn bytes(addr: SocketAddr) -> SocketAddrBytes {
    let ip = match addr.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    SocketAddrBytes { ip: ip.octets(), port: addr.port().to_be_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn client(remote: &str) -> Client {
        let addr = |text: &str| text.parse().unwrap();
        Client { transport: Transport::Udp, remote: addr(remote), local: addr("192.0.2.1:3478") }
    }

    #[test]
    fn a_nonce_is_valid_for_one_client_and_expires() {
        let start = Instant::now();
        let nonces = Nonces::new([7; 32], start);
        let ada = client("198.51.100.1:5000");
        let made = start + Duration::from_secs(100);
        let nonce = nonces.make(made, &ada);
        assert_eq!(nonce.len(), 22);
        assert!(nonces.is_good(made, &ada, &nonce));
        assert!(nonces.is_good(made + NONCE_LIFETIME - Duration::from_secs(1), &ada, &nonce));
        assert!(!nonces.is_good(made + NONCE_LIFETIME, &ada, &nonce));
        assert!(!nonces.is_good(start, &ada, &nonce), "not made yet");
        for other in ["198.51.100.1:5001", "198.51.100.2:5000"] {
            assert!(!nonces.is_good(made, &client(other), &nonce), "{other}");
        }
        assert!(!nonces.is_good(made, &Client { transport: Transport::Tcp, ..ada }, &nonce));
        let elsewhere = "192.0.2.2:3478".parse().unwrap();
        assert!(!nonces.is_good(made, &Client { local: elsewhere, ..ada }, &nonce));
        assert!(!Nonces::new([8; 32], start).is_good(made, &ada, &nonce), "another start");
        for n in 0..nonce.len() {
            let mut bent = nonce.clone().into_bytes();
            bent[n] = if bent[n] == b'A' { b'B' } else { b'A' };
            assert!(!nonces.is_good(made, &ada, std::str::from_utf8(&bent).unwrap()), "{n}");
        }
        for odd in ["", "A", &nonce[1..], &format!("{nonce}A"), "not base64 at all !!!!"] {
            assert!(!nonces.is_good(made, &ada, odd), "{odd}");
        }
    }
}
