//! Lock-free rings between audio callbacks and other threads: mono samples at the device's rate.
//!
//! The bound is about 60 ms. The reader drops the oldest samples beyond it. The memory is larger, so that a callback
//! hardly ever finds the ring full. Nothing here locks, allocates (after [`ring`]) or logs.

use rtrb::{Consumer, Producer, RingBuffer};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// The bound of a ring in ms. When more samples arrive, the oldest are dropped; an empty ring plays silence. For
/// devices with periods above 25 ms the bound is two periods and 10 ms.
pub(super) const RING_MS: usize = 60;

/// Memory of a ring in ms. If the reader stalls for so long, the newest samples are rejected; then the reader starts
/// over.
const MEMORY_MS: usize = 400;

/// Counters that both ends share.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// The largest callback in frames.
    period: AtomicUsize,
    /// Number of callbacks.
    callbacks: AtomicU64,
    /// Number of samples rejected because the ring was full.
    refused: AtomicU64,
    /// Number of callbacks that ran out of samples after they had some.
    underruns: AtomicU64,
    /// Time from a callback until its audio is audible, in microseconds.
    device_latency: AtomicU32,
}

impl Meter {
    pub(super) fn callbacks(&self) -> u64 {
        self.callbacks.load(Ordering::Relaxed)
    }

    pub(super) fn period(&self) -> usize {
        self.period.load(Ordering::Relaxed)
    }

    pub(super) fn underruns(&self) -> u64 {
        self.underruns.load(Ordering::Relaxed)
    }

    pub(super) fn device_latency_us(&self) -> u32 {
        self.device_latency.load(Ordering::Relaxed)
    }

    pub(super) fn set_device_latency_us(&self, us: u32) {
        self.device_latency.store(us, Ordering::Relaxed);
    }

    fn called(&self, frames: usize) {
        self.callbacks.fetch_add(1, Ordering::Relaxed);
        self.period.fetch_max(frames, Ordering::Relaxed);
    }
}

/// Makes a ring for a device of this rate.
pub(super) fn ring(rate: u32) -> (RingWriter, RingReader) {
    let (producer, consumer) = RingBuffer::new(rate as usize * MEMORY_MS / 1000);
    let meter = Arc::new(Meter::default());
    let writer = RingWriter { producer, meter: meter.clone(), rate };
    (writer, RingReader { consumer, meter, rate, refused_seen: 0, last: 0.0, fed: false })
}

/// The writing end.
#[derive(Debug)]
pub(super) struct RingWriter {
    producer: Producer<f32>,
    meter: Arc<Meter>,
    rate: u32,
}

/// The reading end.
#[derive(Debug)]
pub(super) struct RingReader {
    consumer: Consumer<f32>,
    meter: Arc<Meter>,
    rate: u32,
    refused_seen: u64,
    last: f32,
    /// Whether the last callback got all the samples it needed.
    fed: bool,
}

impl RingWriter {
    /// Writes samples from the capture callback. Mixes the first two channels.
    pub(super) fn capture<T: Copy>(&mut self, data: &[T], channels: usize, to_f32: impl Fn(T) -> f32) {
        let channels = channels.max(1);
        self.meter.called(data.len() / channels);
        let mono = data.chunks_exact(channels).map(|frame| match frame {
            [one] => to_f32(*one),
            [left, right, ..] => 0.5 * (to_f32(*left) + to_f32(*right)),
            [] => 0.0,
        });
        self.put(data.len() / channels, mono);
    }

    /// Writes samples from other threads.
    pub(super) fn write(&mut self, samples: &[f32]) {
        self.put(samples.len(), samples.iter().copied());
    }

    /// Number of samples in the ring.
    pub(super) fn level(&self) -> usize {
        self.producer.buffer().capacity() - self.producer.slots()
    }

    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Whether the other end has been dropped.
    pub(super) fn is_abandoned(&self) -> bool {
        self.producer.is_abandoned()
    }

    fn put(&mut self, len: usize, samples: impl Iterator<Item = f32>) {
        let room = self.producer.slots().min(len);
        if room < len {
            self.meter.refused.fetch_add((len - room) as u64, Ordering::Relaxed);
        }
        if let Ok(chunk) = self.producer.write_chunk_uninit(room) {
            chunk.fill_from_iter(samples);
        }
    }
}

impl RingReader {
    /// Number of samples in the ring.
    pub(super) fn level(&self) -> usize {
        self.consumer.slots()
    }

    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    pub(super) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Reads up to `out.len()` samples and returns how many. First drops the oldest beyond the bound.
    pub(super) fn read(&mut self, out: &mut [f32]) -> usize {
        self.drop_oldest();
        let len = self.consumer.slots().min(out.len());
        let Ok(chunk) = self.consumer.read_chunk(len) else { return 0 };
        let (one, two) = chunk.as_slices();
        out[..one.len()].copy_from_slice(one);
        out[one.len()..len].copy_from_slice(two);
        chunk.commit_all();
        len
    }

    /// Fills the playback callback: all channels get the same samples. If samples are missing, the audio fades out
    /// within milliseconds.
    pub(super) fn play<T>(&mut self, data: &mut [T], channels: usize, from_f32: impl Fn(f32) -> T)
    where
        T: Copy,
    {
        /// Factor from each sample to the next: silence within 2 ms, without a click.
        const FADE: f32 = 0.95;
        let channels = channels.max(1);
        let frames = data.len() / channels;
        self.meter.called(frames);
        self.drop_oldest();
        let have = self.consumer.slots().min(frames);
        if have < frames && (have > 0 || self.fed) {
            self.meter.underruns.fetch_add(1, Ordering::Relaxed);
        }
        self.fed = have == frames;
        let mut samples = self.consumer.read_chunk(have).map(IntoIterator::into_iter).ok();
        for frame in data.chunks_mut(channels) {
            self.last = samples.as_mut().and_then(Iterator::next).unwrap_or(self.last * FADE);
            frame.fill(from_f32(self.last));
        }
    }

    fn drop_oldest(&mut self) {
        let level = self.consumer.slots();
        let refused = self.meter.refused.load(Ordering::Relaxed);
        let stalled = std::mem::replace(&mut self.refused_seen, refused) != refused;
        let bound = self.bound();
        if level > bound || stalled {
            let surplus = level.saturating_sub(bound / 2);
            if let Ok(chunk) = self.consumer.read_chunk(surplus) {
                chunk.commit_all();
            }
        }
    }

    fn bound(&self) -> usize {
        let rate = self.rate as usize;
        (rate * RING_MS / 1000).max(2 * self.meter.period() + rate / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(from: usize, len: usize) -> Vec<f32> {
        (from..from + len).map(|n| n as f32).collect()
    }

    #[test]
    fn samples_are_read_in_order() {
        let (mut writer, mut reader) = ring(48_000);
        writer.write(&ramp(0, 1000));
        let mut out = [0.0; 600];
        assert_eq!(reader.read(&mut out), 600);
        assert_eq!(out.to_vec(), ramp(0, 600));
        assert_eq!(reader.read(&mut out), 400);
        assert_eq!(out[..400].to_vec(), ramp(600, 400));
        assert_eq!(reader.read(&mut out), 0);
    }

    #[test]
    fn beyond_the_bound_the_oldest_are_dropped() {
        let (mut writer, mut reader) = ring(48_000);
        let bound = 48 * RING_MS;
        writer.write(&ramp(0, bound + 1));
        let mut out = [0.0; 1];
        reader.read(&mut out);
        assert_eq!(out[0] as usize, bound + 1 - bound / 2);
        assert_eq!(reader.level(), bound / 2 - 1);
    }

    #[test]
    fn after_a_long_stall_the_newest_samples_are_kept() {
        let (mut writer, mut reader) = ring(48_000);
        for n in 0..100 {
            writer.write(&ramp(n * 480, 480));
        }
        let mut out = [0.0; 480];
        assert_eq!(reader.read(&mut out), 480);
        assert!(reader.level() < 48 * RING_MS);
    }

    #[test]
    fn stereo_is_mixed_down_and_mono_duplicated() {
        let (mut writer, mut reader) = ring(48_000);
        writer.capture(&[1.0f32, 0.0, 0.5, 0.5], 2, |s| s);
        let mut out = [0.0; 2];
        reader.read(&mut out);
        assert_eq!(out, [0.5, 0.5]);
        writer.write(&[0.25, -0.25]);
        let mut device = [0i16; 4];
        reader.play(&mut device, 2, |s| (s * 4.0) as i16);
        assert_eq!(device, [1, 1, -1, -1]);
    }

    #[test]
    fn an_empty_ring_plays_silence_and_counts_one_underrun() {
        let (mut writer, mut reader) = ring(48_000);
        let mut device = [1.0f32; 480];
        reader.play(&mut device, 1, |s| s);
        assert!(device.iter().all(|s| *s == 0.0));
        assert_eq!(reader.meter().underruns(), 0, "nothing had been written yet");
        writer.write(&[0.8; 240]);
        reader.play(&mut device, 1, |s| s);
        assert_eq!(device[239], 0.8);
        assert!(device[240] > 0.7 && device[479].abs() < 1e-4, "it fades");
        reader.play(&mut device, 1, |s| s);
        reader.play(&mut device, 1, |s| s);
        assert_eq!(reader.meter().underruns(), 1, "continued silence is not another underrun");
    }

    #[test]
    fn long_periods_widen_the_bound() {
        let (mut writer, mut reader) = ring(48_000);
        writer.capture(&vec![0.0f32; 48 * 80], 1, |s| s);
        let mut out = [0.0; 480];
        reader.read(&mut out);
        assert_eq!(reader.level(), 48 * 70, "two periods fit");
    }
}
