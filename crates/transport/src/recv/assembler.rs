//! Packets to frames, in an order that a decoder can use.

use crate::payload::{Begins, Part};
use bytes::{Bytes, BytesMut};
use media::encoded::{EncodedFrame, VideoCodec};
use std::collections::BTreeMap;
use std::time::Instant;

/// Packets that wait for others. When full the older half goes, and a keyframe is needed.
const PACKETS: usize = 2048;

/// One packet of a video stream.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) codec: VideoCodec,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) arrived: Instant,
    pub(crate) part: Part,
}

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
    /// `None` is padding: it fills a number and no frame.
    pieces: BTreeMap<u64, Option<Piece>>,
    state: State,
    /// Numbers below were delivered or given up.
    floor: u64,
    codec: Option<VideoCodec>,
    tl0: Option<u8>,
    /// Temporal layers above were left at a gap, until a frame allows to go up again.
    highest_temporal: u8,
}

/// Packets from `first` to `last`, all there.
struct Run {
    first: u64,
    last: u64,
    /// Ends as a frame should.
    whole: bool,
}

impl Assembler {
    pub(crate) fn new() -> Self {
        Assembler {
            pieces: BTreeMap::new(),
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
        let says =
            |piece: &Piece| piece.part.keyframe || piece.codec == VideoCodec::H264 && piece.part.begins == Begins::Yes;
        self.pieces.iter().find(|(_, piece)| piece.as_ref().is_some_and(says)).map(|(number, _)| *number)
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
                State::Lost => self.pop_keyframe(),
                State::Following { next } => self
                    .pop_next(next)
                    .or_else(|| self.pop_keyframe())
                    .or_else(|| if skip { self.pop_base() } else { None }),
            }?;
            if let Some(frame) = self.admit(frame) {
                return Some(frame);
            }
        }
    }

    /// The frame at its place, if it is whole.
    fn pop_next(&mut self, mut next: u64) -> Option<Run> {
        while let Some(None) = self.pieces.get(&next) {
            self.pieces.remove(&next);
            next += 1;
            self.follow(next);
        }
        let run = self.run(next)?;
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

    /// The first whole keyframe, wherever it is.
    fn pop_keyframe(&self) -> Option<Run> {
        let mut begins = self.pieces.keys().copied().filter(|&number| self.may_begin_keyframe(number));
        begins.find_map(|number| self.run(number).filter(|run| run.whole && self.is_keyframe(run)))
    }

    /// A whole base layer frame that directly follows the last one delivered.
    fn pop_base(&self) -> Option<Run> {
        let wanted = self.tl0?.wrapping_add(1);
        let is_base = |piece: &Piece| {
            piece.part.begins == Begins::Yes && piece.part.temporal == 0 && piece.part.tl0 == Some(wanted)
        };
        let number = self.pieces.iter().find(|(_, p)| p.as_ref().is_some_and(is_base)).map(|(number, _)| *number)?;
        self.run(number).filter(|run| run.whole)
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
        self.pieces = self.pieces.split_off(&number);
        self.floor = self.floor.max(number);
    }

    fn piece(&self, number: u64) -> Option<&Piece> {
        self.pieces.get(&number)?.as_ref()
    }

    /// The packets of one frame from `first` on, if its end is there too.
    fn run(&self, first: u64) -> Option<Run> {
        let head = self.piece(first)?;
        let mut last = first;
        for (offset, (number, piece)) in self.pieces.range(first..).enumerate() {
            if *number != first + offset as u64 {
                return None;
            }
            // Padding between two packets of a frame is none of it; at its end it would be a new frame's time.
            let Some(piece) = piece else { continue };
            if piece.timestamp != head.timestamp || piece.codec != head.codec {
                // H.264 senders exist that do not mark; the others name their frames' beginnings.
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

    fn may_begin_keyframe(&self, number: u64) -> bool {
        let Some(piece) = self.piece(number) else { return false };
        match piece.part.begins {
            Begins::Yes => piece.part.keyframe || piece.codec == VideoCodec::H264,
            Begins::No => false,
            Begins::Unsaid => {
                let before = number.checked_sub(1).and_then(|before| self.piece(before));
                before.is_some_and(|before| before.marker || before.timestamp != piece.timestamp)
                    || self.floor == number
            }
        }
    }

    fn is_keyframe(&self, run: &Run) -> bool {
        let mut pieces = self.pieces.range(run.first..=run.last).filter_map(|(_, piece)| piece.as_ref());
        pieces.any(|piece| piece.part.keyframe)
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
            time: pieces().map(|p| p.arrived).min().unwrap_or(first.arrived),
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
        Some(Piece { codec: VideoCodec::Vp8, timestamp, marker, arrived: Instant::now(), part })
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
}
