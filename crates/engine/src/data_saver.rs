//! What a call may use of a connection that is paid for by volume: whole sound, and pictures that are just good enough to
//! see a face.

use signaling::message::Resolution;

/// The largest camera that is sent.
pub(crate) const SENT: Resolution = Resolution { max_width: 320, max_height: 180 };
/// What others are asked for. They send the next larger size that they encode, which is 320x180 of 1280x720 and 640x360.
pub(crate) const ASKED: Resolution = Resolution { max_width: 240, max_height: 135 };
/// The highest frame rate of our camera.
pub(crate) const FPS: u32 = 15;
/// The highest bitrate of a camera, bit/s, in either direction.
pub(crate) const CAMERA: u64 = 120_000;
/// The highest bitrate of all that one participant sends us, bit/s: their camera, and sound with its headers and repair. A
/// share needs more, because text that stays blurred is of no use.
pub(crate) const RECEIVED: u64 = CAMERA + 80_000;
/// The same from a participant who shares a screen.
pub(crate) const RECEIVED_WITH_SHARE: u64 = RECEIVED + 400_000;
