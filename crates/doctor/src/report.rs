//! An examination and its diagnosis as lines for people and as JSON for programs.

use outbound::ProxyError;
use serde_json::{Value, json};
use signaling::ice_url::IceScheme;

use crate::diagnosis::{Diagnosis, Verdict};
use crate::examination::{Examination, Hello, Lookup, Mtu, Outcome, ProxyUse, Relay, Server, Tcp, Tls, Upgrade};
use crate::finding::{Finding, Hop, Severity};
use crate::words::{Language, clean};

/// What one hop came to.
struct Observation {
    hop: Hop,
    /// Which one of several: an address, or a transport and its place.
    what: String,
    /// `None` if it was not reached, or has nothing to report.
    passed: Option<bool>,
    /// A stable code.
    code: &'static str,
    /// Figures and addresses, the same in every language.
    detail: String,
}

/// The report as lines without line breaks.
pub fn lines(seen: &Examination, diagnosis: &Diagnosis, language: Language) -> Vec<String> {
    let mut lines: Vec<String> = observations(seen).iter().map(|one| line(one, language)).collect();
    for finding in &diagnosis.findings {
        let words = finding.words(language);
        lines.extend([String::new(), format!("{} {}", mark(finding), words.what)]);
        lines.extend([words.meaning, words.ask].map(|text| format!("  {text}")));
    }
    lines.extend([String::new(), language.verdict(diagnosis.verdict).to_owned()]);
    lines
}

/// The report as one JSON object. Codes are stable; texts and details are for people.
pub fn json(seen: &Examination, diagnosis: &Diagnosis, language: Language) -> Value {
    let findings: Vec<Value> = diagnosis.findings.iter().map(|one| finding(one, language)).collect();
    let hops: Vec<Value> = observations(seen).iter().map(hop).collect();
    json!({
        "host": clean(&seen.host),
        "port": seen.port,
        "verdict": diagnosis.verdict.code(),
        "exit_status": Verdict::exit_status(diagnosis.verdict),
        "findings": findings,
        "hops": hops,
    })
}

fn finding(finding: &Finding, language: Language) -> Value {
    let words = finding.words(language);
    json!({
        "code": finding.code(),
        "hop": finding.hop().code(),
        "severity": finding.severity().code(),
        "what": words.what,
        "meaning": words.meaning,
        "ask": words.ask,
    })
}

fn hop(one: &Observation) -> Value {
    json!({"hop": one.hop.code(), "what": one.what, "passed": one.passed, "code": one.code, "detail": one.detail})
}

fn line(one: &Observation, language: Language) -> String {
    let state = match (one.passed, language) {
        (Some(true), Language::En) => "ok",
        (Some(true), Language::Ko) => "정상",
        (Some(false), Language::En) => "failed",
        (Some(false), Language::Ko) => "실패",
        (None, _) => "-",
    };
    let name = one.hop.name(language);
    let code = if one.passed == Some(false) { one.code } else { "" };
    let words = [name, &one.what, state, code, &one.detail];
    words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join("  ")
}

/// A sign in front of a finding.
fn mark(finding: &Finding) -> char {
    match finding.severity() {
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
                let lines = lines(&seen, &diagnosis, language);
                assert!(lines.iter().all(|line| !line.contains(char::is_control)), "{lines:?}");
                assert_eq!(lines.last().map(String::as_str), Some(language.verdict(Verdict::Blocked)));
            }
        }
    }

    #[test]
    fn the_json_has_the_codes_of_findings_and_hops() {
        let mut seen = Examination::new("lunch.example", 443, true);
        seen.tcp = vec![(([192, 0, 2, 1], 443).into(), Tcp::Refused)];
        let report = json(&seen, &diagnose(&seen), Language::En);
        assert_eq!(report["verdict"], "blocked");
        assert_eq!(report["exit_status"], 2);
        assert_eq!(report["findings"][0]["code"], "port_closed");
        assert_eq!(report["findings"][0]["hop"], "tcp");
        assert_eq!(report["hops"][1]["what"], "192.0.2.1:443");
        assert_eq!(report["hops"][1]["code"], "refused");
    }
}
