//! The devices: opened while the call or the preview needs them, closed otherwise, and reopened when lost. Threads open
//! and close them ([`thread`]). This module decides which, and never waits.

mod event;
#[cfg(test)]
mod tests;
mod thread;

pub(crate) use event::{CaptureEvent, EVENTS, Opened, on_report};

use crate::audio::{Audio, AudioReport, Control};
use crate::config::DeviceChoice;
use crate::sound_check::SoundCheckView;
use crate::video_out::VideoLimits;
use crate::view::Problem;
use devices::{
    Camera, CameraRequest, DeviceError, DeviceEvent, DeviceKind, Hold, Microphone, MicrophoneOptions, Speaker,
    SpeakerOptions,
};
use media::slot::FrameSlot;
use signaling::message::{MediaState, ParticipantId};
use std::time::{Duration, Instant};
use thread::{DeviceThread, Open};
use tokio::sync::mpsc;

/// Delays before a failed device is tried again. The last delay repeats. When the list of devices changes, a failed
/// device is tried immediately.
const RETRY: [Duration; 5] = [
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(30),
];
/// If a device worked for this long, its next failure starts with the first retry delay again.
const SOUND: Duration = Duration::from_secs(30);
/// How long a device may take to open, or be interrupted, before it is reported to the others as off.
const GRACE: Duration = Duration::from_secs(1);
/// How long an opened device may deliver nothing before it is reported as not answering. A camera is then opened again.
const SILENT: Duration = Duration::from_secs(15);
/// How often the camera is checked for new pictures, and how long it may deliver none before it is reported and opened
/// again: together less than two seconds. Cameras in the dark still deliver five pictures a second.
const LOOK: Duration = Duration::from_millis(300);
const FROZEN: Duration = Duration::from_millis(1_500);
/// How long the engine waits at its end for devices to close.
const GOODBYE: Duration = Duration::from_secs(2);

/// All devices in use.
pub(crate) struct Capture {
    choice: DeviceChoice,
    /// The slot of our own pictures.
    pub(crate) slot: FrameSlot,
    camera: DeviceMachine,
    microphone: DeviceMachine,
    speaker: DeviceMachine,
    processing: Option<Problem>,
    /// The participants in the same room, who are not played.
    same_room: Vec<ParticipantId>,
    /// How far the check of one's own sound has come.
    sound_check: SoundCheckView,
    /// Whether the choice, the problems, `same_room` or `sound_check` have changed since the last [`Capture::take_changed`].
    changed: bool,
    opened: u64,
    /// The time of the last [`Capture::handle_timeout`].
    now: Instant,
    pictures: PictureWatch,
    /// Delivers no messages. Closes when all threads have ended.
    ended: mpsc::Receiver<()>,
}

/// Watches whether the camera still delivers pictures: a driver may hang without an error.
struct PictureWatch {
    seen: u64,
    /// When the newest picture was first seen.
    newest: Instant,
    /// When to check next.
    look: Instant,
}

/// One kind of device.
struct DeviceMachine {
    state: DeviceState,
    /// The current problem. It stays the same from the first failure until the device works, is no longer wanted or
    /// fails in another way, so that each retry does not show it to the person again.
    problem: Option<Problem>,
    /// Failed attempts since the device last worked.
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
    /// `failing`: since when the device has been recovering on its own.
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

    /// Whether it should appear as working to the others: it works, or was interrupted only briefly.
    fn is_able(&self, now: Instant) -> bool {
        match self.state {
            DeviceState::Closed | DeviceState::Live { failing: None, .. } => true,
            DeviceState::Opening { since, .. } => self.problem.is_none() && now < since + GRACE,
            DeviceState::Live { failing: Some(since), .. } => now < since + GRACE,
            DeviceState::Failed { .. } => false,
        }
    }

    /// The next time after `now` at which the state changes without an event.
    fn due(&self, now: Instant) -> Option<Instant> {
        let all = match self.state {
            DeviceState::Closed | DeviceState::Live { failing: None, .. } => [None, None],
            DeviceState::Opening { since, .. } if self.problem.is_none() => [Some(since + GRACE), Some(since + SILENT)],
            DeviceState::Opening { since, .. } => [Some(since + SILENT), None],
            DeviceState::Live { failing: Some(since), .. } => [Some(since + GRACE), None],
            DeviceState::Failed { retry } => return Some(retry),
        };
        all.into_iter().flatten().filter(|at| *at > now).min()
    }

    /// Records the problem, and logs it if it is new. Returns whether it is new.
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
    /// Starts the threads, with no device open. Must be called within a tokio runtime.
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
            let options = MicrophoneOptions { replaceable: true, ..options };
            let mut microphone = Microphone::open_with(id, options, events)?;
            let hold = microphone.detach();
            Ok((Opened::Microphone(Box::new(microphone)), hold))
        });
        let speaker: Open = Box::new(move |id, events| {
            let mut speaker = Speaker::open_with(id, SpeakerOptions { replaceable: true }, events)?;
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
            same_room: vec![],
            sound_check: SoundCheckView::Idle,
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

    /// Changes the devices in use. Closes the open devices of the kinds that changed.
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

    /// Opens wanted devices that are closed, and closes unwanted ones.
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

    /// Takes a report. Reports of an abandoned opening are dropped.
    pub(crate) fn handle(&mut self, now: Instant, event: CaptureEvent, audio: &Audio) {
        match event {
            CaptureEvent::Opened(kind, n, result) if self.device(kind).is(n) => match result {
                // It is live as soon as it delivers a picture.
                Ok(Opened::Camera) => {}
                Ok(Opened::Microphone(microphone)) => audio.send(Control::Microphone(Some(*microphone))),
                Ok(Opened::Speaker(speaker)) => audio.send(Control::Speaker(Some(*speaker))),
                Err(error) => self.fail(kind, now, &error),
            },
            CaptureEvent::Device(kind, n, event) if self.device(kind).is(n) => match (event, kind) {
                (DeviceEvent::Live, _) => self.works(kind, n, now),
                (DeviceEvent::Replaced, _) => self.replaced(kind, n, now),
                (DeviceEvent::Gone, _) => self.lost(kind, now, &DeviceError::Gone, audio),
                (DeviceEvent::Failed(error), DeviceKind::Camera) => self.lost(kind, now, &error, audio),
                (DeviceEvent::Failed(error), DeviceKind::Microphone | DeviceKind::Speaker) => {
                    self.recovering(kind, now, &error);
                }
            },
            CaptureEvent::Audio(report) => {
                match report {
                    AudioReport::Failing(failing) => self.processing = failing.then(processing_failed),
                    AudioReport::SameRoom(here) => self.same_room = here,
                    AudioReport::SoundCheck(view) => self.sound_check = view,
                }
                self.changed = true;
            }
            CaptureEvent::Opened(..) | CaptureEvent::Device(..) => {}
        }
    }

    /// Retries failed devices, and reports silent ones.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.look_at_pictures(now);
        for kind in KINDS {
            let device = self.device_mut(kind);
            match device.state {
                DeviceState::Failed { retry } if retry <= now => self.open(kind, now),
                DeviceState::Opening { since, .. } if since + SILENT <= now && kind == DeviceKind::Camera => {
                    self.reopen_camera(now, "it does not answer");
                }
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

    /// The list of devices changed: failed devices are tried again immediately.
    pub(crate) fn devices_changed(&mut self, now: Instant) {
        KINDS.into_iter().for_each(|kind| self.retry(kind, now));
    }

    /// Tries a failed device again immediately.
    pub(crate) fn retry(&mut self, kind: DeviceKind, now: Instant) {
        if let DeviceState::Failed { .. } = self.device(kind).state {
            self.device_mut(kind).tries = 0;
            self.open(kind, now);
        }
    }

    /// Whether microphone and camera should appear as working to the others, as far as they are wanted.
    pub(crate) fn able(&self, now: Instant) -> MediaState {
        MediaState { microphone: self.microphone.is_able(now), camera: self.camera.is_able(now), screen: false }
    }

    /// The participants in the same room, who are not played.
    pub(crate) fn same_room(&self) -> &[ParticipantId] {
        &self.same_room
    }

    /// How far the check of one's own sound has come.
    pub(crate) fn sound_check(&self) -> &SoundCheckView {
        &self.sound_check
    }

    /// Returns true once after each change of the choice, the problems, [`Capture::same_room`] or
    /// [`Capture::sound_check`].
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The current problems.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let devices = KINDS.into_iter().filter_map(|kind| self.device(kind).problem.clone());
        devices.chain(self.processing.clone()).collect()
    }

    /// Closes all devices and waits up to [`GOODBYE`], so that a file that serves as a loudspeaker is complete.
    pub(crate) async fn end(self) {
        let Self { camera, microphone, speaker, mut ended, .. } = self;
        drop((camera, microphone, speaker));
        if tokio::time::timeout(GOODBYE, ended.recv()).await.is_err() {
            tracing::warn!("a device's driver hangs: not waiting for it to close");
        }
    }

    /// Checks whether the camera still delivers pictures.
    fn look_at_pictures(&mut self, now: Instant) {
        let DeviceState::Live { .. } = self.camera.state else { return };
        if now < self.pictures.look {
            return;
        }
        self.pictures.look = now + LOOK;
        if self.slot.newer_than(&mut self.pictures.seen).is_some() {
            self.pictures.newest = now;
        } else if now.duration_since(self.pictures.newest) >= FROZEN {
            self.reopen_camera(now, "it delivers no more pictures");
        }
    }

    /// A driver that hangs says nothing: closes the camera, and opens it again after a pause.
    fn reopen_camera(&mut self, now: Instant, why: &str) {
        self.forget_tries(DeviceKind::Camera, now);
        self.slot.clear();
        self.camera.thread.close();
        self.fail(DeviceKind::Camera, now, &DeviceError::Backend(why.into()));
    }

    /// The device delivered a picture or sound.
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

    /// The chosen device is absent, and the system's default replaces it.
    fn replaced(&mut self, kind: DeviceKind, number: u64, now: Instant) {
        self.works(kind, number, now);
        let message = "The chosen device is not connected. The default device is used until it returns.";
        let problem = Problem { code: "device_replaced".into(), message: message.into(), device: Some(kind) };
        tracing::info!("{kind:?}: the default replaces the chosen device");
        self.device_mut(kind).problem = Some(problem);
        self.changed = true;
    }

    fn lost(&mut self, kind: DeviceKind, now: Instant, error: &DeviceError, audio: &Audio) {
        self.forget_tries(kind, now);
        self.shut(kind, audio);
        self.fail(kind, now, error);
    }

    /// A device that worked for long is tried again soon.
    fn forget_tries(&mut self, kind: DeviceKind, now: Instant) {
        if let DeviceState::Live { since, .. } = self.device(kind).state
            && now.duration_since(since) >= SOUND
        {
            self.device_mut(kind).tries = 0;
        }
    }

    /// A device reports a fault from which it recovers on its own.
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

    /// Closes a device that is no longer wanted, or is replaced.
    fn close(&mut self, kind: DeviceKind, audio: &Audio) {
        self.shut(kind, audio);
        let device = self.device_mut(kind);
        let problem = device.problem.take();
        (device.state, device.tries) = (DeviceState::Closed, 0);
        self.changed |= problem.is_some();
    }

    /// Stops sending and showing the device's output immediately, however long closing takes.
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
    let message = "Echo and noise removal keeps failing and is off for now. Use headphones to avoid echo.";
    Problem { code: "processing_failed".into(), message: message.into(), device: None }
}

const KINDS: [DeviceKind; 3] = [DeviceKind::Camera, DeviceKind::Microphone, DeviceKind::Speaker];
