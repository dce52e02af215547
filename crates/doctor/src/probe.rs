//! The probes. Each has a deadline, so that nothing that answers slowly, endlessly or not at all holds them up.

pub(crate) mod certificate;
mod channel;
mod mtu;
pub(crate) mod portal;
mod relays;
mod server;

use std::time::Duration;

use outbound::Proxies;
use tokio::time::Instant;

use crate::examination::Examination;
use crate::target::Target;

/// Longest time until the server's welcome. All probes together end within this and [`RELAYS`].
const SERVER: Duration = Duration::from_secs(14);
/// Longest time for all STUN and TURN servers, which are examined at the same time.
const RELAYS: Duration = Duration::from_secs(5);

/// How to examine. Not printable, because of the secret.
#[derive(Clone, Default)]
pub struct Options {
    /// The proxies to use.
    pub proxies: Proxies,
    /// The secret of the community. Without it a relay of a closed community does not forward our test.
    pub member_secret: Option<String>,
    /// Software and version, for the server's log.
    pub client: String,
}

/// Examines the way to a server, in about 20 seconds at most. Nobody notices it but the server: it takes no seat and
/// joins no room.
pub async fn examine(target: &Target, options: &Options) -> Examination {
    let mut seen = Examination::new(target.host(), target.port(), target.is_encrypted());
    let budget = Budget { ends: Instant::now() + SERVER };
    let Some(session) = server::reach(target, options, budget, &mut seen).await else { return seen };
    let relays = relays::examine(&session.ice_servers, target.fingerprint, &options.proxies, RELAYS);
    (seen.relays, seen.mtu) = relays.await;
    // Its credentials for the relay are valid only while the session exists.
    session.close().await;
    seen
}

/// What is left of a common deadline.
#[derive(Debug, Clone, Copy)]
struct Budget {
    ends: Instant,
}

impl Budget {
    /// At most this long.
    fn part(self, most: Duration) -> Duration {
        most.min(self.ends.saturating_duration_since(Instant::now()))
    }
}

/// Random bytes. Zeros if the system has none: then a stranger could guess them, and forge a result of this test.
fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let _ = getrandom::fill(&mut bytes);
    bytes
}
