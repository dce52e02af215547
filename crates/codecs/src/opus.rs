//! Opus for speech: 48 kHz mono, in RTP (RFC 6716, RFC 7587).
//!
//! Encoding uses the `opus` crate. Decoding uses `opusic-sys`, on which that crate is built (so the program contains
//! one libopus), because the crate cannot set the decoder's complexity, which enables the neural concealment.

use bytes::Bytes;
use media::audio::{AudioDecodeError, AudioDecoder, MAX_PACKET_SAMPLES, SAMPLE_RATE, clean, clean_all};
use opus::{Application, Bitrate, Channels, Encoder, Signal};
use opusic_sys as sys;
use std::ptr::NonNull;

/// The configuration of an encoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusConfig {
    /// Target bitrate in bit/s, 6,000..=510,000; the size of packets varies around it.
    pub bitrate: u32,
    /// Whether each packet carries a coarse copy of the previous frame, so that a single loss is hardly audible.
    pub fec: bool,
    /// The expected packet loss in percent. At 0 there is no redundancy even with `fec`.
    pub expected_loss_percent: u8,
    /// Duration of a packet in milliseconds: 10, 20, 40 or 60.
    pub frame_ms: u32,
    /// Whether to send almost nothing during silence (discontinuous transmission).
    pub dtx: bool,
}

impl Default for OpusConfig {
    fn default() -> Self {
        Self { bitrate: 32_000, fec: true, expected_loss_percent: 10, frame_ms: 20, dtx: false }
    }
}

/// Why audio was not encoded, or a codec not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpusError {
    /// The frame length is not supported.
    #[error("packets of {0} ms are not supported")]
    FrameLength(u32),
    /// The number of samples does not match a packet.
    #[error("{0} samples do not fill exactly one packet")]
    Samples(usize),
    /// libopus returned an error.
    #[error("Opus failed: {0}")]
    Backend(String),
}

impl OpusError {
    /// Stable name for logs and the UI.
    pub fn code(&self) -> &'static str {
        match self {
            OpusError::FrameLength(_) => "opus-frame-length",
            OpusError::Samples(_) => "opus-samples",
            OpusError::Backend(_) => "opus-failed",
        }
    }
}

/// Encodes one microphone. After an error the libopus encoder is replaced, so that the next packet does not depend on
/// its state.
#[derive(Debug)]
pub struct OpusEncoder {
    encoder: Encoder,
    config: OpusConfig,
    pcm: Vec<f32>,
    packet: Box<[u8; Self::MAX_PACKET]>,
}

impl OpusEncoder {
    /// Largest packet in bytes, so that it fits into one datagram.
    const MAX_PACKET: usize = 1_180;

    /// Opens an encoder.
    pub fn new(config: OpusConfig) -> Result<Self, OpusError> {
        check_frame_length(&config)?;
        let encoder = open_encoder(&config).map_err(backend)?;
        Ok(Self { encoder, config, pcm: vec![], packet: Box::new([0; Self::MAX_PACKET]) })
    }

    /// Encodes one packet of [`samples`](Self::samples) at 48 kHz mono in -1..=1. Larger values are limited softly;
    /// values that are not finite ([`clean`]) become 0.
    pub fn encode(&mut self, pcm: &[f32]) -> Result<Bytes, OpusError> {
        if pcm.len() != self.samples() {
            return Err(OpusError::Samples(pcm.len()));
        }
        self.pcm.clear();
        self.pcm.extend(pcm.iter().map(|sample| clean(*sample)));
        match self.encoder.encode_float(&self.pcm, &mut self.packet[..]) {
            Ok(len) => Ok(Bytes::copy_from_slice(&self.packet[..len])),
            Err(error) => {
                self.encoder = open_encoder(&self.config).map_err(backend)?;
                Err(backend(error))
            }
        }
    }

    /// Number of samples in a packet.
    pub fn samples(&self) -> usize {
        (self.config.frame_ms * SAMPLE_RATE / 1000) as usize
    }

    /// Changes the configuration from the next packet on, without a gap in the sound.
    ///
    /// # Errors
    ///
    /// Returns [`OpusError::FrameLength`], and the encoder is as before; or [`OpusError::Backend`].
    pub fn reconfigure(&mut self, config: OpusConfig) -> Result<(), OpusError> {
        check_frame_length(&config)?;
        configure(&mut self.encoder, &config).map_err(backend)?;
        self.config = config;
        Ok(())
    }

    /// The current configuration.
    pub fn config(&self) -> &OpusConfig {
        &self.config
    }
}

fn check_frame_length(config: &OpusConfig) -> Result<(), OpusError> {
    match config.frame_ms {
        10 | 20 | 40 | 60 => Ok(()),
        other => Err(OpusError::FrameLength(other)),
    }
}

fn open_encoder(config: &OpusConfig) -> opus::Result<Encoder> {
    let mut encoder = Encoder::new(SAMPLE_RATE, Channels::Mono, Application::Voip)?;
    encoder.set_signal(Signal::Voice)?;
    encoder.set_complexity(9)?;
    configure(&mut encoder, config)?;
    Ok(encoder)
}

fn configure(encoder: &mut Encoder, config: &OpusConfig) -> opus::Result<()> {
    encoder.set_bitrate(bound(config.bitrate))?;
    encoder.set_inband_fec(config.fec)?;
    encoder.set_packet_loss_perc(config.expected_loss_percent.min(100).into())?;
    encoder.set_dtx(config.dtx)
}

/// Decodes one participant's packets. Recovers lost packets from redundancy, or with libopus' neural concealment.
///
/// After an error, or samples that are not numbers, the libopus decoder is replaced, so that the damage is not audible
/// in later packets.
#[derive(Debug)]
pub struct OpusDecoder {
    raw: RawDecoder,
    /// The output of one call, large enough for the longest packet.
    pcm: Box<[f32; MAX_PACKET_SAMPLES]>,
}

/// Owns libopus' decoder.
#[derive(Debug)]
struct RawDecoder(NonNull<sys::OpusDecoder>);

// SAFETY: a libopus state is not bound to a thread, and every use requires `&mut self`.
unsafe impl Send for RawDecoder {}

impl RawDecoder {
    /// The lowest complexity at which libopus conceals losses with a neural network.
    const DEEP_CONCEALMENT: i32 = 5;

    fn open() -> Result<Self, OpusError> {
        let mut error = 0;
        // SAFETY: the call writes `error`; a null result is checked below.
        let raw = unsafe { sys::opus_decoder_create(SAMPLE_RATE as i32, 1, &mut error) };
        let raw = NonNull::new(raw).ok_or_else(|| OpusError::Backend(format!("no decoder ({error})")))?;
        let this = Self(raw);
        // SAFETY: the state is initialised, and this control takes one int.
        let code =
            unsafe { sys::opus_decoder_ctl(this.0.as_ptr(), sys::OPUS_SET_COMPLEXITY_REQUEST, Self::DEEP_CONCEALMENT) };
        match code {
            sys::OPUS_OK => Ok(this),
            other => Err(OpusError::Backend(format!("no concealment ({other})"))),
        }
    }
}

impl Drop for RawDecoder {
    fn drop(&mut self) {
        // SAFETY: the state is initialised and is destroyed only here.
        unsafe { sys::opus_decoder_destroy(self.0.as_ptr()) }
    }
}

impl OpusDecoder {
    /// Opens a decoder.
    pub fn new() -> Result<Self, OpusError> {
        Ok(Self { raw: RawDecoder::open()?, pcm: Box::new([0.0; MAX_PACKET_SAMPLES]) })
    }

    /// Runs the decoder for at most `samples` samples. Returns the number decoded, or an error.
    fn run(&mut self, payload: Option<&[u8]>, samples: usize, fec: bool) -> Result<usize, AudioDecodeError> {
        let (data, len) = payload.map_or((std::ptr::null(), 0), |bytes| (bytes.as_ptr(), bytes.len()));
        let len = i32::try_from(len).map_err(|_| AudioDecodeError)?;
        let room = samples.min(MAX_PACKET_SAMPLES) as i32;
        // SAFETY: libopus reads `len` bytes of `data` and writes at most `room` samples to `pcm`, which has as many.
        let count = unsafe {
            sys::opus_decode_float(self.raw.0.as_ptr(), data, len, self.pcm.as_mut_ptr(), room, i32::from(fec))
        };
        let count = usize::try_from(count).ok().filter(|count| self.pcm[..*count].iter().all(|s| s.is_finite()));
        let Some(count) = count else {
            self.raw = RawDecoder::open().map_err(|_| AudioDecodeError)?;
            return Err(AudioDecodeError);
        };
        clean_all(&mut self.pcm[..count]);
        Ok(count)
    }
}

impl AudioDecoder for OpusDecoder {
    fn decode(&mut self, payload: &[u8], out: &mut Vec<f32>) -> Result<(), AudioDecodeError> {
        if payload.is_empty() {
            return Err(AudioDecodeError); // libopus would treat it as a lost packet
        }
        let count = self.run(Some(payload), MAX_PACKET_SAMPLES, false)?;
        out.extend_from_slice(&self.pcm[..count]);
        Ok(())
    }

    fn decode_fec(&mut self, next: &[u8], samples: usize, out: &mut Vec<f32>) -> Result<(), AudioDecodeError> {
        if next.is_empty() || samples == 0 || samples > MAX_PACKET_SAMPLES || !samples.is_multiple_of(STEP) {
            return Err(AudioDecodeError);
        }
        let count = self.run(Some(next), samples, true)?;
        out.extend_from_slice(&self.pcm[..count]);
        out.extend(std::iter::repeat_n(0.0, samples.saturating_sub(count)));
        Ok(())
    }

    fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
        let mut left = samples;
        while left > 0 {
            let whole = left.min(MAX_PACKET_SAMPLES) / STEP * STEP;
            let count = match whole {
                0 => 0,
                _ => self.run(None, whole, false).unwrap_or(0).min(whole),
            };
            out.extend_from_slice(&self.pcm[..count]);
            left -= count;
            if count == 0 {
                out.extend(std::iter::repeat_n(0.0, left)); // less than a step, or the decoder returned nothing
                return;
            }
        }
    }
}

/// 2.5 ms. libopus conceals multiples of this.
const STEP: usize = 120;

fn bound(bitrate: u32) -> Bitrate {
    Bitrate::Bits(bitrate.clamp(6_000, 510_000) as i32)
}

fn backend(error: opus::Error) -> OpusError {
    OpusError::Backend(error.to_string())
}
