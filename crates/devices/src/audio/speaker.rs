//! The public side of a loudspeaker.

use super::drift::Drift;
use super::rate::RateConverter;
use super::ring::{RingWriter, ring};
use super::stream::{Maker, Stream};
use super::{BLOCK, RATE, REBUILT, SpeakerOptions, native, synthetic};
use crate::error::DeviceError;
use crate::event::EventSink;
use crate::hold::Hold;
use crate::info::DeviceKind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

/// An open loudspeaker: 48 kHz, one channel. Dropping it closes the device.
///
/// Write 10 ms whenever [`Speaker::wanted`] is 480 or more, so that the device's clock sets the pace.
#[derive(Debug)]
pub struct Speaker {
    outlet: Outlet,
    device: Option<OutputDevice>,
}

#[derive(Debug)]
enum OutputDevice {
    Native { _stream: Stream },
    Synthetic { _sink: synthetic::Worker },
}

impl Speaker {
    /// Opens a loudspeaker by id or name. `default` or an empty id is the system's choice. Synthetic ones are `null`
    /// and `wav:FILE` (16 bit, 48 kHz; the file contains what a loudspeaker would have played, with silence for gaps).
    /// Blocks until it is open.
    pub fn open(id: &str, events: EventSink) -> Result<Speaker, DeviceError> {
        Self::open_with(id, SpeakerOptions::default(), events)
    }

    /// Opens a loudspeaker with options.
    pub fn open_with(id: &str, options: SpeakerOptions, events: EventSink) -> Result<Speaker, DeviceError> {
        let (rings_to, rings) = sync_channel(REBUILT);
        let device = if let Some(sink) = synthetic::Sink::parse(id)? {
            let (writer, reader) = ring(RATE);
            let _ = rings_to.try_send(writer); // the channel has room for the first
            OutputDevice::Synthetic { _sink: synthetic::play_out(reader, sink, events)? }
        } else {
            let build = move |device: &str, signal: &_| {
                let mut made = None;
                let stream = native::open_output(device, signal, |rate| {
                    let (writer, reader) = ring(rate);
                    made = Some(writer);
                    reader
                })?;
                let writer = made.ok_or(DeviceError::Unsupported)?;
                let meter = writer.meter().clone();
                rings_to.try_send(writer).map_err(|_| DeviceError::Backend("nobody uses it".into()))?;
                Ok((stream, meter))
            };
            let maker = Maker { build, default: || native::default_id(native::Direction::Output) };
            let kept = Stream::keep(id, DeviceKind::Speaker, options.replaceable, maker, events)?;
            OutputDevice::Native { _stream: kept }
        };
        Ok(Speaker { outlet: Outlet::new(rings), device: Some(device) })
    }

    /// Takes the device out, so that another thread can close it: closing may block for seconds. After it is closed,
    /// nothing that is written is played.
    pub fn detach(&mut self) -> Hold {
        Hold::new(self.device.take())
    }

    /// Queues samples. Never blocks; beyond the ring's bound, the oldest are dropped.
    pub fn write(&mut self, samples: &[f32]) {
        self.outlet.write(samples);
    }

    /// Number of samples at 48 kHz that should be written now to keep the device fed; write when it is 480 or more. 0
    /// while no device is open.
    pub fn wanted(&mut self) -> usize {
        self.outlet.wanted()
    }

    /// Time from `write` until the samples are audible.
    pub fn latency(&self) -> Duration {
        self.outlet.latency()
    }

    /// Number of callbacks since the stream was built that ran out of samples after some had been written.
    pub fn underruns(&self) -> u64 {
        self.outlet.ring.as_ref().map_or(0, |ring| ring.meter().underruns())
    }
}

/// The writing side of the rings.
#[derive(Debug)]
struct Outlet {
    /// Rings of the current stream and of its replacements.
    rings: Receiver<RingWriter>,
    ring: Option<RingWriter>,
    converter: Option<RateConverter>,
    converted: Vec<f32>,
    drift: Drift,
    reserve: Reserve,
}

impl Outlet {
    fn new(rings: Receiver<RingWriter>) -> Self {
        let mut outlet = Self {
            rings,
            ring: None,
            converter: None,
            converted: Vec::new(),
            drift: Drift::new(0, usize::MAX),
            reserve: Reserve::default(),
        };
        outlet.adopt();
        outlet
    }

    fn write(&mut self, samples: &[f32]) {
        self.adopt();
        let before = self.level();
        let (Some(ring), Some(converter)) = (&mut self.ring, &mut self.converter) else { return };
        self.converted.clear();
        converter.push(samples, &mut self.converted);
        ring.write(&self.converted);
        self.reserve.written(samples.len(), ring.meter().underruns());
        self.follow_clock(before, samples.len());
    }

    /// Corrects the rate if the writer follows a clock of its own. A writer that writes what is `wanted` stays within
    /// the band.
    fn follow_clock(&mut self, before: usize, written: usize) {
        let (target, after) = (self.target(), self.level());
        self.drift.set_band(target - BLOCK / 2, target);
        for _ in 0..written / BLOCK {
            if let (Some(trim), Some(converter)) = (self.drift.observe(before, after), &mut self.converter) {
                converter.trim(trim);
            }
        }
    }

    /// Switches to the ring of a rebuilt stream first: the old one may stay full. A ring that nobody reads wants nothing.
    fn wanted(&mut self) -> usize {
        self.adopt();
        let read = self.ring.as_ref().is_some_and(|ring| !ring.is_abandoned());
        if read { self.target().saturating_sub(self.level()) } else { 0 }
    }

    fn latency(&self) -> Duration {
        let device = self.ring.as_ref().map_or(0, |ring| ring.meter().device_latency_us());
        let filter = self.converter.as_ref().zip(self.ring.as_ref());
        let filter = filter.map_or(0, |(converter, ring)| to_ours(converter.delay(), ring.rate()));
        Duration::from_micros(u64::from(device)) + samples(self.level() + filter)
    }

    /// The level to keep: the device takes one period at a time, and a block arrives every 10 ms.
    fn target(&self) -> usize {
        let period = self.ring.as_ref().map_or(0, |ring| to_ours(ring.meter().period(), ring.rate()));
        period.max(BLOCK) + BLOCK + self.reserve.samples()
    }

    fn level(&self) -> usize {
        let queued = self.ring.as_ref().map_or(0, |ring| to_ours(ring.level(), ring.rate()));
        queued + self.converter.as_ref().map_or(0, RateConverter::pending)
    }

    /// Switches to the ring of a rebuilt stream.
    fn adopt(&mut self) {
        while let Ok(ring) = self.rings.try_recv() {
            self.converter = RateConverter::new(RATE, ring.rate())
                .inspect_err(|e| tracing::warn!("cannot resample a loudspeaker at {} Hz: {e}", ring.rate()))
                .ok();
            self.reserve = Reserve::default();
            self.ring = Some(ring);
        }
    }
}

/// Samples kept beyond what the device's periods need: 5 ms, and more if threads are late.
#[derive(Debug, Default)]
struct Reserve {
    extra: usize,
    underruns: u64,
    quiet: usize,
}

impl Reserve {
    const BASE: usize = 240;
    const STEP: usize = 240;
    /// With two blocks in addition, this is still within the ring's bound.
    const MAX_EXTRA: usize = 1200;
    /// Time without underruns, in samples, after which one step is released.
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
    use super::super::ring::RingReader;
    use super::*;

    fn outlet(rate: u32) -> (Outlet, RingReader) {
        let (rings_to, rings) = sync_channel(REBUILT);
        let (writer, reader) = ring(rate);
        rings_to.send(writer).unwrap();
        (Outlet::new(rings), reader)
    }

    /// A device that takes `period` frames at a time, simulated in steps of 1 ms of its clock.
    struct SimulatedDevice {
        ring: RingReader,
        period: usize,
        ppm: f64,
        taken: usize,
    }

    impl SimulatedDevice {
        fn at(&mut self, ms: u32) {
            let due = f64::from(ms) * f64::from(self.ring.rate()) / 1000.0 * (1.0 + self.ppm / 1e6);
            while ((self.taken + self.period) as f64) <= due {
                self.ring.play(&mut vec![0.0f32; self.period], 1, |s| s);
                self.taken += self.period;
            }
        }
    }

    #[test]
    fn writing_the_wanted_amount_every_10_ms_causes_no_underruns() {
        for rate in [48_000, 44_100, 16_000] {
            for period_ms in [3, 5, 10, 20, 40] {
                let period = rate as usize * period_ms / 1000;
                let (mut outlet, ring) = outlet(rate);
                let mut device = SimulatedDevice { ring, period, ppm: 200.0, taken: 0 };
                let mut highest = 0;
                for ms in 0..8_000 {
                    device.at(ms);
                    if ms % 10 == 7 {
                        while outlet.wanted() >= BLOCK {
                            outlet.write(&[0.1; BLOCK]);
                        }
                        highest = highest.max(outlet.level());
                    }
                }
                let underruns = outlet.ring.as_ref().unwrap().meter().underruns();
                assert!(
                    underruns <= 1,
                    "{rate} Hz, {period_ms} ms: {underruns} underruns; one while the period is learnt"
                );
                let bound = 48 * (period_ms.max(10) + 10 + 10) + 120;
                assert!(highest <= bound, "{rate} Hz, {period_ms} ms: {highest} samples queued, bound {bound}");
            }
        }
    }

    #[test]
    fn a_writer_with_its_own_clock_causes_no_underruns_or_delay() {
        for (rate, ppm) in [(48_000, 300.0), (48_000, -300.0), (44_100, 300.0), (44_100, -300.0)] {
            let (mut outlet, ring) = outlet(rate);
            let mut device = SimulatedDevice { ring, period: rate as usize / 100, ppm, taken: 0 };
            let (mut lowest, mut highest, mut before) = (usize::MAX, 0, 0);
            for ms in 0..120_000 {
                device.at(ms);
                if ms % 10 == 7 {
                    outlet.write(&[0.1; BLOCK]);
                }
                if ms == 60_000 {
                    before = outlet.ring.as_ref().unwrap().meter().underruns();
                }
                if ms > 60_000 {
                    (lowest, highest) = (lowest.min(outlet.level()), highest.max(outlet.level()));
                }
            }
            let underruns = outlet.ring.as_ref().unwrap().meter().underruns() - before;
            assert!(underruns == 0 && highest < 48 * 60, "{rate} Hz {ppm} ppm: {underruns}, {lowest}..{highest}");
        }
    }

    #[test]
    fn without_a_device_nothing_is_wanted() {
        let (_rings_to, rings) = sync_channel(REBUILT);
        let mut outlet = Outlet::new(rings);
        outlet.write(&[0.0; BLOCK]);
        assert_eq!((outlet.wanted(), outlet.latency()), (0, Duration::ZERO));
    }

    #[test]
    fn a_rebuilt_stream_is_fed_although_the_old_ring_stayed_full() {
        let (rings_to, rings) = sync_channel(REBUILT);
        let (writer, old) = ring(48_000);
        rings_to.send(writer).unwrap();
        let mut outlet = Outlet::new(rings);
        while outlet.wanted() >= BLOCK {
            outlet.write(&[0.1; BLOCK]);
        }
        drop(old);
        assert_eq!(outlet.wanted(), 0, "no device");
        let (writer, mut new) = ring(48_000);
        rings_to.send(writer).unwrap();
        while outlet.wanted() >= BLOCK {
            outlet.write(&[0.1; BLOCK]);
        }
        let mut played = [0.0f32; 48];
        new.play(&mut played, 1, |s| s);
        assert_eq!(played[0], 0.1);
    }

    #[test]
    fn latency_includes_the_queue_and_the_device() {
        let (mut outlet, ring) = outlet(48_000);
        ring.meter().set_device_latency_us(20_000);
        outlet.write(&[0.0; BLOCK]);
        assert_eq!(outlet.latency(), Duration::from_millis(30));
    }

    #[test]
    fn the_reserve_grows_with_underruns_and_shrinks_without() {
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
