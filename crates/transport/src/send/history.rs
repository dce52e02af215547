//! The sent packets, by transport-wide sequence number, for the processing of feedback.

use super::feedback::Reported;
use crate::arrival::{Arrival, ClusterId, FeedbackReport};
use std::collections::VecDeque;
use std::time::Instant;

/// Most packets kept: 10 s at 8 Mbit/s. When full, the oldest is dropped, and feedback about it counts as unknown.
const MAX_PACKETS: usize = 8192;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PacketStatus {
    Pending,
    Lost,
    Received,
}

#[derive(Debug)]
struct SentPacket {
    at: Instant,
    size: usize,
    cluster: Option<ClusterId>,
    status: PacketStatus,
}

/// Sent packets, with consecutive transport-wide sequence numbers.
#[derive(Debug)]
pub(crate) struct SentHistory {
    sent: VecDeque<SentPacket>,
    /// Extended sequence number of the next packet.
    next: u64,
    in_flight: usize,
    unknown: u64,
}

impl SentHistory {
    pub(crate) fn new() -> Self {
        SentHistory { sent: VecDeque::new(), next: 1, in_flight: 0, unknown: 0 }
    }

    /// The transport-wide sequence number of the next packet.
    pub(crate) fn next_number(&self) -> u16 {
        self.next as u16
    }

    /// Records that a packet of `size` bytes was sent with [`SentHistory::next_number`].
    pub(crate) fn record(&mut self, now: Instant, size: usize, cluster: Option<ClusterId>) {
        if self.sent.len() == MAX_PACKETS
            && let Some(forgotten) = self.sent.pop_front()
            && forgotten.status == PacketStatus::Pending
        {
            self.in_flight -= forgotten.size;
        }
        self.sent.push_back(SentPacket { at: now, size, cluster, status: PacketStatus::Pending });
        self.in_flight += size;
        self.next += 1;
    }

    /// The path is lost. No report is expected of what was sent over it.
    pub(crate) fn abandon(&mut self) {
        self.sent.clear();
        self.in_flight = 0;
    }

    /// The send time of the oldest packet after the newest reported one. `None` if there is no later packet.
    pub(crate) fn unacknowledged_since(&self) -> Option<Instant> {
        let pending = self.sent.iter().rev().take_while(|s| s.status == PacketStatus::Pending);
        pending.last().map(|s| s.at)
    }

    /// Bytes sent after the newest reported packet.
    pub(crate) fn unacknowledged_bytes(&self) -> usize {
        self.sent.iter().rev().take_while(|s| s.status == PacketStatus::Pending).map(|s| s.size).sum()
    }

    /// Number of reports about packets that are not in the history.
    pub(crate) fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Bytes without feedback.
    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Processes the packets of a feedback message.
    pub(crate) fn report(&mut self, now: Instant, reported: &[Reported]) -> FeedbackReport {
        let mut report = FeedbackReport::default();
        let mut newest = None;
        let mut in_burst = false;
        for &(number, arrival) in reported {
            let Some(index) = self.index(number) else {
                self.unknown += 1;
                continue;
            };
            let burst_starts = arrival.is_none() && !in_burst;
            in_burst = arrival.is_none();
            let sent = &mut self.sent[index];
            match (sent.status, arrival) {
                (PacketStatus::Received, _) | (PacketStatus::Lost, None) => continue,
                (PacketStatus::Pending, None) => {
                    sent.status = PacketStatus::Lost;
                    report.lost += 1;
                    report.loss_bursts += usize::from(burst_starts);
                    report.lost_clusters.extend(sent.cluster);
                    self.in_flight -= sent.size;
                }
                (PacketStatus::Pending | PacketStatus::Lost, Some(arrived)) => {
                    if sent.status == PacketStatus::Lost {
                        report.late += 1;
                    } else {
                        self.in_flight -= sent.size;
                    }
                    sent.status = PacketStatus::Received;
                    newest = newest.max(Some(sent.at));
                    report.arrivals.push(Arrival { sent: sent.at, arrived, size: sent.size, cluster: sent.cluster });
                }
            }
        }
        report.arrivals.sort_by_key(|a| (a.arrived, a.sent));
        report.round_trip = newest.map(|sent| now.saturating_duration_since(sent));
        report
    }

    fn index(&self, number: u16) -> Option<usize> {
        let newest = self.next - 1;
        let number = newest.checked_sub(u64::from((newest as u16).wrapping_sub(number)))?;
        let first = self.next - self.sent.len() as u64;
        usize::try_from(number.checked_sub(first)?).ok().filter(|&i| i < self.sent.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_packet_is_counted_once_even_if_it_is_late() {
        let now = Instant::now();
        let mut history = SentHistory::new();
        for _ in 0..3 {
            history.record(now, 1000, None);
        }
        let report = history.report(now, &[(1, Some(10)), (2, None)]);
        assert_eq!((report.arrivals.len(), report.lost), (1, 1));
        let report = history.report(now, &[(1, Some(10)), (2, Some(20)), (3, Some(15))]);
        assert_eq!((report.arrivals.len(), report.lost, report.late), (2, 0, 1));
        assert!(report.arrivals[0].arrived < report.arrivals[1].arrived);
        assert_eq!(history.in_flight(), 0);
    }

    #[test]
    fn sequence_numbers_wrap() {
        let now = Instant::now();
        let mut history = SentHistory::new();
        for _ in 0..70_000 {
            history.record(now, 1, None);
        }
        assert_eq!(history.report(now, &[(70_000_u32 as u16, Some(0))]).arrivals.len(), 1);
        assert_eq!(history.report(now, &[(70_001_u32 as u16, Some(0))]).arrivals.len(), 0);
        assert_eq!(history.unknown(), 1);
    }

    proptest! {
        #[test]
        fn any_report_is_handled(sent in 0usize..300, reports in prop::collection::vec((any::<u16>(), any::<Option<i64>>()), 0..300)) {
            let now = Instant::now();
            let mut history = SentHistory::new();
            for _ in 0..sent {
                history.record(now, 10, None);
            }
            let report = history.report(now, &reports);
            prop_assert!(report.arrivals.len() + report.lost <= sent + report.late);
            prop_assert!(history.in_flight() <= sent * 10);
        }
    }
}
