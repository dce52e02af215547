//! Which received datagrams reach the library.
//!
//! The library takes DTLS, RTP and RTCP from any address as soon as a pair is selected, takes TURN data from any
//! address if there is one TURN server, and resolves a conflict of ICE roles before it authenticates the check. So
//! anybody who knows our port could begin a handshake in place of the far side, end one, and exchange our role. The
//! sockets therefore let pass:
//!
//! - checks (RFC 8445 section 7.3) that our password authenticates,
//! - answers of STUN and TURN, which the library matches with its requests by their random transaction ids,
//! - data of TURN from a TURN server that we use,
//! - all else only from the far side: from an address between which and this socket a check was authenticated.

use crate::stun::decoded;
use rtc::crypto::RTCCryptoProvider;
use rtc::stun::attributes::ATTR_USERNAME;
use rtc::stun::integrity::MessageIntegrity;
use std::collections::VecDeque;
use std::fmt;
use std::io::IoSliceMut;
use std::net::SocketAddr;
use std::sync::Arc;
use webrtc::peer_connection::crypto;
use webrtc::runtime::RecvMeta;

/// Most generations of ICE whose checks are accepted. An offer that restarts ICE can be rolled back, and the credentials
/// before it count again. When full, the oldest is dropped.
const GENERATIONS: usize = 4;

/// The port of multicast DNS (RFC 6762).
pub(crate) const MDNS_PORT: u16 = 5353;

/// What a datagram holds, by its first byte (RFC 7983).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Stun,
    Dtls,
    /// Channel data of TURN.
    Channel,
    /// RTP and RTCP.
    Media,
    Other,
}

impl Kind {
    pub(crate) fn of(data: &[u8]) -> Kind {
        match data.first() {
            Some(0..=3) => Kind::Stun,
            Some(20..=63) => Kind::Dtls,
            Some(64..=79) => Kind::Channel,
            Some(128..=191) => Kind::Media,
            _ => Kind::Other,
        }
    }
}

/// Our ICE credentials, of the newest generations.
pub(crate) struct Credentials {
    crypto: Option<Arc<dyn RTCCryptoProvider>>,
    /// User name fragment and password.
    generations: VecDeque<(String, String)>,
}

impl Credentials {
    pub(crate) fn new() -> Credentials {
        Credentials { crypto: crypto::default_provider().ok(), generations: VecDeque::new() }
    }

    /// We publish a description with these.
    pub(crate) fn add(&mut self, ufrag: &str, password: &str) {
        if self.generations.iter().any(|(known, _)| known == ufrag) {
            return;
        }
        self.generations.truncate(GENERATIONS - 1);
        self.generations.push_front((ufrag.into(), password.into()));
    }

    /// Whether a check comes from somebody who knows our password (RFC 8445 section 7.3).
    pub(crate) fn authenticate(&self, check: &[u8]) -> bool {
        let (Some(mut message), Some(provider)) = (decoded(check), &self.crypto) else { return false };
        let Ok(user) = message.get(ATTR_USERNAME) else { return false };
        let fragment = user.split(|byte| *byte == b':').next().unwrap_or_default();
        let Some((_, password)) = self.generations.iter().find(|(ufrag, _)| ufrag.as_bytes() == fragment) else {
            return false;
        };
        MessageIntegrity::check(&mut message, password.as_bytes(), provider.crypto()).is_ok()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("generations", &self.generations.len()).finish_non_exhaustive()
    }
}

/// Removes the datagrams that `admits` refuses from a message of one or more of `stride` bytes. Returns its new length.
fn retain(message: &mut [u8], stride: usize, mut admits: impl FnMut(&[u8]) -> bool) -> usize {
    let (mut kept, mut start) = (0, 0);
    while start < message.len() {
        let end = (start + stride.max(1)).min(message.len());
        if admits(&message[start..end]) {
            message.copy_within(start..end, kept);
            kept += end - start;
        }
        start = end;
    }
    kept
}

/// Removes the datagrams that `admits` refuses from the first `count` received messages. It gets the source of each. An
/// empty message is none to the library.
pub(crate) fn retain_received(
    buffers: &mut [IoSliceMut<'_>],
    meta: &mut [RecvMeta],
    count: usize,
    admits: impl Fn(SocketAddr, &[u8]) -> bool,
) {
    for (buffer, meta) in buffers.iter_mut().zip(meta.iter_mut()).take(count) {
        let (from, length) = (meta.addr, meta.len.min(buffer.len()));
        meta.len = retain(&mut buffer[..length], meta.stride, |one| admits(from, one));
    }
}

/// Whether the socket of multicast DNS takes this. Its messages have the id 0 (RFC 6762 section 18.1), and the library
/// would take others for DTLS or media.
pub(crate) fn is_mdns(from_port: u16, data: &[u8]) -> bool {
    from_port == MDNS_PORT && Kind::of(data) == Kind::Stun
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_datagrams_that_are_left_are_whole_and_in_order(
            sizes in (1usize..50, 0usize..10, 0usize..50),
            refused in prop::collection::vec(any::<bool>(), 11),
        ) {
            let (stride, full, last) = (sizes.0, sizes.1, sizes.2 % sizes.0);
            let datagrams: Vec<Vec<u8>> = (0..full).map(|n| vec![n as u8; stride]).chain([vec![99; last]]).collect();
            let mut message = datagrams.concat();
            let mut number = 0..;
            let length = retain(&mut message, stride, |_| number.next().is_some_and(|n: usize| !refused[n]));
            let left: Vec<Vec<u8>> =
                datagrams.into_iter().zip(&refused).filter(|(_, refused)| !**refused).map(|(data, _)| data).collect();
            prop_assert_eq!(&message[..length], left.concat());
        }
    }

    #[test]
    fn only_the_newest_generations_are_accepted() {
        let mut credentials = Credentials::new();
        for n in 0..=GENERATIONS {
            credentials.add(&format!("ufrag{n}"), "password");
            credentials.add(&format!("ufrag{n}"), "password");
        }
        let known: Vec<&str> = credentials.generations.iter().map(|(ufrag, _)| ufrag.as_str()).collect();
        assert_eq!(known, ["ufrag4", "ufrag3", "ufrag2", "ufrag1"]);
    }
}
