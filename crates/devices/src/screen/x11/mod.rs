//! Capture of an X11 display: [`display`] is the connection, [`list`] finds what can be shared, [`target`] follows the
//! chosen screen or window, [`grab`] takes its pixels over shared memory ([`memory`]), and [`pointer`] draws the pointer,
//! which the pixels lack.

mod display;
mod grab;
mod list;
mod memory;
mod monitors;
mod pointer;
mod target;

pub(super) use list::screens;

use super::{FPS, LARGEST, ScreenError, ScreenEvent, ScreenEvents, Stop};
use display::Display;
use grab::Grabber;
use media::slot::FrameSlot;
use pointer::Pointer;
use std::time::{Duration, Instant};
use target::Target;

/// Captures until stopped or until the source ends.
pub(super) fn capture(id: &str, slot: &FrameSlot, events: &ScreenEvents, stop: &Stop) -> Result<(), ScreenError> {
    let display = Display::open()?;
    let mut target = Target::open(&display, id)?;
    let mut pointer = Pointer::new(&display)?;
    let mut grabber = Grabber::new(&display)?;
    let interval = Duration::from_secs(1) / FPS;
    let mut shown: Option<bool> = None;
    while !stop.is_set() {
        let began = Instant::now();
        let changed = target.poll(&display)?;
        let place = target.place();
        let moved = pointer.poll(&display, place)?;
        if shown != Some(place.visible) && (!place.visible || target.has_pixels()) {
            shown = Some(place.visible);
            events(if place.visible { ScreenEvent::Live } else { ScreenEvent::Hidden });
        }
        if place.visible && (changed || moved) {
            match grabber.take(&display, &target, Some(&pointer), LARGEST) {
                Ok(frame) => slot.put(frame),
                // It was resized or hidden meanwhile: look again.
                Err(ScreenError::Backend(error)) => {
                    tracing::debug!("a picture of the screen was not taken: {error}");
                    target.forget_pixels();
                }
                Err(other) => return Err(other),
            }
        }
        stop.sleep(interval.saturating_sub(began.elapsed()));
    }
    Ok(())
}
