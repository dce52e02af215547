//! The connection check: what this machine's network lets through to a server.

use crate::config::ServerAddress;
use doctor::{Diagnosis, Examination, Language, Options, Proxies, Report, Target, Verdict};
use signaling::connection_report::{ConnectionReport, ConnectionVerdict};
use signaling::limits::MAX_FINDINGS;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Examines the way to a server, in about 20 seconds at most. It needs neither a session nor a call and changes none.
///
/// `member_secret` is the community's secret: a relay for members forwards nothing of a stranger. `client` names the
/// software and its version in the server's log.
pub async fn check_connection(
    server: ServerAddress,
    member_secret: Option<String>,
    client: String,
    language: Language,
) -> Report {
    let (seen, diagnosis) = examine(Checked { server, member_secret, client }).await;
    Report::new(&seen, &diagnosis, language)
}

/// What to check.
pub(crate) struct Checked {
    pub(crate) server: ServerAddress,
    /// The community's secret.
    pub(crate) member_secret: Option<String>,
    /// Software and version.
    pub(crate) client: String,
}

/// The checks that participants ask for, one at a time.
pub(crate) struct Checks {
    reports: mpsc::Sender<ConnectionReport>,
    running: Option<JoinHandle<()>>,
}

impl Checks {
    /// Reports to this channel.
    pub(crate) fn new(reports: mpsc::Sender<ConnectionReport>) -> Checks {
        Checks { reports, running: None }
    }

    /// Starts a check, in place of one that still runs.
    pub(crate) fn start(&mut self, what: Option<Checked>) {
        self.stop();
        let reports = self.reports.clone();
        self.running = Some(tokio::spawn(async move {
            let report = match what {
                Some(what) => in_codes(&examine(what).await.1),
                None => ConnectionReport::unknown(),
            };
            let _ = reports.send(report).await; // the engine may be gone
        }));
    }

    /// Stops the check that runs, if there is one.
    pub(crate) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
        }
    }
}

impl Drop for Checks {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn examine(Checked { server, member_secret, client }: Checked) -> (Examination, Diagnosis) {
    let target = Target { url: server.url, fingerprint: server.fingerprint };
    let seen = doctor::examine(&target, &Options { proxies: Proxies::System, member_secret, client }).await;
    let diagnosis = doctor::diagnose(&seen);
    (seen, diagnosis)
}

/// A diagnosis for somebody else: without addresses and names.
fn in_codes(diagnosis: &Diagnosis) -> ConnectionReport {
    let verdict = match diagnosis.verdict {
        Verdict::Good => ConnectionVerdict::Good,
        Verdict::Restricted => ConnectionVerdict::Restricted,
        Verdict::Blocked => ConnectionVerdict::Blocked,
    };
    let findings = diagnosis.findings.iter().take(MAX_FINDINGS).map(|one| one.code().to_owned()).collect();
    ConnectionReport { verdict, findings }
}

#[cfg(test)]
mod tests {
    use super::*;
    use doctor::Finding;

    #[test]
    fn a_report_for_somebody_else_has_codes_and_no_addresses() {
        let address = [192, 0, 2, 7].into();
        let findings = vec![Finding::AddressDead { address }, Finding::NoEcho];
        let report = in_codes(&Diagnosis { verdict: Verdict::Restricted, findings });
        assert!(report.is_valid());
        assert_eq!(report.findings, ["address_dead", "relay_no_echo"]);
        assert_eq!(report.verdict, ConnectionVerdict::Restricted);
    }
}
