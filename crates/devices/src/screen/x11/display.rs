//! The connection with the X server.

use super::super::ScreenError;
use std::cell::Cell;
use x11rb::connection::{Connection, RequestConnection as _};
use x11rb::errors::{ConnectionError, ReplyError, ReplyOrIdError};
use x11rb::protocol::xproto::{ConnectionExt as _, ImageOrder, Screen, Window};
use x11rb::protocol::{Event, composite, damage, randr, shm, xfixes};
use x11rb::rust_connection::RustConnection;

/// A connection with the display of the environment.
pub(super) struct Display {
    pub(super) connection: RustConnection,
    pub(super) root: Window,
    /// Whether images can come through shared memory, as on a display of this machine.
    pub(super) shares_memory: bool,
    /// Whether windows have their own pixels, also where another window covers them.
    pub(super) composites: bool,
    /// Whether it knows its monitors.
    pub(super) knows_monitors: bool,
    /// Whether the pointer has another shape since [`Display::take_new_pointer`].
    new_pointer: Cell<bool>,
}

impl Display {
    pub(super) fn open() -> Result<Display, ScreenError> {
        // An X server for old programs runs on Wayland too, but shows nothing of other programs.
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if is_set("WAYLAND_DISPLAY") {
            return Err(ScreenError::Wayland);
        }
        let (connection, number) = x11rb::connect(None).map_err(|error| {
            tracing::debug!("no X11 display: {error}");
            ScreenError::NoDisplay
        })?;
        let screen = connection.setup().roots.get(number).ok_or(ScreenError::NoDisplay)?;
        if !has_usual_pixels(&connection, screen) {
            return Err(ScreenError::Lacks("pixels of 32 bits"));
        }
        let root = screen.root;
        let mut display = Display {
            connection,
            root,
            shares_memory: false,
            composites: false,
            knows_monitors: false,
            new_pointer: Cell::new(true),
        };
        display.greet()?;
        Ok(display)
    }

    /// Tells the server which versions of its extensions are meant.
    fn greet(&mut self) -> Result<(), ScreenError> {
        let has = |name| self.connection.extension_information(name).map(|found| found.is_some());
        let of = |error: ConnectionError| failed(&error);
        let (needed, lacks) =
            (has(damage::X11_EXTENSION_NAME).map_err(of)?, has(xfixes::X11_EXTENSION_NAME).map_err(of)?);
        if !needed || !lacks {
            return Err(ScreenError::Lacks("the extensions DAMAGE and XFIXES"));
        }
        xfixes::query_version(&self.connection, 5, 0).map_err(of)?.reply().map_err(|error| failed(&error))?;
        damage::query_version(&self.connection, 1, 1).map_err(of)?.reply().map_err(|error| failed(&error))?;
        self.shares_memory = has(shm::X11_EXTENSION_NAME).map_err(of)? && self.passes_memory();
        self.composites = has(composite::X11_EXTENSION_NAME).map_err(of)? && {
            let version = composite::query_version(&self.connection, 0, 4).map_err(of)?.reply();
            version.is_ok_and(|version| (version.major_version, version.minor_version) >= (0, 2))
        };
        self.knows_monitors = has(randr::X11_EXTENSION_NAME).map_err(of)? && {
            let version = randr::query_version(&self.connection, 1, 5).map_err(of)?.reply();
            version.is_ok_and(|version| (version.major_version, version.minor_version) >= (1, 5))
        };
        Ok(())
    }

    /// MIT-SHM 1.2 takes memory as a file descriptor, which only a socket of this machine passes.
    fn passes_memory(&self) -> bool {
        let version = shm::query_version(&self.connection).ok().and_then(|asked| asked.reply().ok());
        version.is_some_and(|version| (version.major_version, version.minor_version) >= (1, 2))
    }

    /// Takes the events that wait. Returns whether one reports damage.
    pub(super) fn take_events(&self) -> Result<bool, ScreenError> {
        let mut damaged = false;
        while let Some(event) = self.connection.poll_for_event().map_err(|_| ScreenError::NoDisplay)? {
            match event {
                Event::DamageNotify(_) => damaged = true,
                Event::XfixesCursorNotify(_) => self.new_pointer.set(true),
                _ => {}
            }
        }
        Ok(damaged)
    }

    /// Whether the pointer has another shape since the last call.
    pub(super) fn take_new_pointer(&self) -> bool {
        self.new_pointer.take()
    }

    /// The atom with this name.
    pub(super) fn atom(&self, name: &str) -> Option<u32> {
        Some(self.connection.intern_atom(false, name.as_bytes()).ok()?.reply().ok()?.atom)
    }

    pub(super) fn flush(&self) -> Result<(), ScreenError> {
        self.connection.flush().map_err(|error| failed(&error))
    }
}

/// Whether images have 32 bits a pixel in the order blue, green, red, as on nearly every display.
fn has_usual_pixels(connection: &RustConnection, screen: &Screen) -> bool {
    let setup = connection.setup();
    let format = setup.pixmap_formats.iter().find(|format| format.depth == screen.root_depth);
    let depths = screen.allowed_depths.iter().flat_map(|depth| &depth.visuals);
    let visual = depths.into_iter().find(|visual| visual.visual_id == screen.root_visual);
    setup.image_byte_order == ImageOrder::LSB_FIRST
        && format.is_some_and(|format| format.bits_per_pixel == 32 && format.scanline_pad <= 32)
        && visual.is_some_and(|v| (v.red_mask, v.green_mask, v.blue_mask) == (0xFF_0000, 0xFF00, 0xFF))
}

/// A failure of the display.
pub(super) fn failed(error: &dyn std::error::Error) -> ScreenError {
    ScreenError::Backend(error.to_string())
}

/// The failure of a reply. A broken connection ends the capture.
pub(super) fn no_reply(error: &ReplyError) -> ScreenError {
    match error {
        ReplyError::ConnectionError(_) => ScreenError::NoDisplay,
        ReplyError::X11Error(_) => failed(error),
    }
}

/// The failure to make a resource.
pub(super) fn no_id(error: &ReplyOrIdError) -> ScreenError {
    failed(error)
}
