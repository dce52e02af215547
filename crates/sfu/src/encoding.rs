//! One encoding of a published picture, as the server sees it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::limits::{KEYFRAME_INTERVAL, MAX_RECENT_BYTES, MAX_RECENT_PACKETS, RECENT_KEYFRAME};
use crate::packet::Packet;
use crate::vp8::Vp8;

/// Time without packets after which an encoding counts as not sent.
const SILENT: Duration = Duration::from_millis(1_500);
/// Time over which a rate is measured.
const WINDOW: Duration = Duration::from_millis(500);

/// An encoding.
#[derive(Debug, Default)]
pub(crate) struct Encoding {
    ssrc: Option<u32>,
    /// Changes with the SSRC. Receivers of another epoch need a keyframe.
    pub(crate) epoch: u32,
    pub(crate) rate: RateMeter,
    pub(crate) recent: Recent,
    pub(crate) requests: KeyframeRequests,
    /// The height of its last keyframe in pixels; 0 if it did not say one.
    pub(crate) height: u32,
    /// The highest temporal layer seen.
    pub(crate) top: u8,
    last: Option<Instant>,
}

impl Encoding {
    /// Takes notice of a packet. Returns whether the encoding was not sent before.
    pub(crate) fn receive(&mut self, now: Instant, packet: &Packet, vp8: Vp8) -> bool {
        if self.ssrc != Some(packet.ssrc) {
            self.ssrc = Some(packet.ssrc);
            self.epoch = self.epoch.wrapping_add(1);
            self.recent = Recent::default();
        }
        let began = !self.is_sent(now);
        self.last = Some(now);
        self.top = self.top.max(vp8.temporal);
        self.rate.add(now, packet.payload.len());
        self.recent.push(now, packet, vp8);
        if vp8.starts_keyframe {
            self.height = vp8.height.map_or(0, u32::from);
            self.requests.answered();
        }
        began
    }

    /// Whether the publisher sends it at present.
    pub(crate) fn is_sent(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now.saturating_duration_since(last) < SILENT)
    }
}

/// Rate of a stream in bit/s: the larger of the last two windows.
#[derive(Debug, Default)]
pub(crate) struct RateMeter {
    since: Option<Instant>,
    bytes: u64,
    windows: [u64; 2],
}

impl RateMeter {
    pub(crate) fn add(&mut self, now: Instant, bytes: usize) {
        let since = *self.since.get_or_insert(now);
        let elapsed = now.saturating_duration_since(since);
        if elapsed >= WINDOW {
            self.windows = [self.bytes * 8_000 / elapsed.as_millis().max(1) as u64, self.windows[0]];
            (self.since, self.bytes) = (Some(now), 0);
        }
        self.bytes += bytes as u64;
    }

    /// In bit/s. In the first window, what has come so far counts as all of it.
    pub(crate) fn bits(&self) -> u64 {
        let measured = self.windows[0].max(self.windows[1]);
        if measured == 0 { self.bytes * 8_000 / WINDOW.as_millis() as u64 } else { measured }
    }
}

/// The packets since the last keyframe, for those who begin with it, and for those of its packets that overtook its first.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    packets: VecDeque<Packet>,
    bytes: usize,
    /// First packet of the keyframe, and its arrival.
    key: Option<(u64, Instant)>,
}

impl Recent {
    fn push(&mut self, now: Instant, packet: &Packet, vp8: Vp8) {
        if vp8.starts_keyframe && self.key.is_none_or(|(sequence, _)| packet.sequence > sequence) {
            self.key = Some((packet.sequence, now));
            self.packets.retain(|kept| kept.sequence > packet.sequence);
            self.bytes = self.packets.iter().map(|kept| kept.payload.len()).sum();
        }
        self.bytes += packet.payload.len();
        self.packets.push_back(packet.clone());
        while self.packets.len() > MAX_RECENT_PACKETS || self.bytes > MAX_RECENT_BYTES {
            let Some(oldest) = self.packets.pop_front() else { return };
            self.bytes -= oldest.payload.len();
            self.key = self.key.filter(|(sequence, _)| oldest.sequence < *sequence);
        }
    }

    /// The packets after `sequence` in order.
    pub(crate) fn after(&self, sequence: u64) -> Vec<Packet> {
        let mut packets: Vec<Packet> = self.packets.iter().filter(|kept| kept.sequence > sequence).cloned().collect();
        packets.sort_by_key(|kept| kept.sequence);
        packets.dedup_by_key(|kept| kept.sequence);
        packets
    }

    /// The first packet of a keyframe that is worth beginning with.
    pub(crate) fn keyframe(&self, now: Instant) -> Option<Packet> {
        let (sequence, _) = self.key.filter(|(_, at)| now.saturating_duration_since(*at) <= RECENT_KEYFRAME)?;
        self.packets.iter().find(|kept| kept.sequence == sequence).cloned()
    }
}

/// Makes one keyframe request of many.
#[derive(Debug, Default)]
pub(crate) struct KeyframeRequests {
    last: Option<Instant>,
    waits: bool,
}

impl KeyframeRequests {
    /// Somebody needs a keyframe. Returns whether to request it now; otherwise [`KeyframeRequests::poll`] will.
    pub(crate) fn request(&mut self, now: Instant) -> bool {
        self.waits = true;
        self.poll(now)
    }

    /// Whether to request a keyframe now.
    pub(crate) fn poll(&mut self, now: Instant) -> bool {
        let due = self.last.is_none_or(|last| now.saturating_duration_since(last) >= KEYFRAME_INTERVAL);
        if !self.waits || !due {
            return false;
        }
        (self.last, self.waits) = (Some(now), false);
        true
    }

    fn answered(&mut self) {
        self.waits = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn packet(sequence: u64, bytes: usize) -> Packet {
        let payload = Arc::from(vec![0; bytes]);
        Packet { ssrc: 1, sequence, timestamp: 0, marker: false, level: None, orientation: None, payload }
    }

    const KEY: Vp8 = Vp8 {
        picture: None,
        wide: false,
        base: None,
        temporal: 0,
        synchronized: false,
        starts_keyframe: true,
        height: None,
    };

    #[test]
    fn a_thousand_requests_become_one_a_second() {
        let (mut requests, start) = (KeyframeRequests::default(), Instant::now());
        let sent = (0..3_000).filter(|ms| requests.request(start + Duration::from_millis(*ms))).count();
        assert_eq!(sent, 3);
        assert!(!requests.poll(start + Duration::from_millis(2_999)));
        assert!(requests.poll(start + Duration::from_millis(3_000)), "those in between are not forgotten");
        assert!(!requests.poll(start + Duration::from_millis(9_000)), "answered");
    }

    #[test]
    fn packets_that_overtook_a_keyframe_are_kept() {
        let (mut encoding, now) = (Encoding::default(), Instant::now());
        for (sequence, vp8) in [(4, Vp8::default()), (6, Vp8::default()), (5, KEY), (7, Vp8::default())] {
            encoding.receive(now, &packet(sequence, 100), vp8);
        }
        let key = encoding.recent.keyframe(now).expect("a keyframe");
        let after: Vec<u64> = encoding.recent.after(key.sequence).iter().map(|kept| kept.sequence).collect();
        assert_eq!((key.sequence, after), (5, vec![6, 7]));
        assert!(encoding.recent.keyframe(now + RECENT_KEYFRAME + Duration::from_millis(1)).is_none(), "too old");
    }

    #[test]
    fn what_is_kept_is_bounded_in_packets_and_bytes() {
        let (mut recent, now) = (Recent::default(), Instant::now());
        recent.push(now, &packet(0, 10), KEY);
        (1..1_000).for_each(|n| recent.push(now, &packet(n, 10), Vp8::default()));
        assert_eq!(recent.packets.len(), MAX_RECENT_PACKETS);
        assert!(recent.keyframe(now).is_none(), "the keyframe is forgotten, not half of it");
        (1_000..2_000).for_each(|n| recent.push(now, &packet(n, 1_300), Vp8::default()));
        assert!(recent.bytes <= MAX_RECENT_BYTES);
    }

    #[test]
    fn a_rate_is_measured_over_half_a_second() {
        let (mut rate, start) = (RateMeter::default(), Instant::now());
        (0..200).for_each(|n| rate.add(start + Duration::from_millis(10 * n), 125));
        assert!((95_000..105_000).contains(&rate.bits()), "{}", rate.bits());
    }
}
