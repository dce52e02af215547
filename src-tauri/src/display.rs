//! Whether there is anything to draw a window on, found out before the toolkit would end the program.

/// Why no window can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoDisplay;

/// Opens the display. To be called on the main thread, before anything else of the toolkit and before any thread.
#[cfg(target_os = "linux")]
pub(crate) fn open() -> Result<(), NoDisplay> {
    spare_the_gpu_that_is_not_there();
    gtk::init().map_err(|_| NoDisplay)
}

/// Elsewhere a program that runs has a display.
#[cfg(not(target_os = "linux"))]
pub(crate) fn open() -> Result<(), NoDisplay> {
    Ok(())
}

/// Without a GPU WebKit's DMABUF renderer costs much and shows nothing on some machines. With one it is what makes
/// drawing fast, so that it stays on there, and whatever the person has set stays set.
#[cfg(target_os = "linux")]
fn spare_the_gpu_that_is_not_there() {
    const SWITCH: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    let gpu = std::fs::read_dir("/dev/dri")
        .is_ok_and(|files| files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("renderD")));
    if !gpu && std::env::var_os(SWITCH).is_none() {
        // SAFETY: the program has a single thread yet, so nobody reads the environment meanwhile.
        unsafe { std::env::set_var(SWITCH, "1") };
    }
}
