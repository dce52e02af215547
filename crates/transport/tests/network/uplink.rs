//! One client that sends to several others over an uplink that is too narrow for everybody's video.

use crate::downlink::sound;
use crate::plan::Plan;
use crate::world::World;
use std::time::Duration;
use testkit::net::Path;

fn world(rate: u64, seed: u64) -> World {
    let plan = Plan { desired: 800_000, floor: 40_000, report_interval: Duration::from_millis(100), ..Plan::default() };
    let forward = Path { rate: Some(rate), queue: Duration::from_millis(200), ..back() };
    let mut world = World::new(forward, back(), &vec![plan; 5], seed);
    world.coordinate();
    world
}

fn back() -> Path {
    Path { delay: Duration::from_millis(20), ..Path::default() }
}

/// Bitrates of video, the lowest first.
fn video(world: &World, from: f64, to: f64) -> Vec<f64> {
    let mut video: Vec<f64> = world.flows.iter().map(|flow| flow.goodput(from, to)).collect();
    video.sort_by(f64::total_cmp);
    video
}

/// Sound of five alone takes 275 kbit/s.
#[test]
fn sound_is_whole_for_all_and_video_useful_for_some() {
    for seed in 1..6 {
        for rate in [420_000, 500_000, 600_000] {
            let mut world = world(rate, seed);
            world.run_until(60.0);
            let (lost, queue) = sound(&world, 15.0, 60.0);
            assert!(lost < 0.02 && queue < Duration::from_millis(120), "{seed} {rate}: {lost} {queue:?}");
            let video = video(&world, 15.0, 60.0);
            let total = video.iter().sum::<f64>();
            assert!(video[4] > 50_000.0 && total > 0.5 * (rate as f64 - 320e3), "{seed} {rate}: {video:?}");
        }
    }
}

#[test]
fn everybody_has_video_after_the_uplink_became_wide() {
    for seed in 1..4 {
        let mut world = world(420_000, seed);
        world.change_both_at(30.0, &Path { rate: Some(20_000_000), ..back() }, &back());
        world.run_until(90.0);
        let video = video(&world, 80.0, 90.0);
        assert!(video[0] > 500_000.0, "{seed}: {video:?}");
    }
}

#[test]
fn a_table_holds_its_own_beside_tcp() {
    for seed in 1..4 {
        let mut world = world(4_000_000, seed);
        world.add_competitor(30.0);
        world.run_until(90.0);
        let share = video(&world, 40.0, 90.0).iter().sum::<f64>() / 4e6;
        assert!((0.1..0.7).contains(&share), "{seed}: {share}");
    }
}

/// Both directions are full from the first packet on, so that nobody ever sees an empty path. Estimates cannot rest on
/// delay then. What this client sends is in its own hands. What it receives also depends on five strangers.
#[test]
fn an_access_line_that_is_full_from_the_beginning_recovers() {
    let plan = Plan { desired: 800_000, floor: 40_000, report_interval: Duration::from_millis(100), ..Plan::default() };
    let path = Path { rate: Some(500_000), queue: Duration::from_millis(200), ..back() };
    let plans = [vec![plan.clone(); 5], vec![Plan { backward: true, ..plan }; 5]].concat();
    for seed in 1..11 {
        let mut world = World::new(path.clone(), path.clone(), &plans, seed);
        world.coordinate_both();
        world.run_until(60.0);
        let sent = world.flows.split_off(5);
        let (lost, _) = sound(&world, 0.0, 10.0);
        assert!(lost < 0.1, "{seed}, at first: {lost}");
        let (lost, queue) = sound(&world, 20.0, 60.0);
        assert!(lost < 0.02 && queue < Duration::from_millis(180), "{seed}, received: {lost} {queue:?}");
        world.flows = sent;
        let (lost, queue) = sound(&world, 20.0, 60.0);
        assert!(lost < 0.02 && queue < Duration::from_millis(130), "{seed}, sent: {lost} {queue:?}");
    }
}
