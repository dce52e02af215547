//! Parses the three parameters of a link, and rejects anything that could be meant as one of them.
//!
//! A link that passed through mail, chat or HTML may contain `&amp;fp=` or `fp%3D`. To ignore such a fingerprint
//! would be to trust any certificate, so the link is rejected. A parameter that is clearly something else is ignored,
//! so that later versions can add some.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization as _;
use url::Url;

use super::LinkError;

/// The exact names of the parameters.
const NAMES: [&str; 3] = ["server", "fp", "invite"];
/// Rounds of percent-decoding. A text that still changes after them is rejected.
const MAX_ROUNDS: usize = 8;
/// Lengths of a SHA-256 in hex digits and in base64url.
const FINGERPRINT_CHARS: [usize; 2] = [64, 43];

/// The known parameters, each at most once.
#[derive(Default)]
pub(super) struct Parameters {
    pub(super) server: Option<String>,
    pub(super) fingerprint: Option<String>,
    pub(super) invite: Option<String>,
}

impl Parameters {
    /// Parses a query.
    ///
    /// # Errors
    /// [`LinkError::Repeated`], and [`LinkError::Parameter`] if something could be meant as a parameter.
    pub(super) fn read(query: Option<&str>) -> Result<Parameters, LinkError> {
        let mut parameters = Parameters::default();
        for part in query.unwrap_or_default().split('&') {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let place = match name {
                "server" => &mut parameters.server,
                "fp" => &mut parameters.fingerprint,
                "invite" => &mut parameters.invite,
                _ if is_meant(name) || hides_parameter(part) => return Err(LinkError::Parameter),
                _ => continue,
            };
            if place.replace(decoded(value)).is_some() {
                return Err(LinkError::Repeated);
            }
        }
        Ok(parameters)
    }

    /// Returns the certificate's SHA-256 if the link names one.
    ///
    /// # Errors
    /// [`LinkError::Fingerprint`].
    pub(super) fn fingerprint(&self) -> Result<Option<[u8; 32]>, LinkError> {
        self.fingerprint.as_deref().map(fingerprint).transpose()
    }
}

/// Rejects a fragment that could contain a parameter. Nothing is read from a fragment.
///
/// # Errors
/// [`LinkError::Parameter`].
pub(super) fn check_fragment(url: &Url) -> Result<(), LinkError> {
    if url.fragment().is_some_and(hides_parameter) { Err(LinkError::Parameter) } else { Ok(()) }
}

/// Parses a SHA-256 of 64 hex digits or 43 characters of base64url.
fn fingerprint(text: &str) -> Result<[u8; 32], LinkError> {
    match text.len() {
        64 => hex(text.as_bytes()),
        43 => URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()),
        _ => None,
    }
    .ok_or(LinkError::Fingerprint)
}

fn hex(digits: &[u8]) -> Option<[u8; 32]> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// Decodes a value from `application/x-www-form-urlencoded`.
fn decoded(value: &str) -> String {
    let value = value.replace('+', " ");
    percent_decode_str(&value).decode_utf8_lossy().into_owned()
}

/// Whether an unknown name, or a part of it, could be meant as one of ours.
fn is_meant(name: &str) -> bool {
    match plain(name) {
        Some(name) => words(&name).any(resembles),
        None => true,
    }
}

/// Whether a text contains a parameter (`x%26fp%3D…`), or a fingerprint under any name.
fn hides_parameter(text: &str) -> bool {
    let Some(text) = plain(text) else { return true };
    let hidden = words(&text).any(|word| {
        let mut parts = word.split('=').map(str::trim);
        let value = parts.next_back().unwrap_or_default();
        parts.any(resembles) || is_fingerprint(value)
    });
    let run: String = text.chars().filter(|&c| c != ':').collect();
    hidden || words(&run).flat_map(|word| word.split('=')).any(is_fingerprint)
}

/// Undoes all escaping and removes differences in look-alikes, case, white space and invisible characters. Returns
/// `None` if the text is still escaped after [`MAX_ROUNDS`].
fn plain(text: &str) -> Option<String> {
    let mut text = text.replace('+', " ");
    for _ in 0..MAX_ROUNDS {
        let next = percent_decode_str(&text).decode_utf8_lossy().into_owned();
        if next == text {
            let seen = text.nfkc().flat_map(char::to_lowercase);
            return Some(
                seen.filter(|&c| !c.is_whitespace() && !c.is_control() && !crate::text::is_unseen(c)).collect(),
            );
        }
        text = next;
    }
    None
}

/// Splits at everything that can separate parameters. Entities such as `&amp;` end with such a character.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || matches!(c, '=' | '-' | '_' | '.' | '~')))
        .filter(|word| !word.is_empty())
}

/// Whether a word is a parameter's name with one slip: extra punctuation, or one letter added, missing, wrong or
/// swapped.
fn resembles(word: &str) -> bool {
    let word: Vec<char> = word.split('=').next().unwrap_or_default().chars().filter(|c| c.is_alphanumeric()).collect();
    let text: String = word.iter().collect();
    // A name of two letters has too many short neighbours to allow a wrong letter.
    let fingerprint = text.starts_with("fp") || text == "pf" || text.contains("fingerprint") || text.contains("sha256");
    fingerprint || NAMES.iter().filter(|name| name.len() > 2).any(|name| is_near(&word, name))
}

/// Whether at most one edit (insertion, deletion, substitution, transposition) makes the two equal.
fn is_near(word: &[char], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    if word.len().abs_diff(name.len()) > 1 {
        return false;
    }
    let same = word.iter().zip(&name).take_while(|(a, b)| a == b).count();
    let (word, name) = (&word[same..], &name[same..]);
    match (word, name) {
        ([], []) => true,
        ([_, rest @ ..], name) if rest == name => true,
        (word, [_, rest @ ..]) if word == rest => true,
        ([_, word @ ..], [_, name @ ..]) if word == name => true,
        ([a, b, word @ ..], [c, d, name @ ..]) => (a, b) == (d, c) && word == name,
        _ => false,
    }
}

/// Whether a word has the shape of a SHA-256.
fn is_fingerprint(word: &str) -> bool {
    let long = FINGERPRINT_CHARS.contains(&word.len());
    long && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        && (word.len() != 64 || word.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelled_parameters_are_detected() {
        for slip in
            ["server", "sever", "servr", "serveer", "srever", "sorver", "servers", "invit", "invtie", "fpr", "pf"]
        {
            assert!(resembles(slip), "{slip}");
        }
        for other in
            ["theme", "utmsource", "lang", "p", "f", "ref", "revers", "online", "native", "f1", "seve", "invoices"]
        {
            assert!(!resembles(other), "{other}");
        }
    }

    #[test]
    fn deeply_escaped_parameters_are_refused() {
        let escaped = (0..20).fold("fp=".to_owned(), |text, _| text.replace('%', "%25").replace('=', "%3D"));
        assert!(hides_parameter(&escaped));
    }
}
