//! Entry points for the fuzzer (`tests/fuzz`): any bytes may go in, and nothing may panic. The assertions state what
//! must hold for all input.

use crate::answer::{Answer, MAX_ANSWER};
use crate::gnome;
use crate::proxy::Proxy;
use crate::settings::matched;
use hyper_util::client::proxy::matcher::Matcher;

/// A proxy's answer to CONNECT, in pieces.
///
/// Input: one byte for the length of the pieces, and the answer.
pub fn proxy_answer(data: &[u8]) {
    let Some((length, answer)) = data.split_first().filter(|(_, answer)| answer.len() < MAX_ANSWER) else { return };
    let whole = Answer::default().push(answer);
    let (mut collected, mut last) = (Answer::default(), Ok(None));
    for piece in answer.chunks(usize::from(*length).max(1)) {
        last = collected.push(piece);
        if last != Ok(None) {
            break;
        }
    }
    // What follows a success is invalid only if it arrives together with it.
    assert!(whole.is_err() || last == whole, "it depends on the pieces: {whole:?}, {last:?}");
    assert!(last.is_err() || last.is_ok_and(|status| status.is_none_or(|status| status >= 200)));
}

/// Settings that name a proxy, and the request to it.
///
/// Input: lines for the destination's host and for a proxy's URL, and then what `gsettings` prints.
pub fn proxy_settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.splitn(3, '\n');
    let (host, url, settings) = (parts.next(), parts.next(), parts.next());
    let host = host.unwrap_or_default();
    let matcher = Matcher::builder().all(url.unwrap_or_default()).build();
    if let Ok(Some(proxy)) = matched(&matcher, "h.example", 443) {
        check(&proxy, host);
    }
    if let Some(settings) = gnome::read(settings.unwrap_or_default()) {
        check(&settings.proxy, host);
        let _ = Matcher::builder().all("http://proxy").no(settings.exempt).build();
    }
}

/// No host and no password adds a line to the request.
fn check(proxy: &Proxy, host: &str) {
    assert!(!proxy.host().is_empty() && !proxy.host().starts_with('['));
    let Some(request) = proxy.request(host, 443) else { return };
    let lines = if proxy.authorization.is_some() { 3 } else { 2 };
    assert_eq!(request.split("\r\n").count(), lines + 2, "{request:?}");
    assert!(request.ends_with("\r\n\r\n") && request.matches(['\r', '\n']).count() == 2 * (lines + 1));
}

#[cfg(test)]
#[path = "../../../tests/fuzz/src/corpus.rs"]
mod corpus;

#[cfg(test)]
mod tests {
    use super::corpus;

    #[test]
    fn stored_answers_of_proxies_pass() {
        corpus::replay("proxy_answer", super::proxy_answer);
    }

    #[test]
    fn stored_proxy_settings_pass() {
        corpus::replay("proxy_settings", super::proxy_settings);
    }
}
