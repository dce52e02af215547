//! Precise sleeping on a tokio reactor.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Longer sleeps may be one or two milliseconds late.
const PRECISE_BELOW: Duration = Duration::from_millis(100);

/// Makes the sleeps of one task. Only one is awaited at a time.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    #[cfg(target_os = "linux")]
    clock: std::sync::OnceLock<Option<linux::Clock>>,
}

impl Timer {
    /// Completes after `duration`. Must be called on the reactor that will await it.
    pub(crate) fn sleep(self: &Arc<Self>, duration: Duration) -> Task {
        if duration < PRECISE_BELOW
            && let Some(sleep) = self.precise(duration)
        {
            return sleep;
        }
        Box::pin(tokio::time::sleep(duration))
    }

    #[cfg(not(target_os = "linux"))]
    fn precise(self: &Arc<Self>, _: Duration) -> Option<Task> {
        None
    }

    #[cfg(target_os = "linux")]
    fn precise(self: &Arc<Self>, duration: Duration) -> Option<Task> {
        let clock = self.clock.get_or_init(|| linux::Clock::new().ok()).as_ref()?;
        clock.set(duration).ok()?;
        let timer = self.clone();
        Some(Box::pin(async move {
            if let Some(Some(clock)) = timer.clock.get() {
                clock.expired().await;
            }
        }))
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// A `timerfd`.
    #[derive(Debug)]
    pub(super) struct Clock(AsyncFd<OwnedFd>);

    impl Clock {
        pub(super) fn new() -> io::Result<Clock> {
            let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
            // SAFETY: an `OwnedFd` always refers to the same open descriptor until it is dropped, and the `AsyncFd`
            // that owns it deregisters before dropping it.
            let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
            Ok(Clock(registered.map_err(|error| error.into_parts().1)?))
        }

        /// Restarts the timer; an earlier expiration is discarded.
        pub(super) fn set(&self, duration: Duration) -> io::Result<()> {
            // Zero would disarm it.
            let duration = duration.max(Duration::from_nanos(1));
            let once = Itimerspec {
                it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: Timespec {
                    tv_sec: duration.as_secs() as i64,
                    tv_nsec: i64::from(duration.subsec_nanos()) as _,
                },
            };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
            Ok(())
        }

        pub(super) async fn expired(&self) {
            loop {
                let Ok(mut ready) = self.0.readable().await else { return };
                let mut count = [0u8; 8];
                // The cached readiness may belong to an earlier sleep. Only a nonzero count shows that this one is
                // over.
                match ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut count)?)) {
                    Ok(_) => return,
                    Err(_would_block) => {}
                }
            }
        }
    }
}
