//! Echo cancelling in situations that simulated rooms of the benchmark do not have.

use codecs::{Apm, ApmConfig, NoiseSuppression};
use media::audio::BLOCK;
use testkit::voice::Voice;

const SECOND: usize = 48_000;
const CONFIG: ApmConfig = ApmConfig { echo: true, noise: NoiseSuppression::Off, gain: false };
/// The delay that the devices say, in ms.
const DELAY: u32 = 50;

fn speech(seed: u64, seconds: usize) -> Vec<f32> {
    let mut voice = Voice::new(seed);
    (0..seconds * SECOND).map(|_| voice.sample()).collect()
}

fn noise(seed: u64, seconds: usize, rms: f32) -> Vec<f32> {
    let mut voice = Voice::new(seed);
    (0..seconds * SECOND).map(|_| (voice.random() - 0.5) * rms * 12f32.sqrt()).collect()
}

fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// A room: decaying reflections for 150 ms, each seed others. The first comes after `delay` samples.
fn echo(far: &[f32], seed: u64, delay: usize) -> Vec<f32> {
    let mut random = Voice::new(seed);
    let reflections: Vec<(usize, f32)> = (0..60)
        .map(|n| {
            let at = (n * 120) + (random.random() * 120.0) as usize;
            (delay + at, 0.3 * (random.random() - 0.5) * 0.93f32.powi(n as i32))
        })
        .chain([(delay, 0.3)])
        .collect();
    let sample = |n: usize| reflections.iter().filter(|(at, _)| *at <= n).map(|(at, gain)| gain * far[n - at]).sum();
    (0..far.len()).map(sample).collect()
}

/// What is sent. `far` is played.
fn sent(far: &[f32], captured: &[f32]) -> Vec<f32> {
    let mut apm = Apm::new(CONFIG);
    let blocks = far.as_chunks::<BLOCK>().0.iter().zip(captured.as_chunks::<BLOCK>().0);
    let sent = blocks.flat_map(|(far, captured)| {
        apm.process_render(far);
        let mut block = *captured;
        apm.process_capture(&mut block, DELAY);
        block
    });
    sent.collect()
}

fn decibel(sound: &[f32]) -> f32 {
    10.0 * (sound.iter().map(|s| s * s).sum::<f32>() / sound.len() as f32 + 1e-12).log10()
}

fn seconds(sound: &[f32], from: f32, to: f32) -> &[f32] {
    &sound[(from * SECOND as f32) as usize..(to * SECOND as f32) as usize]
}

/// By how much less is sent than was captured, between two seconds, in dB.
fn removed(captured: &[f32], sent: &[f32], from: f32, to: f32) -> f32 {
    decibel(seconds(captured, from, to)) - decibel(seconds(sent, from, to))
}

/// How much louder a voice is than its change by an echo, between two seconds, in dB.
fn kept(far: &[f32], near: &[f32], captured: &[f32], from: f32, to: f32) -> f32 {
    let alone = sent(&vec![0.0; far.len()], near);
    let change: Vec<f32> = sent(far, captured).iter().zip(&alone).map(|(a, b)| a - b).collect();
    decibel(seconds(&alone, from, to)) - decibel(seconds(&change, from, to))
}

/// A person at the far side, and one here, for some seconds.
fn people(seconds: usize) -> (Vec<f32>, Vec<f32>) {
    (speech(1, seconds), speech(51, seconds))
}

fn hiss(sound: &[f32]) -> Vec<f32> {
    sum(sound, &noise(9, sound.len() / SECOND, 1e-4))
}

#[test]
fn who_speaks_alone_at_the_far_side_is_not_sent_back() {
    let (far, _) = people(6);
    for delay in [1_500, 6_000, 12_000] {
        let captured = hiss(&echo(&far, 1, delay));
        let removed = removed(&captured, &sent(&far, &captured), 4.0, 6.0);
        assert!(removed > 30.0, "{removed:.1} dB after {delay} samples");
    }
}

#[test]
fn a_distorted_echo_is_suppressed() {
    let (far, _) = people(6);
    let distorted: Vec<f32> = far.iter().map(|sample| (sample * 8.0).tanh() / 8.0).collect();
    let captured = hiss(&echo(&distorted, 1, 2_500));
    let removed = removed(&captured, &sent(&far, &captured), 4.0, 6.0);
    assert!(removed > 14.0, "{removed:.1} dB");
}

#[test]
fn ones_own_voice_remains_while_both_speak_and_with_a_headset() {
    let (far, near) = people(6);
    let quiet = vec![0.0; far.len()];
    for echo in [echo(&far, 1, 2_500), quiet] {
        let kept = kept(&far, &near, &hiss(&sum(&near, &echo)), 3.0, 6.0);
        assert!(kept > 8.0, "{kept:.1} dB");
    }
}

#[test]
fn a_loudspeaker_that_moves_is_found() {
    let (far, _) = people(9);
    for (before, after) in [(2_500, 2_700), (9_000, 2_500)] {
        let (before, after) = (echo(&far, 1, before), echo(&far, 8, after));
        let captured = hiss(&[&before[..5 * SECOND], &after[5 * SECOND..]].concat());
        let removed = removed(&captured, &sent(&far, &captured), 8.0, 9.0);
        assert!(removed > 15.0, "{removed:.1} dB");
    }
}

/// Devices deliver three blocks at once. Nothing is played for a second in between.
#[test]
fn playout_that_pauses_is_followed() {
    let (far, _) = people(9);
    let captured = hiss(&echo(&far, 1, 4_000));
    let mut apm = Apm::new(CONFIG);
    let mut sent: Vec<f32> = vec![];
    for (n, blocks) in captured.as_chunks::<BLOCK>().0.chunks(3).enumerate() {
        for block in blocks {
            let mut block = *block;
            apm.process_capture(&mut block, DELAY);
            sent.extend(block);
        }
        for far in far.as_chunks::<BLOCK>().0.iter().skip(3 * n).take(3) {
            if !(100..133).contains(&n) {
                apm.process_render(far);
            }
        }
    }
    for (from, to) in [(2.0, 3.0), (7.0, 9.0)] {
        let removed = removed(&captured, &sent, from, to);
        assert!(removed > 20.0, "{removed:.1} dB from {from} s");
    }
}

#[test]
fn noise_goes_on_while_echo_is_suppressed() {
    let (far, _) = people(7);
    let room = noise(3, 7, 3e-3);
    let captured = sum(&echo(&far, 1, 2_500), &room);
    let change = decibel(seconds(&sent(&far, &captured), 4.0, 7.0)) - decibel(&room);
    assert!((-7.0..3.0).contains(&change), "{change:.1} dB");
}
