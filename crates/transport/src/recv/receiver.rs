//! [`Receiver`]: RTP in; frames, audio packets and feedback out.

use super::downlink_flow::SoundTransit;
use super::duplicate_filter::DuplicateFilter;
use super::stats::ReceiverStats;
use super::video::{IncomingPacket, VideoStream};
use crate::downlink::DownlinkFlow;
use crate::payload::red::RedBlock;
use crate::stream::{RecvKind, RecvStream, StreamKind};
use bytes::Bytes;
use media::encoded::{AudioPacket, EncodedFrame, VideoCodec};
use media::level::AudioLevel;
use rtc_rtp::packet::Packet;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Most frames that wait for [`Receiver::poll_frame`]. When full, all frames of the stream are dropped, and a keyframe is
/// requested.
const MAX_FRAMES: usize = 64;
/// Most audio packets that wait for [`Receiver::poll_audio`]. When full, the oldest is dropped.
const MAX_AUDIO_PACKETS: usize = 256;
/// Most messages that wait for [`Receiver::poll_rtcp`]. When full, the oldest is dropped, and its request is sent again
/// later.
const MAX_RTCP: usize = 64;
/// Round-trip times are clamped to this range for the timing of requests.
const RTT_RANGE: std::ops::RangeInclusive<Duration> = Duration::from_millis(5)..=Duration::from_millis(1500);

/// Interval between messages about a limit, which expires at the sender.
const LIMIT_INTERVAL: Duration = Duration::from_secs(1);
/// A lower limit is sent more often for some time.
const URGENT_INTERVAL: Duration = Duration::from_millis(200);
const URGENT: Duration = Duration::from_secs(2);
/// Ends a limit, bit/s.
const UNLIMITED: u64 = 1 << 30;

/// Configuration of a [`Receiver`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// Round-trip time assumed before [`Receiver::set_rtt`] is called.
    pub initial_rtt: Duration,
}

impl Default for ReceiverConfig {
    fn default() -> Self {
        ReceiverConfig { initial_rtt: Duration::from_millis(100) }
    }
}

/// An RTCP feedback message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feedback {
    /// Generic NACK (RFC 4585 section 6.2.1).
    Nack {
        /// SSRC of the media.
        ssrc: u32,
        /// Missing sequence numbers, oldest first. At most 120.
        sequences: Vec<u16>,
    },
    /// Picture Loss Indication (RFC 4585 section 6.3.1).
    Pli {
        /// SSRC of the media.
        ssrc: u32,
    },
    /// Receiver Estimated Maximum Bitrate (draft-alvestrand-rmcat-remb).
    Remb {
        /// SSRCs of the media.
        ssrcs: Vec<u32>,
        /// The limit in bit/s.
        bitrate: u64,
    },
}

/// The receiving half of a connection; see the crate documentation.
#[derive(Debug)]
pub struct Receiver {
    streams: Vec<Stream>,
    rtt: Duration,
    frames: VecDeque<(u32, EncodedFrame)>,
    audio: VecDeque<(u32, AudioPacket)>,
    rtcp: VecDeque<Feedback>,
    stats: ReceiverStats,
    limit: Limit,
    now: Instant,
}

/// The limit for the far side's sender.
#[derive(Debug, Default)]
struct Limit {
    /// bit/s
    bitrate: Option<u64>,
    /// When to send it next. `None` if there is nothing to send.
    due: Option<Instant>,
    /// Until when it is sent often.
    urgent_until: Option<Instant>,
}

#[derive(Debug)]
struct Stream {
    negotiated: RecvStream,
    /// Codec of the newest video packet.
    codec: Option<VideoCodec>,
    media: Media,
}

#[derive(Debug)]
enum Media {
    Audio(DuplicateFilter, Box<SoundTransit>),
    /// Created at the first packet.
    Video(Option<Box<VideoStream>>),
}

impl Receiver {
    /// Creates a receiver without streams.
    pub fn new(config: ReceiverConfig, now: Instant) -> Self {
        Receiver {
            streams: Vec::new(),
            rtt: config.initial_rtt.clamp(*RTT_RANGE.start(), *RTT_RANGE.end()),
            frames: VecDeque::new(),
            audio: VecDeque::new(),
            rtcp: VecDeque::new(),
            stats: ReceiverStats::default(),
            limit: Limit::default(),
            now,
        }
    }

    /// Adds a stream. If a stream of the same kind has the same SSRC, it continues with the new parameters.
    pub fn add_stream(&mut self, stream: RecvStream) {
        let existing = self.streams.iter_mut().find(|s| s.negotiated.ssrc == stream.ssrc);
        if let Some(existing) = existing.filter(|s| s.negotiated.kind == stream.kind) {
            existing.negotiated = stream;
            return;
        }
        self.remove_stream(stream.ssrc);
        let media = match stream.kind {
            RecvKind::Audio => Media::Audio(DuplicateFilter::default(), Box::new(SoundTransit::new(self.now))),
            RecvKind::Video => Media::Video(None),
        };
        self.streams.push(Stream { negotiated: stream, codec: None, media });
    }

    /// Removes a stream, and its frames and packets that were not polled.
    pub fn remove_stream(&mut self, ssrc: u32) {
        self.streams.retain(|s| s.negotiated.ssrc != ssrc);
        self.frames.retain(|f| f.0 != ssrc);
        self.audio.retain(|a| a.0 != ssrc);
    }

    /// Processes a packet from the network: media, retransmission or repair. Others are counted and dropped.
    pub fn on_rtp(&mut self, now: Instant, packet: &Packet) {
        let rtt = self.rtt;
        self.now = now;
        if self.on_repair(now, packet) {
            return;
        }
        let Some((stream, unwrapped)) = route(&mut self.streams, packet) else {
            self.stats.unknown_packets += 1;
            return;
        };
        match stream.negotiated.kind {
            RecvKind::Audio => self.stats.audio_bytes += size(packet),
            RecvKind::Video => self.stats.video_bytes += size(packet),
        }
        let Some(unwrapped) = unwrapped else {
            // Padding on the retransmission stream: a probe.
            return;
        };
        let payload_types = &stream.negotiated.payload_types;
        let kind = payload_types.iter().find(|p| p.0 == unwrapped.payload_type).map(|p| p.1);
        match (&mut stream.media, kind) {
            (Media::Audio(filter, transit), Some(StreamKind::Audio)) => {
                let audio_packet = audio_packet(now, packet, unwrapped, stream.negotiated.level_id);
                if is_new_audio(filter, &audio_packet, &mut self.stats) {
                    transit.add(now, audio_packet.sequence, audio_packet.rtp_timestamp);
                    push_audio(&mut self.audio, stream.negotiated.ssrc, audio_packet);
                }
            }
            (Media::Audio(filter, transit), Some(StreamKind::Red)) => {
                let whole = audio_packet(now, packet, unwrapped, stream.negotiated.level_id);
                if is_new_audio(filter, &whole, &mut self.stats) {
                    transit.add(now, whole.sequence, whole.rtp_timestamp);
                    let opus = payload_types.iter().find(|p| p.1 == StreamKind::Audio).map(|p| p.0);
                    let blocks = split_red(&whole, opus, &mut self.stats);
                    blocks.into_iter().for_each(|block| push_audio(&mut self.audio, stream.negotiated.ssrc, block));
                }
            }
            (Media::Video(video), Some(StreamKind::Video(codec))) => {
                let Unwrapped { sequence, payload, retransmitted, .. } = unwrapped;
                let (timestamp, marker) = (packet.header.timestamp, packet.header.marker);
                let source = packet.header.csrc.first().copied();
                stream.codec = Some(codec);
                let incoming =
                    IncomingPacket { sequence, timestamp, marker, codec, payload, recovered: retransmitted, source };
                let video = video.get_or_insert_with(|| Box::new(VideoStream::new(now)));
                video.on_packet(now, incoming, rtt, &mut self.stats);
                self.collect(now);
            }
            (Media::Audio(..) | Media::Video(_), _) => self.stats.unknown_packets += 1,
        }
    }

    /// Processes a repair packet. Returns false if the packet is not one.
    fn on_repair(&mut self, now: Instant, packet: &Packet) -> bool {
        let (ssrc, payload_type) = (packet.header.ssrc, packet.header.payload_type);
        let of = |s: &&mut Stream| {
            s.negotiated.repair == Some(payload_type) && s.negotiated.rtx.as_ref().is_some_and(|rtx| rtx.0 == ssrc)
        };
        let Some(stream) = self.streams.iter_mut().find(of) else { return false };
        self.stats.video_bytes += size(packet);
        // Restored packets have the current codec of the stream. After a codec change, frames before the keyframe are not
        // needed.
        let codec = stream.codec;
        if let (Media::Video(Some(video)), Some(codec)) = (&mut stream.media, codec) {
            video.on_repair(now, &packet.payload, codec, self.rtt, &mut self.stats);
            self.collect(now);
        }
        true
    }

    /// Sets the round-trip time, as measured by the [`Sender`](crate::Sender) of the connection.
    pub fn set_rtt(&mut self, rtt: Duration) {
        self.rtt = rtt.clamp(*RTT_RANGE.start(), *RTT_RANGE.end());
    }

    /// Requests a keyframe of a video stream, because its decoder needs one. Frames are withheld until it is complete.
    pub fn request_keyframe(&mut self, now: Instant, ssrc: u32) {
        self.frames.retain(|f| f.0 != ssrc);
        if let Some(video) = self.video(ssrc, now) {
            video.request_keyframe(now);
        }
        self.handle_timeout(now);
    }

    /// Returns the next complete frame and its SSRC. It can be decoded after the frames before it.
    pub fn poll_frame(&mut self) -> Option<(u32, EncodedFrame)> {
        self.frames.pop_front()
    }

    /// Returns the next audio packet and its SSRC, in the order of arrival, without duplicates.
    pub fn poll_audio(&mut self) -> Option<(u32, AudioPacket)> {
        self.audio.pop_front()
    }

    /// What has arrived, for [`Downlink`](crate::Downlink).
    pub fn downlink_flow(&self, now: Instant) -> DownlinkFlow {
        let mut flow =
            DownlinkFlow { bytes: self.stats.audio_bytes + self.stats.video_bytes, ..DownlinkFlow::default() };
        for stream in &self.streams {
            match &stream.media {
                Media::Audio(_, transit) => transit.report(now, &mut flow),
                Media::Video(_) => {}
            }
        }
        flow
    }

    /// Limits what the far side sends, in bit/s, or ends the limit. It is sent at once if it has changed, and every second;
    /// a lower one more often at first, because a full path may lose it.
    pub fn set_limit(&mut self, now: Instant, limit: Option<u64>) {
        let is_new = match (limit, self.limit.bitrate) {
            (Some(new), Some(old)) => new.abs_diff(old) * 20 > old,
            (None, None) => false,
            (Some(_), None) | (None, Some(_)) => true,
        };
        if is_new {
            let falls = limit.is_some_and(|new| self.limit.bitrate.is_none_or(|old| new < old));
            let urgent_until = if falls { Some(now + URGENT) } else { None };
            self.limit = Limit { bitrate: limit, due: Some(now), urgent_until };
        }
        self.send_limit(now);
    }

    fn send_limit(&mut self, now: Instant) {
        if self.limit.due.is_none_or(|due| now < due) {
            return;
        }
        let ssrcs = self.streams.iter().map(|stream| stream.negotiated.ssrc).collect();
        push_feedback(&mut self.rtcp, Feedback::Remb { ssrcs, bitrate: self.limit.bitrate.unwrap_or(UNLIMITED) });
        let is_urgent = self.limit.urgent_until.is_some_and(|until| now < until);
        let interval = if is_urgent { URGENT_INTERVAL } else { LIMIT_INTERVAL };
        self.limit.due = self.limit.bitrate.map(|_| now + interval);
    }

    /// Returns the next RTCP message to send.
    pub fn poll_rtcp(&mut self) -> Option<Feedback> {
        self.rtcp.pop_front()
    }

    /// Advances the time to `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.send_limit(now);
        self.collect(now);
    }

    /// When to call [`Receiver::handle_timeout`] next. `None` if there is nothing to wait for.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let videos = self.streams.iter().filter_map(|s| match &s.media {
            Media::Video(video) => video.as_ref(),
            Media::Audio(..) => None,
        });
        videos.filter_map(|v| v.poll_timeout(self.rtt)).chain(self.limit.due).min()
    }

    /// Statistics of all streams together.
    pub fn stats(&self) -> ReceiverStats {
        self.stats.clone()
    }

    fn video(&mut self, ssrc: u32, now: Instant) -> Option<&mut VideoStream> {
        let stream = self.streams.iter_mut().find(|s| s.negotiated.ssrc == ssrc)?;
        match &mut stream.media {
            Media::Video(video) => Some(video.get_or_insert_with(|| Box::new(VideoStream::new(now)))),
            Media::Audio(..) => None,
        }
    }

    /// Moves frames and feedback of the video streams to the queues.
    fn collect(&mut self, now: Instant) {
        for stream in &mut self.streams {
            let Media::Video(Some(video)) = &mut stream.media else { continue };
            let ssrc = stream.negotiated.ssrc;
            while let Some(frame) = video.pop(now, self.rtt) {
                self.stats.frames_received += 1;
                if self.frames.len() >= MAX_FRAMES {
                    self.frames.retain(|f| f.0 != ssrc);
                    if !frame.keyframe {
                        video.request_keyframe(now);
                        break;
                    }
                }
                self.frames.push_back((ssrc, frame));
            }
            let requests = video.handle_timeout(now, self.rtt, &mut self.stats);
            if !requests.missing.is_empty() {
                self.stats.nacked_packets += requests.missing.len() as u64;
                push_feedback(&mut self.rtcp, Feedback::Nack { ssrc, sequences: requests.missing });
            }
            if requests.keyframe {
                self.stats.keyframe_requests += 1;
                push_feedback(&mut self.rtcp, Feedback::Pli { ssrc });
            }
        }
    }
}

/// A packet of sound. `level_id` is that of the audio level extension.
fn audio_packet(now: Instant, packet: &Packet, unwrapped: Unwrapped, level_id: Option<u8>) -> AudioPacket {
    let Unwrapped { sequence, payload, .. } = unwrapped;
    let value = level_id.and_then(|id| packet.header.get_extension(id));
    let level = value.and_then(|value| value.first().copied()).map(AudioLevel::from_byte);
    let (rtp_timestamp, source) = (packet.header.timestamp, packet.header.csrc.first().copied());
    AudioPacket { sequence, rtp_timestamp, data: payload, age: 0, level, arrived: now, source }
}

/// Whether an audio packet is neither padding nor a duplicate. Counts it.
fn is_new_audio(filter: &mut DuplicateFilter, packet: &AudioPacket, stats: &mut ReceiverStats) -> bool {
    if packet.data.is_empty() {
        return false;
    }
    let is_new = filter.is_new(packet.sequence);
    stats.packets_received += u64::from(is_new);
    stats.duplicate_packets += u64::from(!is_new);
    is_new
}

/// The Opus packets in a RED payload (RFC 2198), copies first. Blocks of other payload types are dropped, and malformed
/// payloads are counted.
fn split_red(whole: &AudioPacket, opus: Option<u8>, stats: &mut ReceiverStats) -> Vec<AudioPacket> {
    let Ok(blocks) = RedBlock::split(&whole.data) else {
        stats.unknown_packets += 1;
        return Vec::new();
    };
    let ours = blocks.into_iter().filter(|block| Some(block.payload_type) == opus && !block.data.is_empty());
    let packets = ours.map(|RedBlock { age, data, .. }| AudioPacket {
        rtp_timestamp: whole.rtp_timestamp.wrapping_sub(age),
        data,
        age,
        level: whole.level.filter(|_| age == 0),
        ..*whole
    });
    packets.collect()
}

fn push_audio(queue: &mut VecDeque<(u32, AudioPacket)>, ssrc: u32, packet: AudioPacket) {
    if queue.len() == MAX_AUDIO_PACKETS {
        queue.pop_front();
    }
    queue.push_back((ssrc, packet));
}

/// The size of a packet in bytes, including its RTP header.
fn size(packet: &Packet) -> u64 {
    (12 + packet.header.get_extension_payload_len() + packet.payload.len()) as u64
}

fn push_feedback(rtcp: &mut VecDeque<Feedback>, feedback: Feedback) {
    if rtcp.len() == MAX_RTCP {
        rtcp.pop_front();
    }
    rtcp.push_back(feedback);
}

/// A media packet, without RTX encapsulation.
struct Unwrapped {
    sequence: u16,
    payload_type: u8,
    payload: Bytes,
    retransmitted: bool,
}

/// Finds the stream of a packet, and removes RTX encapsulation (RFC 4588 section 4). The packet is `None` if it is padding.
fn route<'a>(streams: &'a mut [Stream], packet: &Packet) -> Option<(&'a mut Stream, Option<Unwrapped>)> {
    let header = &packet.header;
    let is_rtx = |s: &Stream| s.negotiated.rtx.as_ref().is_some_and(|(ssrc, _)| *ssrc == header.ssrc);
    let stream = streams.iter_mut().find(|s| s.negotiated.ssrc == header.ssrc || is_rtx(s))?;
    if stream.negotiated.ssrc == header.ssrc {
        let (sequence, payload_type) = (header.sequence_number, header.payload_type);
        let payload = packet.payload.clone();
        return Some((stream, Some(Unwrapped { sequence, payload_type, payload, retransmitted: false })));
    }
    let (_, pairs) = stream.negotiated.rtx.as_ref()?;
    let payload_type = pairs.iter().find(|p| p.0 == header.payload_type).map(|p| p.1)?;
    let Some((&[high, low], _)) = packet.payload.split_first_chunk::<2>() else { return Some((stream, None)) };
    let (sequence, payload) = (u16::from_be_bytes([high, low]), packet.payload.slice(2..));
    Some((stream, Some(Unwrapped { sequence, payload_type, payload, retransmitted: true })))
}
