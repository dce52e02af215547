//! Lines that we do not take, such as data channels, and lines that have ended.
//!
//! The library would open an SCTP association for the one and leaves the other out of its answer. So it is shown an
//! inactive audio line in their place, and in what goes to the far side they are refused by their own words (RFC 3264
//! section 6: port 0).

use crate::sdp::{Codec, Description, Feedback, Format, Line, LineKind, Stream};
use media::encoded::VideoCodec;

/// Refuses lines of which we know no codec, and forgets codecs that are not among `video`.
pub(crate) fn refuse_unknown(remote: &mut Description, video: &[VideoCodec]) {
    for line in remote.lines.iter_mut().filter(|line| !line.rejected) {
        line.codecs.retain(|codec| codec.format.video().is_none_or(|codec| video.contains(&codec)));
        if line.codecs.is_empty() {
            (line.rejected, line.send, line.receive) = (true, false, false);
            (line.stream, line.transport_cc, line.mid_extension) = (None, None, None);
        }
    }
}

/// The far side's description as the library may see it. `before` is the one that was in force.
pub(crate) fn for_library(remote: &Description, before: Option<&Description>) -> Description {
    let mut shown = remote.clone();
    let opus = remote.lines.iter().flat_map(|line| &line.codecs).find(|codec| codec.format == Format::Opus);
    let opus = opus.cloned().unwrap_or_else(|| free_opus(remote));
    for (index, line) in shown.lines.iter_mut().enumerate() {
        if line.rejected {
            let was = before.and_then(|before| before.line(&line.mid)).filter(|was| !was.rejected);
            (line.kind, line.codecs) = match was {
                Some(was) => (was.kind.clone(), was.codecs.clone()),
                None => (LineKind::Audio, vec![opus.clone()]),
            };
            (line.rejected, line.send, line.receive) = (false, false, false);
        }
        if line.send && line.stream.is_none() {
            // The library insists on an SSRC. Ours comes from the packets, which name their line.
            line.stream = Some(Stream { ssrc: unused_ssrc(remote, index), rtx: None });
        }
    }
    shown
}

/// Our answer as the far side may see it: what it had refused stays refused.
pub(crate) fn for_far_side(mut local: Description, remote: &Description) -> Description {
    for line in &mut local.lines {
        if let Some(theirs) = remote.line(&line.mid).filter(|theirs| theirs.rejected) {
            *line = Line { mid: line.mid.clone(), ..theirs.clone() };
        } else if let Some(theirs) = remote.line(&line.mid) {
            // Their order, which is their wish.
            let place =
                |codec: &Codec| theirs.codecs.iter().position(|other| other.format.video() == codec.format.video());
            line.codecs.sort_by_key(|codec| place(codec).unwrap_or(usize::MAX));
            line.codecs.retain(|codec| place(codec).is_some());
        }
    }
    local
}

fn free_opus(remote: &Description) -> Codec {
    let taken = |number: u8| {
        let mut codecs = remote.lines.iter().flat_map(|line| &line.codecs);
        codecs.any(|codec| codec.payload_type == number || codec.rtx == Some(number))
    };
    let payload_type = (96..=127).rev().find(|number| !taken(*number)).unwrap_or(96);
    Codec { payload_type, format: Format::Opus, rtx: None, feedback: Feedback::default() }
}

fn unused_ssrc(remote: &Description, index: usize) -> u32 {
    let taken =
        |ssrc: u32| remote.lines.iter().filter_map(|line| line.stream).any(|s| s.ssrc == ssrc || s.rtx == Some(ssrc));
    let first = 1 + index as u32;
    (first..).step_by(crate::MAX_MEDIA_LINES).find(|ssrc| !taken(*ssrc)).unwrap_or(first)
}
