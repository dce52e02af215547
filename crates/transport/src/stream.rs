//! What the negotiation fixed about each RTP stream.

use media::encoded::VideoCodec;

/// What one payload type carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamKind {
    /// Opus, RFC 7587.
    Audio,
    /// Video in one of our codecs.
    Video(VideoCodec),
}

/// A stream that we send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendStream {
    /// SSRC of the media.
    pub ssrc: u32,
    /// What it carries; for video see also [`Sender::set_codec`](crate::Sender::set_codec).
    pub kind: StreamKind,
    /// Negotiated payload type, written into every packet.
    pub payload_type: u8,
    /// SSRC and payload type of its retransmissions, RFC 4588. Without it nothing is retransmitted or probed.
    pub rtx: Option<(u32, u8)>,
    /// Payload type of repair packets, on the SSRC of the retransmissions. Only our own clients know them; without it
    /// there are none.
    pub repair: Option<u8>,
    /// Negotiated id of the transport-wide sequence number extension. Without it the stream is not measured.
    pub twcc_id: Option<u8>,
}

/// Whether a received stream is heard or seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecvKind {
    /// Passed on packet by packet, as the audio jitter buffer wants it.
    Audio,
    /// Retransmitted on request and assembled into frames.
    Video,
}

/// A stream that we receive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecvStream {
    /// SSRC of the media.
    pub ssrc: u32,
    /// Heard or seen.
    pub kind: RecvKind,
    /// Negotiated payload types; packets of any other are dropped and counted.
    pub payload_types: Vec<(u8, StreamKind)>,
    /// SSRC of its retransmissions and pairs (RTX payload type, media payload type), RFC 4588.
    pub rtx: Option<(u32, Vec<(u8, u8)>)>,
    /// Payload type of repair packets, on the SSRC of the retransmissions.
    pub repair: Option<u8>,
}
