//! The server that is examined.

use signaling::host::is_private;
use signaling::link::{Link, LinkError, server_url};
use url::Url;

/// A server's address, and the certificate to which a link pins it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `wss://host[:port]/`, or `ws:` for a private host.
    pub url: Url,
    /// SHA-256 of the only certificate to accept.
    pub fingerprint: Option<[u8; 32]>,
}

impl Target {
    /// Parses a link to a room, or an address as people type it: without a scheme it is `ws` if the host is private and
    /// `wss` otherwise; `http` and `https` mean the same as `ws` and `wss`.
    ///
    /// # Errors
    /// Those of [`Link::parse`].
    pub fn parse(text: &str) -> Result<Target, LinkError> {
        let text = text.trim();
        match Link::parse(text) {
            Ok(link) => return Ok(Target { url: link.server, fingerprint: link.fingerprint }),
            Err(LinkError::NotALink) => {}
            Err(error) => return Err(error),
        }
        let url = match text.split_once("://") {
            Some(("http" | "ws", rest)) => server_url(&format!("ws://{rest}")),
            Some(("https" | "wss", rest)) => server_url(&format!("wss://{rest}")),
            Some(_) => Err(LinkError::Server),
            None => bare(text),
        };
        Ok(Target { url: url?, fingerprint: None })
    }

    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or(443)
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.url.scheme() == "wss"
    }
}

fn bare(text: &str) -> Result<Url, LinkError> {
    let encrypted = server_url(&format!("wss://{text}"))?;
    let is_private = encrypted.host().as_ref().is_some_and(is_private);
    if is_private { server_url(&format!("ws://{text}")) } else { Ok(encrypted) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(String, bool), LinkError> {
        Target::parse(text).map(|target| (target.url.to_string(), target.fingerprint.is_some()))
    }

    #[test]
    fn links_addresses_and_hosts_name_a_server() {
        let fp = "00".repeat(32);
        for (text, url, pinned) in [
            (format!("lunchroom://join/soup?server=wss://lunch.example&fp={fp}"), "wss://lunch.example/", true),
            ("https://lunch.example:8443/r/soup".into(), "wss://lunch.example:8443/", false),
            ("https://lunch.example/".into(), "wss://lunch.example/", false),
            ("wss://lunch.example:7077".into(), "wss://lunch.example:7077/", false),
            (" lunch.example ".into(), "wss://lunch.example/", false),
            ("192.168.1.5:7077".into(), "ws://192.168.1.5:7077/", false),
            ("[fd00::1]:7077".into(), "ws://[fd00::1]:7077/", false),
            ("localhost:7077".into(), "ws://localhost:7077/", false),
        ] {
            assert_eq!(parsed(&text), Ok((url.to_owned(), pinned)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for (text, error) in [
            ("", LinkError::Server),
            ("ftp://lunch.example", LinkError::Server),
            ("lunch.example/path", LinkError::Server),
            ("ws://lunch.example", LinkError::Insecure),
            ("lunchroom://join/soup", LinkError::Server),
        ] {
            assert_eq!(parsed(text), Err(error), "{text}");
        }
    }
}
