//! Round-trip time, from reception reports and from transport-wide feedback.

use crate::lowest::Lowest;
use rtc_rtcp::receiver_report::ReceiverReport;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most sender reports kept. When full, the oldest is dropped, and a reception report about it is ignored.
const MAX_REPORTS: usize = 32;
/// Number of samples from feedback. The shortest of them counts, because it waited least for its feedback message.
const MAX_SAMPLES: usize = 16;
/// The shortest of this number of samples is the current round-trip time.
const CURRENT_SAMPLES: usize = 3;
/// The shortest of one to two of these windows is that of an empty path.
const SHORTEST_WINDOW: Duration = Duration::from_secs(30);
const SMOOTHING: f64 = 0.125;
/// A measurement from reception reports is preferred until it is this old.
const MAX_SAMPLE_AGE: Duration = Duration::from_secs(6);
/// Longer round-trip times are discarded or clamped.
const MAX_PLAUSIBLE: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct RttEstimator {
    /// Middle 32 bits of the NTP timestamp of sender reports, and when they were sent.
    reports: VecDeque<(u32, Instant)>,
    smoothed: Option<(f64, Instant)>,
    shortest: Lowest<Duration>,
    samples: VecDeque<Duration>,
}

impl Default for RttEstimator {
    fn default() -> Self {
        let shortest = Lowest::new(SHORTEST_WINDOW);
        RttEstimator { reports: VecDeque::new(), smoothed: None, shortest, samples: VecDeque::new() }
    }
}

impl RttEstimator {
    /// Records that a sender report was sent with this NTP timestamp.
    pub(crate) fn on_sender_report(&mut self, now: Instant, ntp_time: u64) {
        if self.reports.len() == MAX_REPORTS {
            self.reports.pop_front();
        }
        self.reports.push_back(((ntp_time >> 16) as u32, now));
    }

    /// Processes reception reports. The round-trip time is the time since the sender report, minus the delay at the remote
    /// end (RFC 3550 section 6.4.1).
    pub(crate) fn on_receiver_report(&mut self, now: Instant, report: &ReceiverReport) {
        for block in &report.reports {
            let sent = self.reports.iter().find(|r| r.0 == block.last_sender_report && r.0 != 0);
            let Some(&(_, sent)) = sent else { continue };
            let delay_since_report = Duration::from_secs_f64(f64::from(block.delay) / 65_536.0);
            let Some(sample) = now.saturating_duration_since(sent).checked_sub(delay_since_report) else { continue };
            if sample > MAX_PLAUSIBLE {
                continue;
            }
            self.shortest.add(now, sample);
            let sample = sample.as_secs_f64();
            let smoothed = self.smoothed.map_or(sample, |(old, _)| old + (sample - old) * SMOOTHING);
            self.smoothed = Some((smoothed, now));
        }
    }

    /// Adds the time from the sending of a packet to its feedback.
    pub(crate) fn on_feedback(&mut self, sample: Duration) {
        if self.samples.len() == MAX_SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(sample.min(MAX_PLAUSIBLE));
    }

    /// The shortest recent round-trip time, without the wait for a feedback message. `None` before the first reception
    /// report.
    pub(crate) fn shortest(&self) -> Option<Duration> {
        self.shortest.get()
    }

    /// The smoothed round-trip time, or the current one if that is longer: a queue has filled. `None` before the first
    /// measurement.
    pub(crate) fn get(&self, now: Instant) -> Option<Duration> {
        let recent = self.smoothed.filter(|(_, at)| now.saturating_duration_since(*at) < MAX_SAMPLE_AGE);
        let smoothed = recent.map(|(seconds, _)| Duration::from_secs_f64(seconds));
        match smoothed {
            Some(smoothed) => self
                .samples
                .iter()
                .rev()
                .take(CURRENT_SAMPLES)
                .min()
                .map(|current| smoothed.max(*current))
                .or(Some(smoothed)),
            None => self.samples.iter().min().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_rtcp::reception_report::ReceptionReport;

    #[test]
    fn a_reception_report_gives_the_round_trip_time() {
        let now = Instant::now();
        let mut rtt = RttEstimator::default();
        rtt.on_feedback(Duration::from_millis(90));
        assert_eq!(rtt.get(now), Some(Duration::from_millis(90)));
        rtt.on_sender_report(now, 0x0000_1234_5678_0000);
        let block = ReceptionReport { last_sender_report: 0x1234_5678, delay: 65_536, ..Default::default() };
        let report = ReceiverReport { reports: vec![block], ..Default::default() };
        let now = now + Duration::from_millis(1060);
        rtt.on_receiver_report(now, &report);
        assert_eq!(rtt.get(now).unwrap().as_millis(), 90);
        (0..3).for_each(|_| rtt.on_feedback(Duration::from_millis(50)));
        assert_eq!(rtt.get(now).unwrap().as_millis(), 60);
        (0..3).for_each(|_| rtt.on_feedback(Duration::from_millis(500)));
        assert_eq!(rtt.get(now).unwrap().as_millis(), 500);
        assert_eq!(rtt.shortest().unwrap().as_millis(), 60);
    }

    #[test]
    fn a_report_on_an_unknown_sender_report_is_ignored() {
        let now = Instant::now();
        let mut rtt = RttEstimator::default();
        let block = ReceptionReport { last_sender_report: 0, delay: u32::MAX, ..Default::default() };
        rtt.on_receiver_report(now, &ReceiverReport { reports: vec![block], ..Default::default() });
        assert_eq!(rtt.get(now), None);
    }
}
