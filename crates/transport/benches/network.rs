//! Prints figures of the transport over simulated paths, for tuning: `cargo bench -p transport`.

#[path = "../tests/network/twcc.rs"]
mod twcc;
#[path = "../tests/network/world.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod world;

fn main() {
    table();
    steps();
}

use crate::world::{Plan, World};
use std::time::Duration;
use testkit::net::{Loss, Path};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn row(name: &str, world: &World, from: f64, to: f64) {
    for flow in &world.flows {
        let stats = flow.sender.stats();
        let frames: Vec<Duration> = {
            let mut delays: Vec<Duration> = flow.frames.iter().skip(60).map(|f| f.1).collect();
            delays.sort();
            delays
        };
        let at = |q: f64| frames.get((frames.len() as f64 * q) as usize).copied().unwrap_or_default();
        println!(
            "{name:32} target {:5.0} estimate {:5} good {:5.0} queue {:4.0}/{:4.0} ms frame {:4.0}/{:4.0}/{:4.0} ms  missing {} pli {} nack {} rtx {} probes {} in {} packets, refused {}",
            flow.mean_target(from, to) / 1e3,
            stats.estimate / 1000,
            flow.goodput(from, to) / 1e3,
            flow.queue_quantile(from, to, 0.5).as_secs_f64() * 1e3,
            flow.queue_quantile(from, to, 0.95).as_secs_f64() * 1e3,
            at(0.5).as_secs_f64() * 1e3,
            at(0.95).as_secs_f64() * 1e3,
            at(0.999).as_secs_f64() * 1e3,
            flow.missing(),
            flow.plis.len(),
            stats.nacked_packets,
            stats.retransmitted_packets_sent,
            stats.probes,
            stats.padding_packets_sent,
            stats.frames_refused,
        );
    }
}

fn table() {
    let seconds = 40.0;
    let show = |name: String, path: Path, desired: u64| {
        for seed in 0..2 {
            let mut world = World::pair(path.clone(), Plan { desired, ..Plan::default() }, seed);
            world.run_until(seconds);
            row(&name, &world, 10.0, seconds);
        }
    };
    show("clean".into(), Path::default(), 1_700_000);
    for rate in [300, 500, 1000, 2000, 5000] {
        show(format!("{rate} kb/s"), Path { rate: Some(rate * 1000), ..Path::default() }, 6_000_000);
    }
    for loss in [0.05, 0.1, 0.2, 0.5] {
        show(format!("loss {loss}"), Path { loss: Loss::Random(loss), ..Path::default() }, 2_000_000);
    }
    for loss in [0.02, 0.05, 0.1] {
        let path = Path { loss: Loss::Random(loss), rate: Some(2_000_000), ..Path::default() };
        show(format!("2000 kb/s, loss {loss}"), path, 2_500_000);
    }
    show("1000 kb/s, 15 ms queue".into(), Path { rate: Some(1_000_000), queue: ms(15), ..Path::default() }, 2_500_000);
    show("jitter 30".into(), Path { jitter: ms(30), ..Path::default() }, 2_000_000);
    show("reorder 30".into(), Path { jitter: ms(30), reorder: true, ..Path::default() }, 2_000_000);
    let path = Path { jitter: ms(10), rate: Some(1_000_000), ..Path::default() };
    show("1000 kb/s, jitter 10".into(), path, 2_500_000);
    for delay in [1, 100, 200] {
        let path = Path { delay: ms(delay), rate: Some(1_000_000), ..Path::default() };
        show(format!("1000 kb/s, delay {delay}"), path, 2_500_000);
    }
    for queue in [50, 100, 1000] {
        let path = Path { queue: ms(queue), rate: Some(1_000_000), ..Path::default() };
        show(format!("1000 kb/s, queue {queue}"), path, 2_500_000);
    }
    for (name, every, late) in [("reports 100", 100, 0), ("reports 200", 200, 0), ("late timers", 50, 8)] {
        for rate in [500_000, 2_000_000] {
            let path = Path { rate: Some(rate), ..Path::default() };
            let plan = Plan { report_interval: ms(every), max_timer_delay: ms(late), ..Plan::default() };
            let mut world = World::pair(path, plan, 1);
            world.run_until(seconds);
            row(&format!("{} kb/s, {name}", rate / 1000), &world, 10.0, seconds);
        }
    }
    for loss in [0.05, 0.2] {
        let path = Path { loss: Loss::Random(loss), ..Path::default() };
        let mut world = World::new(path.clone(), path, &[Plan { desired: 2_000_000, ..Plan::default() }], 1);
        world.run_until(seconds);
        row(&format!("loss {loss} both ways"), &world, 10.0, seconds);
    }
}

fn steps() {
    for seed in 0..2 {
        let narrow = |rate| Path { rate: Some(rate), ..Path::default() };
        let mut world = World::pair(narrow(2_500_000), Plan::default(), seed);
        let (cut, restored) = (world.at(15.0), world.at(35.0));
        world.forward.change_at(cut, narrow(500_000));
        world.forward.change_at(restored, narrow(2_500_000));
        world.run_until(50.0);
        for sample in world.flows[0].samples.iter().step_by(4) {
            println!(
                "{:6.2} {:5} kb/s {:4} ms",
                sample.at.as_secs_f64(),
                sample.target / 1000,
                sample.queue.as_millis()
            );
        }
    }
}
