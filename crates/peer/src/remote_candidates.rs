//! Sorts the far side's candidates: added now, waiting for their description, or dropped. Pure.

use crate::MAX_REMOTE_CANDIDATES;
use crate::candidate::{self, Candidate, CandidateAddress, CandidateError};
use crate::error::PeerError;
use crate::sdp::Description;

/// The candidates of one far side.
#[derive(Debug)]
pub(crate) struct RemoteCandidates {
    policy: CandidatePolicy,
    /// Candidates that arrived before their description; at most [`MAX_REMOTE_CANDIDATES`].
    early: Vec<Candidate>,
    /// Candidates added since the last description with new ICE credentials; at most [`MAX_REMOTE_CANDIDATES`].
    added: Vec<Candidate>,
    /// ICE user name fragment of the far side's newest offer, if that was ignored. Candidates that follow wait, because
    /// a far side that rolls back its offer may answer ours with the same fragment.
    ignored: Option<String>,
    /// ICE user name fragment of the generation before the present one.
    former: Option<String>,
}

/// The ICE generation of the far side's last applied description.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generation<'a> {
    pub(crate) ufrag: &'a str,
    /// The lines that use the tagged line's transport. What was gathered for them leads nowhere.
    pub(crate) bundled: &'a [String],
}

impl Generation<'_> {
    fn uses(self, candidate: &Candidate) -> bool {
        candidate.mid.as_ref().is_none_or(|mid| !self.bundled.contains(mid))
    }
}

/// Which addresses of the far side may be used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CandidatePolicy {
    /// `.local` names, which mDNS resolves.
    pub(crate) mdns: bool,
    /// This machine itself.
    pub(crate) loopback: bool,
}

impl CandidatePolicy {
    pub(crate) fn allows(self, candidate: &Candidate) -> bool {
        let hidden = matches!(candidate.address, CandidateAddress::Mdns(_));
        (self.mdns || !hidden) && (self.loopback || !candidate.is_loopback())
    }
}

impl RemoteCandidates {
    pub(crate) fn new(policy: CandidatePolicy) -> RemoteCandidates {
        RemoteCandidates { policy, early: Vec::new(), added: Vec::new(), ignored: None, former: None }
    }

    pub(crate) fn policy(&self) -> CandidatePolicy {
        self.policy
    }

    /// Candidates added to the library in this generation.
    pub(crate) fn added(&self) -> &[Candidate] {
        &self.added
    }

    /// Parses a candidate line. Returns the candidate if it must be added to the library now. `mid` and `ufrag` are the
    /// line and the generation that it was signalled for, if known.
    pub(crate) fn receive(
        &mut self,
        text: &str,
        mid: Option<String>,
        ufrag: Option<String>,
        current: Option<Generation<'_>>,
    ) -> Result<Option<Candidate>, PeerError> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let mut candidate = match candidate::parse(text) {
            Ok(candidate) => candidate,
            Err(CandidateError::Unused) => return Ok(None),
            Err(error) => return Err(PeerError::BadCandidate(error.to_string())),
        };
        if !self.policy.allows(&candidate) {
            return Ok(None);
        }
        candidate.ufrag = ufrag.or(candidate.ufrag);
        candidate.mid = mid;
        let is_of = |current: Generation<'_>| match candidate.ufrag.as_deref() {
            Some(ufrag) => ufrag == current.ufrag,
            None => self.ignored.as_deref().is_none_or(|ignored| ignored == current.ufrag),
        };
        if let Some(current) = current.filter(|current| is_of(*current)) {
            return if current.uses(&candidate) { self.add(candidate) } else { Ok(None) };
        }
        let is_former = candidate.ufrag.is_some() && candidate.ufrag == self.former;
        let same = |early: &Candidate| {
            early.leads_where(&candidate) && early.ufrag == candidate.ufrag && early.mid == candidate.mid
        };
        if is_former || self.early.iter().any(same) {
            return Ok(None);
        }
        if self.early.len() >= MAX_REMOTE_CANDIDATES {
            return Err(PeerError::TooMany);
        }
        self.early.push(candidate);
        Ok(None)
    }

    /// The far side's offer was ignored.
    pub(crate) fn ignore(&mut self, offer: Description) {
        self.early = offer.candidates;
        self.ignored = Some(offer.transport.ufrag);
    }

    /// A description with new ICE credentials is about to be applied, with these candidates in it. `former` is the ICE
    /// user name fragment before it.
    pub(crate) fn begin_generation(&mut self, candidates: &[Candidate], former: Option<&str>) {
        self.added = candidates.to_vec();
        self.former = former.map(str::to_owned);
    }

    /// Takes the candidates that waited for the description just applied.
    pub(crate) fn take_early(&mut self, current: Generation<'_>) -> Vec<Candidate> {
        let early = std::mem::take(&mut self.early);
        let unnamed = self.ignored.take().is_none_or(|ignored| ignored == current.ufrag);
        let fits = |candidate: &Candidate| candidate.ufrag.as_deref().map_or(unnamed, |ufrag| ufrag == current.ufrag);
        let early = early.into_iter().filter(|candidate| fits(candidate) && current.uses(candidate));
        early.filter_map(|candidate| self.add(candidate).ok().flatten()).collect()
    }

    /// Records a candidate. Returns `None` if another one has the same destination, because it would be checked twice.
    fn add(&mut self, candidate: Candidate) -> Result<Option<Candidate>, PeerError> {
        if self.added.iter().any(|added| added.leads_where(&candidate)) {
            return Ok(None);
        }
        if self.added.len() >= MAX_REMOTE_CANDIDATES {
            return Err(PeerError::TooMany);
        }
        self.added.push(candidate.clone());
        Ok(Some(candidate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: CandidatePolicy = CandidatePolicy { mdns: false, loopback: false };

    fn line(port: usize) -> String {
        format!("candidate:1 1 udp 2130706431 192.0.2.7 {port} typ host")
    }

    fn generation(ufrag: &str) -> Generation<'_> {
        Generation { ufrag, bundled: &[] }
    }

    fn receive(
        remote: &mut RemoteCandidates,
        text: &str,
        ufrag: Option<&str>,
        current: Option<&str>,
    ) -> Result<Option<Candidate>, PeerError> {
        remote.receive(text, None, ufrag.map(str::to_owned), current.map(generation))
    }

    fn ports(candidates: &[Candidate]) -> Vec<u16> {
        candidates.iter().map(|candidate| candidate.port).collect()
    }

    #[test]
    fn an_early_candidate_waits_for_its_description() {
        let mut remote = RemoteCandidates::new(POLICY);
        for port in [5000, 5001, 5000] {
            assert_eq!(receive(&mut remote, &line(port), None, None), Ok(None));
        }
        assert_eq!(ports(&remote.take_early(generation("abcd"))), [5000, 5001]);
        assert_eq!(receive(&mut remote, &line(5001), None, Some("abcd")), Ok(None), "it was added before");
        assert!(receive(&mut remote, &line(5002), None, Some("abcd")).is_ok_and(|candidate| candidate.is_some()));
        assert_eq!(ports(remote.added()), [5000, 5001, 5002]);
    }

    #[test]
    fn candidates_of_an_ignored_offer_are_dropped_unless_its_ufrag_returns() {
        for (answered_with, kept) in [("abcd", vec![5000]), ("efgh", vec![])] {
            let mut remote = RemoteCandidates::new(POLICY);
            remote.ignored = Some("abcd".into());
            assert_eq!(receive(&mut remote, &line(5000), None, Some("before")), Ok(None));
            assert_eq!(ports(&remote.take_early(generation(answered_with))), kept);
        }
    }

    #[test]
    fn a_candidate_waits_for_its_own_generation_and_one_of_the_former_is_dropped() {
        let mut remote = RemoteCandidates::new(POLICY);
        remote.begin_generation(&[], Some("old"));
        assert_eq!(receive(&mut remote, &line(5000), Some("old"), Some("now")), Ok(None));
        assert_eq!(receive(&mut remote, &line(5001), Some("next"), Some("now")), Ok(None));
        let inline = format!("{} ufrag next", line(5002));
        assert_eq!(receive(&mut remote, &inline, None, Some("now")), Ok(None));
        assert!(receive(&mut remote, &line(5003), Some("now"), Some("now")).is_ok_and(|candidate| candidate.is_some()));
        remote.begin_generation(&[], Some("now"));
        assert_eq!(ports(&remote.take_early(generation("next"))), [5001, 5002]);
        assert_eq!(receive(&mut remote, &line(5004), Some("now"), Some("next")), Ok(None));
        assert_eq!(
            ports(&remote.take_early(generation("later"))),
            Vec::<u16>::new(),
            "a former one does not even wait"
        );
    }

    #[test]
    fn candidates_are_limited_per_generation_and_while_waiting() {
        for current in [None, Some("abcd")] {
            let mut remote = RemoteCandidates::new(POLICY);
            for n in 0..MAX_REMOTE_CANDIDATES {
                assert!(receive(&mut remote, &line(5000 + n), None, current).is_ok());
            }
            assert_eq!(receive(&mut remote, &line(4999), None, current), Err(PeerError::TooMany));
            remote.begin_generation(&[], None);
            assert_eq!(receive(&mut remote, &line(4999), None, current).is_ok(), current.is_some());
        }
    }

    #[test]
    fn addresses_that_the_policy_forbids_are_not_used() {
        let mut remote = RemoteCandidates::new(POLICY);
        for address in ["127.0.0.1", "::1", "8dfae2a9-1f0c-4a53-9d3e-a5b9b2c1d0e7.local"] {
            let text = format!("candidate:1 1 udp 2130706431 {address} 5000 typ host");
            assert_eq!(receive(&mut remote, &text, None, Some("abcd")), Ok(None));
        }
        assert!(remote.added().is_empty());
        assert!(matches!(receive(&mut remote, "candidate:x", None, Some("abcd")), Err(PeerError::BadCandidate(_))));
    }

    #[test]
    fn candidates_of_bundled_lines_are_dropped_and_those_of_unknown_lines_are_not() {
        let bundled = ["audio".to_owned()];
        let current = Generation { ufrag: "abcd", bundled: &bundled };
        let at = |remote: &mut RemoteCandidates, port, mid: &str, current| {
            remote.receive(&line(port), Some(mid.into()), Some("abcd".into()), current)
        };
        let mut remote = RemoteCandidates::new(POLICY);
        for (port, mid) in [(5000, "audio"), (5001, "video"), (5002, "x"), (5001, "audio")] {
            assert_eq!(at(&mut remote, port, mid, None), Ok(None));
        }
        assert_eq!(ports(&remote.take_early(current)), [5001, 5002]);
        assert_eq!(at(&mut remote, 5003, "audio", Some(current)), Ok(None));
        assert!(at(&mut remote, 5003, "video", Some(current)).is_ok_and(|candidate| candidate.is_some()));
        assert_eq!(ports(remote.added()), [5001, 5002, 5003]);
    }
}
