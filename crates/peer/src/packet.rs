//! Packets as the library passes them through its interceptors.

use rtc::interceptor::{AttributedPacket, Packet, TaggedPacket};
use rtc::shared::TransportContext;
use rtc::shared::marshal::MarshalSize;
use std::time::Instant;

/// Wraps one of our packets for the layers below.
pub(crate) fn tagged(now: Instant, packet: Packet) -> TaggedPacket {
    TaggedPacket { now, transport: TransportContext::default(), message: AttributedPacket::new(packet) }
}

/// Size of a packet including its header, without UDP and IP, in bytes.
pub(crate) fn wire_size(packet: &transport::Packet) -> u64 {
    packet.marshal_size() as u64
}
