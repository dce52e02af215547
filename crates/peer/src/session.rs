//! Identifies the connection that a description belongs to.

use std::collections::BTreeSet;

/// The far side's connection, as identified by its descriptions.
///
/// RFC 8829 section 5.2.1: the session id in `o=` is generated once per connection. Some implementations generate one
/// for each description, so a new connection is assumed only if the ICE credentials are new too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FarSession {
    id: String,
    ufrag: String,
    fingerprints: BTreeSet<String>,
}

impl FarSession {
    /// Reads it from a description; `None` if the description lacks it.
    pub fn of(sdp: &str) -> Option<FarSession> {
        let values = |name: &str| sdp.lines().find_map(|line| line.trim_end().strip_prefix(name));
        let id = values("o=")?.split_ascii_whitespace().nth(1)?.to_owned();
        let ufrag = values("a=ice-ufrag:")?.trim().to_owned();
        let prints = sdp.lines().filter_map(|line| line.trim_end().strip_prefix("a=fingerprint:"));
        Some(FarSession { id, ufrag, fingerprints: prints.map(|print| print.trim().to_ascii_lowercase()).collect() })
    }

    /// Whether this is the same connection as in an earlier description, possibly after an ICE restart.
    pub fn continues(&self, earlier: &FarSession) -> bool {
        let known = self.fingerprints.is_empty() && earlier.fingerprints.is_empty()
            || !self.fingerprints.is_disjoint(&earlier.fingerprints);
        known && (self.id == earlier.id || self.ufrag == earlier.ufrag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: &str, ufrag: &str, print: &str) -> FarSession {
        let sdp = format!(
            "v=0\r\no=- {id} 2 IN IP4 0.0.0.0\r\ns=-\r\na=fingerprint:sha-256 {print}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
             a=ice-ufrag:{ufrag}\r\n"
        );
        FarSession::of(&sdp).unwrap()
    }

    #[test]
    fn restart_and_renegotiation_continue_the_session() {
        let first = session("7", "abcd", "AA:BB");
        assert!(session("7", "efgh", "aa:bb").continues(&first), "ICE was restarted");
        assert!(session("8", "abcd", "AA:BB").continues(&first), "an id for each description");
        assert!(!session("8", "efgh", "AA:BB").continues(&first), "recreated with the same certificate");
        assert!(!session("7", "abcd", "CC:DD").continues(&first), "another certificate");
    }

    #[test]
    fn a_malformed_origin_names_no_session() {
        for sdp in ["", "o=", "o=-\r\n", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n", "a=ice-ufrag:x\r\n"] {
            assert_eq!(FarSession::of(sdp), None, "{sdp}");
        }
    }
}
