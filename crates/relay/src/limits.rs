//! All bounds of the relay that are not settings.

use std::time::Duration;

use crate::rate::Rate;

/// Realm of the long-term credentials. Clients learn it from the first 401.
pub const REALM: &str = "lunchroom";
/// Maximum length of a user name: an expiry, a colon and a session's id.
pub const MAX_USERNAME_BYTES: usize = 128;
/// Maximum length of a STUN message, except for Send indications, which carry data. Real requests are less than half
/// as long.
pub const MAX_MESSAGE_BYTES: usize = 2_048;

/// Lifetime of an allocation without a refresh, whatever the client requests. The default of RFC 8656 section 3.2 is
/// also the maximum, so abandoned allocations are not kept longer.
pub const ALLOCATION_LIFETIME: Duration = Duration::from_secs(600);
/// Lifetime of a permission (RFC 8656 section 9).
pub const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// Lifetime of a channel (RFC 8656 section 12).
pub const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);
/// How long a reserved port waits for its allocation (RFC 8656 section 7.2).
pub const RESERVATION_LIFETIME: Duration = Duration::from_secs(30);
/// Lifetime of a nonce. After it, the client receives a new one (438) and continues with that.
pub const NONCE_LIFETIME: Duration = Duration::from_secs(3_600);
/// How long allocations outlive their session, or their guest's seat. A call between two people continues while one
/// of them reconnects to the server.
pub const GRACE: Duration = Duration::from_secs(60);
/// Interval at which expired state is removed. Expired state is not used meanwhile.
pub const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Live permissions of one allocation. Another is refused (508). A call has one allocation for each other
/// participant, who has at most 32 candidates.
pub const MAX_PERMISSIONS: usize = 64;
/// Live channels of one allocation. Another is refused (508).
pub const MAX_CHANNELS: usize = 64;
/// Rate of requests by the owner of an allocation. Each request counts, and each peer in a CreatePermission. Requests
/// above it are dropped. The burst is enough for all permissions, some channels, and refreshes.
pub const REQUESTS: Rate = Rate::new(4, 120);

/// Answers to requests without valid credentials (Binding, 401, 438, 400) to one source. A community of 500 behind one
/// address, with ten connections each, all start within half a minute. Further requests are dropped, because a source
/// address may be forged: at this rate a forged address receives less than 50 kB a second.
pub const UNPROVED: Rate = Rate::new(400, 2_000);
/// Meters for those answers. Sources share them by a keyed hash, so memory does not depend on the number of
/// sources.
pub const UNPROVED_METERS: usize = 8_192;

/// Allocations of one session: connections to eleven others over four networks, with a reserve.
pub const PER_SESSION: usize = 48;
/// Allocations of one source address (IPv6: of one /64).
pub const PER_ADDRESS: usize = 256;
/// Allocations of one IPv6 /48, the whole of which may belong to one subscriber.
pub const PER_SITE: usize = 512;
/// Divisor for the part of these shares that people may use who have not proved to be members.
pub const STRANGERS_PART: usize = 2;

/// Longest frame of a stream with its header and padding. WebRTC sends no more than 1,500 bytes at once. A stream with a
/// longer one is closed.
pub const MAX_STREAM_FRAME_BYTES: usize = 8 * 1024;
/// Longest time that one frame of a stream may take to arrive.
pub const STREAM_FRAME_TIME: Duration = Duration::from_secs(10);
/// Longest time that a stream may be without an allocation.
pub const STREAM_IDLE_TIME: Duration = Duration::from_secs(10);
/// Streams without an allocation. Another one replaces the oldest. Streams with an allocation are bounded by the number
/// of allocations, half of which is reserved for members.
pub const MAX_IDLE_STREAMS: usize = 200;
/// Streams without an allocation from one source address (IPv6: from one /64), except this machine itself. Another one
/// replaces the oldest.
pub const MAX_IDLE_STREAMS_PER_ADDRESS: usize = 64;
