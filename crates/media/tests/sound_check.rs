//! Sounds with one defect each, and what is said of them.

use media::audio::BLOCK;
use media::sound_check::{BLOCKS, Sample, SoundDefect};
use proptest::prelude::*;
use testkit::voice::Voice;

type Block = [f32; BLOCK];

/// Five seconds of speech with pauses, as loud as given, over white noise as loud as given.
fn speech(seed: u64, voice_gain: f32, noise_gain: f32) -> Vec<Block> {
    let (mut voice, mut noise) = (Voice::new(seed), Voice::new(seed + 50));
    (0..BLOCKS)
        .map(|n| {
            let talks = if n % 100 < 75 { voice_gain } else { 0.0 };
            std::array::from_fn(|_| talks * voice.sample() + noise_gain * (noise.random() - 0.5))
        })
        .collect()
}

/// A sample of a device that delivers this, and is heard as it is.
fn sample(captured: &[Block]) -> Sample {
    let mut sample = Sample::default();
    for block in captured {
        sample.captured(block);
        sample.audible(&block.map(|sample| sample.clamp(-1.0, 1.0)));
    }
    sample
}

const GOOD: f32 = 1.0;
const ROOM: f32 = 0.000_5;

#[test]
fn speech_in_a_quiet_room_is_fine() {
    for seed in 1..=3 {
        assert_eq!(sample(&speech(seed, GOOD, ROOM)).judge(), [], "seed {seed}");
    }
}

#[test]
fn each_defect_is_named() {
    for seed in 1..=3 {
        let cases = [
            (vec![[0.0; BLOCK]; BLOCKS], SoundDefect::NoSound),
            (speech(seed, 0.0, 0.002), SoundDefect::NoVoice),
            (speech(seed, 0.06, 0.000_1), SoundDefect::TooQuiet),
            (
                speech(seed, 20.0, ROOM).iter().map(|block| block.map(|s| s.clamp(-1.0, 1.0))).collect(),
                SoundDefect::TooLoud,
            ),
            (speech(seed, GOOD, 0.08), SoundDefect::Noisy),
            (interrupted(&speech(seed, GOOD, ROOM), 37), SoundDefect::DropOuts),
        ];
        for (captured, defect) in cases {
            assert_eq!(sample(&captured).judge(), [defect], "seed {seed}");
        }
    }
}

/// Every so many blocks, one is lost.
fn interrupted(sound: &[Block], every: usize) -> Vec<Block> {
    sound.iter().enumerate().map(|(n, block)| if n % every == every / 2 { [0.0; BLOCK] } else { *block }).collect()
}

#[test]
fn a_gate_that_closes_between_words_is_no_drop_out() {
    let mut gated = speech(3, GOOD, ROOM);
    let mut quiet = 0;
    for block in &mut gated {
        quiet = if block.iter().all(|sample| sample.abs() < 0.004) { quiet + 1 } else { 0 };
        if quiet > 2 {
            *block = [0.0; BLOCK];
        }
    }
    assert!(gated.iter().filter(|block| **block == [0.0; BLOCK]).count() > 50);
    assert_eq!(sample(&gated).judge(), []);
}

#[test]
fn blocks_that_never_came_are_drop_outs() {
    let mut sample = sample(&speech(1, GOOD, ROOM));
    sample.set_missing(1);
    assert_eq!(sample.judge(), []);
    sample.set_missing(10);
    assert_eq!(sample.judge(), [SoundDefect::DropOuts]);
}

/// What comes back of the recording: as loud as given and so many blocks late, with other sound.
fn returned(sample: &mut Sample, echo: f32, late: usize, other: &[Block]) {
    let played = sample.recording().to_vec();
    for (n, block) in played.iter().enumerate() {
        sample.played(block);
        let back = n.checked_sub(late).map_or([0.0; BLOCK], |n| played[n]);
        sample.returned(&std::array::from_fn(|i| echo * back[i] + other[n][i]));
    }
}

#[test]
fn the_loudspeaker_in_the_microphone_is_an_echo() {
    for seed in 1..=3 {
        let quiet = speech(seed + 20, 0.0, ROOM);
        for (echo, late, expected) in [
            (0.5, 12, vec![SoundDefect::Echo]),
            (0.2, 35, vec![SoundDefect::Echo]),
            (0.001, 12, vec![]),
            (0.0, 0, vec![]),
        ] {
            let mut sample = sample(&speech(seed, GOOD, ROOM));
            returned(&mut sample, echo, late, &quiet);
            assert_eq!(sample.judge(), expected, "seed {seed}, echo {echo}");
        }
    }
}

#[test]
fn somebody_who_talks_over_the_recording_is_no_echo() {
    for seed in 1..=4 {
        let mut voice = Voice::new(seed + 300);
        let other: Vec<Block> = (0..BLOCKS)
            .map(|n| {
                std::array::from_fn(|_| if (n / 40 + seed as usize).is_multiple_of(3) { 0.0 } else { voice.sample() })
            })
            .collect();
        let mut sample = sample(&speech(seed, GOOD, ROOM));
        returned(&mut sample, 0.0, 0, &other);
        assert_eq!(sample.judge(), [], "seed {seed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever arrives: at most one of each defect, nothing beside silence, and bounded memory.
    #[test]
    fn any_sound_is_judged(
        blocks in proptest::collection::vec((any::<f32>(), any::<f32>(), 0..BLOCK), 0..40),
        copies in 1..20usize,
        missing in 0..1_000usize,
    ) {
        let mut sample = Sample::default();
        for (a, b, at) in blocks.iter().cycle().take(blocks.len() * copies) {
            let block = std::array::from_fn(|n| if n < *at { *a } else { *b });
            sample.captured(&block);
            sample.audible(&block);
            sample.played(&block);
            sample.returned(&block);
        }
        sample.set_missing(missing);
        prop_assert!(sample.len() <= BLOCKS && sample.recording().len() <= BLOCKS);
        let defects = sample.judge();
        let distinct: std::collections::HashSet<_> = defects.iter().collect();
        prop_assert_eq!(distinct.len(), defects.len());
        prop_assert!(!defects.contains(&SoundDefect::NoSound) || defects.len() == 1);
        prop_assert!(!defects.contains(&SoundDefect::NoVoice) || !defects.contains(&SoundDefect::TooQuiet));
    }

    /// A voice at a usual level is not blamed, however loud.
    #[test]
    fn a_voice_at_a_usual_level_is_fine(seed in 1..500u64, gain in 0.4..2.0f32) {
        prop_assert_eq!(sample(&speech(seed, gain, ROOM)).judge(), []);
    }
}
