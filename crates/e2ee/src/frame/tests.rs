use super::*;
use proptest::prelude::*;
use std::time::Duration;
use zeroize::Zeroizing;

fn key(epoch: u32, byte: u8) -> SenderKey {
    SenderKey::new(epoch, Zeroizing::new([byte; 32]))
}

fn sealer(key: &SenderKey, stream: Stream) -> Sealer {
    Sealer::new(key, stream).expect("a key")
}

fn opener(now: Instant, key: &SenderKey, stream: Stream) -> Opener {
    let mut opener = Opener::new(stream);
    assert!(opener.accept(now, key));
    opener
}

fn sealed(sealer: &mut Sealer, frame: &[u8]) -> Vec<u8> {
    let mut sealed = Vec::new();
    sealer.seal(frame, &mut sealed).expect("a frame");
    sealed
}

fn opened(opener: &mut Opener, now: Instant, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
    let mut frame = Vec::new();
    opener.open(now, sealed, &mut frame).map(|()| frame)
}

/// A VP8 frame with this first bit.
fn picture(key: bool, length: usize) -> Vec<u8> {
    (0..length).map(|n| if n == 0 { u8::from(!key) } else { n as u8 }).collect()
}

#[test]
fn only_what_the_forwarder_reads_stays_clear() {
    let cases = [
        (Stream::Audio, picture(true, 80), 0),
        (Stream::Camera, picture(true, 80), 10),
        (Stream::Camera, picture(false, 80), 3),
        (Stream::Screen, picture(true, 80), 10),
    ];
    for (stream, frame, clear) in cases {
        let key = key(1, 7);
        let sealed = sealed(&mut sealer(&key, stream), &frame);
        assert_eq!(sealed[..clear], frame[..clear], "{stream:?}");
        assert_eq!(sealed.len(), frame.len() + 1 + 16, "one byte of header and the tag");
        for part in frame[clear..].windows(4) {
            assert!(!sealed.windows(4).any(|window| window == part), "{stream:?}");
        }
    }
}

#[test]
fn a_frame_without_key_is_counted_and_dropped() {
    let now = Instant::now();
    let (first, second) = (key(1, 7), key(2, 8));
    let mut opener = Opener::new(Stream::Audio);
    let voice = sealed(&mut sealer(&second, Stream::Audio), b"voice");
    assert_eq!(opened(&mut opener, now, &voice), Err(OpenError::NoKey));
    opener.accept(now, &first);
    assert_eq!(opened(&mut opener, now, &voice), Err(OpenError::NoKey));
    opener.accept(now, &second);
    assert_eq!(opened(&mut opener, now, &voice), Ok(b"voice".to_vec()));
    assert_eq!(opener.counts(), Counts { opened: 1, no_key: 2, ..Counts::default() });
}

#[test]
fn another_sender_s_frame_is_refused() {
    let now = Instant::now();
    let mut opener = opener(now, &key(1, 7), Stream::Audio);
    let voice = sealed(&mut sealer(&key(1, 8), Stream::Audio), b"voice");
    assert_eq!(opened(&mut opener, now, &voice), Err(OpenError::Forged));
}

#[test]
fn a_frame_of_another_stream_is_refused() {
    let now = Instant::now();
    let key = key(1, 7);
    let camera = sealed(&mut sealer(&key, Stream::Camera), &picture(true, 60));
    let mut screen = opener(now, &key, Stream::Screen);
    assert_eq!(opened(&mut screen, now, &camera), Err(OpenError::NoKey));
    // The counters of two streams are the same, but not their keys.
    let bytes = |stream| sealed(&mut sealer(&key, stream), &picture(true, 60))[11..].to_vec();
    assert_ne!(bytes(Stream::Camera), bytes(Stream::Screen));
}

#[test]
fn a_repeated_frame_is_refused_and_a_late_one_is_not() {
    let now = Instant::now();
    let key = key(1, 7);
    let (mut sealer, mut opener) = (sealer(&key, Stream::Audio), opener(now, &key, Stream::Audio));
    let frames: Vec<Vec<u8>> = (0..REPLAY_WINDOW + 2).map(|_| sealed(&mut sealer, b"voice")).collect();
    assert!(opened(&mut opener, now, &frames[2]).is_ok());
    assert_eq!(opened(&mut opener, now, &frames[2]), Err(OpenError::Old));
    assert!(opened(&mut opener, now, frames.last().expect("many")).is_ok());
    assert_eq!(opened(&mut opener, now, &frames[1]), Err(OpenError::Old), "beyond the window");
    assert!(opened(&mut opener, now, &frames[3]).is_ok(), "late");
    assert_eq!(opened(&mut opener, now, &frames[2]), Err(OpenError::Old));
}

#[test]
fn a_forged_frame_does_not_move_the_window() {
    let now = Instant::now();
    let key = key(1, 7);
    let (mut sealer, mut opener) = (sealer(&key, Stream::Audio), opener(now, &key, Stream::Audio));
    let first = sealed(&mut sealer, b"voice");
    let mut last = (0..REPLAY_WINDOW * 2).map(|_| sealed(&mut sealer, b"voice")).last().expect("many");
    *last.last_mut().expect("a tag") ^= 1;
    assert_eq!(opened(&mut opener, now, &last), Err(OpenError::Forged));
    assert!(opened(&mut opener, now, &first).is_ok());
}

#[test]
fn old_keys_are_few_and_do_not_last() {
    let now = Instant::now();
    let keys: Vec<SenderKey> = (1..=MAX_KEYS as u32 + 1).map(|epoch| key(epoch, epoch as u8)).collect();
    let mut opener = Opener::new(Stream::Audio);
    for key in &keys {
        assert!(opener.accept(now, key));
        assert!(!opener.accept(now, key), "once only");
    }
    assert!(!opener.accept(now, &keys[0]), "an older one");
    let voices: Vec<Vec<u8>> = keys.iter().map(|key| sealed(&mut sealer(key, Stream::Audio), b"voice")).collect();
    assert_eq!(opened(&mut opener, now, &voices[0]), Err(OpenError::NoKey), "too many");
    assert!(opened(&mut opener, now, &voices[1]).is_ok());
    let later = now + OLD_KEY_TIME;
    assert_eq!(opened(&mut opener, later, &voices[2]), Err(OpenError::NoKey), "too old");
    let newest = voices.last().expect("many");
    assert!(opened(&mut opener, later + Duration::from_secs(86_400), newest).is_ok());
}

#[test]
fn a_key_is_used_up_after_a_number_of_frames_and_counters_never_repeat() {
    let now = Instant::now();
    let key = key(1, 7);
    let mut few = Sealer::with_frames(&key, Stream::Audio, 3).expect("a key");
    let mut opener = opener(now, &key, Stream::Audio);
    for _ in 0..3 {
        let voice = sealed(&mut few, b"voice");
        assert!(opened(&mut opener, now, &voice).is_ok());
    }
    for _ in 0..2 {
        let mut out = vec![1];
        assert_eq!(few.seal(b"voice", &mut out), Err(SealError::UsedUp));
        assert!(out.is_empty(), "nothing may be sent");
    }
    let mut sealer = sealer(&key, Stream::Audio);
    assert!(!sealer.wants_new_key());
    sealer.counter = MonotonicCounter::with_start_value(RENEW_AFTER, MAX_FRAMES - 1);
    assert!(sealer.wants_new_key());
}

#[test]
fn frames_that_are_too_short_or_too_long_are_refused() {
    let mut sealer = sealer(&key(1, 7), Stream::Camera);
    for frame in [vec![], picture(true, 9), picture(false, 2), vec![0; MAX_FRAME_BYTES + 1]] {
        assert_eq!(sealer.seal(&frame, &mut Vec::new()), Err(SealError::Malformed));
    }
    let now = Instant::now();
    let mut opener = opener(now, &key(1, 7), Stream::Camera);
    for frame in [vec![], picture(true, 10), picture(false, 12), vec![0; MAX_FRAME_BYTES + MAX_OVERHEAD + 1]] {
        assert_eq!(opened(&mut opener, now, &frame), Err(OpenError::Malformed));
    }
}

fn stream() -> impl Strategy<Value = Stream> {
    prop_oneof![Just(Stream::Audio), Just(Stream::Camera), Just(Stream::Screen)]
}

proptest! {
    #[test]
    fn what_is_sealed_is_opened(stream in stream(), epoch in any::<u32>(), frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 10..200), 1..20)) {
        let (now, key) = (Instant::now(), key(epoch, 7));
        let (mut sealer, mut opener) = (sealer(&key, stream), opener(now, &key, stream));
        for frame in frames {
            let sealed = sealed(&mut sealer, &frame);
            prop_assert!(sealed.len() <= frame.len() + MAX_OVERHEAD);
            prop_assert_eq!(opened(&mut opener, now, &sealed), Ok(frame));
        }
    }

    #[test]
    fn a_changed_frame_is_refused(stream in stream(), frame in prop::collection::vec(any::<u8>(), 10..200), at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let (now, key) = (Instant::now(), key(1, 7));
        let mut changed = sealed(&mut sealer(&key, stream), &frame);
        let at = at.index(changed.len());
        changed[at] ^= 1 << bit;
        prop_assert!(opened(&mut opener(now, &key, stream), now, &changed).is_err());
    }

    #[test]
    fn a_shortened_or_lengthened_frame_is_refused(stream in stream(), frame in prop::collection::vec(any::<u8>(), 10..200), cut in any::<prop::sample::Index>(), more in prop::collection::vec(any::<u8>(), 1..20)) {
        let (now, key) = (Instant::now(), key(1, 7));
        let whole = sealed(&mut sealer(&key, stream), &frame);
        let mut opener = opener(now, &key, stream);
        prop_assert!(opened(&mut opener, now, &whole[..cut.index(whole.len())]).is_err());
        prop_assert!(opened(&mut opener, now, &[whole, more].concat()).is_err());
    }

    #[test]
    fn any_bytes_are_refused(stream in stream(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let now = Instant::now();
        prop_assert!(opened(&mut opener(now, &key(1, 7), stream), now, &bytes).is_err());
    }
}
