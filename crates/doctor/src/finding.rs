//! What the doctor can find. Each finding has a stable code, a hop and a severity.

use std::net::IpAddr;

use outbound::ProxyError;
use serde::Serialize;

/// A part of the way to a call, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum Hop {
    /// The lookup of the name.
    Dns,
    /// TCP to the server or to the proxy.
    Tcp,
    /// The HTTP proxy.
    Proxy,
    /// TLS with the server.
    Tls,
    /// The upgrade to a WebSocket.
    WebSocket,
    /// The server's own answers.
    Server,
    /// The clocks of both.
    Clock,
    /// UDP to a STUN server.
    Stun,
    /// The relay.
    Turn,
    /// The size of datagrams.
    Mtu,
}

/// What a finding means for calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Calls work.
    Note,
    /// Calls work with a restriction.
    Restricts,
    /// Calls do not work.
    Blocks,
}

/// Ports of a host to ask for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ports {
    /// The host.
    pub host: String,
    /// Its UDP port, if there is one.
    pub udp: Option<u16>,
    /// Its TCP ports.
    pub tcp: Vec<u16>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// The name has no address.
    NameNotFound {
        /// The name.
        host: String,
    },
    /// The resolver does not answer.
    DnsSilent {
        /// The name.
        host: String,
    },
    /// The settings name a proxy that is not an HTTP proxy.
    ProxyUnsupported,
    /// The proxy does not connect us.
    Proxy {
        /// `host:port` of the proxy.
        proxy: String,
        /// Why.
        fault: ProxyError,
        /// `host:port` of the server.
        server: String,
    },
    /// All addresses refuse connections.
    PortClosed {
        /// The server.
        host: String,
        /// The port.
        port: u16,
    },
    /// No address answers.
    PortSilent {
        /// The server.
        host: String,
        /// The port.
        port: u16,
    },
    /// No address has a route.
    NoRoute {
        /// The server.
        host: String,
    },
    /// One address does not work, but another does.
    AddressDead {
        /// The address.
        address: IpAddr,
    },
    /// The certificate is not the one that the link names.
    WrongCertificate {
        /// Who issued the presented one.
        issuer: Option<String>,
    },
    /// The system does not trust the certificate's issuer.
    CertificateUntrusted {
        /// The issuer.
        issuer: Option<String>,
    },
    /// The certificate is for another name.
    CertificateName {
        /// The name that it should have.
        host: String,
    },
    /// The certificate has expired.
    CertificateExpired,
    /// The certificate is not valid yet.
    CertificateNotYetValid,
    /// The system has no root certificates.
    NoRoots,
    /// The server's port does not answer with TLS.
    NotTls {
        /// The port.
        port: u16,
    },
    /// The TLS handshake is cut off.
    TlsClosed {
        /// The server.
        host: String,
    },
    /// The TLS handshake does not end.
    TlsSilent {
        /// The server.
        host: String,
    },
    /// A page or a redirection in place of the WebSocket.
    CaptivePortal {
        /// The host to which it redirects.
        to: Option<String>,
    },
    /// The WebSocket is refused with a status.
    WebSocketRefused {
        /// The status.
        status: u16,
    },
    /// The server has too many connections from here (status 429).
    ServerBusy,
    /// The answer to the upgrade is not HTTP.
    NotHttp,
    /// The connection is cut off during the upgrade.
    WebSocketClosed,
    /// No answer to the upgrade.
    WebSocketSilent,
    /// The WebSocket opens, but the server's first message does not arrive.
    ServerSilent,
    /// The WebSocket opens, but the server closes it.
    ServerClosed,
    /// It is another kind of server.
    NotLunchroom,
    /// The server supports only other versions.
    Version,
    /// The server refuses us.
    ServerRefuses {
        /// The code of PROTOCOL.md.
        code: String,
    },
    /// The clocks differ.
    ClockOff {
        /// Seconds by which the server's is ahead.
        ahead: i64,
    },
    /// The server offers neither STUN nor TURN.
    NoRelayOffered,
    /// UDP does not pass. A relay by TCP works.
    UdpBlocked {
        /// What to ask for.
        ports: Ports,
    },
    /// Neither UDP nor plain TURN over TCP passes. A relay by TLS works.
    OnlyTls {
        /// What to ask for.
        ports: Ports,
    },
    /// UDP passes, but the relay cannot be used over UDP. It works by TCP or TLS.
    RelayUdpFails,
    /// The relay is not reached by any transport: nothing answers.
    RelayBlocked {
        /// What to ask for.
        ports: Ports,
        /// Whether STUN works, so that direct calls are possible.
        direct: bool,
    },
    /// The relay's ports are closed.
    RelayClosed {
        /// The relay.
        ports: Ports,
        /// As in `RelayBlocked`.
        direct: bool,
    },
    /// The relay accepts connections but answers nothing.
    RelaySilent {
        /// The relay.
        ports: Ports,
        /// As in `RelayBlocked`.
        direct: bool,
    },
    /// What answers at the relay's ports is not a relay.
    RelayGarbage {
        /// The relay.
        ports: Ports,
        /// As in `RelayBlocked`.
        direct: bool,
    },
    /// The relay answers but gives us no address.
    RelayRefuses {
        /// The error code of STUN.
        code: u16,
        /// As in `RelayBlocked`.
        direct: bool,
    },
    /// The relay gives an address but forwards nothing to it.
    NoEcho,
    /// Datagrams larger than this vanish without a report.
    MtuBlackHole {
        /// Bytes of UDP payload that pass.
        passes: usize,
    },
    /// Datagrams larger than this do not pass, and the network says so.
    MtuSmall {
        /// Bytes of UDP payload that pass.
        passes: usize,
    },
}

impl Hop {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Hop::Dns => "dns",
            Hop::Tcp => "tcp",
            Hop::Proxy => "proxy",
            Hop::Tls => "tls",
            Hop::WebSocket => "websocket",
            Hop::Server => "server",
            Hop::Clock => "clock",
            Hop::Stun => "stun",
            Hop::Turn => "turn",
            Hop::Mtu => "mtu",
        }
    }
}

impl Severity {
    /// A stable code.
    pub fn code(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Restricts => "restricts",
            Severity::Blocks => "blocks",
        }
    }
}

impl Finding {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Finding::NameNotFound { .. } => "name_not_found",
            Finding::DnsSilent { .. } => "dns_silent",
            Finding::ProxyUnsupported => ProxyError::Unsupported.code(),
            Finding::Proxy { fault, .. } => fault.code(),
            Finding::PortClosed { .. } => "port_closed",
            Finding::PortSilent { .. } => "port_silent",
            Finding::NoRoute { .. } => "no_route",
            Finding::AddressDead { .. } => "address_dead",
            Finding::WrongCertificate { .. } => "wrong_certificate",
            Finding::CertificateUntrusted { .. } => "certificate_untrusted",
            Finding::CertificateName { .. } => "certificate_name",
            Finding::CertificateExpired => "certificate_expired",
            Finding::CertificateNotYetValid => "certificate_not_yet_valid",
            Finding::NoRoots => "no_roots",
            Finding::NotTls { .. } => "not_tls",
            Finding::TlsClosed { .. } => "tls_closed",
            Finding::TlsSilent { .. } => "tls_silent",
            Finding::CaptivePortal { .. } => "captive_portal",
            Finding::WebSocketRefused { .. } => "websocket_refused",
            Finding::ServerBusy => "server_busy",
            Finding::NotHttp => "not_http",
            Finding::WebSocketClosed => "websocket_closed",
            Finding::WebSocketSilent => "websocket_silent",
            Finding::ServerSilent => "server_silent",
            Finding::ServerClosed => "server_closed",
            Finding::NotLunchroom => "not_a_lunchroom_server",
            Finding::Version => "unsupported_version",
            Finding::ServerRefuses { .. } => "server_refuses",
            Finding::ClockOff { .. } => "clock_off",
            Finding::NoRelayOffered => "no_relay_offered",
            Finding::UdpBlocked { .. } => "udp_blocked",
            Finding::OnlyTls { .. } => "only_tls",
            Finding::RelayUdpFails => "relay_udp_fails",
            Finding::RelayBlocked { .. } => "relay_blocked",
            Finding::RelayClosed { .. } => "relay_closed",
            Finding::RelaySilent { .. } => "relay_silent",
            Finding::RelayGarbage { .. } => "relay_garbage",
            Finding::RelayRefuses { .. } => "relay_refuses",
            Finding::NoEcho => "relay_no_echo",
            Finding::MtuBlackHole { .. } => "mtu_black_hole",
            Finding::MtuSmall { .. } => "mtu_small",
        }
    }

    /// The hop that fails.
    pub fn hop(&self) -> Hop {
        match self {
            Finding::NameNotFound { .. } | Finding::DnsSilent { .. } => Hop::Dns,
            Finding::ProxyUnsupported | Finding::Proxy { .. } => Hop::Proxy,
            Finding::PortClosed { .. }
            | Finding::PortSilent { .. }
            | Finding::NoRoute { .. }
            | Finding::AddressDead { .. } => Hop::Tcp,
            Finding::WrongCertificate { .. }
            | Finding::CertificateUntrusted { .. }
            | Finding::CertificateName { .. }
            | Finding::CertificateExpired
            | Finding::CertificateNotYetValid
            | Finding::NoRoots
            | Finding::NotTls { .. }
            | Finding::TlsClosed { .. }
            | Finding::TlsSilent { .. } => Hop::Tls,
            Finding::CaptivePortal { .. }
            | Finding::WebSocketRefused { .. }
            | Finding::ServerBusy
            | Finding::NotHttp
            | Finding::WebSocketClosed
            | Finding::WebSocketSilent => Hop::WebSocket,
            Finding::ServerSilent
            | Finding::ServerClosed
            | Finding::NotLunchroom
            | Finding::Version
            | Finding::ServerRefuses { .. }
            | Finding::NoRelayOffered => Hop::Server,
            Finding::ClockOff { .. } => Hop::Clock,
            Finding::UdpBlocked { .. } | Finding::OnlyTls { .. } => Hop::Stun,
            Finding::RelayUdpFails
            | Finding::RelayBlocked { .. }
            | Finding::RelayClosed { .. }
            | Finding::RelaySilent { .. }
            | Finding::RelayGarbage { .. }
            | Finding::RelayRefuses { .. }
            | Finding::NoEcho => Hop::Turn,
            Finding::MtuBlackHole { .. } | Finding::MtuSmall { .. } => Hop::Mtu,
        }
    }

    /// What it means for calls.
    pub fn severity(&self) -> Severity {
        match self {
            Finding::AddressDead { .. } | Finding::NoEcho => Severity::Note,
            Finding::ClockOff { .. }
            | Finding::NoRelayOffered
            | Finding::UdpBlocked { .. }
            | Finding::OnlyTls { .. }
            | Finding::RelayUdpFails
            | Finding::MtuBlackHole { .. }
            | Finding::MtuSmall { .. } => Severity::Restricts,
            Finding::RelayBlocked { direct, .. }
            | Finding::RelayClosed { direct, .. }
            | Finding::RelaySilent { direct, .. }
            | Finding::RelayGarbage { direct, .. }
            | Finding::RelayRefuses { direct, .. } => {
                if *direct {
                    Severity::Restricts
                } else {
                    Severity::Blocks
                }
            }
            Finding::NameNotFound { .. }
            | Finding::DnsSilent { .. }
            | Finding::ProxyUnsupported
            | Finding::Proxy { .. }
            | Finding::PortClosed { .. }
            | Finding::PortSilent { .. }
            | Finding::NoRoute { .. }
            | Finding::WrongCertificate { .. }
            | Finding::CertificateUntrusted { .. }
            | Finding::CertificateName { .. }
            | Finding::CertificateExpired
            | Finding::CertificateNotYetValid
            | Finding::NoRoots
            | Finding::NotTls { .. }
            | Finding::TlsClosed { .. }
            | Finding::TlsSilent { .. }
            | Finding::CaptivePortal { .. }
            | Finding::WebSocketRefused { .. }
            | Finding::ServerBusy
            | Finding::NotHttp
            | Finding::WebSocketClosed
            | Finding::WebSocketSilent
            | Finding::ServerSilent
            | Finding::ServerClosed
            | Finding::NotLunchroom
            | Finding::Version
            | Finding::ServerRefuses { .. } => Severity::Blocks,
        }
    }
}
