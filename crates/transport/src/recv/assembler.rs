//! Packets to frames, in an order that a decoder can use.

use super::segments::{Piece, Pieces, Run, Segments};
use crate::payload::Begins;
use bytes::{Bytes, BytesMut};
use media::encoded::{EncodedFrame, VideoCodec};
use std::time::Instant;

/// Packets that wait for others. When full the older half goes, and a keyframe is needed.
const PACKETS: usize = 2048;

/// What an insertion was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inserted {
    New,
    /// Held already, or no longer needed.
    Useless,
    /// It made room by throwing others away.
    Overflow,
}

/// ```text
/// Lost --complete keyframe--> Following --a gap given up, a truncated frame, overflow--> Lost
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Only a keyframe can be delivered.
    Lost,
    /// The frame that begins with this packet is next.
    Following { next: u64 },
}

#[derive(Debug)]
pub(crate) struct Assembler {
    pieces: Pieces,
    /// Which of them belong together.
    segments: Segments,
    state: State,
    /// Numbers below were delivered or given up.
    floor: u64,
    codec: Option<VideoCodec>,
    tl0: Option<u8>,
    /// Temporal layers above were left at a gap, until a frame allows to go up again.
    highest_temporal: u8,
}

impl Assembler {
    pub(crate) fn new() -> Self {
        Assembler {
            pieces: Pieces::new(),
            segments: Segments::default(),
            state: State::Lost,
            floor: 0,
            codec: None,
            tl0: None,
            highest_temporal: u8::MAX,
        }
    }

    pub(crate) fn insert(&mut self, number: u64, piece: Option<Piece>) -> Inserted {
        if number < self.floor || self.pieces.contains_key(&number) {
            return Inserted::Useless;
        }
        self.segments.insert(number, piece.as_ref());
        self.pieces.insert(number, piece);
        if self.pieces.len() <= PACKETS {
            return Inserted::New;
        }
        if let Some(middle) = self.pieces.keys().nth(PACKETS / 2).copied() {
            self.drop_before(middle);
        }
        self.state = State::Lost;
        Inserted::Overflow
    }

    /// Numbers below are of no use.
    pub(crate) fn floor(&self) -> u64 {
        self.floor
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// Packets wait, but no frame can be delivered.
    pub(crate) fn is_blocked(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Where the first keyframe begins of which a packet is there that says so.
    pub(crate) fn keyframe_begins(&self) -> Option<u64> {
        self.segments.keyframe_begins()
    }

    /// Only a keyframe helps now.
    pub(crate) fn lose(&mut self) {
        self.state = State::Lost;
    }

    /// This packet will never come: only a keyframe after it helps.
    pub(crate) fn lose_until(&mut self, number: u64) {
        self.drop_before(number + 1);
        self.state = State::Lost;
    }

    /// The next frame. `skip` allows leaving out upper temporal layers that are incomplete.
    pub(crate) fn pop(&mut self, skip: bool) -> Option<EncodedFrame> {
        loop {
            let frame = match self.state {
                State::Lost => self.segments.keyframe(),
                State::Following { next } => self
                    .pop_next(next)
                    .or_else(|| self.segments.keyframe())
                    .or_else(|| if skip { self.pop_base() } else { None }),
            }?;
            if let Some(frame) = self.admit(frame) {
                return Some(frame);
            }
        }
    }

    /// The frame at its place, if it is whole.
    fn pop_next(&mut self, mut next: u64) -> Option<Run> {
        if let Some(last) = self.segments.padding(next) {
            next = last + 1;
            self.drop_before(next);
            self.follow(next);
        }
        let run = self.segments.run(next)?;
        if run.whole && self.piece(next)?.part.begins != Begins::No {
            return Some(run);
        }
        if !run.whole {
            // Truncated by its sender: what follows rests on it, unless it is a keyframe.
            self.drop_before(run.last + 1);
        }
        self.state = State::Lost;
        None
    }

    /// A whole base layer frame that directly follows the last one delivered.
    fn pop_base(&self) -> Option<Run> {
        let number = self.segments.base(self.tl0?.wrapping_add(1))?;
        self.segments.run(number).filter(|run| run.whole)
    }

    /// Takes a run out; gives it as a frame if the decoder can use it.
    fn admit(&mut self, run: Run) -> Option<EncodedFrame> {
        let skipped = self.state != State::Following { next: run.first };
        let keyframe = self.is_keyframe(&run);
        let first = self.piece(run.first)?;
        let (codec, tl0, temporal, switch) = (first.codec, first.part.tl0, first.part.temporal, first.part.switch);
        let frame = self.join(&run, keyframe);
        self.drop_before(run.last + 1);
        if !keyframe && self.codec != Some(codec) {
            self.state = State::Lost;
            return None;
        }
        self.follow(run.last + 1);
        if keyframe {
            self.highest_temporal = u8::MAX;
        } else if skipped {
            self.highest_temporal = 0;
        } else if switch && temporal == self.highest_temporal.saturating_add(1) {
            self.highest_temporal = temporal;
        }
        self.codec = Some(codec);
        self.tl0 = tl0.or(self.tl0.filter(|_| !keyframe));
        frame.filter(|_| temporal <= self.highest_temporal)
    }

    fn follow(&mut self, next: u64) {
        self.state = State::Following { next };
        self.floor = self.floor.max(next);
    }

    fn drop_before(&mut self, number: u64) {
        while let Some(first) = self.pieces.first_entry().filter(|first| *first.key() < number) {
            let (number, piece) = first.remove_entry();
            if let Some(piece) = piece {
                self.segments.forget_base(number, &piece);
            }
        }
        self.segments.drop_before(number, &self.pieces);
        self.floor = self.floor.max(number);
    }

    fn piece(&self, number: u64) -> Option<&Piece> {
        self.pieces.get(&number)?.as_ref()
    }

    fn is_keyframe(&self, run: &Run) -> bool {
        let mut pieces = self.pieces.range(run.first..=run.last).filter_map(|(_, piece)| piece.as_ref());
        pieces.any(|piece| piece.part.keyframe)
    }

    /// When the path had delivered what it did not lose of the frame. If it lost all, the arrival that showed so.
    fn arrival(&self, run: &Run) -> Option<Instant> {
        let arrivals = |numbers: std::ops::RangeInclusive<u64>| {
            let pieces = self.pieces.range(numbers).filter_map(|(_, piece)| piece.as_ref());
            pieces.filter(|piece| !piece.retransmitted).map(|piece| piece.arrived)
        };
        arrivals(run.first..=run.last).max().or_else(|| arrivals(run.last + 1..=u64::MAX).next())
    }

    fn join(&self, run: &Run, keyframe: bool) -> Option<EncodedFrame> {
        let pieces = || self.pieces.range(run.first..=run.last).filter_map(|(_, piece)| piece.as_ref());
        let first = pieces().next()?;
        let (width, height) = pieces().filter_map(|p| p.part.size).last().unwrap_or((0, 0));
        Some(EncodedFrame {
            codec: first.codec,
            data: concatenate(pieces().map(|p| &p.part.data)),
            keyframe,
            rtp_timestamp: first.timestamp,
            width: u32::from(width),
            height: u32::from(height),
            layer: 0,
            temporal: first.part.temporal,
            time: self.arrival(run).unwrap_or(first.arrived),
        })
    }
}

fn concatenate<'a>(parts: impl Iterator<Item = &'a Bytes> + Clone) -> Bytes {
    let mut all = BytesMut::with_capacity(parts.clone().map(Bytes::len).sum());
    parts.for_each(|part| all.extend_from_slice(part));
    all.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Part;
    use proptest::prelude::*;
    use std::time::Instant;

    struct Spec {
        timestamp: u32,
        begins: Begins,
        marker: bool,
        keyframe: bool,
        layer: (u8, Option<u8>),
    }

    fn piece(spec: &Spec) -> Option<Piece> {
        let Spec { timestamp, begins, marker, keyframe, layer: (temporal, tl0) } = *spec;
        let data = Bytes::from_static(b"x");
        let part = Part { begins, keyframe, temporal, tl0, switch: false, size: None, data };
        Some(Piece { codec: VideoCodec::Vp8, timestamp, marker, arrived: Instant::now(), retransmitted: false, part })
    }

    /// A frame in one packet.
    fn single(timestamp: u32, keyframe: bool, layer: (u8, Option<u8>)) -> Option<Piece> {
        piece(&Spec { timestamp, begins: Begins::Yes, marker: true, keyframe, layer })
    }

    fn popped(assembler: &mut Assembler, skip: bool) -> Vec<u32> {
        std::iter::from_fn(|| assembler.pop(skip)).map(|f| f.rtp_timestamp).collect()
    }

    #[test]
    fn nothing_comes_before_a_keyframe() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, false, (0, None)));
        assembler.insert(11, single(2, true, (0, None)));
        assembler.insert(12, single(3, false, (0, None)));
        assert_eq!(popped(&mut assembler, false), [2, 3]);
    }

    #[test]
    fn a_gap_holds_what_follows_until_it_is_filled() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, true, (0, None)));
        assembler.insert(12, single(3, false, (0, None)));
        assert_eq!(popped(&mut assembler, true), [1]);
        assert!(assembler.is_blocked());
        assembler.insert(11, single(2, false, (0, None)));
        assert_eq!(popped(&mut assembler, true), [2, 3]);
        assert_eq!(assembler.insert(11, None), Inserted::Useless);
    }

    #[test]
    fn a_keyframe_supersedes_a_gap() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, true, (0, None)));
        assembler.insert(12, single(3, false, (0, None)));
        assembler.insert(14, single(5, true, (0, None)));
        assert_eq!(popped(&mut assembler, false), [1, 5]);
        assert_eq!(assembler.floor(), 15);
    }

    #[test]
    fn padding_fills_a_gap() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, true, (0, None)));
        assembler.insert(11, None);
        assembler.insert(12, single(2, false, (0, None)));
        assert_eq!(popped(&mut assembler, false), [1, 2]);
    }

    #[test]
    fn a_truncated_frame_makes_a_keyframe_necessary() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, true, (0, None)));
        let part = Spec { timestamp: 2, begins: Begins::Yes, marker: false, keyframe: false, layer: (0, None) };
        assembler.insert(11, piece(&part));
        assembler.insert(12, single(3, false, (0, None)));
        assert_eq!(popped(&mut assembler, false), [1]);
        assert!(assembler.is_lost());
        assembler.insert(13, single(4, true, (0, None)));
        assert_eq!(popped(&mut assembler, false), [4]);
    }

    #[test]
    fn a_lost_upper_layer_is_left_out_when_allowed() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, true, (0, Some(7))));
        assembler.insert(12, single(3, false, (0, Some(8))));
        assembler.insert(13, single(4, false, (1, Some(8))));
        assembler.insert(14, single(5, false, (0, Some(9))));
        assert_eq!(popped(&mut assembler, false), [1]);
        // The upper layer after the gap may rest on what was lost.
        assert_eq!(popped(&mut assembler, true), [3, 5]);
    }

    #[test]
    fn a_lost_base_layer_is_never_left_out() {
        let mut assembler = Assembler::new();
        assembler.insert(10, single(1, true, (0, Some(7))));
        assembler.insert(12, single(3, false, (0, Some(9))));
        assert_eq!(popped(&mut assembler, true), [1]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut assembler = Assembler::new();
        assembler.insert(1, single(1, true, (0, None)));
        assert!(assembler.pop(false).is_some());
        let overflows =
            (3..10_000).filter(|n| assembler.insert(*n, single(*n as u32, false, (0, None))) == Inserted::Overflow);
        assert!(overflows.count() > 0);
        assert!(assembler.pieces.len() <= PACKETS);
        assert!(assembler.is_lost());
    }

    /// How a frame's packets were found before: by looking at all that wait.
    fn looked_for(pieces: &Pieces, first: u64) -> Option<Run> {
        let head = pieces.get(&first)?.as_ref()?;
        let mut last = first;
        for (offset, (number, piece)) in pieces.range(first..).enumerate() {
            if *number != first + offset as u64 {
                return None;
            }
            let Some(piece) = piece else { continue };
            if piece.timestamp != head.timestamp || piece.codec != head.codec {
                let whole = head.codec == VideoCodec::H264 && piece.part.begins != Begins::No;
                return Some(Run { first, last, whole });
            }
            last = *number;
            if piece.marker {
                return Some(Run { first, last, whole: true });
            }
        }
        None
    }

    fn keyframe_looked_for(assembler: &Assembler) -> Option<Run> {
        let pieces = &assembler.pieces;
        let may_begin = |number: u64| {
            let Some(piece) = assembler.piece(number) else { return false };
            match piece.part.begins {
                Begins::Yes => piece.part.keyframe || piece.codec == VideoCodec::H264,
                Begins::No => false,
                Begins::Unsaid => {
                    let before = number.checked_sub(1).and_then(|before| assembler.piece(before));
                    before.is_some_and(|before| before.marker || before.timestamp != piece.timestamp)
                        || assembler.floor == number
                }
            }
        };
        let mut begins = pieces.keys().copied().filter(|number| may_begin(*number));
        begins.find_map(|n| looked_for(pieces, n).filter(|run| run.whole && assembler.is_keyframe(run)))
    }

    proptest! {
        /// Whatever comes in whatever order: what is kept up says the same as looking at everything would.
        #[test]
        fn segments_say_what_looking_at_every_packet_would(
            codec in prop_oneof![Just(VideoCodec::Vp8), Just(VideoCodec::H264)],
            packets in prop::collection::vec((0u64..40, 0u32..4, 0u8..3, any::<(bool, bool)>(), 0u8..6), 0..120),
            skip in any::<bool>(),
        ) {
            let mut assembler = Assembler::new();
            for (number, timestamp, begins, (marker, keyframe), kind) in packets {
                let begins = [Begins::Yes, Begins::No, Begins::Unsaid][usize::from(begins)];
                let layer = (0, Some(kind));
                // Neighbours are mostly of one frame.
                let spec = Spec { timestamp: timestamp + number as u32 / 8, begins, marker: marker && kind > 2, keyframe, layer };
                let piece = piece(&spec).filter(|_| kind > 0).map(|piece| Piece { codec, ..piece });
                assembler.insert(number, piece);
                for (number, piece) in &assembler.pieces {
                    if piece.is_some() {
                        prop_assert_eq!(assembler.segments.run(*number), looked_for(&assembler.pieces, *number));
                    }
                }
                prop_assert_eq!(assembler.segments.keyframe(), keyframe_looked_for(&assembler));
                let herald = |p: &Piece| p.part.keyframe || codec == VideoCodec::H264 && p.part.begins == Begins::Yes;
                let first = assembler.pieces.iter().find(|(_, p)| p.as_ref().is_some_and(herald)).map(|(n, _)| *n);
                prop_assert_eq!(assembler.keyframe_begins(), first);
                assembler.pop(skip);
                prop_assert_eq!(assembler.segments.keyframe(), keyframe_looked_for(&assembler));
            }
        }
    }

    #[test]
    fn what_a_packet_costs_does_not_grow_with_how_many_wait() {
        let begin = Spec { timestamp: 7, begins: Begins::Yes, marker: false, keyframe: true, layer: (0, None) };
        let orders: [fn(u64) -> u64; 3] = [|n| n, |n| 20_000 - n, |n| n * 7919 % 10_007];
        for order in orders {
            for spec in [Spec { ..begin }, Spec { begins: Begins::Unsaid, ..begin }, Spec { keyframe: false, ..begin }]
            {
                let mut assembler = Assembler::new();
                for n in 0..10_000 {
                    assembler.insert(order(n), piece(&spec));
                    assembler.pop(true);
                }
                let a_packet = assembler.segments.steps / 10_000;
                assert!(a_packet <= 8, "{a_packet} steps");
            }
        }
    }
}
