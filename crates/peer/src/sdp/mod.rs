//! Session descriptions as this crate understands them (RFC 8866, RFC 9429).
//!
//! Nothing that the far side writes reaches the WebRTC library unchanged. A description is parsed into [`Description`],
//! which can express only what we support, and is written again. Our own descriptions pass through the same code, so
//! our tests cover both directions. Unknown attributes are dropped, invalid ones reject the whole description, and an
//! unsupported media line is rejected alone.

mod attribute;
mod line;
mod parse;
mod section;
mod transport;
mod write;

pub(crate) use attribute::fingerprint_line;
pub(crate) use parse::{free_name, parse, parse_up_to};
pub(crate) use write::Origin;

use crate::candidate::Candidate;
use crate::dtls_cookie::Cookie;
use media::encoded::VideoCodec;

/// Longest accepted description in bytes, as in `signaling`.
pub(crate) const MAX_BYTES: usize = 48 * 1024;
/// The protocol and the format of a line of data channels, and what we offer (RFC 8841, RFC 8831 section 6.6).
pub(crate) const DATA_PROTOCOL: &str = "UDP/DTLS/SCTP";
pub(crate) const DATA_FORMAT: &str = "webrtc-datachannel";
const SCTP_PORT: u16 = 5000;
/// Longest message in bytes that may be sent on a data channel. Every browser takes messages of this size in one piece.
pub const MAX_DATA_BYTES: usize = 16 * 1024;
const MAX_MESSAGE_SIZE: u64 = 65_536;
/// URI of the transport-wide sequence number extension (draft-holmer-rmcat-transport-wide-cc-extensions-01).
pub(crate) const TRANSPORT_CC_URI: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// Attribute of a video line whose writer knows repair packets (PROTOCOL.md), with their payload type.
pub(crate) const REPAIR: &str = "x-lunchroom-repair";
/// Attribute with the cookie that the writer's DTLS server asks for (PROTOCOL.md), in hexadecimal.
pub(crate) const COOKIE: &str = "x-lunchroom-dtls-cookie";
/// URI of the MID extension, RFC 9143.
pub(crate) const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
/// Encodings of one line: what browsers send at most.
pub(crate) const MAX_ENCODINGS: usize = 3;
/// URIs of the extensions with the name of an encoding, RFC 8852.
const RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
const REPAIRED_RID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id";
/// URI of the audio level extension, RFC 6464.
pub(crate) const LEVEL_URI: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";

/// Why a description is rejected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SdpError {
    #[error("it is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("it has too many media lines")]
    TooManyLines,
    #[error("line {0} is not SDP")]
    Syntax(usize),
    #[error("attribute {0} is invalid")]
    Attribute(&'static str),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("it has no sha-256 fingerprint, the only supported kind")]
    Fingerprint,
}

/// A bundled session description (RFC 9143, RFC 5761): one transport for all lines that are not rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    /// ICE and DTLS parameters.
    pub(crate) transport: Transport,
    /// Whether the writer is an ICE lite agent (RFC 8445 section 2.5).
    pub(crate) ice_lite: bool,
    /// Names of the lines that share the transport, the tagged one first (RFC 9143 section 7.3). Empty without a group;
    /// then there is at most one line.
    pub(crate) bundle: Vec<String>,
    /// Media lines. Their order never changes in a session.
    pub(crate) lines: Vec<Line>,
    /// The candidates in the description.
    pub(crate) candidates: Vec<Candidate>,
}

impl Description {
    pub(crate) fn line(&self, mid: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.mid == mid)
    }

    /// Whether this description can follow `before` in one session: all lines are still there, and only rejected ones
    /// have been replaced (RFC 9429 section 5.2.2).
    pub(crate) fn continues(&self, before: &Description) -> bool {
        let mut pairs = self.lines.iter().zip(&before.lines);
        self.lines.len() >= before.lines.len() && pairs.all(|(new, old)| new.mid == old.mid || old.rejected)
    }

    /// Whether this can answer `offer`. Lines without a name get the name of the same line in the offer.
    pub(crate) fn take_names(&mut self, offer: &Description) -> bool {
        for (line, offered) in self.lines.iter_mut().zip(&offer.lines).filter(|(line, _)| !line.named) {
            line.mid.clone_from(&offered.mid);
        }
        let mut pairs = self.lines.iter().zip(&offer.lines);
        self.lines.len() == offer.lines.len() && pairs.all(|(theirs, ours)| theirs.mid == ours.mid)
    }

    /// Index of the line that carries the transport attributes.
    pub(crate) fn tagged(&self) -> Option<usize> {
        let first = self.bundle.first();
        self.lines.iter().position(|line| !line.rejected && first.is_none_or(|first| line.mid == *first))
    }
}

/// ICE and DTLS parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transport {
    pub(crate) ufrag: String,
    pub(crate) password: String,
    /// `sha-256 AB:CD:...`, RFC 8122.
    pub(crate) fingerprint: String,
    pub(crate) setup: Setup,
    /// What the writer's DTLS server asks for; see [`COOKIE`].
    pub(crate) cookie: Option<Cookie>,
}

/// The DTLS role, RFC 8842.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    ActPass,
    Active,
    Passive,
}

impl Setup {
    /// The role of the other side.
    pub(crate) fn opposite(self) -> Setup {
        match self {
            Setup::ActPass => Setup::ActPass,
            Setup::Active => Setup::Passive,
            Setup::Passive => Setup::Active,
        }
    }
}

/// The content of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineKind {
    Audio,
    Video,
    /// Data channels over SCTP.
    Data,
    /// An unsupported media type, by its name.
    Foreign {
        media: String,
    },
}

/// A media line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) mid: String,
    /// Whether the writer named the line. If not, we made up the name, and it is not signalled.
    pub(crate) named: bool,
    pub(crate) kind: LineKind,
    /// The protocol as received, because the answer must repeat it (RFC 9429 section 5.1.2).
    pub(crate) protocol: String,
    /// Port 0: rejected or stopped.
    pub(crate) rejected: bool,
    /// The formats of a rejected line as received. Empty in other lines, which have codecs.
    pub(crate) format: String,
    pub(crate) send: bool,
    pub(crate) receive: bool,
    /// The codecs that both support, in the writer's order of preference.
    pub(crate) codecs: Vec<Codec>,
    /// Payload type of repair packets, on the SSRC of retransmissions, if the writer knows them.
    pub(crate) repair: Option<u8>,
    /// Payload type of Opus packets with copies of earlier ones (RFC 2198), if the writer supports them.
    pub(crate) red: Option<u8>,
    /// Extension id of the transport-wide sequence number.
    pub(crate) transport_cc: Option<u8>,
    /// Extension id of the MID.
    pub(crate) mid_extension: Option<u8>,
    /// Extension id of the audio level.
    pub(crate) audio_level: Option<u8>,
    /// The SSRCs that the writer sends.
    pub(crate) stream: Option<Stream>,
    /// The encodings that the writer sends at once (RFC 8853). Only in our offers; those of others are not read.
    pub(crate) encodings: Vec<Encoding>,
    /// The names of the encodings that the writer wants to receive.
    pub(crate) wanted: Vec<String>,
    /// Extension ids of an encoding's name, in media packets and in retransmissions. Only beside encodings.
    pub(crate) rid_extension: Option<u8>,
    pub(crate) repaired_rid_extension: Option<u8>,
}

impl Line {
    /// Longest name in bytes, the limit of one-byte header extensions.
    pub(crate) const LONGEST_MID: usize = 16;

    /// A line without content.
    pub(crate) fn rejected(mid: &str, kind: LineKind, protocol: &str, format: &str) -> Line {
        Line {
            mid: mid.into(),
            named: true,
            kind,
            protocol: protocol.into(),
            rejected: true,
            format: format.into(),
            send: false,
            receive: false,
            codecs: Vec::new(),
            repair: None,
            red: None,
            transport_cc: None,
            mid_extension: None,
            audio_level: None,
            stream: None,
            encodings: Vec::new(),
            wanted: Vec::new(),
            rid_extension: None,
            repaired_rid_extension: None,
        }
    }

    /// All payload types of the line.
    pub(crate) fn payload_types(&self) -> impl Iterator<Item = u8> {
        let codecs = self.codecs.iter().flat_map(|codec| std::iter::once(codec.payload_type).chain(codec.rtx));
        codecs.chain(self.repair).chain(self.red)
    }

    /// Removes the content of the line.
    pub(crate) fn reject(&mut self) {
        if self.rejected {
            return;
        }
        let format = match self.kind {
            LineKind::Data => DATA_FORMAT.to_owned(),
            _ => self.codecs.first().map_or(0, |codec| codec.payload_type).to_string(),
        };
        let rejected = Line::rejected(&self.mid, self.kind.clone(), &self.protocol, &format);
        *self = Line { named: self.named, ..rejected };
    }
}

/// The SSRCs of a line's sender, RFC 5576.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) ssrc: u32,
    /// SSRC of retransmissions, RFC 4588.
    pub(crate) rtx: Option<u32>,
}

/// One of several encodings of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoding {
    /// Its name (RFC 8851).
    pub(crate) rid: String,
    /// Its SSRCs, which the description does not name.
    pub(crate) stream: Stream,
}

/// A codec with its payload type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Codec {
    pub(crate) payload_type: u8,
    pub(crate) format: Format,
    /// Payload type of retransmissions.
    pub(crate) rtx: Option<u8>,
    /// The feedback that the writer supports.
    pub(crate) feedback: Feedback,
}

/// A supported codec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    Opus,
    Vp8,
    /// Profile 0.
    Vp9,
    /// Constrained baseline, packetization mode 1, with the writer's `profile-level-id`.
    H264 {
        profile_level_id: String,
    },
}

impl Format {
    pub(crate) fn video(&self) -> Option<VideoCodec> {
        match self {
            Format::Opus => None,
            Format::Vp8 => Some(VideoCodec::Vp8),
            Format::Vp9 => Some(VideoCodec::Vp9),
            Format::H264 { .. } => Some(VideoCodec::H264),
        }
    }
}

/// `rtcp-fb` of RFC 4585, RFC 5104 and the transport-wide congestion control draft.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Feedback {
    pub(crate) transport_cc: bool,
    pub(crate) nack: bool,
    pub(crate) pli: bool,
    pub(crate) fir: bool,
}

#[cfg(test)]
mod tests;
