//! Whatever people do, in any order, every client's view of the room stays correct.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use rooms::{Limits, Output, Person, Rate, Rates, Rooms};
use signaling::message::{ClientMessage, Hand, MediaState, ParticipantId, ServerMessage, SessionId};

const PARTICIPANTS: usize = 3;
const SESSIONS: usize = 7;
const ROOMS: [&str; 2] = ["soup", "cake"];

#[derive(Debug, Clone)]
enum Step {
    Open { device: u8 },
    Join { session: u8, room: bool, media: MediaState },
    Leave { session: u8 },
    Offer { session: u8, to: u8 },
    Media { session: u8, media: MediaState },
    Hand { session: u8, raised: bool },
    Chat { session: u8 },
    Disconnect { session: u8 },
    Resume { session: u8, device: u8 },
    Close { session: u8 },
    Quit { session: u8 },
    Wait { seconds: u8 },
}

fn media() -> impl Strategy<Value = MediaState> {
    (any::<bool>(), any::<bool>()).prop_map(|(microphone, camera)| MediaState { microphone, camera, screen: false })
}

fn step() -> impl Strategy<Value = Step> {
    let s = 0..12u8;
    let d = 0..5u8;
    prop_oneof![
        3 => d.clone().prop_map(|device| Step::Open { device }),
        5 => (s.clone(), any::<bool>(), media()).prop_map(|(session, room, media)| Step::Join { session, room, media }),
        2 => s.clone().prop_map(|session| Step::Leave { session }),
        4 => (s.clone(), 1..9u8).prop_map(|(session, to)| Step::Offer { session, to }),
        2 => (s.clone(), media()).prop_map(|(session, media)| Step::Media { session, media }),
        4 => (s.clone(), any::<bool>()).prop_map(|(session, raised)| Step::Hand { session, raised }),
        2 => s.clone().prop_map(|session| Step::Chat { session }),
        3 => s.clone().prop_map(|session| Step::Disconnect { session }),
        3 => (s.clone(), d).prop_map(|(session, device)| Step::Resume { session, device }),
        1 => s.clone().prop_map(|session| Step::Close { session }),
        1 => s.prop_map(|session| Step::Quit { session }),
        2 => (0..40u8).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// What a client knows from its messages alone.
#[derive(Default)]
struct ReceivedState {
    room: Option<(String, ParticipantId)>,
    hand: Option<Hand>,
    others: BTreeMap<ParticipantId, (MediaState, bool, Option<Hand>)>,
    chat: Vec<(ParticipantId, u64)>,
}

impl ReceivedState {
    fn apply(&mut self, message: &ServerMessage) {
        match message {
            ServerMessage::Joined { room, you, participants } => {
                assert!(self.room.is_none(), "joined twice");
                self.room = Some((room.clone(), you.clone()));
                self.others = participants.iter().map(|p| (p.id.clone(), (p.media, true, p.hand))).collect();
                self.hand = None;
                self.chat.clear();
            }
            ServerMessage::Left { .. } => {
                assert!(self.room.take().is_some(), "left without a seat");
                self.others.clear();
            }
            ServerMessage::ParticipantJoined { participant } => {
                let new = self.others.insert(participant.id.clone(), (participant.media, true, participant.hand));
                assert!(new.is_none(), "an id was used twice");
            }
            ServerMessage::ParticipantLeft { id, .. } => assert!(self.others.remove(id).is_some(), "an unknown left"),
            ServerMessage::ParticipantConnection { id, connected } => {
                self.others.get_mut(id).expect("known").1 = *connected;
            }
            ServerMessage::Offer { from, .. } => assert!(self.others.contains_key(from), "an offer from outside"),
            ServerMessage::Media { from, media } => self.others.get_mut(from).expect("known").0 = *media,
            ServerMessage::Hand { from, hand } if self.room.as_ref().is_some_and(|(_, you)| you == from) => {
                self.hand = *hand;
            }
            ServerMessage::Hand { from, hand } => self.others.get_mut(from).expect("known").2 = *hand,
            ServerMessage::Chat { from, at, .. } => self.chat.push((from.clone(), *at)),
            ServerMessage::Error(_) => {}
            other => panic!("unexpected {other:?}"),
        }
    }
}

struct World {
    rooms: Rooms,
    now: Instant,
    unix_ms: u64,
    sessions: Vec<SessionId>,
    devices: HashMap<SessionId, u8>,
    broken: HashMap<SessionId, Instant>,
    received: HashMap<SessionId, ReceivedState>,
}

impl World {
    fn new() -> World {
        // Other tests cover the rates; here they would only suppress messages.
        let free = Rate::new(1e9, 1e9);
        let rates = Rates {
            messages: free,
            bytes: free,
            joins: free,
            chat: free,
            hands: free,
            reactions: free,
            board: free,
            photos: free,
            ..Rates::default()
        };
        let limits = Limits { participants: PARTICIPANTS, sessions: SESSIONS, rates, ..Limits::default() };
        World {
            rooms: Rooms::new(limits, board()),
            now: Instant::now(),
            unix_ms: 0,
            sessions: Vec::new(),
            devices: HashMap::new(),
            broken: HashMap::new(),
            received: HashMap::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Open { device } => self.open(device),
            Step::Join { session, room, media } => {
                let room = ROOMS[usize::from(room)].to_owned();
                self.say(session, ClientMessage::Join { room, media, invite: None, nonce: None });
            }
            Step::Leave { session } => self.say(session, ClientMessage::Leave),
            Step::Offer { session, to } => {
                let to = ParticipantId(format!("p{to}"));
                self.say(session, ClientMessage::Offer { to, sdp: String::new(), signature: None });
            }
            Step::Media { session, media } => self.say(session, ClientMessage::Media(media)),
            Step::Hand { session, raised } => self.say(session, ClientMessage::Hand { raised }),
            Step::Chat { session } => self.say(session, ClientMessage::Chat { text: "x".into() }),
            Step::Disconnect { session } => {
                let Some(session) = self.session(session) else { return };
                self.rooms.disconnected(self.now, &session);
                self.broken.entry(session).or_insert(self.now);
            }
            Step::Resume { session, device } => self.resume(session, device),
            Step::Close { session } => {
                let Some(session) = self.session(session) else { return };
                self.rooms.close(&session, signaling::message::ErrorCode::TooSlow);
            }
            Step::Quit { session } => {
                let Some(session) = self.session(session) else { return };
                self.rooms.quit(&session);
            }
            Step::Wait { seconds } => {
                self.now += Duration::from_secs(seconds.into());
                self.rooms.handle_timeout(self.now);
            }
        }
    }

    fn open(&mut self, device: u8) {
        let session = SessionId(format!("s{}", self.devices.len()));
        let person = Person { key: format!("k{device}"), name: "x".into(), member: true, steward: false, device: None };
        let room_left = self.sessions.len() < SESSIONS;
        let opened = self.rooms.open(self.now, session.clone(), person).is_ok();
        assert_eq!(opened, room_left);
        if opened {
            self.sessions.push(session.clone());
            self.devices.insert(session.clone(), device);
            self.received.insert(session, ReceivedState::default());
        }
    }

    fn resume(&mut self, session: u8, device: u8) {
        let Some(session) = self.session(session) else { return };
        let resumed = self.rooms.resume(&session, &format!("k{device}")).is_ok();
        assert_eq!(resumed, self.devices[&session] == device);
        if resumed {
            self.broken.remove(&session);
        }
    }

    fn say(&mut self, session: u8, message: ClientMessage) {
        let Some(session) = self.session(session) else { return };
        // A broken session cannot send anything.
        if !self.broken.contains_key(&session) {
            self.unix_ms += 1;
            self.rooms.message(self.now, self.unix_ms, &session, 1, 10, message);
        }
    }

    fn session(&self, index: u8) -> Option<SessionId> {
        let count = self.sessions.len();
        (count > 0).then(|| self.sessions[usize::from(index) % count].clone())
    }

    fn deliver(&mut self) {
        while let Some(output) = self.rooms.poll_output() {
            match output {
                Output::Write(_)
                | Output::Forgotten(_)
                | Output::Forwarder(_)
                | Output::Kept { .. }
                | Output::Publish { .. } => {}
                Output::Send { to, message } => {
                    self.received.get_mut(&to).expect("only to live sessions").apply(&message);
                }
                Output::End { session, .. } => {
                    assert!(self.received.remove(&session).is_some(), "ended twice");
                    self.sessions.retain(|other| other != &session);
                    self.broken.remove(&session);
                }
            }
        }
    }

    fn check(&self) {
        assert_eq!(self.rooms.sessions(), self.sessions.len());
        for since in self.broken.values() {
            let over = self.rooms.poll_timeout().expect("a broken session has a deadline");
            assert!(over <= *since + Duration::from_secs(30));
        }
        let mut ids = HashSet::new();
        for (session, picture) in &self.received {
            let seat = self.rooms.seat(session).map(|(room, id)| (room.to_owned(), id.clone()));
            assert_eq!(picture.room, seat);
            let Some((room, me)) = seat else { continue };
            assert!(ids.insert((room.clone(), me.clone())), "two participants have the same id");
            self.check_picture(picture, &room, &me);
        }
    }

    fn check_picture(&self, picture: &ReceivedState, room: &str, me: &ParticipantId) {
        let truth = self.rooms.participants(room);
        assert!(truth.len() <= PARTICIPANTS);
        let keys: HashSet<_> = truth.iter().map(|participant| &participant.key).collect();
        assert_eq!(keys.len(), truth.len(), "a device has one seat in a room");
        let others: BTreeMap<_, _> =
            truth.iter().filter(|p| &p.id != me).map(|p| (p.id.clone(), (p.media, p.hand))).collect();
        let pictured: BTreeMap<_, _> =
            picture.others.iter().map(|(id, known)| (id.clone(), (known.0, known.2))).collect();
        assert_eq!(pictured, others);
        assert_eq!(truth.iter().find(|p| &p.id == me).expect("has a seat").hand, picture.hand);
        let raised: Vec<Hand> = truth.iter().filter_map(|participant| participant.hand).collect();
        assert_eq!(raised.iter().collect::<HashSet<_>>().len(), raised.len(), "two hands have the same place");
        for session in self.sessions.iter() {
            match self.rooms.seat(session) {
                Some((theirs, id)) if theirs == room && id != me => {
                    assert_eq!(picture.others[id].1, !self.broken.contains_key(session));
                    self.check_chat(picture, &self.received[session]);
                }
                Some(_) | None => {}
            }
        }
    }

    /// Both received the same lines since the later of them joined.
    fn check_chat(&self, one: &ReceivedState, other: &ReceivedState) {
        let shared = one.chat.len().min(other.chat.len());
        assert_eq!(one.chat[one.chat.len() - shared..], other.chat[other.chat.len() - shared..]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_client_s_state_matches_the_room(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            world.deliver();
            world.check();
        }
    }
}

/// An empty board: these tests are about rooms.
fn board() -> rooms::board::Board {
    let calendar = rooms::board::Calendar::new("UTC").expect("a zone");
    rooms::board::Board::new(calendar, [0; 32], [0; 32], Default::default(), 0)
}
