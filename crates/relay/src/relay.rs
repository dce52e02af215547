//! The relay as a whole: datagrams in, actions out.

mod proof;
mod requests;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Instant;

use stun_types::message::{BINDING, MessageClass};
use turn_types::channel::ChannelData;
use turn_types::message::SEND;

use crate::allocation::Allocation;
use crate::client::Client;
use crate::connections::Connections;
use crate::credentials::Secrets;
use crate::limits::{MAX_MESSAGE_BYTES, SWEEP_EVERY};
use crate::message::{Answer, Incoming, data_indication};
use crate::nonce::Nonces;
use crate::policy::{OwnService, PeerPolicy, Reachable};
use crate::quota::{Quota, Shares};
use crate::refusals::Refusals;
use crate::sessions::Sessions;
use crate::slots::{PortId, Slot, Slots};
use crate::stream::CHANNEL_HEADER;

/// Configuration of a relay.
#[derive(Debug, Clone)]
pub struct Config {
    /// The destinations allowed besides public addresses.
    pub policy: PeerPolicy,
    /// The number of allocations, in total and for one person.
    pub shares: Shares,
    /// The secrets from which passwords are computed.
    pub secrets: Secrets,
    /// Key for nonces and tokens: random, and new at each start.
    pub key: [u8; 32],
}

/// The current time.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For durations.
    pub instant: Instant,
    /// Unix time in seconds, for the expiry of credentials.
    pub unix: u64,
}

/// What to do with a datagram from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Drop,
    /// Send the written bytes to this client: the sender, or the owner of the relayed address to which the datagram
    /// goes.
    Client(Client),
    /// Send this part of the datagram from a relay port.
    Peer {
        /// The port.
        port: PortId,
        /// The destination.
        peer: SocketAddr,
        /// The part of the datagram.
        data: Range<usize>,
    },
    /// Open a socket, then call [`Relay::opened`].
    Open(Open),
}

/// A socket to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Id of its port.
    pub port: PortId,
    /// The client for whom it is. They and their peers should be able to reach the relayed address.
    pub client: Client,
    /// Whether the relayed address is IPv6.
    pub v6: bool,
    /// Whether its port number must be even.
    pub even: bool,
    /// Id of the next higher port number, if that must be opened too.
    pub beside: Option<PortId>,
}

/// Why a socket was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOpened {
    /// The server has no address of this family.
    Family,
    /// No port number is free.
    Busy,
}

/// Allocations, permissions and channels, and who may have them.
///
/// After each call, the caller sends what the [`Action`] requests and closes the ports that [`Relay::poll_closed`]
/// returns.
#[derive(Debug)]
pub struct Relay {
    reach: Reachable,
    secrets: Secrets,
    key: [u8; 32],
    nonces: Nonces,
    refusals: Refusals,
    sessions: Sessions,
    quota: Quota,
    slots: Slots,
    connections: Connections,
    /// At most as many as there are ports.
    closed: VecDeque<PortId>,
    /// Makes each token and each indication unique.
    counter: u64,
    swept: Instant,
}

impl Relay {
    /// Creates a relay without allocations.
    pub fn new(config: Config, now: Instant) -> Relay {
        Relay {
            reach: Reachable::new(config.policy),
            secrets: config.secrets,
            key: config.key,
            nonces: Nonces::new(config.key, now),
            refusals: Refusals::new(),
            sessions: Sessions::default(),
            quota: Quota::new(config.shares),
            slots: Slots::new(config.shares.total),
            connections: Connections::default(),
            closed: VecDeque::new(),
            counter: 0,
            swept: now,
        }
    }

    /// Handles a datagram, or one frame of a stream, from a client. Bytes for a client are written to `out`.
    pub fn handle(&mut self, now: Now, client: &Client, datagram: &[u8], out: &mut Vec<u8>) -> Action {
        out.clear();
        // The two highest bits distinguish channel data (01) from STUN (00) (RFC 8656 section 12).
        match datagram.first().map(|first| first >> 6) {
            Some(1) => self.channel_data(now.instant, client, datagram, out),
            Some(0) => match Incoming::read(datagram) {
                Some(message) => self.message(now, client, &message, datagram, out),
                None => Action::Drop,
            },
            Some(_) | None => Action::Drop,
        }
    }

    /// Handles a datagram that arrived at a relay port. Returns the client to whom the bytes in `out` go, if any.
    pub fn handle_peer(
        &mut self,
        now: Instant,
        port: PortId,
        peer: SocketAddr,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        out.clear();
        let allocation = self.slots.live(port).filter(|allocation| allocation.is_live(now))?;
        let peer = self.reach.sender(peer).filter(|peer| allocation.is_permitted(now, peer.ip()))?;
        self.counter += 1;
        frame(now, self.counter, allocation, peer, data, out)
    }

    /// Sets the addresses of this machine, on all interfaces. The relay never sends to them, except to own services.
    pub fn set_own_addresses(&mut self, own: impl IntoIterator<Item = IpAddr>) {
        self.reach.set_own(own);
    }

    /// Sets the services of this machine to which the relay sends.
    pub fn set_own_services(&mut self, services: Vec<OwnService>) {
        self.reach.set_services(services);
    }

    /// A session of the server began; `member` if its owner has proved to be a member.
    pub fn session_opened(&mut self, session: &str, member: bool) {
        self.sessions.open(session, member);
    }

    /// A session joined a room.
    pub fn session_seated(&mut self, session: &str) {
        self.sessions.seat(session);
    }

    /// A session left its room.
    pub fn session_left(&mut self, now: Instant, session: &str) {
        self.sessions.leave(now, session);
    }

    /// A session ended.
    pub fn session_closed(&mut self, now: Instant, session: &str) {
        let holds = self.quota.holds(session);
        self.sessions.close(now, session, holds);
    }

    /// A client opened a TCP or TLS stream. A stream that has no allocation for [`STREAM_IDLE_TIME`] is closed.
    ///
    /// [`STREAM_IDLE_TIME`]: crate::limits::STREAM_IDLE_TIME
    pub fn stream_opened(&mut self, now: Instant, client: &Client) {
        self.connections.open(now, client);
    }

    /// A client's stream has ended, and its allocation with it (RFC 8656 section 7).
    pub fn stream_closed(&mut self, now: Instant, client: &Client) {
        self.connections.close(client);
        if let Some((port, _)) = self.slots.of_client(client) {
            self.end(now, port);
        }
    }

    /// Returns the next stream to close.
    pub fn poll_closed_stream(&mut self) -> Option<Client> {
        self.connections.poll_closed()
    }

    /// Whether the allocation of this client belongs to a proved member. `None` if it has no allocation.
    pub fn is_of_member(&self, client: &Client) -> Option<bool> {
        let (port, _) = self.slots.of_client(client)?;
        self.slots.live(port).map(|allocation| allocation.owner.holder.member)
    }

    /// When to call [`Relay::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let is_empty = self.slots.is_empty() && self.connections.is_empty();
        (!is_empty).then(|| self.swept + SWEEP_EVERY)
    }

    /// Ends everything that has expired.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.swept = now;
        let over: Vec<PortId> =
            self.slots.all().filter(|(_, slot)| self.is_over(now, slot)).map(|(id, _)| id).collect();
        for port in over {
            self.end(now, port);
        }
        self.connections.sweep(now);
        for allocation in self.slots.lives_mut() {
            allocation.forget_expired(now);
        }
        self.sessions.sweep(now);
    }

    /// Returns the next port whose socket must be closed.
    pub fn poll_closed(&mut self) -> Option<PortId> {
        self.closed.pop_front()
    }

    fn is_over(&self, now: Instant, slot: &Slot) -> bool {
        let (expires, owner) = match slot {
            Slot::Live(allocation) => (allocation.expires, &allocation.owner),
            Slot::Reserved(reserved) => (reserved.expires, &reserved.owner),
            // Its socket is being opened, and the result arrives immediately.
            Slot::Free | Slot::Opening(_) => return false,
        };
        expires <= now || (owner.own && self.sessions.is_over(now, &owner.holder.session))
    }

    /// Closes a port and releases its place.
    fn end(&mut self, now: Instant, port: PortId) {
        let owner = match self.slots.take(port) {
            Slot::Free => return,
            Slot::Opening(opening) => opening.owner,
            Slot::Live(allocation) => {
                self.connections.released(now, &allocation.owner.client);
                allocation.owner
            }
            Slot::Reserved(reserved) => reserved.owner,
        };
        self.quota.give_back(&owner.holder);
        self.closed.push_back(port);
    }

    fn message(
        &mut self,
        now: Now,
        client: &Client,
        message: &Incoming<'_>,
        datagram: &[u8],
        out: &mut Vec<u8>,
    ) -> Action {
        let asked = message.asked();
        match message.class() {
            MessageClass::Request if datagram.len() > MAX_MESSAGE_BYTES => Action::Drop,
            MessageClass::Request if asked.method == BINDING => {
                if !self.refusals.take(now.instant, client.remote.ip()) {
                    return Action::Drop;
                }
                *out = Answer::success(asked).mapped(client.remote).finish(None);
                Action::Client(*client)
            }
            MessageClass::Request => self.request(now, client, message, out),
            MessageClass::Indication if asked.method == SEND => {
                let peers = message.peers().unwrap_or_default();
                match (self.slots.of_client(client), &peers[..], message.data()) {
                    (Some((port, _)), [peer], Some(data)) => {
                        let (instant, peer) = (now.instant, *peer);
                        self.forward(instant, port, peer, datagram, data, out)
                    }
                    _ => Action::Drop,
                }
            }
            MessageClass::Indication | MessageClass::Success | MessageClass::Error => Action::Drop,
        }
    }

    fn channel_data(&mut self, now: Instant, client: &Client, datagram: &[u8], out: &mut Vec<u8>) -> Action {
        let Some((port, _)) = self.slots.of_client(client) else { return Action::Drop };
        let Ok((number, length)) = ChannelData::parse_header(datagram) else { return Action::Drop };
        let data = CHANNEL_HEADER..CHANNEL_HEADER + length;
        let peer = self.slots.live(port).and_then(|allocation| allocation.peer_of(now, number));
        match peer {
            Some(peer) if data.end <= datagram.len() => self.forward(now, port, peer, datagram, data, out),
            Some(_) | None => Action::Drop,
        }
    }

    /// Sends data from a relay port to a permitted peer. If the peer is a port of this relay, delivers it directly.
    ///
    /// Two people who both need the relay name each other's relayed addresses as peers. Through the system, such a
    /// datagram could leave by another address of this machine than the one that its receiver knows (several
    /// networks, or a NAT without hairpinning), and the policy would have to allow all of this machine's addresses.
    /// Therefore it never leaves the relay, and only those ports of this machine that belong to an allocation can be
    /// reached.
    fn forward(
        &mut self,
        now: Instant,
        port: PortId,
        peer: SocketAddr,
        datagram: &[u8],
        data: Range<usize>,
        out: &mut Vec<u8>,
    ) -> Action {
        let Some(from) = self.slots.live(port).filter(|allocation| allocation.is_live(now)) else {
            return Action::Drop;
        };
        if !from.is_permitted(now, peer.ip()) {
            return Action::Drop;
        }
        if let Some(port) = self.slots.of_relayed(peer) {
            let to = self.slots.live(port).filter(|to| to.is_live(now) && to.is_permitted(now, from.relayed.ip()));
            self.counter += 1;
            let written = to.and_then(|to| frame(now, self.counter, to, from.relayed, datagram.get(data)?, out));
            return written.map_or(Action::Drop, Action::Client);
        }
        self.reach.destination(peer).map_or(Action::Drop, |peer| Action::Peer { port, peer, data })
    }
}

/// Writes data from a peer for a client: as channel data, or as a Data indication if there is no channel.
fn frame(
    now: Instant,
    number: u64,
    allocation: &Allocation,
    peer: SocketAddr,
    data: &[u8],
    out: &mut Vec<u8>,
) -> Option<Client> {
    let client = allocation.owner.client;
    // Nothing longer fits a datagram.
    let length = u16::try_from(data.len()).ok()?;
    match allocation.channel_of(now, peer) {
        Some(channel) => {
            out.extend_from_slice(&channel.to_be_bytes());
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(data);
            if client.transport.is_stream() {
                out.resize(out.len().next_multiple_of(4), 0);
            }
        }
        None if data.len() > MAX_INDICATED => return None,
        None => *out = data_indication(number, peer, data),
    }
    Some(client)
}

/// Maximum data of a Data indication: its length, with the attributes around it, must fit 16 bits.
const MAX_INDICATED: usize = 65_000;
