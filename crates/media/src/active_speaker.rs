//! Who speaks, from the levels of everybody alone, without decoding.
//!
//! Steady noise is not speech: it does not rise above the level of the pauses. A knock is not speech either: it ends within a
//! tenth of a second. Whoever has spoken more over the last second becomes the active speaker, but not at once, so that the
//! picture does not change with every "mm". The idea of several spans of time is that of Volfin and Cohen, "Dominant speaker
//! identification for multipoint videoconferencing", Computer Speech & Language 27 (2013).
//!
//! `ui/shared/active-speaker.js` is the same rule for browsers; docs/protocol/speakers.json tests both.

use std::time::Duration;

/// Time between two updates.
pub const TICK: Duration = Duration::from_millis(100);

/// Quieter sound is not speech, in dBFS.
const QUIETEST_SPEECH: f64 = -48.0;
/// Speech is this much louder than the pauses, in dB.
const ABOVE_PAUSES: f64 = 9.0;
/// The level of the pauses follows quieter sound at once, and louder sound by this many dB in a tick.
const PAUSES_RISE: f64 = 0.6;
/// Range of the level of the pauses, in dBFS. The lowest is also that of the start.
const PAUSES: std::ops::RangeInclusive<f64> = -70.0..=0.0;
/// Speech begins after this many ticks with voice, and ends after this many without.
const BEGINS: u32 = 2;
const ENDS: u32 = 4;
/// Part of the difference by which activity follows in a tick: about a second.
const FOLLOWING: f64 = 0.1;
/// Speech this much louder than the pauses counts fully, in dB.
const LOUD: f64 = 40.0;
/// By how much more active than the active speaker somebody must be.
const MARGIN: f64 = 0.1;
/// For how many ticks: while the active speaker is silent, and while both speak.
const AFTER_SILENCE: u32 = 3;
const WHILE_SPEAKING: u32 = 8;

/// The speech of one person.
#[derive(Debug, Clone)]
pub struct Speech {
    /// Level of the pauses in dBFS.
    pauses: f64,
    /// Ticks with voice in a row, and without.
    voiced: u32,
    unvoiced: u32,
    speaking: bool,
    /// How much the person spoke over about a second, 0..1.
    activity: f64,
}

impl Default for Speech {
    fn default() -> Self {
        Speech { pauses: *PAUSES.start(), voiced: 0, unvoiced: 0, speaking: false, activity: 0.0 }
    }
}

impl Speech {
    /// Takes the level of the last [`TICK`], RMS in dBFS. What is not a number counts as silence.
    pub fn update(&mut self, dbfs: f32) {
        let level = if dbfs.is_nan() { *PAUSES.start() } else { f64::from(dbfs).clamp(*PAUSES.start(), *PAUSES.end()) };
        self.pauses = level.min(self.pauses + PAUSES_RISE);
        let voice = self.is_voice(level as f32);
        (self.voiced, self.unvoiced) =
            if voice { (self.voiced.saturating_add(1), 0) } else { (0, self.unvoiced.saturating_add(1)) };
        self.speaking = if self.speaking { self.unvoiced < ENDS } else { self.voiced >= BEGINS };
        let loud = if voice { ((level - self.pauses) / LOUD).min(1.0) } else { 0.0 };
        self.activity += (loud - self.activity) * FOLLOWING;
    }

    /// Whether sound of this level, RMS in dBFS, is louder than the pauses by as much as a voice.
    pub fn is_voice(&self, dbfs: f32) -> bool {
        f64::from(dbfs) >= QUIETEST_SPEECH.max(self.pauses + ABOVE_PAUSES)
    }

    /// Whether the person speaks. It begins a fifth of a second after the voice, and bridges the pauses between words.
    pub fn is_speaking(&self) -> bool {
        self.speaking
    }
}

/// Chooses the active speaker among all participants.
///
/// ```text
///  nobody ── speech ──▶ somebody ── another is more active for some ticks ──▶ another
///     ◀── left, and nobody speaks ──┘
/// ```
#[derive(Debug)]
pub struct ActiveSpeaker<Id> {
    people: Vec<(Id, Speech)>,
    active: Option<Id>,
    /// Who is more active than the active speaker, and for how many ticks.
    rival: Option<(Id, u32)>,
}

impl<Id> Default for ActiveSpeaker<Id> {
    fn default() -> Self {
        ActiveSpeaker { people: vec![], active: None, rival: None }
    }
}

impl<Id: Clone + PartialEq> ActiveSpeaker<Id> {
    /// Takes everybody's level of the last [`TICK`], RMS in dBFS. Whoever is not among them has left.
    pub fn update(&mut self, levels: &[(Id, f32)]) {
        self.people.retain(|(id, _)| levels.iter().any(|(of, _)| of == id));
        self.active.take_if(|id| !levels.iter().any(|(of, _)| of == id));
        for (id, level) in levels {
            match self.people.iter_mut().find(|(of, _)| of == id) {
                Some((_, speech)) => speech.update(*level),
                None => {
                    let mut speech = Speech::default();
                    speech.update(*level);
                    self.people.push((id.clone(), speech));
                }
            }
        }
        self.choose();
    }

    /// Everybody who speaks.
    pub fn speaking(&self) -> impl Iterator<Item = &Id> {
        self.people.iter().filter(|(_, speech)| speech.speaking).map(|(id, _)| id)
    }

    /// Who speaks, or spoke last. `None` before anybody spoke, and after the one who did has left.
    pub fn active(&self) -> Option<&Id> {
        self.active.as_ref()
    }

    fn choose(&mut self) {
        let Some((best, activity)) = self.most_active() else { return self.rival = None };
        let current = self.active.as_ref().and_then(|id| self.people.iter().find(|(of, _)| of == id));
        let wait = match current {
            None => 0,
            Some((id, _)) if *id == best => return self.rival = None,
            Some((_, speech)) if !speech.speaking => AFTER_SILENCE,
            Some((_, speech)) if activity > speech.activity + MARGIN => WHILE_SPEAKING,
            Some(_) => return self.rival = None,
        };
        let ticks = 1 + self.rival.take().filter(|(id, _)| *id == best).map_or(0, |(_, ticks)| ticks);
        match ticks > wait {
            true => self.active = Some(best),
            false => self.rival = Some((best, ticks)),
        }
    }

    /// The most active of those who speak; the first of equal ones.
    fn most_active(&self) -> Option<(Id, f64)> {
        let speaking = self.people.iter().filter(|(_, speech)| speech.speaking);
        let best = speaking.reduce(|best, one| if one.1.activity > best.1.activity { one } else { best })?;
        Some((best.0.clone(), best.1.activity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VOICE: f32 = -22.0;
    const SILENCE: f32 = -90.0;

    /// Syllables of 300 ms with pauses of 100 ms, at tick `n`.
    fn talk(n: usize) -> f32 {
        if n % 4 == 3 { -60.0 } else { VOICE }
    }

    fn run(speakers: &mut ActiveSpeaker<&'static str>, ticks: usize, level: impl Fn(usize) -> [f32; 2]) {
        (0..ticks).for_each(|n| speakers.update(&[("a", level(n)[0]), ("b", level(n)[1])]));
    }

    #[test]
    fn whoever_speaks_is_active_at_once_and_stays_so_in_silence() {
        let mut speakers = ActiveSpeaker::default();
        run(&mut speakers, 10, |_| [SILENCE, -65.0]);
        assert_eq!(speakers.active(), None);
        run(&mut speakers, 3, |n| [talk(n), -65.0]);
        assert_eq!((speakers.active(), speakers.speaking().count()), (Some(&"a"), 1));
        run(&mut speakers, 50, |_| [SILENCE, -65.0]);
        assert_eq!((speakers.active(), speakers.speaking().count()), (Some(&"a"), 0));
    }

    #[test]
    fn an_answer_makes_the_other_one_active_within_a_second() {
        let mut speakers = ActiveSpeaker::default();
        run(&mut speakers, 40, |n| [talk(n), SILENCE]);
        run(&mut speakers, 10, |n| [SILENCE, talk(n)]);
        assert_eq!(speakers.active(), Some(&"b"));
    }

    #[test]
    fn a_short_word_in_between_changes_nothing() {
        let mut speakers = ActiveSpeaker::default();
        run(&mut speakers, 40, |n| [talk(n), SILENCE]);
        for _ in 0..5 {
            run(&mut speakers, 20, |n| [talk(n), if n < 4 { VOICE } else { SILENCE }]);
            assert_eq!((speakers.active(), speakers.speaking().next()), (Some(&"a"), Some(&"a")));
        }
    }

    #[test]
    fn knocks_and_steady_noise_are_not_speech() {
        let mut speakers = ActiveSpeaker::default();
        run(&mut speakers, 100, |_| [-30.0, SILENCE]);
        for _ in 0..20 {
            run(&mut speakers, 9, |n| [-30.0, if n % 3 == 0 { -10.0 } else { SILENCE }]);
            assert_eq!(speakers.speaking().count(), 0);
        }
        run(&mut speakers, 20, |n| [-30.0, talk(n)]);
        assert_eq!(speakers.active(), Some(&"b"), "whoever speaks wins over noise");
    }

    #[test]
    fn whoever_leaves_is_forgotten() {
        let mut speakers = ActiveSpeaker::default();
        run(&mut speakers, 10, |n| [talk(n), SILENCE]);
        speakers.update(&[("b", SILENCE)]);
        assert_eq!((speakers.active(), speakers.speaking().count(), speakers.people.len()), (None, 0, 1));
    }

    proptest! {
        #[test]
        fn no_levels_make_it_change_often(bits in prop::collection::vec(any::<[u32; 3]>(), 1..300)) {
            let (mut speakers, mut last) = (ActiveSpeaker::default(), None);
            for (n, bits) in bits.iter().enumerate() {
                let levels: Vec<_> = bits.iter().enumerate().map(|(id, bits)| (id, f32::from_bits(*bits))).collect();
                speakers.update(&levels);
                prop_assert!(speakers.people.iter().all(|(_, speech)| (0.0..=1.0).contains(&speech.activity)));
                let active = speakers.active().copied();
                if let Some((before, at)) = last.filter(|(before, _)| Some(*before) != active) {
                    prop_assert!(n - at > AFTER_SILENCE as usize, "from {before} after {} ticks", n - at);
                }
                last = match last {
                    Some((id, at)) if Some(id) == active => Some((id, at)),
                    _ => active.map(|id| (id, n)),
                };
            }
        }
    }
}
