//! Groups waiting packets into frames incrementally, so that the cost of a packet does not depend on how many wait.
//!
//! A segment is a range of consecutive packets of one frame. It ends at a marker, or before a packet of another frame.
//! Padding belongs to the segment before it.

use crate::payload::{FrameStart, ParsedPayload};
use media::encoded::VideoCodec;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// A packet of a video stream.
#[derive(Debug)]
pub(crate) struct VideoPacket {
    pub(crate) codec: VideoCodec,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) arrived: Instant,
    /// Whether it was retransmitted or restored. Its arrival time then says nothing about the delay of the path.
    pub(crate) recovered: bool,
    /// Whose it is, by its header.
    pub(crate) source: Option<u32>,
    pub(crate) payload: ParsedPayload,
}

/// Waiting packets by extended sequence number. `None` is padding, which belongs to no frame.
pub(super) type WaitingPackets = BTreeMap<u64, Option<VideoPacket>>;

/// The packets of a frame from `first` to `last`, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameRange {
    pub(super) first: u64,
    pub(super) last: u64,
    /// Whether the range includes the end of the frame. If not, the sender truncated the frame.
    pub(super) complete: bool,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    /// Its last number, including padding.
    last: u64,
    /// RTP timestamp and codec. `None` if it contains only padding.
    frame: Option<(u32, VideoCodec)>,
    /// Its last number, excluding padding.
    last_media: u64,
    /// Whether its last media packet has the marker bit.
    has_marker: bool,
    /// Whether its first packet starts a frame.
    frame_start: FrameStart,
    /// Its first packet that starts a frame and may start a keyframe.
    start: Option<u64>,
    /// Its last packet that shows a keyframe.
    keyframe: Option<u64>,
}

impl Segment {
    fn new(number: u64, packet: Option<&VideoPacket>) -> Segment {
        let starts_keyframe = |p: &VideoPacket| {
            p.payload.frame_start == FrameStart::Yes && (p.payload.keyframe || p.codec == VideoCodec::H264)
        };
        Segment {
            last: number,
            frame: packet.map(|p| (p.timestamp, p.codec)),
            last_media: number,
            has_marker: packet.is_some_and(|p| p.marker),
            frame_start: packet.map_or(FrameStart::No, |p| p.payload.frame_start),
            start: packet.filter(|p| starts_keyframe(p)).map(|_| number),
            keyframe: packet.filter(|p| p.payload.keyframe).map(|_| number),
        }
    }

    /// Appends the segment that follows directly, if it belongs to the same frame. Returns whether it does.
    fn try_join(&mut self, next: &Segment) -> bool {
        if next.frame.is_none() {
            self.last = next.last;
            return true;
        }
        if self.frame != next.frame || self.has_marker {
            return false;
        }
        (self.last, self.last_media, self.has_marker) = (next.last, next.last_media, next.has_marker);
        self.start = self.start.or(next.start);
        self.keyframe = next.keyframe.or(self.keyframe);
        true
    }
}

/// Segments by their first number.
#[derive(Debug, Default)]
pub(super) struct Segments {
    segments: BTreeMap<u64, Segment>,
    /// Complete keyframes: the first packet of the segment, and the first packet of the keyframe.
    keyframes: BTreeMap<u64, u64>,
    /// Packets that announce a keyframe.
    keyframe_packets: BTreeSet<u64>,
    /// Packets that start a base layer frame, with its TL0PICIDX.
    base_layer_starts: BTreeSet<(u8, u64)>,
    /// Smaller numbers have been dropped.
    floor: u64,
    /// Segments visited, for tests of the cost of a packet.
    #[cfg(test)]
    pub(super) steps: usize,
}

impl Segments {
    /// Adds a packet.
    pub(super) fn insert(&mut self, number: u64, packet: Option<&VideoPacket>) {
        if let Some(packet) = packet {
            if announces_keyframe(packet) {
                self.keyframe_packets.insert(number);
            }
            self.base_layer_starts.extend(base_layer_start(packet).map(|tl0_pic_idx| (tl0_pic_idx, number)));
        }
        self.segments.insert(number, Segment::new(number, packet));
        let first = self.preceding(number).filter(|first| self.try_join(*first)).unwrap_or(number);
        // After a join, the next segment may also belong to the same frame.
        while self.try_join(first) {}
        let after = self.segments.get(&first).map(|segment| segment.last + 1);
        for first in [self.preceding(first), Some(first), after].into_iter().flatten() {
            self.update_keyframe(first);
        }
    }

    /// Drops smaller numbers, which `packets` no longer contains.
    pub(super) fn drop_before(&mut self, number: u64, packets: &WaitingPackets) {
        while let Some((&first, &segment)) = self.segments.first_key_value().filter(|(first, _)| **first < number) {
            self.count_step();
            self.segments.remove(&first);
            self.keyframes.remove(&first);
            if segment.last >= number {
                let rest =
                    packets.range(number..=segment.last).map(|(n, packet)| (*n, Segment::new(*n, packet.as_ref())));
                let mut built: Vec<(u64, Segment)> = Vec::new();
                for (n, segment) in rest {
                    if !built.last_mut().is_some_and(|(_, last)| last.try_join(&segment)) {
                        built.push((n, segment));
                    }
                }
                let firsts: Vec<u64> = built.iter().map(|(n, _)| *n).collect();
                self.segments.extend(built);
                firsts.into_iter().for_each(|first| self.update_keyframe(first));
            }
        }
        while self.keyframe_packets.first().is_some_and(|first| *first < number) {
            self.keyframe_packets.pop_first();
        }
        self.floor = self.floor.max(number);
        self.update_keyframe(self.floor);
    }

    /// Removes a packet from the starts of base layer frames.
    pub(super) fn remove_base_layer_start(&mut self, number: u64, packet: &VideoPacket) {
        if let Some(tl0_pic_idx) = base_layer_start(packet) {
            self.base_layer_starts.remove(&(tl0_pic_idx, number));
        }
    }

    /// The packets of a frame from the media packet `first` to its end. `None` if packets are missing.
    pub(super) fn frame_range(&self, first: u64) -> Option<FrameRange> {
        let (_, segment) =
            self.segments.range(..=first).next_back().filter(|(_, segment)| segment.last_media >= first)?;
        let (last, (_, codec)) = (segment.last_media, segment.frame?);
        if segment.has_marker {
            return Some(FrameRange { first, last, complete: true });
        }
        let next = self.segments.get(&(segment.last + 1))?;
        // Some H.264 senders do not set the marker bit. The other formats signal the start of a frame.
        Some(FrameRange { first, last, complete: codec == VideoCodec::H264 && next.frame_start != FrameStart::No })
    }

    /// The first complete keyframe.
    pub(super) fn complete_keyframe(&self) -> Option<FrameRange> {
        self.keyframes.first_key_value().and_then(|(_, start)| self.frame_range(*start))
    }

    /// The first packet that announces a keyframe.
    pub(super) fn keyframe_start(&self) -> Option<u64> {
        self.keyframe_packets.first().copied()
    }

    /// The first packet of the base layer frame with this TL0PICIDX.
    pub(super) fn base_layer_start(&self, tl0_pic_idx: u8) -> Option<u64> {
        self.base_layer_starts.range((tl0_pic_idx, 0)..=(tl0_pic_idx, u64::MAX)).next().map(|(_, number)| *number)
    }

    /// The last number of the padding that starts at this number, if there is any.
    pub(super) fn padding(&self, first: u64) -> Option<u64> {
        self.segments.get(&first).filter(|segment| segment.frame.is_none()).map(|segment| segment.last)
    }

    /// The first number of the segment that ends directly before this number.
    fn preceding(&self, number: u64) -> Option<u64> {
        let (first, segment) = self.segments.range(..number).next_back()?;
        (segment.last + 1 == number).then_some(*first)
    }

    /// Joins a segment with the one that follows directly, if both belong to the same frame. Returns whether it did.
    fn try_join(&mut self, first: u64) -> bool {
        self.count_step();
        let Some(mut segment) = self.segments.get(&first).copied() else { return false };
        let after = segment.last + 1;
        let joined = self.segments.get(&after).is_some_and(|next| segment.try_join(next));
        if joined {
            self.segments.remove(&after);
            self.keyframes.remove(&after);
            self.segments.insert(first, segment);
        }
        joined
    }

    /// Updates whether a segment is a complete keyframe.
    fn update_keyframe(&mut self, first: u64) {
        self.count_step();
        let start = self.segments.get(&first).copied().and_then(|segment| {
            let start = if self.may_start_frame(first, &segment) { Some(first) } else { segment.start }?;
            let complete = self.frame_range(start)?.complete;
            (complete && segment.keyframe.is_some_and(|keyframe| keyframe >= start)).then_some(start)
        });
        match start {
            Some(start) => self.keyframes.insert(first, start),
            None => self.keyframes.remove(&first),
        };
    }

    /// Whether a packet that does not signal the start of a frame starts one, because the previous frame has ended.
    fn may_start_frame(&self, first: u64, segment: &Segment) -> bool {
        let ends = |preceding: u64| {
            self.segments.get(&preceding).is_some_and(|s| s.frame.is_some() && s.last_media + 1 == first)
        };
        segment.frame_start == FrameStart::Unknown
            && segment.frame.is_some()
            && (self.floor == first || self.preceding(first).is_some_and(ends))
    }

    fn count_step(&mut self) {
        #[cfg(test)]
        {
            self.steps += 1;
        }
    }
}

fn announces_keyframe(packet: &VideoPacket) -> bool {
    packet.payload.keyframe || packet.codec == VideoCodec::H264 && packet.payload.frame_start == FrameStart::Yes
}

fn base_layer_start(packet: &VideoPacket) -> Option<u8> {
    packet.payload.tl0_pic_idx.filter(|_| packet.payload.frame_start == FrameStart::Yes && packet.payload.temporal == 0)
}
