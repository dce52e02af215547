//! Keeps a device open.

/// Keeps a device open. Dropping it closes the device and waits until it is closed, which takes seconds with some
/// drivers.
pub struct Hold {
    _device: Box<dyn Send>,
}

impl Hold {
    /// Wraps a value that closes its device when it is dropped.
    pub fn new(device: impl Send + 'static) -> Hold {
        Hold { _device: Box::new(device) }
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hold")
    }
}
