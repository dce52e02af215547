//! Microphones and loudspeakers of our own: a tone, files, silence. A thread plays the part of the device's callback,
//! 10 ms at a time on an absolute schedule.

use super::ring::{RingReader, RingWriter};
use super::{BLOCK, MicrophoneOptions, RATE};
use crate::error::DeviceError;
use crate::event::{DeviceEvent, EventSink};
use crate::pace::{Pace, sleep_until};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

/// What a synthetic microphone hears.
pub(super) enum Sound {
    Tone(f32),
}

impl Sound {
    /// `None`: the id is none of ours.
    pub(super) fn parse(id: &str, _options: MicrophoneOptions) -> Result<Option<Sound>, DeviceError> {
        Ok((id == "tone").then_some(Sound::Tone(0.0)))
    }

    fn fill(&mut self, out: &mut [f32; BLOCK]) {
        match self {
            Sound::Tone(phase) => {
                for sample in out {
                    *sample = 0.25 * (*phase * std::f32::consts::TAU).sin();
                    *phase = (*phase + 440.0 / RATE as f32).fract();
                }
            }
        }
    }
}

/// Where a synthetic loudspeaker's sound goes.
pub(super) enum Sink {
    Null,
    Wav(Box<hound::WavWriter<BufWriter<File>>>),
}

impl Sink {
    /// `None`: the id is none of ours. A file is created anew.
    pub(super) fn parse(id: &str) -> Result<Option<Sink>, DeviceError> {
        if id == "null" {
            return Ok(Some(Sink::Null));
        }
        let Some(path) = id.strip_prefix("wav:") else { return Ok(None) };
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: RATE,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let writer = hound::WavWriter::create(Path::new(path), spec).map_err(|e| file_error(path, &e))?;
        Ok(Some(Sink::Wav(Box::new(writer))))
    }

    fn write(&mut self, samples: &[f32; BLOCK]) -> Result<(), hound::Error> {
        match self {
            Sink::Null => Ok(()),
            Sink::Wav(writer) => samples.iter().try_for_each(|s| {
                let sample = (s.clamp(-1.0, 1.0) * f32::from(i16::MAX)).round() as i16;
                writer.write_sample(sample)
            }),
        }
    }

    /// Makes the file whole up to here, in case the process is killed.
    fn flush(&mut self) -> Result<(), hound::Error> {
        match self {
            Sink::Null => Ok(()),
            Sink::Wav(writer) => writer.flush(),
        }
    }
}

/// A thread that stops when this is dropped.
#[derive(Debug)]
pub(super) struct Worker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("a synthetic audio device failed");
        }
    }
}

/// Speaks into the ring.
pub(super) fn play_into(mut ring: RingWriter, mut sound: Sound, events: EventSink) -> Result<Worker, DeviceError> {
    let mut block = [0.0; BLOCK];
    start(events, move |_| {
        sound.fill(&mut block);
        ring.capture(&block, 1, |sample| sample);
        Ok(())
    })
}

/// Listens to the ring.
pub(super) fn play_out(mut ring: RingReader, mut sink: Sink, events: EventSink) -> Result<Worker, DeviceError> {
    let mut block = [0.0; BLOCK];
    start(events, move |step| {
        ring.play(&mut block, 1, |sample| sample);
        sink.write(&block)?;
        if step % 100 == 99 { sink.flush() } else { Ok(()) }
    })
}

/// Calls `work` each 10 ms until it fails or the worker is dropped.
fn start(
    events: EventSink,
    mut work: impl FnMut(u64) -> Result<(), hound::Error> + Send + 'static,
) -> Result<Worker, DeviceError> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let body = move || {
        let mut pace = Pace::new(Instant::now(), BLOCK as u32, RATE);
        events(DeviceEvent::Live);
        loop {
            let (step, due) = pace.next(Instant::now());
            if !sleep_until(due, &stopped) {
                break;
            }
            if let Err(e) = work(step) {
                events(DeviceEvent::Failed(DeviceError::Backend(e.to_string())));
                break;
            }
        }
    };
    let thread = std::thread::Builder::new().name("audio-synthetic".into()).spawn(body);
    let thread = thread.map_err(|e| DeviceError::Backend(e.to_string()))?;
    Ok(Worker { stop, thread: Some(thread) })
}

fn file_error(path: &str, e: &hound::Error) -> DeviceError {
    match e {
        hound::Error::IoError(io) if io.kind() == std::io::ErrorKind::NotFound => DeviceError::NotFound,
        hound::Error::IoError(io) if io.kind() == std::io::ErrorKind::PermissionDenied => DeviceError::PermissionDenied,
        _ => DeviceError::Backend(format!("{path}: {e}")),
    }
}
