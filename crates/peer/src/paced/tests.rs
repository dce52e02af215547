use super::*;
use crate::relay_transport::RelayTransport;
use rtc::stun::attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc::stun::integrity::MessageIntegrity;
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

const PASSWORD: &str = "a password of ours";

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
        checks.accept("ours", PASSWORD);
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

    /// What the library gets of a datagram.
    fn receive(&self, from: SocketAddr, data: &[u8]) -> Vec<u8> {
        self.wire.comes.lock().unwrap().push_back((from, data.to_vec()));
        let (mut buffer, mut meta) = ([0u8; 2048], [RecvMeta::default()]);
        let mut buffers = [IoSliceMut::new(&mut buffer)];
        let received = self.socket.poll_recv(&mut Context::from_waker(Waker::noop()), &mut buffers, &mut meta);
        assert!(received.is_ready());
        buffer[..meta[0].len].to_vec()
    }

    /// Whether the library gets a datagram.
    fn passes(&self, from: SocketAddr, data: &[u8]) -> bool {
        let passed = self.receive(from, data);
        assert!(passed.is_empty() || passed == data);
        !passed.is_empty()
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

/// A check of the far side.
fn their_check(password: &str) -> Vec<u8> {
    their_checks(password, false)
}

/// A check of the far side, which may nominate the pair.
fn their_checks(password: &str, nominates: bool) -> Vec<u8> {
    let mut check = Message::new();
    check.build(&[id(), Box::new(REQUEST)]).unwrap();
    check.add(ATTR_USERNAME, b"ours:theirs");
    if nominates {
        check.add(ATTR_USE_CANDIDATE, &[]);
    }
    let provider = webrtc::peer_connection::crypto::default_provider().unwrap();
    MessageIntegrity::new_short_term_integrity_with_provider(password.into(), provider.crypto())
        .add_to(&mut check)
        .unwrap();
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
    rig.receive(peer(), &their_check(PASSWORD));
    assert_eq!(rig.leave(peer(), &nomination()), MANY);
}

#[test]
fn a_nomination_waits_for_the_far_sides_first_check() {
    let rig = Rig::new();
    assert!(rig.leaves(peer(), &check()));
    rig.receive(peer(), &answer(true));
    assert!(rig.leaves(peer(), &check()), "only the nomination waits");
    assert_eq!(rig.leave(peer(), &nomination()), 0, "the far side may not have our answer yet");
    for not_theirs in [check(), their_check("guessed")] {
        rig.receive(peer(), &not_theirs);
        assert_eq!(rig.leave(peer(), &nomination()), 0, "anybody can send this");
    }
    rig.receive(peer(), &their_check(PASSWORD));
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
fn a_nomination_before_the_answer_is_redelivered_after_it() {
    let rig = Rig::new();
    let nomination = their_checks(PASSWORD, true);
    assert!(rig.passes(peer(), &nomination) && rig.leaves(peer(), &check()));
    assert_eq!(rig.receive(peer(), &answer(true)), answer(true));
    // From here on, each datagram is received one later.
    assert_eq!(rig.receive(peer(), &MEDIA), nomination, "repeated");
    assert_eq!(rig.receive(peer(), &nomination), MEDIA);
    assert_eq!(rig.receive(peer(), &MEDIA), nomination, "a new one");
    assert_eq!(rig.receive(peer(), &DTLS), MEDIA, "the pair had answered, so nothing is repeated");
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
    rig.receive(relay(), &indication(METHOD_DATA, &their_check(PASSWORD)));
    assert_eq!(rig.leave(relay(), &in_channel(&nomination())), MANY);
    assert!(rig.leave(peer(), &check()) < FEW, "directly it is another pair");
}

#[test]
fn an_answer_in_channel_data_lifts_the_limit() {
    let rig = Rig::new();
    let kind = MessageType::new(METHOD_CHANNEL_BIND, CLASS_REQUEST);
    rig.send(relay(), &message(&[id(), Box::new(kind), Box::new(ChannelNumber(0x4001)), about(peer())]), None);
    assert!(rig.leave(relay(), &in_channel(&check())) < FEW);
    rig.receive(relay(), &in_channel(&their_check(PASSWORD)));
    assert!(rig.leave(relay(), &in_channel(&nomination())) < FEW);
    rig.receive(relay(), &in_channel(&answer(true)));
    assert_eq!(rig.leave(relay(), &in_channel(&nomination())), MANY);
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
    assert!(rig.socket.admits(made, slow, &indication(METHOD_DATA, &their_check(PASSWORD))));
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

const DTLS: [u8; 15] = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 2, 40];
const MEDIA: [u8; 4] = [128, 96, 0, 1];

#[test]
fn dtls_and_media_pass_only_after_an_authenticated_check() {
    let rig = Rig::new();
    let dropped =
        |from| [&DTLS[..], &MEDIA, &their_check("guessed"), &check()].iter().all(|data| !rig.passes(from, data));
    assert!(dropped(peer()));
    assert!(rig.passes(peer(), &their_check(PASSWORD)));
    assert!(rig.passes(peer(), &DTLS) && rig.passes(peer(), &MEDIA));
    let beside = SocketAddr::new(peer().ip(), peer().port() + 1);
    assert!(dropped(beside) && dropped(relay()) && dropped(stun_server()));
    rig.leaves(beside, &check());
    rig.receive(beside, &answer(false));
    assert!(dropped(beside), "whoever answers without the password is not the far side");
    rig.receive(beside, &answer(true));
    assert!(rig.passes(beside, &DTLS) && rig.passes(beside, &MEDIA));
}

#[test]
fn turn_data_passes_only_from_our_relay_and_for_a_proved_peer() {
    let rig = Rig::new();
    let bind = MessageType::new(METHOD_CHANNEL_BIND, CLASS_REQUEST);
    rig.send(relay(), &message(&[id(), Box::new(bind), Box::new(ChannelNumber(0x4001)), about(peer())]), None);
    let both = |data: &[u8]| [in_channel(data), indication(METHOD_DATA, data)];
    assert!(both(&MEDIA).iter().all(|data| !rig.passes(relay(), data)), "a permission is for all ports of an address");
    assert!(both(&their_check("guessed")).iter().all(|data| !rig.passes(relay(), data)));
    assert!(both(&their_check(PASSWORD)).iter().all(|data| rig.passes(relay(), data)));
    for data in both(&MEDIA).iter().chain(&both(&DTLS)) {
        assert!(rig.passes(relay(), data));
        for stranger in [stun_server(), SocketAddr::new(peer().ip(), relay().port()), peer()] {
            assert!(!rig.passes(stranger, data), "{stranger} is not the relay");
        }
    }
    assert!(rig.passes(relay(), &[in_channel(&DTLS), vec![0]].concat()), "padded");
    assert!(!rig.passes(relay(), &[0x40, 2, 0, 4, 128, 96, 0, 1]), "nobody bound this channel");
}

#[test]
fn responses_pass_and_other_messages_of_strangers_do_not() {
    let rig = Rig::new();
    assert!(rig.passes(stun_server(), &answer(false)), "it knows our transaction");
    let keepalive = message(&[id(), Box::new(MessageType::new(rtc::stun::message::METHOD_BINDING, CLASS_INDICATION))]);
    let allocate = message(&[id(), Box::new(MessageType::new(rtc::stun::message::METHOD_ALLOCATE, CLASS_REQUEST))]);
    let question = message(&[id(), Box::new(REQUEST)]);
    for dropped in [&keepalive[..], &allocate, &question, &[0; 20], &[255; 40], &[4; 40], b"\0\x01", &[]] {
        assert!(!rig.passes(peer(), dropped), "{dropped:?}");
    }
    rig.receive(peer(), &their_check(PASSWORD));
    assert!(rig.passes(peer(), &keepalive) && !rig.passes(peer(), &allocate));
}

#[test]
fn the_far_side_cannot_send_more_of_dtls_than_a_handshake_takes() {
    let rig = Rig::new();
    rig.receive(peer(), &their_check(PASSWORD));
    let passed = (0..10 * MANY).filter(|_| rig.passes(peer(), &DTLS)).count();
    assert!((100..=MANY).contains(&passed), "{passed}");
    assert!(rig.passes(peer(), &MEDIA));
}

#[test]
fn the_number_of_remote_addresses_is_bounded() {
    let rig = Rig::new();
    let check = their_check(PASSWORD);
    let at = |port| SocketAddr::new(peer().ip(), port);
    assert_eq!((1..1_000).filter(|port| rig.passes(at(*port), &check)).count(), MAX_FAR_ADDRESSES);
    assert!(rig.passes(at(1), &check) && rig.passes(at(1), &MEDIA), "the first ones still pass");
    assert!(!rig.passes(at(999), &MEDIA));
}
