//! The thread of a camera.

use super::CameraMode;
use super::pixels::Converter;
use crate::error::DeviceError;
use crate::event::{DeviceEvent, EventSink};
use media::frame::VideoFrame;
use media::slot::FrameSlot;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// A driver that delivers frames. It stays on the thread that opened it.
pub(super) trait Source {
    /// Waits for the next frame. `Ok(None)` means that none arrived in time; call again. [`DeviceError::Damaged`] means
    /// an unusable frame. [`DeviceError::Gone`] ends the camera immediately.
    fn next(&mut self, converter: &mut Converter, stop: &AtomicBool) -> Result<Option<VideoFrame>, DeviceError>;

    /// The mode in which it delivers.
    fn mode(&self) -> CameraMode;
}

/// A running thread. Dropping it stops the thread and waits until the device is closed.
#[derive(Debug)]
pub(super) struct Capture {
    stop: Arc<AtomicBool>,
    closed: Receiver<()>,
}

/// Longest wait for a driver to open, including the person's answer to a permission prompt.
const OPEN_TIMEOUT: Duration = Duration::from_secs(60);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Most consecutive errors before a camera has failed. Some drivers fail once or twice after a mode change.
const TOLERATED_ERRORS: u32 = 5;
/// Damaged frames must also last this long, because a loose connector may recover.
const TOLERATED_DAMAGE: Duration = Duration::from_secs(1);

impl Capture {
    /// Runs `open`, then the source, on a thread. Returns once it is open.
    pub(super) fn start<S, F>(open: F, slot: FrameSlot, events: EventSink) -> Result<(Capture, CameraMode), DeviceError>
    where
        S: Source,
        F: FnOnce() -> Result<S, DeviceError> + Send + 'static,
    {
        let stop = Arc::new(AtomicBool::new(false));
        let (opened_to, opened) = sync_channel(1);
        let (closed_to, closed) = sync_channel::<()>(1);
        let thread_stop = stop.clone();
        std::thread::Builder::new()
            .name("camera".into())
            .spawn(move || {
                let _closed_when_done = closed_to;
                // Driver bindings may panic on unexpected device behaviour.
                let body = AssertUnwindSafe(|| run(open, &opened_to, &slot, &events, &thread_stop));
                if catch_unwind(body).is_err() {
                    slot.clear();
                    let error = DeviceError::Backend("its driver binding panicked".into());
                    let _ = opened_to.try_send(Err(error.clone()));
                    events(DeviceEvent::Failed(error));
                }
            })
            .map_err(|e| DeviceError::Backend(e.to_string()))?;
        let capture = Capture { stop, closed };
        match opened.recv_timeout(OPEN_TIMEOUT) {
            Ok(mode) => Ok((capture, mode?)),
            Err(_) => Err(DeviceError::Backend("it did not answer".into())),
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Nothing is ever sent: the sender is dropped when the thread ends.
        if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = self.closed.recv_timeout(CLOSE_TIMEOUT) {
            tracing::warn!("a camera driver does not respond; its thread is left to close it");
        }
    }
}

fn run<S: Source>(
    open: impl FnOnce() -> Result<S, DeviceError>,
    opened: &SyncSender<Result<CameraMode, DeviceError>>,
    slot: &FrameSlot,
    events: &EventSink,
    stop: &AtomicBool,
) {
    let mut source = match open() {
        Ok(source) => source,
        Err(error) => {
            let _ = opened.send(Err(error));
            return;
        }
    };
    let _ = opened.send(Ok(source.mode()));
    let end = pump(&mut source, slot, events, stop);
    // v4l panics when it drops its buffers if the kernel refuses to release them.
    if catch_unwind(AssertUnwindSafe(|| drop(source))).is_err() {
        tracing::warn!("the driver panicked while closing a camera");
    }
    slot.clear();
    if let Some(event) = end {
        events(event);
    }
}

/// Moves frames until stopped (`None`) or until the camera fails.
fn pump(source: &mut impl Source, slot: &FrameSlot, events: &EventSink, stop: &AtomicBool) -> Option<DeviceEvent> {
    let mut converter = Converter::new();
    let mut live = false;
    let mut failing: Option<Failing> = None;
    while !stop.load(Ordering::Acquire) {
        match source.next(&mut converter, stop) {
            Ok(Some(frame)) => {
                if stop.load(Ordering::Acquire) {
                    break;
                }
                slot.put(frame);
                failing = None;
                if !std::mem::replace(&mut live, true) {
                    events(DeviceEvent::Live);
                }
            }
            Ok(None) => {}
            Err(DeviceError::Gone) => return Some(DeviceEvent::Gone),
            Err(error) => {
                let now = Instant::now();
                if failing.get_or_insert(Failing { since: now, errors: 0 }).is_enough(now, &error) {
                    return Some(DeviceEvent::Failed(error));
                }
            }
        }
    }
    None
}

/// Counts consecutive errors.
struct Failing {
    since: Instant,
    errors: u32,
}

impl Failing {
    /// Counts an error. Returns whether the camera has failed.
    fn is_enough(&mut self, now: Instant, error: &DeviceError) -> bool {
        self.errors += 1;
        tracing::debug!("camera: {error} ({} in a row)", self.errors);
        let patience = if *error == DeviceError::Damaged { TOLERATED_DAMAGE } else { Duration::ZERO };
        self.errors >= TOLERATED_ERRORS && now.duration_since(self.since) >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::super::SourceFormat;
    use super::*;
    use media::frame::FramePool;
    use std::sync::Mutex;

    const MODE: CameraMode = CameraMode { width: 4, height: 4, fps: 30, format: SourceFormat::I420 };

    /// Plays a script, then waits until stopped.
    struct Script(Vec<Result<Option<VideoFrame>, DeviceError>>, Arc<AtomicBool>);

    impl Source for Script {
        fn next(&mut self, _: &mut Converter, stop: &AtomicBool) -> Result<Option<VideoFrame>, DeviceError> {
            if self.0.is_empty() {
                while !stop.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
                return Ok(None);
            }
            self.0.remove(0)
        }

        fn mode(&self) -> CameraMode {
            MODE
        }
    }

    impl Drop for Script {
        fn drop(&mut self) {
            self.1.store(true, Ordering::Release);
        }
    }

    fn frame() -> Result<Option<VideoFrame>, DeviceError> {
        Ok(Some(FramePool::new().take(4, 4).freeze(Instant::now())))
    }

    struct Log(Mutex<Vec<DeviceEvent>>, std::sync::Condvar);

    impl Log {
        fn new() -> Arc<Log> {
            Arc::new(Log(Mutex::new(Vec::new()), std::sync::Condvar::new()))
        }

        fn sink(self: &Arc<Log>) -> EventSink {
            let log = self.clone();
            Arc::new(move |event| {
                log.0.lock().unwrap().push(event);
                log.1.notify_all();
            })
        }

        fn wait_for(&self, count: usize) -> Vec<DeviceEvent> {
            let events = self.0.lock().unwrap();
            let (events, _) = self.1.wait_timeout_while(events, Duration::from_secs(10), |e| e.len() < count).unwrap();
            events.clone()
        }
    }

    #[test]
    fn the_first_frame_reports_live_and_unplugging_gone() {
        let (log, slot, closed) = (Log::new(), FrameSlot::new(), Arc::new(AtomicBool::new(false)));
        let script = vec![frame(), frame(), Err(DeviceError::Gone)];
        let device = closed.clone();
        let (_capture, mode) = Capture::start(move || Ok(Script(script, device)), slot.clone(), log.sink()).unwrap();
        assert_eq!(mode, MODE);
        assert_eq!(log.wait_for(2), [DeviceEvent::Live, DeviceEvent::Gone]);
        assert!(closed.load(Ordering::Acquire), "the device is closed before its end is reported");
        assert!(slot.newer_than(&mut 0).is_none(), "no stale picture stays");
    }

    #[test]
    fn only_consecutive_errors_fail_the_camera() {
        let (log, closed) = (Log::new(), Arc::new(AtomicBool::new(false)));
        let error = || Err(DeviceError::Backend("x".into()));
        let mut script = vec![error(), error(), frame(), error(), frame()];
        script.extend((0..TOLERATED_ERRORS).map(|_| error()));
        let (_capture, _) = Capture::start(move || Ok(Script(script, closed)), FrameSlot::new(), log.sink()).unwrap();
        assert_eq!(log.wait_for(2), [DeviceEvent::Live, DeviceEvent::Failed(DeviceError::Backend("x".into()))]);
    }

    #[test]
    fn only_lasting_damage_is_reported() {
        let damaged = || Err(DeviceError::Damaged);
        let (log, closed) = (Log::new(), Arc::new(AtomicBool::new(false)));
        let mut script = vec![frame()];
        script.extend((0..100 * TOLERATED_ERRORS).map(|_| damaged()));
        script.extend([frame(), Err(DeviceError::Gone)]);
        let (_capture, _) = Capture::start(move || Ok(Script(script, closed)), FrameSlot::new(), log.sink()).unwrap();
        assert_eq!(log.wait_for(2), [DeviceEvent::Live, DeviceEvent::Gone]);

        let now = Instant::now();
        let mut failing = Failing { since: now, errors: 0 };
        let mut after = |ms| failing.is_enough(now + Duration::from_millis(ms), &DeviceError::Damaged);
        assert!((0..30).all(|n| !after(n * 33)));
        assert!(after(1_000));
    }

    #[test]
    fn dropping_closes_the_device_without_an_event() {
        let (log, slot, closed) = (Log::new(), FrameSlot::new(), Arc::new(AtomicBool::new(false)));
        let device = closed.clone();
        let (capture, _) = Capture::start(move || Ok(Script(vec![frame()], device)), slot.clone(), log.sink()).unwrap();
        log.wait_for(1);
        drop(capture);
        assert!(closed.load(Ordering::Acquire));
        assert_eq!(log.wait_for(0), [DeviceEvent::Live]);
    }

    #[test]
    fn an_error_while_opening_is_returned() {
        let log = Log::new();
        let result = Capture::start(|| Err::<Script, _>(DeviceError::Busy), FrameSlot::new(), log.sink());
        assert_eq!(result.map(|_| ()), Err(DeviceError::Busy));
        assert!(log.wait_for(0).is_empty());
    }

    #[test]
    fn a_driver_panic_is_an_error() {
        let log = Log::new();
        let open = || -> Result<Script, DeviceError> { panic!("driver") };
        let result = Capture::start(open, FrameSlot::new(), log.sink());
        assert!(matches!(result.map(|_| ()), Err(DeviceError::Backend(_))));
    }
}
