//! People who exchange keys over a server with a delay, in virtual time. Nobody forgets a key.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use e2ee::{KeyExchange, Output, SenderKey};
use signaling::avatar::Avatar;
use signaling::forwarding::{FrameKey, SealedKey};
use signaling::identity::DeviceKey;
use signaling::message::{ClientMessage, MediaState, Participant, ParticipantId};
use signaling::statement::Signer;

const STEP: u64 = 10;
/// How long somebody who has gone may decrypt, besides the way of the message that they have.
const AFTER_LEAVING: Duration = Duration::from_secs(1);

struct Person {
    exchange: KeyExchange,
    participant: Participant,
    came: Instant,
    left: Option<Instant>,
    announced: Option<FrameKey>,
    in_use: Option<SenderKey>,
    /// Since when each epoch is in use.
    used: HashMap<u32, Instant>,
    sent: usize,
    /// The last key for each other, and its epoch.
    given: HashMap<usize, (u32, SealedKey)>,
    /// The keys of others: sender and epoch.
    keys: HashSet<(usize, u32)>,
}

enum Event {
    Joined(usize),
    Left(usize),
    Announced(usize),
    Key(usize, u32, SealedKey),
    Undelivered(u32, usize),
}

/// A room that is forwarded.
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) refuse_keys_to: Option<usize>,
    delay: Duration,
    people: Vec<Person>,
    events: VecDeque<(Instant, usize, Event)>,
}

impl World {
    /// A server whose messages take so many milliseconds.
    pub(crate) fn new(delay_ms: u64) -> World {
        let (now, delay) = (Instant::now(), Duration::from_millis(delay_ms));
        World { now, refuse_keys_to: None, delay, people: Vec::new(), events: VecDeque::new() }
    }

    pub(crate) fn join(&mut self) -> usize {
        let who = self.join_silently();
        let ClientMessage::FrameKey(key) = self.people[who].exchange.announcement() else { panic!("a frame key") };
        self.people[who].announced = Some(key);
        self.tell_others(who, || Event::Announced(who));
        who
    }

    /// Somebody comes who announces no frame key.
    pub(crate) fn join_silently(&mut self) -> usize {
        let who = self.people.len();
        let secret = [who as u8 + 1; 32];
        let signer = Signer::new(DeviceKey::from_secret(&secret), secret);
        let stay = signer.stay();
        let participant = Participant {
            id: ParticipantId(format!("p{who}")),
            name: "x".into(),
            key: stay.key.to_string(),
            nonce: Some(stay.nonce_text()),
            media: MediaState::default(),
            hand: None,
            avatar: Avatar::default(),
        };
        let mut exchange = KeyExchange::new(signer, "soup", secret);
        exchange.start(self.now);
        for other in self.present() {
            exchange.joined(self.now, &self.people[other].participant);
        }
        let (announced, in_use, left) = (None, None, None);
        let (used, given, keys) = (HashMap::new(), HashMap::new(), HashSet::new());
        let (came, sent) = (self.now, 0);
        let person = Person { exchange, participant, came, left, announced, in_use, used, sent, given, keys };
        self.people.push(person);
        for other in self.present() {
            if other != who && self.people[other].announced.is_some() {
                self.later(who, Event::Announced(other));
            }
        }
        self.tell_others(who, || Event::Joined(who));
        who
    }

    pub(crate) fn leave(&mut self, who: usize) {
        self.people[who].left = Some(self.now);
        self.tell_others(who, || Event::Left(who));
    }

    pub(crate) fn present(&self) -> Vec<usize> {
        (0..self.people.len()).filter(|&who| self.people[who].left.is_none()).collect()
    }

    /// Lets time pass, and checks at each moment who can decrypt whom.
    pub(crate) fn pass(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(STEP) {
            self.step();
            self.now += Duration::from_millis(STEP);
            self.check();
        }
        self.step();
    }

    fn step(&mut self) {
        while self.events.front().is_some_and(|(at, ..)| *at <= self.now) {
            let Some((_, to, event)) = self.events.pop_front() else { return };
            self.deliver(to, event);
        }
        for who in self.present() {
            let exchange = &mut self.people[who].exchange;
            if exchange.poll_timeout().is_some_and(|at| at <= self.now) {
                exchange.handle_timeout(self.now);
            }
            while let Some(output) = self.people[who].exchange.poll_output() {
                self.apply(who, output);
            }
            let due = self.people[who].exchange.poll_timeout();
            assert!(due.is_none_or(|at| at > self.now), "everything that was due is done");
        }
    }

    fn deliver(&mut self, to: usize, event: Event) {
        if self.people[to].left.is_some() {
            return;
        }
        let now = self.now;
        match event {
            Event::Joined(who) => {
                let participant = self.people[who].participant.clone();
                self.people[to].exchange.joined(now, &participant);
            }
            Event::Left(who) => {
                let id = self.id(who);
                self.people[to].exchange.left(now, &id);
            }
            Event::Announced(who) => {
                let (id, key) = (self.id(who), self.people[who].announced.clone().expect("a key"));
                // They may have gone meanwhile.
                let _ = self.people[to].exchange.announced(now, &id, &key);
            }
            Event::Key(from, epoch, key) => {
                let id = self.id(from);
                if let Ok(received) = self.people[to].exchange.receive(&id, epoch, &key.sealed, &key.signature) {
                    self.people[to].keys.insert((from, received.epoch()));
                    let used = self.people[from].used.get(&epoch);
                    assert!(used.is_none_or(|used| *used >= self.people[to].came), "a key from before {to} came");
                }
            }
            Event::Undelivered(epoch, who) => {
                let id = self.id(who);
                self.people[to].exchange.undelivered(now, epoch, &[id]);
            }
        }
    }

    fn apply(&mut self, who: usize, output: Output) {
        match output {
            Output::Use(key) => {
                self.people[who].used.insert(key.epoch(), self.now);
                self.people[who].in_use = Some(key);
            }
            Output::Send(ClientMessage::SenderKeys { epoch, keys }) => {
                self.people[who].sent += 1;
                for key in keys {
                    let to: usize = key.to.0[1..].parse().expect("a number");
                    self.people[who].given.insert(to, (epoch, key.clone()));
                    if self.refuse_keys_to == Some(to) {
                        self.later(who, Event::Undelivered(epoch, to));
                    } else {
                        self.later(to, Event::Key(who, epoch, key));
                    }
                }
            }
            Output::Send(other) => panic!("unexpected {other:?}"),
        }
    }

    /// Nobody decrypts what is sent long after they have gone. The sender learns of it after the delay.
    fn check(&self) {
        for sender in self.present() {
            for (who, person) in self.people.iter().enumerate().filter(|(who, _)| *who != sender) {
                let can = self.can_decrypt(who, sender);
                let gone = person.left.is_some_and(|left| self.now > left + self.delay + AFTER_LEAVING);
                assert!(!(can && gone), "{who} has gone and decrypts {sender}");
            }
        }
    }

    fn later(&mut self, to: usize, event: Event) {
        self.events.push_back((self.now + self.delay, to, event));
    }

    fn tell_others(&mut self, who: usize, event: impl Fn() -> Event) {
        for other in self.present() {
            if other != who {
                self.later(other, event());
            }
        }
    }

    pub(crate) fn id(&self, who: usize) -> ParticipantId {
        self.people[who].participant.id.clone()
    }

    pub(crate) fn exchange(&mut self, who: usize) -> &mut KeyExchange {
        &mut self.people[who].exchange
    }

    pub(crate) fn renew(&mut self, who: usize, epoch: u32) {
        let now = self.now;
        self.people[who].exchange.renew(now, epoch);
    }

    pub(crate) fn epoch_in_use(&self, who: usize) -> Option<u32> {
        self.people[who].in_use.as_ref().map(SenderKey::epoch)
    }

    pub(crate) fn has_key(&self, who: usize, sender: usize, epoch: u32) -> bool {
        self.people[who].keys.contains(&(sender, epoch))
    }

    /// Whether somebody has the key with which the sender encrypts now.
    pub(crate) fn can_decrypt(&self, who: usize, sender: usize) -> bool {
        self.epoch_in_use(sender).is_some_and(|epoch| self.has_key(who, sender, epoch))
    }

    pub(crate) fn assert_all_decrypt_all(&self, people: &[usize]) {
        for &who in people {
            for &sender in people.iter().filter(|sender| **sender != who) {
                assert!(self.can_decrypt(who, sender), "{who} does not decrypt {sender}");
            }
        }
    }

    /// How many messages with keys somebody has sent.
    pub(crate) fn sent_keys(&self, who: usize) -> usize {
        self.people[who].sent
    }

    /// The last key that somebody gave to somebody, and its epoch.
    pub(crate) fn last_key(&self, from: usize, to: usize) -> (u32, SealedKey) {
        self.people[from].given[&to].clone()
    }

    /// A frame key that the device of `who` has not signed.
    pub(crate) fn forged_announcement(&self, who: usize) -> FrameKey {
        let forger = Signer::new(DeviceKey::from_secret(&[99; 32]), [who as u8; 32]);
        forger.announce("soup", &[9; 32])
    }
}
