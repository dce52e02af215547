//! All forwarded rooms and their connections: datagrams in, datagrams out.

mod addresses;
mod delivery;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

use str0m::crypto::dtls::DtlsCert;

use crate::connection::{Answered, Connection, OfferRefused};
use crate::limits::{Bounds, CONNECT_TIME, MAX_ROOMS};
use crate::packet::{Kind, ParticipantId, Source};
use crate::receiver::Wanted;
use crate::room::{Counters, Room};
use addresses::Addresses;

/// A room, by a number of the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub u64);

/// A person in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person {
    /// The room.
    pub room: RoomId,
    /// The person.
    pub id: ParticipantId,
}

/// What all connections share.
#[derive(Debug, Clone)]
pub struct Config {
    /// The certificate of DTLS, DER.
    pub certificate: Vec<u8>,
    /// Its private key, PKCS #8 in DER.
    pub private_key: Vec<u8>,
    /// The addresses at which clients reach the server. Answers name them.
    pub addresses: Vec<SocketAddr>,
    /// The bounds of all rooms.
    pub bounds: Bounds,
}

/// There are as many people in the room, or rooms, as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no room for another person")]
pub struct NoRoom;

/// What the caller is to do, or to pass on.
#[derive(Debug)]
pub enum Event {
    /// Send a datagram.
    Transmit {
        /// From this address of the server, if it is one of the host's.
        from: SocketAddr,
        /// The client's address.
        to: SocketAddr,
        /// The datagram.
        datagram: Vec<u8>,
    },
    /// A line of a person's description shows another picture or voice from now on.
    Assigned {
        /// The person.
        to: Person,
        /// The name of the line.
        mid: String,
        /// What it shows.
        source: Option<Source>,
    },
    /// A person's connection has ended or did not come about. They are still in the room, and may offer another.
    Disconnected(Person),
}

/// All forwarded rooms.
pub struct Sfu {
    certificate: DtlsCert,
    addresses: Vec<SocketAddr>,
    bounds: Bounds,
    rooms: BTreeMap<RoomId, Room>,
    connections: BTreeMap<Person, Connection>,
    clients: Addresses,
    /// When a connection wants to be called next, and the reverse.
    timeouts: BTreeSet<(Instant, Person)>,
    due: BTreeMap<Person, Instant>,
    /// Connections with something to send.
    touched: BTreeSet<Person>,
    events: VecDeque<Event>,
    /// Of rooms that have ended.
    ended: Counters,
}

impl Sfu {
    /// Without rooms.
    pub fn new(config: Config) -> Sfu {
        Sfu {
            certificate: DtlsCert { certificate: config.certificate, private_key: config.private_key },
            addresses: config.addresses,
            bounds: config.bounds,
            rooms: BTreeMap::new(),
            connections: BTreeMap::new(),
            clients: Addresses::default(),
            timeouts: BTreeSet::new(),
            due: BTreeMap::new(),
            touched: BTreeSet::new(),
            events: VecDeque::new(),
            ended: Counters::default(),
        }
    }

    /// Sets the addresses at which clients reach the server from now on. Connections that exist keep theirs.
    pub fn set_addresses(&mut self, addresses: Vec<SocketAddr>) {
        self.addresses = addresses;
    }

    /// Lets somebody into a room, which begins with the first.
    pub fn join(&mut self, now: Instant, room: RoomId) -> Result<Person, NoRoom> {
        if !self.rooms.contains_key(&room) && self.rooms.len() >= MAX_ROOMS {
            return Err(NoRoom);
        }
        let id = self.rooms.entry(room).or_insert_with(|| Room::bounded(self.bounds)).join(now).map_err(|_| NoRoom)?;
        self.deliver(now, room);
        Ok(Person { room, id })
    }

    /// Somebody leaves. Their connection ends, and their datagrams have no effect from now on.
    pub fn leave(&mut self, now: Instant, person: Person) {
        self.disconnect(now, person);
        let Some(room) = self.rooms.get_mut(&person.room) else { return };
        room.leave(now, person.id);
        if room.is_empty() {
            self.ended = sum(self.ended, room.counters());
            self.rooms.remove(&person.room);
        } else {
            self.deliver(now, person.room);
        }
    }

    /// Makes a connection for somebody's offer, and returns the answer. It replaces the one before.
    pub fn offer(&mut self, now: Instant, person: Person, offer: &str) -> Result<String, OfferRefused> {
        let here = self.rooms.get(&person.room).is_some_and(|room| room.has(person.id));
        if !here {
            return Err(OfferRefused::NotHere);
        }
        let Answered { connection, description } = Connection::answer(now, offer, &self.certificate, &self.addresses)?;
        self.disconnect(now, person);
        self.clients.insert(person, connection.ufrag());
        let (audio, video) = connection.slots();
        self.connections.insert(person, connection);
        if let Some(room) = self.rooms.get_mut(&person.room) {
            room.open_slots(now, person.id, audio, video);
        }
        self.touched.insert(person);
        self.deliver(now, person.room);
        Ok(description)
    }

    /// Sets which pictures somebody wants to see. Returns false if they have changed it too often.
    pub fn view(&mut self, now: Instant, person: Person, wanted: &[Wanted]) -> bool {
        let Some(room) = self.rooms.get_mut(&person.room) else { return false };
        let taken = room.view(now, person.id, wanted);
        self.deliver(now, person.room);
        taken
    }

    /// Somebody's camera or screen has this height in its largest encoding.
    pub fn announce(&mut self, person: Person, kind: Kind, height: u32) {
        if let Some(room) = self.rooms.get_mut(&person.room) {
            room.announce(person.id, kind, height);
        }
    }

    /// Handles a datagram that came from `from` to the server's address `to`.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        let Some(person) = self.clients.find(from, datagram) else { return };
        let admitted = self.rooms.get_mut(&person.room).is_some_and(|room| room.admits(now, person.id, datagram.len()));
        let Some(connection) = self.connections.get_mut(&person).filter(|_| admitted) else { return };
        if connection.receive(now, from, to, datagram) {
            self.clients.prove(person, from);
            self.take(now, person);
        }
    }

    /// Sends what the datagrams since the last time have led to. To be called after each batch of them.
    pub fn finish(&mut self, now: Instant) {
        while let Some(person) = self.touched.pop_first() {
            self.drive(now, person);
        }
    }

    /// When to call [`Sfu::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let rooms = self.rooms.values().filter_map(Room::poll_timeout).min();
        let connections = self.timeouts.first().map(|(at, _)| *at);
        rooms.into_iter().chain(connections).min()
    }

    /// Does what is due at this time.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, person)) = self.timeouts.first().copied().filter(|(at, _)| *at <= now) {
            self.unschedule(person);
            self.touched.insert(person);
        }
        for id in self.rooms.keys().copied().collect::<Vec<RoomId>>() {
            if let Some(room) = self.rooms.get_mut(&id) {
                room.handle_timeout(now);
            }
            self.deliver(now, id);
        }
        self.finish(now);
        let silent = |connection: &Connection| {
            !connection.is_alive() || now.saturating_duration_since(connection.last_received) > CONNECT_TIME
        };
        let gone: Vec<Person> =
            self.connections.iter().filter(|(_, connection)| silent(connection)).map(|(person, _)| *person).collect();
        for person in gone {
            self.disconnect(now, person);
            self.events.push_back(Event::Disconnected(person));
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What has happened since the start.
    pub fn counters(&self) -> Counters {
        self.rooms.values().map(Room::counters).fold(self.ended, sum)
    }

    /// The estimate of somebody's downlink in bit/s, if there is one.
    pub fn downlink(&self, person: Person) -> Option<u64> {
        self.rooms.get(&person.room).and_then(|room| room.downlink(person.id))
    }

    /// The numbers of rooms and of connections that work.
    pub fn load(&self) -> (usize, usize) {
        let connected = self.connections.values().filter(|connection| connection.is_connected).count();
        (self.rooms.len(), connected)
    }

    /// The mean share of packets that were lost lately, to clients and from clients, of those that have said so.
    pub fn loss(&self) -> (f64, f64) {
        let mean = |of: fn(&Connection) -> Option<f32>| {
            let all: Vec<f64> = self.connections.values().filter_map(of).map(f64::from).collect();
            if all.is_empty() { 0.0 } else { all.iter().sum::<f64>() / all.len() as f64 }
        };
        (mean(|connection| connection.loss_down), mean(|connection| connection.loss_up))
    }

    /// Ends a connection and sends what that takes.
    fn disconnect(&mut self, now: Instant, person: Person) {
        self.clients.remove(person);
        self.touched.remove(&person);
        self.unschedule(person);
        let Some(mut connection) = self.connections.remove(&person) else { return };
        connection.close();
        self.flush(&mut connection);
        if let Some(room) = self.rooms.get_mut(&person.room) {
            room.open_slots(now, person.id, 0, 0);
        }
    }

    fn unschedule(&mut self, person: Person) {
        if let Some(at) = self.due.remove(&person) {
            self.timeouts.remove(&(at, person));
        }
    }
}

fn sum(a: Counters, b: Counters) -> Counters {
    Counters {
        received: a.received + b.received,
        forwarded: a.forwarded + b.forwarded,
        forwarded_bytes: a.forwarded_bytes + b.forwarded_bytes,
        refused: a.refused + b.refused,
        keyframe_requests: a.keyframe_requests + b.keyframe_requests,
        switches: a.switches + b.switches,
    }
}
