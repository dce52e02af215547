//! Delivers the far side's early nominations to the library a second time.
//!
//! A nomination may arrive before our own check of its pair has been answered. An agent then has to remember it (RFC 8445
//! section 7.3.1.5), but the library drops it without a response. Chromium nominates a pair with its first check, and
//! repeats that check only after 250 to 480 ms. So the library receives a copy of the check as soon as the answer has come.

use crate::checks::Target;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Most nominations kept of one socket. When full, the oldest is dropped: the far side repeats it.
const MAX_KEPT: usize = 8;
/// An older one is not repeated. The far side has repeated it by then.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The nominations that one socket received too early.
#[derive(Debug, Default)]
pub(crate) struct Nominations {
    early: VecDeque<Nomination>,
    due: VecDeque<Nomination>,
}

#[derive(Debug)]
struct Nomination {
    target: Target,
    at: Instant,
    from: SocketAddr,
    datagram: Vec<u8>,
}

impl Nominations {
    /// Keeps the datagram from this address with a nomination of a pair that has not answered. It replaces an earlier one.
    pub(crate) fn keep(&mut self, now: Instant, target: Target, from: SocketAddr, datagram: &[u8]) {
        self.early.retain(|kept| kept.target != target);
        if self.early.len() == MAX_KEPT {
            self.early.pop_front();
        }
        self.early.push_back(Nomination { target, at: now, from, datagram: datagram.to_vec() });
    }

    /// The pair has answered. Returns whether its nomination is due.
    pub(crate) fn on_answered(&mut self, now: Instant, target: Target) -> bool {
        let Some(index) = self.early.iter().position(|kept| kept.target == target) else { return false };
        let Some(nomination) = self.early.remove(index) else { return false };
        let is_due = now.saturating_duration_since(nomination.at) < MAX_AGE;
        if is_due {
            self.due.push_back(nomination);
        }
        is_due
    }

    /// The next datagram to repeat, and whether another is due.
    pub(crate) fn take(&mut self) -> Option<(SocketAddr, Vec<u8>, bool)> {
        let nomination = self.due.pop_front()?;
        Some((nomination.from, nomination.datagram, !self.due.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], port))
    }

    #[test]
    fn a_nomination_is_redelivered_once_after_the_answer() {
        let (mut nominations, now) = (Nominations::default(), Instant::now());
        let target = Target::Direct(address(1));
        nominations.keep(now, target, address(1), &[1]);
        nominations.keep(now, target, address(1), &[2]);
        assert!(!nominations.on_answered(now, Target::Direct(address(2))));
        assert!(nominations.take().is_none());
        assert!(nominations.on_answered(now, target));
        assert_eq!(nominations.take(), Some((address(1), vec![2], false)));
        assert!(!nominations.on_answered(now, target) && nominations.take().is_none());
    }

    #[test]
    fn an_old_nomination_is_not_redelivered() {
        let (mut nominations, now) = (Nominations::default(), Instant::now());
        nominations.keep(now, Target::Direct(address(1)), address(1), &[1]);
        assert!(!nominations.on_answered(now + MAX_AGE, Target::Direct(address(1))));
    }

    #[test]
    fn few_are_kept() {
        let (mut nominations, now) = (Nominations::default(), Instant::now());
        (0..1_000).for_each(|port| nominations.keep(now, Target::Direct(address(port)), address(port), &[1]));
        assert_eq!(nominations.early.len(), MAX_KEPT);
        assert!(nominations.on_answered(now, Target::Direct(address(999))));
    }
}
