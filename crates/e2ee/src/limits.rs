//! Bounds and times.

use std::time::Duration;

/// Bytes of a frame before it is encrypted. The largest keyframes of a shared screen have a few hundred thousand.
pub const MAX_FRAME_BYTES: usize = 4 * 1024 * 1024;
/// Bytes that encryption adds to a frame at most: the SFrame header with eight-byte fields, and the tag.
pub const MAX_OVERHEAD: usize = 17 + 16;
/// Frames of one stream under one key. So many frames of 16 KiB are 2^32 blocks, with which AES-GCM loses less than
/// 2^-64 of its secrecy. At 90 frames a second they take thirteen hours.
pub const MAX_FRAMES: u64 = 1 << 22;
/// Frames of one stream under one key after which another key is wanted.
pub const RENEW_AFTER: u64 = MAX_FRAMES / 2;
/// How far behind the newest frame of a stream another may be. Three encodings of 30 fps count together, so these are
/// eleven seconds of a camera and twenty of a voice: more than any retransmission takes.
pub const REPLAY_WINDOW: usize = 1_024;
/// Keys of one sender that a receiver keeps. The newest stay.
pub const MAX_KEYS: usize = 4;
/// How long a receiver keeps a key after a newer one has arrived. The sender uses the newer one within a second.
pub const OLD_KEY_TIME: Duration = Duration::from_secs(10);
/// People to whom one gives keys.
pub const MAX_OTHERS: usize = signaling::limits::MAX_SENDER_KEYS;

/// How long others may come and go before there is a new key for all of it.
pub const COALESCE: Duration = Duration::from_millis(100);
/// Least time between two keys if somebody has gone.
pub const LEAVE_REST: Duration = Duration::from_millis(500);
/// Least time between two keys if people have only come.
pub const JOIN_REST: Duration = Duration::from_secs(1);
/// How long after a key was given it is used, if somebody has gone. They can decrypt until then, so all of it together
/// ([`LEAVE_REST`] and this) is below a second.
pub const LEAVE_DELAY: Duration = Duration::from_millis(300);
/// How long after a key was given it is used, if people have only come. Not above [`LEAVE_REST`], so that each key is
/// in use before the next is made.
pub const JOIN_DELAY: Duration = Duration::from_millis(500);
/// How long to wait before a key that could not be delivered is sent again. It doubles each time.
pub const RETRY_MIN: Duration = Duration::from_secs(1);
/// Longest such wait.
pub const RETRY_MAX: Duration = Duration::from_secs(8);
