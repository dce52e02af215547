//! The thread that owns all sockets of the relay.
//!
//! It polls all sockets, reads them in batches, passes each datagram to [`relay::Relay`], and sends the results at the
//! end of each turn. A socket with more to read waits until every other socket has been read. The frames of TCP and TLS
//! streams arrive through a queue.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::{Events, Poll, Token};
use relay::{Action, Bandwidth, Client, NotOpened, Now, Open, OwnService, PortId, Relay, Transport};

use super::addresses::{self, RelayAddresses};
use super::outbox::{By, Outbox};
use super::outlets::Outlets;
use super::relayed::bind_relayed;
use super::sessions::{RelayAccess, Update};
use super::stream::{Message, StreamId};
use crate::figures::Figures;
use crate::forwarding::Advertised;
use crate::udp::{Batch, Port};

pub(super) const WAKER: Token = Token(0);
pub(super) const LISTENER: Token = Token(1);
const FIRST_PORT: usize = 2;
/// Most sockets reported by one poll. The next poll reports the others.
pub(super) const EVENTS: usize = 256;
/// Most messages of streams in one turn. The next turn takes the others.
const MESSAGES: usize = 256;
/// How often this machine's addresses are read again.
const READ_ADDRESSES_EVERY: Duration = Duration::from_secs(10);
/// Socket buffer for what a relayed port receives while the thread is busy: 0.1 s of ten good video streams.
const PORT_BUFFER: usize = 1 << 20;
/// Pause after a failed poll, so that a persistent error does not occupy a core.
const ERROR_PAUSE: Duration = Duration::from_millis(10);

/// Everything that the thread owns.
pub(super) struct Service {
    pub(super) poll: Poll,
    pub(super) listener: Port,
    pub(super) relay: Relay,
    pub(super) updates: Receiver<Update>,
    pub(super) streams: Receiver<Message>,
    /// Whether there may be messages of streams. Set by them.
    pub(super) streams_woken: Arc<AtomicBool>,
    pub(super) outlets: Outlets,
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) addresses: RelayAddresses,
    /// Where the forwarder of large rooms is, if this machine has one.
    pub(super) forwarder: Option<Advertised>,
    pub(super) range: RangeInclusive<u16>,
    pub(super) sockets: Sockets,
    /// The bound on what is relayed, if there is one.
    pub(super) bandwidth: Option<Bandwidth>,
    pub(super) figures: Figures,
}

/// The sockets of allocations and their shared state.
pub(super) struct Sockets {
    ports: Vec<Option<Port>>,
    /// Sockets that may have more to read, each at most once.
    ready: VecDeque<Token>,
    outbox: Outbox,
    /// This machine's addresses.
    own: HashSet<IpAddr>,
    own_read: Instant,
}

impl Sockets {
    pub(super) fn new() -> Sockets {
        let (ports, ready, outbox) = (Vec::new(), VecDeque::new(), Outbox::default());
        Sockets { ports, ready, outbox, own: HashSet::new(), own_read: Instant::now() }
    }
}

impl Service {
    /// Serves until stopped.
    pub(super) fn run(mut self) {
        let (mut events, mut batch, mut out) = (Events::with_capacity(EVENTS), Batch::new(), Vec::new());
        self.read_own_addresses();
        loop {
            if let Err(error) = self.poll.poll(&mut events, Some(self.patience()))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "the relay cannot poll its sockets");
                std::thread::sleep(ERROR_PAUSE);
            }
            if self.stopping.load(Ordering::Acquire) {
                return;
            }
            // Before any datagram: a client that has just received its credentials may already be using them.
            self.take_updates();
            events.iter().for_each(|event| self.queue(event.token()));
            self.turn(&mut batch, &mut out);
            self.take_messages(&mut out);
            self.flush();
            self.look_at_the_clock();
            self.close_streams();
        }
    }

    /// Reads every ready socket once.
    fn turn(&mut self, batch: &mut Batch, out: &mut Vec<u8>) {
        let now = now();
        for _ in 0..self.sockets.ready.len() {
            let Some(token) = self.sockets.ready.pop_front() else { return };
            let Some(port) = self.port_mut(token) else { continue };
            port.queued = false;
            let more = port.receive(batch);
            self.datagrams(now, token, batch, out);
            self.close_ports();
            if more {
                self.queue(token);
            }
        }
    }

    fn datagrams(&mut self, now: Now, token: Token, batch: &Batch, out: &mut Vec<u8>) {
        for (from, to, datagram) in batch.datagrams() {
            // A datagram from port 0 cannot be answered.
            if from.port() != 0 {
                // A panic in the parsing library must cost this datagram only, not the relay.
                let handled = std::panic::catch_unwind(AssertUnwindSafe(|| match port_id(token) {
                    None => {
                        let client = self.udp_client(from, to);
                        self.receive_from_client(now, &client, datagram, out);
                    }
                    Some(port) => self.receive_from_peer(now, port, from, datagram, out),
                }));
                if handled.is_err() {
                    tracing::error!("a datagram made the relay panic");
                }
            }
            self.flush_if_full();
        }
    }

    /// Handles messages of streams, as many as fit a turn.
    fn take_messages(&mut self, out: &mut Vec<u8>) {
        // Before the messages are read: a stream that adds one later wakes the thread once more.
        self.streams_woken.store(false, Ordering::SeqCst);
        let now = now();
        for _ in 0..MESSAGES {
            match self.streams.try_recv() {
                Ok(Message::Opened(id, outlet)) => {
                    let client = outlet.client;
                    if let Some(before) = self.outlets.open(id, *outlet) {
                        self.relay.stream_closed(now.instant, &before.client);
                    }
                    self.relay.stream_opened(now.instant, &client);
                }
                Ok(Message::Frames(id, frames)) => self.frames(now, id, &frames, out),
                Ok(Message::Closed(id)) => {
                    if let Some(outlet) = self.outlets.close(id) {
                        self.relay.stream_closed(now.instant, &outlet.client);
                    }
                }
                Err(_) => return,
            }
            self.close_ports();
        }
        // There may be more, and nobody else would wake the thread.
        self.streams_woken.store(true, Ordering::SeqCst);
    }

    fn frames(&mut self, now: Now, id: StreamId, frames: &[u8], out: &mut Vec<u8>) {
        let Some(client) = self.outlets.get_mut(id).map(|outlet| outlet.client) else { return };
        for frame in relay::stream::frames(frames) {
            let handled = std::panic::catch_unwind(AssertUnwindSafe(|| {
                self.receive_from_client(now, &client, frame, out);
            }));
            if handled.is_err() {
                tracing::error!("a frame made the relay panic");
            }
            self.flush_if_full();
        }
        let is_of_member = self.relay.is_of_member(&client);
        let Some(outlet) = self.outlets.get_mut(id) else { return };
        // With an allocation, the relay's own limits apply, and the stream no longer counts against its source.
        if let Some(is_member) = is_of_member
            && let Some(ticket) = outlet.ticket.take()
            && is_member
        {
            ticket.prove_member();
        }
        outlet.credit.add_permits(1);
    }

    fn receive_from_client(&mut self, now: Now, client: &Client, datagram: &[u8], out: &mut Vec<u8>) {
        match self.relay.handle(now, client, datagram, out) {
            Action::Drop => {}
            // An answer goes to the sender; what goes to somebody else is relayed.
            Action::Client(to) if to != *client && !self.may_relay(now, out.len()) => {}
            Action::Client(client) => self.send_to_client(&client, out),
            Action::Peer { data, .. } if !self.may_relay(now, data.len()) => {}
            Action::Peer { port, peer, data } => {
                let segments = self.port(port).map_or(1, Port::segments);
                self.sockets.outbox.push(By::Port(port), peer, &datagram[data], segments);
            }
            Action::Open(open) => {
                let opened = self.open(&open);
                if let Some(client) = self.relay.opened(now.instant, open.port, opened, out) {
                    self.send_to_client(&client, out);
                }
            }
        }
    }

    fn receive_from_peer(&mut self, now: Now, port: PortId, peer: SocketAddr, datagram: &[u8], out: &mut Vec<u8>) {
        if let Some(client) = self.relay.handle_peer(now.instant, port, peer, datagram, out)
            && self.may_relay(now, datagram.len())
        {
            self.send_to_client(&client, out);
        }
    }

    /// Whether the bound on the bandwidth admits a datagram.
    fn may_relay(&mut self, now: Now, bytes: usize) -> bool {
        let admitted = self.bandwidth.as_mut().is_none_or(|bandwidth| bandwidth.admits(now.instant, bytes));
        if admitted {
            self.figures.relayed.inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
        } else {
            self.figures.relay_refused.inc();
        }
        admitted
    }

    /// Sends bytes to a client.
    fn send_to_client(&mut self, client: &Client, bytes: &[u8]) {
        match client.transport {
            Transport::Udp => {
                let (to, from) = (self.native(client.remote), self.source(client.local.ip()));
                self.sockets.outbox.push(By::Listener(from), to, bytes, self.listener.segments());
            }
            Transport::Tcp | Transport::Tls => self.outlets.push(client, bytes),
        }
    }

    fn udp_client(&self, remote: SocketAddr, to: Option<IpAddr>) -> Client {
        let listens = self.listener.addr();
        let local = SocketAddr::new(to.unwrap_or(listens.ip()), listens.port());
        Client { transport: Transport::Udp, remote, local }
    }

    /// The source address for an answer: the one that the request was sent to, if the system could choose another.
    fn source(&self, asked: IpAddr) -> Option<IpAddr> {
        let any = self.listener.addr().ip().is_unspecified();
        // A request to an address that is not ours, such as a broadcast address, is answered from whatever the system
        // chooses.
        (any && (asked.is_loopback() || self.sockets.own.contains(&asked))).then_some(asked)
    }

    fn native(&self, to: SocketAddr) -> SocketAddr {
        match (self.listener.addr(), to.ip()) {
            (SocketAddr::V6(_), IpAddr::V4(ip)) => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            _ => to,
        }
    }

    /// Opens the sockets of an allocation. Returns the addresses that peers send to.
    fn open(&mut self, open: &Open) -> Result<(SocketAddr, Option<SocketAddr>), NotOpened> {
        let client = open.client.remote.ip();
        let address = self.addresses.choose(open.v6, client, addresses::route).ok_or(NotOpened::Family)?;
        let bound = bind_relayed(address.bound, &self.range, open.even, open.beside.is_some(), PORT_BUFFER);
        let (port, above) = bound.ok_or(NotOpened::Busy)?;
        let announced = |port: &Port| SocketAddr::new(address.announced, port.addr().port());
        let (first, second) = (announced(&port), above.as_ref().map(announced));
        self.keep(open.port, port)?;
        if let Some((id, above)) = open.beside.zip(above) {
            self.keep(id, above)?;
        }
        Ok((first, second))
    }

    fn keep(&mut self, id: PortId, mut port: Port) -> Result<(), NotOpened> {
        let place = usize::try_from(id.0).map_err(|_| NotOpened::Busy)?;
        if let Err(error) = port.register(self.poll.registry(), Token(FIRST_PORT + place)) {
            tracing::error!(%error, "cannot poll a relayed port");
            return Err(NotOpened::Busy);
        }
        if self.sockets.ports.len() <= place {
            self.sockets.ports.resize_with(place + 1, || None);
        }
        self.sockets.ports[place] = Some(port);
        self.figures.relay_ports.inc();
        Ok(())
    }

    fn close_ports(&mut self) {
        while let Some(id) = self.relay.poll_closed() {
            // Send what waits for this port before it closes.
            self.flush();
            let place = usize::try_from(id.0).ok().and_then(|place| self.sockets.ports.get_mut(place));
            if let Some(mut port) = place.and_then(Option::take) {
                port.deregister(self.poll.registry());
                self.figures.relay_ports.dec();
            }
        }
    }

    /// Closes the streams that the relay gives up.
    fn close_streams(&mut self) {
        while let Some(client) = self.relay.poll_closed_stream() {
            if let Some(id) = self.outlets.of(&client) {
                self.outlets.close(id);
            }
            // Its last frame may have made an allocation since.
            self.relay.stream_closed(Instant::now(), &client);
            self.close_ports();
        }
    }

    fn flush_if_full(&mut self) {
        if self.sockets.outbox.is_full() || self.outlets.is_full() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.outlets.flush();
        let Service { listener, sockets: Sockets { ports, outbox, .. }, .. } = self;
        for call in outbox.take() {
            let (port, from) = match call.by {
                By::Listener(from) => (Some(&*listener), from),
                By::Port(id) => (usize::try_from(id.0).ok().and_then(|place| ports.get(place)?.as_ref()), None),
            };
            if let Some(port) = port {
                port.send(call.to, from, &call.bytes, call.segment());
            }
        }
    }

    fn take_updates(&mut self) {
        let now = Instant::now();
        while let Ok(Update { session, state }) = self.updates.try_recv() {
            let session = &session.0;
            match state {
                RelayAccess::Member => self.relay.session_opened(session, true),
                RelayAccess::Waiting => {
                    self.relay.session_opened(session, false);
                    self.relay.session_left(now, session);
                }
                RelayAccess::Seated => {
                    self.relay.session_opened(session, false);
                    self.relay.session_seated(session);
                }
                RelayAccess::Closed => self.relay.session_closed(now, session),
            }
        }
    }

    fn queue(&mut self, token: Token) {
        if let Some(port) = self.port_mut(token)
            && !std::mem::replace(&mut port.queued, true)
        {
            self.sockets.ready.push_back(token);
        }
    }

    fn port(&self, id: PortId) -> Option<&Port> {
        self.sockets.ports.get(usize::try_from(id.0).ok()?)?.as_ref()
    }

    fn port_mut(&mut self, token: Token) -> Option<&mut Port> {
        match token {
            LISTENER => Some(&mut self.listener),
            Token(place) => self.sockets.ports.get_mut(place.checked_sub(FIRST_PORT)?)?.as_mut(),
        }
    }

    /// Time until the next timer, or zero if sockets are ready.
    fn patience(&self) -> Duration {
        if !self.sockets.ready.is_empty() || self.streams_woken.load(Ordering::SeqCst) {
            return Duration::ZERO;
        }
        let read = self.sockets.own_read + READ_ADDRESSES_EVERY;
        let next = self.relay.poll_timeout().map_or(read, |at| at.min(read));
        next.saturating_duration_since(Instant::now())
    }

    fn look_at_the_clock(&mut self) {
        let now = Instant::now();
        if self.relay.poll_timeout().is_some_and(|at| at <= now) {
            self.relay.handle_timeout(now);
            self.close_ports();
        }
        if self.sockets.own_read + READ_ADDRESSES_EVERY <= now {
            self.read_own_addresses();
        }
    }

    fn read_own_addresses(&mut self) {
        let own = addresses::own();
        let all = own.interfaces.iter().chain(&own.broadcast).chain(&self.addresses.external);
        self.relay.set_own_addresses(all.copied());
        if let Some(forwarder) = &mut self.forwarder {
            forwarder.read();
            let local = |announced| forwarder.inside(announced, self.addresses.listen);
            let service = |&announced: &_| OwnService { announced, local: local(announced) };
            self.relay.set_own_services(forwarder.all().iter().map(service).collect());
        }
        self.sockets.own = own.interfaces.into_iter().collect();
        self.sockets.own_read = Instant::now();
    }
}

fn port_id(token: Token) -> Option<PortId> {
    token.0.checked_sub(FIRST_PORT).and_then(|place| u32::try_from(place).ok()).map(PortId)
}

fn now() -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Now { instant: Instant::now(), unix }
}
