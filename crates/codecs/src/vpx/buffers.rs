//! Bounded memory for the VP9 decoder's frames. A frame larger than the maximum fails at its allocation, even if its
//! header passed the earlier check.

use crate::video::MAX_PIXELS;
use std::os::raw::{c_int, c_void};
use vpx_sys as vpx;

/// The frames of one decoder. Boxed, because libvpx keeps its address; it outlives the codec instance.
#[derive(Default)]
pub(super) struct Buffers {
    slots: Vec<Slot>,
}

#[derive(Default)]
struct Slot {
    bytes: Vec<u8>,
    used: bool,
}

impl Buffers {
    /// Size of the largest frame in bytes, with chroma, borders of 160 pixels and alignment.
    const LARGEST: usize = (MAX_PIXELS as usize + 4 * 352 * 4096) * 3 / 2;
    /// Number of reference and working frames of the decoder. Further ones are refused.
    const SLOTS: usize = (vpx::VP9_MAXIMUM_REF_BUFFERS + vpx::VPX_MAXIMUM_WORK_BUFFERS) as usize + 2;

    /// Makes `context` allocate its frames here.
    ///
    /// # Safety
    /// `context` must be a VP9 decoder that has not decoded anything, and `self` must not be moved or dropped before
    /// it.
    pub(super) unsafe fn install(&mut self, context: *mut vpx::vpx_codec_ctx_t) -> vpx::vpx_codec_err_t {
        let this: *mut Self = self;
        // SAFETY: guaranteed by the caller; the functions have the types that libvpx expects.
        unsafe { vpx::vpx_codec_set_frame_buffer_functions(context, Some(get), Some(release), this.cast()) }
    }

    fn take(&mut self, size: usize) -> Option<(usize, &mut [u8])> {
        if size > Self::LARGEST {
            return None;
        }
        let free = self.slots.iter().position(|slot| !slot.used);
        let n = match free {
            Some(n) => n,
            None if self.slots.len() < Self::SLOTS => {
                self.slots.push(Slot::default());
                self.slots.len() - 1
            }
            None => return None,
        };
        let slot = &mut self.slots[n];
        if slot.bytes.len() < size {
            slot.bytes = vec![0; size];
        }
        slot.used = true;
        Some((n, &mut slot.bytes))
    }
}

unsafe extern "C" fn get(this: *mut c_void, size: usize, out: *mut vpx::vpx_codec_frame_buffer_t) -> c_int {
    // SAFETY: `this` was given to `install`, `out` is libvpx's, and libvpx calls from the thread inside `decode`.
    let (this, out) = unsafe { (&mut *this.cast::<Buffers>(), &mut *out) };
    match this.take(size) {
        Some((n, bytes)) => {
            out.data = bytes.as_mut_ptr();
            out.size = bytes.len();
            out.priv_ = std::ptr::without_provenance_mut(n + 1);
            0
        }
        None => -1,
    }
}

unsafe extern "C" fn release(this: *mut c_void, out: *mut vpx::vpx_codec_frame_buffer_t) -> c_int {
    // SAFETY: as in `get`.
    let (this, out) = unsafe { (&mut *this.cast::<Buffers>(), &mut *out) };
    if let Some(slot) = out.priv_.addr().checked_sub(1).and_then(|n| this.slots.get_mut(n)) {
        slot.used = false;
    }
    out.priv_ = std::ptr::null_mut();
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_above_the_bound_gets_no_memory() {
        let mut buffers = Buffers::default();
        assert!(buffers.take(Buffers::LARGEST + 1).is_none());
        assert!(buffers.take((4096 + 320) * (2304 + 320) * 3 / 2 + 64).is_some());
    }

    #[test]
    fn buffers_are_bounded_and_returned() {
        let mut buffers = Buffers::default();
        for _ in 0..Buffers::SLOTS {
            assert!(buffers.take(10).is_some());
        }
        assert!(buffers.take(10).is_none());
        buffers.slots[3].used = false;
        assert_eq!(buffers.take(10).map(|(n, _)| n), Some(3));
    }
}
