//! Invites, with which non-members can join a room.
//!
//! A token is 35 bytes in base64url: a version, a random id, the expiry in Unix seconds, the number of devices, and
//! the first 16 bytes of an HMAC-SHA256 over all of these and the room. The server stores only which devices have
//! used it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use signaling::message::ErrorCode;

use super::saved::InviteId;

const VERSION: u8 = 1;
/// Bytes before the MAC.
const HEAD: usize = 1 + 8 + 8 + 2;
/// Bytes of the MAC. Guessing one takes 2^127 attempts on average.
const MAC: usize = 16;

/// The contents of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Invite {
    /// Random id.
    pub(super) id: InviteId,
    /// Expiry in Unix milliseconds (whole seconds).
    pub(super) expires: u64,
    /// Number of devices that may use it.
    pub(super) uses: u16,
}

impl Invite {
    /// Returns the token for a room.
    pub(super) fn token(&self, secret: &[u8; 32], room: &str) -> String {
        let mut bytes = Vec::with_capacity(HEAD + MAC);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&(self.expires / 1_000).to_be_bytes());
        bytes.extend_from_slice(&self.uses.to_be_bytes());
        let mac = mac(secret, &bytes, room).map(|mac| mac.finalize().into_bytes());
        bytes.extend(mac.iter().flatten().take(MAC));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Parses a token for a room. The caller checks its expiry and its uses.
    ///
    /// # Errors
    /// [`ErrorCode::InviteInvalid`] if the token is malformed or is for another room or server.
    pub(super) fn read(token: &str, secret: &[u8; 32], room: &str) -> Result<Invite, ErrorCode> {
        Invite::open(token, secret, room).ok_or(ErrorCode::InviteInvalid)
    }

    fn open(token: &str, secret: &[u8; 32], room: &str) -> Option<Invite> {
        let bytes: [u8; HEAD + MAC] = URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
        let (head, given) = bytes.split_at(HEAD);
        // Compared in constant time.
        mac(secret, head, room)?.verify_truncated_left(given).ok()?;
        let (version, rest) = head.split_first()?;
        let (id, rest) = rest.split_first_chunk::<8>()?;
        let (expires, rest) = rest.split_first_chunk::<8>()?;
        let (uses, _) = rest.split_first_chunk::<2>()?;
        let expires = u64::from_be_bytes(*expires).checked_mul(1_000)?;
        (*version == VERSION).then_some(Invite { id: *id, expires, uses: u16::from_be_bytes(*uses) })
    }
}

fn mac(secret: &[u8; 32], head: &[u8], room: &str) -> Option<Hmac<Sha256>> {
    // HMAC accepts keys of any length, so this never fails.
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret).ok()?;
    mac.update(b"lunchroom-invite-v1\0");
    mac.update(head);
    mac.update(room.as_bytes());
    Some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;
    use signaling::limits::is_invite;

    const SECRET: [u8; 32] = [9; 32];
    const INVITE: Invite = Invite { id: [1, 2, 3, 4, 5, 6, 7, 8], expires: 1_800_000_000_000, uses: 3 };

    #[test]
    fn a_token_round_trips() {
        let token = INVITE.token(&SECRET, "t-room");
        assert!(is_invite(&token), "{token}");
        assert_eq!(Invite::read(&token, &SECRET, "t-room"), Ok(INVITE));
    }

    #[test]
    fn a_token_is_valid_only_for_its_room_and_server() {
        let token = INVITE.token(&SECRET, "t-room");
        assert_eq!(Invite::read(&token, &SECRET, "t-other"), Err(ErrorCode::InviteInvalid));
        assert_eq!(Invite::read(&token, &[8; 32], "t-room"), Err(ErrorCode::InviteInvalid));
    }

    #[test]
    fn a_modified_token_is_refused() {
        let token = INVITE.token(&SECRET, "t-room");
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(Invite::read(&URL_SAFE_NO_PAD.encode(forged), &SECRET, "t-room").is_err(), "bit {bit}");
        }
        for nonsense in ["", "A", &token[1..], &format!("{token}A")] {
            assert!(Invite::read(nonsense, &SECRET, "t-room").is_err(), "{nonsense}");
        }
    }
}
