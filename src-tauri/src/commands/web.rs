//! Opens web addresses from the chat in the system's browser, after the person has seen where they lead, and the address of
//! the person's calendar in the system's calendar app.

use super::Answer;
use crate::calendar;
use crate::state::CommandError;
use url::Url;

/// Longest address that is opened, in bytes.
const MAX_LENGTH: usize = 2000;

/// Opens a web address, or that of a calendar with the scheme `webcal`.
#[tauri::command]
pub(crate) async fn open_web(url: String) -> Answer {
    let refused = |message: String| CommandError { code: "link_not_opened".into(), message };
    let url = web_address(&url).map(String::from).or_else(|| calendar::subscription(&url));
    let url = url.ok_or_else(|| refused("no web address".into()))?;
    let opened = tokio::task::spawn_blocking(move || open::that_detached(url)).await;
    opened.map_err(std::io::Error::other).and_then(|opened| opened).map_err(|error| {
        tracing::warn!("the system's programs: {error}");
        refused(error.to_string())
    })
}

/// Only addresses of web pages are opened: other schemes start other programs. A user name looks like a host.
fn web_address(typed: &str) -> Option<Url> {
    let url = Url::parse(typed).ok().filter(|_| typed.len() <= MAX_LENGTH)?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    (is_web && url.username().is_empty() && url.password().is_none()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_addresses_are_opened() {
        for typed in ["https://example.org/a?b#c", "http://192.168.0.4:8080", "https://점심.example"] {
            assert!(web_address(typed).is_some(), "{typed}");
        }
        let long = format!("https://example.org/{}", "a".repeat(MAX_LENGTH));
        for typed in ["file:///etc/passwd", "javascript:alert(1)", "ssh://host", "-x", "", "https://a@b.example", &long]
        {
            assert_eq!(web_address(typed), None, "{typed}");
        }
    }
}
