//! The streams between clients and the relay.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::client::{Client, is_this_machine, subscriber};
use crate::limits::{MAX_IDLE_STREAMS, MAX_IDLE_STREAMS_PER_ADDRESS, STREAM_IDLE_TIME};

/// What a stream has.
///
/// ```text
///            opened                allocation made
///  (none) ───────────▶ Idle ──────────────────────────────▶ Allocated
///    ▲                 │  ▲                                   │   │
///    │ time is up, or  │  └───────────────────────────────────┘   │
///    │ its place is    │           allocation ended               │
///    │ needed          │                                          │
///    └─────────────────┴──────────────────────────────────────────┘
///                       closed by the client
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// No allocation, so nobody knows whose it is.
    /// `order` tells streams apart that were opened within one turn of the relay.
    Idle { since: Instant, order: u64 },
    /// An allocation. The quota bounds their number, and reserves half for members.
    Allocated,
}

/// All streams: as many as there are allocations, and [`MAX_IDLE_STREAMS`].
#[derive(Debug, Default)]
pub(crate) struct Connections {
    streams: HashMap<Client, Standing>,
    /// Streams to close. At most as many as there were.
    closed: VecDeque<Client>,
    /// How often a stream has become idle.
    order: u64,
}

impl Connections {
    /// Adds a stream. If there are too many without an allocation, the oldest of them is closed: those of real clients
    /// get their allocation within two round trips.
    pub(crate) fn open(&mut self, now: Instant, client: &Client) {
        let source = client.remote.ip();
        let of_source = |of: &Client| subscriber(of.remote.ip()) == subscriber(source);
        // Streams of this machine itself come from a proxy that serves everybody.
        if !is_this_machine(source) && self.idle(of_source).count() >= MAX_IDLE_STREAMS_PER_ADDRESS {
            self.close_oldest(of_source);
        }
        if self.idle(|_| true).count() >= MAX_IDLE_STREAMS {
            self.close_oldest(|_| true);
        }
        let standing = self.standing(now);
        self.streams.insert(*client, standing);
    }

    /// Removes a stream that has ended.
    pub(crate) fn close(&mut self, client: &Client) {
        self.streams.remove(client);
    }

    /// Records that a stream has an allocation.
    pub(crate) fn allocated(&mut self, client: &Client) {
        if let Some(standing) = self.streams.get_mut(client) {
            *standing = Standing::Allocated;
        }
    }

    /// Records that the allocation of a stream has ended.
    pub(crate) fn released(&mut self, now: Instant, client: &Client) {
        let idle = self.standing(now);
        if let Some(standing) = self.streams.get_mut(client) {
            *standing = idle;
        }
    }

    /// Closes the streams that have had no allocation for too long.
    pub(crate) fn sweep(&mut self, now: Instant) {
        self.streams.retain(|client, standing| match *standing {
            Standing::Idle { since, .. } if since + STREAM_IDLE_TIME <= now => {
                self.closed.push_back(*client);
                false
            }
            Standing::Idle { .. } | Standing::Allocated => true,
        });
    }

    pub(crate) fn poll_closed(&mut self) -> Option<Client> {
        self.closed.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// That of a stream that is idle from now on.
    fn standing(&mut self, now: Instant) -> Standing {
        self.order += 1;
        Standing::Idle { since: now, order: self.order }
    }

    fn idle(&self, which: impl Fn(&Client) -> bool) -> impl Iterator<Item = (u64, &Client)> {
        self.streams.iter().filter_map(move |(client, standing)| match *standing {
            Standing::Idle { order, .. } if which(client) => Some((order, client)),
            Standing::Idle { .. } | Standing::Allocated => None,
        })
    }

    fn close_oldest(&mut self, which: impl Fn(&Client) -> bool) {
        let oldest = self.idle(which).min_by_key(|(order, _)| *order).map(|(_, client)| *client);
        if let Some(client) = oldest {
            self.streams.remove(&client);
            self.closed.push_back(client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Transport;
    use std::net::IpAddr;
    use std::time::Duration;

    fn client(ip: &str, port: u16) -> Client {
        let remote = (ip.parse::<IpAddr>().unwrap(), port).into();
        Client { transport: Transport::Tcp, remote, local: ([11, 0, 0, 1], 3478).into() }
    }

    fn closed(connections: &mut Connections) -> Vec<Client> {
        std::iter::from_fn(|| connections.poll_closed()).collect()
    }

    #[test]
    fn a_stream_without_an_allocation_is_closed_in_time_and_one_with_it_is_not() {
        let (mut connections, now) = (Connections::default(), Instant::now());
        let [idle, used] = [client("192.0.2.1", 1), client("192.0.2.1", 2)];
        connections.open(now, &idle);
        connections.open(now, &used);
        connections.allocated(&used);
        connections.sweep(now + STREAM_IDLE_TIME - Duration::from_secs(1));
        assert_eq!(closed(&mut connections), []);
        connections.sweep(now + STREAM_IDLE_TIME);
        assert_eq!(closed(&mut connections), [idle]);
        let later = now + Duration::from_secs(3_600);
        connections.sweep(later);
        connections.released(later, &used);
        connections.sweep(later + STREAM_IDLE_TIME);
        assert_eq!(closed(&mut connections), [used]);
        assert!(connections.is_empty());
    }

    #[test]
    fn strangers_of_one_address_replace_their_own_streams_and_nobody_elses() {
        let (mut connections, now) = (Connections::default(), Instant::now());
        let [bystander, member] = [client("192.0.2.7", 1), client("192.0.2.1", 1)];
        connections.open(now, &bystander);
        connections.open(now, &member);
        connections.allocated(&member);
        for n in 0..1_000 {
            connections.open(now + Duration::from_millis(n), &client("192.0.2.1", 1_000 + n as u16));
        }
        let closed = closed(&mut connections);
        assert_eq!(closed.len(), 1_000 - MAX_IDLE_STREAMS_PER_ADDRESS);
        assert_eq!(closed[0], client("192.0.2.1", 1_000), "the oldest first");
        assert!(!closed.contains(&bystander) && !closed.contains(&member));
    }

    #[test]
    fn of_streams_opened_at_the_same_time_the_first_is_replaced() {
        let (mut connections, now) = (Connections::default(), Instant::now());
        for port in 0..300 {
            connections.open(now, &client("127.0.0.1", port));
        }
        let first = (0..300 - MAX_IDLE_STREAMS as u16).map(|port| client("127.0.0.1", port));
        assert_eq!(closed(&mut connections), first.collect::<Vec<_>>());
    }

    #[test]
    fn strangers_everywhere_replace_only_streams_without_an_allocation() {
        let (mut connections, now) = (Connections::default(), Instant::now());
        let member = client("192.0.2.1", 1);
        connections.open(now, &member);
        connections.allocated(&member);
        for n in 0..1_000_u32 {
            let ip = IpAddr::V4((0x0a00_0000 + n).into()).to_string();
            connections.open(now + Duration::from_millis(n.into()), &client(&ip, 9));
            connections.open(now + Duration::from_millis(n.into()), &client("127.0.0.1", n as u16));
        }
        assert_eq!(connections.streams.len(), MAX_IDLE_STREAMS + 1);
        assert!(!closed(&mut connections).contains(&member));
    }
}
