//! An SFU with its clients, in virtual time.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sfu::{Bounds, Config, Event, Kind, Person, RoomId, Sfu, Source, Wanted};

use super::client::{Client, certificate};
use super::{FRAME, origin, start};

/// Time between two steps.
const STEP: Duration = Duration::from_millis(5);
const SOUND: Duration = Duration::from_millis(20);
/// Bytes of the headers of IP and UDP.
const HEADERS: usize = 28;

/// The SFU and its clients.
pub(crate) struct World {
    pub(crate) sfu: Sfu,
    pub(crate) server: SocketAddr,
    pub(crate) now: Instant,
    pub(crate) clients: Vec<Client>,
    pub(crate) disconnected: Vec<Person>,
    /// Real time that the SFU has taken, in all and for each step.
    pub(crate) busy: Vec<Duration>,
    frame: Instant,
    sound: Instant,
}

impl World {
    /// A room in which each of these many people has slots for as many voices and pictures.
    pub(crate) fn new(people: usize, slots: (usize, usize)) -> World {
        let server = SocketAddr::from(([203, 0, 113, 1], 3_478));
        let (certificate, private_key) = certificate();
        let config = Config { certificate, private_key, addresses: vec![server], bounds: Bounds::default() };
        let (sfu, now) = (Sfu::new(config), start());
        let (clients, disconnected, busy) = (Vec::new(), Vec::new(), Vec::new());
        let mut world = World { sfu, server, now, clients, disconnected, busy, frame: now, sound: now };
        (0..people).for_each(|_| world.join(slots));
        world
    }

    pub(crate) fn join(&mut self, slots: (usize, usize)) {
        let person = self.sfu.join(self.now, RoomId(1)).unwrap();
        let (sfu, now) = (&mut self.sfu, self.now);
        let client = Client::new(now, person, slots, |offer| sfu.offer(now, person, offer).unwrap());
        self.clients.push(client);
    }

    /// Somebody wants to see others, in tiles of 720 pixels.
    pub(crate) fn watch(&mut self, who: usize, whom: &[usize]) {
        let source = |index: &usize| Source { from: self.clients[*index].person.id, kind: Kind::Camera };
        let wanted: Vec<Wanted> =
            whom.iter().map(|index| Wanted { source: source(index), height: 720, priority: 1 }).collect();
        assert!(self.sfu.view(self.now, self.clients[who].person, &wanted));
        self.collect();
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    /// Runs until all are connected.
    pub(crate) fn connect(&mut self) {
        for _ in 0..1_000 {
            if self.clients.iter().all(Client::is_connected) {
                return;
            }
            self.step();
        }
        panic!("not connected");
    }

    pub(crate) fn step(&mut self) {
        self.now += STEP;
        let now = self.now;
        if now >= self.frame {
            self.frame += FRAME;
            self.clients.iter_mut().filter(|client| client.is_connected()).for_each(|client| client.send_frame(now));
        }
        if now >= self.sound {
            self.sound += SOUND;
            self.clients.iter_mut().filter(|client| client.is_connected()).for_each(|client| client.send_sound(now));
        }
        let mut datagrams = Vec::new();
        for client in &mut self.clients {
            client.step(now, self.server);
            datagrams.extend(std::iter::from_fn(|| client.up.poll(now)).map(|datagram| (client.address, datagram)));
        }
        let begun = Instant::now();
        for (from, datagram) in datagrams {
            self.sfu.receive(now, from, self.server, &datagram);
        }
        self.sfu.finish(now);
        if self.sfu.poll_timeout().is_some_and(|at| at <= now) {
            self.sfu.handle_timeout(now);
        }
        self.busy.push(begun.elapsed());
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(event) = self.sfu.poll() {
            match event {
                Event::Transmit { to, datagram, .. } => {
                    let client = self.clients.iter_mut().find(|client| client.address == to);
                    if let Some(client) = client {
                        client.down.send(self.now, datagram.len() + HEADERS, datagram);
                    }
                }
                Event::Assigned { to, mid, source } => {
                    let client = self.clients.iter_mut().find(|client| client.person == to);
                    if let Some(client) = client {
                        client.shown.insert(mid, source);
                    }
                }
                Event::Disconnected(person) => self.disconnected.push(person),
            }
        }
    }

    /// That nobody has received a packet of somebody under another's name, or a broken stream.
    pub(crate) fn check(&self) {
        for client in &self.clients {
            for (mid, received) in &client.received {
                assert_eq!(received.twice, 0, "{:?} {mid}", client.person);
                assert!(received.is_monotonic(), "{:?} {mid}", client.person);
                for packet in received.packets.values().filter(|packet| packet.payload.len() > 60) {
                    assert_eq!(origin(packet).map(|(source, ..)| source.from), Some(packet.from));
                }
            }
        }
    }
}
