//! People with real connections in a forwarded room, over simulated paths.

#![allow(clippy::unwrap_used)]

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use sfu::limits::CONNECT_TIME;
use sfu::{Event, OfferRefused, ParticipantId, Person, RoomId};
use support::client::Client;
use support::world::World;
use testkit::net::{Loss, Path};

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn path(rate: Option<u64>, loss: Loss) -> Path {
    Path { rate, loss, ..Path::default() }
}

/// A room of three, in which everybody sees the others.
fn three() -> World {
    let mut world = World::new(3, (2, 2));
    world.connect();
    for client in &mut world.clients {
        // 24, 60 and 144 kbit/s: two of the largest fit the first estimate.
        for (encoder, (bytes, packets)) in client.encoders.iter_mut().zip([(100, 1), (250, 1), (300, 2)]) {
            (encoder.bytes, encoder.packets) = (bytes, packets);
        }
    }
    for who in 0..3 {
        world.watch(who, &[(who + 1) % 3, (who + 2) % 3]);
    }
    world
}

/// Frames of a picture since there were `before` packets of it.
fn grown(client: &Client, slot: usize, before: usize) -> usize {
    client.video(slot).packets.len() - before
}

#[test]
fn three_people_receive_each_other() {
    let mut world = three();
    world.run(seconds(8));
    for (who, client) in world.clients.iter().enumerate() {
        for slot in 0..2 {
            assert_eq!(client.video(slot).layers().last(), Some(&2), "{who} {slot}");
            assert_eq!(client.video(slot).missing(), 0);
        }
        let others = world.clients.iter().filter(|other| other.person != client.person);
        for other in others {
            assert!(client.sound_of(other.person.id) > 360, "{who}");
        }
        assert!(client.shown.values().all(Option::is_some));
    }
    world.check();
    assert_eq!(world.sfu.load(), (1, 3));
    assert_eq!(world.sfu.counters().refused, 0);
}

#[test]
fn what_one_receiver_loses_is_sent_to_them_again_and_others_notice_nothing() {
    let mut world = three();
    world.run(seconds(5));
    world.clients[0].down.change_at(world.now, path(None, Loss::Random(0.05)));
    let requests: usize = world.clients[1].keyframe_requests;
    world.run(seconds(10));
    let lossy = world.clients[0].video(0);
    assert!(lossy.missing() * 200 < lossy.packets.len(), "{} of {}", lossy.missing(), lossy.packets.len());
    for slot in 0..2 {
        assert_eq!(world.clients[1].video(slot).missing() + world.clients[2].video(slot).missing(), 0);
    }
    assert!(world.clients[1].keyframe_requests - requests < 8, "{}", world.clients[1].keyframe_requests - requests);
    world.check();
}

#[test]
fn a_narrow_downlink_gets_less_without_a_queue_and_others_all() {
    let mut world = three();
    world.run(seconds(8));
    world.clients[0].down.change_at(world.now, path(Some(350_000), Loss::None));
    world.run(seconds(15));
    let before = world.clients[0].video(0).packets.len();
    let (mut longest, mut queues) = (Duration::ZERO, Vec::new());
    for _ in 0..2_000 {
        world.step();
        let queue = world.clients[0].down.queue_delay(world.now);
        longest = longest.max(queue);
        queues.push(queue);
    }
    queues.sort();
    assert!(queues[1_000] < Duration::from_millis(60), "usually {:?}, at most {longest:?}", queues[1_000]);
    assert!(grown(&world.clients[0], 0, before) > 150, "still a picture");
    for who in 1..3 {
        let layers: Vec<u8> =
            (0..2).filter_map(|slot| world.clients[who].video(slot).layers().last().copied()).collect();
        assert_eq!(layers, [2, 2]);
    }
    world.check();
}

#[test]
fn a_downlink_for_sound_alone_gets_sound_and_others_notice_nothing() {
    let mut world = three();
    world.run(seconds(8));
    let speaker = world.clients[1].person.id;
    // Two voices with their headers take about 100 kbit/s.
    world.clients[0].down.change_at(world.now, path(Some(140_000), Loss::None));
    world.run(seconds(15));
    let before = world.clients[0].sound_of(speaker);
    world.run(seconds(5));
    let sound = world.clients[0].sound_of(speaker) - before;
    assert!(sound > 220, "{sound} of 250");
    world.clients[0].down.change_at(world.now, path(Some(50_000), Loss::None));
    let before = world.clients[2].sound_of(speaker);
    world.run(seconds(5));
    assert!(world.clients[2].sound_of(speaker) - before >= 245);
    assert_eq!(world.clients[2].video(0).missing() + world.clients[2].video(1).missing(), 0);
    world.check();
}

#[test]
fn ssrcs_of_others_and_changing_ones_confuse_nobody() {
    let mut world = three();
    world.run(seconds(2));
    // Two people with the same SSRCs.
    world.clients[0].change_ssrcs(500_000);
    world.clients[1].change_ssrcs(500_000);
    world.run(seconds(4));
    for round in 0..20 {
        world.clients[0].change_ssrcs(600_000 + 10 * round);
        world.run(Duration::from_millis(50));
    }
    world.run(seconds(4));
    let before: Vec<usize> = (0..2).map(|slot| world.clients[2].video(slot).packets.len()).collect();
    world.run(seconds(3));
    for (slot, before) in before.into_iter().enumerate() {
        let grown = grown(&world.clients[2], slot, before);
        assert!(grown > 80, "{slot} goes on: {grown}");
    }
    world.check();
}

#[test]
fn a_flood_of_one_is_bounded_and_others_notice_nothing() {
    let mut world = three();
    world.run(seconds(5));
    let address = world.clients[0].address;
    // 100 Mbit/s of what looks like media.
    let junk: Vec<u8> = [&[0x80, 96][..], &[7; 1_248]].concat();
    let before = world.sfu.counters();
    let packets = world.clients[1].video(0).packets.len() + world.clients[1].video(1).packets.len();
    for _ in 0..400 {
        (0..50).for_each(|_| world.sfu.receive(world.now, address, world.server, &junk));
        world.step();
    }
    let refused = world.sfu.counters().refused - before.refused;
    assert!(refused > 12_000, "{refused}");
    let seen = [1, 2].map(|who| world.clients[who].video(usize::from(who == 1)).missing());
    assert_eq!(seen, [0, 0]);
    assert!(world.clients[1].video(0).packets.len() + world.clients[1].video(1).packets.len() > packets + 150);
    world.run(seconds(5));
    world.check();
}

#[test]
fn a_thousand_keyframe_requests_a_second_reach_a_publisher_once_a_second() {
    let mut world = three();
    world.run(seconds(4));
    let before: usize = world.clients[1].keyframe_requests;
    for _ in 0..800 {
        world.clients[0].request_keyframes(world.now);
        world.step();
    }
    let requests = world.clients[1].keyframe_requests - before;
    assert!((1..=5).contains(&requests), "{requests} in four seconds");
    world.check();
}

#[test]
fn media_after_leaving_goes_nowhere() {
    let mut world = three();
    world.run(seconds(3));
    let gone = world.clients[0].person;
    world.sfu.leave(world.now, gone);
    // What is on its way arrives.
    world.run(Duration::from_millis(100));
    let before = world.sfu.counters();
    let counts = [1, 2].map(|who| world.clients[who].sound_of(gone.id));
    world.run(seconds(2));
    assert_eq!(counts, [1, 2].map(|who| world.clients[who].sound_of(gone.id)));
    assert_eq!(world.sfu.counters().refused, before.refused, "not even looked at");
    assert!(world.clients[1].shown.values().any(Option::is_none));
    for person in world.clients.iter().map(|client| client.person).collect::<Vec<Person>>() {
        world.sfu.leave(world.now, person);
    }
    assert_eq!(world.sfu.load(), (0, 0));
    assert!(world.sfu.counters().forwarded > 0, "counters outlive rooms");
}

#[test]
fn packets_too_long_to_be_forwarded_harm_nobody() {
    let mut world = three();
    world.run(seconds(2));
    for encoder in &mut world.clients[0].encoders {
        encoder.bytes = 1_800;
    }
    world.run(seconds(2));
    assert!(world.sfu.counters().refused > 100);
    let other = world.clients[1].person.id;
    let before = world.clients[2].sound_of(other);
    world.run(seconds(1));
    assert!(world.clients[2].sound_of(other) > before + 40);
    world.check();
}

#[test]
fn strangers_get_no_answer() {
    let mut world = three();
    world.run(seconds(1));
    let stranger = SocketAddr::from(([192, 0, 2, 99], 5_000));
    let check = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[0; 12]].concat();
    let random: Vec<u8> = (0..200).collect();
    for datagram in [&check[..], &[], &[0], &[22, 254, 253], &[0x80; 20], &random] {
        world.sfu.receive(world.now, stranger, world.server, datagram);
    }
    world.sfu.finish(world.now);
    let answers = std::iter::from_fn(|| world.sfu.poll()).filter(|event| match event {
        Event::Transmit { to, .. } => *to == stranger,
        _ => false,
    });
    assert_eq!(answers.count(), 0);
    world.run(seconds(1));
    world.check();
}

#[test]
fn offers_that_make_no_sense_are_refused() {
    let mut world = World::new(1, (1, 1));
    let person = world.clients[0].person;
    let mut offer = |text: &str| world.sfu.offer(world.now, person, text).map(|_| ());
    assert!(matches!(offer(""), Err(OfferRefused::Invalid(_))));
    assert!(matches!(offer("v=0\r\nm=audio"), Err(OfferRefused::Invalid(_))));
    assert_eq!(offer(&"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n".repeat(100)), Err(OfferRefused::TooLong));
    assert_eq!(offer(&"a=x\r\n".repeat(50_000)), Err(OfferRefused::TooLong));
    let nobody = Person { room: RoomId(1), id: ParticipantId(99) };
    assert_eq!(world.sfu.offer(world.now, nobody, "v=0"), Err(OfferRefused::NotHere));
    world.connect();
}

#[test]
fn a_client_that_is_silent_is_disconnected_and_may_come_back() {
    let mut world = three();
    world.run(seconds(1));
    world.clients[0].up.change_at(world.now, path(None, Loss::Random(1.0)));
    world.run(CONNECT_TIME + seconds(2));
    assert_eq!(world.disconnected, [world.clients[0].person]);
    let person = world.clients[0].person;
    let (sfu, now) = (&mut world.sfu, world.now);
    world.clients[0] = Client::new(now, person, (2, 2), |offer| sfu.offer(now, person, offer).unwrap());
    world.connect();
    world.run(seconds(4));
    assert!(world.clients[0].video(0).packets.len() > 80);
    assert!(world.clients[1].sound_of(person.id) > 100);
    world.check();
}
