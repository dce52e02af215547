//! The size at which the windows display each camera.

use crate::view::{Picture, Tile};
use signaling::message::{ParticipantId, Resolution};
use std::collections::BTreeMap;

/// The sizes of the cameras in each feed's window. A feed that ends is removed. When the last one ends, nothing is
/// reported, because its window is about to open the next.
#[derive(Debug, Default)]
pub(crate) struct DisplayedSizes {
    feeds: BTreeMap<u64, BTreeMap<ParticipantId, Resolution>>,
    /// No camera is reported larger.
    limit: Option<Resolution>,
}

impl DisplayedSizes {
    /// Takes a feed's tiles, or its end. Returns the largest size of each camera over all windows, or `None` if there
    /// is no window.
    pub(crate) fn set(&mut self, feed: u64, tiles: Option<Vec<Tile>>) -> Option<BTreeMap<ParticipantId, Resolution>> {
        match tiles {
            Some(tiles) => drop(self.feeds.insert(feed, cameras(&tiles))),
            None => drop(self.feeds.remove(&feed)),
        }
        self.all()
    }

    /// Sets a limit for all cameras, or none. Returns the same as [`DisplayedSizes::set`].
    pub(crate) fn set_limit(&mut self, limit: Option<Resolution>) -> Option<BTreeMap<ParticipantId, Resolution>> {
        self.limit = limit;
        self.all()
    }

    fn all(&self) -> Option<BTreeMap<ParticipantId, Resolution>> {
        let mut all = BTreeMap::new();
        for (id, size) in self.feeds.values().flatten() {
            let size = self.limit.map_or(*size, |limit| smaller(*size, limit));
            all.entry(id.clone()).and_modify(|most| *most = larger(*most, size)).or_insert(size);
        }
        (!self.feeds.is_empty()).then_some(all)
    }
}

fn cameras(tiles: &[Tile]) -> BTreeMap<ParticipantId, Resolution> {
    let mut sizes = BTreeMap::new();
    for tile in tiles {
        if let Picture::Camera(id) = &tile.picture {
            let size = match tile.visible {
                true => Resolution { max_width: tile.width, max_height: tile.height },
                false => Resolution::NONE,
            };
            sizes.entry(id.clone()).and_modify(|most| *most = larger(*most, size)).or_insert(size);
        }
    }
    sizes
}

fn larger(a: Resolution, b: Resolution) -> Resolution {
    Resolution { max_width: a.max_width.max(b.max_width), max_height: a.max_height.max(b.max_height) }
}

fn smaller(a: Resolution, b: Resolution) -> Resolution {
    Resolution { max_width: a.max_width.min(b.max_width), max_height: a.max_height.min(b.max_height) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> ParticipantId {
        ParticipantId(name.into())
    }

    fn tile(of: &str, width: u32, height: u32, visible: bool) -> Tile {
        Tile { stream: 1, picture: Picture::Camera(id(of)), width, height, visible }
    }

    fn size(max_width: u32, max_height: u32) -> Resolution {
        Resolution { max_width, max_height }
    }

    #[test]
    fn a_camera_has_the_size_of_its_largest_visible_tile() {
        let mut displayed = DisplayedSizes::default();
        let tiles = vec![tile("a", 100, 60, true), tile("a", 640, 360, false), tile("b", 200, 100, false)];
        let own = Tile { picture: Picture::Own, ..tile("a", 900, 900, true) };
        let all = displayed.set(1, Some([tiles, vec![own]].concat())).expect("a window");
        assert_eq!(all, BTreeMap::from([(id("a"), size(100, 60)), (id("b"), Resolution::NONE)]));
        let all = displayed.set(2, Some(vec![tile("a", 80, 90, true)])).expect("two windows");
        assert_eq!(all[&id("a")], size(100, 90));
    }

    #[test]
    fn no_camera_is_larger_than_the_limit_and_hidden_ones_stay_hidden() {
        let mut displayed = DisplayedSizes::default();
        assert_eq!(displayed.set_limit(Some(size(320, 180))), None, "there is no window yet");
        let tiles = vec![tile("a", 640, 100, true), tile("b", 200, 100, false)];
        let all = displayed.set(1, Some(tiles)).expect("a window");
        assert_eq!(all, BTreeMap::from([(id("a"), size(320, 100)), (id("b"), Resolution::NONE)]));
        let all = displayed.set_limit(None).expect("a window");
        assert_eq!(all[&id("a")], size(640, 100));
    }

    #[test]
    fn without_a_window_nothing_is_reported() {
        let mut displayed = DisplayedSizes::default();
        assert!(displayed.set(1, Some(vec![])).is_some_and(|all| all.is_empty()));
        assert_eq!(displayed.set(1, None), None);
    }
}
