//! The screen or window that is captured, and where it is.

use super::super::ScreenError;
use super::display::{Display, failed, no_id, no_reply};
use super::monitors::{Monitor, monitors};
use std::time::{Duration, Instant};
use x11rb::connection::Connection as _;
use x11rb::errors::ReplyError;
use x11rb::protocol::composite::{self, Redirect};
use x11rb::protocol::damage::{self, Damage, ReportLevel};
use x11rb::protocol::xproto::{ConnectionExt as _, Drawable, MapState, Pixmap, Window};

/// How often monitors are looked for: they rarely change.
const LOOK: Duration = Duration::from_secs(1);
/// Some programs draw without damage that the server reports. So a picture is taken at least this often.
const AT_LEAST: Duration = Duration::from_secs(10);

/// The id of a monitor and of a window.
pub(super) const SCREEN: &str = "screen:";
pub(super) const WINDOW: &str = "window:";

/// Where a source is on the screen, in pixels of the root window, and its size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: u32,
    pub(super) height: u32,
    /// Whether it has pixels now: a minimised window has none.
    pub(super) visible: bool,
}

impl Place {
    pub(super) fn contains(self, (x, y): (i32, i32)) -> bool {
        (self.x..self.x + self.width as i32).contains(&x) && (self.y..self.y + self.height as i32).contains(&y)
    }
}

/// What is captured.
pub(super) struct Target {
    kind: Kind,
    place: Place,
    damage: Damage,
    looked: Instant,
    /// When the last picture was due.
    taken: Option<Instant>,
}

enum Kind {
    Monitor(String),
    Window {
        window: Window,
        border: u16,
        /// Whether it has pixels of its own, and these, for its present size.
        redirected: bool,
        pixels: Option<Pixmap>,
    },
}

impl Target {
    /// Begins to follow a source.
    pub(super) fn open(display: &Display, id: &str) -> Result<Target, ScreenError> {
        let (kind, watched) = if let Some(name) = id.strip_prefix(SCREEN) {
            (Kind::Monitor(name.to_owned()), display.root)
        } else {
            let number = id.strip_prefix(WINDOW).and_then(|id| u32::from_str_radix(id, 16).ok());
            let window = number.filter(|window| *window != display.root).ok_or(ScreenError::NotFound)?;
            (Kind::Window { window, border: 0, redirected: false, pixels: None }, window)
        };
        let connection = &display.connection;
        let damage = connection.generate_id().map_err(|error| no_id(&error))?;
        let made = damage::create(connection, damage, watched, ReportLevel::NON_EMPTY).map_err(|e| failed(&e))?;
        made.check().map_err(|_| ScreenError::NotFound)?;
        let now = Instant::now();
        let mut target = Target { kind, place: Place::default(), damage, looked: now, taken: None };
        target
            .look(display)
            .map_err(|error| if error == ScreenError::Closed { ScreenError::NotFound } else { error })?;
        target.redirect(display);
        Ok(target)
    }

    /// Where the source is.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// What to read, and the position of the source in it.
    pub(super) fn drawable(&self, display: &Display) -> (Drawable, i32, i32) {
        match self.kind {
            Kind::Monitor(_) => (display.root, self.place.x, self.place.y),
            Kind::Window { pixels: Some(pixels), border, .. } => (pixels, border.into(), border.into()),
            Kind::Window { window, .. } => (window, 0, 0),
        }
    }

    /// Whether a picture can be taken now.
    pub(super) fn has_pixels(&self) -> bool {
        match self.kind {
            Kind::Monitor(_) => true,
            Kind::Window { redirected, pixels, .. } => !redirected || pixels.is_some(),
        }
    }

    /// A picture could not be taken: the pixels may be those of another size.
    pub(super) fn forget_pixels(&mut self) {
        self.taken = None;
        self.place.visible = false;
    }

    /// Looks at the source. Returns whether its picture has changed.
    pub(super) fn poll(&mut self, display: &Display) -> Result<bool, ScreenError> {
        let (damaged, now) = (self.take_events(display)?, Instant::now());
        let before = self.place;
        let monitor = matches!(self.kind, Kind::Monitor(_));
        if !monitor || now.duration_since(self.looked) >= LOOK {
            self.looked = now;
            self.look(display)?;
        }
        let resized =
            (before.width, before.height, before.visible) != (self.place.width, self.place.height, self.place.visible);
        if resized || self.place.visible && !self.has_pixels() {
            self.name_pixels(display);
        }
        let moved = monitor && before != self.place;
        let due = self.taken.is_none_or(|at| now.duration_since(at) >= AT_LEAST);
        let changed = damaged || resized || moved || due;
        if changed {
            self.taken = Some(now);
        }
        Ok(changed)
    }

    /// Takes the events that wait. Returns whether one reports damage, which is forgotten before the picture is taken:
    /// what changes meanwhile is reported again.
    fn take_events(&self, display: &Display) -> Result<bool, ScreenError> {
        let damaged = display.take_events()?;
        if damaged {
            let none = x11rb::NONE;
            damage::subtract(&display.connection, self.damage, none, none).map_err(|error| failed(&error))?;
            display.flush()?;
        }
        Ok(damaged)
    }

    /// Finds out where the source is.
    fn look(&mut self, display: &Display) -> Result<(), ScreenError> {
        self.place = match &mut self.kind {
            Kind::Monitor(name) => {
                let found = monitors(display)?.into_iter().find(|monitor| monitor.name == *name);
                let Monitor { x, y, width, height, .. } = found.ok_or(ScreenError::Closed)?;
                Place { x, y, width, height, visible: true }
            }
            Kind::Window { window, border, .. } => {
                let (place, width) = window_place(display, *window)?;
                *border = width;
                place
            }
        };
        Ok(())
    }

    /// Gives a window pixels of its own, so that what covers it is not shared.
    fn redirect(&mut self, display: &Display) {
        let Kind::Window { window, redirected, .. } = &mut self.kind else { return };
        if !display.composites {
            return;
        }
        let asked = composite::redirect_window(&display.connection, *window, Redirect::AUTOMATIC);
        *redirected = asked.is_ok_and(|asked| asked.check().is_ok());
        self.name_pixels(display);
    }

    /// The pixels of a redirected window belong to one size, and to one time for which it is visible.
    fn name_pixels(&mut self, display: &Display) {
        let Kind::Window { window, redirected: true, pixels, .. } = &mut self.kind else { return };
        let connection = &display.connection;
        if let Some(old) = pixels.take() {
            let _ = connection.free_pixmap(old); // it may have gone with its window
        }
        if !self.place.visible {
            return;
        }
        let Ok(name) = connection.generate_id() else { return };
        let named = composite::name_window_pixmap(connection, *window, name);
        *pixels = named.is_ok_and(|named| named.check().is_ok()).then_some(name);
    }
}

/// Where a window is, and the width of its border.
fn window_place(display: &Display, window: Window) -> Result<(Place, u16), ScreenError> {
    let (connection, of) = (&display.connection, |error| failed(&error));
    let attributes = connection.get_window_attributes(window).map_err(of)?;
    let geometry = connection.get_geometry(window).map_err(of)?;
    let position = connection.translate_coordinates(window, display.root, 0, 0).map_err(of)?;
    let (attributes, geometry) = (attributes.reply().map_err(|e| gone(&e))?, geometry.reply().map_err(|e| gone(&e))?);
    let position = position.reply().map_err(|error| gone(&error))?;
    let place = Place {
        x: position.dst_x.into(),
        y: position.dst_y.into(),
        width: geometry.width.into(),
        height: geometry.height.into(),
        visible: attributes.map_state == MapState::VIEWABLE,
    };
    Ok((place, geometry.border_width))
}

/// A window that the server does not know has been closed.
fn gone(error: &ReplyError) -> ScreenError {
    match error {
        ReplyError::X11Error(_) => ScreenError::Closed,
        ReplyError::ConnectionError(_) => no_reply(error),
    }
}
