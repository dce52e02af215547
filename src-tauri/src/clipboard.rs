//! The system's clipboard. On Linux its content lasts only as long as the program that set it, so it stays open.

use std::sync::{Mutex, PoisonError};

/// The clipboard, opened on first use.
#[derive(Default)]
pub(crate) struct Clipboard {
    open: Mutex<Option<arboard::Clipboard>>,
}

impl Clipboard {
    /// Sets the clipboard's text. Returns a message if that failed.
    pub(crate) fn set(&self, text: String) -> Result<(), String> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_none() {
            *open = Some(arboard::Clipboard::new().map_err(|error| error.to_string())?);
        }
        open.as_mut().map_or(Ok(()), |clipboard| clipboard.set_text(text)).map_err(|error| error.to_string())
    }
}
