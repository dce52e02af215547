//! Lists what can be shared.

use super::super::{MOST_SCREENS, PREVIEW, ScreenError, ScreenInfo, ScreenKind};
use super::display::{Display, failed, no_reply};
use super::grab::Grabber;
use super::monitors::{Monitor, monitors, shown};
use super::target::{SCREEN, Target, WINDOW};
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, MapState, Window, WindowClass};

/// Most bytes of a window's name that are read.
const NAME_BYTES: u32 = 1_024;
/// A smaller window is no window that somebody shares.
const SMALLEST: u16 = 32;

/// Lists what can be shared.
pub(in super::super) fn screens() -> Result<Vec<ScreenInfo>, ScreenError> {
    let display = Display::open()?;
    let mut grabber = Grabber::new(&display)?;
    let mut found = vec![];
    for Monitor { name, width, height, .. } in monitors(&display)? {
        let (id, kind) = (format!("{SCREEN}{name}"), ScreenKind::Screen);
        found.push(ScreenInfo { id, name, kind, size: (width, height), preview: None });
    }
    let own = std::process::id();
    for (window, size) in windows(&display)? {
        if process_of(&display, window) == Some(own) {
            continue; // a picture of the call in the call
        }
        let (id, name) = (format!("{WINDOW}{window:x}"), name_of(&display, window));
        found.push(ScreenInfo { id, name, kind: ScreenKind::Window, size, preview: None });
    }
    found.truncate(MOST_SCREENS);
    for source in &mut found {
        source.preview = preview(&display, &mut grabber, &source.id);
    }
    Ok(found)
}

/// How a source looks now.
fn preview(display: &Display, grabber: &mut Grabber, id: &str) -> Option<media::frame::VideoFrame> {
    let target = Target::open(display, id).ok()?;
    let taken = target.place().visible.then(|| grabber.take(display, &target, None, PREVIEW));
    taken?.inspect_err(|error| tracing::debug!("{id} has no preview: {error}")).ok()
}

/// A window and its size.
type Sized = (Window, (u32, u32));

/// The windows of programs, as the window manager lists them. Without one, those on the root window.
fn windows(display: &Display) -> Result<Vec<Sized>, ScreenError> {
    let connection = &display.connection;
    let listed =
        display.atom("_NET_CLIENT_LIST_STACKING").map(|atom| numbers(display, display.root, atom, u32::MAX / 4));
    let listed = listed.unwrap_or_default();
    let has_manager = !listed.is_empty();
    let all = if has_manager {
        listed
    } else {
        let asked = connection.query_tree(display.root).map_err(|error| failed(&error))?;
        asked.reply().map_err(|error| no_reply(&error))?.children
    };
    let mut found = vec![];
    // The list is from the bottom up.
    for window in all.into_iter().rev() {
        let asked = (connection.get_window_attributes(window), connection.get_geometry(window));
        let (Ok(attributes), Ok(geometry)) = asked else { break };
        let (Ok(attributes), Ok(geometry)) = (attributes.reply(), geometry.reply()) else { continue };
        let is_large = geometry.width >= SMALLEST && geometry.height >= SMALLEST;
        let is_seen = attributes.map_state == MapState::VIEWABLE && attributes.class == WindowClass::INPUT_OUTPUT;
        if is_large && (has_manager || is_seen && !attributes.override_redirect) {
            found.push((window, (geometry.width.into(), geometry.height.into())));
        }
    }
    Ok(found)
}

fn process_of(display: &Display, window: Window) -> Option<u32> {
    let atom = display.atom("_NET_WM_PID")?;
    numbers(display, window, atom, 1).first().copied()
}

/// A property that is a list of numbers.
fn numbers(display: &Display, window: Window, property: u32, most: u32) -> Vec<u32> {
    let asked = display.connection.get_property(false, window, property, AtomEnum::ANY, 0, most.min(4_096));
    let reply = asked.ok().and_then(|asked| asked.reply().ok());
    reply.and_then(|reply| reply.value32().map(Iterator::collect)).unwrap_or_default()
}

/// The title of a window (EWMH, otherwise ICCCM).
fn name_of(display: &Display, window: Window) -> String {
    let read = |property: u32| {
        let asked = display.connection.get_property(false, window, property, AtomEnum::ANY, 0, NAME_BYTES / 4).ok()?;
        let bytes = asked.reply().ok()?.value;
        (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
    };
    let name = display.atom("_NET_WM_NAME").and_then(read).or_else(|| read(AtomEnum::WM_NAME.into()));
    shown(&name.unwrap_or_default())
}
