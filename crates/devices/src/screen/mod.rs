//! Screens and windows to share. X11 so far: on Wayland only the desktop's own picker may show a screen to a program.
//!
//! ```text
//!  X server ──Damage, pointer──▶ thread ──MIT-SHM──▶ bands of pixels ──▶ I420, scaled ──▶ FrameSlot
//! ```
//! A thread looks [`FPS`] times a second whether anything has changed, and takes a picture only then.

mod error;
#[cfg(target_os = "linux")]
mod x11;

pub use error::ScreenError;

use media::frame::VideoFrame;
use media::slot::FrameSlot;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

/// Most pictures in a second.
pub(crate) const FPS: u32 = 20;
/// The largest picture of a share. A larger screen is scaled.
pub(crate) const LARGEST: (u32, u32) = (1920, 1200);
/// The largest preview in a list.
const PREVIEW: (u32, u32) = (256, 160);
/// Most entries of a list.
const MOST_SCREENS: usize = 64;

/// The kind of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScreenKind {
    /// A monitor.
    Screen,
    /// A window of a program.
    Window,
}

/// A screen or window that can be shared.
#[derive(Debug, Clone)]
pub struct ScreenInfo {
    /// For [`ScreenCapture::open`]. That of a window is valid until the window closes.
    pub id: String,
    /// The name to show, from the program or the monitor. Plain text, without control characters. May be empty.
    pub name: String,
    /// The kind.
    pub kind: ScreenKind,
    /// Width and height in pixels.
    pub size: (u32, u32),
    /// How it looks now, small. `None` where that cannot be seen, as for a window partly off the screen.
    pub preview: Option<VideoFrame>,
}

/// A change of an open capture.
///
/// ```text
/// open() ──► Live ⇄ Hidden ──► Ended
///   └─────────────────────────► Ended
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScreenEvent {
    /// The first picture arrived, or the window is visible again.
    Live,
    /// The window is minimised or on another desktop. The last picture stays.
    Hidden,
    /// The capture has ended, or could not begin. No picture and no event follows.
    Ended(ScreenError),
}

/// Receives events, on the capture's own thread. It must only pass them on.
pub type ScreenEvents = Box<dyn Fn(ScreenEvent) + Send>;

/// Lists what can be shared: monitors first, then windows. Takes about 10 ms for each preview.
///
/// # Errors
/// [`ScreenError`]: there is no X11 display.
pub fn screens() -> Result<Vec<ScreenInfo>, ScreenError> {
    #[cfg(target_os = "linux")]
    return x11::screens();
    #[cfg(not(target_os = "linux"))]
    Err(ScreenError::Unsupported)
}

/// A running capture. Dropping it ends the capture, without an event; the thread ends within a picture, and then empties
/// the slot.
#[derive(Debug)]
pub struct ScreenCapture {
    stop: Arc<Stop>,
    thread: Thread,
    handle: Option<JoinHandle<()>>,
}

impl ScreenCapture {
    /// Starts to capture the source with this id, into `slot`. Does not wait: what comes of it is an event.
    ///
    /// # Errors
    /// [`ScreenError::Backend`]: there is no thread.
    pub fn open(id: &str, slot: FrameSlot, events: ScreenEvents) -> Result<ScreenCapture, ScreenError> {
        ScreenCapture::open_after(None, id, slot, events)
    }

    /// Like [`ScreenCapture::open`], as soon as a capture into the same slot has ended, which would otherwise put its last
    /// picture over the first of this one.
    ///
    /// # Errors
    /// [`ScreenError::Backend`]: there is no thread.
    pub fn open_after(
        former: Option<ScreenCapture>,
        id: &str,
        slot: FrameSlot,
        events: ScreenEvents,
    ) -> Result<ScreenCapture, ScreenError> {
        let stop = Arc::new(Stop::default());
        let (id, ended) = (id.to_owned(), stop.clone());
        let body = move || {
            if let Some(former) = former {
                former.end();
            }
            let run = catch_unwind(AssertUnwindSafe(|| capture(&id, &slot, &events, &ended)));
            slot.clear();
            let outcome = run.unwrap_or_else(|_| Err(ScreenError::Backend("the capture panicked".into())));
            if let Err(error) = outcome
                && !ended.is_set()
            {
                events(ScreenEvent::Ended(error));
            }
        };
        let handle = std::thread::Builder::new()
            .name("screen".into())
            .spawn(body)
            .map_err(|error| ScreenError::Backend(error.to_string()))?;
        Ok(ScreenCapture { stop, thread: handle.thread().clone(), handle: Some(handle) })
    }

    /// Ends the capture without waiting.
    pub fn stop(&self) {
        self.stop.0.store(true, Ordering::Release);
        self.thread.unpark();
    }

    /// Ends the capture and waits for it.
    fn end(mut self) {
        self.stop();
        if let Some(handle) = self.handle.take() {
            let _ = handle.join(); // its panics are caught
        }
    }
}

impl Drop for ScreenCapture {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether the owner has ended the capture.
#[derive(Debug, Default)]
struct Stop(AtomicBool);

impl Stop {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// Sleeps until then, or until the owner ends the capture.
    fn sleep(&self, time: Duration) {
        if !self.is_set() {
            std::thread::park_timeout(time);
        }
    }
}

/// Captures until stopped or until the source ends.
fn capture(id: &str, slot: &FrameSlot, events: &ScreenEvents, stop: &Stop) -> Result<(), ScreenError> {
    #[cfg(target_os = "linux")]
    return x11::capture(id, slot, events, stop);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (id, slot, events, stop, FPS, LARGEST, PREVIEW, MOST_SCREENS, Stop::sleep);
        Err(ScreenError::Unsupported)
    }
}

/// The largest size of the same aspect ratio within `most`, never larger than the source, with even sides.
#[cfg_attr(not(any(target_os = "linux", test)), expect(dead_code, reason = "no other system captures yet"))]
fn fit((width, height): (u32, u32), most: (u32, u32)) -> (u32, u32) {
    let scale = (f64::from(most.0) / f64::from(width)).min(f64::from(most.1) / f64::from(height)).min(1.0);
    let even = |side: u32| ((f64::from(side) * scale / 2.0).round() as u32 * 2).max(2);
    (even(width).min(most.0), even(height).min(most.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_even_sides_and_keeps_its_aspect_ratio() {
        for (source, shared) in [
            ((1920, 1080), (1920, 1080)),
            ((1920, 1200), (1920, 1200)),
            ((2560, 1440), (1920, 1080)),
            ((7680, 4320), (1920, 1080)),
            ((1080, 1920), (676, 1200)),
            ((801, 603), (802, 604)),
            ((32_767, 1), (1920, 2)),
        ] {
            assert_eq!(fit(source, LARGEST), shared, "{source:?}");
        }
    }
}
