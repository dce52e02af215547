//! Addresses of loopback that no other test uses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process;
use std::sync::atomic::{AtomicU8, Ordering};

/// A port that needs no privileges.
const PORT: u16 = 7443;

/// An address at which nothing listens until the test does. It stays so: each call returns an IP address of 127.0.0.0/8
/// that belongs to this process and this call (254 calls). A port that a listener had and gave back does not, for another
/// test may get it at any moment.
///
/// Linux only: other systems have no loopback addresses beside 127.0.0.1.
pub fn address() -> SocketAddr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = process::id().to_be_bytes();
    let last = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(last < u8::MAX, "each process has 254 addresses");
    // Never 127.0.0.0/16, of which tests name addresses themselves.
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, high | 1, low, last)), PORT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn nothing_listens_until_the_test_does() {
        let (first, second) = (address(), address());
        assert_ne!(first, second);
        assert!(TcpStream::connect(first).is_err());
        let _listener = TcpListener::bind(first).expect("free");
        assert!(TcpStream::connect(first).is_ok() && TcpStream::connect(second).is_err());
    }
}
