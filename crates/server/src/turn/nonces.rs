//! The nonces that refused requests were given. Anyone can ask for one, so their number is bounded.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Nonces kept. When there are as many, the older half goes: whoever used one of those is told a new one
/// (438, RFC 8489 section 9.2.5) and goes on with that.
const MAX_NONCES: usize = 16_384;

/// The store that the `turn` crate reads and writes.
#[derive(Default)]
pub(super) struct Nonces(Arc<Mutex<HashMap<String, Instant>>>);

impl Nonces {
    pub(super) fn shared(&self) -> Arc<Mutex<HashMap<String, Instant>>> {
        Arc::clone(&self.0)
    }

    pub(super) async fn prune(&self) {
        let mut nonces = self.0.lock().await;
        if nonces.len() < MAX_NONCES {
            return;
        }
        let mut given: Vec<Instant> = nonces.values().copied().collect();
        let (_, middle, _) = given.select_nth_unstable(MAX_NONCES / 2);
        let middle = *middle;
        nonces.retain(|_, given| *given > middle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn the_older_half_goes_when_there_are_too_many() {
        let nonces = Nonces::default();
        let start = Instant::now();
        for n in 0..MAX_NONCES as u32 {
            nonces.prune().await;
            nonces.0.lock().await.insert(n.to_string(), start + Duration::from_millis(n.into()));
        }
        assert_eq!(nonces.0.lock().await.len(), MAX_NONCES);
        nonces.prune().await;
        let left = nonces.0.lock().await;
        assert!(left.len() <= MAX_NONCES / 2);
        assert!(left.contains_key(&(MAX_NONCES - 1).to_string()));
        assert!(!left.contains_key("0"));
    }
}
