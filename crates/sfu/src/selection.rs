//! Which encoding of each wanted picture fits a receiver's downlink.

use std::collections::BTreeMap;
use std::time::Instant;

use layers::{Content, Path, PathId, SourceId, Temporal};

use crate::packet::{Kind, ParticipantId};
use crate::publisher::Publisher;
use crate::receiver::Receiver;

/// An encoding larger than the present one must fit with this reserve, in tenths of its rate.
const RESERVE: u64 = 1;

/// Least rate up to which a downlink is probed, in bit/s: enough to notice that there is room for an encoding that is not sent
/// yet. Probes are short, so this costs little.
const LEAST_DESIRED: u64 = 1_000_000;

/// What was chosen for a receiver.
#[derive(Debug)]
pub(crate) struct Selection {
    /// The encoding for each video slot.
    pub(crate) targets: Vec<Option<(u8, Temporal)>>,
    /// Rate in bit/s that the downlink would have to have for everything to be as large as its tile, with all reserves.
    pub(crate) desired: u64,
}

/// Chooses for one receiver, who may be sent `share` bit/s at most. `sound` is the rate of what is audible to them in bit/s; sound comes before pictures.
pub(crate) fn select<'a>(
    now: Instant,
    receiver: &Receiver,
    share: u64,
    sound: u64,
    publisher: impl Fn(ParticipantId) -> Option<&'a Publisher>,
) -> Selection {
    let mut indices = BTreeMap::new();
    let (mut encodings, mut wanted, mut desired) = (BTreeMap::new(), Vec::new(), sound);
    for (place, slot) in receiver.video.iter().enumerate() {
        let Some(source) = slot.source else { continue };
        let Some(want) = receiver.wanted.iter().find(|one| one.source == source) else { continue };
        let Some(picture) = publisher(source.from).and_then(|from| from.picture(source.kind)) else { continue };
        let all = picture.sent(now);
        let covers = all.iter().find(|(_, encoding)| encoding.height >= want.height).or(all.last());
        desired += covers.map_or(0, |(_, encoding)| encoding.ceiling);
        let present = slot.target.map(|(layer, _)| layer);
        let mut sent: Vec<(u8, layers::Encoding)> = all
            .iter()
            .filter(|(layer, _)| *layer <= slot.ceiling(now))
            .map(|one| with_reserve(*one, present))
            .collect();
        if sent.is_empty() {
            sent.extend(all.first().map(|one| with_reserve(*one, present)));
        }
        if sent.is_empty() {
            continue;
        }
        let id = SourceId(place as u32);
        wanted.push(layers::Wanted {
            path: PathId(0),
            source: id,
            content: if source.kind == Kind::Screen { Content::Screen } else { Content::Camera },
            capture_height: picture.height,
            tile_height: want.height,
            priority: want.priority,
        });
        indices.insert(place, sent.iter().map(|(layer, _)| *layer).collect::<Vec<u8>>());
        encodings.insert(id, sent.into_iter().map(|(_, encoding)| encoding).collect::<Vec<layers::Encoding>>());
    }
    let path = Path { id: PathId(0), available: receiver.available().min(share).saturating_sub(sound) };
    let allocation = layers::allocate_encodings(&[path], u64::MAX, &wanted, &encodings);
    let target = |place: usize| {
        let (index, temporal) = allocation.sent(PathId(0), SourceId(place as u32))?;
        Some((*indices.get(&place)?.get(usize::from(index))?, temporal))
    };
    let targets = (0..receiver.video.len()).map(target).collect();
    Selection { targets, desired: desired.saturating_mul(2).max(LEAST_DESIRED).min(share) }
}

/// An encoding with what it must fit.
fn with_reserve((layer, encoding): (u8, layers::Encoding), present: Option<u8>) -> (u8, layers::Encoding) {
    let rate = if present.is_none_or(|present| layer > present) {
        encoding.floor.saturating_mul(10 + RESERVE) / 10
    } else {
        encoding.floor
    };
    (layer, layers::Encoding { floor: rate, ceiling: rate, ..encoding })
}
