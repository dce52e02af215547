//! Which waiting packets belong together, kept up as they come: what a packet costs does not grow with how many wait.
//!
//! A segment is a stretch of numbers without a gap that are of one frame. It ends at a marker, or where another frame's packet
//! follows. Padding belongs to the segment before it.

use crate::payload::{Begins, Part};
use media::encoded::VideoCodec;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// One packet of a video stream.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) codec: VideoCodec,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) arrived: Instant,
    /// Whether it is a retransmission. Its arrival says nothing about the path's delay.
    pub(crate) retransmitted: bool,
    pub(crate) part: Part,
}

/// The packets that wait. `None` is padding: it fills a number and no frame.
pub(super) type Pieces = BTreeMap<u64, Option<Piece>>;

/// Packets from `first` to `last`, all there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) first: u64,
    pub(super) last: u64,
    /// Ends as a frame should.
    pub(super) whole: bool,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    /// Its last number, padding too.
    last: u64,
    /// `None`: padding alone.
    frame: Option<(u32, VideoCodec)>,
    last_media: u64,
    /// Its last packet is marked.
    ended: bool,
    /// What its first packet says.
    opening: Begins,
    /// Its first packet that says it begins a frame, and may begin a keyframe.
    begin: Option<u64>,
    /// Its last packet that says it is of a keyframe.
    keyframe: Option<u64>,
}

impl Segment {
    fn of(number: u64, piece: Option<&Piece>) -> Segment {
        let begins = |p: &Piece| p.part.begins == Begins::Yes && (p.part.keyframe || p.codec == VideoCodec::H264);
        Segment {
            last: number,
            frame: piece.map(|p| (p.timestamp, p.codec)),
            last_media: number,
            ended: piece.is_some_and(|p| p.marker),
            opening: piece.map_or(Begins::No, |p| p.part.begins),
            begin: piece.filter(|p| begins(p)).map(|_| number),
            keyframe: piece.filter(|p| p.part.keyframe).map(|_| number),
        }
    }

    /// Takes in what follows directly, if that is of the same frame.
    fn join(&mut self, next: &Segment) -> bool {
        if next.frame.is_none() {
            self.last = next.last;
            return true;
        }
        if self.frame != next.frame || self.ended {
            return false;
        }
        (self.last, self.last_media, self.ended) = (next.last, next.last_media, next.ended);
        self.begin = self.begin.or(next.begin);
        self.keyframe = next.keyframe.or(self.keyframe);
        true
    }
}

/// Segments by their first number.
#[derive(Debug, Default)]
pub(super) struct Segments {
    segments: BTreeMap<u64, Segment>,
    /// Those that are whole keyframes, by their first number; and where the keyframe begins.
    keyframes: BTreeMap<u64, u64>,
    /// Packets of which one sees that a keyframe comes.
    heralds: BTreeSet<u64>,
    /// Packets that begin a frame of the base layer, by its running number.
    bases: BTreeSet<(u8, u64)>,
    floor: u64,
    /// Segments looked at, for tests of what a packet costs.
    #[cfg(test)]
    pub(super) steps: usize,
}

impl Segments {
    /// A packet is there now.
    pub(super) fn insert(&mut self, number: u64, piece: Option<&Piece>) {
        if let Some(piece) = piece {
            if heralds(piece) {
                self.heralds.insert(number);
            }
            self.bases.extend(base(piece).map(|tl0| (tl0, number)));
        }
        self.segments.insert(number, Segment::of(number, piece));
        let first = self.before(number).filter(|before| self.join(*before)).unwrap_or(number);
        // Joining what was there before may let what comes after join too.
        while self.join(first) {}
        let after = self.segments.get(&first).map(|segment| segment.last + 1);
        for one in [self.before(first), Some(first), after].into_iter().flatten() {
            self.judge(one);
        }
    }

    /// Numbers below are gone; `pieces` no longer has them.
    pub(super) fn drop_before(&mut self, number: u64, pieces: &Pieces) {
        while let Some((&first, &segment)) = self.segments.first_key_value().filter(|(first, _)| **first < number) {
            self.step();
            self.segments.remove(&first);
            self.keyframes.remove(&first);
            if segment.last >= number {
                let rest = pieces.range(number..=segment.last).map(|(n, piece)| (*n, Segment::of(*n, piece.as_ref())));
                let mut built: Vec<(u64, Segment)> = Vec::new();
                for (n, one) in rest {
                    if !built.last_mut().is_some_and(|(_, last)| last.join(&one)) {
                        built.push((n, one));
                    }
                }
                let firsts: Vec<u64> = built.iter().map(|(n, _)| *n).collect();
                self.segments.extend(built);
                firsts.into_iter().for_each(|first| self.judge(first));
            }
        }
        while self.heralds.first().is_some_and(|first| *first < number) {
            self.heralds.pop_first();
        }
        self.floor = self.floor.max(number);
        self.judge(self.floor);
    }

    /// A packet is gone.
    pub(super) fn forget_base(&mut self, number: u64, piece: &Piece) {
        if let Some(tl0) = base(piece) {
            self.bases.remove(&(tl0, number));
        }
    }

    /// The packets of one frame from `first`, a media packet, on, if its end is there too.
    pub(super) fn run(&self, first: u64) -> Option<Run> {
        let (_, segment) =
            self.segments.range(..=first).next_back().filter(|(_, segment)| segment.last_media >= first)?;
        let (last, (_, codec)) = (segment.last_media, segment.frame?);
        if segment.ended {
            return Some(Run { first, last, whole: true });
        }
        let next = self.segments.get(&(segment.last + 1))?;
        // H.264 senders exist that do not mark; the others name their frames' beginnings.
        Some(Run { first, last, whole: codec == VideoCodec::H264 && next.opening != Begins::No })
    }

    /// The first whole keyframe, wherever it is.
    pub(super) fn keyframe(&self) -> Option<Run> {
        self.keyframes.first_key_value().and_then(|(_, begin)| self.run(*begin))
    }

    /// Where the first keyframe begins of which a packet is there that says so.
    pub(super) fn keyframe_begins(&self) -> Option<u64> {
        self.heralds.first().copied()
    }

    /// The first packet that begins the frame of the base layer with this running number.
    pub(super) fn base(&self, tl0: u8) -> Option<u64> {
        self.bases.range((tl0, 0)..=(tl0, u64::MAX)).next().map(|(_, number)| *number)
    }

    /// The last number of padding that begins at this one.
    pub(super) fn padding(&self, first: u64) -> Option<u64> {
        self.segments.get(&first).filter(|segment| segment.frame.is_none()).map(|segment| segment.last)
    }

    /// The segment that ends directly before this number.
    fn before(&self, number: u64) -> Option<u64> {
        let (first, segment) = self.segments.range(..number).next_back()?;
        (segment.last + 1 == number).then_some(*first)
    }

    /// Joins a segment with the one that follows it, if there is one and they belong together.
    fn join(&mut self, first: u64) -> bool {
        self.step();
        let Some(mut segment) = self.segments.get(&first).copied() else { return false };
        let after = segment.last + 1;
        let joined = self.segments.get(&after).is_some_and(|next| segment.join(next));
        if joined {
            self.segments.remove(&after);
            self.keyframes.remove(&after);
            self.segments.insert(first, segment);
        }
        joined
    }

    /// Notes whether a segment is a whole keyframe.
    fn judge(&mut self, first: u64) {
        self.step();
        let begin = self.segments.get(&first).copied().and_then(|segment| {
            let begin = if self.may_open(first, &segment) { Some(first) } else { segment.begin }?;
            let whole = self.run(begin)?.whole;
            (whole && segment.keyframe.is_some_and(|keyframe| keyframe >= begin)).then_some(begin)
        });
        match begin {
            Some(begin) => self.keyframes.insert(first, begin),
            None => self.keyframes.remove(&first),
        };
    }

    /// Whether a frame begins with a packet that does not say so: what is before it has ended.
    fn may_open(&self, first: u64, segment: &Segment) -> bool {
        let ends =
            |before: u64| self.segments.get(&before).is_some_and(|s| s.frame.is_some() && s.last_media + 1 == first);
        segment.opening == Begins::Unsaid
            && segment.frame.is_some()
            && (self.floor == first || self.before(first).is_some_and(ends))
    }

    fn step(&mut self) {
        #[cfg(test)]
        {
            self.steps += 1;
        }
    }
}

fn heralds(piece: &Piece) -> bool {
    piece.part.keyframe || piece.codec == VideoCodec::H264 && piece.part.begins == Begins::Yes
}

fn base(piece: &Piece) -> Option<u8> {
    piece.part.tl0.filter(|_| piece.part.begins == Begins::Yes && piece.part.temporal == 0)
}
