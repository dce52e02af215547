//! Assembles packets into frames, in decoding order.

use super::segments::{FrameRange, Segments, VideoPacket, WaitingPackets};
use crate::payload::FrameStart;
use bytes::{Bytes, BytesMut};
use media::encoded::{EncodedFrame, VideoCodec};
use std::time::Instant;

/// Most packets that wait for missing ones. When full, the older half is dropped, and a keyframe is needed.
const MAX_WAITING_PACKETS: usize = 2048;

/// The result of an insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inserted {
    New,
    /// Already received, or no longer needed.
    Duplicate,
    /// Inserted, after older packets were dropped.
    Overflow,
}

/// ```text
/// AwaitingKeyframe --complete keyframe--> Continuous --abandoned gap, truncated frame, overflow--> AwaitingKeyframe
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Only a keyframe can be delivered next.
    AwaitingKeyframe,
    /// The frame that starts with this packet is next.
    Continuous { next: u64 },
}

#[derive(Debug)]
pub(crate) struct Assembler {
    packets: WaitingPackets,
    /// The frames they belong to.
    segments: Segments,
    state: State,
    /// Smaller numbers were delivered or abandoned.
    floor: u64,
    codec: Option<VideoCodec>,
    tl0_pic_idx: Option<u8>,
    /// Higher temporal layers are dropped after a gap, until a frame allows switching up.
    highest_temporal: u8,
}

impl Assembler {
    pub(crate) fn new() -> Self {
        Assembler {
            packets: WaitingPackets::new(),
            segments: Segments::default(),
            state: State::AwaitingKeyframe,
            floor: 0,
            codec: None,
            tl0_pic_idx: None,
            highest_temporal: u8::MAX,
        }
    }

    pub(crate) fn insert(&mut self, number: u64, packet: Option<VideoPacket>) -> Inserted {
        if number < self.floor || self.packets.contains_key(&number) {
            return Inserted::Duplicate;
        }
        self.segments.insert(number, packet.as_ref());
        self.packets.insert(number, packet);
        if self.packets.len() <= MAX_WAITING_PACKETS {
            return Inserted::New;
        }
        if let Some(middle) = self.packets.keys().nth(MAX_WAITING_PACKETS / 2).copied() {
            self.drop_before(middle);
        }
        self.state = State::AwaitingKeyframe;
        Inserted::Overflow
    }

    /// Smaller numbers are no longer needed.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    pub(crate) fn is_awaiting_keyframe(&self) -> bool {
        self.state == State::AwaitingKeyframe
    }

    /// Whether packets wait. After [`Assembler::pop`] has returned `None`, they wait for missing ones.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.packets.is_empty()
    }

    /// The first packet that announces a keyframe.
    pub(crate) fn keyframe_start(&self) -> Option<u64> {
        self.segments.keyframe_start()
    }

    /// Withholds all frames until the next keyframe.
    pub(crate) fn await_keyframe(&mut self) {
        self.state = State::AwaitingKeyframe;
    }

    /// Abandons packets up to this one, and withholds all frames until the next keyframe.
    pub(crate) fn abandon_until(&mut self, number: u64) {
        self.drop_before(number + 1);
        self.state = State::AwaitingKeyframe;
    }

    /// Returns the next frame. `skip` allows skipping incomplete frames of upper temporal layers.
    pub(crate) fn pop(&mut self, skip: bool) -> Option<EncodedFrame> {
        loop {
            let frame = match self.state {
                State::AwaitingKeyframe => self.segments.complete_keyframe(),
                State::Continuous { next } => self
                    .pop_next(next)
                    .or_else(|| self.segments.complete_keyframe())
                    .or_else(|| if skip { self.pop_base() } else { None }),
            }?;
            if let Some(frame) = self.deliver(frame) {
                return Some(frame);
            }
        }
    }

    /// Finds the frame that starts with packet `next`, if it is complete.
    fn pop_next(&mut self, mut next: u64) -> Option<FrameRange> {
        if let Some(last) = self.segments.padding(next) {
            next = last + 1;
            self.drop_before(next);
            self.continue_at(next);
        }
        let frame_range = self.segments.frame_range(next)?;
        if frame_range.complete && self.packet(next)?.payload.frame_start != FrameStart::No {
            return Some(frame_range);
        }
        if !frame_range.complete {
            // The sender truncated the frame. All frames up to the next keyframe depend on it.
            self.drop_before(frame_range.last + 1);
        }
        self.state = State::AwaitingKeyframe;
        None
    }

    /// Finds the complete base layer frame that follows the last one delivered.
    fn pop_base(&self) -> Option<FrameRange> {
        let number = self.segments.base_layer_start(self.tl0_pic_idx?.wrapping_add(1))?;
        self.segments.frame_range(number).filter(|frame_range| frame_range.complete)
    }

    /// Removes the packets of a frame. Returns the frame if the decoder can use it.
    fn deliver(&mut self, frame_range: FrameRange) -> Option<EncodedFrame> {
        let skipped = self.state != State::Continuous { next: frame_range.first };
        let keyframe = self.is_keyframe(&frame_range);
        let first = self.packet(frame_range.first)?;
        let (codec, tl0_pic_idx, temporal, layer_sync) =
            (first.codec, first.payload.tl0_pic_idx, first.payload.temporal, first.payload.layer_sync);
        let frame = self.build_frame(&frame_range, keyframe);
        self.drop_before(frame_range.last + 1);
        if !keyframe && self.codec != Some(codec) {
            self.state = State::AwaitingKeyframe;
            return None;
        }
        self.continue_at(frame_range.last + 1);
        if keyframe {
            self.highest_temporal = u8::MAX;
        } else if skipped {
            self.highest_temporal = 0;
        } else if layer_sync && temporal == self.highest_temporal.saturating_add(1) {
            self.highest_temporal = temporal;
        }
        self.codec = Some(codec);
        self.tl0_pic_idx = tl0_pic_idx.or(self.tl0_pic_idx.filter(|_| !keyframe));
        frame.filter(|_| temporal <= self.highest_temporal)
    }

    fn continue_at(&mut self, next: u64) {
        self.state = State::Continuous { next };
        self.floor = self.floor.max(next);
    }

    fn drop_before(&mut self, number: u64) {
        while let Some(first) = self.packets.first_entry().filter(|first| *first.key() < number) {
            let (number, packet) = first.remove_entry();
            if let Some(packet) = packet {
                self.segments.remove_base_layer_start(number, &packet);
            }
        }
        self.segments.drop_before(number, &self.packets);
        self.floor = self.floor.max(number);
    }

    fn packet(&self, number: u64) -> Option<&VideoPacket> {
        self.packets.get(&number)?.as_ref()
    }

    fn is_keyframe(&self, frame_range: &FrameRange) -> bool {
        let mut packets =
            self.packets.range(frame_range.first..=frame_range.last).filter_map(|(_, packet)| packet.as_ref());
        packets.any(|packet| packet.payload.keyframe)
    }

    /// When the last packet of the frame arrived that the path did not lose. If it lost all of them, the arrival of the first
    /// later packet.
    fn arrival(&self, frame_range: &FrameRange) -> Option<Instant> {
        let arrivals = |numbers: std::ops::RangeInclusive<u64>| {
            let packets = self.packets.range(numbers).filter_map(|(_, packet)| packet.as_ref());
            packets.filter(|packet| !packet.recovered).map(|packet| packet.arrived)
        };
        arrivals(frame_range.first..=frame_range.last)
            .max()
            .or_else(|| arrivals(frame_range.last + 1..=u64::MAX).next())
    }

    fn build_frame(&self, frame_range: &FrameRange, keyframe: bool) -> Option<EncodedFrame> {
        let packets =
            || self.packets.range(frame_range.first..=frame_range.last).filter_map(|(_, packet)| packet.as_ref());
        let first = packets().next()?;
        let (width, height) = packets().filter_map(|p| p.payload.size).last().unwrap_or((0, 0));
        Some(EncodedFrame {
            codec: first.codec,
            data: concatenate(packets().map(|p| &p.payload.data)),
            keyframe,
            rtp_timestamp: first.timestamp,
            width: u32::from(width),
            height: u32::from(height),
            layer: 0,
            temporal: first.payload.temporal,
            time: self.arrival(frame_range).unwrap_or(first.arrived),
            captured: None,
            source: packets().find_map(|packet| packet.source),
        })
    }
}

fn concatenate<'a>(payloads: impl Iterator<Item = &'a Bytes> + Clone) -> Bytes {
    let mut all = BytesMut::with_capacity(payloads.clone().map(Bytes::len).sum());
    payloads.for_each(|payload| all.extend_from_slice(payload));
    all.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::ParsedPayload;
    use proptest::prelude::*;
    use std::time::Instant;

    struct Spec {
        timestamp: u32,
        frame_start: FrameStart,
        marker: bool,
        keyframe: bool,
        layer: (u8, Option<u8>),
    }

    fn packet(spec: &Spec) -> Option<VideoPacket> {
        let Spec { timestamp, frame_start, marker, keyframe, layer: (temporal, tl0_pic_idx) } = *spec;
        let data = Bytes::from_static(b"x");
        let payload =
            ParsedPayload { frame_start, keyframe, temporal, tl0_pic_idx, layer_sync: false, size: None, data };
        Some(VideoPacket {
            codec: VideoCodec::Vp8,
            timestamp,
            marker,
            arrived: Instant::now(),
            recovered: false,
            source: None,
            payload,
        })
    }

    /// A frame in one packet.
    fn single(timestamp: u32, keyframe: bool, layer: (u8, Option<u8>)) -> Option<VideoPacket> {
        packet(&Spec { timestamp, frame_start: FrameStart::Yes, marker: true, keyframe, layer })
    }

    fn pop_all(assembler: &mut Assembler, skip: bool) -> Vec<u32> {
        std::iter::from_fn(|| assembler.pop(skip)).map(|f| f.rtp_timestamp).collect()
    }

    #[test]
    fn the_first_frame_is_a_keyframe() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, false, (0, None)));
        assembler.insert(11, single(2, true, (0, None)));
        assembler.insert(12, single(3, false, (0, None)));
        assert_eq!(pop_all(&mut assembler, false), [2, 3]);
    }

    #[test]
    fn a_gap_blocks_later_frames_until_it_is_filled() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, true, (0, None)));
        assembler.insert(12, single(3, false, (0, None)));
        assert_eq!(pop_all(&mut assembler, true), [1]);
        assert!(assembler.is_blocked());
        assembler.insert(11, single(2, false, (0, None)));
        assert_eq!(pop_all(&mut assembler, true), [2, 3]);
        assert_eq!(assembler.insert(11, None), Inserted::Duplicate);
    }

    #[test]
    fn a_keyframe_supersedes_a_gap() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, true, (0, None)));
        assembler.insert(12, single(3, false, (0, None)));
        assembler.insert(14, single(5, true, (0, None)));
        assert_eq!(pop_all(&mut assembler, false), [1, 5]);
        assert_eq!(assembler.floor(), 15);
    }

    #[test]
    fn padding_fills_a_gap() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, true, (0, None)));
        assembler.insert(11, None);
        assembler.insert(12, single(2, false, (0, None)));
        assert_eq!(pop_all(&mut assembler, false), [1, 2]);
    }

    #[test]
    fn a_truncated_frame_requires_a_keyframe() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, true, (0, None)));
        let truncated =
            Spec { timestamp: 2, frame_start: FrameStart::Yes, marker: false, keyframe: false, layer: (0, None) };
        assembler.insert(11, packet(&truncated));
        assembler.insert(12, single(3, false, (0, None)));
        assert_eq!(pop_all(&mut assembler, false), [1]);
        assert!(assembler.is_awaiting_keyframe());
        assembler.insert(13, single(4, true, (0, None)));
        assert_eq!(pop_all(&mut assembler, false), [4]);
    }

    #[test]
    fn a_lost_upper_layer_is_skipped_if_allowed() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, true, (0, Some(7))));
        assembler.insert(12, single(3, false, (0, Some(8))));
        assembler.insert(13, single(4, false, (1, Some(8))));
        assembler.insert(14, single(5, false, (0, Some(9))));
        assert_eq!(pop_all(&mut assembler, false), [1]);
        // The upper layer after the gap may depend on the lost frame.
        assert_eq!(pop_all(&mut assembler, true), [3, 5]);
    }

    #[test]
    fn a_lost_base_layer_is_never_skipped() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, true, (0, Some(7))));
        assembler.insert(12, single(3, false, (0, Some(9))));
        assert_eq!(pop_all(&mut assembler, true), [1]);
    }

    #[test]
    fn waiting_packets_are_bounded() {
        let mut assembler = Assembler::new();
        assembler.insert(1, single(1, true, (0, None)));
        assert!(assembler.pop(false).is_some());
        let overflows =
            (3..10_000).filter(|n| assembler.insert(*n, single(*n as u32, false, (0, None))) == Inserted::Overflow);
        assert!(overflows.count() > 0);
        assert!(assembler.packets.len() <= MAX_WAITING_PACKETS);
        assert!(assembler.is_awaiting_keyframe());
    }

    /// Reference implementation: finds the packets of a frame by a scan of all packets.
    fn frame_by_scan(packets: &WaitingPackets, first: u64) -> Option<FrameRange> {
        let head = packets.get(&first)?.as_ref()?;
        let mut last = first;
        for (offset, (number, packet)) in packets.range(first..).enumerate() {
            if *number != first + offset as u64 {
                return None;
            }
            let Some(packet) = packet else { continue };
            if packet.timestamp != head.timestamp || packet.codec != head.codec {
                let complete = head.codec == VideoCodec::H264 && packet.payload.frame_start != FrameStart::No;
                return Some(FrameRange { first, last, complete });
            }
            last = *number;
            if packet.marker {
                return Some(FrameRange { first, last, complete: true });
            }
        }
        None
    }

    fn keyframe_by_scan(assembler: &Assembler) -> Option<FrameRange> {
        let packets = &assembler.packets;
        let may_start = |number: u64| {
            let Some(packet) = assembler.packet(number) else { return false };
            match packet.payload.frame_start {
                FrameStart::Yes => packet.payload.keyframe || packet.codec == VideoCodec::H264,
                FrameStart::No => false,
                FrameStart::Unknown => {
                    let before = number.checked_sub(1).and_then(|before| assembler.packet(before));
                    before.is_some_and(|before| before.marker || before.timestamp != packet.timestamp)
                        || assembler.floor == number
                }
            }
        };
        let mut starts = packets.keys().copied().filter(|number| may_start(*number));
        starts.find_map(|n| {
            frame_by_scan(packets, n).filter(|frame_range| frame_range.complete && assembler.is_keyframe(frame_range))
        })
    }

    proptest! {
        /// The incremental result equals that of a scan, for any packets in any order.
        #[test]
        fn segments_agree_with_a_scan_of_all_packets(
            codec in prop_oneof![Just(VideoCodec::Vp8), Just(VideoCodec::H264)],
            packets in prop::collection::vec((0u64..40, 0u32..4, 0u8..3, any::<(bool, bool)>(), 0u8..6), 0..120),
            skip in any::<bool>(),
        ) {
            let mut assembler = Assembler::new();
            for (number, timestamp, frame_start, (marker, keyframe), kind) in packets {
                let frame_start = [FrameStart::Yes, FrameStart::No, FrameStart::Unknown][usize::from(frame_start)];
                let layer = (0, Some(kind));
                // Adjacent packets mostly belong to one frame.
                let spec = Spec { timestamp: timestamp + number as u32 / 8, frame_start, marker: marker && kind > 2, keyframe, layer };
                let packet = packet(&spec).filter(|_| kind > 0).map(|packet| VideoPacket { codec, ..packet });
                assembler.insert(number, packet);
                for (number, packet) in &assembler.packets {
                    if packet.is_some() {
                        prop_assert_eq!(assembler.segments.frame_range(*number), frame_by_scan(&assembler.packets, *number));
                    }
                }
                prop_assert_eq!(assembler.segments.complete_keyframe(), keyframe_by_scan(&assembler));
                let announces_keyframe = |p: &VideoPacket| p.payload.keyframe || codec == VideoCodec::H264 && p.payload.frame_start == FrameStart::Yes;
                let first = assembler.packets.iter().find(|(_, p)| p.as_ref().is_some_and(announces_keyframe)).map(|(n, _)| *n);
                prop_assert_eq!(assembler.keyframe_start(), first);
                assembler.pop(skip);
                prop_assert_eq!(assembler.segments.complete_keyframe(), keyframe_by_scan(&assembler));
            }
        }
    }

    #[test]
    fn the_cost_of_a_packet_does_not_depend_on_how_many_wait() {
        let spec = Spec { timestamp: 7, frame_start: FrameStart::Yes, marker: false, keyframe: true, layer: (0, None) };
        let orders: [fn(u64) -> u64; 3] = [|n| n, |n| 20_000 - n, |n| n * 7919 % 10_007];
        for order in orders {
            for variant in
                [Spec { ..spec }, Spec { frame_start: FrameStart::Unknown, ..spec }, Spec { keyframe: false, ..spec }]
            {
                let mut assembler = Assembler::new();
                for n in 0..10_000 {
                    assembler.insert(order(n), packet(&variant));
                    assembler.pop(true);
                }
                let per_packet = assembler.segments.steps / 10_000;
                assert!(per_packet <= 8, "{per_packet} steps");
            }
        }
    }
}
