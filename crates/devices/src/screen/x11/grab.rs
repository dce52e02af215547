//! Takes the pixels of a source, in bands, so that a large screen needs little memory.

use super::super::{ScreenError, fit};
use super::display::{Display, failed, no_reply};
use super::memory::SharedMemory;
use super::pointer::{Band, Pointer};
use super::target::{Place, Target};
use codecs::pixels::{self, Plane};
use media::frame::{FramePool, VideoFrame};
use std::time::Instant;
use x11rb::protocol::shm::ConnectionExt as _;
use x11rb::protocol::xproto::{ConnectionExt as _, Drawable, ImageFormat};

/// Bytes of a pixel.
const PIXEL: u32 = 4;
/// The size of a band, in bytes: a screen of 1920x1080 is one.
const BAND: u32 = 8 * 1024 * 1024 + 512 * 1024;
/// A source is shrunk by a whole number while it is read until no side is longer, so that its copy stays below 15 MB.
const READ: (u32, u32) = (3840, 2400);
/// The smallest side of a source, in pixels.
const SMALLEST: u32 = 2;

/// Takes pictures of a source.
pub(super) struct Grabber {
    memory: Option<SharedMemory>,
    /// The copies in full size. Of those that are scaled, there is one at a time.
    copies: FramePool,
    scaled: FramePool,
}

/// A request for a band of pixels.
#[derive(Clone, Copy)]
struct Part {
    drawable: Drawable,
    x: i32,
    y: i32,
    width: u32,
    rows: u32,
}

impl Grabber {
    pub(super) fn new(display: &Display) -> Result<Grabber, ScreenError> {
        let memory = match display.shares_memory {
            true => SharedMemory::new(display, BAND as usize)
                .inspect_err(|error| tracing::debug!("no shared memory with the display: {error}"))
                .ok(),
            false => None,
        };
        Ok(Grabber { memory, copies: FramePool::new(), scaled: FramePool::new() })
    }

    /// A picture of the source as it is now, within `most`. Without a pointer, none is drawn.
    pub(super) fn take(
        &mut self,
        display: &Display,
        target: &Target,
        pointer: Option<&Pointer>,
        most: (u32, u32),
    ) -> Result<VideoFrame, ScreenError> {
        let (place, (drawable, x, y), time) = (target.place(), target.drawable(display), Instant::now());
        let shrink = shrink(place);
        let even = |side: u32| (side / shrink) & !1;
        let (width, height) = (even(place.width), even(place.height));
        if width < SMALLEST || height < SMALLEST {
            return Err(ScreenError::Backend("it is too small".into()));
        }
        let (read_width, band) = (width * shrink, band_rows(width, shrink));
        let mut out = self.copies.take(width, height);
        for top in (0..height).step_by(band as usize) {
            let rows = band.min(height - top) * shrink;
            let part = Part { drawable, x, y: y + (top * shrink) as i32, width: read_width, rows };
            self.with_pixels(display, part, |bytes| {
                let mut band = Band { bytes, top: (top * shrink) as i32, width: read_width as i32, rows: rows as i32 };
                if let Some(pointer) = pointer {
                    pointer.draw(place, &mut band);
                }
                let plane = Plane { bytes: band.bytes, stride: (read_width * PIXEL) as usize };
                pixels::bgrx(plane, rows as usize, shrink as usize, top as usize, &mut out)
                    .map_err(|error| failed(&error))
            })?;
        }
        let frame = out.freeze(time);
        let (width, height) = fit((width, height), most);
        Ok(pixels::scale(&frame, width, height, &self.scaled))
    }

    fn with_pixels(
        &mut self,
        display: &Display,
        part: Part,
        mut use_them: impl FnMut(&mut [u8]) -> Result<(), ScreenError>,
    ) -> Result<(), ScreenError> {
        let Part { drawable, x, y, width, rows } = part;
        let (connection, format) = (&display.connection, ImageFormat::Z_PIXMAP);
        let (x, y, width, rows) = (x as i16, y as i16, width as u16, rows as u16);
        let len = usize::from(width) * usize::from(rows) * PIXEL as usize;
        if let Some(memory) = &mut self.memory {
            let asked = connection.shm_get_image(drawable, x, y, width, rows, !0, format.into(), memory.segment, 0);
            asked.map_err(|error| failed(&error))?.reply().map_err(|error| no_reply(&error))?;
            let bytes = memory.bytes().get_mut(..len).ok_or_else(|| ScreenError::Backend("a band is too large".into()));
            return use_them(bytes?);
        }
        let asked = connection.get_image(format, drawable, x, y, width, rows, !0).map_err(|error| failed(&error))?;
        let mut image = asked.reply().map_err(|error| no_reply(&error))?;
        use_them(&mut image.data)
    }
}

/// By how much to shrink a source while it is read.
fn shrink(place: Place) -> u32 {
    place.width.div_ceil(READ.0).max(place.height.div_ceil(READ.1)).max(1)
}

/// Rows of the picture in a band; even.
fn band_rows(width: u32, shrink: u32) -> u32 {
    ((BAND / (width * shrink * PIXEL * shrink)) & !1).max(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest sizes of X11 too.
    #[test]
    fn no_source_needs_more_memory_than_a_band_and_a_copy_of_twice_the_largest_share() {
        for (width, height) in
            [(1920, 1080), (3840, 2160), (7680, 4320), (16_384, 16_384), (32_767, 32_767), (3, 9_000)]
        {
            let shrink = shrink(Place { width, height, ..Place::default() });
            let (wide, high) = ((width / shrink) & !1, (height / shrink) & !1);
            assert!(VideoFrame::byte_len(wide, high) <= 15_000_000, "{width}x{height}");
            let band = band_rows(wide.max(2), shrink) * shrink * wide * shrink * PIXEL;
            assert!(band <= BAND, "{width}x{height}: {band}");
        }
        assert_eq!((shrink(Place { width: 1920, height: 1080, ..Place::default() }), band_rows(1920, 1)), (1, 1160));
    }
}
