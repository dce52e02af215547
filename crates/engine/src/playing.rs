//! How each participant is played here: as loud as the person wants, and not at all while the participant is in the same
//! room.

use media::acoustic_loop::{Correlator, LoopDetector, RecentSound};
use media::audio::BLOCK;
use signaling::message::ParticipantId;

/// The sound of this room, with which participants are compared.
#[derive(Debug, Default)]
pub(crate) struct Room {
    microphone: RecentSound,
    /// Whether the microphone is open.
    open: bool,
    correlator: Correlator,
}

impl Room {
    /// Takes 10 ms of the microphone, before any processing.
    pub(crate) fn captured(&mut self, block: &[f32; BLOCK]) {
        self.open = true;
        self.microphone.push(block);
    }

    /// The microphone was closed.
    pub(crate) fn closed(&mut self) {
        *self = Self { correlator: std::mem::take(&mut self.correlator), ..Self::default() };
    }
}

/// One participant.
#[derive(Debug)]
pub(crate) struct Playing {
    detector: LoopDetector,
    /// The wanted gain, 1 for the sound as it was sent.
    pub(crate) volume: f32,
    /// The gain at the end of the last block.
    gain: f32,
}

impl Playing {
    /// Somebody new, with this gain.
    pub(crate) fn new(volume: f32) -> Self {
        Self { detector: LoopDetector::default(), volume, gain: 0.0 }
    }

    /// Makes the sound as loud as it is to be played, without a step.
    pub(crate) fn play(&mut self, block: &mut [f32; BLOCK], room: &mut Room) {
        let Room { microphone, open, correlator } = room;
        self.detector.push(block, open.then_some(microphone), correlator);
        let target = if self.detector.is_silenced() { 0.0 } else { self.volume };
        let step = (target - self.gain) / BLOCK as f32;
        for (n, sample) in block.iter_mut().enumerate() {
            *sample *= self.gain + step * (n + 1) as f32;
        }
        self.gain = target;
    }

    /// Whether the participant is in the same room, and so is not played.
    pub(crate) fn is_here(&self) -> bool {
        self.detector.is_together()
    }

    /// Plays the participant even if they are in the same room.
    pub(crate) fn allow(&mut self) {
        self.detector.allow();
    }
}

/// The gains that the person chose: those that are not 1.
pub(crate) type Volumes = Vec<(ParticipantId, f32)>;

/// The gain of a participant.
pub(crate) fn volume_of(volumes: &Volumes, id: &ParticipantId) -> f32 {
    volumes.iter().find(|(of, _)| of == id).map_or(1.0, |(_, gain)| *gain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volume_changes_without_a_step() {
        let (mut playing, mut room) = (Playing::new(1.0), Room::default());
        let mut last = 0.0f32;
        for n in 0..40 {
            playing.volume = [1.0, 0.0, 2.0, 0.5][n / 10];
            let mut block = [0.2; BLOCK]; // quieter than a howl
            playing.play(&mut block, &mut room);
            for sample in block {
                assert!((sample - last).abs() < 0.001, "block {n}");
                last = sample;
            }
        }
        assert!((last - 0.1).abs() < 1e-6);
    }
}
