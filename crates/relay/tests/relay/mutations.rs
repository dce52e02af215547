//! Seeded mutations of all kinds of datagrams. The same function runs under libFuzzer (`cargo xtask fuzz datagram`).

#[path = "../../../../tests/fuzz/src/corpus.rs"]
mod corpus;
#[path = "../../../../tests/fuzz/src/relay.rs"]
mod entry;

use proptest::test_runner::{RngAlgorithm, TestRng};
use seeded::Bytes;

use crate::world::*;
use relay::{Action, PeerPolicy, Shares};
use turn_types::attribute::Lifetime;
use turn_types::message::{ALLOCATE, REFRESH};

/// Bytes and numbers from a seeded generator.
mod seeded {
    use proptest::prelude::Rng as _;
    use proptest::test_runner::TestRng;

    pub(super) struct Bytes(pub(super) TestRng);

    impl Bytes {
        pub(super) fn below(&mut self, n: usize) -> usize {
            self.0.next_u32() as usize % n.max(1)
        }

        pub(super) fn byte(&mut self) -> u8 {
            match self.below(3) {
                0 => [0, 1, 0x40, 0x7f, 0x80, 0xff][self.below(6)],
                _ => self.0.next_u32() as u8,
            }
        }
    }
}

fn mutated(bytes: &mut Bytes, datagram: &[u8]) -> Vec<u8> {
    let mut out = datagram.to_vec();
    for _ in 0..=bytes.below(4) {
        match bytes.below(10) {
            0..6 if !out.is_empty() => {
                let place = bytes.below(out.len());
                out[place] = bytes.byte();
            }
            6 => out.truncate(bytes.below(out.len() + 1)),
            7 => {
                let place = bytes.below(out.len() + 1);
                let more: Vec<u8> = (0..4).map(|_| bytes.byte()).collect();
                out.splice(place..place, more);
            }
            8 if out.len() >= 20 => {
                let length = (out.len() - 20) as u16;
                out[2..4].copy_from_slice(&length.to_be_bytes());
            }
            _ => {}
        }
    }
    out
}

#[test]
fn the_relay_survives_any_datagram() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut bytes = Bytes(rng);
    let mut world = World::with(PeerPolicy::default(), Shares { per_person: 64, total: 1_000 });
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    let peer = addr("20.0.0.1:4000");
    assert_eq!(world.bind(&mut ada, 0x4000, peer), 0);
    let ben = Person::shared("s.ben", "198.51.100.2:5000");
    for n in 0..40_000 {
        let seeds = [
            ada.request(ALLOCATE, &[&udp()]),
            ada.request(REFRESH, &[&Lifetime::new(600)]),
            frame(0x4000, b"hello"),
            entry::send_indication(peer, b"hello"),
            entry::create_permission(peer),
        ];
        let datagram = mutated(&mut bytes, &seeds[n % seeds.len()]);
        let from = if n % 3 == 0 { &ben } else { &ada };
        let action = world.handle(&from.client, &datagram);
        if let Action::Peer { peer: to, data, .. } = action {
            // A permission is for an address, so a mutation may change the port.
            assert_eq!(to.ip(), peer.ip());
            assert!(datagram.get(data).is_some());
        }
    }
    let mut cyd = Person::shared("s.cyd", "198.51.100.3:5000");
    assert!(world.allocate(&mut cyd).is_ok());
}

#[test]
fn the_seeds_of_the_fuzzer_pass() {
    for seed in entry::seeds() {
        entry::datagrams(&seed);
        for length in 0..seed.len() {
            entry::datagrams(&seed[..length]);
        }
    }
}

#[test]
fn stored_datagrams_streams_and_answers_pass() {
    corpus::replay("datagram", entry::datagrams);
    corpus::replay("framer", entry::framer);
    corpus::replay("response", entry::response);
}
