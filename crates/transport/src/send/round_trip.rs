//! Round trip time, from sender reports and from feedback.

use rtc_rtcp::receiver_report::ReceiverReport;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Sender reports remembered; when full the oldest goes, and a reception report on it tells nothing.
const REPORTS: usize = 32;
/// Round trips of feedback among which the shortest counts: the others waited for their report.
const SAMPLES: usize = 16;
const WEIGHT: f64 = 0.125;
/// A measurement by reports is preferred while no older than this.
const FRESH: Duration = Duration::from_secs(6);
const PLAUSIBLE: Duration = Duration::from_secs(20);

#[derive(Debug, Default)]
pub(crate) struct RoundTrip {
    /// Middle 32 bits of the NTP time of sender reports, and when they left.
    reports: VecDeque<(u32, Instant)>,
    smoothed: Option<(f64, Instant)>,
    samples: VecDeque<Duration>,
}

impl RoundTrip {
    /// A sender report left with this NTP time.
    pub(crate) fn sent_report(&mut self, now: Instant, ntp_time: u64) {
        if self.reports.len() == REPORTS {
            self.reports.pop_front();
        }
        self.reports.push_back(((ntp_time >> 16) as u32, now));
    }

    /// RFC 3550 section 6.4.1: round trip is the time since the report, less the other end's delay.
    pub(crate) fn on_receiver_report(&mut self, now: Instant, report: &ReceiverReport) {
        for block in &report.reports {
            let sent = self.reports.iter().find(|r| r.0 == block.last_sender_report && r.0 != 0);
            let Some(&(_, sent)) = sent else { continue };
            let held = Duration::from_secs_f64(f64::from(block.delay) / 65_536.0);
            let Some(sample) = now.saturating_duration_since(sent).checked_sub(held) else { continue };
            if sample > PLAUSIBLE {
                continue;
            }
            let sample = sample.as_secs_f64();
            let smoothed = self.smoothed.map_or(sample, |(old, _)| old + (sample - old) * WEIGHT);
            self.smoothed = Some((smoothed, now));
        }
    }

    /// Time from a packet's leaving to the report on it.
    pub(crate) fn feedback(&mut self, sample: Duration) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample.min(PLAUSIBLE));
    }

    pub(crate) fn get(&self, now: Instant) -> Option<Duration> {
        let fresh = self.smoothed.filter(|(_, at)| now.saturating_duration_since(*at) < FRESH);
        fresh.map(|(seconds, _)| Duration::from_secs_f64(seconds)).or_else(|| self.samples.iter().min().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_rtcp::reception_report::ReceptionReport;

    #[test]
    fn a_reception_report_tells_the_round_trip() {
        let now = Instant::now();
        let mut round_trip = RoundTrip::default();
        round_trip.feedback(Duration::from_millis(90));
        assert_eq!(round_trip.get(now), Some(Duration::from_millis(90)));
        round_trip.sent_report(now, 0x0000_1234_5678_0000);
        let block = ReceptionReport { last_sender_report: 0x1234_5678, delay: 65_536, ..Default::default() };
        let report = ReceiverReport { reports: vec![block], ..Default::default() };
        let now = now + Duration::from_millis(1060);
        round_trip.on_receiver_report(now, &report);
        assert_eq!(round_trip.get(now).unwrap().as_millis(), 60);
    }

    #[test]
    fn a_report_on_nothing_that_was_sent_tells_nothing() {
        let now = Instant::now();
        let mut round_trip = RoundTrip::default();
        let block = ReceptionReport { last_sender_report: 0, delay: u32::MAX, ..Default::default() };
        round_trip.on_receiver_report(now, &ReceiverReport { reports: vec![block], ..Default::default() });
        assert_eq!(round_trip.get(now), None);
    }
}
