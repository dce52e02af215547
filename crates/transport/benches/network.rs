//! Prints the figures of every scenario over many seeds, as median (min-max): `cargo bench -p transport`. `-- TEXT`
//! selects the scenarios whose name contains the text. With the environment variable `WITHOUT_REPAIR`, no repair packets
//! are negotiated.

#[path = "../tests/network/coordination.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod coordination;
#[path = "../tests/network/plan.rs"]
mod plan;
#[path = "../tests/network/scenarios.rs"]
#[allow(dead_code, reason = "the tests use the bounds")]
mod scenarios;
#[path = "../tests/network/twcc.rs"]
mod twcc;
#[path = "../tests/network/world.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod world;

use crate::scenarios::{Figures, Scenario, quantile};
use std::sync::atomic::{AtomicU64, Ordering};

const SEEDS: u64 = 20;

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--")).unwrap_or_default();
    println!(
        "{:27} {:18} {:17} {:15} {:15} {:19} {:14} {:15}",
        "", "frames/s", "frozen, s", "latency 50 %", "95 %, ms", "rate, kbit/s", "queue 95 %, ms", "first frame, ms"
    );
    for scenario in scenarios::all().iter().filter(|scenario| scenario.name.contains(&filter)) {
        print(scenario, &run(scenario));
    }
}

/// Runs all seeds, on every core.
fn run(scenario: &Scenario) -> Vec<Figures> {
    let next = AtomicU64::new(0);
    let take = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < SEEDS);
    let work = || std::iter::from_fn(take).flat_map(|seed| scenario.run(seed)).collect::<Vec<_>>();
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a flow panicked")).collect()
    })
}

fn print(scenario: &Scenario, all: &[Figures]) {
    let spread = |of: &dyn Fn(&Figures) -> f64, digits: usize| {
        let at = |q| quantile(all.iter().map(of).collect(), q);
        format!("{:.digits$} ({:.digits$}-{:.digits$})", at(0.5), at(0.0), at(1.0))
    };
    let extra = scenario.extra.map_or(String::new(), |(name, _)| {
        format!("{name} {}", spread(&|figures| figures.extra.unwrap_or(f64::NAN), 2))
    });
    println!(
        "{:27} {:18} {:17} {:15} {:15} {:19} {:14} {:15} {extra}",
        scenario.name,
        spread(&|figures| figures.fps, 1),
        spread(&|figures| figures.frozen, 2),
        spread(&|figures| figures.latency[0], 0),
        spread(&|figures| figures.latency[1], 0),
        spread(&|figures| figures.rate, 0),
        spread(&|figures| figures.queue, 0),
        spread(&|figures| figures.first, 0),
    );
}
