//! Synthetic microphones and loudspeakers: a tone, files, silence. A thread takes the role of the device's callback, 10
//! ms at a time on an absolute schedule.

use super::ring::{RingReader, RingWriter};
use super::{BLOCK, MicrophoneOptions, RATE};
use crate::error::{self, DeviceError};
use crate::event::{DeviceEvent, EventSink};
use crate::pace::{Pace, sleep_until, unix_ms};
use media::marker::Marks;
use media::sources::{Tone, Wav};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

/// The source of a synthetic microphone.
#[derive(Debug)]
pub(super) enum Sound {
    Tone(Tone),
    Wav(Wav, Option<Marks>),
}

/// A4.
const TONE_HZ: f64 = 440.0;
const TONE_AMPLITUDE: f32 = 0.2;

impl Sound {
    /// Parses an id; `None` if it is not a synthetic one.
    pub(super) fn parse(id: &str, options: MicrophoneOptions) -> Result<Option<Sound>, DeviceError> {
        if id == "tone" {
            return Ok(Some(Sound::Tone(Tone::new(TONE_HZ, TONE_AMPLITUDE))));
        }
        let Some(path) = id.strip_prefix("wav:") else { return Ok(None) };
        let file = File::open(path).map_err(|e| error::file(path, &e))?;
        let wav = Wav::read(BufReader::new(file)).map_err(|e| error::wav(path, &e))?;
        Ok(Some(Sound::Wav(wav, options.markers.then(Marks::new))))
    }

    /// Produces the next samples, the first of which is captured at `unix_ms`.
    fn fill(&mut self, unix_ms: f64, out: &mut [f32; BLOCK]) {
        match self {
            Sound::Tone(tone) => tone.fill(out),
            Sound::Wav(wav, marks) => {
                wav.fill(out);
                if let Some(marks) = marks {
                    marks.apply(unix_ms, out);
                }
            }
        }
    }
}

/// The destination of a synthetic loudspeaker.
pub(super) enum Sink {
    Null,
    Wav(Box<hound::WavWriter<BufWriter<File>>>),
}

impl Sink {
    /// Parses an id; `None` if it is not a synthetic one. An existing file is replaced.
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

    /// Completes the file up to here, in case the process is killed.
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
            tracing::error!("a synthetic audio device failed");
        }
    }
}

/// Feeds a source into a ring.
pub(super) fn play_into(mut ring: RingWriter, mut sound: Sound, events: EventSink) -> Result<Worker, DeviceError> {
    let mut block = [0.0; BLOCK];
    start(events, move |_| {
        sound.fill(unix_ms(), &mut block);
        ring.capture(&block, 1, |sample| sample);
        Ok(())
    })
}

/// Plays a ring into a sink.
pub(super) fn play_out(mut ring: RingReader, mut sink: Sink, events: EventSink) -> Result<Worker, DeviceError> {
    let mut block = [0.0; BLOCK];
    start(events, move |step| {
        ring.play(&mut block, 1, |sample| sample);
        sink.write(&block)?;
        if step % 100 == 99 { sink.flush() } else { Ok(()) }
    })
}

/// Calls `work` every 10 ms until it fails or the worker is dropped.
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
                events(DeviceEvent::Failed(DeviceError::FileUnusable(e.to_string())));
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
        hound::Error::IoError(io) => error::file(path, io),
        _ => DeviceError::FileUnusable(format!("{path}: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Microphone, Speaker};
    use super::*;
    use crate::ignore_events;
    use media::marker::Detector;
    use std::time::Duration;

    fn path(name: &str) -> String {
        std::env::temp_dir().join(format!("lunchroom-{name}-{}.wav", std::process::id())).display().to_string()
    }

    fn write_wav(path: &str, samples: impl Iterator<Item = f32>) {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: RATE,
            bits_per_sample: 32,
            sample_format: hound::SampleFormat::Float,
        };
        let mut file = hound::WavWriter::create(path, spec).unwrap();
        samples.for_each(|s| file.write_sample(s).unwrap());
        file.finalize().unwrap();
    }

    fn read(microphone: &mut Microphone, blocks: usize) -> Vec<f32> {
        let mut samples = Vec::new();
        let mut block = [0.0; BLOCK];
        let start = Instant::now();
        while samples.len() < blocks * BLOCK {
            assert!(start.elapsed() < Duration::from_secs(20), "the microphone speaks");
            if microphone.read(&mut block) {
                samples.extend_from_slice(&block);
            } else {
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
        samples
    }

    #[test]
    fn a_tone_plays_in_real_time() {
        let mut microphone = Microphone::open("tone", ignore_events()).unwrap();
        let start = Instant::now();
        let samples = read(&mut microphone, 30);
        let level = (samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32).sqrt();
        assert!((level - TONE_AMPLITUDE / 2f32.sqrt()).abs() < 0.01, "{level}");
        assert!(start.elapsed() >= Duration::from_millis(250), "{:?}", start.elapsed());
        assert!(microphone.buffered() < 10 * BLOCK);
    }

    #[test]
    fn a_file_plays_in_a_loop() {
        let path = path("loop");
        write_wav(&path, (0..1000).map(|n| n as f32 / 1000.0));
        let mut microphone = Microphone::open(&format!("wav:{path}"), ignore_events()).unwrap();
        let samples = read(&mut microphone, 5);
        std::fs::remove_file(&path).unwrap();
        for (n, pair) in samples.windows(2).enumerate() {
            let step = (pair[1] - pair[0]).rem_euclid(1.0);
            assert!((step - 0.001).abs() < 1e-4, "sample {n}: {pair:?}");
        }
    }

    #[test]
    fn markers_start_at_even_seconds() {
        let mut sound = Sound::Wav(Wav::read(wav_bytes().as_slice()).unwrap(), Some(Marks::new()));
        let mut detector = Detector::new();
        let mut onsets = Vec::new();
        let mut block = [0.0; BLOCK];
        for n in 0..600 {
            let at = 1_700_000_001_000.0 + 10.0 * f64::from(n);
            sound.fill(at, &mut block);
            onsets.extend(detector.push(&block, at));
        }
        let expected: Vec<f64> = (1..=3).map(|n| 1_700_000_000_000.0 + 2000.0 * f64::from(n)).collect();
        let near = onsets.iter().zip(&expected).all(|(onset, at)| (onset - at).abs() <= 5.0);
        assert!(onsets.len() == 3 && near, "{onsets:?}");
    }

    fn wav_bytes() -> Vec<u8> {
        let path = path("marks");
        write_wav(&path, (0..4800).map(|n| 0.1 * (n as f32 * 0.03).sin()));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        bytes
    }

    #[test]
    fn a_file_speaker_records_what_it_plays() {
        let path = path("speaker");
        let mut speaker = Speaker::open(&format!("wav:{path}"), ignore_events()).unwrap();
        let mut written = 0;
        let start = Instant::now();
        while written < 50 {
            assert!(start.elapsed() < Duration::from_secs(20), "the loudspeaker plays");
            while speaker.wanted() >= BLOCK {
                speaker.write(&[0.5; BLOCK]);
                written += 1;
            }
            std::thread::park_timeout(Duration::from_millis(2));
        }
        assert!(speaker.latency() > Duration::from_millis(5) && speaker.latency() < Duration::from_millis(100));
        drop(speaker);
        let samples: Vec<i16> = hound::WavReader::open(&path).unwrap().into_samples().map(Result::unwrap).collect();
        std::fs::remove_file(&path).unwrap();
        let loud = samples.iter().filter(|s| **s == 16384).count();
        assert!(loud > 40 * BLOCK, "{loud} of {}", samples.len());
    }

    #[test]
    fn unusable_files_are_refused() {
        let microphone = |id: &str| Microphone::open(id, ignore_events()).map(|_| ()).map_err(|e| e.code());
        assert_eq!(microphone("wav:/nowhere/at all"), Err("file_not_found"));
        assert_eq!(microphone("wav:/dev/null"), Err("file_unplayable"));
        assert_eq!(microphone("wav:/"), Err("file_unusable"));
        let path = path("empty");
        std::fs::write(&path, b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\xBB\0\0\0\x77\x01\0\x02\0\x10\0")
            .unwrap();
        assert_eq!(microphone(&format!("wav:{path}")), Err("file_empty"));
        std::fs::remove_file(&path).unwrap();
        let speaker = Speaker::open("wav:/nowhere/at all", ignore_events()).map(|_| ()).map_err(|e| e.code());
        assert_eq!(speaker, Err("file_not_found"));
    }
}
