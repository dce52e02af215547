//! A microphone as the rest of the program sees it.

use super::drift::Drift;
use super::rate::RateConverter;
use super::ring::{RingReader, ring};
use super::stream::Stream;
use super::{BLOCK, RATE, native, synthetic};
use crate::error::DeviceError;
use crate::event::EventSink;
use std::sync::mpsc::{Receiver, channel};

/// What a microphone should do besides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MicrophoneOptions {
    /// Files only: put a burst of 3 kHz where each even second of the wall clock begins, for measuring.
    pub markers: bool,
}

/// An open microphone: 48 kHz, one channel. Dropping it closes the device.
///
/// Read it whenever 10 ms are there, or once in each 10 ms of any clock: in the latter case the difference of the
/// clocks is made up for by slipping samples.
#[derive(Debug)]
pub struct Microphone {
    /// Rings of the present stream and of those that replace it.
    rings: Receiver<RingReader>,
    ring: Option<RingReader>,
    converter: Option<RateConverter>,
    ready: Vec<f32>,
    scratch: Vec<f32>,
    drift: Drift,
    _device: Device,
}

#[derive(Debug)]
enum Device {
    Native { _stream: Stream },
    Synthetic { _source: synthetic::Worker },
}

/// Delay that may stand in the ring, at 48 kHz; what stays above it for a second is worked off.
const STANDING: usize = 720;

impl Microphone {
    /// Opens by id or name; `default` is the system's choice, ours are `tone` and `wav:FILE` (in a loop). Blocks until
    /// it is open.
    pub fn open(id: &str, events: EventSink) -> Result<Microphone, DeviceError> {
        Self::open_with(id, MicrophoneOptions::default(), events)
    }

    /// Opens with options.
    pub fn open_with(id: &str, options: MicrophoneOptions, events: EventSink) -> Result<Microphone, DeviceError> {
        let (rings_to, rings) = channel();
        let device = if let Some(sound) = synthetic::Sound::parse(id, options)? {
            let (writer, reader) = ring(RATE);
            let _ = rings_to.send(reader);
            Device::Synthetic { _source: synthetic::play_into(writer, sound, events)? }
        } else {
            let device = id.to_owned();
            let build = move |signal: &_| {
                let mut made = None;
                let stream = native::open_input(&device, signal, |rate| {
                    let (writer, reader) = ring(rate);
                    made = Some(reader);
                    writer
                })?;
                let reader = made.ok_or(DeviceError::Unsupported)?;
                let meter = reader.meter().clone();
                let _ = rings_to.send(reader);
                Ok((stream, meter))
            };
            Device::Native { _stream: Stream::keep(id, build, events)? }
        };
        Ok(Microphone {
            rings,
            ring: None,
            converter: None,
            ready: Vec::with_capacity(4 * BLOCK),
            scratch: Vec::new(),
            drift: Drift::new(0, STANDING),
            _device: device,
        })
    }

    /// Takes 10 ms. Never blocks: `false` says that there is not enough yet, and leaves `out` alone.
    pub fn read(&mut self, out: &mut [f32; BLOCK]) -> bool {
        self.adopt();
        self.convert();
        if self.ready.len() < BLOCK {
            return false;
        }
        out.copy_from_slice(&self.ready[..BLOCK]);
        self.ready.drain(..BLOCK);
        let level = self.buffered();
        if let (Some(trim), Some(converter)) = (self.drift.observe(level), &mut self.converter) {
            converter.trim(trim);
        }
        true
    }

    /// Samples that wait, in 1/48000 s.
    pub fn buffered(&self) -> usize {
        let waiting = self.ring.as_ref().map_or(0, |ring| ring.level() * RATE as usize / ring.rate() as usize);
        waiting + self.ready.len()
    }

    /// A stream was built (again): goes over to its ring.
    fn adopt(&mut self) {
        while let Ok(ring) = self.rings.try_recv() {
            self.converter = RateConverter::new(ring.rate(), RATE)
                .inspect_err(|e| log::warn!("microphone at {} Hz: {e}", ring.rate()))
                .ok();
            self.scratch.resize(ring.rate() as usize / 200, 0.0);
            self.ring = Some(ring);
        }
    }

    /// Takes no more from the ring than this block needs: what waits there can still be dropped.
    fn convert(&mut self) {
        let (Some(ring), Some(converter)) = (&mut self.ring, &mut self.converter) else { return };
        while self.ready.len() < BLOCK {
            let got = ring.read(&mut self.scratch);
            if got == 0 {
                break;
            }
            converter.push(&self.scratch[..got], &mut self.ready);
        }
    }
}
