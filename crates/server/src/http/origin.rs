//! Decides which web pages may open a WebSocket here.
//!
//! Any page that a person visits can make their browser connect to a server that only they can reach, such as one in
//! their private network. So browsers may connect only from this server's own pages. Native programs send no `Origin`.

use hyper::header::{HOST, HeaderMap, ORIGIN};
use signaling::host::{is_same_place, relative};
use url::{Host, Url};

/// Where this server's own pages are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Own<'a> {
    /// The public URL, if configured.
    pub(super) public: Option<&'a Url>,
    /// Whether this client connected over TLS.
    pub(super) encrypted: bool,
}

/// Whether a WebSocket request is allowed. `allowed` lists other origins; `*` allows any.
pub(super) fn is_welcome(headers: &HeaderMap, own: Own<'_>, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Ok(text) = origin.to_str() else { return false };
    if allowed.iter().any(|one| one == "*" || one.trim_end_matches('/') == text) {
        return true;
    }
    let Ok(origin) = Url::parse(text) else { return false };
    if !matches!(origin.scheme(), "http" | "https") {
        return false;
    }
    let mut allowed = allowed.iter().filter_map(|one| Url::parse(one).ok());
    if allowed.any(|one| one.scheme() == origin.scheme() && is_same_place(&one, &origin)) {
        return true;
    }
    match own.public {
        Some(public) => fits(&origin, public.scheme() == "wss") && is_same_place(&origin, public),
        // A page loaded over TLS may belong to a plain listener: a proxy in between can terminate TLS.
        None => (!own.encrypted || fits(&origin, true)) && is_asked(&origin, headers),
    }
}

/// Whether the page was loaded over TLS if and only if its WebSocket must be encrypted.
fn fits(origin: &Url, encrypted: bool) -> bool {
    origin.scheme() == if encrypted { "https" } else { "http" }
}

/// Whether the origin is the requested host and is an IP address or localhost. A domain name proves nothing: its owner
/// can point it at this server.
fn is_asked(origin: &Url, headers: &HeaderMap) -> bool {
    let plain = match origin.host() {
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        Some(Host::Domain(name)) => relative(name) == "localhost",
        None => false,
    };
    let asked = headers.get(HOST).and_then(|host| host.to_str().ok());
    let asked = asked.and_then(|host| Url::parse(&format!("{}://{host}", origin.scheme())).ok());
    plain && asked.is_some_and(|asked| is_same_place(origin, &asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn welcome(host: &str, origin: Option<&str>, public: Option<&str>, allowed: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        let public = public.map(|url| Url::parse(url).unwrap());
        let allowed: Vec<String> = allowed.iter().map(|&one| one.to_owned()).collect();
        let encrypted = public.is_none() && origin.is_some_and(|origin| origin.starts_with("https"));
        is_welcome(&headers, Own { public: public.as_ref(), encrypted }, &allowed)
    }

    #[test]
    fn requests_without_an_origin_are_allowed() {
        assert!(welcome("192.168.1.5:7077", None, None, &[]));
    }

    #[test]
    fn own_pages_are_allowed() {
        assert!(welcome("192.168.1.5:7077", Some("http://192.168.1.5:7077"), None, &[]));
        assert!(welcome("[::1]:7077", Some("http://[::1]:7077"), None, &[]));
        assert!(welcome("localhost:7077", Some("http://localhost:7077"), None, &[]));
        assert!(welcome("lunch.example", Some("https://lunch.example"), Some("wss://lunch.example"), &[]));
        // A proxy may send another Host than the browser did.
        assert!(welcome("10.0.0.2:7077", Some("https://lunch.example"), Some("wss://lunch.example"), &[]));
    }

    #[test]
    fn other_pages_are_refused() {
        assert!(!welcome("192.168.1.5:7077", Some("https://evil.example"), None, &[]));
        assert!(!welcome("192.168.1.5:7077", Some("http://192.168.1.5:8080"), None, &[]));
        assert!(!welcome("192.168.1.5:7077", Some("null"), None, &[]));
        assert!(!welcome("lunch.example", Some("https://evil.example"), Some("wss://lunch.example"), &[]));
        assert!(!welcome("lunch.example", Some("https://lunch.example:8443"), Some("wss://lunch.example"), &[]));
        // The page's own domain name, pointed at this machine (DNS rebinding).
        assert!(!welcome("evil.example:7077", Some("http://evil.example:7077"), None, &[]));
    }

    #[test]
    fn hosts_are_compared_as_hosts() {
        let public = Some("wss://lunch.example");
        for origin in ["https://lunch.example.", "https://LUNCH.example", "https://lunch.example:443"] {
            assert!(welcome("lunch.example", Some(origin), public, &[]), "{origin}");
        }
        assert!(welcome("lunch.example", Some("https://lunch.example"), Some("wss://lunch.example.:443"), &[]));
        assert!(welcome("x", Some("https://xn--bcher-kva.example"), Some("wss://b\u{fc}cher.example"), &[]));
        assert!(welcome("[0:0:0:0:0:0:0:1]:7077", Some("http://[::1]:7077"), None, &[]));
        assert!(welcome("LOCALHOST.:7077", Some("http://localhost:7077"), None, &[]));
        assert!(welcome("192.168.1.5", Some("http://192.168.1.5:80"), None, &[]));
        assert!(welcome("x", Some("https://GUEST.example."), None, &["https://guest.example:443/"]));
    }

    #[test]
    fn the_scheme_of_a_page_must_match() {
        let public = Some("wss://lunch.example");
        for origin in
            ["ftp://lunch.example:443", "http://lunch.example:443", "http://lunch.example", "wss://lunch.example"]
        {
            assert!(!welcome("lunch.example", Some(origin), public, &[]), "{origin}");
        }
        assert!(welcome("x", Some("http://10.0.0.2:7077"), Some("ws://10.0.0.2:7077"), &[]));
        assert!(!welcome("x", Some("https://10.0.0.2:7077"), Some("ws://10.0.0.2:7077"), &[]));
        assert!(!welcome("10.0.0.2:7077", Some("ftp://10.0.0.2:7077"), None, &[]));
        let (plain, tls) = (Own { public: None, encrypted: false }, Own { public: None, encrypted: true });
        let headers = |origin: &str| {
            let fields = [(HOST, "10.0.0.2:7077"), (ORIGIN, origin)];
            HeaderMap::from_iter(fields.map(|(name, value)| (name, value.parse().unwrap())))
        };
        assert!(is_welcome(&headers("http://10.0.0.2:7077"), plain, &[]));
        assert!(is_welcome(&headers("https://10.0.0.2:7077"), plain, &[]), "a proxy may terminate TLS");
        assert!(is_welcome(&headers("https://10.0.0.2:7077"), tls, &[]));
        assert!(!is_welcome(&headers("http://10.0.0.2:7077"), tls, &[]));
        assert!(!welcome("x", Some("http://guest.example:443"), None, &["https://guest.example"]));
    }

    #[test]
    fn configured_origins_are_allowed() {
        assert!(welcome("x", Some("https://guest.example"), None, &["https://guest.example/"]));
        assert!(!welcome("x", Some("https://guest.example.evil"), None, &["https://guest.example"]));
        assert!(welcome("x", Some("null"), None, &["*"]));
    }
}
