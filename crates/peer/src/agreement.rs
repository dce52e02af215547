//! What an offer and its answer agree on, as streams for transport. Pure.

use crate::sdp::{Codec, Description, Format, Line, LineKind};
use media::encoded::VideoCodec;
use transport::{RecvKind, RecvStream, SendStream, StreamKind};

/// What both sides agreed on for one media line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) mid: String,
    pub(crate) kind: RecvKind,
    /// What we send; `None` while the far side does not want it or knows none of our codecs.
    pub(crate) send: Option<SendStream>,
    /// Whether the far side sends.
    pub(crate) receives: bool,
    /// What the far side sends; `None` if it does not, or has not said under which SSRC.
    pub(crate) receive: Option<RecvStream>,
    /// What the far side may send the line with.
    pub(crate) payload_types: Vec<(u8, StreamKind)>,
    /// Extension that names the line in packets whose SSRC was not announced.
    pub(crate) mid_extension: Option<u8>,
}

impl Agreed {
    pub(crate) fn video_codec(&self) -> Option<VideoCodec> {
        match self.send.as_ref()?.kind {
            StreamKind::Video(codec) => Some(codec),
            StreamKind::Audio => None,
        }
    }

    /// The stream of this line under an SSRC that was not announced.
    pub(crate) fn unannounced(&self, ssrc: u32) -> RecvStream {
        RecvStream { ssrc, kind: self.kind, payload_types: self.payload_types.clone(), rtx: None }
    }
}

/// Lines that live on both sides. We send with the payload types that the far side named and its preferred codec
/// among those we can; it sends with those that we named.
pub(crate) fn agree(local: &Description, remote: &Description) -> Vec<Agreed> {
    let lines = local.lines.iter().filter_map(|ours| {
        let theirs = remote.line(&ours.mid)?;
        let kind = match (&ours.kind, &theirs.kind) {
            (LineKind::Audio, LineKind::Audio) => RecvKind::Audio,
            (LineKind::Video, LineKind::Video) => RecvKind::Video,
            _ => return None,
        };
        (!ours.rejected && !theirs.rejected).then(|| line(ours, theirs, kind))
    });
    lines.collect()
}

fn line(ours: &Line, theirs: &Line, kind: RecvKind) -> Agreed {
    let receives = ours.receive && theirs.send;
    Agreed {
        mid: ours.mid.clone(),
        kind,
        send: if ours.send && theirs.receive { send(ours, theirs) } else { None },
        receives,
        receive: if receives { receive(ours, theirs, kind) } else { None },
        payload_types: payload_types(ours),
        mid_extension: theirs.mid_extension.filter(|id| ours.mid_extension == Some(*id)),
    }
}

fn send(ours: &Line, theirs: &Line) -> Option<SendStream> {
    let stream = ours.stream?;
    let codec = theirs.codecs.iter().find(|codec| knows(ours, codec))?;
    let measured = codec.feedback.transport_cc;
    Some(SendStream {
        ssrc: stream.ssrc,
        kind: kind_of(&codec.format),
        payload_type: codec.payload_type,
        rtx: stream.rtx.zip(codec.rtx).filter(|_| codec.feedback.nack),
        twcc_id: theirs.transport_cc.filter(|_| measured),
    })
}

fn receive(ours: &Line, theirs: &Line, kind: RecvKind) -> Option<RecvStream> {
    let stream = theirs.stream?;
    let pairs = ours.codecs.iter().filter_map(|codec| Some((codec.rtx?, codec.payload_type)));
    let rtx = stream.rtx.map(|ssrc| (ssrc, pairs.collect()));
    Some(RecvStream { ssrc: stream.ssrc, kind, payload_types: payload_types(ours), rtx })
}

fn payload_types(line: &Line) -> Vec<(u8, StreamKind)> {
    line.codecs.iter().map(|codec| (codec.payload_type, kind_of(&codec.format))).collect()
}

fn knows(line: &Line, codec: &Codec) -> bool {
    line.codecs.iter().any(|ours| ours.format.video() == codec.format.video())
}

fn kind_of(format: &Format) -> StreamKind {
    format.video().map_or(StreamKind::Audio, StreamKind::Video)
}
