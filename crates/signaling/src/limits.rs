//! Default limits that both sides keep, and the rules for names of rooms.
//!
//! A server may be stricter (`welcome.limits` has its values), never less strict.

use std::time::Duration;

/// Bytes of one text frame, envelope included. A longer frame ends the connection with close code 1009.
pub const MAX_FRAME_BYTES: usize = 64 * 1024;
/// Bytes of a session description.
pub const MAX_SDP_BYTES: usize = 48 * 1024;
/// Bytes of the signature of a description or key. An Ed25519 signature has 86 in base64url.
pub const MAX_SIGNATURE_BYTES: usize = 128;
/// Characters (Unicode scalar values) of a person's name after [`crate::text::clean_name`].
pub const MAX_NAME_CHARS: usize = 64;
/// Bytes of a person's name: 64 characters of three bytes each, or 48 of four.
pub const MAX_NAME_BYTES: usize = 192;
/// Combining marks kept on one letter of a name. Writing systems need no more, and a taller stack would cover the
/// lines around it.
pub const MAX_MARKS: usize = 4;
/// Characters (Unicode scalar values) of a line of chat.
pub const MAX_CHAT_CHARS: usize = 4_000;
/// Characters of a room's name.
pub const MAX_ROOM_CHARS: usize = 63;
/// Bytes of `hello.client`.
pub const MAX_CLIENT_BYTES: usize = 128;
/// Characters of an invite token.
pub const MAX_INVITE_CHARS: usize = 128;
/// Characters of the token in a calendar's address.
pub const MAX_CALENDAR_TOKEN_CHARS: usize = 64;
/// Devices of one account.
pub const MAX_DEVICES: usize = 10;
/// Characters of the name of a device.
pub const MAX_DEVICE_NAME_CHARS: usize = 48;
/// Characters of the one-time code of a sign-in.
pub const MAX_SIGN_IN_CODE_CHARS: usize = 64;
/// Characters of the verifier of a sign-in (RFC 7636 section 4.1).
pub const MAX_VERIFIER_CHARS: usize = 128;
/// Bytes of a participant's or session's id, of a key and of a nonce.
pub const MAX_ID_BYTES: usize = 64;
/// Bytes of an ICE candidate line. The longest real ones, with a TCP type and many extensions, have about 300.
pub const MAX_CANDIDATE_BYTES: usize = 1_024;
/// Bytes of `sdpMid` and of `usernameFragment` (RFC 8445 allows 256 for the latter).
pub const MAX_MID_BYTES: usize = 256;
/// Bytes of a link.
pub const MAX_LINK_BYTES: usize = 2_048;

/// Characters (Unicode scalar values) of a table's topic.
pub const MAX_TOPIC_CHARS: usize = 80;
/// Characters of a table's menu or place.
pub const MAX_PLACE_CHARS: usize = 120;
/// Seats of a table.
pub const TABLE_SEATS: std::ops::RangeInclusive<u8> = 2..=12;
/// Minutes of a table.
pub const TABLE_MINUTES: std::ops::RangeInclusive<u32> = 15..=240;
/// People whom one `eat_now` can name.
pub const MAX_EAT_WITH: usize = 3;
/// Rounds for which one person can sign up at the same time.
pub const MAX_SIGN_UPS: usize = 20;
/// Rounds that a client keeps of one board. Further ones are ignored.
pub const MAX_ROUNDS_SHOWN: usize = 1_000;
/// People in line for one table. When the line is full, another request for a place is refused with `table_full`.
pub const MAX_TABLE_LINE: usize = 50;
/// People in the lobby of one room. When it is full, knocking is refused with `room_full`.
pub const MAX_LOBBY: usize = 24;
/// Devices for which one invite can be valid.
pub const INVITE_USES: std::ops::RangeInclusive<u16> = 1..=100;
/// Hours for which one invite can be valid; the maximum is two weeks.
pub const INVITE_HOURS: std::ops::RangeInclusive<u32> = 1..=336;
/// Characters (Unicode scalar values) of a report, and of a steward's reason.
pub const MAX_REASON_CHARS: usize = 200;
/// Hours for which a steward can suspend somebody; at most a year. 0 is until it is lifted.
pub const SUSPENSION_HOURS: std::ops::RangeInclusive<u32> = 0..=8_784;
/// People whom one person can block.
pub const MAX_BLOCKED: usize = 50;
/// Acts that one `order` message or record has.
pub const MAX_ACTS_SHOWN: usize = 16;
/// Entries of each list that a client keeps of one `order_book`. Further ones are ignored.
pub const MAX_BOOK_ITEMS: usize = 1_000;
/// Bytes of a time zone's name.
pub const MAX_ZONE_BYTES: usize = 64;
/// Bytes of a piece of a snapshot or patch at which it is split. The rest of a frame has room for one more table.
pub const BOARD_PIECE_BYTES: usize = 48 * 1024;
/// Tables and people that a client keeps of one board. Further ones are ignored.
pub const MAX_BOARD_ITEMS: usize = 20_000;

/// People in one room. In a mesh of twelve, each has eleven connections.
pub const MAX_PARTICIPANTS: usize = 12;
/// People in one forwarded room.
pub const MAX_FORWARDED: usize = 60;
/// Pictures of others that one client displays at a time in a forwarded room.
pub const MAX_VIEW: usize = 50;
/// Lines on which the forwarder sends to one client: those pictures and eight voices. Further ones are ignored.
pub const MAX_SLOTS: usize = 58;
/// People to whom one message gives a sender's key: everybody else in the largest forwarded room.
pub const MAX_SENDER_KEYS: usize = MAX_FORWARDED - 1;
/// Bytes of a sealed key. It has 107 in base64url.
pub const MAX_SEALED_BYTES: usize = 128;
/// Features of one client. Further ones are ignored, and so are those with longer names.
pub const MAX_FEATURES: usize = 16;
/// Name of a feature, in bytes.
pub const MAX_FEATURE_BYTES: usize = 40;
/// ICE servers that a client uses from one `welcome`. Further ones are ignored.
pub const MAX_ICE_SERVERS: usize = 16;
/// Findings of a connection check.
pub const MAX_FINDINGS: usize = 16;
/// Code of a finding, in bytes.
pub const MAX_FINDING_BYTES: usize = 40;

/// How long a server keeps a session after its socket breaks.
pub const RESUME_WINDOW: Duration = Duration::from_secs(30);
/// Messages kept until the other side acknowledges them. When full, a client refuses to send more
/// ([`crate::session::SendError::QueueFull`]), and a server ends the session with `too_slow`.
pub const MAX_UNACKNOWLEDGED: usize = 512;
/// Bytes kept until the other side acknowledges them. When full, the same happens.
pub const MAX_UNACKNOWLEDGED_BYTES: usize = 2 * 1024 * 1024;

/// Longest delay before a received message is acknowledged.
pub const ACK_DELAY: Duration = Duration::from_secs(1);
/// Received messages that are acknowledged immediately, without waiting for [`ACK_DELAY`].
pub const ACK_EVERY: u32 = 32;
/// Received bytes that are acknowledged immediately. A server sends a large board as fast as the client acknowledges
/// it.
pub const ACK_EVERY_BYTES: usize = 128 * 1024;
/// Interval between a client's pings.
pub const PING_INTERVAL: Duration = Duration::from_secs(5);
/// A side that has received nothing for this long considers the connection dead.
pub const SILENCE_LIMIT: Duration = Duration::from_secs(10);
/// The same limit after a network change while the socket is open.
pub const PROBE_LIMIT: Duration = Duration::from_millis(1_500);
/// Longest time to open a socket, and from then to `welcome` or `resumed`. A server waits as long for `hello`.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Delay before the first reconnection attempt, without jitter. It doubles with each failure.
pub const BACKOFF_MIN: Duration = Duration::from_millis(250);
/// Longest delay before a reconnection attempt, without jitter.
pub const BACKOFF_MAX: Duration = Duration::from_secs(4);
/// The delays begin anew after a connection that was open for this long.
pub const BACKOFF_RESET: Duration = Duration::from_secs(5);
/// Longest `bye.retry_after_ms` that a client follows.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// Messages per second that a server accepts from one session on average. Above this rate it answers `rate_limited`.
pub const MESSAGE_RATE: f64 = 100.0;
/// Messages that a server accepts in one burst. More than [`MAX_UNACKNOWLEDGED`], so a replay after `resumed`
/// never exceeds it.
pub const MESSAGE_BURST: f64 = 1_024.0;
/// Board requests per second that a server accepts from one session on average.
pub const BOARD_RATE: f64 = 2.0;
/// Board requests that a server accepts in one burst.
pub const BOARD_BURST: f64 = 40.0;
/// Requests for photos per second that a server accepts from one session on average.
pub const PHOTO_RATE: f64 = 5.0;
/// Requests for photos that a server accepts in one burst.
pub const PHOTO_BURST: f64 = 100.0;
/// Lines of chat per second that a server accepts from one session on average.
pub const CHAT_RATE: f64 = 2.0;
/// Lines of chat that a server accepts in one burst.
pub const CHAT_BURST: f64 = 10.0;
/// Raising and lowering of hands per second that a server accepts from one session on average.
pub const HAND_RATE: f64 = 1.0;
/// Raising and lowering of hands that a server accepts in one burst.
pub const HAND_BURST: f64 = 10.0;
/// Reactions per second that a server accepts from one session on average. Clients send fewer.
pub const REACTION_RATE: f64 = 2.0;
/// Reactions that a server accepts in one burst.
pub const REACTION_BURST: f64 = 10.0;
/// Offers to the forwarder per second that a server accepts from one session on average.
pub const FORWARD_OFFER_RATE: f64 = 0.5;
/// Offers to the forwarder that a server accepts in one burst.
pub const FORWARD_OFFER_BURST: f64 = 6.0;
/// Changes of what a session displays in a forwarded room per second that a server accepts on average.
pub const VIEW_RATE: f64 = 5.0;
/// Changes of what a session displays in a forwarded room that a server accepts in one burst.
pub const VIEW_BURST: f64 = 20.0;
/// Announcements of frame keys per second that a server accepts from one session on average.
pub const FRAME_KEY_RATE: f64 = 0.5;
/// Announcements of frame keys that a server accepts in one burst.
pub const FRAME_KEY_BURST: f64 = 10.0;
/// Messages with sender keys per second that a server accepts from one session on average. Each is for at most
/// [`MAX_SENDER_KEYS`] others.
pub const SENDER_KEYS_RATE: f64 = 2.0;
/// Messages with sender keys that a server accepts in one burst.
pub const SENDER_KEYS_BURST: f64 = 8.0;
/// `join` messages per second that a server accepts from one session on average.
pub const JOIN_RATE: f64 = 0.5;
/// `join` messages that a server accepts in one burst.
pub const JOIN_BURST: f64 = 10.0;

/// Whether `name` is a valid name of a room: `[a-z0-9][a-z0-9-]{0,62}`.
pub fn is_room_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= MAX_ROOM_CHARS
        && bytes.first().is_some_and(|&b| plain(b))
        && bytes.iter().all(|&b| plain(b) || b == b'-')
}

/// Whether `token` has the form of an invite token: 1 to 128 characters of the base64url alphabet.
pub fn is_invite(token: &str) -> bool {
    (1..=MAX_INVITE_CHARS).contains(&token.len())
        && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Whether `token` has the form of the token in a calendar's address: 1 to 64 characters of the base64url alphabet.
pub fn is_calendar_token(token: &str) -> bool {
    is_invite(token) && token.len() <= MAX_CALENDAR_TOKEN_CHARS
}

/// Whether `code` has the form of a sign-in's one-time code: 1 to 64 characters of the base64url alphabet.
pub fn is_sign_in_code(code: &str) -> bool {
    is_invite(code) && code.len() <= MAX_SIGN_IN_CODE_CHARS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_names_are_short_lower_case_ascii() {
        let longest = "a".repeat(63);
        for good in ["a", "7", "soup", "soup-at-1", "a--", longest.as_str()] {
            assert!(is_room_name(good), "{good}");
        }
        let long = "a".repeat(64);
        for bad in ["", "-a", "Soup", "so up", "süppe", "a/b", "a.b", "a_b", "a\n", long.as_str()] {
            assert!(!is_room_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn invites_are_base64url() {
        assert!(is_invite("aZ09-_"));
        for bad in ["", "a b", "a=", "a/b", &"a".repeat(129)] {
            assert!(!is_invite(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_full_replay_fits_the_message_burst() {
        assert!(MESSAGE_BURST > MAX_UNACKNOWLEDGED as f64);
    }
}
