//! The thread that owns a system stream and rebuilds it when it fails.

use super::is_default;
use super::keep::{Choice, Keep, Step, Target};
use super::ring::Meter;
use super::signal::Signal;
use crate::error::DeviceError;
use crate::event::EventSink;
use crate::info::DeviceKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// A stream that is kept running. Dropping it closes the device.
#[derive(Debug)]
pub(super) struct Stream {
    stop: Arc<AtomicBool>,
    thread: Thread,
    closed: Receiver<()>,
}

/// How often callbacks are checked.
const LOOK: Duration = Duration::from_millis(100);
/// How often it is checked whether the system's default is another device.
const LOOK_AT_DEFAULT: Duration = Duration::from_secs(1);
/// Longest wait for a driver to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(20);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// How the streams of a device are made.
pub(super) struct Maker<B, D> {
    /// Builds a stream for a device by id or name; `default` is the system's choice. Returns the stream, which stays on
    /// the thread, and the meter of its ring.
    pub(super) build: B,
    /// The id of the system's default device, if it has one.
    pub(super) default: D,
}

impl Stream {
    /// Runs `maker.build` on a thread of its own, and again whenever the stream fails or the system's default device
    /// changes. While a chosen device that is `replaceable` is absent, the system's default is used.
    pub(super) fn keep<S, B, D>(
        id: &str,
        kind: DeviceKind,
        replaceable: bool,
        maker: Maker<B, D>,
        events: EventSink,
    ) -> Result<Stream, DeviceError>
    where
        B: FnMut(&str, &Arc<Signal>) -> Result<(S, Arc<Meter>), DeviceError> + Send + 'static,
        D: FnMut() -> Option<String> + Send + 'static,
    {
        let choice = match (is_default(id), replaceable) {
            (true, _) => Choice::Default,
            (false, true) => Choice::Replaceable,
            (false, false) => Choice::Fixed,
        };
        let (id, Maker { mut build, default }) = (id.to_owned(), maker);
        let build = move |target, signal: &_| {
            let id = if target == Target::Chosen { &id } else { "default" };
            // Driver bindings may panic on unexpected device behaviour.
            let built = catch_unwind(AssertUnwindSafe(|| build(id, signal)));
            let failed = || Err(DeviceError::Backend("its driver binding panicked".into()));
            built.unwrap_or_else(|_| failed()).map_err(|error| error.of(kind, !is_default(id)))
        };
        let stop = Arc::new(AtomicBool::new(false));
        let (opened_to, opened) = sync_channel(1);
        let (closed_to, closed) = sync_channel::<()>(1);
        let stopped = stop.clone();
        let body = move || {
            let _closed_when_done = closed_to;
            let signal = Arc::new(Signal::new(std::thread::current()));
            let mut keeper = Keeper { build, default, signal, events };
            match keeper.first(choice) {
                Ok((stream, target)) => {
                    let _ = opened_to.send(Ok(()));
                    keeper.run(stream, Keep::new(choice, target, Instant::now()), &stopped);
                }
                Err(error) => {
                    let _ = opened_to.send(Err(error));
                }
            }
        };
        let thread = std::thread::Builder::new().name("audio-device".into()).spawn(body);
        let thread = thread.map_err(|e| DeviceError::Backend(e.to_string()))?.thread().clone();
        let stream = Stream { stop, thread, closed };
        match opened.recv_timeout(OPEN_TIMEOUT) {
            Ok(result) => result.map(|()| stream),
            Err(_) => Err(DeviceError::Backend("it did not answer".into())),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.thread.unpark();
        // Nothing is ever sent: the sender is dropped when the thread ends.
        if let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = self.closed.recv_timeout(CLOSE_TIMEOUT) {
            tracing::warn!("an audio driver does not respond; its thread is left to close it");
        }
    }
}

/// The thread's own parts.
struct Keeper<B, D> {
    build: B,
    default: D,
    signal: Arc<Signal>,
    events: EventSink,
}

impl<S, B, D> Keeper<B, D>
where
    B: FnMut(Target, &Arc<Signal>) -> Result<(S, Arc<Meter>), DeviceError>,
    D: FnMut() -> Option<String>,
{
    /// The first stream. The default replaces a device that is absent from the start.
    fn first(&mut self, choice: Choice) -> Result<((S, Arc<Meter>), Target), DeviceError> {
        let error = match (self.build)(Target::Chosen, &self.signal) {
            Ok(built) => return Ok((built, Target::Chosen)),
            Err(error) => error,
        };
        let absent = matches!(error, DeviceError::NotFound | DeviceError::Gone);
        if !absent || choice != Choice::Replaceable {
            return Err(error);
        }
        let built = (self.build)(Target::Default, &self.signal).map_err(|_| error)?;
        Ok((built, Target::Default))
    }

    fn run(&mut self, first: (S, Arc<Meter>), mut keep: Keep, stop: &AtomicBool) {
        let mut stream = Some(first);
        let mut default = (self.default)();
        let mut look = Instant::now() + LOOK_AT_DEFAULT;
        while !stop.load(Ordering::Acquire) {
            let callbacks = stream.as_ref().map_or(0, |(_, meter)| meter.callbacks());
            let now = Instant::now();
            if keep.is_default() && look <= now {
                look = now + LOOK_AT_DEFAULT;
                let current = (self.default)();
                if current.is_some() && std::mem::replace(&mut default, current.clone()) != current {
                    tracing::info!("the system has another default device");
                    self.signal.raise();
                }
            }
            if self.signal.take_doubt() {
                keep.doubt(now);
            }
            let mut step = keep.step(now, callbacks, self.signal.take());
            if let Step::Build(target) = step {
                step = match (self.build)(target, &self.signal) {
                    Ok(built) => {
                        stream = Some(built);
                        self.signal.take(); // of the stream that was replaced
                        keep.built(Instant::now(), target);
                        Step::Wait
                    }
                    Err(error) => {
                        tracing::debug!("audio device: {error}");
                        let before = stream.is_some();
                        let step = keep.not_built(Instant::now(), target, error);
                        // The default is next, without a pause.
                        if step == Step::Wait && !before && target == Target::Chosen {
                            continue;
                        }
                        step
                    }
                };
            }
            match step {
                Step::Wait | Step::Build(_) => std::thread::park_timeout(LOOK),
                Step::Report(event) => (self.events)(event),
                Step::Close => {
                    tracing::info!("an audio stream failed; rebuilding it");
                    stream = None;
                    self.signal.take();
                    self.signal.take_doubt();
                }
                Step::End => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ring;
    use super::*;
    use crate::event::DeviceEvent;
    use std::sync::Mutex;
    use std::sync::mpsc;

    /// A device whose streams call back once when built; `faults` fails the newest.
    struct Fake {
        signals: mpsc::Sender<(Arc<Signal>, ring::RingWriter)>,
        errors: Arc<Mutex<Vec<DeviceError>>>,
        ids: Arc<Mutex<Vec<String>>>,
    }

    impl Fake {
        fn build(&mut self, id: &str, signal: &Arc<Signal>) -> Result<(ring::RingReader, Arc<Meter>), DeviceError> {
            self.ids.lock().unwrap().push(id.to_owned());
            if let Some(error) = self.errors.lock().unwrap().pop() {
                return Err(error);
            }
            let (mut writer, reader) = ring::ring(48_000);
            writer.capture(&[0.0f32; 480], 1, |s| s);
            let meter = reader.meter().clone();
            self.signals.send((signal.clone(), writer)).unwrap();
            Ok((reader, meter))
        }
    }

    struct Opened {
        stream: Result<Stream, DeviceError>,
        built: mpsc::Receiver<(Arc<Signal>, ring::RingWriter)>,
        events: mpsc::Receiver<DeviceEvent>,
        /// Errors of the next builds, the last one first.
        errors: Arc<Mutex<Vec<DeviceError>>>,
        /// The devices that were built.
        ids: Arc<Mutex<Vec<String>>>,
        /// The system's default device.
        default: Arc<Mutex<String>>,
    }

    fn open(id: &str, errors: Vec<DeviceError>) -> Opened {
        open_with(id, false, errors)
    }

    fn open_with(id: &str, replaceable: bool, errors: Vec<DeviceError>) -> Opened {
        let (signals, built) = mpsc::channel();
        let (events_to, events) = mpsc::channel();
        let (errors, ids) = (Arc::new(Mutex::new(errors)), Arc::default());
        let default = Arc::new(Mutex::new("first".to_owned()));
        let (mut fake, known) = (Fake { signals, errors: errors.clone(), ids: Arc::clone(&ids) }, default.clone());
        let sink: EventSink = Arc::new(move |event| drop(events_to.send(event)));
        let maker = Maker {
            build: move |id: &str, signal: &_| fake.build(id, signal),
            default: move || Some(known.lock().unwrap().clone()),
        };
        let stream = Stream::keep(id, DeviceKind::Microphone, replaceable, maker, sink);
        Opened { stream, built, events, errors, ids, default }
    }

    const LONG: Duration = Duration::from_secs(10);

    #[test]
    fn a_broken_stream_is_replaced() {
        let Opened { stream, built, events, .. } = open("x", vec![]);
        let _stream = stream.unwrap();
        let (signal, _ring) = built.recv_timeout(LONG).unwrap();
        assert_eq!(events.recv_timeout(LONG), Ok(DeviceEvent::Live));
        signal.raise();
        built.recv_timeout(LONG).expect("a second stream");
    }

    #[test]
    fn failure_and_recovery_are_reported() {
        let Opened { stream, built, events, errors, .. } = open("default", vec![]);
        let _stream = stream.unwrap();
        let (signal, _ring) = built.recv_timeout(LONG).unwrap();
        assert_eq!(events.recv_timeout(LONG), Ok(DeviceEvent::Live));
        errors.lock().unwrap().push(DeviceError::NotFound);
        signal.raise();
        let none = DeviceError::None(DeviceKind::Microphone);
        assert_eq!(events.recv_timeout(LONG), Ok(DeviceEvent::Failed(none)));
        assert_eq!(events.recv_timeout(LONG), Ok(DeviceEvent::Live));
    }

    #[test]
    fn the_first_error_is_returned() {
        let Opened { stream, events, .. } = open("x", vec![DeviceError::Busy]);
        assert_eq!(stream.map(|_| ()), Err(DeviceError::Busy));
        assert!(events.recv().is_err(), "no event, and the thread is over");
    }

    #[test]
    fn a_driver_panic_is_an_error() {
        let build = |_: &str, _: &_| -> Result<((), Arc<Meter>), DeviceError> { panic!("driver") };
        let maker = Maker { build, default: || None };
        let stream = Stream::keep("x", DeviceKind::Microphone, false, maker, crate::ignore_events());
        assert!(matches!(stream.map(|_| ()), Err(DeviceError::Backend(_))));
    }

    #[test]
    fn dropping_closes_the_stream() {
        let Opened { stream, built, events: _events, .. } = open("x", vec![]);
        let (_, ring) = built.recv_timeout(LONG).unwrap();
        drop(stream);
        assert!(ring.is_abandoned());
    }

    #[test]
    fn the_default_replaces_a_lost_device_at_once_and_the_device_returns() {
        let Opened { stream, built, events, errors, ids, .. } = open_with("headset", true, vec![]);
        let _stream = stream.unwrap();
        let (signal, _ring) = built.recv_timeout(LONG).unwrap();
        assert_eq!(events.recv_timeout(LONG), Ok(DeviceEvent::Live));
        errors.lock().unwrap().push(DeviceError::NotFound);
        signal.raise();
        assert_eq!(events.recv_timeout(LONG), Ok(DeviceEvent::Replaced));
        let (_, _replacement) = built.recv_timeout(LONG).unwrap();
        let (_, mut ring) = built.recv_timeout(LONG).expect("it returns");
        ring.capture(&[0.0f32; 480], 1, |s| s);
        assert_eq!(events.recv_timeout(LONG), Ok(DeviceEvent::Live));
        assert_eq!(*ids.lock().unwrap(), ["headset", "headset", "default", "headset"]);
    }

    #[test]
    fn the_default_replaces_a_device_that_is_absent_from_the_start() {
        let Opened { stream, events, .. } = open_with("headset", true, vec![DeviceError::NotFound]);
        let _stream = stream.unwrap();
        assert_eq!(events.recv_timeout(LONG), Ok(DeviceEvent::Replaced));
        let busy = open_with("headset", true, vec![DeviceError::Busy]);
        assert_eq!(busy.stream.map(|_| ()), Err(DeviceError::Busy));
    }

    #[test]
    fn another_default_device_is_followed() {
        let Opened { stream, built, events, default, .. } = open("default", vec![]);
        let _stream = stream.unwrap();
        let _first = built.recv_timeout(LONG).unwrap();
        assert_eq!(events.recv_timeout(LONG), Ok(DeviceEvent::Live));
        *default.lock().unwrap() = "second".into();
        let _second = built.recv_timeout(LONG).expect("a stream of the new default");
    }
}
