//! Decides which lines share the transport, and finds its parameters.
//!
//! There is one transport, that of the first supported line. The lines of its BUNDLE group share it, and all others are
//! rejected, as RFC 9429 section 5.3.1 specifies for `max-bundle`.

use super::attribute::{cookie, fingerprint, is_ice};
use super::section::Section;
use super::{COOKIE, Line, LineKind, SdpError, Setup, Transport};

/// The chosen transport.
pub(super) struct Choice<'a> {
    pub(super) transport: Transport,
    /// Names of the accepted lines in the order of their group; empty if there is no group.
    pub(super) bundle: Vec<String>,
    /// Values of the `a=candidate` lines of this transport.
    pub(super) candidates: Vec<&'a str>,
}

/// Chooses the transport and rejects the lines that do not belong to it.
pub(super) fn choose<'a>(
    session: &Section<'a>,
    sections: &[Section<'a>],
    lines: &mut [Line],
    groups: &[Vec<String>],
) -> Result<Choice<'a>, SdpError> {
    let mut reason = SdpError::Missing("a media line that we take");
    for index in 0..lines.len() {
        let has_rtcp = lines[index].kind != LineKind::Data;
        if !lines[index].rejected && has_rtcp && !is_multiplexed(index, session, sections, lines, groups) {
            lines[index].reject();
            reason = SdpError::Missing("rtcp-mux");
        }
    }
    let Some(first) = lines.iter().position(|line| !line.rejected) else { return Err(reason) };
    let group = groups.iter().find(|group| group.contains(&lines[first].mid));
    // Indices of the lines in this transport, in the order of their group.
    let members: Vec<usize> = match group {
        Some(group) => group.iter().filter_map(|mid| lines.iter().position(|line| line.mid == *mid)).collect(),
        None => vec![first],
    };
    for index in (0..lines.len()).filter(|index| !members.contains(index)) {
        lines[index].reject();
    }
    let taken: Vec<usize> = members.iter().copied().filter(|index| !lines[*index].rejected).collect();
    let scope = Scope::find(session, sections, &members, &taken);
    let bundle =
        if group.is_some() { taken.iter().map(|index| lines[*index].mid.clone()).collect() } else { Vec::new() };
    Ok(Choice { transport: scope.transport()?, bundle, candidates: scope.candidates() })
}

/// Whether the line multiplexes RTCP with RTP. Bundled lines may leave the attribute to the tagged line, or, if that
/// does not use RTP, to the first one that does (RFC 9429 section 5.2.1).
fn is_multiplexed(
    index: usize,
    session: &Section<'_>,
    sections: &[Section<'_>],
    lines: &[Line],
    groups: &[Vec<String>],
) -> bool {
    let says = |section: &Section<'_>| section.has("rtcp-mux") || section.has("rtcp-mux-only");
    let group = groups.iter().find(|group| group.contains(&lines[index].mid));
    let bundled = |line: &Line| group.is_some_and(|group| group.contains(&line.mid));
    says(&sections[index])
        || says(session)
        || lines.iter().zip(sections).any(|(line, section)| bundled(line) && says(section))
}

/// The sections that may contain the transport's parameters.
struct Scope<'s, 'a> {
    session: &'s Section<'a>,
    /// The line that carries the parameters for all, if it has its own.
    tagged: &'s Section<'a>,
    /// All lines of the transport.
    members: Vec<&'s Section<'a>>,
}

impl<'s, 'a> Scope<'s, 'a> {
    /// The tagged line is the first accepted one of the group (RFC 9143 section 7.3.1). If neither it nor the session
    /// has parameters, another line of the group carried them, possibly one that we rejected.
    fn find(session: &'s Section<'a>, sections: &'s [Section<'a>], members: &[usize], taken: &[usize]) -> Self {
        let own = |index: &&usize| sections[**index].has("ice-ufrag");
        let tagged = taken.iter().find(own);
        let tagged = if tagged.is_none() && !session.has("ice-ufrag") { members.iter().find(own) } else { tagged };
        let tagged = tagged.or(taken.first()).or(members.first()).copied().unwrap_or_default();
        let members = members.iter().map(|index| &sections[*index]).collect();
        Scope { session, tagged: &sections[tagged], members }
    }

    /// The tagged line, the session, then the other lines of the transport.
    fn sections(&self) -> impl Iterator<Item = &'s Section<'a>> + '_ {
        [self.tagged, self.session].into_iter().chain(self.members.iter().copied())
    }

    fn transport(&self) -> Result<Transport, SdpError> {
        let get = |name: &'static str| self.sections().find_map(|s| s.get(name)).ok_or(SdpError::Missing(name));
        let (ufrag, password) = (get("ice-ufrag")?.trim(), get("ice-pwd")?.trim());
        if !is_ice(ufrag, 4) || !is_ice(password, 22) {
            return Err(SdpError::Attribute("ice-ufrag"));
        }
        // If there are several fingerprints, use the one that we can check (RFC 8122 section 5).
        let fingerprint = self.sections().flat_map(|section| section.all("fingerprint")).find_map(fingerprint);
        let fingerprint = fingerprint.ok_or(SdpError::Fingerprint)?;
        let setup = match get("setup")?.trim() {
            "actpass" => Setup::ActPass,
            "active" => Setup::Active,
            "passive" => Setup::Passive,
            // RFC 8842 does not use `holdconn`.
            _ => return Err(SdpError::Attribute("setup")),
        };
        let cookie = self.sections().find_map(|section| section.get(COOKIE)).and_then(cookie);
        Ok(Transport { ufrag: ufrag.into(), password: password.into(), fingerprint, setup, cookie })
    }

    /// Candidates of lines with the transport's credentials or none; others belong to unused transports.
    fn candidates(&self) -> Vec<&'a str> {
        let ufrag = self.sections().find_map(|section| section.get("ice-ufrag"));
        let ours = |section: &&Section<'a>| section.get("ice-ufrag").is_none_or(|own| Some(own) == ufrag);
        let members = self.members.iter().copied().filter(ours);
        members
            .chain([self.session])
            .flat_map(|section| section.attributes.iter())
            .filter(|(name, _)| *name == "candidate")
            .map(|(_, value)| *value)
            .collect()
    }
}
