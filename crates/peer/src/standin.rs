//! Translates media lines between the far side and the library.
//!
//! The library omits stopped lines from its answer, and fixes the name and kind of a line permanently. So each rejected
//! line is replaced with an inactive one, and lines get names of our own, because the far side may reuse a stopped line for a new one (RFC 9429 section 5.2.2). In descriptions for
//! the far side, lines have their original names, payload types and extensions, and rejected lines repeat what was
//! received. A line of data channels stays as it is even if it was rejected: the library
//! has no inactive ones, and only waits for an association then that never comes.

use crate::sdp::{Codec, DATA_PROTOCOL, Description, Feedback, Format, Line, LineKind, Stream, free_name};
use media::encoded::VideoCodec;

/// The protocol of every media line in the library's descriptions.
const PROTOCOL: &str = "UDP/TLS/RTP/SAVPF";

/// The lines that the library has, in order.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    settled: Vec<ShownLine>,
    /// With the lines of our pending offer.
    offered: Option<Vec<ShownLine>>,
}

#[derive(Debug, Clone)]
struct ShownLine {
    mid: String,
    kind: LineKind,
}

impl Shown {
    /// Rejects lines that would change the kind of an existing line, and a second line of data channels.
    pub(crate) fn refuse_unfit(&self, remote: &mut Description) {
        let data = self.lines().iter().position(|shown| shown.kind == LineKind::Data);
        for (index, line) in remote.lines.iter_mut().enumerate() {
            if line.kind == LineKind::Data && data.is_some_and(|data| data != index) {
                line.reject();
            }
        }
        for (line, shown) in remote.lines.iter_mut().zip(self.lines()) {
            if line.kind != shown.kind {
                line.reject();
            }
        }
        let lines = &remote.lines;
        remote.bundle.retain(|mid| lines.iter().any(|line| line.mid == *mid && !line.rejected));
    }

    /// The far side's description for the library. `before` is the previous one, and `video` are the codecs that we
    /// support.
    pub(crate) fn for_library(
        &self,
        remote: &Description,
        before: Option<&Description>,
        video: &[VideoCodec],
    ) -> Description {
        let mut shown = remote.clone();
        for (index, line) in shown.lines.iter_mut().enumerate() {
            if line.rejected {
                line.kind = self.kind_at(index, &line.kind);
            }
            if line.kind == LineKind::Data {
                (line.rejected, line.named, line.protocol) = (false, true, DATA_PROTOCOL.into());
                continue;
            }
            if line.rejected {
                let was = before.and_then(|before| before.lines.get(index)).filter(|was| !was.rejected);
                line.codecs = match was.filter(|was| was.kind == line.kind) {
                    Some(was) => was.codecs.clone(),
                    None => vec![standin(remote, &line.kind, video)],
                };
            }
            if line.send && line.stream.is_none() {
                // The library requires an SSRC. The actual one is learned from packets (`demux`).
                line.stream = Some(Stream { ssrc: unused_ssrc(remote, index), rtx: None });
            }
            (line.rejected, line.named, line.protocol, line.format) = (false, true, PROTOCOL.into(), String::new());
            // The library does not know RED, and need not: its packets never pass through it.
            line.red = None;
            line.wanted.clear();
        }
        for index in 0..shown.lines.len() {
            shown.lines[index].mid = self.mid_at(index);
        }
        shown.bundle = shown.lines.iter().map(|line| line.mid.clone()).collect();
        shown
    }

    /// Our answer for the far side, made from the library's answer to `remote`.
    pub(crate) fn answer(library: Description, remote: &Description) -> Description {
        let mut lines = remote.lines.clone();
        for (index, line) in lines.iter_mut().enumerate() {
            match library.lines.get(index).filter(|ours| !ours.rejected) {
                Some(ours) if !line.rejected => {
                    (line.send, line.receive) = (ours.send && line.receive, ours.receive && line.send);
                    line.stream = ours.stream;
                    // We never receive several encodings of one picture, nor send them to a person.
                    line.wanted.clear();
                    line.codecs.iter_mut().for_each(|codec| codec.feedback = understood(&line.kind, codec.feedback));
                }
                Some(_) | None => line.reject(),
            }
        }
        let bundle = remote.bundle.iter().filter(|mid| lines.iter().any(|line| line.mid == **mid && !line.rejected));
        Description { bundle: bundle.cloned().collect(), lines, ..library }
    }

    /// Our offer for the far side. Lines that are rejected in `remote`, its last description, stay rejected.
    pub(crate) fn offer(&mut self, library: Description, remote: Option<&Description>) -> Description {
        self.offered = Some(lines_of(&library));
        let theirs = remote.map(|remote| &remote.lines[..]).unwrap_or_default();
        let mut lines = library.lines.clone();
        for (index, line) in lines.iter_mut().enumerate() {
            match theirs.get(index) {
                Some(theirs) if theirs.rejected => *line = Line { named: true, ..theirs.clone() },
                Some(theirs) => line.mid.clone_from(&theirs.mid),
                None if theirs.iter().any(|theirs| theirs.mid == line.mid) => {
                    line.mid = free_name(index, |name| theirs.iter().any(|theirs| theirs.mid == name));
                }
                None => {}
            }
        }
        let mut bundle = remote.map(|remote| remote.bundle.clone()).unwrap_or_default();
        let alive = |mid: &String| lines.iter().any(|line| line.mid == *mid && !line.rejected);
        bundle.retain(alive);
        let further = lines.iter().filter(|line| !line.rejected && !bundle.contains(&line.mid));
        let further: Vec<String> = further.map(|line| line.mid.clone()).collect();
        bundle.extend(further);
        Description { bundle, lines, ..library }
    }

    /// A negotiation has ended with these lines in the library.
    pub(crate) fn settle(&mut self, library: &Description) {
        (self.settled, self.offered) = (lines_of(library), None);
    }

    /// Our offer was rolled back.
    pub(crate) fn take_back(&mut self) {
        self.offered = None;
    }

    /// The number of lines that the library has.
    pub(crate) fn count(&self) -> usize {
        self.lines().len()
    }

    fn lines(&self) -> &[ShownLine] {
        self.offered.as_ref().unwrap_or(&self.settled)
    }

    fn kind_at(&self, index: usize, kind: &LineKind) -> LineKind {
        match self.lines().get(index) {
            Some(shown) => shown.kind.clone(),
            None if *kind == LineKind::Video => LineKind::Video,
            None => LineKind::Audio,
        }
    }

    fn mid_at(&self, index: usize) -> String {
        let lines = self.lines();
        let taken = |name: &str| lines.iter().any(|line| line.mid == name);
        match lines.get(index) {
            Some(line) => line.mid.clone(),
            None if taken(&index.to_string()) => free_name(index, taken),
            None => index.to_string(),
        }
    }
}

fn lines_of(description: &Description) -> Vec<ShownLine> {
    description.lines.iter().map(|line| ShownLine { mid: line.mid.clone(), kind: line.kind.clone() }).collect()
}

/// The feedback that both sides support.
fn understood(kind: &LineKind, feedback: Feedback) -> Feedback {
    match kind {
        LineKind::Video => feedback,
        LineKind::Audio | LineKind::Data | LineKind::Foreign { .. } => {
            Feedback { transport_cc: feedback.transport_cc, ..Feedback::default() }
        }
    }
}

/// A codec for an inactive line, with the payload type used elsewhere in the description, or a free one.
fn standin(remote: &Description, kind: &LineKind, video: &[VideoCodec]) -> Codec {
    let wished = if *kind == LineKind::Video { video.first().copied() } else { None };
    let mut codecs = remote.lines.iter().flat_map(|line| &line.codecs);
    if let Some(codec) = codecs.find(|codec| codec.format.video() == wished) {
        return codec.clone();
    }
    let format = match wished {
        None => Format::Opus,
        Some(VideoCodec::Vp8) => Format::Vp8,
        Some(VideoCodec::Vp9) => Format::Vp9,
        Some(VideoCodec::H264) => Format::H264 { profile_level_id: "42e01f".into() },
    };
    let taken = |number: u8| {
        let mut codecs = remote.lines.iter().flat_map(|line| &line.codecs);
        codecs.any(|codec| codec.payload_type == number || codec.rtx == Some(number))
    };
    // Search from opposite ends, because both may be needed.
    let mut free = (96..=127).filter(|number| !taken(*number));
    let payload_type = if wished.is_none() { free.next_back() } else { free.next() };
    Codec { payload_type: payload_type.unwrap_or(96), format, rtx: None, feedback: Feedback::default() }
}

fn unused_ssrc(remote: &Description, index: usize) -> u32 {
    let taken =
        |ssrc: u32| remote.lines.iter().filter_map(|line| line.stream).any(|s| s.ssrc == ssrc || s.rtx == Some(ssrc));
    let first = 1 + index as u32;
    (first..).step_by(crate::MAX_MEDIA_LINES).find(|ssrc| !taken(*ssrc)).unwrap_or(first)
}
