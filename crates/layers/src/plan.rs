//! The requests, what they have been given so far, and the rates that are left.

use crate::ladder::{Encoding, ladder};
use crate::{Content, Path, PathId, SourceId, Temporal, Wanted};
use std::collections::BTreeMap;

/// A receiver's request for a source, and what it has been given so far.
#[derive(Debug)]
pub(crate) struct Tile {
    pub(crate) path: PathId,
    pub(crate) source: SourceId,
    pub(crate) given: Option<(usize, Temporal)>,
    pub(crate) priority: u8,
    /// The smallest layer that covers it.
    pub(crate) top: usize,
}

/// The state of an allocation.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Ordered by priority, highest first.
    pub(crate) tiles: Vec<Tile>,
    pub(crate) ladders: BTreeMap<SourceId, Vec<Encoding>>,
    pub(crate) paths: BTreeMap<PathId, u64>,
    pub(crate) uplink: u64,
}

impl Plan {
    pub(crate) fn new(
        paths: &[Path],
        uplink: u64,
        wanted: &[Wanted],
        ladders: BTreeMap<SourceId, Vec<Encoding>>,
    ) -> Self {
        let mut left = BTreeMap::new();
        for path in paths {
            left.entry(path.id).and_modify(|a: &mut u64| *a = path.available.min(*a)).or_insert(path.available);
        }
        let mut tiles: Vec<Tile> = merged(wanted)
            .into_iter()
            .map(|((path, source), (height, priority))| {
                let top = ladders.get(&source).map_or(0, |encodings| top_encoding(encodings, height));
                Tile { path, source, given: None, priority, top }
            })
            .collect();
        tiles.sort_by_key(|tile| (std::cmp::Reverse(tile.priority), tile.path, tile.source));
        Self { tiles, ladders, paths: left, uplink }
    }

    /// Returns a layer of a source's ladder, which contains it by construction.
    pub(crate) fn encoding(&self, source: SourceId, layer: usize) -> Encoding {
        let encodings = self.ladders.get(&source).map_or(&[][..], |encodings| encodings);
        encodings.get(layer).copied().unwrap_or(Encoding { height: 0, floor: 0, ceiling: 0 })
    }

    /// Spends the rate on a path and the uplink, if both have it left.
    pub(crate) fn spend(&mut self, path: PathId, cost: u64) -> bool {
        let Some(left) = self.paths.get_mut(&path) else { return false };
        if cost > *left || cost > self.uplink {
            return false;
        }
        *left -= cost;
        self.uplink -= cost;
        true
    }

    pub(crate) fn refund(&mut self, path: PathId, cost: u64) {
        if let Some(left) = self.paths.get_mut(&path) {
            *left += cost;
            self.uplink += cost;
        }
    }
}

/// The ladder of each source.
pub(crate) fn ladders(wanted: &[Wanted]) -> BTreeMap<SourceId, Vec<Encoding>> {
    sources(wanted).into_iter().map(|(source, (content, height))| (source, ladder(content, height))).collect()
}

/// The smallest layer that covers a tile.
fn top_encoding(encodings: &[Encoding], tile_height: u32) -> usize {
    encodings.iter().position(|encoding| encoding.height >= tile_height).unwrap_or(encodings.len().saturating_sub(1))
}

/// Content and height of each source; the larger if requests disagree.
pub(crate) fn sources(wanted: &[Wanted]) -> BTreeMap<SourceId, (Content, u32)> {
    let mut sources = BTreeMap::new();
    for w in wanted {
        let this = (w.content, w.capture_height);
        sources.entry(w.source).and_modify(|s| *s = this.max(*s)).or_insert(this);
    }
    sources
}

/// Tile height and priority of each pair of receiver and source.
pub(crate) fn merged(wanted: &[Wanted]) -> BTreeMap<(PathId, SourceId), (u32, u8)> {
    let mut pairs = BTreeMap::new();
    for w in wanted {
        let pair: &mut (u32, u8) = pairs.entry((w.path, w.source)).or_default();
        *pair = (pair.0.max(w.tile_height), pair.1.max(w.priority));
    }
    pairs
}
