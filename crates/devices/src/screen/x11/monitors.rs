//! The monitors of a display.

use super::super::ScreenError;
use super::display::{Display, failed, no_reply};
use x11rb::protocol::randr::ConnectionExt as _;
use x11rb::protocol::xproto::ConnectionExt as _;

/// Characters of a name that are shown.
const NAME_CHARACTERS: usize = 200;

/// A monitor.
pub(super) struct Monitor {
    pub(super) name: String,
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// The monitors, or the whole screen where the display does not know them.
pub(super) fn monitors(display: &Display) -> Result<Vec<Monitor>, ScreenError> {
    let connection = &display.connection;
    let mut found = vec![];
    if display.knows_monitors {
        let asked = connection.randr_get_monitors(display.root, true).map_err(|error| failed(&error))?;
        for one in asked.reply().map_err(|error| no_reply(&error))?.monitors {
            let name = connection.get_atom_name(one.name).ok().and_then(|asked| asked.reply().ok());
            let name = name.map(|name| String::from_utf8_lossy(&name.name).into_owned()).unwrap_or_default();
            let (x, y) = (one.x.into(), one.y.into());
            found.push(Monitor { name: shown(&name), x, y, width: one.width.into(), height: one.height.into() });
        }
    }
    if found.is_empty() {
        let asked = connection.get_geometry(display.root).map_err(|error| failed(&error))?;
        let whole = asked.reply().map_err(|error| no_reply(&error))?;
        let (width, height) = (whole.width.into(), whole.height.into());
        found.push(Monitor { name: String::new(), x: 0, y: 0, width, height });
    }
    Ok(found)
}

/// A name without control and directional characters, cut to its length.
pub(super) fn shown(name: &str) -> String {
    let is_plain = |c: &char| {
        !c.is_control()
            && !matches!(c, '\u{61C}' | '\u{200E}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    name.chars().filter(is_plain).take(NAME_CHARACTERS).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_short() {
        assert_eq!(shown(" a\u{202E}b\nc\u{7} "), "abc");
        assert_eq!(shown(&"x".repeat(5_000)).len(), NAME_CHARACTERS);
    }
}
