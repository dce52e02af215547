//! Computes the streams that an offer and its answer agree on. Pure.

use crate::sdp::{Codec, Description, Encoding, Format, Line, LineKind, Stream};
use bytes::Bytes;
use media::encoded::VideoCodec;
use transport::{PacketNames, RecvKind, SendStream, StreamKind, VideoFormat};

/// The result of a negotiation for one media line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) mid: String,
    pub(crate) kind: RecvKind,
    /// Whether it is a video line after the first one, which is the camera's: a shared screen.
    pub(crate) screen: bool,
    /// What we send; `None` while the far side does not want it or supports none of our codecs.
    pub(crate) send: Option<SendStream>,
    /// The further encodings that we send at once; larger than the first.
    pub(crate) further: Vec<SendStream>,
    /// Whether the far side sends.
    pub(crate) receives: bool,
    /// The SSRCs that the far side sends; `None` if it does not send or did not announce them.
    pub(crate) announced: Option<Stream>,
    /// The payload types that the far side may send.
    pub(crate) payload_types: Vec<(u8, StreamKind)>,
    /// The payload types of its retransmissions, each with that of the original (RFC 4588 `apt`).
    pub(crate) rtx_pairs: Vec<(u8, u8)>,
    /// The payload type of its repair packets, if both know them.
    pub(crate) repair: Option<u8>,
    /// Extension id of the transport-wide sequence number in packets of the far side.
    pub(crate) transport_cc: Option<u8>,
    /// Extension id of the MID, for packets whose SSRC was not announced.
    pub(crate) mid_extension: Option<u8>,
    /// Extension id of the audio level in packets of the far side.
    pub(crate) audio_level: Option<u8>,
}

impl Agreed {
    /// All that we send on the line.
    pub(crate) fn streams(&self) -> impl Iterator<Item = &SendStream> {
        self.send.iter().chain(&self.further)
    }

    pub(crate) fn video_codec(&self) -> Option<VideoCodec> {
        match self.send.as_ref()?.kind {
            StreamKind::Video(codec) => Some(codec),
            StreamKind::Audio | StreamKind::Red => None,
        }
    }
}

/// The lines that are active on both sides. We send with the far side's payload types, and its preferred codec among
/// those we support; it sends with our payload types.
pub(crate) fn agree(local: &Description, remote: &Description) -> Vec<Agreed> {
    // The lines of both have the same order. A rejected line of the camera stays that of the camera.
    let camera = local.lines.iter().find(|line| line.kind == LineKind::Video).map(|line| &line.mid);
    let lines = local.lines.iter().filter_map(|ours| {
        let theirs = remote.line(&ours.mid)?;
        let kind = match (&ours.kind, &theirs.kind) {
            (LineKind::Audio, LineKind::Audio) => RecvKind::Audio,
            (LineKind::Video, LineKind::Video) => RecvKind::Video,
            _ => return None,
        };
        let screen = kind == RecvKind::Video && camera != Some(&ours.mid);
        (!ours.rejected && !theirs.rejected).then(|| Agreed { screen, ..line(ours, theirs, kind) })
    });
    lines.collect()
}

fn line(ours: &Line, theirs: &Line, kind: RecvKind) -> Agreed {
    let receives = ours.receive && theirs.send;
    let mut streams = if ours.send && theirs.receive { streams(ours, theirs) } else { Vec::new() }.into_iter();
    Agreed {
        mid: ours.mid.clone(),
        kind,
        screen: false,
        send: streams.next(),
        further: streams.collect(),
        receives,
        announced: theirs.stream.filter(|_| receives),
        payload_types: payload_types(ours),
        rtx_pairs: ours.codecs.iter().filter_map(|codec| Some((codec.rtx?, codec.payload_type))).collect(),
        repair: ours.repair.filter(|_| theirs.repair.is_some()),
        transport_cc: theirs.transport_cc.filter(|id| ours.transport_cc == Some(*id)),
        mid_extension: theirs.mid_extension.filter(|id| ours.mid_extension == Some(*id)),
        audio_level: theirs.audio_level.filter(|id| ours.audio_level == Some(*id)),
    }
}

/// What we send on a line: one stream, or one for each encoding that the far side wants.
fn streams(ours: &Line, theirs: &Line) -> Vec<SendStream> {
    if ours.encodings.is_empty() {
        let sent = ours.stream.and_then(|stream| send(ours, theirs, stream, PacketNames::default()));
        return sent.into_iter().collect();
    }
    let is_wanted = |encoding: &&Encoding| theirs.wanted.contains(&encoding.rid);
    let value = |id: Option<u8>, text: &str| id.map(|id| (id, Bytes::copy_from_slice(text.as_bytes())));
    let names = |encoding: &Encoding| PacketNames {
        mid: value(ours.mid_extension, &ours.mid),
        rid: value(ours.rid_extension, &encoding.rid),
        repaired_rid: value(ours.repaired_rid_extension, &encoding.rid),
    };
    let wanted = ours.encodings.iter().filter(is_wanted);
    wanted.filter_map(|encoding| send(ours, theirs, encoding.stream, names(encoding))).collect()
}

fn send(ours: &Line, theirs: &Line, stream: Stream, names: PacketNames) -> Option<SendStream> {
    let rtx = |codec: &Codec| stream.rtx.zip(codec.rtx).filter(|_| codec.feedback.nack);
    let accepted = || theirs.codecs.iter().filter(|codec| knows(ours, codec));
    let format = |codec: &Codec| {
        let video = codec.format.video()?;
        Some(VideoFormat { codec: video, payload_type: codec.payload_type, rtx: rtx(codec) })
    };
    let codec = accepted().next()?;
    let measured = codec.feedback.transport_cc;
    Some(SendStream {
        ssrc: stream.ssrc,
        kind: kind_of(&codec.format),
        payload_type: codec.payload_type,
        repair: theirs.repair.filter(|_| ours.repair.is_some()),
        red: theirs.red.filter(|_| ours.red.is_some()),
        rtx: rtx(codec),
        formats: accepted().filter_map(format).collect(),
        twcc_id: theirs.transport_cc.filter(|_| measured),
        level_id: theirs.audio_level.filter(|_| ours.audio_level.is_some()),
        names,
    })
}

fn payload_types(line: &Line) -> Vec<(u8, StreamKind)> {
    let codecs = line.codecs.iter().map(|codec| (codec.payload_type, kind_of(&codec.format)));
    codecs.chain(line.red.map(|number| (number, StreamKind::Red))).collect()
}

fn knows(line: &Line, codec: &Codec) -> bool {
    line.codecs.iter().any(|ours| ours.format.video() == codec.format.video())
}

fn kind_of(format: &Format) -> StreamKind {
    format.video().map_or(StreamKind::Audio, StreamKind::Video)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp;

    const CHROMIUM: &str = include_str!("sdp/chromium.sdp");

    fn chromium() -> Description {
        sdp::parse(CHROMIUM, &VideoCodec::ALL).unwrap()
    }

    /// An answer that accepts everything, with these video codecs in this order.
    fn answer(codecs: &[VideoCodec]) -> Description {
        let mut answer = chromium();
        for (line, ssrc) in answer.lines.iter_mut().zip([1, 2, 3]) {
            line.stream = line.stream.map(|stream| Stream { ssrc, rtx: stream.rtx.map(|_| ssrc + 10) });
            if line.kind == LineKind::Video {
                let place = |codec: &Codec| codecs.iter().position(|c| Some(*c) == codec.format.video());
                line.codecs.retain(|codec| place(codec).is_some());
                line.codecs.sort_by_key(place);
            }
        }
        answer
    }

    fn video(agreed: &[Agreed]) -> &Agreed {
        agreed.iter().find(|agreed| agreed.kind == RecvKind::Video).unwrap()
    }

    #[test]
    fn the_answerer_sends_the_supported_codec_that_the_offer_prefers() {
        let agreed = agree(&answer(&[VideoCodec::Vp9, VideoCodec::H264]), &chromium());
        let send = video(&agreed).send.clone().unwrap();
        assert_eq!((send.kind, send.payload_type), (StreamKind::Video(VideoCodec::H264), 109));
        assert_eq!((send.ssrc, send.rtx, send.twcc_id), (2, Some((12, 114)), Some(3)));
    }

    #[test]
    fn the_offerer_accepts_the_codec_in_the_answer() {
        let agreed = agree(&chromium(), &answer(&[VideoCodec::Vp9, VideoCodec::Vp8]));
        let video = video(&agreed);
        assert_eq!((video.announced, video.kind), (Some(Stream { ssrc: 2, rtx: Some(12) }), RecvKind::Video));
        assert_eq!(video.payload_types.len(), 3, "all that was offered may come");
        assert_eq!(video.rtx_pairs, [(97, 96), (114, 109), (99, 98)]);
    }

    #[test]
    fn rejected_lines_have_no_agreement() {
        let agreed = agree(&answer(&VideoCodec::ALL), &chromium());
        assert_eq!(agreed.iter().map(|line| line.mid.as_str()).collect::<Vec<_>>(), ["0", "1"]);
        let mut refused = answer(&VideoCodec::ALL);
        refused.lines[1].rejected = true;
        assert_eq!(agree(&refused, &chromium()).len(), 1);
    }

    #[test]
    fn every_video_line_but_the_first_is_a_screen() {
        let mut both = chromium();
        let further = Line { mid: "9".into(), ..both.lines[1].clone() };
        both.lines.push(further);
        let screens = |ours: &Description, theirs: &Description| {
            agree(ours, theirs).into_iter().filter(|line| line.screen).map(|line| line.mid).collect::<Vec<_>>()
        };
        assert_eq!(screens(&both, &both), ["9"]);
        let mut without = both.clone();
        without.lines[1].rejected = true;
        assert_eq!(screens(&both, &without), ["9"], "also where the camera's line is rejected");
    }

    #[test]
    fn a_direction_is_used_only_if_both_sides_want_it() {
        let mut theirs = chromium();
        theirs.lines[1].send = false;
        let line = agree(&answer(&VideoCodec::ALL), &theirs);
        assert!(video(&line).send.is_some() && !video(&line).receives && video(&line).announced.is_none());
        let mut ours = answer(&VideoCodec::ALL);
        ours.lines[1].send = false;
        assert_eq!(video(&agree(&ours, &chromium())).send, None);
    }

    #[test]
    fn without_a_common_video_codec_only_audio_is_sent() {
        let agreed = agree(&answer(&[]), &chromium());
        assert_eq!(video(&agreed).send, None);
        assert!(agreed[0].send.is_some());
    }

    #[test]
    fn retransmissions_need_nack() {
        let mut theirs = chromium();
        for codec in &mut theirs.lines[1].codecs {
            codec.feedback.nack = false;
        }
        assert_eq!(video(&agree(&answer(&VideoCodec::ALL), &theirs)).send.as_ref().unwrap().rtx, None);
    }
}
