//! Sockets that limit ICE checks, and what strangers may send us. They parse datagrams, and [`Pairs`] decides.
//!
//! A check over the limit is dropped, as a network might drop it; the library repeats it automatically.
//!
//! A check that nominates a pair is also dropped until the far side has checked us, which shows that it has our
//! description. The library nominates a pair only once, and Firefox forgets a nomination that reaches it before our
//! answer does: it would never send media.
//!
//! [`Nominations`] redelivers the far side's nominations that come too early for the library.

use crate::address;
use crate::admission::{self, Credentials, Kind, MDNS_PORT};
use crate::checks::{Budget, Check, Pairs, Share, Target};
use crate::dtls_limit::DtlsAllowance;
use crate::nominations::Nominations;
use crate::relay_transport::Relay;
use crate::stun::{
    BINDING_INDICATION, BINDING_REQUEST, BINDING_SUCCESS, CHANNEL_BIND_REQUEST, DATA_INDICATION, SEND_INDICATION,
    carried, channel_data, check, decoded, is_answer, is_response, stun,
};
use rtc::stun::attributes::ATTR_MESSAGE_INTEGRITY;
use rtc::stun::message::Getter;
use rtc::turn::proto::channum::ChannelNumber;
use rtc::turn::proto::peeraddr::PeerAddress;
use std::collections::{HashMap, HashSet};
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// Most channels tracked for one socket. Checks on further channels are dropped.
const MAX_CHANNELS: usize = 256;
/// Most addresses of the far side from which one socket accepts checks. The library keeps each as a candidate, and checks
/// it. When full, checks from further addresses are dropped.
const MAX_FAR_ADDRESSES: usize = 128;
/// Longest wait for a check. Other timers of a connection that has no path yet can be that late.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// How long checks through a relay over TCP or TLS wait for those through a relay over UDP that answers: a round trip
/// through two relays, and one check that is lost.
const HEAD_START: Duration = Duration::from_millis(150);

/// A relay over UDP that has not answered in this time is not waited for.
const UDP_ANSWERS: Duration = Duration::from_millis(100);

/// How long a nomination waits for the far side's first check. An ICE-lite agent never sends one.
const NOMINATION_WAIT: Duration = Duration::from_secs(3);

/// Limits the ICE checks of all connections that share clones of it.
#[derive(Debug, Clone, Default)]
pub struct CheckPacer(Arc<Mutex<Budget>>);

/// The limiter of one connection.
#[derive(Debug)]
pub(crate) struct Checks {
    pacer: CheckPacer,
    share: Mutex<Share>,
    /// What the sockets have seen.
    seen: Mutex<Vec<Weak<Mutex<Seen>>>>,
    /// Of the sockets that are made from now on.
    relays: Mutex<Arc<[Relay]>>,
    /// The best rank of a relay's transport from which a datagram came since the sockets were made.
    best_rank: AtomicU8,
    loopback: bool,
    credentials: Mutex<Credentials>,
    dtls: DtlsAllowance,
}

impl Checks {
    /// `relays` are TURN servers. `loopback`: whether this machine itself may be checked.
    pub(crate) fn new(pacer: CheckPacer, relays: Vec<Relay>, loopback: bool) -> Arc<Checks> {
        let (best_rank, relays) = (AtomicU8::new(u8::MAX), Mutex::new(relays.into()));
        let credentials = Mutex::new(Credentials::new());
        let (share, seen, dtls) = (Mutex::default(), Mutex::default(), DtlsAllowance::default());
        Arc::new(Checks { pacer, share, seen, relays, best_rank, loopback, credentials, dtls })
    }

    /// Replaces the TURN servers, for sockets that are made from now on.
    pub(crate) fn set_relays(&self, relays: Vec<Relay>) {
        *locked(&self.relays) = relays.into();
    }

    /// We publish a description with these ICE credentials, so checks with them are accepted from now on.
    pub(crate) fn accept(&self, ufrag: &str, password: &str) {
        locked(&self.credentials).add(ufrag, password);
    }

    /// The DTLS handshake is complete, so data channels may be used.
    pub(crate) fn set_keyed(&self) {
        self.dtls.set_keyed();
    }

    /// Wraps a socket, to limit its checks and what it receives.
    pub(crate) fn pace(self: &Arc<Self>, socket: Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket> {
        Arc::new(self.paced(socket))
    }

    fn paced(self: &Arc<Self>, socket: Arc<dyn AsyncUdpSocket>) -> Paced {
        let seen = Arc::<Mutex<Seen>>::default();
        let mut all = locked(&self.seen);
        all.retain(|seen| seen.strong_count() > 0);
        all.push(Arc::downgrade(&seen));
        // A socket is made for a new generation of ICE, possibly in another network.
        self.best_rank.store(u8::MAX, Ordering::Relaxed);
        let relays = locked(&self.relays).clone();
        let mdns = socket.local_addr().is_ok_and(|address| address.port() == MDNS_PORT);
        let redelivers = AtomicBool::new(false);
        Paced { socket, checks: self.clone(), relays, seen, made: Instant::now(), mdns, redelivers }
    }

    /// How long the driver can sleep before a check of this connection can leave. The library prepares a check of
    /// every pair each 10 ms, which is work for nothing while they are all held back. Whatever else wakes the
    /// driver (a packet, a new candidate) lets it prepare them immediately.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        let seen: Vec<_> = locked(&self.seen).iter().filter_map(Weak::upgrade).collect();
        let Some(wait) = seen.iter().filter_map(|seen| locked(seen).pairs.wait(now)).min() else {
            return Duration::ZERO;
        };
        if wait.is_zero() {
            return wait;
        }
        let mut share = locked(&self.share);
        wait.max(locked(&self.pacer.0).wait(now, &mut share)).min(LONGEST_WAIT)
    }

    /// Makes checks of all sockets' direct pairs due. Returns whether there are any.
    fn release_direct(&self, now: Instant) -> bool {
        let seen: Vec<_> = locked(&self.seen).iter().filter_map(Weak::upgrade).collect();
        seen.iter().filter(|seen| locked(seen).pairs.release_direct(now)).count() > 0
    }

    fn may_leave(&self, now: Instant, seen: &mut Seen, target: Target, check: Check) -> bool {
        let (Target::Direct(to) | Target::Relayed { peer: to, .. }) = target;
        // Resolved names, and sources of checks, have not been validated before.
        let own = address::is_loopback(to.ip()) && !self.loopback;
        if own || address::is_nobody(to.ip()) || to.port() == 0 {
            return false;
        }
        if check.nominates && !seen.may_nominate(now) {
            return false;
        }
        seen.pairs.may_check(now, target, check, &mut locked(&self.share), &mut locked(&self.pacer.0))
    }
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A socket whose checks are limited, and that receives nothing but what [`admission`] lists.
#[derive(Debug)]
struct Paced {
    socket: Arc<dyn AsyncUdpSocket>,
    checks: Arc<Checks>,
    relays: Arc<[Relay]>,
    seen: Arc<Mutex<Seen>>,
    /// When the socket was made.
    made: Instant,
    /// Whether it is that of multicast DNS.
    mdns: bool,
    /// Whether `seen` has nominations to repeat, so that media takes no lock.
    redelivers: AtomicBool,
}

#[derive(Debug, Default)]
struct Seen {
    pairs: Pairs,
    /// The peer of each channel.
    channels: HashMap<(SocketAddr, u16), SocketAddr>,
    /// Where the far side has checked us from.
    far_side: HashSet<Target>,
    /// When the library first tried to nominate a pair.
    nominated: Option<Instant>,
    nominations: Nominations,
}

impl Seen {
    fn may_nominate(&mut self, now: Instant) -> bool {
        let first = *self.nominated.get_or_insert(now);
        !self.far_side.is_empty() || now.saturating_duration_since(first) >= NOMINATION_WAIT
    }

    /// Whether the far side is there: a check has been authenticated in one of the two directions.
    fn is_proved(&self, target: Target) -> bool {
        self.far_side.contains(&target) || self.pairs.is_answered(target)
    }

    /// The far side has checked us. Returns whether there is room for its address.
    fn checked_us(&mut self, now: Instant, target: Target, head_start: Duration) -> bool {
        let has_room = self.far_side.contains(&target) || self.far_side.len() < MAX_FAR_ADDRESSES;
        if has_room {
            self.far_side.insert(target);
            self.pairs.hold(now, target, head_start);
            self.pairs.checked_us(now, target);
        }
        has_room
    }
}

impl Paced {
    /// Whether a datagram may be sent. Takes no lock for media.
    fn may_leave(&self, now: Instant, to: SocketAddr, data: &[u8]) -> bool {
        if let Some(check) = check(data) {
            return self.checks.may_leave(now, &mut locked(&self.seen), Target::Direct(to), check);
        }
        self.relay(to).is_none() || self.may_be_relayed(now, to, data)
    }

    fn relay(&self, address: SocketAddr) -> Option<&Relay> {
        self.relays.iter().find(|relay| relay.address == address)
    }

    /// How long the checks through a relay wait for those through a better one that answers, or that may answer soon.
    /// The library gives all relays the same priority and selects the first pair that works. Where UDP is blocked,
    /// nothing waits for longer.
    fn head_start(&self, now: Instant, target: Target) -> Duration {
        let Target::Relayed { relay, .. } = target else { return Duration::ZERO };
        let rank = self.relay(relay).map_or(0, |relay| relay.transport.rank());
        let answers = self.checks.best_rank.load(Ordering::Relaxed) < rank;
        let may_answer = now.saturating_duration_since(self.made) < UDP_ANSWERS
            && self.relays.iter().any(|relay| relay.transport.rank() < rank);
        if answers || may_answer { HEAD_START } else { Duration::ZERO }
    }

    fn may_be_relayed(&self, now: Instant, relay: SocketAddr, data: &[u8]) -> bool {
        if let Some((number, data)) = channel_data(data) {
            if check(data).is_none() && !is_answer(data) {
                return true;
            }
            let Some(peer) = locked(&self.seen).channels.get(&(relay, number)).copied() else { return false };
            return self.may_be_carried(now, Target::Relayed { relay, peer }, data);
        }
        match stun(data) {
            Some((CHANNEL_BIND_REQUEST, _)) => {
                self.note_channel(relay, data);
                true
            }
            Some((SEND_INDICATION, _)) => carried(data)
                .is_none_or(|(peer, data)| self.may_be_carried(now, Target::Relayed { relay, peer }, &data)),
            _ => true,
        }
    }

    /// A pair that is held back does not answer either: the far side would nominate it.
    fn may_be_carried(&self, now: Instant, target: Target, data: &[u8]) -> bool {
        if is_answer(data) {
            return !locked(&self.seen).pairs.is_held(now, target);
        }
        check(data).is_none_or(|check| self.may_check_relayed(now, target, check))
    }

    fn may_check_relayed(&self, now: Instant, target: Target, check: Check) -> bool {
        // Each lock is released before the next is taken: `release_direct` takes those of all sockets.
        let head_start = self.head_start(now, target);
        let is_due = {
            let pairs = &mut locked(&self.seen).pairs;
            pairs.hold(now, target, head_start);
            pairs.is_due(now, target)
        };
        if is_due && self.checks.release_direct(now) && locked(&self.seen).pairs.yield_round(now, target) {
            return false;
        }
        self.checks.may_leave(now, &mut locked(&self.seen), target, check)
    }

    fn note_channel(&self, relay: SocketAddr, data: &[u8]) {
        let (mut number, mut peer) = (ChannelNumber::default(), PeerAddress::default());
        let Some(message) = decoded(data) else { return };
        if number.get_from(&message).is_err() || peer.get_from(&message).is_err() {
            return;
        }
        let channels = &mut locked(&self.seen).channels;
        if channels.len() < MAX_CHANNELS {
            channels.insert((relay, number.0), SocketAddr::new(peer.ip, peer.port));
        }
    }

    /// Whether a received datagram may reach the library. Records what it says about its pair.
    fn admits(&self, now: Instant, from: SocketAddr, data: &[u8]) -> bool {
        if self.mdns {
            return admission::is_mdns(from.port(), data);
        }
        let whole = Datagram { from, bytes: data };
        let Some(relay) = self.relay(from) else { return self.admits_in(now, Target::Direct(from), data, whole) };
        self.checks.best_rank.fetch_min(relay.transport.rank(), Ordering::Relaxed);
        if let Some((number, data)) = channel_data(data) {
            // Not in the condition below, because that would hold the lock while the pair is handled.
            let peer = locked(&self.seen).channels.get(&(from, number)).copied();
            return peer.is_some_and(|peer| self.admits_in(now, Target::Relayed { relay: from, peer }, data, whole));
        }
        match stun(data) {
            Some((DATA_INDICATION, _)) => carried(data)
                .is_some_and(|(peer, data)| self.admits_in(now, Target::Relayed { relay: from, peer }, &data, whole)),
            _ => self.admits_in(now, Target::Direct(from), data, whole),
        }
    }

    /// `whole` is the datagram that carries `data`.
    fn admits_in(&self, now: Instant, target: Target, data: &[u8], whole: Datagram<'_>) -> bool {
        let is_proved = || locked(&self.seen).is_proved(target);
        match Kind::of(data) {
            Kind::Stun => self.admits_stun(now, target, data, whole),
            Kind::Dtls => is_proved() && self.checks.dtls.take(data),
            Kind::Media => is_proved(),
            Kind::Channel | Kind::Other => false,
        }
    }

    fn admits_stun(&self, now: Instant, target: Target, data: &[u8], whole: Datagram<'_>) -> bool {
        match stun(data) {
            Some((BINDING_REQUEST, _)) => {
                let is_authentic = locked(&self.checks.credentials).authenticate(data);
                let nominates = check(data).is_some_and(|check| check.nominates);
                let head_start = self.head_start(now, target);
                let mut seen = locked(&self.seen);
                let admitted = is_authentic && seen.checked_us(now, target, head_start);
                if admitted && nominates && !seen.pairs.is_answered(target) {
                    seen.nominations.keep(now, target, whole.from, whole.bytes);
                }
                admitted
            }
            Some((BINDING_INDICATION, _)) => locked(&self.seen).is_proved(target),
            Some((kind, id)) if is_response(kind) => {
                // A STUN server that somebody signalled as a candidate answers too, but it does not know the password.
                if kind == BINDING_SUCCESS && decoded(data).is_some_and(|m| m.contains(ATTR_MESSAGE_INTEGRITY)) {
                    let mut seen = locked(&self.seen);
                    seen.pairs.answered(target, id);
                    if seen.pairs.is_answered(target) && seen.nominations.on_answered(now, target) {
                        self.redelivers.store(true, Ordering::Relaxed);
                    }
                }
                true
            }
            _ => false,
        }
    }
}

impl Paced {
    /// Receives a nomination again. Returns false if none is due.
    fn redeliver(&self, buffers: &mut [IoSliceMut<'_>], meta: &mut [RecvMeta]) -> bool {
        let next = locked(&self.seen).nominations.take();
        self.redelivers.store(next.as_ref().is_some_and(|(_, _, more)| *more), Ordering::Relaxed);
        let (Some((from, datagram, _)), Some(buffer), Some(meta)) = (next, buffers.first_mut(), meta.first_mut())
        else {
            return false;
        };
        let Some(place) = buffer.get_mut(..datagram.len()) else { return false };
        place.copy_from_slice(&datagram);
        *meta = RecvMeta::default();
        (meta.addr, meta.len, meta.stride) = (from, datagram.len(), datagram.len());
        true
    }
}

/// A received datagram.
#[derive(Debug, Clone, Copy)]
struct Datagram<'a> {
    from: SocketAddr,
    bytes: &'a [u8],
}

impl AsyncUdpSocket for Paced {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let segment = transmit.segment_size.unwrap_or(transmit.contents.len()).min(transmit.contents.len());
        let first = &transmit.contents[..segment];
        if !self.may_leave(Instant::now(), transmit.destination, first) {
            return Poll::Ready(Ok(transmit.contents.len()));
        }
        if segment < transmit.contents.len() && stun(first).is_some() {
            // Several checks of one pair in one call: send only the first.
            let one = Transmit { contents: first, segment_size: None, ..*transmit };
            return self.socket.poll_send(context, &one).map_ok(|_| transmit.contents.len());
        }
        self.socket.poll_send(context, transmit)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if self.redelivers.load(Ordering::Relaxed) && self.redeliver(buffers, meta) {
            return Poll::Ready(Ok(1));
        }
        let outcome = self.socket.poll_recv(context, buffers, meta);
        if let Poll::Ready(Ok(count)) = outcome {
            let now = Instant::now();
            admission::retain_received(buffers, meta, count, |from, one| self.admits(now, from, one));
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
mod tests;
