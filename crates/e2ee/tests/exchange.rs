//! A room of people and a server between them: who can decrypt what, whatever the order in which they come and go.

mod world;

use std::time::Duration;

use e2ee::KeyError;
use e2ee::limits::{COALESCE, JOIN_DELAY, JOIN_REST, LEAVE_DELAY, LEAVE_REST};
use proptest::prelude::*;
use signaling::statement::StatementError;
use world::World;

#[test]
fn everybody_decrypts_everybody_after_the_first_moment() {
    let mut world = World::new(20);
    let people: Vec<usize> = (0..5).map(|_| world.join()).collect();
    world.pass(400);
    world.assert_all_decrypt_all(&people);
}

#[test]
fn the_first_key_is_used_at_once_and_the_next_after_a_short_time() {
    let mut world = World::new(0);
    let ada = world.join();
    world.pass(COALESCE.as_millis() as u64);
    assert_eq!(world.epoch_in_use(ada), Some(1));
    world.join();
    // One key in a while, and others need a moment to get it.
    world.pass((JOIN_REST + JOIN_DELAY).as_millis() as u64 - 10);
    assert_eq!(world.epoch_in_use(ada), Some(1));
    world.pass(10 + COALESCE.as_millis() as u64);
    assert_eq!(world.epoch_in_use(ada), Some(2));
}

#[test]
fn somebody_who_has_gone_decrypts_nothing_from_a_second_later_on() {
    assert!(LEAVE_REST + LEAVE_DELAY <= Duration::from_secs(1));
    assert!(COALESCE <= LEAVE_REST && JOIN_DELAY <= LEAVE_REST && LEAVE_DELAY <= LEAVE_REST);
    let mut world = World::new(20);
    let people: Vec<usize> = (0..4).map(|_| world.join()).collect();
    world.pass(3_000);
    world.leave(people[3]);
    world.pass(1_000);
    for &sender in &people[..3] {
        assert!(!world.can_decrypt(people[3], sender));
    }
    world.pass(1_000);
    world.assert_all_decrypt_all(&people[..3]);
}

#[test]
fn a_newcomer_decrypts_nothing_from_before() {
    let mut world = World::new(20);
    let (ada, ben) = (world.join(), world.join());
    world.pass(3_000);
    let before = world.epoch_in_use(ada).expect("a key");
    let cyd = world.join();
    world.pass(3_000);
    assert!(world.can_decrypt(cyd, ada));
    assert!(!world.has_key(cyd, ada, before) && world.has_key(ben, ada, before));
}

#[test]
fn many_who_come_together_make_few_keys() {
    let mut world = World::new(50);
    let ada = world.join();
    world.pass(3_000);
    let before = world.epoch_in_use(ada).expect("a key");
    let people: Vec<usize> = (0..20).map(|_| world.join()).collect();
    world.pass(4_000);
    assert_eq!(world.epoch_in_use(ada), Some(before + 1));
    world.assert_all_decrypt_all(&people);
}

#[test]
fn a_key_that_was_not_delivered_is_given_later() {
    let mut world = World::new(20);
    let (ada, ben) = (world.join(), world.join());
    world.refuse_keys_to = Some(ben);
    world.pass(2_500);
    assert!(!world.can_decrypt(ben, ada));
    let sent = world.sent_keys(ada);
    assert!((2..=4).contains(&sent), "with growing pauses: {sent}");
    world.refuse_keys_to = None;
    world.pass(8_000);
    assert!(world.can_decrypt(ben, ada));
}

#[test]
fn a_used_key_is_renewed_once() {
    let mut world = World::new(20);
    let (ada, ben) = (world.join(), world.join());
    world.pass(3_000);
    let epoch = world.epoch_in_use(ada).expect("a key");
    for _ in 0..200 {
        world.renew(ada, epoch);
        world.pass(10);
    }
    assert_eq!(world.epoch_in_use(ada), Some(epoch + 1));
    assert!(world.can_decrypt(ben, ada));
}

#[test]
fn somebody_without_a_valid_frame_key_gets_nothing_and_is_named() {
    let mut world = World::new(20);
    let (ada, ben) = (world.join(), world.join_silently());
    world.pass(2_000);
    assert!(!world.can_decrypt(ben, ada));
    let uncovered: Vec<_> = world.exchange(ada).uncovered().cloned().collect();
    assert_eq!(uncovered, [world.id(ben)]);
    // The server announces a key of its own.
    let forged = world.forged_announcement(ben);
    let (now, id) = (world.now, world.id(ben));
    let refused = world.exchange(ada).announced(now, &id, &forged);
    assert_eq!(refused, Err(KeyError::Statement(StatementError::Wrong)));
    world.pass(2_000);
    assert_eq!(world.exchange(ada).uncovered().count(), 1);
}

#[test]
fn keys_for_others_from_others_and_from_earlier_are_refused() {
    let mut world = World::new(20);
    let (ada, ben, cyd) = (world.join(), world.join(), world.join());
    world.pass(3_000);
    let (from_ada, from_ben) = (world.id(ada), world.id(ben));
    let (epoch, to_ben) = world.last_key(ada, ben);
    let (_, to_cyd) = world.last_key(ada, cyd);
    let wrong = Err(KeyError::Statement(StatementError::Wrong));
    let ben_s = world.exchange(ben);
    let mut receive =
        |from, epoch, sealed: &str, signature: &str| ben_s.receive(from, epoch, sealed, signature).map(|_| ());
    assert_eq!(receive(&from_ada, epoch, &to_ben.sealed, &to_ben.signature), Err(KeyError::NotNewer));
    assert_eq!(receive(&from_ada, epoch + 1, &to_ben.sealed, &to_ben.signature), wrong, "another epoch");
    assert_eq!(receive(&from_ada, epoch + 1, &to_cyd.sealed, &to_cyd.signature), wrong, "another receiver");
    assert_eq!(receive(&from_ada, epoch + 1, "", ""), wrong);
    assert_eq!(receive(&from_ben, epoch, &to_ben.sealed, &to_ben.signature), Err(KeyError::NotHere), "our own id");
    let cyd_s = world.exchange(cyd);
    let from_ben = cyd_s.receive(&from_ben, epoch + 1, &to_cyd.sealed, &to_cyd.signature);
    assert_eq!(from_ben.map(|_| ()), wrong, "another sender");
}

#[test]
fn nothing_is_given_while_the_room_is_direct() {
    let mut world = World::new(20);
    let (ada, _) = (world.join(), world.join());
    world.pass(2_000);
    world.exchange(ada).stop();
    let sent = world.sent_keys(ada);
    world.join();
    world.pass(2_000);
    assert_eq!((world.sent_keys(ada), world.exchange(ada).poll_timeout()), (sent, None));
    let (before, now) = (world.epoch_in_use(ada), world.now);
    world.exchange(ada).start(now);
    world.pass(2_000);
    assert!(world.epoch_in_use(ada) > before, "epochs go on");
}

#[derive(Debug, Clone)]
enum Step {
    Join,
    Leave(prop::sample::Index),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Join),
        2 => any::<prop::sample::Index>().prop_map(Step::Leave),
        3 => (1..80u64).prop_map(|tens| Step::Pass(tens * 10)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// The world checks after each step that nobody can decrypt what was sent before they came, or a second after they
    /// have gone.
    #[test]
    fn only_those_who_are_there_can_decrypt(delay in prop_oneof![Just(0), Just(40), Just(150)], steps in prop::collection::vec(step(), 1..25)) {
        let mut world = World::new(delay);
        for step in steps {
            match step {
                Step::Join if world.present().len() < 6 => drop(world.join()),
                Step::Join => {}
                Step::Leave(index) => {
                    let present = world.present();
                    if !present.is_empty() {
                        world.leave(present[index.index(present.len())]);
                    }
                }
                Step::Pass(ms) => world.pass(ms),
            }
        }
        world.pass(3_000);
        let present = world.present();
        world.assert_all_decrypt_all(&present);
    }
}
