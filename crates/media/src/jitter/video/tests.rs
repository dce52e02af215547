//! Tests with frames over simulated paths.

use super::*;
use crate::encoded::VideoCodec;
use bytes::Bytes;
use proptest::prelude::*;

const FRAME_US: u64 = 33_333;

fn frame(n: u64, keyframe: bool, time: Instant) -> EncodedFrame {
    EncodedFrame {
        codec: VideoCodec::Vp8,
        data: Bytes::from(n.to_be_bytes().to_vec()),
        keyframe,
        rtp_timestamp: (u32::MAX - 9_000).wrapping_add((n * 3_000) as u32), // wraps in the fourth frame
        width: 640,
        height: 360,
        layer: 0,
        temporal: 0,
        time,
        captured: None,
        source: None,
    }
}

fn number(frame: &EncodedFrame) -> u64 {
    u64::from_be_bytes(frame.data[..].try_into().expect("eight bytes"))
}

struct Released {
    n: u64,
    /// Time after capture, in µs.
    latency: i64,
    at: i64,
}

/// Sends `count` frames over a path that delays frame `n` by `delay(n)` µs and preserves the order.
fn run(buffer: &mut VideoBuffer, count: u64, delay: impl Fn(u64) -> u64) -> Vec<Released> {
    let start = Instant::now();
    let mut released = Vec::new();
    let mut arrival = 0;
    for n in 0..count {
        arrival = (n * FRAME_US + delay(n)).max(arrival);
        pop_due(buffer, start, arrival, &mut released);
        let now = start + Duration::from_micros(arrival);
        buffer.push(now, frame(n, n == 0, now));
        while let Some(popped) = buffer.pop(now) {
            released.push(Released::new(&popped, arrival));
        }
    }
    pop_due(buffer, start, u64::MAX / 2, &mut released);
    released
}

/// Pops all frames due up to `until`, each at its time.
fn pop_due(buffer: &mut VideoBuffer, start: Instant, until: u64, released: &mut Vec<Released>) {
    while let Some(due) = buffer.poll_timeout() {
        let due_us = (due - start).as_micros() as u64;
        if due_us > until {
            break;
        }
        released.push(Released::new(&buffer.pop(due).expect("a frame is due"), due_us));
    }
}

impl Released {
    fn new(frame: &EncodedFrame, at: u64) -> Self {
        let n = number(frame);
        Self { n, latency: at as i64 - (n * FRAME_US) as i64, at: at as i64 }
    }
}

fn noise(n: u64) -> u64 {
    let mut x = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x ^ (x >> 27)
}

/// A new delay, uniform over 0..=80 ms, each half second, linear in between.
fn walk(n: u64) -> u64 {
    let (k, part) = (n / 15, n % 15);
    let at = |k| noise(k) % 80_001;
    (at(k) * (15 - part) + at(k + 1) * part) / 15
}

fn mean(values: impl Iterator<Item = i64> + Clone) -> i64 {
    values.clone().sum::<i64>() / values.count().max(1) as i64
}

#[test]
fn a_clean_path_is_not_delayed() {
    let mut buffer = VideoBuffer::new();
    let released = run(&mut buffer, 900, |n| 20_000 + noise(n) % 4_000);
    assert_eq!(released.len(), 900);
    let added = mean(released.iter().map(|s| s.latency - 20_000 - (noise(s.n) % 4_000) as i64));
    assert!(added <= 1_000, "{added} us");
    assert!(buffer.delay() <= Duration::from_millis(2), "{:?}", buffer.delay());
}

#[test]
fn a_wandering_path_is_smoothed_with_little_delay() {
    let released = run(&mut VideoBuffer::new(), 1_800, walk);
    let steady = &released[300..];
    let uneven = steady.windows(2).filter(|w| (w[1].at - w[0].at - FRAME_US as i64).abs() > 15_000).count();
    assert!(uneven * 50 < steady.len(), "{uneven} of {}", steady.len());
    let latency = mean(steady.iter().map(|s| s.latency));
    assert!(latency < 85_000, "{latency} us");
}

#[test]
fn one_outage_does_not_delay_later_frames() {
    let mut buffer = VideoBuffer::new();
    let outage = |n: u64| if (300..330).contains(&n) { (330 - n) * FRAME_US } else { 0 } + 25_000;
    let released = run(&mut buffer, 600, outage);
    assert_eq!(released.len(), 600);
    let after = released.iter().filter(|s| s.n > 345).map(|s| s.latency).max().unwrap();
    assert!(after < 30_000, "{after} us");
}

/// A path of 20 ms on which every `nth` frame, and the frames behind it, wait 100 ms for a retransmission.
fn run_with_retransmissions(buffer: &mut VideoBuffer, nth: u64) -> Vec<Released> {
    let (start, mut released, mut complete) = (Instant::now(), Vec::new(), 0);
    for n in 0..900 {
        let arrival = n * FRAME_US + 20_000;
        complete = complete.max(arrival + if n % nth == nth - 1 { 100_000 } else { 0 });
        pop_due(buffer, start, complete, &mut released);
        let now = start + Duration::from_micros(complete);
        buffer.push(now, frame(n, n == 0, start + Duration::from_micros(arrival)));
        while let Some(popped) = buffer.pop(now) {
            released.push(Released::new(&popped, complete));
        }
    }
    pop_due(buffer, start, u64::MAX / 2, &mut released);
    released
}

#[test]
fn few_retransmissions_delay_no_other_frame() {
    let mut buffer = VideoBuffer::new();
    let released = run_with_retransmissions(&mut buffer, 60);
    assert!(buffer.delay() < Duration::from_millis(2), "{:?}", buffer.delay());
    let late = released.iter().filter(|s| s.latency > 25_000).count();
    assert!(late < 900 / 60 * 8, "{late}");
}

#[test]
fn many_retransmissions_delay_all_frames_equally() {
    let mut buffer = VideoBuffer::new();
    let released = run_with_retransmissions(&mut buffer, 8);
    let delay = buffer.delay();
    assert!((Duration::from_millis(60)..Duration::from_millis(110)).contains(&delay), "{delay:?}");
    let uneven = released[450..].windows(2).filter(|w| (w[1].at - w[0].at - FRAME_US as i64).abs() > 15_000).count();
    assert!(uneven < 45, "{uneven}");
}

#[test]
fn losses_that_ended_delay_no_later_frame() {
    let (mut buffer, start, mut released) = (VideoBuffer::new(), Instant::now(), Vec::new());
    for n in 0..180u64 {
        let arrival = n * FRAME_US + 20_000;
        let waited = if n < 15 { 15 * FRAME_US + 20_000 } else { 0 };
        let complete = start + Duration::from_micros(arrival.max(waited));
        pop_due(&mut buffer, start, arrival.max(waited), &mut released);
        buffer.push(complete, frame(n, n == 0, start + Duration::from_micros(arrival)));
    }
    pop_due(&mut buffer, start, u64::MAX / 2, &mut released);
    let late = released.iter().filter(|s| s.n > 150).map(|s| s.latency).max();
    assert!(late < Some(30_000), "{late:?}");
}

#[test]
fn late_frames_are_released_one_by_one() {
    let mut buffer = VideoBuffer::new();
    let released = run(&mut buffer, 600, |n| if n % 60 == 59 { 120_000 } else { 20_000 });
    let shortest = released.windows(2).map(|w| w[1].at - w[0].at).min();
    assert!(shortest >= Some(MIN_SPACING), "{shortest:?}");
    assert!(buffer.total_delay() > Duration::from_millis(100), "{:?}", buffer.total_delay());
}

#[test]
fn the_delay_shrinks_after_the_path_becomes_stable() {
    let mut buffer = VideoBuffer::new();
    run(&mut buffer, 900, |n| if n < 450 { walk(n) } else { 10_000 });
    assert!(buffer.delay() < Duration::from_millis(2), "{:?}", buffer.delay());
}

#[test]
fn a_longer_path_is_followed_without_losing_frames() {
    let released = run(&mut VideoBuffer::new(), 600, |n| if n < 300 { 10_000 } else { 110_000 });
    assert_eq!(released.len(), 600);
    let end = mean(released[500..].iter().map(|s| s.latency));
    assert!(end < 113_000, "{end}");
}

#[test]
fn overflow_flushes_and_a_keyframe_resumes() {
    let (mut buffer, now) = (VideoBuffer::new(), Instant::now());
    let full = VideoBuffer::FRAMES as u64;
    for n in 0..=full {
        buffer.push(now, frame(n, n == 0, now));
    }
    assert!(buffer.needs_keyframe() && buffer.is_empty());
    buffer.push(now, frame(full + 1, false, now));
    assert!(buffer.needs_keyframe() && buffer.is_empty());
    buffer.push(now, frame(full + 2, true, now));
    assert!(!buffer.needs_keyframe());
    assert_eq!(buffer.pop(now + Duration::from_secs(9)).map(|f| number(&f)), Some(full + 2));
    assert_eq!(buffer.dropped(), full + 2);
}

#[test]
fn a_full_buffer_resumes_at_the_newest_keyframe() {
    let (mut buffer, now) = (VideoBuffer::new(), Instant::now());
    for n in 0..=VideoBuffer::FRAMES as u64 {
        buffer.push(now, frame(n, n == 0 || n == 9, now));
    }
    assert!(!buffer.needs_keyframe());
    assert_eq!(buffer.pop(now + Duration::from_secs(9)).map(|f| number(&f)), Some(9));
}

#[test]
fn a_stream_without_a_keyframe_needs_one() {
    let (mut buffer, now) = (VideoBuffer::new(), Instant::now());
    assert!(!buffer.needs_keyframe());
    buffer.push(now, frame(0, false, now));
    assert!(buffer.needs_keyframe());
}

#[test]
fn a_restarted_clock_resets_the_buffer() {
    let (mut buffer, start) = (VideoBuffer::new(), Instant::now());
    for n in 0..60u64 {
        let now = start + Duration::from_micros(n * FRAME_US);
        let jump = if n < 30 { 0 } else { 1_000_000 };
        buffer.push(now, EncodedFrame { rtp_timestamp: (n * 3_000 + jump * 90) as u32, ..frame(n, n == 0, now) });
        assert_eq!(buffer.pop(now).map(|f| number(&f)), Some(n));
    }
}

/// Plays a minute of a sender whose clock jumps by `jump` µs after half a minute. It responds to keyframe requests after
/// 100 ms. Returns when frames were released, in µs.
fn jump(jump: i64, path: impl Fn(u64) -> u64) -> Vec<i64> {
    let (mut buffer, start) = (VideoBuffer::new(), Instant::now());
    let (mut released, mut keyframe_at) = (vec![], Some(0));
    for n in 0..1_800u64 {
        let arrival = n * FRAME_US + path(n);
        pop_due(&mut buffer, start, arrival, &mut released);
        let now = start + Duration::from_micros(arrival);
        let keyframe = keyframe_at.take_if(|at| n >= *at).is_some();
        let clock = n as i64 * 3_000 + if n < 900 { 0 } else { jump * 9 / 100 };
        buffer.push(now, EncodedFrame { rtp_timestamp: clock as u32, ..frame(n, keyframe, now) });
        while let Some(popped) = buffer.pop(now) {
            released.push(Released::new(&popped, arrival));
        }
        if buffer.needs_keyframe() && keyframe_at.is_none() {
            keyframe_at = Some(n + 3);
        }
    }
    released.iter().map(|s| s.at).collect()
}

#[test]
fn playback_resumes_within_a_second_of_any_clock_jump() {
    let minutes = [-3_600, -60, -4].map(|s| s * 1_000_000).into_iter().chain([4, 60, 3_600].map(|s| s * 1_000_000));
    let shorter = [-2_900, -1_500, -800, -400, -100, 100, 400, 800, 1_500, 2_900].map(|ms| ms * 1_000);
    for by in minutes.chain(shorter) {
        for path in [|_| 20_000, |n| 20_000 + noise(n) % 40_000] {
            let released = jump(by, path);
            let at = 900 * FRAME_US as i64;
            let gap = released.windows(2).map(|w| w[1] - w[0]).max().unwrap();
            assert!(gap < 1_000_000, "{by} us: a gap of {gap} us");
            let after = released.iter().filter(|t| **t > at + 1_000_000).count();
            assert!(after > 830, "{by} us: {after} of 870 frames");
        }
    }
}

#[test]
fn the_extra_delay_is_added() {
    let mut buffer = VideoBuffer::new();
    buffer.set_extra_delay(Duration::from_millis(60));
    let released = run(&mut buffer, 100, |_| 10_000);
    assert!(released.iter().all(|s| (69_000..72_000).contains(&s.latency)));
}

proptest! {
    #[test]
    fn frames_are_released_once_and_in_order_on_any_path(delays in prop::collection::vec(0u64..400_000, 1..120)) {
        let mut buffer = VideoBuffer::new();
        let released = run(&mut buffer, delays.len() as u64, |n| delays[n as usize]);
        prop_assert!(released.windows(2).all(|w| w[0].n < w[1].n && w[0].at <= w[1].at));
        prop_assert_eq!(released.len() as u64 + buffer.dropped(), delays.len() as u64);
        prop_assert!(buffer.delay() <= VideoBuffer::MAX_DELAY + Duration::from_millis(400));
    }

    #[test]
    fn any_times_are_handled(steps in prop::collection::vec((0u64..5_000_000, any::<u32>(), any::<bool>()), 1..60)) {
        let (mut buffer, mut now) = (VideoBuffer::new(), Instant::now());
        for (step, rtp_timestamp, keyframe) in steps {
            now += Duration::from_micros(step);
            buffer.push(now, EncodedFrame { rtp_timestamp, ..frame(0, keyframe, now) });
            prop_assert!(buffer.len() <= VideoBuffer::FRAMES);
            let _ = buffer.pop(now);
            let _ = buffer.poll_timeout();
        }
    }
}
