//! Rates for layers whose receivers are known. All rates rise together, each in proportion to its range, until a
//! limit is reached.

use crate::plan::Plan;
use crate::{PathId, SourceId, Temporal};
use std::collections::BTreeMap;

type LayerId = (SourceId, usize);

/// A limit that several layers share: a path or the uplink.
struct Limit {
    left: f64,
    /// Layers under this limit, and how often each counts.
    loads: BTreeMap<LayerId, f64>,
}

/// Returns the rate of each layer that has receivers: its floor, which the plan has already spent, and its part of
/// the rest.
pub(crate) fn fill(plan: &Plan) -> BTreeMap<LayerId, u64> {
    let mut limits = limits(plan);
    let mut levels: BTreeMap<LayerId, f64> = BTreeMap::new(); // of each layer, from floor 0 to ceiling 1
    let span = |id: LayerId| {
        let encoding = plan.encoding(id.0, id.1);
        (encoding.ceiling - encoding.floor) as f64
    };
    let mut rising: Vec<LayerId> = limits[0].loads.keys().copied().collect();
    let layers = rising.clone();
    let mut level = 0.0f64;
    while !rising.is_empty() {
        let speed = |limit: &Limit| -> f64 {
            rising.iter().filter_map(|id| limit.loads.get(id).map(|load| load * span(*id))).sum()
        };
        let steps: Vec<f64> = limits
            .iter()
            .map(|limit| if speed(limit) > 0.0 { limit.left / speed(limit) } else { f64::INFINITY })
            .collect();
        let step = steps.iter().copied().fold(1.0 - level, f64::min).max(0.0);
        level += step;
        let used: Vec<f64> = limits.iter().map(|limit| speed(limit) * step).collect();
        for (limit, used) in limits.iter_mut().zip(used) {
            limit.left = (limit.left - used).max(0.0);
        }
        let stopped = |id: &LayerId| {
            level >= 1.0 || limits.iter().zip(&steps).any(|(limit, s)| *s <= step && limit.loads.contains_key(id))
        };
        let (done, on): (Vec<LayerId>, Vec<LayerId>) = rising.iter().copied().partition(stopped);
        levels.extend(done.into_iter().map(|id| (id, level.min(1.0))));
        rising = on;
    }
    layers.into_iter().map(|id| (id, rate(plan, id, levels.get(&id).copied().unwrap_or(0.0)))).collect()
}

fn rate(plan: &Plan, (source, layer): LayerId, level: f64) -> u64 {
    let encoding = plan.encoding(source, layer);
    let span = encoding.ceiling - encoding.floor;
    if level >= 1.0 {
        return encoding.ceiling;
    }
    // Slightly less than the exact number, so rounding never makes the sum exceed the limit.
    encoding.floor + ((span as f64 * level) as u64).saturating_sub(1).min(span)
}

/// The limit of the uplink first, then of each path.
fn limits(plan: &Plan) -> Vec<Limit> {
    let mut uplink = Limit { left: plan.uplink as f64, loads: BTreeMap::new() };
    let mut paths: BTreeMap<PathId, Limit> = BTreeMap::new();
    for tile in &plan.tiles {
        let Some((layer, temporal)) = tile.given else { continue };
        let load = match temporal {
            Temporal::All => 1.0,
            Temporal::Base => Temporal::BASE_SHARE as f64 / 10.0,
        };
        let left = plan.paths.get(&tile.path).copied().unwrap_or(0) as f64;
        let path = paths.entry(tile.path).or_insert(Limit { left, loads: BTreeMap::new() });
        for limit in [&mut uplink, path] {
            *limit.loads.entry((tile.source, layer)).or_insert(0.0) += load;
        }
    }
    std::iter::once(uplink).chain(paths.into_values()).collect()
}
