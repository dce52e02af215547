//! Bounds the DTLS records of one connection.
//!
//! A record costs its sender nothing: before the handshake ends, and for repeated handshake messages also later, the
//! library keeps what it receives without having authenticated it. It has no bound for the records of the next epoch
//! and for fragments without data. It assembles the fragments of a message by recursion and looks at all of them at
//! each step: 200 datagrams with 20,000 fragments stop the thread of all connections for seconds. A whole handshake
//! takes a dozen messages, and repetitions and one alert follow it.
//!
//! Data channels are application data of the first epoch with keys. After the handshake the library authenticates such a
//! record at once and keeps nothing that is forged, so it passes without limit, but not before.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Most handshake messages or fragments that are accepted in the life of a connection. A handshake whose flights are
/// lost ten times takes less than half. Further ones are dropped.
pub(crate) const MOST: u32 = 512;
/// Header of a record (RFC 6347 section 4.1).
const RECORD_HEADER: usize = 13;
/// Header of a fragment (RFC 6347 section 4.2.2).
const FRAGMENT_HEADER: usize = 12;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// The epoch of the records after the handshake. Nobody negotiates further ones.
const KEYED_EPOCH: u16 = 1;

/// What is left for one connection.
#[derive(Debug)]
pub(crate) struct DtlsAllowance {
    left: AtomicU32,
    /// Whether the handshake is complete.
    keyed: AtomicBool,
}

impl Default for DtlsAllowance {
    fn default() -> Self {
        DtlsAllowance { left: AtomicU32::new(MOST), keyed: AtomicBool::new(false) }
    }
}

impl DtlsAllowance {
    /// The handshake is complete: application data passes from now on.
    pub(crate) fn set_keyed(&self) {
        self.keyed.store(true, Ordering::Release);
    }

    /// Whether a datagram may pass.
    pub(crate) fn take(&self, datagram: &[u8]) -> bool {
        let Some(cost) = cost(datagram, self.keyed.load(Ordering::Acquire)) else { return false };
        cost == 0 || self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost)).is_ok()
    }
}

/// The number of fragments that a datagram holds, or can hold if it is encrypted. `None` if it is not DTLS 1.2, or holds
/// application data that may not come now.
fn cost(datagram: &[u8], keyed: bool) -> Option<u32> {
    let (mut cost, mut rest) = (0, datagram);
    while !rest.is_empty() {
        let (header, body) = rest.split_at_checked(RECORD_HEADER)?;
        let (content_type, epoch) = (header[0], u16::from_be_bytes([header[3], header[4]]));
        let (body, others) = body.split_at_checked(usize::from(u16::from_be_bytes([header[11], header[12]])))?;
        if content_type == APPLICATION_DATA {
            if !keyed || epoch != KEYED_EPOCH {
                return None;
            }
            rest = others;
            continue;
        }
        let is_plain = content_type == HANDSHAKE && epoch == 0;
        cost += if is_plain { fragments(body) } else { 1 + body.len() / FRAGMENT_HEADER };
        rest = others;
    }
    u32::try_from(cost).ok()
}

/// The number of fragments in a plain record. The library advances by the length of the message, and should advance by
/// that of the fragment. The larger number counts, because a sender can make them differ.
fn fragments(body: &[u8]) -> usize {
    let [message, fragment] = [1, 9].map(|length_at| fragments_by(body, length_at));
    message.max(fragment)
}

fn fragments_by(body: &[u8], length_at: usize) -> usize {
    let (mut count, mut rest) = (1, body);
    while let Some((header, data)) = rest.split_at_checked(FRAGMENT_HEADER) {
        let [high, middle, low] = [0, 1, 2].map(|byte| usize::from(header[length_at + byte]));
        rest = data.get(high << 16 | middle << 8 | low..).unwrap_or_default();
        if rest.is_empty() {
            break;
        }
        count += 1;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(content_type: u8, epoch: u16, body: &[u8]) -> Vec<u8> {
        let mut record = vec![content_type, 0xfe, 0xfd];
        record.extend(epoch.to_be_bytes());
        record.extend([0; 6]);
        record.extend((body.len() as u16).to_be_bytes());
        record.extend(body);
        record
    }

    fn fragment(length: u8, part: u8) -> Vec<u8> {
        let mut fragment = vec![11, 0, 0, length, 0, 2, 0, 0, 0, 0, 0, part];
        fragment.extend(vec![7; part.into()]);
        fragment
    }

    /// Certificate, key exchange and verification, the change of cipher, and the encrypted end.
    fn flight() -> Vec<u8> {
        let messages =
            [record(22, 0, &fragment(200, 200)), record(22, 0, &[fragment(90, 90), fragment(80, 80)].concat())];
        [messages.concat(), record(20, 0, &[1]), record(22, 1, &[0; 48])].concat()
    }

    #[test]
    fn thirty_handshakes_pass_and_a_flood_does_not() {
        let allowance = DtlsAllowance::default();
        let passed = (0..1_000).filter(|_| allowance.take(&flight())).count();
        assert!((30..100).contains(&passed), "{passed}");
    }

    #[test]
    fn every_fragment_counts_however_it_is_packed() {
        assert_eq!(cost(&record(22, 0, &fragment(0, 0).repeat(100)), false), Some(100));
        assert_eq!(cost(&record(22, 0, &fragment(0, 0)).repeat(50), false), Some(50));
        assert_eq!(cost(&record(22, 0, &fragment(200, 1).repeat(4)), false), Some(4), "parts of a message");
        // By its own length the first fragment hides the others, by that of its message it does not.
        let hides = [fragment(0, 200), fragment(0, 0).repeat(10)].concat();
        assert!(cost(&record(22, 0, &[&hides[..12], &hides[212..]].concat()), false) >= Some(11));
        assert!(cost(&record(22, 1, &[0; 1_200]), false) > Some(100), "encrypted");
        let allowance = DtlsAllowance::default();
        assert_eq!((0..100_000).filter(|_| allowance.take(&record(22, 0, &fragment(0, 0)))).count(), MOST as usize);
    }

    #[test]
    fn application_data_passes_only_with_keys_and_costs_nothing() {
        let allowance = DtlsAllowance::default();
        assert!(!allowance.take(&record(23, 1, &[0; 40])));
        allowance.set_keyed();
        assert!((0..10 * MOST).all(|_| allowance.take(&record(23, 1, &[0; 1_200]))));
        assert!(!allowance.take(&record(23, 2, &[0; 40])), "the library would keep records of a later epoch");
        assert!(!allowance.take(&record(23, 0, &[0; 40])));
        let mixed = [record(23, 1, &[0; 40]), record(22, 1, &[0; 1_200])].concat();
        assert!((0..100).filter(|_| allowance.take(&mixed)).count() < 10, "other records still count");
    }

    #[test]
    fn application_data_without_keys_and_damaged_records_do_not_pass() {
        for bad in [record(23, 1, &[0; 40]), [flight(), record(23, 1, &[1])].concat(), flight()[1..].to_vec()] {
            assert_eq!(cost(&bad, false), None);
        }
        assert_eq!(cost(&flight()[..flight().len() - 1], false), None, "cut");
    }

    proptest! {
        /// What the library keeps of a datagram has at least a header for each fragment.
        #[test]
        fn the_cost_of_any_bytes_is_bounded_by_their_length(data in prop::collection::vec(any::<u8>(), 0..2_000)) {
            if let Some(cost) = cost(&data, false) {
                prop_assert!(cost as usize <= data.len().div_ceil(FRAGMENT_HEADER));
            }
        }
    }
}
