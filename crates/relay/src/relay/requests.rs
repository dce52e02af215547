//! Authenticated requests (RFC 8656 sections 7 to 12).

use std::net::SocketAddr;
use std::time::Instant;

use hmac::Mac as _;
use turn_types::attribute::RequestedTransport;
use turn_types::message::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, REFRESH};

use super::proof::Proved;
use super::{Action, NotOpened, Now, Open, Relay};
use crate::allocation::{Allocation, NotPermitted, Owner};
use crate::client::Client;
use crate::limits::{ALLOCATION_LIFETIME, RESERVATION_LIFETIME};
use crate::message::{
    Answer, Asked, BAD_REQUEST, CAPACITY, FAMILY, FORBIDDEN, Failure, Found, Incoming, MISMATCH, PEER_FAMILY, QUOTA,
    TRANSPORT,
};
use crate::nonce::keyed;
use crate::quota::Full;
use crate::slots::{Opening, PortId, Reserved, Slot};

/// Channel numbers that a client may bind: those of RFC 8656 section 12, and higher ones, which clients of RFC 5766
/// (section 11) such as coturn's still use.
const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7ffe;

/// The result of an authenticated request.
enum Outcome {
    /// No answer.
    Silent,
    Answer(Answer),
    Open(Open),
}

/// A requested allocation.
struct Wanted {
    v6: bool,
    even: Option<bool>,
}

impl Relay {
    pub(super) fn request(&mut self, now: Now, client: &Client, message: &Incoming<'_>, out: &mut Vec<u8>) -> Action {
        let proved = match self.prove(now, client, message) {
            Ok(proved) => proved,
            Err(refused) => {
                let Some(answer) = self.refuse(now, client, message, &refused) else { return Action::Drop };
                *out = answer;
                return Action::Client(*client);
            }
        };
        let (asked, key) = (message.asked(), proved.owner.key.clone());
        let outcome = self.decide(now.instant, message, asked, proved);
        match outcome.unwrap_or_else(|failure| Outcome::Answer(Answer::failure(asked, failure))) {
            Outcome::Silent => Action::Drop,
            Outcome::Answer(answer) => {
                *out = answer.finish(Some(&key));
                Action::Client(*client)
            }
            Outcome::Open(open) => Action::Open(open),
        }
    }

    fn decide(
        &mut self,
        now: Instant,
        message: &Incoming<'_>,
        asked: Asked,
        proved: Proved,
    ) -> Result<Outcome, Failure> {
        let unknown = message.unknown();
        if !unknown.is_empty() {
            return Ok(Outcome::Answer(Answer::unknown(asked, &unknown)));
        }
        match asked.method {
            ALLOCATE => self.allocate(now, message, asked, proved),
            REFRESH => self.refresh(now, message, asked, &proved.owner.client),
            CREATE_PERMISSION => self.create_permission(now, message, asked, &proved.owner.client),
            CHANNEL_BIND => self.channel_bind(now, message, asked, &proved.owner.client),
            _ => Err(BAD_REQUEST),
        }
    }

    fn allocate(
        &mut self,
        now: Instant,
        message: &Incoming<'_>,
        asked: Asked,
        proved: Proved,
    ) -> Result<Outcome, Failure> {
        if let Some((port, slot)) = self.slots.of_client(&proved.owner.client) {
            return match slot {
                // A retransmitted request, whose answer was lost.
                Slot::Live(had) if had.is_live(now) && had.transaction == asked.transaction => {
                    Ok(Outcome::Answer(granted(asked, had)))
                }
                Slot::Live(had) if had.is_live(now) => Err(MISMATCH),
                Slot::Live(_) => {
                    self.end(now, port);
                    self.allocate_anew(now, message, asked, proved)
                }
                Slot::Opening(_) | Slot::Free | Slot::Reserved(_) => Ok(Outcome::Silent),
            };
        }
        self.allocate_anew(now, message, asked, proved)
    }

    fn allocate_anew(
        &mut self,
        now: Instant,
        message: &Incoming<'_>,
        asked: Asked,
        proved: Proved,
    ) -> Result<Outcome, Failure> {
        match message.transport() {
            Found::Here(RequestedTransport::UDP) => {}
            Found::Here(_) => return Err(TRANSPORT),
            Found::Absent | Found::Broken => return Err(BAD_REQUEST),
        }
        let family = match message.wants_v6() {
            Found::Absent => None,
            Found::Here(v6) => Some(v6),
            Found::Broken => return Err(FAMILY),
        };
        let even = present(message.even_port())?;
        let token = present(message.token())?;
        if !proved.may_allocate {
            return Err(FORBIDDEN);
        }
        match token {
            Some(_) if even.is_some() || family.is_some() => Err(BAD_REQUEST),
            Some(token) => self.take_reserved(now, asked, proved.owner, token),
            None => self.open(asked, proved.owner, Wanted { v6: family.unwrap_or(false), even }),
        }
    }

    fn open(&mut self, asked: Asked, owner: Owner, wanted: Wanted) -> Result<Outcome, Failure> {
        let reserves = wanted.even == Some(true);
        self.quota.take(&owner.holder, if reserves { 2 } else { 1 }).map_err(|full| match full {
            Full::Own => QUOTA,
            Full::All => CAPACITY,
        })?;
        let port = self.slots.reserve();
        let beside = reserves.then(|| (self.slots.reserve(), self.new_token()));
        let open = Open {
            port,
            client: owner.client,
            v6: wanted.v6,
            even: wanted.even.is_some(),
            beside: beside.map(|(port, _)| port),
        };
        self.slots.put(port, Slot::Opening(Box::new(Opening { owner, asked, beside })));
        Ok(Outcome::Open(open))
    }

    /// The result of [`Action::Open`]: on success the public addresses of the socket, and of the one beside it if
    /// requested. Returns the client to whom the bytes in `out` go.
    pub fn opened(
        &mut self,
        now: Instant,
        port: PortId,
        result: Result<(SocketAddr, Option<SocketAddr>), NotOpened>,
        out: &mut Vec<u8>,
    ) -> Option<Client> {
        out.clear();
        if !self.slots.is_opening(port) {
            return None;
        }
        let Slot::Opening(opening) = self.slots.take_out(port) else { return None };
        let Opening { owner, asked, beside } = *opening;
        let (client, key) = (owner.client, owner.key.clone());
        let answer = match result {
            Ok((relayed, above)) if self.are_free(relayed, above) && above.is_some() == beside.is_some() => {
                let token = beside.zip(above).map(|((port, token), relayed)| {
                    let expires = now + RESERVATION_LIFETIME;
                    let reserved = Reserved { owner: owner.clone(), token, relayed, expires };
                    self.slots.put(port, Slot::Reserved(Box::new(reserved)));
                    token
                });
                self.grant(now, port, asked, owner, relayed, token)
            }
            Ok(_) => self.give_up(port, beside, &owner, asked, CAPACITY),
            Err(NotOpened::Busy) => self.give_up(port, beside, &owner, asked, CAPACITY),
            Err(NotOpened::Family) => self.give_up(port, beside, &owner, asked, FAMILY),
        };
        *out = answer.finish(Some(&key));
        Some(client)
    }

    fn are_free(&self, relayed: SocketAddr, above: Option<SocketAddr>) -> bool {
        self.slots.of_relayed(relayed).is_none() && above.is_none_or(|above| self.slots.of_relayed(above).is_none())
    }

    fn grant(
        &mut self,
        now: Instant,
        port: PortId,
        asked: Asked,
        owner: Owner,
        relayed: SocketAddr,
        token: Option<u64>,
    ) -> Answer {
        self.reach.add_relayed(relayed.ip());
        self.connections.allocated(&owner.client);
        let allocation = Allocation::new(now, owner, asked.transaction, relayed, token);
        let answer = granted(asked, &allocation);
        self.slots.put(port, Slot::Live(Box::new(allocation)));
        answer
    }

    fn give_up(
        &mut self,
        port: PortId,
        beside: Option<(PortId, u64)>,
        owner: &Owner,
        asked: Asked,
        failure: Failure,
    ) -> Answer {
        for port in [Some(port), beside.map(|(port, _)| port)].into_iter().flatten() {
            self.slots.release(port);
            self.quota.give_back(&owner.holder);
            self.closed.push_back(port);
        }
        Answer::failure(asked, failure)
    }

    fn take_reserved(&mut self, now: Instant, asked: Asked, owner: Owner, token: u64) -> Result<Outcome, Failure> {
        let found = self.slots.reserved(token).filter(|(_, reserved)| {
            now < reserved.expires && reserved.owner.username == owner.username && reserved.owner.own == owner.own
        });
        let (port, relayed) = found.map(|(port, reserved)| (port, reserved.relayed)).ok_or(CAPACITY)?;
        let Slot::Reserved(reserved) = self.slots.take_out(port) else { return Err(CAPACITY) };
        // The place was counted for the session that reserved it, which may now have another address.
        let owner = Owner { holder: reserved.owner.holder, ..owner };
        Ok(Outcome::Answer(self.grant(now, port, asked, owner, relayed, None)))
    }

    fn refresh(
        &mut self,
        now: Instant,
        message: &Incoming<'_>,
        asked: Asked,
        client: &Client,
    ) -> Result<Outcome, Failure> {
        let ends = present(message.lifetime())? == Some(0);
        let family = present(message.wants_v6()).map_err(|_| PEER_FAMILY)?;
        let Some((port, allocation)) = self.allocation_of(now, client) else {
            // A retransmitted request, whose answer was lost (RFC 8656 section 7.2).
            return if ends { Ok(Outcome::Answer(Answer::success(asked).lifetime(0))) } else { Err(MISMATCH) };
        };
        if !allocation.may_ask(now, 1) {
            return Ok(Outcome::Silent);
        }
        if family.is_some_and(|v6| v6 != allocation.relayed.is_ipv6()) {
            return Err(PEER_FAMILY);
        }
        if ends {
            self.end(now, port);
            return Ok(Outcome::Answer(Answer::success(asked).lifetime(0)));
        }
        allocation.refresh(now);
        Ok(Outcome::Answer(Answer::success(asked).lifetime(lifetime_seconds())))
    }

    fn create_permission(
        &mut self,
        now: Instant,
        message: &Incoming<'_>,
        asked: Asked,
        client: &Client,
    ) -> Result<Outcome, Failure> {
        let peers = message.peers();
        let Some((port, allocation)) = self.allocation_of(now, client) else { return Err(MISMATCH) };
        if !allocation.may_ask(now, peers.as_ref().map_or(1, Vec::len)) {
            return Ok(Outcome::Silent);
        }
        let peers = peers.filter(|peers| !peers.is_empty()).ok_or(BAD_REQUEST)?;
        for peer in &peers {
            self.may_be_named(port, *peer)?;
        }
        let addresses: Vec<_> = peers.iter().map(SocketAddr::ip).collect();
        let allocation = self.slots.live_mut(port).ok_or(MISMATCH)?;
        allocation.permit(now, &addresses).map_err(not_permitted)?;
        Ok(Outcome::Answer(Answer::success(asked)))
    }

    fn channel_bind(
        &mut self,
        now: Instant,
        message: &Incoming<'_>,
        asked: Asked,
        client: &Client,
    ) -> Result<Outcome, Failure> {
        let Some((port, allocation)) = self.allocation_of(now, client) else { return Err(MISMATCH) };
        if !allocation.may_ask(now, 1) {
            return Ok(Outcome::Silent);
        }
        let number = present(message.channel())?.filter(|number| CHANNELS.contains(number)).ok_or(BAD_REQUEST)?;
        let peers = message.peers().unwrap_or_default();
        let [peer] = peers[..] else { return Err(BAD_REQUEST) };
        self.may_be_named(port, peer)?;
        let allocation = self.slots.live_mut(port).ok_or(MISMATCH)?;
        allocation.bind(now, number, peer).map_err(not_permitted)?;
        Ok(Outcome::Answer(Answer::success(asked)))
    }

    /// Checks whether the owner of a port may name this peer.
    fn may_be_named(&self, port: PortId, peer: SocketAddr) -> Result<(), Failure> {
        if !self.slots.knows(peer) && !self.reach.may_be_named(peer.ip()) {
            return Err(FORBIDDEN);
        }
        let same_family = self.slots.live(port).is_some_and(|had| had.relayed.is_ipv6() == peer.is_ipv6());
        if same_family { Ok(()) } else { Err(PEER_FAMILY) }
    }

    fn allocation_of(&mut self, now: Instant, client: &Client) -> Option<(PortId, &mut Allocation)> {
        let (port, _) = self.slots.of_client(client)?;
        let allocation = self.slots.live_mut(port).filter(|allocation| allocation.is_live(now))?;
        Some((port, allocation))
    }

    /// Returns a token that cannot be guessed from another.
    fn new_token(&mut self) -> u64 {
        self.counter += 1;
        let mut mac = keyed(&self.key);
        mac.update(b"token");
        mac.update(&self.counter.to_be_bytes());
        let bytes = mac.finalize().into_bytes();
        bytes.iter().take(8).fold(0, |token, byte| token << 8 | u64::from(*byte))
    }
}

/// Returns the answer to the request that made an allocation (RFC 8656 section 7.2).
fn granted(asked: Asked, allocation: &Allocation) -> Answer {
    let answer = Answer::success(asked)
        .relayed(allocation.relayed)
        .lifetime(lifetime_seconds())
        .mapped(allocation.owner.client.remote);
    match allocation.token {
        Some(token) => answer.token(token),
        None => answer,
    }
}

fn lifetime_seconds() -> u32 {
    u32::try_from(ALLOCATION_LIFETIME.as_secs()).unwrap_or(u32::MAX)
}

fn not_permitted(why: NotPermitted) -> Failure {
    match why {
        NotPermitted::Full => CAPACITY,
        NotPermitted::Taken => BAD_REQUEST,
    }
}

fn present<T>(found: Found<T>) -> Result<Option<T>, Failure> {
    match found {
        Found::Absent => Ok(None),
        Found::Broken => Err(BAD_REQUEST),
        Found::Here(value) => Ok(Some(value)),
    }
}
