//! Limits ICE checks to addresses that have never answered.
//!
//! The far side signals addresses, and each of them is checked. Without a limit, anybody in a call could make us flood
//! any address. So checks of pairs that have never answered share one budget over all connections, and each pair is
//! checked with exponential backoff. RFC 8445 section 14 requires pacing too, but the library checks all pairs every 10
//! ms. Pairs that have answered have only a shortest pause, and nothing but checks is limited.
//!
//! The library nominates the first pair that works, and does not replace it later. The backoff of a direct pair may be
//! long by the time the far side is ready, and a relayed pair could then win. So checks of direct pairs are sent
//! together with those of relayed pairs.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Token bucket for all connections: the burst of checks of pairs that have never answered.
pub(crate) const BURST: f64 = 150.0;
/// Refill rate per second.
pub(crate) const RATE: f64 = 50.0;
/// Part of the burst that a connection may use only within its share, so that a connection with many addresses leaves
/// it to others.
const RESERVE: f64 = 50.0;
/// A connection's share of the reserve: the burst.
const SHARE_BURST: f64 = 4.0;
/// Refill rate per second. The shares of the connections in a call of twelve stay below [`RATE`].
const SHARE_RATE: f64 = 4.0;
/// Pause between the first two checks of a pair; it doubles with each check.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(640);
/// Pause between checks of a pair that has answered. The controlled agent goes on until the other one nominates, which
/// would take a third of a narrow path from the handshake.
const ANSWERED_PAUSE: Duration = Duration::from_millis(50);
/// The library's round: the time in which it checks every pair once, and after which it nominates the best.
const ROUND: Duration = Duration::from_millis(10);
/// A pair that the library has not checked for this long starts over.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// A pair is current if the library has checked it this recently. It stops when it selects a path or restarts ICE.
const CURRENT: Duration = Duration::from_secs(1);
/// Most pairs tracked for one socket. When full, forgotten ones are removed; if there are none, new pairs are not
/// checked.
const MAX_PAIRS: usize = 256;
/// Number of checks of one pair whose answers are recognised. An answer to an older one does not count.
const OUTSTANDING: usize = 8;

/// Transaction id of RFC 8489 section 5.
pub(crate) type TransactionId = [u8; 12];

/// An ICE check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Check {
    pub(crate) id: TransactionId,
    /// Whether it has USE-CANDIDATE.
    pub(crate) nominates: bool,
}

/// The remote end of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Direct(SocketAddr),
    /// Through a relay.
    Relayed {
        relay: SocketAddr,
        peer: SocketAddr,
    },
}

/// A token bucket.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Option<Instant>,
    burst: f64,
    rate: f64,
}

impl Bucket {
    const fn new(burst: f64, rate: f64) -> Bucket {
        Bucket { tokens: burst, at: None, burst, rate }
    }

    fn refill(&mut self, now: Instant) {
        let passed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.tokens = (self.tokens + passed.as_secs_f64() * self.rate).min(self.burst);
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
    }

    /// Returns how long until there are `tokens` tokens; at most its burst.
    fn wait_for(&self, tokens: f64) -> Duration {
        Duration::from_secs_f64((tokens - self.tokens).max(0.0) / self.rate)
    }

    fn take(&mut self) -> bool {
        let there = self.tokens >= 1.0;
        self.tokens -= f64::from(u8::from(there));
        there
    }
}

/// The budget of all connections.
#[derive(Debug)]
pub(crate) struct Budget(Bucket);

impl Default for Budget {
    fn default() -> Self {
        Budget(Bucket::new(BURST, RATE))
    }
}

impl Budget {
    fn take(&mut self, now: Instant, share: &mut Share) -> bool {
        self.0.refill(now);
        share.0.refill(now);
        (self.0.tokens >= RESERVE + 1.0 || (self.0.tokens >= 1.0 && share.0.take())) && self.0.take()
    }

    /// Returns how long until [`Budget::take`] can succeed, if no other connection takes a token.
    pub(crate) fn wait(&mut self, now: Instant, share: &mut Share) -> Duration {
        self.0.refill(now);
        share.0.refill(now);
        self.0.wait_for(RESERVE + 1.0).min(self.0.wait_for(1.0).max(share.0.wait_for(1.0)))
    }
}

/// The share of one connection, for when the budget is low.
#[derive(Debug)]
pub(crate) struct Share(Bucket);

impl Default for Share {
    fn default() -> Self {
        Share(Bucket::new(SHARE_BURST, SHARE_RATE))
    }
}

/// The pairs of one connection's socket.
#[derive(Debug, Default)]
pub(crate) struct Pairs(HashMap<Target, Pair>);

/// ```text
///  new ──check──▶ unanswered ──answer to one of ours──▶ answered
/// ```
#[derive(Debug)]
struct Pair {
    answered: bool,
    /// Number of checks sent.
    sent: u32,
    /// Time before which no check may be sent.
    next: Instant,
    /// As `next`, but even if the far side checks us.
    held_until: Instant,
    /// The far side has just checked us, so one check may be sent immediately (triggered check, RFC 8445 section
    /// 7.3.1.4).
    triggered: bool,
    /// Whether the due check has already waited for those of direct pairs. For relayed pairs only.
    yielded: bool,
    /// Time of the last check.
    checked: Option<Instant>,
    wanted: Instant,
    outstanding: [TransactionId; OUTSTANDING],
}

impl Pair {
    /// Whether a check of a pair that has answered may be sent: a nomination always, others not too often.
    fn may_check_answered(&mut self, now: Instant, check: Check) -> bool {
        let is_due = self.checked.is_none_or(|at| now.saturating_duration_since(at) >= ANSWERED_PAUSE);
        if is_due {
            self.checked = Some(now);
        }
        is_due || check.nominates
    }
}

impl Pairs {
    /// Holds back a new pair for this long, so that others are checked before it.
    pub(crate) fn hold(&mut self, now: Instant, target: Target, head_start: Duration) {
        if !self.0.contains_key(&target)
            && let Some(pair) = self.pair(now, target)
        {
            pair.held_until = now + head_start;
        }
    }

    /// Whether this check may be sent now.
    pub(crate) fn may_check(
        &mut self,
        now: Instant,
        target: Target,
        check: Check,
        share: &mut Share,
        budget: &mut Budget,
    ) -> bool {
        let Some(pair) = self.pair(now, target) else { return false };
        if pair.answered {
            return pair.may_check_answered(now, check);
        }
        if now < pair.held_until || now < pair.next && !pair.triggered || !budget.take(now, share) {
            return false;
        }
        pair.outstanding[pair.sent as usize % OUTSTANDING] = check.id;
        pair.next = now + (FIRST_PAUSE * 2u32.pow(pair.sent.min(8))).min(LONGEST_PAUSE);
        pair.sent = pair.sent.saturating_add(1);
        pair.triggered = false;
        pair.yielded = false;
        pair.checked = Some(now);
        true
    }

    /// Whether a check of this unanswered pair is due.
    pub(crate) fn is_due(&mut self, now: Instant, target: Target) -> bool {
        self.pair(now, target)
            .is_some_and(|pair| !pair.answered && now >= pair.held_until && (now >= pair.next || pair.triggered))
    }

    /// Whether the pair is still held back.
    pub(crate) fn is_held(&self, now: Instant, target: Target) -> bool {
        self.0.get(&target).is_some_and(|pair| !pair.answered && now < pair.held_until)
    }

    /// Delays the due check until the next round, so that those of direct pairs are sent first. Returns whether it is
    /// delayed: each check waits only once.
    pub(crate) fn yield_round(&mut self, now: Instant, target: Target) -> bool {
        let Some(pair) = self.pair(now, target).filter(|pair| !pair.yielded) else { return false };
        (pair.yielded, pair.triggered, pair.next) = (true, false, now + ROUND);
        true
    }

    /// Makes checks of current direct pairs due, except those that were checked in this round. Returns whether there
    /// are any.
    pub(crate) fn release_direct(&mut self, now: Instant) -> bool {
        let mut released = false;
        for (target, pair) in &mut self.0 {
            let since = |at: Instant| now.saturating_duration_since(at);
            let is_waiting = !pair.answered && pair.checked.is_some_and(|at| since(at) >= ROUND / 2);
            if matches!(target, Target::Direct(_)) && is_waiting && since(pair.wanted) < CURRENT {
                pair.triggered = true;
                released = true;
            }
        }
        released
    }

    /// Returns how long until a check of a current pair can be due: `None` if no pair is current, zero if one has
    /// answered.
    pub(crate) fn wait(&self, now: Instant) -> Option<Duration> {
        let current = self.0.values().filter(|pair| now.saturating_duration_since(pair.wanted) < CURRENT);
        let is_free = |pair: &Pair| pair.answered || pair.triggered;
        let next = |pair: &Pair| if is_free(pair) { pair.held_until } else { pair.next.max(pair.held_until) };
        let wait = |pair: &Pair| next(pair).saturating_duration_since(now);
        current.map(wait).min()
    }

    /// Records an answer. It counts only if it answers one of our checks, because source addresses can be forged.
    pub(crate) fn answered(&mut self, target: Target, id: TransactionId) {
        if let Some(pair) = self.0.get_mut(&target)
            && pair.sent > 0
            && pair.outstanding.iter().take(pair.sent as usize).any(|sent| *sent == id)
        {
            (pair.answered, pair.checked) = (true, None);
        }
    }

    /// Records an authenticated check by the far side.
    pub(crate) fn checked_us(&mut self, now: Instant, target: Target) {
        if let Some(pair) = self.pair(now, target) {
            pair.triggered = true;
        }
    }

    /// Whether one of our checks has been answered from there.
    pub(crate) fn is_answered(&self, target: Target) -> bool {
        self.0.get(&target).is_some_and(|pair| pair.answered)
    }

    fn pair(&mut self, now: Instant, target: Target) -> Option<&mut Pair> {
        let forgotten = |pair: &Pair| !pair.answered && now.saturating_duration_since(pair.wanted) >= FORGOTTEN;
        if self.0.len() >= MAX_PAIRS && !self.0.contains_key(&target) {
            self.0.retain(|_, pair| !forgotten(pair));
            if self.0.len() >= MAX_PAIRS {
                return None;
            }
        }
        let new = || Pair {
            answered: false,
            sent: 0,
            next: now,
            held_until: now,
            triggered: false,
            yielded: false,
            checked: None,
            wanted: now,
            outstanding: [TransactionId::default(); OUTSTANDING],
        };
        let pair = self.0.entry(target).or_insert_with(new);
        if forgotten(pair) {
            *pair = new();
        }
        pair.wanted = now;
        Some(pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(n: u16) -> Target {
        Target::Direct(SocketAddr::from(([192, 0, 2, 1], 1000 + n)))
    }

    fn id(n: u64) -> TransactionId {
        let mut id = [0; 12];
        id[..8].copy_from_slice(&n.to_be_bytes());
        id
    }

    fn check(n: u64) -> Check {
        Check { id: id(n), nominates: false }
    }

    /// Simulates connections with this many addresses each, all checked every 10 ms as in the library. Returns the
    /// checks per connection.
    fn checks(connections: &[u16], time: Duration) -> Vec<usize> {
        let (start, mut budget) = (Instant::now(), Budget::default());
        let mut all: Vec<_> = connections.iter().map(|_| (Pairs::default(), Share::default(), 0)).collect();
        let mut now = start;
        while now < start + time {
            for ((pairs, share, sent), addresses) in all.iter_mut().zip(connections) {
                let may = |n: &u16| pairs.may_check(now, target(*n), check(0), share, &mut budget);
                *sent += (0..*addresses).filter(may).count();
            }
            now += ROUND;
        }
        all.into_iter().map(|(.., sent)| sent).collect()
    }

    #[test]
    fn ten_peers_with_bogus_candidates_cause_at_most_400_checks_in_5_seconds() {
        let all: usize = checks(&[32; 10], Duration::from_secs(5)).iter().sum();
        assert!((200..=400).contains(&all), "{all}");
    }

    #[test]
    fn checks_to_an_unresponsive_address_back_off() {
        let sent = checks(&[1], Duration::from_secs(3));
        assert_eq!(sent, [9], "at 0, 20, 60, 140, 300, 620, 1260, 1900 and 2540 ms");
    }

    /// Like [`checks`], but each connection sleeps until a check can be due, for at most 100 ms. Returns the rounds per
    /// connection.
    fn rounds(connections: &[u16], time: Duration) -> Vec<usize> {
        let (start, mut budget) = (Instant::now(), Budget::default());
        let mut all: Vec<_> = connections.iter().map(|_| (Pairs::default(), Share::default(), start, 0)).collect();
        let mut now = start;
        while now < start + time {
            for ((pairs, share, at, rounds), addresses) in all.iter_mut().zip(connections) {
                if now < *at {
                    continue;
                }
                *rounds += 1;
                for n in 0..*addresses {
                    pairs.may_check(now, target(n), check(0), share, &mut budget);
                }
                let wait = pairs.wait(now).expect("pairs").max(budget.wait(now, share));
                *at = now + wait.clamp(ROUND, Duration::from_millis(100));
            }
            now += Duration::from_millis(1);
        }
        all.into_iter().map(|(.., rounds)| rounds).collect()
    }

    #[test]
    fn no_check_is_prepared_while_none_may_be_sent() {
        for rounds in rounds(&[96; 10], Duration::from_secs(5)) {
            assert!(rounds <= 120, "{rounds} of 500");
        }
        let rounds = rounds(&[9; 1], Duration::from_secs(1))[0];
        assert!((6..=20).contains(&rounds), "{rounds}: at 0, 20, 60, 140 ms and so on");
    }

    #[test]
    fn only_pairs_that_are_checked_and_unanswered_count() {
        let (now, mut budget) = (Instant::now(), Budget::default());
        let (mut pairs, mut share) = (Pairs::default(), Share::default());
        assert_eq!(pairs.wait(now), None);
        assert!(pairs.may_check(now, target(1), check(1), &mut share, &mut budget));
        assert_eq!(pairs.wait(now), Some(FIRST_PAUSE));
        pairs.answered(target(1), id(1));
        assert_eq!(pairs.wait(now), Some(Duration::ZERO));
        assert!(pairs.may_check(now + CURRENT, target(2), check(2), &mut share, &mut budget));
        assert_eq!(pairs.wait(now + CURRENT), Some(FIRST_PAUSE), "the first is of an earlier generation");
        assert_eq!(pairs.wait(now + 2 * CURRENT), None);
    }

    #[test]
    fn a_well_behaved_connection_is_not_starved() {
        let mut connections = [32; 11];
        connections[10] = 2;
        let sent = checks(&connections, Duration::from_secs(2));
        assert!(sent[10] >= 6, "{sent:?}");
    }

    #[test]
    fn a_room_of_twelve_is_checked_without_delay() {
        let sent = checks(&[9; 11], ROUND);
        assert_eq!(sent, [9; 11]);
    }

    #[test]
    fn other_answers_do_not_count_and_an_answered_pair_is_not_checked_too_often() {
        let (now, mut budget) = (Instant::now(), Budget::default());
        let (mut pairs, mut share) = (Pairs::default(), Share::default());
        assert!(pairs.may_check(now, target(1), check(1), &mut share, &mut budget));
        pairs.answered(target(1), id(2));
        pairs.answered(target(1), [0; 12]);
        pairs.answered(target(2), id(1));
        assert!(!pairs.may_check(now, target(1), check(3), &mut share, &mut budget));
        pairs.answered(target(1), id(1));
        let mut checked = |after: u64, nominates| {
            let check = Check { id: id(after), nominates };
            pairs.may_check(now + Duration::from_millis(after), target(1), check, &mut share, &mut budget)
        };
        assert_eq!((0..1000).filter(|after| checked(*after, false)).count(), 20);
        assert!((1000..2000).all(|after| checked(after, true)), "a nomination may be");
    }

    #[test]
    fn a_received_check_triggers_exactly_one_check() {
        let (now, mut budget) = (Instant::now(), Budget::default());
        let (mut pairs, mut share) = (Pairs::default(), Share::default());
        let mut may_check = |pairs: &mut Pairs| pairs.may_check(now, target(1), check(1), &mut share, &mut budget);
        assert!(may_check(&mut pairs) && !may_check(&mut pairs));
        pairs.checked_us(now, target(1));
        assert!(may_check(&mut pairs) && !may_check(&mut pairs));
    }

    /// Whenever a check of the relayed pair leaves, one of the direct pair leaves in the same round, whichever of them
    /// the library checks first. So the direct pair is answered too.
    #[test]
    fn a_relayed_pair_is_not_checked_without_the_direct_ones() {
        let relayed = Target::Relayed {
            relay: SocketAddr::from(([192, 0, 2, 9], 3478)),
            peer: SocketAddr::from(([192, 0, 2, 1], 1)),
        };
        for (begins, relayed_first) in (0..100).flat_map(|begins| [(begins, false), (begins, true)]) {
            let (start, mut budget) = (Instant::now(), Budget::default());
            let (mut direct, mut through, mut share) = (Pairs::default(), Pairs::default(), Share::default());
            let mut sent = 0;
            for round in 0..300 {
                let now = start + ROUND * round;
                let mut left = !relayed_first && direct.may_check(now, target(1), check(1), &mut share, &mut budget);
                let due = round >= begins && through.is_due(now, relayed);
                let held = due && direct.release_direct(now) && through.yield_round(now, relayed);
                let relayed_left = due && !held && through.may_check(now, relayed, check(2), &mut share, &mut budget);
                left |= relayed_first && direct.may_check(now, target(1), check(1), &mut share, &mut budget);
                assert!(left || !relayed_left, "{begins} {relayed_first}: {round}");
                sent += u32::from(relayed_left);
            }
            assert!(sent >= 7, "{begins}: {sent}");
        }
    }

    #[test]
    fn a_pair_that_is_held_waits_even_for_a_triggered_check() {
        let (start, mut budget) = (Instant::now(), Budget::default());
        let (mut pairs, mut share) = (Pairs::default(), Share::default());
        let mut may_check = |pairs: &mut Pairs, now| pairs.may_check(now, target(1), check(1), &mut share, &mut budget);
        pairs.hold(start, target(1), ROUND);
        pairs.checked_us(start, target(1));
        assert_eq!(pairs.wait(start), Some(ROUND));
        assert!(!may_check(&mut pairs, start));
        pairs.hold(start + ROUND, target(1), ROUND);
        assert!(may_check(&mut pairs, start + ROUND), "it is held once");
    }

    proptest! {
        /// For any order of requests, the limit holds in every interval, and memory is bounded.
        #[test]
        fn the_check_budget_is_never_exceeded(steps in prop::collection::vec((0u64..30, 0usize..4, 0u16..400, any::<bool>()), 0..3000)) {
            let (start, mut budget) = (Instant::now(), Budget::default());
            let mut all: Vec<_> = (0..4).map(|_| (Pairs::default(), Share::default())).collect();
            let (mut now, mut sent) = (start, 0u32);
            for (millis, connection, address, theirs) in steps {
                now += Duration::from_millis(millis);
                let (pairs, share) = &mut all[connection];
                if theirs {
                    pairs.checked_us(now, target(address));
                }
                sent += u32::from(pairs.may_check(now, target(address), check(1), share, &mut budget));
                prop_assert!(f64::from(sent) <= BURST + (now - start).as_secs_f64() * RATE + 1e-6);
                prop_assert!(pairs.0.len() <= MAX_PAIRS);
            }
        }
    }
}
