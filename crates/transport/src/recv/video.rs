//! An incoming video stream.

use super::assembler::{Assembler, Inserted};
use super::keyframe::KeyframeRequests;
use super::nack::NackRequester;
use super::segments::VideoPacket;
use super::stats::ReceiverStats;
use crate::payload;
use crate::repair::{RepairDecoder, Source, covered_until};
use crate::sequence::Unwrapper;
use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};
use std::time::{Duration, Instant};

/// Packets that are this far behind the newest belong to a restarted stream.
const RESTART_DISTANCE: u64 = 4096;
/// The stream has restarted after this many such packets in a row.
const RESTART_AFTER_STALE: u32 = 50;
/// The stream has restarted after this many duplicates in a row that are not retransmissions: its sequence numbers jumped
/// back by less than [`RESTART_DISTANCE`].
const RESTART_AFTER_DUPLICATES: u32 = 100;

/// Number of packets with H.264 parameter sets that may precede the first packet that shows a keyframe.
const PARAMETER_SETS: u64 = 4;

/// A media packet. RTX has been unwrapped.
#[derive(Debug)]
pub(crate) struct IncomingPacket {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) codec: VideoCodec,
    pub(crate) payload: Bytes,
    /// Retransmitted, or restored from repair packets.
    pub(crate) recovered: bool,
    /// Whose it is, by its header.
    pub(crate) source: Option<u32>,
}

/// The origin of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Network,
    Repair,
}

impl Origin {
    /// Counts a new packet. `recovered` means that it was retransmitted or restored.
    fn count(self, recovered: bool, stats: &mut ReceiverStats) {
        stats.packets_received += u64::from(!recovered);
        match self {
            Origin::Network => stats.retransmitted_packets_received += u64::from(recovered),
            Origin::Repair => stats.repaired_packets += 1,
        }
    }
}

/// Feedback that a stream requests.
#[derive(Debug, Default)]
pub(crate) struct FeedbackRequests {
    /// Sequence numbers to request.
    pub(crate) missing: Vec<u16>,
    /// Whether to request a keyframe.
    pub(crate) keyframe: bool,
}

#[derive(Debug)]
pub(crate) struct VideoStream {
    unwrapper: Unwrapper,
    nack_requester: NackRequester,
    /// Created at the first repair packet. Earlier source packets are not kept.
    repair: Option<RepairDecoder>,
    assembler: Assembler,
    keyframe_requests: KeyframeRequests,
    blocked_since: Option<Instant>,
    /// The first packet of the newest keyframe that has started to arrive.
    last_keyframe_start: Option<u64>,
    stale_packets: u32,
    duplicates: u32,
}

impl VideoStream {
    pub(crate) fn new(now: Instant) -> Self {
        VideoStream {
            unwrapper: Unwrapper::default(),
            nack_requester: NackRequester::new(now),
            repair: None,
            assembler: Assembler::new(),
            keyframe_requests: KeyframeRequests::new(),
            blocked_since: None,
            last_keyframe_start: None,
            stale_packets: 0,
            duplicates: 0,
        }
    }

    pub(crate) fn on_packet(&mut self, now: Instant, packet: IncomingPacket, rtt: Duration, stats: &mut ReceiverStats) {
        let IncomingPacket { sequence, timestamp, marker, codec, .. } = packet;
        let source = self.repair.is_some().then(|| Source { marker, timestamp, payload: packet.payload.clone() });
        self.insert(now, packet, Origin::Network, rtt, stats);
        if let (Some(repair), Some(source)) = (&mut self.repair, source) {
            let restored = repair.source(self.unwrapper.peek(sequence), source);
            self.insert_restored(now, restored, codec, rtt, stats);
        }
    }

    /// Processes a repair packet.
    pub(crate) fn on_repair(
        &mut self,
        now: Instant,
        payload: &[u8],
        codec: VideoCodec,
        rtt: Duration,
        stats: &mut ReceiverStats,
    ) {
        if self.unwrapper.newest().is_none() {
            return;
        }
        let unwrapper = self.unwrapper.clone();
        let extend = |sequence| unwrapper.peek(sequence);
        self.nack_requester.on_repair_packet(now);
        let restored = self.repair.get_or_insert_default().repair(payload, extend);
        self.insert_restored(now, restored, codec, rtt, stats);
        if let Some(number) = covered_until(payload, extend) {
            self.nack_requester.expedite(now, number);
        }
    }

    fn insert_restored(
        &mut self,
        now: Instant,
        restored: Vec<(u64, Source)>,
        codec: VideoCodec,
        rtt: Duration,
        stats: &mut ReceiverStats,
    ) {
        for (number, Source { marker, timestamp, payload }) in restored {
            let packet = IncomingPacket {
                sequence: number as u16,
                timestamp,
                marker,
                codec,
                payload,
                recovered: true,
                source: None,
            };
            self.insert(now, packet, Origin::Repair, rtt, stats);
        }
    }

    fn insert(
        &mut self,
        now: Instant,
        packet: IncomingPacket,
        origin: Origin,
        rtt: Duration,
        stats: &mut ReceiverStats,
    ) {
        let Some(number) = self.extend(now, &packet, stats) else { return };
        let video_packet = match Self::parse(now, &packet) {
            Ok(video_packet) => video_packet,
            Err(payload::Malformed) => {
                // The packet stays missing, because a retransmission may be intact.
                stats.malformed_packets += 1;
                return;
            }
        };
        let recovered = packet.recovered;
        match self.assembler.insert(number, video_packet) {
            Inserted::New => {
                self.duplicates = 0;
                origin.count(recovered, stats);
            }
            Inserted::Duplicate => {
                stats.duplicate_packets += 1;
                if self.restart_after_duplicate(now, recovered) {
                    return;
                }
            }
            Inserted::Overflow => self.nack_requester.clear(),
        }
        self.update_requests(now, number, recovered, rtt);
    }

    /// Extends the sequence number of a packet. `None` if the packet cannot be used.
    fn extend(&mut self, now: Instant, packet: &IncomingPacket, stats: &mut ReceiverStats) -> Option<u64> {
        let newest = self.unwrapper.newest();
        if newest.is_none() && packet.recovered {
            return None;
        }
        let number = self.unwrapper.peek(packet.sequence);
        if newest.is_some_and(|newest| number + RESTART_DISTANCE < newest) && !self.detect_restart(now) {
            stats.duplicate_packets += 1;
            return None;
        }
        self.stale_packets = 0;
        Some(self.unwrapper.unwrap(packet.sequence))
    }

    /// Counts a duplicate. Restarts the stream and returns true if that shows that the sequence numbers jumped back.
    fn restart_after_duplicate(&mut self, now: Instant, recovered: bool) -> bool {
        self.duplicates += u32::from(!recovered);
        if self.duplicates < RESTART_AFTER_DUPLICATES {
            return false;
        }
        *self = VideoStream::new(now);
        self.keyframe_requests.request(now);
        true
    }

    /// Updates the requests for missing packets and for keyframes after a packet.
    fn update_requests(&mut self, now: Instant, number: u64, recovered: bool, rtt: Duration) {
        if !self.nack_requester.on_packet(now, number, recovered) {
            self.assembler.await_keyframe();
            self.keyframe_requests.request(now);
        }
        if self.assembler.is_awaiting_keyframe()
            && let Some(start) = self.assembler.keyframe_start()
        {
            self.nack_requester.discard_before(start.saturating_sub(PARAMETER_SETS));
            if self.last_keyframe_start.replace(start) != Some(start) {
                self.keyframe_requests.on_keyframe_started(now, rtt);
            }
        }
    }

    /// Returns the next frame that can be decoded.
    pub(crate) fn pop(&mut self, now: Instant, rtt: Duration) -> Option<EncodedFrame> {
        let skip = self.blocked_since.is_some_and(|since| now.saturating_duration_since(since) > skip_after(rtt));
        let frame = self.assembler.pop(skip);
        if frame.is_some() {
            self.nack_requester.discard_before(self.assembler.floor());
            self.keyframe_requests.cancel();
            self.blocked_since = None;
            return frame;
        }
        self.blocked_since = if self.assembler.is_blocked() { self.blocked_since.or(Some(now)) } else { None };
        if self.assembler.is_awaiting_keyframe() && self.assembler.is_blocked() {
            self.keyframe_requests.request_soon(now);
        }
        None
    }

    /// The decoder cannot continue without a keyframe.
    pub(crate) fn request_keyframe(&mut self, now: Instant) {
        self.assembler.await_keyframe();
        self.nack_requester.clear();
        self.keyframe_requests.request(now);
    }

    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        rtt: Duration,
        stats: &mut ReceiverStats,
    ) -> FeedbackRequests {
        let (missing, abandoned) = self.nack_requester.poll(now, rtt);
        if let Some(number) = abandoned.filter(|number| *number >= self.assembler.floor()) {
            stats.abandoned_packets += 1;
            self.assembler.abandon_until(number);
            self.nack_requester.discard_before(self.assembler.floor());
            self.keyframe_requests.request(now);
        }
        if self.blocked_since.is_some_and(|since| now.saturating_duration_since(since) >= keyframe_after(rtt)) {
            // Retransmission requests continue. Either one ends the wait.
            self.keyframe_requests.request(now);
        }
        FeedbackRequests { missing, keyframe: self.keyframe_requests.should_send(now, rtt) }
    }

    pub(crate) fn poll_timeout(&self, rtt: Duration) -> Option<Instant> {
        let requesting = self.keyframe_requests.poll_timeout();
        let blocked_since =
            self.blocked_since.filter(|_| requesting.is_none()).map(|since| since + keyframe_after(rtt));
        self.nack_requester.poll_timeout().into_iter().chain(requesting).chain(blocked_since).min()
    }

    fn parse(now: Instant, packet: &IncomingPacket) -> Result<Option<VideoPacket>, payload::Malformed> {
        if packet.payload.is_empty() {
            return Ok(None);
        }
        let parsed = payload::parse(packet.codec, &packet.payload)?;
        let IncomingPacket { timestamp, marker, codec, recovered, source, .. } = *packet;
        Ok(Some(VideoPacket { codec, timestamp, marker, arrived: now, recovered, source, payload: parsed }))
    }

    /// Counts a packet that is far behind. Returns whether that shows a restarted stream.
    fn detect_restart(&mut self, now: Instant) -> bool {
        self.stale_packets += 1;
        if self.stale_packets < RESTART_AFTER_STALE {
            return false;
        }
        *self = VideoStream::new(now);
        true
    }
}

/// Incomplete frames of upper layers are skipped after this time, in which a retransmission could have arrived.
fn skip_after(rtt: Duration) -> Duration {
    rtt + rtt / 2 + Duration::from_millis(30)
}

/// A keyframe is requested after the picture has been frozen for this time.
fn keyframe_after(rtt: Duration) -> Duration {
    (6 * rtt + Duration::from_millis(200)).clamp(Duration::from_millis(500), Duration::from_millis(1500))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn packet(n: u64, sequence: u16, keyframe: bool) -> IncomingPacket {
        let payload: &[u8] = match keyframe {
            true => &[0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00, 0x00],
            false => &[0x10, 0x11, 0x02, 0x00, 0x00, 0x00],
        };
        let (timestamp, payload) = ((n * 3_000) as u32, Bytes::from_static(payload));
        IncomingPacket {
            sequence,
            timestamp,
            marker: true,
            codec: VideoCodec::Vp8,
            payload,
            recovered: false,
            source: None,
        }
    }

    /// Returns the number of packets from a jump of the sequence numbers until the next frame.
    fn packets_until_playback(jump: i64) -> u64 {
        let start = Instant::now();
        let (mut video, mut stats) = (VideoStream::new(start), ReceiverStats::default());
        let mut keyframe = true;
        for n in 0..1_000u64 {
            let now = start + Duration::from_millis(33 * n);
            let jump = if n < 300 { 0 } else { jump };
            let sequence = (40_000 + n as i64 + jump) as u16;
            video.on_packet(now, packet(n, sequence, std::mem::take(&mut keyframe)), RTT, &mut stats);
            let frame_delivered = video.pop(now, RTT).is_some();
            assert!(frame_delivered || n >= 300, "packet {n} is shown");
            if frame_delivered && n >= 300 {
                return n - 300;
            }
            keyframe |= video.handle_timeout(now, RTT, &mut stats).keyframe;
        }
        u64::MAX
    }

    #[test]
    fn playback_resumes_after_sequence_numbers_jump() {
        for jump in [-1, -30, -99, -150, -1_000, -4_000, -4_200, -10_000, -32_000, 100, 1_000, 20_000, 32_000] {
            let packets = packets_until_playback(jump);
            assert!(packets <= 130, "{jump}: {packets} packets without a picture");
        }
    }
}
