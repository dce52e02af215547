//! Errors that a server answers with.

use serde::{Deserialize, Serialize};

/// A request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorMessage {
    /// Stable code, for programs and translations.
    pub code: ErrorCode,
    /// Explanation in English, for logs.
    #[serde(default)]
    pub message: String,
    /// `seq` of the message that this answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<u64>,
}

/// Stable error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// Not JSON, or not a message of the protocol.
    Malformed,
    /// Longer than a frame, name, chat line or SDP may be.
    TooLarge,
    /// Too many messages in too short a time.
    RateLimited,
    /// No protocol version in common.
    UnsupportedVersion,
    /// The signature does not match the key and the challenge.
    BadSignature,
    /// The message is not allowed now, for example `offer` before `joined`.
    UnexpectedMessage,
    /// The name is empty or contains control characters.
    BadName,
    /// The room's name is not valid.
    BadRoom,
    /// Every seat is taken.
    RoomFull,
    /// The server cannot take another session or room.
    ServerFull,
    /// The recipient is not in the room.
    NoSuchParticipant,
    /// The session to resume is unknown, too old, or belongs to another device.
    CannotResume,
    /// The client read too slowly and its queue is full.
    TooSlow,
    /// The hello did not arrive in time.
    Timeout,
    /// Another connection of the same device took over the session.
    Replaced,
    /// The server is shutting down.
    ServerStopping,
    /// An internal error of the server.
    Internal,
    /// The table's time is over.
    SlotPast,
    /// The time is beyond the end of the calendar.
    SlotTooFar,
    /// The person has a seat at another table at that time.
    AlreadySeated,
    /// Every seat is taken. A place in line is possible unless the line is full too.
    TableFull,
    /// The table does not exist, is over, or was deleted.
    NoSuchTable,
    /// The person hosts as many tables as allowed, or the board is full.
    TooManyTables,
    /// The room opens only a few minutes before the table begins.
    TooEarly,
    /// Only the host may do that.
    NotHost,
    /// Only members of the community may do that.
    NotMember,
    /// The invite is not for this room, or was not made by this server.
    InviteInvalid,
    /// The invite has expired.
    InviteExpired,
    /// The invite was used by as many devices as it allows.
    InviteUsed,
    /// The host refused the request to join.
    KnockingRefused,
    /// The host has locked the room.
    RoomLocked,
    /// The host removed this person from the room.
    Removed,
    /// The host asks this person to mute. Never sent as an error: a client shows it for `muted`.
    Muted,
    /// The server could not store the change, so the request had no effect.
    NotSaved,
    /// The code of a sign-in is unknown, too old, used, or another program's.
    SignInExpired,
    /// The device belongs to another account.
    DeviceTaken,
    /// The device was removed from its account.
    DeviceRemoved,
    /// The account has as many devices as allowed.
    TooManyDevices,
    /// The account has no such device.
    NoSuchDevice,
    /// The photo is not a JPEG, or too large.
    BadPhoto,
    /// Nobody has this photo any more.
    NoSuchPhoto,
    /// A steward has suspended this person.
    Suspended,
    /// Only stewards may do that.
    NotSteward,
    /// Nobody with that id is here or has a seat.
    NoSuchPerson,
    /// The person has as many reports that wait as allowed.
    TooManyReports,
    /// The person has blocked as many people as allowed.
    TooManyBlocked,
    /// The round does not exist, is over, or was cancelled.
    NoSuchRound,
    /// The person has created as many rounds as allowed, or the board has no room for more.
    TooManyRounds,
    /// Sign-up closes an hour before the meal.
    SignUpClosed,
    /// The round, or the board, can take no further sign-up.
    RoundFull,
    /// The person has signed up for another round at that time.
    AlreadySignedUp,
    /// The person has signed up for as many rounds as allowed.
    TooManySignUps,
    /// A code that this version does not know.
    #[serde(other)]
    Unknown,
}
