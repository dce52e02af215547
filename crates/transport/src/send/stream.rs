//! An outgoing stream: its sequence numbers, its queue, and its packets kept for retransmission.

use super::api::SendError;
use super::keyframe_budget::KeyframeBudget;
use crate::payload::red::RedBlock;
use crate::payload::{MAX_PAYLOAD, Packetizer};
use crate::repair::{RepairEncoder, Source};
use crate::stream::{SendStream, StreamKind, VideoFormat};
use bytes::{BufMut, Bytes, BytesMut};
use media::encoded::{EncodedFrame, VideoCodec};
use media::level::AudioLevel;
use rtc_rtp::header::{EXTENSION_PROFILE_ONE_BYTE, EXTENSION_PROFILE_TWO_BYTE, Header};
use rtc_rtp::packet::Packet;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most frames that wait for the pacer. When full, a delta frame is dropped, and if it is a base layer frame, a keyframe is
/// requested. A keyframe replaces the waiting frames, but for the rest of one that was sent in part.
pub(crate) const MAX_QUEUED_FRAMES: usize = 4;
/// Most packets kept for retransmission: about 3 s at 2.5 Mbit/s. When full, the oldest is dropped, and can no longer be
/// retransmitted.
const MAX_SENT_PACKETS: usize = 1024;
/// Most repair packets of one frame.
const MAX_REPAIR_PER_FRAME: f64 = 60.0;
/// Most copies of earlier audio packets in a packet.
const MAX_COPIES: usize = 2;
/// Number of recent packets from which the padding of a probe is taken.
const PADDING_CANDIDATES: usize = 16;

/// A packetized frame. Sequence numbers are assigned when packets are sent, so that dropped frames leave no gap.
#[derive(Debug)]
struct QueuedFrame {
    keyframe: bool,
    /// Whether a packet of it has been sent.
    started: bool,
    rtp_timestamp: u32,
    payloads: VecDeque<Bytes>,
}

#[derive(Debug)]
struct SentPacket {
    packet: Packet,
    retransmitted_at: Option<Instant>,
}

#[derive(Debug)]
pub(crate) struct OutgoingStream {
    pub(crate) stream: SendStream,
    packetizer: Option<Packetizer>,
    sequence: u16,
    rtx_sequence: u16,
    queue: VecDeque<QueuedFrame>,
    queued_bytes: usize,
    /// RTP times and payloads of the last audio packets, oldest first, for copies.
    audio: VecDeque<(u32, Bytes)>,
    sent_packets: VecDeque<SentPacket>,
    needs_keyframe: bool,
    layer: u8,
    /// The lowest temporal layer of a frame dropped since the last base layer frame.
    lowest_skipped_layer: Option<u8>,
    repair: RepairEncoder,
    /// Repair packets due: the share of the media packets sent, minus the repair packets created.
    repair_credit: f64,
    pub(crate) keyframe_requested_at: Option<Instant>,
    pub(crate) last_keyframe_at: Option<Instant>,
    /// For requests of the far side.
    pub(crate) keyframe_budget: KeyframeBudget,
}

impl OutgoingStream {
    /// Creates the stream. The initial sequence numbers and picture id are taken from `random`.
    pub(crate) fn new(stream: SendStream, random: u64) -> Self {
        let packetizer = match stream.kind {
            StreamKind::Audio | StreamKind::Red => None,
            StreamKind::Video(codec) => Some(Packetizer::new(codec, random as u16)),
        };
        OutgoingStream {
            stream,
            packetizer,
            // In the lower half, so that a reordered first packet is not mistaken for a wrap.
            sequence: (random >> 16) as u16 & 0x7fff,
            rtx_sequence: (random >> 32) as u16 & 0x7fff,
            repair: RepairEncoder::default(),
            repair_credit: 0.0,
            queue: VecDeque::new(),
            audio: VecDeque::new(),
            queued_bytes: 0,
            sent_packets: VecDeque::new(),
            needs_keyframe: true,
            layer: 0,
            lowest_skipped_layer: None,
            keyframe_requested_at: None,
            last_keyframe_at: None,
            keyframe_budget: KeyframeBudget::default(),
        }
    }

    pub(crate) fn is_video(&self) -> bool {
        self.packetizer.is_some()
    }

    pub(crate) fn needs_keyframe(&self) -> bool {
        self.needs_keyframe
    }

    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Drops queued video frames and the packets kept for retransmission. The next frame must be a keyframe.
    pub(crate) fn abandon(&mut self) {
        if self.is_video() {
            self.flush();
            self.sent_packets.clear();
        }
    }

    /// Applies renegotiated parameters. Returns false if the kind of media differs.
    pub(crate) fn renegotiate(&mut self, stream: &SendStream) -> bool {
        match (self.stream.kind, stream.kind) {
            (StreamKind::Audio, StreamKind::Audio) => {}
            (StreamKind::Video(before), StreamKind::Video(codec)) => {
                let SendStream { kind, payload_type, rtx, .. } = self.stream;
                self.stream = SendStream { kind, payload_type, rtx, ..stream.clone() };
                // A format that is still accepted continues.
                if !stream.formats.contains(&VideoFormat { codec: before, payload_type, rtx }) {
                    self.set_format(VideoFormat { codec, payload_type: stream.payload_type, rtx: stream.rtx });
                }
                return true;
            }
            (_, _) => return false,
        }
        self.stream = stream.clone();
        true
    }

    /// The codec of video.
    pub(crate) fn codec(&self) -> Option<VideoCodec> {
        self.packetizer.as_ref().map(Packetizer::codec)
    }

    fn set_format(&mut self, format: VideoFormat) {
        let Some(packetizer) = &mut self.packetizer else { return };
        let VideoFormat { codec, payload_type, rtx } = format;
        let unchanged = packetizer.codec() == codec && self.stream.payload_type == payload_type;
        (self.stream.kind, self.stream.payload_type, self.stream.rtx) = (StreamKind::Video(codec), payload_type, rtx);
        if unchanged {
            return;
        }
        *packetizer = Packetizer::new(codec, self.sequence);
        self.flush();
        // Retransmissions would have the payload type of the new codec.
        self.sent_packets.clear();
    }

    /// Packetizes and queues a frame.
    pub(crate) fn push(&mut self, now: Instant, frame: &EncodedFrame) -> Result<(), SendError> {
        let Some(packetizer) = &mut self.packetizer else { return Err(SendError::WrongCodec) };
        if packetizer.codec() != frame.codec {
            self.switch(frame)?;
        }
        if !frame.keyframe {
            self.check_delta_frame(frame)?;
        } else if self.queue.len() >= MAX_QUEUED_FRAMES {
            self.replace_waiting();
        }
        let Some(packetizer) = &mut self.packetizer else { return Err(SendError::WrongCodec) };
        let payloads: VecDeque<Bytes> = packetizer.packetize(frame).map_err(|_| SendError::Malformed)?.into();
        self.queued_bytes += payloads.iter().map(|p| p.len()).sum::<usize>();
        self.queue.push_back(QueuedFrame {
            keyframe: frame.keyframe,
            started: false,
            rtp_timestamp: frame.rtp_timestamp,
            payloads,
        });
        if frame.keyframe {
            (self.needs_keyframe, self.layer, self.last_keyframe_at) = (false, frame.layer, Some(now));
        }
        if frame.temporal == 0 {
            self.lowest_skipped_layer = None;
        }
        Ok(())
    }

    /// Returns the next packet of the queue, and keeps it for retransmission.
    pub(crate) fn pop(&mut self) -> Option<Packet> {
        let frame = self.queue.front_mut()?;
        let payload = frame.payloads.pop_front()?;
        let (marker, timestamp) = (frame.payloads.is_empty(), frame.rtp_timestamp);
        let starts_keyframe = !std::mem::replace(&mut frame.started, true) && frame.keyframe;
        if marker {
            self.queue.pop_front();
        }
        self.queued_bytes -= payload.len();
        if starts_keyframe {
            // Earlier packets are not needed any more, and their retransmission would delay the keyframe.
            self.sent_packets.clear();
        }
        let packet = self.packet(timestamp, payload, marker);
        if self.stream.rtx.is_some() {
            if self.sent_packets.len() == MAX_SENT_PACKETS {
                self.sent_packets.pop_front();
            }
            self.sent_packets.push_back(SentPacket { packet: packet.clone(), retransmitted_at: None });
        }
        Some(packet)
    }

    /// Creates an audio packet with copies of the packets before it, if the far side accepts them. `marker` starts a talk
    /// spurt, which has no copies.
    pub(crate) fn audio_packet(&mut self, timestamp: u32, data: Bytes, marker: bool, copies: usize) -> Packet {
        if marker {
            self.audio.clear();
        }
        let skipped = self.audio.len().saturating_sub(copies);
        let earlier = self.audio.iter().skip(skipped).map(|(at, data)| (timestamp.wrapping_sub(*at), data));
        let red = self.stream.red.filter(|_| copies > 0);
        let payload = match red {
            Some(_) => RedBlock::join(self.stream.payload_type, earlier, &data, MAX_PAYLOAD),
            None => data.clone(),
        };
        if self.audio.len() == MAX_COPIES {
            self.audio.pop_front();
        }
        self.audio.push_back((timestamp, data));
        let mut packet = self.packet(timestamp, payload, marker);
        packet.header.payload_type = red.unwrap_or(packet.header.payload_type);
        packet
    }

    /// Creates a media packet with the next sequence number.
    pub(crate) fn packet(&mut self, timestamp: u32, payload: Bytes, marker: bool) -> Packet {
        let sequence_number = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        let (ssrc, payload_type) = (self.stream.ssrc, self.stream.payload_type);
        let header =
            Header { version: 2, marker, payload_type, sequence_number, timestamp, ssrc, ..Default::default() };
        let mut packet = Packet { header, payload };
        if let Some(highest) = self.stream.extension_ids().max() {
            packet.header.extension = true;
            packet.header.extension_profile = profile(highest);
        }
        write_name(&mut packet, self.stream.names.mid.as_ref());
        write_name(&mut packet, self.stream.names.rid.as_ref());
        packet
    }

    /// Returns the repair packets of a frame after its last media packet, and none after other packets. `share` is the number
    /// of repair packets per media packet.
    pub(crate) fn repair_packets(&mut self, packet: &Packet, share: f64) -> Vec<Packet> {
        let Some(((ssrc, _), payload_type)) = self.stream.rtx.zip(self.stream.repair) else { return Vec::new() };
        let (marker, timestamp) = (packet.header.marker, packet.header.timestamp);
        self.repair.add(packet.header.sequence_number, Source { marker, timestamp, payload: packet.payload.clone() });
        self.repair_credit += share;
        if !marker {
            return Vec::new();
        }
        let count = self.repair_credit.floor().min(MAX_REPAIR_PER_FRAME);
        self.repair_credit = (self.repair_credit - count).min(1.0);
        let payloads: Vec<Bytes> =
            (0..count as u8).rev().map_while(|remaining| self.repair.repair(remaining)).collect();
        let number = |payload| {
            let sequence_number = self.rtx_sequence;
            self.rtx_sequence = sequence_number.wrapping_add(1);
            let header = Header { version: 2, ssrc, payload_type, sequence_number, timestamp, ..Default::default() };
            Packet { header, payload }
        };
        payloads.into_iter().map(number).collect()
    }

    /// Whether to retransmit this packet: it is still kept, and was not retransmitted within `min_interval`. If so, records
    /// `now` as the time of the retransmission.
    pub(crate) fn may_retransmit(&mut self, now: Instant, sequence: u16, min_interval: Duration) -> bool {
        let Some(index) = self.index(sequence) else { return false };
        let packet = &mut self.sent_packets[index];
        if packet.retransmitted_at.is_some_and(|at| now.saturating_duration_since(at) < min_interval) {
            return false;
        }
        packet.retransmitted_at = Some(now);
        true
    }

    /// Returns the packet in the retransmission format (RFC 4588 section 4).
    pub(crate) fn retransmission(&mut self, sequence: u16) -> Option<Packet> {
        let (ssrc, payload_type) = self.stream.rtx?;
        let original = &self.sent_packets[self.index(sequence)?].packet;
        let mut payload = BytesMut::with_capacity(2 + original.payload.len());
        payload.put_u16(sequence);
        payload.put_slice(&original.payload);
        let sequence_number = self.rtx_sequence;
        let header = Header { ssrc, payload_type, sequence_number, ..original.header.clone() };
        self.rtx_sequence = self.rtx_sequence.wrapping_add(1);
        let mut packet = Packet { header, payload: payload.freeze() };
        if let Some((id, _)) = &self.stream.names.rid {
            // Fails only if the packet was sent before the extension was negotiated.
            let _ = packet.header.del_extension(*id);
        }
        write_name(&mut packet, self.stream.names.repaired_rid.as_ref());
        Some(packet)
    }

    /// The sequence number of a recent packet to retransmit as padding of a probe: the `nth` of the largest packets, modulo
    /// their number.
    pub(crate) fn padding_sequence(&self, nth: usize) -> Option<u16> {
        self.stream.rtx?;
        let candidates = || self.sent_packets.iter().rev().take(PADDING_CANDIDATES);
        let largest = candidates().map(|k| k.packet.payload.len()).max()?;
        let large = || candidates().filter(|k| k.packet.payload.len() * 4 >= largest * 3);
        large().nth(nth % large().count().max(1)).map(|k| k.packet.header.sequence_number)
    }

    /// Switches to the format of this keyframe.
    fn switch(&mut self, frame: &EncodedFrame) -> Result<(), SendError> {
        let format = self.stream.formats.iter().find(|format| format.codec == frame.codec);
        let format = *format.ok_or(SendError::WrongCodec)?;
        if !frame.keyframe {
            self.needs_keyframe = true;
            return Err(SendError::KeyframeNeeded);
        }
        self.set_format(format);
        Ok(())
    }

    fn check_delta_frame(&mut self, frame: &EncodedFrame) -> Result<(), SendError> {
        if self.needs_keyframe || frame.layer != self.layer {
            self.needs_keyframe = true;
            return Err(SendError::KeyframeNeeded);
        }
        let full = self.queue.len() >= MAX_QUEUED_FRAMES;
        if frame.temporal > 0 {
            if full
                || self.lowest_skipped_layer.is_some_and(|lowest_skipped_layer| frame.temporal >= lowest_skipped_layer)
            {
                self.lowest_skipped_layer = Some(
                    self.lowest_skipped_layer
                        .map_or(frame.temporal, |lowest_skipped_layer| lowest_skipped_layer.min(frame.temporal)),
                );
                return Err(SendError::QueueFull);
            }
        } else if full {
            self.needs_keyframe = true;
            return Err(SendError::QueueFull);
        }
        Ok(())
    }

    /// Drops the frames of which nothing was sent. The rest of a frame that was sent in part still follows: a receiver of
    /// H.264 would take the part for the whole frame.
    fn replace_waiting(&mut self) {
        self.queue.truncate(usize::from(self.is_partly_sent()));
        self.queued_bytes = self.queue.iter().flat_map(|frame| &frame.payloads).map(Bytes::len).sum();
        self.needs_keyframe = true;
    }

    fn is_partly_sent(&self) -> bool {
        self.queue.front().is_some_and(|frame| frame.started)
    }

    fn flush(&mut self) {
        if self.is_partly_sent() {
            // The gap shows the receiver that the frame is not complete. Packets before it are not needed any more.
            self.sequence = self.sequence.wrapping_add(1);
            self.sent_packets.clear();
        }
        self.queue.clear();
        self.repair.reset();
        self.queued_bytes = 0;
        self.needs_keyframe = true;
    }

    fn index(&self, sequence: u16) -> Option<usize> {
        let first = self.sent_packets.front()?.packet.header.sequence_number;
        let index = usize::from(sequence.wrapping_sub(first));
        (index < self.sent_packets.len()).then_some(index)
    }
}

/// Writes the transport-wide sequence number. Returns the size of the RTP packet in bytes, without SRTP.
pub(crate) fn write_transport_sequence(packet: &mut Packet, twcc_id: Option<u8>, number: u16) -> usize {
    write_extension(packet, twcc_id, &number.to_be_bytes());
    let extension = match packet.header.get_extension_payload_len() {
        0 => 0,
        bytes => 4 + bytes.next_multiple_of(4),
    };
    12 + extension + packet.payload.len()
}

/// Writes the level of sound (RFC 6464).
pub(crate) fn write_level(packet: &mut Packet, level_id: Option<u8>, level: AudioLevel) {
    write_extension(packet, level_id, &[level.to_byte()]);
}

/// Writes the name of a line or an encoding.
fn write_name(packet: &mut Packet, name: Option<&(u8, Bytes)>) {
    if let Some((id, value)) = name {
        write_extension(packet, Some(*id), value);
    }
}

/// The form of header extensions whose highest id is this one (RFC 8285 section 4.3).
fn profile(highest: u8) -> u16 {
    if highest <= 14 { EXTENSION_PROFILE_ONE_BYTE } else { EXTENSION_PROFILE_TWO_BYTE }
}

/// Writes a header extension, in the form that the packet has.
fn write_extension(packet: &mut Packet, id: Option<u8>, value: &[u8]) {
    let Some(id) = id else { return };
    let header = &mut packet.header;
    if !header.extension {
        header.extension = true;
        header.extension_profile = profile(id);
    }
    // Fails only for an id that is never negotiated. The packet is then sent without the extension.
    let _ = header.set_extension(id, Bytes::copy_from_slice(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::PacketNames;

    const SSRC: u32 = 7;

    fn vp8_stream() -> OutgoingStream {
        let kind = StreamKind::Video(VideoCodec::Vp8);
        let stream = SendStream {
            ssrc: SSRC,
            kind,
            payload_type: 96,
            rtx: Some((8, 97)),
            formats: vec![
                VideoFormat { codec: VideoCodec::Vp8, payload_type: 96, rtx: Some((8, 97)) },
                VideoFormat { codec: VideoCodec::Vp9, payload_type: 98, rtx: Some((8, 99)) },
            ],
            repair: None,
            red: None,
            twcc_id: Some(3),
            level_id: None,
            names: PacketNames::default(),
        };
        OutgoingStream::new(stream, 0x1234_5678_9abc_def0)
    }

    fn frame(keyframe: bool, temporal: u8) -> EncodedFrame {
        let (codec, data) = (VideoCodec::Vp8, Bytes::from(vec![1; 3000]));
        let (rtp_timestamp, width, height, layer) = (0, 0, 0, 0);
        EncodedFrame {
            codec,
            data,
            keyframe,
            rtp_timestamp,
            width,
            height,
            layer,
            temporal,
            time: Instant::now(),
            captured: None,
            source: None,
        }
    }

    #[test]
    fn a_stream_starts_with_a_keyframe() {
        let (now, mut stream) = (Instant::now(), vp8_stream());
        assert_eq!(stream.push(now, &frame(false, 0)), Err(SendError::KeyframeNeeded));
        assert_eq!(stream.push(now, &frame(true, 0)), Ok(()));
        assert_eq!(stream.push(now, &frame(false, 0)), Ok(()));
    }

    #[test]
    fn a_full_queue_drops_upper_layers_first_and_makes_room_for_a_keyframe() {
        let (now, mut stream) = (Instant::now(), vp8_stream());
        stream.push(now, &frame(true, 0)).unwrap();
        for _ in 1..MAX_QUEUED_FRAMES {
            stream.push(now, &frame(false, 0)).unwrap();
        }
        assert_eq!(stream.push(now, &frame(false, 1)), Err(SendError::QueueFull));
        assert!(!stream.needs_keyframe());
        assert_eq!(stream.push(now, &frame(false, 0)), Err(SendError::QueueFull));
        assert!(stream.needs_keyframe());
        assert_eq!(stream.push(now, &frame(true, 0)), Ok(()));
        assert_eq!(stream.queue.len(), 1);
    }

    #[test]
    fn a_frame_that_was_sent_in_part_is_sent_whole_before_the_keyframe_that_replaces_the_queue() {
        let (now, mut stream) = (Instant::now(), vp8_stream());
        let timed = |keyframe, rtp_timestamp| EncodedFrame { rtp_timestamp, ..frame(keyframe, 0) };
        stream.push(now, &timed(true, 0)).unwrap();
        while stream.pop().is_some() {}
        for n in 1..=MAX_QUEUED_FRAMES {
            stream.push(now, &timed(false, n as u32)).unwrap();
        }
        let first = stream.pop().unwrap().header;
        stream.push(now, &timed(true, 100)).unwrap();
        let queued = stream.queued_bytes();
        let packets: Vec<Packet> = std::iter::from_fn(|| stream.pop()).collect();
        let sent: Vec<(u32, bool)> = packets.iter().map(|p| (p.header.timestamp, p.header.marker)).collect();
        assert_eq!((first.timestamp, first.marker), (1, false));
        assert_eq!(sent, [(1, false), (1, true), (100, false), (100, false), (100, true)]);
        assert_eq!(queued, packets.iter().map(|p| p.payload.len()).sum());
        assert_eq!(stream.queued_bytes(), 0);
    }

    #[test]
    fn a_frame_that_is_cut_short_is_followed_by_a_gap() {
        let cuts: [fn(&mut OutgoingStream); 2] =
            [OutgoingStream::abandon, |stream| stream.set_format(stream.stream.formats[1])];
        for cut in cuts {
            let (now, mut stream) = (Instant::now(), vp8_stream());
            stream.push(now, &frame(true, 0)).unwrap();
            let last = stream.pop().unwrap().header.sequence_number;
            cut(&mut stream);
            cut(&mut stream);
            assert_eq!(stream.sequence, last.wrapping_add(2));
            assert!(!stream.may_retransmit(now, last, Duration::ZERO), "packets for it are not kept");
        }
    }

    #[test]
    fn a_keyframe_switches_to_another_accepted_codec() {
        let (now, mut stream) = (Instant::now(), vp8_stream());
        let of = |codec, keyframe| EncodedFrame { codec, ..frame(keyframe, 0) };
        let payload_types = |stream: &mut OutgoingStream| -> Vec<u8> {
            std::iter::from_fn(|| stream.pop()).map(|p| p.header.payload_type).collect()
        };
        stream.push(now, &of(VideoCodec::Vp8, true)).unwrap();
        assert_eq!(payload_types(&mut stream), [96; 3]);
        assert_eq!(stream.push(now, &of(VideoCodec::Vp9, false)), Err(SendError::KeyframeNeeded));
        assert_eq!(stream.push(now, &of(VideoCodec::H264, true)), Err(SendError::WrongCodec), "not accepted");
        let before = stream.sequence;
        stream.push(now, &of(VideoCodec::Vp9, true)).unwrap();
        stream.push(now, &of(VideoCodec::Vp9, false)).unwrap();
        assert!(!stream.may_retransmit(now, before.wrapping_sub(1), Duration::ZERO), "it would look like VP9");
        assert_eq!(payload_types(&mut stream), [98; 6]);
        assert_eq!(stream.retransmission(before).unwrap().header.payload_type, 99);
        assert_eq!(stream.sequence, before.wrapping_add(6), "sequence numbers continue");
    }

    #[test]
    fn a_renegotiation_keeps_a_codec_that_is_still_accepted() {
        let (now, mut stream) = (Instant::now(), vp8_stream());
        let offered = stream.stream.clone();
        stream.push(now, &EncodedFrame { codec: VideoCodec::Vp9, ..frame(true, 0) }).unwrap();
        assert!(stream.renegotiate(&SendStream { twcc_id: None, ..offered.clone() }));
        assert_eq!((stream.codec(), stream.stream.payload_type), (Some(VideoCodec::Vp9), 98));
        let formats = offered.formats[..1].to_vec();
        assert!(stream.renegotiate(&SendStream { formats, ..offered }));
        assert_eq!((stream.codec(), stream.stream.payload_type), (Some(VideoCodec::Vp8), 96));
        assert!(stream.needs_keyframe());
    }

    #[test]
    fn a_frame_above_a_skipped_one_is_skipped_until_the_next_base_frame() {
        let (now, mut stream) = (Instant::now(), vp8_stream());
        stream.push(now, &frame(true, 0)).unwrap();
        stream.lowest_skipped_layer = Some(1);
        assert_eq!(stream.push(now, &frame(false, 2)), Err(SendError::QueueFull));
        assert_eq!(stream.push(now, &frame(false, 0)), Ok(()));
        assert_eq!(stream.push(now, &frame(false, 2)), Ok(()));
    }

    #[test]
    fn a_packet_is_retransmitted_once_per_round_trip() {
        let (now, mut stream) = (Instant::now(), vp8_stream());
        stream.push(now, &frame(true, 0)).unwrap();
        let sequence = stream.pop().unwrap().header.sequence_number;
        let rtt = Duration::from_millis(50);
        assert!(stream.may_retransmit(now, sequence, rtt));
        assert!(!stream.may_retransmit(now + rtt / 2, sequence, rtt));
        assert!(stream.may_retransmit(now + rtt, sequence, rtt));
        assert!(!stream.may_retransmit(now, sequence.wrapping_add(1), rtt));
        let retransmission = stream.retransmission(sequence).unwrap();
        assert_eq!((retransmission.header.ssrc, retransmission.header.payload_type), (8, 97));
        assert_eq!(retransmission.payload[..2], sequence.to_be_bytes());
    }

    #[test]
    fn only_the_last_packet_of_a_frame_is_marked() {
        let (now, mut stream) = (Instant::now(), vp8_stream());
        stream.push(now, &frame(true, 0)).unwrap();
        let markers: Vec<bool> = std::iter::from_fn(|| stream.pop()).map(|p| p.header.marker).collect();
        assert_eq!(markers, [false, false, true]);
        assert_eq!(stream.queued_bytes(), 0);
    }
}
