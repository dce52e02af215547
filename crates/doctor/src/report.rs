//! An examination and its diagnosis, as lines for people and as values for programs.

use outbound::ProxyError;
use serde::Serialize;
use signaling::ice_url::IceScheme;

use crate::diagnosis::{Diagnosis, Verdict};
use crate::examination::{Examination, Hello, Lookup, Mtu, Outcome, ProxyUse, Relay, Server, Tcp, Tls, Upgrade};
use crate::finding::{Finding, Hop, Severity};
use crate::words::{Language, Words, clean};

/// An examination and its diagnosis. Codes are stable; texts and details are for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "ConnectionReport"))]
pub struct Report {
    /// The server's host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What calls can expect.
    pub verdict: Verdict,
    /// The exit status of a program with this report.
    pub exit_status: u8,
    /// The verdict in words.
    pub summary: &'static str,
    /// What is wrong, in the order of the hops.
    pub findings: Vec<FindingReport>,
    /// What each hop came to, in the order of the way.
    pub hops: Vec<HopReport>,
}

/// A finding in codes and words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct FindingReport {
    /// A stable code.
    pub code: &'static str,
    /// The hop that fails.
    pub hop: Hop,
    /// What it means for calls.
    pub severity: Severity,
    /// Its words.
    #[serde(flatten)]
    pub words: Words,
}

/// What one hop came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct HopReport {
    /// The hop.
    pub hop: Hop,
    /// Its name for people.
    pub name: &'static str,
    /// Which one of several: an address, or a transport and its place.
    pub what: String,
    /// `None` if it was not reached, or has nothing to report.
    pub passed: Option<bool>,
    /// A stable code.
    pub code: &'static str,
    /// Figures and addresses, the same in every language.
    pub detail: String,
}

impl Report {
    /// Reports in a language.
    pub fn new(seen: &Examination, diagnosis: &Diagnosis, language: Language) -> Report {
        let findings = diagnosis.findings.iter().map(|one| finding(one, language)).collect();
        let hops = observations(seen).into_iter().map(|one| hop(one, language)).collect();
        Report {
            host: clean(&seen.host),
            port: seen.port,
            verdict: diagnosis.verdict,
            exit_status: diagnosis.verdict.exit_status(),
            summary: language.verdict(diagnosis.verdict),
            findings,
            hops,
        }
    }

    /// The report as lines without line breaks.
    pub fn lines(&self, language: Language) -> Vec<String> {
        let mut lines: Vec<String> = self.hops.iter().map(|one| line(one, language)).collect();
        for FindingReport { severity, words, .. } in &self.findings {
            lines.extend([String::new(), format!("{} {}", mark(*severity), words.what)]);
            lines.extend([&words.meaning, &words.ask].map(|text| format!("  {text}")));
        }
        lines.extend([String::new(), self.summary.to_owned()]);
        lines
    }
}

/// What one hop came to, without words.
struct Observation {
    hop: Hop,
    what: String,
    passed: Option<bool>,
    code: &'static str,
    detail: String,
}

fn finding(finding: &Finding, language: Language) -> FindingReport {
    let words = finding.words(language);
    FindingReport { code: finding.code(), hop: finding.hop(), severity: finding.severity(), words }
}

fn hop(one: Observation, language: Language) -> HopReport {
    let Observation { hop, what, passed, code, detail } = one;
    HopReport { hop, name: hop.name(language), what, passed, code, detail }
}

fn line(one: &HopReport, language: Language) -> String {
    let state = match (one.passed, language) {
        (Some(true), Language::En) => "ok",
        (Some(true), Language::Ko) => "정상",
        (Some(false), Language::En) => "failed",
        (Some(false), Language::Ko) => "실패",
        (None, _) => "-",
    };
    let code = if one.passed == Some(false) { one.code } else { "" };
    let words = [one.name, &one.what, state, code, &one.detail];
    words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join("  ")
}

/// A sign in front of a finding.
fn mark(severity: Severity) -> char {
    match severity {
        Severity::Note => '·',
        Severity::Restricts => '!',
        Severity::Blocks => '✗',
    }
}

impl Hop {
    fn name(self, language: Language) -> &'static str {
        match (self, language) {
            (Hop::Dns, _) => "DNS",
            (Hop::Tcp, _) => "TCP",
            (Hop::Proxy, Language::En) => "Proxy",
            (Hop::Proxy, Language::Ko) => "프록시",
            (Hop::Tls, _) => "TLS",
            (Hop::WebSocket, Language::En) => "WebSocket",
            (Hop::WebSocket, Language::Ko) => "웹소켓",
            (Hop::Server, Language::En) => "Server",
            (Hop::Server, Language::Ko) => "서버",
            (Hop::Clock, Language::En) => "Clock",
            (Hop::Clock, Language::Ko) => "시계",
            (Hop::Stun, _) => "STUN",
            (Hop::Turn, _) => "TURN",
            (Hop::Mtu, _) => "MTU",
        }
    }
}

fn observations(seen: &Examination) -> Vec<Observation> {
    let mut all = vec![lookup(&seen.lookup)];
    all.extend(seen.tcp.iter().map(|(address, outcome)| Observation {
        hop: Hop::Tcp,
        what: address.to_string(),
        passed: Some(*outcome == Tcp::Open),
        code: tcp(*outcome),
        detail: String::new(),
    }));
    all.extend(proxy(&seen.proxy));
    all.extend(server(seen));
    all.extend(seen.clock_ahead.map(|ahead| Observation {
        hop: Hop::Clock,
        what: String::new(),
        passed: None,
        code: "ahead",
        detail: format!("{ahead:+} s"),
    }));
    all.extend(seen.relays.iter().map(relay));
    all.extend(mtu(seen.mtu));
    all
}

fn lookup(lookup: &Lookup) -> Observation {
    let (passed, code, detail) = match lookup {
        Lookup::Found(addresses) => {
            let texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            (Some(true), "found", texts.join(", "))
        }
        Lookup::Failed => (Some(false), "failed", String::new()),
        Lookup::Silent => (Some(false), "silent", String::new()),
    };
    Observation { hop: Hop::Dns, what: String::new(), passed, code, detail }
}

fn proxy(used: &ProxyUse) -> Option<Observation> {
    let of = |what: &str, fault: Option<ProxyError>| Observation {
        hop: Hop::Proxy,
        what: clean(what),
        passed: Some(fault.is_none()),
        code: fault.map_or("used", ProxyError::code),
        detail: String::new(),
    };
    match used {
        ProxyUse::None => None,
        ProxyUse::Unsupported => Some(of("", Some(ProxyError::Unsupported))),
        ProxyUse::Http { place, fault } => Some(of(place, *fault)),
    }
}

/// TLS, WebSocket and server, as far as the connection came.
fn server(seen: &Examination) -> Vec<Observation> {
    let of = |hop, fault: Option<(&'static str, String)>| Observation {
        hop,
        what: String::new(),
        passed: Some(fault.is_none()),
        code: fault.as_ref().map_or("ok", |(code, _)| *code),
        detail: fault.map(|(_, detail)| detail).unwrap_or_default(),
    };
    let tls = || seen.encrypted.then(|| of(Hop::Tls, None)).into_iter();
    match &seen.server {
        Server::NotReached => Vec::new(),
        Server::Tls(fault) => vec![of(Hop::Tls, Some(tls_fault(fault)))],
        Server::Upgrade(fault) => tls().chain([of(Hop::WebSocket, Some(upgrade_fault(fault)))]).collect(),
        Server::Hello(fault) => {
            tls().chain([of(Hop::WebSocket, None), of(Hop::Server, Some(hello_fault(fault)))]).collect()
        }
        Server::Welcome => tls().chain([of(Hop::WebSocket, None), of(Hop::Server, None)]).collect(),
    }
}

fn tls_fault(fault: &Tls) -> (&'static str, String) {
    let named = |issuer: &Option<String>| issuer.as_deref().map(clean).unwrap_or_default();
    match fault {
        Tls::NotPinned { issuer } => ("not_pinned", named(issuer)),
        Tls::Untrusted { issuer } => ("untrusted", named(issuer)),
        Tls::Name => ("name", String::new()),
        Tls::Expired => ("expired", String::new()),
        Tls::NotValidYet => ("not_yet_valid", String::new()),
        Tls::NoRoots => ("no_roots", String::new()),
        Tls::NotTls => ("not_tls", String::new()),
        Tls::Closed => ("closed", String::new()),
        Tls::Silent => ("silent", String::new()),
    }
}

fn upgrade_fault(fault: &Upgrade) -> (&'static str, String) {
    match fault {
        Upgrade::Redirect { to } => ("redirect", to.as_deref().map(clean).unwrap_or_default()),
        Upgrade::Page => ("page", String::new()),
        Upgrade::Status(status) => ("status", status.to_string()),
        Upgrade::NotHttp => ("not_http", String::new()),
        Upgrade::Closed => ("closed", String::new()),
        Upgrade::Silent => ("silent", String::new()),
    }
}

fn hello_fault(fault: &Hello) -> (&'static str, String) {
    match fault {
        Hello::Stranger => ("stranger", String::new()),
        Hello::Version => ("version", String::new()),
        Hello::Refused(code) => ("refused", clean(code)),
        Hello::Closed => ("closed", String::new()),
        Hello::Silent => ("silent", String::new()),
    }
}

fn tcp(outcome: Tcp) -> &'static str {
    match outcome {
        Tcp::Open => "open",
        Tcp::Refused => "refused",
        Tcp::Unreachable => "unreachable",
        Tcp::Silent => "silent",
        Tcp::Mute => "mute",
    }
}

fn relay(relay: &Relay) -> Observation {
    let (hop, transport) = match relay.scheme {
        IceScheme::Stun => (Hop::Stun, "udp"),
        IceScheme::TurnUdp => (Hop::Turn, "udp"),
        IceScheme::TurnTcp => (Hop::Turn, "tcp"),
        IceScheme::TurnTls => (Hop::Turn, "tls"),
    };
    let (code, detail) = match relay.outcome {
        Outcome::NoAddress => ("no_address", String::new()),
        Outcome::Silent => ("silent", String::new()),
        Outcome::Closed => ("closed", String::new()),
        Outcome::Unreachable => ("unreachable", String::new()),
        Outcome::Proxy(fault) => (fault.code(), String::new()),
        Outcome::Tls => ("tls", String::new()),
        Outcome::Mute => ("mute", String::new()),
        Outcome::Garbage => ("garbage", String::new()),
        Outcome::Error(code) => ("error", code.to_string()),
        Outcome::Allocated => ("allocated", String::new()),
        Outcome::Works(address) => ("works", address.to_string()),
    };
    let what = format!("{transport} {}:{}", clean(&relay.host), relay.port);
    Observation { hop, what, passed: Some(relay.outcome.is_usable()), code, detail }
}

fn mtu(mtu: Mtu) -> Option<Observation> {
    let Mtu::Measured { passes, fails } = mtu else { return None };
    let (code, bytes) = match fails {
        None => ("all", None),
        Some(failed) if failed.reported => ("reported", Some(failed.bytes)),
        Some(failed) => ("vanishes", Some(failed.bytes)),
    };
    let detail = bytes.map_or(format!("{passes}"), |bytes| format!("{passes} < {bytes}"));
    let passed = Some(passes >= crate::diagnosis::NEEDED_BYTES);
    Some(Observation { hop: Hop::Mtu, what: String::new(), passed, code, detail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::diagnose;
    use crate::words::tests::one_of_each;

    #[test]
    fn each_line_is_one_line_and_the_verdict_is_the_last() {
        for language in [Language::En, Language::Ko] {
            for finding in one_of_each() {
                let mut seen = Examination::new("lunch.example\n", 443, true);
                seen.server = Server::Tls(Tls::NotPinned { issuer: Some("Box\nCA".into()) });
                let diagnosis = Diagnosis { verdict: Verdict::Blocked, findings: vec![finding] };
                let lines = Report::new(&seen, &diagnosis, language).lines(language);
                assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
                assert_eq!(lines.last().map(String::as_str), Some(language.verdict(Verdict::Blocked)));
            }
        }
    }

    #[test]
    fn the_json_has_the_codes_of_findings_and_hops() {
        let mut seen = Examination::new("lunch.example", 443, true);
        seen.tcp = vec![(([192, 0, 2, 1], 443).into(), Tcp::Refused)];
        let report = serde_json::to_value(Report::new(&seen, &diagnose(&seen), Language::En)).unwrap();
        assert_eq!(report["verdict"], "blocked");
        assert_eq!(report["exit_status"], 2);
        assert_eq!(report["findings"][0]["code"], "port_closed");
        assert_eq!(report["findings"][0]["hop"], "tcp");
        assert_eq!(report["hops"][1]["what"], "192.0.2.1:443");
        assert_eq!(report["hops"][1]["code"], "refused");
    }

    /// The app words the findings of others itself, because their reports have only codes.
    #[test]
    fn the_app_has_words_only_for_codes_that_exist() {
        let codes: Vec<&str> = one_of_each().iter().map(Finding::code).collect();
        for language in ["en", "ko"] {
            let file = format!("{}/../../ui/shared/strings/{language}.js", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(file).unwrap();
            let block = text.split_once("theirFindings: {").and_then(|(_, rest)| rest.split_once('}')).unwrap().0;
            let worded: Vec<&str> =
                block.lines().filter_map(|line| line.trim().split_once(": ")).map(|(code, _)| code).collect();
            assert!(worded.len() > 10, "{worded:?}");
            assert_eq!(worded.iter().find(|code| !codes.contains(*code)), None);
        }
    }

    #[test]
    fn values_are_serialized_as_their_codes() {
        use Hop::{Clock, Dns, Mtu, Proxy, Server, Stun, Tcp, Tls, Turn, WebSocket};
        for hop in [Dns, Tcp, Proxy, Tls, WebSocket, Server, Clock, Stun, Turn, Mtu] {
            assert_eq!(serde_json::to_value(hop).unwrap(), hop.code());
        }
        for severity in [Severity::Note, Severity::Restricts, Severity::Blocks] {
            assert_eq!(serde_json::to_value(severity).unwrap(), severity.code());
        }
        for verdict in [Verdict::Good, Verdict::Restricted, Verdict::Blocked] {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.code());
        }
    }
}
