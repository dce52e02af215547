//! One JPEG on its way through TurboJPEG.
//!
//! The `turbojpeg` crate hides whether an error was a warning, and keeps a decompressor over pictures. Here a picture has
//! a decompressor of its own: whatever a damaged one leaves behind (a header read by half, tables) meets no other. That
//! costs a few microseconds of the milliseconds that decoding takes.

use super::PixelError;
use std::ffi::c_void;
use std::os::raw::c_int;
use std::ptr::NonNull;
use turbojpeg::{Colorspace, Subsamp, raw};

/// A progressive JPEG of a few kilobytes can take minutes; cameras send baseline.
const MOST_SCANS: c_int = 16;

/// What a JPEG says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) subsamp: Subsamp,
}

/// How much of a picture came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Without a word of complaint.
    Clean,
    /// libjpeg complained and went on. What it did not find is as it was, or grey (128 in each plane).
    Warned,
}

/// A JPEG whose header has been read.
#[derive(Debug)]
pub(super) struct Picture<'a> {
    handle: Handle,
    jpeg: &'a [u8],
    header: Header,
}

impl<'a> Picture<'a> {
    /// Reads the header. Warnings are none of an error as long as it says what the picture is.
    pub(super) fn read(jpeg: &'a [u8]) -> Result<Self, PixelError> {
        let mut handle = Handle::new()?;
        // SAFETY: the handle is open; TurboJPEG bounds its reads by the length.
        let code = unsafe { raw::tj3DecompressHeader(handle.raw(), jpeg.as_ptr(), length(jpeg)) };
        if code != 0 && !handle.only_warned() {
            return Err(PixelError::Corrupt);
        }
        let header = handle.header()?;
        Ok(Picture { handle, jpeg, header })
    }

    pub(super) fn header(&self) -> Header {
        self.header
    }

    /// Bytes that [`decompress`](Self::decompress) writes: planes one after the other without padding, their sides
    /// rounded up to whole chroma samples.
    pub(super) fn planes_len(&self) -> Result<usize, PixelError> {
        let Header { width, height, subsamp } = self.header;
        turbojpeg::yuv_pixels_len(width, 1, height, subsamp).map_err(|_| PixelError::Unsupported)
    }

    /// Decodes into `planes`.
    pub(super) fn decompress(mut self, planes: &mut [u8]) -> Result<Outcome, PixelError> {
        if planes.len() < self.planes_len()? {
            return Err(PixelError::Layout);
        }
        let (jpeg, handle) = (self.jpeg, self.handle.raw());
        // SAFETY: the handle is open and between pictures. It reads the same bytes as `read` did, so that it finds the
        // same size and subsampling and writes no more than `planes_len`.
        let code = unsafe { raw::tj3DecompressToYUV8(handle, jpeg.as_ptr(), length(jpeg), planes.as_mut_ptr(), 1) };
        match code {
            0 => Ok(Outcome::Clean),
            _ if self.handle.only_warned() => Ok(Outcome::Warned),
            _ => Err(PixelError::Corrupt),
        }
    }
}

fn length(jpeg: &[u8]) -> raw::size_t {
    jpeg.len() as raw::size_t
}

/// Owns a decompressor.
#[derive(Debug)]
struct Handle(NonNull<c_void>);

impl Handle {
    fn new() -> Result<Self, PixelError> {
        // SAFETY: no requirements; null is checked.
        let raw = unsafe { raw::tj3Init(raw::TJINIT_TJINIT_DECOMPRESS as c_int) };
        let mut handle = Handle(NonNull::new(raw).ok_or(PixelError::Unsupported)?);
        // SAFETY: the handle is open.
        let code = unsafe { raw::tj3Set(handle.raw(), raw::TJPARAM_TJPARAM_SCANLIMIT as c_int, MOST_SCANS) };
        if code == 0 { Ok(handle) } else { Err(PixelError::Unsupported) }
    }

    fn raw(&mut self) -> raw::tjhandle {
        self.0.as_ptr()
    }

    /// Whether the last error came after, or was, a warning: an error after a warning is told as one too, so that the
    /// caller looks at what was written.
    fn only_warned(&mut self) -> bool {
        // SAFETY: the handle is open.
        let code = unsafe { raw::tj3GetErrorCode(self.raw()) };
        code == raw::TJERR_TJERR_WARNING as c_int
    }

    fn get(&mut self, parameter: raw::TJPARAM) -> c_int {
        // SAFETY: the handle is open.
        unsafe { raw::tj3Get(self.raw(), parameter as c_int) }
    }

    /// Sizes are -1 as long as no header was understood.
    fn header(&mut self) -> Result<Header, PixelError> {
        let side = |side: c_int| usize::try_from(side).ok().filter(|side| *side > 0).ok_or(PixelError::Corrupt);
        let width = side(self.get(raw::TJPARAM_TJPARAM_JPEGWIDTH))?;
        let height = side(self.get(raw::TJPARAM_TJPARAM_JPEGHEIGHT))?;
        let color = self.get(raw::TJPARAM_TJPARAM_COLORSPACE);
        let known = [Colorspace::YCbCr, Colorspace::Gray].into_iter().any(|known| known as c_int == color);
        if !known || self.get(raw::TJPARAM_TJPARAM_LOSSLESS) != 0 {
            return Err(PixelError::Unsupported);
        }
        let subsamp = self.get(raw::TJPARAM_TJPARAM_SUBSAMP);
        let subsamp = SUBSAMPLINGS.into_iter().find(|known| *known as c_int == subsamp);
        Ok(Header { width, height, subsamp: subsamp.ok_or(PixelError::Unsupported)? })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: open, and closed only here.
        unsafe { raw::tj3Destroy(self.0.as_ptr()) }
    }
}

const SUBSAMPLINGS: [Subsamp; 7] =
    [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub2x2, Subsamp::Gray, Subsamp::Sub1x2, Subsamp::Sub4x1, Subsamp::Sub1x4];
