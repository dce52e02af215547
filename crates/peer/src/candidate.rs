//! Parses and writes ICE candidates, RFC 8839 section 5.1.

use crate::address;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Why a candidate is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CandidateError {
    /// Not a candidate.
    #[error("it does not conform to RFC 8839")]
    Syntax,
    /// A candidate that must not be used.
    #[error("its address must not be used")]
    Address,
    /// A valid candidate of an unsupported kind: TCP, or a separate RTCP component.
    #[error("candidates of this kind are not used")]
    Unused,
}

/// The candidate type, RFC 8445 section 5.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CandidateType {
    Host,
    ServerReflexive,
    PeerReflexive,
    Relay,
}

impl CandidateType {
    /// The name in RFC 8839.
    pub(crate) fn word(self) -> &'static str {
        match self {
            CandidateType::Host => "host",
            CandidateType::ServerReflexive => "srflx",
            CandidateType::PeerReflexive => "prflx",
            CandidateType::Relay => "relay",
        }
    }
}

/// The address of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CandidateAddress {
    Ip(IpAddr),
    /// A `.local` name that a browser uses to hide its address.
    Mdns(String),
}

/// A UDP candidate of component 1. `Display` writes `candidate:...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    foundation: String,
    priority: u32,
    pub(crate) address: CandidateAddress,
    pub(crate) port: u16,
    pub(crate) kind: CandidateType,
    related: Option<(IpAddr, u16)>,
    /// The ICE generation that it belongs to.
    pub(crate) ufrag: Option<String>,
    /// The line for which it was gathered.
    pub(crate) mid: Option<String>,
}

impl Candidate {
    /// Whether it refers to this machine itself.
    pub(crate) fn is_loopback(&self) -> bool {
        matches!(self.address, CandidateAddress::Ip(ip) if address::is_loopback(ip))
    }

    /// Replaces the related address with an unspecified one.
    pub(crate) fn hide_related(&mut self) {
        self.related = Some((IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9));
    }

    /// Lowers the type preference of RFC 8445 section 5.1.2.1 by this much, for a relay that is slower than others. The
    /// far side then prefers them.
    pub(crate) fn lower(&mut self, preferences: u8) {
        self.priority = self.priority.saturating_sub(u32::from(preferences) << 24).max(1);
    }

    /// Its IP address and port; `None` for a `.local` name.
    pub(crate) fn socket_address(&self) -> Option<SocketAddr> {
        match self.address {
            CandidateAddress::Ip(ip) => Some(SocketAddr::new(ip, self.port)),
            CandidateAddress::Mdns(_) => None,
        }
    }

    /// Whether both have the same destination.
    pub(crate) fn leads_where(&self, other: &Candidate) -> bool {
        (&self.address, self.port) == (&other.address, other.port)
    }
}

/// Parses `candidate:...`, with or without that prefix.
pub(crate) fn parse(text: &str) -> Result<Candidate, CandidateError> {
    if text.len() > 512 {
        return Err(CandidateError::Syntax);
    }
    let text = text.trim().strip_prefix("candidate:").unwrap_or(text.trim());
    let mut words = text.split_ascii_whitespace();
    let mut word = || words.next().ok_or(CandidateError::Syntax);
    let (foundation, component, protocol) = (word()?, word()?, word()?);
    let (priority, address, port, typ, kind) = (word()?, word()?, word()?, word()?, word()?);
    let sound = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/' || b == b'-';
    if foundation.len() > 32 || !foundation.bytes().all(sound) || typ != "typ" {
        return Err(CandidateError::Syntax);
    }
    let kind = match kind {
        "host" => CandidateType::Host,
        "srflx" => CandidateType::ServerReflexive,
        "prflx" => CandidateType::PeerReflexive,
        "relay" => CandidateType::Relay,
        _ => return Err(CandidateError::Syntax),
    };
    let priority: u32 = priority.parse().map_err(|_| CandidateError::Syntax)?;
    let port: u16 = port.parse().map_err(|_| CandidateError::Syntax)?;
    let address = place(address, kind)?;
    match (component, protocol.to_ascii_lowercase().as_str()) {
        ("1", "udp") => {}
        ("2", "udp") | ("1" | "2", "tcp") => return Err(CandidateError::Unused),
        _ => return Err(CandidateError::Syntax),
    }
    if port == 0 {
        return Err(CandidateError::Address);
    }
    let mut candidate = Candidate {
        foundation: foundation.into(),
        priority,
        address,
        port,
        kind,
        related: None,
        ufrag: None,
        mid: None,
    };
    extensions(&mut candidate, words);
    Ok(candidate)
}

fn place(text: &str, kind: CandidateType) -> Result<CandidateAddress, CandidateError> {
    if let Some(label) = text.strip_suffix(".local") {
        let sound = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let sound = (1..=63).contains(&label.len()) && label.bytes().all(sound) && kind == CandidateType::Host;
        return if sound { Ok(CandidateAddress::Mdns(text.into())) } else { Err(CandidateError::Syntax) };
    }
    let ip: IpAddr = text.parse().map_err(|_| CandidateError::Syntax)?;
    if address::is_nobody(ip) { Err(CandidateError::Address) } else { Ok(CandidateAddress::Ip(ip)) }
}

fn extensions<'a>(candidate: &mut Candidate, mut words: impl Iterator<Item = &'a str>) {
    let (mut address, mut port) = (None, None);
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        match name {
            "raddr" => address = value.parse().ok(),
            "rport" => port = value.parse().ok(),
            "ufrag" if value.len() <= 256 => candidate.ufrag = Some(value.into()),
            _ => {}
        }
    }
    candidate.related = address.zip(port);
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "candidate:{} 1 udp {} ", self.foundation, self.priority)?;
        match &self.address {
            CandidateAddress::Ip(ip) => write!(f, "{ip}")?,
            CandidateAddress::Mdns(name) => f.write_str(name)?,
        }
        write!(f, " {} typ {}", self.port, self.kind.word())?;
        if let Some((address, port)) = self.related {
            write!(f, " raddr {address} rport {port}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn browser_candidates_survive_a_round_trip() {
        for text in [
            "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host",
            "candidate:842163049 1 udp 1677729535 203.0.113.9 46154 typ srflx raddr 10.0.0.17 rport 46154",
            "candidate:2 1 udp 41885439 2001:db8::1 50000 typ relay raddr 2001:db8::2 rport 1",
            "candidate:0 1 udp 2122252543 7b1b4f8a-7a1c-4a52-a51f-2f1c3b4a5d6e.local 57811 typ host",
        ] {
            assert_eq!(parse(text).map(|candidate| candidate.to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn chromium_extensions_are_dropped_except_the_generation() {
        let text = "candidate:1 1 UDP 2130706431 192.0.2.7 50000 typ host generation 0 ufrag aBcD network-cost 999";
        let candidate = parse(text).unwrap();
        assert_eq!(candidate.ufrag.as_deref(), Some("aBcD"));
        assert_eq!(candidate.to_string(), "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host");
    }

    #[test]
    fn unroutable_addresses_are_refused() {
        for address in ["0.0.0.0", "224.0.0.251", "255.255.255.255", "::", "ff02::fb", "fe80::1", "169.254.169.254"] {
            let text = format!("candidate:1 1 udp 1 {address} 5000 typ host");
            assert_eq!(parse(&text), Err(CandidateError::Address), "{address}");
        }
    }

    #[test]
    fn only_mdns_host_names_are_accepted() {
        for address in ["example.org", "a.b.local", ".local", "evil\r\na=x.local"] {
            let text = format!("candidate:1 1 udp 1 {address} 5000 typ host");
            assert_eq!(parse(&text), Err(CandidateError::Syntax), "{address}");
        }
    }

    #[test]
    fn tcp_and_rtcp_component_candidates_are_ignored() {
        let tcp = "candidate:1 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active";
        assert_eq!(parse(tcp), Err(CandidateError::Unused));
        assert_eq!(parse("candidate:1 2 udp 1 192.0.2.7 9 typ host"), Err(CandidateError::Unused));
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics_and_round_trips(text in "(candidate:)?[ -~]{0,120}") {
            if let Ok(candidate) = parse(&text) {
                let again = parse(&candidate.to_string()).map(|again| again.to_string());
                prop_assert_eq!(again, Ok(candidate.to_string()));
            }
        }
    }
}
