//! What sound costs, in percent of a core: CPU time of this thread for each second of sound.

use crate::sound::{SECOND, looped, power, scaled};
use codecs::{Apm, ApmConfig, NoiseSuppression, OpusConfig, OpusDecoder, OpusEncoder};
use media::acoustic_loop::{Correlator, LoopDetector, RecentSound};
use media::audio::BLOCK;
use media::encoded::AudioPacket;
use media::jitter::AudioBuffer;
use media::mixer::Mixer;
use std::time::{Duration, Instant};

/// How much sound is measured, in seconds.
const SECONDS: usize = 30;
/// Participants who are mixed.
const MANY: usize = 10;
/// Level of voices, in dBFS.
const VOICE: f64 = -26.0;

type Block = [f32; BLOCK];

/// Prints a line for each part, with a tab between: its name, and percent of a core.
pub(crate) fn run(clips: &[Vec<f32>]) {
    let voices: Vec<Vec<Block>> = (0..MANY).map(|n| blocks(&clips[n % clips.len()])).collect();
    for (name, noise) in [("normal", NoiseSuppression::High), ("strong", NoiseSuppression::VoiceOnly)] {
        let cost = microphone(&voices[0], &voices[1], ApmConfig { noise, ..ApmConfig::default() });
        println!("own microphone with {name} noise suppression, in all\t{cost:.2}");
    }
    let start = Instant::now();
    let packets: Vec<Vec<AudioPacket>> = voices.iter().map(|voice| encoded(voice, start)).collect();
    println!("each participant: jitter buffer and decoding\t{:.2}", decoding(&packets[..1], false));
    println!("ten participants: the same, and mixing\t{:.2}", decoding(&packets, false));
    println!("ten participants: the same, and the look for those in the same room\t{:.2}", decoding(&packets, true));
}

fn blocks(clip: &[f32]) -> Vec<Block> {
    let sound = scaled(&looped(clip, SECONDS * SECOND), VOICE - power(clip));
    sound.as_chunks::<BLOCK>().0.to_vec()
}

/// All of the way from the microphone to the packet.
fn microphone(near: &[Block], far: &[Block], config: ApmConfig) -> f64 {
    let (mut apm, mut room) = (Apm::new(config), RecentSound::default());
    let mut encoder = OpusEncoder::new(OpusConfig { expected_loss_percent: 1, ..OpusConfig::default() }).expect("one");
    let mut pending = Vec::with_capacity(2 * BLOCK);
    measured(|| {
        for (near, far) in near.iter().zip(far) {
            apm.process_render(far);
            let mut block = *near;
            room.push(&block);
            apm.process_capture(&mut block, 40);
            pending.extend(block);
            if pending.len() == 2 * BLOCK {
                encoder.encode(&pending).expect("encoded");
                pending.clear();
            }
        }
    })
}

fn encoded(voice: &[Block], start: Instant) -> Vec<AudioPacket> {
    let mut encoder = OpusEncoder::new(OpusConfig { expected_loss_percent: 1, ..OpusConfig::default() }).expect("one");
    let packet = |(n, pair): (usize, &[Block])| AudioPacket {
        sequence: n as u16,
        rtp_timestamp: (n * 2 * BLOCK) as u32,
        data: encoder.encode(pair.as_flattened()).expect("encoded"),
        age: 0,
        level: None,
        arrived: start + Duration::from_millis(20 * n as u64),
        source: None,
    };
    voice.chunks_exact(2).enumerate().map(packet).collect()
}

/// All of the way from packets to the loudspeaker's block.
fn decoding(packets: &[Vec<AudioPacket>], looks: bool) -> f64 {
    let mut ends: Vec<_> = packets
        .iter()
        .map(|of| (of.iter().cloned(), AudioBuffer::new(), OpusDecoder::new().expect("one"), LoopDetector::default()))
        .collect();
    let (mut correlator, room, mut mixer) = (Correlator::default(), RecentSound::default(), Mixer::new());
    let start = packets[0][0].arrived;
    let mut played = vec![[0.0; BLOCK]; packets.len()];
    measured(|| {
        for n in 0..SECONDS * 100 {
            let now = start + Duration::from_millis(10 * n as u64);
            for ((packets, buffer, decoder, detector), block) in ends.iter_mut().zip(&mut played) {
                if n.is_multiple_of(2) {
                    packets.next().into_iter().for_each(|packet| buffer.push(packet));
                }
                buffer.pull(now, decoder, block);
                if looks {
                    detector.push(block, Some(&room), &mut correlator);
                }
            }
            mixer.mix(&played, &mut [0.0; BLOCK]);
        }
    })
}

/// Percent of a core that [`SECONDS`] of sound take.
fn measured(work: impl FnOnce()) -> f64 {
    let before = thread_time();
    work();
    (thread_time() - before).as_secs_f64() / SECONDS as f64 * 100.0
}

/// CPU time of this thread, which does not count what other programs do on a busy machine.
#[cfg(target_os = "linux")]
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes `time`, which lives until it returns.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0, "this system has no clock of a thread");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(not(target_os = "linux"))]
fn thread_time() -> Duration {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
