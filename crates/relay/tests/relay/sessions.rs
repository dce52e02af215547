//! Credentials of this server are valid while their session lives.

use std::time::Duration;

use relay::limits::GRACE;
use relay::{Action, PeerPolicy, Shares};
use turn_types::message::ALLOCATE;

use crate::world::*;

const SESSION: &str = "QUJDREVGR0hJSktMTU5PUA.bWFyaw";

fn peer() -> std::net::SocketAddr {
    addr("20.0.0.1:4000")
}

#[test]
fn a_member_may_allocate_during_the_session() {
    let mut world = World::new();
    let mut ada = Person::of_session(SESSION, "198.51.100.1:5000");
    assert_eq!(world.allocate(&mut ada), Err(401), "no session of that name");
    world.relay.session_opened(SESSION, true);
    assert!(world.allocate(&mut ada).is_ok());
    let now = world.now().instant;
    world.relay.session_closed(now, SESSION);

    let mut other_client = Person::of_session(SESSION, "198.51.100.1:5001");
    assert_eq!(world.allocate(&mut other_client), Err(403), "the session has ended");
    // The allocation is kept for a while, because the session may be resumed.
    world.wait(GRACE - Duration::from_secs(1));
    assert_eq!(world.refresh(&mut ada, 600), 0);
    assert_eq!(world.permit(&mut ada, &[peer()]), Some(0));
    assert_ne!(world.indicate(&ada, peer(), b"x"), Action::Drop);
    world.wait(Duration::from_secs(2));
    assert!(world.open.is_empty());
    assert_eq!(world.refresh(&mut ada, 600), 401);
}

#[test]
fn a_guest_may_allocate_while_seated() {
    let mut world = World::new();
    world.relay.session_opened(SESSION, false);
    let mut eve = Person::of_session(SESSION, "198.51.100.1:5000");
    assert_eq!(world.allocate(&mut eve), Err(403));
    world.relay.session_seated(SESSION);
    assert!(world.allocate(&mut eve).is_ok());
    let now = world.now().instant;
    world.relay.session_left(now, SESSION);
    let mut other_client = Person::of_session(SESSION, "198.51.100.1:5001");
    assert_eq!(world.allocate(&mut other_client), Err(403));
    world.wait(Duration::from_secs(30));
    world.relay.session_seated(SESSION);
    assert!(world.allocate(&mut other_client).is_ok());
    world.wait(GRACE * 2);
    assert_eq!(world.open.len(), 2, "resumed in time, so both continue");
    let now = world.now().instant;
    world.relay.session_left(now, SESSION);
    world.wait(GRACE);
    assert!(world.open.is_empty());
    world.relay.session_seated(SESSION);
    assert!(world.allocate(&mut eve).is_ok(), "the session itself continued");
}

#[test]
fn a_session_without_allocations_ends_at_once() {
    let mut world = World::new();
    let now = world.now().instant;
    world.relay.session_opened(SESSION, true);
    world.relay.session_closed(now, SESSION);
    let mut ada = Person::of_session(SESSION, "198.51.100.1:5000");
    assert_eq!(world.allocate(&mut ada), Err(401));
    world.relay.session_seated(SESSION);
    assert_eq!(world.allocate(&mut ada), Err(401), "an ended session cannot return");
}

/// The two secrets give the same user name different passwords, so the credentials of one are invalid for the other.
#[test]
fn shared_secret_credentials_are_not_those_of_this_server() {
    let mut world = World::new();
    world.relay.session_opened(SESSION, false);
    let mut shared = Person::shared(SESSION, "198.51.100.1:5000");
    assert!(world.allocate(&mut shared).is_ok(), "the operator trusts everybody with the secret");
    let now = world.now().instant;
    world.relay.session_closed(now, SESSION);
    world.wait(GRACE * 2);
    assert_eq!(world.open.len(), 1, "it depends on no session");
}

#[test]
fn expired_credentials_refuse_new_allocations_but_keep_old_ones() {
    let mut world = World::new();
    world.relay.session_opened(SESSION, true);
    let mut ada = Person::of_session(SESSION, "198.51.100.1:5000");
    world.allocate(&mut ada).expect("an allocation");
    for _ in 0..24 * 12 {
        world.wait(Duration::from_secs(300));
        assert_eq!(world.refresh(&mut ada, 600), 0);
    }
    assert_eq!(world.permit(&mut ada, &[peer()]), Some(0));
    let mut late = Person::of_session(SESSION, "198.51.100.1:5001");
    assert_eq!(world.allocate(&mut late), Err(401));
}

#[test]
fn guests_never_use_the_share_of_members() {
    let mut world = World::with(PeerPolicy::default(), Shares { per_person: 64, total: 100 });
    let mut granted = 0;
    for n in 0..120 {
        let session = format!("guest{n}.g{n}");
        world.relay.session_opened(&session, false);
        world.relay.session_seated(&session);
        let mut guest = Person::of_session(&session, &format!("20.0.{n}.1:5000"));
        granted += usize::from(world.code(&mut guest, ALLOCATE, &[&udp()]) == 0);
    }
    assert_eq!(granted, 50);
    for n in 0..50 {
        let session = format!("member{n}.m{n}");
        world.relay.session_opened(&session, true);
        assert!(world.allocate(&mut Person::of_session(&session, &format!("30.0.{n}.1:5000"))).is_ok());
    }
}
