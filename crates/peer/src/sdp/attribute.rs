//! Checks of single values. Each takes only what its RFC allows, at bounded length.

/// `token` of RFC 8866, no longer than `longest`.
pub(super) fn is_token(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`{|}~".contains(&b))
}

/// `ice-char` of RFC 8839, within its bounds.
pub(super) fn is_ice(text: &str, shortest: usize) -> bool {
    (shortest..=256).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

/// `fingerprint` of RFC 8122 by a hash that is not broken, in the library's spelling.
pub(super) fn fingerprint(value: &str) -> Option<String> {
    let (hash, hex) = value.trim().split_once(' ')?;
    let hash = hash.to_ascii_lowercase();
    let length = match hash.as_str() {
        "sha-256" => 32,
        "sha-384" => 48,
        "sha-512" => 64,
        _ => return None,
    };
    let hex = hex.trim().to_ascii_uppercase();
    let pairs = hex.split(':').filter(|pair| pair.len() == 2 && pair.bytes().all(|b| b.is_ascii_hexdigit())).count();
    (pairs == length && hex.len() == length * 3 - 1).then(|| format!("{hash} {hex}"))
}

/// `id[/direction] uri` of RFC 8285; ids that one byte headers can name.
pub(super) fn extension(value: &str) -> Option<(u8, &str)> {
    let mut words = value.split_ascii_whitespace();
    let id = words.next()?;
    let id: u8 = id.split('/').next()?.parse().ok()?;
    let uri = words.next()?;
    (1..=14).contains(&id).then_some((id, uri))
}

/// A payload type that media may have beside RTCP, RFC 5761 section 4.
pub(super) fn payload_type(text: &str) -> Option<u8> {
    let number: u8 = text.parse().ok()?;
    (number <= 127 && !(64..=95).contains(&number)).then_some(number)
}

/// A parameter of an `fmtp` line.
pub(super) fn parameter<'a>(fmtp: &'a str, name: &str) -> Option<&'a str> {
    fmtp.split(';').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Whether a `profile-level-id` of RFC 6184 names constrained baseline: profile 66 with constraint_set1.
pub(super) fn is_constrained_baseline(profile_level_id: &str) -> bool {
    if profile_level_id.len() != 6 {
        return false;
    }
    u32::from_str_radix(profile_level_id, 16).is_ok_and(|id| id >> 16 == 0x42 && id & 0x4000 != 0)
}
