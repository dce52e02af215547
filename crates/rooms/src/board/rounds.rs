//! Planned rounds: people sign up, and an hour before the meal they are seated in groups that change.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use signaling::board::{AboutRound, BoardNews, BoardRequest, Notice, RoundDraft, RoundSize};
use signaling::limits::MAX_SIGN_UPS;
use signaling::message::ErrorCode;

use super::forget::clear_if_named;
use super::key::Key;
use super::round::{Outcome, Round, RoundChange, RoundNews, SIGN_UP_CLOSES_MS, SavedRounds, SignUp};
use super::{Board, Change, HORIZON_MS, Kind, LastReminder, MAX_TABLES, MINUTE_MS, Table, Who, require};
use crate::rounds::{Diner, Pairs, Seating, Size, Teams, seat};

/// Rounds at the same time. When full, another is refused with `too_many_rounds`.
pub const MAX_ROUNDS: usize = 64;
/// Rounds that one person has created. Another is refused with `too_many_rounds`.
pub const MAX_ROUNDS_EACH: usize = 5;
/// People who sign up for one round. Another is refused with `round_full`. All sign-ups together are at most twice
/// [`MAX_TABLES`], because each two keep the place of a table.
pub const MAX_SIGNED_UP: usize = 600;
/// Outcomes for people who are not here. When full, the oldest is dropped.
pub const MAX_ROUND_NEWS: usize = 1_024;
/// How long after the beginning of the meal somebody who comes receives an outcome.
const NEWS_KEPT_MS: u64 = 24 * 60 * MINUTE_MS;

/// All rounds. Each list has its bound above.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    pub(super) all: BTreeMap<String, Round>,
    news: VecDeque<RoundNews>,
}

impl Rounds {
    /// Restores what was stored.
    pub(super) fn from_saved(saved: SavedRounds) -> Rounds {
        let all = saved.rounds.into_iter().map(|round| (round.id.clone(), round)).collect();
        Rounds { all, news: saved.news.into() }
    }

    /// Tables that may be necessary for those who have signed up.
    pub(super) fn tables(&self) -> usize {
        self.sign_ups().div_ceil(2)
    }

    fn sign_ups(&self) -> usize {
        self.all.values().map(|round| round.signed_up.len()).sum()
    }

    /// The rounds for which somebody has signed up.
    pub(super) fn of<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Round> {
        self.all.values().filter(move |round| round.has(key))
    }

    /// The names under which somebody has signed up.
    pub(super) fn names<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a String> {
        let sign_ups = self.all.values().flat_map(|round| &round.signed_up);
        sign_ups.filter(move |one| one.key == key).map(|one| &one.name)
    }
}

impl Board {
    /// Handles a request about rounds.
    ///
    /// # Errors
    /// Those of the functions below; `not_member`; `unexpected_message` for another request.
    pub(crate) fn ask_rounds(&mut self, now: u64, who: &Who, request: BoardRequest) -> Result<(), ErrorCode> {
        require(who.member, ErrorCode::NotMember)?;
        match request {
            BoardRequest::LayRound(draft) => self.lay_round(now, who, draft).map(drop),
            BoardRequest::CancelRound { round } => self.cancel_round(who, &round),
            BoardRequest::SignUp { round } => self.sign_up(now, who, &round),
            BoardRequest::Withdraw { round } => self.withdraw(now, &who.key, &round),
            _ => Err(ErrorCode::UnexpectedMessage),
        }
    }

    /// Creates a round, and returns its id.
    ///
    /// # Errors
    /// `not_member`, `slot_past`, `slot_too_far`, `sign_up_closed`, `too_many_rounds`.
    pub fn lay_round(&mut self, now: u64, who: &Who, draft: RoundDraft) -> Result<String, ErrorCode> {
        require(who.member, ErrorCode::NotMember)?;
        let starts = draft.starts_ms;
        require(now < starts, ErrorCode::SlotPast)?;
        require(starts <= now.saturating_add(HORIZON_MS), ErrorCode::SlotTooFar)?;
        require(now < starts.saturating_sub(SIGN_UP_CLOSES_MS), ErrorCode::SignUpClosed)?;
        let theirs = self.rounds.all.values().filter(|round| round.host == who.key).count();
        let has_room = theirs < MAX_ROUNDS_EACH && self.rounds.all.len() < MAX_ROUNDS;
        require(has_room, ErrorCode::TooManyRounds)?;
        let civil = self.calendar.civil(starts).ok_or(ErrorCode::SlotTooFar)?;
        let id = self.names.id();
        let round = Round {
            id: id.clone(),
            title: draft.title,
            host: who.key.clone(),
            starts,
            minutes: draft.minutes,
            weekly_at: draft.weekly.then_some(civil),
            size: draft.size,
            signed_up: Vec::new(),
        };
        self.rounds.all.insert(id.clone(), round);
        self.change_round(&id, |_| {});
        Ok(id)
    }

    /// Cancels a round with all its dates. Those who have signed up and whoever created it learn of it.
    ///
    /// # Errors
    /// `no_such_round`; `not_host` unless they created it or are a steward.
    pub fn cancel_round(&mut self, who: &Who, id: &str) -> Result<(), ErrorCode> {
        let round = self.rounds.all.get(id).cloned().ok_or(ErrorCode::NoSuchRound)?;
        require(round.host == who.key || who.steward, ErrorCode::NotHost)?;
        self.drop_round(id);
        let signed_up = round.signed_up.iter().map(|one| one.key.clone());
        let concerned: BTreeSet<Key> = signed_up.chain([round.host.clone()]).collect();
        for key in concerned.into_iter().filter(|key| *key != who.key && !key.is_empty()) {
            self.end_for(&round, key, Outcome::Cancelled);
        }
        Ok(())
    }

    /// Signs somebody up for a round's next date. Somebody who already has keeps it. A seat that is kept for them at a
    /// table in that time becomes free.
    ///
    /// # Errors
    /// `not_member`, `no_such_round`, `sign_up_closed`, `already_seated`, `already_signed_up`, `too_many_sign_ups`,
    /// `round_full`.
    pub fn sign_up(&mut self, now: u64, who: &Who, id: &str) -> Result<(), ErrorCode> {
        require(who.member, ErrorCode::NotMember)?;
        let round = self.rounds.all.get(id).ok_or(ErrorCode::NoSuchRound)?;
        if round.has(&who.key) {
            return Ok(());
        }
        require(now < round.closes(), ErrorCode::SignUpClosed)?;
        let (starts, ends) = (round.starts, round.ends());
        require(!self.is_busy(&who.key, starts, ends), ErrorCode::AlreadySeated)?;
        let overlaps = self.rounds.of(&who.key).any(|other| other.overlaps(starts, ends));
        require(!overlaps, ErrorCode::AlreadySignedUp)?;
        require(self.rounds.of(&who.key).count() < MAX_SIGN_UPS, ErrorCode::TooManySignUps)?;
        let places = self.tables.len() + (self.rounds.sign_ups() + 1).div_ceil(2);
        require(round.signed_up.len() < MAX_SIGNED_UP && places <= MAX_TABLES, ErrorCode::RoundFull)?;
        self.release_kept(now, &who.key, starts, ends, "");
        let sign_up = SignUp { key: who.key.clone(), name: who.name.clone(), at: now };
        if let Some(round) = self.rounds.all.get_mut(id) {
            round.signed_up.push(sign_up.clone());
        }
        self.note_round(RoundChange::SignUp { round: id.to_owned(), sign_up });
        self.dirty.round(id);
        self.tell_you(&who.key);
        Ok(())
    }

    /// Withdraws somebody from a round's next date.
    ///
    /// # Errors
    /// `no_such_round`, also if they have not signed up; `sign_up_closed`.
    pub fn withdraw(&mut self, now: u64, key: &str, id: &str) -> Result<(), ErrorCode> {
        let round = self.rounds.all.get(id).filter(|round| round.has(key)).ok_or(ErrorCode::NoSuchRound)?;
        require(now < round.closes(), ErrorCode::SignUpClosed)?;
        self.withdraw_from(key, id);
        Ok(())
    }

    /// All rounds, by id.
    pub fn rounds(&self) -> impl Iterator<Item = &Round> {
        self.rounds.all.values()
    }

    /// Withdraws somebody from the rounds in this time, because they have a seat then.
    pub(super) fn leave_rounds(&mut self, key: &str, starts: u64, ends: u64) {
        let theirs = self.rounds.of(key).filter(|round| round.overlaps(starts, ends));
        for id in theirs.map(|round| round.id.clone()).collect::<Vec<_>>() {
            self.withdraw_from(key, &id);
        }
    }

    /// Seats the people of a round whose sign-up has closed, if there is one. At most one for each call, because
    /// seating hundreds takes a moment.
    pub(super) fn close_rounds(&mut self, now: u64) {
        let due = self.rounds.all.values().filter(|round| round.closes() <= now);
        if let Some(round) = due.min_by_key(|round| (round.starts, &round.id)).cloned() {
            self.close_round(now, &round);
        }
    }

    /// Sends those who have come how rounds have ended for them, and drops what is too old.
    pub(super) fn bring_round_news(&mut self, now: u64) {
        let is_old = |news: &RoundNews| now >= news.starts.saturating_add(NEWS_KEPT_MS);
        if !self.rounds.news.iter().any(|news| is_old(news) || self.watches(&news.key)) {
            return;
        }
        for news in std::mem::take(&mut self.rounds.news) {
            let watches = self.watches(&news.key);
            if !watches && !is_old(&news) {
                self.rounds.news.push_back(news);
                continue;
            }
            self.note_round(RoundChange::NewsGone { key: news.key.clone(), round: news.round.clone() });
            if watches {
                self.send_outcome(news);
            }
        }
    }

    /// Sign-ups have the name from the last hello.
    pub(super) fn call_signed_up(&mut self, key: &str, name: &str) {
        let mut renamed = Vec::new();
        for round in self.rounds.all.values_mut() {
            for one in round.signed_up.iter_mut().filter(|one| one.key == key && one.name != name) {
                one.name = name.to_owned();
                renamed.push(RoundChange::SignUp { round: round.id.clone(), sign_up: one.clone() });
            }
        }
        renamed.into_iter().for_each(|change| self.note_round(change));
    }

    /// Erases somebody. A round that they created goes on without them if somebody has signed up.
    pub(super) fn forget_in_rounds(&mut self, key: &str, names: &BTreeSet<String>) {
        // `Change::Forget` erases their sign-ups and news in the store.
        for id in self.rounds.of(key).map(|round| round.id.clone()).collect::<Vec<_>>() {
            self.take_out(key, &id);
        }
        let own = self.rounds.all.values().filter(|round| round.host == key);
        for (id, is_empty) in own.map(|round| (round.id.clone(), round.signed_up.is_empty())).collect::<Vec<_>>() {
            if is_empty {
                self.drop_round(&id);
            } else {
                self.change_round(&id, |round| {
                    round.host.clear();
                    clear_if_named(&mut round.title, names);
                });
            }
        }
        self.rounds.news.retain(|news| news.key != key);
        let mut changed = Vec::new();
        for news in &mut self.rounds.news {
            let before = news.title.len();
            clear_if_named(&mut news.title, names);
            changed.extend((news.title.len() < before).then(|| RoundChange::News(Box::new(news.clone()))));
        }
        changed.into_iter().for_each(|change| self.note_round(change));
        self.forget_in_titles(names);
    }

    /// What somebody has to do with rounds, by beginning.
    pub(super) fn rounds_about(&self, key: &str) -> Vec<AboutRound> {
        let own = self.rounds.all.values().filter(|round| round.host == key || round.has(key));
        let mut rounds: Vec<AboutRound> = own
            .map(|round| AboutRound {
                title: round.title.clone(),
                starts_ms: round.starts,
                weekly: round.weekly_at.is_some(),
                host: round.host == key,
                signed_up: round.has(key),
                pending: false,
            })
            .collect();
        rounds.extend(self.rounds.news.iter().filter(|news| news.key == key).map(|news| AboutRound {
            title: news.title.clone(),
            starts_ms: news.starts,
            weekly: false,
            host: false,
            signed_up: false,
            pending: true,
        }));
        rounds.sort_by_key(|round| round.starts_ms);
        rounds
    }

    /// The tables of a round have the title of somebody who is not known any more.
    fn forget_in_titles(&mut self, names: &BTreeSet<String>) {
        let of_rounds = self.tables.values().filter(|table| table.kind == Kind::Round);
        for (id, mut topic) in of_rounds.map(|table| (table.id.clone(), table.topic.clone())).collect::<Vec<_>>() {
            let before = topic.len();
            clear_if_named(&mut topic, names);
            if topic.len() < before {
                self.change(&id, |table| table.topic = topic);
            }
        }
    }

    fn close_round(&mut self, now: u64, round: &Round) {
        // First the next date: sitting down gives up sign-ups at the same time.
        self.next_date(now, round);
        let may_sit =
            |one: &&SignUp| !self.is_busy(&one.key, round.starts, round.ends()) && !self.is_suspended(&one.key);
        let diners: Vec<SignUp> = round.signed_up.iter().filter(may_sit).cloned().collect();
        if now >= round.starts {
            return diners.into_iter().for_each(|one| self.end_for(round, one.key, Outcome::Missed));
        }
        let seating = self.match_round(round, &diners);
        for mut group in seating.groups {
            group.sort_unstable(); // whoever signed up first is the host
            self.seat_group(now, round, group.into_iter().filter_map(|place| diners.get(place)));
        }
        for one in seating.unseated.into_iter().filter_map(|place| diners.get(place)) {
            self.end_for(round, one.key.clone(), Outcome::Unmatched);
        }
    }

    /// Opens a weekly round for its next date, and deletes another. A round without its creator ends when nobody signs
    /// up.
    fn next_date(&mut self, now: u64, round: &Round) {
        let goes_on = !(round.host.is_empty() && round.signed_up.is_empty());
        let at = round.weekly_at.filter(|_| goes_on);
        let Some((at, starts)) = at.and_then(|at| self.calendar.next_week(at, now.saturating_add(SIGN_UP_CLOSES_MS)))
        else {
            return self.drop_round(&round.id);
        };
        self.note_round(RoundChange::Cleared { round: round.id.clone() });
        self.change_round(&round.id, |next| {
            (next.weekly_at, next.starts) = (Some(at), starts);
            next.signed_up.clear();
        });
        round.signed_up.iter().for_each(|one| self.tell_you(&one.key));
    }

    fn match_round(&mut self, round: &Round, diners: &[SignUp]) -> Seating {
        let key = |place: usize| diners.get(place).map_or("", |one| one.key.as_str());
        let day = |unix_ms: u64| self.calendar.civil(unix_ms).map(|at| at.date());
        let date = day(round.starts);
        let days_since = |a: usize, b: usize| {
            let days = (date? - day(self.met.last(key(a), key(b))?)?).get_days();
            Some(u32::try_from(days).unwrap_or(0))
        };
        let pairs = Pairs { apart: &|a, b| self.order.separates(key(a), key(b)), days_since: &days_since };
        let size = match round.size {
            RoundSize::Threes => Size::Threes,
            RoundSize::Fours => Size::Fours,
        };
        let [a, b, c, d, e, f, g, h, ..] = self.names.bytes();
        let nobody_knows = vec![Diner::default(); diners.len()]; // teams and languages
        seat(&nobody_knows, Teams::Any, size, &pairs, u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    fn seat_group<'a>(&mut self, now: u64, round: &Round, group: impl Iterator<Item = &'a SignUp>) {
        let group: Vec<&SignUp> = group.collect();
        let Some(host) = group.first() else { return };
        let usual = match round.size {
            RoundSize::Threes => 3,
            RoundSize::Fours => 4,
        };
        let table = Table {
            topic: round.title.clone(),
            seats: u8::try_from(group.len()).unwrap_or(u8::MAX).max(usual),
            host: host.key.clone(),
            ..self.blank(now, round.starts, round.ends(), Kind::Round)
        };
        let id = self.put(table);
        for one in group {
            self.sit(now, &id, &one.key, &one.name);
        }
        self.change(&id, |table| {
            table.taken.iter_mut().for_each(|seat| seat.last_reminder = LastReminder::Unannounced);
        });
    }

    /// A round has ended for somebody without a table. Whoever is not here learns of it later.
    fn end_for(&mut self, round: &Round, key: Key, outcome: Outcome) {
        let news =
            RoundNews { key, round: round.id.clone(), title: round.title.clone(), starts: round.starts, outcome };
        if self.watches(&news.key) {
            return self.send_outcome(news);
        }
        self.rounds.news.retain(|other| (&other.key, &other.round) != (&news.key, &news.round));
        if self.rounds.news.len() >= MAX_ROUND_NEWS
            && let Some(RoundNews { key, round, .. }) = self.rounds.news.pop_front()
        {
            self.note_round(RoundChange::NewsGone { key, round });
        }
        self.rounds.news.push_back(news.clone());
        self.note_round(RoundChange::News(Box::new(news)));
    }

    fn send_outcome(&mut self, news: RoundNews) {
        let notice = Notice {
            kind: news.outcome.notice(),
            table: String::new(),
            room: String::new(),
            topic: news.title,
            starts_ms: news.starts,
        };
        self.notify(news.key, BoardNews::Notice(notice));
    }

    fn withdraw_from(&mut self, key: &str, id: &str) {
        self.take_out(key, id);
        self.note_round(RoundChange::Withdrawn { round: id.to_owned(), key: key.to_owned() });
    }

    /// Removes a sign-up, but not in the store.
    fn take_out(&mut self, key: &str, id: &str) {
        let Some(round) = self.rounds.all.get_mut(id) else { return };
        round.signed_up.retain(|one| one.key != key);
        self.dirty.round(id);
        self.tell_you(key);
    }

    fn drop_round(&mut self, id: &str) {
        let Some(round) = self.rounds.all.remove(id) else { return };
        self.note_round(RoundChange::Gone { id: id.to_owned() });
        self.dirty.round(id);
        round.signed_up.iter().for_each(|one| self.tell_you(&one.key));
    }

    /// Changes a round, but not its sign-ups, and marks it to be displayed.
    fn change_round(&mut self, id: &str, change: impl FnOnce(&mut Round)) {
        let Some(round) = self.rounds.all.get_mut(id) else { return };
        change(round);
        let round = Box::new(Round { signed_up: Vec::new(), ..round.clone() });
        self.note_round(RoundChange::Round(round));
        self.dirty.round(id);
    }

    fn note_round(&mut self, change: RoundChange) {
        self.changes.push(Change::Round(change));
    }
}
