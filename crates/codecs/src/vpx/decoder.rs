//! VP8 and VP9 decoding.

use super::buffers::Buffers;
use super::context::Context;
use super::header;
use crate::pixels;
use crate::video::{DecodeError, VideoDecoder, check_size};
use media::encoded::{EncodedFrame, VideoCodec};
use media::frame::{Color, FramePool, Matrix, VideoFrame};
use std::os::raw::{c_int, c_uint};
use vpx_sys as vpx;

/// The decoder of one stream.
pub(crate) struct Decoder {
    /// `None` after an error, so that its state cannot affect later frames.
    instance: Option<Instance>,
    codec: VideoCodec,
    pool: FramePool,
    await_keyframe: bool,
}

impl Decoder {
    /// Opens a decoder.
    pub(crate) fn open(codec: VideoCodec, pool: FramePool) -> Result<Self, DecodeError> {
        Ok(Decoder { instance: Some(Instance::open(codec)?), codec, pool, await_keyframe: true })
    }

    fn show(&mut self, frame: &EncodedFrame) -> Result<Option<VideoFrame>, DecodeError> {
        let mut instance = match self.instance.take() {
            Some(instance) => instance,
            None => Instance::open(self.codec)?,
        };
        let picture = instance.run(&frame.data)?;
        let shown = picture.map(|picture| self.copy(&picture, frame)).transpose()?;
        self.instance = Some(instance);
        Ok(shown)
    }

    fn copy(&self, picture: &ShownImage, frame: &EncodedFrame) -> Result<VideoFrame, DecodeError> {
        let image = &picture.0;
        check_size(image.d_w, image.d_h)?;
        if image.fmt != vpx::vpx_img_fmt::VPX_IMG_FMT_I420 || image.bit_depth != 8 {
            return Err(DecodeError::Unsupported);
        }
        let mut out = self.pool.take(image.d_w, image.d_h);
        pixels::i420([picture.plane(0)?, picture.plane(1)?, picture.plane(2)?], &mut out)
            .map_err(|_| DecodeError::Corrupt)?;
        let mut out = out.freeze(frame.time);
        out.rtp_timestamp = frame.rtp_timestamp;
        out.color = color(self.codec, image);
        Ok(out)
    }
}

impl VideoDecoder for Decoder {
    fn decode(&mut self, frame: &EncodedFrame) -> Result<Option<VideoFrame>, DecodeError> {
        if frame.codec != self.codec {
            return Err(DecodeError::Codec);
        }
        let shown = match header::inspect(self.codec, &frame.data) {
            // Undetected damage in the decoder must not affect an intact keyframe, so try again with a new instance.
            Ok(true) if self.instance.is_some() => self.show(frame).or_else(|_| self.show(frame)),
            Ok(true) => self.show(frame),
            Ok(false) if self.await_keyframe => Err(DecodeError::NeedKeyframe),
            Ok(false) => self.show(frame),
            Err(error) => Err(error),
        };
        self.await_keyframe = shown.is_err();
        shown
    }
}

/// A libvpx decoder with the memory of its frames.
struct Instance {
    context: Context, // before `buffers`: dropping it releases its frames
    _buffers: Option<Box<Buffers>>,
}

impl Instance {
    fn open(codec: VideoCodec) -> Result<Self, DecodeError> {
        let interface: unsafe extern "C" fn() -> *const vpx::vpx_codec_iface_t = match codec {
            VideoCodec::Vp8 => vpx::vpx_codec_vp8_dx,
            VideoCodec::Vp9 => vpx::vpx_codec_vp9_dx,
            VideoCodec::H264 => return Err(DecodeError::Codec),
        };
        // SAFETY: both return pointers to statics.
        let iface = unsafe { interface() };
        // One thread: a room has a decoder for each participant.
        let mut context = Context::decoder(iface, 1).map_err(DecodeError::Backend)?;
        let mut buffers = (codec == VideoCodec::Vp9).then(Box::<Buffers>::default);
        if let Some(buffers) = &mut buffers {
            // SAFETY: the decoder is new; the buffers stay in their box, which is dropped after the decoder.
            let code = unsafe { buffers.install(context.raw()) };
            context.check(code).map_err(DecodeError::Backend)?;
        }
        Ok(Instance { context, _buffers: buffers })
    }

    fn run(&mut self, data: &[u8]) -> Result<Option<ShownImage>, DecodeError> {
        let len = c_uint::try_from(data.len()).map_err(|_| DecodeError::Corrupt)?;
        // SAFETY: `data` lives through the call, and libvpx reads at most `len` bytes.
        let code = unsafe { vpx::vpx_codec_decode(self.context.raw(), data.as_ptr(), len, std::ptr::null_mut(), 0) };
        // Take a frame even if the call failed; otherwise the next call would return it.
        let picture = self.newest();
        match code {
            vpx::vpx_codec_err_t::VPX_CODEC_OK if !self.corrupted() => Ok(picture),
            vpx::vpx_codec_err_t::VPX_CODEC_UNSUP_BITSTREAM => Err(DecodeError::Unsupported),
            _ => Err(DecodeError::Corrupt),
        }
    }

    fn newest(&mut self) -> Option<ShownImage> {
        let (mut iter, mut newest) = (std::ptr::null(), None);
        loop {
            // SAFETY: `iter` starts as null and then belongs to libvpx.
            let image = unsafe { vpx::vpx_codec_get_frame(self.context.raw(), &mut iter).as_ref() };
            match image {
                Some(image) => newest = Some(ShownImage(*image)),
                None => return newest,
            }
        }
    }

    fn corrupted(&mut self) -> bool {
        let mut corrupted: c_int = 0;
        let id = vpx::vp8_dec_control_id::VP8D_GET_FRAME_CORRUPTED as c_int;
        // SAFETY: this control writes one int.
        let code = unsafe { vpx::vpx_codec_control_(self.context.raw(), id, &raw mut corrupted) };
        code != vpx::vpx_codec_err_t::VPX_CODEC_OK || corrupted != 0
    }
}

/// The image that libvpx shows; valid until the next call to the decoder.
struct ShownImage(vpx::vpx_image_t);

impl ShownImage {
    /// The rows of a plane and their stride.
    fn plane(&self, n: usize) -> Result<pixels::Plane<'_>, DecodeError> {
        let shift = usize::from(n > 0);
        let (width, height) = (self.0.d_w as usize, self.0.d_h as usize);
        let (width, height) = ((width + shift) >> shift, (height + shift) >> shift);
        let stride = usize::try_from(self.0.stride[n]).map_err(|_| DecodeError::Corrupt)?;
        if self.0.planes[n].is_null() || stride < width {
            return Err(DecodeError::Corrupt);
        }
        // SAFETY: libvpx's planes have `height` rows of `stride` bytes, and the last row has at least `width`.
        let bytes = unsafe { std::slice::from_raw_parts(self.0.planes[n], stride * (height - 1) + width) };
        Ok(pixels::Plane { bytes, stride })
    }
}

fn color(codec: VideoCodec, image: &vpx::vpx_image_t) -> Color {
    if codec == VideoCodec::Vp8 {
        return Color::default(); // the only one in RFC 6386 section 9.2
    }
    let matrix = match image.cs {
        vpx::vpx_color_space::VPX_CS_BT_709 => Matrix::Bt709,
        _ => Matrix::Bt601, // also if unspecified, as in browsers
    };
    Color { matrix, full_range: image.range == vpx::vpx_color_range::VPX_CR_FULL_RANGE }
}
