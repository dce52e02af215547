//! The paths.

use std::time::Duration;
use testkit::net::{Loss, Path, Walk};

/// A path with its name.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) path: Path,
}

/// All paths. `delay` is that of every packet without jitter.
pub(crate) fn all(delay: Duration) -> Vec<Scenario> {
    let lossy = |loss| Path { loss, delay, ..Path::default() };
    let steady = lossy(Loss::None);
    let most = Duration::from_millis(80);
    vec![
        scenario("clean", steady.clone()),
        scenario("loss5", lossy(Loss::Random(0.05))),
        scenario("loss10", lossy(Loss::Random(0.10))),
        scenario("burst10", lossy(bursts(0.10))),
        scenario("loss20", lossy(Loss::Random(0.20))),
        scenario("burst20", lossy(bursts(0.20))),
        scenario("jitter-walk", Path { walk: Some(Walk { most, every: 4 * most }), ..steady.clone() }),
        scenario("jitter-iid", Path { jitter: most, reorder: true, ..steady.clone() }),
        scenario("jitter-lossy", Path { jitter: most, reorder: true, ..lossy(Loss::Random(0.05)) }),
    ]
}

fn scenario(name: &'static str, path: Path) -> Scenario {
    Scenario { name, path }
}

/// Loss in bursts of mean 1.5 packets.
fn bursts(share: f64) -> Loss {
    let leave = 1.0 / 1.5;
    Loss::Bursts { enter: share * leave / (1.0 - share), leave, good: 0.0, bad: 1.0 }
}
