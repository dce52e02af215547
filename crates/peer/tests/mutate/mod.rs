//! Descriptions of browsers, damaged.

use proptest::prelude::*;

/// Real descriptions with lines lost, doubled, swapped and bytes changed.
pub(crate) fn mutated() -> impl Strategy<Value = String> {
    let change = (0u8..5, any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>());
    (prop::bool::ANY, prop::collection::vec(change, 1..8)).prop_map(|(firefox, changes)| {
        let text = if firefox {
            include_str!("../../src/sdp/firefox.sdp")
        } else {
            include_str!("../../src/sdp/chromium.sdp")
        };
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
