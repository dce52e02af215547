//! Echo cancelling: the far side's voice from our loudspeaker, in the microphone of three rooms, alone and under our voice.

use crate::room::{ROOMS, response};
use crate::sound::{SECOND, convolved, drifted, lag, looped, power, scaled, sum, write};
use codecs::{Apm, ApmConfig};
use media::audio::BLOCK;
use std::path::Path;
use testkit::random::Random;

/// The far side speaks for this long alone, and then both for this long, in samples.
const ALONE: usize = 10 * SECOND;
const TOGETHER: usize = 10 * SECOND;
/// The canceller may learn for this long before its echo return loss enhancement is measured.
const LEARNING: usize = 5 * SECOND;
/// Level of our voice at the microphone, of its echo and of its noise, in dBFS.
const NEAR: f64 = -26.0;
const ECHO: f64 = NEAR - 10.0;
const NOISE: f64 = -84.0;
/// From a block of the reference to its echo at the canceller, beside the way through the air: both devices' buffers.
const DELAY_BLOCKS: usize = 7;
/// By how much the clock of the microphone is faster than that of the loudspeaker, in parts of a million.
const DRIFT_PPM: f64 = 200.0;

/// Runs all rooms. Prints two lines for each call, with tabs between: room, our voice alone, what is sent, and ERLE in dB; room,
/// our voice alone, and what was captured.
pub(crate) fn run(clips: &[Vec<f32>], out: &Path) {
    for (number, room) in ROOMS.iter().enumerate() {
        let response = response(room);
        for (seed, far) in clips.iter().enumerate() {
            let near = &clips[(seed + clips.len() / 2) % clips.len()];
            let file = |what: &str| out.join(format!("echo-{number}-{seed:02}-{what}.wav"));
            let call = call(&response, far, near, seed as u64);
            let (reference, sent, captured) = (file("near"), file("sent"), file("captured"));
            write(&reference, &call.near);
            write(&sent, &call.sent);
            write(&captured, &call.captured);
            println!("{}\t{}\t{}\t{:.2}", room.name, reference.display(), sent.display(), call.erle);
            println!("{}\t{}\t{}", room.name, reference.display(), captured.display());
        }
    }
}

struct Call {
    /// Our voice while both speak, and what is sent then.
    near: Vec<f32>,
    sent: Vec<f32>,
    captured: Vec<f32>,
    /// Echo return loss enhancement while the far side speaks alone, in dB.
    erle: f64,
}

fn call(response: &[f32], far: &[f32], near: &[f32], seed: u64) -> Call {
    let far = looped(far, ALONE + TOGETHER);
    let echo = drifted(&convolved(&far, response), DRIFT_PPM);
    let echo = scaled(&echo, ECHO - power(&echo));
    let mut voice = vec![0.0; ALONE];
    voice.extend(scaled(&looped(near, TOGETHER), NEAR - power(near)));
    let mut random = Random::new(seed);
    let noise: Vec<f32> = voice.iter().map(|_| (random.unit() - 0.5) as f32).collect();
    let noise = scaled(&noise, NOISE - power(&noise));
    let delay = DELAY_BLOCKS * BLOCK;
    let late: Vec<f32> = std::iter::repeat_n(0.0, delay).chain(echo).take(voice.len()).collect();
    let captured = sum(&sum(&voice, &late), &noise);
    let sent = processed(&far, &captured);
    let erle = power(&captured[LEARNING..ALONE]) - power(&sent[LEARNING..ALONE]);
    let (near, sent) = (&voice[ALONE..], &sent[ALONE..]);
    let lag = lag(near, sent, SECOND / 10);
    let captured = captured[ALONE..].to_vec();
    Call { near: near[..near.len() - lag].to_vec(), sent: sent[lag..].to_vec(), captured, erle }
}

/// What our processing makes of a microphone while `far` is played. Without automatic gain, which would amplify what remains.
fn processed(far: &[f32], captured: &[f32]) -> Vec<f32> {
    let mut apm = Apm::new(ApmConfig { gain: false, ..ApmConfig::default() });
    let (far, captured) = (far.as_chunks::<BLOCK>().0, captured.as_chunks::<BLOCK>().0);
    let block = |(played, captured): (&[f32; BLOCK], &[f32; BLOCK])| {
        apm.process_render(played);
        let mut block = *captured;
        apm.process_capture(&mut block, (DELAY_BLOCKS * 10) as u32);
        block
    };
    far.iter().zip(captured).flat_map(block).collect()
}
