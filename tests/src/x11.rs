//! Programs on a display that only one test uses.
#![allow(clippy::unwrap_used)] // Helpers of tests.

use crate::desktop::Display;
use crate::only;
use crate::skip_unless;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    AtomEnum, ChangeGCAux, ConfigureWindowAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, PropMode, Rectangle,
    Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

/// Set in the process of a test that has a display.
pub const WITHIN: &str = "LUNCHROOM_TEST_WITHIN";

/// Runs a test of `module` (`module_path!()`) in a process of its own, whose environment names a display of this size.
pub fn on_a_display(module: &str, name: &str, size: &str, test: impl FnOnce()) {
    if std::env::var_os(WITHIN).is_some() {
        return test();
    }
    if !skip_unless("Xvfb") {
        return;
    }
    let display = Display::start(size);
    let mut alone = only(module, name);
    alone.env("DISPLAY", display.name()).env(WITHIN, "1");
    assert!(alone.env_remove("WAYLAND_DISPLAY").status().unwrap().success());
}

/// A program with one window.
pub struct Program {
    /// Its connection with the display.
    pub connection: RustConnection,
    /// Its window.
    pub window: Window,
    root: Window,
}

impl Program {
    /// Opens a black window there, with the title `Soup`.
    pub fn start(x: i16, y: i16, width: u16, height: u16) -> Program {
        let (connection, number) = x11rb::connect(None).unwrap();
        let (root, window) = (connection.setup().roots[number].root, connection.generate_id().unwrap());
        let aux = CreateWindowAux::new().background_pixel(0);
        let class = WindowClass::INPUT_OUTPUT;
        connection.create_window(0, window, root, x, y, width, height, 0, class, 0, &aux).unwrap();
        let name = AtomEnum::WM_NAME;
        connection.change_property8(PropMode::REPLACE, window, name, AtomEnum::STRING, b"Soup").unwrap();
        connection.map_window(window).unwrap();
        connection.sync().unwrap();
        Program { connection, window, root }
    }

    /// Fills a part of the window.
    pub fn paint(&self, color: u32, at: Rectangle) {
        let pen = self.connection.generate_id().unwrap();
        self.connection.create_gc(pen, self.window, &CreateGCAux::new()).unwrap();
        self.connection.change_gc(pen, &ChangeGCAux::new().foreground(color)).unwrap();
        self.connection.poly_fill_rectangle(self.window, pen, &[at]).unwrap();
        self.connection.sync().unwrap();
    }

    /// Moves or resizes the window.
    pub fn configure(&self, aux: ConfigureWindowAux) {
        self.connection.configure_window(self.window, &aux).unwrap();
        self.connection.sync().unwrap();
    }

    /// Moves the pointer of the display.
    pub fn move_pointer(&self, x: i16, y: i16) {
        self.connection.warp_pointer(x11rb::NONE, self.root, 0, 0, 0, 0, x, y).unwrap();
        self.connection.sync().unwrap();
    }

    /// Scrolls the page up by this many lines. What appears below is what was there.
    pub fn scroll(&self, lines: u16) {
        let pen = self.connection.generate_id().unwrap();
        self.connection.create_gc(pen, self.window, &CreateGCAux::new()).unwrap();
        let size = self.connection.get_geometry(self.window).unwrap().reply().unwrap();
        let (by, whole) = (lines * LINE, (size.width, size.height));
        let (window, connection) = (self.window, &self.connection);
        connection.copy_area(window, window, pen, 0, by as i16, 0, 0, whole.0, whole.1 - by).unwrap();
        connection.sync().unwrap();
    }

    /// Writes a page of small text, another one for each number.
    pub fn write_page(&self, number: u64) {
        let (font, pen) = (self.connection.generate_id().unwrap(), self.connection.generate_id().unwrap());
        self.connection.open_font(font, b"fixed").unwrap();
        let white = CreateGCAux::new().foreground(0xFF_FFFF).background(0xFF_FFFF).font(font);
        self.connection.create_gc(pen, self.window, &white).unwrap();
        let size = self.connection.get_geometry(self.window).unwrap().reply().unwrap();
        let whole = Rectangle { x: 0, y: 0, width: size.width, height: size.height };
        self.connection.poly_fill_rectangle(self.window, pen, &[whole]).unwrap();
        self.connection.change_gc(pen, &ChangeGCAux::new().foreground(0x20_2020)).unwrap();
        let mut random = number * 7_919 + 1;
        for line in 1..size.height / LINE {
            let text: Vec<u8> = (0..LETTERS).map(|_| letter(&mut random)).collect();
            self.connection.image_text8(self.window, pen, 10, (line * LINE) as i16, &text).unwrap();
        }
        self.connection.sync().unwrap();
    }
}

/// Height of a line of text, and most letters in one.
const LINE: u16 = 13;
const LETTERS: usize = 250;

/// A letter or a space, at random.
fn letter(random: &mut u64) -> u8 {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    if (*random).is_multiple_of(6) { b' ' } else { b'!' + (*random % 90) as u8 }
}
