//! All transfers of this device, and the connections that carry them.

use crate::chunk::Chunk;
use crate::incoming::Incoming;
use crate::message::{Message, Reason, TransferId};
use crate::outgoing::Outgoing;
use crate::rate::Rate;
use crate::view::TransferView;
use crate::work::{DiskAnswer, DiskRequest, Effects, Person};
use std::collections::BTreeMap;
use std::time::Instant;

/// Most transfers in the list. When full, the oldest that is over is removed; if none is, further ones are refused.
pub const MAX_ROWS: usize = 100;
/// Most unanswered offers of one person. Further ones are refused with `too_many`.
const MAX_OFFERS: usize = 16;

/// A file to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// A new random number.
    pub id: TransferId,
    /// The file's name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Media type, empty if unknown.
    pub mime: String,
}

/// What a person does with a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Takes an offered file.
    Accept,
    /// Refuses an offered file.
    Decline,
    /// Pauses it.
    Pause,
    /// Continues it, or tries it again after a disk error.
    Resume,
    /// Ends it and deletes the part that is there.
    Cancel,
    /// Removes it from the list, if it is over.
    Remove,
}

/// Something to send over a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
}

/// A connection.
#[derive(Debug)]
struct Link {
    /// Chosen by the owner. A person's newer connection has a higher number.
    number: u64,
    rate: Rate,
    /// Whose turn it is to send.
    turn: usize,
}

/// All transfers. The owner passes in what happens, and then takes all outputs.
#[derive(Debug)]
pub struct Transfers {
    /// The beginning of our clock.
    start: Instant,
    /// By the person's key.
    links: BTreeMap<String, Link>,
    rows: Vec<Row>,
    out: Effects,
    changed: bool,
}

#[derive(Debug)]
enum Row {
    Outgoing(Outgoing),
    Incoming(Incoming),
}

impl Row {
    fn id(&self) -> TransferId {
        match self {
            Row::Outgoing(one) => one.id,
            Row::Incoming(one) => one.id,
        }
    }

    fn person(&self) -> &Person {
        match self {
            Row::Outgoing(one) => &one.person,
            Row::Incoming(one) => &one.person,
        }
    }

    fn view(&self) -> TransferView {
        match self {
            Row::Outgoing(one) => one.view(),
            Row::Incoming(one) => one.view(),
        }
    }

    fn is_over(&self) -> bool {
        self.view().state.is_over()
    }
}

impl Transfers {
    /// Starts without transfers.
    pub fn new(now: Instant) -> Transfers {
        Transfers { start: now, links: BTreeMap::new(), rows: Vec::new(), out: Effects::default(), changed: false }
    }

    /// A connection to a person is open. It replaces an earlier one.
    pub fn connected(&mut self, now: Instant, person: &Person, number: u64) {
        if let Some(before) = self.links.get(&person.key).map(|link| link.number) {
            self.disconnected(&person.key, before);
        }
        self.changed = true;
        self.links.insert(person.key.clone(), Link { number, rate: Rate::new(now), turn: 0 });
        for row in &mut self.rows {
            match row {
                Row::Outgoing(one) if one.person.key == person.key => {
                    one.person = person.clone();
                    one.connected(&mut self.out);
                }
                // The sender offers it.
                Row::Outgoing(_) | Row::Incoming(_) => {}
            }
        }
    }

    /// A connection has ended. Its number tells it from a newer one.
    pub fn disconnected(&mut self, key: &str, number: u64) {
        if self.links.get(key).is_none_or(|link| link.number != number) {
            return;
        }
        self.links.remove(key);
        self.out.messages.retain(|(to, _)| to != key);
        self.changed = true;
        for row in self.rows.iter_mut().filter(|row| row.person().key == key) {
            match row {
                Row::Outgoing(one) => one.disconnected(),
                Row::Incoming(one) => one.disconnected(&mut self.out),
            }
        }
    }

    /// Whether a person is connected, and can receive files.
    pub fn is_connected(&self, key: &str) -> bool {
        self.links.contains_key(key)
    }

    /// Offers a file to a person. Returns whether there was room in the list.
    pub fn offer(&mut self, person: &Person, file: Offered) -> bool {
        if file.size > crate::MAX_SIZE || !self.make_room() {
            return false;
        }
        let mut one = Outgoing::new(file.id, person.clone(), file.name, file.size, file.mime);
        if self.links.contains_key(&person.key) {
            one.connected(&mut self.out);
        }
        self.rows.push(Row::Outgoing(one));
        self.changed = true;
        true
    }

    /// A person does something with a transfer. What does not fit its state has no effect.
    pub fn act(&mut self, id: TransferId, action: Action) {
        self.changed = true;
        if action == Action::Remove {
            return self.rows.retain(|row| row.id() != id || !row.is_over());
        }
        let out = &mut self.out;
        match (self.rows.iter_mut().find(|row| row.id() == id), action) {
            (Some(Row::Outgoing(one)), Action::Pause) => one.pause(out),
            (Some(Row::Outgoing(one)), Action::Resume) => one.resume(out),
            (Some(Row::Outgoing(one)), Action::Cancel) => one.cancel(out),
            (Some(Row::Incoming(one)), Action::Accept) => one.accept(out),
            (Some(Row::Incoming(one)), Action::Decline) => one.decline(out),
            (Some(Row::Incoming(one)), Action::Pause) => one.pause(out),
            (Some(Row::Incoming(one)), Action::Resume) => one.resume(out),
            (Some(Row::Incoming(one)), Action::Cancel) => one.cancel(out),
            (Some(Row::Outgoing(_)), Action::Accept | Action::Decline) | (_, Action::Remove) | (None, _) => {}
        }
    }

    /// A text message arrived from a person. What is not one of our messages is ignored.
    pub fn handle_text(&mut self, now: Instant, person: &Person, text: &str) {
        let Ok(message) = Message::parse(text) else { return };
        self.changed = true;
        if let Message::Offer { id, name, size, .. } = &message {
            return self.offered(person, *id, name, *size);
        }
        let clock = self.clock(now);
        let id = message.id();
        let row = self.rows.iter_mut().find(|row| row.id() == id && row.person().key == person.key);
        match row {
            Some(Row::Incoming(one)) => one.message(&message, &mut self.out),
            Some(Row::Outgoing(one)) => {
                if let Message::Ack { received, time, arrived, .. } = message {
                    let new = one.acknowledged(received);
                    if let Some(link) = self.links.get_mut(&person.key) {
                        link.rate.on_ack(now, new, time, arrived, clock);
                    }
                } else {
                    one.message(&message, &mut self.out);
                }
            }
            None => {}
        }
    }

    fn offered(&mut self, person: &Person, id: TransferId, name: &str, size: u64) {
        if let Some(row) = self.rows.iter_mut().find(|row| row.id() == id) {
            match row {
                Row::Incoming(one) if one.person.key == person.key => one.offered(&mut self.out),
                Row::Incoming(_) | Row::Outgoing(_) => {
                    self.out.send(person, Message::Cancel { id, reason: Reason::Protocol });
                }
            }
            return;
        }
        let unanswered =
            self.rows.iter().filter(|row| matches!(row, Row::Incoming(_)) && row.person().key == person.key);
        if unanswered.filter(|row| !row.is_over()).count() >= MAX_OFFERS || !self.make_room() {
            return self.out.send(person, Message::Cancel { id, reason: Reason::TooMany });
        }
        self.rows.push(Row::Incoming(Incoming::new(id, person.clone(), name, size, &mut self.out)));
    }

    /// A binary message arrived from a person. What is not a chunk of one of their files is ignored.
    pub fn handle_binary(&mut self, now: Instant, person: &Person, bytes: &[u8]) {
        let Ok(chunk) = Chunk::parse(bytes) else { return };
        let arrived = self.clock(now);
        let row = self.rows.iter_mut().find(|row| row.id() == chunk.id && row.person().key == person.key);
        if let Some(Row::Incoming(one)) = row {
            one.chunk(now, arrived, &chunk, &mut self.out);
            self.changed = true;
        }
    }

    /// The disk answers a request of this transfer.
    pub fn handle_disk(&mut self, id: TransferId, answer: DiskAnswer) {
        self.changed = true;
        let out = &mut self.out;
        match (self.rows.iter_mut().find(|row| row.id() == id), answer) {
            (Some(Row::Outgoing(one)), DiskAnswer::Checked { epoch, same }) => one.checked(epoch, same, out),
            (Some(Row::Outgoing(one)), DiskAnswer::Read { epoch, data, end }) => one.read(epoch, &data, end, out),
            (Some(Row::Outgoing(one)), DiskAnswer::Failed { error }) => one.disk_failed(error, out),
            (Some(Row::Incoming(one)), DiskAnswer::Found { accepted }) => one.found(accepted, out),
            (Some(Row::Incoming(one)), DiskAnswer::Prepared { epoch, offset, sha256 }) => {
                one.prepared(epoch, offset, sha256, out);
            }
            (Some(Row::Incoming(one)), DiskAnswer::Written { epoch }) => one.written(epoch, out),
            (Some(Row::Incoming(one)), DiskAnswer::Finished { sha256 }) => one.finished(sha256, out),
            (Some(Row::Incoming(one)), DiskAnswer::Kept { name }) => one.kept(name, out),
            (Some(Row::Incoming(one)), DiskAnswer::Failed { error }) => one.disk_failed(error, out),
            // An answer of the other kind, or to a row that was removed.
            (Some(Row::Outgoing(_) | Row::Incoming(_)) | None, _) => {}
        }
    }

    /// Media on the connection to this person has less than it needs.
    pub fn media_short(&mut self, now: Instant, key: &str) {
        if let Some(link) = self.links.get_mut(key) {
            link.rate.on_media_short(now);
        }
    }

    /// Advances time.
    pub fn handle_timeout(&mut self, now: Instant) {
        for row in &mut self.rows {
            match row {
                Row::Incoming(one) => one.handle_timeout(now, &mut self.out),
                Row::Outgoing(one) => one.handle_timeout(now, &mut self.out),
            }
        }
        let in_flight: Vec<u64> = self.links.keys().map(|key| self.in_flight(key)).collect();
        for (link, in_flight) in self.links.values_mut().zip(in_flight) {
            link.rate.handle_timeout(now, in_flight);
        }
    }

    /// When [`Transfers::handle_timeout`] or [`Transfers::poll_send`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let rows = self.rows.iter().filter_map(|row| match row {
            Row::Incoming(one) => one.poll_timeout(),
            Row::Outgoing(one) => one.poll_timeout(),
        });
        let sends = self.links.iter().filter(|(key, _)| self.is_ready(key)).map(|(_, link)| link.rate.next_send());
        rows.chain(sends).min()
    }

    /// The next thing to send, and the number of the connection. Call it until it returns `None`.
    pub fn poll_send(&mut self, now: Instant) -> Option<(u64, Sent)> {
        while let Some((key, message)) = self.out.messages.pop_front() {
            if let Some(link) = self.links.get(&key) {
                return Some((link.number, Sent::Text(message.write())));
            }
        }
        let keys: Vec<String> = self.links.keys().filter(|key| self.is_ready(key)).cloned().collect();
        keys.iter().find_map(|key| self.next_chunk(now, key))
    }

    fn next_chunk(&mut self, now: Instant, key: &str) -> Option<(u64, Sent)> {
        let (in_flight, time) = (self.in_flight(key), self.clock(now));
        let link = self.links.get_mut(key)?;
        if !link.rate.may_send(now, in_flight) {
            return None;
        }
        let ready = |row: &Row| matches!(row, Row::Outgoing(one) if one.person.key == *key && one.is_ready());
        let ready: Vec<usize> = (0..self.rows.len()).filter(|n| ready(&self.rows[*n])).collect();
        link.turn = link.turn.wrapping_add(1);
        let Row::Outgoing(one) = &mut self.rows[*ready.get(link.turn % ready.len().max(1))?] else { return None };
        let (offset, data) = one.take(link.rate.chunk_bytes(), &mut self.out)?;
        self.changed = true;
        link.rate.on_sent(now, data.len(), in_flight);
        let chunk = Chunk { id: one.id, offset, time, data: &data };
        Some((link.number, Sent::Binary(chunk.write())))
    }

    /// The next request to the disk.
    pub fn poll_disk(&mut self) -> Option<DiskRequest> {
        self.out.disk.pop_front()
    }

    /// Returns true once after something that people see may have changed.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// All transfers, the oldest first.
    pub fn view(&self) -> Vec<TransferView> {
        self.rows.iter().map(Row::view).collect()
    }

    /// Whether any transfer with this person is not over.
    pub fn is_busy(&self, key: &str) -> bool {
        self.rows.iter().any(|row| row.person().key == key && !row.is_over())
    }

    fn is_ready(&self, key: &str) -> bool {
        self.rows.iter().any(|row| matches!(row, Row::Outgoing(one) if one.person.key == key && one.is_ready()))
    }

    fn in_flight(&self, key: &str) -> u64 {
        let sums = self.rows.iter().map(|row| match row {
            Row::Outgoing(one) if one.person.key == key => one.in_flight(),
            Row::Outgoing(_) | Row::Incoming(_) => 0,
        });
        sums.sum()
    }

    /// Our clock in microseconds, which wraps.
    fn clock(&self, now: Instant) -> u32 {
        now.saturating_duration_since(self.start).as_micros() as u32
    }

    fn make_room(&mut self) -> bool {
        if self.rows.len() >= MAX_ROWS
            && let Some(over) = self.rows.iter().position(Row::is_over)
        {
            self.rows.remove(over);
        }
        self.rows.len() < MAX_ROWS
    }
}
