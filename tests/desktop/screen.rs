//! A display of our own, what is on it, and a bus: nothing else on the machine sees them.

use engine::media::stamp::{self, Stamp};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use whole_system::scratch::Scratch;

const WIDTH: u32 = 1_800;
const HEIGHT: u32 = 1_000;

/// A place on the screen, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rect {
    pub(crate) x: u32,
    pub(crate) y: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// A desktop that nobody sees.
pub(crate) struct Desktop {
    display: String,
    bus: String,
    home: Scratch,
    _processes: [Ended; 2],
}

impl Desktop {
    pub(crate) fn start() -> Desktop {
        let size = format!("{WIDTH}x{HEIGHT}x24");
        let mut x = Command::new("Xvfb");
        x.args(["-displayfd", "1", "-screen", "0", &size, "-nolisten", "tcp"]);
        let (x, display) = started(&mut x);
        let mut dbus = Command::new("dbus-daemon");
        let (dbus, bus) = started(dbus.args(["--session", "--nofork", "--nopidfile", "--print-address=1"]));
        Desktop { display: format!(":{display}"), bus, home: Scratch::new("desktop"), _processes: [x, dbus] }
    }

    /// A program on this desktop, with a home of its own.
    pub(crate) fn program(&self, program: &str) -> Command {
        let home = self.home.path();
        let mut command = Command::new(program);
        command
            .env("DISPLAY", &self.display)
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

    pub(crate) fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Puts the window of this title there.
    pub(crate) fn place(&self, title: &str, place: Rect) {
        let Rect { x, y, width, height } = place;
        let name = format!("^{}$", title.replace('(', "\\(").replace(')', "\\)"));
        let done = self
            .program("xdotool")
            .args(["search", "--sync", "--onlyvisible", "--name", &name])
            .args(["windowsize", &width.to_string(), &height.to_string()])
            .args(["windowmove", &x.to_string(), &y.to_string()])
            .output()
            .expect("xdotool");
        assert!(done.status.success(), "{title}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// All that is on the screen now.
    pub(crate) fn picture(&self) -> Picture {
        let shot = self.program("import").args(["-window", "root", "-depth", "8", "rgb:-"]).output().expect("import");
        assert_eq!(shot.stdout.len() as u32, WIDTH * HEIGHT * 3, "{}", String::from_utf8_lossy(&shot.stderr));
        let luma =
            |rgb: &[u8]| ((u32::from(rgb[0]) * 77 + u32::from(rgb[1]) * 150 + u32::from(rgb[2]) * 29) >> 8) as u8;
        Picture { luma: shot.stdout.chunks_exact(3).map(luma).collect() }
    }
}

/// The screen's brightness.
pub(crate) struct Picture {
    luma: Vec<u8>,
}

impl Picture {
    /// The stamp of the picture that is shown there.
    pub(crate) fn stamp(&self, at: Rect) -> Option<Stamp> {
        if at.x + at.width > WIDTH || at.y + at.height > HEIGHT {
            return None;
        }
        let start = (at.y * WIDTH + at.x) as usize;
        stamp::read_luma(&self.luma[start..], WIDTH as usize, at.width, at.height)
    }
}

/// A process that ends with the value.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts something that says one line when it is ready.
fn started(command: &mut Command) -> (Ended, String) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    assert!(!line.trim().is_empty(), "{command:?} said nothing");
    (Ended(child), line.trim().to_owned())
}
