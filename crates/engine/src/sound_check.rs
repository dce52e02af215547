//! "How do others hear me?": five seconds of the microphone go through everything that others' ears would get of them, are
//! played here, and are judged. Nothing is sent or stored.

use crate::voice::VoiceEncoder;
use codecs::OpusDecoder;
use media::audio::{AudioDecoder, BLOCK};
use media::sound_check::{BLOCKS, Sample, SoundDefect};
use serde::Serialize;
use std::time::{Duration, Instant};

/// How long the microphone may take to deliver sound, which includes the time until it is open.
const OPENING: Duration = Duration::from_secs(8);
/// How much longer than the recording it may take to record, because the microphone stops now and then.
const PATIENCE: Duration = Duration::from_secs(2);
/// Blocks without which a recording is not judged: one second.
const ENOUGH: usize = 100;
/// How long the loudspeaker may take no sound before its part ends.
const STALLED: Duration = Duration::from_secs(3);
/// Silent blocks after the recording, until the last of it has left the loudspeaker and its echo has come back.
const TAIL: usize = 40;

/// What the check shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SoundCheckView {
    /// No check was made, or it was stopped.
    #[default]
    Idle,
    /// The microphone is being opened.
    Waiting,
    /// The microphone is recorded.
    Listening,
    /// The recording is played.
    Playing,
    /// It is over.
    Done {
        /// What is wrong, the most serious first: `no_sound`, `no_voice`, `too_quiet`, `too_loud`, `noisy`, `echo`,
        /// `drop_outs`. Empty if nothing is.
        #[cfg_attr(feature = "typescript", ts(type = "string[]"))]
        defects: Vec<&'static str>,
    },
    /// The microphone delivered nothing.
    Failed,
}

impl SoundCheckView {
    /// Whether the check needs microphone and loudspeaker.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self, Self::Waiting | Self::Listening | Self::Playing)
    }
}

/// The state of a check.
///
/// ```text
///  Waiting ── sound ──▶ Listening ── five seconds ──▶ Playing ── all of it, or no loudspeaker ──▶ Done
///     │                     │
///     └── too late ─────────┴── too little ──▶ Failed
/// ```
#[derive(Debug)]
enum CheckState {
    Waiting { until: Instant },
    Listening { since: Instant },
    Playing { block: usize, until: Instant },
    Done(Vec<SoundDefect>),
    Failed,
}

/// A check that runs, or its result. Dropping it cancels it.
pub(crate) struct SoundCheck {
    state: CheckState,
    sample: Sample,
    encoder: VoiceEncoder,
    decoder: OpusDecoder,
    /// Decoded sound that does not fill a block yet.
    decoded: Vec<f32>,
}

impl SoundCheck {
    /// Starts a check. `None`, with a line in the log, without a decoder.
    pub(crate) fn start(now: Instant) -> Option<Self> {
        let decoder = OpusDecoder::new().inspect_err(|error| tracing::error!("no Opus decoder: {error}")).ok()?;
        Some(Self {
            state: CheckState::Waiting { until: now + OPENING },
            sample: Sample::default(),
            encoder: VoiceEncoder::new(now),
            decoder,
            decoded: vec![],
        })
    }

    /// What to show.
    pub(crate) fn view(&self) -> SoundCheckView {
        match &self.state {
            CheckState::Waiting { .. } => SoundCheckView::Waiting,
            CheckState::Listening { .. } => SoundCheckView::Listening,
            CheckState::Playing { .. } => SoundCheckView::Playing,
            CheckState::Done(defects) => SoundCheckView::Done { defects: defects.iter().map(code).collect() },
            CheckState::Failed => SoundCheckView::Failed,
        }
    }

    /// Takes a block of the microphone, as it was captured and as it would be sent.
    pub(crate) fn captured(&mut self, now: Instant, raw: &[f32; BLOCK], processed: &[f32; BLOCK]) {
        if let CheckState::Waiting { .. } = self.state {
            self.state = CheckState::Listening { since: now };
        }
        match self.state {
            CheckState::Listening { since } => {
                self.sample.captured(raw);
                self.pass_on(processed);
                if self.sample.len() >= BLOCKS {
                    self.recorded(now, since);
                }
            }
            CheckState::Playing { .. } => self.sample.returned(processed),
            CheckState::Waiting { .. } | CheckState::Done(_) | CheckState::Failed => {}
        }
    }

    /// Adds the recording to a block that is about to be played.
    pub(crate) fn play(&mut self, now: Instant, mixed: &mut [f32; BLOCK]) {
        let CheckState::Playing { block, until } = &mut self.state else { return };
        *until = now + STALLED;
        if let Some(recorded) = self.sample.recording().get(*block) {
            mixed.iter_mut().zip(recorded).for_each(|(sample, more)| *sample = (*sample + more).clamp(-1.0, 1.0));
        }
        *block += 1;
        if *block <= self.sample.recording().len() {
            self.sample.played(mixed);
        } else if *block > self.sample.recording().len() + TAIL {
            self.state = CheckState::Done(self.sample.judge());
        }
    }

    /// Ends what takes too long.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        match self.state {
            CheckState::Waiting { until } if until <= now => self.state = CheckState::Failed,
            CheckState::Listening { since } if since + recording_time() + PATIENCE <= now => self.recorded(now, since),
            CheckState::Playing { until, .. } if until <= now => self.state = CheckState::Done(self.sample.judge()),
            CheckState::Waiting { .. }
            | CheckState::Listening { .. }
            | CheckState::Playing { .. }
            | CheckState::Done(_)
            | CheckState::Failed => {}
        }
    }

    /// The recording is over.
    fn recorded(&mut self, now: Instant, since: Instant) {
        // The first block came at `since`.
        let expected = 1 + (now.saturating_duration_since(since).as_millis() / 10) as usize;
        self.sample.set_missing(expected.saturating_sub(self.sample.len()));
        self.state = match self.sample.len() < ENOUGH {
            true => CheckState::Failed,
            false => CheckState::Playing { block: 0, until: now + STALLED },
        };
    }

    /// Encodes and decodes a block, as on the way to the others.
    fn pass_on(&mut self, block: &[f32; BLOCK]) {
        let Some(voice) = self.encoder.push(block) else { return };
        if let Err(error) = self.decoder.decode(&voice.packet, &mut self.decoded) {
            tracing::warn!("a packet of the sound check was not decoded: {error}");
        }
        let (blocks, rest) = self.decoded.as_chunks::<BLOCK>();
        blocks.iter().for_each(|block| self.sample.audible(block));
        self.decoded = rest.to_vec();
    }
}

fn recording_time() -> Duration {
    Duration::from_millis(10 * BLOCKS as u64)
}

/// A stable code for the window.
fn code(defect: &SoundDefect) -> &'static str {
    match defect {
        SoundDefect::NoSound => "no_sound",
        SoundDefect::NoVoice => "no_voice",
        SoundDefect::TooQuiet => "too_quiet",
        SoundDefect::TooLoud => "too_loud",
        SoundDefect::Noisy => "noisy",
        SoundDefect::Echo => "echo",
        SoundDefect::DropOuts => "drop_outs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::voice::Voice;

    type Block = [f32; BLOCK];

    /// Somebody speaks; so much of the loudspeaker comes back. Returns the view, and how much of the recording was played.
    fn run(seconds: u64, stops: &[u64], loudspeaker: bool, echo: f32) -> (SoundCheckView, Vec<Block>) {
        let start = Instant::now();
        let mut check = SoundCheck::start(start).unwrap();
        let (mut voice, mut played, mut air) = (Voice::new(5), vec![], vec![[0.0; BLOCK]; 12]);
        for n in 0..seconds * 100 {
            let now = start + Duration::from_millis(10 * n);
            let talks = check.view() == SoundCheckView::Listening && n % 100 < 75;
            let back: Block = air.remove(0);
            let talk: Block = std::array::from_fn(|_| {
                let hiss = 0.000_5 * (voice.random() - 0.5);
                hiss + if talks { voice.sample() } else { 0.0 }
            });
            let block: Block = std::array::from_fn(|i| talk[i] + echo * back[i]);
            if !stops.contains(&n) {
                check.captured(now, &block, &block);
            }
            let mut mixed = [0.0; BLOCK];
            if loudspeaker {
                check.play(now, &mut mixed);
                if check.view() == SoundCheckView::Playing {
                    played.push(mixed);
                }
            }
            air.push(mixed);
            check.handle_timeout(now);
        }
        (check.view(), played)
    }

    fn done(defects: &[&'static str]) -> SoundCheckView {
        SoundCheckView::Done { defects: defects.to_vec() }
    }

    #[test]
    fn a_good_voice_is_played_back_and_found_good() {
        let (view, played) = run(12, &[], true, 0.0);
        assert_eq!(view, done(&[]));
        let loud = played.iter().filter(|block| media::level::Level::of(&block[..]).rms_dbfs > -45.0).count();
        assert!(loud > 250, "{loud} of {} blocks", played.len());
    }

    #[test]
    fn the_loudspeaker_in_the_microphone_is_found() {
        assert_eq!(run(12, &[], true, 0.4).0, done(&["echo"]));
    }

    #[test]
    fn a_microphone_that_stops_is_found() {
        let stops: Vec<u64> = (200..260).collect();
        assert_eq!(run(12, &stops, true, 0.0).0, done(&["drop_outs"]));
        let never: Vec<u64> = (0..1_000).collect();
        assert_eq!(run(7, &never, true, 0.0).0, SoundCheckView::Waiting);
        assert_eq!(run(9, &never, true, 0.0).0, SoundCheckView::Failed);
        assert_eq!(run(9, &(10..1_000).collect::<Vec<_>>(), true, 0.0).0, SoundCheckView::Failed);
    }

    #[test]
    fn without_a_loudspeaker_the_recording_is_judged_all_the_same() {
        assert_eq!(run(6, &[], false, 0.0).0, SoundCheckView::Playing);
        assert_eq!(run(9, &[], false, 0.0).0, done(&[]));
    }
}
