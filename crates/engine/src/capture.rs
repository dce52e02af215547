//! Devices: opened when the call or the person's own preview wants them, closed otherwise, opened again when lost. Threads
//! do it ([`thread`]); here is decided what, and nothing waits.

mod event;
#[cfg(test)]
mod tests;
mod thread;

pub(crate) use event::{CaptureEvent, EVENTS, Opened, on_trouble};

use crate::audio::{Audio, Control};
use crate::config::DeviceChoice;
use crate::video_out::VideoLimits;
use crate::view::Problem;
use devices::{
    Camera, CameraRequest, DeviceError, DeviceEvent, DeviceKind, Hold, Microphone, MicrophoneOptions, Speaker,
};
use media::slot::FrameSlot;
use signaling::message::MediaState;
use std::time::{Duration, Instant};
use thread::{DeviceThread, Open};
use tokio::sync::mpsc;

/// A device that failed is tried again after these times, the last one over and over, and at once when devices came or went.
const RETRY: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(30),
];
/// A device that worked for so long was no failure: it is tried again as quickly as at first.
const SOUND: Duration = Duration::from_secs(30);
/// A device may take so long to open, or be interrupted for so long, before the others are told that it is off.
const GRACE: Duration = Duration::from_secs(1);
/// After so long without a picture or sound, a device that was opened is said not to answer.
const SILENT: Duration = Duration::from_secs(15);
/// How often the camera's pictures are looked at, and after how long without a new one it is said not to answer.
const LOOK: Duration = Duration::from_secs(2);
const FROZEN: Duration = Duration::from_secs(6);
/// How long the end waits for devices to be closed.
const GOODBYE: Duration = Duration::from_secs(2);

/// All devices in use.
pub(crate) struct Capture {
    choice: DeviceChoice,
    /// Own pictures.
    pub(crate) slot: FrameSlot,
    camera: DeviceMachine,
    microphone: DeviceMachine,
    speaker: DeviceMachine,
    processing: Option<Problem>,
    /// Whether the choice or the problems are others than at the last [`Capture::take_changed`].
    changed: bool,
    opened: u64,
    /// The last look at the clock.
    now: Instant,
    pictures: PictureWatch,
    /// Gives nothing, and ends when all threads have.
    ended: mpsc::Receiver<()>,
}

/// What was seen of the camera's pictures: a driver may hang without a word.
struct PictureWatch {
    seen: u64,
    /// When the newest was there for the first time.
    newest: Instant,
    /// When to look again.
    look: Instant,
}

/// One kind of device.
struct DeviceMachine {
    state: DeviceState,
    /// What is wrong. It stays the same from the first failure until the device works, is no longer wanted or fails in
    /// another way, so that a person who has read it does not see it again with each try.
    problem: Option<Problem>,
    /// Tries that failed since it worked.
    tries: usize,
    thread: DeviceThread,
}

/// ```text
///  Closed ──wanted──▶ Opening ──first picture or sound──▶ Live
///    ▲                 │   ▲                               │
///    │               error └── retry, devices changed ─┐   gone, failed
///    └── unwanted ──── ▼ ─────────────────────────── Failed ◀┘
/// ```
enum DeviceState {
    Closed,
    Opening {
        number: u64,
        since: Instant,
    },
    /// `failing`: since then it is trying to come back by itself.
    Live {
        number: u64,
        since: Instant,
        failing: Option<Instant>,
    },
    Failed {
        retry: Instant,
    },
}

impl DeviceMachine {
    fn is(&self, n: u64) -> bool {
        match self.state {
            DeviceState::Opening { number, .. } | DeviceState::Live { number, .. } => number == n,
            DeviceState::Closed | DeviceState::Failed { .. } => false,
        }
    }

    /// Whether the others shall think it works: it does, or has not been away for long.
    fn is_able(&self, now: Instant) -> bool {
        match self.state {
            DeviceState::Closed | DeviceState::Live { failing: None, .. } => true,
            DeviceState::Opening { since, .. } => self.problem.is_none() && now < since + GRACE,
            DeviceState::Live { failing: Some(since), .. } => now < since + GRACE,
            DeviceState::Failed { .. } => false,
        }
    }

    /// When something changes by itself, after `now`.
    fn due(&self, now: Instant) -> Option<Instant> {
        let all = match self.state {
            DeviceState::Closed | DeviceState::Live { failing: None, .. } => [None, None],
            DeviceState::Opening { since, .. } if self.problem.is_none() => [Some(since + GRACE), Some(since + SILENT)],
            DeviceState::Opening { .. } => [None, None],
            DeviceState::Live { failing: Some(since), .. } => [Some(since + GRACE), None],
            DeviceState::Failed { retry } => return Some(retry),
        };
        all.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// Notes what is wrong, and logs it if that is new. Returns whether it is.
    fn blame(&mut self, kind: DeviceKind, error: &DeviceError) -> bool {
        let problem = Problem { code: error.code().into(), message: error.to_string(), device: Some(kind) };
        let new = self.problem.as_ref().is_none_or(|known| known.code != problem.code);
        if new {
            tracing::warn!("{kind:?}: {error}");
            self.problem = Some(problem);
        } else {
            tracing::debug!("{kind:?}: {error}");
        }
        new
    }
}

impl Capture {
    /// Starts the threads, with nothing open. Call it within a tokio runtime.
    pub(crate) fn start(
        events: mpsc::Sender<CaptureEvent>,
        limits: VideoLimits,
        choice: DeviceChoice,
        options: MicrophoneOptions,
    ) -> std::io::Result<Self> {
        let slot = FrameSlot::new();
        let pictures = slot.clone();
        let VideoLimits { width, height, fps } = limits;
        let camera: Open = Box::new(move |id, events| {
            let camera = Camera::open(id, CameraRequest { width, height, fps }, pictures.clone(), events)?;
            Ok((Opened::Camera, Hold::new(camera)))
        });
        let microphone: Open = Box::new(move |id, events| {
            let mut microphone = Microphone::open_with(id, options, events)?;
            let hold = microphone.detach();
            Ok((Opened::Microphone(Box::new(microphone)), hold))
        });
        let speaker: Open = Box::new(move |id, events| {
            let mut speaker = Speaker::open(id, events)?;
            let hold = speaker.detach();
            Ok((Opened::Speaker(Box::new(speaker)), hold))
        });
        Self::with(events, choice, slot, [camera, microphone, speaker])
    }

    fn with(
        events: mpsc::Sender<CaptureEvent>,
        choice: DeviceChoice,
        slot: FrameSlot,
        [camera, microphone, speaker]: [Open; 3],
    ) -> std::io::Result<Self> {
        let (alive, ended) = mpsc::channel(1);
        let device = |kind, open| {
            let thread = DeviceThread::start(kind, open, events.clone(), alive.clone())?;
            Ok::<_, std::io::Error>(DeviceMachine { state: DeviceState::Closed, problem: None, tries: 0, thread })
        };
        Ok(Self {
            choice,
            slot,
            camera: device(DeviceKind::Camera, camera)?,
            microphone: device(DeviceKind::Microphone, microphone)?,
            speaker: device(DeviceKind::Speaker, speaker)?,
            processing: None,
            changed: false,
            opened: 0,
            now: Instant::now(),
            pictures: PictureWatch { seen: 0, newest: Instant::now(), look: Instant::now() },
            ended,
        })
    }

    pub(crate) fn choice(&self) -> &DeviceChoice {
        &self.choice
    }

    /// Uses other devices; what is open of the changed kinds is closed first.
    pub(crate) fn choose(&mut self, choice: DeviceChoice, audio: &Audio) {
        let old = std::mem::replace(&mut self.choice, choice);
        self.changed |= old != self.choice;
        if old.camera != self.choice.camera {
            self.close(DeviceKind::Camera, audio);
        }
        if old.microphone != self.choice.microphone {
            self.close(DeviceKind::Microphone, audio);
        }
        if old.speaker != self.choice.speaker {
            self.close(DeviceKind::Speaker, audio);
        }
    }

    /// Brings the devices to what is wanted: opens the closed ones, closes the others.
    pub(crate) fn want(&mut self, now: Instant, media: MediaState, speaker: bool, audio: &Audio) {
        let speaker = speaker && self.choice.speaker.as_deref() != Some("off");
        for (kind, wanted) in [
            (DeviceKind::Camera, media.camera),
            (DeviceKind::Microphone, media.microphone),
            (DeviceKind::Speaker, speaker),
        ] {
            match (wanted, matches!(self.device(kind).state, DeviceState::Closed)) {
                (true, true) => self.open(kind, now),
                (false, false) => self.close(kind, audio),
                (true, false) | (false, true) => {}
            }
        }
    }

    /// Takes a report; those of an opening that was given up are dropped.
    pub(crate) fn handle(&mut self, now: Instant, event: CaptureEvent, audio: &Audio) {
        match event {
            CaptureEvent::Opened(kind, n, result) if self.device(kind).is(n) => match result {
                // It is live once something comes from it.
                Ok(Opened::Camera) => {}
                Ok(Opened::Microphone(microphone)) => audio.send(Control::Microphone(Some(*microphone))),
                Ok(Opened::Speaker(speaker)) => audio.send(Control::Speaker(Some(*speaker))),
                Err(error) => self.fail(kind, now, &error),
            },
            CaptureEvent::Device(kind, n, event) if self.device(kind).is(n) => match (event, kind) {
                (DeviceEvent::Live, _) => self.works(kind, n, now),
                (DeviceEvent::Gone, _) => self.lost(kind, now, &DeviceError::Gone, audio),
                (DeviceEvent::Failed(error), DeviceKind::Camera) => self.lost(kind, now, &error, audio),
                (DeviceEvent::Failed(error), DeviceKind::Microphone | DeviceKind::Speaker) => {
                    self.recovering(kind, now, &error);
                }
            },
            CaptureEvent::Processing { failing } => {
                self.processing = failing.then(processing_failed);
                self.changed = true;
            }
            CaptureEvent::Opened(..) | CaptureEvent::Device(..) => {}
        }
    }

    /// Tries failed devices again, and reports silent ones.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.look_at_pictures(now);
        for kind in KINDS {
            let device = self.device_mut(kind);
            match device.state {
                DeviceState::Failed { retry } if retry <= now => self.open(kind, now),
                DeviceState::Opening { since, .. } if device.problem.is_none() && since + SILENT <= now => {
                    let new = device.blame(kind, &DeviceError::Backend("it does not answer".into()));
                    self.changed |= new;
                }
                DeviceState::Closed
                | DeviceState::Opening { .. }
                | DeviceState::Live { .. }
                | DeviceState::Failed { .. } => {}
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let look = matches!(self.camera.state, DeviceState::Live { .. }).then_some(self.pictures.look);
        KINDS.into_iter().filter_map(|kind| self.device(kind).due(self.now)).chain(look).min()
    }

    /// Devices came or went: what failed is tried again now.
    pub(crate) fn devices_changed(&mut self, now: Instant) {
        for kind in KINDS {
            if let DeviceState::Failed { .. } = self.device(kind).state {
                self.device_mut(kind).tries = 0;
                self.open(kind, now);
            }
        }
    }

    /// Which of microphone and camera the others shall think of as working, as far as they are wanted.
    pub(crate) fn able(&self, now: Instant) -> MediaState {
        MediaState { microphone: self.microphone.is_able(now), camera: self.camera.is_able(now) }
    }

    /// True once after each change of [`Capture::choice`] or [`Capture::problems`].
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// What is wrong now.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let devices = KINDS.into_iter().filter_map(|kind| self.device(kind).problem.clone());
        devices.chain(self.processing.clone()).collect()
    }

    /// Closes everything, and waits a little for that to be done: a file that plays the part of a loudspeaker is whole then.
    pub(crate) async fn end(self) {
        let Self { camera, microphone, speaker, mut ended, .. } = self;
        drop((camera, microphone, speaker));
        if tokio::time::timeout(GOODBYE, ended.recv()).await.is_err() {
            tracing::warn!("a device's driver hangs; it is left to close by itself");
        }
    }

    /// Whether pictures still come.
    fn look_at_pictures(&mut self, now: Instant) {
        let DeviceState::Live { number, failing, .. } = self.camera.state else { return };
        if now < self.pictures.look {
            return;
        }
        self.pictures.look = now + LOOK;
        if self.slot.newer_than(&mut self.pictures.seen).is_some() {
            self.pictures.newest = now;
            if failing.is_some() {
                self.works(DeviceKind::Camera, number, now);
            }
        } else if now.duration_since(self.pictures.newest) >= FROZEN {
            self.recovering(DeviceKind::Camera, now, &DeviceError::Backend("it gives no more pictures".into()));
        }
    }

    /// Something came from it.
    fn works(&mut self, kind: DeviceKind, number: u64, now: Instant) {
        if kind == DeviceKind::Camera {
            (self.pictures.newest, self.pictures.look) = (now, now + LOOK);
        }
        let device = self.device_mut(kind);
        let since = if let DeviceState::Live { since, .. } = device.state { since } else { now };
        device.state = DeviceState::Live { number, since, failing: None };
        if device.problem.take().is_some() {
            tracing::info!("{kind:?}: works again");
            self.changed = true;
        }
    }

    fn lost(&mut self, kind: DeviceKind, now: Instant, error: &DeviceError, audio: &Audio) {
        if let DeviceState::Live { since, .. } = self.device(kind).state
            && now.duration_since(since) >= SOUND
        {
            self.device_mut(kind).tries = 0;
        }
        self.shut(kind, audio);
        self.fail(kind, now, error);
    }

    /// A device that mends itself is in trouble.
    fn recovering(&mut self, kind: DeviceKind, now: Instant, error: &DeviceError) {
        let device = self.device_mut(kind);
        let new = device.blame(kind, error);
        if let DeviceState::Live { failing, .. } = &mut device.state {
            failing.get_or_insert(now);
        }
        self.changed |= new;
    }

    fn fail(&mut self, kind: DeviceKind, now: Instant, error: &DeviceError) {
        let device = self.device_mut(kind);
        let new = device.blame(kind, error);
        device.state = DeviceState::Failed { retry: now + RETRY[device.tries.min(RETRY.len() - 1)] };
        device.tries += 1;
        self.changed |= new;
    }

    /// No longer wanted, or another one is.
    fn close(&mut self, kind: DeviceKind, audio: &Audio) {
        self.shut(kind, audio);
        let device = self.device_mut(kind);
        let problem = device.problem.take();
        (device.state, device.tries) = (DeviceState::Closed, 0);
        self.changed |= problem.is_some();
    }

    /// From now on nothing of it is sent or shown, however long closing takes.
    fn shut(&mut self, kind: DeviceKind, audio: &Audio) {
        match kind {
            DeviceKind::Camera => self.slot.clear(),
            DeviceKind::Microphone => audio.send(Control::Microphone(None)),
            DeviceKind::Speaker => audio.send(Control::Speaker(None)),
        }
        self.device(kind).thread.close();
    }

    fn open(&mut self, kind: DeviceKind, now: Instant) {
        self.opened += 1;
        let number = self.opened;
        let chosen = match kind {
            DeviceKind::Camera => &self.choice.camera,
            DeviceKind::Microphone => &self.choice.microphone,
            DeviceKind::Speaker => &self.choice.speaker,
        };
        let id = chosen.clone().unwrap_or_default();
        let device = self.device_mut(kind);
        device.state = DeviceState::Opening { number, since: now };
        device.thread.open(number, id);
    }

    fn device(&self, kind: DeviceKind) -> &DeviceMachine {
        match kind {
            DeviceKind::Camera => &self.camera,
            DeviceKind::Microphone => &self.microphone,
            DeviceKind::Speaker => &self.speaker,
        }
    }

    fn device_mut(&mut self, kind: DeviceKind) -> &mut DeviceMachine {
        match kind {
            DeviceKind::Camera => &mut self.camera,
            DeviceKind::Microphone => &mut self.microphone,
            DeviceKind::Speaker => &mut self.speaker,
        }
    }
}

fn processing_failed() -> Problem {
    let message = "Removing echo and noise keeps failing and is off for the moment. Headphones keep echo away.";
    Problem { code: "processing_failed".into(), message: message.into(), device: None }
}

const KINDS: [DeviceKind; 3] = [DeviceKind::Camera, DeviceKind::Microphone, DeviceKind::Speaker];
