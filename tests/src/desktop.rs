//! A separate display with its contents, and a message bus. Nothing else on the machine sees them.

use crate::PATIENCE;
use crate::scratch::Scratch;
use crate::skip::skip_unless;
use engine::media::stamp::{self, Stamp};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConfigureWindowAux, ConnectionExt as _, EventMask, ImageFormat, MapState, Window,
};
use x11rb::rust_connection::RustConnection;

const WIDTH: u32 = 1_800;
const HEIGHT: u32 = 1_000;

/// A rectangle on the screen, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// A display without anything on it.
pub struct Display {
    name: String,
    _x: Ended,
}

impl Display {
    /// Starts a display of this size, `WIDTHxHEIGHT`.
    pub fn start(size: &str) -> Display {
        let mut x = Command::new("Xvfb");
        x.args(["-displayfd", "1", "-screen", "0", &format!("{size}x24"), "-nolisten", "tcp"]);
        let (x, number) = started(&mut x);
        Display { name: format!(":{number}"), _x: x }
    }

    /// The value of the variable `DISPLAY`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A virtual desktop.
pub struct Desktop {
    screen: RustConnection,
    root: u32,
    display: Display,
    bus: String,
    home: Scratch,
    _bus: Ended,
}

impl Desktop {
    /// Whether the tools for a desktop and a driven window are installed. Reports a skip if not.
    pub fn available() -> bool {
        ["Xvfb", "dbus-daemon", "xdotool", "WebKitWebDriver"].into_iter().all(skip_unless)
    }

    /// Starts a display and a bus.
    pub fn start() -> Desktop {
        let display = Display::start(&format!("{WIDTH}x{HEIGHT}"));
        let mut dbus = Command::new("dbus-daemon");
        let (dbus, bus) = started(dbus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]));
        let (screen, number) = x11rb::connect(Some(display.name())).expect("the display");
        let root = screen.setup().roots[number].root;
        Desktop { screen, root, display, bus, home: Scratch::new("desktop"), _bus: dbus }
    }

    /// Returns a command that runs a program on this desktop, with its own home folder.
    pub fn program(&self, program: &str) -> Command {
        let home = self.home.path();
        let mut command = Command::new(program);
        command
            .env("DISPLAY", self.display.name())
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus)
            .env("HOME", home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_RUNTIME_DIR", home)
            .env("LANG", "C.UTF-8")
            .env("LUNCHROOM_LOG", "debug")
            .env_remove("WAYLAND_DISPLAY");
        command
    }

    /// The home folder of the desktop's user.
    pub fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Moves and resizes the window with this title. Waits until there is one.
    pub fn place(&self, title: &str, place: Rect) {
        let Rect { x, y, width, height } = place;
        let wanted = ConfigureWindowAux::new().x(x as i32).y(y as i32).width(width).height(height);
        self.screen.configure_window(self.window(title), &wanted).expect("the display").check().expect("a window");
    }

    /// Where the visible window with this title is. Waits until there is one.
    pub fn place_of(&self, title: &str) -> Rect {
        let window = self.window(title);
        let size = self.screen.get_geometry(window).expect("the display").reply().expect("its size");
        let corner = self.screen.translate_coordinates(window, self.root, 0, 0).expect("the display").reply();
        let corner = corner.expect("its corner");
        Rect {
            x: corner.dst_x as u32,
            y: corner.dst_y as u32,
            width: u32::from(size.width),
            height: u32::from(size.height),
        }
    }

    /// Whether a window with this title is visible.
    pub fn is_visible(&self, title: &str) -> bool {
        !self.windows(title).is_empty()
    }

    /// Asks a window to close, as its close button does (ICCCM 4.2.8.1, `WM_DELETE_WINDOW`).
    pub fn close(&self, title: &str) {
        let atom = |name: &str| {
            let interned = self.screen.intern_atom(false, name.as_bytes()).expect("the display").reply();
            interned.expect("an atom").atom
        };
        let (protocols, delete) = (atom("WM_PROTOCOLS"), atom("WM_DELETE_WINDOW"));
        let window = self.window(title);
        let message = ClientMessageEvent::new(32, window, protocols, [delete, x11rb::CURRENT_TIME, 0, 0, 0]);
        self.screen.send_event(false, window, EventMask::NO_EVENT, message).expect("the display");
        self.screen.flush().expect("the display");
    }

    /// Presses, holds or releases keys, whichever window is focused: `key`, `keydown` or `keyup`, and xdotool's names.
    pub fn keys(&self, action: &str, keys: &str) {
        let done = self.program("xdotool").args([action, keys]).status().expect("xdotool");
        assert!(done.success(), "{keys}");
    }

    /// The first visible window with this title. Waits until there is one.
    fn window(&self, title: &str) -> Window {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(&window) = self.windows(title).first() {
                return window;
            }
            assert!(Instant::now() < end, "no visible window called {title}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The visible windows with this title. `xdotool search` fails as a whole if any window vanishes meanwhile.
    fn windows(&self, title: &str) -> Vec<Window> {
        let (mut found, mut left) = (Vec::new(), vec![self.root]);
        while let Some(window) = left.pop() {
            if let Ok(tree) = self.screen.query_tree(window).expect("the display").reply() {
                left.extend(tree.children);
            }
            if self.has_title(window, title) && self.is_viewable(window) {
                found.push(window);
            }
        }
        found
    }

    fn has_title(&self, window: Window, title: &str) -> bool {
        let longest = title.len() as u32; // in units of four bytes
        let name = self.screen.get_property(false, window, AtomEnum::WM_NAME, AtomEnum::ANY, 0, longest);
        name.expect("the display").reply().is_ok_and(|name| name.value == title.as_bytes())
    }

    fn is_viewable(&self, window: Window) -> bool {
        let attributes = self.screen.get_window_attributes(window).expect("the display").reply();
        attributes.is_ok_and(|attributes| attributes.map_state == MapState::VIEWABLE)
    }

    /// Counts the pixels on the screen with this colour, within the tolerance of drawing.
    pub fn colored(&self, (red, green, blue): (u8, u8, u8)) -> usize {
        let (width, height) = (WIDTH as u16, HEIGHT as u16);
        let asked = self.screen.get_image(ImageFormat::Z_PIXMAP, self.root, 0, 0, width, height, u32::MAX);
        let image = asked.expect("the display").reply().expect("the display");
        let near = |a: u8, b: u8| a.abs_diff(b) <= 12;
        image.data.chunks_exact(4).filter(|p| near(p[2], red) && near(p[1], green) && near(p[0], blue)).count()
    }

    /// Returns the stamp of the picture that is displayed in this rectangle now.
    pub fn stamp(&self, at: Rect) -> Option<Stamp> {
        if at.x + at.width > WIDTH || at.y + at.height > HEIGHT || at.width == 0 {
            return None;
        }
        // Request only one line through each row of the stamp's cells, both at the same time. Requesting whole bands
        // many times a second would keep the display server busy.
        let cells = f64::from(at.height) * 0.1 / 2.0;
        let line = |row: f64| {
            let (y, width) = (f64::from(at.y) + (row + 0.5) * cells, at.width as u16);
            self.screen.get_image(ImageFormat::Z_PIXMAP, self.root, at.x as i16, y as i16, width, 1, u32::MAX).ok()
        };
        let (upper, lower) = (line(0.0)?, line(1.0)?);
        let mut luma = Vec::with_capacity((at.width * STAMP_ROWS) as usize);
        for asked in [upper, lower] {
            luma.extend(asked.reply().ok()?.data.chunks_exact(4).map(brightness));
        }
        // A picture of this height has cells of one row.
        luma.resize((at.width * STAMP_ROWS) as usize, 0);
        stamp::read_luma(&luma, at.width as usize, at.width, STAMP_ROWS)
    }
}

/// Height of a picture whose stamp has cells of one row: two rows are a tenth of it.
const STAMP_ROWS: u32 = 20;

/// Brightness of a pixel of Xvfb at a depth of 24: blue, green, red, padding.
fn brightness(pixel: &[u8]) -> u8 {
    ((u32::from(pixel[2]) * 77 + u32::from(pixel[1]) * 150 + u32::from(pixel[0]) * 29) >> 8) as u8
}

/// A process that is killed on drop.
pub struct Ended(pub Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program that prints one line when it is ready.
fn started(command: &mut Command) -> (Ended, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    assert!(!line.trim().is_empty(), "{command:?} printed nothing");
    (Ended(child), line.trim().to_owned())
}
