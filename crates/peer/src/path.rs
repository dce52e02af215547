//! The transport of a connection, shared by the encoder threads, the driver's interceptors and the connection's task.
//! It has two short locks, one for each half, which are never held together, and never while foreign code is called. The
//! receiving half is in `receiving.rs`.

use crate::agreement::Agreed;
use crate::kick::Kick;
use crate::packet::wire_size;
use crate::receiving::ReceivePath;
use crate::report::{Reporter, WallClock};
use crate::sink::MediaSink;
use crate::sound::OutgoingSound;
use media::encoded::{EncodedFrame, VideoCodec};
use rtc::rtcp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};
use tokio::sync::Notify;
use transport::{Packet, SendStream, Sender, SenderConfig, SenderEvent, SenderStats};

/// The transport of a connection: a sender and a receiver.
pub(crate) struct MediaPath {
    sending: Mutex<Sending>,
    pub(crate) receiving: Arc<ReceivePath>,
    connected: AtomicBool,
    pub(crate) kick: Arc<Kick>,
    /// Wakes the connection's task to call [`MediaPath::take_news`].
    pub(crate) news: Notify,
}

/// The sending side's news for the connection's task. The newest value replaces earlier ones.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// The target bitrate in bit/s, if it has changed.
    pub(crate) target: Option<u64>,
}

impl MediaPath {
    pub(crate) fn new(config: SenderConfig, sink: Arc<dyn MediaSink>, kick: Arc<Kick>, now: Instant) -> MediaPath {
        MediaPath {
            sending: Mutex::new(Sending {
                sender: Sender::new(config, now),
                lines: Vec::new(),
                wall: WallClock::new(now, SystemTime::now()),
                news: News::default(),
                desired: [0; 2],
                share: 0,
                packets: 0,
                bytes: 0,
            }),
            receiving: Arc::new(ReceivePath::new(sink, now)),
            connected: AtomicBool::new(false),
            kick,
            news: Notify::new(),
        }
    }

    /// Adds our lines of sound and video, by their SSRCs.
    pub(crate) fn add_lines(&self, audio: u32, video: impl Iterator<Item = u32>) {
        let mut sending = self.sending();
        sending.add_line(audio, false);
        video.for_each(|ssrc| sending.add_line(ssrc, true));
    }

    pub(crate) fn sending(&self) -> MutexGuard<'_, Sending> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// The path is connected, for the first time or again: media flows, and each side sends a keyframe.
    pub(crate) fn set_connected(&self, now: Instant) {
        self.connected.store(true, Ordering::Release);
        let mut sending = self.sending();
        sending.sender.set_connected(now);
        let news = sending.collect_events();
        let ssrcs: Vec<u32> = sending.lines.iter().filter(|line| line.is_video()).map(|line| line.ssrc).collect();
        for ssrc in ssrcs {
            sending.want_keyframe(ssrc);
        }
        drop(sending);
        if news {
            self.news.notify_one();
        }
        self.request_keyframes(now);
        self.kick.kick();
    }

    /// The path is lost: media is dropped from now on, and so is the video that waits.
    pub(crate) fn set_lost(&self, now: Instant) {
        self.connected.store(false, Ordering::Release);
        self.sending().sender.set_lost(now);
    }

    /// Requests a keyframe of every video line from the far side.
    pub(crate) fn request_keyframes(&self, now: Instant) {
        self.receiving.request_keyframes(now);
        self.kick.kick();
    }

    /// Requests a keyframe of the video line with this name.
    pub(crate) fn request_keyframe(&self, now: Instant, mid: &str) {
        self.receiving.request_keyframe(now, mid);
        self.kick.kick();
    }

    /// Sends a frame on the line with this local SSRC.
    pub(crate) fn video(&self, ssrc: u32, frame: &EncodedFrame) {
        if self.connected() {
            self.hand_over(ssrc, frame.time, frame.rtp_timestamp, |sender, now| sender.send_video(now, ssrc, frame));
        }
    }

    /// Sends an Opus packet on the line with this local SSRC.
    pub(crate) fn audio(&self, ssrc: u32, sound: OutgoingSound) {
        let OutgoingSound { captured, rtp_timestamp, data, marker, level } = sound;
        if self.connected() {
            self.hand_over(ssrc, captured, rtp_timestamp, |sender, now| {
                sender.send_audio(now, ssrc, rtp_timestamp, data, marker, level)
            });
        }
    }

    fn hand_over(
        &self,
        ssrc: u32,
        captured: Instant,
        rtp_timestamp: u32,
        send: impl FnOnce(&mut Sender, Instant) -> Result<(), transport::SendError>,
    ) {
        let now = Instant::now();
        let mut sending = self.sending();
        let Some(line) = sending.lines.iter_mut().find(|line| line.ssrc == ssrc && line.stream.is_some()) else {
            return;
        };
        line.reporter.captured(now, captured, rtp_timestamp);
        // A refused frame needs no handling here: the sender requests a keyframe if one is needed.
        if let Err(error) = send(&mut sending.sender, now) {
            tracing::trace!("media of {ssrc} was rejected: {error}");
        }
        let news = sending.collect_events();
        drop(sending);
        if news {
            self.news.notify_one();
        }
        self.kick.kick();
    }

    /// Takes the news since the last call.
    pub(crate) fn take_news(&self) -> News {
        std::mem::take(&mut self.sending().news)
    }

    /// Applies the result of a negotiation.
    pub(crate) fn apply(&self, agreed: &[Agreed], now: Instant) {
        self.sending().apply(agreed);
        self.receiving.apply(agreed, self.connected(), now);
        self.kick.kick();
    }
}

/// The sending half.
pub(crate) struct Sending {
    pub(crate) sender: Sender,
    lines: Vec<SendLine>,
    wall: WallClock,
    news: News,
    /// The bitrates that the encoders of the camera and of a share could use, in bit/s.
    desired: [u64; 2],
    /// What a share uses of the target now, in bit/s.
    pub(crate) share: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// A media line that we may send. Its SSRC stays the same for the life of the connection.
struct SendLine {
    ssrc: u32,
    mid: Option<String>,
    /// The negotiated stream; `None` while nothing may be sent.
    stream: Option<SendStream>,
    video: bool,
    /// When the far side or the sender last requested a keyframe that no encoder has taken yet.
    keyframe_wanted: Option<Instant>,
    reporter: Reporter,
}

impl SendLine {
    fn is_video(&self) -> bool {
        self.video
    }
}

impl Sending {
    /// Adds one of our lines, to be negotiated.
    pub(crate) fn add_line(&mut self, ssrc: u32, video: bool) {
        let reporter = Reporter::new(ssrc, if video { 90_000 } else { 48_000 });
        self.lines.push(SendLine { ssrc, mid: None, stream: None, video, keyframe_wanted: None, reporter });
    }

    /// Removes one of our lines for good.
    pub(crate) fn remove_line(&mut self, ssrc: u32) {
        self.lines.retain(|line| line.ssrc != ssrc);
        self.sender.remove_stream(ssrc);
    }

    pub(crate) fn mid(&self, ssrc: u32) -> Option<String> {
        self.lines.iter().find(|line| line.ssrc == ssrc)?.mid.clone()
    }

    /// The codecs that the far side accepts on a video line, in its order of preference.
    pub(crate) fn video_codecs(&self, ssrc: u32) -> Vec<VideoCodec> {
        let stream = self.lines.iter().find(|line| line.ssrc == ssrc).and_then(|line| line.stream.as_ref());
        stream.map(|stream| stream.formats.iter().map(|format| format.codec).collect()).unwrap_or_default()
    }

    /// Whether repair packets were negotiated for a video line.
    pub(crate) fn repairs(&self, ssrc: u32) -> bool {
        let stream = self.lines.iter().find(|line| line.ssrc == ssrc).and_then(|line| line.stream.as_ref());
        stream.is_some_and(|stream| stream.repair.is_some())
    }

    /// The codec that the first video line sends now.
    pub(crate) fn first_video_codec(&self) -> Option<VideoCodec> {
        let line = self.lines.iter().find(|line| line.video && line.stream.is_some())?;
        self.sender.video_codec(line.ssrc)
    }

    /// Sets the bitrate that the encoders of the camera (0) or of a share (1) could use, in bit/s.
    pub(crate) fn desire(&mut self, which: usize, bitrate: u64) {
        self.desired[which] = bitrate;
        self.sender.set_desired_bitrate(self.desired.iter().sum());
    }

    fn apply(&mut self, agreed: &[Agreed]) {
        for line in &mut self.lines {
            let found = agreed.iter().find_map(|agreed| {
                agreed.streams().find(|stream| stream.ssrc == line.ssrc).map(|stream| (agreed, stream.clone()))
            });
            let (found, stream) = found.unzip();
            if let Some(agreed) = found {
                line.mid = Some(agreed.mid.clone());
            }
            match (&line.stream, &stream) {
                // The stream stays in the sender while it is inactive, so that its sequence numbers continue.
                (_, None) => {}
                (Some(old), Some(new)) if old == new => {}
                (_, Some(new)) => self.sender.add_stream(new.clone()),
            }
            line.stream = stream;
        }
    }

    fn want_keyframe(&mut self, ssrc: u32) {
        if let Some(line) = self.lines.iter_mut().find(|line| line.ssrc == ssrc && line.stream.is_some()) {
            line.keyframe_wanted = Some(Instant::now());
        }
    }

    /// The time of the last keyframe request of a line. Clears the request.
    pub(crate) fn take_keyframe_request(&mut self, ssrc: u32) -> Option<Instant> {
        self.lines.iter_mut().find(|line| line.ssrc == ssrc)?.keyframe_wanted.take()
    }

    /// Processes the sender's events. Returns true if there is news for the connection's task.
    pub(crate) fn collect_events(&mut self) -> bool {
        let mut news = false;
        while let Some(event) = self.sender.poll_event() {
            match event {
                SenderEvent::KeyframeRequested { ssrc } => self.want_keyframe(ssrc),
                SenderEvent::TargetChanged { bitrate } => {
                    self.news.target = Some(bitrate);
                    news = true;
                }
            }
        }
        news
    }

    /// Whether this SSRC is one of our video lines.
    pub(crate) fn knows(&self, ssrc: u32) -> bool {
        self.lines.iter().any(|line| line.ssrc == ssrc)
    }

    /// The next packet to send.
    pub(crate) fn poll_packet(&mut self) -> Option<Packet> {
        let packet = self.sender.poll_transmit()?;
        if let Some(line) = self.lines.iter_mut().find(|line| line.ssrc == packet.header.ssrc) {
            line.reporter.sent(packet.payload.len());
        }
        self.packets += 1;
        self.bytes += wire_size(&packet);
        Some(packet)
    }

    /// The next sender report that is due.
    pub(crate) fn poll_report(&mut self, now: Instant) -> Option<rtcp::sender_report::SenderReport> {
        let wall = self.wall;
        let report = self.lines.iter_mut().find_map(|line| line.reporter.poll(now, &wall))?;
        self.sender.on_sender_report_sent(now, report.ntp_time);
        Some(report)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let reports = self.lines.iter().filter_map(|line| line.reporter.due());
        reports.chain(self.sender.poll_timeout()).min()
    }

    pub(crate) fn stats(&self) -> SenderStats {
        self.sender.stats()
    }
}
