//! What a participant's connection check found, in codes. It names no address of the participant's network.

use crate::limits::{MAX_FINDING_BYTES, MAX_FINDINGS};
use serde::{Deserialize, Serialize};

/// The result of a connection check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "ParticipantReport"))]
pub struct ConnectionReport {
    /// What calls can expect.
    pub verdict: ConnectionVerdict,
    /// The codes of what is wrong, at most [`MAX_FINDINGS`].
    #[serde(default)]
    pub findings: Vec<String>,
}

/// What calls can expect of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum ConnectionVerdict {
    /// Everything works.
    Good,
    /// Calls work with a restriction.
    Restricted,
    /// Calls do not work.
    Blocked,
    /// The client cannot check its connection.
    #[serde(other)]
    Unknown,
}

impl ConnectionReport {
    /// The report of a client that cannot check its connection.
    pub fn unknown() -> ConnectionReport {
        ConnectionReport { verdict: ConnectionVerdict::Unknown, findings: vec![] }
    }

    /// Whether the report is within the limits. Codes consist of lower-case letters, digits and `_`.
    pub fn is_valid(&self) -> bool {
        let is_code = |text: &String| {
            let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
            (1..=MAX_FINDING_BYTES).contains(&text.len()) && text.bytes().all(plain)
        };
        self.findings.len() <= MAX_FINDINGS && self.findings.iter().all(is_code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(findings: &[&str]) -> ConnectionReport {
        let findings = findings.iter().map(|code| (*code).to_owned()).collect();
        ConnectionReport { verdict: ConnectionVerdict::Restricted, findings }
    }

    #[test]
    fn only_short_lists_of_codes_are_valid() {
        assert!(with(&[]).is_valid() && with(&["udp_blocked", "mtu_small"]).is_valid());
        assert!(with(&["x"; MAX_FINDINGS]).is_valid() && !with(&["x"; MAX_FINDINGS + 1]).is_valid());
        let long = "x".repeat(MAX_FINDING_BYTES + 1);
        for bad in ["", "Udp", "udp blocked", "<b>", "한", &long] {
            assert!(!with(&[bad]).is_valid(), "{bad}");
        }
    }

    #[test]
    fn a_verdict_of_a_later_version_is_unknown() {
        let report: ConnectionReport = serde_json::from_str(r#"{"verdict": "slow"}"#).unwrap();
        assert_eq!(report, ConnectionReport::unknown());
    }
}
