//! Which frames of a picture a receiver could display: those of which all packets are there, and all of what they refer to.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::pictures::Stamp;

/// Frames that wait for packets. Beyond that, the oldest is given up.
const MOST_WAITING: usize = 90;
/// Time after the last displayed frame at which a receiver to which packets come requests a keyframe, and between requests.
const STUCK: Duration = Duration::from_millis(500);

/// The picture of one person.
#[derive(Debug, Default)]
pub(crate) struct Display {
    /// Packets of frames that are not displayed yet, by frame and encoding.
    waiting: BTreeMap<(u32, usize), Frame>,
    /// The newest frame that was displayed, and when.
    newest: Option<u32>,
    at: Option<Instant>,
    /// The newest frame of the base layer, and its encoding.
    base: Option<(u32, usize)>,
    requested: Option<Instant>,
    /// When frames were displayed.
    pub(crate) shown: Vec<Instant>,
}

#[derive(Debug)]
struct Frame {
    stamp: Stamp,
    packets: Vec<bool>,
}

impl Display {
    /// Handles a packet of a picture. Returns whether a keyframe is to be requested.
    pub(crate) fn take(&mut self, now: Instant, stamp: Stamp) -> bool {
        let Some(encoding) = stamp.encoding().filter(|_| self.newest.is_none_or(|newest| stamp.frame > newest)) else {
            return false;
        };
        let new = || Frame { stamp, packets: vec![false; stamp.count.into()] };
        let frame = self.waiting.entry((stamp.frame, encoding)).or_insert_with(new);
        if let Some(packet) = frame.packets.get_mut(usize::from(stamp.index)) {
            *packet = true;
        }
        while let Some(next) = self.decodable() {
            self.display(now, next);
        }
        if self.waiting.len() > MOST_WAITING {
            self.waiting.pop_first();
        }
        let since = self.requested.max(self.at);
        if since.is_none() {
            self.at = Some(now);
        }
        let is_stuck = since.is_some_and(|at| now.saturating_duration_since(at) > STUCK);
        if is_stuck {
            self.requested = Some(now);
        }
        is_stuck
    }

    fn decodable(&self) -> Option<(u32, usize)> {
        let ready = |(key, frame): (&(u32, usize), &Frame)| {
            let has_reference = frame.stamp.is_key || self.base == Some((frame.stamp.refers, key.1));
            (has_reference && frame.packets.iter().all(|there| *there)).then_some(*key)
        };
        self.waiting.iter().find_map(ready)
    }

    fn display(&mut self, now: Instant, (number, encoding): (u32, usize)) {
        let temporal = self.waiting.get(&(number, encoding)).map_or(0, |frame| frame.stamp.temporal);
        if temporal == 0 {
            self.base = Some((number, encoding));
        }
        (self.newest, self.at) = (Some(number), Some(now));
        self.waiting = self.waiting.split_off(&(number + 1, 0));
        self.shown.push(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pictures::Encoder;

    fn stamps(encoder: &mut Encoder, number: u32) -> Vec<Stamp> {
        encoder.frame(number).iter().map(|payload| Stamp::read(payload).expect("stamped")).collect()
    }

    #[test]
    fn a_frame_is_displayed_when_it_and_what_it_refers_to_are_complete() {
        let (mut encoder, mut display, now) = (Encoder::new(0, 1), Display::default(), Instant::now());
        let frames: Vec<Vec<Stamp>> = (0..5).map(|number| stamps(&mut encoder, number)).collect();
        let mut take = |stamps: &[Stamp]| {
            stamps.iter().for_each(|stamp| assert!(!display.take(now, *stamp)));
            display.shown.len()
        };
        assert_eq!(take(&frames[0]), 1);
        assert_eq!(take(&frames[1][..1]), 1, "a packet is missing");
        assert_eq!(take(&frames[3]), 1, "its reference is missing");
        assert_eq!(take(&frames[2]), 3, "its reference is the keyframe");
        assert_eq!(take(&frames[1]), 3, "too late");
        assert_eq!(take(&frames[4]), 4);
    }

    #[test]
    fn a_picture_that_is_stuck_needs_a_keyframe() {
        let (mut encoder, mut display, now) = (Encoder::new(0, 0), Display::default(), Instant::now());
        let at = |number: u32| now + Duration::from_millis(33) * number;
        stamps(&mut encoder, 0);
        let asked =
            (1..40).filter(|number| stamps(&mut encoder, *number).iter().any(|s| display.take(at(*number), *s)));
        assert_eq!(asked.count(), 2, "in 1.3 s");
        encoder.key = true;
        stamps(&mut encoder, 40).iter().for_each(|stamp| assert!(!display.take(at(40), *stamp)));
        assert_eq!(display.shown.len(), 1);
    }
}
