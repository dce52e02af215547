//! The thread that owns a system stream and rebuilds it when it fails.

use super::is_default;
use super::keep::{Keep, Step};
use super::ring::Meter;
use crate::error::DeviceError;
use crate::event::EventSink;
use crate::info::DeviceKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

/// Lets the audio thread report that the stream has failed.
#[derive(Debug, Default)]
pub(super) struct Signal {
    fault: AtomicBool,
    keeper: OnceLock<Thread>,
}

impl Signal {
    /// Sets the signal. Neither locks nor allocates.
    pub(super) fn raise(&self) {
        self.fault.store(true, Ordering::Release);
        if let Some(keeper) = self.keeper.get() {
            keeper.unpark();
        }
    }

    fn take(&self) -> bool {
        self.fault.swap(false, Ordering::AcqRel)
    }
}

/// A stream that is kept running. Dropping it closes the device.
#[derive(Debug)]
pub(super) struct Stream {
    stop: Arc<AtomicBool>,
    thread: Thread,
    closed: Receiver<()>,
}

/// How often callbacks are checked.
const LOOK: Duration = Duration::from_millis(250);
/// Longest wait for a driver to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(20);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

impl Stream {
    /// Runs `build` on a thread of its own, and again whenever the stream fails. It returns the stream, which stays on
    /// that thread, and the meter of its ring.
    pub(super) fn keep<S, B>(id: &str, kind: DeviceKind, mut build: B, events: EventSink) -> Result<Stream, DeviceError>
    where
        B: FnMut(&Arc<Signal>) -> Result<(S, Arc<Meter>), DeviceError> + Send + 'static,
    {
        let named = !is_default(id);
        let mut build = move |signal: &_| {
            // Driver bindings may panic on unexpected device behaviour.
            let built = catch_unwind(AssertUnwindSafe(|| build(signal)));
            let failed = || Err(DeviceError::Backend("its driver binding panicked".into()));
            built.unwrap_or_else(|_| failed()).map_err(|error| error.of(kind, named))
        };
        let stop = Arc::new(AtomicBool::new(false));
        let (opened_to, opened) = sync_channel(1);
        let (closed_to, closed) = sync_channel::<()>(1);
        let stopped = stop.clone();
        let body = move || {
            let _closed_when_done = closed_to;
            let signal = Arc::new(Signal::default());
            let _ = signal.keeper.set(std::thread::current());
            match build(&signal) {
                Ok(stream) => {
                    let _ = opened_to.send(Ok(()));
                    run(stream, build, &signal, &stopped, named, &events);
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

fn run<S>(
    first: (S, Arc<Meter>),
    mut build: impl FnMut(&Arc<Signal>) -> Result<(S, Arc<Meter>), DeviceError>,
    signal: &Arc<Signal>,
    stop: &AtomicBool,
    named: bool,
    events: &EventSink,
) {
    let mut stream = Some(first);
    let mut keep = Keep::new(named, Instant::now());
    while !stop.load(Ordering::Acquire) {
        let callbacks = stream.as_ref().map_or(0, |(_, meter)| meter.callbacks());
        let mut step = keep.step(Instant::now(), callbacks, signal.take());
        if step == Step::Build {
            step = match build(signal) {
                Ok(built) => {
                    stream = Some(built);
                    keep.built(Instant::now());
                    Step::Wait
                }
                Err(error) => {
                    tracing::debug!("audio device: {error}");
                    keep.not_built(Instant::now(), error)
                }
            };
        }
        match step {
            Step::Wait | Step::Build => std::thread::park_timeout(LOOK),
            Step::Report(event) => {
                events(event);
            }
            Step::Close => {
                tracing::info!("an audio stream failed; rebuilding it");
                stream = None;
                signal.take();
            }
            Step::End => break,
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
    }

    impl Fake {
        fn build(&mut self, signal: &Arc<Signal>) -> Result<(ring::RingReader, Arc<Meter>), DeviceError> {
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
        errors: Arc<Mutex<Vec<DeviceError>>>,
    }

    fn open(id: &str, errors: Vec<DeviceError>) -> Opened {
        let (signals, built) = mpsc::channel();
        let (events_to, events) = mpsc::channel();
        let errors = Arc::new(Mutex::new(errors));
        let mut fake = Fake { signals, errors: errors.clone() };
        let sink: EventSink = Arc::new(move |event| drop(events_to.send(event)));
        let stream = Stream::keep(id, DeviceKind::Microphone, move |signal| fake.build(signal), sink);
        Opened { stream, built, events, errors }
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
        let Opened { stream, built, events, errors } = open("default", vec![]);
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
        let build = |_: &_| -> Result<((), Arc<Meter>), DeviceError> { panic!("driver") };
        let stream = Stream::keep("x", DeviceKind::Microphone, build, crate::ignore_events());
        assert!(matches!(stream.map(|_| ()), Err(DeviceError::Backend(_))));
    }

    #[test]
    fn dropping_closes_the_stream() {
        let Opened { stream, built, events: _events, .. } = open("x", vec![]);
        let (_, ring) = built.recv_timeout(LONG).unwrap();
        drop(stream);
        assert!(ring.is_abandoned());
    }
}
