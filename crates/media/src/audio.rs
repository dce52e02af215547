//! Audio format of this crate (48 kHz mono `f32` in -1..=1), and the decoder interface of a jitter buffer.

/// Samples per second, everywhere in this crate.
pub const SAMPLE_RATE: u32 = 48_000;

/// Samples in 10 ms, the unit of capturing, mixing and playing.
pub const BLOCK: usize = 480;

/// The longest Opus packet in samples, 120 ms (RFC 6716 section 3.2.5).
pub const MAX_PACKET_SAMPLES: usize = 5_760;

/// The loudest valid sample, 24 dB above full scale. Louder ones come from a broken driver or file.
pub const LOUDEST: f32 = 16.0;

/// Quieter samples (-400 dBFS) become 0, because denormal numbers can cost a processor a hundred times as much.
const QUIETEST: f32 = 1e-20;

/// Makes an external sample safe for filters with memory: NaN would stay in such a filter forever. Samples that are not
/// finite, too loud or too quiet become 0; all others are unchanged.
pub fn clean(sample: f32) -> f32 {
    if (QUIETEST..=LOUDEST).contains(&sample.abs()) { sample } else { 0.0 }
}

/// Applies [`clean`] to all samples.
pub fn clean_all(samples: &mut [f32]) {
    samples.iter_mut().for_each(|sample| *sample = clean(*sample));
}

/// Decodes the packets of one stream. Calls come in playout order, exactly one for each span of time, so that the
/// decoder's state follows the stream, including losses.
///
/// Each method appends to `out` and keeps its content. None of them panics, whatever the input.
pub trait AudioDecoder {
    /// Decodes one packet. On an error nothing has been appended, and the caller conceals instead.
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), AudioDecodeError>;

    /// Recovers the lost `samples` before the packet `next` from the redundancy in it (Opus in-band FEC, RFC 6716
    /// section 2.1.7). A later call of [`AudioDecoder::decode`] decodes `next` itself. On an error nothing has been
    /// appended.
    fn decode_fec(&mut self, next: &[u8], samples: usize, out: &mut Vec<f32>) -> Result<(), AudioDecodeError>;

    /// Synthesises exactly `samples` samples that continue the previous audio. `samples` is a multiple of 120 (2.5 ms)
    /// and at most [`MAX_PACKET_SAMPLES`].
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
    fn invalid_samples_become_silence_and_others_are_unchanged() {
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
        fn any_bit_pattern_becomes_a_valid_sample(bits in any::<u32>()) {
            let sample = clean(f32::from_bits(bits));
            prop_assert!(sample.abs() <= LOUDEST && !sample.is_subnormal());
        }
    }
}
