//! Tests of the accuracy and speed of the bandwidth estimate.

use crate::plan::Plan;
use crate::world::World;
use std::time::Duration;
use testkit::net::{Loss, Path, Walk};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn narrow(rate: u64) -> Path {
    Path { rate: Some(rate), ..Path::default() }
}

#[test]
fn a_clean_path_is_filled_within_a_second() {
    for seed in 0..10 {
        for delay in [5, 20, 50] {
            let path = Path { delay: ms(delay), ..Path::default() };
            let mut world = World::pair(path, Plan { desired: 1_700_000, ..Plan::default() }, seed);
            world.run_until(3.0);
            let reached = world.flows[0].reached(0.0, 1_700_000);
            assert!(reached.is_some_and(|r| r < 1.0), "{seed} {delay}: {reached:?}");
        }
    }
}

#[test]
fn the_target_settles_near_the_capacity_with_a_short_queue() {
    for capacity in [300_000, 500_000, 1_000_000, 2_000_000, 3_000_000, 5_000_000] {
        for seed in 0..4 {
            let mut world = World::pair(narrow(capacity), Plan { desired: 6_000_000, ..Plan::default() }, seed);
            world.run_until(40.0);
            let flow = &world.flows[0];
            let share = flow.mean_target(15.0, 40.0) / capacity as f64;
            assert!((0.65..1.0).contains(&share), "{capacity} {seed}: {share}");
            let (median, p95) = (flow.queue_quantile(15.0, 40.0, 0.5), flow.queue_quantile(15.0, 40.0, 0.95));
            assert!(median < ms(60), "{capacity} {seed}: {median:?}");
            assert!(p95 < ms(170), "{capacity} {seed}: {p95:?}");
        }
    }
}

#[test]
fn a_cut_path_is_drained_and_a_restored_one_refilled() {
    for (queue, seeds) in [(ms(300), 8), (ms(1000), 8)] {
        for seed in 0..seeds {
            let path = |rate| Path { queue, ..narrow(rate) };
            let mut world = World::pair(path(2_500_000), Plan::default(), seed);
            let (cut, restored) = (world.at(15.0), world.at(35.0));
            world.forward.change_at(cut, path(500_000));
            world.forward.change_at(restored, path(2_500_000));
            world.run_until(50.0);
            let flow = &world.flows[0];
            let drained = flow.samples_between(15.3, 35.0).find(|s| s.queue < ms(60));
            let drained = drained.map(|s| s.at.as_secs_f64() - 15.0);
            assert!(drained.is_some_and(|at| at < 2.2), "{queue:?} {seed}: {drained:?}");
            let later = flow.queue_quantile(18.0, 35.0, 0.9);
            assert!(later < ms(150), "{queue:?} {seed}: {later:?}");
            let share = flow.mean_target(18.0, 35.0) / 500e3;
            assert!((0.6..1.0).contains(&share), "{queue:?} {seed}: {share}");
            let refilled = flow.reached(35.0, 2_000_000);
            assert!(refilled.is_some_and(|r| r < 5.0), "{queue:?} {seed}: {refilled:?}");
        }
    }
}

#[test]
fn random_loss_does_not_lower_the_target_for_long() {
    for loss in [0.02, 0.05, 0.1, 0.2] {
        for seed in 0..4 {
            let path = Path { loss: Loss::Random(loss), ..Path::default() };
            let mut world = World::pair(path, Plan { desired: 2_000_000, ..Plan::default() }, seed);
            world.run_until(30.0);
            let estimate = world.flows[0].sender.stats().estimate;
            assert!(estimate > 2_000_000, "{loss} {seed}: {estimate}");
            let goodput = world.flows[0].goodput(8.0, 30.0);
            assert!(goodput > 1_450_000.0, "{loss} {seed}: {goodput}");
        }
    }
}

#[test]
fn loss_on_a_full_path_does_not_starve_it() {
    for seed in 0..6 {
        let path = Path { loss: Loss::Random(0.05), ..narrow(2_000_000) };
        let mut world = World::pair(path, Plan::default(), seed);
        world.run_until(40.0);
        let flow = &world.flows[0];
        assert!(flow.goodput(15.0, 40.0) > 1_100_000.0, "{seed}: {}", flow.goodput(15.0, 40.0));
        assert!(flow.queue_quantile(15.0, 40.0, 0.9) < ms(150), "{seed}");
    }
}

#[test]
fn the_target_converges_on_a_path_with_a_short_queue() {
    for seed in 0..4 {
        let path = Path { queue: ms(15), ..narrow(1_000_000) };
        let mut world = World::pair(path, Plan::default(), seed);
        world.run_until(40.0);
        let dropped = world.forward.stats().dropped as f64 / world.forward.stats().sent as f64;
        assert!(dropped < 0.15, "{seed}: {dropped}");
        let goodput = world.flows[0].goodput(15.0, 40.0);
        assert!(goodput > 450_000.0, "{seed}: {goodput}");
    }
}

#[test]
fn jitter_is_not_mistaken_for_a_queue() {
    for reorder in [false, true] {
        for seed in 0..4 {
            let path = Path { jitter: ms(30), reorder, ..Path::default() };
            let mut world = World::pair(path, Plan { desired: 2_000_000, ..Plan::default() }, seed);
            world.run_until(30.0);
            let mean = world.flows[0].mean_target(5.0, 30.0);
            assert!(mean > 1_600_000.0, "{reorder} {seed}: {mean}");
        }
    }
}

/// A path with a delay of 10 ms plus up to `max_extra` ms, with a new value every 100 ms.
fn varying(max_extra: u64) -> Path {
    Path { delay: ms(10), walk: Some(Walk { most: ms(max_extra), every: ms(100) }), ..Path::default() }
}

#[test]
fn a_slowly_varying_delay_is_not_mistaken_for_a_queue() {
    for max_extra in [20, 40, 80] {
        for seed in 0..10 {
            let path = varying(max_extra);
            let mut world = World::new(path.clone(), path, &[Plan { desired: 1_700_000, ..Plan::default() }], seed);
            world.run_until(30.0);
            let goodput = world.flows[0].goodput(10.0, 30.0);
            assert!(goodput > 1_450_000.0, "{max_extra} {seed}: {goodput}");
        }
    }
}

#[test]
fn a_slowly_varying_delay_does_not_hide_a_queue() {
    for (capacity, max_extra, bound) in [(2_000_000, 40, ms(80)), (1_000_000, 80, ms(170))] {
        for seed in 0..6 {
            let path = Path { rate: Some(capacity), ..varying(max_extra) };
            let mut world = World::new(path, varying(max_extra), &[Plan::default()], seed);
            world.run_until(40.0);
            let flow = &world.flows[0];
            let share = flow.goodput(10.0, 40.0) / capacity as f64;
            assert!(share > 0.65, "{capacity} {seed}: {share}");
            let p95 = flow.queue_quantile(10.0, 40.0, 0.95);
            assert!(p95 < bound, "{capacity} {seed}: {p95:?}");
        }
    }
}

#[test]
fn a_full_path_is_recognised_without_a_queue() {
    for capacity in [500_000, 1_000_000, 2_000_000] {
        for seed in 0..6 {
            let mut world = World::pair(narrow(capacity), Plan { desired: 3_000_000, ..Plan::default() }, seed);
            world.run_until(40.0);
            let flow = &world.flows[0];
            let p95 = flow.queue_quantile(10.0, 40.0, 0.95);
            assert!(p95 < ms(50), "{capacity} {seed}: {p95:?}");
            let share = flow.mean_target(10.0, 40.0) / capacity as f64;
            assert!(share > 0.86, "{capacity} {seed}: {share}");
        }
    }
}

#[test]
fn a_short_interruption_does_not_count_as_loss() {
    for seed in 0..6 {
        let mut world = World::pair(Path::default(), Plan { desired: 1_700_000, ..Plan::default() }, seed);
        let outage = Path { loss: Loss::Random(1.0), ..Path::default() };
        world.change_both_at(10.0, &outage, &outage);
        world.change_both_at(10.3, &Path::default(), &Path::default());
        world.run_until(16.0);
        let goodput = world.flows[0].goodput(11.0, 16.0);
        assert!(goodput > 1_550_000.0, "{seed}: {goodput}");
    }
}

#[test]
fn an_encoder_with_little_to_send_keeps_its_estimate() {
    for seed in 0..4 {
        let plan = Plan { desired: 200_000, follows_target: false, ..Plan::default() };
        let mut world = World::pair(Path { jitter: ms(10), ..Path::default() }, plan, seed);
        world.run_until(20.0);
        assert!(world.flows[0].sender.target_bitrate() >= 260_000, "{}", world.flows[0].sender.target_bitrate());
    }
}

#[test]
fn two_flows_share_a_path() {
    for seed in 0..4 {
        let plan = Plan { desired: 2_500_000, ..Plan::default() };
        let return_path = Path::default();
        let mut world = World::new(narrow(2_000_000), return_path, &[plan.clone(), plan], seed);
        world.run_until(60.0);
        let rates: Vec<f64> = world.flows.iter().map(|f| f.goodput(20.0, 60.0)).collect();
        let sum: f64 = rates.iter().sum();
        assert!(sum > 1_200_000.0, "{seed}: {rates:?}");
        assert!(rates.iter().all(|r| r / sum > 0.25), "{seed}: {rates:?}");
    }
}

#[test]
fn lost_rare_and_late_feedback_is_tolerated() {
    for seed in 0..4 {
        let rates = [500_000, 2_000_000];
        for rate in rates {
            let plan = Plan { report_interval: ms(150), max_timer_delay: ms(8), ..Plan::default() };
            let return_path = Path { loss: Loss::Random(0.1), jitter: ms(20), ..Path::default() };
            let mut world = World::new(narrow(rate), return_path, &[plan], seed);
            world.run_until(40.0);
            let flow = &world.flows[0];
            let share = flow.mean_target(15.0, 40.0) / rate as f64;
            assert!((0.65..1.0).contains(&share), "{rate} {seed}: {share}");
            let p95 = flow.queue_quantile(15.0, 40.0, 0.95);
            assert!(p95 < ms(200), "{rate} {seed}: {p95:?}");
        }
    }
}

#[test]
fn the_target_settles_on_a_long_path() {
    for seed in 0..4 {
        let path = Path { delay: ms(200), ..narrow(1_000_000) };
        let mut world = World::pair(path, Plan::default(), seed);
        world.run_until(40.0);
        let flow = &world.flows[0];
        let share = flow.mean_target(15.0, 40.0) / 1e6;
        assert!((0.65..1.0).contains(&share), "{seed}: {share}");
        assert!(flow.queue_quantile(15.0, 40.0, 0.95) < ms(150), "{seed}");
    }
}

#[test]
fn an_interruption_is_not_mistaken_for_a_narrow_path() {
    for seed in 0..4 {
        for seconds in [0.3, 1.0, 3.0] {
            let mut world = World::pair(narrow(3_000_000), Plan::default(), seed);
            let (from, to) = (world.at(10.0), world.at(10.0 + seconds));
            world.forward.change_at(from, Path { loss: Loss::Random(1.0), ..narrow(3_000_000) });
            world.forward.change_at(to, narrow(3_000_000));
            world.run_until(20.0);
            let mean = world.flows[0].mean_target(13.5 + seconds, 20.0);
            assert!(mean > 1_700_000.0, "{seconds} {seed}: {mean}");
        }
    }
}

#[test]
fn a_longer_route_is_not_drained_forever() {
    for seed in 0..4 {
        let mut world = World::pair(Path::default(), Plan { desired: 1_700_000, ..Plan::default() }, seed);
        let at = world.at(10.0);
        world.forward.change_at(at, Path { delay: ms(120), ..Path::default() });
        world.run_until(20.0);
        let mean = world.flows[0].mean_target(14.0, 20.0);
        assert!(mean > 1_300_000.0, "{seed}: {mean}");
    }
}
