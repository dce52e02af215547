//! Memory functions for a statically linked libvpx. They replace its own functions of the same names.
//!
//! libvpx's `vpx_calloc` clears its memory by hand, and so makes every page resident. A 720p VP8 encoder allocates 21
//! MiB that way, for the largest possible number of coefficients. Pages that `calloc` gets from the system are already
//! zero, and most of them are never written.
//!
//! The linker does not pull in an archive member whose symbols are already defined, so each function has one
//! definition. If a later libvpx adds more functions to that member, linking fails with a duplicate symbol.

use std::ffi::c_void;
use std::ptr::null_mut;

/// Alignment of `malloc` and `calloc` on the supported systems, in bytes. libvpx's default alignment is not larger.
const USUAL: usize = 16;

/// Allocates `size` bytes aligned to `align`, a power of two; null on failure.
#[unsafe(no_mangle)]
extern "C" fn vpx_memalign(align: usize, size: usize) -> *mut c_void {
    let mut memory = null_mut();
    // SAFETY: `memory` has room for one pointer; a bad alignment returns an error code.
    let code = unsafe { libc::posix_memalign(&mut memory, align.max(USUAL), size) };
    if code == 0 { memory } else { null_mut() }
}

/// Allocates `size` bytes; null on failure.
#[unsafe(no_mangle)]
extern "C" fn vpx_malloc(size: usize) -> *mut c_void {
    // SAFETY: any size is allowed.
    unsafe { libc::malloc(size) }
}

/// Allocates `count` times `size` zero bytes; null on failure or overflow.
#[unsafe(no_mangle)]
extern "C" fn vpx_calloc(count: usize, size: usize) -> *mut c_void {
    // SAFETY: any count and size are allowed.
    unsafe { libc::calloc(count, size) }
}

/// Frees memory from one of the functions above.
///
/// # Safety
/// `memory` must be null, or come from one of them and not have been freed.
#[unsafe(no_mangle)]
unsafe extern "C" fn vpx_free(memory: *mut c_void) {
    // SAFETY: guaranteed by the caller; all three return memory that `free` accepts.
    unsafe { libc::free(memory) }
}
