//! The connection check: what this machine's network lets through to a server.

use crate::config::ServerAddress;
use doctor::{Language, Options, Proxies, Report, Target};

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
    let target = Target { url: server.url, fingerprint: server.fingerprint };
    let seen = doctor::examine(&target, &Options { proxies: Proxies::System, member_secret, client }).await;
    Report::new(&seen, &doctor::diagnose(&seen), language)
}
