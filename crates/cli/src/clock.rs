//! Converts between Unix time and the monotonic clock.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Both clocks, read at the same moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    instant: Instant,
    unix_ms: f64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { instant: Instant::now(), unix_ms: unix.as_secs_f64() * 1000.0 }
    }

    /// Unix time of an instant, in milliseconds.
    pub(crate) fn unix_ms(&self, at: Instant) -> f64 {
        let ahead = at.saturating_duration_since(self.instant).as_secs_f64();
        let behind = self.instant.saturating_duration_since(at).as_secs_f64();
        self.unix_ms + (ahead - behind) * 1000.0
    }

    pub(crate) fn now_ms(&self) -> f64 {
        self.unix_ms(Instant::now())
    }
}
