//! Real-time VP8 and VP9 encoding.

use super::context::{Context, default_config};
use crate::cadence::Cadence;
use crate::pixels;
use crate::video::{Content, EncodeError, EncoderConfig, VideoEncoder, bound_bitrate, bound_fps};
use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};
use media::frame::{Color, FramePool, Matrix, VideoFrame};
use std::mem::MaybeUninit;
use std::os::raw::{c_int, c_uint, c_ulong};
use vpx_sys as vpx;
use vpx_sys::vp8e_enc_control_id as Control;

/// A VP8 or VP9 encoder for one frame size.
pub(crate) struct Encoder {
    context: Context,
    raw: Settings,
    config: EncoderConfig,
    cadence: Cadence,
    /// Presentation time of the next frame in 1/90000 s, on the encoder's own regular clock.
    pts: i64,
    color: Color,
    keyframe_owed: bool,
    /// Number of frames that are not dropped to hold the bitrate, after it was raised.
    undropped: u32,
    /// Whether there are two temporal layers.
    layered: bool,
    /// Whether the next frame may be in the upper layer, because the last one was not.
    is_upper_due: bool,
    pool: FramePool,
}

/// The libvpx configuration.
struct Settings(vpx::vpx_codec_enc_cfg_t);

// SAFETY: its pointers are buffers for two-pass statistics, which are always null in one-pass mode.
unsafe impl Send for Settings {}

impl Encoder {
    /// Opens an encoder.
    pub(crate) fn open(config: EncoderConfig) -> Result<Self, EncodeError> {
        Self::try_open(config).map_err(EncodeError::Backend)
    }

    fn try_open(config: EncoderConfig) -> Result<Self, String> {
        let iface = interface(config.codec)?;
        let raw = Settings(settings(&config, default_config(iface)?));
        let mut encoder = Encoder {
            context: Context::encoder(iface, &raw.0)?,
            raw,
            cadence: Cadence::new(config.fps),
            config,
            pts: 0,
            color: Color::default(),
            keyframe_owed: true,
            undropped: 0,
            layered: false,
            is_upper_due: false,
            pool: FramePool::new(),
        };
        match encoder.config.codec {
            VideoCodec::Vp8 => encoder.tune_vp8()?,
            VideoCodec::Vp9 | VideoCodec::H264 => encoder.tune_vp9()?,
        }
        Ok(encoder)
    }

    fn tune_vp8(&mut self) -> Result<(), String> {
        let screen = self.config.content == Content::Screen;
        let speed = self.config.speed.unwrap_or_else(|| vp8_speed(&self.config));
        let partitions = self.config.threads.ilog2().min(3);
        for (id, value) in [
            (Control::VP8E_SET_CPUUSED, speed),
            (Control::VP8E_SET_NOISE_SENSITIVITY, 0),
            (Control::VP8E_SET_STATIC_THRESHOLD, if screen { 100 } else { 1 }),
            (Control::VP8E_SET_TOKEN_PARTITIONS, partitions as c_int),
            (Control::VP8E_SET_SCREEN_CONTENT_MODE, c_int::from(screen)),
            (Control::VP8E_SET_MAX_INTRA_BITRATE_PCT, INTRA_PERCENT),
            (Control::VP8E_SET_GF_CBR_BOOST_PCT, golden_boost(&self.config)),
        ] {
            self.context.control(id, value)?;
        }
        Ok(())
    }

    fn tune_vp9(&mut self) -> Result<(), String> {
        let screen = self.config.content == Content::Screen;
        // Tiles are at least 256 pixels wide.
        let columns = self.config.threads.ilog2().min((self.config.width / 256).max(1).ilog2());
        for (id, value) in [
            (Control::VP8E_SET_CPUUSED, self.config.speed.unwrap_or_else(|| vp9_speed(&self.config))),
            (Control::VP8E_SET_ENABLEAUTOALTREF, 0), // alternate reference frames need lookahead
            (Control::VP9E_SET_NOISE_SENSITIVITY, 0),
            (Control::VP8E_SET_STATIC_THRESHOLD, if screen { 100 } else { 1 }),
            (Control::VP9E_SET_AQ_MODE, vpx::AQ_MODE::CYCLIC_REFRESH_AQ as c_int),
            (Control::VP9E_SET_ROW_MT, c_int::from(self.config.threads > 1)),
            (Control::VP9E_SET_TILE_COLUMNS, columns as c_int),
            (Control::VP9E_SET_FRAME_PARALLEL_DECODING, 0),
            (Control::VP9E_SET_TUNE_CONTENT, c_int::from(screen)),
            (Control::VP8E_SET_MAX_INTRA_BITRATE_PCT, INTRA_PERCENT),
            (Control::VP9E_SET_COLOR_SPACE, color_space(self.color.matrix) as c_int),
            (Control::VP9E_SET_COLOR_RANGE, c_int::from(self.color.full_range)),
        ] {
            self.context.control(id, value)?;
        }
        Ok(())
    }

    /// Passes the changed configuration to libvpx.
    fn configure(&mut self) {
        // SAFETY: the configuration lives through the call and is copied.
        let code = unsafe { vpx::vpx_codec_enc_config_set(self.context.raw(), &self.raw.0) };
        // Only rate and buffer differ from the configuration accepted at opening, and the rate is bounded, so this cannot
        // fail.
        if code != vpx::vpx_codec_err_t::VPX_CODEC_OK {
            self.renew();
        }
    }

    /// Reopens libvpx after an error; the next frame is a keyframe. If reopening fails, the next error tries again.
    fn renew(&mut self) {
        if let Ok(mut new) = Self::try_open(self.config.clone()) {
            new.set_temporal_layers(self.layered);
            *self = new;
        }
    }

    /// Prepares a frame's colour. VP9 declares it in each keyframe. VP8 cannot, and is always limited range.
    fn adopt(&mut self, frame: &VideoFrame) -> Result<VideoFrame, String> {
        if self.config.codec == VideoCodec::Vp8 {
            return Ok(match frame.color.full_range {
                true => pixels::full_to_limited(frame, &self.pool),
                false => frame.clone(),
            });
        }
        if frame.color != self.color {
            self.color = frame.color;
            self.context.control(Control::VP9E_SET_COLOR_SPACE, color_space(frame.color.matrix) as c_int)?;
            self.context.control(Control::VP9E_SET_COLOR_RANGE, c_int::from(frame.color.full_range))?;
            self.keyframe_owed = true;
        }
        Ok(frame.clone())
    }

    /// Passes a frame to libvpx. With `upper`, no other frame will refer to it.
    fn put(&mut self, frame: &VideoFrame, keyframe: bool, upper: bool) -> Result<(), String> {
        if self.undropped > 0 {
            self.undropped -= 1;
            if self.undropped == 0 {
                self.raw.0.rc_dropframe_thresh = drop_threshold(&self.config);
                self.configure();
            }
        }
        let image = wrap(frame, self.color)?;
        let duration = (self.cadence.next(frame.time).as_nanos() * 9 / 100_000).max(1) as c_ulong;
        let flags = match (keyframe, upper) {
            (true, _) => vpx::VPX_EFLAG_FORCE_KF,
            (false, true) => UPPER_LAYER,
            (false, false) => 0,
        };
        let (pts, context) = (self.pts, self.context.raw());
        // SAFETY: the image's planes point into `frame`, which lives through the call; libvpx copies them.
        let code = unsafe {
            vpx::vpx_codec_encode(
                context,
                &image,
                pts,
                duration,
                flags as vpx::vpx_enc_frame_flags_t,
                vpx::VPX_DL_REALTIME as c_ulong,
            )
        };
        self.pts += duration as i64;
        self.context.check(code)
    }

    /// Takes all packets of the last frame. With this configuration there is at most one.
    fn take(&mut self) -> Option<(Bytes, bool)> {
        let (mut data, mut keyframe) = (Vec::new(), false);
        let mut iter = std::ptr::null();
        loop {
            // SAFETY: `iter` starts as null and then belongs to libvpx; the packet lives until the next call to the
            // encoder.
            let packet = unsafe { vpx::vpx_codec_get_cx_data(self.context.raw(), &mut iter).as_ref() };
            let Some(packet) = packet else { break };
            if packet.kind == vpx::vpx_codec_cx_pkt_kind::VPX_CODEC_CX_FRAME_PKT {
                // SAFETY: `kind` selects the member of the union, and `buf` has `sz` bytes.
                let (bytes, flags) = unsafe {
                    let frame = &packet.data.frame;
                    (std::slice::from_raw_parts(frame.buf.cast::<u8>(), frame.sz), frame.flags)
                };
                data.extend_from_slice(bytes);
                keyframe |= flags & vpx::VPX_FRAME_IS_KEY != 0;
            }
        }
        (!data.is_empty()).then(|| (data.into(), keyframe))
    }
}

impl VideoEncoder for Encoder {
    fn encode(&mut self, frame: &VideoFrame, force_keyframe: bool) -> Result<Option<EncodedFrame>, EncodeError> {
        let (width, height) = (frame.width(), frame.height());
        if (width, height) != (self.config.width, self.config.height) {
            return Err(EncodeError::Size { width, height });
        }
        self.keyframe_owed |= force_keyframe;
        let adopted = self.adopt(frame);
        let upper = self.layered && self.is_upper_due && !self.keyframe_owed;
        let put = adopted.and_then(|picture| self.put(&picture, self.keyframe_owed, upper));
        if let Err(error) = put {
            self.renew();
            return Err(EncodeError::Backend(error));
        }
        let Some((data, keyframe)) = self.take() else { return Ok(None) };
        self.keyframe_owed &= !keyframe;
        let upper = upper && !keyframe;
        self.is_upper_due = !upper;
        Ok(Some(EncodedFrame {
            codec: self.config.codec,
            data,
            keyframe,
            rtp_timestamp: frame.rtp_timestamp,
            width,
            height,
            layer: 0,
            temporal: u8::from(upper),
            time: frame.time,
            captured: None,
            source: None,
        }))
    }

    fn set_rate(&mut self, bitrate: u64, fps: u32) {
        let (bitrate, fps) = (bound_bitrate(bitrate), bound_fps(fps));
        let step = f64::from(bitrate) / self.config.bitrate.max(1) as f64;
        self.config.bitrate = bitrate.into();
        self.config.fps = fps;
        self.cadence.set_fps(fps);
        self.raw.0.rc_target_bitrate = kilobits(bitrate);
        if self.config.codec == VideoCodec::Vp8 {
            if step > 1.0 {
                self.raw.0.rc_dropframe_thresh = 0;
                self.undropped = UNDROPPED_FRAMES;
            }
            if step < QUICK_STEP {
                let size = std::mem::replace(&mut self.raw.0.rc_buf_sz, LOW_BUFFER);
                self.configure();
                self.raw.0.rc_buf_sz = size;
            }
            // It accepts every value.
            let _ = self.context.control(Control::VP8E_SET_GF_CBR_BOOST_PCT, golden_boost(&self.config));
        }
        self.configure();
    }

    fn set_temporal_layers(&mut self, two: bool) -> bool {
        // VP9 predicts motion vectors and segments from the previous frame, whatever that refers to.
        self.layered = two && self.config.codec == VideoCodec::Vp8;
        self.config.codec == VideoCodec::Vp8
    }

    fn config(&self) -> &EncoderConfig {
        &self.config
    }
}

fn interface(codec: VideoCodec) -> Result<*const vpx::vpx_codec_iface_t, String> {
    let interface: unsafe extern "C" fn() -> *const vpx::vpx_codec_iface_t = match codec {
        VideoCodec::Vp8 => vpx::vpx_codec_vp8_cx,
        VideoCodec::Vp9 => vpx::vpx_codec_vp9_cx,
        VideoCodec::H264 => return Err("libvpx does not support H.264".into()),
    };
    // SAFETY: both return pointers to statics.
    Ok(unsafe { interface() })
}

/// Constant bitrate with WebRTC's buffer model: the rate stays near the target over half a second.
fn settings(config: &EncoderConfig, mut raw: vpx::vpx_codec_enc_cfg_t) -> vpx::vpx_codec_enc_cfg_t {
    raw.g_w = config.width;
    raw.g_h = config.height;
    raw.g_threads = config.threads.min(16);
    raw.g_timebase = vpx::vpx_rational { num: 1, den: 90_000 };
    raw.g_error_resilient = 0;
    raw.g_pass = vpx::vpx_enc_pass::VPX_RC_ONE_PASS;
    raw.g_lag_in_frames = 0;
    raw.rc_end_usage = vpx::vpx_rc_mode::VPX_CBR;
    raw.rc_target_bitrate = kilobits(bound_bitrate(config.bitrate));
    raw.rc_dropframe_thresh = drop_threshold(config);
    raw.rc_resize_allowed = 0;
    raw.rc_buf_sz = 1000;
    raw.rc_buf_initial_sz = 500;
    raw.rc_buf_optimal_sz = 600;
    raw.kf_mode = vpx::vpx_kf_mode::VPX_KF_DISABLED;
    match config.codec {
        VideoCodec::Vp8 => {
            (raw.rc_min_quantizer, raw.rc_max_quantizer) = (2, 56);
            (raw.rc_undershoot_pct, raw.rc_overshoot_pct) = (100, 15);
        }
        VideoCodec::Vp9 | VideoCodec::H264 => {
            (raw.rc_min_quantizer, raw.rc_max_quantizer) = (2, 52);
            (raw.rc_undershoot_pct, raw.rc_overshoot_pct) = (50, 50);
        }
    }
    raw
}

fn kilobits(bitrate: u32) -> c_uint {
    (bitrate / 1000).max(1)
}

/// Flags of a frame that changes nothing to which later frames refer: no picture and no probability.
const UPPER_LAYER: u32 =
    vpx::VP8_EFLAG_NO_UPD_LAST | vpx::VP8_EFLAG_NO_UPD_GF | vpx::VP8_EFLAG_NO_UPD_ARF | vpx::VP8_EFLAG_NO_UPD_ENTROPY;

/// The largest keyframe, in percent of the mean frame. It takes a tenth of a second to send, and the frames after it look
/// as good as those after a larger one within a quarter of a second.
const INTRA_PERCENT: c_int = 300;

/// Frames are dropped while the assumed buffer of the decoder is emptier than this percentage of the optimum.
const DROP_THRESHOLD: c_uint = 30;

/// A screen has few frames, and the first after a change is large. Whoever sends it waits until that is sent.
fn drop_threshold(config: &EncoderConfig) -> c_uint {
    match config.content {
        Content::Camera => DROP_THRESHOLD,
        Content::Screen => 0,
    }
}

/// The bits in that buffer are little at a higher bitrate, and VP8 would drop every other frame until they are enough. So it
/// drops none for this number of frames.
const UNDROPPED_FRAMES: u32 = 30;

/// A smaller ratio of the new bitrate to the old one is a step that must take effect at once.
const QUICK_STEP: f64 = 0.85;
/// libvpx does not raise VP8's quantizer above the recent mean while the assumed buffer of the decoder is full, so that it
/// exceeds a lower rate for many frames. The size of that buffer bounds its level, in ms: this one, for a moment, leaves
/// the level below the optimum. At 1.7 Mbit/s reduced to 350 kbit/s, the first frames are then 1525 and 954 bytes instead
/// of 10214 and 6651.
const LOW_BUFFER: c_uint = 500;

/// How much larger a VP8 golden frame is than the mean, in percent. At 640x360 and 1.7 Mbit/s it gains 0.28 dB; a larger
/// value gains less. On a narrow path such a frame, up to seven times as large as the others, would delay all frames.
fn golden_boost(config: &EncoderConfig) -> c_int {
    if config.bitrate * 10 >= config.full_bitrate * 9 { 100 } else { 0 }
}

/// Measured with one thread at 640x360 and 1.7 Mbit/s, CPU time per frame: -4 3.9 ms 39.60 dB, -5 2.5 ms 39.58 dB, -6
/// 2.4 ms 39.56 dB, -8 2.2 ms 39.54 dB, -12 1.6 ms 39.0 dB. Small frames can afford a slower search.
fn vp8_speed(config: &EncoderConfig) -> c_int {
    match config.width * config.height {
        0..=100_000 => -4,
        100_001..=300_000 => -5,
        300_001..=1_000_000 => -6,
        _ => -8,
    }
}

fn vp9_speed(config: &EncoderConfig) -> c_int {
    match config.width * config.height {
        0..=100_000 => 7,
        _ => 8,
    }
}

fn color_space(matrix: Matrix) -> vpx::vpx_color_space_t {
    match matrix {
        Matrix::Bt601 => vpx::vpx_color_space::VPX_CS_BT_601,
        Matrix::Bt709 => vpx::vpx_color_space::VPX_CS_BT_709,
    }
}

/// Describes the frame's planes without copying, also for an odd width.
fn wrap(frame: &VideoFrame, color: Color) -> Result<vpx::vpx_image_t, String> {
    let mut image = MaybeUninit::<vpx::vpx_image_t>::zeroed();
    let data = frame.data().as_ptr().cast_mut();
    let format = vpx::vpx_img_fmt::VPX_IMG_FMT_I420;
    // SAFETY: libvpx fills the structure and does not access `data`.
    let wrapped = unsafe { vpx::vpx_img_wrap(image.as_mut_ptr(), format, frame.width(), frame.height(), 1, data) };
    if wrapped.is_null() {
        return Err("the frame cannot be described".into());
    }
    // SAFETY: initialised by the call.
    let mut image = unsafe { image.assume_init() };
    for (n, plane) in [frame.y(), frame.u(), frame.v()].into_iter().enumerate() {
        image.planes[n] = plane.as_ptr().cast_mut();
    }
    let chroma = frame.chroma_width() as c_int;
    image.stride = [frame.width() as c_int, chroma, chroma, 0];
    image.cs = color_space(color.matrix);
    image.range = match color.full_range {
        true => vpx::vpx_color_range::VPX_CR_FULL_RANGE,
        false => vpx::vpx_color_range::VPX_CR_STUDIO_RANGE,
    };
    Ok(image)
}
