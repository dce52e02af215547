//! Filters our addresses: every description and candidate that we send passes through here.

use crate::candidate::{Candidate, CandidateType};
use crate::sdp::{Description, Origin};

/// Filters descriptions and candidates before they are sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outward {
    /// Whether only relayed addresses may be sent.
    pub(crate) relay_only: bool,
}

impl Outward {
    /// The candidate as it may be sent; `None` if it must not be.
    pub(crate) fn candidate(self, mut candidate: Candidate) -> Option<Candidate> {
        match candidate.kind {
            // The address from which we reached the relay is private and not needed (RFC 8839 section 5.1).
            CandidateType::Relay => candidate.hide_related(),
            CandidateType::Host | CandidateType::ServerReflexive | CandidateType::PeerReflexive if self.relay_only => {
                return None;
            }
            CandidateType::Host | CandidateType::ServerReflexive | CandidateType::PeerReflexive => {}
        }
        Some(candidate)
    }

    /// The description's text as it may be sent. Its other lines contain no address, because we write them ourselves.
    pub(crate) fn description(self, description: &Description, origin: Origin) -> String {
        let mut shown = description.clone();
        shown.candidates = shown.candidates.into_iter().filter_map(|candidate| self.candidate(candidate)).collect();
        shown.write(origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{candidate, sdp};

    const OURS: [&str; 5] = [
        "candidate:1 1 udp 2130706431 10.9.8.7 50000 typ host",
        "candidate:2 1 udp 2130706431 0a1b2c3d-7a1c-4a52-a51f-2f1c3b4a5d6e.local 50001 typ host",
        "candidate:3 1 udp 1677729535 203.0.113.9 46154 typ srflx raddr 10.9.8.7 rport 46154",
        "candidate:4 1 udp 41885439 192.0.2.1 50002 typ relay raddr 10.9.8.7 rport 44968",
        "candidate:5 1 udp 41885439 2001:db8::1 50003 typ relay raddr 2001:db8:9::7 rport 44968",
    ];

    fn filtered(relay_only: bool) -> Vec<String> {
        let all = OURS.iter().map(|text| candidate::parse(text).unwrap());
        all.filter_map(|one| Outward { relay_only }.candidate(one)).map(|one| one.to_string()).collect()
    }

    #[test]
    fn a_relayed_candidate_never_reveals_our_address() {
        let relayed = [
            "candidate:4 1 udp 41885439 192.0.2.1 50002 typ relay raddr 0.0.0.0 rport 9",
            "candidate:5 1 udp 41885439 2001:db8::1 50003 typ relay raddr 0.0.0.0 rport 9",
        ];
        assert_eq!(filtered(true), relayed);
        assert_eq!(filtered(false)[..3], OURS[..3]);
        assert_eq!(filtered(false)[3..], relayed);
    }

    #[test]
    fn a_description_contains_only_permitted_candidates() {
        let mut description = sdp::parse(include_str!("sdp/chromium.sdp"), &media::encoded::VideoCodec::ALL).unwrap();
        description.candidates = OURS.iter().map(|text| candidate::parse(text).unwrap()).collect();
        let origin = Origin { session: 1, version: 1 };
        let text = Outward { relay_only: true }.description(&description, origin);
        for address in ["10.9.8.7", "203.0.113.9", "2001:db8:9::7", ".local", "typ host", "srflx"] {
            assert!(!text.contains(address), "{address}: {text}");
        }
        assert_eq!(text.matches("typ relay raddr 0.0.0.0 rport 9").count(), 2);
        let fixed = |line: &&str| line.starts_with("c=") || line.starts_with("o=") || line.starts_with("a=rtcp:");
        for line in text.lines().filter(fixed) {
            assert!(line.ends_with("0.0.0.0") || line.ends_with("127.0.0.1"), "{line}");
        }
        assert!(Outward { relay_only: false }.description(&description, origin).contains("10.9.8.7 50000 typ host"));
    }
}
