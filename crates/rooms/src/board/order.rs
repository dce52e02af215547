//! Order: reports, blocks, suspensions, and the record of what stewards did.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use signaling::board::{Act, ActKind, BoardNews, NoticeKind, Order as News, Sitter, Suspension};
use signaling::limits::{MAX_ACTS_SHOWN, MAX_BLOCKED};
use signaling::message::ErrorCode;

use super::key::Key;
use super::saved::{OrderChange, SavedAct, SavedOrder, SavedReport, SavedSuspension};
use super::{Board, Change, Who, notice, require};

/// Reports that wait for a steward. When full, the oldest of whoever has most of them is dropped.
pub const MAX_REPORTS: usize = 500;
/// Reports of one person that wait. Another is refused with `too_many_reports`.
pub const MAX_REPORTS_EACH: usize = 10;
/// Blocks of all people together. When full, another is refused with `server_full`.
pub const MAX_BLOCKS: usize = 4_096;
/// Suspensions in force. When full, another is refused with `server_full`.
pub const MAX_SUSPENDED: usize = 512;
/// Acts that are remembered. When full, the oldest is dropped.
pub const MAX_ACTS: usize = 1_024;
/// How long reports that nobody closes and acts of stewards are kept.
pub const ORDER_KEPT_MS: u64 = 30 * 24 * HOUR_MS;
const HOUR_MS: u64 = 3_600_000;

/// Everything about order. Each list has its bound above.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Whom each person has blocked, with the name at that time.
    blocks: BTreeMap<Key, BTreeMap<Key, String>>,
    /// Number of blocks.
    blocked: usize,
    pub(super) reports: BTreeMap<u32, SavedReport>,
    /// By key, or by the hash of the key of somebody who has been erased.
    pub(super) suspended: BTreeMap<Key, SavedSuspension>,
    pub(super) acts: BTreeMap<u32, SavedAct>,
}

impl Order {
    /// Restores what was stored.
    pub(super) fn from_saved(saved: SavedOrder) -> Order {
        let mut order = Order {
            reports: saved.reports.into_iter().collect(),
            suspended: saved.suspended.into_iter().collect(),
            acts: saved.acts.into_iter().collect(),
            ..Order::default()
        };
        for (key, other, name) in saved.blocks {
            order.blocked += usize::from(order.blocks.entry(key).or_default().insert(other, name).is_none());
        }
        order
    }

    /// Whether either of two people has blocked the other.
    pub(super) fn separates(&self, a: &str, b: &str) -> bool {
        let has = |a: &str, b: &str| self.blocks.get(a).is_some_and(|theirs| theirs.contains_key(b));
        has(a, b) || has(b, a)
    }

    /// The people whom somebody has blocked.
    pub(super) fn blocked_by(&self, key: &str) -> impl Iterator<Item = (&Key, &String)> {
        self.blocks.get(key).into_iter().flatten()
    }

    /// Somebody's suspension, also if they have been erased since.
    pub(super) fn suspension(&self, key: &str) -> Option<&SavedSuspension> {
        self.suspended.get(key).or_else(|| self.suspended.get(&hash(key)))
    }

    /// The reports by somebody, oldest first.
    pub(super) fn reports_by(&self, key: &str) -> impl DoubleEndedIterator<Item = &SavedReport> {
        self.reports.values().filter(move |report| report.by == key)
    }

    /// What was done to somebody, oldest first.
    pub(super) fn acts_to(&self, key: &str) -> impl DoubleEndedIterator<Item = &SavedAct> {
        self.acts.values().filter(move |act| act.key == key)
    }

    fn block(&mut self, key: &str, other: &str, name: &str) -> Option<OrderChange> {
        let before = self.blocks.entry(key.to_owned()).or_default().insert(other.to_owned(), name.to_owned());
        self.blocked += usize::from(before.is_none());
        let (key, other) = (key.to_owned(), other.to_owned());
        (before.as_deref() != Some(name)).then(|| OrderChange::Block { key, other, name: Some(name.to_owned()) })
    }

    fn unblock(&mut self, key: &str, other: &str) -> Option<OrderChange> {
        let theirs = self.blocks.get_mut(key)?;
        theirs.remove(other)?;
        if theirs.is_empty() {
            self.blocks.remove(key);
        }
        self.blocked -= 1;
        Some(OrderChange::Block { key: key.to_owned(), other: other.to_owned(), name: None })
    }

    /// Erases all blocks by or of somebody. Returns who had blocked them.
    fn forget_blocks(&mut self, key: &str) -> Vec<Key> {
        let blockers = self.blocks.iter().filter(|(_, theirs)| theirs.contains_key(key));
        let blockers: Vec<Key> = blockers.map(|(blocker, _)| blocker.clone()).collect();
        let own = self.blocked_by(key).map(|(other, _)| (key.to_owned(), other.clone())).collect::<Vec<_>>();
        let pairs = blockers.iter().map(|blocker| (blocker.clone(), key.to_owned()));
        for (blocker, other) in pairs.chain(own) {
            self.unblock(&blocker, &other);
        }
        blockers
    }

    /// The oldest report of whoever has most of them.
    fn least_missed(&self) -> Option<u32> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for report in self.reports.values() {
            *counts.entry(&report.by).or_default() += 1;
        }
        let (most, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
        self.reports.iter().find(|(_, report)| report.by == most).map(|(id, _)| *id)
    }
}

/// The hash by which the suspension of somebody goes on who has been erased.
fn hash(key: &str) -> Key {
    let digest = Sha256::digest(key.as_bytes());
    digest.iter().fold(String::from("erased:"), |text, byte| text + &format!("{byte:02x}"))
}

/// The number after the last one.
fn next<T>(all: &BTreeMap<u32, T>) -> u32 {
    all.last_key_value().map_or(1, |(last, _)| last.wrapping_add(1))
}

impl Board {
    /// Whether a steward has suspended somebody.
    pub fn is_suspended(&self, key: &str) -> bool {
        self.order.suspension(key).is_some()
    }

    /// Whether either of two people has blocked the other. They are never matched.
    pub fn separates(&self, a: &str, b: &str) -> bool {
        self.order.separates(a, b)
    }

    /// What of the community's order concerns somebody.
    pub fn order(&self, key: &str) -> News {
        let steward = self.people.get(key).is_some_and(|person| person.is_steward()) && !self.is_suspended(key);
        let sitter = |(id, name): (&Key, &String)| Sitter::new(id, name);
        let mut acts: Vec<Act> = self.order.acts_to(key).filter(|act| !act.seen).map(SavedAct::shown).collect();
        acts.drain(..acts.len().saturating_sub(MAX_ACTS_SHOWN));
        News {
            steward,
            reports: if steward { u32::try_from(self.order.reports.len()).unwrap_or(u32::MAX) } else { 0 },
            blocked: self.order.blocked_by(key).map(sitter).collect(),
            acts,
            suspension: self.order.suspension(key).map(SavedSuspension::shown),
        }
    }

    /// Reports somebody to the stewards. `name` is that of the reported person. Another report of the same person by the
    /// same one replaces the earlier one.
    ///
    /// # Errors
    /// `unexpected_message` about oneself; `too_many_reports`.
    pub fn report(&mut self, now: u64, who: &Who, of: &Sitter, text: String, in_call: bool) -> Result<(), ErrorCode> {
        require(who.key != of.id, ErrorCode::UnexpectedMessage)?;
        let is_same = |report: &SavedReport| report.by == who.key && report.of == of.id;
        let before = self.order.reports.iter().find(|(_, report)| is_same(report)).map(|(id, _)| *id);
        let theirs = self.order.reports_by(&who.key).count();
        require(before.is_some() || theirs < MAX_REPORTS_EACH, ErrorCode::TooManyReports)?;
        let full = self.order.reports.len() >= MAX_REPORTS;
        if let Some(gone) = before.or_else(|| self.order.least_missed().filter(|_| full)) {
            self.drop_report(gone);
        }
        let report = SavedReport {
            at: now,
            by: who.key.clone(),
            by_name: who.name.clone(),
            of: of.id.clone(),
            of_name: of.name.clone(),
            text,
            in_call,
        };
        let id = next(&self.order.reports);
        self.order.reports.insert(id, report.clone());
        self.changes.push(Change::Order(OrderChange::Report { id, report: Some(Box::new(report)) }));
        self.tell_stewards();
        Ok(())
    }

    /// Never again matches somebody with another. The other does not learn of it.
    ///
    /// # Errors
    /// `not_member`; `unexpected_message` about oneself; `too_many_blocked`, `server_full`.
    pub fn block(&mut self, who: &Who, other: &Sitter) -> Result<(), ErrorCode> {
        require(who.member, ErrorCode::NotMember)?;
        require(who.key != other.id, ErrorCode::UnexpectedMessage)?;
        let theirs = self.order.blocked_by(&who.key).count();
        require(theirs < MAX_BLOCKED, ErrorCode::TooManyBlocked)?;
        require(self.order.blocked < MAX_BLOCKS, ErrorCode::ServerFull)?;
        let change = self.order.block(&who.key, &other.id, &other.name);
        self.changes.extend(change.map(Change::Order));
        self.tell_order(&who.key);
        Ok(())
    }

    /// Ends a block. Does nothing if there is none.
    pub fn unblock(&mut self, key: &str, other: &str) {
        let change = self.order.unblock(key, other);
        self.changes.extend(change.map(Change::Order));
        self.tell_order(key);
    }

    /// Somebody acknowledges what was done to them.
    pub fn see_acts(&mut self, key: &str) {
        let unseen: Vec<u32> =
            self.order.acts.iter().filter(|(_, act)| act.key == key && !act.seen).map(|(id, _)| *id).collect();
        for id in unseen {
            self.change_act(id, |act| act.seen = true);
        }
        self.tell_order(key);
    }

    /// A steward closes a table. Everybody with a seat and its host learn the reason. Returns the table's room, whose
    /// call must end.
    ///
    /// # Errors
    /// `no_such_table`.
    pub fn close_table(&mut self, now: u64, steward: &Who, id: &str, reason: &str) -> Result<String, ErrorCode> {
        let table = self.tables.get(id).ok_or(ErrorCode::NoSuchTable)?.clone();
        let seated: BTreeSet<&Key> = table.taken.iter().map(|seat| &seat.key).chain([&table.host]).collect();
        for key in seated {
            let name = table.taken.iter().find(|seat| seat.key == *key).map(|seat| seat.name.clone());
            let act = SavedAct {
                at: now,
                kind: ActKind::Closed,
                key: key.clone(),
                name: name.or_else(|| self.name_of(key)).unwrap_or_default(),
                topic: table.topic.clone(),
                reason: reason.to_owned(),
                until: None,
                steward: steward.key.clone(),
                steward_name: steward.name.clone(),
                seen: false,
            };
            self.act(act);
        }
        let notice = notice(&table, NoticeKind::Deleted);
        for waiting in &table.waiting {
            self.notify(waiting.id.clone(), BoardNews::Notice(notice.clone()));
        }
        self.cancel_seats(now, id);
        self.drop_table(id);
        Ok(table.room)
    }

    /// A steward suspends somebody for some hours; 0: until it is lifted. They give up what they have at tables that begin
    /// before its end, and no longer wait. A second suspension replaces the first.
    ///
    /// # Errors
    /// `unexpected_message` about oneself; `no_such_person`, `server_full`.
    pub fn suspend(&mut self, now: u64, steward: &Who, key: &str, hours: u32, reason: &str) -> Result<(), ErrorCode> {
        require(steward.key != key, ErrorCode::UnexpectedMessage)?;
        let name = self.name_of(key).or_else(|| self.name_in_reports(key)).ok_or(ErrorCode::NoSuchPerson)?;
        let known = self.order.suspended.contains_key(key);
        require(known || self.order.suspended.len() < MAX_SUSPENDED, ErrorCode::ServerFull)?;
        let until = (hours > 0).then(|| now + u64::from(hours) * HOUR_MS);
        let suspension = SavedSuspension { name: name.clone(), since: now, until, reason: reason.to_owned() };
        self.order.suspended.insert(key.to_owned(), suspension.clone());
        self.changes.push(Change::Order(OrderChange::Suspension { key: key.into(), suspension: Some(suspension) }));
        self.act(SavedAct {
            at: now,
            kind: ActKind::Suspended,
            key: key.to_owned(),
            name,
            topic: String::new(),
            reason: reason.to_owned(),
            until,
            steward: steward.key.clone(),
            steward_name: steward.name.clone(),
            seen: false,
        });
        self.stop_waiting(key);
        self.give_up_seats(now, key, until.unwrap_or(u64::MAX));
        self.show_as_member(key);
        Ok(())
    }

    /// A steward lifts a suspension.
    ///
    /// # Errors
    /// `no_such_person`.
    pub fn lift(&mut self, now: u64, steward: &Who, key: &str) -> Result<(), ErrorCode> {
        let suspension = self.order.suspended.get(key).ok_or(ErrorCode::NoSuchPerson)?;
        let act = SavedAct {
            at: now,
            kind: ActKind::Lifted,
            // Somebody who was erased has no key here any more.
            key: if suspension.name.is_empty() { String::new() } else { key.to_owned() },
            name: suspension.name.clone(),
            topic: String::new(),
            reason: String::new(),
            until: None,
            steward: steward.key.clone(),
            steward_name: steward.name.clone(),
            seen: false,
        };
        self.end_suspension(key);
        self.act(act);
        Ok(())
    }

    /// Deletes a report that needs nothing more.
    pub fn close_report(&mut self, id: u32) {
        self.drop_report(id);
        self.tell_stewards();
    }

    /// Returns somebody whom the board knows: they are here, or have a seat.
    pub fn find_person(&self, key: &str) -> Option<Sitter> {
        self.name_of(key).map(|name| Sitter::new(key, &name))
    }

    /// Returns whose suspensions have begun or ended since the last call. What they may see has changed.
    pub fn take_suspension_changes(&mut self) -> BTreeSet<Key> {
        std::mem::take(&mut self.suspension_changes)
    }

    /// Ends the suspensions whose time is up.
    pub(super) fn end_suspensions(&mut self, now: u64) {
        let is_over = |one: &SavedSuspension| one.until.is_some_and(|until| until <= now);
        let over = self.order.suspended.iter().filter(|(_, one)| is_over(one));
        for key in over.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            self.end_suspension(&key);
        }
    }

    /// Erases old reports and acts.
    pub(super) fn prune_order(&mut self, now: u64) {
        let before = now.saturating_sub(ORDER_KEPT_MS);
        let reports: Vec<u32> =
            self.order.reports.iter().filter(|(_, one)| one.at < before).map(|(id, _)| *id).collect();
        reports.into_iter().for_each(|id| self.drop_report(id));
        let acts: Vec<u32> = self.order.acts.iter().filter(|(_, one)| one.at < before).map(|(id, _)| *id).collect();
        acts.into_iter().for_each(|id| self.drop_act(id));
    }

    /// Erases somebody. Acts stay without them, and a suspension goes on under a hash of their key.
    pub(super) fn forget_in_order(&mut self, key: &str, names: &BTreeSet<String>) {
        let named = |report: &SavedReport| report.by == key || report.of == key;
        let reports = self.order.reports.iter().filter(|(_, one)| named(one)).map(|(id, _)| *id);
        reports.collect::<Vec<_>>().into_iter().for_each(|id| self.drop_report(id));
        // `Change::Forget` erases these in the store.
        for blocker in self.order.forget_blocks(key) {
            self.tell_order(&blocker);
        }
        self.forget_in_texts(key, names);
        if let Some(suspension) = self.order.suspended.remove(key) {
            let mut reason = suspension.reason.clone();
            super::forget::clear_if_named(&mut reason, names);
            let nameless = SavedSuspension { name: String::new(), reason, ..suspension };
            let key = hash(key);
            self.order.suspended.insert(key.clone(), nameless.clone());
            self.changes.push(Change::Order(OrderChange::Suspension { key, suspension: Some(nameless) }));
        }
    }

    /// Takes somebody's key and names out of acts, and out of what others wrote.
    fn forget_in_texts(&mut self, key: &str, names: &BTreeSet<String>) {
        for id in self.order.acts.keys().copied().collect::<Vec<_>>() {
            self.change_act(id, |act| {
                if act.key == key {
                    (act.key, act.name) = (String::new(), String::new());
                }
                if act.steward == key {
                    (act.steward, act.steward_name) = (String::new(), String::new());
                }
                super::forget::clear_if_named(&mut act.topic, names);
                super::forget::clear_if_named(&mut act.reason, names);
            });
        }
        for id in self.order.reports.keys().copied().collect::<Vec<_>>() {
            let Some(report) = self.order.reports.get_mut(&id) else { continue };
            let before = report.text.len();
            super::forget::clear_if_named(&mut report.text, names);
            if report.text.len() < before {
                let report = Some(Box::new(report.clone()));
                self.changes.push(Change::Order(OrderChange::Report { id, report }));
            }
        }
    }

    /// Sends somebody what of the community's order concerns them.
    pub(crate) fn tell_order(&mut self, key: &str) {
        if self.is_here(key) {
            let order = self.order(key);
            self.notify(key.to_owned(), BoardNews::Order(order));
        }
    }

    fn tell_stewards(&mut self) {
        let stewards = self.people.iter().filter(|(_, person)| person.is_steward()).map(|(key, _)| key.clone());
        for key in stewards.collect::<Vec<_>>() {
            self.tell_order(&key);
        }
    }

    /// The name of somebody who is here, has a seat, or waits in line.
    fn name_of(&self, key: &str) -> Option<String> {
        let here = self.people.get(key).map(|person| person.name().to_owned());
        let seats = || self.tables.values().flat_map(|table| &table.taken).find(|seat| seat.key == key);
        let lines = || self.tables.values().flat_map(|table| &table.waiting).find(|waiting| waiting.id == key);
        here.or_else(|| seats().map(|seat| seat.name.clone())).or_else(|| lines().map(|waiting| waiting.name.clone()))
    }

    fn name_in_reports(&self, key: &str) -> Option<String> {
        let newest = self.order.reports.values().rev();
        let named = newest.flat_map(|one| [(&one.of, &one.of_name), (&one.by, &one.by_name)]);
        { named }.find(|(id, _)| *id == key).map(|(_, name)| name.clone())
    }

    /// Gives up somebody's seats and places in line at tables, and sign-ups for rounds, that begin before a time.
    fn give_up_seats(&mut self, now: u64, key: &str, before: u64) {
        let theirs = |table: &&super::Table| table.seats_key(key) || table.place_of(key).is_some();
        let soon = self.tables.values().filter(|table| table.starts < before).filter(theirs);
        for id in soon.map(|table| table.id.clone()).collect::<Vec<_>>() {
            // It is there, and they have something at it.
            let _ = self.leave(now, key, &id);
        }
        self.leave_rounds(key, 0, before);
    }

    fn end_suspension(&mut self, key: &str) {
        if self.order.suspended.remove(key).is_some() {
            let key = key.to_owned();
            self.changes.push(Change::Order(OrderChange::Suspension { key: key.clone(), suspension: None }));
            let erased = self.people.keys().find(|person| hash(person) == key).cloned();
            self.show_as_member(&erased.unwrap_or(key));
        }
    }

    /// Shows somebody among the members, or no longer, and lets the caller know.
    fn show_as_member(&mut self, key: &str) {
        self.suspension_changes.insert(key.to_owned());
        let is_suspended = self.is_suspended(key);
        if let Some(person) = self.people.get_mut(key) {
            person.suspend(is_suspended);
            self.dirty.person(key);
            self.tell_order(key);
        }
    }

    /// Records what a steward did.
    fn act(&mut self, act: SavedAct) {
        if self.order.acts.len() >= MAX_ACTS
            && let Some(oldest) = self.order.acts.keys().next().copied()
        {
            self.drop_act(oldest);
        }
        let (id, key) = (next(&self.order.acts), act.key.clone());
        self.order.acts.insert(id, act.clone());
        self.changes.push(Change::Order(OrderChange::Act { id, act: Some(Box::new(act)) }));
        self.tell_order(&key);
    }

    fn change_act(&mut self, id: u32, change: impl FnOnce(&mut SavedAct)) {
        let Some(act) = self.order.acts.get_mut(&id) else { return };
        let before = act.clone();
        change(act);
        if *act != before {
            let act = Some(Box::new(act.clone()));
            self.changes.push(Change::Order(OrderChange::Act { id, act }));
        }
    }

    fn drop_report(&mut self, id: u32) {
        if self.order.reports.remove(&id).is_some() {
            self.changes.push(Change::Order(OrderChange::Report { id, report: None }));
        }
    }

    fn drop_act(&mut self, id: u32) {
        if self.order.acts.remove(&id).is_some() {
            self.changes.push(Change::Order(OrderChange::Act { id, act: None }));
        }
    }
}

impl SavedAct {
    /// As the person sees it to whom it was done.
    pub(super) fn shown(&self) -> Act {
        Act {
            at_ms: self.at,
            kind: self.kind,
            topic: self.topic.clone(),
            reason: self.reason.clone(),
            until_ms: self.until,
        }
    }
}

impl SavedSuspension {
    /// As the suspended person sees it.
    pub(super) fn shown(&self) -> Suspension {
        Suspension { reason: self.reason.clone(), until_ms: self.until }
    }
}
