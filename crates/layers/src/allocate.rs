//! Chooses sizes first, then rates.
//!
//! 1. In order of priority, each tile gets the smallest layer at its floor. If that does not fit, it gets the base of
//!    that layer. If that does not fit either, it gets nothing.
//! 2. For one priority after the other, tiles step up in rounds, until the layer covers the tile or the floor of the
//!    next layer does not fit the path and the uplink.
//! 3. A layer has one rate for all its receivers. A receiver that would reduce the rate of the others by half or more
//!    steps down instead.
//! 4. What is left raises the rates ([`crate::fill`]). A layer with one receiver follows its path; a shared layer is
//!    limited by the slowest of its receivers' paths.

use crate::fill::fill;
use crate::plan::{Plan, Tile, ladders};
use crate::{Allocation, Assigned, Encoding, Layer, Path, SourceId, Temporal, Wanted};
use std::collections::BTreeMap;

/// Assigns layers and rates to receivers. `uplink` is in bit/s, without the audio, and is shared by all paths.
///
/// The result depends on nothing else, not even on the order of the slices. If a pair of receiver and source occurs
/// twice, the larger tile and the higher priority count. A path that is not listed can carry nothing. If a path is
/// listed twice, its smaller estimate counts. The total over the uplink and over each path stays within its limit,
/// and each layer's rate within the range of its encoding in the [`ladder`](crate::ladder()).
pub fn allocate(paths: &[Path], uplink: u64, wanted: &[Wanted]) -> Allocation {
    Plan::new(paths, uplink, wanted, ladders(wanted)).decided()
}

/// As [`allocate()`], for sources that are encoded already, so that each encoding has the rate that it has: its `floor`. The
/// smallest encoding of each source is first, and no rate is less than the one before it. A source that is not listed, or has
/// no encodings, is not sent.
pub fn allocate_encodings(
    paths: &[Path],
    uplink: u64,
    wanted: &[Wanted],
    encodings: &BTreeMap<SourceId, Vec<Encoding>>,
) -> Allocation {
    let wanted: Vec<Wanted> =
        wanted.iter().filter(|w| encodings.get(&w.source).is_some_and(|all| !all.is_empty())).copied().collect();
    Plan::new(paths, uplink, &wanted, encodings.clone()).decided()
}

impl Plan {
    fn decided(mut self) -> Allocation {
        self.give_smallest();
        self.step_up();
        while self.step_down_the_slowest() {}
        self.into_allocation()
    }

    fn give_smallest(&mut self) {
        for i in 0..self.tiles.len() {
            let floor = self.encoding(self.tiles[i].source, 0).floor;
            for temporal in [Temporal::All, Temporal::Base] {
                if self.tiles[i].given.is_none() && self.spend(self.tiles[i].path, temporal.cost(floor)) {
                    self.tiles[i].given = Some((0, temporal));
                }
            }
        }
    }

    fn step_up(&mut self) {
        let mut priorities: Vec<u8> = self.tiles.iter().map(|tile| tile.priority).collect();
        priorities.dedup();
        for priority in priorities {
            while self.one_round_up(priority) {}
        }
    }

    /// Steps up each tile of this priority once, if there is room for it. Returns whether any did.
    fn one_round_up(&mut self, priority: u8) -> bool {
        let mut stepped = false;
        for i in 0..self.tiles.len() {
            let Tile { path, source, given, priority: own, top } = self.tiles[i];
            let Some((layer, Temporal::All)) = given else { continue };
            let more = self.encoding(source, layer + 1).floor.saturating_sub(self.encoding(source, layer).floor);
            if own == priority && layer < top && self.spend(path, more) {
                self.tiles[i].given = Some((layer + 1, Temporal::All));
                stepped = true;
            }
        }
        stepped
    }

    /// Steps down the receiver of one shared layer that has the least room, if another could have at least twice as
    /// much.
    fn step_down_the_slowest(&mut self) -> bool {
        let layers: Vec<(SourceId, usize)> =
            self.tiles.iter().filter_map(|t| t.given.map(|(layer, _)| (t.source, layer))).collect();
        for (source, layer) in layers.into_iter().filter(|(_, layer)| *layer > 0) {
            let sharers: Vec<usize> = (0..self.tiles.len())
                .filter(|i| self.tiles[*i].source == source && self.tiles[*i].given == Some((layer, Temporal::All)))
                .collect();
            let room = |i: &usize| self.room(*i, layer, sharers.len());
            let (Some(slowest), Some(most)) = (sharers.iter().min_by_key(|i| room(i)), sharers.iter().map(room).max())
            else {
                continue;
            };
            if most >= 2 * room(slowest) {
                let slowest = *slowest;
                let below = self.encoding(source, layer - 1).floor;
                let freed = self.encoding(source, layer).floor.saturating_sub(below);
                self.refund(self.tiles[slowest].path, freed);
                self.tiles[slowest].given = Some((layer - 1, Temporal::All));
                return true;
            }
        }
        false
    }

    /// The rate that a tile's layer could have if only this receiver counted.
    fn room(&self, tile: usize, layer: usize, sharers: usize) -> u64 {
        let encoding = self.encoding(self.tiles[tile].source, layer);
        let path = self.paths.get(&self.tiles[tile].path).copied().unwrap_or(0);
        let uplink = self.uplink / sharers.max(1) as u64;
        encoding.floor.saturating_add(path.min(uplink)).min(encoding.ceiling)
    }

    fn into_allocation(self) -> Allocation {
        let layers = fill(&self)
            .into_iter()
            .map(|((source, layer), bitrate)| {
                let height = self.encoding(source, layer).height;
                Layer { source, layer: layer as u8, height, bitrate }
            })
            .collect();
        let mut assigned: Vec<Assigned> = self
            .tiles
            .iter()
            .map(|tile| {
                let sent = tile.given.map(|(layer, temporal)| (layer as u8, temporal));
                Assigned { path: tile.path, source: tile.source, sent }
            })
            .collect();
        assigned.sort_by_key(|a| (a.path, a.source));
        Allocation { layers, assigned }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ladder::ladder;
    use crate::plan::{merged, sources};
    use crate::{Content, PathId};
    use proptest::prelude::*;

    const CAMERA: SourceId = SourceId(1);
    const SCREEN: SourceId = SourceId(2);

    fn path(id: u32, available: u64) -> Path {
        Path { id: PathId(id), available }
    }

    fn tile(path: u32, tile_height: u32) -> Wanted {
        let content = Content::Camera;
        Wanted { path: PathId(path), source: CAMERA, content, capture_height: 720, tile_height, priority: 0 }
    }

    fn share(path: u32) -> Wanted {
        let (content, capture_height, tile_height) = (Content::Screen, 1_080, 1_080);
        Wanted { path: PathId(path), source: SCREEN, content, capture_height, tile_height, priority: 9 }
    }

    #[test]
    fn a_single_receiver_follows_its_path_continuously() {
        for available in [800_000, 1_500_000, 2_750_000] {
            let plan = allocate(&[path(1, available)], 10_000_000, &[tile(1, 720)]);
            assert_eq!(plan.sent(PathId(1), CAMERA), Some((2, Temporal::All)));
            assert!(available - plan.total() < 100, "{}", plan.total());
        }
    }

    #[test]
    fn no_receiver_gets_more_rows_than_its_tile() {
        let plan = allocate(&[path(1, 50_000_000)], 50_000_000, &[tile(1, 150)]);
        assert_eq!(plan.sent(PathId(1), CAMERA), Some((0, Temporal::All)));
        assert_eq!(plan.total(), 350_000);
    }

    #[test]
    fn a_shared_layer_uses_the_slowest_path() {
        let paths = [path(1, 1_600_000), path(2, 1_200_000)];
        let plan = allocate(&paths, 9_000_000, &[tile(1, 720), tile(2, 720)]);
        assert_eq!(plan.layers.len(), 1);
        assert!((1_199_900..=1_200_000).contains(&plan.bitrate(CAMERA, 2)), "{plan:?}");
    }

    #[test]
    fn a_slow_receiver_steps_down_without_affecting_others() {
        let paths = [path(1, 2_500_000), path(2, 2_500_000), path(3, 800_000)];
        let plan = allocate(&paths, 9_000_000, &[tile(1, 720), tile(2, 720), tile(3, 720)]);
        assert_eq!(plan.sent(PathId(3), CAMERA), Some((1, Temporal::All)));
        assert!(plan.bitrate(CAMERA, 2) > 2_400_000, "{plan:?}");
        assert!(plan.bitrate(CAMERA, 1) > 700_000, "{plan:?}");
    }

    #[test]
    fn a_starving_path_loses_frames_then_video() {
        let plan = allocate(&[path(1, 45_000)], 1_000_000, &[tile(1, 720)]);
        assert_eq!(plan.sent(PathId(1), CAMERA), Some((0, Temporal::Base)));
        assert!(plan.path_total(PathId(1)) <= 45_000);
        let plan = allocate(&[path(1, 30_000)], 1_000_000, &[tile(1, 720)]);
        assert_eq!((plan.sent(PathId(1), CAMERA), plan.layers.len()), (None, 0));
    }

    #[test]
    fn the_uplink_is_shared_evenly_first() {
        let paths = [1, 2, 3, 4].map(|id| path(id, 5_000_000));
        let wanted = [1, 2, 3, 4].map(|id| tile(id, 720));
        let plan = allocate(&paths, 1_200_000, &wanted);
        assert!((1..=4).all(|id| plan.sent(PathId(id), CAMERA) == Some((1, Temporal::All))), "{plan:?}");
        assert!((1_199_900..=1_200_000).contains(&plan.total()), "{}", plan.total());
    }

    #[test]
    fn a_shared_screen_takes_precedence_over_cameras() {
        let plan = allocate(&[path(1, 220_000)], 220_000, &[tile(1, 720), share(1)]);
        assert_eq!(plan.sent(PathId(1), SCREEN), Some((0, Temporal::All)));
        assert_eq!(plan.sent(PathId(1), CAMERA), Some((0, Temporal::All)));
        let plan = allocate(&[path(1, 170_000)], 170_000, &[tile(1, 720), share(1)]);
        assert_eq!(plan.sent(PathId(1), SCREEN), Some((0, Temporal::All)));
        assert_eq!(plan.sent(PathId(1), CAMERA), None);
    }

    #[test]
    fn an_unknown_path_gets_nothing() {
        let plan = allocate(&[], 9_000_000, &[tile(1, 720)]);
        assert_eq!((plan.assigned.len(), plan.total()), (1, 0));
    }

    fn anything() -> impl Strategy<Value = (Vec<Path>, u64, Vec<Wanted>)> {
        let paths = prop::collection::vec((0u32..8, 0u64..6_000_000), 0..8)
            .prop_map(|all| all.into_iter().map(|(id, available)| path(id, available)).collect());
        let wanted = (0u32..8, 0u32..3, any::<bool>(), 90u32..1_200, 0u32..1_200, 0u8..3).prop_map(
            |(p, source, is_screen, capture_height, tile_height, priority)| Wanted {
                path: PathId(p),
                source: SourceId(source),
                content: if is_screen { Content::Screen } else { Content::Camera },
                capture_height,
                tile_height,
                priority,
            },
        );
        (paths, prop_oneof![0u64..12_000_000, Just(u64::MAX)], prop::collection::vec(wanted, 0..20))
    }

    #[test]
    fn encodings_that_exist_are_chosen_by_their_own_rates() {
        let measured = |rates: &[u64]| -> Vec<Encoding> {
            let encoding = |(n, rate): (usize, &u64)| Encoding { height: 180 << n, floor: *rate, ceiling: *rate };
            rates.iter().enumerate().map(encoding).collect()
        };
        let wants = |source| Wanted {
            path: PathId(1),
            source,
            content: Content::Camera,
            capture_height: 720,
            tile_height: 720,
            priority: 0,
        };
        let wanted = [wants(CAMERA), wants(SCREEN), wants(SourceId(3)), wants(SourceId(4))];
        let all = [(CAMERA, &[100_000, 300_000, 900_000][..]), (SCREEN, &[100_000, 2_000_000]), (SourceId(3), &[])];
        let encodings: BTreeMap<SourceId, Vec<Encoding>> = all.map(|(id, rates)| (id, measured(rates))).into();
        let plan = allocate_encodings(&[path(1, 1_100_000)], u64::MAX, &wanted, &encodings);
        let sent = |source| plan.sent(PathId(1), source);
        assert_eq!(sent(CAMERA), Some((2, Temporal::All)));
        assert_eq!(sent(SCREEN), Some((0, Temporal::All)));
        assert_eq!((sent(SourceId(3)), sent(SourceId(4))), (None, None), "nothing of it is encoded");
        assert_eq!(plan.path_total(PathId(1)), 1_000_000);
    }

    proptest! {
        #[test]
        fn limits_and_floors_are_respected((paths, uplink, wanted) in anything()) {
            let plan = allocate(&paths, uplink, &wanted);
            prop_assert!(plan.total() <= uplink);
            for id in wanted.iter().map(|w| w.path) {
                let available = paths.iter().filter(|p| p.id == id).map(|p| p.available).min().unwrap_or(0);
                prop_assert!(plan.path_total(id) <= available);
            }
            let ladders = sources(&wanted);
            for layer in &plan.layers {
                let (content, height) = ladders[&layer.source];
                let encoding = ladder(content, height)[usize::from(layer.layer)];
                prop_assert!((encoding.floor..=encoding.ceiling).contains(&layer.bitrate) && encoding.height == layer.height);
            }
        }

        #[test]
        fn each_pair_is_assigned_once_and_each_layer_used((paths, uplink, wanted) in anything()) {
            let plan = allocate(&paths, uplink, &wanted);
            prop_assert!(plan.assigned.windows(2).all(|w| (w[0].path, w[0].source) < (w[1].path, w[1].source)));
            prop_assert_eq!(plan.assigned.len(), merged(&wanted).len());
            for layer in &plan.layers {
                let given = |a: &Assigned| a.source == layer.source && a.sent.is_some_and(|(l, _)| l == layer.layer);
                prop_assert!(plan.assigned.iter().any(given));
            }
        }

        #[test]
        fn the_input_order_does_not_matter((mut paths, uplink, mut wanted) in anything()) {
            let plan = allocate(&paths, uplink, &wanted);
            paths.reverse();
            wanted.reverse();
            prop_assert_eq!(allocate(&paths, uplink, &wanted), plan);
        }

        #[test]
        fn no_usable_bitrate_is_left_over((paths, uplink, wanted) in anything()) {
            let plan = allocate(&paths, uplink, &wanted);
            let ladders = sources(&wanted);
            for layer in &plan.layers {
                let (content, height) = ladders[&layer.source];
                let full = layer.bitrate == ladder(content, height)[usize::from(layer.layer)].ceiling;
                let receivers: Vec<PathId> = plan.assigned.iter()
                    .filter(|a| a.source == layer.source && a.sent.is_some_and(|(l, _)| l == layer.layer))
                    .map(|a| a.path).collect();
                let tight = |id: &PathId| {
                    let available = paths.iter().filter(|p| p.id == *id).map(|p| p.available).min().unwrap_or(0);
                    available - plan.path_total(*id) < 1_000
                };
                prop_assert!(full || uplink - plan.total() < 1_000 || receivers.iter().any(tight), "{:?}", plan);
            }
        }
    }
}
