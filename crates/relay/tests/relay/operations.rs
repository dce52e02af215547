//! Random operations at random times must preserve the invariants.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::Duration;

use proptest::prelude::*;
use relay::limits::{MAX_PERMISSIONS, PERMISSION_LIFETIME};
use relay::{Action, PeerPolicy, Shares};

use crate::world::*;

const PEOPLE: usize = 5;
const PLACES: usize = 3;
const TOTAL: usize = 6;

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Allocate { who: usize, from: usize },
    Refresh { who: usize, from: usize, ends: bool },
    Permit { who: usize, from: usize, peers: Vec<u8> },
    Bind { who: usize, from: usize, number: u16, peer: u8 },
    Send { from: usize, peer: u8 },
    Channel { from: usize, number: u16 },
    ReceiveFromPeer { peer: u8 },
    Open(usize),
    Seat(usize),
    Leave(usize),
    Close(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let (who, from) = (0..PEOPLE, 0..PLACES);
    let peers = prop::collection::vec(any::<u8>(), 0..6);
    let number = 0x3ffe..0x4004_u16;
    prop_oneof![
        2 => (0..400_u64).prop_map(Step::Wait),
        4 => (who.clone(), from.clone()).prop_map(|(who, from)| Step::Allocate { who, from }),
        2 => (who.clone(), from.clone(), any::<bool>()).prop_map(|(who, from, ends)| Step::Refresh { who, from, ends }),
        4 => (who.clone(), from.clone(), peers).prop_map(|(who, from, peers)| Step::Permit { who, from, peers }),
        3 => (who.clone(), from.clone(), number.clone(), any::<u8>())
            .prop_map(|(who, from, number, peer)| Step::Bind { who, from, number, peer }),
        4 => (from.clone(), any::<u8>()).prop_map(|(from, peer)| Step::Send { from, peer }),
        3 => (from, number).prop_map(|(from, number)| Step::Channel { from, number }),
        3 => any::<u8>().prop_map(|peer| Step::ReceiveFromPeer { peer }),
        2 => who.clone().prop_map(Step::Open),
        2 => who.clone().prop_map(Step::Seat),
        1 => who.clone().prop_map(Step::Leave),
        1 => who.prop_map(Step::Close),
    ]
}

/// Peers: some are denied, some are relayed addresses, some are public.
fn peer(n: u8) -> SocketAddr {
    match n {
        0..16 => SocketAddr::from(([127, 0, 0, n], 53)),
        16..32 => SocketAddr::from(([11, 0, 0, 1], 22)),
        32..64 => SocketAddr::from(([11, 0, 0, 1], 50_000 + u16::from(n))),
        _ => SocketAddr::from(([20, 0, 0, n], 9)),
    }
}

/// Sessions of members, of a guest, and of one with the shared secret.
fn session(who: usize) -> String {
    format!("session{who}.person{}", who / 2)
}

/// The most that the relay may let through: the time at which the owner of each 5-tuple last permitted a peer.
#[derive(Default)]
struct Model {
    owners: HashMap<SocketAddr, usize>,
    permitted: HashMap<(SocketAddr, std::net::IpAddr), Duration>,
}

struct Run {
    world: World,
    people: Vec<Vec<Person>>,
    model: Model,
    at: Duration,
}

impl Run {
    fn new() -> Run {
        let world = World::with(PeerPolicy::default(), Shares { per_person: 3, total: TOTAL });
        let people = (0..PEOPLE).map(|who| {
            (0..PLACES)
                .map(|from| {
                    let at = format!("198.51.100.{}:5000", from + 1);
                    if who == 4 { Person::shared("other", &at) } else { Person::of_session(&session(who), &at) }
                })
                .collect()
        });
        Run { people: people.collect(), world, model: Model::default(), at: Duration::ZERO }
    }

    fn place(&self, from: usize) -> SocketAddr {
        self.people[0][from].client.remote
    }

    fn step(&mut self, step: Step) {
        let now = self.world.now().instant;
        match step {
            Step::Wait(seconds) => {
                self.at += Duration::from_secs(seconds);
                self.world.wait(Duration::from_secs(seconds));
            }
            Step::Allocate { who, from } => {
                let place = self.place(from);
                if self.world.allocate(&mut self.people[who][from]).is_ok() {
                    self.model.owners.insert(place, who);
                    self.model.permitted.retain(|(at, _), _| *at != place);
                }
            }
            Step::Refresh { who, from, ends } => {
                let code = self.ask(|world, person| world.try_refresh(person, if ends { 0 } else { 600 }), who, from);
                self.judge(who, from, code, ends);
            }
            Step::Permit { who, from, peers } => {
                let peers: Vec<_> = peers.into_iter().map(peer).collect();
                let code = self.ask(|world, person| world.permit(person, &peers), who, from);
                self.judge(who, from, code, false);
                if code == Some(0) {
                    peers.iter().for_each(|peer| self.permitted(from, *peer));
                }
            }
            Step::Bind { who, from, number, peer: n } => {
                let code = self.ask(|world, person| world.try_bind(person, number, peer(n)), who, from);
                self.judge(who, from, code, false);
                if code == Some(0) {
                    assert!(number >= 0x4000);
                    self.permitted(from, peer(n));
                }
            }
            Step::Send { from, peer: n } => {
                let client = self.people[0][from].clone();
                let action = self.world.indicate(&client, peer(n), b"data");
                self.let_through(from, &action);
            }
            Step::Channel { from, number } => {
                let client = self.people[0][from].clone();
                let action = self.world.channel(&client, number, b"data");
                self.let_through(from, &action);
            }
            Step::ReceiveFromPeer { peer: n } => {
                for port in self.world.open.clone() {
                    if let Some(client) = self.world.receive_from_peer(port, &peer(n).to_string(), b"data") {
                        self.assert_permitted(client.remote, peer(n).ip());
                    }
                }
            }
            Step::Open(who) => self.world.relay.session_opened(&session(who), who < 2),
            Step::Seat(who) => self.world.relay.session_seated(&session(who)),
            Step::Leave(who) => self.world.relay.session_left(now, &session(who)),
            Step::Close(who) => self.world.relay.session_closed(now, &session(who)),
        }
        assert!(self.world.open.len() <= TOTAL);
    }

    fn ask<T>(&mut self, ask: impl FnOnce(&mut World, &mut Person) -> T, who: usize, from: usize) -> T {
        // Sources have a limit, which is not tested here.
        ask(&mut self.world, &mut self.people[who][from])
    }

    /// Only the owner's user name has an effect on an allocation.
    fn judge(&mut self, who: usize, from: usize, code: Option<u16>, ends: bool) {
        let owner = self.model.owners.get(&self.place(from));
        if code == Some(0) && !(ends && owner != Some(&who)) {
            assert_eq!(owner, Some(&who));
        }
        if code == Some(0) && ends && owner == Some(&who) {
            let place = self.place(from);
            self.model.owners.remove(&place);
            self.model.permitted.retain(|(at, _), _| *at != place);
        }
    }

    fn permitted(&mut self, from: usize, peer: SocketAddr) {
        assert!(!peer.ip().is_loopback() && peer.port() != 22, "{peer}");
        self.model.permitted.insert((self.place(from), peer.ip()), self.at);
        let at = self.place(from);
        let live = self
            .model
            .permitted
            .iter()
            .filter(|((place, _), since)| *place == at && self.at - **since < PERMISSION_LIFETIME);
        assert!(live.count() <= MAX_PERMISSIONS);
    }

    fn let_through(&self, from: usize, action: &Action) {
        match action {
            Action::Drop => {}
            Action::Peer { peer, .. } => {
                assert!(!peer.ip().is_loopback() && peer.ip().to_string() != HERE, "{peer}");
                self.assert_permitted(self.place(from), peer.ip());
            }
            Action::Client(client) => {
                let here = HERE.parse().expect("an IP");
                self.assert_permitted(self.place(from), here);
                self.assert_permitted(client.remote, here);
            }
            Action::Open(_) => panic!("data opens nothing"),
        }
    }

    fn assert_permitted(&self, place: SocketAddr, peer: std::net::IpAddr) {
        let since = self.model.permitted.get(&(place, peer)).expect("permitted by the owner");
        assert!(self.at - *since < PERMISSION_LIFETIME);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn only_permitted_data_passes_and_state_is_bounded(steps in prop::collection::vec(step(), 1..120)) {
        let mut run = Run::new();
        for step in steps {
            run.step(step);
        }
        // Everything that was held is released.
        for who in 0..PEOPLE {
            let now = run.world.now().instant;
            run.world.relay.session_closed(now, &session(who));
        }
        run.world.wait(Duration::from_secs(3_600));
        prop_assert!(run.world.open.is_empty());
        prop_assert_eq!(run.world.relay.poll_timeout(), None);
        let places: HashSet<_> = (0..TOTAL).filter(|n| {
            let mut last = Person::shared(&format!("last{n}"), &format!("40.0.0.{n}:5000"));
            run.world.allocate(&mut last).is_ok()
        }).collect();
        prop_assert_eq!(places.len(), TOTAL, "every place is free again");
    }
}
