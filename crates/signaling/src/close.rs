//! How a WebSocket ends: close codes (RFC 6455 section 7.4) and their meaning.

use crate::message::ErrorCode;

/// Closed on purpose: the person left or the app quits.
pub const NORMAL: u16 = 1000;
/// The server is shutting down. It sent a `bye` before.
pub const GOING_AWAY: u16 = 1001;
/// The peer sent a binary frame; the protocol has only text.
pub const UNSUPPORTED_DATA: u16 = 1003;
/// The peer sent a frame over [`crate::limits::MAX_FRAME_BYTES`].
pub const MESSAGE_TOO_BIG: u16 = 1009;

/// How a socket ended, or why it did not open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloseInfo {
    /// Close code, if the other side sent one.
    pub code: Option<u16>,
    /// Reason in the close frame, or the text of the error that broke or refused the connection.
    pub reason: String,
}

/// Returns the close code that a server uses after an `error` or `bye` with this code: 4000 and up, the range for
/// applications in RFC 6455 section 7.4.2.
pub fn close_code(code: ErrorCode) -> u16 {
    match code {
        ErrorCode::Malformed => 4000,
        ErrorCode::TooLarge => 4001,
        ErrorCode::RateLimited => 4002,
        ErrorCode::UnsupportedVersion => 4003,
        ErrorCode::BadSignature => 4004,
        ErrorCode::UnexpectedMessage => 4005,
        ErrorCode::BadName => 4006,
        ErrorCode::BadRoom => 4007,
        ErrorCode::RoomFull => 4008,
        ErrorCode::ServerFull => 4009,
        ErrorCode::NoSuchParticipant => 4010,
        ErrorCode::CannotResume => 4011,
        ErrorCode::TooSlow => 4012,
        ErrorCode::Timeout => 4013,
        ErrorCode::Replaced => 4014,
        ErrorCode::ServerStopping => GOING_AWAY,
        ErrorCode::Internal => 1011,
        ErrorCode::SlotPast => 4015,
        ErrorCode::SlotTooFar => 4016,
        ErrorCode::AlreadySeated => 4017,
        ErrorCode::TableFull => 4018,
        ErrorCode::NoSuchTable => 4019,
        ErrorCode::TooManyTables => 4020,
        ErrorCode::TooEarly => 4021,
        ErrorCode::NotHost => 4022,
        ErrorCode::NotMember => 4023,
        ErrorCode::InviteInvalid => 4024,
        ErrorCode::InviteExpired => 4025,
        ErrorCode::InviteUsed => 4026,
        ErrorCode::KnockingRefused => 4027,
        ErrorCode::RoomLocked => 4028,
        ErrorCode::Removed => 4029,
        ErrorCode::NotSaved => 4030,
        ErrorCode::Muted => 4031,
        ErrorCode::SignInExpired => 4032,
        ErrorCode::DeviceTaken => 4033,
        ErrorCode::DeviceRemoved => 4034,
        ErrorCode::TooManyDevices => 4035,
        ErrorCode::NoSuchDevice => 4036,
        ErrorCode::BadPhoto => 4037,
        ErrorCode::NoSuchPhoto => 4038,
        ErrorCode::Suspended => 4039,
        ErrorCode::NotSteward => 4040,
        ErrorCode::NoSuchPerson => 4041,
        ErrorCode::TooManyReports => 4042,
        ErrorCode::TooManyBlocked => 4043,
        ErrorCode::NoSuchRound => 4044,
        ErrorCode::TooManyRounds => 4045,
        ErrorCode::SignUpClosed => 4046,
        ErrorCode::RoundFull => 4047,
        ErrorCode::AlreadySignedUp => 4048,
        ErrorCode::TooManySignUps => 4049,
        ErrorCode::Unknown => 4099,
    }
}

/// Returns the error code for a close code, if there is one.
pub fn error_code(close: u16) -> Option<ErrorCode> {
    Some(match close {
        GOING_AWAY => ErrorCode::ServerStopping,
        MESSAGE_TOO_BIG => ErrorCode::TooLarge,
        1011 => ErrorCode::Internal,
        4000 => ErrorCode::Malformed,
        4001 => ErrorCode::TooLarge,
        4002 => ErrorCode::RateLimited,
        4003 => ErrorCode::UnsupportedVersion,
        4004 => ErrorCode::BadSignature,
        4005 => ErrorCode::UnexpectedMessage,
        4006 => ErrorCode::BadName,
        4007 => ErrorCode::BadRoom,
        4008 => ErrorCode::RoomFull,
        4009 => ErrorCode::ServerFull,
        4010 => ErrorCode::NoSuchParticipant,
        4011 => ErrorCode::CannotResume,
        4012 => ErrorCode::TooSlow,
        4013 => ErrorCode::Timeout,
        4014 => ErrorCode::Replaced,
        4034 => ErrorCode::DeviceRemoved,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_codes_map_back_to_their_error() {
        for code in (4000..=4014).chain([1001, 1011, 4034]) {
            let error = error_code(code).expect("a code of ours");
            assert_eq!(close_code(error), code);
        }
        assert_eq!(error_code(NORMAL), None);
        assert_eq!(error_code(4099), None);
    }
}
