//! File names from strangers, made safe for every system.

use signaling::text::shown_label;
use unicode_segmentation::UnicodeSegmentation;

/// Longest name in bytes. File systems take 255; the rest is for numbers and endings of our own.
const MAX_BYTES: usize = 200;
/// Longest ending that survives when a name is cut, in bytes with its dot.
const MAX_ENDING: usize = 20;
/// The name of a file whose own name has nothing usable.
const NAMELESS: &str = "file";

/// Makes a name safe: one component of a path, visible, without controls, directional marks and characters that Windows
/// refuses, at most 200 bytes, and no name of a device. It does not begin with a dot. A safe name stays the same.
pub fn safe(name: &str) -> String {
    let mut safe = cleaned(name);
    // Each step can uncover something for an earlier one, such as a device behind a dot.
    for _ in 0..8 {
        let next = cleaned(&safe);
        if next == safe {
            return safe;
        }
        safe = next;
    }
    NAMELESS.to_owned()
}

fn cleaned(name: &str) -> String {
    let component = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown = shown_label(component, MAX_BYTES);
    let allowed: String =
        shown.chars().map(|c| if matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*') { '_' } else { c }).collect();
    let cut = cut(trimmed(&allowed), MAX_BYTES - 1);
    match trimmed(&cut) {
        "" => NAMELESS.to_owned(),
        device if is_device(device) => format!("_{device}"),
        other => other.to_owned(),
    }
}

/// The name with a number before its ending, for a name that is taken: `name (2).pdf`.
pub fn numbered(name: &str, number: u32) -> String {
    let (stem, ending) = split(name);
    format!("{stem} ({number}){ending}")
}

/// Windows drops dots and spaces at the end; a dot at the beginning hides a file elsewhere.
fn trimmed(name: &str) -> &str {
    name.trim_start_matches(['.', ' ']).trim_end_matches(['.', ' '])
}

/// The part before the ending, and the ending with its dot.
fn split(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(0) | None => (name, ""),
        Some(dot) => name.split_at(dot),
    }
}

/// Cuts a name to `most` bytes between characters that people see, and keeps a short ending.
fn cut(name: &str, most: usize) -> String {
    if name.len() <= most {
        return name.to_owned();
    }
    let (stem, ending) = split(name);
    let (stem, ending) = if ending.len() <= MAX_ENDING { (stem, ending) } else { (name, "") };
    let mut kept = String::new();
    for cluster in stem.graphemes(true) {
        if kept.len() + cluster.len() + ending.len() > most {
            break;
        }
        kept.push_str(cluster);
    }
    kept + ending
}

/// Whether Windows takes the name for a device, whatever its ending.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"].contains(&stem.as_str()) {
        return true;
    }
    let number = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    number.is_some_and(|number| {
        let mut digits = number.chars();
        digits.next().is_some_and(|c| c.is_ascii_digit() || "¹²³".contains(c)) && digits.next().is_none()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_from_strangers_become_safe() {
        for (name, expected) in [
            ("점심 메뉴.pdf", "점심 메뉴.pdf"),
            ("../../x", "x"),
            ("..\\..\\evil.exe", "evil.exe"),
            ("/etc/passwd", "passwd"),
            ("C:\\Windows\\x.dll", "x.dll"),
            ("C:x", "C_x"),
            ("x.txt:stream", "x.txt_stream"),
            ("..", NAMELESS),
            ("", NAMELESS),
            ("dir/", NAMELESS),
            (".bashrc", "bashrc"),
            ("name. . .", "name"),
            ("con", "_con"),
            ("NUL.tar.gz", "_NUL.tar.gz"),
            ("com1.txt", "_com1.txt"),
            ("LPT³", "_LPT³"),
            ("com10", "com10"),
            ("console.log", "console.log"),
            ("invoice\u{202e}fdp.exe", "invoicefdp.exe"),
            ("a\u{0}b\n\tc", "ab c"),
            ("\u{200b}\u{feff}", NAMELESS),
            ("<b>?*\"|", "_b_____"),
        ] {
            assert_eq!(safe(name), expected, "{name:?}");
        }
    }

    #[test]
    fn long_names_keep_their_ending() {
        let name = safe(&format!("{}.pdf", "긴".repeat(300)));
        assert!(name.len() <= MAX_BYTES && name.len() > MAX_BYTES - 10, "{}", name.len());
        assert!(name.starts_with('긴'));
        let name = safe(&format!("a.{}", "x".repeat(500)));
        assert!(name.len() <= MAX_BYTES);
    }

    #[test]
    fn numbers_come_before_the_ending() {
        assert_eq!(numbered("name.pdf", 2), "name (2).pdf");
        assert_eq!(numbered("name", 3), "name (3)");
    }

    proptest! {
        #[test]
        fn a_safe_name_is_one_component_and_stays_the_same(name in "[ ./\\\\a-zA-Z0-9:\u{0}-\u{20}\u{200b}-\u{202e}긴한👩‍🚀¹]{0,300}") {
            let first = safe(&name);
            prop_assert_eq!(&safe(&first), &first);
            prop_assert!(!first.is_empty() && first.len() <= MAX_BYTES && first != "." && first != "..");
            prop_assert!(!first.contains(['/', '\\', ':', '\0']) && !first.starts_with('.') && !first.ends_with('.'));
            prop_assert!(!is_device(&first));
        }
    }
}
