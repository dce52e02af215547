//! Tests of delivery and of its cost in packets.

use crate::plan::Plan;
use crate::world::World;
use media::encoded::VideoCodec;
use std::time::Duration;
use testkit::net::{Loss, Path};

const CODECS: [VideoCodec; 3] = VideoCodec::ALL;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn lossy(loss: f64) -> Path {
    Path { loss: Loss::Random(loss), ..Path::default() }
}

/// Runs one flow over a path for this many seconds.
fn run(path: Path, plan: Plan, seed: u64, seconds: f64) -> World {
    let mut world = World::pair(path, plan, seed);
    world.run_until(seconds);
    world
}

/// Most frames that may be in flight at the end.
const IN_FLIGHT: usize = 20;

#[test]
fn a_clean_path_delivers_every_frame_immediately() {
    for codec in CODECS {
        for seed in 0..3 {
            let world = run(Path::default(), Plan { codec, ..Plan::default() }, seed, 10.0);
            let flow = &world.flows[0];
            assert!(flow.missing() <= 2, "{codec:?} {seed}: {}", flow.missing());
            assert!(flow.frames.len() > 290);
            assert_eq!(flow.sender.stats().nacked_packets, 0);
            assert_eq!(flow.plis, []);
            let slowest = flow.frames[30..].iter().map(|f| f.1).max().unwrap();
            assert!(slowest < ms(32), "{codec:?} {seed}: {slowest:?}");
        }
    }
}

#[test]
fn the_first_keyframe_arrives_within_100_ms() {
    let plan = Plan { start_bitrate: 1_000_000, ..Plan::default() };
    for seed in 0..10 {
        let world = run(Path::default(), plan.clone(), seed, 1.0);
        assert!(world.flows[0].frames[0].1 < ms(100), "{:?}", world.flows[0].frames[0]);
    }
}

#[test]
fn retransmission_recovers_random_loss() {
    for codec in CODECS {
        for (loss, seeds) in [(0.05, 4), (0.2, 4)] {
            for seed in 0..seeds {
                let world = run(lossy(loss), Plan { codec, desired: 1_500_000, ..Plan::default() }, seed, 15.0);
                let flow = &world.flows[0];
                assert!(flow.missing() <= IN_FLIGHT, "{codec:?} {loss} {seed}: {} missing", flow.missing());
                // The very first packet cannot be requested.
                let late = flow.plis.iter().filter(|at| **at > ms(1000)).count();
                assert!(late == 0, "{codec:?} {loss} {seed}: {:?}", flow.plis);
                let mut delays: Vec<Duration> = flow.frames.iter().map(|f| f.1).collect();
                delays.sort();
                let p95 = delays[delays.len() * 95 / 100];
                assert!(p95 < ms(if loss < 0.1 { 150 } else { 400 }), "{codec:?} {loss} {seed}: {p95:?}");
            }
        }
    }
}

#[test]
fn retransmission_recovers_loss_bursts() {
    let loss = Loss::Bursts { enter: 0.01, leave: 0.2, good: 0.0, bad: 0.9 };
    for seed in 0..6 {
        let world = run(Path { loss, ..Path::default() }, Plan { desired: 1_500_000, ..Plan::default() }, seed, 15.0);
        let flow = &world.flows[0];
        assert!(flow.missing() <= IN_FLIGHT, "{seed}: {} missing", flow.missing());
    }
}

#[test]
fn reordering_and_duplicates_cause_no_loss_and_few_retransmissions() {
    for seed in 0..6 {
        let path = Path { jitter: ms(20), reorder: true, duplicates: 0.1, ..Path::default() };
        let world = run(path, Plan::default(), seed, 15.0);
        let flow = &world.flows[0];
        assert!(flow.missing() <= IN_FLIGHT, "{seed}: {} missing", flow.missing());
        assert_eq!(flow.plis, []);
        let stats = flow.sender.stats();
        assert!(stats.retransmitted_packets_sent * 20 < stats.packets_sent, "{seed}: {stats:?}");
        let audio: Vec<u32> = flow.audio.iter().map(|a| a.0).collect();
        let mut distinct = audio.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), audio.len(), "an audio packet was delivered twice");
    }
}

#[test]
fn loss_of_half_the_packets_does_not_cause_a_feedback_storm() {
    for seed in 0..5 {
        let world = run(lossy(0.5), Plan { desired: 1_000_000, ..Plan::default() }, seed, 20.0);
        let flow = &world.flows[0];
        let stats = flow.sender.stats();
        let requested: usize = flow.nacked.iter().map(|n| n.1).sum();
        assert!(requested as u64 <= 4 * stats.packets_sent, "{seed}: {requested} of {}", stats.packets_sent);
        assert!(stats.retransmitted_packets_sent <= 2 * stats.packets_sent, "{seed}: {stats:?}");
        for plis in flow.plis.windows(2) {
            assert!(plis[1] - plis[0] >= ms(300), "{seed}: {plis:?}");
        }
        for second in 0..20 {
            let within = flow.nacked.iter().filter(|n| n.0.as_secs() == second).map(|n| n.1).sum::<usize>();
            assert!(within < 1500, "{seed}: {within} in second {second}");
        }
    }
}

#[test]
fn an_outage_of_five_seconds_ends_with_one_keyframe() {
    for seed in 0..5 {
        let mut world = World::pair(Path::default(), Plan::default(), seed);
        let outage = Path { loss: Loss::Random(1.0), ..Path::default() };
        let (from, to) = (world.at(5.0), world.at(10.0));
        world.forward.change_at(from, outage);
        world.forward.change_at(to, Path::default());
        world.run_until(15.0);
        let flow = &world.flows[0];
        let requested: usize = flow.nacked.iter().map(|n| n.1).sum();
        assert!(requested < 1500, "{seed}: {requested}");
        let after: Vec<_> = flow.plis.iter().filter(|at| at.as_secs_f64() > 9.9).collect();
        assert!(after.len() <= 2, "{seed}: {after:?}");
        let resumed = flow.samples.iter().find(|s| {
            s.at.as_secs_f64() > 10.0
                && s.received_bytes > flow.samples_between(9.0, 9.9).last().unwrap().received_bytes
        });
        assert!(resumed.unwrap().at < ms(10_600), "{seed}: {:?}", resumed.unwrap().at);
        assert!(flow.goodput(12.0, 15.0) > 2.0e6, "{seed}: {}", flow.goodput(12.0, 15.0));
    }
}

#[test]
fn packets_lost_in_an_outage_delay_nothing() {
    for seed in 0..6 {
        let mut world = World::pair(Path::default(), Plan { desired: 1_700_000, ..Plan::default() }, seed);
        let outage = Path { loss: Loss::Random(1.0), ..Path::default() };
        world.change_both_at(5.0, &outage, &outage);
        world.change_both_at(6.0, &Path::default(), &Path::default());
        world.run_until(12.0);
        let flow = &world.flows[0];
        let after = flow.frames.iter().skip_while(|f| f.0 < 5 * 30 + 5);
        let slowest = after.map(|f| f.1).max().unwrap();
        assert!(slowest < ms(100), "{seed}: {slowest:?}");
        assert_eq!(flow.plis.len(), 1, "{seed}");
    }
}

#[test]
fn loss_on_a_long_path_is_repaired_by_the_first_retransmission() {
    for seed in 0..6 {
        let path = Path { delay: ms(125), ..lossy(0.02) };
        let plan = Plan { desired: 1_700_000, ..Plan::default() };
        let mut world = World::new(path.clone(), path, &[plan], seed);
        world.run_until(30.0);
        let flow = &world.flows[0];
        let late = flow.frames.iter().skip(60).filter(|f| f.1 > ms(500)).count();
        assert!(late <= 12, "{seed}: {late} of {}", flow.frames.len());
        let stats = flow.sender.stats();
        assert!(stats.retransmitted_packets_sent * 12 < stats.packets_sent, "{seed}: {stats:?}");
    }
}

#[test]
fn audio_does_not_wait_behind_video() {
    for seed in 0..5 {
        let path = Path { rate: Some(1_200_000), ..Path::default() };
        let world = run(path, Plan::default(), seed, 20.0);
        let flow = &world.flows[0];
        let mut delays: Vec<Duration> = flow.audio.iter().filter(|a| a.0 > 150).map(|a| a.1).collect();
        delays.sort();
        let (median, p99) = (delays[delays.len() / 2], delays[delays.len() * 99 / 100]);
        assert!(median < ms(55), "{seed}: {median:?}");
        assert!(p99 < ms(110), "{seed}: {p99:?}");
    }
}
