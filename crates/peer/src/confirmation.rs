//! Confirms our nominations, which saves a round trip.
//!
//! The controlling agent nominates a pair after one of its checks of that pair has been answered, and selects it when the
//! nomination has been answered too (RFC 8445 section 8.1.1). That second answer shows nothing new about the path. So the
//! socket answers a nomination itself, and repeats it until the far side has answered: the library does not repeat it
//! after it has selected the pair.

use crate::admission;
use crate::checks::TransactionId;
use crate::injected::Injected;
use crate::stun::{BINDING_SUCCESS, check, inner, stun, username, wrapped_like};
use rtc::crypto::RTCCryptoProvider;
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{self, Message, Setter};
use rtc::stun::xoraddr::XorMappedAddress;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use webrtc::peer_connection::crypto;
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// When a nomination is repeated, after the first time. The library ends the connection if nothing comes back at all.
const RETRANSMITTED_AFTER: [Duration; 6] = [
    Duration::from_millis(40),
    Duration::from_millis(120),
    Duration::from_millis(280),
    Duration::from_millis(600),
    Duration::from_millis(1_200),
    Duration::from_millis(2_400),
];
/// Most nominations that one socket confirms: one for each generation of ICE that uses it. The library repeats what it
/// does not take as confirmed, and further ones are left to the network.
const MAX_CONFIRMED: usize = 4;

/// The far side's ICE credentials, with which it would answer.
#[derive(Default)]
pub(crate) struct FarSide {
    credentials: Mutex<Option<Credentials>>,
}

/// The user name fragment and the password.
struct Credentials {
    ufrag: String,
    password: String,
}

impl FarSide {
    /// Sets the credentials of the far side's description.
    pub(crate) fn set(&self, ufrag: &str, password: &str) {
        *locked(&self.credentials) = Some(Credentials { ufrag: ufrag.into(), password: password.into() });
    }

    /// Wraps a socket, so that it confirms nominations.
    pub(crate) fn confirm(self: &Arc<Self>, socket: Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket> {
        let Ok(crypto) = crypto::default_provider() else { return socket };
        let (injected, confirmed, open) = (Injected::default(), Arc::default(), Arc::default());
        Arc::new(ConfirmingSocket { socket, far: self.clone(), crypto, injected, confirmed, open })
    }

    /// The far side's answer to a check of ours. `None` if the check is for another generation of ICE.
    fn answer(&self, request: &[u8], mapped: SocketAddr, crypto: &dyn RTCCryptoProvider) -> Option<Vec<u8>> {
        let (_, id) = stun(request)?;
        let credentials = locked(&self.credentials);
        let Credentials { ufrag, password } = credentials.as_ref()?;
        if username(request)?.split(|byte| *byte == b':').next()? != ufrag.as_bytes() {
            return None;
        }
        let integrity = MessageIntegrity::new_short_term_integrity_with_provider(password.clone(), crypto.crypto());
        let parts: [Box<dyn Setter + '_>; 5] = [
            Box::new(message::BINDING_SUCCESS),
            Box::new(message::TransactionId(id)),
            Box::new(XorMappedAddress { ip: mapped.ip(), port: mapped.port() }),
            Box::new(integrity),
            Box::new(FINGERPRINT),
        ];
        let mut answer = Message::new();
        answer.build(&parts).ok().map(|()| answer.raw)
    }
}

impl fmt::Debug for FarSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FarSide").finish_non_exhaustive()
    }
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A nomination that the library takes as answered.
///
/// ```text
///  open ──the far side's answer, or the last repetition──▶ closed
/// ```
#[derive(Debug)]
struct Confirmed {
    id: TransactionId,
    open: bool,
}

struct ConfirmingSocket {
    socket: Arc<dyn AsyncUdpSocket>,
    far: Arc<FarSide>,
    crypto: Arc<dyn RTCCryptoProvider>,
    injected: Injected,
    confirmed: Arc<Mutex<Vec<Confirmed>>>,
    /// Number of open nominations, so that packets of a call take no lock.
    open: Arc<AtomicUsize>,
}

impl ConfirmingSocket {
    /// Confirms a nomination that has been sent.
    fn on_sent(&self, to: SocketAddr, datagram: &[u8]) {
        let Some(request) = inner(datagram) else { return };
        let Some(check) = check(&request).filter(|check| check.nominates) else { return };
        let mut confirmed = locked(&self.confirmed);
        if confirmed.len() >= MAX_CONFIRMED || confirmed.iter().any(|known| known.id == check.id) {
            return;
        }
        let mapped = self.socket.local_addr().unwrap_or(to);
        let answer = self.far.answer(&request, mapped, &*self.crypto);
        let Some(answer) = answer.and_then(|answer| wrapped_like(datagram, answer)) else { return };
        confirmed.push(Confirmed { id: check.id, open: true });
        drop(confirmed);
        self.open.fetch_add(1, Ordering::Release);
        self.retransmit(check.id, to, datagram.to_vec());
        self.injected.push(to, answer);
    }

    /// Sends a nomination again until it is answered.
    fn retransmit(&self, id: TransactionId, to: SocketAddr, datagram: Vec<u8>) {
        let (socket, confirmed) = (Arc::downgrade(&self.socket), Arc::downgrade(&self.confirmed));
        let open = self.open.clone();
        tokio::spawn(async move {
            let start = tokio::time::Instant::now();
            for after in RETRANSMITTED_AFTER {
                tokio::time::sleep_until(start + after).await;
                let (Some(socket), Some(confirmed)) = (socket.upgrade(), confirmed.upgrade()) else { return };
                if !locked(&confirmed).iter().any(|known| known.id == id && known.open) {
                    return;
                }
                let transmit =
                    Transmit { destination: to, ecn: None, contents: &datagram, segment_size: None, src_ip: None };
                if let Err(error) = std::future::poll_fn(|context| socket.poll_send(context, &transmit)).await {
                    tracing::debug!("a nomination was not repeated: {error}");
                }
            }
            if let Some(confirmed) = confirmed.upgrade() {
                close(&confirmed, &open, id);
            }
        });
    }

    /// Whether the library may receive this: not the answer that it has received already.
    fn admits(&self, datagram: &[u8]) -> bool {
        let Some(answer) = inner(datagram) else { return true };
        match stun(&answer) {
            Some((BINDING_SUCCESS, id)) => !close(&self.confirmed, &self.open, id),
            _ => true,
        }
    }
}

/// Closes a nomination. Returns whether it was confirmed here.
fn close(confirmed: &Mutex<Vec<Confirmed>>, open: &AtomicUsize, id: TransactionId) -> bool {
    let mut confirmed = locked(confirmed);
    let Some(known) = confirmed.iter_mut().find(|known| known.id == id) else { return false };
    if std::mem::take(&mut known.open) {
        open.fetch_sub(1, Ordering::Release);
    }
    true
}

impl fmt::Debug for ConfirmingSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfirmingSocket").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl AsyncUdpSocket for ConfirmingSocket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let outcome = self.socket.poll_send(context, transmit);
        if matches!(outcome, Poll::Ready(Ok(_))) {
            self.on_sent(transmit.destination, transmit.contents);
        }
        outcome
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if self.injected.receive(context, buffers, meta) {
            return Poll::Ready(Ok(1));
        }
        let outcome = self.socket.poll_recv(context, buffers, meta);
        if let Poll::Ready(Ok(count)) = outcome
            && self.open.load(Ordering::Acquire) > 0
        {
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
    use rtc::stun::attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME};

    fn request(id: u8, ufrag: &str, nominates: bool) -> Vec<u8> {
        let mut request = Message::new();
        request.build(&[Box::new(message::TransactionId([id; 12])), Box::new(message::BINDING_REQUEST)]).unwrap();
        request.add(ATTR_USERNAME, format!("{ufrag}:ours").as_bytes());
        if nominates {
            request.add(ATTR_USE_CANDIDATE, &[]);
        }
        request.raw
    }

    fn socket() -> (Arc<Wire>, Arc<dyn AsyncUdpSocket>) {
        let (wire, far) = (Arc::new(Wire::default()), Arc::new(FarSide::default()));
        far.set("theirs", "password");
        (wire.clone(), far.confirm(wire))
    }

    #[tokio::test(start_paused = true)]
    async fn a_nomination_is_answered_and_sent_until_the_far_side_answers() {
        let (wire, socket) = socket();
        let nomination = request(1, "theirs", true);
        send(&*socket, &nomination);
        let mut answer = Message::new();
        answer.unmarshal_binary(&receive(&*socket).unwrap()).unwrap();
        let crypto = crypto::default_provider().unwrap();
        MessageIntegrity::check(&mut answer, b"password", crypto.crypto()).unwrap();
        assert_eq!((answer.typ, answer.transaction_id.0), (message::BINDING_SUCCESS, [1; 12]));
        tokio::time::sleep(RETRANSMITTED_AFTER[1]).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(wire.sent().len(), 3);
        wire.deliver(answer.raw.clone());
        assert_eq!(receive(&*socket), Some(vec![]), "the library has an answer");
        tokio::time::sleep(2 * RETRANSMITTED_AFTER[5]).await;
        assert_eq!(wire.sent().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_nomination_that_nobody_answers_is_sent_a_few_times() {
        let (wire, socket) = socket();
        send(&*socket, &request(1, "theirs", true));
        tokio::time::sleep(10 * RETRANSMITTED_AFTER[5]).await;
        assert_eq!(wire.sent().len(), 1 + RETRANSMITTED_AFTER.len());
    }

    #[tokio::test(start_paused = true)]
    async fn other_checks_are_left_to_the_network() {
        let (wire, socket) = socket();
        for other in [request(1, "theirs", false), request(2, "others", true), request(3, "", true), vec![128; 40]] {
            send(&*socket, &other);
            assert_eq!(receive(&*socket), None);
        }
        wire.deliver(request(4, "ours", true));
        assert!(receive(&*socket).is_some_and(|data| !data.is_empty()));
        tokio::time::sleep(10 * RETRANSMITTED_AFTER[5]).await;
        assert_eq!(wire.sent().len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn few_nominations_are_confirmed() {
        let (_, socket) = socket();
        (0..100).for_each(|id| send(&*socket, &request(id, "theirs", true)));
        assert_eq!(std::iter::from_fn(|| receive(&*socket)).count(), MAX_CONFIRMED);
    }
}
