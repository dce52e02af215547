//! What happens in a connection.

use std::net::SocketAddr;
use std::time::Instant;

use str0m::bwe::BweKind;
use str0m::media::MediaKind;
use str0m::rtp::RtpPacket;
use str0m::{Event, Output};

use super::Connection;
use crate::limits::MAX_ENCODINGS;
use crate::packet::{Kind, Packet};

/// SSRCs that are remembered: the encodings of two pictures, a voice, and as many that have been replaced.
const MAX_STREAMS: usize = 4 * MAX_ENCODINGS + 2;

/// What happened.
pub(crate) enum Happened {
    /// A datagram is to be sent.
    Transmit { from: SocketAddr, to: SocketAddr, datagram: Vec<u8> },
    /// A packet came.
    Packet { kind: Kind, layer: u8, packet: Packet },
    /// The client needs a keyframe in a video slot.
    KeyframeNeeded { index: u8 },
    /// The downlink's estimate in bit/s.
    Estimate(u64),
    /// Nothing more until this time.
    Timeout(Instant),
}

impl Connection {
    /// The next thing that happened. `None` if the connection has failed.
    pub(crate) fn poll(&mut self) -> Option<Happened> {
        loop {
            let output = match self.rtc.poll_output() {
                Ok(output) => output,
                Err(error) => {
                    tracing::debug!(%error, "a connection has failed");
                    self.rtc.disconnect();
                    return None;
                }
            };
            match output {
                Output::Timeout(at) => return Some(Happened::Timeout(at)),
                Output::Transmit(transmit) => {
                    let datagram = transmit.contents.into();
                    return Some(Happened::Transmit { from: transmit.source, to: transmit.destination, datagram });
                }
                Output::Event(event) => {
                    if let Some(happened) = self.event(event) {
                        return Some(happened);
                    }
                }
            }
        }
    }

    fn event(&mut self, event: Event) -> Option<Happened> {
        match event {
            Event::Connected => {
                self.is_connected = true;
                None
            }
            Event::PeerStats(stats) => {
                (self.loss_down, self.loss_up) = (stats.egress_loss_fraction, stats.ingress_loss_fraction);
                None
            }
            Event::RtpPacket(packet) => self.packet(packet),
            Event::KeyframeRequest(request) => {
                let index = self.video.iter().position(|line| line.mid == request.mid)?;
                Some(Happened::KeyframeNeeded { index: u8::try_from(index).ok()? })
            }
            Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => Some(Happened::Estimate(estimate.as_u64())),
            _ => None,
        }
    }

    fn packet(&mut self, packet: RtpPacket) -> Option<Happened> {
        let (kind, layer) = self.stream(&packet)?;
        let header = &packet.header;
        let level = header.ext_vals.audio_level.map(|level| level.unsigned_abs().min(127));
        let forwarded = Packet {
            ssrc: *header.ssrc,
            sequence: *packet.seq_no,
            timestamp: header.timestamp,
            marker: header.marker,
            level,
            orientation: header.ext_vals.video_orientation,
            payload: packet.payload,
        };
        Some(Happened::Packet { kind, layer, packet: forwarded })
    }

    /// The source and encoding of a packet. Its line and RID are in the first packets only, so they are remembered.
    fn stream(&mut self, packet: &RtpPacket) -> Option<(Kind, u8)> {
        let ssrc = packet.header.ssrc;
        if let Some(known) = self.streams.get(&ssrc) {
            return Some(*known);
        }
        let (mid, rid) = self.rtc.direct_api().stream_rx(&ssrc).map(|stream| (stream.mid(), stream.rid()))?;
        let line = self.sources.iter().find(|line| line.mid == mid)?;
        let is_audio = self.rtc.media(mid).is_some_and(|media| media.kind() == MediaKind::Audio);
        if is_audio != (line.kind == Kind::Audio) {
            return None;
        }
        let layer = match rid {
            Some(rid) => line.rids.iter().position(|other| *other == rid)?,
            None => 0,
        };
        let stream = (line.kind, u8::try_from(layer).ok()?);
        if self.streams.len() >= MAX_STREAMS {
            // A client that changes its SSRCs. Those in use are found again.
            self.streams.clear();
        }
        self.streams.insert(ssrc, stream);
        Some(stream)
    }
}
