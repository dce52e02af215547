//! Faults of a stream on their way from a callback to the thread that owns the stream. Nothing here locks, allocates or
//! logs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

/// Lets the audio thread report that the stream has failed.
#[derive(Debug)]
pub(super) struct Signal {
    fault: AtomicBool,
    /// An error that may be harmless.
    doubt: AtomicBool,
    keeper: Thread,
}

impl Signal {
    /// Wakes this thread.
    pub(super) fn new(keeper: Thread) -> Signal {
        Signal { fault: AtomicBool::new(false), doubt: AtomicBool::new(false), keeper }
    }

    /// Reports that the stream has failed.
    pub(super) fn raise(&self) {
        self.fault.store(true, Ordering::Release);
        self.keeper.unpark();
    }

    /// Reports an error after which the stream usually continues.
    pub(super) fn doubt(&self) {
        if !self.doubt.swap(true, Ordering::AcqRel) {
            self.keeper.unpark();
        }
    }

    pub(super) fn take_doubt(&self) -> bool {
        self.doubt.swap(false, Ordering::AcqRel)
    }

    pub(super) fn take(&self) -> bool {
        self.fault.swap(false, Ordering::AcqRel)
    }
}
