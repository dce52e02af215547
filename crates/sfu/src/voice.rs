//! Whether somebody speaks, from the levels of their packets (RFC 6464).

use std::time::{Duration, Instant};

/// Quieter sound is not speech, in -dBov.
const QUIETEST_SPEECH: u8 = 50;
/// Speech begins after this many loud packets in a row, so that a knock is none.
const BEGINS: u32 = 3;
/// Speech lasts this long after the last loud packet, which bridges the pauses between words.
const PAUSE: Duration = Duration::from_secs(1);

/// The speech of one person.
#[derive(Debug, Default)]
pub(crate) struct Voice {
    loud: u32,
    last: Option<Instant>,
}

impl Voice {
    /// Takes the level of a packet in -dBov. Packets without one count as speech, so that nobody is silent for good because
    /// their client sends no levels.
    pub(crate) fn update(&mut self, now: Instant, level: Option<u8>) {
        let is_loud = level.is_none_or(|level| level <= QUIETEST_SPEECH);
        self.loud = if is_loud { self.loud.saturating_add(1) } else { 0 };
        if self.loud >= BEGINS {
            self.last = Some(now);
        }
    }

    /// Whether the person speaks.
    pub(crate) fn is_speaking(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE)
    }

    /// When the person last spoke.
    pub(crate) fn last(&self) -> Option<Instant> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_knock_is_not_speech_and_a_pause_does_not_end_it() {
        let (mut voice, start) = (Voice::default(), Instant::now());
        let at = |n: u64| start + Duration::from_millis(20 * n);
        [20, 127, 20, 20].iter().enumerate().for_each(|(n, level)| voice.update(at(n as u64), Some(*level)));
        assert!(!voice.is_speaking(at(4)));
        voice.update(at(4), Some(20));
        assert!(voice.is_speaking(at(4)));
        voice.update(at(5), Some(127));
        assert!(voice.is_speaking(at(40)));
        assert!(!voice.is_speaking(at(60)));
    }

    #[test]
    fn silence_never_becomes_speech() {
        let (mut voice, now) = (Voice::default(), Instant::now());
        (0..1_000).for_each(|_| voice.update(now, Some(127)));
        assert!(!voice.is_speaking(now) && voice.last().is_none());
    }
}
