//! The streams of a participant.

use signaling::forwarding::Published;

/// What a frame belongs to. Each stream has keys and counters of its own, so a frame of one is not accepted for
/// another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// A voice: Opus.
    Audio,
    /// A camera: VP8, all encodings together.
    Camera,
    /// A screen: VP8.
    Screen,
}

/// Bytes of a VP8 keyframe and of another frame that are not compressed (RFC 6386 section 9.1).
const KEYFRAME_CHUNK: usize = 10;
const FRAME_CHUNK: usize = 3;

impl Stream {
    /// All streams.
    pub const ALL: [Stream; 3] = [Stream::Audio, Stream::Camera, Stream::Screen];

    /// The stream on which something is published; `None` for kinds that this version does not know.
    pub fn of(kind: Published) -> Option<Stream> {
        match kind {
            Published::Audio => Some(Stream::Audio),
            Published::Camera => Some(Stream::Camera),
            Published::Screen => Some(Stream::Screen),
            Published::Unknown => None,
        }
    }

    /// The SFrame key id (KID): the sender's epoch and, in the last two bits, the stream.
    pub(crate) fn key_id(self, epoch: u32) -> u64 {
        let number = match self {
            Stream::Audio => 0,
            Stream::Camera => 1,
            Stream::Screen => 2,
        };
        u64::from(epoch) << 2 | number
    }

    /// How many bytes at the start of a frame the forwarder reads, so that they are authenticated but not encrypted.
    ///
    /// None of a voice. Of VP8 the uncompressed data chunk: whether it is a keyframe, the version, whether it is shown,
    /// the length of the first partition, and the size of a keyframe's picture. A decoder needs the compressed header
    /// and all partitions, which follow. `None` if the frame is shorter.
    pub(crate) fn clear_bytes(self, frame: &[u8]) -> Option<usize> {
        let clear = match (self, frame.first()?) {
            (Stream::Audio, _) => 0,
            (Stream::Camera | Stream::Screen, first) if first & 1 == 0 => KEYFRAME_CHUNK,
            (Stream::Camera | Stream::Screen, _) => FRAME_CHUNK,
        };
        (frame.len() >= clear).then_some(clear)
    }
}
