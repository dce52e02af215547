//! Finds the media line of a packet, RFC 9143 section 9.2: by its SSRC, otherwise by its MID extension, otherwise by
//! its payload type if only one line has that. The payload type also distinguishes retransmissions from media.
//!
//! A line has at most one media stream and one retransmission stream at a time, however many SSRCs the far side uses.

use crate::agreement::Agreed;
use crate::sdp::Stream;
use media::remote_clock::ntp_of;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::{Packet, Receiver, RecvKind, RecvStream, StreamKind};

/// Silence after which another SSRC of the line may replace a stream. A sender that restarts with another SSRC is
/// received again after this time. Of several encodings sent at once, the first one received stays.
const SILENCE: Duration = Duration::from_secs(1);

/// A media line that the far side sends.
pub(crate) struct ReceiveLine {
    pub(crate) mid: Arc<str>,
    pub(crate) kind: RecvKind,
    payload_types: Vec<(u8, StreamKind)>,
    /// Payload types of retransmissions, each with that of the original.
    rtx_pairs: Vec<(u8, u8)>,
    /// Payload type of repair packets, which have the SSRC of retransmissions.
    repair: Option<u8>,
    mid_extension: Option<u8>,
    audio_level: Option<u8>,
    transport_cc: Option<u8>,
    /// The SSRCs in the far side's description.
    announced: Option<Stream>,
    media: Option<Source>,
    rtx: Option<Source>,
    /// Whether payload types have shown that the description confused media and retransmissions. This is accepted once,
    /// so that a sender cannot switch a stream back and forth.
    corrected: bool,
    /// NTP time and RTP timestamp of its last sender report.
    report: Option<(u64, u32)>,
}

/// An SSRC in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Source {
    ssrc: u32,
    /// When a packet was last received, or the description announced it.
    last_packet: Instant,
}

/// The role of an SSRC in its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Media,
    Rtx,
}

/// The destination of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To the receiver, which knows its stream.
    Known,
    /// To the receiver, which has a new stream. Video with this SSRC starts with a keyframe.
    New(u32),
    /// To the receiver, whose stream has a new retransmission SSRC.
    NewRtx,
    /// To nothing.
    Dropped,
}

impl ReceiveLine {
    pub(crate) fn new(agreed: &Agreed, now: Instant) -> ReceiveLine {
        let source = |ssrc| Source { ssrc, last_packet: now };
        ReceiveLine {
            mid: agreed.mid.as_str().into(),
            kind: agreed.kind,
            payload_types: agreed.payload_types.clone(),
            rtx_pairs: agreed.rtx_pairs.clone(),
            repair: agreed.repair,
            mid_extension: agreed.mid_extension,
            audio_level: agreed.audio_level,
            transport_cc: agreed.transport_cc,
            announced: agreed.announced,
            media: agreed.announced.map(|stream| source(stream.ssrc)),
            rtx: agreed.announced.and_then(|stream| stream.rtx).map(source),
            corrected: false,
            report: None,
        }
    }

    /// The line after another negotiation. Its streams continue, unless the far side announces others.
    pub(crate) fn renewed(self, agreed: &Agreed, now: Instant) -> ReceiveLine {
        let new = ReceiveLine::new(agreed, now);
        if self.announced == new.announced && self.kind == new.kind {
            return ReceiveLine {
                media: self.media,
                rtx: self.rtx,
                corrected: self.corrected,
                report: self.report,
                ..new
            };
        }
        new
    }

    pub(crate) fn ssrc(&self) -> Option<u32> {
        self.media.map(|media| media.ssrc)
    }

    /// Records a sender report of this line.
    pub(crate) fn on_report(&mut self, ntp: u64, rtp_timestamp: u32) {
        self.report = Some((ntp, rtp_timestamp));
    }

    /// The capture time of an RTP timestamp on the far side's clock. `None` before the first sender report.
    pub(crate) fn ntp_of(&self, rtp_timestamp: u32) -> Option<u64> {
        let clock_rate = if self.kind == RecvKind::Video { 90_000 } else { 48_000 };
        Some(ntp_of(rtp_timestamp, self.report?, clock_rate))
    }

    /// The SSRC of video.
    pub(crate) fn video_ssrc(&self) -> Option<u32> {
        self.ssrc().filter(|_| self.kind == RecvKind::Video)
    }

    /// The stream for the receiver, when its SSRC is known.
    pub(crate) fn stream(&self) -> Option<RecvStream> {
        let rtx = self.rtx.filter(|_| !self.rtx_pairs.is_empty());
        Some(RecvStream {
            ssrc: self.ssrc()?,
            kind: self.kind,
            payload_types: self.payload_types.clone(),
            repair: self.repair,
            level_id: self.audio_level,
            rtx: rtx.map(|rtx| (rtx.ssrc, self.rtx_pairs.clone())),
        })
    }

    /// The announced SSRCs, unless they have been found wrong.
    fn named(&self) -> Option<Stream> {
        self.announced.filter(|_| !self.corrected)
    }

    /// The SSRCs in use that no description announced.
    pub(crate) fn learned(&self) -> impl Iterator<Item = Learned> {
        let named = self.named().map(|stream| [Some(stream.ssrc), stream.rtx]).unwrap_or_default();
        let sources = [self.media, self.rtx].into_iter().flatten().map(|source| source.ssrc);
        let clock_rate = if self.kind == RecvKind::Video { 90_000 } else { 48_000 };
        let transport_cc = self.transport_cc;
        sources.filter(move |ssrc| !named.contains(&Some(*ssrc))).map(move |ssrc| Learned {
            ssrc,
            clock_rate,
            transport_cc,
        })
    }

    /// Records a packet of a known SSRC. Returns whether its payload type fits that SSRC.
    fn record(&mut self, now: Instant, ssrc: u32, payload_type: u8) -> bool {
        let source = match self.role(payload_type) {
            Some(Role::Media) => &mut self.media,
            Some(Role::Rtx) => &mut self.rtx,
            None => return false,
        };
        source.as_mut().filter(|source| source.ssrc == ssrc).map(|source| source.last_packet = now).is_some()
    }

    fn role(&self, payload_type: u8) -> Option<Role> {
        if self.payload_types.iter().any(|(number, _)| *number == payload_type) {
            return Some(Role::Media);
        }
        let mut rtx = self.rtx_pairs.iter().map(|(number, _)| *number).chain(self.repair);
        rtx.any(|number| number == payload_type).then_some(Role::Rtx)
    }

    fn is_named_by(&self, packet: &Packet) -> bool {
        self.mid_extension
            .and_then(|id| packet.header.get_extension(id))
            .is_some_and(|name| *name == *self.mid.as_bytes())
    }

    fn has_name_in(&self, packet: &Packet) -> bool {
        self.mid_extension.and_then(|id| packet.header.get_extension(id)).is_some()
    }

    /// Assigns an SSRC to this role, if the current one is silent or this is the announced one.
    fn take(&mut self, now: Instant, role: Role, ssrc: u32) -> bool {
        let other = if role == Role::Media { self.rtx } else { self.media };
        if other.is_some_and(|other| other.ssrc == ssrc) {
            // A description may be wrong about an SSRC; what was learned from packets stays.
            let named = self.named().is_some_and(|stream| stream.ssrc == ssrc || stream.rtx == Some(ssrc));
            if !named {
                return false;
            }
            (self.media, self.rtx, self.corrected) = (None, None, true);
        }
        let named = self.named();
        let (source, named) = match role {
            Role::Media => (&mut self.media, named.map(|stream| stream.ssrc)),
            Role::Rtx => (&mut self.rtx, named.and_then(|stream| stream.rtx)),
        };
        let free = source.is_none_or(|old| now.saturating_duration_since(old.last_packet) >= SILENCE);
        if !free && named != Some(ssrc) {
            return false;
        }
        *source = Some(Source { ssrc, last_packet: now });
        true
    }
}

/// A stream that was learned from its packets and not announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Learned {
    pub(crate) ssrc: u32,
    pub(crate) clock_rate: u32,
    /// Extension id of the transport-wide sequence number.
    pub(crate) transport_cc: Option<u8>,
}

/// Finds the destination of a packet, and adds a new stream to the receiver.
pub(crate) fn route(lines: &mut [ReceiveLine], receiver: &mut Receiver, now: Instant, packet: &Packet) -> Route {
    let ssrc = packet.header.ssrc;
    if lines.iter_mut().any(|line| line.record(now, ssrc, packet.header.payload_type)) {
        return Route::Known;
    }
    let Some((line, role)) = line_of(lines, packet) else { return Route::Dropped };
    let before = line.ssrc();
    if !line.take(now, role, ssrc) {
        return Route::Dropped;
    }
    if let Some(old) = before.filter(|old| line.ssrc() != Some(*old)) {
        receiver.remove_stream(old);
    }
    // Retransmissions may arrive first. They are dropped until the media SSRC is known.
    let Some(stream) = line.stream() else { return Route::Dropped };
    receiver.add_stream(stream);
    match role {
        Role::Media => Route::New(ssrc),
        Role::Rtx => Route::NewRtx,
    }
}

/// The line of a packet whose SSRC is not known, and what it is there.
fn line_of<'l>(lines: &'l mut [ReceiveLine], packet: &Packet) -> Option<(&'l mut ReceiveLine, Role)> {
    let payload_type = packet.header.payload_type;
    if lines.iter().any(|line| line.has_name_in(packet)) {
        let line = lines.iter_mut().find(|line| line.is_named_by(packet))?;
        let role = line.role(payload_type)?;
        return Some((line, role));
    }
    let mut fitting = lines.iter_mut().filter_map(|line| line.role(payload_type).map(|role| (line, role)));
    let only = fitting.next()?;
    fitting.next().is_none().then_some(only)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use media::encoded::VideoCodec;
    use proptest::prelude::*;
    use rtc::rtp::header::Header;
    use transport::ReceiverConfig;

    const MID: u8 = 4;
    const VP8: StreamKind = StreamKind::Video(VideoCodec::Vp8);

    fn agreed(mid: &str, video: bool, announced: Option<Stream>) -> Agreed {
        let (kind, payload_types, rtx_pairs) = if video {
            (RecvKind::Video, vec![(96, VP8)], vec![(97, 96)])
        } else {
            (RecvKind::Audio, vec![(111, StreamKind::Audio)], vec![])
        };
        Agreed {
            mid: mid.into(),
            kind,
            screen: false,
            send: None,
            further: Vec::new(),
            receives: true,
            announced,
            payload_types,
            rtx_pairs,
            repair: video.then_some(127),
            transport_cc: Some(3),
            mid_extension: Some(MID),
            audio_level: Some(5),
        }
    }

    struct Ends {
        lines: Vec<ReceiveLine>,
        receiver: Receiver,
        start: Instant,
    }

    impl Ends {
        fn new(agreed: &[Agreed]) -> Ends {
            let start = Instant::now();
            let mut receiver = Receiver::new(ReceiverConfig::default(), start);
            let lines: Vec<_> = agreed.iter().map(|agreed| ReceiveLine::new(agreed, start)).collect();
            lines.iter().filter_map(ReceiveLine::stream).for_each(|stream| receiver.add_stream(stream));
            Ends { lines, receiver, start }
        }

        fn route(&mut self, ms: u64, ssrc: u32, payload_type: u8, mid: Option<&str>) -> Route {
            let mut header = Header { version: 2, ssrc, payload_type, ..Header::default() };
            if let Some(mid) = mid {
                header.set_extension(MID, Bytes::copy_from_slice(mid.as_bytes())).unwrap();
            }
            let packet = Packet { header, payload: Bytes::from_static(&[0; 20]) };
            route(&mut self.lines, &mut self.receiver, self.start + Duration::from_millis(ms), &packet)
        }

        fn video(&self) -> (Option<u32>, Option<u32>) {
            (self.lines[1].ssrc(), self.lines[1].rtx.map(|rtx| rtx.ssrc))
        }
    }

    fn unannounced() -> Ends {
        Ends::new(&[agreed("0", false, None), agreed("1", true, None)])
    }

    #[test]
    fn a_probe_before_the_first_frame_is_not_taken_for_media() {
        let mut ends = unannounced();
        assert_eq!(ends.route(0, 7, 97, Some("1")), Route::Dropped);
        assert_eq!(ends.route(1, 8, 96, Some("1")), Route::New(8));
        assert_eq!(ends.video(), (Some(8), Some(7)));
        assert_eq!(ends.route(2, 7, 97, None), Route::Known);
    }

    #[test]
    fn later_retransmissions_are_routed_to_their_line() {
        let mut ends = unannounced();
        assert_eq!(ends.route(0, 8, 96, Some("1")), Route::New(8));
        assert_eq!(ends.route(1, 7, 97, Some("1")), Route::NewRtx);
        let learned: Vec<u32> = ends.lines[1].learned().map(|stream| stream.ssrc).collect();
        assert_eq!(learned, [8, 7]);
        assert_eq!(ends.lines[1].stream().unwrap().rtx, Some((7, vec![(97, 96)])));
    }

    #[test]
    fn repair_packets_belong_to_the_retransmissions() {
        let mut ends = unannounced();
        assert_eq!(ends.route(0, 8, 96, Some("1")), Route::New(8));
        assert_eq!(ends.route(1, 7, 127, Some("1")), Route::NewRtx);
        assert_eq!(ends.route(2, 8, 127, None), Route::Dropped, "not on the media");
        assert_eq!(ends.lines[1].stream().unwrap().repair, Some(127));
    }

    #[test]
    fn without_a_mid_a_unique_payload_type_decides() {
        let mut ends = unannounced();
        assert_eq!(ends.route(0, 5, 111, None), Route::New(5));
        assert_eq!(ends.route(0, 8, 96, None), Route::New(8));
        let mut two = Ends::new(&[agreed("1", true, None), agreed("2", true, None)]);
        assert_eq!(two.route(0, 8, 96, None), Route::Dropped, "either's");
        assert_eq!(two.route(0, 8, 96, Some("2")), Route::New(8));
        assert_eq!(two.lines.iter().map(ReceiveLine::ssrc).collect::<Vec<_>>(), [None, Some(8)]);
    }

    #[test]
    fn an_unknown_mid_is_dropped() {
        assert_eq!(unannounced().route(0, 5, 111, Some("x")), Route::Dropped);
    }

    #[test]
    fn a_payload_type_of_another_line_is_dropped() {
        assert_eq!(unannounced().route(0, 5, 111, Some("1")), Route::Dropped);
        assert_eq!(unannounced().route(0, 5, 100, Some("1")), Route::Dropped);
    }

    #[test]
    fn the_first_encoding_stays_until_it_is_silent() {
        let mut ends = unannounced();
        assert_eq!(ends.route(0, 8, 96, Some("1")), Route::New(8));
        for ms in 1..2_000 {
            assert_eq!(ends.route(ms, 8, 96, None), Route::Known);
            assert_eq!(ends.route(ms, 9, 96, Some("1")), Route::Dropped);
        }
        assert_eq!(ends.route(2_500, 9, 96, Some("1")), Route::Dropped);
        assert_eq!(ends.route(3_000, 9, 96, Some("1")), Route::New(9));
        assert_eq!(ends.video().0, Some(9));
        assert_eq!(ends.route(3_001, 8, 96, Some("1")), Route::Dropped);
    }

    #[test]
    fn an_announced_stream_takes_precedence() {
        let named = Stream { ssrc: 8, rtx: Some(7) };
        let mut ends = Ends::new(&[agreed("0", false, None), agreed("1", true, Some(named))]);
        assert_eq!(ends.route(10, 9, 96, Some("1")), Route::Dropped, "it may still come");
        assert_eq!(ends.route(1_010, 9, 96, Some("1")), Route::New(9), "it does not");
        assert_eq!(ends.route(1_020, 8, 96, Some("1")), Route::New(8), "it does after all");
        assert_eq!(ends.video(), (Some(8), Some(7)));
        assert_eq!(ends.lines[1].learned().count(), 0);
    }

    #[test]
    fn swapped_media_and_rtx_ssrcs_are_corrected_once() {
        let swapped = Stream { ssrc: 7, rtx: Some(8) };
        let mut ends = Ends::new(&[agreed("0", false, None), agreed("1", true, Some(swapped))]);
        assert_eq!(ends.route(0, 7, 97, None), Route::Dropped);
        assert_eq!(ends.route(1, 8, 96, None), Route::New(8));
        assert_eq!(ends.video(), (Some(8), Some(7)));
        for ms in 2..3_000 {
            assert_eq!(ends.route(ms, 8, 97, None), Route::Dropped);
            assert_eq!(ends.route(ms, 7, 96, None), Route::Dropped);
        }
        assert_eq!(ends.video(), (Some(8), Some(7)));
    }

    #[test]
    fn a_stream_learned_as_media_stays_media() {
        let mut ends = unannounced();
        assert_eq!(ends.route(0, 8, 96, None), Route::New(8));
        assert_eq!(ends.route(1, 8, 97, None), Route::Dropped);
        assert_eq!(ends.video(), (Some(8), None));
        assert_eq!(ends.route(2, 8, 96, None), Route::Known);
    }

    #[test]
    fn streams_survive_renegotiation_unless_others_are_announced() {
        let mut ends = unannounced();
        ends.route(0, 8, 96, Some("1"));
        let line = ends.lines.remove(1).renewed(&agreed("1", true, None), ends.start);
        assert_eq!(line.ssrc(), Some(8));
        let line = line.renewed(&agreed("1", true, Some(Stream { ssrc: 20, rtx: None })), ends.start);
        assert_eq!(line.ssrc(), Some(20));
    }

    proptest! {
        /// Any number of SSRCs leaves one stream a line, and the receiver knows just those.
        #[test]
        fn a_flood_of_ssrcs_creates_one_stream_per_line(
            packets in prop::collection::vec((0u64..50, 1u32..2_000, 94u8..114, prop::option::of(0u8..3)), 1..400),
        ) {
            let mut ends = unannounced();
            let mut ms = 0;
            for (pause, ssrc, payload_type, mid) in packets {
                ms += pause;
                let mid = mid.map(|mid| mid.to_string());
                let before = ends.video().0;
                let route = ends.route(ms, ssrc, payload_type, mid.as_deref());
                if payload_type == 97 {
                    prop_assert_eq!(ends.video().0, before, "never media");
                    prop_assert!(!matches!(route, Route::New(_)));
                }
                if let Route::New(ssrc) = route {
                    prop_assert!(ends.lines.iter().any(|line| line.ssrc() == Some(ssrc)));
                }
            }
        }
    }
}
