//! Notices that a participant is in the same room: what we play of them comes back in what they send. Two such laptops
//! howl if the loop of both loudspeakers and microphones amplifies, because an echo canceller removes only the sound of
//! its own loudspeaker.
//!
//! What a participant sends is compared with itself, 80 ms to 1 s earlier, by generalized cross-correlation with phase
//! transform (Knapp and Carter, 1976), which ignores the spectrum of voices. A sharp peak is suspicious, and silences
//! the participant at our loudspeaker. If the peak stays although nothing is played, it is not from us: music repeats
//! itself. Otherwise the participant stays silent here, because they are audible directly, until their voice no longer
//! reaches our microphone.
//!
//! A loop that amplifies strongly soon gives a tone, which agrees with itself at every lag. But the tone is as loud as can be,
//! so it is noticed by that. Whether it is from us shows in the same way: it ends while nothing
//! is played.

use crate::audio::BLOCK;
use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use std::collections::VecDeque;
use std::sync::Arc;

/// Samples of 48 kHz for one of 8 kHz, which is enough for voices.
const DECIMATION: usize = 6;
/// Samples per millisecond after decimation.
const PER_MS: usize = 8;
/// The compared past, 2 s, and the newest part of it, half a second.
const PAST: usize = 16_384;
const NEWEST: usize = 4_096;
/// Delays of a loop through two laptops and a network: the buffers alone take 80 ms, and above 1 s no call is usable.
const LAGS: std::ops::Range<usize> = 80 * PER_MS..1_000 * PER_MS;
/// Delays from our microphone to the participant's sound.
const DIRECT_LAGS: std::ops::Range<usize> = 20 * PER_MS..1_000 * PER_MS;
/// The bins of 200 to 3,600 Hz.
const BAND: std::ops::Range<usize> = PAST / 40..PAST * 9 / 20;
/// Blocks of 10 ms between two comparisons.
const EVERY: u32 = 10;
/// Weight of the earlier comparisons.
const MEMORY: f32 = 0.85;
/// A peak is this many times higher than the root mean square of all lags, in seven comparisons, which is longer than the
/// beginning of a tone stays in the compared half second. In 5,487 s of recorded speech in five voices it happened once, for
/// 1.2 s; simulated loops that amplify by 6 dB are found within 1.6 s.
const PEAK: f32 = 11.0;
const HITS: u32 = 7;
/// Repetitions that a missed one takes back.
const MISS: u32 = 2;

/// For our own microphone, where one peak proves that the participant is still in the room.
const AUDIBLE: f32 = 9.0;

/// How far the lag may move between two comparisons.
const SAME_LAG: usize = 12 * PER_MS;
/// Root mean square below which there is nothing to compare: -56 dBFS.
const QUIET: f32 = 0.001_6;
/// A sound whose spectrum is narrower cannot be compared. Syllables have hundreds of bins.
const RICH: f32 = 60.0;
/// Comparisons with sound, after the last sound that was played has come back, that decide whether it is from us.
const PROOF: u32 = 4;
/// Comparisons with sound from the participant, but not in our microphone, after which they have left: 8 s.
const LEFT: u32 = 80;
/// A howl is a tone over half a second, and louder than this over a tenth of a second (RMS -8 dBFS), three times in a row.
const HOWL: f32 = 0.398;
const HOWLS: u32 = 3;
/// Or it is everything at once, because a limiter distorts it: RMS -8 dBFS without 10 ms below -12 dBFS, three times in a row.
/// Voices that are as loud have pauses.
const ROAR: f32 = 0.398;
const LEAST_ROAR: f32 = 0.25;
const ROARS: u32 = 3;
/// Comparisons until the longest loop has come back.
const LOOP: u32 = 11;
/// A howl that has ended may have been a noise that just ended. So whoever howled is played again after 2 s in which they are
/// not heard in this room, and at once if our microphone is closed.
const UNSURE: u32 = LEFT - 20;
/// Comparisons for which a repetition that is not from us is ignored: one minute.
const IGNORED: u32 = 600;

/// What is known of one participant.
///
/// ```text
///  Apart ─── the sound repeats itself ──▶ Suspected (silent) ─── no longer ──▶ Together (silent)
///    ▲ ▲                                      │                                  │  │
///    │ └── a minute later ── Ignored ◀── it still does                           │  │
///    └──────────────────── their voice does not reach our microphone ────────────┘  │
///  Apart ── a howl ──▶ Howling (silent) ── it ends ──▶ Together; ── it goes on ──▶ Ignored
///  Together (by a howl) ── their voice does not reach our microphone ──▶ Ignored
///  Allowed ◀──────────────────────── the person wants to hear them ─────────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoopState {
    Apart { lag: usize, hits: u32 },
    Howling { waiting: u32 },
    Suspected { lag: usize, waiting: u32, clean: u32, recurring: u32 },
    Together { unheard: u32 },
    Ignored { left: u32 },
    Allowed,
}

/// The recent sound of a microphone or participant, at 8 kHz.
#[derive(Debug)]
pub struct RecentSound {
    samples: VecDeque<f32>,
}

impl Default for RecentSound {
    fn default() -> Self {
        Self { samples: std::iter::repeat_n(0.0, PAST).collect() }
    }
}

impl RecentSound {
    /// Adds 10 ms.
    pub fn push(&mut self, block: &[f32; BLOCK]) {
        self.samples.drain(..BLOCK / DECIMATION);
        let mean = |part: &[f32]| part.iter().map(|sample| crate::audio::clean(*sample)).sum::<f32>();
        self.samples.extend(block.chunks_exact(DECIMATION).map(|part| mean(part) / DECIMATION as f32));
    }

    fn newest_rms(&self) -> f32 {
        let sum: f32 = self.samples.range(PAST - NEWEST..).map(|sample| sample * sample).sum();
        (sum / NEWEST as f32).sqrt()
    }
}

/// Compares sounds. One serves all participants.
pub struct Correlator {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    time: Vec<f32>,
    newest: Vec<Complex32>,
    past: Vec<Complex32>,
    scratch: Vec<Complex32>,
    window: Vec<f32>,
}

impl std::fmt::Debug for Correlator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Correlator")
    }
}

impl Default for Correlator {
    fn default() -> Self {
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(PAST), planner.plan_fft_inverse(PAST));
        let scratch = forward.get_scratch_len().max(inverse.get_scratch_len());
        let turn = std::f32::consts::TAU / NEWEST as f32;
        Self {
            time: forward.make_input_vec(),
            newest: forward.make_output_vec(),
            past: forward.make_output_vec(),
            scratch: vec![Complex32::default(); scratch],
            window: (0..NEWEST).map(|n| 0.5 - 0.5 * (turn * n as f32).cos()).collect(),
            forward,
            inverse,
        }
    }
}

impl Correlator {
    /// The width of the spectrum of the newest half second, which is then in `newest`.
    fn width(&mut self, sound: &RecentSound) -> f32 {
        self.time.fill(0.0);
        let newest = sound.samples.range(PAST - NEWEST..);
        for ((slot, sample), weight) in self.time[PAST - NEWEST..].iter_mut().zip(newest).zip(&self.window) {
            *slot = sample * weight;
        }
        // The lengths are those of the plan, so nothing fails.
        let _ = self.forward.process_with_scratch(&mut self.time, &mut self.newest, &mut self.scratch);
        width(&self.newest[BAND])
    }

    /// Adds to `sum` how well the newest half second of `sound` agrees with `past`, for each lag. Returns false if the
    /// sound is a tone or a chord, which agrees with itself at every lag.
    fn compare(&mut self, sound: &RecentSound, past: &RecentSound, sum: &mut [f32]) -> bool {
        if self.width(sound) < RICH {
            return false;
        }
        self.time.iter_mut().zip(&past.samples).for_each(|(slot, sample)| *slot = *sample);
        let _ = self.forward.process_with_scratch(&mut self.time, &mut self.past, &mut self.scratch);
        for (bin, (a, b)) in self.newest.iter_mut().zip(&self.past).enumerate() {
            let cross = *a * b.conj();
            let weight = cross.norm();
            *a = if BAND.contains(&bin) && weight > f32::MIN_POSITIVE { cross / weight } else { Complex32::default() };
        }
        let _ = self.inverse.process_with_scratch(&mut self.newest, &mut self.time, &mut self.scratch);
        for (sum, value) in sum.iter_mut().zip(&self.time[..LAGS.end]) {
            *sum = *sum * MEMORY + value / PAST as f32;
        }
        true
    }
}

/// Watches one participant.
#[derive(Debug)]
pub struct LoopDetector {
    sound: RecentSound,
    blocks: u32,
    /// The sum of squares since the last comparison, and how often it was that of a howl in a row.
    squares: f32,
    howls: u32,
    /// The same of the quietest block, and of a roar.
    quietest: f32,
    roars: u32,
    /// Whether the state is due to a howl.
    howled: bool,
    /// The agreement of the participant's sound with its own past, by lag.
    own: Vec<f32>,
    /// The agreement with our microphone, by lag.
    microphone: Vec<f32>,
    state: LoopState,
}

impl Default for LoopDetector {
    fn default() -> Self {
        let state = LoopState::Apart { lag: 0, hits: 0 };
        Self {
            sound: RecentSound::default(),
            blocks: 0,
            squares: 0.0,
            howls: 0,
            quietest: f32::MAX,
            roars: 0,
            howled: false,
            own: vec![0.0; LAGS.end],
            microphone: vec![0.0; LAGS.end],
            state,
        }
    }
}

impl LoopDetector {
    /// Takes 10 ms of the participant's sound, whether it is played or not. `microphone` is our own before any
    /// processing; `None` while it is closed.
    pub fn push(&mut self, block: &[f32; BLOCK], microphone: Option<&RecentSound>, correlator: &mut Correlator) {
        self.sound.push(block);
        self.blocks += 1;
        let squares = block.iter().map(|sample| crate::audio::clean(*sample).powi(2)).sum::<f32>();
        (self.squares, self.quietest) = (self.squares + squares, self.quietest.min(squares / BLOCK as f32));
        if self.blocks < EVERY {
            return;
        }
        self.blocks = 0;
        let howls = self.take_howl(correlator);
        match self.state {
            LoopState::Allowed => {}
            LoopState::Apart { .. } if self.howls >= HOWLS || self.roars >= ROARS => {
                self.state = LoopState::Howling { waiting: LOOP }
            }
            LoopState::Howling { waiting: 0 } if howls => self.state = LoopState::Ignored { left: IGNORED },
            LoopState::Howling { waiting: 0 } if microphone.is_none() => self.reset(),
            LoopState::Howling { waiting: 0 } => {
                self.microphone.fill(0.0);
                self.howled = true;
                self.state = LoopState::Together { unheard: UNSURE };
            }
            LoopState::Howling { waiting } => self.state = LoopState::Howling { waiting: waiting - 1 },
            LoopState::Ignored { left: 0 } => self.reset(),
            LoopState::Ignored { left } => self.state = LoopState::Ignored { left: left - 1 },
            LoopState::Together { unheard } => self.look_for_voice(unheard, microphone, correlator),
            LoopState::Apart { .. } | LoopState::Suspected { .. } => self.look_for_repetition(correlator),
        }
    }

    /// Whether the participant must not be played.
    pub fn is_silenced(&self) -> bool {
        matches!(self.state, LoopState::Howling { .. } | LoopState::Suspected { .. } | LoopState::Together { .. })
    }

    /// Whether it is certain that the participant is in this room.
    pub fn is_together(&self) -> bool {
        matches!(self.state, LoopState::Together { .. })
    }

    /// The person wants to hear the participant in any case.
    pub fn allow(&mut self) {
        self.state = LoopState::Allowed;
    }

    /// Whether the sound since the last comparison was that of a howl.
    fn take_howl(&mut self, correlator: &mut Correlator) -> bool {
        let power = std::mem::take(&mut self.squares) / (EVERY as usize * BLOCK) as f32;
        let quietest = std::mem::replace(&mut self.quietest, f32::MAX);
        let howls = power > HOWL * HOWL && correlator.width(&self.sound) < RICH;
        let roars = power > ROAR * ROAR && quietest > LEAST_ROAR * LEAST_ROAR;
        self.howls = if howls { self.howls + 1 } else { 0 };
        self.roars = if roars { self.roars + 1 } else { 0 };
        howls || roars
    }

    fn reset(&mut self) {
        self.own.fill(0.0);
        self.microphone.fill(0.0);
        (self.howls, self.roars, self.howled) = (0, 0, false);
        self.state = LoopState::Apart { lag: 0, hits: 0 };
    }

    fn look_for_repetition(&mut self, correlator: &mut Correlator) {
        let loud = self.sound.newest_rms() > QUIET;
        let sounds = loud && correlator.compare(&self.sound, &self.sound, &mut self.own);
        let peak = sounds.then(|| peak(&self.own, LAGS, PEAK)).flatten();
        self.state = match self.state {
            LoopState::Apart { lag, hits } => match peak {
                Some(at) if hits > 0 && at.abs_diff(lag) <= SAME_LAG => match hits + 1 {
                    HITS => self.suspect(at),
                    hits => LoopState::Apart { lag: at, hits },
                },
                Some(at) => LoopState::Apart { lag: at, hits: 1 },
                // One comparison may miss, while the loop builds up.
                None => LoopState::Apart { lag, hits: if loud { hits.saturating_sub(MISS) } else { hits } },
            },
            LoopState::Suspected { lag, waiting, .. } if waiting > 0 => {
                self.own.fill(0.0); // what was played before still comes back
                LoopState::Suspected { lag, waiting: waiting - 1, clean: 0, recurring: 0 }
            }
            LoopState::Suspected { lag, clean, recurring, .. } if loud => {
                // A tone that sounds although nothing is played is not from us.
                let same = !sounds || peak.is_some_and(|at| at.abs_diff(lag) <= SAME_LAG);
                match (clean + u32::from(!same), recurring + u32::from(same)) {
                    (PROOF, _) => LoopState::Together { unheard: 0 },
                    (_, PROOF) => LoopState::Ignored { left: IGNORED },
                    (clean, recurring) => LoopState::Suspected { lag, waiting: 0, clean, recurring },
                }
            }
            state => state,
        };
    }

    /// The state after a repetition at this lag was found.
    fn suspect(&mut self, lag: usize) -> LoopState {
        // The newest half second must have been sent after the last sound that we played had come back.
        let waiting = ((lag + NEWEST) / (PER_MS * 10 * EVERY as usize)) as u32 + 2;
        LoopState::Suspected { lag, waiting, clean: 0, recurring: 0 }
    }

    /// The participant is silent here. As long as they are in this room, our microphone hears what they say.
    fn look_for_voice(&mut self, unheard: u32, microphone: Option<&RecentSound>, correlator: &mut Correlator) {
        let Some(microphone) = microphone.filter(|_| self.sound.newest_rms() > QUIET) else { return };
        // A tone cannot be compared. It is the participant's own, because a loop that is silenced here does not howl.
        let is_compared = correlator.compare(&self.sound, microphone, &mut self.microphone);
        let audible = is_compared && peak(&self.microphone, DIRECT_LAGS, AUDIBLE).is_some();
        self.state = LoopState::Together { unheard: if audible { 0 } else { unheard + 1 } };
        self.howled &= !audible;
        if !audible && unheard + 1 >= LEFT {
            let howled = self.howled;
            self.reset();
            if howled {
                self.state = LoopState::Ignored { left: IGNORED }; // it was not from us
            }
        }
    }
}

/// The number of bins over which a spectrum is spread: all of them for noise, about ten for a tone.
fn width(spectrum: &[Complex32]) -> f32 {
    let (mut sum, mut squares) = (0.0, f32::MIN_POSITIVE);
    for bin in spectrum {
        let square = bin.norm_sqr();
        sum += square.sqrt();
        squares += square;
    }
    sum * sum / squares
}

/// The lag of the highest peak within `range`, if it is `factor` times as high as the root mean square.
fn peak(agreement: &[f32], range: std::ops::Range<usize>, factor: f32) -> Option<usize> {
    let lags = &agreement[range.clone()];
    let rms = (lags.iter().map(|value| value * value).sum::<f32>() / lags.len() as f32).sqrt();
    let (at, top) = lags.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1))?;
    (*top > factor * rms && *top > 0.0).then_some(at + range.start)
}
