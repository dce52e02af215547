//! Measures Opus and the audio processing on signals with known results.

use bytes::Bytes;
use codecs::{Apm, ApmConfig, NoiseSuppression, OpusConfig, OpusDecoder, OpusEncoder, OpusError};
use media::audio::AudioDecoder;
use std::f32::consts::TAU;

const RATE: f32 = 48_000.0;

struct Random(u32);

impl Random {
    /// Returns a value uniform in -1..1.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / (1 << 23) as f32 - 1.0
    }
}

fn tone(hertz: f32, samples: usize) -> Vec<f32> {
    (0..samples).map(|n| 0.3 * (TAU * hertz * n as f32 / RATE).sin()).collect()
}

/// A synthetic voice: harmonics of a gliding pitch under a moving formant, in syllables.
fn voice(samples: usize) -> Vec<f32> {
    let mut phase = 0.0f32;
    (0..samples)
        .map(|n| {
            let t = n as f32 / RATE;
            let pitch = 130.0 + 35.0 * (TAU * 1.3 * t).sin() + 12.0 * (TAU * 3.7 * t).sin();
            phase += pitch / RATE;
            let formant = 600.0 + 350.0 * (TAU * 2.1 * t).sin();
            let harmonic = |k: f32| {
                let distance = (k * pitch - formant) / 250.0;
                (TAU * phase * k).sin() * (0.08 / k + 0.3 * (-distance * distance).exp())
            };
            let syllable = (0.5 + 0.5 * (TAU * 4.0 * t).sin()).powf(0.6);
            0.5 * syllable * (1..20).map(|k| harmonic(k as f32)).sum::<f32>()
        })
        .collect()
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() + 1e-12
}

/// Energy at a frequency (Goertzel) as a fraction of the total.
fn share(samples: &[f32], hertz: f32) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let angle = f64::from(TAU * hertz / RATE) * n as f64;
        re += f64::from(*sample) * angle.cos();
        im += f64::from(*sample) * angle.sin();
    }
    2.0 * (re * re + im * im) / samples.len() as f64 / energy(samples)
}

fn encode(config: OpusConfig, samples: &[f32]) -> Vec<Bytes> {
    let mut encoder = OpusEncoder::new(config).expect("an encoder");
    let len = encoder.samples();
    samples.chunks_exact(len).map(|block| encoder.encode(block).expect("encoded")).collect()
}

#[test]
fn a_tone_keeps_its_pitch_and_level() {
    for hertz in [220.0, 1_000.0, 3_000.0, 7_000.0] {
        let sent = tone(hertz, 48_000);
        let mut decoder = OpusDecoder::new().expect("a decoder");
        let mut decoded = vec![];
        for packet in encode(OpusConfig { bitrate: 48_000, ..OpusConfig::default() }, &sent) {
            decoder.decode(&packet, &mut decoded).expect("decoded");
        }
        assert_eq!(decoded.len(), sent.len());
        let (decoded, sent) = (&decoded[9_600..43_200], &sent[9_600..43_200]);
        assert!(share(decoded, hertz) > 0.9, "{hertz} Hz: {}", share(decoded, hertz));
        let gain = 10.0 * (energy(decoded) / energy(sent)).log10();
        assert!(gain.abs() < 2.0, "{hertz} Hz: {gain:.1} dB");
    }
}

#[test]
fn valid_frame_lengths_are_encoded_and_others_refused() {
    for frame_ms in [10, 20, 40, 60] {
        let config = OpusConfig { frame_ms, ..OpusConfig::default() };
        let samples = frame_ms as usize * 48;
        let packets = encode(config, &tone(440.0, samples * 3));
        assert_eq!(packets.len(), 3);
        let mut out = vec![];
        OpusDecoder::new().expect("a decoder").decode(&packets[0], &mut out).expect("decoded");
        assert_eq!(out.len(), samples);
    }
    let config = OpusConfig { frame_ms: 25, ..OpusConfig::default() };
    assert_eq!(OpusEncoder::new(config).err(), Some(OpusError::FrameLength(25)));
    let mut encoder = OpusEncoder::new(OpusConfig::default()).expect("an encoder");
    assert_eq!(encoder.encode(&[0.0; 480]).err(), Some(OpusError::Samples(480)));
}

#[test]
fn the_audio_bitrate_is_followed() {
    let mut encoder = OpusEncoder::new(OpusConfig { bitrate: 64_000, ..OpusConfig::default() }).expect("an encoder");
    let sent = voice(48_000 * 4);
    let rate = |encoder: &mut OpusEncoder| {
        let bytes: usize = sent.chunks_exact(960).map(|block| encoder.encode(block).expect("encoded").len()).sum();
        bytes as f64 * 8.0 / 4.0
    };
    let high = rate(&mut encoder);
    let narrow = OpusConfig { bitrate: 16_000, ..*encoder.config() };
    encoder.reconfigure(narrow).expect("set");
    let low = rate(&mut encoder);
    let unsupported = OpusConfig { frame_ms: 30, ..narrow };
    assert_eq!(encoder.reconfigure(unsupported).err(), Some(OpusError::FrameLength(30)));
    encoder.reconfigure(OpusConfig { frame_ms: 40, ..narrow }).expect("set");
    assert!(encoder.encode(&sent[..1_920]).expect("encoded").len() > 20);
    assert!((40_000.0..72_000.0).contains(&high), "{high}");
    assert!((11_000.0..20_000.0).contains(&low), "{low}");
}

#[test]
fn dtx_sends_almost_nothing_during_silence() {
    let packets = encode(OpusConfig { dtx: true, ..OpusConfig::default() }, &[0.0; 48_000 * 2]);
    let late: usize = packets[50..].iter().map(Bytes::len).sum();
    assert!(late < 50 * 12, "{late} bytes in a second of silence");
}

/// The decoded audio if every seventh packet is lost.
fn decode_with_losses(packets: &[Bytes], mend: impl Fn(&mut OpusDecoder, &Bytes, &mut Vec<f32>)) -> Vec<f32> {
    let mut decoder = OpusDecoder::new().expect("a decoder");
    let mut out = vec![];
    for (n, packet) in packets.iter().enumerate() {
        match n % 7 == 5 {
            true => mend(&mut decoder, &packets[(n + 1).min(packets.len() - 1)], &mut out),
            false => decoder.decode(packet, &mut out).expect("decoded"),
        }
    }
    out
}

#[test]
fn fec_beats_concealment_and_concealment_beats_silence() {
    let config = OpusConfig { bitrate: 28_000, expected_loss_percent: 20, ..OpusConfig::default() };
    let packets = encode(config, &voice(48_000 * 5));
    let whole = {
        let (mut decoder, mut out) = (OpusDecoder::new().expect("a decoder"), vec![]);
        packets.iter().for_each(|packet| decoder.decode(packet, &mut out).expect("decoded"));
        out
    };
    let fec = decode_with_losses(&packets, |decoder, next, out| decoder.decode_fec(next, 960, out).expect("recovered"));
    let plc = decode_with_losses(&packets, |decoder, _, out| decoder.conceal(960, out));
    let silence = decode_with_losses(&packets, |_, _, out| out.extend([0.0; 960]));
    assert_eq!([fec.len(), plc.len(), silence.len()], [whole.len(); 3]);
    let error = |mended: &[f32]| {
        let lost = (0..packets.len() - 1).filter(|n| n % 7 == 5).map(|n| n * 960..(n + 1) * 960);
        lost.map(|at| {
            let difference: Vec<f32> = mended[at.clone()].iter().zip(&whole[at]).map(|(a, b)| a - b).collect();
            energy(&difference)
        })
        .sum::<f64>()
    };
    let (fec, plc, silence) = (error(&fec), error(&plc), error(&silence));
    assert!(fec < 0.5 * plc && plc < silence, "redundancy {fec:.1}, concealment {plc:.1}, silence {silence:.1}");
}

#[test]
fn concealment_produces_the_requested_length() {
    let mut decoder = OpusDecoder::new().expect("a decoder");
    for packet in encode(OpusConfig::default(), &voice(9_600)) {
        decoder.decode(&packet, &mut vec![]).expect("decoded");
    }
    for samples in [120, 480, 960, 1_200, 5_760, 7_000] {
        let mut out = vec![0.5; 3];
        decoder.conceal(samples, &mut out);
        assert_eq!(out.len(), samples + 3, "{samples}");
        assert_eq!(out[..3], [0.5; 3]);
    }
}

/// Processes blocks of 10 ms while `far` is played. Returns what would be sent.
fn process(apm: &mut Apm, far: &[f32], near: &[f32]) -> Vec<f32> {
    let mut out = vec![];
    for (far, near) in far.as_chunks::<480>().0.iter().zip(near.as_chunks::<480>().0) {
        apm.process_render(far);
        let mut block = *near;
        apm.process_capture(&mut block, 40);
        out.extend(block);
    }
    out
}

/// The loudspeaker's sound in the microphone: 45 ms later, quieter, with reflections.
fn echo(far: &[f32]) -> Vec<f32> {
    let at = |n: usize, delay: usize| n.checked_sub(delay).map_or(0.0, |n| far[n]);
    (0..far.len()).map(|n| 0.4 * at(n, 2_160) + 0.15 * at(n, 2_400) - 0.1 * at(n, 3_100)).collect()
}

const OFF: ApmConfig = ApmConfig { echo: false, noise: NoiseSuppression::Off, gain: false };

#[test]
fn echo_of_the_played_sound_is_removed() {
    let mut random = Random(1);
    let far: Vec<f32> = voice(48_000 * 7).iter().map(|s| s + 0.01 * random.next()).collect();
    let near = echo(&far);
    let sent = process(&mut Apm::new(ApmConfig { echo: true, ..OFF }), &far, &near);
    let last = 48_000 * 5..48_000 * 7;
    let removed = 10.0 * (energy(&near[last.clone()]) / energy(&sent[last])).log10();
    assert!(removed > 20.0, "{removed:.1} dB");
}

#[test]
fn a_voice_passes_without_playback() {
    let near = voice(48_000 * 4);
    let sent = process(&mut Apm::new(ApmConfig { echo: true, ..OFF }), &vec![0.0; near.len()], &near);
    let last = 48_000 * 2..48_000 * 4;
    let change = 10.0 * (energy(&sent[last.clone()]) / energy(&near[last])).log10();
    assert!(change.abs() < 3.0, "{change:.1} dB");
}

#[test]
fn steady_noise_is_reduced_by_level() {
    let mut random = Random(2);
    let near: Vec<f32> = (0..48_000 * 4).map(|_| 0.05 * random.next()).collect();
    let silence = vec![0.0; near.len()];
    let lowered = |noise| {
        let sent = process(&mut Apm::new(ApmConfig { noise, ..OFF }), &silence, &near);
        10.0 * (energy(&near[96_000..]) / energy(&sent[96_000..])).log10()
    };
    let (moderate, high) = (lowered(NoiseSuppression::Moderate), lowered(NoiseSuppression::High));
    assert!(moderate > 6.0 && high > moderate + 2.0, "moderate {moderate:.1} dB, high {high:.1} dB");
}

/// Keys: short bursts of noise, seven in a second.
fn keys(samples: usize) -> Vec<f32> {
    let mut random = Random(3);
    let decay = |n: usize| 0.1 * (-((n % 6_857) as f32) / RATE * 90.0).exp();
    (0..samples).map(|n| decay(n) * random.next()).collect()
}

/// By how many dB the sound is quieter after two seconds.
fn lowered(noise: NoiseSuppression, near: &[f32]) -> f64 {
    let sent = process(&mut Apm::new(ApmConfig { noise, ..OFF }), &vec![0.0; near.len()], near);
    10.0 * (energy(&near[96_000..]) / energy(&sent[96_000..])).log10()
}

#[test]
fn strong_suppression_removes_noise_that_is_not_steady() {
    let near = keys(48_000 * 5);
    let (normal, strong) = (lowered(NoiseSuppression::High, &near), lowered(NoiseSuppression::VoiceOnly, &near));
    assert!(normal < 8.0 && strong > 14.0, "normal {normal:.1} dB, strong {strong:.1} dB");
}

#[test]
fn strong_suppression_leaves_the_voice() {
    let lost = lowered(NoiseSuppression::VoiceOnly, &voice(48_000 * 5));
    assert!((-1.0..1.5).contains(&lost), "{lost:.1} dB");
}

#[test]
fn a_quiet_voice_is_amplified() {
    let near: Vec<f32> = voice(48_000 * 10).iter().map(|s| s * 0.05).collect();
    let sent = process(&mut Apm::new(ApmConfig { gain: true, ..OFF }), &vec![0.0; near.len()], &near);
    let last = 48_000 * 8..48_000 * 10;
    let raised = 10.0 * (energy(&sent[last.clone()]) / energy(&near[last])).log10();
    assert!(raised > 6.0, "{raised:.1} dB");
    assert!(sent.iter().all(|s| s.abs() <= 1.0));
}

#[test]
fn without_processing_the_signal_is_unchanged() {
    let near = voice(4_800);
    assert_eq!(process(&mut Apm::new(OFF), &near, &near), near);
}
