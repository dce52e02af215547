//! Negotiated parameters of RTP streams.

use bytes::Bytes;
use media::encoded::VideoCodec;

/// The media of one payload type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Opus, RFC 7587.
    Audio,
    /// Opus packets with copies of earlier ones, RFC 2198. Only for receiving.
    Red,
    /// Video, with its codec.
    Video(VideoCodec),
}

/// A negotiated format of outgoing video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoFormat {
    /// The codec.
    pub codec: VideoCodec,
    /// Payload type of the media packets.
    pub payload_type: u8,
    /// SSRC and payload type of the retransmissions.
    pub rtx: Option<(u32, u8)>,
}

/// What tells the far side to which line and encoding a packet belongs when no description announces its SSRC. Each is the
/// negotiated id of a header extension and its value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PacketNames {
    /// The line (RFC 9143 section 15).
    pub mid: Option<(u8, Bytes)>,
    /// The encoding, in media packets (RFC 8852 section 3.1).
    pub rid: Option<(u8, Bytes)>,
    /// The encoding, in retransmissions (RFC 8852 section 3.2).
    pub repaired_rid: Option<(u8, Bytes)>,
}

/// An outgoing stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendStream {
    /// SSRC of the media.
    pub ssrc: u32,
    /// The media that the stream starts with.
    pub kind: StreamKind,
    /// Negotiated payload type of the media packets.
    pub payload_type: u8,
    /// SSRC and payload type of the retransmissions (RFC 4588). If `None`, the sender neither retransmits packets of this
    /// stream nor uses them as padding for probes.
    pub rtx: Option<(u32, u8)>,
    /// All formats that the far side accepts for video, in its order of preference. A keyframe in another of them switches
    /// the stream to it, which needs no negotiation (RFC 3264 section 5.1).
    pub formats: Vec<VideoFormat>,
    /// Payload type of repair packets, which use the SSRC of the retransmissions. If `None`, no repair packets are sent.
    /// Only Lunchroom's own clients support them.
    pub repair: Option<u8>,
    /// Payload type of Opus packets with copies of earlier ones (RFC 2198). If `None`, no copies are sent.
    pub red: Option<u8>,
    /// Negotiated id of the transport-wide sequence number extension
    /// (draft-holmer-rmcat-transport-wide-cc-extensions-01). If `None`, the stream does not contribute to the bandwidth
    /// estimate.
    pub twcc_id: Option<u8>,
    /// Negotiated id of the audio level extension (RFC 6464). If `None`, the level of sound is not sent.
    pub level_id: Option<u8>,
    /// What is written into each packet for a far side that does not know the SSRC.
    pub names: PacketNames,
}

impl SendStream {
    /// The ids of all header extensions that its packets may have.
    pub(crate) fn extension_ids(&self) -> impl Iterator<Item = u8> {
        let PacketNames { mid, rid, repaired_rid } = &self.names;
        let names = [mid, rid, repaired_rid].into_iter().flatten().map(|name| name.0);
        names.chain(self.twcc_id).chain(self.level_id)
    }
}

/// The kind of media of an incoming stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecvKind {
    /// Audio. Each packet is passed on separately, for the audio jitter buffer.
    Audio,
    /// Video. Missing packets are requested, and packets are assembled into frames.
    Video,
}

/// An incoming stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecvStream {
    /// SSRC of the media.
    pub ssrc: u32,
    /// Audio or video.
    pub kind: RecvKind,
    /// Negotiated payload types. Packets of other payload types are dropped and counted in
    /// [`ReceiverStats::unknown_packets`](crate::ReceiverStats::unknown_packets).
    pub payload_types: Vec<(u8, StreamKind)>,
    /// Negotiated id of the audio level extension (RFC 6464).
    pub level_id: Option<u8>,
    /// SSRC of the retransmissions, and pairs of RTX payload type and media payload type (RFC 4588).
    pub rtx: Option<(u32, Vec<(u8, u8)>)>,
    /// Payload type of repair packets, which use the SSRC of the retransmissions.
    pub repair: Option<u8>,
}
