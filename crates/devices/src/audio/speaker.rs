//! A loudspeaker as the rest of the program sees it.

use super::drift::Drift;
use super::rate::RateConverter;
use super::ring::{RingWriter, ring};
use super::stream::Stream;
use super::{BLOCK, RATE, native, synthetic};
use crate::error::DeviceError;
use crate::event::EventSink;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// An open loudspeaker: 48 kHz, one channel. Dropping it closes the device.
///
/// Write 10 ms whenever [`Speaker::wanted`] says so: then the device's clock leads.
#[derive(Debug)]
pub struct Speaker {
    /// Rings of the present stream and of those that replace it.
    rings: Receiver<RingWriter>,
    ring: Option<RingWriter>,
    converter: Option<RateConverter>,
    converted: Vec<f32>,
    drift: Drift,
    reserve: Reserve,
    _device: Device,
}

#[derive(Debug)]
enum Device {
    Native { _stream: Stream },
    Synthetic { _sink: synthetic::Worker },
}

impl Speaker {
    /// Opens by id or name; `default` is the system's choice, ours are `null` and `wav:FILE` (16 bit, 48 kHz; the file
    /// is what a loudspeaker would have played, silence where nothing came). Blocks until it is open.
    pub fn open(id: &str, events: EventSink) -> Result<Speaker, DeviceError> {
        let (rings_to, rings) = channel();
        let device = if let Some(sink) = synthetic::Sink::parse(id)? {
            let (writer, reader) = ring(RATE);
            let _ = rings_to.send(writer);
            Device::Synthetic { _sink: synthetic::play_out(reader, sink, events)? }
        } else {
            let device = id.to_owned();
            let build = move |signal: &_| {
                let mut made = None;
                let stream = native::open_output(&device, signal, |rate| {
                    let (writer, reader) = ring(rate);
                    made = Some(writer);
                    reader
                })?;
                let writer = made.ok_or(DeviceError::Unsupported)?;
                let meter = writer.meter().clone();
                let _ = rings_to.send(writer);
                Ok((stream, meter))
            };
            Device::Native { _stream: Stream::keep(id, build, events)? }
        };
        let mut speaker = Speaker {
            rings,
            ring: None,
            converter: None,
            converted: Vec::new(),
            drift: Drift::new(0, usize::MAX),
            reserve: Reserve::default(),
            _device: device,
        };
        speaker.adopt();
        Ok(speaker)
    }

    /// Queues samples. Never blocks; beyond the ring's bound the oldest are dropped.
    pub fn write(&mut self, samples: &[f32]) {
        self.adopt();
        let (level, target) = (self.level(), self.target());
        let (Some(ring), Some(converter)) = (&mut self.ring, &mut self.converter) else { return };
        self.converted.clear();
        converter.push(samples, &mut self.converted);
        ring.write(&self.converted);
        self.reserve.written(samples.len(), ring.meter().underruns());
        // Only matters to a writer that goes by a clock of its own, which `wanted` cannot hold back.
        self.drift.set_band(target / 4, target + 2 * BLOCK);
        for _ in 0..samples.len() / BLOCK {
            if let Some(trim) = self.drift.observe(level) {
                converter.trim(trim);
            }
        }
    }

    /// Samples, in 1/48000 s, that should be written now to keep the device fed: write when it is 480 or more. 0 while
    /// there is no device.
    pub fn wanted(&self) -> usize {
        if self.ring.is_some() { self.target().saturating_sub(self.level()) } else { 0 }
    }

    /// From `write` until it is heard.
    pub fn latency(&self) -> Duration {
        let device = self.ring.as_ref().map_or(0, |ring| ring.meter().device_latency_us());
        let delay = self.converter.as_ref().zip(self.ring.as_ref());
        let delay = delay.map_or(0, |(converter, ring)| to_ours(converter.delay(), ring.rate()));
        Duration::from_micros(u64::from(device)) + samples(self.level() + delay)
    }

    /// Callbacks that ran out of sound although some had been written, since the stream was built.
    pub fn underruns(&self) -> u64 {
        self.ring.as_ref().map_or(0, |ring| ring.meter().underruns())
    }

    /// A device takes a period at once, and we come each 10 ms.
    fn target(&self) -> usize {
        let period = self.ring.as_ref().map_or(0, |ring| to_ours(ring.meter().period(), ring.rate()));
        period.max(BLOCK) + BLOCK + self.reserve.samples()
    }

    fn level(&self) -> usize {
        let queued = self.ring.as_ref().map_or(0, |ring| to_ours(ring.level(), ring.rate()));
        queued + self.converter.as_ref().map_or(0, RateConverter::pending)
    }

    /// A stream was built (again): goes over to its ring.
    fn adopt(&mut self) {
        while let Ok(ring) = self.rings.try_recv() {
            self.converter = RateConverter::new(RATE, ring.rate())
                .inspect_err(|e| log::warn!("loudspeaker at {} Hz: {e}", ring.rate()))
                .ok();
            self.reserve = Reserve::default();
            self.ring = Some(ring);
        }
    }
}

/// Sound kept ready beyond what the device's periods need: 5 ms, more where threads are late.
#[derive(Debug, Default)]
struct Reserve {
    extra: usize,
    underruns: u64,
    quiet: usize,
}

impl Reserve {
    const BASE: usize = 240;
    const STEP: usize = 240;
    /// Together with two blocks still within the ring's bound.
    const MAX_EXTRA: usize = 1200;
    /// Without underruns for this long, one step is given back.
    const GIVE_BACK: usize = 20 * RATE as usize;

    fn samples(&self) -> usize {
        Self::BASE + self.extra
    }

    fn written(&mut self, samples: usize, underruns: u64) {
        if underruns > self.underruns {
            self.underruns = underruns;
            self.quiet = 0;
            self.extra = (self.extra + Self::STEP).min(Self::MAX_EXTRA);
            return;
        }
        self.quiet += samples;
        if self.quiet >= Self::GIVE_BACK {
            self.quiet = 0;
            self.extra = self.extra.saturating_sub(Self::STEP);
        }
    }
}

fn to_ours(len: usize, rate: u32) -> usize {
    len * RATE as usize / rate as usize
}

fn samples(len: usize) -> Duration {
    Duration::from_nanos(len as u64 * 1_000_000_000 / u64::from(RATE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_grows_with_underruns_and_shrinks_in_quiet() {
        let mut reserve = Reserve::default();
        for n in 1..=10 {
            reserve.written(480, n);
        }
        assert_eq!(reserve.samples(), Reserve::BASE + Reserve::MAX_EXTRA);
        for _ in 0..10 * Reserve::GIVE_BACK / 480 {
            reserve.written(480, 10);
        }
        assert_eq!(reserve.samples(), Reserve::BASE);
    }
}
