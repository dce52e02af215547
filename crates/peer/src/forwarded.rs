//! The description of a connection to a forwarder (PROTOCOL.md, *Forwarded rooms*). Pure.
//!
//! The library knows only the lines on which we send. The slots, on which we only receive, are added to its offer, and
//! removed from the answer before the library sees it: their packets never pass through its tracks.

use crate::config::Slots;
use crate::sdp::{Description, Encoding, Line, LineKind, MAX_ENCODINGS, Stream};

/// Names of the encodings, smallest first, as browsers call them.
const RIDS: [&str; MAX_ENCODINGS] = ["q", "h", "f"];

/// What the offer to a forwarder has.
#[derive(Debug)]
pub(crate) struct Forwarding {
    pub(crate) slots: Slots,
    /// The SSRCs of the camera's encodings, smallest first.
    pub(crate) encodings: [Stream; MAX_ENCODINGS],
}

impl Forwarding {
    /// Makes an offer for a forwarder of one for a person.
    pub(crate) fn offer(&self, offer: &mut Description) {
        let Some(audio) = offer.lines.iter().find(|line| line.kind == LineKind::Audio).cloned() else { return };
        let Some(video) = offer.lines.iter().find(|line| line.kind == LineKind::Video).cloned() else { return };
        for line in &mut offer.lines {
            line.receive = false;
        }
        self.offer_encodings(&mut offer.lines);
        let slots = |kind, line: &Line, count| (0..count).map(move |index| slot(kind, line, index)).collect::<Vec<_>>();
        offer.lines.extend(slots('a', &audio, self.slots.voices));
        offer.lines.extend(slots('v', &video, self.slots.pictures));
        offer.bundle = offer.lines.iter().map(|line| line.mid.clone()).collect();
    }

    /// The camera's line is the first one of video.
    fn offer_encodings(&self, lines: &mut [Line]) {
        let used = |id: &u8| {
            lines.iter().any(|line| [line.transport_cc, line.mid_extension, line.audio_level].contains(&Some(*id)))
        };
        let mut free = (1..=14).rev().filter(|id| !used(id));
        let (rid, repaired) = (free.next(), free.next());
        let Some(camera) = lines.iter_mut().find(|line| line.kind == LineKind::Video) else { return };
        (camera.rid_extension, camera.repaired_rid_extension, camera.stream) = (rid, repaired, None);
        let encodings = RIDS.iter().zip(self.encodings);
        camera.encodings = encodings.map(|(rid, stream)| Encoding { rid: (*rid).to_owned(), stream }).collect();
    }

    /// The forwarder's answer for the library, which has this many lines.
    pub(crate) fn for_library(answer: &Description, lines: usize) -> Description {
        let mut shown = answer.clone();
        shown.lines.truncate(lines);
        let left = &shown.lines;
        shown.bundle.retain(|mid| left.iter().any(|line| line.mid == *mid));
        shown
    }
}

/// A line like this one, on which we only receive.
fn slot(kind: char, like: &Line, index: usize) -> Line {
    let mid = format!("{kind}{index}");
    Line { mid, send: false, receive: true, stream: None, encodings: Vec::new(), red: None, ..like.clone() }
}
