//! Nobody can make the relay use more than its bounds.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use relay::limits::{MAX_CHANNELS, MAX_PERMISSIONS, PER_ADDRESS, PER_SESSION};
use relay::{Action, PeerPolicy, Shares};

use crate::world::*;

fn peer(n: u32) -> SocketAddr {
    SocketAddr::new(IpAddr::V4((0x1400_0000 + n).into()), 9)
}

#[test]
fn permissions_are_counted_per_peer_and_expire() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    let full = MAX_PERMISSIONS as u32;
    for n in 0..full / 32 {
        let peers: Vec<_> = (n * 32..(n + 1) * 32).map(peer).collect();
        assert_eq!(world.permit(&mut ada, &peers), Some(0));
        world.wait(Duration::from_secs(20));
    }
    let same_peers: Vec<_> = (0..full).map(peer).collect();
    assert_eq!(world.permit(&mut ada, &same_peers), Some(0), "those it has");
    world.wait(Duration::from_secs(30));
    assert_eq!(world.permit(&mut ada, &[peer(full)]), Some(508));
    assert_eq!(world.bind(&mut ada, 0x4000, peer(full)), 508);
    assert_eq!(world.indicate(&ada, peer(full), b"x"), Action::Drop);
    assert_ne!(world.indicate(&ada, peer(0), b"x"), Action::Drop);
    world.wait(Duration::from_secs(300));
    assert_eq!(world.refresh(&mut ada, 600), 0);
    assert_eq!(world.permit(&mut ada, &(full..2 * full).map(peer).collect::<Vec<_>>()), Some(0));
}

#[test]
fn channels_are_bounded() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    for n in 0..MAX_CHANNELS as u16 {
        assert_eq!(world.bind(&mut ada, 0x4000 + n, SocketAddr::new(peer(0).ip(), n + 1)), 0);
    }
    assert_eq!(world.bind(&mut ada, 0x4800, SocketAddr::new(peer(0).ip(), 999)), 508);
}

#[test]
fn permission_requests_are_rate_limited_by_peer_count() {
    let mut world = World::new();
    let mut ada = Person::shared("s.ada", "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    let peers: Vec<_> = (0..30).map(peer).collect();
    let answered = (0..100).filter(|_| world.permit(&mut ada, &peers).is_some()).count();
    assert_eq!(answered, 4, "120 peers");
    world.wait(Duration::from_secs(1));
    assert_eq!(world.permit(&mut ada, &peers), None);
    assert_eq!(world.permit(&mut ada, &peers[..4]), Some(0), "four a second");
    assert_ne!(world.indicate(&ada, peers[0], b"x"), Action::Drop, "data flows");
}

#[test]
fn sessions_addresses_and_the_total_have_shares() {
    let mut world = World::with(PeerPolicy::default(), Shares { per_person: 64, total: 300 });
    let mut taken = 0;
    // One device with two sessions.
    let mut answers = vec![];
    for session in ["one.ada", "two.ada"] {
        for n in 0..60 {
            let mut ada = Person::shared(session, &format!("20.0.0.1:{}", 1_000 + taken));
            taken += 1;
            answers.push((n, world.allocate(&mut ada).map_or_else(|code| code, |_| 0)));
        }
    }
    let granted = |range: std::ops::Range<usize>| answers[range].iter().filter(|(_, code)| *code == 0).count();
    assert_eq!((granted(0..60), granted(60..120)), (PER_SESSION, 64 - PER_SESSION));
    assert!(answers.iter().all(|(_, code)| [0, 486].contains(code)));
    // The source has received so many refusals that its answers are rate-limited.
    world.wait(Duration::from_secs(3));
    let at_home = |n: u16| Person::shared(&format!("{n}"), &format!("20.0.0.1:{}", 10_000 + n));
    assert_eq!((0..300).filter(|n| world.allocate(&mut at_home(*n)).is_ok()).count(), PER_ADDRESS - 64);
    let away = |n: u16| Person::shared(&format!("a{n}"), &format!("30.0.{}.1:1000", n));
    let codes: Vec<_> = (0..60).map(|n| world.allocate(&mut away(n)).map_or_else(|code| code, |_| 0)).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 300 - PER_ADDRESS);
    assert_eq!(codes[59], 508);
}

#[test]
fn an_ended_allocation_frees_its_place() {
    let mut world = World::with(PeerPolicy::default(), Shares { per_person: 1, total: 1 });
    let [mut ada, mut ben] = ["ada", "ben"]
        .map(|who| Person::shared(who, &format!("20.0.0.1:{}", 5_000 + who.len() + usize::from(who.as_bytes()[0]))));
    for _ in 0..100 {
        world.allocate(&mut ada).expect("a place");
        assert_eq!(world.allocate(&mut ben), Err(508));
        assert_eq!(world.refresh(&mut ada, 0), 0);
        world.allocate(&mut ben).expect("a place");
        assert_eq!(world.refresh(&mut ben, 0), 0);
        world.wait(Duration::from_secs(1));
    }
}
