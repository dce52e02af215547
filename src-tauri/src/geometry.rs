//! The window's size and place, from one start to the next. Implemented by hand: `tauri-plugin-window-state` would also
//! keep the size of the small window, and forgets where a maximised window was before.

use crate::folders::write_private;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tauri::{Monitor, PhysicalPosition, PhysicalSize, WebviewWindow};

/// This much of the window's upper edge has to be on a screen, in pixels, so that the window can be moved.
const GRIP: (i64, i64) = (120, 40);
/// The longest accepted file, in bytes.
const LONGEST: u64 = 4_096;

/// Where a window is when it is neither maximised nor small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Geometry {
    /// Inner size, in pixels.
    width: u32,
    height: u32,
    /// Outer position, in pixels. Wayland does not tell it.
    x: i32,
    y: i32,
    maximized: bool,
}

/// A part of the desktop, in pixels.
#[derive(Debug, Clone, Copy)]
struct Screen {
    x: i64,
    y: i64,
    width: i64,
    height: i64,
}

/// The last geometry, and its file. It is written when the window is closed or hidden.
pub(crate) struct Remembered {
    path: PathBuf,
    last: Mutex<Option<Geometry>>,
}

impl Remembered {
    /// Reads the file. Without a valid one, the window opens as at the first start.
    pub(crate) fn open(folder: &Path) -> Remembered {
        let path = folder.join("window.json");
        let last = Mutex::new(read(&path));
        Remembered { path, last }
    }

    /// Puts a window that is not visible yet where it was.
    pub(crate) fn restore(&self, window: &WebviewWindow) -> tauri::Result<()> {
        let Some(last) = *self.last.lock().unwrap_or_else(PoisonError::into_inner) else { return Ok(()) };
        let screens: Vec<Screen> = window.available_monitors()?.iter().map(Screen::of).collect();
        window.set_size(last.size(&screens))?;
        if let Some(position) = last.position(&screens) {
            window.set_position(position)?;
        }
        if last.maximized { window.maximize() } else { Ok(()) }
    }

    /// Notes where the window is now. Call it after each change, except while the window is small.
    pub(crate) fn note(&self, window: &WebviewWindow) {
        let now = Geometry::of(window).unwrap_or_else(|error| {
            tracing::debug!("the window's place: {error}");
            None
        });
        let Some(now) = now else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some(match *last {
            // Its size and place are those of the screen.
            Some(before) if now.maximized => Geometry { maximized: true, ..before },
            Some(_) | None => now,
        });
    }

    /// Writes the file.
    pub(crate) fn save(&self) {
        let Some(last) = *self.last.lock().unwrap_or_else(PoisonError::into_inner) else { return };
        let written = serde_json::to_vec(&last).map_err(std::io::Error::from);
        if let Err(error) = written.and_then(|text| write_private(&self.path, &text)) {
            tracing::warn!("the window's place is not saved: {error}");
        }
    }
}

impl Geometry {
    /// `None` while the window is minimised or hidden: some systems then report other places.
    fn of(window: &WebviewWindow) -> tauri::Result<Option<Geometry>> {
        if window.is_minimized()? || !window.is_visible()? {
            return Ok(None);
        }
        let (size, position) = (window.inner_size()?, window.outer_position()?);
        let maximized = window.is_maximized()?;
        let is_real = size.width > 0 && size.height > 0;
        Ok(is_real.then_some(Geometry {
            width: size.width,
            height: size.height,
            x: position.x,
            y: position.y,
            maximized,
        }))
    }

    /// The size, at most that of the largest screen: the last one may be gone.
    fn size(self, screens: &[Screen]) -> PhysicalSize<u32> {
        let most = |side: fn(&Screen) -> i64| screens.iter().map(side).max().and_then(|side| u32::try_from(side).ok());
        let (width, height) = (most(|screen| screen.width), most(|screen| screen.height));
        PhysicalSize::new(
            width.map_or(self.width, |width| self.width.min(width)),
            height.map_or(self.height, |height| self.height.min(height)),
        )
    }

    /// The position, unless nobody could reach the window there.
    fn position(self, screens: &[Screen]) -> Option<PhysicalPosition<i32>> {
        let (left, top, width) = (i64::from(self.x), i64::from(self.y), i64::from(self.width));
        let is_reachable = |screen: &Screen| {
            let across = (left + width).min(screen.x + screen.width) - left.max(screen.x);
            let down = screen.y + screen.height - top;
            across >= GRIP.0 && down >= GRIP.1 && top >= screen.y
        };
        screens.iter().any(is_reachable).then_some(PhysicalPosition::new(self.x, self.y))
    }
}

impl Screen {
    fn of(monitor: &Monitor) -> Screen {
        let (position, size) = (monitor.position(), monitor.size());
        Screen { x: position.x.into(), y: position.y.into(), width: size.width.into(), height: size.height.into() }
    }
}

fn read(path: &Path) -> Option<Geometry> {
    let is_short = std::fs::metadata(path).is_ok_and(|file| file.len() <= LONGEST);
    let text = is_short.then(|| std::fs::read(path).ok()).flatten()?;
    let read: Result<Geometry, _> = serde_json::from_slice(&text);
    let read = read.inspect_err(|error| tracing::info!("{}: {error}", path.display())).ok()?;
    (read.width > 0 && read.height > 0).then_some(read)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::scratch::Scratch;

    const SCREEN: Screen = Screen { x: 0, y: 0, width: 1920, height: 1080 };
    const BESIDE: Screen = Screen { x: 1920, y: 0, width: 1280, height: 1024 };

    fn at(x: i32, y: i32) -> Geometry {
        Geometry { width: 1000, height: 700, x, y, maximized: false }
    }

    #[test]
    fn a_window_returns_to_its_place_only_where_it_can_be_reached() {
        for (geometry, screens, is_there) in [
            (at(100, 50), &[SCREEN][..], true),
            (at(-800, 50), &[SCREEN], true),
            (at(-950, 50), &[SCREEN], false),
            (at(2000, 50), &[SCREEN], false),
            (at(2000, 50), &[SCREEN, BESIDE], true),
            (at(100, 1060), &[SCREEN], false),
            (at(100, -300), &[SCREEN], false),
            (at(i32::MAX, i32::MIN), &[SCREEN], false),
            (at(100, 50), &[], false),
        ] {
            assert_eq!(geometry.position(screens).is_some(), is_there, "{geometry:?} {screens:?}");
        }
    }

    #[test]
    fn a_window_is_never_larger_than_the_largest_screen() {
        let huge = Geometry { width: 5000, height: 900, ..at(0, 0) };
        assert_eq!(huge.size(&[BESIDE, SCREEN]), PhysicalSize::new(1920, 900));
        assert_eq!(huge.size(&[]), PhysicalSize::new(5000, 900), "Wayland may not tell the screens");
    }

    #[test]
    fn a_file_that_cannot_be_used_is_ignored() {
        let scratch = Scratch::new();
        let path = scratch.0.join("window.json");
        let valid = r#"{"width":1000,"height":700,"x":1,"y":-2,"maximized":true}"#;
        let long = format!("{valid}{}", " ".repeat(5_000));
        for (text, is_used) in [
            (valid, true),
            ("", false),
            ("[]", false),
            (r#"{"width":0,"height":700,"x":1,"y":2,"maximized":true}"#, false),
            (r#"{"width":-1,"height":700,"x":1,"y":2,"maximized":true}"#, false),
            (&long, false),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path).is_some(), is_used, "{text}");
        }
    }

    #[test]
    fn the_geometry_is_saved_and_read() {
        let scratch = Scratch::new();
        let remembered = Remembered::open(&scratch.0);
        *remembered.last.lock().unwrap() = Some(at(3, 4));
        remembered.save();
        assert_eq!(read(&scratch.0.join("window.json")), Some(at(3, 4)));
    }
}
