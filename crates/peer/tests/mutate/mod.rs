//! Damaged descriptions of browsers and other programs.
#![allow(dead_code)] // Each test file uses a part.

use proptest::prelude::*;

const BROWSERS: [&str; 2] = [include_str!("../../src/sdp/chromium.sdp"), include_str!("../../src/sdp/firefox.sdp")];

/// Offers in the format of other programs.
pub(crate) const SHAPES: [&str; 10] = [
    include_str!("../shapes/offers/chromium-simulcast.sdp"),
    include_str!("../shapes/offers/chromium-data-tagged.sdp"),
    include_str!("../shapes/offers/safari.sdp"),
    include_str!("../shapes/offers/aiortc.sdp"),
    include_str!("../shapes/offers/janus.sdp"),
    include_str!("../shapes/offers/asterisk.sdp"),
    include_str!("../shapes/offers/asterisk-audio.sdp"),
    include_str!("../shapes/offers/pion.sdp"),
    include_str!("../shapes/offers/gateway.sdp"),
    include_str!("../shapes/offers/unbundled.sdp"),
];

/// Browsers' descriptions with lines removed, duplicated or swapped, and bytes changed.
pub(crate) fn mutated() -> impl Strategy<Value = String> {
    damaged(prop::sample::select(&BROWSERS[..]))
}

/// Like [`mutated`], for all [`SHAPES`].
pub(crate) fn mutated_shape() -> impl Strategy<Value = String> {
    damaged(prop::sample::select(&SHAPES[..]))
}

fn damaged(texts: impl Strategy<Value = &'static str>) -> impl Strategy<Value = String> {
    let change = (0u8..5, any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>());
    (texts, prop::collection::vec(change, 1..8)).prop_map(|(text, changes)| {
        let mut lines: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
        for (kind, line, place, byte) in changes {
            let (at, to) = (line.index(lines.len()), place.index(lines.len()));
            match kind {
                0 => drop(lines.remove(at)),
                1 => lines.insert(to, lines[at].clone()),
                2 => lines.swap(at, to),
                3 => {
                    let place = place.index(lines[at].len().max(1));
                    if let Some(old) = lines[at].get_mut(place) {
                        *old = byte;
                    }
                }
                _ => {
                    let digits: Vec<usize> = (0..lines[at].len()).filter(|i| lines[at][*i].is_ascii_digit()).collect();
                    if !digits.is_empty() {
                        lines[at][digits[place.index(digits.len())]] = b'0' + byte % 10;
                    }
                }
            }
            if lines.is_empty() {
                break;
            }
        }
        lines.into_iter().map(|line| String::from_utf8_lossy(&line).into_owned() + "\r\n").collect()
    })
}
