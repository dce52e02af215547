//! The interceptor farthest from the wire. It takes every packet from the library, assembles frames, and passes them to
//! the sink. Nothing continues upwards, so the library's track queues stay empty.
//!
//! It is above the library's arrival recorders (transport-wide feedback, receiver reports), which must see packets
//! first. Retransmissions are still in RTX format here.

use crate::outgoing::tagged;
use crate::path::{MediaPath, Received};
use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::nack_pairs_from_sequence_numbers;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;
use transport::{Feedback, TransportLayerNack};

/// See the module documentation.
pub(crate) struct Incoming {
    path: Arc<MediaPath>,
    /// The SSRC from which our requests are sent.
    ssrc: u32,
    /// Outgoing requests. Bounded by what one read produces.
    writes: VecDeque<TaggedPacket>,
}

impl Incoming {
    pub(crate) fn new(path: Arc<MediaPath>, ssrc: u32) -> Incoming {
        Incoming { path, ssrc, writes: VecDeque::new() }
    }

    /// Passes ready frames and packets to the sink. The lock is released while the sink is called, because the sink may
    /// request a keyframe.
    fn deliver(&mut self, now: Instant) {
        loop {
            let received = self.path.receiving().poll_received();
            match received {
                Some(Received::Frame(mid, frame)) => self.path.sink.video(&mid, frame),
                Some(Received::Audio(mid, packet)) => self.path.sink.audio(&mid, packet),
                None => break,
            }
        }
        let mut receiving = self.path.receiving();
        while let Some(feedback) = receiving.poll_rtcp() {
            let packet: Box<dyn rtcp::Packet> = match feedback {
                Feedback::Nack { ssrc, sequences } => Box::new(TransportLayerNack {
                    sender_ssrc: self.ssrc,
                    media_ssrc: ssrc,
                    nacks: nack_pairs_from_sequence_numbers(&sequences),
                }),
                Feedback::Pli { ssrc } => Box::new(PictureLossIndication { sender_ssrc: self.ssrc, media_ssrc: ssrc }),
            };
            self.writes.push_back(tagged(now, Packet::Rtcp(vec![packet])));
        }
    }

    fn on_rtcp(&self, packets: &[Box<dyn rtcp::Packet>]) {
        for packet in packets {
            if let Some(report) = packet.as_any().downcast_ref::<SenderReport>() {
                let mid = self.path.receiving().mid_of(report.ssrc);
                if let Some(mid) = mid {
                    self.path.sink.sender_report(&mid, report.ntp_time, report.rtp_time);
                }
            }
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Incoming {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        match &packet.message.packet {
            Packet::Rtp(rtp) => {
                self.path.on_rtp(packet.now, rtp);
                self.deliver(packet.now);
            }
            Packet::Rtcp(rtcp) => self.on_rtcp(rtcp),
            _ => {}
        }
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        None
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.writes.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.writes.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.path.receiving().receiver.handle_timeout(now);
        self.deliver(now);
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.path.receiving().receiver.poll_timeout()
    }
}

/// Streams come from the negotiation (`agreement.rs`), not from the library.
impl Interceptor for Incoming {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
