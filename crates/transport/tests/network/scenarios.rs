//! Paths that calls meet, and the figures of flows over them. The tests bound the figures, and `cargo xtask bench network`
//! prints them.

use crate::plan::Plan;
use crate::world::{Flow, World};
use std::time::Duration;
use testkit::net::{Loss, Path, Walk};
use testkit::random::Random;

/// A longer interval between two frames is a freeze (`freezeCount` of W3C webrtc-stats at 30 frames per second).
const FREEZE_GAP: f64 = 0.183;
const UNTIL_RECOVERED: &str = "seconds until 80 % of the rate is back";
/// The measured part of a scenario without changes, in seconds.
const STEADY: (f64, f64) = (10.0, 40.0);

/// What all flows of a scenario must reach. Latencies and queues are in ms, bitrates in kbit/s.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Least frames per second.
    pub(crate) fps: f64,
    /// Most seconds frozen.
    pub(crate) frozen: f64,
    /// Largest latency from capture to display: 50 % and 95 % quantile.
    pub(crate) latency: [f64; 2],
    /// Least bitrate of complete frames.
    pub(crate) rate: f64,
    /// Longest queue at the bottleneck: 95 % quantile.
    pub(crate) queue: f64,
    /// Latest first frame, in ms after the connection is up.
    pub(crate) first: f64,
    /// Range of the additional figure.
    pub(crate) extra: (f64, f64),
}

/// The changes of a path for a seed.
type Changes = fn(u64) -> Vec<(f64, Path)>;
/// An additional figure of one scenario, with its name.
type Extra = (&'static str, fn(&World) -> f64);

/// A path with the flows on it, and what they reach: bounds for the median of the seeds.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    path: Path,
    /// The path of the feedback. If `None`, it is the same as `path`.
    return_path: Option<Path>,
    plans: Vec<Plan>,
    /// Whether one client sends all flows.
    one_client: bool,
    /// Changes of the path for this seed, with their times in seconds.
    changes: Option<Changes>,
    /// Changes of the path of the feedback only.
    return_changes: Vec<(f64, Path)>,
    /// When a TCP flow starts, in seconds.
    competitor: Option<f64>,
    measured: (f64, f64),
    pub(crate) extra: Option<Extra>,
    pub(crate) bounds: Bounds,
}

/// The figures of one flow with one seed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    pub(crate) fps: f64,
    /// Seconds frozen.
    pub(crate) frozen: f64,
    /// Latency in ms: 50 % and 95 % quantile.
    pub(crate) latency: [f64; 2],
    /// Bitrate of complete frames, kbit/s.
    pub(crate) rate: f64,
    /// 95 % quantile of the bottleneck's queue, in ms.
    pub(crate) queue: f64,
    /// When the first frame is shown, in ms after the connection is up.
    pub(crate) first: f64,
    pub(crate) extra: Option<f64>,
}

impl Scenario {
    /// Runs the scenario with one seed. Returns the figures of each flow.
    pub(crate) fn run(&self, seed: u64) -> Vec<Figures> {
        let world = self.world(seed);
        let (from, to) = self.measured;
        let extra = self.extra.map(|(_, extra)| extra(&world));
        world.flows.iter().map(|flow| Figures { extra, ..figures(flow, from, to) }).collect()
    }

    fn world(&self, seed: u64) -> World {
        let return_path = self.return_path.clone().unwrap_or_else(|| self.path.clone());
        let mut world = World::new(self.path.clone(), return_path.clone(), &self.plans, seed);
        for (at, path) in self.changes.map(|changes| changes(seed)).unwrap_or_default() {
            let return_path = if self.return_path.is_some() { return_path.clone() } else { path.clone() };
            world.change_both_at(at, &path, &return_path);
        }
        for (at, path) in &self.return_changes {
            let at = world.at(*at);
            world.backward.change_at(at, path.clone());
        }
        if self.one_client {
            world.coordinate();
        }
        self.competitor.into_iter().for_each(|at| world.add_competitor(at));
        world.run_until(self.measured.1 + 2.0);
        world
    }
}

fn figures(flow: &Flow, from: f64, to: f64) -> Figures {
    let seconds = |at: Duration| at.as_secs_f64();
    let within = flow.played.iter().map(|s| (seconds(s.0), seconds(s.1))).filter(|s| (from..to).contains(&s.1));
    let within: Vec<(f64, f64)> = within.collect();
    // The gaps before the first and after the last frame count.
    let edges = [from].into_iter().chain(within.iter().map(|s| s.1)).chain([to]).collect::<Vec<f64>>();
    let gaps = edges.windows(2).map(|w| w[1] - w[0]);
    let latency: Vec<f64> = within.iter().map(|s| (s.1 - s.0) * 1e3).collect();
    Figures {
        fps: within.len() as f64 / (to - from),
        frozen: gaps.filter(|gap| *gap > FREEZE_GAP).fold(0.0, |sum, gap| sum + gap - 1.0 / 30.0),
        latency: [quantile(latency.clone(), 0.5), quantile(latency, 0.95)],
        rate: flow.goodput(from, to) / 1e3,
        queue: seconds(flow.queue_quantile(from, to, 0.95)) * 1e3,
        first: flow.played.first().map_or(f64::NAN, |first| seconds(first.1) * 1e3),
        extra: None,
    }
}

/// The quantile of values, 0 if there are none.
pub(crate) fn quantile(mut values: Vec<f64>, quantile: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get((values.len().saturating_sub(1) as f64 * quantile) as usize).copied().unwrap_or(0.0)
}

/// Every scenario.
pub(crate) fn all() -> Vec<Scenario> {
    [steady(), lossy(), varying(), narrow(), changing(), shared()].into_iter().flatten().collect()
}

/// Paths without loss, jitter or bottleneck.
pub(crate) fn steady() -> Vec<Scenario> {
    let blocked = Path { loss: Loss::Random(1.0), ..delayed(25) };
    vec![
        scenario("clean, rtt 10", delayed(5), bounds([6.0, 10.0], 1_600.0)),
        scenario("clean, rtt 400", delayed(200), Bounds { first: 250.0, ..bounds([201.0, 206.0], 1_600.0) }),
        Scenario {
            plans: call(Plan { fps: 15, ..plan(850_000) }),
            ..scenario("15 fps", delayed(25), Bounds { fps: 14.9, ..bounds([28.0, 32.0], 790.0) })
        },
        Scenario {
            plans: call(Plan { fps: 60, ..plan(2_500_000) }),
            ..scenario("60 fps", delayed(25), Bounds { fps: 59.5, ..bounds([26.0, 28.0], 2_350.0) })
        },
        Scenario {
            return_path: Some(Path { rate: Some(100_000), ..delayed(25) }),
            plans: vec![plan(1_700_000)],
            ..scenario("feedback over 100 kb/s", delayed(25), bounds([26.0, 30.0], 1_600.0))
        },
        Scenario {
            plans: vec![plan(1_700_000)],
            return_changes: vec![(20.0, blocked), (22.0, delayed(25))],
            ..scenario(
                "2 s without feedback",
                delayed(25),
                Bounds { fps: 29.0, frozen: 0.6, ..bounds([26.0, 45.0], 1_550.0) },
            )
        },
    ]
}

/// Paths that lose or reorder packets.
pub(crate) fn lossy() -> Vec<Scenario> {
    let lossy = |delay, loss| Path { loss, ..delayed(delay) };
    let reordering = Path { jitter: ms(30), reorder: true, ..delayed(25) };
    let beginning = Bounds { frozen: 0.1, ..bounds([110.0, 165.0], 1_400.0) };
    vec![
        scenario("rtt 5, loss 5 %", lossy(2, Loss::Random(0.05)), bounds([15.0, 45.0], 1_600.0)),
        scenario("rtt 100, loss 2 %", lossy(50, Loss::Random(0.02)), bounds([55.0, 90.0], 1_600.0)),
        scenario("rtt 100, loss 5 %", lossy(50, Loss::Random(0.05)), bounds([60.0, 90.0], 1_600.0)),
        scenario("rtt 100, loss 20 %", lossy(50, Loss::Random(0.2)), bounds([95.0, 155.0], 1_300.0)),
        scenario(
            "rtt 100, 5 % in bursts",
            lossy(50, bursts(0.05, 8.0)),
            Bounds { frozen: 0.6, ..bounds([155.0, 210.0], 1_590.0) },
        ),
        scenario(
            "rtt 400, loss 2 %",
            lossy(200, Loss::Random(0.02)),
            Bounds { first: 260.0, ..bounds([205.0, 210.0], 1_600.0) },
        ),
        begins("rtt 100, loss 5 % begins", lossy(50, Loss::Random(0.05)), beginning),
        scenario("reordering by 30 ms", reordering, bounds([54.0, 59.0], 1_550.0)),
    ]
}

/// Paths whose delay varies.
pub(crate) fn varying() -> Vec<Scenario> {
    let walk = |most, path: Path| Path { walk: Some(Walk { most: ms(most), every: ms(100) }), ..path };
    let jitter = Path { jitter: ms(80), ..delayed(10) };
    let narrow = Path { rate: Some(1_000_000), ..delayed(25) };
    vec![
        scenario("delay varies by 40 ms", walk(40, delayed(25)), bounds([58.0, 64.0], 1_590.0)),
        scenario("delay varies by 80 ms", walk(80, delayed(10)), bounds([79.0, 86.0], 1_590.0)),
        scenario("jitter of 80 ms in order", jitter, bounds([89.0, 94.0], 1_590.0)),
        Scenario {
            changes: Some(|_| vec![(15.0, Path { walk: Some(Walk { most: ms(80), every: ms(100) }), ..delayed(10) })]),
            measured: (15.0, 25.0),
            ..scenario("delay begins to vary", delayed(10), Bounds { fps: 29.0, ..bounds([80.0, 90.0], 700.0) })
        },
        scenario(
            "1000 kb/s, varies by 80 ms",
            walk(80, narrow),
            Bounds { queue: 90.0, ..bounds([155.0, 240.0], 720.0) },
        ),
    ]
}

/// Paths with a bottleneck.
pub(crate) fn narrow() -> Vec<Scenario> {
    let narrow = |rate| Path { rate: Some(rate), ..delayed(25) };
    let lossy = Path { loss: Loss::Random(0.05), delay: ms(50), ..narrow(2_000_000) };
    vec![
        scenario("300 kb/s", narrow(300_000), Bounds { queue: 75.0, first: 270.0, ..bounds([100.0, 150.0], 195.0) }),
        scenario("500 kb/s", narrow(500_000), Bounds { first: 190.0, ..bounds([92.0, 122.0], 375.0) }),
        scenario("1000 kb/s", narrow(1_000_000), bounds([72.0, 95.0], 810.0)),
        scenario("2000 kb/s", narrow(2_000_000), bounds([62.0, 78.0], 1_590.0)),
        scenario(
            "1000 kb/s, rtt 400",
            Path { delay: ms(200), ..narrow(1_000_000) },
            Bounds { first: 300.0, ..bounds([250.0, 280.0], 790.0) },
        ),
        scenario("1200 kb/s, queue 1 s", Path { queue: ms(1000), ..narrow(1_200_000) }, bounds([72.0, 95.0], 970.0)),
        scenario("2000 kb/s, loss 5 %", lossy, Bounds { frozen: 0.1, ..bounds([93.0, 127.0], 1_300.0) }),
        begins("300 kb/s begins", narrow(300_000), Bounds { queue: 100.0, ..bounds([115.0, 170.0], 180.0) }),
        begins("1000 kb/s begins", narrow(1_000_000), bounds([70.0, 85.0], 740.0)),
        begins("clean begins, rtt 100", delayed(50), bounds([52.0, 55.0], 1_530.0)),
    ]
}

/// A path as in its first seconds.
fn begins(name: &'static str, path: Path, bounds: Bounds) -> Scenario {
    Scenario { measured: (0.0, 5.0), ..scenario(name, path, Bounds { fps: 29.2, ..bounds }) }
}

/// Paths that change.
pub(crate) fn changing() -> Vec<Scenario> {
    [shrinking(), interrupted()].into_iter().flatten().collect()
}

fn shrinking() -> Vec<Scenario> {
    let cut_bounds = |frozen, latency| Bounds { fps: 22.5, frozen, queue: 230.0, ..bounds(latency, 480.0) };
    vec![
        Scenario {
            changes: Some(|_| cut(300)),
            measured: (14.5, 18.0),
            ..scenario("2500 to 500 kb/s", wide(300), cut_bounds(0.4, [140.0, 200.0]))
        },
        Scenario {
            changes: Some(|_| cut(300)),
            measured: (17.0, 35.0),
            extra: Some((UNTIL_RECOVERED, |world| recovery(world, 15.0, 35.0))),
            ..scenario(
                "while 500 kb/s are left",
                wide(300),
                Bounds { extra: (0.0, 1.2), ..bounds([92.0, 140.0], 375.0) },
            )
        },
        Scenario {
            plans: call(Plan { encoder_lag: ms(60), ..plan(1_700_000) }),
            changes: Some(|_| cut(300)),
            measured: (14.5, 18.0),
            ..scenario("the same, encoder of 60 ms", wide(300), cut_bounds(0.45, [270.0, 300.0]))
        },
        Scenario {
            changes: Some(|_| cut(1000)),
            measured: (14.5, 18.0),
            ..scenario("the same, queue 1 s", wide(1000), cut_bounds(0.2, [130.0, 150.0]))
        },
    ]
}

fn interrupted() -> Vec<Scenario> {
    let outage_bounds =
        |fps, frozen, latency: [f64; 2], rate| Bounds { fps, frozen, extra: (0.0, 0.7), ..bounds(latency, rate) };
    let mobile_bounds = Bounds { fps: 29.0, frozen: 0.5, queue: 140.0, ..bounds([170.0, 290.0], 880.0) };
    vec![
        Scenario {
            changes: Some(|_| gap(1.0, delayed(25), delayed(25))),
            measured: (19.5, 30.0),
            extra: Some((UNTIL_RECOVERED, |world| recovery(world, 20.0, 21.0))),
            ..scenario("1 s without a packet", delayed(25), outage_bounds(26.8, 1.12, [27.0, 32.0], 1_450.0))
        },
        Scenario {
            changes: Some(|_| gap(0.3, delayed(25), delayed(25))),
            measured: (19.5, 30.0),
            extra: Some((UNTIL_RECOVERED, |world| recovery(world, 20.0, 20.3))),
            ..scenario("0.3 s without a packet", delayed(25), outage_bounds(28.6, 0.5, [27.0, 38.0], 1_550.0))
        },
        Scenario {
            changes: Some(|_| gap(0.4, delayed(8), Path { rate: Some(3_000_000), ..delayed(35) })),
            measured: (19.5, 30.0),
            extra: Some((UNTIL_RECOVERED, |world| recovery(world, 20.0, 20.4))),
            ..scenario("Wi-Fi handover", delayed(8), outage_bounds(28.1, 0.75, [64.0, 72.0], 1_430.0))
        },
        Scenario { changes: Some(mobile), ..scenario("mobile network", mobile_path(2_000_000), mobile_bounds) },
    ]
}

/// Paths with other traffic.
pub(crate) fn shared() -> Vec<Scenario> {
    let far = |rate| Path { rate: Some(rate), ..delayed(25) };
    let table_bounds = Bounds { extra: (0.16, 0.2), queue: 35.0, ..bounds([60.0, 75.0], 270.0) };
    let two_bounds = Bounds { extra: (0.38, 0.5), queue: 95.0, ..bounds([120.0, 190.0], 770.0) };
    let constant_bounds = Bounds { frozen: 0.1, queue: 95.0, ..bounds([130.0, 210.0], 650.0) };
    let tcp_bounds =
        Bounds { fps: 28.8, frozen: 5.0, extra: (0.3, 0.7), queue: 205.0, ..bounds([270.0, 500.0], 1_200.0) };
    vec![
        Scenario {
            plans: vec![plan(1_700_000); 2],
            measured: (20.0, 60.0),
            extra: Some(("smaller share", smaller_share)),
            ..scenario("two calls on 2000 kb/s", far(2_000_000), two_bounds)
        },
        Scenario {
            plans: vec![plan(700_000); 5],
            one_client: true,
            measured: (20.0, 60.0),
            extra: Some(("smallest share", smaller_share)),
            ..scenario("table of six on 2000 kb/s", far(2_000_000), table_bounds)
        },
        Scenario {
            plans: vec![plan(700_000); 5],
            one_client: true,
            measured: (2.0, 12.0),
            ..scenario("table of six begins", far(8_000_000), Bounds { first: 110.0, ..bounds([40.0, 60.0], 500.0) })
        },
        Scenario {
            plans: vec![plan(1_700_000), Plan { follows_target: false, ..plan(700_000) }],
            measured: (20.0, 60.0),
            ..scenario("beside a constant 700 kb/s", far(2_000_000), constant_bounds)
        },
        Scenario {
            plans: vec![plan(2_500_000)],
            competitor: Some(30.0),
            measured: (32.0, 90.0),
            extra: Some(("share of the path", share_beside_tcp)),
            ..scenario("beside TCP on 4000 kb/s", Path { queue: ms(200), ..far(4_000_000) }, tcp_bounds)
        },
    ]
}

fn scenario(name: &'static str, path: Path, bounds: Bounds) -> Scenario {
    Scenario {
        name,
        path,
        return_path: None,
        one_client: false,
        plans: call(plan(1_700_000)),
        changes: None,
        return_changes: vec![],
        competitor: None,
        measured: STEADY,
        extra: None,
        bounds,
    }
}

/// A call: a flow in each direction.
fn call(plan: Plan) -> Vec<Plan> {
    vec![plan.clone(), Plan { backward: true, ..plan }]
}

/// An encoder of this bitrate, with a jitter buffer at the far end.
fn plan(desired: u64) -> Plan {
    Plan { desired, plays: true, repair: std::env::var_os("WITHOUT_REPAIR").is_none(), ..Plan::default() }
}

fn bounds(latency: [f64; 2], rate: f64) -> Bounds {
    Bounds { fps: 29.5, frozen: 0.0, latency, rate, queue: 60.0, first: 140.0, extra: (0.0, 0.0) }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn delayed(delay: u64) -> Path {
    Path { delay: ms(delay), ..Path::default() }
}

fn wide(queue: u64) -> Path {
    Path { rate: Some(2_500_000), queue: ms(queue), ..delayed(25) }
}

/// Loss in bursts of this mean length.
fn bursts(share: f64, mean: f64) -> Loss {
    Loss::Bursts { enter: share / (1.0 - share) / mean, leave: 1.0 / mean, good: 0.0, bad: 1.0 }
}

/// From 15 s to 35 s, a fifth of the path is left.
fn cut(queue: u64) -> Vec<(f64, Path)> {
    vec![(15.0, Path { rate: Some(500_000), ..wide(queue) }), (35.0, wide(queue))]
}

/// From 20 s, everything is lost for this time. Then the path is `after`.
fn gap(seconds: f64, before: Path, after: Path) -> Vec<(f64, Path)> {
    vec![(20.0, Path { loss: Loss::Random(1.0), ..before }), (20.0 + seconds, after)]
}

fn mobile_path(rate: u64) -> Path {
    let walk = Some(Walk { most: ms(15), every: ms(50) });
    Path { rate: Some(rate), queue: ms(400), walk, ..delayed(30) }
}

/// A rate that moves between 0.6 and 6 Mbit/s, as in traces of LTE: by a random factor every half second.
fn mobile(seed: u64) -> Vec<(f64, Path)> {
    let (mut random, mut rate) = (Random::new(seed ^ 0x17e), 2e6_f64);
    let steps = (1..90).map(|step| {
        rate = (rate * (1.0 + 0.5 * (random.unit() - 0.5)).powi(2)).clamp(0.6e6, 6e6);
        (f64::from(step) * 0.5, mobile_path(rate as u64))
    });
    steps.collect()
}

/// Seconds after `from` until four fifths of the bitrate before `until` are delivered in a second again.
fn recovery(world: &World, until: f64, from: f64) -> f64 {
    let flow = &world.flows[0];
    let wanted = 0.8 * flow.goodput(until - 7.0, until);
    let reached = (0..80).map(|i| f64::from(i) * 0.1).find(|at| flow.goodput(from + at, from + at + 0.5) > wanted);
    reached.map_or(8.0, |at| at + 0.25)
}

fn share_beside_tcp(world: &World) -> f64 {
    let (ours, theirs) =
        (world.flows[0].goodput(32.0, 90.0), world.competitor.as_ref().map(|tcp| tcp.goodput(32.0, 90.0)));
    ours / (ours + theirs.unwrap_or(0.0))
}

fn smaller_share(world: &World) -> f64 {
    let rates: Vec<f64> = world.flows.iter().map(|flow| flow.goodput(20.0, 60.0)).collect();
    rates.iter().copied().fold(f64::MAX, f64::min) / rates.iter().sum::<f64>()
}
