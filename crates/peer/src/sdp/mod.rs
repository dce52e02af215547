//! Session descriptions as this crate understands them (RFC 8866, RFC 9429).
//!
//! Nothing that the far side wrote reaches the WebRTC library as it came: a description is read into [`Description`],
//! which can only say what we support, and written out again. What goes to the far side takes the same way, so both
//! directions are under our tests. Unknown attributes are dropped, broken ones refuse the description, and a line that
//! we cannot take is rejected alone.

mod attribute;
mod line;
mod parse;
mod section;
mod transport;
mod write;

pub(crate) use parse::{free_name, parse};
pub(crate) use write::Origin;

use crate::candidate::Candidate;
use media::encoded::VideoCodec;

/// Longest description that is read, as `signaling` allows.
pub(crate) const MAX_BYTES: usize = 48 * 1024;
/// `urn` of the transport-wide sequence number (draft-holmer-rmcat-transport-wide-cc-extensions-01).
pub(crate) const TRANSPORT_CC_URI: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// Name of the media line in a packet, RFC 9143.
pub(crate) const MID_URI: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";

/// Why a description is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SdpError {
    #[error("it is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("it has more media lines than we take")]
    TooManyLines,
    #[error("line {0} is not SDP")]
    Syntax(usize),
    #[error("attribute {0} is broken")]
    Attribute(&'static str),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("it has no fingerprint by sha-256, and no other can be checked")]
    Fingerprint,
}

/// A session description, multiplexed (RFC 9143, RFC 5761): one transport for all lines that are not rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    /// ICE and DTLS parameters.
    pub(crate) transport: Transport,
    /// The writer is an ICE lite agent (RFC 8445 2.5).
    pub(crate) ice_lite: bool,
    /// Names of the lines that share the transport, the tagged one first (RFC 9143 7.3); empty if there is no group,
    /// and so one line at most.
    pub(crate) bundle: Vec<String>,
    /// Media lines in their order, which never changes in a session.
    pub(crate) lines: Vec<Line>,
    /// Candidates that it brings along.
    pub(crate) candidates: Vec<Candidate>,
}

impl Description {
    pub(crate) fn line(&self, mid: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.mid == mid)
    }

    /// Whether this can follow `before` in one session: all its lines are still there, and only in the place of dead
    /// ones are there others (RFC 9429 5.2.2).
    pub(crate) fn continues(&self, before: &Description) -> bool {
        let mut pairs = self.lines.iter().zip(&before.lines);
        self.lines.len() >= before.lines.len() && pairs.all(|(new, old)| new.mid == old.mid || old.rejected)
    }

    /// Whether this can be the answer to `offer`. Lines without a name have that of their place then.
    pub(crate) fn take_names(&mut self, offer: &Description) -> bool {
        for (line, offered) in self.lines.iter_mut().zip(&offer.lines).filter(|(line, _)| !line.named) {
            line.mid.clone_from(&offered.mid);
        }
        let mut pairs = self.lines.iter().zip(&offer.lines);
        self.lines.len() == offer.lines.len() && pairs.all(|(theirs, ours)| theirs.mid == ours.mid)
    }

    /// Index of the line that speaks for the transport.
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
}

/// Who opens DTLS, RFC 8842.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setup {
    ActPass,
    Active,
    Passive,
}

impl Setup {
    /// The part that is left for the other side.
    pub(crate) fn opposite(self) -> Setup {
        match self {
            Setup::ActPass => Setup::ActPass,
            Setup::Active => Setup::Passive,
            Setup::Passive => Setup::Active,
        }
    }
}

/// What a line carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineKind {
    Audio,
    Video,
    /// Something we do not take, by its media word.
    Foreign {
        media: String,
    },
}

/// A media line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) mid: String,
    /// The writer named the line; else its name is one of ours, and nobody else's business.
    pub(crate) named: bool,
    pub(crate) kind: LineKind,
    /// As it came, for the answer must have the same (RFC 9429 5.1.2).
    pub(crate) protocol: String,
    /// Port 0: refused or ended.
    pub(crate) rejected: bool,
    /// What stands for the formats of a rejected line; empty in others, which have codecs.
    pub(crate) format: String,
    pub(crate) send: bool,
    pub(crate) receive: bool,
    /// What of ours it can, the writer's preferred one first.
    pub(crate) codecs: Vec<Codec>,
    /// Extension id of the transport-wide sequence number.
    pub(crate) transport_cc: Option<u8>,
    /// Extension id of the line's name.
    pub(crate) mid_extension: Option<u8>,
    /// What the writer sends.
    pub(crate) stream: Option<Stream>,
}

impl Line {
    /// Longest name: that of one byte header extensions.
    pub(crate) const LONGEST_MID: usize = 16;

    /// A line with nothing in it.
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
            transport_cc: None,
            mid_extension: None,
            stream: None,
        }
    }

    /// Takes everything out of the line.
    pub(crate) fn reject(&mut self) {
        if self.rejected {
            return;
        }
        let format = self.codecs.first().map_or(0, |codec| codec.payload_type).to_string();
        let rejected = Line::rejected(&self.mid, self.kind.clone(), &self.protocol, &format);
        *self = Line { named: self.named, ..rejected };
    }
}

/// SSRCs of a line's sender, RFC 5576.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) ssrc: u32,
    /// Retransmissions, RFC 4588.
    pub(crate) rtx: Option<u32>,
}

/// A codec under its payload type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Codec {
    pub(crate) payload_type: u8,
    pub(crate) format: Format,
    /// Payload type of its retransmissions.
    pub(crate) rtx: Option<u8>,
    /// Feedback the writer understands.
    pub(crate) feedback: Feedback,
}

/// A codec we have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Format {
    Opus,
    Vp8,
    /// Profile 0.
    Vp9,
    /// Constrained baseline, packetisation mode 1, with the writer's `profile-level-id`.
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

/// `rtcp-fb` of RFC 4585, RFC 5104 and the transport-wide draft.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Feedback {
    pub(crate) transport_cc: bool,
    pub(crate) nack: bool,
    pub(crate) pli: bool,
    pub(crate) fir: bool,
}

#[cfg(test)]
mod tests;
