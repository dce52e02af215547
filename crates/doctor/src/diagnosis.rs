//! From what was observed to what is wrong. Pure.

use outbound::ProxyError;
use serde::Serialize;
use signaling::ice_url::IceScheme::{Stun, TurnTcp, TurnTls, TurnUdp};

use crate::examination::{
    Examination, Failed, Hello, Lookup, Mtu, Outcome, ProxyUse, Relay, Server, Tcp, Tls, Upgrade,
};
use crate::finding::{Finding, Ports, Severity};

/// Seconds by which clocks may differ.
const CLOCK_TOLERANCE: u64 = 60;
/// UDP payload of the largest packets that media need: 1,280 bytes with the headers of IPv6 and UDP.
pub(crate) const NEEDED_BYTES: usize = 1_232;

/// What calls can expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything works.
    Good,
    /// Calls work with a restriction.
    Restricted,
    /// Calls do not work.
    Blocked,
}

impl Verdict {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Verdict::Good => "good",
            Verdict::Restricted => "restricted",
            Verdict::Blocked => "blocked",
        }
    }

    /// The exit status of a program: 0, 1 or 2.
    pub fn exit_status(self) -> u8 {
        match self {
            Verdict::Good => 0,
            Verdict::Restricted => 1,
            Verdict::Blocked => 2,
        }
    }
}

/// The findings, in the order of the hops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// What calls can expect.
    pub verdict: Verdict,
    /// What is wrong. The first one that is not a note names the failing hop.
    pub findings: Vec<Finding>,
}

/// Interprets an examination.
pub fn diagnose(seen: &Examination) -> Diagnosis {
    let mut findings = Vec::new();
    match server(seen) {
        // The sign-in page explains why TCP or TLS fails.
        Some(_) if seen.portal.is_some() => findings.push(Finding::CaptivePortal { to: seen.portal.clone() }),
        Some(fault) => findings.push(fault),
        None => {
            findings.extend(dead_addresses(seen));
            findings.extend(clock(seen));
            findings.extend(media(seen));
            findings.extend(mtu(seen));
        }
    }
    let worst = findings.iter().map(Finding::severity).max().unwrap_or(Severity::Note);
    let verdict = match worst {
        Severity::Note => Verdict::Good,
        Severity::Restricts => Verdict::Restricted,
        Severity::Blocks => Verdict::Blocked,
    };
    Diagnosis { verdict, findings }
}

/// The first fault on the way to the server's welcome.
fn server(seen: &Examination) -> Option<Finding> {
    let proxied = match &seen.proxy {
        ProxyUse::None => None,
        ProxyUse::Unsupported => return Some(Finding::ProxyUnsupported),
        ProxyUse::Http { place, fault } => Some((place, *fault)),
    };
    let proxy = |fault| {
        let server = format!("{}:{}", seen.host, seen.port);
        proxied.map(|(place, _)| Finding::Proxy { proxy: place.clone(), fault, server })
    };
    let host = || seen.host.clone();
    if !seen.is_connected() {
        // Without a connection to the proxy it makes no difference why.
        let direct = || match &seen.lookup {
            Lookup::Failed => Finding::NameNotFound { host: host() },
            Lookup::Silent => Finding::DnsSilent { host: host() },
            Lookup::Found(_) => unconnected(seen),
        };
        return Some(proxy(ProxyError::Unreachable).unwrap_or_else(direct));
    }
    if let Some(finding) = proxied.and_then(|(_, fault)| fault).and_then(proxy) {
        return Some(finding);
    }
    match &seen.server {
        Server::NotReached => Some(Finding::PortSilent { host: host(), port: seen.port }),
        Server::Tls(fault) => Some(tls(seen, fault)),
        Server::Upgrade(fault) => Some(upgrade(fault)),
        Server::Hello(fault) => Some(hello(fault)),
        Server::Welcome => None,
    }
}

/// A closed port says most: somebody answers.
fn unconnected(seen: &Examination) -> Finding {
    let any = |outcome| seen.tcp.iter().any(|(_, one)| *one == outcome);
    let (host, port) = (seen.host.clone(), seen.port);
    if any(Tcp::Refused) {
        Finding::PortClosed { host, port }
    } else if any(Tcp::Silent) {
        Finding::PortSilent { host, port }
    } else if seen.tcp.is_empty() {
        Finding::NameNotFound { host }
    } else {
        Finding::NoRoute { host }
    }
}

fn tls(seen: &Examination, fault: &Tls) -> Finding {
    let host = seen.host.clone();
    match fault {
        Tls::NotPinned { issuer } => Finding::WrongCertificate { issuer: issuer.clone() },
        Tls::Untrusted { issuer } => Finding::CertificateUntrusted { issuer: issuer.clone() },
        Tls::Name => Finding::CertificateName { host },
        Tls::Expired => Finding::CertificateExpired,
        Tls::NotValidYet => Finding::CertificateNotYetValid,
        Tls::NoRoots => Finding::NoRoots,
        Tls::NotTls => Finding::NotTls { port: seen.port },
        Tls::Closed => Finding::TlsClosed { host },
        Tls::Silent => Finding::TlsSilent { host },
    }
}

fn upgrade(fault: &Upgrade) -> Finding {
    match fault {
        Upgrade::Redirect { to } => Finding::CaptivePortal { to: to.clone() },
        Upgrade::Page => Finding::CaptivePortal { to: None },
        Upgrade::Status(429) => Finding::ServerBusy,
        Upgrade::Status(status) => Finding::WebSocketRefused { status: *status },
        Upgrade::NotHttp => Finding::NotHttp,
        Upgrade::Closed => Finding::WebSocketClosed,
        Upgrade::Silent => Finding::WebSocketSilent,
    }
}

fn hello(fault: &Hello) -> Finding {
    match fault {
        Hello::Stranger => Finding::NotLunchroom,
        Hello::Version => Finding::Version,
        Hello::Refused(code) => Finding::ServerRefuses { code: code.clone() },
        Hello::Closed => Finding::ServerClosed,
        Hello::Silent => Finding::ServerSilent,
    }
}

fn dead_addresses(seen: &Examination) -> impl Iterator<Item = Finding> {
    let dead = seen.tcp.iter().filter(|(_, outcome)| *outcome != Tcp::Open);
    dead.map(|(address, _)| Finding::AddressDead { address: address.ip() })
}

fn clock(seen: &Examination) -> Option<Finding> {
    let ahead = seen.clock_ahead.filter(|ahead| ahead.unsigned_abs() > CLOCK_TOLERANCE)?;
    Some(Finding::ClockOff { ahead })
}

/// How media can travel.
fn media(seen: &Examination) -> Option<Finding> {
    if seen.relays.is_empty() {
        return Some(Finding::NoRelayOffered);
    }
    let stun = seen.has(Stun);
    let offers_turn = seen.relays.iter().any(|relay| relay.scheme != Stun);
    let offers_udp = seen.relays.iter().any(|relay| matches!(relay.scheme, Stun | TurnUdp));
    if seen.has(TurnUdp) {
        let forwards = seen.of(TurnUdp).any(|relay| matches!(relay.outcome, Outcome::Works(_) | Outcome::Error(_)));
        return (!forwards).then_some(Finding::NoEcho);
    }
    if !seen.has(TurnTcp) && !seen.has(TurnTls) {
        return Some(if offers_turn { no_relay(seen, stun) } else { only_stun(seen, stun) });
    }
    if stun {
        return seen.of(TurnUdp).next().map(|_| Finding::RelayUdpFails);
    }
    if !offers_udp {
        return None; // the server's choice, not the network's
    }
    let offers_tcp = seen.of(TurnTcp).next().is_some();
    Some(if offers_tcp && !seen.has(TurnTcp) {
        Finding::OnlyTls { ports: wanted(seen) }
    } else {
        Finding::UdpBlocked { ports: wanted(seen) }
    })
}

/// The server offers STUN alone.
fn only_stun(seen: &Examination, works: bool) -> Finding {
    if works { Finding::NoRelayOffered } else { no_relay(seen, false) }
}

/// No relay can be used. The most specific observation explains it: an answer, a connection, a closed port.
fn no_relay(seen: &Examination, direct: bool) -> Finding {
    let ports = wanted(seen);
    let outcomes = || seen.relays.iter().filter(|relay| !relay.outcome.is_usable()).map(|relay| relay.outcome);
    let code = outcomes().find_map(|outcome| {
        let Outcome::Error(code) = outcome else { return None };
        Some(code)
    });
    let is = |kind: fn(Outcome) -> bool| outcomes().any(kind);
    if let Some(code) = code {
        Finding::RelayRefuses { code, direct }
    } else if is(|outcome| outcome == Outcome::Garbage) {
        Finding::RelayGarbage { ports, direct }
    } else if is(|outcome| outcome == Outcome::Mute) {
        Finding::RelaySilent { ports, direct }
    } else if !is(|outcome| outcome == Outcome::Silent) && is(|outcome| outcome == Outcome::Closed) {
        Finding::RelayClosed { ports, direct }
    } else {
        Finding::RelayBlocked { ports, direct }
    }
}

/// The ports of the first relay's host, for the network's owner.
fn wanted(seen: &Examination) -> Ports {
    let Some(first) = seen.relays.first() else { return Ports::default() };
    let here = || seen.relays.iter().filter(|relay| relay.host == first.host);
    let is_udp = |relay: &&Relay| matches!(relay.scheme, Stun | TurnUdp);
    let mut tcp: Vec<u16> = Vec::new();
    for scheme in [TurnTls, TurnTcp] {
        let ports = here().filter(|relay| relay.scheme == scheme).map(|relay| relay.port);
        for port in ports {
            if !tcp.contains(&port) {
                tcp.push(port);
            }
        }
    }
    Ports { host: first.host.clone(), udp: here().find(is_udp).map(|relay| relay.port), tcp }
}

fn mtu(seen: &Examination) -> Option<Finding> {
    match seen.mtu {
        Mtu::NotMeasured | Mtu::Measured { fails: None, .. } => None,
        Mtu::Measured { passes, fails: Some(_) } if passes >= NEEDED_BYTES => None,
        Mtu::Measured { passes, fails: Some(Failed { reported, .. }) } => {
            Some(if reported { Finding::MtuSmall { passes } } else { Finding::MtuBlackHole { passes } })
        }
    }
}

#[cfg(test)]
mod tests;
