//! Which senders of one client send video on an uplink that is too narrow for all.
//!
//! Each sender would go on with a picture of a few kilobits, and all of them together would keep the queue full, so that
//! everybody's sound is late. A useful picture for some is better, and sound for all.

use super::UplinkFlow;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The lowest useful bitrate of video, in bit/s.
const LEAST_USEFUL: u64 = 60_000;
/// The video bitrate that each sender must have before another one is admitted, in bit/s. It is higher than
/// [`LEAST_USEFUL`], because the others give some of it to the new one.
const ROOMY: u64 = 90_000;
/// The uplink counts as too narrow only after this time, because an estimate may fall briefly.
const PATIENCE: Duration = Duration::from_secs(1);
/// An uplink must have had room for this time before another one is admitted, or for [`PATIENCE`] if it has twice the room.
/// The wait doubles when an admission was a mistake.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(40);
/// When the uplink becomes too narrow this soon after an admission, that was a mistake.
const MISTAKE: Duration = Duration::from_secs(10);

/// Who may send video.
///
/// ```text
///             too narrow for PATIENCE, and it has the least
///   Admitted ────────────────────────────────────────────▶ Refused
///      ▲                                                      │
///      └──────────────────────────────────────────────────────┘
///        room for `wait`, and it has been refused the longest
/// ```
///
/// A new sender is admitted. At least one sender is always admitted.
#[derive(Debug)]
pub(super) struct VideoAdmission<K> {
    /// The longest refused first. At most as many as there are senders.
    refused: VecDeque<K>,
    narrow_since: Option<Instant>,
    roomy_since: Option<Instant>,
    /// The last admission.
    admitted: Option<Instant>,
    wait: Duration,
}

impl<K> Default for VideoAdmission<K> {
    fn default() -> Self {
        let refused = VecDeque::new();
        VideoAdmission { refused, narrow_since: None, roomy_since: None, admitted: None, wait: FIRST_WAIT }
    }
}

impl<K: Copy + Eq> VideoAdmission<K> {
    pub(super) fn is_admitted(&self, key: K) -> bool {
        !self.refused.contains(&key)
    }

    /// Processes the state of all senders. Returns one that is admitted again.
    pub(super) fn update(&mut self, now: Instant, flows: &[(K, UplinkFlow)]) -> Option<K> {
        let has_video = |flow: &UplinkFlow| flow.active || flow.paused;
        self.refused.retain(|key| flows.iter().any(|(other, flow)| other == key && has_video(flow)));
        let admitted = flows.iter().filter(|(key, flow)| has_video(flow) && self.is_admitted(*key));
        let mut rates: Vec<(K, u64)> = admitted.map(|(key, flow)| (*key, video(flow))).collect();
        let total = rates.iter().fold(0, |sum: u64, (_, rate)| sum.saturating_add(*rate));
        let count = rates.len() as u64;
        let places = (total / LEAST_USEFUL).max(1);
        let since = |before: Option<Instant>, is_so: bool| is_so.then(|| before.unwrap_or(now));
        self.narrow_since = since(self.narrow_since, places < count);
        self.roomy_since = since(self.roomy_since, !self.refused.is_empty() && total >= (count + 1) * ROOMY);
        let lasts = |since: Option<Instant>, time| since.is_some_and(|at| now.saturating_duration_since(at) >= time);
        if lasts(self.narrow_since, PATIENCE) {
            let is_mistake = self.admitted.is_some_and(|at| now.saturating_duration_since(at) < MISTAKE);
            self.wait = if is_mistake { (self.wait * 2).min(LONGEST_WAIT) } else { FIRST_WAIT };
            rates.sort_by_key(|(_, rate)| *rate);
            self.refused.extend(rates.iter().take((count - places) as usize).map(|(key, _)| *key));
            self.narrow_since = None;
        } else if lasts(self.roomy_since, if total >= 2 * (count + 1) * ROOMY { PATIENCE } else { self.wait }) {
            (self.roomy_since, self.admitted) = (None, Some(now));
            return self.refused.pop_front();
        }
        None
    }
}

/// What a sender has for video, in bit/s. One that has all that it can use is no reason to refuse another.
fn video(flow: &UplinkFlow) -> u64 {
    flow.rate.saturating_sub(flow.sound).max(if flow.limited { ROOMY } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(100);

    fn flow(rate: u64) -> UplinkFlow {
        UplinkFlow { active: true, rate: rate + 40_000, sound: 40_000, ..UplinkFlow::default() }
    }

    /// Updates for this many seconds. Returns who is admitted then.
    fn after(admission: &mut VideoAdmission<usize>, now: &mut Instant, seconds: u64, rates: &[u64]) -> Vec<usize> {
        let flows: Vec<_> = rates.iter().map(|rate| flow(*rate)).enumerate().collect();
        for _ in 0..seconds * 10 {
            *now += STEP;
            admission.update(*now, &flows);
        }
        (0..rates.len()).filter(|key| admission.is_admitted(*key)).collect()
    }

    #[test]
    fn those_with_the_least_are_refused_until_the_rest_is_useful() {
        let (mut admission, mut now) = (VideoAdmission::default(), Instant::now());
        let rates = [10_000, 50_000, 20_000, 40_000, 10_000];
        assert_eq!(after(&mut admission, &mut now, 1, &rates), [0, 1, 2, 3, 4], "a short dip has no effect");
        assert_eq!(after(&mut admission, &mut now, 1, &rates), [1, 3], "130 kbit/s are enough for two");
        assert_eq!(after(&mut admission, &mut now, 60, &rates), [1], "and 90 for one");
    }

    #[test]
    fn one_is_always_admitted() {
        let (mut admission, mut now) = (VideoAdmission::default(), Instant::now());
        assert_eq!(after(&mut admission, &mut now, 9, &[0, 0, 0]).len(), 1);
    }

    #[test]
    fn the_longest_refused_comes_back_when_there_is_room() {
        let (mut admission, mut now) = (VideoAdmission::default(), Instant::now());
        assert_eq!(after(&mut admission, &mut now, 2, &[10_000, 20_000, 70_000]), [2]);
        assert_eq!(after(&mut admission, &mut now, 4, &[0, 0, 300_000]), [2]);
        assert_eq!(after(&mut admission, &mut now, 2, &[0, 0, 300_000]), [0, 2]);
        assert_eq!(after(&mut admission, &mut now, 6, &[0, 0, 300_000]), [0, 1, 2]);
    }

    #[test]
    fn all_come_back_soon_when_there_is_much_room() {
        let (mut admission, mut now) = (VideoAdmission::default(), Instant::now());
        after(&mut admission, &mut now, 2, &[10_000, 20_000, 70_000]);
        assert_eq!(after(&mut admission, &mut now, 3, &[0, 0, 800_000]), [0, 1, 2]);
    }

    #[test]
    fn mistaken_admissions_become_more_and_more_seldom() {
        let (mut admission, mut now) = (VideoAdmission::default(), Instant::now());
        let mut admissions = 0;
        for _ in 0..600 {
            let both = admission.refused.is_empty();
            // One alone has room, two together have not.
            let rates: &[u64] = if both { &[50_000, 50_000] } else { &[200_000, 200_000] };
            let before = admission.refused.len();
            after(&mut admission, &mut now, 1, rates);
            admissions += usize::from(admission.refused.len() < before);
        }
        assert!((10..25).contains(&admissions), "{admissions} in ten minutes");
    }

    #[test]
    fn senders_that_could_use_no_more_are_not_refused_and_refuse_nobody() {
        let (mut admission, start) = (VideoAdmission::default(), Instant::now());
        let flows = [(0, UplinkFlow { limited: true, ..flow(10_000) }), (1, flow(40_000)), (2, flow(60_000))];
        assert!((0..50).all(|n| admission.update(start + STEP * n, &flows).is_none()));
        assert!((0..3).all(|key| admission.is_admitted(key)));
    }

    #[test]
    fn who_leaves_or_needs_no_video_is_forgotten() {
        let (mut admission, mut now) = (VideoAdmission::default(), Instant::now());
        after(&mut admission, &mut now, 2, &[0, 10_000, 110_000]);
        admission.update(now, &[(0, UplinkFlow { active: false, ..flow(0) }), (2, flow(110_000))]);
        assert!(admission.refused.is_empty());
    }
}
