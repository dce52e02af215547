//! Which key this client sends with, who gets it, and the keys of others.
//!
//! ```text
//!            start                       the rest is over                    the delay is over
//! (none) ───────────▶ change is waited for ─────────▶ key is given ──────────────────▶ key is used
//!                              ▲                                                            │
//!                              └──────────────── somebody comes or goes, or renew ──────────┘
//! ```
//!
//! A key is given only to people who were in the room when it was made. So a newcomer decrypts nothing from before, and
//! somebody who has gone decrypts nothing from a second later on.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::{Duration, Instant};

use signaling::forwarding::{FrameKey, SealedKey};
use signaling::message::{ClientMessage, Participant, ParticipantId};
use signaling::statement::frames::{FramePublicKey, Giving};
use signaling::statement::{Signer, StatementError, Stay};

use crate::limits::{COALESCE, JOIN_DELAY, JOIN_REST, LEAVE_DELAY, LEAVE_REST, MAX_OTHERS, RETRY_MAX, RETRY_MIN};
use crate::random::Random;
use crate::sealed::{FrameSecret, seal};
use crate::sender_key::SenderKey;

/// What the caller does.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send this to the server.
    Send(ClientMessage),
    /// Encrypt with this key from now on: a new [`crate::Sealer`] for each stream. Send nothing to the forwarder before
    /// the first.
    Use(SenderKey),
}

/// Why a key of somebody is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nobody with that id is in the room.
    #[error("nobody with that id is here")]
    NotHere,
    /// The key is not newer than the last. The server may repeat itself, which changes nothing.
    #[error("not a newer key")]
    NotNewer,
    /// It is not signed by their device for this: somebody is in the middle. The person is to know.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// Their device has signed a key that does not open.
    #[error("the key does not open")]
    Unreadable,
}

/// The keys of one stay in a room. Handles what the server says in any order; between two keys of the own there is a
/// rest, and at most [`MAX_OTHERS`] people are known.
pub struct KeyExchange {
    room: String,
    signer: Signer,
    secret: FrameSecret,
    random: Random,
    others: BTreeMap<ParticipantId, Other>,
    /// Of the last key that was made.
    epoch: u32,
    sending: Option<Sending>,
    /// The caller drains them after each call: at most two.
    outputs: VecDeque<Output>,
}

/// Another participant.
struct Other {
    /// `None` if they were announced without a key or nonce.
    stay: Option<Stay>,
    came: Instant,
    /// Their frame key.
    key: Option<FramePublicKey>,
    /// Epoch of the newest key that they gave.
    received: Option<u32>,
    /// Whether they may have a key of ours.
    was_given: bool,
    /// When they are to be given the newest key.
    give_at: Option<Instant>,
    /// How long the last wait before that was.
    wait: Duration,
}

/// The own keys while the room is forwarded.
#[derive(Default)]
struct Sending {
    newest: Option<(SenderKey, Instant)>,
    /// When the newest key is used; `None` once it is.
    use_at: Option<Instant>,
    is_any_used: bool,
    change: Option<Change>,
}

/// A reason for a new key.
struct Change {
    since: Instant,
    has_anybody_left: bool,
}

impl fmt::Debug for KeyExchange {
    /// Shows no secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyExchange").field("room", &self.room).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl KeyExchange {
    /// Keys for the signer's present stay, in this room. `seed` has 32 random bytes that nobody else knows and that are
    /// not used twice.
    pub fn new(signer: Signer, room: &str, seed: [u8; 32]) -> KeyExchange {
        let mut random = Random::new(seed);
        let secret = FrameSecret::derive(&random.block());
        let (others, outputs) = (BTreeMap::new(), VecDeque::new());
        KeyExchange { room: room.to_owned(), signer, secret, random, others, epoch: 0, sending: None, outputs }
    }

    /// The message that announces the own frame key. Send it once, right after `joined`.
    pub fn announcement(&self) -> ClientMessage {
        ClientMessage::FrameKey(self.signer.announce(&self.room, &self.secret.public()))
    }

    /// Somebody is in the room or comes.
    pub fn joined(&mut self, now: Instant, participant: &Participant) {
        if self.others.len() < MAX_OTHERS {
            let stay = Stay::of(participant);
            let (key, received, give_at) = (None, None, None);
            let other = Other { stay, came: now, key, received, was_given: false, give_at, wait: Duration::ZERO };
            self.others.entry(participant.id.clone()).or_insert(other);
        }
    }

    /// Somebody has gone. Their frames and keys are of no use any more.
    pub fn left(&mut self, now: Instant, id: &ParticipantId) {
        if self.others.remove(id).is_some_and(|other| other.was_given) {
            self.change(now, true);
        }
    }

    /// Somebody announces their frame key.
    ///
    /// # Errors
    /// [`KeyError`]. Then they get no key of ours.
    pub fn announced(&mut self, now: Instant, from: &ParticipantId, announced: &FrameKey) -> Result<(), KeyError> {
        let other = self.others.get_mut(from).ok_or(KeyError::NotHere)?;
        let stay = other.stay.ok_or(StatementError::Missing)?;
        let key = self.signer.verify_announced(&self.room, stay, announced)?;
        if other.key.is_some() {
            return Err(KeyError::NotNewer);
        }
        other.key = Some(key);
        let made = self.sending.as_ref().and_then(|sending| sending.newest.as_ref()).map(|(_, made)| *made);
        if made.is_some_and(|made| other.came < made) {
            other.give_at = Some(now + COALESCE);
        } else {
            self.change(now, false);
        }
        Ok(())
    }

    /// The room is forwarded: keys are made and given from now on.
    pub fn start(&mut self, now: Instant) {
        if self.sending.is_none() {
            self.sending = Some(Sending::default());
            self.change(now, false);
        }
    }

    /// Nothing goes through the forwarder any more. The own key is forgotten.
    pub fn stop(&mut self) {
        self.sending = None;
        for other in self.others.values_mut() {
            (other.was_given, other.give_at) = (false, None);
        }
    }

    /// The key of this epoch has encrypted many frames ([`crate::Sealer::wants_new_key`]).
    pub fn renew(&mut self, now: Instant, epoch: u32) {
        if epoch == self.epoch {
            self.change(now, false);
        }
    }

    /// Somebody gives us their key. Give it to each [`crate::Opener`] of theirs.
    ///
    /// # Errors
    /// [`KeyError`]; the key is of no use.
    pub fn receive(
        &mut self,
        from: &ParticipantId,
        epoch: u32,
        sealed: &str,
        signature: &str,
    ) -> Result<SenderKey, KeyError> {
        let to_key = self.secret.public();
        let other = self.others.get_mut(from).ok_or(KeyError::NotHere)?;
        if other.received.is_some_and(|received| received >= epoch) {
            return Err(KeyError::NotNewer);
        }
        let stay = other.stay.ok_or(StatementError::Missing)?;
        let giving = Giving { room: &self.room, from: stay, to: self.signer.stay(), to_key, epoch };
        let sealed = giving.verify(sealed, signature)?;
        let key = self.secret.open(&giving, &sealed).ok_or(KeyError::Unreadable)?;
        other.received = Some(epoch);
        Ok(key)
    }

    /// The key of this epoch did not reach these people.
    pub fn undelivered(&mut self, now: Instant, epoch: u32, to: &[ParticipantId]) {
        if epoch != self.epoch || self.sending.is_none() {
            return;
        }
        for id in to {
            if let Some(other) = self.others.get_mut(id) {
                other.wait = (other.wait * 2).clamp(RETRY_MIN, RETRY_MAX);
                other.give_at = Some(now + other.wait);
            }
        }
    }

    /// People who have announced no valid frame key. They decrypt nothing of ours, and the person is to know.
    pub fn uncovered(&self) -> impl Iterator<Item = &ParticipantId> {
        self.others.iter().filter(|(_, other)| other.key.is_none()).map(|(id, _)| id)
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.use_newest(now);
        if self.change_due().is_some_and(|due| due <= now) {
            self.make_key(now);
        }
        let is_due = |other: &Other| other.give_at.is_some_and(|at| at <= now);
        let due: Vec<ParticipantId> =
            self.others.iter().filter(|(_, other)| is_due(other)).map(|(id, _)| id.clone()).collect();
        if !due.is_empty() {
            self.give(&due);
        }
    }

    /// When to call [`KeyExchange::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let use_at = self.sending.as_ref().and_then(|sending| sending.use_at);
        let gives = self.others.values().filter_map(|other| other.give_at);
        gives.chain(use_at).chain(self.change_due()).min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn change(&mut self, now: Instant, has_anybody_left: bool) {
        if let Some(sending) = &mut self.sending {
            let change = sending.change.get_or_insert(Change { since: now, has_anybody_left });
            change.has_anybody_left |= has_anybody_left;
        }
    }

    /// When there will be a new key.
    fn change_due(&self) -> Option<Instant> {
        let sending = self.sending.as_ref()?;
        let change = sending.change.as_ref()?;
        let rest = if change.has_anybody_left { LEAVE_REST } else { JOIN_REST };
        let rested = sending.newest.as_ref().map(|(_, made)| *made + rest);
        let soonest = change.since + COALESCE;
        Some(rested.map_or(soonest, |rested| rested.max(soonest)))
    }

    fn make_key(&mut self, now: Instant) {
        let (Some(sending), Some(epoch)) = (&mut self.sending, self.epoch.checked_add(1)) else { return };
        self.epoch = epoch;
        let has_anybody_left = sending.change.take().is_some_and(|change| change.has_anybody_left);
        sending.newest = Some((SenderKey::new(epoch, self.random.block()), now));
        // Nobody can decrypt anything yet, so nothing is gained by waiting with the first.
        let delay = if has_anybody_left { LEAVE_DELAY } else { JOIN_DELAY };
        sending.use_at = Some(if sending.is_any_used { now + delay } else { now });
        for other in self.others.values_mut() {
            other.wait = Duration::ZERO;
        }
        let all: Vec<ParticipantId> = self.others.keys().cloned().collect();
        self.give(&all);
        self.use_newest(now);
    }

    /// Seals the newest key to these people, if they have announced a key.
    fn give(&mut self, people: &[ParticipantId]) {
        let Some((key, _)) = self.sending.as_ref().and_then(|sending| sending.newest.as_ref()) else { return };
        let mut keys: Vec<SealedKey> = Vec::new();
        for id in people {
            let Some(other) = self.others.get_mut(id) else { continue };
            other.give_at = None;
            let (Some(to), Some(to_key)) = (other.stay, other.key) else { continue };
            let giving = Giving { room: &self.room, from: self.signer.stay(), to, to_key, epoch: key.epoch() };
            if let Some(sealed) = seal(&mut self.random, &giving, key) {
                other.was_given = true;
                keys.push(self.signer.give(id.clone(), &giving, &sealed));
            }
        }
        if !keys.is_empty() {
            self.outputs.push_back(Output::Send(ClientMessage::SenderKeys { epoch: key.epoch(), keys }));
        }
    }

    fn use_newest(&mut self, now: Instant) {
        let Some(sending) = &mut self.sending else { return };
        if sending.use_at.is_some_and(|at| at <= now) {
            (sending.use_at, sending.is_any_used) = (None, true);
            self.outputs.extend(sending.newest.as_ref().map(|(key, _)| Output::Use(key.clone())));
        }
    }
}
