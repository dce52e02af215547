//! The room as a whole: whatever arrives, each slot is one continuous stream.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sfu::limits::{MAX_AUDIO_SLOTS, MAX_PARTICIPANTS, MAX_PAYLOAD_BYTES, MAX_VIDEO_SLOTS};
use sfu::{Bounds, Kind, Output, Packet, ParticipantId, Rate, Room, Slot, Source, Wanted};
use support::{Encoder, FRAME, Received, origin, sound, start};
use testkit::random::Random;

/// A room with publishers of three encodings each, and what everybody receives.
struct Scene {
    room: Room,
    now: Instant,
    random: Random,
    people: Vec<ParticipantId>,
    encoders: Vec<Encoder>,
    /// Packets on their way, with the time of their arrival.
    travelling: VecDeque<(Instant, Source, u8, Packet)>,
    loss: f64,
    duplicates: f64,
    /// Longest delay of a packet.
    delay: Duration,
    lost: usize,
    received: BTreeMap<(ParticipantId, Slot), Received>,
    shown: BTreeMap<(ParticipantId, Slot), Option<Source>>,
    /// Packets whose owner is not the one that the slot shows.
    strangers: usize,
    keyframe_requests: usize,
}

impl Scene {
    fn new(people: usize, seed: u64) -> Scene {
        Scene::bounded(people, seed, Bounds::default())
    }

    fn bounded(people: usize, seed: u64, bounds: Bounds) -> Scene {
        let (mut room, now) = (Room::bounded(bounds), start());
        let people: Vec<ParticipantId> = (0..people).map(|_| room.join(now).unwrap()).collect();
        let camera = |from: &ParticipantId| Source { from: *from, kind: Kind::Camera };
        let encoders =
            people.iter().flat_map(|from| (0..3).map(move |layer| Encoder::new(camera(from), layer))).collect();
        let mut scene = Scene {
            room,
            now,
            random: Random::new(seed),
            people,
            encoders,
            travelling: VecDeque::new(),
            loss: 0.0,
            duplicates: 0.0,
            delay: Duration::ZERO,
            lost: 0,
            received: BTreeMap::new(),
            shown: BTreeMap::new(),
            strangers: 0,
            keyframe_requests: 0,
        };
        for id in scene.people.clone() {
            scene.room.open_slots(scene.now, id, 3, 2);
            scene.room.set_downlink(id, 5_000_000);
        }
        scene
    }

    fn watch(&mut self, to: usize, whose: &[usize]) {
        let wanted: Vec<Wanted> = whose
            .iter()
            .map(|index| Wanted {
                source: Source { from: self.people[*index], kind: Kind::Camera },
                height: 720,
                priority: 1,
            })
            .collect();
        self.room.view(self.now, self.people[to], &wanted);
        self.drain();
    }

    /// One frame of everybody, and all that arrives until the next.
    fn frame(&mut self) {
        for index in 0..self.encoders.len() {
            let packets = self.encoders[index].frame();
            let (source, layer) = (self.encoders[index].source, self.encoders[index].layer);
            packets.into_iter().for_each(|packet| self.send(source, layer, packet));
        }
        self.advance(FRAME);
    }

    fn send(&mut self, source: Source, layer: u8, packet: Packet) {
        if self.random.chance(self.loss) {
            self.lost += 1;
            return;
        }
        let copies = 1 + usize::from(self.random.chance(self.duplicates));
        for _ in 0..copies {
            let at = self.now + self.delay.mul_f64(self.random.unit());
            let place = self.travelling.partition_point(|other| other.0 <= at);
            self.travelling.insert(place, (at, source, layer, packet.clone()));
        }
    }

    fn advance(&mut self, time: Duration) {
        let end = self.now + time;
        while self.travelling.front().is_some_and(|(at, ..)| *at <= end) {
            let (at, source, layer, packet) = self.travelling.pop_front().unwrap();
            self.room.receive(at, source, layer, &packet);
            self.drain();
        }
        self.room.handle_timeout(end);
        self.now = end;
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.room.poll() {
            match output {
                Output::Forward { to, slot, packet } => {
                    let shown = self.shown.get(&(to, slot)).copied().flatten();
                    let owner = match slot {
                        Slot::Video(_) => origin(&packet).map_or(shown, |(source, ..)| Some(source)),
                        Slot::Audio(_) => {
                            Some(Source { from: ParticipantId(packet.payload[0].into()), kind: Kind::Audio })
                        }
                    };
                    let stranger = owner != shown || owner.is_some_and(|owner| owner.from != packet.from);
                    self.strangers += usize::from(stranger);
                    self.received.entry((to, slot)).or_default().push(packet);
                }
                Output::RequestKeyframe { source, layer } => {
                    self.keyframe_requests += 1;
                    let encoder = self.encoders.iter_mut().find(|e| e.source == source && e.layer == layer);
                    encoder.into_iter().for_each(Encoder::request_keyframe);
                }
                Output::Assigned { to, slot, source } => {
                    self.shown.insert((to, slot), source);
                }
                Output::Desired { .. } => {}
            }
        }
    }

    fn frames(&mut self, count: usize) {
        (0..count).for_each(|_| self.frame());
    }

    fn slot(&self, to: usize, slot: u8) -> &Received {
        &self.received[&(self.people[to], Slot::Video(slot))]
    }

    fn layer_now(&self, to: usize, slot: u8) -> u8 {
        *self.slot(to, slot).layers().last().unwrap()
    }

    fn check(&self) {
        assert_eq!(self.strangers, 0, "a packet of somebody else");
        for (place, received) in &self.received {
            assert_eq!(received.twice, 0, "{place:?}: a sequence number twice");
            assert!(received.is_monotonic(), "{place:?}: timestamps");
            assert!(received.missing() <= self.lost, "{place:?}: {} missing, {} lost", received.missing(), self.lost);
        }
    }
}

#[test]
fn the_largest_encoding_that_fits_is_forwarded() {
    let mut scene = Scene::new(2, 1);
    scene.watch(0, &[1]);
    scene.frames(60);
    assert_eq!(scene.layer_now(0, 0), 2);
    scene.check();
    assert_eq!(scene.slot(0, 0).missing(), 0);
}

#[test]
fn a_narrow_downlink_gets_a_smaller_encoding_and_others_notice_nothing() {
    let mut scene = Scene::new(3, 2);
    scene.watch(0, &[2]);
    scene.watch(1, &[2]);
    scene.frames(60);
    scene.room.set_downlink(scene.people[0], 130_000);
    scene.frames(60);
    assert_eq!(scene.layer_now(0, 0), 1);
    assert_eq!(scene.slot(1, 0).layers(), [2]);
    scene.room.set_downlink(scene.people[0], 20_000);
    scene.frames(30);
    let before = scene.slot(0, 0).packets.len();
    scene.frames(60);
    let paused = scene.slot(0, 0).packets.len() - before;
    assert!(paused < 60, "the smallest without its upper temporal layers at most: {paused}");
    scene.room.set_downlink(scene.people[0], 5_000_000);
    scene.frames(150);
    assert_eq!(scene.layer_now(0, 0), 2);
    scene.check();
    assert_eq!(scene.slot(0, 0).missing(), 0, "switching and leaving out layers leaves no gap");
}

#[test]
fn a_change_of_the_picture_continues_the_stream() {
    let mut scene = Scene::new(3, 3);
    scene.watch(0, &[1]);
    scene.frames(40);
    scene.watch(0, &[2]);
    scene.frames(40);
    let owners: Vec<u32> = scene.slot(0, 0).packets.values().map(|packet| packet.from.0).collect();
    assert!(owners.contains(&2) && owners.last() == Some(&3));
    scene.check();
    assert_eq!(scene.slot(0, 0).missing(), 0);
}

#[test]
fn picture_ids_continue_when_temporal_layers_are_left_out() {
    let mut scene = Scene::new(2, 4);
    scene.watch(0, &[1]);
    // Less than the smallest encoding, but more than its base.
    scene.frames(20);
    scene.room.set_downlink(scene.people[0], 23_000);
    scene.frames(120);
    let received = scene.slot(0, 0);
    let mut pictures: Vec<u16> = received.packets.values().filter_map(|packet| packet.picture).collect();
    pictures.dedup();
    assert!(pictures.windows(2).all(|pair| (pair[0] + 1) & 0x7fff == pair[1]), "{pictures:?}");
    let bases: Vec<u8> = received.packets.values().filter_map(|packet| packet.base).collect();
    assert!(bases.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) <= 1), "{bases:?}");
    let temporal = received.packets.values().filter_map(|packet| origin(packet).map(|o| o.2));
    assert!(temporal.skip(received.packets.len() / 2).all(|temporal| temporal < 2));
    scene.check();
}

#[test]
fn a_newcomer_begins_with_a_recent_keyframe() {
    let mut scene = Scene::new(3, 5);
    scene.watch(0, &[2]);
    scene.frames(2);
    let requests = scene.keyframe_requests;
    scene.watch(1, &[2]);
    scene.frames(10);
    assert!(!scene.slot(1, 0).packets.is_empty());
    assert!(scene.keyframe_requests <= requests + 1, "{} then {}", requests, scene.keyframe_requests);
    scene.check();
}

#[test]
fn a_person_who_left_is_neither_forwarded_nor_served() {
    let mut scene = Scene::new(3, 6);
    scene.watch(0, &[1, 2]);
    scene.watch(1, &[0, 2]);
    scene.frames(40);
    let gone = scene.people[1];
    scene.room.leave(scene.now, gone);
    scene.drain();
    let counts: BTreeMap<_, usize> = scene.received.iter().map(|(place, r)| (*place, r.packets.len())).collect();
    scene.frames(40);
    for (place, received) in &scene.received {
        let shows_gone = scene.shown[place].is_none() || place.0 == gone;
        let grown = received.packets.len() - counts[place];
        assert_eq!(grown == 0, shows_gone, "{place:?} {grown}");
    }
    assert!(!scene.room.view(scene.now, gone, &[]));
    assert!(!scene.room.admits(scene.now, gone, 100));
    scene.check();
}

#[test]
fn a_thousand_keyframe_requests_a_second_become_one() {
    let mut scene = Scene::new(3, 7);
    scene.watch(0, &[2]);
    scene.watch(1, &[2]);
    scene.frames(60);
    let before = scene.keyframe_requests;
    for _ in 0..90 {
        for _ in 0..33 {
            scene.room.keyframe_needed(scene.now, scene.people[0], 0);
        }
        scene.frame();
    }
    let requests = scene.keyframe_requests - before;
    assert!((1..=4).contains(&requests), "{requests} in three seconds");
    scene.check();
}

#[test]
fn a_publisher_that_changes_its_ssrc_continues_with_a_keyframe() {
    let mut scene = Scene::new(2, 8);
    scene.watch(0, &[1]);
    scene.frames(40);
    for round in 0..5 {
        for encoder in scene.encoders.iter_mut().filter(|e| e.source.from.0 == 2) {
            encoder.ssrc += 10;
            encoder.sequence = 40_000 * round;
        }
        scene.frames(40);
    }
    let received = scene.slot(0, 0);
    assert!(received.packets.len() > 300, "{}", received.packets.len());
    assert_eq!(received.missing(), 0);
    scene.check();
}

#[test]
fn a_publisher_that_changes_its_ssrc_with_each_packet_is_bounded() {
    let mut scene = Scene::new(3, 9);
    scene.watch(0, &[1, 2]);
    scene.frames(30);
    let (before, other) = (scene.keyframe_requests, scene.slot(0, 1).packets.len());
    for n in 0..90 {
        for encoder in scene.encoders.iter_mut().filter(|e| e.source.from.0 == 2) {
            encoder.ssrc = 5_000 + n;
        }
        scene.frame();
    }
    assert!(scene.keyframe_requests - before <= 12, "{}", scene.keyframe_requests - before);
    assert!(scene.slot(0, 1).packets.len() - other >= 90 * 3, "the other picture goes on");
    scene.check();
}

#[test]
fn an_encoding_larger_than_it_claims_does_not_displace_others() {
    let mut scene = Scene::new(4, 10);
    // The smallest encoding of one person has 2.5 Mbit/s.
    for encoder in scene.encoders.iter_mut().filter(|e| e.source.from.0 == 2) {
        (encoder.bytes, encoder.packets) = (1_000, 10);
    }
    scene.room.set_downlink(scene.people[0], 300_000);
    scene.watch(0, &[1, 2]);
    scene.frames(120);
    let liar = scene.received.get(&(scene.people[0], Slot::Video(0))).map_or(0, |r| r.packets.len());
    assert!(liar < 400, "{liar}");
    let honest = scene.slot(0, 1);
    assert!(honest.packets.len() > 100);
    scene.check();
}

#[test]
fn more_than_a_publisher_may_send_is_refused_before_it_is_decrypted() {
    let (mut room, now) = (Room::new(), start());
    let (flood, other) = (room.join(now).unwrap(), room.join(now).unwrap());
    // 100 Mbit/s for two seconds.
    let admitted: usize =
        (0..20_000_u64).filter(|n| room.admits(now + Duration::from_micros(100 * n), flood, 1_250)).count();
    assert!((4_000..6_000).contains(&admitted), "{admitted}");
    assert!(room.admits(now + Duration::from_secs(2), other, 1_250));
    let small = (0..20_000_u64).filter(|n| room.admits(now + Duration::from_micros(100 * n), other, 60)).count();
    assert!(small <= 10_000, "{small}");
}

#[test]
fn packets_that_would_not_fit_a_datagram_are_refused() {
    let mut scene = Scene::new(2, 11);
    scene.watch(0, &[1]);
    scene.frames(10);
    for encoder in &mut scene.encoders {
        encoder.bytes = MAX_PAYLOAD_BYTES + 1;
    }
    let before = scene.room.counters();
    scene.frames(10);
    let after = scene.room.counters();
    assert_eq!(before.forwarded, after.forwarded);
    assert_eq!(after.refused - before.refused, 2 * 10 * 6);
}

#[test]
fn a_full_room_refuses_another() {
    let (mut room, now) = (Room::new(), start());
    let all: Vec<ParticipantId> = (0..MAX_PARTICIPANTS).map(|_| room.join(now).unwrap()).collect();
    assert!(room.join(now).is_err());
    room.leave(now, all[0]);
    assert_ne!(room.join(now).unwrap(), all[0], "ids are not used again");
    room.open_slots(now, all[1], 1_000, 1_000);
    let wanted: Vec<Wanted> = (0..1_000)
        .map(|n| Wanted {
            source: Source { from: all[n % all.len()], kind: if n < 500 { Kind::Camera } else { Kind::Screen } },
            height: 100,
            priority: 0,
        })
        .collect();
    assert!(room.view(now, all[1], &wanted));
    let assigned = std::iter::from_fn(|| room.poll()).filter(|o| matches!(o, Output::Assigned { .. })).count();
    assert!(assigned <= MAX_VIDEO_SLOTS);
    let views = (0..1_000).filter(|_| room.view(now, all[1], &[])).count();
    assert!(views < 40, "{views}");
}

#[test]
fn the_last_who_spoke_are_audible() {
    let (mut room, now) = (Room::new(), start());
    let all: Vec<ParticipantId> = (0..20).map(|_| room.join(now).unwrap()).collect();
    room.open_slots(now, all[0], MAX_AUDIO_SLOTS, 0);
    let mut audible: BTreeMap<Slot, ParticipantId> = BTreeMap::new();
    let mut packets: BTreeMap<ParticipantId, usize> = BTreeMap::new();
    for n in 0..500_u64 {
        let now = now + Duration::from_millis(20 * n);
        for (index, from) in all.iter().enumerate().skip(1) {
            // Everybody is silent; then one after the other speaks for half a second, and the last goes on.
            let speaks = n > 100 && (n / 25) as usize % 20 == index;
            let level = if speaks { 30 } else { 127 };
            room.receive(now, Source { from: *from, kind: Kind::Audio }, 0, &sound(*from, n, level));
        }
        while let Some(output) = room.poll() {
            match output {
                Output::Assigned { slot, source: Some(source), .. } => {
                    audible.insert(slot, source.from);
                }
                Output::Forward { slot, packet, .. } => {
                    assert_eq!(audible[&slot], packet.from);
                    assert_eq!(u32::from(packet.payload[0]), packet.from.0);
                    *packets.entry(packet.from).or_default() += 1;
                }
                _ => {}
            }
        }
    }
    assert_eq!(audible.len(), MAX_AUDIO_SLOTS);
    assert!(all[5..].iter().all(|id| packets.get(id).is_some_and(|count| *count > 20)), "{packets:?}");
}

#[test]
fn a_loud_crowd_does_not_displace_those_who_speak() {
    let (mut room, now) = (Room::new(), start());
    let all: Vec<ParticipantId> = (0..30).map(|_| room.join(now).unwrap()).collect();
    room.open_slots(now, all[0], 4, 0);
    let mut changes = 0;
    for n in 0..500_u64 {
        for from in &all[1..] {
            let now = now + Duration::from_millis(20 * n);
            room.receive(now, Source { from: *from, kind: Kind::Audio }, 0, &sound(*from, n, 0));
        }
        changes += std::iter::from_fn(|| room.poll()).filter(|o| matches!(o, Output::Assigned { .. })).count();
    }
    assert_eq!(changes, 4);
}

#[test]
fn malformed_and_empty_payloads_are_dropped() {
    let (mut room, now) = (Room::new(), start());
    let (from, to) = (room.join(now).unwrap(), room.join(now).unwrap());
    room.open_slots(now, to, 1, 1);
    let source = Source { from, kind: Kind::Camera };
    room.view(now, to, &[Wanted { source, height: 720, priority: 0 }]);
    for payload in [&[][..], &[0x80], &[0x90, 0xff, 0xff, 0xff]] {
        let packet = Packet { payload: Arc::from(payload), ..sound(from, 1, 0) };
        room.receive(now, source, 0, &packet);
        room.receive(now, source, 200, &packet);
    }
    assert!(!std::iter::from_fn(|| room.poll()).any(|output| matches!(output, Output::Forward { .. })));
}

#[test]
fn a_person_who_sends_more_than_the_owner_allows_is_refused() {
    let bounds = Bounds { published: Rate::new(1_000, 500), ..Bounds::default() };
    let (mut room, now) = (Room::bounded(bounds), start());
    let id = room.join(now).unwrap();
    assert!(room.admits(now, id, 400));
    assert!(!room.admits(now, id, 400));
    assert!(room.admits(now + Duration::from_secs(1), id, 400));
    assert_eq!(room.counters().refused, 1);
}

#[test]
fn in_a_bounded_room_nobody_is_sent_more_than_their_share() {
    let last = |room_bits| {
        let mut scene = Scene::bounded(3, 1, Bounds { room_bits, ..Bounds::default() });
        scene.watch(0, &[1]);
        scene.room.set_downlink(scene.people[0], 5_000_000);
        scene.frames(150);
        scene.check();
        scene.received.values().find_map(|received| received.layers().last().copied())
    };
    assert_eq!(last(None), Some(2));
    // A third of it is enough for the middle encoding of 96 kbit/s.
    assert_eq!(last(Some(450_000)), Some(1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn whatever_arrives_each_slot_is_one_continuous_stream(
        seed in any::<u64>(),
        loss in prop_oneof![Just(0.0), 0.0..0.2],
        duplicates in 0.0..0.2,
        delay in 0u64..120,
        events in prop::collection::vec((0usize..4, 0usize..4, 0usize..4, 0u64..3_000_000), 0..40),
    ) {
        let mut scene = Scene::new(4, seed);
        (scene.loss, scene.duplicates) = (loss, duplicates);
        scene.delay = Duration::from_millis(delay);
        scene.watch(0, &[1, 2]);
        for (what, who, whom, bits) in events {
            match what {
                0 => scene.room.set_downlink(scene.people[who], bits),
                1 => scene.watch(who, &[whom, (whom + 1) % 4]),
                2 => scene.room.keyframe_needed(scene.now, scene.people[who], (whom % 2) as u8),
                _ => scene.room.interrupt(scene.now, scene.people[who], (whom % 2) as u8),
            }
            scene.drain();
            scene.frames(8);
        }
        // Streams that have stopped go on, and what was missing is made up for.
        (scene.loss, scene.delay) = (0.0, Duration::ZERO);
        for who in 0..4 {
            scene.room.set_downlink(scene.people[who], 5_000_000);
            scene.watch(who, &[(who + 1) % 4, (who + 2) % 4]);
        }
        scene.frames(100);
        scene.check();
    }
}
