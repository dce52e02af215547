//! Inter-arrival times: groups packets that were sent together, and computes how their spacing changed on the path
//! (draft-ietf-rmcat-gcc-02 sections 5.2 and 5.3).

use crate::arrival::{Arrival, RemoteMicros};
use std::time::{Duration, Instant};

/// A packet belongs to a group if it was sent within this time of the group's first packet.
const MAX_GROUP_SPAN: Duration = Duration::from_millis(5);
/// A packet that catches up with the previous one and arrives within this time of it was held on the path and released
/// together with it. Its delay says nothing about the queue, so it joins the group.
const MAX_BURST_GAP_MICROS: i64 = 5_000;
/// Longest group by arrival time. Without a limit, a continuous burst would never end.
const MAX_BURST_MICROS: i64 = 100_000;

#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent: Instant,
    last_sent: Instant,
    first_arrived: RemoteMicros,
    last_arrived: RemoteMicros,
}

/// The difference between two consecutive groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GroupDelta {
    /// Increase of the one-way delay in ms.
    pub(crate) delay_ms: f64,
    /// Time between their send times in ms.
    pub(crate) sent_ms: f64,
    /// Arrival of the later group.
    pub(crate) arrived: RemoteMicros,
}

/// Collects arrivals into groups.
#[derive(Debug, Default)]
pub(crate) struct InterArrival {
    current: Option<Group>,
    previous: Option<Group>,
}

impl InterArrival {
    /// Adds the next arrival. Returns a delta if it completes a group.
    pub(crate) fn add(&mut self, arrival: &Arrival) -> Option<GroupDelta> {
        let Some(current) = &mut self.current else {
            self.current = Some(Group::new(arrival));
            return None;
        };
        if arrival.sent < current.first_sent {
            return None;
        }
        if current.includes(arrival) {
            current.last_sent = current.last_sent.max(arrival.sent);
            current.last_arrived = current.last_arrived.max(arrival.arrived);
            return None;
        }
        let finished = *current;
        let delta = self.previous.map(|previous| previous.delta(&finished));
        self.previous = Some(finished);
        self.current = Some(Group::new(arrival));
        delta
    }

    /// Discards all groups, after an interruption.
    pub(crate) fn reset(&mut self) {
        *self = InterArrival::default();
    }
}

impl Group {
    fn new(arrival: &Arrival) -> Self {
        let (sent, arrived) = (arrival.sent, arrival.arrived);
        Group { first_sent: sent, last_sent: sent, first_arrived: arrived, last_arrived: arrived }
    }

    fn includes(&self, arrival: &Arrival) -> bool {
        if arrival.sent.saturating_duration_since(self.first_sent) <= MAX_GROUP_SPAN {
            return true;
        }
        let arrival_gap = arrival.arrived - self.last_arrived;
        let send_gap = arrival.sent.saturating_duration_since(self.last_sent).as_micros() as i64;
        arrival_gap < send_gap
            && arrival_gap <= MAX_BURST_GAP_MICROS
            && arrival.arrived - self.first_arrived < MAX_BURST_MICROS
    }

    fn delta(&self, later: &Group) -> GroupDelta {
        let sent_ms = later.last_sent.saturating_duration_since(self.last_sent).as_secs_f64() * 1e3;
        let arrived_ms = (later.last_arrived - self.last_arrived) as f64 / 1e3;
        GroupDelta { delay_ms: arrived_ms - sent_ms, sent_ms, arrived: later.last_arrived }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(start: Instant, sent_ms: u64, arrived_ms: i64) -> Arrival {
        let sent = start + Duration::from_millis(sent_ms);
        Arrival { sent, arrived: arrived_ms * 1000, size: 1000, cluster: None }
    }

    #[test]
    fn a_growing_queue_shows_as_positive_deltas() {
        let start = Instant::now();
        let mut groups = InterArrival::default();
        let deltas: Vec<GroupDelta> =
            (0..10).filter_map(|i| groups.add(&arrival(start, i * 20, 50 + i as i64 * 25))).collect();
        assert_eq!(deltas.len(), 8);
        assert!(deltas.iter().all(|d| (d.delay_ms - 5.0).abs() < 1e-9 && (d.sent_ms - 20.0).abs() < 1e-9));
    }

    #[test]
    fn packets_released_together_are_one_group() {
        let start = Instant::now();
        let mut groups = InterArrival::default();
        groups.add(&arrival(start, 0, 50));
        groups.add(&arrival(start, 20, 100));
        // The path held it until 100 ms, together with the previous packet.
        assert_eq!(groups.add(&arrival(start, 40, 101)), None);
        let delta = groups.add(&arrival(start, 60, 110)).unwrap();
        assert!((delta.sent_ms - 40.0).abs() < 1e-9);
    }
}
