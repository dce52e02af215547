//! Tests of the benefit and cost of repair packets.

use crate::plan::Plan;
use crate::world::World;
use media::encoded::VideoCodec;
use std::time::Duration;
use testkit::net::{Loss, Path};

const RTT: Duration = Duration::from_millis(100);

fn path(loss: f64) -> Path {
    Path { delay: RTT / 2, loss: Loss::Random(loss), ..Path::default() }
}

/// Runs with the same path in both directions.
fn run(path: Path, plan: Plan, seed: u64) -> World {
    let return_path = Path { rate: None, ..path.clone() };
    let mut world = World::new(path, return_path, &[plan], seed);
    world.run_until(30.0);
    world
}

fn plan() -> Plan {
    Plan { desired: 1_700_000, repair: true, ..Plan::default() }
}

#[test]
fn lost_packets_are_restored_without_a_round_trip() {
    for codec in VideoCodec::ALL {
        for seed in 0..4 {
            let world = run(path(0.05), Plan { codec, ..plan() }, seed);
            let flow = &world.flows[0];
            let frames = &flow.frames[150..];
            let late = frames.iter().filter(|(_, delay)| *delay > RTT).count();
            assert!(late * 20 < frames.len(), "{codec:?} {seed}: {late} of {}", frames.len());
            assert!(flow.receiver_stats().repaired_packets > 200, "{codec:?} {seed}: {:?}", flow.receiver_stats());
            let overhead = flow.sender.stats().repair_packets_sent as f64 / flow.sender.stats().packets_sent as f64;
            assert!((0.1..0.3).contains(&overhead), "{codec:?} {seed}: {overhead}");
        }
    }
}

#[test]
fn a_path_without_loss_carries_no_repair_packets() {
    for seed in 0..3 {
        let world = run(path(0.0), plan(), seed);
        assert_eq!(world.flows[0].sender.stats().repair_packets_sent, 0);
    }
}

/// Losses of a full queue are congestion, which repair packets would increase.
#[test]
fn a_full_path_carries_almost_no_repair_packets() {
    for seed in 0..3 {
        let narrow = Path { rate: Some(800_000), ..path(0.0) };
        let world = run(narrow, plan(), seed);
        let stats = world.flows[0].sender.stats();
        assert!(stats.repair_packets_sent * 100 < stats.packets_sent, "{seed}: {stats:?}");
    }
}

#[test]
fn repair_packets_are_part_of_the_estimate() {
    for seed in 0..3 {
        let narrow = Path { rate: Some(2_000_000), ..path(0.05) };
        let world = run(narrow, Plan { desired: 2_500_000, ..plan() }, seed);
        let flow = &world.flows[0];
        let queue = flow.queue_quantile(10.0, 30.0, 0.95);
        assert!(queue < Duration::from_millis(60), "{seed}: {queue:?}");
        assert!(flow.goodput(10.0, 30.0) > 1_200_000.0, "{seed}: {}", flow.goodput(10.0, 30.0));
    }
}

#[test]
fn heavy_loss_does_not_fill_the_link() {
    for seed in 0..3 {
        let world = run(path(0.2), plan(), seed);
        let sent = world.flows[0].sender.stats().bytes_sent as f64 * 8.0 / 30.0;
        assert!(sent < 2_600_000.0, "{seed}: {sent}");
    }
}
