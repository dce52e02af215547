//! Hints about addresses from systems other than Linux. A change of route without a change of address is noticed where
//! another local address leads outside; a new gateway behind the same address is not.

use super::paths::Paths;
use futures_util::StreamExt;
use if_watch::tokio::IfWatcher;

/// The system's notifications.
pub(super) struct Hints(Option<IfWatcher>);

impl Hints {
    pub(super) fn open() -> Hints {
        let watcher = IfWatcher::new();
        if let Err(error) = &watcher {
            tracing::warn!("the system does not report changes of the network: {error}");
        }
        Hints(watcher.ok())
    }

    /// Whether some changes have no hint, so that the network must be read at an interval: those of routes.
    pub(super) fn are_incomplete(&self) -> bool {
        true
    }

    /// Waits for the next hint.
    pub(super) async fn next(&mut self) {
        match &mut self.0 {
            // An error means that the addresses could not be read. They are read at an interval anyway.
            Some(watcher) => match watcher.next().await {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => self.0 = None,
            },
            None => std::future::pending().await,
        }
    }

    /// The present paths.
    pub(super) fn paths(&self) -> Paths {
        Paths::read(vec![])
    }
}
