//! Parses transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).

use crate::arrival::RemoteMicros;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::{PacketStatusChunk, SymbolTypeTcc, TransportLayerCc};

/// A reported packet: its transport-wide sequence number and its arrival time, or `None` if it was not received.
pub(crate) type Reported = (u16, Option<RemoteMicros>);

/// Unwraps the remote clock across messages.
#[derive(Debug, Default)]
pub(crate) struct FeedbackClock {
    reference: Option<i64>,
}

/// Unit of the reference time, a 24-bit counter: 64 ms.
const TICK_MICROS: i64 = 64_000;
/// The extended counter restarts after this many ticks, about 70,000 years.
const MAX_TICKS: i64 = 1 << 45;

impl FeedbackClock {
    /// Returns the packets of one message, ordered by sequence number. Accepts any message: chunks beyond the status count
    /// are ignored, because the last vector chunk is padded, and arrivals without a delta are omitted.
    pub(crate) fn read(&mut self, feedback: &TransportLayerCc) -> Vec<Reported> {
        let mut arrival = self.extend(feedback.reference_time) * TICK_MICROS;
        let mut deltas = feedback.recv_deltas.iter();
        let symbols = feedback.packet_chunks.iter().flat_map(Symbols::new);
        let mut reported = Vec::new();
        for (offset, symbol) in symbols.take(usize::from(feedback.packet_status_count)).enumerate() {
            let number = feedback.base_sequence_number.wrapping_add(offset as u16);
            match symbol {
                SymbolTypeTcc::PacketNotReceived => reported.push((number, None)),
                SymbolTypeTcc::PacketReceivedSmallDelta | SymbolTypeTcc::PacketReceivedLargeDelta => {
                    let Some(delta) = deltas.next() else { break };
                    // On the wire, a signed 16-bit count of 250 µs.
                    arrival += delta.delta.clamp(-8_192_000, 8_191_750);
                    reported.push((number, Some(arrival)));
                }
                SymbolTypeTcc::PacketReceivedWithoutDelta => {}
            }
        }
        reported
    }

    fn extend(&mut self, reference: u32) -> i64 {
        let reference = i64::from(reference & 0xff_ffff);
        let extended = match self.reference {
            None => reference,
            Some(last) => {
                let ahead = (reference - last) & 0xff_ffff;
                last + if ahead >= 0x80_0000 { ahead - 0x100_0000 } else { ahead }
            }
        };
        // Without a limit, a clock that jumps with each message would eventually overflow the microseconds.
        let extended = if extended.abs() > MAX_TICKS { reference } else { extended };
        self.reference = Some(extended);
        extended
    }
}

/// The symbols of a chunk.
enum Symbols<'a> {
    Run(SymbolTypeTcc, u16),
    Vector(std::slice::Iter<'a, SymbolTypeTcc>),
}

impl<'a> Symbols<'a> {
    fn new(chunk: &'a PacketStatusChunk) -> Self {
        match chunk {
            PacketStatusChunk::RunLengthChunk(run) => Symbols::Run(run.packet_status_symbol, run.run_length),
            PacketStatusChunk::StatusVectorChunk(vector) => Symbols::Vector(vector.symbol_list.iter()),
        }
    }
}

impl Iterator for Symbols<'_> {
    type Item = SymbolTypeTcc;

    fn next(&mut self) -> Option<SymbolTypeTcc> {
        match self {
            Symbols::Run(symbol, left) => {
                *left = left.checked_sub(1)?;
                Some(*symbol)
            }
            Symbols::Vector(symbols) => symbols.next().copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_rtcp::transport_feedbacks::transport_layer_cc::{
        RecvDelta, RunLengthChunk, StatusChunkTypeTcc, StatusVectorChunk, SymbolSizeTypeTcc,
    };

    fn delta(delta: i64) -> RecvDelta {
        RecvDelta { type_tcc_packet: SymbolTypeTcc::PacketReceivedSmallDelta, delta }
    }

    fn vector(symbols: Vec<SymbolTypeTcc>) -> PacketStatusChunk {
        PacketStatusChunk::StatusVectorChunk(StatusVectorChunk {
            type_tcc: StatusChunkTypeTcc::StatusVectorChunk,
            symbol_size: SymbolSizeTypeTcc::OneBit,
            symbol_list: symbols,
        })
    }

    #[test]
    fn padding_of_the_last_chunk_is_not_loss() {
        use SymbolTypeTcc::{PacketNotReceived as No, PacketReceivedSmallDelta as Yes};
        let feedback = TransportLayerCc {
            base_sequence_number: 65_535,
            packet_status_count: 3,
            reference_time: 1,
            packet_chunks: vec![vector(vec![Yes, No, Yes, No, No, No, No])],
            recv_deltas: vec![delta(250), delta(500)],
            ..Default::default()
        };
        let reported = FeedbackClock::default().read(&feedback);
        assert_eq!(reported, [(65_535, Some(64_250)), (0, None), (1, Some(64_750))]);
    }

    #[test]
    fn a_long_run_without_deltas_is_ignored() {
        let run = RunLengthChunk {
            type_tcc: StatusChunkTypeTcc::RunLengthChunk,
            packet_status_symbol: SymbolTypeTcc::PacketReceivedSmallDelta,
            run_length: 8191,
        };
        let packet_chunks = vec![PacketStatusChunk::RunLengthChunk(run)];
        let feedback = TransportLayerCc { packet_status_count: u16::MAX, packet_chunks, ..Default::default() };
        assert_eq!(FeedbackClock::default().read(&feedback), []);
    }

    #[test]
    fn a_jumping_clock_stays_in_the_range_of_microseconds() {
        let mut clock = FeedbackClock { reference: Some(MAX_TICKS - 1) };
        for leap in 1..1000u32 {
            let feedback = TransportLayerCc { reference_time: leap.wrapping_mul(0x7f_ffff), ..Default::default() };
            clock.read(&feedback);
            assert!(clock.extend(leap.wrapping_mul(0x7f_ffff)).checked_mul(TICK_MICROS * 2).is_some());
        }
    }

    #[test]
    fn the_reference_time_wraps() {
        let mut clock = FeedbackClock::default();
        let before = clock.extend(0xff_fffe);
        assert_eq!(clock.extend(1), before + 3);
        assert_eq!(clock.extend(0xff_ffff), before + 1);
    }
}
