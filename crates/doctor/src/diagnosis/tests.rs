use super::*;
use crate::finding::Hop;
use signaling::ice_url::IceScheme;
use std::net::SocketAddr;

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 443))
}

fn relay(scheme: IceScheme, outcome: Outcome) -> Relay {
    let port = if scheme == TurnTls { 443 } else { 3478 };
    Relay { scheme, host: "lunch.example".into(), port, outcome }
}

/// STUN, then TURN over UDP, TCP and TLS.
fn relays(outcomes: [Outcome; 4]) -> Vec<Relay> {
    [Stun, TurnUdp, TurnTcp, TurnTls].into_iter().zip(outcomes).map(|(scheme, one)| relay(scheme, one)).collect()
}

const fn works() -> Outcome {
    Outcome::Works(SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7)), 5000))
}

fn healthy() -> Examination {
    let mut seen = Examination::new("lunch.example", 443, true);
    seen.lookup = Lookup::Found(vec![address(1).ip()]);
    seen.tcp = vec![(address(1), Tcp::Open)];
    seen.server = Server::Welcome;
    seen.clock_ahead = Some(-1);
    seen.relays = relays([works(); 4]);
    seen.mtu = Mtu::Measured { passes: 1_472, fails: None };
    seen
}

/// The verdict, and the codes and hops of the findings, after a change of the healthy network.
fn after(change: impl FnOnce(&mut Examination)) -> (Verdict, Vec<(&'static str, Hop)>) {
    let mut seen = healthy();
    change(&mut seen);
    let diagnosis = diagnose(&seen);
    (diagnosis.verdict, diagnosis.findings.iter().map(|finding| (finding.code(), finding.hop())).collect())
}

fn blocked(code: &'static str, hop: Hop) -> (Verdict, Vec<(&'static str, Hop)>) {
    (Verdict::Blocked, vec![(code, hop)])
}

fn restricted(code: &'static str, hop: Hop) -> (Verdict, Vec<(&'static str, Hop)>) {
    (Verdict::Restricted, vec![(code, hop)])
}

#[test]
fn a_healthy_network_has_no_findings() {
    assert_eq!(after(|_| {}), (Verdict::Good, vec![]));
}

#[test]
fn without_a_lookup_the_dns_is_named() {
    let lookup = |lookup| {
        after(|seen| {
            (seen.lookup, seen.tcp, seen.server) = (lookup, vec![], Server::NotReached);
        })
    };
    assert_eq!(lookup(Lookup::Failed), blocked("name_not_found", Hop::Dns));
    assert_eq!(lookup(Lookup::Found(vec![])), blocked("name_not_found", Hop::Dns));
    assert_eq!(lookup(Lookup::Silent), blocked("dns_silent", Hop::Dns));
}

#[test]
fn without_a_connection_the_most_telling_address_is_named() {
    let tcp = |outcomes: &[Tcp]| {
        let tcp = outcomes.iter().zip(1..).map(|(outcome, n)| (address(n), *outcome)).collect();
        after(|seen| (seen.tcp, seen.server) = (tcp, Server::NotReached))
    };
    assert_eq!(tcp(&[Tcp::Refused]), blocked("port_closed", Hop::Tcp));
    assert_eq!(tcp(&[Tcp::Silent, Tcp::Refused]), blocked("port_closed", Hop::Tcp));
    assert_eq!(tcp(&[Tcp::Unreachable, Tcp::Silent]), blocked("port_silent", Hop::Tcp));
    assert_eq!(tcp(&[Tcp::Unreachable]), blocked("no_route", Hop::Tcp));
}

#[test]
fn a_dead_address_beside_a_living_one_is_only_a_note() {
    for outcome in [Tcp::Silent, Tcp::Refused, Tcp::Mute] {
        let dead = after(|seen| seen.tcp.push((address(2), outcome)));
        assert_eq!(dead, (Verdict::Good, vec![("address_dead", Hop::Tcp)]));
    }
}

#[test]
fn each_fault_of_a_proxy_is_named() {
    let proxy = |fault| {
        after(|seen| {
            seen.proxy = ProxyUse::Http { place: "proxy:3128".into(), fault: Some(fault) };
            seen.server = Server::NotReached;
        })
    };
    for fault in [
        ProxyError::NoAnswer,
        ProxyError::InvalidAnswer,
        ProxyError::Authentication,
        ProxyError::Refused(403),
        ProxyError::Unreachable,
    ] {
        assert_eq!(proxy(fault), blocked(fault.code(), Hop::Proxy));
    }
    let unsupported = after(|seen| (seen.proxy, seen.server) = (ProxyUse::Unsupported, Server::NotReached));
    assert_eq!(unsupported, blocked("proxy_unsupported", Hop::Proxy));
    let unresolved = after(|seen| {
        seen.proxy = ProxyUse::Http { place: "proxy:3128".into(), fault: None };
        (seen.lookup, seen.tcp, seen.server) = (Lookup::Failed, vec![], Server::NotReached);
    });
    assert_eq!(unresolved, blocked("proxy_unreachable", Hop::Proxy));
    let used = after(|seen| seen.proxy = ProxyUse::Http { place: "proxy:3128".into(), fault: None });
    assert_eq!(used, (Verdict::Good, vec![]));
}

#[test]
fn each_fault_of_tls_is_named() {
    for (fault, code) in [
        (Tls::NotPinned { issuer: None }, "wrong_certificate"),
        (Tls::Untrusted { issuer: Some("Box".into()) }, "certificate_untrusted"),
        (Tls::Name, "certificate_name"),
        (Tls::Expired, "certificate_expired"),
        (Tls::NotValidYet, "certificate_not_yet_valid"),
        (Tls::NoRoots, "no_roots"),
        (Tls::NotTls, "not_tls"),
        (Tls::Closed, "tls_closed"),
        (Tls::Silent, "tls_silent"),
    ] {
        assert_eq!(after(|seen| seen.server = Server::Tls(fault)), blocked(code, Hop::Tls));
    }
}

#[test]
fn each_fault_of_the_websocket_is_named() {
    for (fault, code) in [
        (Upgrade::Redirect { to: Some("login.example".into()) }, "captive_portal"),
        (Upgrade::Page, "captive_portal"),
        (Upgrade::Status(429), "server_busy"),
        (Upgrade::Status(400), "websocket_refused"),
        (Upgrade::NotHttp, "not_http"),
        (Upgrade::Closed, "websocket_closed"),
        (Upgrade::Silent, "websocket_silent"),
    ] {
        assert_eq!(after(|seen| seen.server = Server::Upgrade(fault)), blocked(code, Hop::WebSocket));
    }
}

#[test]
fn a_sign_in_page_explains_a_failure_of_tcp_or_tls() {
    let portal = after(|seen| {
        seen.server = Server::Tls(Tls::Untrusted { issuer: None });
        seen.portal = Some("login.example".into());
    });
    assert_eq!(portal, blocked("captive_portal", Hop::WebSocket));
}

#[test]
fn each_fault_of_the_hello_is_named() {
    for (fault, code) in [
        (Hello::Stranger, "not_a_lunchroom_server"),
        (Hello::Version, "unsupported_version"),
        (Hello::Refused("server_full".into()), "server_refuses"),
        (Hello::Closed, "server_closed"),
        (Hello::Silent, "server_silent"),
    ] {
        assert_eq!(after(|seen| seen.server = Server::Hello(fault)), blocked(code, Hop::Server));
    }
}

#[test]
fn a_clock_that_is_a_minute_off_is_named() {
    assert_eq!(after(|seen| seen.clock_ahead = Some(60)), (Verdict::Good, vec![]));
    assert_eq!(after(|seen| seen.clock_ahead = None), (Verdict::Good, vec![]));
    for ahead in [61, -61, i64::MAX, i64::MIN] {
        assert_eq!(after(|seen| seen.clock_ahead = Some(ahead)), restricted("clock_off", Hop::Clock), "{ahead}");
    }
}

#[test]
fn what_still_works_decides_about_the_relay() {
    use Outcome::{Allocated, Closed, Error, Garbage, Mute, Silent};
    let ok = works();
    let media = |outcomes| after(|seen| seen.relays = relays(outcomes));
    // STUN, UDP, TCP, TLS.
    assert_eq!(media([Silent, Silent, ok, ok]), restricted("udp_blocked", Hop::Stun));
    assert_eq!(media([Silent, Silent, Silent, ok]), restricted("only_tls", Hop::Stun));
    assert_eq!(media([ok, Silent, ok, ok]), restricted("relay_udp_fails", Hop::Turn));
    assert_eq!(media([ok, Allocated, ok, ok]), (Verdict::Good, vec![("relay_no_echo", Hop::Turn)]));
    assert_eq!(media([ok, ok, Silent, Silent]), (Verdict::Good, vec![]));
    assert_eq!(media([ok, Error(403), Error(403), Error(403)]), (Verdict::Good, vec![]), "a guest without a seat");
    assert_eq!(media([Silent, Silent, Silent, Outcome::Tls]), blocked("relay_blocked", Hop::Turn));
    assert_eq!(media([Closed, Closed, Closed, Closed]), blocked("relay_closed", Hop::Turn));
    assert_eq!(media([Silent, Silent, Closed, Closed]), blocked("relay_blocked", Hop::Turn));
    assert_eq!(media([Silent, Silent, Mute, Mute]), blocked("relay_silent", Hop::Turn));
    assert_eq!(media([Garbage, Garbage, Silent, Silent]), blocked("relay_garbage", Hop::Turn));
    assert_eq!(media([Silent, Error(401), Silent, Silent]), blocked("relay_refuses", Hop::Turn));
    assert_eq!(media([ok, Silent, Silent, Silent]), restricted("relay_blocked", Hop::Turn));
    assert_eq!(media([ok, Error(486), Error(486), Silent]), restricted("relay_refuses", Hop::Turn));
}

#[test]
fn what_the_server_does_not_offer_is_not_the_networks_fault() {
    let offered = |relays| after(|seen| seen.relays = relays);
    assert_eq!(offered(vec![]), restricted("no_relay_offered", Hop::Server));
    assert_eq!(offered(vec![relay(Stun, works())]), restricted("no_relay_offered", Hop::Server));
    assert_eq!(offered(vec![relay(Stun, Outcome::Silent)]), blocked("relay_blocked", Hop::Turn));
    assert_eq!(offered(vec![relay(TurnTls, works())]), (Verdict::Good, vec![]));
    assert_eq!(offered(vec![relay(Stun, works()), relay(TurnTls, works())]), (Verdict::Good, vec![]));
    let udp_and_tls = vec![relay(TurnUdp, Outcome::Silent), relay(TurnTls, works())];
    assert_eq!(offered(udp_and_tls), restricted("udp_blocked", Hop::Stun));
}

#[test]
fn the_ports_to_ask_for_are_those_of_the_relay() {
    let mut seen = healthy();
    seen.relays = relays([Outcome::Silent; 4]);
    let ports = Ports { host: "lunch.example".into(), udp: Some(3478), tcp: vec![443, 3478] };
    assert_eq!(diagnose(&seen).findings, [Finding::RelayBlocked { ports, direct: false }]);
}

#[test]
fn only_a_path_too_small_for_media_is_named() {
    let mtu = |passes, reported| {
        let fails = Some(Failed { bytes: passes + 4, reported });
        after(|seen| seen.mtu = Mtu::Measured { passes, fails })
    };
    assert_eq!(mtu(1_000, false), restricted("mtu_black_hole", Hop::Mtu));
    assert_eq!(mtu(1_000, true), restricted("mtu_small", Hop::Mtu));
    assert_eq!(mtu(1_232, false), (Verdict::Good, vec![]));
    assert_eq!(after(|seen| seen.mtu = Mtu::NotMeasured), (Verdict::Good, vec![]));
}

#[test]
fn several_restrictions_are_all_named_in_the_order_of_the_hops() {
    let (verdict, findings) = after(|seen| {
        seen.clock_ahead = Some(600);
        seen.relays = relays([Outcome::Silent, Outcome::Silent, works(), works()]);
    });
    assert_eq!(verdict, Verdict::Restricted);
    assert_eq!(findings, [("clock_off", Hop::Clock), ("udp_blocked", Hop::Stun)]);
}

#[test]
fn the_exit_status_is_the_verdict() {
    let statuses = [Verdict::Good, Verdict::Restricted, Verdict::Blocked].map(Verdict::exit_status);
    assert_eq!(statuses, [0, 1, 2]);
}
