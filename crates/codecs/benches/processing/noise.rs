//! Noise suppression: our voice in the noise of a canteen, a fan and a keyboard, with each of the settings.

use crate::room::{ROOMS, response};
use crate::sound::{SECOND, convolved, lag, looped, power, scaled, sum, write};
use codecs::{Apm, ApmConfig, NoiseSuppression};
use media::audio::BLOCK;
use std::path::Path;
use testkit::random::Random;

/// The noise is alone for this long, so that it can be learnt, and then under the voice for this long, in samples.
const ALONE: usize = 5 * SECOND;
const TOGETHER: usize = 10 * SECOND;
/// How much of the time alone is learning.
const LEARNING: usize = 2 * SECOND;
/// Level of our voice at the microphone in dBFS.
const VOICE: f64 = -26.0;
/// Tables of a canteen that are heard at once.
const TALKERS: usize = 12;
/// Dishes and keys in a second.
const CLATTER: f64 = 3.0;
const KEYS: f64 = 7.0;

/// The settings of the app, by their names in it.
const SETTINGS: [(&str, NoiseSuppression); 3] =
    [("off", NoiseSuppression::Off), ("normal", NoiseSuppression::High), ("strong", NoiseSuppression::VoiceOnly)];

/// Runs all noises and settings. Prints a line for each call, with tabs between: noise and setting, our voice alone, what is sent,
/// by how many dB the noise is lower while nobody speaks, and by how many while somebody does.
pub(crate) fn run(clips: &[Vec<f32>], out: &Path) {
    let canteen = response(&ROOMS[2]);
    for (name, snr) in [("canteen", 5.0), ("canteen", 15.0), ("fan", 10.0), ("keyboard", 15.0)] {
        for seed in 0..clips.len() {
            let voice = scaled(&looped(&clips[seed], TOGETHER), VOICE - power(&clips[seed]));
            let noise = match name {
                "canteen" => canteen_noise(clips, seed, &canteen),
                "fan" => fan(seed),
                _ => clicks(seed, KEYS, 4_000.0),
            };
            let noise = scaled(&noise, VOICE - snr - power(&noise));
            let file = |what: &str| out.join(format!("noise-{name}-{snr}-{seed:02}-{what}.wav"));
            let reference = file("voice");
            write(&reference, &voice);
            for (setting, suppression) in SETTINGS {
                let (sent, lower) = call(&voice, &noise, suppression);
                let path = file(setting);
                write(&path, &sent);
                println!("{name}, {snr} dB: {setting}\t{}\t{}\t{lower:.2}", reference.display(), path.display());
            }
        }
    }
}

/// What is sent while we speak, aligned with our voice, and by how much the noise alone is lower.
fn call(voice: &[f32], noise: &[f32], suppression: NoiseSuppression) -> (Vec<f32>, f64) {
    let mut late = vec![0.0; ALONE];
    late.extend(voice);
    let captured = sum(&late, noise);
    let mut apm = Apm::new(ApmConfig { echo: false, noise: suppression, gain: false });
    let sent: Vec<f32> = captured
        .as_chunks::<BLOCK>()
        .0
        .iter()
        .flat_map(|block| {
            let mut block = *block;
            apm.process_capture(&mut block, 0);
            block
        })
        .collect();
    let lower = power(&captured[LEARNING..ALONE]) - power(&sent[LEARNING..ALONE]);
    let sent = &sent[ALONE..];
    (sent[lag(voice, sent, SECOND / 10)..].to_vec(), lower)
}

/// Many voices, with the reflections of the hall, and dishes.
fn canteen_noise(clips: &[Vec<f32>], seed: usize, response: &[f32]) -> Vec<f32> {
    let length = ALONE + TOGETHER;
    let mut babble = vec![0.0; length];
    for n in 1..=TALKERS {
        let clip = &clips[(seed + n) % clips.len()];
        let mut voice = looped(clip, length);
        voice.rotate_left(n * 31_337 % length);
        babble = sum(&babble, &scaled(&voice, VOICE - power(clip)));
    }
    let dishes = clicks(seed, CLATTER, 2_500.0);
    let all = sum(&babble, &scaled(&dishes, power(&babble) - 6.0 - power(&dishes)));
    convolved(&all, response)
}

/// Noise with more energy at low frequencies, which does not change.
fn fan(seed: usize) -> Vec<f32> {
    let (mut random, mut low) = (Random::new(seed as u64), 0.0);
    let mut sample = || {
        let white = random.unit() as f32 - 0.5;
        low += 0.05 * (white - low);
        low + 0.05 * white
    };
    (0..ALONE + TOGETHER).map(|_| sample()).collect()
}

/// Short ringing sounds at random times, as many in a second as given, around a frequency.
fn clicks(seed: usize, each_second: f64, hertz: f64) -> Vec<f32> {
    let mut random = Random::new(seed as u64 + 99);
    let mut sound = vec![0.0f32; ALONE + TOGETHER];
    let count = (sound.len() as f64 / SECOND as f64 * each_second) as usize;
    for _ in 0..count {
        let at = (random.unit() * sound.len() as f64) as usize;
        let (tone, loud) = (hertz * (0.6 + 0.8 * random.unit()), 0.2 + random.unit());
        for (n, sample) in sound[at..].iter_mut().take(SECOND / 10).enumerate() {
            let t = n as f64 / SECOND as f64;
            let rattle = random.unit() - 0.5;
            *sample += (loud * (-t * 90.0).exp() * ((std::f64::consts::TAU * tone * t).sin() + rattle)) as f32;
        }
    }
    sound
}
