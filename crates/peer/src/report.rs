//! Our RTCP sender reports, RFC 3550 section 6.4.1. Pure.
//!
//! The library's own reports are not used, because they combine the wall clock with the time at which a packet was
//! sent. Ours use the capture time, so that encoding and pacing do not affect the far side's lip sync.

use rtc::rtcp::sender_report::SenderReport;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Interval between reports of one line, after the first.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);
/// Seconds from 1900 to 1970.
const UNIX_IN_NTP: u64 = 2_208_988_800;

/// Maps the monotonic clock to the wall clock, read once, so that a step of the wall clock does not break lip sync.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WallClock {
    instant: Instant,
    unix: Duration,
}

impl WallClock {
    pub(crate) fn new(instant: Instant, wall: SystemTime) -> WallClock {
        WallClock { instant, unix: wall.duration_since(UNIX_EPOCH).unwrap_or_default() }
    }

    /// 32.32-bit seconds since 1900; wraps in 2036 as RFC 3550 expects.
    pub(crate) fn ntp(&self, at: Instant) -> u64 {
        let unix = self.unix + at.saturating_duration_since(self.instant);
        let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
        (unix.as_secs() + UNIX_IN_NTP) << 32 | fraction
    }
}

/// Counts what a line has sent.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    ssrc: u32,
    clock_rate: u32,
    packets: u32,
    octets: u32,
    /// The newest capture: its time and RTP timestamp.
    captured: Option<(Instant, u32)>,
    due: Option<Instant>,
}

impl Reporter {
    pub(crate) fn new(ssrc: u32, clock_rate: u32) -> Reporter {
        Reporter { ssrc, clock_rate, packets: 0, octets: 0, captured: None, due: None }
    }

    /// Media captured at `captured` is about to be sent.
    pub(crate) fn captured(&mut self, now: Instant, captured: Instant, rtp_timestamp: u32) {
        self.captured = Some((captured.min(now), rtp_timestamp));
        self.due.get_or_insert(now);
    }

    /// A packet of the line was sent.
    pub(crate) fn sent(&mut self, payload: usize) {
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload as u32);
    }

    /// When [`Reporter::poll`] next returns a report.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Returns a report if one is due. When nothing has been captured for three intervals, reports stop until the next
    /// capture.
    pub(crate) fn poll(&mut self, now: Instant, wall: &WallClock) -> Option<SenderReport> {
        let (captured, rtp) = self.captured.filter(|_| self.due.is_some_and(|due| due <= now))?;
        let age = now.saturating_duration_since(captured);
        if age > 3 * INTERVAL {
            self.due = None;
            return None;
        }
        self.due = Some(now + INTERVAL);
        let elapsed = (age.as_nanos() * u128::from(self.clock_rate) / 1_000_000_000) as u32;
        Some(SenderReport {
            ssrc: self.ssrc,
            ntp_time: wall.ntp(now),
            rtp_time: rtp.wrapping_add(elapsed),
            packet_count: self.packets,
            octet_count: self.octets,
            ..SenderReport::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(start: Instant) -> WallClock {
        WallClock::new(start, UNIX_EPOCH + Duration::from_millis(1_500))
    }

    #[test]
    fn ntp_counts_seconds_since_1900_in_the_upper_half() {
        let start = Instant::now();
        assert_eq!(wall(start).ntp(start), (UNIX_IN_NTP + 1) << 32 | 1 << 31);
    }

    #[test]
    fn a_report_extrapolates_the_rtp_time_of_capture_to_now() {
        let start = Instant::now();
        let mut reporter = Reporter::new(7, 90_000);
        reporter.captured(start + Duration::from_millis(30), start, u32::MAX);
        let report = reporter.poll(start + Duration::from_millis(40), &wall(start)).unwrap();
        assert_eq!(report.rtp_time, 3_599, "40 ms after capture, wrapped");
        assert_eq!(report.ntp_time, wall(start).ntp(start + Duration::from_millis(40)));
    }

    #[test]
    fn reports_are_periodic_and_stop_with_capture() {
        let start = Instant::now();
        let mut reporter = Reporter::new(7, 48_000);
        assert_eq!(reporter.due(), None);
        reporter.captured(start, start, 0);
        let mut reports = 0;
        while let Some(due) = reporter.due() {
            reports += u32::from(reporter.poll(due, &wall(start)).is_some());
            assert!(reports < 10, "it must cease");
        }
        assert_eq!(reports, 4);
        reporter.captured(start + 20 * INTERVAL, start + 20 * INTERVAL, 9);
        assert!(reporter.poll(start + 20 * INTERVAL, &wall(start)).is_some(), "and start again");
    }
}
