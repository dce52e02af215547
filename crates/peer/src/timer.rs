//! Precise sleeping on a tokio reactor: to 0.05 ms on Linux, and to 1 or 2 ms elsewhere.

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
    #[cfg(windows)]
    _resolution: windows::Resolution,
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

#[cfg(windows)]
mod windows {
    use windows_sys::Win32::Media::{TIMERR_NOERROR, timeBeginPeriod, timeEndPeriod};
    use windows_sys::Win32::System::Threading::{
        GetCurrentProcess, PROCESS_POWER_THROTTLING_CURRENT_VERSION, PROCESS_POWER_THROTTLING_IGNORE_TIMER_RESOLUTION,
        PROCESS_POWER_THROTTLING_STATE, ProcessPowerThrottling, SetProcessInformation,
    };

    const MILLISECONDS: u32 = 1;

    /// While one exists, the process's sleeps and waits are 1 ms late at most, instead of 15.6 ms. Windows counts the
    /// requests, so that each connection has its own.
    #[derive(Debug)]
    pub(super) struct Resolution {
        granted: bool,
    }

    impl Default for Resolution {
        fn default() -> Resolution {
            keep_when_hidden();
            // SAFETY: has no preconditions. A request that was granted is withdrawn once, when this value is dropped.
            Resolution { granted: unsafe { timeBeginPeriod(MILLISECONDS) } == TIMERR_NOERROR }
        }
    }

    impl Drop for Resolution {
        fn drop(&mut self) {
            if self.granted {
                // SAFETY: withdraws the request of `default`, with the same period, as required.
                unsafe { timeEndPeriod(MILLISECONDS) };
            }
        }
    }

    /// Windows 11 ignores such requests while all windows of the process are hidden or minimised, unless it is asked not
    /// to. Earlier versions refuse this, and do not need it.
    fn keep_when_hidden() {
        let state = PROCESS_POWER_THROTTLING_STATE {
            Version: PROCESS_POWER_THROTTLING_CURRENT_VERSION,
            ControlMask: PROCESS_POWER_THROTTLING_IGNORE_TIMER_RESOLUTION,
            StateMask: 0,
        };
        let size = size_of::<PROCESS_POWER_THROTTLING_STATE>() as u32;
        // SAFETY: the pointer and the size are those of `state`, which this class of information requires and which is
        // only read during the call. The handle of this process needs no closing.
        unsafe { SetProcessInformation(GetCurrentProcess(), ProcessPowerThrottling, (&raw const state).cast(), size) };
    }
}
