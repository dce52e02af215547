//! Decodes one JPEG with TurboJPEG.
//!
//! The `turbojpeg` crate does not report whether an error was only a warning, and reuses a decompressor. Here each
//! frame has its own decompressor, so that the state that a damaged frame leaves behind (a partly read header, tables)
//! cannot affect another. That costs a few microseconds, where decoding takes milliseconds.

use super::PixelError;
use std::ffi::c_void;
use std::os::raw::c_int;
use std::ptr::NonNull;
use turbojpeg::{Colorspace, Subsamp, raw};

/// Limit on scans. A progressive JPEG of a few kilobytes can take minutes to decode; cameras send baseline.
const MOST_SCANS: c_int = 16;

/// The header of a JPEG.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) subsamp: Subsamp,
}

/// How completely a frame was decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Without warnings.
    Clean,
    /// libjpeg warned and continued. Missing samples are unchanged, or grey (128 in each plane).
    Warned,
}

/// A JPEG whose header has been read.
#[derive(Debug)]
pub(super) struct JpegImage<'a> {
    handle: Handle,
    jpeg: &'a [u8],
    header: Header,
}

impl<'a> JpegImage<'a> {
    /// Reads the header. Warnings are ignored as long as the header describes the frame.
    pub(super) fn read(jpeg: &'a [u8]) -> Result<Self, PixelError> {
        let mut handle = Handle::new()?;
        // SAFETY: the handle is valid, and TurboJPEG reads at most `length` bytes.
        let code = unsafe { raw::tj3DecompressHeader(handle.raw(), jpeg.as_ptr(), length(jpeg)) };
        if code != 0 && !handle.only_warned() {
            return Err(PixelError::Corrupt);
        }
        let header = handle.header()?;
        Ok(JpegImage { handle, jpeg, header })
    }

    pub(super) fn header(&self) -> Header {
        self.header
    }

    /// Number of bytes that [`decompress`](Self::decompress) writes: consecutive planes without padding, whose sides
    /// are rounded up to whole chroma samples.
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
        // SAFETY: the handle is valid. It reads the same bytes as `read` did, so it finds the same size and
        // subsampling, and writes at most `planes_len` bytes.
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
        // SAFETY: no requirements; a null result is checked.
        let raw = unsafe { raw::tj3Init(raw::TJINIT_TJINIT_DECOMPRESS as c_int) };
        let mut handle = Handle(NonNull::new(raw).ok_or(PixelError::Unsupported)?);
        // SAFETY: the handle is valid.
        let code = unsafe { raw::tj3Set(handle.raw(), raw::TJPARAM_TJPARAM_SCANLIMIT as c_int, MOST_SCANS) };
        if code == 0 { Ok(handle) } else { Err(PixelError::Unsupported) }
    }

    fn raw(&mut self) -> raw::tjhandle {
        self.0.as_ptr()
    }

    /// Whether the last error was a warning or followed one. TurboJPEG then reports the error as a warning too, so the
    /// caller must check the decoded samples.
    fn only_warned(&mut self) -> bool {
        // SAFETY: the handle is valid.
        let code = unsafe { raw::tj3GetErrorCode(self.raw()) };
        code == raw::TJERR_TJERR_WARNING as c_int
    }

    fn get(&mut self, parameter: raw::TJPARAM) -> c_int {
        // SAFETY: the handle is valid.
        unsafe { raw::tj3Get(self.raw(), parameter as c_int) }
    }

    /// Reads the header values. Sizes are -1 if no header was parsed.
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
        // SAFETY: the handle is valid, and is destroyed only here.
        unsafe { raw::tj3Destroy(self.0.as_ptr()) }
    }
}

const SUBSAMPLINGS: [Subsamp; 7] =
    [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub2x2, Subsamp::Gray, Subsamp::Sub1x2, Subsamp::Sub4x1, Subsamp::Sub1x4];
