//! Screens and windows of a display that only this test uses.
#![allow(clippy::unwrap_used)] // Helpers of tests.

use devices::{ScreenCapture, ScreenError, ScreenEvent, ScreenInfo, ScreenKind, screens};
use engine::media::frame::VideoFrame;
use engine::media::slot::{FrameSlot, Wait};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use whole_system::only;
use whole_system::x11::{Program, WITHIN, on_a_display};
use x11rb::protocol::xproto::{ConfigureWindowAux, ConnectionExt as _, Rectangle};
use x11rb::wrapper::ConnectionExt as _;

const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than a capture needs to notice a change.
const STILL: Duration = Duration::from_millis(700);
/// A running capture.
struct Share {
    slot: FrameSlot,
    seen: u64,
    events: Receiver<ScreenEvent>,
    _capture: ScreenCapture,
}

impl Share {
    fn open(id: &str) -> Share {
        let (slot, (to, events)) = (FrameSlot::new(), channel());
        let sink = Box::new(move |event| to.send(event).unwrap());
        let capture = ScreenCapture::open(id, slot.clone(), sink).unwrap();
        Share { slot, seen: 0, events, _capture: capture }
    }

    fn event(&self) -> ScreenEvent {
        self.events.recv_timeout(PATIENCE).unwrap()
    }

    /// Waits for a picture of which this is true.
    fn until(&mut self, what: &str, is_true: impl Fn(&VideoFrame) -> bool) -> VideoFrame {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.slot.wait(&mut self.seen, Duration::from_millis(100)) {
                Wait::Frame(frame) if is_true(&frame) => return frame,
                _ => assert!(Instant::now() < end, "never {what}"),
            }
        }
    }

    /// The pictures of a time in which nothing changes.
    fn count(&mut self, time: Duration) -> usize {
        let (end, mut count) = (Instant::now() + time, 0);
        while Instant::now() < end {
            count += usize::from(matches!(self.slot.wait(&mut self.seen, Duration::from_millis(20)), Wait::Frame(_)));
        }
        count
    }
}

fn luma(frame: &VideoFrame, x: u32, y: u32) -> u8 {
    frame.y()[(y * frame.width() + x) as usize]
}

fn find(kind: ScreenKind) -> ScreenInfo {
    screens().unwrap().into_iter().find(|found| found.kind == kind).unwrap()
}

const WHITE: u32 = 0xFF_FFFF;

#[test]
fn a_screen_shows_changes_and_the_pointer_and_nothing_while_it_is_still() {
    on_a_display(
        module_path!(),
        "a_screen_shows_changes_and_the_pointer_and_nothing_while_it_is_still",
        "800x600",
        || {
            let program = Program::start(100, 50, 300, 200);
            program.move_pointer(700, 500);
            let found = find(ScreenKind::Screen);
            assert_eq!(found.size, (800, 600));
            assert!(found.preview.is_some_and(|preview| preview.width() <= 256 && preview.height() <= 160));
            let mut share = Share::open(&found.id);
            let frame = share.until("a picture", |_| true);
            assert_eq!((frame.width(), frame.height(), luma(&frame, 150, 100)), (800, 600, 16));
            assert_eq!(share.event(), ScreenEvent::Live);
            share.count(STILL);
            assert_eq!(share.count(STILL), 0, "nothing changes");
            program.paint(WHITE, Rectangle { x: 10, y: 20, width: 30, height: 40 });
            let frame = share.until("white", |frame| luma(frame, 112, 72) == 235);
            assert_eq!((luma(&frame, 108, 72), luma(&frame, 139, 109), luma(&frame, 141, 72)), (16, 235, 16));
            program.move_pointer(600, 400);
            share.until("another place of the pointer", |frame| *frame.y() != plain(frame));
        },
    );
}

/// The picture above without any pointer.
fn plain(frame: &VideoFrame) -> Vec<u8> {
    let is_white = |x, y| (110..140).contains(&x) && (70..110).contains(&y);
    let corner = frame.y()[0];
    let is_window = |x, y| (100..400).contains(&x) && (50..250).contains(&y);
    let all = (0..frame.height()).flat_map(|y| (0..frame.width()).map(move |x| (x, y)));
    all.map(|(x, y)| {
        if is_white(x, y) {
            235
        } else if is_window(x, y) {
            16
        } else {
            corner
        }
    })
    .collect()
}

#[test]
fn a_window_is_shared_whole_though_covered_and_followed_in_size_until_it_closes() {
    const NAME: &str = "a_window_is_shared_whole_though_covered_and_followed_in_size_until_it_closes";
    on_a_display(module_path!(), NAME, "800x600", || {
        let program = Program::start(100, 50, 300, 201);
        let found = find(ScreenKind::Window);
        assert_eq!((found.name.as_str(), found.size), ("Soup", (300, 201)));
        let mut share = Share::open(&found.id);
        assert_eq!(share.event(), ScreenEvent::Live);
        let cover = Program::start(0, 0, 800, 600);
        cover.paint(WHITE, Rectangle { x: 0, y: 0, width: 800, height: 600 });
        program.paint(0x80_8080, Rectangle { x: 0, y: 0, width: 300, height: 201 });
        let frame = share.until("grey", |frame| luma(frame, 150, 100) == 126);
        assert_eq!((frame.width(), frame.height()), (300, 200), "sides are even");
        program.configure(ConfigureWindowAux::new().width(400).height(300).x(-150));
        share.until("the new size", |frame| (frame.width(), frame.height()) == (400, 300));
        program.connection.unmap_window(program.window).unwrap();
        program.connection.sync().unwrap();
        assert_eq!(share.event(), ScreenEvent::Hidden);
        program.connection.map_window(program.window).unwrap();
        program.connection.sync().unwrap();
        assert_eq!(share.event(), ScreenEvent::Live);
        drop(program);
        assert_eq!(share.event(), ScreenEvent::Ended(ScreenError::Closed));
        let gone = Share::open(&found.id);
        assert_eq!(gone.event(), ScreenEvent::Ended(ScreenError::NotFound));
    });
}

#[test]
fn a_screen_of_8k_is_scaled() {
    on_a_display(module_path!(), "a_screen_of_8k_is_scaled", "7680x4320", || {
        let program = Program::start(0, 0, 7680, 4320);
        program.paint(WHITE, Rectangle { x: 3840, y: 2160, width: 3840, height: 2160 });
        let mut share = Share::open(&find(ScreenKind::Screen).id);
        let frame = share.until("a picture", |_| true);
        assert_eq!((frame.width(), frame.height()), (1920, 1080));
        let corners = [(100, 100), (1_800, 100), (100, 1_000), (1_800, 1_000)].map(|(x, y)| luma(&frame, x, y));
        assert_eq!(corners, [16, 16, 16, 235]);
    });
}

#[test]
fn without_x11_it_is_said() {
    if std::env::var_os(WITHIN).is_some() {
        let wayland = std::env::var_os("WAYLAND_DISPLAY").is_some();
        let error = if wayland { ScreenError::Wayland } else { ScreenError::NoDisplay };
        assert_eq!(screens().map(drop), Err(error.clone()));
        assert_eq!(Share::open("screen:x").event(), ScreenEvent::Ended(error));
        return;
    }
    for (variable, value) in [("WAYLAND_DISPLAY", "wayland-0"), ("DISPLAY", ":99999")] {
        let mut alone = only(module_path!(), "without_x11_it_is_said");
        alone.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY");
        assert!(alone.env(variable, value).env(WITHIN, "1").status().unwrap().success(), "{variable}");
    }
}
