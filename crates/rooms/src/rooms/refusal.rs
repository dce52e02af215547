//! Errors in answer to messages.

use signaling::message::{ErrorCode, ErrorMessage, ServerMessage};

/// Returns an error in answer to message `seq`, or without a reference if `seq` is 0.
pub(super) fn refusal(seq: u64, code: ErrorCode) -> ServerMessage {
    let about = (seq != 0).then_some(seq);
    ServerMessage::Error(ErrorMessage { code, message: text(code).into(), about })
}

/// Describes an error code in English, for logs.
pub fn text(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::Malformed => "not a message of the protocol",
        ErrorCode::TooLarge => "longer than allowed",
        ErrorCode::RateLimited => "too many messages in too short a time",
        ErrorCode::UnsupportedVersion => "no protocol version in common",
        ErrorCode::BadSignature => "the signature does not match",
        ErrorCode::UnexpectedMessage => "not allowed now",
        ErrorCode::BadName => "the name cannot be used",
        ErrorCode::BadRoom => "a room name has a to z, 0 to 9 and -, at most 63 characters",
        ErrorCode::RoomFull => "every seat is taken",
        ErrorCode::ServerFull => "the server is full",
        ErrorCode::NoSuchParticipant => "nobody in the room has that id",
        ErrorCode::CannotResume => "there is no such session",
        ErrorCode::TooSlow => "messages were not read in time",
        ErrorCode::Timeout => "took too long",
        ErrorCode::Replaced => "another connection took over",
        ErrorCode::ServerStopping => "the server is stopping",
        ErrorCode::Internal => "an internal error of the server",
        ErrorCode::SlotPast => "that time has passed",
        ErrorCode::SlotTooFar => "that is too far away",
        ErrorCode::AlreadySeated => "has a seat at another table at that time",
        ErrorCode::TableFull => "every seat of the table is taken",
        ErrorCode::NoSuchTable => "there is no such table",
        ErrorCode::TooManyTables => "there are too many tables",
        ErrorCode::TooEarly => "the room is not open yet",
        ErrorCode::NotHost => "only the host may do that",
        ErrorCode::NotMember => "only members may do that",
        ErrorCode::InviteInvalid => "the invite is not for this room or server",
        ErrorCode::InviteExpired => "the invite has expired",
        ErrorCode::InviteUsed => "the invite is used up",
        ErrorCode::KnockingRefused => "the host did not let you in",
        ErrorCode::RoomLocked => "the room is locked",
        ErrorCode::Removed => "the host has removed you",
        ErrorCode::Muted => "the host asks you to mute",
        ErrorCode::NotSaved => "the change could not be stored",
        ErrorCode::SignInExpired => "the sign-in is over or was used",
        ErrorCode::DeviceTaken => "the device belongs to another account",
        ErrorCode::DeviceRemoved => "the device was removed from its account",
        ErrorCode::TooManyDevices => "the account has too many devices",
        ErrorCode::NoSuchDevice => "the account has no such device",
        ErrorCode::BadPhoto => "a photo is a JPEG of at most 512 pixels on each side and 44 KiB",
        ErrorCode::NoSuchPhoto => "nobody has this photo",
        ErrorCode::Suspended => "a steward has suspended you",
        ErrorCode::NotSteward => "only stewards may do that",
        ErrorCode::NoSuchPerson => "nobody with that id is here",
        ErrorCode::TooManyReports => "too many reports wait for a steward",
        ErrorCode::TooManyBlocked => "too many people are blocked",
        ErrorCode::NoSuchRound => "there is no such round",
        ErrorCode::TooManyRounds => "there are too many rounds",
        ErrorCode::SignUpClosed => "sign-up closes an hour before the meal",
        ErrorCode::RoundFull => "the round can take no more people",
        ErrorCode::AlreadySignedUp => "has signed up for another round at that time",
        ErrorCode::TooManySignUps => "has signed up for too many rounds",
        ErrorCode::Unknown => "unknown",
    }
}
