use super::*;
use std::collections::BTreeSet;

/// One finding of each kind, with every reason of a proxy, and both forms where there are two.
pub(crate) fn one_of_each() -> Vec<Finding> {
    let host = || "lunch.example".to_owned();
    let ports = || Ports { host: host(), udp: Some(3478), tcp: vec![443, 3478] };
    let (issuer, to) = (Some("Box CA".to_owned()), Some("login.example".to_owned()));
    let proxy = |fault| Finding::Proxy { proxy: "proxy:3128".into(), fault, server: "lunch.example:443".into() };
    let mut all = vec![
        Finding::NameNotFound { host: host() },
        Finding::DnsSilent { host: host() },
        Finding::ProxyUnsupported,
        proxy(ProxyError::Unreachable),
        proxy(ProxyError::NoAnswer),
        proxy(ProxyError::InvalidAnswer),
        proxy(ProxyError::Authentication),
        proxy(ProxyError::Refused(403)),
        Finding::PortClosed { host: host(), port: 443 },
        Finding::PortSilent { host: host(), port: 443 },
        Finding::NoRoute { host: host() },
        Finding::AddressDead { address: "2001:db8::1".parse().expect("an address") },
        Finding::WrongCertificate { issuer: issuer.clone() },
        Finding::WrongCertificate { issuer: None },
        Finding::CertificateUntrusted { issuer },
        Finding::CertificateName { host: host() },
        Finding::CertificateExpired,
        Finding::CertificateNotYetValid,
        Finding::NoRoots,
        Finding::NotTls { port: 443 },
        Finding::TlsClosed { host: host() },
        Finding::TlsSilent { host: host() },
        Finding::CaptivePortal { to },
        Finding::CaptivePortal { to: None },
        Finding::WebSocketRefused { status: 400 },
        Finding::ServerBusy,
        Finding::NotHttp,
        Finding::WebSocketClosed,
        Finding::WebSocketSilent,
        Finding::ServerSilent,
        Finding::ServerClosed,
        Finding::NotLunchroom,
        Finding::Version,
        Finding::ServerRefuses { code: "server_full".into() },
        Finding::ClockOff { ahead: 90 },
        Finding::ClockOff { ahead: -90 },
        Finding::NoRelayOffered,
        Finding::UdpBlocked { ports: ports() },
        Finding::OnlyTls { ports: ports() },
        Finding::RelayUdpFails,
        Finding::NoEcho,
        Finding::MtuBlackHole { passes: 1_000 },
        Finding::MtuSmall { passes: 1_000 },
    ];
    for direct in [true, false] {
        all.extend([
            Finding::RelayBlocked { ports: ports(), direct },
            Finding::RelayClosed { ports: ports(), direct },
            Finding::RelaySilent { ports: ports(), direct },
            Finding::RelayGarbage { ports: ports(), direct },
            Finding::RelayRefuses { code: 401, direct },
        ]);
    }
    all
}

#[test]
fn every_code_has_texts_in_both_languages_and_no_text_is_left_over() {
    let codes: BTreeSet<&str> = one_of_each().iter().map(Finding::code).collect();
    for language in [Language::En, Language::Ko] {
        let written: Vec<&str> = language.texts().findings.iter().map(|text| text.code).collect();
        assert_eq!(written.iter().copied().collect::<BTreeSet<_>>(), codes, "{language:?}");
        assert_eq!(written.len(), codes.len(), "a code appears twice");
    }
}

#[test]
fn every_sentence_is_whole() {
    let ends = |text: &str| text.ends_with(['.', '요']) || text.ends_with("CA") || text.ends_with("example");
    for finding in one_of_each() {
        for language in [Language::En, Language::Ko] {
            let Words { what, meaning, ask } = finding.words(language);
            for text in [what, meaning, ask] {
                assert!(!text.is_empty() && !text.contains(['{', '}', '\n']), "{text}");
                assert!(ends(&text) || text.ends_with("알 수 없음"), "{text}");
                let hangul = text.chars().any(|c| ('가'..='힣').contains(&c));
                assert_eq!(hangul, language == Language::Ko, "{text}");
            }
        }
    }
}

#[test]
fn the_words_name_what_to_ask_for() {
    let ports = Ports { host: "example.org".into(), udp: Some(3478), tcp: vec![443] };
    let finding = Finding::UdpBlocked { ports };
    let [en, ko] = [Language::En, Language::Ko].map(|language| finding.words(language).ask);
    assert_eq!(en, "Ask the network's owner for UDP port 3478, or TCP port 443 to example.org. UDP is best.");
    assert!(ko.contains("example.org(으)로 나가는 UDP 포트 3478 또는 TCP 포트 443"), "{ko}");
}

#[test]
fn a_clock_behind_the_server_is_slow() {
    let slow = Finding::ClockOff { ahead: 600 }.words(Language::En).what;
    assert_eq!(slow, "The clock of this computer is about 10 min slow.");
    assert!(Finding::ClockOff { ahead: -600 }.words(Language::Ko).what.contains("빨라요"));
}

#[test]
fn texts_from_outside_stay_on_their_line() {
    let issuer = Some(format!("Evil\nCA\u{1b}[2J{{host}}\u{202e}{}", "x".repeat(500)));
    let what = Finding::WrongCertificate { issuer }.words(Language::En).what;
    assert!(what.contains("EvilCA[2Jhost") && !what.contains(['\n', '\u{1b}', '{', '\u{202e}']), "{what}");
    assert!(what.chars().count() < 200);
}

#[test]
fn the_locale_chooses_the_language() {
    for (locale, language) in [(Some("ko-KR"), Language::Ko), (Some("KO"), Language::Ko), (Some("en-US"), Language::En)]
    {
        assert_eq!(Language::of_locale(locale), language);
    }
    assert_eq!(Language::of_locale(None), Language::En);
}
