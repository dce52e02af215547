//! Wakes a connection's driver from any thread.
//!
//! The driver sleeps in one place only: the timer of its loop. It takes that timer from its runtime, which is ours
//! (`runtime.rs`). Ending this sleep is the cheapest way to wake it: no channel, no allocation, and no lock that the
//! driver holds while it works.

use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// Ends the driver's sleep. A kick while the driver is awake ends its next sleep.
#[derive(Debug, Default)]
pub(crate) struct Kick {
    given: AtomicBool,
    waker: AtomicWaker,
}

impl Kick {
    /// Wakes the driver. Several kicks before it wakes count as one.
    pub(crate) fn kick(&self) {
        if !self.given.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Ready once for all kicks since the last call.
    pub(crate) fn poll_kicked(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.take() {
            return Poll::Ready(());
        }
        self.waker.register(context.waker());
        // A kick between the first check and the registration has not woken the task.
        if self.take() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn take(&self) -> bool {
        self.given.swap(false, Ordering::AcqRel)
    }
}
