//! Every bound of the relay that is no setting.

use std::time::Duration;

use crate::rate::Rate;

/// Realm of the long-term credentials; clients take it from the first refusal.
pub const REALM: &str = "lunchroom";
/// Longest user name that is looked at: an expiry, a colon and a session's id.
pub const MAX_USERNAME_BYTES: usize = 128;
/// Longest STUN message that is looked at but for Send indications, which carry data. Nobody's request is half as long.
pub const MAX_MESSAGE_BYTES: usize = 2_048;

/// How long an allocation lives without being refreshed, whatever its client asks for. The default of RFC 8656
/// section 3.2 is also the most that a client gets: what was given up is not kept for longer.
pub const ALLOCATION_LIFETIME: Duration = Duration::from_secs(600);
/// How long a permission lives (RFC 8656 section 9).
pub const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// How long a channel lives (RFC 8656 section 12).
pub const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);
/// How long a reserved port waits for the allocation that takes it (RFC 8656 section 7.2).
pub const RESERVATION_LIFETIME: Duration = Duration::from_secs(30);
/// How long a nonce is good. Then a client is told a new one (438) and goes on with that.
pub const NONCE_LIFETIME: Duration = Duration::from_secs(3_600);
/// How long allocations outlive their session, or their guest's seat: a call between two people goes on while one of
/// them finds the server again.
pub const GRACE: Duration = Duration::from_secs(60);
/// How often what is over is cleared away. Nothing is used after its time meanwhile.
pub const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Live permissions of one allocation. One more is refused (508). A call has one allocation for each other participant,
/// who has at most 32 candidates.
pub const MAX_PERMISSIONS: usize = 64;
/// Live channels of one allocation. One more is refused (508).
pub const MAX_CHANNELS: usize = 64;
/// What the owner of an allocation may ask for: a request is one, and each peer that CreatePermission names is one. What
/// is over is dropped. All permissions at once, some channels, and then refreshes.
pub const REQUESTS: Rate = Rate::new(4, 120);

/// Answers to what nobody has proved (Binding, 401, 438, 400) to one source: a room's worth of connections from one
/// office at once. What is over is dropped: somebody's source address may be false, and they never asked.
pub const UNPROVED: Rate = Rate::new(100, 400);
/// Meters for those answers. Sources share them by a keyed hash, so that their number has no say in how much is kept.
pub const UNPROVED_METERS: usize = 8_192;

/// Allocations of one session: a connection to each of eleven others over four networks, and some to spare.
pub const PER_SESSION: usize = 48;
/// Allocations of one source address (IPv6: of one /64).
pub const PER_ADDRESS: usize = 256;
/// Allocations of one IPv6 /48, which one subscriber may have whole.
pub const PER_SITE: usize = 512;
/// The part of any of these shares that people can take who have not proved to be members: one in so many.
pub const STRANGERS_PART: usize = 2;
