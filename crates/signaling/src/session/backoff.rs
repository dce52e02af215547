//! Delays between connection attempts, and when there are no more.

use std::time::Duration;

use crate::limits::{BACKOFF_MAX, BACKOFF_MIN};
use crate::message::ErrorCode;

/// Delay after this many failures: 0.25, 0.5, 1, 2, 4, 4... seconds.
pub(super) fn backoff(failures: u32) -> Duration {
    BACKOFF_MIN.saturating_mul(1 << failures.min(16)).min(BACKOFF_MAX)
}

/// Jitter keeps clients that lost their connections together from reconnecting together.
#[derive(Debug)]
pub(super) struct Jitter(fastrand::Rng);

impl Jitter {
    pub(super) fn new(seed: u64) -> Jitter {
        Jitter(fastrand::Rng::with_seed(seed))
    }

    /// Multiplies a delay by a random factor between 0.5 and 1.
    pub(super) fn spread(&mut self, delay: Duration) -> Duration {
        delay.mul_f64(0.5 + 0.5 * self.0.f64())
    }
}

/// Codes after which another attempt would fail in the same way.
pub(super) fn is_final(code: ErrorCode) -> bool {
    match code {
        ErrorCode::UnsupportedVersion
        | ErrorCode::BadSignature
        | ErrorCode::BadName
        | ErrorCode::Replaced
        | ErrorCode::DeviceRemoved => true,
        ErrorCode::Malformed
        | ErrorCode::TooLarge
        | ErrorCode::RateLimited
        | ErrorCode::UnexpectedMessage
        | ErrorCode::BadRoom
        | ErrorCode::RoomFull
        | ErrorCode::ServerFull
        | ErrorCode::NoSuchParticipant
        | ErrorCode::CannotResume
        | ErrorCode::TooSlow
        | ErrorCode::Timeout
        | ErrorCode::ServerStopping
        | ErrorCode::Internal
        | ErrorCode::SlotPast
        | ErrorCode::SlotTooFar
        | ErrorCode::AlreadySeated
        | ErrorCode::TableFull
        | ErrorCode::NoSuchTable
        | ErrorCode::TooManyTables
        | ErrorCode::TooEarly
        | ErrorCode::NotHost
        | ErrorCode::NotMember
        | ErrorCode::InviteInvalid
        | ErrorCode::InviteExpired
        | ErrorCode::InviteUsed
        | ErrorCode::KnockingRefused
        | ErrorCode::RoomLocked
        | ErrorCode::Removed
        | ErrorCode::NotSaved
        | ErrorCode::SignInExpired
        | ErrorCode::DeviceTaken
        | ErrorCode::TooManyDevices
        | ErrorCode::NoSuchDevice
        | ErrorCode::BadPhoto
        | ErrorCode::NoSuchPhoto
        | ErrorCode::Suspended
        | ErrorCode::NotSteward
        | ErrorCode::NoSuchPerson
        | ErrorCode::TooManyReports
        | ErrorCode::TooManyBlocked
        | ErrorCode::NoSuchRound
        | ErrorCode::TooManyRounds
        | ErrorCode::SignUpClosed
        | ErrorCode::RoundFull
        | ErrorCode::AlreadySignedUp
        | ErrorCode::TooManySignUps
        | ErrorCode::Muted
        | ErrorCode::Unknown => false,
    }
}
