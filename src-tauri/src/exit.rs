//! Ends the process without running the libraries' destructors.
//!
//! The toolkit keeps threads of its own for the display, the desktop's theme and the message bus. They do not end when
//! the process exits. A destructor can then free what such a thread still uses, and the process crashes instead of
//! exiting: 4 of 7,200 second starts did, in libXi, after their links had been passed on.

/// Arranges that every later exit of this process skips destructors. Call it after the toolkit has been loaded.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn skip_destructors() {
    use std::ffi::{c_int, c_void};

    unsafe extern "C" {
        fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
        fn _exit(status: c_int) -> !;
    }

    extern "C" fn end(status: c_int, _: *mut c_void) {
        // SAFETY: it ends the process and touches no memory of ours. Rust has flushed its own streams.
        unsafe { _exit(status) }
    }

    // SAFETY: `end` is a function, so it lives as long as the process. It ignores its argument.
    let registered = unsafe { on_exit(end, std::ptr::null_mut()) };
    if registered != 0 {
        tracing::warn!("the exit handler was not registered"); // there was no memory: exit as other programs do
    }
}

/// No such crash is known on other systems. Nobody has looked for one there.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn skip_destructors() {}
