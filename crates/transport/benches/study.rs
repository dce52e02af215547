//! Prints figures of the transport over many seeds: `cargo bench -p transport --bench study`. `-- TEXT` selects the rows
//! whose name contains the text. With the environment variable `WITHOUT_REPAIR`, no repair packets are negotiated.

#[path = "../tests/network/twcc.rs"]
mod twcc;
#[path = "../tests/network/world.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod world;

use crate::world::{Flow, Plan, World};
use std::time::Duration;
use testkit::net::{Loss, Path, Walk};

const SEEDS: u64 = 20;
/// A longer interval between two frames is a freeze (`freezeCount` of W3C webrtc-stats at 30 frames per second).
const FREEZE_GAP: f64 = 0.183;
const PERIOD: f64 = 1.0 / 30.0;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn seconds(of: Duration) -> f64 {
    of.as_secs_f64()
}

/// The figures of one flow with one seed: bitrates in kbit/s, and delays in ms as 50 %, 95 % and 100 % quantiles.
#[derive(Default, Clone)]
struct Figures {
    rate: f64,
    target: f64,
    queue: [f64; 3],
    latency: [f64; 3],
    frozen: f64,
    fps: f64,
    overruns: f64,
    plis: f64,
}

fn quantiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let at = |q: f64| values.get((values.len().saturating_sub(1) as f64 * q) as usize).copied().unwrap_or(0.0);
    [at(0.5), at(0.95), at(1.0)]
}

fn figures(flow: &Flow, from: f64, to: f64) -> Figures {
    let played: Vec<(f64, f64)> = flow.played.iter().map(|s| (seconds(s.0), seconds(s.1))).collect();
    let within: Vec<(f64, f64)> = played.iter().copied().filter(|s| (from..to).contains(&s.1)).collect();
    // The gaps before the first and after the last frame count.
    let edges = [from].into_iter().chain(within.iter().map(|s| s.1)).chain([to]).collect::<Vec<f64>>();
    let gaps = edges.windows(2).map(|w| w[1] - w[0]);
    Figures {
        rate: flow.goodput(from, to) / 1e3,
        target: flow.mean_target(from, to) / 1e3,
        queue: quantiles(flow.samples_between(from, to).map(|s| seconds(s.queue) * 1e3).collect()),
        latency: quantiles(within.iter().map(|s| (s.1 - s.0) * 1e3).collect()),
        frozen: gaps.filter(|gap| *gap > FREEZE_GAP).map(|gap| gap - PERIOD).fold(0.0, |sum, gap| sum + gap),
        fps: within.len() as f64 / (to - from),
        overruns: f64::from(flow.overruns),
        plis: flow.plis.len() as f64,
    }
}

fn row(name: &str, all: &[Figures], note: &str) {
    let mean = |of: &dyn Fn(&Figures) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
    let min = all.iter().map(|s| s.rate).fold(f64::MAX, f64::min);
    let most = all.iter().map(|s| s.frozen).fold(0.0, f64::max);
    println!(
        "{name:28} {:5.0} ({min:4.0}) {:5.0} | {:4.0} {:4.0} {:5.0} | {:4.0} {:4.0} {:5.0} | {:4.2} ({most:4.2}) {:4.1} {:4.1} {:4.1} {note}",
        mean(&|s| s.rate),
        mean(&|s| s.target),
        mean(&|s| s.queue[0]),
        mean(&|s| s.queue[1]),
        mean(&|s| s.queue[2]),
        mean(&|s| s.latency[0]),
        mean(&|s| s.latency[1]),
        mean(&|s| s.latency[2]),
        mean(&|s| s.frozen),
        mean(&|s| s.fps),
        mean(&|s| s.overruns),
        mean(&|s| s.plis),
    );
}

/// Loss in bursts of this mean length.
fn bursts(share: f64, mean: f64) -> Loss {
    Loss::Bursts { enter: share / (1.0 - share) / mean, leave: 1.0 / mean, good: 0.0, bad: 1.0 }
}

fn plan(desired: u64) -> Plan {
    Plan { desired, plays: true, repair: std::env::var_os("WITHOUT_REPAIR").is_none(), ..Plan::default() }
}

/// The same path in both directions, without the rate limit on the return path.
fn both(path: &Path, desired: u64, seed: u64) -> World {
    World::new(path.clone(), Path { rate: None, ..path.clone() }, &[plan(desired)], seed)
}

fn steady(name: &str, path: Path, desired: u64) {
    let all: Vec<Figures> = (0..SEEDS)
        .map(|seed| {
            let mut world = both(&path, desired, seed);
            world.run_until(42.0);
            figures(&world.flows[0], 10.0, 40.0)
        })
        .collect();
    row(name, &all, "");
}

/// A clean path whose delay varies after `since` seconds.
fn varying_from(name: &str, since: f64, walk: Option<Walk>) {
    let clean = Path { delay: ms(10), ..Path::default() };
    let path = Path { walk, ..clean.clone() };
    let all: Vec<Figures> = (0..SEEDS)
        .map(|seed| {
            let mut world = both(if since > 0.0 { &clean } else { &path }, 1_700_000, seed);
            world.change_both_at(since, &path, &path);
            world.run_until(since + 12.0);
            figures(&world.flows[0], since, since + 10.0)
        })
        .collect();
    row(name, &all, "");
}

fn outage(duration: f64) {
    let path = Path { delay: ms(25), ..Path::default() };
    let lost = Path { loss: Loss::Random(1.0), ..path.clone() };
    let mut settling_times = Vec::new();
    let all: Vec<Figures> = (0..SEEDS)
        .map(|seed| {
            let mut world = both(&path, 1_700_000, seed);
            world.change_both_at(20.0, &lost, &lost);
            world.change_both_at(20.0 + duration, &path, &path);
            world.run_until(42.0);
            let flow = &world.flows[0];
            let usual_latency = figures(flow, 10.0, 20.0).latency[0] / 1e3;
            let slow = flow.played.iter().filter(|s| seconds(s.1 - s.0) > usual_latency + 0.03 && seconds(s.1) > 20.0);
            settling_times.push(slow.map(|s| seconds(s.1)).fold(20.0, f64::max) - 20.0);
            figures(flow, 19.5, 40.0)
        })
        .collect();
    let rates: Vec<f64> = settling_times;
    let [median, _, most] = quantiles(rates);
    row(&format!("outage {duration} s"), &all, &format!("latency settled after {median:.1} s, at most {most:.1}"));
}

fn drop(name: &str, base: Path, plan: Plan) {
    let path = |rate| Path { rate: Some(rate), ..base.clone() };
    let return_path = base.clone();
    let (mut low, mut recovery_times, mut settling) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..SEEDS {
        let mut world = World::new(path(2_500_000), return_path.clone(), std::slice::from_ref(&plan), seed);
        world.change_both_at(15.0, &path(500_000), &return_path);
        world.change_both_at(35.0, &path(2_500_000), &return_path);
        world.run_until(52.0);
        let flow = &world.flows[0];
        low.push(figures(flow, 17.0, 35.0));
        settling.push(figures(flow, 14.5, 18.0));
        let target_rate = 0.8 * flow.goodput(8.0, 15.0);
        let reached_at =
            (0..150).map(|i| f64::from(i) * 0.1).find(|at| flow.goodput(35.0 + at, 36.0 + at) > target_rate);
        recovery_times.push(reached_at.map_or(15.0, |at| at + 0.5));
    }
    row(&format!("{name}, 14.5-18 s"), &settling, "");
    let [median, _, most] = quantiles(recovery_times);
    row(&format!("{name}, 17-35 s"), &low, &format!("80 % back after {median:.1} s, at most {most:.1}"));
}

fn shared(name: &str, path: Path, plans: &[Plan]) {
    let (mut all, mut shares, mut sums) = (Vec::new(), Vec::new(), Vec::new());
    for seed in 0..SEEDS {
        let mut world = World::new(path.clone(), Path::default(), plans, seed);
        world.run_until(62.0);
        let rates: Vec<f64> = world.flows.iter().map(|f| f.goodput(20.0, 60.0)).collect();
        sums.push(rates.iter().sum::<f64>() / 1e3);
        shares.push(rates.iter().copied().fold(f64::MAX, f64::min) / rates.iter().sum::<f64>());
        all.extend(world.flows.iter().map(|flow| figures(flow, 20.0, 60.0)));
    }
    let min = shares.iter().copied().fold(f64::MAX, f64::min);
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    let sum = sums.iter().sum::<f64>() / sums.len() as f64;
    row(name, &all, &format!("smaller share {mean:.2} (least {min:.2}), sum {sum:.0}"));
}

fn main() {
    let filter = std::env::args().skip(1).find(|a| !a.starts_with("--"));
    let desired = |name: &str| filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()));
    println!(
        "{:28} rate (least) target | queue 50/95/100 % | latency 50/95/100 % | frozen (most) fps, overruns, keyframe requests; kbit/s, ms, s",
        ""
    );
    let far = Path { delay: ms(25), ..Path::default() };
    let walk = |max| Some(Walk { most: ms(max), every: ms(100) });
    let narrow = |rate| Path { rate: Some(rate), ..far.clone() };
    let cases = [
        ("clean", Path::default(), 1_700_000),
        ("loss 5 %", Path { loss: Loss::Random(0.05), ..far.clone() }, 1_700_000),
        ("walk 80", Path { delay: ms(10), walk: walk(80), ..Path::default() }, 1_700_000),
        ("walk 40", Path { delay: ms(10), walk: walk(40), ..Path::default() }, 1_700_000),
        ("rtt 100, loss 5 %", Path { delay: ms(50), loss: Loss::Random(0.05), ..Path::default() }, 1_700_000),
        ("rtt 100, loss 20 %", Path { delay: ms(50), loss: Loss::Random(0.2), ..Path::default() }, 1_700_000),
        ("rtt 100, 5 % in bursts", Path { delay: ms(50), loss: bursts(0.05, 8.0), ..Path::default() }, 1_700_000),
        ("rtt 100, 2000 kb/s, 5 %", Path { delay: ms(50), loss: Loss::Random(0.05), ..narrow(2_000_000) }, 1_700_000),
        ("rtt 250", Path { delay: ms(125), ..Path::default() }, 1_700_000),
        ("rtt 250, loss 2 %", Path { delay: ms(125), loss: Loss::Random(0.02), ..Path::default() }, 1_700_000),
        ("1000 kb/s", narrow(1_000_000), 1_700_000),
        ("1000 kb/s, rtt 250", Path { delay: ms(125), ..narrow(1_000_000) }, 1_700_000),
        ("500 kb/s", narrow(500_000), 1_700_000),
        ("2000 kb/s", narrow(2_000_000), 2_500_000),
        ("2000 kb/s, walk 40", Path { walk: walk(40), ..narrow(2_000_000) }, 2_500_000),
        ("1000 kb/s, walk 80", Path { walk: walk(80), ..narrow(1_000_000) }, 1_700_000),
        ("1200 kb/s, queue 1 s", Path { queue: ms(1000), ..narrow(1_200_000) }, 1_700_000),
        ("2000 kb/s, loss 5 %", Path { loss: Loss::Random(0.05), ..narrow(2_000_000) }, 2_500_000),
    ];
    for (name, path, most) in cases {
        if desired(name) {
            steady(name, path, most);
        }
    }
    if desired("walk") {
        varying_from("walk 80, first 10 s", 0.0, walk(80));
        varying_from("walk 80 begins, 10 s", 15.0, walk(80));
    }
    if desired("outage") {
        outage(1.0);
        outage(0.3);
    }
    if desired("drop") {
        drop("drop", far.clone(), plan(1_700_000));
        drop("drop, slow encoder", far.clone(), Plan { encoder_lag: ms(300), ..plan(1_700_000) });
        drop("drop, queue 1 s", Path { queue: ms(1000), ..far.clone() }, plan(1_700_000));
        drop("drop, walk 80", Path { walk: walk(80), ..far.clone() }, plan(1_700_000));
    }
    if desired("two") {
        let equal = [plan(1_700_000), plan(1_700_000)];
        shared("two on 2000 kb/s", narrow(2_000_000), &equal);
        shared("two on 2000 kb/s, walk 40", Path { walk: walk(40), ..narrow(2_000_000) }, &equal);
        let stubborn = Plan { follows_target: false, ..plan(700_000) };
        shared("two, one of 700 kb/s always", narrow(2_000_000), &[plan(1_700_000), stubborn]);
    }
}
