//! Coordinates the senders of one client, which share its uplink.
//!
//! Senders that know nothing of each other take each other's packets for those of strangers: when one drains the queue, the
//! others fill it again, and each concludes that it has to hold its own against TCP. All of them also grow and probe at the
//! same time. So they drain together, take turns at probing, and grow more slowly the more they are. A sender whose path is
//! narrow elsewhere has a queue of its own, and does not hold back the others. Compare RFC 8699, which couples the rates
//! themselves. If the uplink is too narrow for everybody's video, some send none.

mod admission;

use admission::VideoAdmission;
use std::time::{Duration, Instant};

/// A sender that does not use its turn to probe for this time passes it on.
const TURN: Duration = Duration::from_millis(150);

/// If most senders lose this share of their packets, in percent, the uplink is full.
const HEAVY_LOSS_PERCENT: u8 = 35;

/// The state of one sender that concerns the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UplinkFlow {
    /// Whether it sends video, and so can fill a queue.
    pub active: bool,
    /// Whether it sends no video because its estimate is too low for that. Only a probe can raise the estimate.
    pub paused: bool,
    /// Its estimate, or what it could use if that is less, in bit/s.
    pub rate: u64,
    /// The part of it that sound needs, in bit/s. 0 before it is connected.
    pub sound: u64,
    /// What sound takes on the wire, with all headers, in bit/s.
    pub sound_wire: u64,
    /// Whether it has all that it could use, or that the far side lets it send.
    pub limited: bool,
    /// The share of its packets that was lost lately, in percent.
    pub lost_percent: u8,
    /// Whether it drains a queue.
    pub draining: bool,
    /// Whether it waits for the result of a probe.
    pub probing: bool,
}

/// What one sender has to know of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UplinkShare {
    /// Number of active senders, including this one, at least 1.
    pub flows: u32,
    /// The mean of their rates, in bit/s.
    pub mean_rate: u64,
    /// Its part of what the senders without video send, in bit/s. They cannot send less, so this one reduces its rate
    /// for them too.
    pub fixed_rate: u64,
    /// Whether another one drains a queue.
    pub others_drain: bool,
    /// Whether most of several senders lose so many packets that the uplink must be full, whatever each of them sees of its
    /// queue: one that began while it was full sees none.
    pub most_lose: bool,
    /// Whether this one may start a probe.
    pub may_probe: bool,
    /// Whether this one may send video. If not, the uplink is too narrow for everybody's.
    pub may_send_video: bool,
    /// The estimate to continue with, in bit/s, if another one may send video again and needs room, or this one may.
    /// By itself, it would not grow beside the others.
    pub restart_at: Option<u64>,
}

impl Default for UplinkShare {
    /// Of a sender that is alone, whose rates do not matter.
    fn default() -> Self {
        UplinkShare {
            flows: 1,
            mean_rate: 0,
            fixed_rate: 0,
            others_drain: false,
            most_lose: false,
            may_probe: true,
            may_send_video: true,
            restart_at: None,
        }
    }
}

impl UplinkShare {
    /// Whether no other sender sends anything.
    pub(crate) fn is_alone(self) -> bool {
        self.flows == 1 && self.fixed_rate == 0
    }
}

/// The coordination of the senders, which `K` identifies.
#[derive(Debug)]
pub struct Uplink<K> {
    /// Whose turn it is to probe, and since when it has not.
    turn: Option<(K, Instant)>,
    admission: VideoAdmission<K>,
}

impl<K> Default for Uplink<K> {
    fn default() -> Self {
        Uplink { turn: None, admission: VideoAdmission::default() }
    }
}

impl<K: Copy + Eq> Uplink<K> {
    /// Computes each sender's share, in the same order. Call it about as often as frames are sent.
    pub fn coordinate(&mut self, now: Instant, flows: &[(K, UplinkFlow)]) -> Vec<UplinkShare> {
        let new = self.admission.update(now, flows);
        self.pass_turn(now, flows);
        let turn = self.turn.map(|(key, _)| key);
        let rates = || flows.iter().filter(|(_, flow)| flow.active).map(|(_, flow)| flow.rate);
        let active = rates().count();
        let mean_rate = rates().fold(0, u64::saturating_add) / active.max(1) as u64;
        let sound = flows.iter().filter(|(_, flow)| !flow.active).map(|(_, flow)| flow.sound_wire);
        let fixed_rate = sound.fold(0, u64::saturating_add) / active.max(1) as u64;
        let draining = flows.iter().filter(|(_, flow)| flow.draining).count();
        let connected = flows.iter().filter(|(_, flow)| flow.sound > 0).count();
        let losing = flows.iter().filter(|(_, flow)| flow.sound > 0 && flow.lost_percent >= HEAVY_LOSS_PERCENT).count();
        let share = |(key, flow): &(K, UplinkFlow)| UplinkShare {
            flows: (active + usize::from(!flow.active)) as u32,
            mean_rate,
            fixed_rate: if flow.active { fixed_rate } else { 0 },
            others_drain: draining > usize::from(flow.draining),
            most_lose: losing > 1 && losing * 2 > connected,
            may_probe: turn == Some(*key),
            may_send_video: self.admission.is_admitted(*key),
            restart_at: new.and_then(|new| match flow.active {
                _ if new == *key => Some(mean_rate * active as u64 / (active as u64 + 1)),
                true => Some(flow.rate * active as u64 / (active as u64 + 1)),
                false => None,
            }),
        };
        flows.iter().map(share).collect()
    }

    fn pass_turn(&mut self, now: Instant, flows: &[(K, UplinkFlow)]) {
        let holder = self.turn.and_then(|(key, since)| Some((flows.iter().position(|(k, _)| *k == key)?, since)));
        self.turn = match holder {
            Some((index, _)) if flows[index].1.probing => Some((flows[index].0, now)),
            Some((index, since)) if now.saturating_duration_since(since) < TURN => Some((flows[index].0, since)),
            Some((index, _)) => Some((flows[self.next(flows, index + 1)].0, now)),
            None if flows.is_empty() => None,
            None => Some((flows[self.next(flows, 0)].0, now)),
        };
    }

    /// The first sender from `from` on that sends video or could, or that one if none does.
    fn next(&self, flows: &[(K, UplinkFlow)], from: usize) -> usize {
        let mut places = (0..flows.len()).map(|n| (from + n) % flows.len());
        let probes = |(key, flow): &(K, UplinkFlow)| (flow.active || flow.paused) && self.admission.is_admitted(*key);
        places.find(|place| probes(&flows[*place])).unwrap_or(from % flows.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: UplinkFlow = UplinkFlow {
        active: true,
        paused: false,
        rate: 900_000,
        sound: 0,
        sound_wire: 0,
        lost_percent: 0,
        limited: false,
        draining: false,
        probing: false,
    };

    #[test]
    fn one_sender_is_not_restricted() {
        let shares = Uplink::default().coordinate(Instant::now(), &[('a', IDLE)]);
        assert_eq!(shares, [UplinkShare { mean_rate: IDLE.rate, ..UplinkShare::default() }]);
    }

    #[test]
    fn senders_learn_the_mean_rate_of_those_that_send_video() {
        let flow = |rate, active| UplinkFlow { rate, active, ..IDLE };
        let flows = [('a', flow(900, true)), ('b', flow(100, true)), ('c', flow(50, false))];
        let shares = Uplink::default().coordinate(Instant::now(), &flows);
        assert!(shares.iter().all(|share| share.mean_rate == 500));
    }

    #[test]
    fn senders_take_turns_at_probing() {
        let (mut uplink, start) = (Uplink::default(), Instant::now());
        let mut flows = [('a', IDLE), ('b', IDLE), ('c', IDLE)];
        let mut turn_at = |ms: u64, flows: &[(char, UplinkFlow)]| {
            let shares = uplink.coordinate(start + Duration::from_millis(ms), flows);
            let turns = flows.iter().zip(shares).filter(|(_, share)| share.may_probe);
            turns.map(|((key, _), _)| *key).collect::<String>()
        };
        assert_eq!([0, 100, 150, 290, 300, 450].map(|ms| turn_at(ms, &flows)).concat(), "aabbca");
        flows[0].1.probing = true;
        assert_eq!([600, 900].map(|ms| turn_at(ms, &flows)).concat(), "aa", "a uses its turn");
        assert_eq!(turn_at(1_800, &flows), "a");
        assert_eq!(turn_at(1_810, &flows[1..]), "b", "a has left");
        assert_eq!(turn_at(1_820, &[]), "");
    }

    #[test]
    fn a_sender_that_is_not_connected_has_no_turn() {
        let (mut uplink, start) = (Uplink::default(), Instant::now());
        let flows = [('a', UplinkFlow::default()), ('b', IDLE), ('c', UplinkFlow::default()), ('d', IDLE)];
        for (ms, turn) in [(0, 'b'), (150, 'd'), (300, 'b'), (450, 'd')] {
            let shares = uplink.coordinate(start + Duration::from_millis(ms), &flows);
            assert!(flows.iter().zip(shares).all(|((key, _), share)| share.may_probe == (*key == turn)), "{ms}");
        }
    }

    #[test]
    fn a_paused_sender_has_its_turn_at_probing_but_no_share() {
        let (mut uplink, start) = (Uplink::default(), Instant::now());
        let paused = UplinkFlow { active: false, paused: true, rate: 20, ..IDLE };
        let flows = [('a', IDLE), ('b', paused)];
        for (ms, turn) in [(0, 'a'), (150, 'b'), (300, 'a')] {
            let shares = uplink.coordinate(start + Duration::from_millis(ms), &flows);
            assert!(flows.iter().zip(&shares).all(|((key, _), share)| share.may_probe == (*key == turn)), "{ms}");
            assert!(shares.iter().all(|share| share.mean_rate == 900_000));
        }
    }

    #[test]
    fn all_learn_that_most_lose_many_packets() {
        let flow = |lost_percent| UplinkFlow { lost_percent, sound: 40_000, ..IDLE };
        for (lost, most_lose) in [([40, 50, 0], true), ([40, 0, 0], false), ([20, 20, 20], false)] {
            let flows = [('a', flow(lost[0])), ('b', flow(lost[1])), ('c', flow(lost[2]))];
            let shares = Uplink::default().coordinate(Instant::now(), &flows);
            assert!(shares.iter().all(|share| share.most_lose == most_lose), "{lost:?}");
        }
        let one = Uplink::default().coordinate(Instant::now(), &[('a', flow(90))]);
        assert!(!one[0].most_lose, "one alone tests its path itself");
    }

    #[test]
    fn the_others_make_room_for_one_that_may_send_video_once_more() {
        let (mut uplink, start) = (Uplink::default(), Instant::now());
        let flow = |rate, active| UplinkFlow { rate, active, paused: !active, ..IDLE };
        let mut restarts = vec![];
        for n in 0..100 {
            let rates = if n < 20 { [100_000, 10_000] } else { [400_000, 10_000] };
            let flows = [('a', flow(rates[0], true)), ('b', flow(rates[1], n < 11))];
            let shares = uplink.coordinate(start + Duration::from_millis(n * 100), &flows);
            restarts.extend(shares.iter().any(|share| share.restart_at.is_some()).then(|| [shares[0], shares[1]]));
        }
        let [[a, b]] = restarts[..] else { panic!("once: {restarts:?}") };
        assert_eq!([a.restart_at, b.restart_at], [Some(200_000), Some(200_000)]);
        assert!(a.may_send_video && b.may_send_video);
    }

    #[test]
    fn the_others_learn_that_one_drains() {
        let mut flows = [('a', IDLE), ('b', IDLE), ('c', UplinkFlow::default())];
        flows[1].1.draining = true;
        let shares = Uplink::default().coordinate(Instant::now(), &flows);
        assert_eq!(shares.iter().map(|share| share.others_drain).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(shares.iter().map(|share| share.flows).collect::<Vec<_>>(), [2, 2, 3]);
    }
}
