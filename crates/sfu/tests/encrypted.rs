//! Frames that are encrypted end to end pass the forwarder, which cannot decode them.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use e2ee::{Opener, Sealer, SenderKey, Stream};
use sfu::ParticipantId;
use support::client::Client;
use support::world::World;
use support::{DESCRIPTOR, Encryption};

/// The key of somebody.
fn key(of: ParticipantId) -> SenderKey {
    SenderKey::new(1, [of.0 as u8 + 1; 32].into())
}

fn opener(of: ParticipantId, stream: Stream) -> Opener {
    let mut opener = Opener::new(stream);
    assert!(opener.accept(Instant::now(), &key(of)));
    opener
}

/// A room of three who encrypt everything and see each other.
fn three() -> World {
    let mut world = World::new(3, (2, 2));
    for client in &mut world.clients {
        let key = key(client.person.id);
        let encryption = Encryption::new(&key);
        client.encryption = Some(Sealer::new(&key, Stream::Audio).unwrap());
        client.level = 30;
        for (encoder, (bytes, packets)) in client.encoders.iter_mut().zip([(100, 1), (250, 1), (300, 2)]) {
            (encoder.bytes, encoder.packets) = (bytes, packets);
            encoder.encryption = Some(encryption.clone());
        }
    }
    world.connect();
    for who in 0..3 {
        world.watch(who, &[(who + 1) % 3, (who + 2) % 3]);
    }
    world
}

/// The encrypted frames in one video slot that are complete, and whose they are.
fn frames(client: &Client, slot: usize) -> Vec<(ParticipantId, Vec<u8>)> {
    let mut frames: BTreeMap<u64, (ParticipantId, Vec<u8>)> = BTreeMap::new();
    let (mut first, mut expected, mut ended) = (None, None, true);
    for (sequence, packet) in &client.video(slot).packets {
        // An empty packet takes the place of one that is not wanted.
        let Some(part) = packet.payload.get(DESCRIPTOR..).filter(|part| !part.is_empty()) else { continue };
        let begins = packet.payload[0] & 0x10 != 0;
        if begins {
            first = Some(*sequence);
        } else if ended || expected != Some(*sequence) {
            first = None;
        }
        (expected, ended) = (Some(sequence + 1), packet.marker);
        if let Some(first) = first {
            frames.entry(first).or_insert((packet.from, Vec::new())).1.extend(part);
        }
    }
    frames.into_values().collect()
}

#[test]
fn encrypted_frames_pass_and_only_those_with_the_key_decrypt_them() {
    let mut world = three();
    world.run(Duration::from_secs(8));
    let now = Instant::now();
    for (who, client) in world.clients.iter().enumerate() {
        for slot in 0..2 {
            let received = frames(client, slot);
            let from = received[0].0;
            assert!(received.len() > 150, "{who} {slot}: {}", received.len());
            let (mut opener, mut frame, mut clear) = (opener(from, Stream::Camera), Vec::new(), 0);
            let mut stranger = self::opener(ParticipantId(77), Stream::Camera);
            for (_, sealed) in &received {
                assert!(stranger.open(now, sealed, &mut frame).is_err());
                if opener.open(now, sealed, &mut frame).is_ok() {
                    clear += 1;
                    assert_eq!(frame[1], from.0 as u8, "the frame of another");
                }
            }
            // The last may be incomplete.
            assert!(clear + 1 >= received.len(), "{who} {slot}: {clear} of {}", received.len());
        }
        for other in world.clients.iter().filter(|other| other.person != client.person) {
            let from = other.person.id;
            let (mut opener, mut sound) = (opener(from, Stream::Audio), Vec::new());
            for packet in client.sounds_of(from) {
                opener.open(now, &packet.payload, &mut sound).unwrap();
                assert_eq!(sound, [from.0 as u8; 60]);
            }
            assert!(opener.counts().opened > 300, "{who}");
        }
    }
}

#[test]
fn a_keyframe_is_still_found_when_it_is_requested() {
    let mut world = three();
    world.run(Duration::from_secs(4));
    let now = world.now;
    world.clients[0].request_keyframes(now);
    let before = frames(&world.clients[0], 0).len();
    world.run(Duration::from_secs(3));
    let keyframes = frames(&world.clients[0], 0)[before..].iter().filter(|(_, sealed)| sealed[0] & 1 == 0).count();
    assert!(keyframes > 0);
}
