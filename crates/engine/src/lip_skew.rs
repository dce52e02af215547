//! Sound and pictures of one participant over simulated paths, in virtual time: how far the sound that is audible is behind the
//! picture that is visible, by the stamps of both. They share a path, the jitter buffers and lip sync are ours.

use crate::lip_sync::{Lips, SoundIn};
use bytes::Bytes;
use codecs::{OpusConfig, OpusDecoder, OpusEncoder};
use media::audio::BLOCK;
use media::encoded::{AudioPacket, EncodedFrame, VideoCodec};
use media::jitter::{AudioBuffer, VideoBuffer};
use std::collections::BTreeMap;
use std::f32::consts::TAU;
use std::time::{Duration, Instant};
use testkit::net::{Loss, Path, SimulatedLink, Walk};

/// From a block that is written to the loudspeaker until it is audible, and from a frame that is due until it is visible.
const LOUDSPEAKER: Duration = Duration::from_millis(30);
const DISPLAY: Duration = Duration::from_millis(12);
/// Length of a call, and how much of it is not measured, in ms.
const CALL: u64 = 30_000;
const BEGIN: u64 = 10_000;
/// Packets of a picture, of which any but one restore it, as with our repair packets; and their bytes. 30 pictures a second make
/// 1.2 Mbit/s.
const PARTS: u32 = 5;
const PART_BYTES: usize = 1_000;
const SOUND_BYTES: usize = 150;
/// A missing packet of a picture is requested after this time and the round trip, as often as needed.
const REQUEST: u64 = 10;
/// A picture that is not complete after this time is skipped.
const GIVEN_UP: u64 = 600;
/// 2026 in NTP time.
const NTP: u64 = 3_970_000_000 << 32;

#[derive(Debug, Clone)]
enum Packet {
    Sound { number: u64, data: Bytes },
    Part { picture: u64, part: u32 },
}

/// A picture that is not complete.
#[derive(Debug, Default)]
struct Arriving {
    parts: u32,
    requested: u64,
}

struct Call {
    start: Instant,
    delay: u64,
    link: SimulatedLink<Packet>,
    encoder: OpusEncoder,
    sound: SoundIn,
    sounds: AudioBuffer,
    decoder: OpusDecoder,
    pictures: VideoBuffer,
    lips: Lips,
    arriving: BTreeMap<u64, Arriving>,
    /// The next picture in decoding order.
    next: u64,
    /// Capture time of sound and when it is audible, in ms.
    audible: (f64, f64),
    skews: Vec<f64>,
}

impl Call {
    fn new(path: Path, seed: u64) -> Call {
        let start = Instant::now();
        let (sound, delay) = (SoundIn::new(start), path.delay.as_millis() as u64);
        Call {
            start,
            delay,
            link: SimulatedLink::new(path, seed),
            encoder: OpusEncoder::new(OpusConfig::default()).unwrap(),
            sound,
            sounds: AudioBuffer::new(),
            decoder: OpusDecoder::new().unwrap(),
            pictures: VideoBuffer::new(),
            lips: Lips::new(start),
            arriving: BTreeMap::new(),
            next: 0,
            audible: (0.0, 0.0),
            skews: vec![],
        }
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    /// Captures and sends what is due, and sender reports.
    fn send(&mut self, ms: u64) {
        let now = self.at(ms);
        if ms.is_multiple_of(20) {
            let data = self.encoder.encode(&syllable(ms)).unwrap();
            self.link.send(now, SOUND_BYTES, Packet::Sound { number: ms / 20, data });
        }
        if (ms * 3).is_multiple_of(100) || (ms * 3) % 100 > 97 {
            let picture = ms * 3 / 100 + u64::from(!(ms * 3).is_multiple_of(100));
            (0..PARTS).for_each(|part| self.link.send(now, PART_BYTES, Packet::Part { picture, part }));
        }
        if ms % 1_000 == 500 {
            let ntp = NTP + (ms << 32) / 1_000;
            self.sound.report("0", Some("1"), ntp, (ms * 48) as u32);
            self.sound.report("1", Some("1"), ntp, (ms * 90) as u32);
        }
    }

    fn receive(&mut self, ms: u64) {
        let now = self.at(ms);
        while let Some(packet) = self.link.poll(now) {
            match packet {
                Packet::Sound { number, data } => {
                    // A packet has the time of its first sample, and is sent with its last.
                    let rtp_timestamp = (number * 960).wrapping_sub(960) as u32;
                    let sequence = number as u16;
                    let packet =
                        AudioPacket { sequence, rtp_timestamp, data, age: 0, level: None, arrived: now, source: None };
                    self.sound.push("0", packet);
                }
                Packet::Part { picture, part } if picture >= self.next => {
                    self.arriving.entry(picture).or_default().parts |= 1 << part;
                    for missing in self.next..picture {
                        self.arriving.entry(missing).or_default();
                    }
                }
                Packet::Part { .. } => {}
            }
        }
        self.request(ms);
        self.complete(ms);
    }

    /// Requests the missing packets of pictures that are older than the newest one.
    fn request(&mut self, ms: u64) {
        let (now, delay) = (self.at(ms), self.delay);
        let newest = self.arriving.last_key_value().map_or(0, |(picture, _)| *picture);
        for (picture, arriving) in &mut self.arriving {
            let again = arriving.requested + 2 * delay + REQUEST <= ms;
            if *picture < newest && !is_whole(arriving) && again {
                arriving.requested = ms;
                let missing = (0..PARTS).filter(|part| arriving.parts & 1 << part == 0);
                missing.for_each(|part| self.link.send(now, PART_BYTES, Packet::Part { picture: *picture, part }));
            }
        }
    }

    /// Passes on complete pictures in decoding order.
    fn complete(&mut self, ms: u64) {
        while let Some(first) = self.arriving.first_entry() {
            let (picture, captured) = (*first.key(), *first.key() * 100 / 3);
            let whole = is_whole(first.get());
            if !whole && captured + GIVEN_UP > ms {
                break;
            }
            first.remove();
            self.next = picture + 1;
            if whole {
                let (now, rtp_timestamp) = (self.at(ms), (picture * 3_000) as u32);
                let data = Bytes::from_static(b"a picture");
                self.pictures.push(
                    now,
                    EncodedFrame {
                        codec: VideoCodec::Vp8,
                        data,
                        keyframe: true,
                        rtp_timestamp,
                        width: 0,
                        height: 0,
                        layer: 0,
                        temporal: 0,
                        time: now,
                        captured: None,
                        source: None,
                    },
                );
            }
        }
    }

    /// Plays and shows what is due, and measures.
    fn play(&mut self, ms: u64) {
        let now = self.at(ms);
        if ms.is_multiple_of(10) {
            while let Some(packet) = self.sound.packets.pop() {
                self.sounds.push(packet);
            }
            self.sounds.set_extra_delay(self.sound.extra());
            let pulled = self.sounds.pull(now, &mut self.decoder, &mut [0.0; BLOCK]);
            if let Some(rtp_timestamp) = pulled.rtp_timestamp {
                self.sound.set_audible(rtp_timestamp, now + LOUDSPEAKER);
                self.audible = (f64::from(rtp_timestamp) / 48.0, (ms + LOUDSPEAKER.as_millis() as u64) as f64);
            }
        }
        while let Some(frame) = self.pictures.pop(now) {
            let visible = now + DISPLAY;
            if let Some(extra) = self.lips.picture(&self.sound, visible, frame.rtp_timestamp) {
                self.pictures.set_extra_delay(extra);
            }
            let picture_age = (ms + DISPLAY.as_millis() as u64) as f64 - f64::from(frame.rtp_timestamp) / 90.0;
            if ms >= BEGIN {
                self.skews.push(self.audible.1 - self.audible.0 - picture_age);
            }
        }
    }
}

fn is_whole(picture: &Arriving) -> bool {
    picture.parts.count_ones() >= PARTS - 1
}

/// A packet of a low voice with four syllables a second.
fn syllable(ms: u64) -> Vec<f32> {
    let at = |n: usize| ms as f32 / 1_000.0 + n as f32 / 48_000.0;
    let loud = |t: f32| 0.3 * (0.5 + 0.5 * (TAU * 4.0 * t).sin());
    (0..2 * BLOCK).map(|n| loud(at(n)) * ((140.0 * at(n)).fract() - 0.5)).collect()
}

/// By how many ms sound is behind the picture (or ahead, if negative): 5 %, median and 95 % of all pictures.
fn skew(path: Path, seed: u64) -> [f64; 3] {
    let mut call = Call::new(path, seed);
    for ms in 1..CALL {
        call.send(ms);
        call.receive(ms);
        call.play(ms);
    }
    call.skews.sort_by(f64::total_cmp);
    [5, 50, 95].map(|percent| call.skews[call.skews.len() * percent / 100])
}

#[test]
fn sound_and_pictures_stay_together_on_clean_lossy_and_jittery_paths() {
    let most = Duration::from_millis(80);
    let path = |delay| Path { delay: Duration::from_millis(delay), ..Path::default() };
    let scenarios = [
        ("clean", path(10)),
        ("5 % loss", Path { loss: Loss::Random(0.05), ..path(50) }),
        ("jitter", Path { walk: Some(Walk { most, every: 4 * most }), ..path(25) }),
        ("independent jitter", Path { jitter: most, reorder: true, ..path(25) }),
    ];
    for (name, path) in scenarios {
        for seed in 1..=2 {
            let [low, median, high] = skew(path.clone(), seed);
            println!("{name}, seed {seed}: sound is behind by {median:.0} ms ({low:.0} to {high:.0})");
            assert!(low >= -40.0 && high <= 80.0, "{name}, seed {seed}: {low:.0} to {high:.0} ms");
        }
    }
}
