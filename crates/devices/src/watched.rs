//! Counts allocations and logs of a thread, so that tests can show that audio callbacks make none.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LOGS: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What a piece of code did that an audio callback must not do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Allocations, reallocations and releases of memory.
    pub(crate) allocations: u64,
    /// Logs and spans of every level.
    pub(crate) logs: u64,
}

/// Runs `code` and counts.
pub(crate) fn watch(code: impl FnOnce()) -> Seen {
    tracing::subscriber::with_default(Logs, || {
        let before = (ALLOCATIONS.get(), LOGS.get());
        code();
        Seen { allocations: ALLOCATIONS.get() - before.0, logs: LOGS.get() - before.1 }
    })
}

/// Counts whatever asks whether it is to be logged.
struct Logs;

impl Subscriber for Logs {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        LOGS.set(LOGS.get() + 1);
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
    fn register_callsite(&self, _: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }
}

struct Counting;

// SAFETY: forwards everything to `System` unchanged; the counter needs no memory and no destructor. The default
// `realloc` and `alloc_zeroed` call these two.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller follows the rules of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller follows the rules of `GlobalAlloc`, and `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}
