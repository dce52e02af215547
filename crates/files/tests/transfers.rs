//! Two devices with disks in memory, and a connection that may break.
#![allow(clippy::unwrap_used)] // Helpers of tests.

use files::*;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(5);
const READ: usize = 256 * 1024;

fn sha256(data: &[u8]) -> Digest {
    Digest(Sha256::digest(data).into())
}

/// A disk that survives its device.
#[derive(Default)]
struct Disk {
    /// Files to send.
    sources: HashMap<TransferId, Vec<u8>>,
    reading: HashMap<TransferId, usize>,
    /// Unfinished files, with the key of their sender.
    parts: HashMap<TransferId, (String, Vec<u8>)>,
    kept: Vec<(String, Vec<u8>)>,
    names: HashMap<TransferId, String>,
    /// Bytes that are free, if limited.
    free: Option<usize>,
}

impl Disk {
    fn carry_out(&mut self, request: DiskRequest) -> Option<(TransferId, DiskAnswer)> {
        match request {
            DiskRequest::Check { id, epoch, offset, sha256: expected } => {
                let same = sha256(&self.sources[&id][..offset as usize]) == expected;
                self.reading.insert(id, if same { offset as usize } else { 0 });
                Some((id, DiskAnswer::Checked { epoch, same }))
            }
            DiskRequest::Read { id, epoch } => {
                let (file, from) = (&self.sources[&id], self.reading[&id]);
                let to = file.len().min(from + READ);
                self.reading.insert(id, to);
                let end = (to == file.len()).then(|| sha256(file));
                Some((id, DiskAnswer::Read { epoch, data: file[from..to].to_vec(), end }))
            }
            DiskRequest::Close { .. } => None,
            DiskRequest::Find { id, key, .. } => {
                let accepted = self.parts.get(&id).is_some_and(|(of, _)| *of == key);
                Some((id, DiskAnswer::Found { accepted }))
            }
            DiskRequest::Prepare { id, epoch, key, name, .. } => {
                self.names.insert(id, name);
                let (_, part) = self.parts.entry(id).or_insert_with(|| (key, Vec::new()));
                let sha256 = sha256(part);
                Some((id, DiskAnswer::Prepared { epoch, offset: part.len() as u64, sha256 }))
            }
            DiskRequest::Write { id, epoch, data } => {
                if self.free.is_some_and(|free| free < data.len()) {
                    return Some((id, DiskAnswer::Failed { error: DiskError::Full }));
                }
                self.free = self.free.map(|free| free - data.len());
                self.parts.get_mut(&id).unwrap().1.extend(data);
                Some((id, DiskAnswer::Written { epoch }))
            }
            DiskRequest::Reset { id } => {
                self.parts.get_mut(&id).unwrap().1.clear();
                None
            }
            DiskRequest::Finish { id } => Some((id, DiskAnswer::Finished { sha256: sha256(&self.parts[&id].1) })),
            DiskRequest::Keep { id } => {
                let (_, data) = self.parts.remove(&id).unwrap();
                let name = self.names[&id].clone();
                self.kept.push((name.clone(), data));
                Some((id, DiskAnswer::Kept { name }))
            }
            DiskRequest::Discard { id } => {
                self.parts.remove(&id);
                None
            }
        }
    }
}

/// A device: its transfers and its disk.
struct Side {
    me: Person,
    transfers: Transfers,
    disk: Disk,
}

struct Pair {
    now: Instant,
    sides: [Side; 2],
    /// What is on its way to each side.
    wires: [VecDeque<Sent>; 2],
    link: Option<u64>,
    links: u64,
    /// Changes what is sent to the second side.
    forge: fn(Sent) -> Vec<Sent>,
    next_id: u8,
    /// Offers that were sent, and how many of the next ones are lost.
    offers: usize,
    loses: usize,
}

impl Pair {
    fn new() -> Pair {
        let now = Instant::now();
        let side = |key: &str| Side {
            me: Person { key: key.into(), name: key.to_uppercase() },
            transfers: Transfers::new(now),
            disk: Disk::default(),
        };
        let sides = [side("ann"), side("bob")];
        let (wires, forge) = (Default::default(), (|sent| vec![sent]) as fn(Sent) -> Vec<Sent>);
        Pair { now, sides, wires, link: None, links: 0, forge, next_id: 0, offers: 0, loses: 0 }
    }

    fn connect(&mut self) {
        self.links += 1;
        self.link = Some(self.links);
        for n in 0..2 {
            let other = self.sides[1 - n].me.clone();
            self.sides[n].transfers.connected(self.now, &other, self.links);
        }
    }

    fn disconnect(&mut self) {
        let Some(link) = self.link.take() else { return };
        self.wires = Default::default();
        for n in 0..2 {
            let other = self.sides[1 - n].me.key.clone();
            self.sides[n].transfers.disconnected(&other, link);
        }
    }

    /// The app of a side ends and is started later. Its disk stays.
    fn restart(&mut self, n: usize) {
        self.disconnect();
        self.sides[n].transfers = Transfers::new(self.now);
    }

    fn offer(&mut self, name: &str, data: Vec<u8>) -> TransferId {
        self.offer_as(name, data.len() as u64, data)
    }

    fn offer_as(&mut self, name: &str, size: u64, data: Vec<u8>) -> TransferId {
        self.next_id += 1;
        let id = TransferId([self.next_id; 16]);
        self.sides[0].disk.sources.insert(id, data);
        let bob = self.sides[1].me.clone();
        let file = Offered { id, name: name.into(), size, mime: String::new() };
        assert!(self.sides[0].transfers.offer(&bob, file));
        id
    }

    fn step(&mut self) {
        self.now += STEP;
        for n in 0..2 {
            self.sides[n].transfers.handle_timeout(self.now);
            for sent in std::mem::take(&mut self.wires[n]) {
                let other = self.sides[1 - n].me.clone();
                match sent {
                    Sent::Text(text) => self.sides[n].transfers.handle_text(self.now, &other, &text),
                    Sent::Binary(bytes) => self.sides[n].transfers.handle_binary(self.now, &other, &bytes),
                }
            }
            let side = &mut self.sides[n];
            while let Some(request) = side.transfers.poll_disk() {
                if let Some((id, answer)) = side.disk.carry_out(request) {
                    side.transfers.handle_disk(id, answer);
                }
            }
            while let Some((link, sent)) = side.transfers.poll_send(self.now) {
                assert_eq!(Some(link), self.link);
                if matches!(&sent, Sent::Text(text) if text.contains("\"offer\"")) {
                    self.offers += 1;
                    if self.loses > 0 {
                        self.loses -= 1;
                        continue;
                    }
                }
                let sent = if n == 0 { (self.forge)(sent) } else { vec![sent] };
                self.wires[1 - n].extend(sent);
            }
        }
    }

    fn run(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / STEP.as_millis() {
            self.step();
        }
    }

    fn state(&self, n: usize, id: TransferId) -> (TransferState, Option<Reason>) {
        let row = self.row(n, id).unwrap();
        (row.state, row.reason)
    }

    fn row(&self, n: usize, id: TransferId) -> Option<TransferView> {
        self.sides[n].transfers.view().into_iter().find(|view| view.id == id.to_string())
    }

    fn run_until(&mut self, n: usize, id: TransferId, state: TransferState) {
        for _ in 0..200_000 {
            if self.row(n, id).is_some_and(|row| row.state == state) {
                return;
            }
            self.step();
        }
        panic!("{:?} and not {state:?}", [self.row(0, id), self.row(1, id)]);
    }

    /// Runs until a part has been moved.
    fn run_to(&mut self, id: TransferId, bytes: u64) {
        for _ in 0..200_000 {
            if self.sides[1].transfers.view().iter().any(|view| view.id == id.to_string() && view.moved >= bytes) {
                return;
            }
            self.step();
        }
        panic!("{:?}", self.row(1, id));
    }

    fn accepted(&mut self, name: &str, data: Vec<u8>) -> TransferId {
        let id = self.offer(name, data);
        self.run_until(1, id, TransferState::Offered);
        self.sides[1].transfers.act(id, Action::Accept);
        id
    }
}

fn data(seed: u64, len: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    std::iter::repeat_with(|| random.u8(..)).take(len).collect()
}

#[test]
fn a_file_moves_only_after_it_was_accepted() {
    let mut pair = Pair::new();
    pair.connect();
    let file = data(1, 3_000_000);
    let id = pair.offer("../메뉴.pdf", file.clone());
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.state(1, id), (TransferState::Offered, None));
    assert_eq!(pair.state(0, id), (TransferState::Offered, None));
    pair.sides[1].transfers.act(id, Action::Accept);
    pair.run_until(0, id, TransferState::Done);
    assert_eq!(pair.state(1, id).0, TransferState::Done);
    assert_eq!(pair.sides[1].disk.kept, [("메뉴.pdf".to_owned(), file)]);
    assert!(pair.sides[1].disk.parts.is_empty());
}

#[test]
fn declined_cancelled_and_empty_files() {
    let mut pair = Pair::new();
    pair.connect();
    let declined = pair.offer("a", data(1, 10));
    pair.run_until(1, declined, TransferState::Offered);
    pair.sides[1].transfers.act(declined, Action::Decline);
    pair.run_until(0, declined, TransferState::Declined);
    for n in 0..2 {
        let cancelled = pair.accepted("b", data(2, 5_000_000));
        pair.run_to(cancelled, 100_000);
        pair.sides[n].transfers.act(cancelled, Action::Cancel);
        pair.run(Duration::from_secs(1));
        for side in 0..2 {
            assert_eq!(pair.state(side, cancelled), (TransferState::Failed, Some(Reason::Cancelled)));
        }
        assert!(pair.sides[1].disk.parts.is_empty());
    }
    let empty = pair.accepted("c", vec![]);
    pair.run_until(0, empty, TransferState::Done);
    assert_eq!(pair.sides[1].disk.kept, [("c".to_owned(), vec![])]);
}

#[test]
fn either_side_pauses_and_continues() {
    let mut pair = Pair::new();
    pair.connect();
    let file = data(3, 4_000_000);
    let id = pair.accepted("x", file.clone());
    for (n, (here, there)) in [0, 1].into_iter().zip([(0, 1), (1, 0)]) {
        pair.run_to(id, 500_000 * (n + 1));
        pair.sides[here].transfers.act(id, Action::Pause);
        pair.run(Duration::from_secs(1));
        let moved = pair.sides[1].transfers.view()[0].moved;
        assert_eq!(
            (pair.state(here, id).0, pair.state(there, id).0),
            (TransferState::Paused, TransferState::PausedThere)
        );
        pair.run(Duration::from_secs(5));
        assert_eq!(pair.sides[1].transfers.view()[0].moved, moved);
        pair.sides[here].transfers.act(id, Action::Resume);
    }
    pair.run_until(0, id, TransferState::Done);
    assert_eq!(pair.sides[1].disk.kept[0].1, file);
}

#[test]
fn a_transfer_continues_after_a_break_and_a_restart_of_the_receiver() {
    let mut pair = Pair::new();
    pair.connect();
    let file = data(4, 6_000_000);
    let id = pair.accepted("x", file.clone());
    pair.run_to(id, 2_000_000);
    pair.disconnect();
    assert_eq!(pair.state(0, id).0, TransferState::Waiting);
    pair.run(Duration::from_secs(20));
    pair.connect();
    pair.run_to(id, 4_000_000);
    pair.restart(1);
    let written = pair.sides[1].disk.parts[&id].1.len();
    assert!(written > 3_000_000);
    pair.run(Duration::from_secs(2));
    pair.connect();
    // Not asked a second time, and not from the beginning.
    pair.run_to(id, written as u64);
    pair.run_until(0, id, TransferState::Done);
    assert_eq!(pair.sides[1].disk.kept[0].1, file);
}

#[test]
fn an_offer_that_a_channel_loses_is_made_again() {
    let mut pair = Pair::new();
    pair.connect();
    let file = data(9, 3_000_000);
    pair.loses = 2;
    let id = pair.offer("x", file.clone());
    pair.run(Duration::from_secs(2));
    assert!(pair.row(1, id).is_none());
    pair.run_until(1, id, TransferState::Offered);
    pair.sides[1].transfers.act(id, Action::Accept);
    pair.run_to(id, 1_000_000);
    pair.restart(1);
    let written = pair.sides[1].disk.parts[&id].1.len() as u64;
    pair.loses = 1;
    pair.connect();
    pair.run_to(id, written);
    pair.run_until(0, id, TransferState::Done);
    assert_eq!(pair.sides[1].disk.kept[0].1, file);
}

#[test]
fn an_offer_is_made_four_times_at_most_and_asked_about_once() {
    let mut pair = Pair::new();
    pair.connect();
    let id = pair.offer("x", data(9, 3_000));
    pair.run(Duration::from_secs(60));
    assert_eq!((pair.offers, pair.sides[1].transfers.view().len()), (4, 1));
    assert_eq!(pair.state(1, id).0, TransferState::Offered);
}

#[test]
fn a_part_that_does_not_match_is_sent_from_the_beginning() {
    let mut pair = Pair::new();
    pair.connect();
    let file = data(5, 3_000_000);
    let id = pair.accepted("x", file.clone());
    pair.run_to(id, 1_000_000);
    pair.restart(1);
    pair.sides[1].disk.parts.get_mut(&id).unwrap().1[17] ^= 1;
    pair.connect();
    pair.run_until(0, id, TransferState::Done);
    assert_eq!(pair.sides[1].disk.kept[0].1, file);
}

#[test]
fn a_full_disk_pauses_and_loses_nothing() {
    let mut pair = Pair::new();
    pair.connect();
    let file = data(6, 3_000_000);
    pair.sides[1].disk.free = Some(1_000_000);
    let id = pair.accepted("x", file.clone());
    pair.run_until(1, id, TransferState::Paused);
    assert_eq!(pair.state(1, id).1, Some(Reason::DiskFull));
    pair.run_until(0, id, TransferState::PausedThere);
    assert!(pair.sides[1].disk.parts[&id].1.len() > 700_000);
    pair.sides[1].disk.free = None;
    pair.sides[1].transfers.act(id, Action::Resume);
    pair.run_until(0, id, TransferState::Done);
    assert_eq!(pair.sides[1].disk.kept[0].1, file);
}

#[test]
fn a_sender_that_sends_more_or_less_or_something_else_is_cut_off() {
    let mut pair = Pair::new();
    pair.connect();
    let longer = pair.offer_as("longer", 1_000_000, data(7, 1_200_000));
    let shorter = pair.offer_as("shorter", 1_000_000, data(7, 900_000));
    for id in [longer, shorter] {
        pair.run_until(1, id, TransferState::Offered);
        pair.sides[1].transfers.act(id, Action::Accept);
    }
    for (id, reason) in [(longer, Reason::TooMuch), (shorter, Reason::Changed)] {
        pair.run_until(1, id, TransferState::Failed);
        pair.run_until(0, id, TransferState::Failed);
        assert_eq!((pair.state(1, id).1, pair.state(0, id).1), (Some(reason), Some(reason)));
    }
    // A bit is changed on the way.
    pair.forge = |sent| match sent {
        Sent::Binary(mut bytes) => {
            *bytes.last_mut().unwrap() ^= 1;
            vec![Sent::Binary(bytes)]
        }
        text => vec![text],
    };
    let id = pair.accepted("other", data(8, 100_000));
    pair.run_until(1, id, TransferState::Failed);
    assert_eq!(pair.state(1, id).1, Some(Reason::WrongHash));
    assert!(pair.sides[1].disk.parts.is_empty() && pair.sides[1].disk.kept.is_empty(), "nothing is left");
}

#[test]
fn many_offers_are_refused() {
    let mut pair = Pair::new();
    pair.connect();
    let ids: Vec<_> = (0..20).map(|n| pair.offer(&n.to_string(), vec![1])).collect();
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.state(0, ids[15]).0, TransferState::Offered);
    assert_eq!(pair.state(0, ids[16]), (TransferState::Failed, Some(Reason::TooMany)));
    assert_eq!(pair.sides[1].transfers.view().len(), 16);
}

#[test]
fn several_files_share_a_connection() {
    let mut pair = Pair::new();
    pair.connect();
    let ids: Vec<_> = (0..3).map(|n| pair.accepted(&n.to_string(), data(n, 1_000_000))).collect();
    pair.run_until(0, ids[0], TransferState::Done);
    for id in &ids[1..] {
        let view = pair.sides[1].transfers.view();
        let one = view.iter().find(|view| view.id == id.to_string()).unwrap();
        assert!(one.moved > 500_000, "{}", one.moved);
        pair.run_until(0, *id, TransferState::Done);
    }
}

#[test]
fn a_stranger_cannot_touch_the_transfer_of_another() {
    let mut pair = Pair::new();
    pair.connect();
    let id = pair.accepted("x", data(9, 500_000));
    pair.run_to(id, 100_000);
    let eve = Person { key: "eve".into(), name: "Eve".into() };
    let now = pair.now;
    for side in &mut pair.sides {
        side.transfers.connected(now, &eve, 99);
        for text in [
            Message::Cancel { id, reason: Reason::Cancelled },
            Message::Done { id, sha256: Digest([0; 32]) },
            Message::Restart { id },
            Message::Offer { id, name: "y".into(), size: 1, mime: String::new() },
        ] {
            side.transfers.handle_text(now, &eve, &text.write());
        }
        side.transfers.handle_binary(now, &eve, &Chunk { id, offset: 0, time: 0, data: &[1; 9] }.write());
        side.transfers.disconnected("eve", 99);
    }
    pair.run_until(0, id, TransferState::Done);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens to the connection, the receiver and people's patience: in the end the file is there and equal.
    #[test]
    fn a_file_arrives_after_any_trouble(seed: u64, trouble in prop::collection::vec((0u8..6, 1u64..400), 0..12)) {
        let mut pair = Pair::new();
        pair.connect();
        let file = data(seed, 700_000);
        let id = pair.accepted("x", file.clone());
        for (kind, time) in trouble {
            match kind {
                0 => pair.disconnect(),
                1 => pair.restart(1),
                2 | 3 => {
                    let side = usize::from(kind - 2);
                    pair.sides[side].transfers.act(id, Action::Pause);
                }
                4 => pair.sides[1].disk.free = Some(50_000),
                _ => if let Some((_, part)) = pair.sides[1].disk.parts.get_mut(&id)
                    && pair.link.is_none() && let Some(byte) = part.first_mut() { *byte ^= 1 },
            }
            pair.run(Duration::from_millis(time * 5));
            if time % 2 == 0 && pair.link.is_none() {
                pair.connect();
            }
        }
        pair.sides[1].disk.free = None;
        pair.disconnect();
        pair.connect();
        for _ in 0..400 {
            for side in &mut pair.sides {
                if side.transfers.view().iter().any(|view| view.state == TransferState::Paused) {
                    side.transfers.act(id, Action::Resume);
                }
            }
            // A receiver that was restarted before it had a part asks a second time.
            pair.sides[1].transfers.act(id, Action::Accept);
            pair.run(Duration::from_millis(100));
        }
        let done = pair.state(0, id).0;
        prop_assert_eq!(done, TransferState::Done, "{:?}", pair.sides[1].transfers.view());
        prop_assert_eq!(&pair.sides[1].disk.kept[0].1, &file);
        prop_assert_eq!(pair.sides[1].disk.kept.len(), 1);
    }
}
