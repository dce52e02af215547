//! What runs in the callbacks of audio devices. A callback that locks, allocates or logs makes the sound stutter.
//!
//! The tests below find allocations and logs. `cargo xtask tidy` finds locks: nothing in this file, `ring.rs` and `signal.rs`,
//! which is all that a callback runs, may name one.

use super::ring::{RingReader, RingWriter};
use super::signal::Signal;
use cpal::{ErrorKind, FromSample, InputCallbackInfo, OutputCallbackInfo, Sample, SizedSample};
use std::sync::Arc;

/// Takes what a microphone has captured.
pub(super) fn captured<T>(mut ring: RingWriter, channels: u16) -> impl FnMut(&[T], &InputCallbackInfo) + Send + 'static
where
    T: SizedSample,
    f32: FromSample<T>,
{
    move |data, _| ring.capture(data, usize::from(channels), f32::from_sample)
}

/// Fills what a loudspeaker plays.
pub(super) fn played<T>(
    mut ring: RingReader,
    channels: u16,
) -> impl FnMut(&mut [T], &OutputCallbackInfo) + Send + 'static
where
    T: SizedSample + FromSample<f32>,
{
    move |data, info| {
        let times = info.timestamp();
        if let Some(latency) = times.playback.checked_duration_since(times.callback) {
            ring.meter().set_device_latency_us(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        }
        ring.play(data, usize::from(channels), T::from_sample);
    }
}

/// Takes an error, possibly on the audio thread: it only sets a flag and wakes the keeper.
pub(super) fn failed(signal: &Arc<Signal>) -> impl FnMut(cpal::Error) + Send + 'static + use<> {
    let signal = signal.clone();
    move |error| match error.kind() {
        ErrorKind::StreamInvalidated | ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => signal.raise(),
        ErrorKind::Xrun => {}
        // The stream usually continues (ALSA: a failed query of the delay), and sometimes does not (a sound server that
        // ended it). The keeper sees by the callbacks which it is.
        _ => signal.doubt(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ring::ring;
    use super::*;
    use crate::watched::{Seen, watch};
    use cpal::{InputStreamTimestamp, OutputStreamTimestamp, StreamInstant};
    use std::fmt::Debug;

    const NOTHING: Seen = Seen { allocations: 0, logs: 0 };

    /// Times of a callback whose sound is played `later` seconds later.
    fn times(later: u64) -> OutputCallbackInfo {
        let (callback, playback) = (StreamInstant::new(5, 0), StreamInstant::new(5 + later, 1));
        OutputCallbackInfo::new(OutputStreamTimestamp { callback, playback })
    }

    /// Runs both callbacks with this sample format: in step, without enough samples, with far too many, and after the other end
    /// is gone.
    fn run<T>(channels: u16)
    where
        T: SizedSample + FromSample<f32> + Debug,
        f32: FromSample<T>,
    {
        let frames = 480 * usize::from(channels);
        let (writer, mut drained) = ring(48_000);
        let (mut filled, reader) = ring(44_100);
        let (mut captured, mut played) = (captured::<T>(writer, channels), played::<T>(reader, channels));
        let instant = StreamInstant::new(5, 0);
        let info = InputCallbackInfo::new(InputStreamTimestamp { callback: instant, capture: instant });
        let (input, mut output, mut taken) = (vec![T::EQUILIBRIUM; frames], vec![T::EQUILIBRIUM; frames], [0.0; 480]);
        let times = [times(0), times(1), times(40_000_000)];
        let seen = watch(|| {
            for n in 0..600 {
                captured(&input, &info);
                played(&mut output, &times[n % 3]);
                if n < 300 {
                    drained.read(&mut taken);
                    filled.write(&taken);
                }
            }
        });
        assert_eq!(seen, NOTHING, "{channels} channels of {}", std::any::type_name::<T>());
        drop((drained, filled));
        assert_eq!(watch(|| captured(&input, &info)), NOTHING);
        assert_eq!(watch(|| played(&mut output, &times[0])), NOTHING);
    }

    #[test]
    fn callbacks_neither_allocate_nor_log_in_any_format() {
        for channels in [1, 2, 6] {
            run::<f32>(channels);
            run::<f64>(channels);
            run::<i16>(channels);
            run::<i32>(channels);
            run::<cpal::I24>(channels);
            run::<u16>(channels);
            run::<u8>(channels);
        }
    }

    #[test]
    fn errors_neither_allocate_nor_log() {
        let mut failed = failed(&Arc::new(Signal::new(std::thread::current())));
        for kind in [ErrorKind::DeviceNotAvailable, ErrorKind::Xrun, ErrorKind::StreamInvalidated, ErrorKind::Other] {
            assert_eq!(watch(|| failed(cpal::Error::new(kind))), NOTHING, "{kind:?}");
        }
    }

    #[test]
    fn an_allocation_and_a_log_are_seen() {
        let seen = watch(|| drop(std::hint::black_box(vec![0u8; 16])));
        assert_eq!(seen, Seen { allocations: 2, logs: 0 }, "one is also freed");
        assert_eq!(watch(|| tracing::trace!("a log")).logs, 1);
    }
}
