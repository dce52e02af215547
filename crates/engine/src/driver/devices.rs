//! Cameras, microphones and loudspeakers: which there are, which are wanted, and what is open.

use crate::audio::{Audio, Control};
use crate::capture::{Capture, CaptureEvent};
use crate::chime;
use crate::config::DeviceChoice;
use crate::levels::Levels;
use crate::view::Problem;
use devices::DeviceInfo;
use media::slot::FrameSlot;
use signaling::message::MediaState;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a loudspeaker may take to open before the test sound is given up.
const OPENING: Duration = Duration::from_secs(2);

/// Owns the devices, and what the person and the call want of them.
pub(crate) struct Devices {
    capture: Capture,
    audio: Audio,
    /// Found at the last look.
    found: Arc<[DeviceInfo]>,
    /// What the person looks at and listens to before joining.
    preview: MediaState,
    /// What the call allows to be open.
    allowed: MediaState,
    /// The loudspeaker is tried out until then.
    sounding: Option<Instant>,
    /// Whether `found` is another list than at the last [`Devices::take_changed`].
    found_changed: bool,
}

impl Devices {
    /// Nothing is open.
    pub(crate) fn new(capture: Capture, audio: Audio) -> Self {
        Self {
            capture,
            audio,
            found: Arc::default(),
            preview: MediaState::default(),
            allowed: MediaState::default(),
            sounding: None,
            found_changed: false,
        }
    }

    /// Takes the report of a device.
    pub(crate) fn handle(&mut self, now: Instant, event: CaptureEvent) {
        self.capture.handle(now, event, &self.audio);
    }

    /// Takes the devices that were found.
    pub(crate) fn handle_found(&mut self, now: Instant, devices: Vec<DeviceInfo>) {
        if *self.found != *devices {
            self.found = devices.into();
            self.found_changed = true;
            self.capture.devices_changed(now);
        }
    }

    /// What the person wants to see and hear of themselves before joining.
    pub(crate) fn set_preview(&mut self, media: MediaState) {
        self.preview = media;
    }

    /// What the call allows to be open.
    pub(crate) fn set_allowed(&mut self, media: MediaState) {
        self.allowed = media;
    }

    /// Uses other devices from now on.
    pub(crate) fn choose(&mut self, choice: DeviceChoice) {
        self.capture.choose(choice, &self.audio);
    }

    /// Plays the test sound.
    pub(crate) fn test_sound(&mut self, now: Instant) {
        let until = now + chime::LENGTH + OPENING;
        self.sounding = Some(until);
        self.audio.send(Control::Chime(until));
    }

    /// Processes the microphone's sound like this from now on.
    pub(crate) fn set_processing(&mut self, config: codecs::ApmConfig) {
        self.audio.send(Control::Processing(config));
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.capture.handle_timeout(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.capture.poll_timeout(), self.sounding].into_iter().flatten().min()
    }

    /// Opens what is wanted and closes the rest.
    pub(crate) fn update(&mut self, now: Instant, in_call: bool) {
        self.sounding.take_if(|until| *until <= now);
        let speaker = in_call || self.preview.microphone || self.sounding.is_some();
        let wanted = MediaState {
            microphone: self.allowed.microphone || self.preview.microphone,
            camera: self.allowed.camera || self.preview.camera,
        };
        self.capture.want(now, wanted, speaker, &self.audio);
    }

    /// Which of microphone and camera the others shall think of as working, as far as they are wanted.
    pub(crate) fn able(&self, now: Instant) -> MediaState {
        self.capture.able(now)
    }

    /// Own pictures.
    pub(crate) fn pictures(&self) -> FrameSlot {
        self.capture.slot.clone()
    }

    /// How loud everybody is.
    pub(crate) fn levels(&self) -> watch::Receiver<Levels> {
        self.audio.levels.clone()
    }

    /// True once after each change of what is found, chosen or wrong.
    pub(crate) fn take_changed(&mut self) -> bool {
        self.capture.take_changed() | std::mem::take(&mut self.found_changed)
    }

    /// Devices found at the last look.
    pub(crate) fn found(&self) -> Arc<[DeviceInfo]> {
        self.found.clone()
    }

    /// Devices in use, as chosen.
    pub(crate) fn choice(&self) -> &DeviceChoice {
        self.capture.choice()
    }

    /// What is wrong now.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        self.capture.problems()
    }

    /// Closes everything, and waits a little for that to be done.
    pub(crate) async fn end(self) {
        self.capture.end().await;
    }
}
