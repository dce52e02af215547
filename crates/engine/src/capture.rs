//! Devices: opened when the call or the person's own preview wants them, closed otherwise, opened again when lost.

use crate::audio::{Audio, Control};
use crate::config::DeviceChoice;
use crate::video_out::VideoLimits;
use crate::view::Problem;
use devices::{
    Camera, CameraRequest, DeviceError, DeviceEvent, DeviceKind, EventSink, Microphone, MicrophoneOptions, Speaker,
};
use media::slot::FrameSlot;
use signaling::message::MediaState;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What devices tell the driver. When the queue is full an event is lost, which the next one makes good.
pub(crate) const EVENTS: usize = 32;
/// A device that failed is tried again after this.
const RETRY: Duration = Duration::from_secs(2);

/// News of a device; the number tells which opening it belongs to.
pub(crate) enum News {
    Camera(u64, Result<Camera, DeviceError>),
    Microphone(u64, Result<Microphone, DeviceError>),
    Speaker(u64, Result<Speaker, DeviceError>),
    Event(DeviceKind, u64, DeviceEvent),
}

/// All devices in use.
pub(crate) struct Capture {
    news: mpsc::Sender<News>,
    limits: VideoLimits,
    choice: DeviceChoice,
    options: MicrophoneOptions,
    /// Own pictures.
    pub(crate) slot: FrameSlot,
    camera: Device,
    microphone: Device,
    speaker: Device,
    open_camera: Option<Camera>,
    opened: u64,
}

/// One device of a kind.
///
/// ```text
///  Closed ──wanted──▶ Opening ──opened──▶ Live
///    ▲                 │   ▲               │
///    │               error └──retry──┐    gone
///    └──unwanted────── ▼ ───────── Failed ◀┘
/// ```
enum Device {
    Closed,
    Opening {
        number: u64,
    },
    /// With a problem: it is trying to come back by itself.
    Live {
        number: u64,
        problem: Option<Problem>,
    },
    Failed {
        retry: Instant,
        problem: Problem,
    },
}

impl Device {
    fn is(&self, n: u64) -> bool {
        match self {
            Device::Opening { number } | Device::Live { number, .. } => *number == n,
            Device::Closed | Device::Failed { .. } => false,
        }
    }

    fn is_closed(&self) -> bool {
        matches!(self, Device::Closed)
    }
}

impl Capture {
    pub(crate) fn new(
        news: mpsc::Sender<News>,
        limits: VideoLimits,
        choice: DeviceChoice,
        options: MicrophoneOptions,
    ) -> Self {
        Self {
            news,
            limits,
            choice,
            options,
            slot: FrameSlot::new(),
            camera: Device::Closed,
            microphone: Device::Closed,
            speaker: Device::Closed,
            open_camera: None,
            opened: 0,
        }
    }

    pub(crate) fn choice(&self) -> &DeviceChoice {
        &self.choice
    }

    /// Uses other devices; what is open of the changed kinds is closed first.
    pub(crate) fn choose(&mut self, choice: DeviceChoice, audio: &Audio) {
        let old = std::mem::replace(&mut self.choice, choice);
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
    pub(crate) fn want(&mut self, media: MediaState, speaker: bool, audio: &Audio) {
        let speaker = speaker && self.choice.speaker.as_deref() != Some("off");
        for (kind, wanted) in [
            (DeviceKind::Camera, media.camera),
            (DeviceKind::Microphone, media.microphone),
            (DeviceKind::Speaker, speaker),
        ] {
            match (wanted, self.device(kind).is_closed()) {
                (true, true) => self.open(kind),
                (false, false) => self.close(kind, audio),
                (true, false) | (false, true) => {}
            }
        }
    }

    /// Takes news; those of an opening that was given up are dropped, and the device in them with it.
    pub(crate) fn handle(&mut self, now: Instant, news: News, audio: &Audio) {
        match news {
            News::Camera(n, result) if self.camera.is(n) => {
                let opened = self.settle(DeviceKind::Camera, n, now, result);
                self.open_camera = opened;
            }
            News::Microphone(n, result) if self.microphone.is(n) => {
                let opened = self.settle(DeviceKind::Microphone, n, now, result);
                audio.tell(Control::Microphone(opened));
            }
            News::Speaker(n, result) if self.speaker.is(n) => {
                let opened = self.settle(DeviceKind::Speaker, n, now, result);
                audio.tell(Control::Speaker(opened));
            }
            News::Event(kind, n, event) if self.device(kind).is(n) => match event {
                DeviceEvent::Live => self.recovering(kind, n, None),
                DeviceEvent::Gone => self.lost(kind, now, DeviceError::Gone, audio),
                DeviceEvent::Failed(error) => match kind {
                    DeviceKind::Camera => self.lost(kind, now, error, audio),
                    DeviceKind::Microphone | DeviceKind::Speaker => self.recovering(kind, n, Some(&error)),
                },
            },
            News::Camera(..) | News::Microphone(..) | News::Speaker(..) | News::Event(..) => {}
        }
    }

    /// Tries failed devices again.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        for kind in KINDS {
            let due = matches!(self.device(kind), Device::Failed { retry, .. } if *retry <= now);
            if due {
                self.open(kind);
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let retry = |kind| match self.device(kind) {
            Device::Failed { retry, .. } => Some(*retry),
            Device::Closed | Device::Opening { .. } | Device::Live { .. } => None,
        };
        KINDS.into_iter().filter_map(retry).min()
    }

    /// What is wrong now.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let problem = |kind| match self.device(kind) {
            Device::Failed { problem, .. } => Some(problem.clone()),
            Device::Live { problem, .. } => problem.clone(),
            Device::Closed | Device::Opening { .. } => None,
        };
        KINDS.into_iter().filter_map(problem).collect()
    }

    fn settle<T>(&mut self, kind: DeviceKind, number: u64, now: Instant, result: Result<T, DeviceError>) -> Option<T> {
        match result {
            Ok(device) => {
                *self.device_mut(kind) = Device::Live { number, problem: None };
                Some(device)
            }
            Err(error) => {
                self.fail(kind, now, &error);
                None
            }
        }
    }

    fn lost(&mut self, kind: DeviceKind, now: Instant, error: DeviceError, audio: &Audio) {
        self.close(kind, audio);
        self.fail(kind, now, &error);
    }

    /// A device that mends itself tells how it fares.
    fn recovering(&mut self, kind: DeviceKind, number: u64, error: Option<&DeviceError>) {
        if let Device::Live { .. } = self.device(kind) {
            let problem = error.map(|error| problem(kind, error));
            *self.device_mut(kind) = Device::Live { number, problem };
        }
    }

    fn fail(&mut self, kind: DeviceKind, now: Instant, error: &DeviceError) {
        log::warn!("{kind:?}: {error}");
        *self.device_mut(kind) = Device::Failed { retry: now + RETRY, problem: problem(kind, error) };
    }

    fn close(&mut self, kind: DeviceKind, audio: &Audio) {
        match kind {
            DeviceKind::Camera => {
                // Closing a driver can take long; the light must go off, the call must not wait for it.
                if let Some(camera) = self.open_camera.take() {
                    tokio::task::spawn_blocking(move || drop(camera));
                }
                self.slot.clear();
            }
            DeviceKind::Microphone => audio.tell(Control::Microphone(None)),
            DeviceKind::Speaker => audio.tell(Control::Speaker(None)),
        }
        *self.device_mut(kind) = Device::Closed;
    }

    fn open(&mut self, kind: DeviceKind) {
        self.opened += 1;
        let number = self.opened;
        *self.device_mut(kind) = Device::Opening { number };
        let news = self.news.clone();
        let events = self.events(kind, number);
        let id = |chosen: &Option<String>| chosen.clone().unwrap_or_default();
        match kind {
            DeviceKind::Camera => {
                let VideoLimits { width, height, fps } = self.limits;
                let (id, slot) = (id(&self.choice.camera), self.slot.clone());
                tokio::task::spawn_blocking(move || {
                    let camera = Camera::open(&id, CameraRequest { width, height, fps }, slot, events);
                    let _ = news.blocking_send(News::Camera(number, camera)); // the engine may be gone
                });
            }
            DeviceKind::Microphone => {
                let (id, options) = (id(&self.choice.microphone), self.options);
                tokio::task::spawn_blocking(move || {
                    let microphone = Microphone::open_with(&id, options, events);
                    let _ = news.blocking_send(News::Microphone(number, microphone));
                });
            }
            DeviceKind::Speaker => {
                let id = id(&self.choice.speaker);
                tokio::task::spawn_blocking(move || {
                    let speaker = Speaker::open(&id, events);
                    let _ = news.blocking_send(News::Speaker(number, speaker));
                });
            }
        }
    }

    fn events(&self, kind: DeviceKind, number: u64) -> EventSink {
        let news = self.news.clone();
        Arc::new(move |event| {
            if news.try_send(News::Event(kind, number, event)).is_err() {
                log::warn!("news of a device were lost");
            }
        })
    }

    fn device(&self, kind: DeviceKind) -> &Device {
        match kind {
            DeviceKind::Camera => &self.camera,
            DeviceKind::Microphone => &self.microphone,
            DeviceKind::Speaker => &self.speaker,
        }
    }

    fn device_mut(&mut self, kind: DeviceKind) -> &mut Device {
        match kind {
            DeviceKind::Camera => &mut self.camera,
            DeviceKind::Microphone => &mut self.microphone,
            DeviceKind::Speaker => &mut self.speaker,
        }
    }
}

fn problem(kind: DeviceKind, error: &DeviceError) -> Problem {
    Problem { code: error.code().into(), message: error.to_string(), device: Some(kind) }
}

const KINDS: [DeviceKind; 3] = [DeviceKind::Camera, DeviceKind::Microphone, DeviceKind::Speaker];
