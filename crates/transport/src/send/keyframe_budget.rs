//! Limits the keyframes that the far side can request.

use std::time::{Duration, Instant};

/// Shortest average interval between two requests that are granted. A keyframe is many times as large as other frames,
/// and everybody who receives the same encoding gets it too.
const INTERVAL: Duration = Duration::from_secs(1);
/// Unused requests that are saved. A receiver that needs a keyframe and does not get it repeats its request twice in the
/// first second.
const BURST: u32 = 3;

/// A token bucket in units of time.
#[derive(Debug)]
pub(crate) struct KeyframeBudget {
    saved: Duration,
    at: Option<Instant>,
}

impl Default for KeyframeBudget {
    fn default() -> Self {
        KeyframeBudget { saved: INTERVAL * BURST, at: None }
    }
}

impl KeyframeBudget {
    /// Whether a request may be granted now.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = self.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
        self.saved = (self.saved + passed).min(INTERVAL * BURST);
        let left = self.saved.checked_sub(INTERVAL);
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }
}
