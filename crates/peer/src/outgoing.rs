//! The interceptor nearest to the wire. It passes the far side's feedback to the sender, and the sender's packets to
//! SRTP.

use crate::packet::tagged;
use crate::path::MediaPath;
use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;
use transport::{TransportLayerCc, TransportLayerNack};

/// Most packets taken from the sender at a time; the rest follow when these have been sent.
const BATCH: usize = 64;

/// See the module documentation.
pub(crate) struct Outgoing {
    path: Arc<MediaPath>,
    /// Incoming packets. Bounded by what one read produces, because the chain drains it after each.
    reads: VecDeque<TaggedPacket>,
    /// Outgoing packets: RTCP from above, and at most [`BATCH`] packets of the sender.
    writes: VecDeque<TaggedPacket>,
    /// The latest time seen.
    now: Instant,
}

impl Outgoing {
    pub(crate) fn new(path: Arc<MediaPath>, now: Instant) -> Outgoing {
        Outgoing { path, reads: VecDeque::new(), writes: VecDeque::new(), now }
    }

    fn on_rtcp(&mut self, now: Instant, packets: &[Box<dyn rtcp::Packet>]) {
        let mut sending = self.path.sending();
        for packet in packets {
            let packet = packet.as_any();
            if let Some(feedback) = packet.downcast_ref::<TransportLayerCc>() {
                sending.sender.on_feedback(now, feedback);
            } else if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
                sending.sender.on_nack(now, nack);
            } else if let Some(pli) = packet.downcast_ref::<PictureLossIndication>() {
                if sending.knows(pli.media_ssrc) {
                    sending.sender.on_keyframe_request(now, pli.media_ssrc);
                }
            } else if let Some(fir) = packet.downcast_ref::<FullIntraRequest>() {
                for entry in &fir.fir {
                    if sending.knows(entry.ssrc) {
                        sending.sender.on_keyframe_request(now, entry.ssrc);
                    }
                }
            } else if let Some(limit) = packet.downcast_ref::<ReceiverEstimatedMaximumBitrate>() {
                sending.sender.on_receiver_limit(now, limit.bitrate);
            } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
                sending.sender.on_receiver_report(now, report);
            } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
                // If the far side also sends media, its sender reports contain its reception reports.
                let reports = report.reports.clone();
                let report = ReceiverReport { ssrc: report.ssrc, reports, ..ReceiverReport::default() };
                sending.sender.on_receiver_report(now, &report);
            }
        }
        let news = sending.collect_events();
        let (rtt, shortest) = (sending.sender.rtt(), sending.sender.shortest_rtt());
        drop(sending);
        if news {
            self.path.news.notify_one();
        }
        if let Some(rtt) = rtt {
            self.path.receiving.lock().set_rtt(rtt, shortest);
        }
    }

    fn drain(&mut self) {
        if !self.path.connected() {
            return;
        }
        let mut sending = self.path.sending();
        while let Some(report) = sending.poll_report(self.now) {
            self.writes.push_back(tagged(self.now, Packet::Rtcp(vec![Box::new(report)])));
        }
        while self.writes.len() < BATCH {
            let Some(packet) = sending.poll_packet() else { break };
            self.writes.push_back(tagged(self.now, Packet::Rtp(packet)));
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Outgoing {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.now = packet.now;
        if let Packet::Rtcp(packets) = &packet.message.packet {
            self.on_rtcp(packet.now, packets);
        }
        self.reads.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.reads.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        // RTP comes only from our sender.
        if matches!(packet.message.packet, Packet::Rtcp(_)) {
            self.writes.push_back(packet);
        }
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        if self.writes.is_empty() {
            self.drain();
        }
        self.writes.pop_front()
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.now = now;
        let mut sending = self.path.sending();
        sending.sender.handle_timeout(now);
        let news = sending.collect_events();
        drop(sending);
        if news {
            self.path.news.notify_one();
        }
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.path.sending().poll_timeout()
    }
}

/// Streams come from the negotiation (`agreement.rs`). The library would bind only those that it sends itself.
impl Interceptor for Outgoing {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
