//! Parses a media line.

use super::attribute::{extension, is_constrained_baseline, is_token, parameter, payload_type};
use super::section::Section;
use super::{
    Codec, DATA_FORMAT, Feedback, Format, LEVEL_URI, Line, LineKind, MAX_DATA_BYTES, MAX_ENCODINGS, MID_URI, REPAIR,
    SCTP_PORT, SdpError, Stream, TRANSPORT_CC_URI,
};
use media::encoded::VideoCodec;
use std::collections::BTreeMap;

/// The `profile-level-id` if a description has none. RFC 6184 specifies level 1 of baseline; in practice it means the
/// profile that browsers must support (RFC 7742).
const H264_DEFAULT: &str = "42e01f";

/// The name of a line.
pub(super) struct Name {
    pub(super) mid: String,
    /// Whether the writer named the line. If not, we made up the name.
    pub(super) given: bool,
}

/// Whether port 0 disables the line. With `bundle-only` it only means that the line has no port of its own.
pub(super) fn is_off(section: &Section<'_>) -> bool {
    section.media.split_ascii_whitespace().nth(1) == Some("0") && !section.has("bundle-only")
}

/// Parses a line. An unsupported one is rejected and has no content; an invalid one is an error.
pub(super) fn parse(
    session: &Section<'_>,
    section: &Section<'_>,
    name: &Name,
    bundled: bool,
    video: &[VideoCodec],
) -> Result<Line, SdpError> {
    let mut words = section.media.split_ascii_whitespace();
    let mut word = || words.next().ok_or(SdpError::Attribute("m"));
    let (media, port, protocol, format) = (word()?, word()?, word()?, word()?);
    let formats: Vec<&str> = std::iter::once(format).chain(words).collect();
    // The port may be followed by a number of ports, RFC 8866 section 5.14.
    let port = port.split('/').next().and_then(|port| port.parse::<u16>().ok()).ok_or(SdpError::Attribute("m"))?;
    let plain = |text: &str| text.len() <= 64 && text.bytes().all(|b| b.is_ascii_graphic());
    if !is_token(media, 16) || !plain(protocol) || !plain(format) {
        return Err(SdpError::Attribute("m"));
    }
    let kind = match media {
        "audio" => LineKind::Audio,
        "video" => LineKind::Video,
        "application" if formats == [DATA_FORMAT] && is_data(protocol) => LineKind::Data,
        _ => LineKind::Foreign { media: media.into() },
    };
    let mut line = Line::rejected(&name.mid, kind, protocol, format);
    line.named = name.given;
    // RFC 9143 section 6: `bundle-only` has a meaning only in a group.
    let off = port == 0 && !(section.has("bundle-only") && bundled);
    if !off && line.kind == LineKind::Data && accepts_data(section) {
        (line.rejected, line.format, line.send, line.receive) = (false, String::new(), true, true);
        return Ok(line);
    }
    if off || matches!(line.kind, LineKind::Data | LineKind::Foreign { .. }) || !is_encrypted(protocol) {
        return Ok(line);
    }
    let FormatList { codecs, red } = format_list(section, &line.kind, &formats, video)?;
    if codecs.is_empty() {
        return Ok(line);
    }
    (line.rejected, line.codecs, line.red, line.format) = (false, codecs, red, String::new());
    (line.send, line.receive) = direction(session, section);
    for value in section.all("extmap").chain(session.all("extmap")) {
        match extension(value) {
            Some((id, TRANSPORT_CC_URI)) => _ = line.transport_cc.get_or_insert(id),
            Some((id, MID_URI)) => _ = line.mid_extension.get_or_insert(id),
            Some((id, LEVEL_URI)) if line.kind == LineKind::Audio => _ = line.audio_level.get_or_insert(id),
            Some(_) | None => {}
        }
    }
    line.wanted = wanted(section);
    line.stream = if line.send { stream(section)? } else { None };
    line.repair = repair(section, &formats).filter(|_| line.kind == LineKind::Video);
    Ok(line)
}

/// RTP with keys from DTLS (RFC 5764), under each of its protocol names (RFC 9429 section 5.1.2).
fn is_encrypted(protocol: &str) -> bool {
    ["UDP/TLS/RTP/SAVPF", "TCP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF", "RTP/SAVPF"].contains(&protocol)
        || ["UDP/TLS/RTP/SAVP", "TCP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVP", "RTP/SAVP"].contains(&protocol)
}

/// SCTP over DTLS (RFC 8841 section 4.1).
fn is_data(protocol: &str) -> bool {
    ["UDP/DTLS/SCTP", "TCP/DTLS/SCTP"].contains(&protocol)
}

/// Whether our messages can be sent on a line of data channels. The library knows only one port for both sides.
fn accepts_data(section: &Section<'_>) -> bool {
    let number = |name: &str| section.get(name).map(|value| value.trim().parse::<u64>().ok());
    let port = number("sctp-port").unwrap_or(Some(SCTP_PORT.into()));
    // RFC 8841 section 6: 0 means any size, and a missing attribute 64 KiB.
    let size = number("max-message-size").unwrap_or(Some(MAX_DATA_BYTES as u64));
    port == Some(SCTP_PORT.into()) && size.is_some_and(|size| size == 0 || size >= MAX_DATA_BYTES as u64)
}

/// Whether the writer sends and receives: the attribute of the line, otherwise of the session (RFC 8866 section 6.7),
/// otherwise both.
fn direction(session: &Section<'_>, section: &Section<'_>) -> (bool, bool) {
    let in_section = |section: &Section<'_>| {
        section.attributes.iter().find_map(|(name, _)| match *name {
            "sendrecv" => Some((true, true)),
            "sendonly" => Some((true, false)),
            "recvonly" => Some((false, true)),
            "inactive" => Some((false, false)),
            _ => None,
        })
    };
    in_section(section).or_else(|| in_section(session)).unwrap_or((true, true))
}

/// The attributes of one payload type.
#[derive(Default)]
struct FormatAttributes<'a> {
    encoding: &'a str,
    fmtp: Vec<&'a str>,
    feedback: Feedback,
}

impl<'a> FormatAttributes<'a> {
    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.fmtp.iter().find_map(|fmtp| parameter(fmtp, name))
    }
}

/// What a line's formats mean.
struct FormatList {
    codecs: Vec<Codec>,
    /// See [`Line::red`].
    red: Option<u8>,
}

fn format_list(
    section: &Section<'_>,
    kind: &LineKind,
    formats: &[&str],
    video: &[VideoCodec],
) -> Result<FormatList, SdpError> {
    let mut attributes: BTreeMap<u8, FormatAttributes<'_>> = BTreeMap::new();
    let mut order = Vec::new();
    for format in formats {
        let number = payload_type(format).ok_or(SdpError::Attribute("payload type"))?;
        if attributes.insert(number, FormatAttributes::default()).is_some() {
            return Err(SdpError::Attribute("payload type"));
        }
        order.push(number);
    }
    collect_attributes(section, &mut attributes);
    // With RTCP on the same port (RFC 5761 section 4), these are indistinguishable from RTCP.
    order.retain(|number| !(64..=95).contains(number));
    let mut codecs: Vec<Codec> = Vec::new();
    for number in &order {
        let Some(format) = format(kind, &attributes[number]) else { continue };
        let ours = format.video().is_none_or(|codec| video.contains(&codec));
        // If a codec has several profiles, take the writer's first.
        if !ours || codecs.iter().any(|codec| codec.format.video() == format.video()) {
            continue;
        }
        let rtx = order.iter().copied().find(|candidate| {
            let attributes = &attributes[candidate];
            attributes.encoding.eq_ignore_ascii_case("rtx/90000")
                && attributes.parameter("apt").and_then(payload_type) == Some(*number)
        });
        codecs.push(Codec { payload_type: *number, format, rtx, feedback: attributes[number].feedback });
    }
    let red = order.iter().copied().find(|number| is_red(&attributes[number], &codecs));
    Ok(FormatList { codecs, red })
}

/// Whether a payload type is RED whose blocks are all Opus (RFC 2198 section 5). Some writers omit the list of blocks.
fn is_red(attributes: &FormatAttributes<'_>, codecs: &[Codec]) -> bool {
    let opus = codecs.iter().find(|codec| codec.format == Format::Opus).map(|codec| codec.payload_type);
    let is_opus = |number: &str| opus.is_some() && payload_type(number) == opus;
    attributes.encoding.eq_ignore_ascii_case("red/48000/2")
        && opus.is_some()
        && attributes.fmtp.iter().all(|fmtp| fmtp.split('/').map(str::trim).all(is_opus))
}

/// Collects the attributes of a section's payload types.
fn collect_attributes<'a>(section: &Section<'a>, attributes: &mut BTreeMap<u8, FormatAttributes<'a>>) {
    for (name, value) in &section.attributes {
        let Some((number, value)) = value.trim().split_once([' ', '\t']) else { continue };
        let all = *name == "rtcp-fb" && number == "*";
        let wanted = payload_type(number);
        for (_, attributes) in attributes.iter_mut().filter(|(number, _)| all || Some(**number) == wanted) {
            match *name {
                "rtpmap" => attributes.encoding = value.trim(),
                "fmtp" => attributes.fmtp.push(value.trim()),
                "rtcp-fb" => feedback(&mut attributes.feedback, value),
                _ => {}
            }
        }
    }
}

fn feedback(feedback: &mut Feedback, value: &str) {
    let mut words = value.split_ascii_whitespace();
    match (words.next(), words.next()) {
        (Some("transport-cc"), None) => feedback.transport_cc = true,
        (Some("nack"), None) => feedback.nack = true,
        (Some("nack"), Some("pli")) => feedback.pli = true,
        (Some("ccm"), Some("fir")) => feedback.fir = true,
        _ => {}
    }
}

fn format(kind: &LineKind, attributes: &FormatAttributes<'_>) -> Option<Format> {
    let encoding = attributes.encoding.to_ascii_lowercase();
    match (kind, encoding.as_str()) {
        // RFC 7587 requires `/2` whatever is sent. Some writers omit it, which makes no difference.
        (LineKind::Audio, "opus/48000/2" | "opus/48000/1" | "opus/48000") => Some(Format::Opus),
        (LineKind::Video, "vp8/90000") => Some(Format::Vp8),
        (LineKind::Video, "vp9/90000") => {
            matches!(attributes.parameter("profile-id"), None | Some("0")).then_some(Format::Vp9)
        }
        (LineKind::Video, "h264/90000") => {
            let id = attributes.parameter("profile-level-id").unwrap_or(H264_DEFAULT);
            let whole = attributes.parameter("packetization-mode") == Some("1");
            (whole && is_constrained_baseline(id)).then(|| Format::H264 { profile_level_id: id.to_ascii_lowercase() })
        }
        _ => None,
    }
}

/// The names of the encodings that the writer wants to receive (RFC 8853 section 5.1): of alternatives the first.
fn wanted(section: &Section<'_>) -> Vec<String> {
    let Some(value) = section.get("simulcast") else { return Vec::new() };
    let mut words = value.split_ascii_whitespace().skip_while(|word| *word != "recv");
    let names = words.nth(1).into_iter().flat_map(|list| list.split(';'));
    let first = names.filter_map(|name| name.split(',').next()).map(|name| name.trim_start_matches('~'));
    first.filter(|name| is_token(name, Line::LONGEST_MID)).take(MAX_ENCODINGS).map(str::to_owned).collect()
}

/// The payload type of repair packets: a dynamic one (RFC 3551 section 6) that is no format of the line.
fn repair(section: &Section<'_>, formats: &[&str]) -> Option<u8> {
    let number = payload_type(section.get(REPAIR)?.trim())?;
    let is_free = !formats.iter().any(|format| payload_type(format) == Some(number));
    (number >= 96 && is_free).then_some(number)
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
