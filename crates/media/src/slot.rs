//! A slot for the newest frame.

use crate::frame::VideoFrame;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::Duration;

/// Holds one frame. A newer frame replaces it, and writers never wait. Clones share the slot.
#[derive(Debug, Clone, Default)]
pub struct FrameSlot {
    shared: Arc<Shared>,
}

/// Called for each frame on the thread that puts it, so it may only wake another thread.
pub type Wake = dyn Fn() + Send + Sync;

/// The result of waiting on a slot.
#[derive(Debug)]
pub enum Wait {
    /// A new frame.
    Frame(VideoFrame),
    /// No frame arrived in time.
    TimedOut,
    /// [`FrameSlot::nudge`] was called.
    Nudged,
    /// The slot is closed.
    Closed,
}

impl FrameSlot {
    /// Makes an empty slot.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the frame.
    pub fn put(&self, frame: VideoFrame) {
        let mut state = self.lock();
        state.generation += 1;
        let old = state.frame.replace(frame);
        state.wakes.retain(|wake| wake.strong_count() > 0);
        let wakes = state.wakes.clone();
        drop(state);
        self.shared.changed.notify_all();
        wakes.iter().filter_map(Weak::upgrade).for_each(|wake| wake());
        drop(old); // return its memory to the pool outside the lock
    }

    /// The newest frame if it is newer than `seen`, which is updated. Each reader keeps its own `seen`, starting at 0.
    pub fn newer_than(&self, seen: &mut u64) -> Option<VideoFrame> {
        newer(&self.lock(), seen)
    }

    /// Blocks until there is a frame newer than `seen`. For dedicated threads; never call it from async code.
    pub fn wait(&self, seen: &mut u64, timeout: Duration) -> Wait {
        let state = self.lock();
        let (start, nudges) = (*seen, state.nudges);
        let (state, _) = self
            .shared
            .changed
            .wait_timeout_while(state, timeout, |s| {
                !s.closed && s.nudges == nudges && (s.generation == start || s.frame.is_none())
            })
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        match newer(&state, seen) {
            Some(frame) => Wait::Frame(frame),
            None if state.closed => Wait::Closed,
            None if state.nudges != nudges => Wait::Nudged,
            None => Wait::TimedOut,
        }
    }

    /// Wakes all waiting readers, for a reason other than a frame.
    pub fn nudge(&self) {
        self.lock().nudges += 1;
        self.shared.changed.notify_all();
    }

    /// Calls `wake` for each frame until its last strong reference is dropped. For readers of many slots, which cannot
    /// [`wait`](Self::wait) on one.
    pub fn on_frame(&self, wake: &Arc<Wake>) {
        let wakes = &mut self.lock().wakes;
        // A reader that registers repeatedly, without frames in between, is called once.
        wakes.retain(|other| other.strong_count() > 0 && !std::ptr::addr_eq(other.as_ptr(), Arc::as_ptr(wake)));
        wakes.push(Arc::downgrade(wake));
    }

    /// Whether both are clones of one slot.
    pub fn is(&self, other: &FrameSlot) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Whether it holds a frame.
    pub fn has_frame(&self) -> bool {
        self.lock().frame.is_some()
    }

    /// Empties the slot, for example when the camera is switched off. It can be filled again.
    pub fn clear(&self) {
        let old = self.lock().frame.take();
        drop(old);
    }

    /// Closes the slot and wakes all waiting readers.
    pub fn close(&self) {
        self.lock().closed = true;
        self.shared.changed.notify_all();
    }

    /// Whether the slot is closed.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.shared.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

fn newer(state: &SlotState, seen: &mut u64) -> Option<VideoFrame> {
    if state.generation == *seen {
        return None;
    }
    *seen = state.generation;
    state.frame.clone()
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<SlotState>,
    changed: Condvar,
}

#[derive(Default)]
struct SlotState {
    frame: Option<VideoFrame>,
    generation: u64,
    nudges: u64,
    closed: bool,
    wakes: Vec<Weak<Wake>>,
}

impl std::fmt::Debug for SlotState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { generation, closed, .. } = self;
        f.debug_struct("State").field("generation", generation).field("closed", closed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::FramePool;
    use std::time::Instant;

    fn frame(width: u32) -> VideoFrame {
        FramePool::new().take(width, 2).freeze(Instant::now())
    }

    #[test]
    fn dropped_readers_leave_no_wakers() {
        let slot = FrameSlot::new();
        let lasting: Arc<Wake> = Arc::new(|| {});
        for _ in 0..1000 {
            slot.on_frame(&lasting);
            slot.on_frame(&(Arc::new(|| {}) as Arc<Wake>));
        }
        assert!(slot.lock().wakes.len() <= 2);
    }

    #[test]
    fn each_reader_gets_the_newest_frame_once() {
        let slot = FrameSlot::new();
        let (mut one, mut two) = (0, 0);
        slot.put(frame(2));
        slot.put(frame(4));
        assert_eq!(slot.newer_than(&mut one).map(|f| f.width()), Some(4));
        assert!(slot.newer_than(&mut one).is_none());
        assert_eq!(slot.newer_than(&mut two).map(|f| f.width()), Some(4));
    }

    #[test]
    fn a_cleared_slot_is_empty() {
        let slot = FrameSlot::new();
        slot.put(frame(2));
        slot.clear();
        assert!(slot.newer_than(&mut 0).is_none());
    }

    #[test]
    fn a_nudge_wakes_a_waiter() {
        let slot = FrameSlot::new();
        let other = slot.clone();
        let waiter = std::thread::spawn(move || other.wait(&mut 0, Duration::from_secs(60)));
        while !waiter.is_finished() {
            slot.nudge();
            std::thread::yield_now();
        }
        assert!(matches!(waiter.join().expect("waiter"), Wait::Nudged));
    }

    #[test]
    fn each_frame_wakes_registered_wakers() {
        use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
        let slot = FrameSlot::new();
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let wake: Arc<Wake> = Arc::new(move || {
            counted.fetch_add(1, Relaxed);
        });
        slot.on_frame(&wake);
        slot.put(frame(2));
        slot.put(frame(4));
        drop(wake);
        slot.put(frame(6));
        assert_eq!(count.load(Relaxed), 2);
        assert!(slot.lock().wakes.is_empty());
    }

    #[test]
    fn closing_wakes_a_waiter() {
        let slot = FrameSlot::new();
        let other = slot.clone();
        let waiter = std::thread::spawn(move || other.wait(&mut 0, Duration::from_secs(60)));
        slot.close();
        assert!(matches!(waiter.join().expect("waiter"), Wait::Closed));
    }
}
