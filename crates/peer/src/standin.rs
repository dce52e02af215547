//! Lines as the library may see them, and back.
//!
//! The library would open an SCTP association for a data channel, leaves lines that have ended out of its answer, and
//! knows a line by one name and one kind for good. So in place of what is rejected it is shown an inactive line, and
//! its names are our own: the far side may put a new line in a dead one's place (RFC 9429 5.2.2). In what goes to the
//! far side lines have their names, payload types and extensions back, and what was rejected is so by its own words.

use crate::sdp::{Codec, Description, Feedback, Format, Line, LineKind, Stream, free_name};
use media::encoded::VideoCodec;

/// What every line of the library's is written with.
const PROTOCOL: &str = "UDP/TLS/RTP/SAVPF";

/// The lines that the library has, in their order.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    settled: Vec<ShownLine>,
    /// With those of our offer under way.
    offered: Option<Vec<ShownLine>>,
}

#[derive(Debug, Clone)]
struct ShownLine {
    mid: String,
    kind: LineKind,
}

impl Shown {
    /// Rejects lines that are in the place of one of another kind.
    pub(crate) fn refuse_unfit(&self, remote: &mut Description) {
        for (line, shown) in remote.lines.iter_mut().zip(self.lines()) {
            if line.kind != shown.kind {
                line.reject();
            }
        }
        let lines = &remote.lines;
        remote.bundle.retain(|mid| lines.iter().any(|line| line.mid == *mid && !line.rejected));
    }

    /// The far side's description as the library may see it. `before` is the one that was in force, `video` what we
    /// can send and receive.
    pub(crate) fn for_library(
        &self,
        remote: &Description,
        before: Option<&Description>,
        video: &[VideoCodec],
    ) -> Description {
        let mut shown = remote.clone();
        for (index, line) in shown.lines.iter_mut().enumerate() {
            if line.rejected {
                let was = before.and_then(|before| before.lines.get(index)).filter(|was| !was.rejected);
                line.kind = self.kind_at(index, &line.kind);
                line.codecs = match was.filter(|was| was.kind == line.kind) {
                    Some(was) => was.codecs.clone(),
                    None => vec![standin(remote, &line.kind, video)],
                };
            }
            if line.send && line.stream.is_none() {
                // The library insists on an SSRC. Ours comes from the packets (`demux`).
                line.stream = Some(Stream { ssrc: unused_ssrc(remote, index), rtx: None });
            }
            (line.rejected, line.named, line.protocol, line.format) = (false, true, PROTOCOL.into(), String::new());
        }
        for index in 0..shown.lines.len() {
            shown.lines[index].mid = self.mid_at(index);
        }
        shown.bundle = shown.lines.iter().map(|line| line.mid.clone()).collect();
        shown
    }

    /// Our answer as the far side may see it, made of what the library says to `remote`.
    pub(crate) fn answer(library: Description, remote: &Description) -> Description {
        let mut lines = remote.lines.clone();
        for (index, line) in lines.iter_mut().enumerate() {
            match library.lines.get(index).filter(|ours| !ours.rejected) {
                Some(ours) if !line.rejected => {
                    (line.send, line.receive) = (ours.send && line.receive, ours.receive && line.send);
                    line.stream = ours.stream;
                    line.codecs.iter_mut().for_each(|codec| codec.feedback = understood(&line.kind, codec.feedback));
                }
                Some(_) | None => line.reject(),
            }
        }
        let bundle = remote.bundle.iter().filter(|mid| lines.iter().any(|line| line.mid == **mid && !line.rejected));
        Description { bundle: bundle.cloned().collect(), lines, ..library }
    }

    /// Our offer as the far side may see it. Lines that `remote`, its last description, has rejected stay so.
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

    /// A negotiation is over in which the library was shown, or showed, these lines.
    pub(crate) fn settle(&mut self, library: &Description) {
        (self.settled, self.offered) = (lines_of(library), None);
    }

    /// Our offer was taken back.
    pub(crate) fn take_back(&mut self) {
        self.offered = None;
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

/// What of the far side's feedback we understand too.
fn understood(kind: &LineKind, feedback: Feedback) -> Feedback {
    match kind {
        LineKind::Video => feedback,
        LineKind::Audio | LineKind::Foreign { .. } => {
            Feedback { transport_cc: feedback.transport_cc, ..Feedback::default() }
        }
    }
}

/// A codec for a line that is not in use, under the same payload type as elsewhere in the description or a free one.
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
    // Sound and pictures from different ends: both may be needed.
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
