//! Between rooms and connections.

use std::time::Instant;

use super::{Event, Person, RoomId, Sfu};
use crate::connection::{Connection, Happened, Sent};
use crate::packet::{Slot, Source};
use crate::room::Output;

/// Most things that a connection may report in one go. The rest follows in the next.
const MAX_HAPPENED: usize = 10_000;

impl Sfu {
    /// Lets a connection do what it has to, such as sending what is queued.
    pub(super) fn drive(&mut self, now: Instant, person: Person) {
        if let Some(connection) = self.connections.get_mut(&person) {
            connection.handle_timeout(now);
        }
        self.take(now, person);
    }

    /// Passes on what a connection reports. To be called after each datagram: str0m keeps one packet only.
    pub(super) fn take(&mut self, now: Instant, person: Person) {
        for _ in 0..MAX_HAPPENED {
            let Some(happened) = self.connections.get_mut(&person).and_then(Connection::poll) else { return };
            match happened {
                Happened::Transmit { from, to, datagram } => {
                    self.events.push_back(Event::Transmit { from, to, datagram });
                }
                Happened::Timeout(at) => {
                    self.unschedule(person);
                    self.timeouts.insert((at, person));
                    self.due.insert(person, at);
                    return;
                }
                Happened::Packet { kind, layer, packet } => {
                    let source = Source { from: person.id, kind };
                    self.with_room(now, person.room, |room| room.receive(now, source, layer, &packet));
                }
                Happened::KeyframeNeeded { index } => {
                    self.with_room(now, person.room, |room| room.keyframe_needed(now, person.id, index));
                }
                Happened::Estimate(bits) => {
                    self.with_room(now, person.room, |room| room.set_downlink(person.id, bits));
                }
            }
        }
        self.touched.insert(person);
    }

    fn with_room(&mut self, now: Instant, id: RoomId, act: impl FnOnce(&mut crate::Room)) {
        if let Some(room) = self.rooms.get_mut(&id) {
            act(room);
        }
        self.deliver(now, id);
    }

    /// Passes on what a room wants. Connections send it in [`Sfu::finish`].
    pub(super) fn deliver(&mut self, now: Instant, id: RoomId) {
        while let Some(output) = self.rooms.get_mut(&id).and_then(crate::Room::poll) {
            match output {
                Output::Forward { to, slot, packet } => {
                    let person = Person { room: id, id: to };
                    let Some(connection) = self.connections.get_mut(&person) else { continue };
                    let sent = connection.send(now, slot, packet);
                    self.touched.insert(person);
                    if let (Sent::Full, Slot::Video(index), Some(room)) = (sent, slot, self.rooms.get_mut(&id)) {
                        room.interrupt(now, to, index);
                    }
                }
                Output::RequestKeyframe { source, layer } => {
                    let person = Person { room: id, id: source.from };
                    if let Some(connection) = self.connections.get_mut(&person) {
                        connection.request_keyframe(source.kind, layer);
                        self.touched.insert(person);
                    }
                }
                Output::Assigned { to, slot, source } => {
                    let to = Person { room: id, id: to };
                    if let Some(mid) = self.connections.get(&to).and_then(|connection| connection.mid(slot)) {
                        self.events.push_back(Event::Assigned { to, mid, source });
                    }
                }
                Output::Desired { to, bits } => {
                    if let Some(connection) = self.connections.get_mut(&Person { room: id, id: to }) {
                        connection.desire(bits);
                    }
                }
            }
        }
    }

    /// Sends what a connection that ends still has to say.
    pub(super) fn flush(&mut self, connection: &mut Connection) {
        for _ in 0..MAX_HAPPENED {
            match connection.poll() {
                Some(Happened::Transmit { from, to, datagram }) => {
                    self.events.push_back(Event::Transmit { from, to, datagram });
                }
                None | Some(Happened::Timeout(_)) => return,
                Some(_) => {}
            }
        }
    }
}
