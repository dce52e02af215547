//! Notices that the network of this machine has changed: another address, another way out, no network at all, or the
//! machine was asleep.
//!
//! The system's notifications are only hints. After each burst of them the addresses and default routes are read and
//! compared, so that a hint that is lost or misunderstood does no harm, and one that changes nothing costs nothing.

#[cfg(target_os = "linux")]
#[path = "network/linux.rs"]
mod hints;
#[cfg(not(target_os = "linux"))]
#[path = "network/other.rs"]
mod hints;
mod pace;
mod paths;
mod wake;

use self::pace::Pace;
use self::paths::Paths;
use self::wake::Wake;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

/// Interval of the clock check. A machine that wakes is noticed within this time, and so is a change of which the system
/// gives no notification.
const TICK: Duration = Duration::from_secs(1);
/// An address comes a moment before its default route. Connections that were made in between would have to be made again.
const ROUTE_WAIT: Duration = Duration::from_millis(500);

/// The network as last reported. The newest report replaces an earlier one, so the driver misses no change that matters
/// and has at most one to handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NetworkReport {
    /// Number of changes after which connections need a new path: they lead through another interface or gateway, or
    /// the machine was asleep.
    pub(crate) changes: u64,
    /// Whether the machine has no usable address.
    pub(crate) offline: bool,
}

/// Watches the network until the receiver is dropped. Must be called within a tokio runtime.
pub(crate) fn watch() -> watch::Receiver<NetworkReport> {
    let (reports, watched) = watch::channel(NetworkReport { changes: 0, offline: false });
    tokio::spawn(run(reports));
    watched
}

async fn run(reports: watch::Sender<NetworkReport>) {
    let mut hints = hints::Hints::open();
    let mut watcher = Watcher::new(hints.paths());
    watcher.report(&reports, false);
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = hints.next() => watcher.pace.hint(Instant::now()),
            _ = tick.tick() => {
                if watcher.wake.tick(clocks(), TICK) {
                    tracing::debug!("the machine was asleep");
                    watcher.report(&reports, true);
                } else if hints.are_incomplete() {
                    watcher.pace.hint(Instant::now());
                }
            }
            () = sleep_until(watcher.pace.due()) => {
                let now = Instant::now();
                if watcher.pace.take_due(now) {
                    let moved = watcher.look(now, hints.paths());
                    if moved {
                        tracing::debug!("the network has changed");
                        watcher.pace.reported(now);
                    }
                    watcher.report(&reports, moved);
                }
            }
            () = reports.closed() => return,
        }
    }
}

/// What is known of the network.
struct Watcher {
    /// The last paths that connections could use.
    known: Paths,
    /// Whether there is no network.
    offline: bool,
    /// Since when there have been addresses, but no default route.
    incomplete: Option<Instant>,
    pace: Pace,
    wake: Wake,
}

impl Watcher {
    fn new(known: Paths) -> Watcher {
        let offline = known.is_offline();
        Watcher { known, offline, incomplete: None, pace: Pace::new(), wake: Wake::new(clocks()) }
    }

    /// Records the present paths. Returns whether connections need a new one.
    fn look(&mut self, now: Instant, paths: Paths) -> bool {
        if paths.is_offline() {
            self.incomplete = None;
            self.offline = true;
            return false;
        }
        if paths.await_route(&self.known) {
            let until = *self.incomplete.get_or_insert(now) + ROUTE_WAIT;
            if now < until {
                self.pace.plan(until);
                return false;
            }
        }
        self.incomplete = None;
        let moved = std::mem::take(&mut self.offline) || paths.need_new_connections(&self.known);
        self.known = paths;
        moved
    }

    fn report(&self, reports: &watch::Sender<NetworkReport>, moved: bool) {
        reports.send_if_modified(|report| {
            let before = *report;
            report.changes += u64::from(moved);
            report.offline = self.offline;
            before != *report
        });
    }
}

fn clocks() -> wake::Clocks {
    wake::Clocks { monotonic: Instant::now(), wall: SystemTime::now() }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_its_route_is_waited_for_but_not_for_ever() {
        let (start, ms) = (Instant::now(), Duration::from_millis);
        let mut watcher = Watcher::new(Paths::of([192, 168, 0, 7], true));
        assert!(!watcher.look(start, Paths::default()), "no network");
        assert!(watcher.offline);
        assert!(!watcher.look(start + ms(10), Paths::of([192, 168, 0, 8], false)));
        assert_eq!(watcher.pace.due(), Some(start + ms(10) + ROUTE_WAIT));
        assert!(watcher.look(start + ms(20), Paths::of([192, 168, 0, 8], true)));
        assert!(!watcher.offline);
        assert!(!watcher.look(start + ms(30), Paths::of([192, 168, 0, 9], false)));
        assert!(watcher.look(start + ms(30) + ROUTE_WAIT, Paths::of([192, 168, 0, 9], false)));
    }

    #[test]
    fn the_same_network_after_none_is_a_change_too() {
        let start = Instant::now();
        let mut watcher = Watcher::new(Paths::of([192, 168, 0, 7], true));
        assert!(!watcher.look(start, Paths::of([192, 168, 0, 7], true)));
        assert!(!watcher.look(start, Paths::default()));
        assert!(watcher.look(start, Paths::of([192, 168, 0, 7], true)));
    }
}
