//! What it costs to encrypt frames and to give a new key to a full room.
//!
//! `cargo xtask bench frames` runs it and prints the line.

#![allow(clippy::unwrap_used, missing_docs)]

use std::time::{Duration, Instant};

use e2ee::{KeyExchange, Opener, Sealer, SenderKey, Stream};
use signaling::identity::DeviceKey;
use signaling::message::{ClientMessage, MediaState, Participant, ParticipantId};
use signaling::statement::Signer;

/// A packet of video, and a frame of 720p at 3 Mbit/s.
const SIZES: [usize; 2] = [1_200, 12_000];
const FRAMES: usize = 20_000;
const ROUNDS: usize = 9;
const OTHERS: u8 = 59;

fn main() {
    let frames = SIZES.map(frame);
    let [[seal, open], [seal_large, open_large]] = frames;
    let (give, receive) = new_key();
    println!("{seal:.2} {open:.2} {seal_large:.2} {open_large:.2} {give:.2} {receive:.0}");
}

/// µs to encrypt and to decrypt a frame of this size: the median of some rounds.
fn frame(size: usize) -> [f64; 2] {
    let key = SenderKey::new(1, [7; 32].into());
    let frame: Vec<u8> = (0..size).map(|n| n as u8 | 1).collect();
    let mut rounds: [Vec<f64>; 2] = Default::default();
    for _ in 0..ROUNDS {
        let mut sealer = Sealer::new(&key, Stream::Camera).unwrap();
        let mut opener = Opener::new(Stream::Camera);
        opener.accept(Instant::now(), &key);
        let (mut sealed, mut opened) = (vec![Vec::new(); 100], Vec::new());
        let mut took = [Duration::ZERO; 2];
        for _ in 0..FRAMES / sealed.len() {
            let begin = Instant::now();
            sealed.iter_mut().for_each(|sealed| sealer.seal(&frame, sealed).unwrap());
            let between = Instant::now();
            sealed.iter().for_each(|sealed| opener.open(between, sealed, &mut opened).unwrap());
            took[0] += between - begin;
            took[1] += between.elapsed();
        }
        for (rounds, took) in rounds.iter_mut().zip(took) {
            rounds.push(took.as_secs_f64() * 1e6 / FRAMES as f64);
        }
    }
    rounds.map(median)
}

/// ms to make a key and seal it to everybody else in a full room, and µs to receive one.
fn new_key() -> (f64, f64) {
    let mut rounds = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (mut ada, mut ben) = (exchange(1, round), exchange(2, round));
        let now = Instant::now();
        for other in 2..=OTHERS + 1 {
            let person = exchange(other, round);
            let ClientMessage::FrameKey(key) = person.announcement() else { panic!("a frame key") };
            ada.joined(now, &participant(other));
            ada.announced(now, &id(other), &key).unwrap();
        }
        ben.joined(now, &participant(1));
        ada.start(now);
        let due = ada.poll_timeout().unwrap();
        let begin = Instant::now();
        ada.handle_timeout(due);
        rounds.0.push(begin.elapsed().as_secs_f64() * 1e3);
        let Some(e2ee::Output::Send(ClientMessage::SenderKeys { epoch, keys })) = ada.poll_output() else {
            panic!("keys for others")
        };
        assert_eq!(keys.len(), usize::from(OTHERS));
        let key = keys.iter().find(|key| key.to == id(2)).unwrap();
        let begin = Instant::now();
        ben.receive(&id(1), epoch, &key.sealed, &key.signature).unwrap();
        rounds.1.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    (median(rounds.0), median(rounds.1))
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn signer(who: u8) -> Signer {
    Signer::new(DeviceKey::from_secret(&[who; 32]), [who; 32])
}

fn exchange(who: u8, round: usize) -> KeyExchange {
    let mut seed = [who; 32];
    seed[0] = round as u8;
    KeyExchange::new(signer(who), "soup", seed)
}

fn id(who: u8) -> ParticipantId {
    ParticipantId(format!("p{who}"))
}

fn participant(who: u8) -> Participant {
    let stay = signer(who).stay();
    Participant {
        id: id(who),
        name: "x".into(),
        key: stay.key.to_string(),
        nonce: Some(stay.nonce_text()),
        media: MediaState::default(),
        hand: None,
        avatar: Default::default(),
    }
}
