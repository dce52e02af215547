//! Rate limits on the signals of one participant for the connection with them.
//!
//! Each candidate is an address to check, each description may begin a new ICE generation, each new session a new
//! connection, and each display size a new encoder and a keyframe for everybody who receives the same size. The protocol
//! bounds none of these, and a participant may be hostile.

use crate::event::SdpKind;
use signaling::message::{IceCandidate, Resolution};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Candidates accepted in one burst: three times as many as a connection accepts.
const CANDIDATES: f64 = 96.0;
/// Candidates accepted per second on average.
const CANDIDATE_RATE: f64 = 2.0;
/// Offers and answers accepted in one burst.
const DESCRIPTIONS: f64 = 8.0;
/// Offers and answers accepted per second on average.
const DESCRIPTION_RATE: f64 = 0.5;
/// New connections in one burst, when the participant's own connection is a new one.
const SESSIONS: f64 = 4.0;
/// New connections per second on average.
const SESSION_RATE: f64 = 0.1;
/// Display sizes accepted in one burst.
const SIZES: f64 = 4.0;
/// Display sizes accepted per second on average: as many as a client sends.
const SIZE_RATE: f64 = 2.0;
/// Signals that wait behind a rate-limited description. When full, a new candidate is dropped, and a new description
/// drops everything before it, because the newest counts.
const WAITING: usize = 48;

/// A signal of a participant as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Incoming {
    /// Offer or answer. The signature is checked when the description's turn comes.
    Description { kind: SdpKind, sdp: String, signature: Option<String> },
    /// Candidate; `None` at the end of candidates.
    Candidate(Option<IceCandidate>),
}

/// A token bucket.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    at: Option<Instant>,
    burst: f64,
    rate: f64,
}

impl Bucket {
    fn new(burst: f64, rate: f64) -> Self {
        Self { tokens: burst, at: None, burst, rate }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.tokens = (self.tokens + passed.as_secs_f64() * self.rate).min(self.burst);
        self.at = Some(now);
        let there = self.tokens >= 1.0;
        self.tokens -= f64::from(u8::from(there));
        there
    }

    /// When the next token is available.
    fn due(&self, now: Instant) -> Instant {
        let at = self.at.unwrap_or(now);
        at + Duration::from_secs_f64((1.0 - self.tokens).max(0.0) / self.rate)
    }
}

/// Signals of one participant.
#[derive(Debug)]
pub(crate) struct Inflow {
    candidates: Bucket,
    descriptions: Bucket,
    sessions: Bucket,
    /// A rate-limited description, and the signals after it.
    waiting: VecDeque<Incoming>,
    due: Option<Instant>,
    sizes: Bucket,
    /// The newest display size, if it came too early.
    size: Option<Resolution>,
    size_due: Option<Instant>,
}

impl Inflow {
    pub(crate) fn new() -> Self {
        Self {
            candidates: Bucket::new(CANDIDATES, CANDIDATE_RATE),
            descriptions: Bucket::new(DESCRIPTIONS, DESCRIPTION_RATE),
            sessions: Bucket::new(SESSIONS, SESSION_RATE),
            waiting: VecDeque::new(),
            due: None,
            sizes: Bucket::new(SIZES, SIZE_RATE),
            size: None,
            size_due: None,
        }
    }

    /// Adds a signal. Call [`Inflow::next`] afterwards.
    pub(crate) fn push(&mut self, now: Instant, signal: Incoming) {
        match signal {
            Incoming::Description { .. } => {
                if self.waiting.len() >= WAITING {
                    self.waiting.clear();
                }
            }
            // The end of candidates has no use here, but the same cost.
            Incoming::Candidate(_) => {
                if self.waiting.len() >= WAITING || !self.candidates.take(now) {
                    return;
                }
            }
        }
        self.waiting.push_back(signal);
    }

    /// Drops the signals that wait: they were for an earlier stay.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.due = None;
        (self.size, self.size_due) = (None, None);
    }

    /// Returns the next signal for the connection.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Incoming> {
        self.due = None;
        match self.waiting.front()? {
            Incoming::Description { .. } if !self.descriptions.take(now) => {
                self.due = Some(self.descriptions.due(now));
                None
            }
            Incoming::Description { .. } | Incoming::Candidate(_) => self.waiting.pop_front(),
        }
    }

    /// Adds a display size. Call [`Inflow::next_size`] afterwards.
    pub(crate) fn push_size(&mut self, most: Resolution) {
        self.size = Some(most);
    }

    /// Returns the display size that counts from now on.
    pub(crate) fn next_size(&mut self, now: Instant) -> Option<Resolution> {
        self.size_due = None;
        self.size?;
        if self.sizes.take(now) {
            return self.size.take();
        }
        self.size_due = Some(self.sizes.due(now));
        None
    }

    /// When to call [`Inflow::next`] and [`Inflow::next_size`] again.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.into_iter().chain(self.size_due).min()
    }

    /// Whether the participant's new session may have a new connection now.
    pub(crate) fn may_renew(&mut self, now: Instant) -> bool {
        self.sessions.take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidate(text: &str) -> Incoming {
        Incoming::Candidate(Some(IceCandidate { candidate: text.into(), ..IceCandidate::default() }))
    }

    fn offer(n: usize) -> Incoming {
        Incoming::Description { kind: SdpKind::Offer, sdp: n.to_string(), signature: None }
    }

    fn drain(inflow: &mut Inflow, now: Instant) -> Vec<Incoming> {
        std::iter::from_fn(|| inflow.next(now)).collect()
    }

    #[test]
    fn signals_of_a_normal_client_pass_in_order() {
        let (mut inflow, now) = (Inflow::new(), Instant::now());
        let mut said = vec![offer(1)];
        said.extend((0..32).map(|n| candidate(&n.to_string())));
        said.push(offer(2));
        for one in &said {
            inflow.push(now, one.clone());
        }
        assert_eq!(drain(&mut inflow, now), said);
    }

    #[test]
    fn restarts_do_not_reset_the_candidate_budget() {
        let (mut inflow, start) = (Inflow::new(), Instant::now());
        let mut passed = 0;
        for restart in 0..100 {
            let now = start + Duration::from_millis(restart * 100);
            inflow.push(now, offer(restart as usize));
            (0..32).for_each(|n| inflow.push(now, candidate(&n.to_string())));
            passed += drain(&mut inflow, now).iter().filter(|one| matches!(one, Incoming::Candidate(_))).count();
        }
        assert!((90..=96 + 20).contains(&passed), "{passed}");
    }

    #[test]
    fn an_early_description_waits_with_its_candidates() {
        let (mut inflow, now) = (Inflow::new(), Instant::now());
        (0..8).for_each(|n| inflow.push(now, offer(n)));
        assert_eq!(drain(&mut inflow, now).len(), 8);
        inflow.push(now, offer(8));
        inflow.push(now, candidate("a"));
        assert_eq!(drain(&mut inflow, now), []);
        let due = inflow.due().unwrap();
        assert_eq!(drain(&mut inflow, due), [offer(8), candidate("a")]);
        assert_eq!(inflow.due(), None);
    }

    proptest! {
        /// Memory and the number of signals for the connection are bounded, whatever arrives.
        #[test]
        fn the_inflow_is_bounded(steps in prop::collection::vec((0u64..200, any::<bool>()), 0..2000)) {
            let (mut inflow, start) = (Inflow::new(), Instant::now());
            let (mut now, mut candidates, mut descriptions) = (start, 0.0, 0.0);
            for (millis, description) in steps {
                now += Duration::from_millis(millis);
                inflow.push(now, if description { offer(0) } else { candidate("a") });
                prop_assert!(inflow.waiting.len() <= WAITING + 1);
                for one in drain(&mut inflow, now) {
                    match one {
                        Incoming::Description { .. } => descriptions += 1.0,
                        Incoming::Candidate(_) => candidates += 1.0,
                    }
                }
                let time = (now - start).as_secs_f64();
                prop_assert!(candidates <= CANDIDATES + time * CANDIDATE_RATE + 1e-6);
                prop_assert!(descriptions <= DESCRIPTIONS + time * DESCRIPTION_RATE + 1e-6);
            }
        }
    }
}
