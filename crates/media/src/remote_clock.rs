//! The far side's clock, from its sender reports: gives the capture time of what it sends on our own clock.
//!
//! A report has the far side's wall clock at the time of sending (RFC 3550 section 6.4.1). It arrives one transit later,
//! so that the difference of the clocks is known up to the transit. The report that waited least tells it best, and its
//! transit is taken as half of the shortest round trip of the same time. How the round trip is divided cannot be
//! measured, so half of it is the uncertainty (Mills, RFC 5905 section 8).

use std::time::{Duration, Instant};

/// The reports of the last one to two windows count. In that time, a clock that is 100 ppm fast drifts by 6 ms at most.
const WINDOW: Duration = Duration::from_secs(30);
/// A clock that differs by more than this from before was set, or belongs to another computer.
const MAX_STEP_S: f64 = 10.0;

/// A time of capture on our own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptureTime {
    /// The time, as far as it is known.
    pub at: Instant,
    /// By how much it can be wrong: half of the round trip.
    pub uncertainty: Duration,
}

/// Estimates the difference between the far side's clock and ours.
#[derive(Debug)]
pub struct RemoteClock {
    /// Our clock is counted from here, theirs from the first report.
    started: Instant,
    first_ntp: Option<u64>,
    /// Their clock minus ours at the arrival of a report, in seconds: the highest had the shortest transit.
    difference: Recent,
    /// The shortest round-trip time, in seconds, negative.
    round_trip: Recent,
}

impl RemoteClock {
    /// Nothing is known yet.
    pub fn new(now: Instant) -> Self {
        RemoteClock { started: now, first_ntp: None, difference: Recent::default(), round_trip: Recent::default() }
    }

    /// Records a sender report with this NTP time (32.32-bit seconds) that has arrived now. `rtt` is the shortest recent
    /// round-trip time.
    pub fn on_report(&mut self, now: Instant, ntp: u64, rtt: Duration) {
        let difference = self.remote_s(ntp) - now.saturating_duration_since(self.started).as_secs_f64();
        if self.difference.highest().is_some_and(|before| (before - difference).abs() > MAX_STEP_S) {
            *self = RemoteClock { first_ntp: Some(ntp), ..RemoteClock::new(now) };
            return self.on_report(now, ntp, rtt);
        }
        self.difference.add(now, difference);
        self.round_trip.add(now, -rtt.as_secs_f64());
    }

    /// When it was `ntp` on the far side's clock. `None` before the first report, and for a time that our clock does not have.
    pub fn local(&self, ntp: u64) -> Option<CaptureTime> {
        let (difference, round_trip) = (self.difference.highest()?, -self.round_trip.highest()?);
        let half = round_trip / 2.0;
        let local = self.seconds_since_first(ntp)? - difference - half;
        let from_start = Duration::try_from_secs_f64(local.abs()).ok()?;
        let at = if local < 0.0 { self.started.checked_sub(from_start) } else { self.started.checked_add(from_start) };
        Some(CaptureTime { at: at?, uncertainty: Duration::try_from_secs_f64(half).ok()? })
    }

    fn remote_s(&mut self, ntp: u64) -> f64 {
        self.first_ntp.get_or_insert(ntp);
        self.seconds_since_first(ntp).unwrap_or_default()
    }

    /// NTP time wraps in 2036, and after that every 136 years.
    fn seconds_since_first(&self, ntp: u64) -> Option<f64> {
        Some(ntp.wrapping_sub(self.first_ntp?) as i64 as f64 / 4_294_967_296.0)
    }
}

/// The NTP time of an RTP timestamp, from a report that has both (RFC 3550 section 6.4.1). `clock_rate` is in Hz.
pub fn ntp_of(rtp_timestamp: u32, report: (u64, u32), clock_rate: u32) -> u64 {
    let (ntp, rtp) = report;
    let ticks = i64::from(rtp_timestamp.wrapping_sub(rtp) as i32);
    let units = (i128::from(ticks) << 32) / i128::from(clock_rate.max(1));
    ntp.wrapping_add(units as i64 as u64)
}

/// The highest value of the last one to two [`WINDOW`]s.
#[derive(Debug, Default)]
struct Recent {
    current: Option<f64>,
    previous: Option<f64>,
    began: Option<Instant>,
}

impl Recent {
    fn add(&mut self, now: Instant, value: f64) {
        if now.saturating_duration_since(*self.began.get_or_insert(now)) >= WINDOW {
            (self.previous, self.current, self.began) = (self.current, None, Some(now));
        }
        self.current = Some(self.current.map_or(value, |highest| highest.max(value)));
    }

    fn highest(&self) -> Option<f64> {
        match (self.current, self.previous) {
            (Some(current), Some(previous)) => Some(current.max(previous)),
            (current, previous) => current.or(previous),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NTP_1_S: u64 = 1 << 32;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A far side whose clock reads `ntp` at `start` and runs fast by `ppm`.
    struct Far {
        start: Instant,
        ntp: u64,
        ppm: f64,
    }

    impl Far {
        fn clock(&self, at: Instant) -> u64 {
            let passed = at.saturating_duration_since(self.start).as_secs_f64() * (1.0 + self.ppm / 1e6);
            self.ntp.wrapping_add((passed * NTP_1_S as f64) as u64)
        }
    }

    fn error_ms(clock: &RemoteClock, far: &Far, at: Instant) -> f64 {
        let local = clock.local(far.clock(at)).unwrap().at;
        let (early, late) = (at.saturating_duration_since(local), local.saturating_duration_since(at));
        early.max(late).as_secs_f64() * 1e3
    }

    #[test]
    fn a_capture_time_is_exact_on_a_symmetric_path_whose_queue_fills_and_empties() {
        let start = Instant::now();
        let far = Far { start, ntp: u64::MAX - 5 * NTP_1_S, ppm: 50.0 };
        let mut clock = RemoteClock::new(start);
        for second in 1..600 {
            let sent = start + ms(second * 1_000);
            let queue = if second % 60 < 25 { second * 7_919 % 400 } else { 0 };
            clock.on_report(sent + ms(50 + queue), far.clock(sent), ms(100));
            if second > 60 {
                assert!(error_ms(&clock, &far, sent) < 5.0, "{second}: {} ms", error_ms(&clock, &far, sent));
            }
        }
        assert_eq!(clock.local(far.clock(start + ms(600_000))).unwrap().uncertainty, ms(50));
    }

    #[test]
    fn an_asymmetric_path_is_wrong_by_half_of_the_round_trip_at_most() {
        for transit in [0, 20, 100] {
            let start = Instant::now();
            let far = Far { start, ntp: 77, ppm: 0.0 };
            let mut clock = RemoteClock::new(start);
            clock.on_report(start + ms(transit), far.clock(start), ms(100));
            assert!(error_ms(&clock, &far, start + ms(500)) <= 50.01);
        }
    }

    #[test]
    fn a_clock_that_is_set_is_followed() {
        let start = Instant::now();
        let mut clock = RemoteClock::new(start);
        clock.on_report(start + ms(10), 100 * NTP_1_S, ms(20));
        for (later, ntp) in [(1_000, 5_000 * NTP_1_S), (2_000, 7 * NTP_1_S)] {
            let arrived = start + ms(later);
            clock.on_report(arrived, ntp, ms(20));
            let at = clock.local(ntp).unwrap().at + ms(10);
            assert!(at.max(arrived) - at.min(arrived) < ms(1));
        }
    }

    #[test]
    fn an_rtp_timestamp_is_mapped_across_its_wrap() {
        let report = (10 * NTP_1_S, u32::MAX - 44_999);
        assert_eq!(ntp_of(45_000, report, 90_000), 11 * NTP_1_S);
        assert_eq!(ntp_of(u32::MAX - 134_999, report, 90_000), 9 * NTP_1_S);
    }

    proptest! {
        #[test]
        fn no_report_makes_it_panic(reports in prop::collection::vec((any::<u64>(), 0_u64..100_000, any::<u32>()), 0..40)) {
            let mut now = Instant::now();
            let mut clock = RemoteClock::new(now);
            for (ntp, wait, rtp) in reports {
                now += ms(wait);
                clock.on_report(now, ntp, ms(wait));
                prop_assert!(clock.local(ntp).is_none_or(|time| time.uncertainty <= ms(100_000)));
                clock.local(ntp_of(rtp, (ntp, rtp.wrapping_mul(7)), rtp % 3));
            }
        }
    }
}
