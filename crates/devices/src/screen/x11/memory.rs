//! Memory that the X server shares with us.

use super::super::ScreenError;
use super::display::{Display, failed, no_id};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use x11rb::connection::Connection as _;
use x11rb::protocol::shm::{self, Seg};

/// A segment of memory that the X server writes into. It is detached when the connection closes, which has no longer
/// life than the segment.
pub(super) struct SharedMemory {
    pub(super) segment: Seg,
    address: *mut c_void,
    len: usize,
}

impl SharedMemory {
    /// Allocates this many bytes, and gives the server a handle to them.
    pub(super) fn new(display: &Display, len: usize) -> Result<SharedMemory, ScreenError> {
        let of = |error: rustix::io::Errno| failed(&error);
        let file = memfd_create("screen", MemfdFlags::CLOEXEC).map_err(of)?;
        ftruncate(&file, len as u64).map_err(of)?;
        // SAFETY: a new mapping at an address of the kernel's choice; nothing else refers to it.
        let address =
            unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &file, 0) };
        let segment = display.connection.generate_id().map_err(|error| no_id(&error))?;
        let memory = SharedMemory { segment, address: address.map_err(of)?, len };
        let attached = shm::attach_fd(&display.connection, segment, file, false).map_err(|error| failed(&error))?;
        attached.check().map_err(|error| failed(&error))?;
        Ok(memory)
    }

    /// The bytes. The server writes only while it answers a request for an image, for which the caller waits.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the mapping has this length and lives as long as `self`, which is borrowed. The server could write at
        // another time only against its protocol; the bytes are plain numbers, so that would damage the picture only.
        unsafe { std::slice::from_raw_parts_mut(self.address.cast(), self.len) }
    }
}

impl Drop for SharedMemory {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this length, and no slice of it is left.
        if let Err(error) = unsafe { munmap(self.address, self.len) } {
            tracing::debug!("shared memory was not released: {error}");
        }
    }
}
