//! When to look at the network after hints that it changes. Pure.

use std::time::{Duration, Instant};

/// One change causes many notifications (link, addresses, routes), which are waited for.
const SETTLE: Duration = Duration::from_millis(60);
/// Shortest interval between two reported changes. It doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest such interval: an interface that flaps without end costs one restart of ICE in this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// The interval is short again after this time without a reported change.
const CALM: Duration = Duration::from_secs(20);

/// ```text
///  quiet ──hint──▶ settling ──due──▶ quiet, the network is read
///                  │    ▲
///                  └hint┘ (changes nothing: the first one counts)
/// ```
#[derive(Debug)]
pub(super) struct Pace {
    due: Option<Instant>,
    reported: Option<Instant>,
    pause: Duration,
}

impl Pace {
    pub(super) fn new() -> Pace {
        Pace { due: None, reported: None, pause: FIRST_PAUSE }
    }

    /// The system says that something may have changed.
    pub(super) fn hint(&mut self, now: Instant) {
        let earliest = self.reported.map_or(now, |at| at + self.pause);
        self.plan((now + SETTLE).max(earliest));
    }

    /// Reads the network at this time, or earlier if a hint asks for it.
    pub(super) fn plan(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// When to read the network.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Returns true, once, when it is time to read the network.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    /// The network had changed, and this was reported.
    pub(super) fn reported(&mut self, now: Instant) {
        let calm = self.reported.is_none_or(|at| now.saturating_duration_since(at) >= CALM);
        self.pause = if calm { FIRST_PAUSE } else { (2 * self.pause).min(LONGEST_PAUSE) };
        self.reported = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every look finds a change. Returns the times of the reports.
    fn reports(hints: impl Iterator<Item = Duration>) -> Vec<Duration> {
        let (mut pace, start) = (Pace::new(), Instant::now());
        let mut reports = vec![];
        let mut look = |pace: &mut Pace, until: Option<Instant>| {
            while let Some(due) = pace.due().filter(|due| until.is_none_or(|until| *due <= until)) {
                assert!(pace.take_due(due));
                pace.reported(due);
                reports.push(due - start);
            }
        };
        for at in hints {
            look(&mut pace, Some(start + at));
            pace.hint(start + at);
        }
        look(&mut pace, None);
        reports
    }

    #[test]
    fn a_burst_of_notifications_is_one_change_that_is_reported_soon() {
        let burst = (0..50).map(Duration::from_millis);
        assert_eq!(reports(burst), [SETTLE]);
    }

    #[test]
    fn a_flapping_interface_is_reported_ever_less_often() {
        let flapping = (0..6_000).map(|n| Duration::from_millis(10 * n));
        let reports = reports(flapping);
        assert!(reports.len() < 22, "{} in a minute", reports.len());
        let gaps: Vec<Duration> = reports.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[0] >= FIRST_PAUSE && gaps.last().is_some_and(|gap| *gap >= LONGEST_PAUSE), "{gaps:?}");
    }

    proptest! {
        /// However hints come, the last one is followed by a look within the longest pause, the first one within the
        /// settling time, and two reports are never closer than the first pause.
        #[test]
        fn no_hint_is_forgotten_and_no_two_reports_are_close(gaps in prop::collection::vec(0u64..30_000, 1..60)) {
            let hints: Vec<Duration> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(Duration::from_millis(*at)) }).collect();
            let reports = reports(hints.iter().copied());
            prop_assert_eq!(reports[0], hints[0] + SETTLE);
            let last = hints[hints.len() - 1];
            prop_assert!(reports.iter().any(|at| *at > last && *at <= last + LONGEST_PAUSE));
            prop_assert!(reports.windows(2).all(|pair| pair[1] - pair[0] >= FIRST_PAUSE));
        }
    }
}
