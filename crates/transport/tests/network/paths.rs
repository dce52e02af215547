//! Tests that flows reach the bounds of every scenario, in the median of the seeds.

use crate::scenarios::{self, Figures, Scenario, quantile};

const SEEDS: u64 = 20;

fn check(scenarios: Vec<Scenario>) {
    let failures: Vec<String> = scenarios.iter().flat_map(failures).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn failures(scenario: &Scenario) -> Vec<String> {
    let all: Vec<Figures> = (0..SEEDS).flat_map(|seed| scenario.run(seed)).collect();
    let median = |of: &dyn Fn(&Figures) -> f64| quantile(all.iter().map(of).collect(), 0.5);
    let bounds = scenario.bounds;
    let extra = median(&|figures| figures.extra.unwrap_or(0.0));
    let checks = [
        ("frames per second", median(&|f| f.fps), bounds.fps, f64::MAX),
        ("seconds frozen", median(&|f| f.frozen), 0.0, bounds.frozen),
        ("latency 50 %", median(&|f| f.latency[0]), 0.0, bounds.latency[0]),
        ("latency 95 %", median(&|f| f.latency[1]), 0.0, bounds.latency[1]),
        ("bitrate", median(&|f| f.rate), bounds.rate, f64::MAX),
        ("queue 95 %", median(&|f| f.queue), 0.0, bounds.queue),
        ("first frame", median(&|f| f.first), 0.0, bounds.first),
        (scenario.extra.map_or("", |extra| extra.0), extra, bounds.extra.0, bounds.extra.1),
    ];
    let failed = checks.into_iter().filter(|(_, value, least, most)| !(*least..=*most).contains(value));
    failed.map(|(of, value, least, most)| format!("{}: {of} {value:.2}, not {least}..{most}", scenario.name)).collect()
}

#[test]
fn scenarios_have_different_names() {
    let names: std::collections::BTreeSet<&str> = scenarios::all().iter().map(|scenario| scenario.name).collect();
    assert_eq!(names.len(), scenarios::all().len());
}

#[test]
fn calls_on_paths_without_impairments() {
    check(scenarios::steady());
}

#[test]
fn calls_on_paths_that_lose_packets() {
    check(scenarios::lossy());
}

#[test]
fn calls_on_paths_whose_delay_varies() {
    check(scenarios::varying());
}

#[test]
fn calls_on_narrow_paths() {
    check(scenarios::narrow());
}

#[test]
fn calls_on_paths_that_change() {
    check(scenarios::changing());
}

#[test]
fn calls_on_paths_with_other_traffic() {
    check(scenarios::shared());
}
