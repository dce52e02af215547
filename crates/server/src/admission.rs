//! Limits the number and the rate of connections, by address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use rooms::source::Source;
use rooms::{Bucket, Rate};
use tokio::sync::mpsc;

/// Sources remembered between sweeps. When this is reached, sources without connections and with a full bucket are
/// forgotten. If that frees none, every new source is refused until it does.
pub(crate) const MAX_SOURCES: usize = 16_384;

/// Counts connections by their source. Owned by the accept loop.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: AdmissionLimits,
    open: usize,
    sources: HashMap<Source, Counted>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct AdmissionLimits {
    pub(crate) connections: usize,
    /// 0 means no limit and no rate.
    pub(crate) per_address: usize,
    pub(crate) rate: Rate,
    /// Whether this machine itself is limited like any other address.
    pub(crate) loopback: bool,
    /// Whether clients can prove to be members. If so, a connection over the limit may wait instead of being refused.
    pub(crate) members: bool,
}

#[derive(Debug)]
struct Counted {
    open: usize,
    bucket: Bucket,
}

/// Why a connection is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Temporarily: too many clients from this source have not proved yet that they are members.
    ForNow,
    /// There are too many connections.
    Full,
}

/// A change of a connection that was admitted.
#[derive(Debug)]
pub(crate) enum Returned {
    /// It belongs to a member, and no longer counts against its source.
    Proved(Vec<Source>),
    /// It has ended.
    Ended(Vec<Source>),
}

/// A place among the connections. Dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Ticket {
    /// The sources it counts against; empty for this machine itself.
    sources: Vec<Source>,
    is_member: AtomicBool,
    /// Unbounded, but it holds at most two messages for each connection.
    back: mpsc::UnboundedSender<Returned>,
}

impl Ticket {
    pub(crate) fn new(sources: Vec<Source>, back: mpsc::UnboundedSender<Returned>) -> Ticket {
        Ticket { sources, is_member: AtomicBool::new(false), back }
    }

    /// The client has proved to be a member, so the connection no longer counts against its sources.
    pub(crate) fn prove_member(&self) {
        if !self.is_member.swap(true, Ordering::Relaxed) {
            let _ = self.back.send(Returned::Proved(self.sources.clone()));
        }
    }

    /// The sources that the session counts against.
    pub(crate) fn sources(&self) -> Vec<Source> {
        if self.is_member.load(Ordering::Relaxed) { Vec::new() } else { self.sources.clone() }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // The receiver is dropped when the server has stopped; then nothing needs counting.
        let _ = self.back.send(Returned::Ended(self.sources()));
    }
}

impl Admission {
    pub(crate) fn new(limits: AdmissionLimits) -> Admission {
        Admission { limits, open: 0, sources: HashMap::new() }
    }

    /// Counts a new connection if the limits allow it, and returns the sources it counts against. Every admitted
    /// connection must be passed to [`Admission::take_back`] when it ends.
    pub(crate) fn enter(&mut self, now: Instant, ip: IpAddr) -> Result<Vec<Source>, Refused> {
        if self.open >= self.limits.connections {
            return Err(Refused::Full);
        }
        let is_limited = self.limits.per_address > 0 && (self.limits.loopback || !ip.to_canonical().is_loopback());
        let sources = if is_limited { Source::all(ip) } else { Vec::new() };
        self.make_room(now, &sources)?;
        let within = sources.iter().all(|source| {
            let counted = self.sources.get_mut(source);
            counted.is_none_or(|counted| {
                counted.open < self.limits.per_address * source.weight() && counted.bucket.has(now, 1.0)
            })
        });
        if !within {
            return Err(if self.limits.members { Refused::ForNow } else { Refused::Full });
        }
        for source in &sources {
            let weight = source.weight() as f64;
            let rate = Rate::new(self.limits.rate.per_second * weight, self.limits.rate.burst * weight);
            let counted =
                self.sources.entry(*source).or_insert_with(|| Counted { open: 0, bucket: Bucket::new(rate, now) });
            counted.bucket.take(now, 1.0);
            counted.open += 1;
        }
        self.open += 1;
        Ok(sources)
    }

    /// The number of connections.
    pub(crate) fn open(&self) -> usize {
        self.open
    }

    /// Records a change of a connection.
    pub(crate) fn take_back(&mut self, now: Instant, returned: Returned) {
        let (sources, is_member) = match returned {
            Returned::Proved(sources) => (sources, true),
            Returned::Ended(sources) => (sources, false),
        };
        self.open = self.open.saturating_sub(usize::from(!is_member));
        for source in sources {
            if let Some(counted) = self.sources.get_mut(&source) {
                counted.open = counted.open.saturating_sub(1);
                if is_member {
                    counted.bucket.give_back(now, 1.0);
                }
            }
        }
    }

    fn make_room(&mut self, now: Instant, sources: &[Source]) -> Result<(), Refused> {
        let is_new = sources.iter().any(|source| !self.sources.contains_key(source));
        if is_new && self.sources.len() >= MAX_SOURCES {
            self.sources.retain(|_, counted| counted.open > 0 || !counted.bucket.is_full(now));
            if self.sources.len() >= MAX_SOURCES {
                return Err(Refused::Full);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn admission(connections: usize, per_address: usize, burst: f64) -> Admission {
        Admission::new(AdmissionLimits {
            connections,
            per_address,
            rate: Rate::new(1.0, burst),
            loopback: false,
            members: true,
        })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn enter(admission: &mut Admission, now: Instant, text: &str) -> bool {
        admission.enter(now, ip(text)).is_ok()
    }

    fn leave(admission: &mut Admission, now: Instant, text: &str) {
        admission.take_back(now, Returned::Ended(Source::all(ip(text))));
    }

    #[test]
    fn an_address_has_a_share_that_is_freed() {
        let mut admission = admission(100, 2, 100.0);
        let now = Instant::now();
        assert!(enter(&mut admission, now, "192.0.2.1"));
        assert!(enter(&mut admission, now, "::ffff:192.0.2.1"));
        assert!(!enter(&mut admission, now, "192.0.2.1"));
        assert!(enter(&mut admission, now, "192.0.2.2"));
        leave(&mut admission, now, "192.0.2.1");
        assert!(enter(&mut admission, now, "192.0.2.1"));
    }

    #[test]
    fn an_ipv6_subscriber_counts_as_one_address() {
        let mut admission = admission(100, 1, 100.0);
        let now = Instant::now();
        assert!(enter(&mut admission, now, "2001:db8::1"));
        assert!(!enter(&mut admission, now, "2001:db8::ffff:2"));
        let entered = (1..10).filter(|n| enter(&mut admission, now, &format!("2001:db8:0:{n}::1"))).count();
        assert_eq!(entered, 3, "four with the first");
        assert!(enter(&mut admission, now, "2001:db8:1::1"));
    }

    #[test]
    fn members_do_not_count_against_their_address() {
        let mut admission = admission(1_000, 2, 2.0);
        let now = Instant::now();
        for _ in 0..500 {
            let sources = admission.enter(now, ip("192.0.2.1")).expect("a member before has proved it");
            admission.take_back(now, Returned::Proved(sources));
        }
        assert!(enter(&mut admission, now, "192.0.2.1"));
        assert!(enter(&mut admission, now, "192.0.2.1"));
        assert_eq!(admission.enter(now, ip("192.0.2.1")), Err(Refused::ForNow));
        for _ in 0..500 {
            admission.take_back(now, Returned::Ended(Vec::new()));
        }
        assert_eq!(admission.open, 2);
    }

    #[test]
    fn connections_that_close_at_once_count_against_the_rate() {
        let mut admission = admission(100, 10, 3.0);
        let now = Instant::now();
        let mut knock = |now| {
            let entered = enter(&mut admission, now, "192.0.2.1");
            if entered {
                leave(&mut admission, now, "192.0.2.1");
            }
            entered
        };
        assert_eq!((0..10).filter(|_| knock(now)).count(), 3);
        assert!(knock(now + Duration::from_secs(1)));
    }

    #[test]
    fn the_total_is_limited_and_zero_disables_the_share() {
        let mut admission = admission(3, 0, 1.0);
        let now = Instant::now();
        assert_eq!((0..5).filter(|_| enter(&mut admission, now, "192.0.2.1")).count(), 3);
    }

    #[test]
    fn loopback_is_not_limited() {
        let mut admission = admission(100, 1, 1.0);
        let now = Instant::now();
        for text in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!((0..5).filter(|_| enter(&mut admission, now, text)).count(), 5, "{text}");
        }
    }

    #[test]
    fn remembered_addresses_are_bounded_and_expire() {
        let mut admission = admission(usize::MAX, 1, 1.0);
        let now = Instant::now();
        for n in 0..MAX_SOURCES as u32 {
            assert!(admission.enter(now, IpAddr::V4((0x0a00_0000 + n).into())).is_ok());
        }
        assert!(!enter(&mut admission, now, "203.0.113.1"));
        for n in 0..MAX_SOURCES as u32 {
            admission.take_back(now, Returned::Ended(Source::all(IpAddr::V4((0x0a00_0000 + n).into()))));
        }
        assert!(!enter(&mut admission, now, "203.0.113.1"));
        assert!(enter(&mut admission, now + Duration::from_secs(2), "203.0.113.1"));
        assert_eq!(admission.sources.len(), 1);
    }
}
