//! Agrees the cookie of the DTLS handshake in the descriptions, which saves a round trip.
//!
//! A server of DTLS 1.2 answers the first ClientHello with a HelloVerifyRequest, and goes on when the client has sent
//! another ClientHello with the cookie in it (RFC 6347 section 4.2.1). This shows that the client's address is not forged,
//! which ICE has already shown here: nothing but an answered check lets DTLS pass (`admission`). The library always asks.
//! So each side names in its description the cookie that its server would ask for. The client's socket answers the first
//! ClientHello itself, and both of them leave together.
//!
//! Without a cookie in the far side's description nothing changes. Browsers have none, and ask for none.

use crate::admission;
use crate::flights::handshake;
use crate::injected::Injected;
use crate::stun::wrapped_like;
use rtc::crypto::{CryptoError, RTCCrypto, RTCCryptoProvider, RTCRandom};
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use webrtc::peer_connection::crypto;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// Length of a cookie in bytes, which the library chooses. It asks for no other random value of this length.
pub(crate) const LENGTH: usize = 20;
/// A DTLS cookie.
pub(crate) type Cookie = [u8; LENGTH];

const RECORD_HEADER: usize = 13;
const MESSAGE_HEADER: usize = 12;
const HANDSHAKE: u8 = 22;
/// Handshake messages (RFC 5246 section 7.4, RFC 6347 section 4.3.2).
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;
/// Version and random of a ClientHello, before its session id.
const VERSION_AND_RANDOM: usize = 2 + 32;

/// The cookies of a connection.
#[derive(Debug)]
pub(crate) struct Cookies {
    own: Cookie,
    /// The far side's, from its description.
    far: Mutex<Option<Cookie>>,
}

impl Cookies {
    /// Chooses our cookie.
    pub(crate) fn new() -> Result<Cookies, CryptoError> {
        let mut own = [0; LENGTH];
        crypto::default_provider()?.random().fill(&mut own)?;
        Ok(Cookies { own, far: Mutex::default() })
    }

    /// The cookie that our description names.
    pub(crate) fn own(&self) -> Cookie {
        self.own
    }

    /// Sets the cookie that the far side's description names.
    pub(crate) fn set_far(&self, cookie: Option<Cookie>) {
        *locked(&self.far) = cookie;
    }

    /// Cryptography for the library, with which its DTLS server asks for our cookie.
    pub(crate) fn provider(&self) -> Result<Arc<dyn RTCCryptoProvider>, CryptoError> {
        Ok(Arc::new(Provider { library: crypto::default_provider()?, cookie: self.own }))
    }

    /// Wraps a socket, so that it answers our first ClientHello.
    pub(crate) fn answer(self: &Arc<Self>, socket: Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket> {
        let (hello, injected, stage) = (Mutex::default(), Injected::default(), AtomicU8::new(WAITING));
        Arc::new(AnsweringSocket { socket, cookies: self.clone(), hello, injected, stage })
    }
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The library's cryptography, but for one random value.
struct Provider {
    library: Arc<dyn RTCCryptoProvider>,
    cookie: Cookie,
}

impl RTCCryptoProvider for Provider {
    fn name(&self) -> &'static str {
        self.library.name()
    }

    fn crypto(&self) -> &dyn RTCCrypto {
        self.library.crypto()
    }

    fn random(&self) -> &dyn RTCRandom {
        self
    }
}

impl RTCRandom for Provider {
    fn fill(&self, output: &mut [u8]) -> Result<(), CryptoError> {
        if output.len() == LENGTH {
            output.copy_from_slice(&self.cookie);
            return Ok(());
        }
        self.library.random().fill(output)
    }
}

/// ```text
/// WAITING --our first ClientHello, if the cookie is known--> ANSWERED --ServerHello--> DONE
///    └──ServerHello──> DONE
/// ```
const WAITING: u8 = 0;
const ANSWERED: u8 = 1;
const DONE: u8 = 2;

struct Hello {
    to: SocketAddr,
    datagram: Vec<u8>,
    /// Whether a second one has followed.
    followed: bool,
}

struct AnsweringSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    cookies: Arc<Cookies>,
    /// The first ClientHello and its destination. A server that has not received it takes no second one, and the library
    /// does not repeat it. So it is sent again when that one is.
    hello: Mutex<Option<Hello>>,
    injected: Injected,
    stage: AtomicU8,
}

impl AnsweringSocket {
    /// Answers a ClientHello without a cookie.
    fn on_sent(&self, to: SocketAddr, datagram: &[u8]) {
        let Some(far) = *locked(&self.cookies.far) else { return };
        if handshake(datagram).is_none_or(|record| has_cookie(&record) != Some(false)) {
            return;
        }
        if let Some(answer) = wrapped_like(datagram, hello_verify_request(&far)) {
            *locked(&self.hello) = Some(Hello { to, datagram: datagram.to_vec(), followed: false });
            self.stage.store(ANSWERED, Ordering::Release);
            self.injected.push(to, answer);
        }
    }

    /// What to send before this datagram: the first ClientHello, if it is a retransmission of the second.
    fn first_hello(&self, datagram: &[u8]) -> Option<(SocketAddr, Vec<u8>)> {
        if self.stage.load(Ordering::Acquire) != ANSWERED {
            return None;
        }
        handshake(datagram).filter(|record| has_cookie(record) == Some(true))?;
        let mut hello = locked(&self.hello);
        let hello = hello.as_mut()?;
        std::mem::replace(&mut hello.followed, true).then(|| (hello.to, hello.datagram.clone()))
    }

    /// Whether the library may receive this. It has an answer to its ClientHello already.
    fn admits(&self, datagram: &[u8]) -> bool {
        match handshake(datagram).as_deref().and_then(message_type) {
            Some(HELLO_VERIFY_REQUEST) => self.stage.load(Ordering::Acquire) != ANSWERED,
            Some(SERVER_HELLO) => {
                self.stage.store(DONE, Ordering::Release);
                *locked(&self.hello) = None;
                true
            }
            _ => true,
        }
    }
}

/// The type of the first handshake message of a record.
fn message_type(record: &[u8]) -> Option<u8> {
    let is_plain = record.first() == Some(&HANDSHAKE) && record.get(3..5)? == [0, 0];
    record.get(RECORD_HEADER).copied().filter(|_| is_plain)
}

/// Whether a ClientHello has a cookie. `None` for other messages.
fn has_cookie(record: &[u8]) -> Option<bool> {
    if message_type(record)? != CLIENT_HELLO {
        return None;
    }
    let session_id = RECORD_HEADER + MESSAGE_HEADER + VERSION_AND_RANDOM;
    let cookie = session_id + 1 + usize::from(*record.get(session_id)?);
    Some(*record.get(cookie)? != 0)
}

/// The record of a HelloVerifyRequest, the first message of a server.
fn hello_verify_request(cookie: &Cookie) -> Vec<u8> {
    const BODY: u8 = 3 + LENGTH as u8;
    const RECORD: u8 = MESSAGE_HEADER as u8 + BODY;
    let mut record = vec![HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, RECORD];
    record.extend([HELLO_VERIFY_REQUEST, 0, 0, BODY, 0, 0, 0, 0, 0, 0, 0, BODY]);
    record.extend([0xfe, 0xfd, LENGTH as u8]);
    record.extend(cookie);
    record
}

impl fmt::Debug for AnsweringSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnsweringSocket").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl AsyncUdpSocket for AnsweringSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let stage = self.stage.load(Ordering::Acquire);
        if stage == DONE {
            return self.socket.poll_send(context, transmit);
        }
        if let Some((destination, contents)) = self.first_hello(transmit.contents) {
            let first = Transmit { destination, contents: &contents, segment_size: None, ..*transmit };
            // An error concerns the second one, too.
            let _ = ready!(self.socket.poll_send(context, &first));
        }
        let outcome = ready!(self.socket.poll_send(context, transmit));
        if stage == WAITING && outcome.is_ok() {
            self.on_sent(transmit.destination, transmit.contents);
        }
        Poll::Ready(outcome)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if self.stage.load(Ordering::Acquire) == DONE {
            return self.socket.poll_recv(context, buffers, meta);
        }
        if self.injected.receive(context, buffers, meta) {
            return Poll::Ready(Ok(1));
        }
        let outcome = self.socket.poll_recv(context, buffers, meta);
        if let Poll::Ready(Ok(count)) = outcome {
            admission::retain_received(buffers, meta, count, |_, one| self.admits(one));
        }
        outcome
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Wire, receive, send};

    fn message(message_type: u8, body: &[u8]) -> Vec<u8> {
        let mut record = vec![HANDSHAKE, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        record.extend([message_type; 1]);
        record.extend([0; MESSAGE_HEADER - 1]);
        record.extend(body);
        record
    }

    fn client_hello(cookie: &[u8]) -> Vec<u8> {
        let mut body = vec![9; VERSION_AND_RANDOM];
        body.extend([2, 1, 1]); // session id
        body.push(cookie.len() as u8);
        body.extend(cookie);
        message(CLIENT_HELLO, &body)
    }

    fn socket(far: Option<Cookie>) -> (Arc<Wire>, Arc<dyn AsyncUdpSocket>) {
        let (wire, cookies) = (Arc::new(Wire::default()), Arc::new(Cookies::new().unwrap()));
        cookies.set_far(far);
        (wire.clone(), cookies.answer(wire))
    }

    #[test]
    fn a_hello_is_answered_with_the_far_sides_cookie_and_its_own_answer_is_held_back() {
        let (wire, socket) = socket(Some([7; LENGTH]));
        assert_eq!(receive(&*socket), None);
        send(&*socket, &client_hello(&[]));
        let answer = receive(&*socket).unwrap();
        assert_eq!(answer, hello_verify_request(&[7; LENGTH]));
        assert_eq!(usize::from(answer[12]), answer.len() - RECORD_HEADER);
        let second = client_hello(&[7; LENGTH]);
        (0..2).for_each(|_| send(&*socket, &second));
        let (first, second) = (client_hello(&[]), second);
        assert_eq!(wire.sent(), [first.clone(), second.clone(), first, second]);
        for (message_type, left) in [(HELLO_VERIFY_REQUEST, false), (SERVER_HELLO, true), (HELLO_VERIFY_REQUEST, true)]
        {
            wire.deliver(message(message_type, &[]));
            assert_eq!(receive(&*socket).is_some_and(|data| !data.is_empty()), left, "{message_type}");
        }
    }

    #[test]
    fn nothing_is_answered_without_a_cookie_of_the_far_side() {
        let (wire, socket) = socket(None);
        send(&*socket, &client_hello(&[]));
        assert_eq!(receive(&*socket), None);
        wire.deliver(message(HELLO_VERIFY_REQUEST, &[]));
        assert!(receive(&*socket).is_some_and(|data| !data.is_empty()));
    }

    #[test]
    fn other_records_are_not_taken_for_a_hello() {
        let (_, socket) = socket(Some([7; LENGTH]));
        let hello = client_hello(&[]);
        let mut later = hello.clone();
        later[4] = 1; // encrypted
        for data in
            [later, hello[..40].to_vec(), message(SERVER_HELLO, &[0; 99]), vec![], vec![HANDSHAKE], vec![128; 80]]
        {
            send(&*socket, &data);
            assert_eq!(receive(&*socket), None, "{data:?}");
        }
    }

    #[test]
    fn a_hello_through_a_relay_is_answered_in_its_channel() {
        let (_, socket) = socket(Some([7; LENGTH]));
        let hello = client_hello(&[]);
        let mut wrapped = vec![0x40, 3, 0, hello.len() as u8];
        wrapped.extend(&hello);
        send(&*socket, &wrapped);
        let answer = receive(&*socket).unwrap();
        assert_eq!((&answer[..4], &answer[4..]), (&[0x40, 3, 0, 48][..], &hello_verify_request(&[7; LENGTH])[..]));
    }

    #[test]
    fn only_values_of_the_cookies_length_are_not_random() {
        let cookies = Cookies::new().unwrap();
        let provider = cookies.provider().unwrap();
        for length in (1..=64).filter(|length| *length != LENGTH) {
            let mut filled = [vec![0; 64], vec![0; 64]];
            filled.iter_mut().for_each(|bytes| provider.random().fill(&mut bytes[..length]).unwrap());
            let first = length.min(LENGTH);
            assert!(length < 8 || filled[0] != filled[1] && filled[0][..first] != cookies.own()[..first], "{length}");
        }
        let mut cookie = Cookie::default();
        provider.random().fill(&mut cookie).unwrap();
        assert_eq!(cookie, cookies.own());
        assert_ne!(cookie, Cookies::new().unwrap().own(), "each connection has another one");
    }
}
