//! Several senders that know nothing of each other, and one receiver behind a downlink.

use crate::plan::Plan;
use crate::world::{Flow, World};
use std::collections::BTreeSet;
use std::time::Duration;
use testkit::net::{Loss, Path};

const SENDERS: usize = 5;

fn world(forward: Path, seed: u64) -> World {
    let plan =
        Plan { desired: 1_000_000, floor: 40_000, report_interval: Duration::from_millis(100), ..Plan::default() };
    let back = Path { delay: forward.delay, ..Path::default() };
    let mut world = World::new(forward, back, &vec![plan; SENDERS], seed);
    world.coordinate_downlink();
    world
}

/// The share of packets of sound that were lost, and the 95th percentile of the queue, from here to there in seconds.
pub(crate) fn sound(world: &World, from: f64, to: f64) -> (f64, Duration) {
    let (start, end) = (world.at(from), world.at(to));
    let lost = |flow: &Flow| {
        let arrived: BTreeSet<u32> = flow.audio.iter().map(|packet| packet.0).collect();
        let sent = flow.audio_at.iter().enumerate().filter(|(_, at)| (start..end).contains(at));
        let (mut all, mut lost) = (0, 0);
        sent.for_each(|(n, _)| (all, lost) = (all + 1, lost + u32::from(!arrived.contains(&(n as u32)))));
        f64::from(lost) / f64::from(all)
    };
    let lost = world.flows.iter().map(lost).fold(0.0, f64::max);
    (lost, world.flows[0].queue_quantile(from, to, 0.95))
}

fn delayed(delay: u64) -> Path {
    Path { delay: Duration::from_millis(delay), ..Path::default() }
}

fn narrow() -> Path {
    Path { rate: Some(500_000), queue: Duration::from_millis(200), ..delayed(20) }
}

#[test]
fn sound_is_whole_on_a_downlink_that_is_too_narrow_for_everybodys_video() {
    for seed in 1..4 {
        let mut world = world(narrow(), seed);
        world.run_until(60.0);
        let (lost, queue) = sound(&world, 15.0, 60.0);
        assert!(lost < 0.02 && queue < Duration::from_millis(150), "seed {seed}: {lost}, {queue:?}");
    }
}

#[test]
fn a_wide_downlink_is_used_after_three_seconds() {
    for seed in 1..4 {
        let mut world = world(Path { rate: Some(20_000_000), ..delayed(20) }, seed);
        world.run_until(10.0);
        for flow in &world.flows {
            let rate = flow.goodput(3.0, 10.0);
            assert!(rate > 700_000.0, "seed {seed}: {rate}");
        }
    }
}

#[test]
fn the_limits_end_when_the_downlink_becomes_wide() {
    let mut world = world(narrow(), 1);
    let wide = Path { rate: Some(20_000_000), ..delayed(20) };
    world.change_both_at(30.0, &wide, &delayed(20));
    world.run_until(75.0);
    for flow in &world.flows {
        let rate = flow.goodput(65.0, 75.0);
        assert!(rate > 700_000.0, "{rate}");
    }
}

#[test]
fn losses_without_a_queue_limit_nobody() {
    let mut world = world(Path { loss: Loss::Random(0.2), rate: Some(20_000_000), ..delayed(20) }, 1);
    world.run_until(40.0);
    for flow in &world.flows {
        let rate = flow.goodput(20.0, 40.0);
        assert!(rate > 600_000.0, "{rate}");
    }
}
