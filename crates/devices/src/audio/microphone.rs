//! The public side of a microphone.

use super::drift::Drift;
use super::rate::RateConverter;
use super::ring::{RingReader, ring};
use super::stream::{Maker, Stream};
use super::{BLOCK, MicrophoneOptions, RATE, REBUILT, native, synthetic};
use crate::error::DeviceError;
use crate::event::EventSink;
use crate::hold::Hold;
use crate::info::DeviceKind;
use std::sync::mpsc::{Receiver, sync_channel};

/// An open microphone: 48 kHz, one channel. Dropping it closes the device.
///
/// Read it whenever 10 ms are available, or once every 10 ms of any clock. In the latter case samples are slipped to
/// compensate for the difference of the clocks.
#[derive(Debug)]
pub struct Microphone {
    intake: Intake,
    device: Option<InputDevice>,
}

#[derive(Debug)]
enum InputDevice {
    Native { _stream: Stream },
    Synthetic { _source: synthetic::Worker },
}

/// Delay that may remain in the ring, in samples at 48 kHz. What stays above it for a second is reduced.
const STANDING: usize = 720;

impl Microphone {
    /// Opens a microphone by id or name. `default` or an empty id is the system's choice. Synthetic ones are `tone` and
    /// `wav:FILE` (in a loop). Blocks until it is open.
    pub fn open(id: &str, events: EventSink) -> Result<Microphone, DeviceError> {
        Self::open_with(id, MicrophoneOptions::default(), events)
    }

    /// Opens a microphone with options.
    pub fn open_with(id: &str, options: MicrophoneOptions, events: EventSink) -> Result<Microphone, DeviceError> {
        let (rings_to, rings) = sync_channel(REBUILT);
        let device = if let Some(sound) = synthetic::Sound::parse(id, options)? {
            let (writer, reader) = ring(RATE);
            let _ = rings_to.try_send(reader); // the channel has room for the first
            InputDevice::Synthetic { _source: synthetic::play_into(writer, sound, events)? }
        } else {
            let build = move |device: &str, signal: &_| {
                let mut made = None;
                let stream = native::open_input(device, signal, |rate| {
                    let (writer, reader) = ring(rate);
                    made = Some(reader);
                    writer
                })?;
                let reader = made.ok_or(DeviceError::Unsupported)?;
                let meter = reader.meter().clone();
                rings_to.try_send(reader).map_err(|_| DeviceError::Backend("nobody uses it".into()))?;
                Ok((stream, meter))
            };
            let maker = Maker { build, default: || native::default_id(native::Direction::Input) };
            let kept = Stream::keep(id, DeviceKind::Microphone, options.replaceable, maker, events)?;
            InputDevice::Native { _stream: kept }
        };
        Ok(Microphone { intake: Intake::new(rings), device: Some(device) })
    }

    /// Takes the device out, so that another thread can close it: closing may block for seconds. After it is closed,
    /// nothing more can be read.
    pub fn detach(&mut self) -> Hold {
        Hold::new(self.device.take())
    }

    /// Reads 10 ms. Never blocks: returns `false` and does not change `out` if there is not enough yet.
    pub fn read(&mut self, out: &mut [f32; BLOCK]) -> bool {
        self.intake.read(out)
    }

    /// Number of buffered samples at 48 kHz.
    pub fn buffered(&self) -> usize {
        self.intake.buffered()
    }
}

/// The reading side of the rings.
#[derive(Debug)]
struct Intake {
    /// Rings of the current stream and of its replacements.
    rings: Receiver<RingReader>,
    ring: Option<RingReader>,
    converter: Option<RateConverter>,
    ready: Vec<f32>,
    scratch: Vec<f32>,
    drift: Drift,
}

impl Intake {
    fn new(rings: Receiver<RingReader>) -> Self {
        Self {
            rings,
            ring: None,
            converter: None,
            ready: Vec::with_capacity(4 * BLOCK),
            scratch: Vec::new(),
            drift: Drift::new(0, STANDING),
        }
    }

    fn read(&mut self, out: &mut [f32; BLOCK]) -> bool {
        self.adopt();
        self.convert();
        if self.ready.len() < BLOCK {
            return false;
        }
        out.copy_from_slice(&self.ready[..BLOCK]);
        self.ready.drain(..BLOCK);
        let level = self.buffered();
        if let (Some(trim), Some(converter)) = (self.drift.observe(level, level + BLOCK), &mut self.converter) {
            converter.trim(trim);
        }
        true
    }

    fn buffered(&self) -> usize {
        let waiting = self.ring.as_ref().map_or(0, |ring| ring.level() * RATE as usize / ring.rate() as usize);
        waiting + self.ready.len()
    }

    /// Switches to the ring of a rebuilt stream.
    fn adopt(&mut self) {
        while let Ok(ring) = self.rings.try_recv() {
            self.converter = RateConverter::new(ring.rate(), RATE)
                .inspect_err(|e| tracing::warn!("cannot resample a microphone at {} Hz: {e}", ring.rate()))
                .ok();
            self.scratch.resize(ring.rate() as usize / 200, 0.0);
            self.ring = Some(ring);
        }
    }

    /// Takes no more from the ring than this block needs: samples in the ring can still be dropped.
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

#[cfg(test)]
mod tests {
    use super::super::ring::RingWriter;
    use super::*;
    use std::sync::mpsc::SyncSender;

    fn intake(rate: u32) -> (Intake, RingWriter, SyncSender<RingReader>) {
        let (rings_to, rings) = sync_channel(REBUILT);
        let (writer, reader) = ring(rate);
        rings_to.send(reader).unwrap();
        (Intake::new(rings), writer, rings_to)
    }

    /// Simulates `seconds` of a device that calls back with `period` frames and whose clock is off by `ppm`, read every
    /// 10 ms. Returns the number of empty reads and the highest level, both in the second half.
    fn run(rate: u32, period: usize, ppm: f64, seconds: u32) -> (u32, usize) {
        let (mut intake, mut device, _rings) = intake(rate);
        let (mut produced, mut empty, mut highest) = (0, 0, 0);
        let mut block = [0.0; BLOCK];
        for tick in 0..100 * seconds {
            let due = f64::from(tick) * f64::from(rate) / 100.0 * (1.0 + ppm / 1e6);
            while ((produced + period) as f64) <= due {
                device.capture(&vec![0.25f32; 2 * period], 2, |s| s);
                produced += period;
            }
            let got = intake.read(&mut block);
            if tick >= 50 * seconds {
                empty += u32::from(!got);
                highest = highest.max(intake.buffered());
            }
        }
        (empty, highest)
    }

    #[test]
    fn a_fast_device_read_by_a_clock_does_not_accumulate_delay() {
        for rate in [48_000, 44_100, 16_000] {
            let (empty, highest) = run(rate, rate as usize / 100, 600.0, 120);
            assert!(highest < 1_920, "{rate} Hz: {highest} samples stand");
            assert!(empty <= 18, "{rate} Hz: {empty} empty reads");
        }
    }

    #[test]
    fn a_slow_device_loses_only_its_clock_drift() {
        let (empty, highest) = run(48_000, 480, -600.0, 120);
        assert!((2..=6).contains(&empty), "60 s lack 36 ms: {empty}");
        assert!(highest < 1_440, "{highest}");
    }

    #[test]
    fn long_periods_do_not_count_as_standing_delay() {
        let (empty, highest) = run(48_000, 1_920, 0.0, 60);
        assert!(empty <= 2 && highest <= 1_920 + 480, "{empty} {highest}");
    }

    #[test]
    fn an_empty_read_leaves_the_block_unchanged() {
        let (mut intake, mut device, _rings) = intake(48_000);
        let mut block = [7.0; BLOCK];
        assert!(!intake.read(&mut block));
        device.capture(&[0.5f32; 400], 1, |s| s);
        assert!(!intake.read(&mut block));
        assert_eq!(block, [7.0; BLOCK]);
        device.capture(&[0.5f32; 80], 1, |s| s);
        assert!(intake.read(&mut block));
        assert_eq!(block, [0.5; BLOCK]);
    }

    #[test]
    fn a_replaced_stream_continues_at_its_own_rate() {
        let (mut intake, mut device, rings) = intake(48_000);
        let mut block = [0.0; BLOCK];
        device.capture(&[0.5f32; 960], 1, |s| s);
        assert!(intake.read(&mut block));
        let (mut next, reader) = ring(16_000);
        rings.send(reader).unwrap();
        next.capture(&[0.25f32; 800], 1, |s| s);
        let mut got = 0;
        while intake.read(&mut block) {
            got += 1;
        }
        assert!((4..=6).contains(&got), "50 ms and the rest of the old stream: {got}");
        assert!((block[479] - 0.25).abs() < 0.01, "{}", block[479]);
    }
}
