//! What a call may use of a connection that is paid for by volume: whole sound, and pictures that are just good enough to
//! see a face.

use crate::video_out::VideoLimits;
use signaling::message::Resolution;

/// The largest camera that others are asked for.
pub(crate) const SIZE: Resolution = Resolution { max_width: 320, max_height: 180 };
/// The highest bitrate of a camera, bit/s, in either direction.
pub(crate) const CAMERA: u64 = 120_000;
/// The highest bitrate of all that one participant sends us, bit/s: their camera, and sound with its headers and repair. A
/// share needs more, because text that stays blurred is of no use.
pub(crate) const RECEIVED: u64 = CAMERA + 80_000;
/// The same from a participant who shares a screen.
pub(crate) const RECEIVED_WITH_SHARE: u64 = RECEIVED + 400_000;

/// The limits of our own camera.
pub(crate) fn limits(usual: VideoLimits) -> VideoLimits {
    VideoLimits {
        width: usual.width.min(SIZE.max_width),
        height: usual.height.min(SIZE.max_height),
        fps: usual.fps.min(15),
    }
}
