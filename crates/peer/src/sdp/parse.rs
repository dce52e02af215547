//! Reading a description.

use super::attribute::{extension, fingerprint, is_constrained_baseline, is_ice, is_token, parameter, payload_type};
use super::{
    Codec, Description, Feedback, Format, Line, LineKind, MAX_BYTES, MID_URI, SdpError, Setup, Stream,
    TRANSPORT_CC_URI, Transport,
};
use crate::MAX_MEDIA_LINES;
use crate::candidate;
use std::collections::{BTreeMap, HashSet};

/// Reads a description. Candidates that are broken or of a kind we do not use are left out, as trickled ones are.
pub(crate) fn parse(text: &str) -> Result<Description, SdpError> {
    if text.len() > MAX_BYTES {
        return Err(SdpError::TooLong);
    }
    let (session, sections) = sections(text)?;
    let ice_lite = session.has("ice-lite");
    let mut lines = Vec::with_capacity(sections.len());
    for section in &sections {
        lines.push(line(section)?);
    }
    let mut mids = HashSet::new();
    if !lines.iter().all(|line| mids.insert(line.mid.as_str())) {
        return Err(SdpError::Attribute("mid"));
    }
    let mut ssrcs = HashSet::new();
    for stream in lines.iter().filter_map(|line| line.stream) {
        if !ssrcs.insert(stream.ssrc) || !stream.rtx.is_none_or(|rtx| ssrcs.insert(rtx)) {
            return Err(SdpError::Attribute("ssrc"));
        }
    }
    let transport = transport(&session, &sections, &lines)?;
    let candidates = sections
        .iter()
        .flat_map(|section| section.all("candidate"))
        .filter_map(|value| candidate::parse(value).ok())
        .take(crate::MAX_REMOTE_CANDIDATES)
        .collect();
    Ok(Description { transport, ice_lite, lines, candidates })
}

/// The session's or a media line's part of the text.
#[derive(Default)]
struct Section<'a> {
    /// What follows `m=`.
    media: &'a str,
    /// `a=` lines as name and value.
    attributes: Vec<(&'a str, &'a str)>,
}

impl<'a> Section<'a> {
    fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a str> + 's {
        self.attributes.iter().filter(move |(key, _)| *key == name).map(|(_, value)| *value)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.attributes.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
    }

    fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
}

fn sections(text: &str) -> Result<(Section<'_>, Vec<Section<'_>>), SdpError> {
    let mut session = Section::default();
    let mut media: Vec<Section<'_>> = Vec::new();
    for (index, row) in text.lines().enumerate() {
        let row = row.trim_end_matches('\r');
        if row.is_empty() {
            continue;
        }
        let (kind, value) = row.split_once('=').ok_or(SdpError::Syntax(index + 1))?;
        if kind.len() != 1 || value.bytes().any(|b| b.is_ascii_control()) || (index == 0) != (kind == "v") {
            return Err(SdpError::Syntax(index + 1));
        }
        match kind {
            "m" if media.len() == MAX_MEDIA_LINES => return Err(SdpError::TooManyLines),
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

fn transport(session: &Section<'_>, sections: &[Section<'_>], lines: &[Line]) -> Result<Transport, SdpError> {
    // With BUNDLE the first line that lives speaks for all (RFC 9143 7.1.3).
    let first = lines.iter().position(|line| !line.rejected).ok_or(SdpError::Missing("a media line"))?;
    let find = |name: &'static str| sections[first].get(name).or(session.get(name)).ok_or(SdpError::Missing(name));
    let ufrag = find("ice-ufrag")?;
    let password = find("ice-pwd")?;
    if !is_ice(ufrag, 4) || !is_ice(password, 22) {
        return Err(SdpError::Attribute("ice-ufrag"));
    }
    let fingerprint = fingerprint(find("fingerprint")?).ok_or(SdpError::Attribute("fingerprint"))?;
    let setup = match find("setup")? {
        "actpass" => Setup::ActPass,
        "active" => Setup::Active,
        "passive" => Setup::Passive,
        _ => return Err(SdpError::Attribute("setup")),
    };
    Ok(Transport { ufrag: ufrag.into(), password: password.into(), fingerprint, setup })
}

fn line(section: &Section<'_>) -> Result<Line, SdpError> {
    let mut words = section.media.split_ascii_whitespace();
    let mut word = || words.next().ok_or(SdpError::Attribute("m"));
    let (media, port, protocol) = (word()?, word()?, word()?);
    let formats: Vec<&str> = words.collect();
    let port: u16 = port.parse().map_err(|_| SdpError::Attribute("m"))?;
    let mid = section.get("mid").ok_or(SdpError::Missing("mid"))?;
    if !is_token(mid, 16) {
        return Err(SdpError::Attribute("mid"));
    }
    let kind = match media {
        "audio" if protocol.ends_with("RTP/SAVPF") => LineKind::Audio,
        "video" if protocol.ends_with("RTP/SAVPF") => LineKind::Video,
        _ => foreign(media, protocol, &formats)?,
    };
    let mut line = Line {
        mid: mid.into(),
        rejected: port == 0 && !section.has("bundle-only"),
        send: !section.has("recvonly") && !section.has("inactive"),
        receive: !section.has("sendonly") && !section.has("inactive"),
        codecs: Vec::new(),
        transport_cc: None,
        mid_extension: None,
        stream: None,
        kind,
    };
    if matches!(line.kind, LineKind::Foreign { .. }) || line.rejected {
        (line.rejected, line.send, line.receive) = (true, false, false);
        return Ok(line);
    }
    if !section.has("rtcp-mux") {
        return Err(SdpError::Missing("rtcp-mux"));
    }
    line.codecs = codecs(section, &line.kind, &formats)?;
    for value in section.all("extmap") {
        match extension(value) {
            Some((id, TRANSPORT_CC_URI)) => line.transport_cc = Some(id),
            Some((id, MID_URI)) => line.mid_extension = Some(id),
            Some(_) | None => {}
        }
    }
    line.stream = if line.send { stream(section)? } else { None };
    Ok(line)
}

fn foreign(media: &str, protocol: &str, formats: &[&str]) -> Result<LineKind, SdpError> {
    let formats = formats.join(" ");
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    let bounded = media.len() <= 16 && protocol.len() <= 32 && formats.len() <= 256 && !formats.is_empty();
    if !bounded || !is_token(media, 16) || !plain(protocol) || !plain(&formats) {
        return Err(SdpError::Attribute("m"));
    }
    Ok(LineKind::Foreign { media: media.into(), protocol: protocol.into(), formats })
}

/// What is said of one payload type.
#[derive(Default)]
struct Said<'a> {
    encoding: &'a str,
    fmtp: &'a str,
    feedback: Feedback,
}

fn codecs(section: &Section<'_>, kind: &LineKind, formats: &[&str]) -> Result<Vec<Codec>, SdpError> {
    let mut said: BTreeMap<u8, Said<'_>> = BTreeMap::new();
    let mut order = Vec::new();
    for format in formats {
        let number = payload_type(format).ok_or(SdpError::Attribute("payload type"))?;
        if said.insert(number, Said::default()).is_some() {
            return Err(SdpError::Attribute("payload type"));
        }
        order.push(number);
    }
    for (name, value) in &section.attributes {
        let Some((number, value)) = value.split_once(' ') else { continue };
        let all = *name == "rtcp-fb" && number == "*";
        let wanted = payload_type(number);
        for (_, said) in said.iter_mut().filter(|(number, _)| all || Some(**number) == wanted) {
            match *name {
                "rtpmap" => said.encoding = value.trim(),
                "fmtp" => said.fmtp = value.trim(),
                "rtcp-fb" => feedback(&mut said.feedback, value.trim()),
                _ => {}
            }
        }
    }
    let mut codecs: Vec<Codec> = Vec::new();
    for number in &order {
        let Some(format) = format(kind, &said[number]) else { continue };
        // Of several profiles of one codec the writer's first is taken.
        if codecs.iter().any(|codec| codec.format.video() == format.video()) {
            continue;
        }
        let rtx = order.iter().copied().find(|candidate| {
            let said = &said[candidate];
            said.encoding.eq_ignore_ascii_case("rtx/90000")
                && parameter(said.fmtp, "apt").and_then(payload_type) == Some(*number)
        });
        codecs.push(Codec { payload_type: *number, format, rtx, feedback: said[number].feedback });
    }
    Ok(codecs)
}

fn feedback(feedback: &mut Feedback, value: &str) {
    match value {
        "transport-cc" => feedback.transport_cc = true,
        "nack" => feedback.nack = true,
        "nack pli" => feedback.pli = true,
        "ccm fir" => feedback.fir = true,
        _ => {}
    }
}

fn format(kind: &LineKind, said: &Said<'_>) -> Option<Format> {
    let encoding = said.encoding.to_ascii_lowercase();
    match (kind, encoding.as_str()) {
        (LineKind::Audio, "opus/48000/2") => Some(Format::Opus),
        (LineKind::Video, "vp8/90000") => Some(Format::Vp8),
        (LineKind::Video, "vp9/90000") => {
            matches!(parameter(said.fmtp, "profile-id"), None | Some("0")).then_some(Format::Vp9)
        }
        (LineKind::Video, "h264/90000") => {
            let id = parameter(said.fmtp, "profile-level-id")?;
            let whole = parameter(said.fmtp, "packetization-mode") == Some("1");
            (whole && is_constrained_baseline(id)).then(|| Format::H264 { profile_level_id: id.to_ascii_lowercase() })
        }
        _ => None,
    }
}

fn stream(section: &Section<'_>) -> Result<Option<Stream>, SdpError> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|ssrc| *ssrc != 0).ok_or(SdpError::Attribute("ssrc"));
    if let Some(group) = section.all("ssrc-group").find_map(|value| value.strip_prefix("FID ")) {
        let mut words = group.split_ascii_whitespace();
        let (Some(ssrc), Some(rtx)) = (words.next(), words.next()) else {
            return Err(SdpError::Attribute("ssrc-group"));
        };
        return Ok(Some(Stream { ssrc: number(ssrc)?, rtx: Some(number(rtx)?) }));
    }
    match section.get("ssrc").and_then(|value| value.split_ascii_whitespace().next()) {
        Some(ssrc) => Ok(Some(Stream { ssrc: number(ssrc)?, rtx: None })),
        None => Ok(None),
    }
}
