//! Avoids delays on relayed connections.
//!
//! The library unwraps TURN data at the end of a driver round, after that round's writes, and wraps outgoing data after
//! the relay's own writes. Both then wait until something else wakes the driver, which costs tens of milliseconds at
//! each step of ICE and DTLS, and delays media. So while a relay sends data, the driver runs [`ROUNDS`] more rounds
//! before it sleeps.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Transmit};

/// Rounds until data from a relay has been answered through it: unwrap, answer, wrap.
const ROUNDS: u8 = 2;
/// Silence of all relays after which no more rounds are added.
const ACTIVE_FOR: Duration = Duration::from_secs(3);

/// The relays of a connection.
#[derive(Debug)]
pub(crate) struct Relays {
    /// Of the sockets that are made from now on.
    addresses: Mutex<Arc<[SocketAddr]>>,
    start: Instant,
    /// When a relay last sent something, in milliseconds from the start; 0 for never.
    last_received: AtomicU64,
    /// Rounds left before the driver may sleep.
    rounds: AtomicU8,
}

impl Relays {
    pub(crate) fn new(addresses: Vec<SocketAddr>, now: Instant) -> Relays {
        let addresses = Mutex::new(addresses.into());
        Relays { addresses, start: now, last_received: AtomicU64::new(0), rounds: AtomicU8::new(0) }
    }

    /// Replaces the relays, for sockets that are made from now on.
    pub(crate) fn set_addresses(&self, addresses: Vec<SocketAddr>) {
        *self.addresses.lock().unwrap_or_else(PoisonError::into_inner) = addresses.into();
    }

    /// Wraps a socket, to observe data from relays.
    pub(crate) fn watch(self: &Arc<Self>, socket: Arc<dyn AsyncUdpSocket>) -> Arc<dyn AsyncUdpSocket> {
        let addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if addresses.is_empty() { socket } else { Arc::new(Watched { socket, addresses, relays: self.clone() }) }
    }

    /// Called before each sleep of the driver. Returns whether to run another round instead.
    pub(crate) fn another_round(&self, now: Instant) -> bool {
        let last_received = self.last_received.load(Ordering::Relaxed);
        if last_received == 0 || self.millis(now) > last_received + ACTIVE_FOR.as_millis() as u64 {
            return false;
        }
        let left = self.rounds.load(Ordering::Relaxed);
        self.rounds.store(left.checked_sub(1).unwrap_or(ROUNDS), Ordering::Relaxed);
        left > 0
    }

    fn record_received(&self, now: Instant) {
        self.last_received.store(self.millis(now), Ordering::Relaxed);
    }

    fn millis(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_millis() as u64 + 1
    }
}

/// A socket that observes data from relays.
#[derive(Debug)]
struct Watched {
    socket: Arc<dyn AsyncUdpSocket>,
    addresses: Arc<[SocketAddr]>,
    relays: Arc<Relays>,
}

impl AsyncUdpSocket for Watched {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn poll_send(&self, context: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        self.socket.poll_send(context, transmit)
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let outcome = self.socket.poll_recv(context, buffers, meta);
        if let Poll::Ready(Ok(count)) = outcome
            && meta.iter().take(count).any(|meta| self.addresses.contains(&meta.addr))
        {
            self.relays.record_received(Instant::now());
        }
        outcome
    }

    fn max_gso_segments(&self) -> usize {
        self.socket.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.socket.max_gro_segments()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_active_relay_adds_rounds() {
        let start = Instant::now();
        let relays = Relays::new(vec![SocketAddr::from(([192, 0, 2, 1], 3478))], start);
        assert!(!relays.another_round(start), "nothing came yet");
        relays.record_received(start);
        let rounds: Vec<bool> = (0..7).map(|_| relays.another_round(start)).collect();
        assert_eq!(rounds, [false, true, true, false, true, true, false], "two after each sleep");
        assert!(!relays.another_round(start + 2 * ACTIVE_FOR), "it is silent");
    }
}
