//! Figures about the server. They name nobody.

use std::sync::atomic::AtomicU64;

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
    pub(crate) forwarding: ForwardFigures,
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
        self.forwarding.register(&mut registry);
        let expires = self.certificate_expires.clone();
        let help = "End of the certificate, as Unix time; 0 without one from files";
        registry.register_with_unit("certificate_expires", help, Unit::Seconds, expires);
        registry
    }
}

/// Figures about forwarded rooms.
#[derive(Debug, Clone, Default)]
pub(crate) struct ForwardFigures {
    pub(crate) rooms: Gauge,
    /// Connections that work.
    pub(crate) connections: Gauge,
    received: Counter,
    forwarded: Counter,
    /// Payload.
    sent: Counter,
    refused: Counter,
    keyframe_requests: Counter,
    switches: Counter,
    /// Shares of packets, from 0 to 1.
    pub(crate) loss_down: Gauge<f64, AtomicU64>,
    pub(crate) loss_up: Gauge<f64, AtomicU64>,
}

impl ForwardFigures {
    /// Adds what has happened between two counts.
    pub(crate) fn update(&self, before: &sfu::Counters, now: &sfu::Counters) {
        let add = |counter: &Counter, before: u64, now: u64| {
            counter.inc_by(now.saturating_sub(before));
        };
        add(&self.received, before.received, now.received);
        add(&self.forwarded, before.forwarded, now.forwarded);
        add(&self.sent, before.forwarded_bytes, now.forwarded_bytes);
        add(&self.refused, before.refused, now.refused);
        add(&self.keyframe_requests, before.keyframe_requests, now.keyframe_requests);
        add(&self.switches, before.switches, now.switches);
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("forward_rooms", "Forwarded rooms", self.rooms.clone());
        registry.register("forward_connections", "Connections to the forwarder that work", self.connections.clone());
        registry.register("forward_packets_received", "Packets from publishers", self.received.clone());
        registry.register("forward_packets_sent", "Packets to receivers", self.forwarded.clone());
        registry.register_with_unit("forward_sent", "Payload to receivers", Unit::Bytes, self.sent.clone());
        let help = "Packets that the bounds of forwarded rooms refused";
        registry.register("forward_refused", help, self.refused.clone());
        let help = "Keyframes requested of publishers";
        registry.register("forward_keyframe_requests", help, self.keyframe_requests.clone());
        let help = "Changes to another encoding of a picture";
        registry.register("forward_switches", help, self.switches.clone());
        let help = "Share of packets to receivers that was lost lately, on average";
        registry.register_with_unit("forward_loss_down", help, Unit::Ratios, self.loss_down.clone());
        let help = "Share of packets from publishers that was lost lately, on average";
        registry.register_with_unit("forward_loss_up", help, Unit::Ratios, self.loss_up.clone());
    }
}
