//! Checks for a display before the toolkit would end the program for lack of one.

/// There is no display for a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoDisplay;

/// Opens the display. Call it on the main thread, before anything else of the toolkit and before starting any thread.
#[cfg(target_os = "linux")]
pub(crate) fn open() -> Result<(), NoDisplay> {
    spare_the_gpu_that_is_not_there();
    gtk::init().map_err(|_| NoDisplay)
}

/// On other systems, a running program has a display.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open() -> Result<(), NoDisplay> {
    Ok(())
}

/// Disables WebKit's DMABUF renderer on machines without a GPU, where it is slow and on some machines shows nothing.
/// With a GPU it makes drawing fast, so it stays enabled there. A value set by the person is kept.
#[cfg(target_os = "linux")]
fn spare_the_gpu_that_is_not_there() {
    const SWITCH: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    let gpu = std::fs::read_dir("/dev/dri")
        .is_ok_and(|files| files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("renderD")));
    if !gpu && std::env::var_os(SWITCH).is_none() {
        // SAFETY: the program still has a single thread, so no other thread reads the environment.
        unsafe { std::env::set_var(SWITCH, "1") };
    }
}
