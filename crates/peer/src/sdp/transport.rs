//! Which lines share the transport, and where its parameters stand.
//!
//! We have one transport. It is that of the first line that we take; the lines of its BUNDLE group share it, and all
//! others are rejected, as RFC 9429 5.3.1 has it for `max-bundle`.

use super::attribute::{fingerprint, is_ice};
use super::section::Section;
use super::{Line, SdpError, Setup, Transport};

/// What was chosen.
pub(super) struct Choice<'a> {
    pub(super) transport: Transport,
    /// Names of the lines that we take, in the order of their group; empty if they are in none.
    pub(super) bundle: Vec<String>,
    /// Values of `a=candidate` that belong to this transport.
    pub(super) candidates: Vec<&'a str>,
}

/// Chooses the transport and rejects the lines that have no part in it.
pub(super) fn choose<'a>(
    session: &Section<'a>,
    sections: &[Section<'a>],
    lines: &mut [Line],
    groups: &[Vec<String>],
) -> Result<Choice<'a>, SdpError> {
    let mut reason = SdpError::Missing("a media line that we take");
    for index in 0..lines.len() {
        if !lines[index].rejected && !is_multiplexed(index, session, sections, lines, groups) {
            lines[index].reject();
            reason = SdpError::Missing("rtcp-mux");
        }
    }
    let Some(first) = lines.iter().position(|line| !line.rejected) else { return Err(reason) };
    let group = groups.iter().find(|group| group.contains(&lines[first].mid));
    // Indices of the lines in this transport, as their group orders them.
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

/// Whether RTCP of the line shares the port of RTP. Bundled lines may leave that to the tagged one, or, if that has no
/// RTP, to the first that has (RFC 9429 5.2.1).
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

/// Where the transport's parameters are looked for.
struct Scope<'s, 'a> {
    session: &'s Section<'a>,
    /// The one that speaks for all, if it says something of its own.
    tagged: &'s Section<'a>,
    /// All of the transport.
    members: Vec<&'s Section<'a>>,
}

impl<'s, 'a> Scope<'s, 'a> {
    /// The tagged line is the first of the group that we take (RFC 9143 7.3.1). Where that has nothing of its own and
    /// neither has the session, another line of the group spoke for all, be it one that we do not take.
    fn find(session: &'s Section<'a>, sections: &'s [Section<'a>], members: &[usize], taken: &[usize]) -> Self {
        let own = |index: &&usize| sections[**index].has("ice-ufrag");
        let tagged = taken.iter().find(own);
        let tagged = if tagged.is_none() && !session.has("ice-ufrag") { members.iter().find(own) } else { tagged };
        let tagged = tagged.or(taken.first()).or(members.first()).copied().unwrap_or_default();
        let members = members.iter().map(|index| &sections[*index]).collect();
        Scope { session, tagged: &sections[tagged], members }
    }

    /// The tagged line, the session, then whoever else is in the transport.
    fn sections(&self) -> impl Iterator<Item = &'s Section<'a>> + '_ {
        [self.tagged, self.session].into_iter().chain(self.members.iter().copied())
    }

    fn transport(&self) -> Result<Transport, SdpError> {
        let get = |name: &'static str| self.sections().find_map(|s| s.get(name)).ok_or(SdpError::Missing(name));
        let (ufrag, password) = (get("ice-ufrag")?.trim(), get("ice-pwd")?.trim());
        if !is_ice(ufrag, 4) || !is_ice(password, 22) {
            return Err(SdpError::Attribute("ice-ufrag"));
        }
        // Of several the one counts that we can check (RFC 8122 5).
        let fingerprint = self.sections().flat_map(|section| section.all("fingerprint")).find_map(fingerprint);
        let fingerprint = fingerprint.ok_or(SdpError::Fingerprint)?;
        let setup = match get("setup")?.trim() {
            "actpass" => Setup::ActPass,
            "active" => Setup::Active,
            "passive" => Setup::Passive,
            // RFC 8842 has no use for `holdconn`.
            _ => return Err(SdpError::Attribute("setup")),
        };
        Ok(Transport { ufrag: ufrag.into(), password: password.into(), fingerprint, setup })
    }

    /// Candidates of lines that name the transport's credentials or none; others are of transports not used.
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
