//! Audio as it passes through here: 48 kHz mono `f32` in -1..=1, and what a jitter buffer asks of a decoder.

/// Samples in a second, everywhere in this crate.
pub const SAMPLE_RATE: u32 = 48_000;

/// Samples in the 10 ms that are captured, mixed and played at once.
pub const BLOCK: usize = 480;

/// The longest Opus packet, 120 ms (RFC 6716, section 3.2.5).
pub const MAX_PACKET_SAMPLES: usize = 5_760;

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
