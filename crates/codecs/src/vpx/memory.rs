//! Where libvpx, linked statically, gets its memory: these functions stand in for its own of the same names.
//!
//! libvpx clears what `vpx_calloc` returns by hand, and so brings every page of it into memory. A VP8 encoder of 720p asks
//! for 21 MiB that way, for as many coefficients as there could be at worst; the pages that `calloc` gets from the system
//! are clear already, and the most of them are never written.
//!
//! An archive's member that defines what is defined already is not linked, so that there is one definition of each. Should a
//! later libvpx keep more in that member, linking fails and says so.

use std::ffi::c_void;
use std::ptr::null_mut;

/// Alignment of what `malloc` and `calloc` return on the systems this is built for; libvpx asks for no more by default.
const USUAL: usize = 16;

/// `size` bytes at a multiple of `align`, which is a power of two; null if there are none.
#[unsafe(no_mangle)]
extern "C" fn vpx_memalign(align: usize, size: usize) -> *mut c_void {
    let mut memory = null_mut();
    // SAFETY: `memory` is a place for one pointer; bad alignments are answered by a code.
    let code = unsafe { libc::posix_memalign(&mut memory, align.max(USUAL), size) };
    if code == 0 { memory } else { null_mut() }
}

/// `size` bytes; null if there are none.
#[unsafe(no_mangle)]
extern "C" fn vpx_malloc(size: usize) -> *mut c_void {
    // SAFETY: any size may be asked for.
    unsafe { libc::malloc(size) }
}

/// `count` times `size` bytes of zeros; null if there are none, or if that is more than can be counted.
#[unsafe(no_mangle)]
extern "C" fn vpx_calloc(count: usize, size: usize) -> *mut c_void {
    // SAFETY: any count and size may be asked for.
    unsafe { libc::calloc(count, size) }
}

/// Gives back what one of the three above returned.
///
/// # Safety
/// `memory` is null, or comes from one of them and was not given back yet.
#[unsafe(no_mangle)]
unsafe extern "C" fn vpx_free(memory: *mut c_void) {
    // SAFETY: by the caller; all three return what `free` takes.
    unsafe { libc::free(memory) }
}
