//! Memory of the relay when everything is at its bound.

#[allow(dead_code)] // each test uses a part of it
#[path = "relay/world.rs"]
mod world;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use peak_alloc::PeakAlloc;
use relay::limits::{MAX_CHANNELS, MAX_IDLE_STREAMS, MAX_PERMISSIONS};
use relay::{PeerPolicy, Shares, Transport};
use turn_types::message::ALLOCATE;
use world::{Person, World};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Held by the test that measures.
static MEASURING: Mutex<()> = Mutex::new(());

/// The total stated in the crate's documentation.
const STATED: usize = 8_900 * 1024;
const ALLOCATIONS: usize = 1_000;
const SESSIONS: usize = 5_000;

fn peers() -> Vec<SocketAddr> {
    (0..MAX_PERMISSIONS as u32).map(|n| SocketAddr::new(IpAddr::V4((0x1400_0000 + n).into()), 9)).collect()
}

fn session(n: usize) -> String {
    format!("QUJDREVGR0hJSktM.{n:06}")
}

/// Somebody in one of a hundred sessions, each at its own address.
fn person(n: usize) -> Person {
    let mut person = Person::of_session(&session(n % 100), &format!("198.51.{}.1:{}", n % 100, 5_000 + n));
    person.client.transport = Transport::Tls;
    person
}

fn fill(world: &mut World, people: &mut [Person], peers: &[SocketAddr]) {
    for person in &mut *people {
        let now = world.now().instant;
        world.relay.stream_opened(now, &person.client);
        world.allocate(person).expect("an allocation");
        for peers in peers.chunks(32) {
            assert_eq!(world.permit(person, peers), Some(0));
        }
    }
    // At the rate allowed for their owners.
    for (n, peer) in peers.iter().enumerate() {
        world.wait(Duration::from_millis(500));
        for person in &mut *people {
            assert_eq!(world.bind(person, 0x4000 + n as u16, *peer), 0);
        }
    }
}

#[test]
fn memory_at_all_bounds_stays_below_the_documented_sum() {
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(MAX_PERMISSIONS, MAX_CHANNELS);
    let peers = peers();
    let mut people: Vec<Person> = (0..ALLOCATIONS).map(person).collect();
    people.iter_mut().for_each(|person| person.nonce = Some("x".repeat(64)));
    let before = MEMORY.current_usage();
    let mut world = World::with(PeerPolicy::default(), Shares { per_person: 64, total: ALLOCATIONS });
    for n in 0..SESSIONS {
        world.relay.session_opened(&session(n), true);
    }
    fill(&mut world, &mut people, &peers);
    let now = world.now().instant;
    for n in 0..MAX_IDLE_STREAMS {
        world.relay.stream_opened(now, &person(ALLOCATIONS + n).client);
    }
    assert_eq!(world.open.len(), ALLOCATIONS);
    // Everything is full: further requests are refused.
    let mut late = Person::of_session(&session(200), "198.51.200.1:5000");
    assert_eq!(world.allocate(&mut late), Err(508));
    let other = SocketAddr::new(IpAddr::V4(0x1500_0000.into()), 9);
    assert_eq!(world.permit(&mut people[0], &[other]), Some(508));
    let kept = MEMORY.current_usage() - before;
    eprintln!("{} KiB of {} KiB", kept / 1024, STATED / 1024);
    assert!((STATED / 3..STATED).contains(&kept), "{} KiB", kept / 1024);
}

/// Whoever sends from forged addresses receives no answer, and so has no nonce.
#[test]
fn requests_of_strangers_leave_nothing_behind() {
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut world = World::new();
    let stranger = |n: usize| {
        let mut person = Person::of_session(&session(0), "198.51.100.1:5000");
        person.client.remote = SocketAddr::new(IpAddr::V4((0x1600_0000 + n as u32).into()), 5_000);
        person
    };
    let attack = |world: &mut World, n: usize| {
        let mut person = stranger(n);
        person.nonce = n.is_multiple_of(2).then(|| "guessed".into());
        let request = person.request(ALLOCATE, &[&world::udp()]);
        let _ = world.handle(&person.client, &request);
    };
    (0..100).for_each(|n| attack(&mut world, n));
    let before = MEMORY.current_usage();
    let requests = 50_000;
    (0..requests).for_each(|n| attack(&mut world, n));
    let kept = MEMORY.current_usage().saturating_sub(before);
    // The test harness allocates a few KiB meanwhile.
    assert!(kept < requests, "{kept} bytes");
    assert!(world.open.is_empty());
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    assert!(world.allocate(&mut ada).is_ok(), "others are served");
}
