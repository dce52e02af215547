//! Two laptops in one room, simulated: each hears the other's loudspeaker.

use media::acoustic_loop::{Correlator, LoopDetector, RecentSound};
use media::audio::BLOCK;
use media::level::Level;
use media::mixer::Mixer;
use std::collections::VecDeque;
use std::f32::consts::TAU;
use testkit::voice::Voice;

type Block = [f32; BLOCK];

/// A fixed number of blocks between the ends of a path.
struct Delay(VecDeque<Block>);

impl Delay {
    fn new(blocks: usize) -> Delay {
        Delay(std::iter::repeat_n([0.0; BLOCK], blocks).collect())
    }

    fn pass(&mut self, block: Block) -> Block {
        self.0.push_back(block);
        self.0.pop_front().expect("the block that was pushed, or an older one")
    }
}

/// One laptop.
struct End {
    voice: Voice,
    detector: LoopDetector,
    correlator: Correlator,
    microphone: RecentSound,
    mixer: Mixer,
    /// To the far end's loudspeaker: encoding, network, jitter buffer.
    network: Delay,
    /// From this loudspeaker to the far microphone.
    air: Delay,
    /// What is played.
    played: Block,
}

impl End {
    fn new(seed: u64, network: usize) -> End {
        End {
            voice: Voice::new(seed),
            detector: LoopDetector::default(),
            correlator: Correlator::default(),
            microphone: RecentSound::default(),
            mixer: Mixer::new(),
            network: Delay::new(network),
            air: Delay::new(4),
            played: [0.0; BLOCK],
        }
    }

    /// Plays what arrived, unless the far end is in this room.
    fn play(&mut self, arrived: &Block) {
        self.detector.push(arrived, Some(&self.microphone), &mut self.correlator);
        let silent = [0.0; BLOCK];
        self.mixer.mix([if self.detector.is_silenced() { &silent } else { arrived }], &mut self.played);
    }
}

/// What two ends share.
struct Room {
    /// The gain of the path from one loudspeaker to the other microphone, and so of the loop. 0 for two rooms.
    gain: f32,
    /// How much of the other's voice a microphone hears directly.
    direct: f32,
}

const TWO_ROOMS: Room = Room { gain: 0.0, direct: 0.0 };

/// Runs two ends for some seconds; `talks` says who speaks in which block. Returns the levels of what each end plays,
/// one per block.
fn run(room: &Room, ends: &mut [End; 2], seconds: usize, talks: impl Fn(usize, usize) -> bool) -> Vec<[f32; 2]> {
    (0..seconds * 100)
        .map(|n| {
            let loud: [Block; 2] = std::array::from_fn(|e| {
                let played = ends[e].played;
                ends[e].air.pass(played)
            });
            let near =
                |end: &mut End, talks| if talks { std::array::from_fn(|_| end.voice.sample()) } else { [0.0; BLOCK] };
            let near: [Block; 2] = std::array::from_fn(|e| near(&mut ends[e], talks(e, n)));
            let arrived: [Block; 2] = std::array::from_fn(|e| {
                let hiss: Block = std::array::from_fn(|_| 0.0002 * (ends[e].voice.random() - 0.5));
                // The own loudspeaker's sound is removed.
                let far = |i: usize| room.direct * near[1 - e][i] + room.gain * loud[1 - e][i];
                let captured: Block = std::array::from_fn(|i| near[e][i] + far(i) + hiss[i]);
                ends[e].microphone.push(&captured);
                ends[e].network.pass(captured)
            });
            ends[0].play(&arrived[1]);
            ends[1].play(&arrived[0]);
            [Level::of(&ends[0].played).rms_dbfs, Level::of(&ends[1].played).rms_dbfs]
        })
        .collect()
}

fn ends(seed: u64, network: usize) -> [End; 2] {
    [End::new(seed, network), End::new(seed + 100, network + 3)]
}

#[test]
fn two_laptops_in_one_room_stop_howling_within_two_seconds_and_stay_quiet() {
    let room = Room { gain: 2.0, direct: 0.3 };
    for seed in 1..=4 {
        for network in [8, 15, 30] {
            for from in [0, 300] {
                let mut ends = ends(seed, network);
                let levels = run(&room, &mut ends, 12, |e, n| e == 0 && n >= from && n < 800);
                let last = levels.iter().rposition(|both| both.iter().any(|level| *level > -40.0)).unwrap_or(0);
                assert!(last < from + 200, "seed {seed}, {network} blocks, from {from}: loud until {last}");
            }
        }
    }
}

#[test]
fn people_in_two_rooms_are_always_played() {
    for seed in 1..=6 {
        let mut ends = ends(seed, 10);
        for _ in 0..30 {
            run(&TWO_ROOMS, &mut ends, 1, |e, _| e == 0 || seed % 2 == 0);
            assert!(ends.iter().all(|end| !end.detector.is_silenced()), "seed {seed}");
        }
    }
}

#[test]
fn music_with_a_loop_is_played_after_a_moment() {
    let mut voice = Voice::new(5);
    let bar: Vec<Block> = (0..50).map(|_| std::array::from_fn(|_| voice.sample())).collect();
    let (mut detector, mut correlator) = (LoopDetector::default(), Correlator::default());
    let silent = (0..6_000).filter(|n| {
        detector.push(&bar[n % bar.len()], None, &mut correlator);
        assert!(!detector.is_together());
        detector.is_silenced()
    });
    let silent = silent.count();
    assert!(silent < 250, "{silent} of 6,000 blocks");
}

#[test]
fn who_leaves_the_room_is_played_and_who_stays_is_not() {
    let mut ends = ends(3, 12);
    run(&Room { gain: 1.5, direct: 0.3 }, &mut ends, 6, |_, _| true);
    assert!(ends.iter().all(|end| end.detector.is_together()));
    run(&Room { gain: 1.5, direct: 0.3 }, &mut ends, 30, |_, _| true);
    assert!(ends.iter().all(|end| end.detector.is_together()), "they still hear each other directly");
    run(&TWO_ROOMS, &mut ends, 15, |_, _| true);
    assert!(ends.iter().all(|end| !end.detector.is_silenced()));
}

#[test]
fn who_leaves_the_room_is_played_also_if_only_a_tone_follows() {
    let mut ends = ends(3, 12);
    run(&Room { gain: 1.5, direct: 0.3 }, &mut ends, 6, |_, _| true);
    let end = &mut ends[0];
    assert!(end.detector.is_together());
    for n in 0..1_500 {
        let sample = |i: usize| 0.2 * (TAU * (523.0 * (n * BLOCK + i) as f32 / 48_000.0).fract()).sin();
        end.play(&std::array::from_fn(sample));
    }
    assert!(!end.detector.is_silenced());
}

#[test]
fn somebody_in_the_room_is_played_on_request() {
    let mut ends = ends(3, 12);
    let room = Room { gain: 1.5, direct: 0.3 };
    run(&room, &mut ends, 6, |_, _| true);
    ends[0].detector.allow();
    run(&room, &mut ends, 6, |_, _| true);
    assert!(!ends[0].detector.is_silenced() && ends[1].detector.is_together());
}

#[test]
fn invalid_samples_silence_nobody() {
    let (mut detector, mut correlator) = (LoopDetector::default(), Correlator::default());
    let mut microphone = RecentSound::default();
    for n in 0..500 {
        let odd = [f32::NAN, f32::INFINITY, f32::MAX, 0.0][n % 4];
        microphone.push(&[odd; BLOCK]);
        detector.push(&[odd; BLOCK], Some(&microphone), &mut correlator);
        assert!(!detector.is_silenced());
    }
}

#[test]
fn tones_and_chords_silence_nobody() {
    for chord in [&[440.0][..], &[1_000.0], &[600.0, 601.0], &[523.25, 659.26, 783.99], &[200.0, 400.0, 600.0, 800.0]] {
        let (mut detector, mut correlator) = (LoopDetector::default(), Correlator::default());
        for n in 0..3_000 {
            let at = |i: usize| (n * BLOCK + i) as f32 / 48_000.0;
            let sample = |i| chord.iter().map(|hertz| 0.2 * (TAU * (hertz * at(i)).fract()).sin()).sum();
            detector.push(&std::array::from_fn(sample), None, &mut correlator);
            assert!(!detector.is_silenced(), "{chord:?} after {n} blocks");
        }
    }
}

#[test]
fn beeps_silence_nobody_for_long() {
    for (hertz, on, off) in [(440.0, 30, 50), (1_000.0, 10, 90), (600.0, 300, 40), (2_000.0, 5, 5)] {
        let (mut detector, mut correlator, mut silent) = (LoopDetector::default(), Correlator::default(), 0);
        for n in 0..6_000 {
            let at = |i: usize| (n * BLOCK + i) as f32 / 48_000.0;
            let sample = |i| if n % (on + off) < on { 0.2 * (TAU * (hertz * at(i)).fract()).sin() } else { 0.0 };
            detector.push(&std::array::from_fn(sample), None, &mut correlator);
            assert!(!detector.is_together());
            silent += usize::from(detector.is_silenced());
        }
        assert!(silent < 300, "{hertz} Hz: {silent} of 6,000 blocks");
    }
}

#[test]
fn a_siren_elsewhere_is_silent_for_a_moment_only() {
    let (mut detector, mut correlator, mut silent) = (LoopDetector::default(), Correlator::default(), vec![]);
    for n in 0..6_000 {
        let sample = |i: usize| 0.9 * (TAU * (800.0 * (n * BLOCK + i) as f32 / 48_000.0).fract()).sin();
        detector.push(&std::array::from_fn(sample), None, &mut correlator);
        assert!(!detector.is_together());
        silent.extend(detector.is_silenced().then_some(n));
    }
    assert!(silent[0] < 80 && silent.len() < 200, "{} of 6,000 blocks, from {}", silent.len(), silent[0]);
}

#[test]
fn a_loud_tone_elsewhere_that_ends_silences_the_person_for_few_seconds() {
    let (mut detector, mut correlator) = (LoopDetector::default(), Correlator::default());
    let (mut voice, mut other) = (Voice::new(3), Voice::new(4));
    let mut microphone = RecentSound::default();
    for n in 0..600 {
        let loud: Block = std::array::from_fn(|i| 0.9 * (TAU * (n * BLOCK + i) as f32 / 60.0).sin());
        let block = if n < 50 { loud } else { std::array::from_fn(|_| voice.sample()) };
        microphone.push(&std::array::from_fn(|_| 0.002 * (other.random() - 0.5)));
        detector.push(&block, Some(&microphone), &mut correlator);
    }
    assert!(!detector.is_silenced());
}

#[test]
fn somebody_who_shouts_is_played() {
    for seed in 1..=6 {
        let (mut detector, mut correlator, mut voice) =
            (LoopDetector::default(), Correlator::default(), Voice::new(seed));
        for n in 0..3_000 {
            let block = std::array::from_fn(|_| (4.0 * voice.sample()).clamp(-1.0, 1.0));
            detector.push(&block, None, &mut correlator);
            assert!(!detector.is_silenced(), "seed {seed}, block {n}, level {}", Level::of(&block).rms_dbfs);
        }
    }
}

#[test]
fn somebody_elsewhere_who_is_far_too_loud_is_mostly_played() {
    for microphone in [true, false] {
        let (mut detector, mut correlator) = (LoopDetector::default(), Correlator::default());
        let (mut voice, mut hiss, mut ours, mut silent) = (Voice::new(3), Voice::new(4), RecentSound::default(), 0);
        for _ in 0..6_000 {
            ours.push(&std::array::from_fn(|_| 0.002 * (hiss.random() - 0.5)));
            let block = std::array::from_fn(|_| (20.0 * voice.sample()).clamp(-1.0, 1.0));
            detector.push(&block, microphone.then_some(&ours), &mut correlator);
            silent += usize::from(detector.is_silenced());
        }
        assert!(silent < 600, "microphone {microphone}: {silent} of 6,000 blocks");
    }
}
