//! The relay as a whole: datagrams in, decisions out.

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
use crate::client::{Client, Transport};
use crate::credentials::Secrets;
use crate::limits::{MAX_MESSAGE_BYTES, SWEEP_EVERY};
use crate::message::{Answer, Incoming, data_indication};
use crate::nonce::Nonces;
use crate::policy::{PeerPolicy, Reachable};
use crate::quota::{Quota, Shares};
use crate::refusals::Refusals;
use crate::sessions::Sessions;
use crate::slots::{PortId, Slot, Slots};

/// What a relay is told before it starts.
#[derive(Debug, Clone)]
pub struct Config {
    /// To whom it sends besides public addresses.
    pub policy: PeerPolicy,
    /// Places, and one person's.
    pub shares: Shares,
    /// With what credentials are made.
    pub secrets: Secrets,
    /// For nonces and tokens: random, and new at each start.
    pub key: [u8; 32],
}

/// The time of a decision.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For everything that takes a while.
    pub instant: Instant,
    /// Unix time in seconds: credentials expire by it.
    pub unix: u64,
}

/// What is to be done with a datagram of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Drop,
    /// The written bytes go to this client: the one that asked, or one at whose relayed address the datagram ends.
    Client(Client),
    /// This part of the datagram leaves by a relay port.
    Peer {
        /// By which.
        port: PortId,
        /// To whom.
        peer: SocketAddr,
        /// Which part.
        data: Range<usize>,
    },
    /// A socket is to be opened. [`Relay::opened`] is told what came of it.
    Open(Open),
}

/// Which socket is to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// What it is called.
    pub port: PortId,
    /// For whom: the relayed address should be one they and their peers can reach.
    pub client: Client,
    /// The family of the relayed address.
    pub v6: bool,
    /// Its port number has to be even.
    pub even: bool,
    /// And the number above it is opened too, and called this.
    pub beside: Option<PortId>,
}

/// Why there is no socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOpened {
    /// There is no address of this family.
    Family,
    /// No port number is free.
    Busy,
}

/// Allocations, permissions, channels and who may have them.
///
/// The caller sends what [`Action`]s say, and closes the ports that [`Relay::poll_closed`] names after each call.
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
    /// At most as many as there are ports.
    closed: VecDeque<PortId>,
    /// Makes each token and each indication another.
    counter: u64,
    swept: Instant,
}

impl Relay {
    /// A relay without allocations.
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
            closed: VecDeque::new(),
            counter: 0,
            swept: now,
        }
    }

    /// Decides about a datagram, or one frame of a stream, of a client. What is to be sent to a client is written to `out`.
    pub fn handle(&mut self, now: Now, client: &Client, datagram: &[u8], out: &mut Vec<u8>) -> Action {
        out.clear();
        // The two highest bits tell channel data (01) from STUN (00) (RFC 8656 section 12).
        match datagram.first().map(|first| first >> 6) {
            Some(1) => self.channel_data(now.instant, client, datagram, out),
            Some(0) => match Incoming::read(datagram) {
                Some(message) => self.message(now, client, &message, datagram, out),
                None => Action::Drop,
            },
            Some(_) | None => Action::Drop,
        }
    }

    /// Decides about a datagram that came to a relay port: the client that gets what is written to `out`, if any does.
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
        if !allocation.is_permitted(now, peer.ip()) || !self.reach.allows(peer.ip()) {
            return None;
        }
        self.counter += 1;
        frame(now, self.counter, allocation, peer, data, out)
    }

    /// This machine's addresses, on whichever interface: the relay never sends there.
    pub fn set_own_addresses(&mut self, own: impl IntoIterator<Item = IpAddr>) {
        self.reach.set_own(own);
    }

    /// A session of the server began, of somebody who has proved to be a member or not.
    pub fn session_opened(&mut self, session: &str, member: bool) {
        self.sessions.open(session, member);
    }

    /// A session sits in a room.
    pub fn session_seated(&mut self, session: &str) {
        self.sessions.seat(session);
    }

    /// A session sits in no room any more.
    pub fn session_left(&mut self, now: Instant, session: &str) {
        self.sessions.leave(now, session);
    }

    /// A session is over.
    pub fn session_closed(&mut self, now: Instant, session: &str) {
        let holds = self.quota.holds(session);
        self.sessions.close(now, session, holds);
    }

    /// When [`Relay::handle_timeout`] has something to do next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.slots.is_empty()).then(|| self.swept + SWEEP_EVERY)
    }

    /// Ends what is over.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.swept = now;
        let over: Vec<PortId> =
            self.slots.all().filter(|(_, slot)| self.is_over(now, slot)).map(|(id, _)| id).collect();
        for port in over {
            self.end(port);
        }
        for allocation in self.slots.lives_mut() {
            allocation.forget_expired(now);
        }
        self.sessions.sweep(now);
    }

    /// The next port whose socket is to be closed.
    pub fn poll_closed(&mut self) -> Option<PortId> {
        self.closed.pop_front()
    }

    fn is_over(&self, now: Instant, slot: &Slot) -> bool {
        let (expires, owner) = match slot {
            Slot::Live(allocation) => (allocation.expires, &allocation.owner),
            Slot::Reserved(reserved) => (reserved.expires, &reserved.owner),
            // Its socket is being opened: what comes of it is told at once.
            Slot::Free | Slot::Opening(_) => return false,
        };
        expires <= now || (owner.own && self.sessions.is_over(now, &owner.holder.session))
    }

    /// Closes a port and gives its place back.
    fn end(&mut self, port: PortId) {
        let owner = match self.slots.take(port) {
            Slot::Free => return,
            Slot::Opening(opening) => opening.owner,
            Slot::Live(allocation) => allocation.owner,
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

    /// Sends data from a relay port to a permitted peer; hands it over where that is a port of this relay too.
    ///
    /// Two people who both need the relay name each other's relayed addresses as peers. Sent through the system, such a
    /// datagram would leave by an address of this machine that need not be the one its receiver was told (several networks,
    /// a NAT that does not send back what comes from inside), and the policy would have to open this machine's addresses as
    /// a whole. So it never leaves the relay, and of this machine only ports that belong to an allocation can be reached.
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
        // Nothing is at port 0.
        let leaves = self.reach.allows(peer.ip()) && peer.port() != 0;
        if leaves { Action::Peer { port, peer, data } } else { Action::Drop }
    }
}

const CHANNEL_HEADER: usize = 4;

/// Writes what a client hears from a peer: channel data, or a Data indication where there is no channel.
fn frame(
    now: Instant,
    number: u64,
    allocation: &Allocation,
    peer: SocketAddr,
    data: &[u8],
    out: &mut Vec<u8>,
) -> Option<Client> {
    let client = allocation.owner.client;
    // Longer ones are no datagrams.
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

/// Most data in a Data indication: its length, with the attributes around it, has to fit 16 bits.
const MAX_INDICATED: usize = 65_000;

/// Whether a stream of a client has a whole frame at its start, and how long that is with its padding (RFC 8656 section
/// 12.5, RFC 8489 section 6.2.2).
///
/// # Errors
/// [`NotAFrame`] if what is there can never become one: the stream is to be closed.
pub fn frame_length(transport: Transport, bytes: &[u8]) -> Result<Option<usize>, NotAFrame> {
    let Some(head) = bytes.first_chunk::<4>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let whole = match head[0] >> 6 {
        0 => 20 + length,
        1 if transport.is_stream() => (CHANNEL_HEADER + length).next_multiple_of(4),
        1 => CHANNEL_HEADER + length,
        _ => return Err(NotAFrame),
    };
    Ok((bytes.len() >= whole).then_some(whole))
}

/// Neither a STUN message nor channel data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAFrame;
