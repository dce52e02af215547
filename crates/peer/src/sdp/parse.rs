//! Parses a description.

use super::attribute::is_token;
use super::line::{self, Name};
use super::section::{Section, cut};
use super::transport::{Choice, choose};
use super::{Description, Line, LineKind, SdpError};
use crate::{MAX_MEDIA_LINES, candidate};
use media::encoded::VideoCodec;
use std::collections::HashSet;

/// Parses a description. Only supported codecs are kept: Opus, and those in `video`.
///
/// An unsupported line becomes [`Line::rejected`] and does not affect the others. Invalid and unsupported candidates
/// are dropped, as when they are trickled.
pub(crate) fn parse(text: &str, video: &[VideoCodec]) -> Result<Description, SdpError> {
    parse_up_to(MAX_MEDIA_LINES, text, video)
}

/// Parses a description that may have this many lines.
pub(crate) fn parse_up_to(lines: usize, text: &str, video: &[VideoCodec]) -> Result<Description, SdpError> {
    let (session, sections) = cut(text, lines)?;
    let names = names(&sections)?;
    let groups = groups(&session, &names);
    let mut lines = Vec::with_capacity(sections.len());
    for (section, name) in sections.iter().zip(&names) {
        let bundled = groups.iter().any(|group| group.contains(&name.mid));
        let mut line = line::parse(&session, section, name, bundled, video)?;
        // All data channels share one association, so further lines for them make no sense (RFC 8831 section 6.2).
        if line.kind == LineKind::Data && lines.iter().any(is_open_data) {
            line.reject();
        }
        lines.push(line);
    }
    let Choice { transport, bundle, candidates } = choose(&session, &sections, &mut lines, &groups)?;
    let mut ssrcs = HashSet::new();
    for stream in lines.iter().filter_map(|line| line.stream) {
        if !ssrcs.insert(stream.ssrc) || !stream.rtx.is_none_or(|rtx| ssrcs.insert(rtx)) {
            return Err(SdpError::Attribute("ssrc"));
        }
    }
    let candidates = candidates.into_iter().filter_map(|value| candidate::parse(value).ok());
    let candidates = candidates.take(crate::MAX_REMOTE_CANDIDATES).collect();
    Ok(Description { transport, ice_lite: session.has("ice-lite"), bundle, lines, candidates })
}

fn is_open_data(line: &Line) -> bool {
    line.kind == LineKind::Data && !line.rejected
}

/// The names of all lines. A line without a name gets one of ours (RFC 9429 section 5.10), which is the same in each
/// description. Attributes of lines with port 0 are ignored.
fn names(sections: &[Section<'_>]) -> Result<Vec<Name>, SdpError> {
    let mut taken = HashSet::new();
    let mut given = Vec::with_capacity(sections.len());
    for section in sections {
        let off = line::is_off(section);
        let mid = match section.get("mid") {
            Some(mid) if is_token(mid, Line::LONGEST_MID) && taken.insert(mid) => Some(mid),
            Some(_) if !off => return Err(SdpError::Attribute("mid")),
            Some(_) | None => None,
        };
        given.push(mid);
    }
    let names = given.iter().enumerate().map(|(index, mid)| match mid {
        Some(mid) => Name { mid: (*mid).to_owned(), given: true },
        None => Name { mid: free_name(index, |name| taken.contains(name)), given: false },
    });
    Ok(names.collect())
}

/// A name for the line at this index for which `taken` is false.
pub(crate) fn free_name(index: usize, taken: impl Fn(&str) -> bool) -> String {
    let mut name = format!("!{index}");
    while taken(&name) {
        name.insert(0, '!');
    }
    name
}

/// The names in each `a=group:BUNDLE` (RFC 9143), in order. A name in two groups counts in the first.
fn groups(session: &Section<'_>, names: &[Name]) -> Vec<Vec<String>> {
    let mut seen = HashSet::new();
    let values = session.all("group").filter_map(|value| value.strip_prefix("BUNDLE"));
    let groups = values.map(|group| {
        let known =
            group.split_ascii_whitespace().filter(|mid| names.iter().any(|name| name.given && name.mid == *mid));
        known.filter(|mid| seen.insert(*mid)).map(str::to_owned).collect()
    });
    groups.collect()
}
