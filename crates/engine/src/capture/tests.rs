//! Simulated devices, whose opening and closing the tests control.

use super::*;
use codecs::ApmConfig;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

const ALL: MediaState = MediaState { microphone: true, camera: true, screen: false };
const CAMERA: MediaState = MediaState { microphone: false, camera: true, screen: false };
const NONE: MediaState = MediaState { microphone: false, camera: false, screen: false };

/// The behaviour of a simulated device.
#[derive(Default)]
struct Behaviour {
    /// Errors of the next openings, the last one first.
    errors: Mutex<Vec<DeviceError>>,
    closing: Mutex<Duration>,
    /// Whether a device is open. A second opening is refused.
    open: AtomicBool,
    openings: AtomicU32,
}

/// An open device.
struct Held(Arc<Behaviour>);

impl Drop for Held {
    fn drop(&mut self) {
        let closing = *self.0.closing.lock().unwrap();
        std::thread::sleep(closing);
        self.0.open.store(false, Ordering::SeqCst);
    }
}

impl Behaviour {
    fn camera(self: &Arc<Self>) -> Open {
        let this = self.clone();
        Box::new(move |_, events| {
            this.openings.fetch_add(1, Ordering::SeqCst);
            if let Some(error) = this.errors.lock().unwrap().pop() {
                return Err(error);
            }
            if this.open.swap(true, Ordering::SeqCst) {
                return Err(DeviceError::Busy);
            }
            events(DeviceEvent::Live);
            Ok((Opened::Camera, Hold::new(Held(this.clone()))))
        })
    }

    /// The tone, which closes as slowly as the test sets.
    fn microphone(self: &Arc<Self>) -> Open {
        let this = self.clone();
        Box::new(move |_, events| {
            let mut microphone = Microphone::open("tone", events)?;
            let hold = Hold::new((Held(this.clone()), microphone.detach()));
            Ok((Opened::Microphone(Box::new(microphone)), hold))
        })
    }
}

fn null_speaker() -> Open {
    Box::new(|_, events| {
        let mut speaker = Speaker::open("null", events)?;
        let hold = speaker.detach();
        Ok((Opened::Speaker(Box::new(speaker)), hold))
    })
}

struct Rig {
    capture: Capture,
    audio: Audio,
    news: mpsc::Receiver<CaptureEvent>,
    camera: Arc<Behaviour>,
    microphone: Arc<Behaviour>,
    /// Added to the clock.
    skipped: Duration,
}

impl Rig {
    fn new(tap: Option<Box<dyn crate::AudioTap>>) -> Self {
        let (news_to, news) = mpsc::channel(EVENTS);
        let (camera, microphone) = (Arc::new(Behaviour::default()), Arc::new(Behaviour::default()));
        let opens = [camera.camera(), microphone.microphone(), null_speaker()];
        let capture = Capture::with(news_to, DeviceChoice::default(), FrameSlot::new(), opens).unwrap();
        let audio = Audio::start(ApmConfig::default(), tap, Box::new(|_| true)).unwrap();
        Self { capture, audio, news, camera, microphone, skipped: Duration::ZERO }
    }

    fn now(&self) -> Instant {
        Instant::now() + self.skipped
    }

    fn want(&mut self, media: MediaState, speaker: bool) {
        self.capture.want(self.now(), media, speaker, &self.audio);
    }

    /// Handles reports until `done`, for at most ten seconds.
    async fn until(&mut self, done: impl Fn(&Capture, Instant) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !done(&self.capture, self.now()) {
            assert!(Instant::now() < deadline, "timeout: {:?}", self.capture.problems());
            if let Ok(Some(news)) = tokio::time::timeout(Duration::from_millis(20), self.news.recv()).await {
                self.capture.handle(self.now(), news, &self.audio);
            }
        }
    }

    fn skip(&mut self, time: Duration) {
        self.skipped += time;
        self.capture.handle_timeout(self.now());
    }

    fn codes(&self) -> Vec<String> {
        self.capture.problems().into_iter().map(|problem| problem.code).collect()
    }
}

fn is_live(device: &DeviceMachine) -> bool {
    matches!(device.state, DeviceState::Live { failing: None, .. })
}

#[tokio::test]
async fn reopening_a_device_immediately_works() {
    let mut rig = Rig::new(None);
    for _ in 0..20 {
        rig.want(ALL, false);
        rig.want(NONE, false);
        rig.want(ALL, false);
        rig.until(|capture, _| is_live(&capture.camera) && is_live(&capture.microphone)).await;
        assert_eq!(rig.codes(), [""; 0]);
        rig.want(NONE, false);
    }
    for _ in 0..20 {
        rig.want(ALL, false);
        rig.want(NONE, false);
    }
    rig.want(ALL, false);
    rig.until(|capture, _| is_live(&capture.camera) && is_live(&capture.microphone)).await;
    rig.want(NONE, false);
    rig.capture.end().await;
    assert!(!rig.camera.open.load(Ordering::SeqCst), "closed in the end");
}

#[tokio::test]
async fn a_slow_closing_camera_blocks_nobody_and_reopens() {
    let mut rig = Rig::new(None);
    *rig.camera.closing.lock().unwrap() = Duration::from_secs(2);
    rig.want(ALL, false);
    rig.until(|capture, _| is_live(&capture.camera)).await;
    let asked = Instant::now();
    rig.want(MediaState { camera: false, ..ALL }, false);
    rig.want(ALL, false);
    assert!(asked.elapsed() < Duration::from_millis(500), "asking takes no time");
    assert_eq!(rig.capture.able(rig.now()), ALL, "a short interruption is not reported");
    rig.until(|capture, now| !capture.able(now).camera).await;
    assert!(rig.capture.able(rig.now()).microphone, "the microphone is not affected");
    rig.until(|capture, _| is_live(&capture.camera)).await;
    assert_eq!((rig.capture.able(rig.now()), rig.codes().len()), (ALL, 0));
}

/// Records when sound was played.
struct Played(Arc<Mutex<Vec<Instant>>>);

impl crate::AudioTap for Played {
    fn played(&mut self, _: &[f32; 480], _: Instant) {
        self.0.lock().unwrap().push(Instant::now());
    }
}

#[tokio::test]
async fn closing_a_microphone_does_not_interrupt_playback() {
    let played = Arc::new(Mutex::new(vec![]));
    let mut rig = Rig::new(Some(Box::new(Played(played.clone()))));
    *rig.microphone.closing.lock().unwrap() = Duration::from_secs(2);
    rig.want(ALL, true);
    rig.until(|capture, _| is_live(&capture.microphone) && is_live(&capture.speaker)).await;
    let microphone = rig.microphone.clone();
    microphone.open.store(true, Ordering::SeqCst);
    rig.until(|_, _| !played.lock().unwrap().is_empty()).await;
    rig.want(NONE, true);
    rig.until(|_, _| !microphone.open.load(Ordering::SeqCst)).await;
    let played = played.lock().unwrap();
    let gap = played.windows(2).map(|two| two[1] - two[0]).max().unwrap();
    assert!(gap < Duration::from_secs(1), "a gap of {gap:?} while the microphone took two seconds to close");
}

#[tokio::test]
async fn a_busy_camera_is_reported_once_and_retried() {
    let mut rig = Rig::new(None);
    *rig.camera.errors.lock().unwrap() = vec![DeviceError::Busy; 4];
    rig.want(CAMERA, false);
    rig.until(|capture, _| !capture.problems().is_empty()).await;
    let first = rig.capture.problems();
    assert_eq!(rig.codes(), ["device_busy"]);
    for (openings, wait) in [2, 4, 8, 16].into_iter().enumerate() {
        assert!(!rig.capture.able(rig.now()).camera, "the others see that it is off");
        rig.until(|capture, _| matches!(capture.camera.state, DeviceState::Failed { .. })).await;
        assert_eq!(rig.camera.openings.load(Ordering::SeqCst), openings as u32 + 1);
        rig.skip(Duration::from_millis(wait * 1_000 - 500));
        assert!(matches!(rig.capture.camera.state, DeviceState::Failed { .. }), "not before {wait} s");
        assert_eq!(rig.capture.problems(), first, "the problem stays the same");
        rig.skip(Duration::from_millis(600));
    }
    rig.until(|capture, _| is_live(&capture.camera)).await;
    assert_eq!((rig.capture.able(rig.now()), rig.codes().len()), (ALL, 0));
}

#[tokio::test]
async fn a_plugged_in_camera_is_opened_at_once() {
    let mut rig = Rig::new(None);
    *rig.camera.errors.lock().unwrap() = vec![DeviceError::None(DeviceKind::Camera)];
    rig.want(ALL, false);
    rig.until(|capture, _| !capture.problems().is_empty()).await;
    assert_eq!(rig.codes(), ["no_camera"]);
    rig.capture.devices_changed(rig.now());
    rig.until(|capture, _| is_live(&capture.camera)).await;
    assert_eq!(rig.codes().len(), 0);
}

#[tokio::test]
async fn a_stalled_camera_is_reported_within_two_seconds_and_opened_again() {
    let mut rig = Rig::new(None);
    rig.want(CAMERA, false);
    rig.until(|capture, _| is_live(&capture.camera)).await;
    let picture = || media::frame::FramePool::new().take(16, 16).freeze(Instant::now());
    for _ in 0..5 {
        rig.capture.slot.put(picture());
        rig.skip(LOOK);
        assert_eq!(rig.codes().len(), 0);
    }
    let stalled = rig.now();
    while rig.codes().is_empty() {
        rig.skip(LOOK);
    }
    assert!(rig.now().duration_since(stalled) < Duration::from_secs(2));
    assert_eq!(rig.codes(), ["device_failed"]);
    assert!(
        !rig.capture.able(rig.now()).camera && rig.capture.slot.newer_than(&mut 0).is_none(),
        "no frozen picture is sent"
    );
    rig.skip(RETRY[0]);
    rig.until(|capture, _| is_live(&capture.camera)).await;
    assert_eq!(rig.camera.openings.load(Ordering::SeqCst), 2);
    assert_eq!((rig.capture.able(rig.now()), rig.codes().len()), (ALL, 0));
}

#[tokio::test]
async fn a_replaced_microphone_works_and_is_reported_until_the_chosen_one_returns() {
    let mut rig = Rig::new(None);
    rig.want(ALL, false);
    rig.until(|capture, _| is_live(&capture.microphone)).await;
    let DeviceState::Live { number, .. } = rig.capture.microphone.state else { panic!("live") };
    let event = |event| CaptureEvent::Device(DeviceKind::Microphone, number, event);
    rig.capture.handle(rig.now(), event(DeviceEvent::Replaced), &rig.audio);
    assert_eq!((rig.codes(), rig.capture.able(rig.now())), (vec!["device_replaced".to_owned()], ALL));
    rig.capture.handle(rig.now(), event(DeviceEvent::Live), &rig.audio);
    assert_eq!(rig.codes().len(), 0);
}

#[tokio::test]
async fn a_driver_panic_is_reported_and_the_retry_works() {
    let (news_to, mut news) = mpsc::channel(EVENTS);
    let (good, panics) = (Arc::new(Behaviour::default()), AtomicBool::new(true));
    let mut opens = good.camera();
    let camera: Open = Box::new(move |id, events| {
        assert!(!panics.swap(false, Ordering::SeqCst), "driver");
        opens(id, events)
    });
    let opens = [camera, good.microphone(), null_speaker()];
    let mut capture = Capture::with(news_to, DeviceChoice::default(), FrameSlot::new(), opens).unwrap();
    let audio = Audio::start(ApmConfig::default(), None, Box::new(|_| true)).unwrap();
    let now = Instant::now();
    capture.want(now, CAMERA, false, &audio);
    capture.handle(now, news.recv().await.unwrap(), &audio);
    assert_eq!(capture.problems()[0].code, "device_failed");
    capture.handle_timeout(now + RETRY[0]);
    while !is_live(&capture.camera) {
        capture.handle(now, news.recv().await.unwrap(), &audio);
    }
    assert_eq!(capture.problems(), []);
}

#[tokio::test]
async fn an_unresponsive_driver_is_reported_and_blocks_nobody() {
    let (news_to, _news) = mpsc::channel(EVENTS);
    let (good, hung) = (Arc::new(Behaviour::default()), Arc::new(AtomicBool::new(true)));
    let hanging = hung.clone();
    let camera: Open = Box::new(move |_, _| {
        while hanging.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(10));
        }
        Err(DeviceError::Busy)
    });
    let opens = [camera, good.microphone(), null_speaker()];
    let capture = Capture::with(news_to, DeviceChoice::default(), FrameSlot::new(), opens).unwrap();
    let mut rig = Rig { capture, news: _news, ..Rig::new(None) };
    rig.want(ALL, false);
    rig.until(|capture, _| is_live(&capture.microphone)).await;
    rig.skip(GRACE);
    assert_eq!(rig.capture.able(rig.now()), MediaState { microphone: true, camera: false, screen: false });
    rig.skip(SILENT);
    assert_eq!(rig.codes(), ["device_failed"]);
    let asked = Instant::now();
    rig.capture.end().await;
    assert!(asked.elapsed() < GOODBYE + Duration::from_secs(2));
    hung.store(false, Ordering::SeqCst);
}
