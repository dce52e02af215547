//! The pointer, which is not in the pixels of a screen.

use super::super::ScreenError;
use super::display::{Display, failed, no_reply};
use super::target::Place;
use x11rb::protocol::xfixes::{self, ConnectionExt as _, CursorNotifyMask, GetCursorImageReply};
use x11rb::protocol::xproto::ConnectionExt as _;

/// The largest side of a pointer's image, in pixels. A larger one is not drawn.
const LARGEST: u16 = 512;

/// The pointer: where it is, and how it looks.
pub(super) struct Pointer {
    at: (i32, i32),
    image: Option<GetCursorImageReply>,
    /// Whether it was within the source.
    within: bool,
}

/// A part of the source that is being converted: `rows` rows of `width` pixels from row `top` on.
pub(super) struct Band<'a> {
    pub(super) bytes: &'a mut [u8],
    pub(super) top: i32,
    pub(super) width: i32,
    pub(super) rows: i32,
}

impl Pointer {
    pub(super) fn new(display: &Display) -> Result<Pointer, ScreenError> {
        let mask = CursorNotifyMask::DISPLAY_CURSOR;
        xfixes::select_cursor_input(&display.connection, display.root, mask).map_err(|error| failed(&error))?;
        Ok(Pointer { at: (0, 0), image: None, within: false })
    }

    /// Looks where it is. Returns whether it has to be drawn elsewhere or in another shape.
    pub(super) fn poll(&mut self, display: &Display, place: Place) -> Result<bool, ScreenError> {
        let asked = display.connection.query_pointer(display.root).map_err(|error| failed(&error))?;
        let found = asked.reply().map_err(|error| no_reply(&error))?;
        let (at, before) = ((i32::from(found.root_x), i32::from(found.root_y)), self.at);
        let shape = display.take_new_pointer();
        self.at = at;
        let was_within = std::mem::replace(&mut self.within, found.same_screen && place.contains(at));
        if self.within && (shape || self.image.is_none()) {
            let asked = display.connection.xfixes_get_cursor_image().map_err(|error| failed(&error))?;
            self.image = asked.reply().ok().filter(is_sound);
        } else if shape {
            self.image = None;
        }
        Ok((self.within || was_within) && (shape || at != before || self.within != was_within))
    }

    /// Draws it into a band of the source at `place`.
    pub(super) fn draw(&self, place: Place, band: &mut Band<'_>) {
        let Some(image) = self.image.as_ref().filter(|_| self.within) else { return };
        let left = self.at.0 - i32::from(image.xhot) - place.x;
        let top = self.at.1 - i32::from(image.yhot) - place.y - band.top;
        for (row, line) in image.cursor_image.chunks_exact(usize::from(image.width).max(1)).enumerate() {
            let y = top + row as i32;
            if !(0..band.rows).contains(&y) {
                continue;
            }
            for (column, pixel) in line.iter().enumerate() {
                let x = left + column as i32;
                if (0..band.width).contains(&x) {
                    let start = ((y * band.width + x) * 4) as usize;
                    blend(*pixel, &mut band.bytes[start..start + 4]);
                }
            }
        }
    }
}

/// Whether the image has the pixels that it claims to have.
fn is_sound(image: &GetCursorImageReply) -> bool {
    let pixels = usize::from(image.width) * usize::from(image.height);
    image.width <= LARGEST && image.height <= LARGEST && image.cursor_image.len() >= pixels
}

/// Puts a pixel of the pointer (alpha, red, green, blue; colours multiplied by alpha) over one of the screen.
fn blend(pixel: u32, under: &mut [u8]) {
    let [blue, green, red, alpha] = pixel.to_le_bytes();
    let through = 255 - u32::from(alpha);
    for (under, over) in under.iter_mut().zip([blue, green, red]) {
        *under = (u32::from(over) + (u32::from(*under) * through + 127) / 255).min(255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(at: (i32, i32)) -> Pointer {
        let white = 0xFFFF_FFFF;
        let cursor_image = vec![white, 0, 0x8080_8080, white];
        let image = GetCursorImageReply { width: 2, height: 2, cursor_image, ..Default::default() };
        Pointer { at, image: Some(image), within: true }
    }

    fn drawn(at: (i32, i32), top: i32) -> Vec<u8> {
        let mut bytes = vec![100; 4 * 2 * 4];
        let place = Place { x: 10, y: 20, width: 4, height: 4, visible: true };
        pointer(at).draw(place, &mut Band { bytes: &mut bytes, top, width: 4, rows: 2 });
        bytes.chunks(4).map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn it_covers_shows_through_and_is_cut_at_the_edges() {
        assert_eq!(drawn((11, 20), 0), [100, 255, 100, 100, 100, 178, 255, 100]);
        assert_eq!(drawn((13, 19), 0), [100, 100, 100, 178, 100, 100, 100, 100]);
        assert_eq!(drawn((9, 19), 2), [100, 100, 100, 100, 100, 100, 100, 100], "in the band above");
        assert_eq!(drawn((9, 21), 1), [100, 100, 100, 100, 255, 100, 100, 100]);
    }
}
