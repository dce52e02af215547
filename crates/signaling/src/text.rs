//! Cleans the text that everybody else in the room will see: names, labels and chat.
//!
//! Names and chat are plain text: `<b>` is three characters, never markup. Cleaning removes characters that affect
//! the text around them or are invisible. Text is normalized to NFC (UAX #15), so equal-looking texts are equal.
//! Text that is too long is cut between grapheme clusters (UAX #29).

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;
use unicode_segmentation::UnicodeSegmentation as _;

use crate::limits::{MAX_CHAT_CHARS, MAX_MARKS, MAX_NAME_BYTES, MAX_NAME_CHARS};

/// Why a name cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It contains no visible character.
    #[error("a name needs at least one visible character")]
    Empty,
    /// It contains control characters.
    #[error("a name cannot have control characters")]
    Control,
    /// Longer than [`MAX_NAME_CHARS`] characters or [`MAX_NAME_BYTES`] bytes.
    #[error("a name can have at most {MAX_NAME_CHARS} characters and {MAX_NAME_BYTES} bytes")]
    TooLong,
}

impl NameError {
    /// Stable code for programs and translations.
    pub fn code(self) -> &'static str {
        match self {
            NameError::Empty => "name_empty",
            NameError::Control => "name_control",
            NameError::TooLong => "name_too_long",
        }
    }
}

/// Why a line of chat cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// It contains no visible character.
    #[error("nothing to send")]
    Empty,
    /// Longer than [`MAX_CHAT_CHARS`] characters.
    #[error("a message can have at most {MAX_CHAT_CHARS} characters")]
    TooLong,
}

impl ChatError {
    /// Stable code for programs and translations.
    pub fn code(self) -> &'static str {
        match self {
            ChatError::Empty => "chat_empty",
            ChatError::TooLong => "chat_too_long",
        }
    }
}

/// Cleans a name for display. White space (also tabs and line breaks) is trimmed and collapsed to single spaces.
/// Directional controls and invisible fillers are removed. The result is in NFC, with at most [`MAX_MARKS`] marks on
/// a letter, 1 to 64 characters and at most 192 bytes.
///
/// Other control characters are refused. Joiners (U+200C, U+200D) stay: Persian and emoji need them. Cleaning a clean
/// name changes nothing.
pub fn clean_name(name: &str) -> Result<String, NameError> {
    // Do not process a text that is far too long.
    if name.len() > 16 * MAX_NAME_BYTES {
        return Err(NameError::TooLong);
    }
    if name.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return Err(NameError::Control);
    }
    let clean = collapse(name);
    if !clean.chars().any(is_visible) {
        return Err(NameError::Empty);
    }
    if clean.chars().count() > MAX_NAME_CHARS || clean.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong);
    }
    Ok(clean)
}

/// Cleans a name from somebody else without failing: cut to length, and `?` if no visible character is left.
pub fn shown_name(name: &str) -> String {
    let safe: String =
        name.chars().take(16 * MAX_NAME_CHARS).filter(|c| !c.is_control() || c.is_whitespace()).collect();
    let shown = cut(&collapse(&safe), MAX_NAME_CHARS, MAX_NAME_BYTES);
    if shown.chars().any(is_visible) { shown } else { "?".to_owned() }
}

/// Cleans a short text that may be empty, such as a table's topic, like a name of at most `max` characters.
pub fn clean_label(text: &str, max: usize) -> Result<String, NameError> {
    // Do not process a text that is far too long.
    if text.len() > 16 * max {
        return Err(NameError::TooLong);
    }
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return Err(NameError::Control);
    }
    let clean = collapse(text);
    if clean.chars().count() > max {
        return Err(NameError::TooLong);
    }
    Ok(if clean.chars().any(is_visible) { clean } else { String::new() })
}

/// Cleans a short text from somebody else without failing: cut to length.
pub fn shown_label(text: &str, max: usize) -> String {
    let safe: String = text.chars().take(16 * max).filter(|c| !c.is_control() || c.is_whitespace()).collect();
    let cut = cut(&collapse(&safe), max, 4 * max);
    if cut.chars().any(is_visible) { cut } else { String::new() }
}

/// Cleans a line of chat for sending, 1 to 4,000 characters. Line breaks and tabs stay, and `\r\n` becomes `\n`. Other
/// control characters, directional overrides, and white space at both ends are removed.
///
/// Directional marks and isolates stay: they end with the line, and right-to-left text needs them. A view puts each
/// line of chat into its own element with `dir="auto"`.
pub fn clean_chat(text: &str) -> Result<String, ChatError> {
    // 4 bytes for each character, and as much again for characters that are removed.
    if text.len() > 8 * MAX_CHAT_CHARS {
        return Err(ChatError::TooLong);
    }
    let keeps = |c: &char| matches!(c, '\n' | '\t') || !(c.is_control() || is_override(*c));
    let clean: String = text.chars().filter(keeps).collect();
    let clean = clean.trim();
    if !clean.chars().any(is_visible) {
        return Err(ChatError::Empty);
    }
    if clean.chars().count() > MAX_CHAT_CHARS {
        return Err(ChatError::TooLong);
    }
    Ok(clean.to_owned())
}

/// Removes directional controls and fillers, normalizes to NFC with few marks, and collapses each run of white space
/// to one space.
fn collapse(text: &str) -> String {
    let kept: String = thinned(text.chars().filter(|&c| !is_directional(c) && !is_filler(c)).nfc()).collect();
    let mut out = String::with_capacity(kept.len());
    for word in kept.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Drops the marks of a letter beyond [`MAX_MARKS`]. A joiner between them does not begin a new letter.
fn thinned(text: impl Iterator<Item = char>) -> impl Iterator<Item = char> {
    let mut marks = 0;
    text.filter(move |&c| {
        if is_combining_mark(c) {
            marks += 1;
        } else if is_visible(c) || c.is_whitespace() {
            marks = 0;
        }
        marks <= MAX_MARKS || !is_combining_mark(c)
    })
}

/// Cuts a text at a grapheme cluster so that it fits. If even the first cluster is too long, as many of its
/// characters as fit are kept.
pub fn cut(text: &str, max_chars: usize, max_bytes: usize) -> String {
    let end = match fitting(text.graphemes(true), max_chars, max_bytes) {
        0 => fitting(text.split_inclusive(|_| true), max_chars, max_bytes),
        end => end,
    };
    text[..end].trim_end().to_owned()
}

/// Returns the length in bytes of as many parts as fit.
fn fitting<'a>(parts: impl Iterator<Item = &'a str>, max_chars: usize, max_bytes: usize) -> usize {
    let mut taken = (0, 0);
    for part in parts {
        let with = (taken.0 + part.chars().count(), taken.1 + part.len());
        if with.0 > max_chars || with.1 > max_bytes {
            break;
        }
        taken = with;
    }
    taken.1
}

/// Embeddings and overrides of UAX #9, which reorder the text after them.
fn is_override(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}')
}

/// Every directional control of UAX #9, table 4: marks, embeddings, overrides and isolates.
fn is_directional(c: char) -> bool {
    is_override(c) || matches!(c, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2066}'..='\u{2069}')
}

/// Invisible characters whose only effect is to make one name look like another.
fn is_filler(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}' // soft hyphen
        | '\u{034F}' // combining grapheme joiner
        | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' // Hangul fillers
        | '\u{17B4}' | '\u{17B5}' // Khmer inherent vowels
        | '\u{180B}'..='\u{180F}' // Mongolian selectors
        | '\u{200B}' | '\u{2060}'..='\u{2065}' | '\u{206A}'..='\u{206F}' | '\u{FEFF}'
        | '\u{FFF0}'..='\u{FFFB}' // specials and interlinear annotation
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
    )
}

/// Whether a character is invisible to a reader.
pub(crate) fn is_unseen(c: char) -> bool {
    !is_visible(c)
}

/// Whether a character is visible by itself. Joiners, variation selectors and tags are visible only together with
/// others.
fn is_visible(c: char) -> bool {
    !(c.is_whitespace()
        || c.is_control()
        || is_directional(c)
        || is_filler(c)
        || matches!(c, '\u{200C}' | '\u{200D}' | '\u{2800}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0000}'..='\u{E0FFF}'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_names_are_unchanged() {
        for name in [
            "Ada",
            "Zoë d'Été-2",
            "李小龙",
            "سارة",
            "نیم\u{200C}فاصله",
            "👩\u{200D}🍳 Cook",
            "<b>Bob</b>",
            "O'Neil & Co",
        ] {
            assert_eq!(clean_name(name).as_deref(), Ok(name));
            assert_eq!(shown_name(name), name);
        }
    }

    #[test]
    fn white_space_is_trimmed_and_collapsed() {
        assert_eq!(clean_name(" \tAda \u{3000}\r\n Lovelace\u{2028}").as_deref(), Ok("Ada Lovelace"));
    }

    #[test]
    fn bidirectional_and_invisible_characters_are_removed() {
        assert_eq!(clean_name("\u{202E}nimda\u{202C}\u{2066}!\u{2069}").as_deref(), Ok("nimda!"));
        assert_eq!(clean_name("A\u{200B}d\u{FEFF}a\u{AD}\u{200F}").as_deref(), Ok("Ada"));
        // Removed before white space is collapsed, so no two spaces remain around it.
        assert_eq!(clean_name("A \u{200B} B").as_deref(), Ok("A B"));
    }

    #[test]
    fn control_characters_are_refused() {
        for name in ["A\0", "\u{1b}[31mA", "A\u{7f}", "A\u{9b}", "\u{8}A"] {
            assert_eq!(clean_name(name), Err(NameError::Control), "{name:?}");
        }
        assert_eq!(shown_name("\u{1b}[31mA"), "[31mA");
    }

    #[test]
    fn a_name_must_be_visible() {
        for name in ["", "   ", "\u{202E}", "\u{200D}", "\u{3164}", "\u{FE0F}", "\u{2800}\u{2800}", "\u{E0041}"] {
            assert_eq!(clean_name(name), Err(NameError::Empty), "{name:?}");
            assert_eq!(shown_name(name), "?");
        }
    }

    #[test]
    fn names_are_bounded_in_characters_and_in_bytes() {
        assert!(clean_name(&"龍".repeat(64)).is_ok());
        assert!(clean_name(&"🍲".repeat(48)).is_ok());
        assert_eq!(clean_name(&"🍲".repeat(49)), Err(NameError::TooLong));
        assert_eq!(shown_name(&"🍲".repeat(49)), "🍲".repeat(48));
        assert_eq!(clean_name(&"a".repeat(65)), Err(NameError::TooLong));
        assert_eq!(clean_name(&" ".repeat(1 << 20)), Err(NameError::TooLong));
        assert_eq!(shown_name(&"a".repeat(1 << 20)), "a".repeat(64));
    }

    #[test]
    fn one_name_has_one_spelling() {
        for (typed, one) in [
            ("\u{1107}\u{1161}\u{11A8}\u{110C}\u{1175}\u{1112}\u{116E}\u{11AB}", "박지훈"),
            ("E\u{301}mile", "\u{C9}mile"),
            ("\u{212B}sa", "\u{C5}sa"),
            // The filler between the two is removed before they are composed.
            ("E\u{34F}\u{301}mile", "\u{C9}mile"),
            ("e\u{323}\u{302}", "\u{1EC7}"),
            ("e\u{302}\u{323}", "\u{1EC7}"),
        ] {
            assert_eq!(clean_name(typed).as_deref(), Ok(one));
            assert_eq!(shown_name(typed), one);
            assert_eq!(clean_label(typed, 80).as_deref(), Ok(one));
            assert_eq!(shown_label(typed, 80), one);
        }
    }

    #[test]
    fn combining_marks_per_letter_are_limited() {
        let heap = "\u{30D}\u{311}\u{324}\u{347}".repeat(15);
        let marks = |name: &str| name.chars().filter(|&c| is_combining_mark(c)).count();
        for letters in ["Z", "ZA", "박", "👩", "Z\u{200D}", "Z\u{FE0F}\u{200C}"] {
            let shown = shown_name(&format!("{letters}{heap}"));
            assert_eq!(marks(&shown), MAX_MARKS, "{letters}");
        }
        // A joiner or another mark between them does not begin a new letter.
        assert_eq!(marks(&shown_name(&format!("Z{}", "\u{301}\u{200D}".repeat(60)))), MAX_MARKS);
        let each = "Z\u{30D}\u{311}\u{324}\u{347}";
        assert_eq!(marks(&shown_name(&each.repeat(3))), 3 * MAX_MARKS);
        for name in ["မြို့", "ที่รัก", "བརྒྱུད", "सुश्री", "שָׁלוֹם", "Nguy\u{1EC5}n"]
        {
            let nfc: String = name.nfc().collect();
            assert_eq!(clean_name(name), Ok(nfc), "{name}");
        }
    }

    #[test]
    fn emoji_sequences_stay_intact() {
        for name in [
            "👩\u{200D}🍳 Cook",
            "🇰🇷 Ara",
            "👍🏽 Ben",
            "👩\u{200D}👩\u{200D}👧\u{200D}👦",
            "1\u{FE0F}\u{20E3}",
            "🏴\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
        ] {
            assert_eq!(clean_name(name).as_deref(), Ok(name));
        }
        let flags = "🇰🇷".repeat(40);
        assert_eq!(shown_name(&flags), "🇰🇷".repeat(24), "192 bytes of eight each");
        let (cook, room) = ("👩\u{200D}🍳", "a".repeat(63));
        assert_eq!(shown_name(&format!("{room}{cook}")), room, "no half of her");
        let one = ["👩"; 40].join("\u{200D}");
        let shown = shown_name(&one);
        assert!(one.starts_with(&shown) && shown.len() > MAX_NAME_BYTES - 8, "one letter that is too long: {shown}");
        assert_eq!(shown_label(&format!("{room}{cook}"), 65), room);
    }

    #[test]
    fn chat_keeps_line_breaks_and_loses_control_characters() {
        assert_eq!(clean_chat("  one\r\n\ttwo\u{7}\u{202E}\n").as_deref(), Ok("one\n\ttwo"));
        assert_eq!(clean_chat("سلام\u{200F}!").as_deref(), Ok("سلام\u{200F}!"));
        assert_eq!(clean_chat("\n\u{200B}"), Err(ChatError::Empty));
        assert_eq!(clean_chat(&"🍲".repeat(4_001)), Err(ChatError::TooLong));
        assert!(clean_chat(&"🍲".repeat(4_000)).is_ok());
    }

    proptest! {
        #[test]
        fn cleaning_a_name_is_bounded_and_idempotent(name in any::<String>()) {
            if let Ok(clean) = clean_name(&name) {
                prop_assert!(clean.chars().count() <= MAX_NAME_CHARS && clean.len() <= MAX_NAME_BYTES);
                prop_assert!(!clean.chars().any(|c| c.is_control() || is_directional(c)));
                prop_assert!(unicode_normalization::is_nfc(&clean));
                prop_assert_eq!(clean_name(&clean), Ok(clean.clone()));
                prop_assert_eq!(shown_name(&clean), clean);
            }
        }

        #[test]
        fn any_shown_name_is_clean(name in any::<String>(), times in 1..40_usize) {
            let shown = shown_name(&name.repeat(times));
            prop_assert_eq!(clean_name(&shown), Ok(shown));
        }

        #[test]
        fn both_spellings_of_a_name_are_one(name in "[가-힣a-zA-ZÀ-ỹ\u{300}-\u{36F}\u{200D} ]{0,30}") {
            prop_assert_eq!(clean_name(&name.nfd().collect::<String>()), clean_name(&name.nfc().collect::<String>()));
            prop_assert_eq!(clean_label(&name.nfd().collect::<String>(), 80), clean_label(&name.nfc().collect::<String>(), 80));
        }

        #[test]
        fn names_of_many_marks_become_clean(name in "[가a\u{300}-\u{36F}\u{9BE}\u{9C7}\u{11A8}\u{1161}\u{1100}\u{200D}\u{FE0F} ]{0,60}") {
            let shown = shown_name(&name);
            prop_assert_eq!(clean_name(&shown), Ok(shown.clone()));
            prop_assert_eq!(shown_name(&shown), shown);
        }

        #[test]
        fn cleaning_chat_is_idempotent(text in any::<String>()) {
            if let Ok(clean) = clean_chat(&text) {
                prop_assert_eq!(clean_chat(&clean), Ok(clean));
            }
        }
    }
}
