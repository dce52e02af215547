//! What reaches a relay, in datagrams and on streams, and what our own requests get back.
#![allow(dead_code, reason = "each user needs some of it")]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use relay::request::{Login, Request, Response, indicated_data, is_message, send_indication as sending};
use relay::stream::{Broken, Framer, frames};
use relay::{Action, Client, Config, Now, Open, PeerPolicy, PortId, Relay, Secrets, Shares, Transport, password};
use stun_types::attribute::{AttributeType, Nonce, RawAttribute, Realm, Username};
use stun_types::message::{
    IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageType, MessageWriteVec, TransactionId,
};
use stun_types::prelude::{MessageWrite as _, MessageWriteExt as _};

const SHARED: &str = "shared";
const USER: &str = "1900000000:s";
const REALM: &str = "lunchroom";
/// USERNAME, MESSAGE-INTEGRITY, REALM, NONCE, MESSAGE-INTEGRITY-SHA256 and FINGERPRINT, which signing adds.
const OF_SIGNING: [u16; 6] = [0x0006, 0x0008, 0x0014, 0x0015, 0x001c, 0x8028];

/// Any sequence of datagrams through a relay: from clients and peers, at any pace.
///
/// Input: records of one byte for the kind, one for the wait in s, one for the length, and that many bytes. Bits of the
/// kind: 1 to sign the message, 4 for a stream, 8 for a peer's datagram, and above these the port.
pub(crate) fn datagrams(input: &[u8]) {
    let mut world = World::new();
    let mut rest = input;
    while let [kind, wait, length, after @ ..] = rest {
        let (datagram, left) = after.split_at(after.len().min(usize::from(*length)));
        rest = left;
        world.wait(Duration::from_secs((*wait).into()));
        if kind & 8 != 0 {
            world.peer_sends(PortId((kind >> 4).into()), datagram);
        } else {
            world.client_sends(*kind, datagram);
        }
        world.settle();
    }
}

/// A relay with what its clients know.
struct World {
    relay: Relay,
    now: Now,
    out: Vec<u8>,
    /// The newest nonce for each kind of record.
    nonces: BTreeMap<u8, String>,
}

impl World {
    fn new() -> World {
        let now = Now { instant: Instant::now(), unix: 1_800_000_000 };
        let secrets = Secrets { own: [1; 32], shared: Some(SHARED.into()) };
        let shares = Shares { per_person: 2, total: 3 };
        let config = Config { policy: PeerPolicy::default(), shares, secrets, key: [2; 32] };
        let mut relay = Relay::new(config, now.instant);
        relay.session_opened("s", true);
        World { relay, now, out: Vec::new(), nonces: BTreeMap::new() }
    }

    fn wait(&mut self, time: Duration) {
        self.now = Now { instant: self.now.instant + time, unix: self.now.unix + time.as_secs() };
    }

    /// What the driver does after each datagram.
    fn settle(&mut self) {
        if self.relay.poll_timeout().is_some_and(|at| at <= self.now.instant) {
            self.relay.handle_timeout(self.now.instant);
        }
        while self.relay.poll_closed().is_some() {}
        while self.relay.poll_closed_stream().is_some() {}
    }

    fn peer_sends(&mut self, port: PortId, datagram: &[u8]) {
        let peer = SocketAddr::from(([20, 0, 0, 1], 9));
        let client = self.relay.handle_peer(self.now.instant, port, peer, datagram, &mut self.out);
        assert!(client.is_none() || self.out.len() >= datagram.len());
    }

    fn client_sends(&mut self, kind: u8, datagram: &[u8]) {
        let transport = if kind & 4 != 0 { Transport::Tcp } else { Transport::Udp };
        let remote = SocketAddr::from(([198, 51, 100, 1], 5_000 + u16::from(kind >> 4 & 3)));
        let client = Client { transport, remote, local: SocketAddr::from(([11, 0, 0, 1], 3_478)) };
        // Streams open and close anywhere between their frames.
        match (transport, datagram) {
            (Transport::Tcp, [0xff, ..]) => self.relay.stream_closed(self.now.instant, &client),
            (Transport::Tcp, [0xfe, ..]) => self.relay.stream_opened(self.now.instant, &client),
            _ => {}
        }
        let nonce = self.nonces.get(&(kind & !1)).filter(|_| kind & 1 != 0);
        let signed = nonce.and_then(|nonce| signed(datagram, nonce));
        self.handle(kind, client, signed.as_deref().unwrap_or(datagram));
    }

    fn handle(&mut self, kind: u8, client: Client, datagram: &[u8]) {
        match self.relay.handle(self.now, &client, datagram, &mut self.out) {
            Action::Peer { peer, data, .. } => {
                assert!(datagram.get(data).is_some());
                assert!(is_public(peer.ip()), "{peer}");
            }
            Action::Open(Open { port, beside, .. }) => {
                let relayed = SocketAddr::from(([11, 0, 0, 1], 50_000 + port.0 as u16));
                let above = beside.map(|port| SocketAddr::from(([11, 0, 0, 1], 50_000 + port.0 as u16)));
                let opened = self.relay.opened(self.now.instant, port, Ok((relayed, above)), &mut self.out);
                assert_eq!(opened, Some(client));
            }
            Action::Client(to) => {
                assert!(!self.out.is_empty());
                let nonce = Message::from_bytes(&self.out).ok().and_then(|message| message.attribute::<Nonce>().ok());
                if let Some(nonce) = nonce.filter(|_| to == client) {
                    self.nonces.insert(kind & !1, nonce.nonce().to_owned());
                }
            }
            Action::Drop => {}
        }
    }
}

/// Whether a relay may send there by default: to nobody's own network.
fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => !(ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_multicast()),
        IpAddr::V6(ip) => !(ip.is_unique_local() || ip.is_loopback() || ip.is_multicast()),
    }
}

/// The message with credentials. Without them, no input would get past the proof.
fn signed(datagram: &[u8], nonce: &str) -> Option<Vec<u8>> {
    let kind = MessageType::from_bytes(datagram.get(..2)?).ok()?;
    let transaction = TransactionId::from(1);
    let mut writer = Message::builder(kind, transaction, MessageWriteVec::with_capacity(512));
    let mut rest = datagram.get(20..)?;
    while let [type_high, type_low, high, low, after @ ..] = rest {
        let (kind, length) = (u16::from_be_bytes([*type_high, *type_low]), u16::from_be_bytes([*high, *low]).into());
        let Some(value) = after.get(..length).filter(|_| !OF_SIGNING.contains(&kind)) else { break };
        // Fails for a second one of the same type.
        let _ = writer.add_attribute(&RawAttribute::new(AttributeType::new(kind), value));
        rest = after.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    writer.add_attribute(&Username::new(USER).ok()?).ok()?;
    writer.add_attribute(&Realm::new(REALM).ok()?).ok()?;
    writer.add_attribute(&Nonce::new(nonce).ok()?).ok()?;
    let password = password(SHARED.as_bytes(), USER);
    let key = LongTermKeyCredentials::new(USER.into(), password, REALM.into()).make_key(IntegrityAlgorithm::Sha1);
    writer.add_message_integrity_with_key(&key, IntegrityAlgorithm::Sha1).ok()?;
    Some(writer.finish())
}

/// A client's stream in pieces.
///
/// Input: one byte for the length of the pieces, and the stream.
pub(crate) fn framer(data: &[u8]) {
    let Some((length, stream)) = data.split_first() else { return };
    let (whole, end) = framed(stream, stream.len());
    assert_eq!(framed(stream, (*length).into()), (whole.clone(), end));
    assert!(stream.starts_with(&whole.concat()));
    assert!(whole.iter().all(|frame| frame.len().is_multiple_of(4)));
}

/// The frames of a stream that arrives in pieces of this length, and why it ends early.
fn framed(stream: &[u8], length: usize) -> (Vec<Vec<u8>>, Option<Broken>) {
    let (mut framer, now, mut found) = (Framer::new(), Instant::now(), Vec::new());
    let mut rest = stream;
    while !rest.is_empty() {
        let space = framer.space();
        assert!(!space.is_empty(), "it would wait forever");
        let (piece, later) = rest.split_at(length.max(1).min(space.len()).min(rest.len()));
        space[..piece.len()].copy_from_slice(piece);
        rest = later;
        let filled = framer.filled(now, piece.len());
        if let Some(whole) = framer.take() {
            found.extend(frames(&whole).map(<[u8]>::to_vec));
            assert!(found.concat().ends_with(&whole));
        }
        if let Err(broken) = filled {
            return (found, Some(broken));
        }
    }
    assert_eq!(framer.poll_timeout().is_some(), found.concat().len() < stream.len(), "an unfinished frame has a limit");
    (found, None)
}

/// A server's answer to each of our requests. Nobody proves to know the password without knowing it.
pub(crate) fn response(data: &[u8]) {
    const ID: [u8; 12] = [1; 12];
    let peer = SocketAddr::from(([20, 0, 0, 1], 9));
    let login = Login::new(USER, "a password", REALM, "nonce");
    let mut answer = data.to_vec();
    // Almost every input would belong to another transaction.
    if let Some(fixed) = answer.get_mut(4..20) {
        fixed.copy_from_slice(&[&[0x21, 0x12, 0xa4, 0x42][..], &ID].concat());
    }
    for request in [Request::binding(ID), Request::allocate(ID, None)] {
        let response = request.response(&answer);
        assert!(response.is_none() || is_message(&answer));
        if let Some(Response::Challenge { realm, nonce }) = response {
            let login = Login::new(USER, "a password", &realm, &nonce);
            assert!(is_message(Request::allocate(ID, Some(&login)).bytes()));
        }
    }
    for request in [Request::allocate(ID, Some(&login)), Request::permission(ID, &login, peer)] {
        assert!(!matches!(request.response(&answer), Some(Response::Success { .. })));
    }
    if let Some((peer, carried)) = indicated_data(&answer) {
        // A Send indication has the same form.
        let mut written = sending(ID, peer, &carried);
        written[1] = 0x17;
        assert_eq!(indicated_data(&written), Some((peer, carried)));
    }
}

/// Returns a message without credentials, with attributes.
fn message(kind: u16, attributes: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, value) in attributes {
        body.extend(kind.to_be_bytes());
        body.extend((value.len() as u16).to_be_bytes());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut out = kind.to_be_bytes().to_vec();
    out.extend((body.len() as u16).to_be_bytes());
    out.extend([0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    out.extend(body);
    out
}

fn xor(peer: SocketAddr) -> (u16, Vec<u8>) {
    let SocketAddr::V4(peer) = peer else { return (0x0012, vec![]) };
    let ip = (peer.ip().to_bits() ^ 0x2112_a442).to_be_bytes();
    (0x0012, [&[0, 1], &(peer.port() ^ 0x2112).to_be_bytes()[..], &ip].concat())
}

/// Returns a Send indication for a peer.
pub(crate) fn send_indication(peer: SocketAddr, data: &[u8]) -> Vec<u8> {
    message(0x0016, &[xor(peer), (0x0013, data.to_vec())])
}

/// Returns a CreatePermission request for a peer.
pub(crate) fn create_permission(peer: SocketAddr) -> Vec<u8> {
    message(0x0008, &[xor(peer)])
}

/// Seeds.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let peer = SocketAddr::from(([20, 0, 0, 1], 9));
    let credentials = vec![
        (0x0006, b"1900000000:s".to_vec()),
        (0x0014, b"lunchroom".to_vec()),
        (0x0015, vec![b'A'; 22]),
        (0x0008, vec![0; 20]),
    ];
    let allocate = [vec![(0x0019, vec![17, 0, 0, 0])], credentials].concat();
    let datagrams = [
        message(0x0001, &[]),
        message(0x0003, &[(0x0019, vec![17, 0, 0, 0]), (0x0018, vec![0x80])]),
        message(0x0003, &allocate),
        message(0x0004, &[(0x000d, vec![0, 0, 2, 88])]),
        create_permission(peer),
        message(0x0009, &[(0x000c, vec![0x40, 0, 0, 0]), xor(peer)]),
        send_indication(peer, b"hello"),
        vec![0x40, 0, 0, 5, b'h', b'e', b'l', b'l', b'o'],
        vec![0xfe],
        vec![0xff],
    ];
    let record = |kind, datagram: &Vec<u8>| [vec![kind, 1, datagram.len() as u8], datagram.clone()].concat();
    let mut seeds: Vec<Vec<u8>> =
        [0, 1, 4, 5].iter().flat_map(|kind| datagrams.iter().map(|datagram| record(*kind, datagram))).collect();
    seeds.push(seeds.concat());
    let peers = record(8, &b"hello".to_vec());
    let of_a_call = [1, 1, 2, 4, 5, 3, 6, 7].map(|step: usize| record(1, &datagrams[step]));
    seeds.push([of_a_call.concat(), peers].concat());
    seeds
}
