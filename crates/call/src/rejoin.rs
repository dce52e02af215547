//! When to join again after the server gave up a seat.

use signaling::message::{ErrorCode, Participant};
use std::time::{Duration, Instant};

/// Consecutive losses of the seat after which the call ends.
const TRIES: u32 = 6;
/// Delay before the second attempt. It doubles with each further attempt.
const PAUSE: Duration = Duration::from_secs(1);
/// A seat that lasted this long resets the count of attempts.
const HELD: Duration = Duration::from_secs(30);
/// How long unsent chat waits for others who are also rejoining the room.
const COMPANY: Duration = Duration::from_secs(8);

/// State of the attempts.
#[derive(Debug, Default)]
pub(crate) struct Rejoin {
    tries: u32,
    at: Option<Instant>,
    joined: Option<Instant>,
    /// Keys of the people who were in the room before and are not back yet.
    missed: Vec<String>,
}

impl Rejoin {
    /// Plans to join again after a seat was lost or refused; the first attempt is immediate. Returns false after too
    /// many attempts.
    pub(crate) fn plan(&mut self, now: Instant) -> bool {
        if self.joined.take().is_some_and(|since| now.saturating_duration_since(since) >= HELD) {
            self.tries = 0;
        }
        let pause = self.tries.checked_sub(1).map_or(Duration::ZERO, |before| PAUSE * 2u32.pow(before.min(TRIES)));
        self.tries += 1;
        self.at = Some(now + pause).filter(|_| self.tries <= TRIES);
        self.at.is_some()
    }

    /// Records that there is a seat. `before` are the people who were in the room when the last one was lost.
    pub(crate) fn joined<'a>(&mut self, now: Instant, before: impl Iterator<Item = &'a Participant>) {
        (self.at, self.joined) = (None, Some(now));
        self.missed = before.map(|participant| participant.key.clone()).collect();
    }

    /// Records that somebody is in the room.
    pub(crate) fn met(&mut self, participant: &Participant) {
        self.missed.retain(|key| *key != participant.key);
    }

    /// Until when to wait for people who are not back yet.
    pub(crate) fn company(&self) -> Option<Instant> {
        self.joined.filter(|_| !self.missed.is_empty()).map(|since| since + COMPANY)
    }

    /// When to join again.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.at
    }

    /// Returns true, once, when it is time to join again.
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        self.at.take_if(|at| *at <= now).is_some()
    }
}

/// Whether a server refuses entry to a room with this code, so that joining again would not help.
pub(crate) fn refuses_entry(code: ErrorCode) -> bool {
    match code {
        ErrorCode::BadRoom
        | ErrorCode::RoomFull
        | ErrorCode::AlreadySeated
        | ErrorCode::TableFull
        | ErrorCode::NoSuchTable
        | ErrorCode::TooEarly
        | ErrorCode::NotMember
        | ErrorCode::InviteInvalid
        | ErrorCode::InviteExpired
        | ErrorCode::InviteUsed
        | ErrorCode::KnockingRefused
        | ErrorCode::RoomLocked
        | ErrorCode::Removed
        | ErrorCode::Suspended
        | ErrorCode::Unknown => true,
        ErrorCode::Malformed
        | ErrorCode::TooLarge
        | ErrorCode::RateLimited
        | ErrorCode::UnsupportedVersion
        | ErrorCode::BadSignature
        | ErrorCode::UnexpectedMessage
        | ErrorCode::BadName
        | ErrorCode::ServerFull
        | ErrorCode::NoSuchParticipant
        | ErrorCode::CannotResume
        | ErrorCode::TooSlow
        | ErrorCode::Timeout
        | ErrorCode::Replaced
        | ErrorCode::SlotPast
        | ErrorCode::SlotTooFar
        | ErrorCode::TooManyTables
        | ErrorCode::NotHost
        | ErrorCode::NotSaved
        | ErrorCode::SignInExpired
        | ErrorCode::DeviceTaken
        | ErrorCode::DeviceRemoved
        | ErrorCode::TooManyDevices
        | ErrorCode::NoSuchDevice
        | ErrorCode::BadPhoto
        | ErrorCode::NoSuchPhoto
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
        | ErrorCode::ServerStopping
        | ErrorCode::Internal => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejoining_backs_off_and_ends() {
        let (mut rejoin, mut now) = (Rejoin::default(), Instant::now());
        let mut pauses = vec![];
        while rejoin.plan(now) {
            let due = rejoin.due().unwrap();
            pauses.push((due - now).as_secs());
            now = due;
            assert!(rejoin.take_due(now) && !rejoin.take_due(now));
            rejoin.joined(now, std::iter::empty());
            now += Duration::from_secs(1);
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16]);
    }

    #[test]
    fn a_stable_seat_resets_the_backoff() {
        let (mut rejoin, mut now) = (Rejoin::default(), Instant::now());
        for _ in 0..20 {
            assert!(rejoin.plan(now));
            assert_eq!(rejoin.due(), Some(now));
            rejoin.joined(now, std::iter::empty());
            now += HELD;
        }
    }
}
