//! What makes a receiver's path worse: a bottleneck with a short queue, or random loss. Sound and pictures alike.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Time that datagrams wait at most before the bottleneck. Beyond that they are lost.
const QUEUE: Duration = Duration::from_millis(200);
/// Bytes of the headers of IP and UDP.
const HEADERS: usize = 28;

/// When a datagram has passed the bottleneck, where it came from, and the datagram.
type Delayed = (Instant, SocketAddr, Vec<u8>);

/// The path of the datagrams to one receiver.
#[derive(Debug)]
pub(crate) enum Path {
    /// As it is.
    Clear,
    /// At most this many bit/s.
    Narrow { bits: u64, free_at: Option<Instant>, queue: VecDeque<Delayed> },
    /// This share is lost, from a seed.
    Lossy { share: f64, random: fastrand::Rng },
}

impl Path {
    pub(crate) fn narrow(bits: u64) -> Path {
        Path::Narrow { bits, free_at: None, queue: VecDeque::new() }
    }

    pub(crate) fn lossy(share: f64, seed: u64) -> Path {
        Path::Lossy { share, random: fastrand::Rng::with_seed(seed) }
    }

    /// Whether a datagram arrives now. Otherwise it is lost, or comes from [`Path::poll`].
    pub(crate) fn passes(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> bool {
        match self {
            Path::Clear => true,
            Path::Lossy { share, random } => random.f64() >= *share,
            Path::Narrow { bits, free_at, queue } => {
                let begins = free_at.unwrap_or(now).max(now);
                if begins - now <= QUEUE {
                    let micros = ((datagram.len() + HEADERS) as u64 * 8_000_000) / (*bits).max(1);
                    let at = begins + Duration::from_micros(micros);
                    *free_at = Some(at);
                    queue.push_back((at, from, datagram.to_vec()));
                }
                false
            }
        }
    }

    /// The next datagram that has passed the bottleneck.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<(SocketAddr, Vec<u8>)> {
        let Path::Narrow { queue, .. } = self else { return None };
        queue.pop_front_if(|(at, ..)| *at <= now).map(|(_, from, datagram)| (from, datagram))
    }

    /// When the next datagram will have passed.
    pub(crate) fn next(&self) -> Option<Instant> {
        let Path::Narrow { queue, .. } = self else { return None };
        queue.front().map(|(at, ..)| *at)
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Path::Clear => "clear",
            Path::Narrow { .. } => "narrow",
            Path::Lossy { .. } => "lossy",
        }
    }

    pub(crate) fn is_clear(&self) -> bool {
        matches!(self, Path::Clear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

    #[test]
    fn a_bottleneck_delays_and_loses() {
        let (mut path, now) = (Path::narrow(80_000), Instant::now());
        // Each takes 100 ms.
        assert!((0..5).all(|_| !path.passes(now, FROM, &[0; 972])));
        let passed = |path: &mut Path, ms: u64| path.poll(now + Duration::from_millis(ms)).is_some();
        assert!(!passed(&mut path, 99) && passed(&mut path, 100) && !passed(&mut path, 100));
        assert!(passed(&mut path, 200) && passed(&mut path, 300) && !passed(&mut path, 1_000), "two were lost");
    }

    #[test]
    fn a_share_is_lost() {
        let mut path = Path::lossy(0.1, 1);
        let lost = (0..10_000).filter(|_| !path.passes(Instant::now(), FROM, &[])).count();
        assert!((900..1_100).contains(&lost), "{lost}");
    }
}
