//! Two engines in one room hear each other's loudspeakers, through everything that sound passes here: processing, Opus, jitter
//! buffer, decoder, the look for participants in the same room, mixer. Time is virtual.

use crate::playing::{Playing, Room};
use crate::voice::VoiceEncoder;
use codecs::{Apm, ApmConfig, OpusDecoder};
use media::audio::BLOCK;
use media::encoded::AudioPacket;
use media::jitter::AudioBuffer;
use media::level::Level;
use media::mixer::Mixer;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use testkit::voice::Voice;

type Block = [f32; BLOCK];

/// From each loudspeaker to the other microphone: the loop amplifies by 6 dB in each direction.
const ACROSS: f32 = 2.0;
/// From each loudspeaker to its own microphone.
const OWN: f32 = 0.7;
/// How much of the other's voice a microphone hears directly.
const DIRECT: f32 = 0.3;
/// From a block that is written to a loudspeaker to the microphones that hear it.
const AIR: usize = 4;

struct End {
    voice: Voice,
    room: Room,
    apm: Apm,
    encoder: VoiceEncoder,
    sent: u32,
    /// Packets on their way to this end, and when they arrive.
    arriving: VecDeque<AudioPacket>,
    buffer: AudioBuffer,
    decoder: OpusDecoder,
    playing: Playing,
    mixer: Mixer,
    air: VecDeque<Block>,
}

impl End {
    fn new(seed: u64, now: Instant) -> End {
        End {
            voice: Voice::new(seed),
            room: Room::default(),
            apm: Apm::new(ApmConfig::default()),
            encoder: VoiceEncoder::new(now),
            sent: 0,
            arriving: VecDeque::new(),
            buffer: AudioBuffer::new(),
            decoder: OpusDecoder::new().unwrap(),
            playing: Playing::new(1.0),
            mixer: Mixer::new(),
            air: std::iter::repeat_n([0.0; BLOCK], AIR).collect(),
        }
    }

    /// Plays 10 ms, as the audio thread does. Returns its level.
    fn play(&mut self, now: Instant) -> f32 {
        while let Some(packet) = self.arriving.pop_front_if(|packet| packet.arrived <= now) {
            self.buffer.push(packet);
        }
        let (mut block, mut mixed) = ([0.0; BLOCK], [0.0; BLOCK]);
        self.buffer.pull(now, &mut self.decoder, &mut block);
        self.playing.play(&mut block, &mut self.room);
        self.mixer.mix([&block], &mut mixed);
        self.apm.process_render(&mixed);
        self.air.push_back(mixed);
        Level::of(&mixed).rms_dbfs
    }

    /// Captures 10 ms, as the audio thread does. Returns a packet when one is full.
    fn capture(&mut self, mut block: Block, arrived: Instant) -> Option<AudioPacket> {
        self.room.captured(&block);
        self.apm.process_capture(&mut block, AIR as u32 * 10);
        let voice = self.encoder.push(&block)?;
        self.sent += 1;
        let (sequence, rtp_timestamp) = (self.sent as u16, self.sent.wrapping_mul(voice.samples as u32));
        Some(AudioPacket { sequence, rtp_timestamp, data: voice.packet, age: 0, level: None, arrived, source: None })
    }
}

/// Runs both for some seconds; the first person speaks until `until`. Returns the levels of what both play, for each block.
fn run(seed: u64, network: Duration, seconds: usize, until: usize) -> Vec<[f32; 2]> {
    let start = Instant::now();
    let mut ends = [End::new(seed, start), End::new(seed + 100, start)];
    (0..seconds * 100)
        .map(|n| {
            let now = start + Duration::from_millis(10 * n as u64);
            let loud = ends.each_mut().map(|end| end.air.pop_front().unwrap_or([0.0; BLOCK]));
            let talk: Block = std::array::from_fn(|_| if n < until { ends[0].voice.sample() } else { 0.0 });
            for e in 0..2 {
                let (own, far) = (&loud[e], &loud[1 - e]);
                let near = if e == 0 { 1.0 } else { DIRECT };
                let hiss = |end: &mut End| 0.0002 * (end.voice.random() - 0.5);
                let at = |i: usize, hiss: f32| near * talk[i] + ACROSS * far[i] + OWN * own[i] + hiss;
                let captured: Block = std::array::from_fn(|i| at(i, hiss(&mut ends[e])));
                let packet = ends[e].capture(captured, now + network);
                ends[1 - e].arriving.extend(packet);
            }
            ends.each_mut().map(|end| end.play(now))
        })
        .collect()
}

/// Each end hears its own howl, so the second one may begin when the first has ended.
#[test]
fn two_engines_in_one_room_stop_howling_and_stay_quiet() {
    for (seed, network) in [(1, 20), (2, 60), (3, 150), (4, 60)] {
        let levels = run(seed, Duration::from_millis(network), 12, 800);
        let loud = |level: f32| levels.iter().rposition(|both| both.iter().any(|one| *one > level));
        let (howl, last) = (loud(-6.0).expect("the loop amplifies"), loud(-40.0).unwrap_or(0));
        println!("seed {seed}, {network} ms: howls until {howl}0 ms, loud until {last}0 ms");
        assert!(last < 500 && last < howl + 50, "seed {seed}: howls until {howl}0 ms, loud until {last}0 ms");
    }
}
