//! Figures about the server. They name nobody.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::certificate::unix_seconds;

/// The figures. Copies share their values; each is written by the part that it is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    pub(crate) sessions: Gauge,
    pub(crate) sessions_opened: Counter,
    pub(crate) rooms: Gauge,
    pub(crate) connections: Gauge,
    pub(crate) connections_refused: Counter,
    pub(crate) board_failures: Counter,
    pub(crate) relay_ports: Gauge,
    /// Payload in bytes, counted once for each datagram that is passed on.
    pub(crate) relayed: Counter,
    /// Datagrams that the bound on the bandwidth refused.
    pub(crate) relay_refused: Counter,
    /// Unix time in seconds; 0 without a certificate from files.
    pub(crate) certificate_expires: Gauge,
}

impl Figures {
    /// Names all of them.
    pub(crate) fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("lunchroom");
        let started: Gauge = Gauge::default();
        started.set(unix_seconds());
        registry.register_with_unit("start_time", "When the server started, as Unix time", Unit::Seconds, started);
        registry.register("sessions", "Sessions, with those that may still resume", self.sessions.clone());
        registry.register("sessions_opened", "Sessions opened since the start", self.sessions_opened.clone());
        registry.register("rooms", "Rooms with somebody in them", self.rooms.clone());
        registry.register("connections", "TCP connections", self.connections.clone());
        let refused = self.connections_refused.clone();
        registry.register("connections_refused", "TCP connections refused by a limit", refused);
        registry.register("board_failures", "Writes of the board that failed", self.board_failures.clone());
        registry.register("relay_ports", "Open ports of the relay", self.relay_ports.clone());
        registry.register_with_unit("relayed", "Payload that was relayed", Unit::Bytes, self.relayed.clone());
        let refused = self.relay_refused.clone();
        registry.register("relay_refused", "Datagrams that the bound on relayed bandwidth refused", refused);
        let expires = self.certificate_expires.clone();
        let help = "End of the certificate, as Unix time; 0 without one from files";
        registry.register_with_unit("certificate_expires", help, Unit::Seconds, expires);
        registry
    }
}
