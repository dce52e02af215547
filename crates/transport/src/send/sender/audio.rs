//! Sound passes by the queues of a [`Sender`].

use super::Sender;
use crate::send::api::SendError;
use crate::send::audio::AudioNeed;
use crate::send::stream::write_level;
use bytes::Bytes;
use media::level::AudioLevel;
use std::time::Instant;

impl Sender {
    /// Sends an Opus packet immediately, before queued video. `rtp_timestamp` is in 1/48000 s, and `marker` starts a talk
    /// spurt (RFC 7587 section 4.1). `level` is that of the whole packet.
    ///
    /// # Errors
    ///
    /// Returns [`SendError::NotConnected`], [`SendError::UnknownStream`], or [`SendError::WrongCodec`] for a video stream.
    pub fn send_audio(
        &mut self,
        now: Instant,
        ssrc: u32,
        rtp_timestamp: u32,
        data: Bytes,
        marker: bool,
        level: AudioLevel,
    ) -> Result<(), SendError> {
        if !self.connected {
            return Err(SendError::NotConnected);
        }
        let stream = self.streams.iter_mut().find(|s| s.stream.ssrc == ssrc).ok_or(SendError::UnknownStream(ssrc))?;
        if stream.is_video() {
            return Err(SendError::WrongCodec);
        }
        let mut packet = stream.audio_packet(rtp_timestamp, data, marker, self.audio_plan.copies());
        write_level(&mut packet, stream.stream.level_id, level);
        let twcc_id = stream.stream.twcc_id;
        self.advance(now);
        self.stats.packets_sent += 1;
        self.emit(packet, twcc_id, None);
        self.process(now);
        Ok(())
    }

    /// What sound needs from its encoder, and what it sends. It follows the target and the far side's reports.
    pub fn audio_need(&self) -> AudioNeed {
        self.audio_plan.need(self.available())
    }
}
