//! Which web pages may open a WebSocket here.
//!
//! Any page a person visits can make their browser connect to a server that only they can reach, such as one in
//! their private network. So a browser is let in only from this server's own pages. Programs send no `Origin`.

use hyper::header::{HOST, HeaderMap, ORIGIN};
use url::{Host, Url};

/// Whether a request that wants a WebSocket may have one. `allowed` are other origins, `*` for any.
pub(super) fn is_welcome(headers: &HeaderMap, public: Option<&Url>, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if allowed.iter().any(|one| one == "*" || one.trim_end_matches('/') == origin) {
        return true;
    }
    let Ok(origin) = Url::parse(origin) else { return false };
    match public {
        Some(public) => {
            origin.host() == public.host() && origin.port_or_known_default() == public.port_or_known_default()
        }
        None => is_own(&origin, headers.get(HOST).and_then(|host| host.to_str().ok())),
    }
}

/// The same place as was asked for, by its address. A name would prove nothing: whoever owns it can point it here.
fn is_own(origin: &Url, asked: Option<&str>) -> bool {
    let plain = match origin.host() {
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let authority = &origin[url::Position::BeforeHost..url::Position::AfterPort];
    plain && asked.is_some_and(|asked| asked.eq_ignore_ascii_case(authority))
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
        is_welcome(&headers, public.as_ref(), &allowed)
    }

    #[test]
    fn programs_are_welcome() {
        assert!(welcome("192.168.1.5:7077", None, None, &[]));
    }

    #[test]
    fn own_pages_are_welcome() {
        assert!(welcome("192.168.1.5:7077", Some("http://192.168.1.5:7077"), None, &[]));
        assert!(welcome("[::1]:7077", Some("http://[::1]:7077"), None, &[]));
        assert!(welcome("localhost:7077", Some("http://localhost:7077"), None, &[]));
        assert!(welcome("lunch.example", Some("https://lunch.example"), Some("wss://lunch.example"), &[]));
        // A proxy may ask by another name than the browser did.
        assert!(welcome("10.0.0.2:7077", Some("https://lunch.example"), Some("wss://lunch.example"), &[]));
    }

    #[test]
    fn other_pages_are_not() {
        assert!(!welcome("192.168.1.5:7077", Some("https://evil.example"), None, &[]));
        assert!(!welcome("192.168.1.5:7077", Some("http://192.168.1.5:8080"), None, &[]));
        assert!(!welcome("192.168.1.5:7077", Some("null"), None, &[]));
        assert!(!welcome("lunch.example", Some("https://evil.example"), Some("wss://lunch.example"), &[]));
        assert!(!welcome("lunch.example", Some("https://lunch.example:8443"), Some("wss://lunch.example"), &[]));
        // A name of the page's own that leads to this machine (DNS rebinding).
        assert!(!welcome("evil.example:7077", Some("http://evil.example:7077"), None, &[]));
    }

    #[test]
    fn pages_that_were_allowed_are_welcome() {
        assert!(welcome("x", Some("https://guest.example"), None, &["https://guest.example/"]));
        assert!(!welcome("x", Some("https://guest.example.evil"), None, &["https://guest.example"]));
        assert!(welcome("x", Some("null"), None, &["*"]));
    }
}
