//! One encoder of the camera.

use super::Counters;
use crate::ladder::{self, Size};
use codecs::{Content, EncoderConfig, VideoEncoder};
use media::encoded::{EncodedFrame, VideoCodec};
use media::frame::{FramePool, VideoFrame};
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// A prepared keyframe older than this is not sent.
const PREPARED: Duration = Duration::from_secs(1);
/// If a keyframe request follows a keyframe within this time, it was sent before that keyframe arrived.
const CROSSING: Duration = Duration::from_millis(100);
/// The shortest interval between requested keyframes. A request that is still pending is answered after it.
const KEYFRAME_SPACING: Duration = Duration::from_millis(300);
/// The same where several subscribers would receive the keyframe.
const SHARED_KEYFRAME_SPACING: Duration = Duration::from_secs(1);
/// The initial bitrate of an encoder, bit/s. A small first keyframe arrives immediately, and the following frames
/// improve it before anybody notices. The pacer would need a tenth of a second to send a good one.
const FIRST_BITRATE: u64 = 300_000;

/// One encoder, for one codec and size, and all subscribers of this combination.
pub(super) struct Encoding {
    pub(super) key: EncodingKey,
    pub(super) encoder: Option<Box<dyn VideoEncoder>>,
    pub(super) bitrate: u64,
    /// Whether it has two temporal layers.
    pub(super) layered: bool,
    /// Whether it has a new subscriber.
    pub(super) keyframe: bool,
    /// Whether a subscriber requested a keyframe.
    pub(super) asked: bool,
    pub(super) last_keyframe: Option<Instant>,
    /// Whether its first frame was encoded.
    pub(super) begun: bool,
    /// Its first frame, as long as it has no subscriber.
    pub(super) prepared: Option<EncodedFrame>,
    pub(super) failed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EncodingKey {
    pub(super) codec: VideoCodec,
    pub(super) size: Size,
}

/// What all encodings share.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) fps: u32,
    /// Start of RTP time.
    pub(super) epoch: Instant,
    pub(super) pool: &'a FramePool,
    pub(super) counters: &'a Counters,
}

impl Encoding {
    pub(super) fn new(key: EncodingKey, bitrate: u64) -> Self {
        Self {
            key,
            encoder: None,
            bitrate: bitrate.min(FIRST_BITRATE),
            layered: false,
            keyframe: true,
            asked: false,
            last_keyframe: None,
            begun: false,
            prepared: None,
            failed: false,
        }
    }

    /// Records a request. A request that crossed with a keyframe is already answered; a receiver that still needs one
    /// asks again.
    pub(super) fn request_keyframe(&mut self, at: Instant) {
        self.asked |= self.last_keyframe.is_none_or(|last| at.saturating_duration_since(last) > CROSSING);
    }

    pub(super) fn take_keyframe(&mut self, now: Instant, subscribers: usize) -> bool {
        let spacing = if subscribers > 1 { SHARED_KEYFRAME_SPACING } else { KEYFRAME_SPACING };
        let recent = self.last_keyframe.is_some_and(|at| now.saturating_duration_since(at) < spacing);
        let asked = self.asked && !recent;
        if asked {
            self.asked = false;
        }
        std::mem::take(&mut self.keyframe) || asked
    }

    pub(super) fn is_prepared(&self) -> bool {
        self.prepared.as_ref().is_some_and(|frame| frame.time.elapsed() < PREPARED)
    }

    pub(super) fn set_bitrate(&mut self, bitrate: u64, fps: u32) {
        // An encoder cannot control its rate well if the target changes with every frame.
        if self.begun && bitrate.abs_diff(self.bitrate) * 50 > self.bitrate {
            self.bitrate = bitrate;
            if let Some(encoder) = &mut self.encoder {
                encoder.set_rate(bitrate, fps);
            }
        }
    }

    pub(super) fn set_layered(&mut self, layered: bool) {
        if self.layered != layered
            && let Some(encoder) = &mut self.encoder
        {
            self.layered = encoder.set_temporal_layers(layered) && layered;
        }
    }

    pub(super) fn encoder(&mut self, fps: u32) -> Option<&mut Box<dyn VideoEncoder>> {
        if self.encoder.is_none() && !self.failed {
            let Size { width, height } = self.key.size;
            let config = EncoderConfig {
                codec: self.key.codec,
                width,
                height,
                fps,
                bitrate: self.bitrate,
                full_bitrate: ladder::most_useful(self.key.size, fps),
                threads: 1,
                content: Content::Camera,
                speed: None,
            };
            match codecs::video_encoder(config) {
                Ok(encoder) => self.encoder = Some(encoder),
                Err(error) => {
                    tracing::error!("no {} encoder for {width}x{height}: {error}", self.key.codec.mime());
                    self.failed = true;
                }
            }
        }
        self.encoder.as_mut()
    }

    /// Encodes a picture. `None` if the encoder skipped it or failed.
    pub(super) fn encode(&mut self, frame: &VideoFrame, keyframe: bool, shared: Context<'_>) -> Option<EncodedFrame> {
        let Context { fps, epoch, pool, counters } = shared;
        let (now, Size { width, height }) = (Instant::now(), self.key.size);
        let scaled = match (frame.width(), frame.height()) == (width, height) {
            true => frame.clone(),
            false => codecs::pixels::scale(frame, width, height, pool),
        };
        let encoder = self.encoder(fps)?;
        let encoded = encoder.encode(&scaled, keyframe);
        counters.encode_us.fetch_add(now.elapsed().as_micros() as u64, Relaxed);
        match encoded {
            Ok(Some(mut encoded)) => {
                encoded.rtp_timestamp = rtp_time(epoch, frame.time);
                encoded.time = frame.time;
                self.begun = true;
                if encoded.keyframe {
                    self.last_keyframe = Some(now);
                    tracing::debug!("keyframe of {} bytes for {width}x{height}", encoded.data.len());
                }
                counters.encoded.fetch_add(1, Relaxed);
                counters.keyframes.fetch_add(u64::from(encoded.keyframe), Relaxed);
                counters.size.store(u64::from(width) << 32 | u64::from(height), Relaxed);
                Some(encoded)
            }
            Ok(None) => {
                self.keyframe |= keyframe;
                None
            }
            Err(error) => {
                tracing::warn!("{} at {width}x{height} could not be encoded: {error}", self.key.codec.mime());
                (self.encoder, self.keyframe, self.layered) = (None, true, false);
                None
            }
        }
    }
}

/// The RTP time of an instant, at 90 kHz, wrapping.
fn rtp_time(epoch: Instant, at: Instant) -> u32 {
    (at.saturating_duration_since(epoch).as_nanos() * 9 / 100_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtp_time_runs_at_90_khz_and_wraps() {
        let epoch = Instant::now();
        assert_eq!(rtp_time(epoch, epoch + Duration::from_secs(1)), 90_000);
        let wrap = Duration::from_nanos((1u64 << 32) * 100_000 / 9 + 100_000);
        assert!(rtp_time(epoch, epoch + wrap) < 20);
    }
}
