//! What one person receives: their slots, and what they want to see.

use std::time::{Duration, Instant};

use layers::Temporal;

use crate::forwarder::Forwarder;
use crate::limits::{MAX_AUDIO_SLOTS, MAX_VIDEO_SLOTS};
use crate::packet::{Kind, ParticipantId, Source};
use crate::rate::Meter;

/// Estimate of a downlink until the connection has one, in bit/s.
pub(crate) const FIRST_ESTIMATE: u64 = 500_000;
/// After a picture became smaller, it does not become larger for this long: each change costs a keyframe.
const HOLD: Duration = Duration::from_secs(3);

/// A picture that a person wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Whose camera or screen.
    pub source: Source,
    /// Height of the tile in device pixels.
    pub height: u32,
    /// Higher ones are served first.
    pub priority: u8,
}

/// One person's slots.
#[derive(Debug, Default)]
pub(crate) struct Receiver {
    /// Estimate of the downlink in bit/s.
    pub(crate) estimate: Option<u64>,
    pub(crate) audio: Vec<AudioSlot>,
    pub(crate) video: Vec<VideoSlot>,
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) changes: Meter,
    /// The rate that was last asked of the connection.
    pub(crate) desired: u64,
}

/// A place for a voice.
#[derive(Debug)]
pub(crate) struct AudioSlot {
    pub(crate) from: Option<ParticipantId>,
    /// The publisher's SSRC that is forwarded.
    pub(crate) ssrc: u32,
    pub(crate) forwarder: Forwarder,
}

/// A place for a picture.
#[derive(Debug)]
pub(crate) struct VideoSlot {
    pub(crate) source: Option<Source>,
    /// The encoding to be sent, with its temporal layers. `None` if there is no room for any.
    pub(crate) target: Option<(u8, Temporal)>,
    /// The encoding that is sent, and its epoch.
    pub(crate) running: Option<(u8, u32)>,
    pub(crate) forwarder: Forwarder,
    pub(crate) requests: Meter,
    lowered: Option<Instant>,
}

impl Receiver {
    /// Gives the person this many slots, as far as the limits allow. Existing ones begin anew.
    pub(crate) fn open(&mut self, audio: usize, video: usize) {
        self.audio = (0..audio.min(MAX_AUDIO_SLOTS)).map(|_| AudioSlot::new()).collect();
        self.video = (0..video.min(MAX_VIDEO_SLOTS)).map(|_| VideoSlot::new()).collect();
    }

    /// Sets what is wanted: each picture once, and no more than there are slots for.
    pub(crate) fn want(&mut self, wanted: &[Wanted]) {
        self.wanted.clear();
        for one in wanted {
            if self.wanted.len() >= MAX_VIDEO_SLOTS {
                return;
            }
            if one.source.kind != Kind::Audio && self.wanted.iter().all(|other| other.source != one.source) {
                self.wanted.push(*one);
            }
        }
    }

    /// Gives each wanted picture that `exists` a slot, and returns the slots that changed. Pictures keep their slot.
    pub(crate) fn assign(&mut self, exists: impl Fn(Source) -> bool) -> Vec<u8> {
        let Receiver { video, wanted, .. } = self;
        let mut changed = Vec::new();
        let count = video.len();
        let wanted: Vec<Source> = wanted.iter().map(|one| one.source).filter(|one| exists(*one)).take(count).collect();
        for (index, slot) in video.iter_mut().enumerate() {
            if slot.source.is_some_and(|source| !wanted.contains(&source)) {
                slot.assign(None);
                changed.push(index as u8);
            }
        }
        for source in wanted {
            if video.iter().any(|slot| slot.source == Some(source)) {
                continue;
            }
            let Some(index) = video.iter().position(|slot| slot.source.is_none()) else { break };
            video[index].assign(Some(source));
            changed.push(index as u8);
        }
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// The estimate of the downlink in bit/s, less a reserve for RTCP, headers and retransmissions.
    pub(crate) fn available(&self) -> u64 {
        self.estimate.unwrap_or(FIRST_ESTIMATE) / 100 * 92
    }
}

impl AudioSlot {
    fn new() -> AudioSlot {
        AudioSlot { from: None, ssrc: 0, forwarder: Forwarder::new(Kind::Audio.clock(), 1, 0, 0) }
    }

    pub(crate) fn assign(&mut self, from: Option<ParticipantId>) {
        self.from = from;
        self.forwarder.stop();
    }
}

impl VideoSlot {
    fn new() -> VideoSlot {
        VideoSlot {
            source: None,
            target: None,
            running: None,
            forwarder: Forwarder::new(Kind::Camera.clock(), 1, 0, 0),
            requests: Meter::default(),
            lowered: None,
        }
    }

    fn assign(&mut self, source: Option<Source>) {
        (self.source, self.target, self.lowered) = (source, None, None);
        self.interrupt();
    }

    /// Sends nothing more until the next keyframe.
    pub(crate) fn interrupt(&mut self) {
        self.running = None;
        self.forwarder.stop();
    }

    /// Sets the encoding to be sent.
    pub(crate) fn aim(&mut self, now: Instant, target: Option<(u8, Temporal)>) {
        let layer = |aim: Option<(u8, Temporal)>| aim.map_or(-1, |(layer, _)| i16::from(layer));
        if layer(target) < layer(self.target) {
            self.lowered = Some(now);
        }
        self.target = target;
        if target.is_none() {
            self.interrupt();
        }
    }

    /// The largest encoding that may be sent.
    pub(crate) fn ceiling(&self, now: Instant) -> u8 {
        let held = self.lowered.is_some_and(|at| now.saturating_duration_since(at) < HOLD);
        if held { self.target.map_or(0, |(layer, _)| layer) } else { u8::MAX }
    }

    /// The highest temporal layer to be sent. `top` is the highest of the running encoding. While a smaller encoding is
    /// awaited, only the base is sent.
    pub(crate) fn highest(&self, top: u8) -> u8 {
        match (self.target, self.running) {
            (Some((target, _)), Some((running, _))) if target < running => 0,
            (Some((_, Temporal::Base)), _) => top.saturating_sub(1),
            _ => u8::MAX,
        }
    }
}
