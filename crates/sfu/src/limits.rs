//! All bounds of forwarded rooms. Each says what happens beyond it.

use std::time::Duration;

use crate::rate::Rate;

/// Bounds that the owner of a server may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes that one person may send in a second. Datagrams beyond are dropped before they are decrypted.
    pub published: Rate,
    /// Most that one room is sent, in bit/s; `None` is no bound. Each person has an equal share of it. What does not fit a
    /// share is sent in a smaller encoding, or not at all; sound is always sent.
    pub room_bits: Option<u64>,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { published: PUBLISHED_BYTES, room_bits: None }
    }
}

/// People in one room. Another is refused.
pub const MAX_PARTICIPANTS: usize = 60;
/// Rooms with somebody in them. Another is refused.
pub const MAX_ROOMS: usize = 200;
/// Encodings of one picture: what Chromium sends at most. Others are not negotiated.
pub const MAX_ENCODINGS: usize = 3;
/// Pictures of others that one person receives at a time: a page of tiles and a screen. What is wanted beyond that is not
/// sent.
pub const MAX_VIDEO_SLOTS: usize = 50;
/// Voices that one person receives at a time. Whoever spoke longest ago is not audible to them.
pub const MAX_AUDIO_SLOTS: usize = 8;

/// Bytes that one person may send in a second, unless the server is configured otherwise: three encodings and a screen at
/// their best, and as much again for retransmissions and probes. Datagrams beyond are dropped before they are decrypted.
pub const PUBLISHED_BYTES: Rate = Rate::new(2_500_000, 1_250_000);
/// Datagrams that one person may send in a second. Those beyond are dropped before they are decrypted.
pub const PUBLISHED_DATAGRAMS: Rate = Rate::new(4_000, 2_000);
/// Longest payload of a packet that is forwarded. Longer ones are dropped: with the headers of the receiver's connection
/// they might not fit a datagram.
pub const MAX_PAYLOAD_BYTES: usize = 1_350;

/// Time between two keyframe requests for one encoding. Those in between become one request at its end.
pub const KEYFRAME_INTERVAL: Duration = Duration::from_secs(1);
/// Keyframe requests of one receiver for one picture. Those beyond are ignored, so that nobody makes others' pictures worse
/// for all.
pub const KEYFRAME_REQUESTS: Rate = Rate::per(Duration::from_secs(3), 3);
/// Changes of what one person wants to see. Those beyond are refused.
pub const VIEW_CHANGES: Rate = Rate::new(10, 40);

/// Packets since the last keyframe that are kept for those who begin with it. If there are more, the keyframe is forgotten.
pub const MAX_RECENT_PACKETS: usize = 192;
/// The same in bytes.
pub const MAX_RECENT_BYTES: usize = 192 * 1_024;
/// Age at which a keyframe is no longer worth beginning with.
pub const RECENT_KEYFRAME: Duration = Duration::from_millis(300);

/// Missing packets of one picture that may still arrive, in separate ranges. Beyond that, the oldest range is given up, and its
/// packets are not forwarded if they come.
pub const MAX_GAPS: usize = 64;
/// Packets that may be missing at once. A larger step counts as a new stream, which begins with a keyframe.
pub const MAX_GAP: u64 = 400;

/// Packets of one picture to one person that are kept for retransmission, for three seconds at most. Older ones are not
/// retransmitted. All receivers share the payload of a packet, of [`MAX_PAYLOAD_BYTES`] at most; each has only its header,
/// about 0.4 KB.
pub const HISTORY_PACKETS: usize = 512;
/// Bytes that may wait for one receiver's pacer in one picture. Beyond that, the picture is interrupted until the next keyframe.
pub const MAX_QUEUED_BYTES: usize = 256 * 1_024;

/// Longest description that a client may send.
pub const MAX_DESCRIPTION_BYTES: usize = 128 * 1_024;
/// Addresses from which one person's datagrams are taken. Another replaces the oldest.
pub const MAX_ADDRESSES: usize = 8;
/// Time after which a person whose connection does not come about, or is interrupted, is removed.
pub const CONNECT_TIME: Duration = Duration::from_secs(20);
