//! The proxy settings of GNOME and of desktops that share them, by `gsettings`.

use crate::proxy::Proxy;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Longest wait for `gsettings`.
const DEADLINE: Duration = Duration::from_secs(1);

/// A proxy that was entered by hand.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) proxy: Proxy,
    /// Hosts that are reached directly, in the form of `NO_PROXY`.
    pub(crate) exempt: String,
}

/// The settings, if they name a proxy. Only Linux has them.
pub(crate) async fn settings() -> Option<Settings> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let query = || {
        let mut command = Command::new("gsettings");
        command.args(["list-recursively", "org.gnome.system.proxy"]);
        command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()
    };
    let output = tokio::time::timeout(DEADLINE, tokio::task::spawn_blocking(query)).await.ok()?.ok()??;
    read(&String::from_utf8_lossy(&output.stdout))
}

/// Parses lines of `SCHEMA KEY VALUE`.
pub(crate) fn read(text: &str) -> Option<Settings> {
    let value = |schema: &str, key: &str| {
        let schema = format!("org.gnome.system.proxy{schema}");
        let line = text.lines().find(|line| {
            let mut words = line.split(' ');
            words.next() == Some(&schema) && words.next() == Some(key)
        })?;
        Some(line.splitn(3, ' ').nth(2)?.trim())
    };
    let string = |schema: &str, key: &str| value(schema, key).map(unquoted).unwrap_or_default();
    if string("", "mode") != "manual" {
        return None;
    }
    // A proxy that is only for plain HTTP is not used.
    let host = string(".https", "host");
    let port = value(".https", "port")?.parse().ok().filter(|port| *port != 0)?;
    let mut proxy = Proxy::new(host, port);
    if proxy.host().is_empty() {
        return None;
    }
    if value(".http", "use-authentication") == Some("true") && string(".http", "host") == host {
        let (user, password) = (string(".http", "authentication-user"), string(".http", "authentication-password"));
        proxy = proxy.with_password(user, password);
    }
    Some(Settings { proxy, exempt: exempt(value("", "ignore-hosts").unwrap_or_default()) })
}

/// `['a', '*.b']` as `a,.b`.
fn exempt(list: &str) -> String {
    let hosts = list.trim_start_matches("@as").trim().trim_start_matches('[').trim_end_matches(']').split(',');
    let hosts: Vec<&str> = hosts.map(|host| unquoted(host.trim()).trim_start_matches('*')).collect();
    hosts.join(",")
}

fn unquoted(value: &str) -> &str {
    let quote = |c| c == '\'' || c == '"';
    value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote)).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANUAL: &str = "\
org.gnome.system.proxy autoconfig-url ''
org.gnome.system.proxy ignore-hosts ['localhost', '127.0.0.0/8', '*.lan.example', '::1']
org.gnome.system.proxy mode 'manual'
org.gnome.system.proxy.http authentication-password 'sesame'
org.gnome.system.proxy.http authentication-user 'ada'
org.gnome.system.proxy.http host 'proxy.example'
org.gnome.system.proxy.http port 8080
org.gnome.system.proxy.http use-authentication true
org.gnome.system.proxy.https host 'proxy.example'
org.gnome.system.proxy.https port 3128
";

    #[test]
    fn a_proxy_entered_by_hand_is_read_with_the_hosts_that_are_exempt() {
        let proxy = Proxy::new("proxy.example", 3128).with_password("ada", "sesame");
        let exempt = "localhost,127.0.0.0/8,.lan.example,::1".to_owned();
        assert_eq!(read(MANUAL), Some(Settings { proxy, exempt }));
    }

    #[test]
    fn other_modes_and_missing_values_mean_no_proxy() {
        assert_eq!(read(&MANUAL.replace("'manual'", "'none'")), None);
        assert_eq!(read(&MANUAL.replace("'manual'", "'auto'")), None);
        assert_eq!(read(&MANUAL.replace("port 3128", "port 0")), None);
        assert_eq!(read(&MANUAL.replace("https host 'proxy.example'", "https host ''")), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn an_ipv6_address_may_be_in_brackets() {
        let address = MANUAL.replace("https host 'proxy.example'", "https host '[2001:db8::1]'");
        assert_eq!(read(&address).expect("a proxy").proxy, Proxy::new("2001:db8::1", 3128));
        assert_eq!(read(&MANUAL.replace("https host 'proxy.example'", "https host '[]'")), None);
    }

    #[test]
    fn without_authentication_no_password_is_sent() {
        let text = MANUAL.replace("use-authentication true", "use-authentication false");
        assert_eq!(read(&text).expect("a proxy").proxy, Proxy::new("proxy.example", 3128));
        let other = MANUAL.replace("http host 'proxy.example'", "http host 'other.example'");
        assert_eq!(read(&other).expect("a proxy").proxy, Proxy::new("proxy.example", 3128));
    }
}
