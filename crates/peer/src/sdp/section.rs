//! Splits a description into the session part and one part for each media line.

use super::{MAX_BYTES, SdpError};

/// The session part, or the part of a media line.
#[derive(Default)]
pub(super) struct Section<'a> {
    /// The text after `m=`.
    pub(super) media: &'a str,
    /// The `a=` lines as name and value.
    pub(super) attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Section<'a> {
    pub(super) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a str> + 's {
        self.attributes.iter().filter(move |(key, _)| *key == name).map(|(_, value)| *value)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

/// Splits a text with at most this many media lines. Empty lines are skipped, and a line may end with LF alone.
pub(super) fn cut(text: &str, lines: usize) -> Result<(Section<'_>, Vec<Section<'_>>), SdpError> {
    if text.len() > MAX_BYTES {
        return Err(SdpError::TooLong);
    }
    let mut session = Section::default();
    let mut media: Vec<Section<'_>> = Vec::new();
    let rows = text.lines().map(|row| row.trim_end_matches('\r')).enumerate().filter(|(_, row)| !row.is_empty());
    for (count, (index, row)) in rows.enumerate() {
        let (kind, value) = row.split_once('=').ok_or(SdpError::Syntax(index + 1))?;
        let broken = value.bytes().any(|b| b.is_ascii_control() && b != b'\t');
        if kind.len() != 1 || broken || (count == 0) != (kind == "v") {
            return Err(SdpError::Syntax(index + 1));
        }
        match kind {
            "m" if media.len() == lines => return Err(SdpError::TooManyLines),
            "m" => media.push(Section { media: value, attributes: Vec::new() }),
            "a" => {
                let attribute = value.split_once(':').unwrap_or((value, ""));
                media.last_mut().unwrap_or(&mut session).attributes.push(attribute);
            }
            _ => {}
        }
    }
    if media.is_empty() {
        return Err(SdpError::Missing("a media line"));
    }
    Ok((session, media))
}
