//! Sockets that limit ICE checks. They parse datagrams, and [`Pairs`] decides.
//!
//! A check over the limit is dropped, as a network might drop it; the library repeats it automatically.
//!
//! A check that nominates a pair is also dropped until the far side has checked us, which shows that it has our
//! description. The library nominates a pair only once, and Firefox forgets a nomination that reaches it before our
//! answer does: it would never send media.

use crate::address;
use crate::checks::{Budget, Pairs, Share, Target};
use crate::relay_transport::Relay;
use crate::stun::{
    BINDING_REQUEST, BINDING_SUCCESS, CHANNEL_BIND_REQUEST, Check, DATA_INDICATION, SEND_INDICATION, carried,
    channel_data, check, decoded, is_answer, stun,
};
use rtc::stun::attributes::ATTR_MESSAGE_INTEGRITY;
use rtc::stun::message::Getter;
use rtc::turn::proto::channum::ChannelNumber;
use rtc::turn::proto::peeraddr::PeerAddress;
use std::collections::HashMap;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// Most channels tracked for one socket. Checks on further channels are dropped.
const MAX_CHANNELS: usize = 256;
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
}

impl Checks {
    /// `relays` are TURN servers. `loopback`: whether this machine itself may be checked.
    pub(crate) fn new(pacer: CheckPacer, relays: Vec<Relay>, loopback: bool) -> Arc<Checks> {
        let (best_rank, relays) = (AtomicU8::new(u8::MAX), Mutex::new(relays.into()));
        Arc::new(Checks { pacer, share: Mutex::default(), seen: Mutex::default(), relays, best_rank, loopback })
    }

    /// Replaces the TURN servers, for sockets that are made from now on.
    pub(crate) fn set_relays(&self, relays: Vec<Relay>) {
        *locked(&self.relays) = relays.into();
    }

    /// Wraps a socket, to limit its checks.
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
        Paced { socket, checks: self.clone(), relays, seen, made: Instant::now() }
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
        seen.pairs.may_check(now, target, check.id, &mut locked(&self.share), &mut locked(&self.pacer.0))
    }
}

fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A socket whose checks are limited.
#[derive(Debug)]
struct Paced {
    socket: Arc<dyn AsyncUdpSocket>,
    checks: Arc<Checks>,
    relays: Arc<[Relay]>,
    seen: Arc<Mutex<Seen>>,
    /// When the socket was made.
    made: Instant,
}

#[derive(Debug, Default)]
struct Seen {
    pairs: Pairs,
    /// The peer of each channel.
    channels: HashMap<(SocketAddr, u16), SocketAddr>,
    /// Whether the far side has checked us.
    checked_us: bool,
    /// When the library first tried to nominate a pair.
    nominated: Option<Instant>,
}

impl Seen {
    fn may_nominate(&mut self, now: Instant) -> bool {
        let first = *self.nominated.get_or_insert(now);
        self.checked_us || now.saturating_duration_since(first) >= NOMINATION_WAIT
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

    /// Records what a received datagram says about its pair.
    fn record_received(&self, now: Instant, from: SocketAddr, data: &[u8]) {
        let Some(relay) = self.relay(from) else {
            return self.record_for_pair(now, Target::Direct(from), data);
        };
        self.checks.best_rank.fetch_min(relay.transport.rank(), Ordering::Relaxed);
        if let Some((number, data)) = channel_data(data) {
            // Not in the condition below, because that would hold the lock while the pair is handled.
            let peer = stun(data).and_then(|_| locked(&self.seen).channels.get(&(from, number)).copied());
            if let Some(peer) = peer {
                self.record_for_pair(now, Target::Relayed { relay: from, peer }, data);
            }
        } else if let Some((DATA_INDICATION, _)) = stun(data)
            && let Some((peer, data)) = carried(data)
        {
            self.record_for_pair(now, Target::Relayed { relay: from, peer }, &data);
        }
    }

    fn record_for_pair(&self, now: Instant, target: Target, data: &[u8]) {
        match stun(data) {
            Some((BINDING_REQUEST, _)) => {
                let seen = &mut locked(&self.seen);
                seen.pairs.hold(now, target, self.head_start(now, target));
                seen.pairs.checked_us(now, target);
                seen.checked_us = true;
            }
            // A STUN server that somebody signalled as a candidate answers too, but it does not know the password.
            Some((BINDING_SUCCESS, id)) if decoded(data).is_some_and(|m| m.contains(ATTR_MESSAGE_INTEGRITY)) => {
                locked(&self.seen).pairs.answered(target, id);
            }
            _ => {}
        }
    }
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
        let outcome = self.socket.poll_recv(context, buffers, meta);
        if let Poll::Ready(Ok(count)) = outcome {
            let now = Instant::now();
            for (buffer, meta) in buffers.iter().zip(meta.iter()).take(count) {
                let data = &buffer[..meta.len.min(buffer.len())];
                data.chunks(meta.stride.max(1)).for_each(|one| self.record_received(now, meta.addr, one));
            }
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
    use crate::relay_transport::RelayTransport;
    use rtc::stun::attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME};
    use rtc::stun::message::{BINDING_REQUEST as REQUEST, BINDING_SUCCESS as SUCCESS, Message, MessageType, Setter};
    use rtc::stun::message::{CLASS_INDICATION, CLASS_REQUEST, METHOD_CHANNEL_BIND, METHOD_DATA, METHOD_SEND};
    use rtc::turn::proto::data::Data;
    use std::collections::VecDeque;
    use std::task::Waker;

    /// A socket that records what is sent, and returns what is put in.
    #[derive(Debug, Default)]
    struct Wire {
        sent: Mutex<Vec<SocketAddr>>,
        comes: Mutex<VecDeque<(SocketAddr, Vec<u8>)>>,
    }

    impl AsyncUdpSocket for Wire {
        fn local_addr(&self) -> io::Result<SocketAddr> {
            Ok(SocketAddr::from(([127, 0, 0, 1], 1)))
        }

        fn poll_send(&self, _: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
            let size = transmit.segment_size.unwrap_or(transmit.contents.len());
            let count = transmit.contents.chunks(size).count();
            self.sent.lock().unwrap().extend(std::iter::repeat_n(transmit.destination, count));
            Poll::Ready(Ok(transmit.contents.len()))
        }

        fn poll_recv(
            &self,
            _: &mut Context<'_>,
            buffers: &mut [IoSliceMut<'_>],
            meta: &mut [RecvMeta],
        ) -> Poll<io::Result<usize>> {
            let Some((from, data)) = self.comes.lock().unwrap().pop_front() else { return Poll::Pending };
            buffers[0][..data.len()].copy_from_slice(&data);
            (meta[0].addr, meta[0].len, meta[0].stride) = (from, data.len(), data.len());
            Poll::Ready(Ok(1))
        }
    }

    /// Number of datagrams sent in a moment.
    const MANY: usize = 1000;
    /// Upper limit on checks of an unanswered pair in the same time.
    const FEW: usize = 20;

    struct Rig {
        wire: Arc<Wire>,
        socket: Paced,
    }

    impl Rig {
        fn new() -> Rig {
            Rig::with(&[(relay(), RelayTransport::Udp)])
        }

        fn with(relays: &[(SocketAddr, RelayTransport)]) -> Rig {
            let wire = Arc::new(Wire::default());
            let relays = relays.iter().map(|(address, transport)| Relay { address: *address, transport: *transport });
            let checks = Checks::new(CheckPacer::default(), relays.collect(), false);
            Rig { socket: checks.paced(wire.clone()), wire }
        }

        /// Whether this datagram is sent now.
        fn leaves(&self, to: SocketAddr, data: &[u8]) -> bool {
            self.wire.sent.lock().unwrap().clear();
            self.send(to, data, None);
            !self.wire.sent.lock().unwrap().is_empty()
        }

        fn send(&self, to: SocketAddr, contents: &[u8], segment_size: Option<usize>) {
            let transmit = Transmit { destination: to, ecn: None, contents, segment_size, src_ip: None };
            let sent = self.socket.poll_send(&mut Context::from_waker(Waker::noop()), &transmit);
            assert!(matches!(sent, Poll::Ready(Ok(n)) if n == contents.len()), "a dropped check looks like a sent one");
        }

        /// How many of these datagrams are sent within a moment.
        fn leave(&self, to: SocketAddr, data: &[u8]) -> usize {
            self.wire.sent.lock().unwrap().clear();
            (0..MANY).for_each(|_| self.send(to, data, None));
            self.wire.sent.lock().unwrap().len()
        }

        fn receive(&self, from: SocketAddr, data: &[u8]) {
            self.wire.comes.lock().unwrap().push_back((from, data.to_vec()));
            let (mut buffer, mut meta) = ([0u8; 2048], [RecvMeta::default()]);
            let mut buffers = [IoSliceMut::new(&mut buffer)];
            let received = self.socket.poll_recv(&mut Context::from_waker(Waker::noop()), &mut buffers, &mut meta);
            assert!(received.is_ready());
        }
    }

    fn relay() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 3], 3478))
    }

    fn stun_server() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 4], 3478))
    }

    fn peer() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], 5000))
    }

    fn message(parts: &[Box<dyn Setter>]) -> Vec<u8> {
        let mut message = Message::new();
        message.build(parts).unwrap();
        message.raw
    }

    fn id() -> Box<dyn Setter> {
        Box::new(rtc::stun::message::TransactionId([7; 12]))
    }

    fn check() -> Vec<u8> {
        let mut check = Message::new();
        check.build(&[id(), Box::new(REQUEST)]).unwrap();
        check.add(ATTR_USERNAME, b"theirs:ours");
        check.raw
    }

    fn nomination() -> Vec<u8> {
        let mut nomination = Message::new();
        nomination.unmarshal_binary(&check()).unwrap();
        nomination.add(ATTR_USE_CANDIDATE, &[]);
        nomination.raw
    }

    fn answer(with_password: bool) -> Vec<u8> {
        let mut answer = message(&[id(), Box::new(SUCCESS)]);
        if with_password {
            let mut built = Message::new();
            built.unmarshal_binary(&answer).unwrap();
            built.add(ATTR_MESSAGE_INTEGRITY, &[1; 20]);
            answer = built.raw;
        }
        answer
    }

    fn about(peer: SocketAddr) -> Box<dyn Setter> {
        Box::new(PeerAddress { ip: peer.ip(), port: peer.port() })
    }

    fn indication(method: rtc::stun::message::Method, data: &[u8]) -> Vec<u8> {
        let kind = MessageType::new(method, CLASS_INDICATION);
        message(&[id(), Box::new(kind), Box::new(Data(data.to_vec())), about(peer())])
    }

    fn in_channel(data: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x40, 0x01];
        packet.extend((data.len() as u16).to_be_bytes());
        packet.extend(data);
        packet
    }

    #[test]
    fn only_checks_of_unanswered_pairs_are_limited() {
        let rig = Rig::new();
        assert!(rig.leave(peer(), &check()) < FEW);
        assert_eq!(rig.leave(peer(), &[22, 254, 253, 0]), MANY, "DTLS");
        assert_eq!(rig.leave(peer(), &[128, 96, 0, 1]), MANY, "media");
        assert_eq!(rig.leave(peer(), &answer(true)), MANY, "answers");
        let question = message(&[id(), Box::new(REQUEST)]);
        assert_eq!(rig.leave(stun_server(), &question), MANY, "what is our address?");
        assert!(rig.leave(relay(), &check()) < FEW, "a server that was passed off as a candidate");
        rig.receive(peer(), &answer(false));
        assert!(rig.leave(peer(), &check()) < FEW, "it knows no password");
        rig.receive(peer(), &answer(true));
        assert_eq!(rig.leave(peer(), &check()), MANY);
    }

    #[test]
    fn a_nomination_waits_for_the_far_sides_first_check() {
        let rig = Rig::new();
        assert!(rig.leaves(peer(), &check()));
        rig.receive(peer(), &answer(true));
        assert!(rig.leaves(peer(), &check()), "only the nomination waits");
        assert_eq!(rig.leave(peer(), &nomination()), 0, "the far side may not have our answer yet");
        rig.receive(peer(), &check());
        assert_eq!(rig.leave(peer(), &nomination()), MANY);
    }

    #[test]
    fn a_nomination_to_a_side_that_never_checks_waits_three_seconds() {
        let (mut seen, now) = (Seen::default(), Instant::now());
        assert!(!seen.may_nominate(now));
        assert!(!seen.may_nominate(now + NOMINATION_WAIT - Duration::from_millis(1)));
        assert!(seen.may_nominate(now + NOMINATION_WAIT));
    }

    #[test]
    fn checks_through_a_relay_are_limited_too() {
        let rig = Rig::new();
        assert!(rig.leave(relay(), &indication(METHOD_SEND, &check())) < FEW);
        assert_eq!(rig.leave(relay(), &indication(METHOD_SEND, &[22, 254, 253, 0])), MANY);
        let kind = MessageType::new(METHOD_CHANNEL_BIND, CLASS_REQUEST);
        let bind = message(&[id(), Box::new(kind), Box::new(ChannelNumber(0x4001)), about(peer())]);
        assert_eq!(rig.leave(relay(), &bind), MANY, "the relay's own");
        assert!(rig.leave(relay(), &in_channel(&check())) < FEW, "the same pair");
        assert_eq!(rig.leave(relay(), &in_channel(&[128, 96, 0, 1])), MANY);
        rig.receive(relay(), &indication(METHOD_DATA, &answer(true)));
        assert_eq!(rig.leave(relay(), &in_channel(&check())), MANY);
        assert!(rig.leave(peer(), &check()) < FEW, "directly it is another pair");
    }

    #[test]
    fn an_answer_in_channel_data_lifts_the_limit() {
        let rig = Rig::new();
        let kind = MessageType::new(METHOD_CHANNEL_BIND, CLASS_REQUEST);
        rig.send(relay(), &message(&[id(), Box::new(kind), Box::new(ChannelNumber(0x4001)), about(peer())]), None);
        assert!(rig.leave(relay(), &in_channel(&check())) < FEW);
        rig.receive(relay(), &in_channel(&answer(true)));
        assert_eq!(rig.leave(relay(), &in_channel(&check())), MANY);
    }

    #[test]
    fn checks_through_tcp_wait_only_where_a_relay_over_udp_answers() {
        let slow = SocketAddr::from(([240, 0, 0, 0], 3478));
        let relays = [(relay(), RelayTransport::Udp), (slow, RelayTransport::Tcp)];
        let data = indication(METHOD_SEND, &check());
        let rig = Rig::with(&relays);
        let made = rig.socket.made;
        assert!(!rig.socket.may_leave(made, slow, &data), "UDP may answer soon");
        assert!(rig.socket.may_leave(made + HEAD_START, slow, &data), "UDP may be blocked");
        let rig = Rig::with(&relays);
        rig.receive(relay(), &answer(false));
        assert!(!rig.leaves(slow, &data) && rig.leaves(relay(), &data));
    }

    #[test]
    fn a_pair_that_is_held_back_does_not_answer() {
        let slow = SocketAddr::from(([240, 0, 0, 0], 3478));
        let rig = Rig::with(&[(relay(), RelayTransport::Udp), (slow, RelayTransport::Tcp)]);
        let made = rig.socket.made;
        rig.socket.record_received(made, slow, &indication(METHOD_DATA, &check()));
        let answer = indication(METHOD_SEND, &answer(true));
        assert!(!rig.socket.may_leave(made, slow, &answer) && rig.socket.may_leave(made, relay(), &answer));
        assert!(rig.socket.may_leave(made + HEAD_START, slow, &answer));
    }

    #[test]
    fn unroutable_and_loopback_addresses_are_never_checked() {
        let rig = Rig::new();
        for ip in ["127.0.0.1", "169.254.169.254", "224.0.0.251", "255.255.255.255", "0.0.0.0", "::1", "fe80::1"] {
            let to = SocketAddr::new(ip.parse().unwrap(), 80);
            assert_eq!(rig.leave(to, &check()), 0, "{ip}");
        }
    }

    #[test]
    fn checks_batched_into_one_call_are_sent_once() {
        let rig = Rig::new();
        let one = check();
        rig.send(peer(), &one.repeat(16), Some(one.len()));
        assert_eq!(rig.wire.sent.lock().unwrap().len(), 1);
    }

    #[test]
    fn connections_share_one_budget() {
        let pacer = CheckPacer::default();
        let mut sent = 0;
        for _ in 0..10 {
            let wire = Arc::new(Wire::default());
            let socket = Checks::new(pacer.clone(), vec![], false).paced(wire.clone());
            let rig = Rig { wire, socket };
            for port in 1..100 {
                rig.send(SocketAddr::from(([192, 0, 2, 7], port)), &check(), None);
            }
            sent += rig.wire.sent.lock().unwrap().len();
        }
        assert!((100..=160).contains(&sent), "{sent}");
    }
}
