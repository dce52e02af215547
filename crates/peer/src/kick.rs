//! Waking a connection's driver from any thread.
//!
//! The driver sleeps in one place only: the timer of its loop, which it takes from the runtime it was built with, which
//! is ours (`runtime.rs`). So ending that sleep is the cheapest wake-up there is: no channel, no allocation, no lock
//! that the driver holds while it works.

use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

/// Ends the driver's sleep. A kick given while the driver works is kept for its next sleep.
#[derive(Debug, Default)]
pub(crate) struct Kick {
    given: AtomicBool,
    waker: AtomicWaker,
}

impl Kick {
    /// Wakes the driver. Many kicks before it wakes are one.
    pub(crate) fn kick(&self) {
        if !self.given.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Ready once for all kicks since the last time.
    pub(crate) fn poll_kicked(&self, context: &mut Context<'_>) -> Poll<()> {
        if self.take() {
            return Poll::Ready(());
        }
        self.waker.register(context.waker());
        // A kick between the look above and the registration woke nobody.
        if self.take() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn take(&self) -> bool {
        self.given.swap(false, Ordering::AcqRel)
    }
}
