//! A subscriber of our pictures, and the encoding that suits it.

use super::{EncodingKey, LEAST_FOR_VIDEO};
use crate::access::Sending;
use crate::codec_choice::{CodecChoice, Conditions};
use crate::data_saver;
use crate::ladder::{self, RecentPeak, Size};
use crate::slowness::Slowness;
use peer::MediaOut;
use signaling::message::{ParticipantId, Resolution};
use std::time::Instant;

/// A connection that is established.
pub(super) struct Subscriber {
    pub(super) id: ParticipantId,
    pub(super) media: MediaOut,
    /// The largest size that the subscriber can use.
    pub(super) most: Option<Resolution>,
    /// The target bitrate for video, as far as it determines the size: a size is not changed for a moment.
    pub(super) steady_target: RecentPeak,
    pub(super) codec: CodecChoice,
    pub(super) slowness: Slowness,
    /// What the subscriber can receive of its encoding, bit/s.
    pub(super) bitrate: u64,
    /// Whether it receives only the base temporal layer: every other frame.
    pub(super) base_only: bool,
    /// The encoding that the subscriber receives. A switch to another one starts with a keyframe.
    pub(super) encoding: Option<EncodingKey>,
}

impl Subscriber {
    /// Whether the picture is displayed.
    pub(super) fn looks(&self) -> bool {
        self.most.is_none_or(|most| !most.is_none())
    }

    /// Whether a frame of this temporal layer is for the subscriber.
    pub(super) fn receives(&self, temporal: u8) -> bool {
        temporal == 0 || !self.base_only
    }

    /// What the subscriber is sent.
    pub(super) fn sending(&self) -> Sending {
        match self.encoding {
            Some(_) => Sending::Video,
            None if self.looks() && !self.media.video_codecs().is_empty() => Sending::Paused,
            None => Sending::Nothing,
        }
    }

    /// The encoding that suits this subscriber now, and its bitrate. `None` if nothing is to be sent. `refused`: the
    /// uplink is too narrow for this one too.
    pub(super) fn wish(&mut self, now: Instant, view: View, refused: bool) -> Option<(EncodingKey, u64)> {
        if refused || !self.looks() {
            self.media.set_desired_bitrate(self.media.sound_bitrate());
            return None;
        }
        let accepted = self.media.video_codecs();
        let sound = self.media.sound_bitrate();
        let target = self.media.camera_bitrate();
        let steady_target = self.steady_target.add(now, target);
        let top = ladder::covering(view.source, self.most, view.alone);
        let top = ladder::reduced(view.source, top, view.reductions, view.alone);
        self.media.set_desired_bitrate(view.most_useful(top) + sound);
        let before = self.encoding.map(|encoding| encoding.size);
        let size = ladder::choose(view.source, top, steady_target, before, view.alone);
        let codec = self.codec.choose(now, &accepted, view.conditions(size, steady_target, &self.media))?;
        // Below the floor, the pacer's queue grows, and frames are skipped instead.
        let bitrate = target.max(ladder::floor(size)).min(view.most_useful(size));
        (steady_target >= LEAST_FOR_VIDEO).then_some((EncodingKey { codec, size }, bitrate))
    }

    /// Takes the next smaller size if this subscriber would hold back others with the same encoding.
    pub(super) fn yield_to_faster(
        &mut self,
        now: Instant,
        view: View,
        (key, bitrate): (EncodingKey, u64),
        wishes: &[Option<(EncodingKey, u64)>],
    ) -> (EncodingKey, u64) {
        let same = wishes.iter().flatten().filter(|(other, _)| *other == key);
        let highest = same.clone().map(|(_, bitrate)| *bitrate).max().unwrap_or(bitrate);
        if !self.slowness.update(now, bitrate, highest) || same.count() < 2 {
            return (key, bitrate);
        }
        let size = ladder::reduced(view.source, key.size, 1, view.alone);
        (EncodingKey { size, ..key }, bitrate.min(view.most_useful(size)))
    }
}

/// What all subscribers share.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    /// The camera's size, within the limits.
    pub(super) source: Size,
    pub(super) fps: u32,
    pub(super) saves_data: bool,
    /// Whether only one subscriber looks.
    pub(super) alone: bool,
    /// Whether all that look are our clients, so that they share encoders.
    pub(super) ours: bool,
    /// How many times the size was reduced because encoding takes too long.
    pub(super) reductions: usize,
}

impl View {
    /// The rate above which this size is not sent, bit/s.
    pub(super) fn most_useful(self, size: Size) -> u64 {
        let useful = ladder::most_useful(size, self.fps);
        if self.saves_data { useful.min(data_saver::CAMERA) } else { useful }
    }

    pub(super) fn conditions(self, size: Size, target: u64, media: &MediaOut) -> Conditions {
        Conditions {
            target,
            most_useful: self.most_useful(size),
            alone: self.alone,
            overloaded: self.reductions > 0,
            ours: self.ours && media.repairs(),
        }
    }
}
