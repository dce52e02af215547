//! Findings in the words of people, in English and Korean.

mod en;
mod ko;

use outbound::ProxyError;
use serde::Serialize;

use crate::finding::{Finding, Ports};

/// Most characters of a text from outside.
const MAX_FOREIGN: usize = 80;

/// The language of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    En,
    /// Korean.
    Ko,
}

/// A finding in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct Words {
    /// What is wrong.
    pub what: String,
    /// What it means for calls.
    pub meaning: String,
    /// What to do, or to ask for.
    pub ask: String,
}

/// The words for one code. `{name}` stands for a value of the finding.
struct Text {
    code: &'static str,
    what: &'static str,
    meaning: &'static str,
    ask: &'static str,
}

/// The texts of one language.
struct Texts {
    findings: &'static [Text],
    unknown: &'static str,
    ahead: &'static str,
    behind: &'static str,
    /// Whether direct calls are possible.
    direct: &'static str,
    not_direct: &'static str,
    udp: &'static str,
    tcp: &'static str,
    /// Between ports, the first of which is enough.
    or: &'static str,
    /// All ports, and their host.
    to: &'static str,
    /// Where a redirection leads.
    leads: &'static str,
}

impl Language {
    /// The language of a locale such as `ko-KR`, as the app chooses it.
    pub fn of_locale(locale: Option<&str>) -> Language {
        match locale {
            Some(locale) if locale.to_lowercase().starts_with("ko") => Language::Ko,
            Some(_) | None => Language::En,
        }
    }

    fn texts(self) -> &'static Texts {
        match self {
            Language::En => &en::TEXTS,
            Language::Ko => &ko::TEXTS,
        }
    }

    /// The last line of a report: what calls can expect.
    pub(crate) fn verdict(self, verdict: crate::Verdict) -> &'static str {
        use crate::Verdict::{Blocked, Good, Restricted};
        match (self, verdict) {
            (Language::En, Good) => "Calls work on this network.",
            (Language::En, Restricted) => "Calls work on this network, with a restriction.",
            (Language::En, Blocked) => "Calls do not work on this network.",
            (Language::Ko, Good) => "이 네트워크에서 통화할 수 있어요.",
            (Language::Ko, Restricted) => "이 네트워크에서 통화할 수 있지만 제한이 있어요.",
            (Language::Ko, Blocked) => "이 네트워크에서는 통화할 수 없어요.",
        }
    }
}

impl Finding {
    /// The finding in words.
    pub fn words(&self, language: Language) -> Words {
        let texts = language.texts();
        let values = self.values(texts);
        let fill = |template: &str| filled(template, &values);
        match texts.findings.iter().find(|text| text.code == self.code()) {
            Some(text) => Words { what: fill(text.what), meaning: fill(text.meaning), ask: fill(text.ask) },
            None => Words { what: self.code().into(), meaning: String::new(), ask: String::new() },
        }
    }

    /// The values for the templates, by name.
    fn values(&self, texts: &Texts) -> Vec<(&'static str, String)> {
        let foreign = |text: &Option<String>| text.as_deref().map_or(texts.unknown.to_owned(), clean);
        let relay = |ports: &Ports, direct: bool| vec![("ports", listed(ports, texts)), media(direct, texts)];
        match self {
            Finding::NameNotFound { host }
            | Finding::DnsSilent { host }
            | Finding::NoRoute { host }
            | Finding::CertificateName { host }
            | Finding::TlsClosed { host }
            | Finding::TlsSilent { host } => vec![("host", clean(host))],
            Finding::PortClosed { host, port } | Finding::PortSilent { host, port } => {
                vec![("host", clean(host)), ("port", port.to_string())]
            }
            Finding::Proxy { proxy, fault, server } => {
                vec![("proxy", clean(proxy)), ("server", clean(server)), ("status", status(*fault))]
            }
            Finding::AddressDead { address } => vec![("address", address.to_string())],
            Finding::WrongCertificate { issuer } | Finding::CertificateUntrusted { issuer } => {
                vec![("issuer", foreign(issuer))]
            }
            Finding::NotTls { port } => vec![("port", port.to_string())],
            Finding::CaptivePortal { to } => {
                let leads = to.as_deref().map(|to| filled(texts.leads, &[("to", clean(to))]));
                vec![("leads", leads.unwrap_or_default())]
            }
            Finding::WebSocketRefused { status } => vec![("status", status.to_string())],
            Finding::ServerRefuses { code } => vec![("code", clean(code))],
            Finding::ClockOff { ahead } => vec![
                ("minutes", ahead.unsigned_abs().div_ceil(60).to_string()),
                // If the server is ahead, this computer's clock is behind.
                ("direction", (if *ahead > 0 { texts.behind } else { texts.ahead }).to_owned()),
            ],
            Finding::UdpBlocked { ports } | Finding::OnlyTls { ports } => vec![("ports", listed(ports, texts))],
            Finding::RelayBlocked { ports, direct }
            | Finding::RelayClosed { ports, direct }
            | Finding::RelaySilent { ports, direct }
            | Finding::RelayGarbage { ports, direct } => relay(ports, *direct),
            Finding::RelayRefuses { code, direct } => vec![("code", code.to_string()), media(*direct, texts)],
            Finding::MtuBlackHole { passes } | Finding::MtuSmall { passes } => vec![("passes", passes.to_string())],
            Finding::ProxyUnsupported
            | Finding::CertificateExpired
            | Finding::CertificateNotYetValid
            | Finding::NoRoots
            | Finding::ServerBusy
            | Finding::NotHttp
            | Finding::WebSocketClosed
            | Finding::WebSocketSilent
            | Finding::ServerSilent
            | Finding::ServerClosed
            | Finding::NotLunchroom
            | Finding::Version
            | Finding::NoRelayOffered
            | Finding::RelayUdpFails
            | Finding::NoEcho => Vec::new(),
        }
    }
}

fn media(direct: bool, texts: &Texts) -> (&'static str, String) {
    ("media", (if direct { texts.direct } else { texts.not_direct }).to_owned())
}

fn status(fault: ProxyError) -> String {
    match fault {
        ProxyError::Refused(status) => status.to_string(),
        ProxyError::Unreachable
        | ProxyError::NoAnswer
        | ProxyError::InvalidAnswer
        | ProxyError::Authentication
        | ProxyError::Unsupported => String::new(),
    }
}

/// `UDP port 3478, or TCP port 443, to lunch.example`.
fn listed(ports: &Ports, texts: &Texts) -> String {
    let udp = ports.udp.iter().map(|port| format!("{} {port}", texts.udp));
    let all: Vec<String> = udp.chain(ports.tcp.iter().map(|port| format!("{} {port}", texts.tcp))).collect();
    filled(texts.to, &[("ports", all.join(texts.or)), ("host", clean(&ports.host))])
}

fn filled(template: &str, values: &[(&'static str, String)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// A text from outside for one line: without control characters and braces, and shortened.
pub(crate) fn clean(text: &str) -> String {
    let acts = |c: &char| {
        c.is_control()
            || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '{' | '}')
    };
    text.chars().filter(|c| !acts(c)).take(MAX_FOREIGN).collect()
}

#[cfg(test)]
pub(crate) mod tests;
