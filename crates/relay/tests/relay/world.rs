//! A relay, people with credentials, and a virtual clock.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use relay::{
    Action, Client, Config, NotOpened, Now, Open, PeerPolicy, PortId, Relay, Secrets, Shares, Transport, password,
};
use stun_types::attribute::{
    AttributeStaticType as _, AttributeWrite, ErrorCode, Nonce, RawAttribute, Realm, Username, XorMappedAddress,
};
use stun_types::message::{
    IntegrityAlgorithm, IntegrityKey, LongTermKeyCredentials, Message, MessageClass, MessageType, MessageWriteVec,
    Method, TransactionId,
};
use stun_types::prelude::{Attribute as _, MessageWrite as _, MessageWriteExt as _};
use turn_types::attribute::{
    ChannelNumber, Data, Lifetime, RequestedTransport, ReservationToken, XorPeerAddress, XorRelayedAddress,
};
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, DATA, REFRESH, SEND};

pub(crate) const OWN: [u8; 32] = [1; 32];
pub(crate) const SHARED: &str = "shared";
/// Unix time at the start of each test.
const UNIX: u64 = 1_800_000_000;
/// The relay's public address.
pub(crate) const HERE: &str = "11.0.0.1";

pub(crate) fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub(crate) struct World {
    pub(crate) relay: Relay,
    start: Instant,
    passed: Duration,
    pub(crate) out: Vec<u8>,
    next_port: u16,
    /// Open ports, as the driver tracks them.
    pub(crate) open: BTreeSet<PortId>,
    pub(crate) refuse_to_open: Option<NotOpened>,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
}

/// Somebody with credentials and one 5-tuple.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) client: Client,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) nonce: Option<String>,
    pub(crate) transactions: u128,
}

impl World {
    pub(crate) fn new() -> World {
        World::with(PeerPolicy::default(), Shares { per_person: 64, total: 1_000 })
    }

    pub(crate) fn with(policy: PeerPolicy, shares: Shares) -> World {
        let start = Instant::now();
        let secrets = Secrets { own: OWN, shared: Some(SHARED.into()) };
        let mut relay = Relay::new(Config { policy, shares, secrets, key: [2; 32] }, start);
        relay.set_own_addresses([HERE, "12.0.0.1"].map(|ip| ip.parse().expect("an address")));
        let open = BTreeSet::new();
        World { relay, start, passed: Duration::ZERO, out: vec![], next_port: 50_000, open, refuse_to_open: None }
    }

    pub(crate) fn now(&self) -> Now {
        Now { instant: self.start + self.passed, unix: UNIX + self.passed.as_secs() }
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.passed += time;
        if self.relay.poll_timeout().is_some_and(|at| at <= self.now().instant) {
            self.relay.handle_timeout(self.now().instant);
        }
        self.close();
    }

    /// Handles a datagram, and opens the sockets that are requested.
    pub(crate) fn handle(&mut self, client: &Client, datagram: &[u8]) -> Action {
        let now = self.now();
        let action = self.relay.handle(now, client, datagram, &mut self.out);
        self.close();
        match action {
            Action::Open(open) => self.open_port(open),
            other => other,
        }
    }

    fn open_port(&mut self, open: Open) -> Action {
        let result = match self.refuse_to_open {
            Some(why) => Err(why),
            None => {
                self.next_port = (self.next_port + 1).next_multiple_of(2);
                let at =
                    |port| SocketAddr::new(if open.v6 { "2a00:11::1" } else { HERE }.parse().expect("an IP"), port);
                assert!(self.open.insert(open.port), "a port that is open");
                let beside = open.beside.map(|port| {
                    assert!(self.open.insert(port), "a port that is open");
                    at(self.next_port + 1)
                });
                let first = at(self.next_port);
                self.next_port += 1;
                Ok((first, beside))
            }
        };
        let now = self.now().instant;
        let client = self.relay.opened(now, open.port, result, &mut self.out).expect("an answer");
        self.close();
        Action::Client(client)
    }

    fn close(&mut self) {
        while let Some(port) = self.relay.poll_closed() {
            self.open.remove(&port);
        }
    }

    /// Sends a request and returns its answer, if there is one.
    pub(crate) fn send(&mut self, person: &Person, request: &[u8]) -> Option<Reply> {
        match self.handle(&person.client, request) {
            Action::Client(client) => {
                assert_eq!(client, person.client, "the answer goes to the sender");
                Some(Reply { bytes: self.out.clone() })
            }
            Action::Drop => None,
            other => panic!("{other:?}"),
        }
    }

    /// Sends a request, and again until its nonce is accepted.
    pub(crate) fn ask(
        &mut self,
        person: &mut Person,
        method: Method,
        attributes: &[&dyn AttributeWrite],
    ) -> Option<Reply> {
        for _ in 0..2 {
            let request = person.request(method, attributes);
            let reply = self.send(person, &request)?;
            match (reply.code(), reply.nonce()) {
                (Some(401 | 438), Some(nonce)) if person.nonce.as_ref() != Some(&nonce) => person.nonce = Some(nonce),
                _ => return Some(reply),
            }
        }
        let request = person.request(method, attributes);
        self.send(person, &request)
    }

    /// Returns the code of the answer; 0 is success.
    pub(crate) fn code(&mut self, person: &mut Person, method: Method, attributes: &[&dyn AttributeWrite]) -> u16 {
        let reply = self.ask(person, method, attributes).expect("an answer");
        reply.code().unwrap_or(0)
    }

    pub(crate) fn allocate(&mut self, person: &mut Person) -> Result<SocketAddr, u16> {
        let reply = self.ask(person, ALLOCATE, &[&udp()]).expect("an answer");
        reply.code().map_or_else(|| Ok(reply.relayed()), Err)
    }

    pub(crate) fn refresh(&mut self, person: &mut Person, seconds: u32) -> u16 {
        self.code(person, REFRESH, &[&Lifetime::new(seconds)])
    }

    /// Addresses are masked with the transaction id, so the attributes of each request are built again. Returns `None`
    /// if there is no answer.
    fn ask_anew(
        &mut self,
        person: &mut Person,
        method: Method,
        attributes: impl Fn(TransactionId) -> Vec<Box<dyn AttributeWrite>>,
    ) -> Option<u16> {
        loop {
            let transaction = person.next_transaction();
            let attributes = attributes(transaction);
            let attributes: Vec<&dyn AttributeWrite> = attributes.iter().map(|attribute| &**attribute).collect();
            let reply = self.send(person, &person.signed(method, transaction, &attributes))?;
            let code = reply.code().unwrap_or(0);
            if code != 438 && (code != 401 || person.nonce.is_some()) {
                return Some(code);
            }
            person.nonce = reply.nonce();
        }
    }

    pub(crate) fn permit(&mut self, person: &mut Person, peers: &[SocketAddr]) -> Option<u16> {
        let attribute = |peer: &SocketAddr, transaction| Box::new(XorPeerAddress::new(*peer, transaction)) as _;
        self.ask_anew(person, CREATE_PERMISSION, |transaction| {
            peers.iter().map(|peer| attribute(peer, transaction)).collect()
        })
    }

    pub(crate) fn bind(&mut self, person: &mut Person, number: u16, peer: SocketAddr) -> u16 {
        self.try_bind(person, number, peer).expect("an answer")
    }

    pub(crate) fn try_bind(&mut self, person: &mut Person, number: u16, peer: SocketAddr) -> Option<u16> {
        self.ask_anew(person, CHANNEL_BIND, |transaction| {
            let value = [(number >> 8) as u8, number as u8, 0, 0];
            let number = RawAttribute::new(ChannelNumber::TYPE, &value).into_owned();
            vec![Box::new(number), Box::new(XorPeerAddress::new(peer, transaction))]
        })
    }

    pub(crate) fn try_refresh(&mut self, person: &mut Person, seconds: u32) -> Option<u16> {
        self.ask_anew(person, REFRESH, |_| vec![Box::new(Lifetime::new(seconds))])
    }

    /// Sends data in a Send indication.
    pub(crate) fn indicate(&mut self, person: &Person, peer: SocketAddr, data: &[u8]) -> Action {
        let transaction = TransactionId::from(99);
        let kind = MessageType::from_class_method(MessageClass::Indication, SEND);
        let mut writer = Message::builder(kind, transaction, MessageWriteVec::new());
        writer.add_attribute(&XorPeerAddress::new(peer, transaction)).expect("added");
        writer.add_attribute(&Data::new(data)).expect("added");
        self.handle(&person.client, &writer.finish())
    }

    /// Sends data through a channel.
    pub(crate) fn channel(&mut self, person: &Person, number: u16, data: &[u8]) -> Action {
        self.handle(&person.client, &frame(number, data))
    }

    /// Passes data from a peer to a port.
    pub(crate) fn receive_from_peer(&mut self, port: PortId, peer: &str, data: &[u8]) -> Option<Client> {
        let now = self.now().instant;
        self.relay.handle_peer(now, port, addr(peer), data, &mut self.out)
    }

    /// The only open port.
    pub(crate) fn port(&self) -> PortId {
        assert_eq!(self.open.len(), 1);
        self.open.first().copied().expect("a port")
    }
}

pub(crate) fn udp() -> RequestedTransport {
    RequestedTransport::new(RequestedTransport::UDP)
}

pub(crate) fn frame(number: u16, data: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes(), &(data.len() as u16).to_be_bytes(), data].concat()
}

/// Parses a Data indication: peer and data.
pub(crate) fn indicated(bytes: &[u8]) -> (SocketAddr, Vec<u8>) {
    let message = Message::from_bytes(bytes).expect("a message");
    assert_eq!(message.get_type(), MessageType::from_class_method(MessageClass::Indication, DATA));
    let peer = message.attribute::<XorPeerAddress>().expect("a peer").addr(message.transaction_id());
    (peer, message.attribute::<Data<'_>>().expect("data").data().to_vec())
}

impl Person {
    /// Somebody whose session this server has opened or will open.
    pub(crate) fn of_session(session: &str, at: &str) -> Person {
        let username = format!("{}:{session}", UNIX + 24 * 3_600);
        let password = password(&OWN, &username);
        Person::new(username, password, at)
    }

    /// Somebody whose credentials were made with the shared secret.
    pub(crate) fn shared(who: &str, at: &str) -> Person {
        Person::expiring(who, at, 24 * 3_600)
    }

    pub(crate) fn expiring(who: &str, at: &str, seconds: u64) -> Person {
        let username = format!("{}:{who}", UNIX + seconds);
        let password = password(SHARED.as_bytes(), &username);
        Person::new(username, password, at)
    }

    pub(crate) fn new(username: String, password: String, at: &str) -> Person {
        let client = Client { transport: Transport::Udp, remote: addr(at), local: addr("11.0.0.1:3478") };
        Person { client, username, password, nonce: None, transactions: 0 }
    }

    pub(crate) fn next_transaction(&mut self) -> TransactionId {
        self.transactions += 1;
        TransactionId::from(self.transactions << 64 | u128::from(self.client.remote.port()))
    }

    pub(crate) fn request(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> Vec<u8> {
        let transaction = self.next_transaction();
        self.signed(method, transaction, attributes)
    }

    /// Sends no credentials until the server has sent a nonce, as clients do.
    pub(crate) fn signed(
        &self,
        method: Method,
        transaction: TransactionId,
        attributes: &[&dyn AttributeWrite],
    ) -> Vec<u8> {
        let kind = MessageType::from_class_method(MessageClass::Request, method);
        let mut writer = Message::builder(kind, transaction, MessageWriteVec::new());
        for attribute in attributes {
            writer.add_attribute(*attribute).expect("added");
        }
        if let Some(nonce) = &self.nonce {
            writer.add_attribute(&Username::new(&self.username).expect("a name")).expect("added");
            writer.add_attribute(&Realm::new("lunchroom").expect("a realm")).expect("added");
            writer.add_attribute(&Nonce::new(nonce).expect("a nonce")).expect("added");
            writer.add_message_integrity_with_key(&self.key(), IntegrityAlgorithm::Sha1).expect("added");
        }
        writer.finish()
    }

    pub(crate) fn key(&self) -> IntegrityKey {
        LongTermKeyCredentials::new(self.username.clone(), self.password.clone(), "lunchroom".into())
            .make_key(IntegrityAlgorithm::Sha1)
    }
}

impl Reply {
    pub(crate) fn message(&self) -> Message<'_> {
        Message::from_bytes(&self.bytes).expect("a message")
    }

    pub(crate) fn code(&self) -> Option<u16> {
        self.message().attribute::<ErrorCode>().ok().map(|error| error.code())
    }

    pub(crate) fn nonce(&self) -> Option<String> {
        self.message().attribute::<Nonce>().ok().map(|nonce| nonce.nonce().to_owned())
    }

    pub(crate) fn relayed(&self) -> SocketAddr {
        let message = self.message();
        message.attribute::<XorRelayedAddress>().expect("a relayed address").addr(message.transaction_id())
    }

    pub(crate) fn mapped(&self) -> SocketAddr {
        let message = self.message();
        message.attribute::<XorMappedAddress>().expect("an address").addr(message.transaction_id())
    }

    pub(crate) fn lifetime(&self) -> u32 {
        self.message().attribute::<Lifetime>().expect("a lifetime").seconds()
    }

    pub(crate) fn token(&self) -> Option<u64> {
        self.message().attribute::<ReservationToken>().ok().map(|token| token.token())
    }

    pub(crate) fn has(&self, kind: u16) -> bool {
        self.message().iter_attributes().any(|(_, raw)| raw.get_type().value() == kind)
    }
}
