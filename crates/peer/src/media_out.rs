//! The interface for encoders.

use crate::path::MediaPath;
use crate::sound::OutgoingSound;
use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};
use media::level::{AudioLevel, SILENCE_DBFS};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use transport::{AudioNeed, DownlinkFlow, UplinkFlow, UplinkShare};

/// Duration of a packet for which no capture time is given.
const PACKET: Duration = Duration::from_millis(20);

/// The size of Opus packets varies around the bitrate: this much is kept free for it, in bit/s.
const SOUND_RESERVE: u64 = 10_000;

/// Sends the output of encoders on the connection's first audio and video line. Cheap to clone, and usable from any
/// thread. Each call packetizes under a short lock and wakes the driver once.
///
/// The video-orientation extension is not negotiated, so senders must rotate the pixels.
#[derive(Clone)]
pub struct MediaOut {
    pub(crate) path: Arc<MediaPath>,
    /// The SSRCs of the two lines.
    pub(crate) audio: u32,
    pub(crate) video: u32,
}

impl MediaOut {
    /// Sends a frame. It is dropped before the connection is up, and if the far side cannot decode this codec. Start
    /// with a keyframe at `State(Connected)`, and check [`MediaOut::take_keyframe_request`] before each frame.
    pub fn video(&self, frame: &EncodedFrame) {
        self.path.video(self.video, frame);
    }

    /// Sends an Opus packet of 20 ms whose last sample was captured now, as if it were silent; see
    /// [`MediaOut::audio_captured`].
    pub fn audio(&self, rtp_timestamp: u32, data: Bytes, marker: bool) {
        let now = Instant::now();
        let captured = now.checked_sub(PACKET).unwrap_or(now);
        let level = AudioLevel::new(SILENCE_DBFS, false);
        self.audio_captured(OutgoingSound { captured, rtp_timestamp, data, marker, level });
    }

    /// Sends an Opus packet. Before the connection is up, it is dropped.
    pub fn audio_captured(&self, sound: OutgoingSound) {
        self.path.audio(self.audio, sound);
    }

    /// Sets the bitrate that the encoders of sound and the camera could use, in bit/s. Transport does not probe far above
    /// it and that of [`MediaOut::set_share`].
    pub fn set_desired_bitrate(&self, bitrate: u64) {
        self.path.sending().desire(0, bitrate);
    }

    /// Sets the bitrate that the encoder of a shared screen could use, and what it uses now, in bit/s. The camera gets the
    /// rest. Both are 0 while nothing is shared.
    pub fn set_share(&self, desired: u64, used: u64) {
        let mut sending = self.path.sending();
        sending.desire(1, desired);
        sending.share = used;
    }

    /// The target bitrate for a shared screen, in bit/s: sound comes first, and a share before the camera.
    pub fn share_bitrate(&self) -> u64 {
        self.target_bitrate().saturating_sub(self.sound_bitrate())
    }

    /// The target bitrate for the camera, in bit/s: what sound and a shared screen leave.
    pub fn camera_bitrate(&self) -> u64 {
        let share = self.path.sending().share;
        self.share_bitrate().saturating_sub(share)
    }

    /// The target bitrate for all media, in bit/s.
    pub fn target_bitrate(&self) -> u64 {
        self.path.sending().sender.target_bitrate()
    }

    /// The state that concerns this client's other connections; see [`transport::Uplink`].
    pub fn uplink_flow(&self) -> UplinkFlow {
        self.path.sending().sender.uplink_flow()
    }

    /// Takes account of this client's other connections.
    pub fn set_uplink_share(&self, share: UplinkShare) {
        self.path.sending().sender.set_uplink_share(Instant::now(), share);
    }

    /// What has arrived on this connection; see [`transport::Downlink`].
    pub fn downlink_flow(&self) -> DownlinkFlow {
        self.path.receiving.lock().receiver.downlink_flow(Instant::now())
    }

    /// Limits what the far side sends, in bit/s, or ends the limit. It is sent soon.
    pub fn set_downlink_limit(&self, limit: Option<u64>) {
        self.path.receiving.lock().receiver.set_limit(Instant::now(), limit);
    }

    /// What sound needs from its encoder on this connection. It follows the path and the far side's reports of loss.
    pub fn audio_need(&self) -> AudioNeed {
        self.path.sending().sender.audio_need()
    }

    /// The part of the target that belongs to sound before video gets the rest, in bit/s.
    pub fn sound_bitrate(&self) -> u64 {
        self.audio_need().total + SOUND_RESERVE
    }

    /// How long the last packet of a frame would wait if the frame were sent now.
    pub fn queue_delay(&self) -> Duration {
        self.path.sending().sender.queue_delay(Instant::now())
    }

    /// Whether the next frame should be a keyframe. Returns the time of the last request, once for all requests since
    /// the last call. A request comes from the far side as PLI (RFC 4585 section 6.3.1) or FIR (RFC 5104 section
    /// 4.3.1), from our own sender after it dropped a frame, and from a connection that has come up.
    pub fn take_keyframe_request(&self) -> Option<Instant> {
        self.path.sending().take_keyframe_request(self.video)
    }

    /// Requests a keyframe of a video line from the far side.
    pub fn request_keyframe(&self, mid: &str) {
        self.path.request_keyframe(Instant::now(), mid);
    }

    /// The codecs that the far side accepts on the first video line, in its order of preference. Empty before
    /// negotiation, and if the far side does not accept video. A keyframe may switch to another one at any time.
    pub fn video_codecs(&self) -> Vec<VideoCodec> {
        self.path.sending().video_codecs(self.video)
    }

    /// Whether the far side uses repair packets on the first video line, as only our own clients do.
    pub fn repairs(&self) -> bool {
        self.path.sending().repairs(self.video)
    }

    /// Whether the path is up, so that media is sent.
    pub fn connected(&self) -> bool {
        self.path.connected()
    }
}

/// A video line added by [`crate::Peer::add_video_track`].
#[derive(Clone)]
pub struct TrackHandle {
    pub(crate) path: Arc<MediaPath>,
    pub(crate) ssrc: u32,
}

impl TrackHandle {
    /// Its media line; `None` until it has been negotiated.
    pub fn mid(&self) -> Option<String> {
        self.path.sending().mid(self.ssrc)
    }

    /// Sends a frame; see [`MediaOut::video`].
    pub fn video(&self, frame: &EncodedFrame) {
        self.path.video(self.ssrc, frame);
    }

    /// Whether the next frame should be a keyframe; see [`MediaOut::take_keyframe_request`].
    pub fn take_keyframe_request(&self) -> Option<Instant> {
        self.path.sending().take_keyframe_request(self.ssrc)
    }

    /// Whether the far side uses repair packets on this line; see [`MediaOut::repairs`].
    pub fn repairs(&self) -> bool {
        self.path.sending().repairs(self.ssrc)
    }

    /// The codecs that the far side accepts on this line; see [`MediaOut::video_codecs`].
    pub fn video_codecs(&self) -> Vec<VideoCodec> {
        self.path.sending().video_codecs(self.ssrc)
    }
}

impl fmt::Debug for MediaOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaOut").field("audio", &self.audio).field("video", &self.video).finish_non_exhaustive()
    }
}

impl fmt::Debug for TrackHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrackHandle").field("ssrc", &self.ssrc).finish_non_exhaustive()
    }
}
