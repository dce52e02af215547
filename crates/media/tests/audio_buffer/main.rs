//! The audio jitter buffer over seeded paths in virtual time: what is audible, how much of it is concealed, and how
//! late it is.

mod rig;

use media::audio::{AudioDecodeError, AudioDecoder, BLOCK};
use media::encoded::AudioPacket;
use media::jitter::{AudioBuffer, BlockKind};
use proptest::prelude::*;
use rig::{FakeDecoder, Path, Played, noise, tone, uniform, voice};
use std::time::{Duration, Instant};

/// A delay that moves linearly to a new value of 0..=80 ms every `period` packets, plus 10 ms.
fn walk(seed: u64, n: u64, period: u64) -> u64 {
    let at = |k| 80_000.0 * uniform(seed, k);
    let (k, part) = (n / period, (n % period) as f64 / period as f64);
    10_000 + (at(k) * (1.0 - part) + at(k + 1) * part) as u64
}

fn lossy(seed: u64, percent: u64, delay: impl Fn(u64) -> u64 + 'static) -> Box<dyn Fn(u64) -> Option<u64>> {
    Box::new(move |n| (noise(seed + 77, n) % 100 >= percent).then(|| delay(n)))
}

fn report(name: &str, played: &Played) {
    println!(
        "{name:<28} concealed {:5.2} %, buffering {:5.1} ms, target {:5.1} ms, -{} +{} ms stretched, roughness {:.2}",
        100.0 * played.concealed(),
        played.buffering_ms(),
        played.buffer.target_delay().as_secs_f64() * 1_000.0,
        played.stats.removed_samples / 48,
        played.stats.inserted_samples / 48,
        played.roughness(played.decoder.voice),
    );
}

#[test]
fn a_clean_path_is_played_completely_with_little_delay() {
    for (voice, name) in [(tone as rig::Voice, "clean, tone"), (voice, "clean, voice")] {
        let played = Path { voice, delay: Box::new(|n| Some(20_000 + noise(1, n) % 1_500)), ..Path::default() }.play();
        report(name, &played);
        assert_eq!(played.stats.concealed_samples, 0);
        assert!(played.buffering_ms() <= 35.0, "{}", played.buffering_ms());
        assert!(played.roughness(voice) < 1.2, "{}", played.roughness(voice));
        assert_eq!(played.stats.packets_discarded, 0);
    }
}

/// Plays twenty seconds in which the sender's clock and sequence numbers jump after ten. Returns for each block whether
/// it is audible. The jump is in block 1,000.
fn jump(samples: i64, numbers: i64) -> Vec<bool> {
    let origin = Instant::now();
    let (mut buffer, mut decoder) = (AudioBuffer::new(), FakeDecoder::new(tone));
    let mut audible = vec![];
    for block in 0..2_000u64 {
        let now = origin + Duration::from_millis(block * 10);
        if block % 2 == 0 {
            let n = block / 2;
            let (samples, numbers) = if n < 500 { (0, 0) } else { (samples, numbers) };
            let packet = rig::packet(n, now, false);
            buffer.push(AudioPacket {
                rtp_timestamp: packet.rtp_timestamp.wrapping_add(samples as u32),
                sequence: packet.sequence.wrapping_add(numbers as u16),
                ..packet
            });
        }
        let pulled = buffer.pull(now, &mut decoder, &mut [0.0; BLOCK]);
        audible.push(pulled.kind == BlockKind::Decoded);
    }
    audible
}

#[test]
fn playback_continues_after_any_clock_jump() {
    for seconds in [-20_000, -10, -1, 1, 10, 20_000] {
        for numbers in [0, -30_000] {
            for part in [2, 10] {
                let audible = jump(seconds * 96_000 / part, numbers);
                let silent = audible[1_000..].iter().position(|audible| *audible).unwrap_or(1_000);
                let after = audible[1_300..].iter().filter(|audible| **audible).count();
                let what = format!("{seconds} s * 2 / {part}, numbers {numbers}");
                assert!(silent <= 210, "{what}: silent for {silent} blocks");
                assert!(after >= 690, "{what}: {after} of 700 blocks are audible three seconds later");
            }
        }
    }
}

#[test]
fn loss_conceals_only_lost_packets_without_clicks() {
    for seed in 0..4 {
        for percent in [5, 20] {
            let played = Path { delay: lossy(seed, percent, |_| 50_000), ..Path::default() }.play();
            report(&format!("{percent} % loss, seed {seed}"), &played);
            let lost = percent as f64 / 100.0;
            assert!(played.concealed() < lost * 1.5 + 0.005, "{}", played.concealed());
            assert!(played.buffering_ms() <= 40.0, "{}", played.buffering_ms());
            assert!(played.roughness(tone) < 1.5, "{}", played.roughness(tone));
        }
    }
}

#[test]
fn lost_packets_are_recovered_from_fec() {
    for percent in [5, 20] {
        let played = Path { delay: lossy(3, percent, |_| 50_000), fec: true, ..Path::default() }.play();
        report(&format!("{percent} % loss with FEC"), &played);
        assert!(played.decoder.fec_decoded > 0);
        let twice = (percent as f64 / 100.0).powi(2);
        assert!(played.concealed() < twice * 1.4 + 0.004, "{}", played.concealed());
        assert!(played.buffering_ms() <= 55.0, "{}", played.buffering_ms());
        assert!(played.roughness(tone) < 1.5, "{}", played.roughness(tone));
    }
}

#[test]
fn a_clean_path_does_not_wait_for_fec() {
    let clean = Path { fec: true, ..Path::default() }.play();
    assert!(clean.buffering_ms() <= 35.0, "{}", clean.buffering_ms());
}

#[test]
fn a_drifting_path_is_played_completely() {
    for seed in 0..6 {
        for period in [5, 25] {
            let played = Path { delay: Box::new(move |n| Some(walk(seed, n, period))), ..Path::default() }.play();
            report(&format!("walk 0-80 ms, period {}", 20 * period), &played);
            assert!(played.concealed() < 0.01, "{}", played.concealed());
            assert!(played.buffering_ms() < 85.0, "{}", played.buffering_ms());
            assert!(played.roughness(tone) < 1.6, "{}", played.roughness(tone));
        }
    }
}

#[test]
fn an_irregular_path_is_played_completely() {
    for seed in 0..3 {
        // each packet has its own delay, and none overtakes another
        let arrival = move |n: u64| {
            (n.saturating_sub(4)..=n).map(|k| (uniform(seed, k) * 80_000.0) as u64 + 10_000 + 20_000 * k).max()
        };
        let delay = Box::new(move |n| arrival(n).map(|at| at - 20_000 * n));
        let played = Path { delay, ..Path::default() }.play();
        report("0-80 ms for each packet", &played);
        assert!(played.concealed() < 0.005, "{}", played.concealed());
        assert!(played.buffering_ms() < 70.0, "{}", played.buffering_ms());
        assert!(played.roughness(tone) < 1.6, "{}", played.roughness(tone));
    }
}

#[test]
fn jitter_and_loss_together_conceal_little_of_a_voice() {
    for seed in 0..4 {
        let delay = lossy(seed, 10, move |n| walk(seed, n, 15));
        let played = Path { voice, delay, fec: true, ..Path::default() }.play();
        report("walk, 10 % loss, FEC, voice", &played);
        assert!(played.concealed() < 0.03, "{}", played.concealed());
        assert!(played.buffering_ms() < 110.0, "{}", played.buffering_ms());
        assert!(played.roughness(voice) < 2.0, "{}", played.roughness(voice));
    }
}

#[test]
fn drifting_clocks_are_followed_without_concealment() {
    for drift_ppm in [-200, 200] {
        let played = Path { drift_ppm, seconds: 120, voice, ..Path::default() }.play();
        report(&format!("drift {drift_ppm} ppm"), &played);
        assert_eq!(played.stats.concealed_samples, 0);
        assert!(played.buffering_ms() <= 35.0, "{}", played.buffering_ms());
        let stretched = if drift_ppm > 0 { played.stats.removed_samples } else { played.stats.inserted_samples };
        assert!((450..5_000).contains(&stretched), "{stretched}"); // 24 ms in 120 s
    }
}

#[test]
fn half_an_hour_of_drifting_clocks_neither_delays_nor_clicks() {
    // `tone` is not exact that far from the start
    let exact = |i: i64| (i.rem_euclid(100) as f32 / 100.0 * std::f32::consts::TAU).sin() * 0.5;
    for drift_ppm in [-500, 100] {
        let played = Path { voice: exact, drift_ppm, seconds: 1_800, ..Path::default() }.play();
        report(&format!("30 minutes, {drift_ppm} ppm"), &played);
        assert_eq!(played.stats.concealed_samples, 0);
        assert!(played.buffering_ms() <= 30.0, "{}", played.buffering_ms());
        assert!(played.buffer.delay() <= Duration::from_millis(35), "{:?}", played.buffer.delay());
        assert!(played.roughness(exact) < 1.3, "{}", played.roughness(exact));
    }
}

#[test]
fn a_player_that_pulls_in_bursts_gets_complete_audio() {
    for pulls_at_once in [2, 4] {
        let played = Path { pulls_at_once, ..Path::default() }.play();
        report(&format!("{pulls_at_once} blocks at once"), &played);
        assert_eq!(played.stats.concealed_samples - played.half.concealed_samples, 0);
        assert!(played.buffering_ms() <= 35.0 + 10.0 * pulls_at_once as f64, "{}", played.buffering_ms());
    }
}

#[test]
fn reordered_and_duplicated_packets_are_tolerated() {
    // every tenth packet is overtaken by the two after it
    let played =
        Path { delay: Box::new(|n| Some(if n % 10 == 3 { 65_000 } else { 20_000 })), ..Path::default() }.play();
    report("reorder", &played);
    assert_eq!(played.stats.concealed_samples - played.half.concealed_samples, 0);
    assert!(played.roughness(tone) < 1.5);

    let (mut buffer, now) = (AudioBuffer::new(), Instant::now());
    for n in [0, 1, 1, 0, 2] {
        buffer.push(rig::packet(n, now, false));
    }
    assert_eq!((buffer.len(), buffer.stats().packets_discarded), (3, 2));
}

#[test]
fn playback_resumes_immediately_after_an_outage() {
    let outage = |n: u64| (!(1_000..1_050).contains(&n)).then_some(25_000);
    let played = Path { delay: Box::new(outage), ..Path::default() }.play();
    report("outage of 1 s", &played);
    let silence = played.longest_silence();
    assert!((36_000..41_000).contains(&silence), "{silence}"); // a second minus the fade
    let concealed = played.stats.concealed_samples as i64;
    assert!((concealed - 48_000).abs() < 1_000, "{concealed}");
    assert!(played.stats.silent_concealed_samples > 36_000);
    assert!(played.roughness(tone) < 1.5, "{}", played.roughness(tone));
    assert!(played.buffer.delay() < Duration::from_millis(30), "{:?}", played.buffer.delay());
}

#[test]
fn a_drained_queue_leaves_no_delay() {
    // from 10 s the delay rises to 300 ms within 3 s; it stays there until 18 s
    let queue = |n: u64| match n {
        500..650 => 20_000 + (n - 500) * 2_000,
        650..900 => 320_000,
        _ => 20_000,
    };
    let played = Path { delay: Box::new(move |n| Some(queue(n))), seconds: 45, ..Path::default() }.play();
    report("queue of 300 ms", &played);
    assert!(played.concealed() < 0.001, "{}", played.concealed());
    assert!(played.buffering_ms() < 80.0, "{}", played.buffering_ms()); // the mean from 22 s to 45 s
    assert!(played.buffer.delay() < Duration::from_millis(40), "{:?}", played.buffer.delay());
    assert!(played.roughness(tone) < 1.6, "{}", played.roughness(tone));
}

#[test]
fn a_burst_after_a_stall_is_played_and_caught_up() {
    // 250 ms of packets arrive at once
    let stall = |n: u64| 20_000 + if (1_000..1_013).contains(&n) { (1_013 - n) * 20_000 } else { 0 };
    let played = Path { delay: Box::new(move |n| Some(stall(n))), ..Path::default() }.play();
    report("stall of 260 ms", &played);
    let lost = played.stats.packets_discarded;
    assert_eq!(lost, 0);
    assert!(played.buffer.delay() < Duration::from_millis(40), "{:?}", played.buffer.delay());
    assert!(played.roughness(tone) < 1.6, "{}", played.roughness(tone));
}

#[test]
fn the_extra_delay_for_lip_sync_is_kept() {
    let played = Path { extra: Duration::from_millis(80), ..Path::default() }.play();
    report("80 ms extra", &played);
    assert!((80.0..120.0).contains(&played.buffering_ms()), "{}", played.buffering_ms());
}

#[test]
fn pulled_times_follow_the_stream() {
    let played = Path::default().play();
    let times: Vec<u32> = played.pulled.iter().filter_map(|p| p.rtp_timestamp).collect();
    assert!(times.len() > 2_900);
    let late = &times[times.len() / 2..];
    assert!(late.windows(2).all(|w| w[1].wrapping_sub(w[0]) == 480));
    assert_eq!(played.pulled[0].kind, BlockKind::Silence);
    assert_eq!(played.pulled.last().map(|p| p.kind), Some(BlockKind::Decoded));
}

#[test]
fn dtx_silence_is_not_concealed() {
    // from 10 s to 20 s only a silent packet every 400 ms is sent
    let path = Path {
        delay: Box::new(|n| (!(500..1_000).contains(&n) || n % 20 == 0).then_some(20_000)),
        silent: |n| (500..1_000).contains(&n),
        ..Path::default()
    };
    let played = path.play();
    report("DTX", &played);
    assert_eq!(played.stats.concealed_samples, 0);
    let comfort = played.pulled.iter().filter(|p| p.kind == BlockKind::ComfortNoise).count();
    assert!((900..1_000).contains(&comfort), "{comfort}");
    assert!(played.buffer.delay() < Duration::from_millis(30), "{:?}", played.buffer.delay());
}

#[test]
fn an_unannounced_silence_costs_no_decoding() {
    let played = Path { delay: Box::new(|n| (!(500..1_000).contains(&n)).then_some(20_000)), ..Path::default() }.play();
    report("mute", &played);
    assert!(played.decoder.concealed <= 48 * 200, "{}", played.decoder.concealed);
    let stats = played.stats;
    assert!(stats.concealed_samples - stats.silent_concealed_samples <= 48 * 200 + 480, "{stats:?}");
    assert!(played.roughness(tone) < 1.2, "{}", played.roughness(tone));
    assert!(played.buffer.delay() < Duration::from_millis(30), "{:?}", played.buffer.delay());
}

#[test]
fn sender_pauses_are_not_counted_as_loss() {
    // in each 500 ms there are 100 ms without packets, with continuous numbers; the FEC of the first packet after a
    // pause covers time before it
    let path = Path {
        delay: Box::new(|n| (n % 25 < 20).then_some(20_000)),
        sequence: |n| n / 25 * 20 + n % 25,
        fec: true,
        ..Path::default()
    };
    let played = path.play();
    report("pauses", &played);
    assert_eq!(played.decoder.fec_decoded, 0);
    assert!(played.buffer.target_delay() < Duration::from_millis(10), "{:?}", played.buffer.target_delay());
}

#[test]
fn the_oldest_packets_are_dropped_without_playback() {
    let (mut buffer, now) = (AudioBuffer::new(), Instant::now());
    for n in 0..200 {
        buffer.push(rig::packet(n, now + Duration::from_millis(20 * n), false));
    }
    assert_eq!((buffer.len(), buffer.stats().packets_discarded), (64, 136));
    // when played, it starts with the newest packets
    let (mut decoder, mut out) = (FakeDecoder::new(tone), [0.0; BLOCK]);
    let pulled = buffer.pull(now + Duration::from_millis(3_990), &mut decoder, &mut out);
    assert_eq!(pulled.kind, BlockKind::Decoded);
    assert!(buffer.delay() < Duration::from_millis(60), "{:?}", buffer.delay());
}

#[test]
fn a_restarted_sender_is_played_immediately() {
    let (mut buffer, start) = (AudioBuffer::new(), Instant::now());
    let (mut decoder, mut out) = (FakeDecoder::new(tone), [0.0; BLOCK]);
    let mut silent = 0;
    for block in 0..1_000u64 {
        let now = start + Duration::from_millis(10 * block);
        if block % 2 == 0 {
            // halfway through, the clock is set back by five minutes
            let packet = rig::packet(block / 2, now, false);
            let back = if block < 500 { 0 } else { 300 * 48_000 };
            buffer.push(AudioPacket { rtp_timestamp: packet.rtp_timestamp.wrapping_sub(back), ..packet });
        }
        let pulled = buffer.pull(now, &mut decoder, &mut out);
        silent += u32::from(block > 100 && pulled.kind != BlockKind::Decoded);
    }
    assert!(silent <= 6, "{silent}");
}

#[test]
fn a_failing_decoder_is_concealed() {
    struct Refuses;
    impl AudioDecoder for Refuses {
        fn decode(&mut self, _: &[u8], _: &mut Vec<f32>) -> Result<(), AudioDecodeError> {
            Err(AudioDecodeError)
        }
        fn decode_fec(&mut self, _: &[u8], _: usize, _: &mut Vec<f32>) -> Result<(), AudioDecodeError> {
            Err(AudioDecodeError)
        }
        fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) {
            out.extend(std::iter::repeat_n(f32::NAN, samples));
        }
    }
    let (mut buffer, start, mut out) = (AudioBuffer::new(), Instant::now(), [0.0; BLOCK]);
    for block in 0..200u64 {
        let now = start + Duration::from_millis(10 * block);
        buffer.push(rig::packet(block / 2, now, true));
        buffer.pull(now, &mut Refuses, &mut out);
        assert!(out.iter().all(|s| s.is_finite()));
    }
    assert_eq!(buffer.stats().jitter_buffer_emitted, 0);
    assert!(buffer.stats().concealed_samples > 40_000);
}

proptest! {
    #[test]
    fn any_input_yields_audio(
        steps in prop::collection::vec((0u64..60_000, 0u8..4, any::<u32>(), prop::collection::vec(any::<u8>(), 0..12)), 1..300),
        seed in any::<u32>(),
    ) {
        let (mut buffer, mut now) = (AudioBuffer::new(), Instant::now());
        let (mut decoder, mut out, mut pulls) = (FakeDecoder::new(voice), [0.0; BLOCK], 0);
        for (step, kind, rtp_timestamp, data) in steps {
            now += Duration::from_micros(step);
            let near = seed.wrapping_add(rtp_timestamp % 100_000 / 120 * 120);
            let packet = rig::packet(u64::from(near) / 960, now, step % 2 == 0);
            match kind {
                0 => buffer.push(AudioPacket { rtp_timestamp, data: data.into(), ..packet }),
                1 => buffer.push(AudioPacket { rtp_timestamp: near, ..packet }),
                2 => buffer.push(AudioPacket { data: data.into(), ..packet }),
                _ => buffer.push(packet),
            }
            for _ in 0..step % 4 {
                buffer.pull(now, &mut decoder, &mut out);
                pulls += 1;
                prop_assert!(out.iter().all(|s| s.is_finite() && s.abs() <= 1.5));
            }
            prop_assert!(buffer.len() <= 64);
        }
        let stats = buffer.stats();
        prop_assert!(stats.total_samples <= pulls * BLOCK as u64);
        prop_assert!(stats.jitter_buffer_emitted + stats.concealed_samples <= stats.total_samples);
        prop_assert!(stats.silent_concealed_samples <= stats.concealed_samples);
    }
}
