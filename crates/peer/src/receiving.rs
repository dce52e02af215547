//! The receiving half of a connection, and its interceptor, the one farthest from the wire. The interceptor takes every
//! packet from the library, assembles frames, and passes them to the sink. Nothing continues upwards, so the library's
//! track queues stay empty.
//!
//! It is above the library's arrival recorders (transport-wide feedback, receiver reports), which must see packets
//! first. Retransmissions are still in RTX format here.

use crate::agreement::Agreed;
use crate::demux::{self, Learned, ReceiveLine, Route};
use crate::packet::{tagged, wire_size};
use crate::sink::MediaSink;
use media::encoded::{AudioPacket, EncodedFrame, VideoCodec};
use media::remote_clock::RemoteClock;
use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::nack_pairs_from_sequence_numbers;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use transport::{Feedback, Packet as RtpPacket, Receiver, ReceiverConfig, ReceiverStats, RecvKind, TransportLayerNack};

/// The interceptor: see the module documentation.
pub(crate) struct Incoming {
    path: Arc<ReceivePath>,
    /// The SSRC from which our requests are sent.
    ssrc: u32,
    /// Outgoing requests. Bounded by what one read produces.
    writes: VecDeque<TaggedPacket>,
}

impl Incoming {
    pub(crate) fn new(path: Arc<ReceivePath>, ssrc: u32) -> Incoming {
        Incoming { path, ssrc, writes: VecDeque::new() }
    }

    /// Passes ready frames and packets to the sink. The lock is released while the sink is called, because the sink may
    /// request a keyframe.
    fn deliver(&mut self, now: Instant) {
        loop {
            let received = self.path.lock().poll_received();
            match received {
                Some(Received::Frame(mid, frame)) => self.path.sink.video(&mid, frame),
                Some(Received::Audio(mid, packet)) => self.path.sink.audio(&mid, packet),
                None => break,
            }
        }
        let mut receiving = self.path.lock();
        while let Some(feedback) = receiving.poll_rtcp() {
            let packet: Box<dyn rtcp::Packet> = match feedback {
                Feedback::Nack { ssrc, sequences } => Box::new(TransportLayerNack {
                    sender_ssrc: self.ssrc,
                    media_ssrc: ssrc,
                    nacks: nack_pairs_from_sequence_numbers(&sequences),
                }),
                Feedback::Pli { ssrc } => Box::new(PictureLossIndication { sender_ssrc: self.ssrc, media_ssrc: ssrc }),
                Feedback::Remb { ssrcs, bitrate } => {
                    let bitrate = bitrate as f32;
                    Box::new(ReceiverEstimatedMaximumBitrate { sender_ssrc: self.ssrc, bitrate, ssrcs })
                }
            };
            self.writes.push_back(tagged(now, Packet::Rtcp(vec![packet])));
        }
    }

    fn on_rtcp(&self, now: Instant, packets: &[Box<dyn rtcp::Packet>]) {
        for packet in packets {
            if let Some(report) = packet.as_any().downcast_ref::<SenderReport>() {
                let mid = self.path.lock().on_report(now, report);
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
            Packet::Rtcp(rtcp) => self.on_rtcp(packet.now, rtcp),
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
        self.path.lock().receiver.handle_timeout(now);
        self.deliver(now);
        Ok(())
    }

    fn poll_timeout(&mut self) -> Option<Instant> {
        self.path.lock().receiver.poll_timeout()
    }
}

/// Streams come from the negotiation (`agreement.rs`), not from the library.
impl Interceptor for Incoming {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

/// The receiving half of a connection, shared by its interceptors and its task, behind a short lock. The sink is never
/// called under the lock.
pub(crate) struct ReceivePath {
    state: Mutex<Receiving>,
    /// Incremented whenever the result of [`ReceivePath::learned`] may have changed.
    learnings: AtomicU64,
    sink: Arc<dyn MediaSink>,
}

impl ReceivePath {
    pub(crate) fn new(sink: Arc<dyn MediaSink>, now: Instant) -> ReceivePath {
        let state = Receiving {
            receiver: Receiver::new(ReceiverConfig::default(), now),
            lines: Vec::new(),
            clock: RemoteClock::new(now),
            shortest_rtt: None,
            packets: 0,
            bytes: 0,
            codec: None,
        };
        ReceivePath { state: Mutex::new(state), learnings: AtomicU64::new(0), sink }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Receiving> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requests a keyframe of every video line from the far side.
    pub(crate) fn request_keyframes(&self, now: Instant) {
        let mut receiving = self.lock();
        let ssrcs: Vec<u32> = receiving.lines.iter().filter_map(ReceiveLine::video_ssrc).collect();
        for ssrc in ssrcs {
            receiving.receiver.request_keyframe(now, ssrc);
        }
    }

    /// Requests a keyframe of the video line with this name.
    pub(crate) fn request_keyframe(&self, now: Instant, mid: &str) {
        let mut receiving = self.lock();
        let ssrc = receiving.lines.iter().find(|line| *line.mid == *mid).and_then(ReceiveLine::video_ssrc);
        if let Some(ssrc) = ssrc {
            receiving.receiver.request_keyframe(now, ssrc);
        }
    }

    /// The far side's streams that no description announced, with a version, unless the version is still `known`.
    pub(crate) fn learned(&self, known: u64) -> Option<(u64, Vec<Learned>)> {
        let version = self.learnings.load(Ordering::Acquire);
        (version != known).then(|| (version, self.lock().lines.iter().flat_map(ReceiveLine::learned).collect()))
    }

    /// Applies the result of a negotiation. While connected, requests a keyframe of new video.
    pub(crate) fn apply(&self, agreed: &[Agreed], connected: bool, now: Instant) {
        if let Some(camera) = agreed.iter().find(|line| line.kind == RecvKind::Video && !line.screen) {
            self.sink.camera(&camera.mid);
        }
        let mut receiving = self.lock();
        let fresh = receiving.apply(agreed, now);
        self.learnings.fetch_add(1, Ordering::Release);
        for ssrc in fresh.into_iter().filter(|_| connected) {
            receiving.receiver.request_keyframe(now, ssrc);
        }
    }

    /// Processes a packet from the wire.
    fn on_rtp(&self, now: Instant, packet: &RtpPacket) {
        if self.lock().on_rtp(now, packet) {
            self.learnings.fetch_add(1, Ordering::Release);
        }
    }
}

/// The state of the receiving half.
pub(crate) struct Receiving {
    pub(crate) receiver: Receiver,
    lines: Vec<ReceiveLine>,
    clock: RemoteClock,
    shortest_rtt: Option<Duration>,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// The codec of the last frame.
    pub(crate) codec: Option<VideoCodec>,
}

/// An item from the receiver, with its line.
pub(crate) enum Received {
    Frame(Arc<str>, EncodedFrame),
    Audio(Arc<str>, AudioPacket),
}

impl Receiving {
    /// Applies the result of a negotiation. Returns the video SSRCs that are new.
    fn apply(&mut self, agreed: &[Agreed], now: Instant) -> Vec<u32> {
        let mut old = std::mem::take(&mut self.lines);
        let before: Vec<u32> = old.iter().filter_map(ReceiveLine::ssrc).collect();
        for agreed in agreed.iter().filter(|agreed| agreed.receives) {
            let same = old.iter().position(|line| *line.mid == *agreed.mid).map(|index| old.swap_remove(index));
            self.lines.push(match same {
                Some(line) => line.renewed(agreed, now),
                None => ReceiveLine::new(agreed, now),
            });
        }
        for ssrc in before.iter().filter(|ssrc| !self.lines.iter().any(|line| line.ssrc() == Some(**ssrc))) {
            self.receiver.remove_stream(*ssrc);
        }
        for stream in self.lines.iter().filter_map(ReceiveLine::stream) {
            self.receiver.add_stream(stream);
        }
        let videos = self.lines.iter().filter_map(ReceiveLine::video_ssrc);
        videos.filter(|ssrc| !before.contains(ssrc)).collect()
    }

    /// Processes a packet. Returns whether its stream is new.
    fn on_rtp(&mut self, now: Instant, packet: &RtpPacket) -> bool {
        self.packets += 1;
        self.bytes += wire_size(packet);
        let route = demux::route(&mut self.lines, &mut self.receiver, now, packet);
        match route {
            Route::Known | Route::NewRtx => {}
            Route::New(ssrc) => self.receiver.request_keyframe(now, ssrc),
            Route::Dropped => return false,
        }
        self.receiver.on_rtp(now, packet);
        route != Route::Known
    }

    /// The next item for the sink.
    pub(crate) fn poll_received(&mut self) -> Option<Received> {
        while let Some((ssrc, mut frame)) = self.receiver.poll_frame() {
            self.codec = Some(frame.codec);
            if let Some(line) = self.lines.iter().find(|line| line.ssrc() == Some(ssrc)) {
                frame.captured = line.ntp_of(frame.rtp_timestamp).and_then(|ntp| self.clock.local(ntp));
                return Some(Received::Frame(line.mid.clone(), frame));
            }
        }
        while let Some((ssrc, packet)) = self.receiver.poll_audio() {
            if let Some(mid) = self.mid_of(ssrc) {
                return Some(Received::Audio(mid, packet));
            }
        }
        None
    }

    /// Processes a sender report that has arrived now. Returns its line.
    fn on_report(&mut self, now: Instant, report: &SenderReport) -> Option<Arc<str>> {
        let line = self.lines.iter_mut().find(|line| line.ssrc() == Some(report.ssrc))?;
        line.on_report(report.ntp_time, report.rtp_time);
        if let Some(rtt) = self.shortest_rtt {
            self.clock.on_report(now, report.ntp_time, rtt);
        }
        Some(line.mid.clone())
    }

    /// The line that the far side sends with this SSRC.
    fn mid_of(&self, ssrc: u32) -> Option<Arc<str>> {
        self.lines.iter().find(|line| line.ssrc() == Some(ssrc)).map(|line| line.mid.clone())
    }

    pub(crate) fn poll_rtcp(&mut self) -> Option<Feedback> {
        self.receiver.poll_rtcp()
    }

    /// Sets the round-trip time, and the shortest recent one.
    pub(crate) fn set_rtt(&mut self, rtt: Duration, shortest: Option<Duration>) {
        self.receiver.set_rtt(rtt);
        self.shortest_rtt = shortest;
    }

    pub(crate) fn stats(&self) -> ReceiverStats {
        self.receiver.stats()
    }
}
