//! The people who are present, their sessions, and the limits of each person and source.

use std::collections::HashMap;
use std::time::Instant;

use signaling::message::{ClientMessage, SessionId};

use super::buckets::{PersonBuckets, SourceBuckets};
use crate::limits::Limits;
use crate::source::Source;

/// People without a session who are remembered, so a new session does not begin with full buckets; and as many
/// sources. When full, entries with full buckets are dropped first, then any others.
pub const MAX_REMEMBERED: usize = 4_096;

/// Everybody who has a session or had one lately.
#[derive(Debug, Default)]
pub(super) struct People {
    by_key: HashMap<String, OnePerson>,
    by_source: HashMap<Source, OneSource>,
    /// Number of people without a session.
    remembered: usize,
    remembered_sources: usize,
}

#[derive(Debug)]
struct OnePerson {
    sessions: Vec<SessionId>,
    buckets: PersonBuckets,
}

#[derive(Debug)]
struct OneSource {
    sessions: usize,
    /// Unacknowledged bytes of its sessions.
    kept: usize,
    buckets: SourceBuckets,
}

impl People {
    /// Whether a person may open another session from these sources.
    pub(super) fn takes(&self, limits: &Limits, key: &str, sources: &[Source]) -> bool {
        let shares = &limits.shares;
        let theirs = self.by_key.get(key).map_or(0, |person| person.sessions.len());
        let below = |source: &Source| {
            let here = self.by_source.get(source).map_or(0, |one| one.sessions);
            shares.sessions_per_source == 0 || here < shares.sessions_per_source * source.weight()
        };
        theirs < shares.sessions_per_person && sources.iter().all(below)
    }

    /// Records a new session.
    pub(super) fn come(&mut self, now: Instant, limits: &Limits, session: &SessionId, key: &str, sources: &[Source]) {
        let new = || OnePerson { sessions: Vec::new(), buckets: PersonBuckets::new(&limits.rates, now) };
        let known = self.by_key.contains_key(key);
        let person = self.by_key.entry(key.to_owned()).or_insert_with(new);
        if known && person.sessions.is_empty() {
            self.remembered -= 1;
        }
        person.sessions.push(session.clone());
        for source in sources {
            let known = self.by_source.contains_key(source);
            let new = || OneSource {
                sessions: 0,
                kept: 0,
                buckets: SourceBuckets::new(&limits.shares, source.weight(), now),
            };
            let one = self.by_source.entry(*source).or_insert_with(new);
            if known && one.sessions == 0 {
                self.remembered_sources -= 1;
            }
            one.sessions += 1;
        }
    }

    /// Records that a session ended with this many bytes unacknowledged.
    pub(super) fn go(&mut self, session: &SessionId, key: &str, sources: &[Source], kept: usize) {
        if let Some(person) = self.by_key.get_mut(key) {
            let had = !person.sessions.is_empty();
            person.sessions.retain(|other| other != session);
            self.remembered += usize::from(had && person.sessions.is_empty());
        }
        for source in sources {
            if let Some(one) = self.by_source.get_mut(source) {
                one.sessions = one.sessions.saturating_sub(1);
                one.kept = one.kept.saturating_sub(kept);
                self.remembered_sources += usize::from(one.sessions == 0);
            }
        }
    }

    /// Removes everybody.
    pub(super) fn clear(&mut self) {
        *self = People::default();
    }

    /// The sessions of a person.
    pub(super) fn sessions(&self, key: &str) -> &[SessionId] {
        self.by_key.get(key).map_or(&[], |person| &person.sessions)
    }

    /// The rate limits of a person over all their sessions.
    pub(super) fn buckets(&mut self, key: &str) -> Option<&mut PersonBuckets> {
        self.by_key.get_mut(key).map(|person| &mut person.buckets)
    }

    /// Takes the tokens for a message from all these sources.
    pub(super) fn take_from(
        &mut self,
        now: Instant,
        sources: &[Source],
        bytes: usize,
        message: Option<&ClientMessage>,
    ) -> bool {
        sources.iter().all(|source| {
            let one = self.by_source.get_mut(source);
            one.is_none_or(|one| one.buckets.take(now, bytes, message))
        })
    }

    /// Records that a session of these sources has `is` bytes unacknowledged and had `was` before.
    pub(super) fn keep(&mut self, sources: &[Source], was: usize, is: usize) {
        for source in sources {
            if let Some(one) = self.by_source.get_mut(source) {
                one.kept = (one.kept + is).saturating_sub(was);
            }
        }
    }

    /// Whether this many more bytes may be kept for sessions of these sources.
    pub(super) fn has_room(&self, limits: &Limits, sources: &[Source], bytes: usize) -> bool {
        sources.iter().all(|source| {
            let kept = self.by_source.get(source).map_or(0, |one| one.kept);
            kept + bytes <= limits.shares.source_kept_bytes * source.weight()
        })
    }

    /// Drops people and sources without sessions whose buckets are full. Call it about once a second.
    pub(super) fn forget(&mut self, now: Instant) {
        if self.remembered > 0 {
            self.by_key.retain(|_, person| !person.sessions.is_empty() || !person.buckets.is_full(now));
            self.remembered = self.by_key.values().filter(|person| person.sessions.is_empty()).count();
        }
        if self.remembered_sources > 0 {
            self.by_source.retain(|_, one| one.sessions > 0 || !one.buckets.is_full(now));
            self.remembered_sources = self.by_source.values().filter(|one| one.sessions == 0).count();
        }
        if self.remembered > MAX_REMEMBERED {
            self.by_key.retain(|_, person| !person.sessions.is_empty());
            self.remembered = 0;
        }
        if self.remembered_sources > MAX_REMEMBERED {
            self.by_source.retain(|_, one| one.sessions > 0);
            self.remembered_sources = 0;
        }
    }
}
