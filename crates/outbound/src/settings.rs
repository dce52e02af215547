//! Which proxy a connection takes.

use crate::gnome;
use crate::proxy::{Proxy, ProxyError};
use hyper_util::client::proxy::matcher::Matcher;
use std::net::IpAddr;

/// The environment variables that name a proxy. Their values decide before the system's settings.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Which connections take which proxy. This machine itself is always reached directly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Proxies {
    /// As the environment (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`) says, else the system: its settings on macOS and
    /// Windows, those of GNOME on Linux. Proxy scripts (PAC) are not run.
    #[default]
    System,
    /// All connections are direct.
    Direct,
    /// All connections take this one.
    One(Proxy),
}

impl Proxies {
    /// The proxy for connections to this host; `None` for a direct one. A plain connection takes the same proxy as an
    /// encrypted one, because both need a tunnel.
    ///
    /// # Errors
    /// [`ProxyError::Unsupported`].
    pub async fn find(&self, host: &str, port: u16) -> Result<Option<Proxy>, ProxyError> {
        if is_this_machine(host) {
            return Ok(None);
        }
        match self {
            Proxies::System => system(host, port).await,
            Proxies::Direct => Ok(None),
            Proxies::One(proxy) => Ok(Some(proxy.clone())),
        }
    }
}

async fn system(host: &str, port: u16) -> Result<Option<Proxy>, ProxyError> {
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !VARIABLES.iter().any(is_set)
        && let Some(settings) = gnome::settings().await
    {
        // The matcher decides only whether there is a proxy.
        let matcher = Matcher::builder().all("http://proxy").no(settings.exempt).build();
        return Ok(matched(&matcher, host, port)?.map(|_| settings.proxy));
    }
    matched(&Matcher::from_system(), host, port)
}

/// The proxy that a matcher names for this host.
pub(crate) fn matched(matcher: &Matcher, host: &str, port: u16) -> Result<Option<Proxy>, ProxyError> {
    let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let Ok(uri) = format!("https://{authority}/").parse() else { return Ok(None) };
    matcher.intercept(&uri).map(|intercept| Proxy::of(&intercept)).transpose()
}

fn is_this_machine(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(ip) => ip.to_canonical().is_loopback(),
        Err(_) => {
            let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
            host == "localhost" || host.ends_with(".localhost")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_read_from_a_url_and_hosts_can_be_exempt() {
        let matcher =
            Matcher::builder().all("http://user:p%40ss@proxy.example:3128").no("lan.example,10.0.0.0/8").build();
        let find = |host| matched(&matcher, host, 443).expect("an HTTP proxy");
        let expected = Proxy::new("proxy.example", 3128).with_password("user", "p@ss");
        assert_eq!(find("lunch.example"), Some(expected.clone()));
        assert_eq!(find("2001:db8::1"), Some(expected));
        for exempt in ["lan.example", "a.lan.example", "10.1.2.3"] {
            assert_eq!(find(exempt), None, "{exempt}");
        }
    }

    #[test]
    fn the_scheme_gives_the_port_and_the_encryption() {
        let read = |url: &str| matched(&Matcher::builder().all(url).build(), "h.example", 443);
        assert_eq!(read("http://p"), Ok(Some(Proxy::new("p", 80))));
        assert_eq!(read("p:8080"), Ok(Some(Proxy::new("p", 8080))));
        assert_eq!(read("https://p"), Ok(Some(Proxy { tls: true, ..Proxy::new("p", 443) })));
        assert_eq!(read("http://[::1]:3128"), Ok(Some(Proxy::new("::1", 3128))));
        assert_eq!(read("socks5://p:1080"), Err(ProxyError::Unsupported));
    }

    #[test]
    fn a_url_without_a_host_names_no_proxy() {
        for url in ["http://:3128", "http://user@:3128", "https://:[:1]:"] {
            assert_eq!(matched(&Matcher::builder().all(url).build(), "h.example", 443), Err(ProxyError::Unsupported));
        }
    }

    #[tokio::test]
    async fn this_machine_takes_no_proxy() {
        let proxies = Proxies::One(Proxy::new("p", 1));
        for own in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "localhost", "LOCALHOST.", "a.localhost"] {
            assert_eq!(proxies.find(own, 1).await, Ok(None), "{own}");
        }
        assert!(proxies.find("128.0.0.1", 1).await.expect("a proxy").is_some());
    }
}
