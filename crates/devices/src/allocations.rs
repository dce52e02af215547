//! Counts allocations, so that tests can show that audio callbacks make none.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Number of allocations so far by the calling thread.
pub(crate) fn on_this_thread() -> u64 {
    COUNT.get()
}

struct Counting;

// SAFETY: forwards everything to `System` unchanged; the counter needs no memory and no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller follows the rules of `GlobalAlloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller follows the rules of `GlobalAlloc`, and `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}
