//! Validates single values: only what the RFC allows, with bounded length.

use crate::dtls_cookie::{self, Cookie};

/// `token` of RFC 8866, at most `longest` bytes.
pub(super) fn is_token(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&b))
}

/// `ice-char` of RFC 8839, within the length limits.
pub(super) fn is_ice(text: &str, shortest: usize) -> bool {
    (shortest..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

/// `fingerprint` of RFC 8122 with SHA-256, the only hash that the library supports, in its notation.
pub(super) fn fingerprint(value: &str) -> Option<String> {
    let (hash, hex) = value.trim().split_once([' ', '\t'])?;
    let hex = hex.trim().to_ascii_uppercase();
    let pairs = hex.split(':').filter(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit())).count();
    let whole = pairs == 32 && hex.len() == 32 * 3 - 1;
    (hash.eq_ignore_ascii_case("sha-256") && whole).then(|| format!("sha-256 {hex}"))
}

/// The notation of [`fingerprint`] for a SHA-256 of a certificate.
pub(crate) fn fingerprint_line(sha256: &[u8; 32]) -> String {
    let pairs: Vec<String> = sha256.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("sha-256 {}", pairs.join(":"))
}

/// A DTLS cookie in hexadecimal.
pub(super) fn cookie(value: &str) -> Option<Cookie> {
    let digits = value.trim();
    if digits.len() != 2 * dtls_cookie::LENGTH || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut cookie = Cookie::default();
    for (index, byte) in cookie.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(cookie)
}

/// `id[/direction] uri` of RFC 8285, if the id fits into a one-byte header and the extension is in use.
pub(super) fn extension(value: &str) -> Option<(u8, &str)> {
    let mut words = value.split_ascii_whitespace();
    let mut id = words.next()?.split('/');
    let number: u8 = id.next()?.parse().ok()?;
    let uri = words.next()?;
    ((1..=14).contains(&number) && id.next() != Some("inactive")).then_some((number, uri))
}

/// An RTP payload type.
pub(super) fn payload_type(text: &str) -> Option<u8> {
    text.parse().ok().filter(|number| *number <= 127)
}

/// A parameter of an `fmtp` line.
pub(super) fn parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Whether a `profile-level-id` means constrained baseline, in any notation of RFC 6184 table 5.
pub(super) fn is_constrained_baseline(profile_level_id: &str) -> bool {
    if profile_level_id.len() != 6 || !profile_level_id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return false;
    }
    let Ok(id) = u32::from_str_radix(profile_level_id, 16) else { return false };
    let (profile, constraints) = (id >> 16, (id >> 8) & 0xff);
    match profile {
        0x42 => constraints & 0x40 != 0,
        0x4d => constraints & 0x80 != 0,
        0x58 => constraints & 0xc0 == 0xc0,
        _ => false,
    }
}
