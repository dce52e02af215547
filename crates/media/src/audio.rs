//! Audio as it passes through here: 48 kHz mono `f32` in -1..=1, and what a jitter buffer asks of a decoder.

/// Samples in a second, everywhere in this crate.
pub const SAMPLE_RATE: u32 = 48_000;

/// Samples in the 10 ms that are captured, mixed and played at once.
pub const BLOCK: usize = 480;

/// The longest Opus packet, 120 ms (RFC 6716, section 3.2.5).
pub const MAX_PACKET_SAMPLES: usize = 5_760;

/// The loudest sample that is sound, 24 dB above full scale. What is above comes from a broken driver or file.
pub const LOUDEST: f32 = 16.0;

/// Quieter samples (-400 dBFS) are nothing, and numbers near the smallest cost processors a hundred times as much.
const QUIETEST: f32 = 1e-20;

/// A sample from outside as a filter with memory may see it. One that is no number would stay in such a filter for good,
/// so it counts as 0, as does what is too loud or too quiet to be sound. All others are left alone.
pub fn clean(sample: f32) -> f32 {
    if (QUIETEST..=LOUDEST).contains(&sample.abs()) { sample } else { 0.0 }
}

/// [`clean`]s all samples.
pub fn clean_all(samples: &mut [f32]) {
    samples.iter_mut().for_each(|sample| *sample = clean(*sample));
}

/// Turns the packets of one stream into samples. Calls come in playout order, exactly one for each span of time, so
/// that the decoder's state follows the stream also over what was lost.
///
/// Each method appends to `out` and leaves what is in it alone. None of them panics, whatever the bytes are.
pub trait AudioDecoder {
    /// Decodes one packet. On an error nothing has been appended and the caller conceals instead.
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), AudioDecodeError>;

    /// Decodes the lost `samples` before the packet `next` from the redundancy within it (Opus in-band FEC, RFC 6716,
    /// section 2.1.7). `next` itself is decoded by a later call of [`AudioDecoder::decode`]. On an error nothing has
    /// been appended.
    fn decode_fec(&mut self, next: &[u8], samples: usize, out: &mut Vec<f32>) -> Result<(), AudioDecodeError>;

    /// Invents exactly `samples` that continue what came before. `samples` is a multiple of 120 (2.5 ms) and at most
    /// [`MAX_PACKET_SAMPLES`].
    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>);
}

/// A payload that is not a packet of this codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the audio packet cannot be decoded")]
pub struct AudioDecodeError;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_sound_is_silence_and_all_else_is_untouched() {
        for sample in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -1e30, 16_384.0, 1e-40, -f32::MIN_POSITIVE]
        {
            assert_eq!(clean(sample), 0.0, "{sample}");
        }
        for sample in [0.0, 1.0, -1.0, 0.5, -3.7, 1.0 / 8_388_608.0, 1.0 / 2_147_483_648.0, LOUDEST] {
            assert_eq!(clean(sample), sample);
        }
    }

    proptest! {
        #[test]
        fn any_bits_become_sound(bits in any::<u32>()) {
            let sample = clean(f32::from_bits(bits));
            prop_assert!(sample.abs() <= LOUDEST && !sample.is_subnormal());
        }
    }
}
