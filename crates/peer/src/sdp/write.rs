//! Writes a description.

use super::{
    COOKIE, Codec, DATA_FORMAT, Description, Format, LEVEL_URI, Line, LineKind, MAX_MESSAGE_SIZE, MID_URI, REPAIR,
    REPAIRED_RID_URI, RID_URI, SCTP_PORT, Setup, TRANSPORT_CC_URI,
};
use std::fmt::Write;

/// `o=` of RFC 8866: a constant session id, and a version that increases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) session: u64,
    pub(crate) version: u64,
}

impl Description {
    /// The description as text, with the line endings of RFC 8866.
    pub(crate) fn write(&self, origin: Origin) -> String {
        let mut text = Text(String::with_capacity(4096));
        text.line(format_args!("v=0"));
        text.line(format_args!("o=- {} {} IN IP4 127.0.0.1", origin.session, origin.version));
        text.line(format_args!("s=-"));
        text.line(format_args!("t=0 0"));
        if !self.bundle.is_empty() {
            text.line(format_args!("a=group:BUNDLE {}", self.bundle.join(" ")));
        }
        text.line(format_args!("a=msid-semantic: WMS *"));
        if self.ice_lite {
            text.line(format_args!("a=ice-lite"));
        }
        let tagged = self.tagged();
        let camera = self.lines.iter().find(|line| line.kind == LineKind::Video).map(|line| &line.mid);
        for (index, line) in self.lines.iter().enumerate() {
            if line.rejected {
                rejected(&mut text, line);
                continue;
            }
            self.line_text(&mut text, line);
            // Microphone and camera share one media stream, which the far side synchronises; a shared screen has its
            // own.
            let further = line.kind == LineKind::Video && camera != Some(&line.mid);
            stream_text(&mut text, line, if further { "screen" } else { "camera" });
            if tagged == Some(index) {
                for candidate in &self.candidates {
                    text.line(format_args!("a={candidate}"));
                }
            }
        }
        text.0
    }

    fn line_text(&self, text: &mut Text, line: &Line) {
        if line.kind == LineKind::Data {
            return self.data_text(text, line);
        }
        let formats = line.codecs.iter().flat_map(|codec| std::iter::once(codec.payload_type).chain(codec.rtx));
        let formats: Vec<String> = formats.chain(line.red).map(|number| number.to_string()).collect();
        text.line(format_args!("m={} 9 {} {}", media(&line.kind), line.protocol, formats.join(" ")));
        self.transport_text(text);
        name(text, line);
        if let Some(id) = line.transport_cc {
            text.line(format_args!("a=extmap:{id} {TRANSPORT_CC_URI}"));
        }
        if let Some(id) = line.mid_extension {
            text.line(format_args!("a=extmap:{id} {MID_URI}"));
        }
        if let Some(id) = line.audio_level {
            text.line(format_args!("a=extmap:{id} {LEVEL_URI}"));
        }
        encoding_names(text, line);
        let direction = match (line.send, line.receive) {
            (true, true) => "sendrecv",
            (true, false) => "sendonly",
            (false, true) => "recvonly",
            (false, false) => "inactive",
        };
        text.line(format_args!("a={direction}"));
        text.line(format_args!("a=rtcp-mux"));
        text.line(format_args!("a=rtcp-rsize"));
        for codec in &line.codecs {
            codec_text(text, codec);
        }
        if let (Some(number), Some(opus)) = (line.red, line.codecs.first().map(|codec| codec.payload_type)) {
            text.line(format_args!("a=rtpmap:{number} red/48000/2"));
            text.line(format_args!("a=fmtp:{number} {opus}/{opus}"));
        }
        if let Some(number) = line.repair {
            text.line(format_args!("a={REPAIR}:{number}"));
        }
    }

    fn data_text(&self, text: &mut Text, line: &Line) {
        text.line(format_args!("m=application 9 {} {DATA_FORMAT}", line.protocol));
        self.transport_text(text);
        name(text, line);
        text.line(format_args!("a=sctp-port:{SCTP_PORT}"));
        text.line(format_args!("a=max-message-size:{MAX_MESSAGE_SIZE}"));
    }

    fn transport_text(&self, text: &mut Text) {
        text.line(format_args!("c=IN IP4 0.0.0.0"));
        let transport = &self.transport;
        text.line(format_args!("a=ice-ufrag:{}", transport.ufrag));
        text.line(format_args!("a=ice-pwd:{}", transport.password));
        text.line(format_args!("a=ice-options:trickle"));
        text.line(format_args!("a=fingerprint:{}", transport.fingerprint));
        text.line(format_args!("a=setup:{}", setup(transport.setup)));
        if let Some(cookie) = &transport.cookie {
            let digits: String = cookie.iter().map(|byte| format!("{byte:02x}")).collect();
            text.line(format_args!("a={COOKIE}:{digits}"));
        }
    }
}

/// Text with CRLF line endings.
struct Text(String);

impl Text {
    fn line(&mut self, args: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(args);
        self.0.push_str("\r\n");
    }
}

fn setup(setup: Setup) -> &'static str {
    match setup {
        Setup::ActPass => "actpass",
        Setup::Active => "active",
        Setup::Passive => "passive",
    }
}

fn media(kind: &LineKind) -> &str {
    match kind {
        LineKind::Audio => "audio",
        LineKind::Video => "video",
        LineKind::Data => "application",
        LineKind::Foreign { media } => media,
    }
}

fn name(text: &mut Text, line: &Line) {
    if line.named {
        text.line(format_args!("a=mid:{}", line.mid));
    }
}

/// RFC 3264 section 6: the media, protocol and format of the offer, and port 0.
fn rejected(text: &mut Text, line: &Line) {
    text.line(format_args!("m={} 0 {} {}", media(&line.kind), line.protocol, line.format));
    text.line(format_args!("c=IN IP4 0.0.0.0"));
    name(text, line);
    text.line(format_args!("a=inactive"));
}

fn codec_text(text: &mut Text, codec: &Codec) {
    let number = codec.payload_type;
    match &codec.format {
        Format::Opus => {
            text.line(format_args!("a=rtpmap:{number} opus/48000/2"));
            text.line(format_args!("a=fmtp:{number} minptime=10;useinbandfec=1"));
        }
        Format::Vp8 => text.line(format_args!("a=rtpmap:{number} VP8/90000")),
        Format::Vp9 => {
            text.line(format_args!("a=rtpmap:{number} VP9/90000"));
            text.line(format_args!("a=fmtp:{number} profile-id=0"));
        }
        Format::H264 { profile_level_id } => {
            text.line(format_args!("a=rtpmap:{number} H264/90000"));
            text.line(format_args!(
                "a=fmtp:{number} level-asymmetry-allowed=1;packetization-mode=1;profile-level-id={profile_level_id}"
            ));
        }
    }
    let feedback = codec.feedback;
    let words = [
        (feedback.transport_cc, "transport-cc"),
        (feedback.fir, "ccm fir"),
        (feedback.nack, "nack"),
        (feedback.pli, "nack pli"),
    ];
    for (_, word) in words.iter().filter(|(understood, _)| *understood) {
        text.line(format_args!("a=rtcp-fb:{number} {word}"));
    }
    if let Some(rtx) = codec.rtx {
        text.line(format_args!("a=rtpmap:{rtx} rtx/90000"));
        text.line(format_args!("a=fmtp:{rtx} apt={number}"));
    }
}

fn encoding_names(text: &mut Text, line: &Line) {
    if let Some(id) = line.rid_extension {
        text.line(format_args!("a=extmap:{id} {RID_URI}"));
    }
    if let Some(id) = line.repaired_rid_extension {
        text.line(format_args!("a=extmap:{id} {REPAIRED_RID_URI}"));
    }
    for encoding in &line.encodings {
        text.line(format_args!("a=rid:{} send", encoding.rid));
    }
    let list = |names: Vec<&str>| names.join(";");
    let sent = list(line.encodings.iter().map(|encoding| encoding.rid.as_str()).collect());
    let wanted = list(line.wanted.iter().map(String::as_str).collect());
    let words = [("send", sent), ("recv", wanted)].into_iter().filter(|(_, names)| !names.is_empty());
    let words: Vec<String> = words.map(|(word, names)| format!("{word} {names}")).collect();
    if !words.is_empty() {
        text.line(format_args!("a=simulcast:{}", words.join(" ")));
    }
}

fn stream_text(text: &mut Text, line: &Line, name: &str) {
    let Some(stream) = line.stream else { return };
    let track = format!("{name}-{}", line.mid);
    text.line(format_args!("a=msid:{name} {track}"));
    if let Some(rtx) = stream.rtx {
        text.line(format_args!("a=ssrc-group:FID {} {rtx}", stream.ssrc));
    }
    for ssrc in std::iter::once(stream.ssrc).chain(stream.rtx) {
        text.line(format_args!("a=ssrc:{ssrc} cname:lunchroom"));
        text.line(format_args!("a=ssrc:{ssrc} msid:{name} {track}"));
    }
}
