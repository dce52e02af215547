//! A participant's sound, by the routes on which it arrives: the connection with them, or that to the forwarder. While a room
//! moves from one to the other, both carry it for a while.

use crate::lip_sync::SoundIn;
use codecs::OpusDecoder;
use media::audio::BLOCK;
use media::jitter::{AudioBuffer, AudioBufferStats};
use media::level::AudioLevel;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a newer route must have had sound before it is played, in blocks of 10 ms: its buffer learns how irregularly
/// packets arrive while the older one is still played. Both carry the sound for a second at least.
const SETTLED: u32 = 40;

/// The sound of one participant. Of several routes, the newest that has settled is played, and the others end.
#[derive(Default)]
pub(crate) struct IncomingSound {
    /// By rising numbers: the one that is played, and those that have not begun. A participant has two connections at
    /// most, so there are few.
    routes: Vec<Route>,
}

struct Route {
    number: u64,
    sound: Arc<SoundIn>,
    buffer: AudioBuffer,
    decoder: OpusDecoder,
    /// Whether a packet has come.
    has_begun: bool,
    /// Blocks with sound since the last without.
    with_sound: u32,
}

impl IncomingSound {
    /// Adds a route with a higher number than all before.
    pub(crate) fn add(&mut self, number: u64, sound: Arc<SoundIn>) {
        match OpusDecoder::new() {
            Ok(decoder) => {
                self.routes.push(Route {
                    number,
                    sound,
                    buffer: AudioBuffer::new(),
                    decoder,
                    has_begun: false,
                    with_sound: 0,
                });
            }
            Err(error) => tracing::error!("no Opus decoder: {error}"),
        }
    }

    /// Removes a route that has ended.
    pub(crate) fn remove(&mut self, number: u64) {
        self.routes.retain(|route| route.number != number);
    }

    /// Replaces what a panic may have left inconsistent.
    pub(crate) fn renew(&mut self) {
        for route in &mut self.routes {
            route.buffer = AudioBuffer::new();
            match OpusDecoder::new() {
                Ok(decoder) => route.decoder = decoder,
                Err(error) => tracing::error!("no Opus decoder: {error}"),
            }
        }
    }

    /// Statistics of the route that is played.
    pub(crate) fn stats(&self) -> AudioBufferStats {
        self.routes.first().map(|route| route.buffer.stats()).unwrap_or_default()
    }

    /// Moves what has arrived into the buffers. Passes on the levels of packets of the newest route that has begun.
    pub(crate) fn take_in(&mut self, mut on_level: impl FnMut(Option<AudioLevel>)) {
        let newest = self.routes.iter().rposition(|route| route.has_begun || !route.sound.packets.is_empty());
        for (n, route) in self.routes.iter_mut().enumerate() {
            while let Some(packet) = route.sound.packets.pop() {
                if packet.age == 0 && Some(n) == newest {
                    on_level(packet.level);
                }
                route.buffer.push(packet);
                route.has_begun = true;
            }
            route.buffer.set_extra_delay(route.sound.extra());
        }
    }

    /// Takes the next 10 ms, which are audible after `latency`. When a newer route has settled, or the older one has no sound,
    /// it takes over within this block, without a step.
    pub(crate) fn pull(&mut self, now: Instant, latency: Duration, block: &mut [f32; BLOCK]) {
        *block = [0.0; BLOCK];
        let (mut audible, mut is_silent) = (0, false);
        for (n, route) in self.routes.iter_mut().enumerate() {
            if n > 0 && !route.has_begun {
                continue;
            }
            let mut next = [0.0; BLOCK];
            let pulled = route.buffer.pull(now, &mut route.decoder, &mut next);
            let has_sound = pulled.rtp_timestamp.is_some();
            route.with_sound = if has_sound { route.with_sound + 1 } else { 0 };
            if let Some(rtp_timestamp) = pulled.rtp_timestamp {
                route.sound.set_audible(rtp_timestamp, now + latency);
            }
            if n == 0 {
                (*block, is_silent) = (next, !has_sound);
            } else if has_sound && (is_silent || route.with_sound >= SETTLED) {
                fade(block, &next);
                audible = n;
            }
        }
        self.routes.drain(..audible);
    }
}

/// Changes from one sound to another within a block.
fn fade(from: &mut [f32; BLOCK], to: &[f32; BLOCK]) {
    for (n, (sample, next)) in from.iter_mut().zip(to).enumerate() {
        let share = (n + 1) as f32 / BLOCK as f32;
        *sample += (next - *sample) * share;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use codecs::{OpusConfig, OpusEncoder};
    use media::encoded::AudioPacket;

    const CONFIG: OpusConfig =
        OpusConfig { bitrate: 32_000, fec: false, expected_loss_percent: 0, frame_ms: 20, dtx: false };

    /// A speaker of a steady tone.
    struct Speaker {
        encoder: OpusEncoder,
        sent: u32,
    }

    impl Speaker {
        fn new() -> Speaker {
            Speaker { encoder: OpusEncoder::new(CONFIG).unwrap(), sent: 0 }
        }

        /// The next 20 ms, sent by these routes. Each has RTP times of its own.
        fn speak(&mut self, now: Instant, routes: &[&SoundIn]) {
            let at = |n: usize| (self.sent * 960) as f32 + n as f32;
            let samples: Vec<f32> = (0..960).map(|n| 0.3 * (at(n) * 0.05).sin()).collect();
            let data: Bytes = self.encoder.encode(&samples).unwrap();
            for (n, route) in routes.iter().enumerate() {
                let (sequence, rtp_timestamp) = (self.sent as u16, self.sent * 960 + n as u32 * 77_000);
                let data = data.clone();
                route.push(
                    "0",
                    AudioPacket { sequence, rtp_timestamp, data, age: 0, level: None, arrived: now, source: None },
                );
            }
            self.sent += 1;
        }
    }

    #[test]
    fn a_newer_route_takes_over_without_a_gap_and_the_older_one_ends() {
        let start = Instant::now();
        let sounds = [(); 2].map(|()| Arc::new(SoundIn::new(start)));
        let (mut incoming, mut speaker) = (IncomingSound::default(), Speaker::new());
        incoming.add(1, sounds[0].clone());
        incoming.add(2, sounds[1].clone());
        let mut silent = 0;
        for n in 0..300u64 {
            let now = start + Duration::from_millis(n * 10);
            if n % 2 == 0 {
                match n {
                    0..100 => speaker.speak(now, &[&sounds[0]]),
                    100..200 => speaker.speak(now, &[&sounds[0], &sounds[1]]),
                    _ => speaker.speak(now, &[&SoundIn::new(now), &sounds[1]]),
                }
            }
            incoming.take_in(|_| {});
            let mut block = [0.0; BLOCK];
            incoming.pull(now, Duration::ZERO, &mut block);
            let rms = (block.iter().map(|x| x * x).sum::<f32>() / BLOCK as f32).sqrt();
            silent += u32::from(n > 30 && rms < 0.1);
            assert_eq!(incoming.routes.len(), if n < 100 { 2 } else { incoming.routes.len() });
        }
        assert!(silent <= 2, "{silent} blocks of 10 ms were silent");
        assert_eq!(incoming.routes.len(), 1);
        assert_eq!(incoming.routes[0].number, 2);
    }

    #[test]
    fn a_route_without_sound_changes_nothing() {
        let start = Instant::now();
        let sounds = [(); 2].map(|()| Arc::new(SoundIn::new(start)));
        let (mut incoming, mut speaker) = (IncomingSound::default(), Speaker::new());
        incoming.add(1, sounds[0].clone());
        incoming.add(2, sounds[1].clone());
        for n in 0..100u64 {
            let now = start + Duration::from_millis(n * 20);
            speaker.speak(now, &[&sounds[0]]);
            incoming.take_in(|_| {});
            for _ in 0..2 {
                incoming.pull(now, Duration::ZERO, &mut [0.0; BLOCK]);
            }
        }
        assert_eq!(incoming.routes.len(), 2);
        incoming.remove(2);
        assert_eq!(incoming.routes[0].number, 1);
    }
}
