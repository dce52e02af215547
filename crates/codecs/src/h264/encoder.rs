//! H.264 encoding: constrained baseline, one slice per access unit, SPS and PPS with each IDR.

use crate::cadence::Cadence;
use crate::video::{Content, EncodeError, EncoderConfig, VideoEncoder, bound_bitrate, bound_fps};
use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};
use media::frame::{Color, Matrix, VideoFrame};
use openh264::encoder as open;
use openh264::encoder::{BitRate, FrameRate, FrameType, RateControlMode, UsageType, VuiConfig};
use openh264::formats::YUVSource;
use openh264::{OpenH264API, Timestamp};
use openh264_sys2 as sys;
use std::os::raw::{c_int, c_void};
use std::time::Duration;

/// An H.264 encoder for one frame size.
///
/// H.264 crops 4:2:0 pictures in steps of two pixels, so the last column or row of an odd size is not sent.
pub(crate) struct Encoder {
    config: EncoderConfig,
    cadence: Cadence,
    color: Color,
    /// `None` after a change of colour, and after an error.
    running: Option<Running>,
    keyframe_owed: bool,
    clock: Duration,
}

struct Running {
    encoder: open::Encoder,
    level: &'static Level,
    bitrate: u32,
    interval: Duration,
    started: bool,
}

impl Encoder {
    /// Opens an encoder.
    pub(crate) fn open(config: EncoderConfig) -> Result<Self, EncodeError> {
        let cadence = Cadence::new(config.fps);
        let color = Color::default();
        let mut encoder = Encoder { config, cadence, color, running: None, keyframe_owed: true, clock: Duration::ZERO };
        encoder.running = Some(encoder.start()?);
        Ok(encoder)
    }

    fn start(&self) -> Result<Running, EncodeError> {
        let level = level(&self.config);
        let bitrate = bound_bitrate(self.config.bitrate).min(level.max_bitrate);
        let usage = match self.config.content {
            Content::Camera => UsageType::CameraVideoRealTime,
            Content::Screen => UsageType::ScreenContentRealTime,
        };
        let config = open::EncoderConfig::new()
            .bitrate(BitRate::from_bps(bitrate))
            .max_frame_rate(FrameRate::from_hz(bound_fps(self.config.fps) as f32))
            .rate_control_mode(RateControlMode::Bitrate)
            .usage_type(usage)
            .profile(open::Profile::Baseline)
            .level(level.name)
            // Medium takes a sixth longer at 640x360 and a third longer at 1280x720, and gains nothing for a camera.
            .complexity(match self.config.content {
                Content::Camera => open::Complexity::Low,
                Content::Screen => open::Complexity::Medium,
            })
            // Background detection skips the noise of static areas: 1.1 dB less at 640x360 and 1.7 Mbit/s.
            .background_detection(false)
            .scene_change_detect(self.config.content == Content::Screen)
            // A screen has few frames, and the first after a change is large. Whoever sends it waits until that is sent.
            .skip_frames(self.config.content == Content::Camera)
            .num_threads(1)
            .vui(vui(self.color));
        let encoder = open::Encoder::with_api_config(OpenH264API::from_source(), config).map_err(backend)?;
        let interval = Duration::from_secs(1) / bound_fps(self.config.fps);
        Ok(Running { encoder, level, bitrate, interval, started: false })
    }

    fn encode_picture(&mut self, picture: &Even<'_>, interval: Duration) -> Result<Option<(Bytes, bool)>, EncodeError> {
        let running = match &mut self.running {
            Some(running) => running,
            None => {
                let started = self.start()?;
                self.running.insert(started)
            }
        };
        if running.started {
            running.follow(bound_bitrate(self.config.bitrate), interval)?;
            if self.keyframe_owed {
                running.encoder.force_intra_frame();
            }
        }
        let time = Timestamp::from_millis(self.clock.as_millis() as u64);
        let stream = running.encoder.encode_at(picture, time).map_err(backend)?;
        let keyframe = match stream.frame_type() {
            FrameType::IDR => true,
            FrameType::I | FrameType::P | FrameType::IPMixed => false,
            FrameType::Skip | FrameType::Invalid => return Ok(None),
        };
        let data = stream.to_vec();
        if !running.started {
            running.started = true;
            running.unbound()?;
        }
        Ok((!data.is_empty()).then(|| (data.into(), keyframe)))
    }
}

impl Running {
    /// Raises the maximum bitrate. The crate opens openh264 with the target as the maximum, which keeps it below the
    /// target and rejects a higher one. A value above every level selects the maximum of the level.
    fn unbound(&mut self) -> Result<(), EncodeError> {
        self.set_bitrate(sys::ENCODER_OPTION_MAX_BITRATE, sys::SPATIAL_LAYER_0, c_int::MAX)
    }

    fn follow(&mut self, bitrate: u32, interval: Duration) -> Result<(), EncodeError> {
        if interval != self.interval {
            let mut hertz = (1.0 / interval.as_secs_f64()) as f32;
            // SAFETY: this option takes a float.
            unsafe { self.set(sys::ENCODER_OPTION_FRAME_RATE, (&raw mut hertz).cast()) }?;
            self.interval = interval;
        }
        let bitrate = bitrate.min(self.level.max_bitrate);
        if bitrate != self.bitrate {
            self.set_bitrate(sys::ENCODER_OPTION_BITRATE, sys::SPATIAL_LAYER_ALL, bitrate as c_int)?;
            self.bitrate = bitrate;
        }
        Ok(())
    }

    fn set_bitrate(
        &mut self,
        option: sys::ENCODER_OPTION,
        layer: sys::LAYER_NUM,
        bitrate: c_int,
    ) -> Result<(), EncodeError> {
        let mut info = sys::SBitrateInfo { iLayer: layer, iBitrate: bitrate };
        // SAFETY: both bitrate options take this structure.
        unsafe { self.set(option, (&raw mut info).cast()) }
    }

    /// # Safety
    /// `value` must point to the type that `option` takes. The encoder must be initialised, which its first frame does.
    unsafe fn set(&mut self, option: sys::ENCODER_OPTION, value: *mut c_void) -> Result<(), EncodeError> {
        // SAFETY: guaranteed by the caller; the crate's encoder relies on none of the options set here.
        let code = unsafe { self.encoder.raw_api().set_option(option, value) };
        match code {
            0 => Ok(()),
            other => Err(EncodeError::Backend(format!("option {option} was refused ({other})"))),
        }
    }
}

impl VideoEncoder for Encoder {
    fn encode(&mut self, frame: &VideoFrame, force_keyframe: bool) -> Result<Option<EncodedFrame>, EncodeError> {
        let (width, height) = (frame.width(), frame.height());
        if (width, height) != (self.config.width, self.config.height) {
            return Err(EncodeError::Size { width, height });
        }
        if frame.color != self.color {
            self.color = frame.color;
            self.running = None; // the SPS contains the colour
            self.keyframe_owed = true;
        }
        self.keyframe_owed |= force_keyframe;
        let picture = Even(frame);
        let interval = self.cadence.next(frame.time);
        let encoded = self.encode_picture(&picture, interval);
        self.clock += interval;
        if encoded.is_err() {
            (self.running, self.keyframe_owed) = (None, true);
        }
        let Some((data, keyframe)) = encoded? else { return Ok(None) };
        self.keyframe_owed &= !keyframe;
        let (width, height) = picture.dimensions();
        Ok(Some(EncodedFrame {
            codec: VideoCodec::H264,
            data,
            keyframe,
            rtp_timestamp: frame.rtp_timestamp,
            width: width as u32,
            height: height as u32,
            layer: 0,
            temporal: 0,
            time: frame.time,
            captured: None,
            source: None,
        }))
    }

    fn set_rate(&mut self, bitrate: u64, fps: u32) {
        self.config.bitrate = bound_bitrate(bitrate).into();
        self.config.fps = bound_fps(fps);
        self.cadence.set_fps(fps);
    }

    /// openh264 has them, but they cost 1.0 to 1.9 dB (docs/benchmarks.md), more than they gain.
    fn set_temporal_layers(&mut self, _: bool) -> bool {
        false
    }

    fn config(&self) -> &EncoderConfig {
        &self.config
    }
}

/// A frame without its last column or row if the size is odd.
struct Even<'a>(&'a VideoFrame);

impl YUVSource for Even<'_> {
    fn dimensions(&self) -> (usize, usize) {
        (self.0.width() as usize & !1, self.0.height() as usize & !1)
    }

    fn strides(&self) -> (usize, usize, usize) {
        (self.0.width() as usize, self.0.chroma_width(), self.0.chroma_width())
    }

    fn y(&self) -> &[u8] {
        self.0.y()
    }

    fn u(&self) -> &[u8] {
        self.0.u()
    }

    fn v(&self) -> &[u8] {
        self.0.v()
    }
}

/// The bounds of a level, ITU-T H.264 table A-1.
struct Level {
    name: open::Level,
    macroblocks: u32,
    macroblocks_a_second: u32,
    max_bitrate: u32,
}

/// 3.1 is what browsers offer; the higher ones are for what exceeds it.
const LEVELS: [Level; 4] = [
    Level { name: open::Level::Level_3_1, macroblocks: 3_600, macroblocks_a_second: 108_000, max_bitrate: 14_000_000 },
    Level { name: open::Level::Level_4_0, macroblocks: 8_192, macroblocks_a_second: 245_760, max_bitrate: 20_000_000 },
    Level { name: open::Level::Level_4_2, macroblocks: 8_704, macroblocks_a_second: 522_240, max_bitrate: 50_000_000 },
    Level {
        name: open::Level::Level_5_2,
        macroblocks: 36_864,
        macroblocks_a_second: 2_073_600,
        max_bitrate: 240_000_000,
    },
];

fn level(config: &EncoderConfig) -> &'static Level {
    let macroblocks = config.width.div_ceil(16) * config.height.div_ceil(16);
    let a_second = macroblocks * bound_fps(config.fps);
    let fits = |level: &&Level| macroblocks <= level.macroblocks && a_second <= level.macroblocks_a_second;
    LEVELS.iter().find(fits).unwrap_or(&LEVELS[LEVELS.len() - 1])
}

fn vui(color: Color) -> VuiConfig {
    let named = match color.matrix {
        Matrix::Bt601 => VuiConfig::bt601(),
        Matrix::Bt709 => VuiConfig::bt709(),
    };
    named.full_range(color.full_range)
}

fn backend(error: openh264::Error) -> EncodeError {
    EncodeError::Backend(error.to_string())
}
