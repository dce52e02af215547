//! Something like speech.

use std::f32::consts::TAU;

/// Syllables of a gliding voice with pauses, and noise at their starts.
#[derive(Debug)]
pub struct Voice {
    seed: u64,
    phase: f32,
    left: u32,
    pause: u32,
    pitch: f32,
    /// The relative length of this period.
    cycle: f32,
    glide: f32,
    formants: [f32; 2],
}

impl Voice {
    /// Each seed speaks otherwise.
    pub fn new(seed: u64) -> Voice {
        Voice {
            seed: seed | 1,
            phase: 0.0,
            left: 0,
            pause: 1,
            pitch: 120.0,
            cycle: 1.0,
            glide: 0.0,
            formants: [500.0, 1500.0],
        }
    }

    /// A number from 0 to 1.
    pub fn random(&mut self) -> f32 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 40) as f32 / (1u64 << 24) as f32
    }

    /// The next sample at 48 kHz.
    pub fn sample(&mut self) -> f32 {
        if self.left == 0 && self.pause == 0 {
            self.left = 2_400 + (self.random() * 9_600.0) as u32;
            self.pause = (self.random() * self.random() * 9_600.0) as u32;
            (self.pitch, self.glide) = (100.0 + 120.0 * self.random(), self.random() - 0.5);
            self.formants = [300.0 + 600.0 * self.random(), 1_000.0 + 1_500.0 * self.random()];
        }
        if self.left == 0 {
            self.pause = self.pause.saturating_sub(1);
            return 0.0;
        }
        self.left -= 1;
        self.pitch = (self.pitch + self.glide * 0.004).clamp(70.0, 300.0);
        self.phase += self.pitch * self.cycle / 48_000.0;
        if self.phase >= 1.0 {
            self.phase -= 1.0;
            self.cycle = 0.98 + 0.04 * self.random(); // no two periods of a voice are equal
        }
        let voiced: f32 = (1..18)
            .map(|n| {
                let hertz = n as f32 * self.pitch;
                let near = |formant: f32| (-((hertz - formant) / 250.0).powi(2)).exp();
                let height = 0.02 + near(self.formants[0]) + 0.5 * near(self.formants[1]);
                height * (TAU * self.phase * n as f32).sin()
            })
            .sum();
        0.06 * voiced + 0.03 * (self.random() - 0.5)
    }
}
