//! Everything that the board holds about one person, for that person.

use std::collections::{BTreeMap, BTreeSet};

use signaling::board::{AboutMe, AboutReport, AboutTable, Act, Meeting, Presence, UsedInvite, Waiting};

use signaling::limits::MAX_ACTS_SHOWN;

use super::shown::json_bytes;
use super::{Board, Table, Who};

/// Bytes of tables in one answer. When full, the tables that begin latest are left out. With the bounds below an
/// answer fits in a frame.
const TABLE_BYTES: usize = 24 * 1024;
/// Meetings in one answer. When full, the oldest are left out.
const MAX_ABOUT_MEETINGS: usize = 400;
/// Used invites in one answer. When full, those that expire first are left out.
const MAX_ABOUT_INVITES: usize = 100;
/// Names in one answer. Seats and lines follow the newest name, so that there are hardly ever two.
const MAX_ABOUT_NAMES: usize = 4;
/// Bytes of reports in one answer, and of acts. When full, the oldest are left out.
const ORDER_BYTES: usize = 4 * 1024;
/// Bytes of rounds in one answer. When full, those that begin latest are left out.
const ROUND_BYTES: usize = 4 * 1024;
const DAY_MS: u64 = 24 * 3_600_000;

impl Board {
    /// Returns everything that the board holds about somebody, and nothing about others but their number. It is at most
    /// as large as a frame: [`AboutMe::left_out`] counts what is missing.
    pub fn about(&self, now: u64, who: &Who) -> AboutMe {
        let (tables, missing_tables) = fit(self.tables_about(&who.key), TABLE_BYTES, table_bytes);
        let (rounds, missing_rounds) =
            fit(self.rounds_about(&who.key), ROUND_BYTES, |one| 160 + json_bytes(&one.title));
        let (invites, missing_invites) = fit(self.invites_about(&who.key), MAX_ABOUT_INVITES, |_| 1);
        let (met, missing_met) = fit(self.met_about(&who.key), MAX_ABOUT_MEETINGS, |_| 1);
        let (reports, missing_reports) =
            fit(self.reports_about(&who.key), ORDER_BYTES, |one| 64 + json_bytes(&one.text));
        let (acts, missing_acts) = fit(self.acts_about(&who.key), ORDER_BYTES, act_bytes);
        let waiting = self.hungry.iter().find(|waiting| waiting.is(&who.key)).map(|waiting| waiting.wish());
        let named_by = self.hungry.iter().filter(|waiting| waiting.wish().with.contains(&who.key)).count();
        AboutMe {
            now_ms: now,
            zone: self.calendar.name().to_owned(),
            key: who.key.clone(),
            names: self.names_of(who).into_iter().take(MAX_ABOUT_NAMES).collect(),
            member: who.member,
            presence: self.presence(&who.key).unwrap_or(Presence::Free),
            sessions: self.people.get(&who.key).map_or(0, |person| person.sessions()),
            tables,
            rounds,
            waiting: waiting.map(|wish| Waiting { since_ms: wish.since, with: wish.with.clone() }),
            named_by: number(named_by),
            avatar: self.avatar(&who.key),
            calendar: self.has_calendar(&who.key),
            invites,
            met,
            // Whoever owns the accounts adds it.
            account: None,
            blocked: number(self.order.blocked_by(&who.key).count()),
            reports,
            acts,
            suspension: self.order.suspension(&who.key).map(|one| one.shown()),
            met_days: number(usize::try_from(self.met.kept_ms() / DAY_MS).unwrap_or(usize::MAX)),
            left_out: number(
                missing_tables + missing_rounds + missing_invites + missing_met + missing_reports + missing_acts,
            ),
        }
    }

    /// The names under which somebody is stored, and the one that they have now.
    pub(super) fn names_of(&self, who: &Who) -> BTreeSet<String> {
        let tables = self.tables.values();
        let seats = tables.clone().flat_map(|table| &table.taken).filter(|seat| seat.key == who.key);
        let lines = tables.flat_map(|table| &table.waiting).filter(|waiting| waiting.id == who.key);
        let wishes = self.hungry.iter().filter(|waiting| waiting.is(&who.key)).map(|waiting| &waiting.wish().name);
        let stored = seats.map(|seat| &seat.name).chain(lines.map(|waiting| &waiting.name)).chain(wishes);
        stored.chain(self.rounds.names(&who.key)).chain([&who.name]).cloned().collect()
    }

    /// The tables with somebody's key, by beginning.
    fn tables_about(&self, key: &str) -> Vec<AboutTable> {
        let mut tables: Vec<AboutTable> =
            self.tables.values().filter_map(|table| self.table_about(table, key)).collect();
        tables.extend(self.cancelled_of(key).map(|(id, lunch)| AboutTable {
            id: id.to_owned(),
            topic: lunch.topic.clone(),
            place: lunch.place.clone(),
            starts_ms: lunch.starts,
            ends_ms: lunch.ends,
            weekly: false,
            host: false,
            seat: false,
            place_in_line: 0,
            entered: false,
            removed: false,
            cancelled: true,
        }));
        tables.sort_by(|a, b| (a.starts_ms, &a.id).cmp(&(b.starts_ms, &b.id)));
        tables
    }

    fn table_about(&self, table: &Table, key: &str) -> Option<AboutTable> {
        let about = AboutTable {
            id: table.id.clone(),
            topic: table.topic.clone(),
            place: table.place.clone(),
            starts_ms: table.starts,
            ends_ms: table.ends,
            weekly: table.is_weekly(),
            host: table.host == key,
            seat: table.seats_key(key),
            place_in_line: table.place_of(key).map_or(0, |place| u16::try_from(place + 1).unwrap_or(u16::MAX)),
            entered: table.inside.iter().any(|inside| inside == key),
            removed: self.has_removed(table, key),
            cancelled: false,
        };
        let is_about = about.host || about.seat || about.place_in_line > 0 || about.entered || about.removed;
        is_about.then_some(about)
    }

    /// The invites that somebody has used, those that expire last first.
    fn invites_about(&self, key: &str) -> Vec<UsedInvite> {
        let used = self.invites.values().filter(|(_, used)| used.contains(key));
        let mut expiries: Vec<u64> = used.map(|(expires, _)| *expires).collect();
        expiries.sort_unstable_by(|a, b| b.cmp(a));
        expiries.into_iter().map(|expires_ms| UsedInvite { expires_ms }).collect()
    }

    /// The reports by somebody, newest first.
    fn reports_about(&self, key: &str) -> Vec<AboutReport> {
        let reports = self.order.reports_by(key).rev();
        reports.map(|one| AboutReport { at_ms: one.at, text: one.text.clone() }).collect()
    }

    /// What stewards did to somebody, newest first.
    fn acts_about(&self, key: &str) -> Vec<Act> {
        self.order.acts_to(key).rev().take(MAX_ACTS_SHOWN).map(|act| act.shown()).collect()
    }

    /// When somebody last met others, newest first.
    fn met_about(&self, key: &str) -> Vec<Meeting> {
        let mut people: BTreeMap<u64, u32> = BTreeMap::new();
        for at in self.met.times(key) {
            *people.entry(at).or_default() += 1;
        }
        people.into_iter().rev().map(|(at_ms, people)| Meeting { at_ms, people }).collect()
    }
}

/// Keeps the beginning of a list whose sizes are at most `most` together, and counts the rest.
pub(super) fn fit<T>(mut all: Vec<T>, most: usize, size: impl Fn(&T) -> usize) -> (Vec<T>, usize) {
    let mut used = 0;
    let fits = |one: &&T| {
        used += size(one);
        used <= most
    };
    let kept = all.iter().take_while(fits).count();
    let missing = all.len() - kept;
    all.truncate(kept);
    (all, missing)
}

fn act_bytes(act: &Act) -> usize {
    128 + json_bytes(&act.topic) + json_bytes(&act.reason)
}

/// Upper bound for the encoded size of a table, in bytes.
fn table_bytes(table: &AboutTable) -> usize {
    256 + json_bytes(&table.topic) + json_bytes(&table.place)
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
