//! Tests of encoder and decoder together.

use super::*;
use proptest::prelude::*;

const FIRST: u64 = 65_536 + 500;

fn extend(sequence: u16) -> u64 {
    65_536 + u64::from(sequence)
}

fn source(n: u64) -> Source {
    let payload = Bytes::from((0..200 + n * 37 % 900).map(|i| (i * n % 251) as u8).collect::<Vec<_>>());
    Source { marker: n % 6 == 5, timestamp: (n / 6) as u32 * 3_000, payload }
}

/// Sends twelve packets of two frames, some of which are lost, and then repair packets. Returns the packets restored by
/// each repair packet.
fn restored_by(lost: &[u64], repairs: u8) -> Vec<Vec<(u64, Source)>> {
    let (mut encoder, mut decoder) = (RepairEncoder::default(), RepairDecoder::default());
    for n in 0..12 {
        encoder.add((FIRST + n) as u16, source(n));
        if !lost.contains(&n) {
            assert_eq!(decoder.source(FIRST + n, source(n)), []);
        }
    }
    let repairs = (0..repairs).rev().map(|remaining| encoder.repair(remaining).expect("sources"));
    repairs.map(|repair| decoder.repair(&repair, extend)).collect()
}

#[test]
fn as_many_repair_packets_as_losses_restore_all() {
    let mut restored = restored_by(&[2, 3, 8], 3);
    let mut last = restored.pop().expect("three");
    assert_eq!(restored, [vec![], vec![]]);
    last.sort_by_key(|(number, _)| *number);
    assert_eq!(last, [2, 3, 8].map(|n| (FIRST + n, source(n))));
}

#[test]
fn a_late_packet_restores_another() {
    let (mut encoder, mut decoder) = (RepairEncoder::default(), RepairDecoder::default());
    for n in 0..6 {
        encoder.add((FIRST + n) as u16, source(n));
        if n != 1 && n != 4 {
            decoder.source(FIRST + n, source(n));
        }
    }
    assert_eq!(decoder.repair(&encoder.repair(0).unwrap(), extend), []);
    assert_eq!(decoder.source(FIRST + 4, source(4)), [(FIRST + 1, source(1))]);
}

#[test]
fn the_window_covers_three_frames_and_restarts_after_a_sequence_number_jump() {
    let mut encoder = RepairEncoder::default();
    assert_eq!(encoder.repair(0), None);
    (0..60).for_each(|n| encoder.add(n as u16, source(n)));
    let repair = encoder.repair(0).unwrap();
    assert_eq!((repair[..2].to_vec(), repair[2]), (42_u16.to_be_bytes().to_vec(), 18));
    encoder.add(1_000, source(60));
    assert_eq!(encoder.repair(0).unwrap()[..3], [0x03, 0xe8, 1]);
    assert_eq!(covered_until(&encoder.repair(0).unwrap(), extend), Some(65_536 + 1_001));
    assert_eq!(covered_until(&encoder.repair(1).unwrap(), extend), None);
}

#[test]
fn a_repair_packet_is_larger_than_its_largest_source_by_the_overhead() {
    let mut encoder = RepairEncoder::default();
    (0..6).for_each(|n| encoder.add(n as u16, source(n)));
    let largest = (0..6).map(|n| source(n).payload.len()).max().unwrap();
    assert_eq!(encoder.repair(0).unwrap().len(), largest + OVERHEAD);
}

proptest! {
    /// With any losses, every restored packet equals the one that was sent.
    #[test]
    fn only_what_was_sent_is_restored(lost in prop::collection::btree_set(0u64..12, 0..8), repairs in 0u8..10) {
        let lost: Vec<u64> = lost.into_iter().collect();
        let restored: Vec<_> = restored_by(&lost, repairs).into_iter().flatten().collect();
        for (number, packet) in &restored {
            prop_assert_eq!(packet, &source(number - FIRST));
            prop_assert!(lost.contains(&(number - FIRST)));
        }
        // One in 255 random combinations is linearly dependent.
        if usize::from(repairs) >= lost.len() + 2 {
            prop_assert_eq!(restored.len(), lost.len());
        }
    }

    /// Any input is handled with bounded memory and time per packet, without a panic.
    #[test]
    fn any_repair_packet_is_handled(steps in prop::collection::vec((any::<bool>(), 0u16..600, prop::collection::vec(any::<u8>(), 0..40)), 0..300)) {
        let mut decoder = RepairDecoder::default();
        for (is_source, sequence, bytes) in steps {
            if is_source {
                let payload = Bytes::from(bytes);
                decoder.source(extend(sequence), Source { marker: false, timestamp: 0, payload });
            } else {
                let payload = [&sequence.to_be_bytes()[..], &bytes].concat();
                decoder.repair(&payload, extend);
            }
        }
    }
}
