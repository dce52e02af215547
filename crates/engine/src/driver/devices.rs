//! Cameras, microphones and loudspeakers: which exist, which are wanted, and which are open.

use crate::audio::{Audio, AudioReport, Control};
use crate::capture::{Capture, CaptureEvent};
use crate::chime;
use crate::config::DeviceChoice;
use crate::levels::Levels;
use crate::playing::Volumes;
use crate::sound_check::SoundCheckView;
use crate::view::Problem;
use devices::{DeviceInfo, DeviceKind};
use media::slot::FrameSlot;
use signaling::message::{MediaState, ParticipantId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The highest volume of a person, in percent.
const LOUDEST: u16 = 200;
/// How long a loudspeaker may take to open before the test sound is abandoned.
const OPENING: Duration = Duration::from_secs(2);

/// Owns the devices, and knows which of them the person and the call want open.
pub(crate) struct Devices {
    capture: Capture,
    audio: Audio,
    /// The devices found by the last search.
    found: Arc<[DeviceInfo]>,
    /// The devices that the person previews before joining.
    preview: MediaState,
    /// The devices that the call allows to be open.
    allowed: MediaState,
    /// Whether the microphone stays open in a call while it is off, so that the person is told when they speak, and
    /// pressing a key to talk loses no word. None of that sound leaves the audio thread.
    listens: bool,
    /// Whether the microphone is open only for that.
    listening: bool,
    /// Whether the audio thread sends.
    sending: bool,
    /// The volumes that the person chose, in percent by key.
    volumes: BTreeMap<String, u16>,
    /// The gains of those people who are in the call.
    gains: Volumes,
    /// When the test of the loudspeaker ends.
    sounding: Option<Instant>,
    /// Whether the check of one's own sound needs microphone and loudspeaker.
    checking: bool,
    /// Whether `found` or `listening` has changed since the last [`Devices::take_changed`].
    found_changed: bool,
}

impl Devices {
    /// Starts with no device open.
    pub(crate) fn new(capture: Capture, audio: Audio) -> Self {
        Self {
            capture,
            audio,
            found: Arc::default(),
            preview: MediaState::default(),
            allowed: MediaState::default(),
            listens: false,
            listening: false,
            sending: false,
            volumes: BTreeMap::new(),
            gains: vec![],
            sounding: None,
            checking: false,
            found_changed: false,
        }
    }

    /// Takes a report of a device.
    pub(crate) fn handle(&mut self, now: Instant, event: CaptureEvent) {
        let is_report = matches!(event, CaptureEvent::Audio(AudioReport::SoundCheck(_)));
        self.capture.handle(now, event, &self.audio);
        if is_report {
            self.checking = self.capture.sound_check().is_running();
        }
    }

    /// Takes the result of a search for devices.
    pub(crate) fn handle_found(&mut self, now: Instant, devices: Vec<DeviceInfo>) {
        if *self.found != *devices {
            self.found = devices.into();
            self.found_changed = true;
            self.capture.devices_changed(now);
        }
    }

    /// Sets the devices that the person previews before joining.
    pub(crate) fn set_preview(&mut self, media: MediaState) {
        self.preview = media;
    }

    /// Sets the devices that the call allows to be open.
    pub(crate) fn set_allowed(&mut self, media: MediaState) {
        self.allowed = media;
    }

    /// Sets whether the microphone stays open in a call while it is off.
    pub(crate) fn set_listens(&mut self, on: bool) {
        self.listens = on;
    }

    /// Whether the microphone is open only to notice that the person speaks while it is off.
    pub(crate) fn is_listening(&self) -> bool {
        self.listening
    }

    /// Changes the devices in use.
    pub(crate) fn choose(&mut self, choice: DeviceChoice) {
        self.capture.choose(choice, &self.audio);
    }

    /// Plays the test sound.
    pub(crate) fn test_sound(&mut self, now: Instant) {
        let until = now + chime::LENGTH + OPENING;
        self.sounding = Some(until);
        self.audio.send(Control::Chime(until));
    }

    /// Starts the check of one's own sound, or stops it.
    pub(crate) fn check_sound(&mut self, on: bool) {
        if on || self.checking || *self.capture.sound_check() != SoundCheckView::Idle {
            self.checking = on;
            self.audio.send(Control::SoundCheck(on));
        }
    }

    /// How far the check of one's own sound has come.
    pub(crate) fn sound_check(&self) -> &SoundCheckView {
        self.capture.sound_check()
    }

    /// The participants in the same room, who are not played.
    pub(crate) fn same_room(&self) -> &[ParticipantId] {
        self.capture.same_room()
    }

    /// Plays a participant even if they are in the same room.
    pub(crate) fn play_anyway(&mut self, id: ParticipantId) {
        self.audio.send(Control::PlayAnyway(id));
    }

    /// Sets the volumes of people by key, in percent. Those without an entry have 100.
    pub(crate) fn set_volumes(&mut self, volumes: BTreeMap<String, u16>) {
        self.volumes = volumes;
    }

    /// Tells the audio thread how loud each participant is to be.
    pub(crate) fn set_participants<'a>(&mut self, people: impl Iterator<Item = (&'a ParticipantId, &'a str)>) {
        let gain = |(id, key): (&ParticipantId, &str)| {
            let percent = self.volumes.get(key).copied().filter(|percent| *percent != 100)?;
            Some((id.clone(), f32::from(percent.min(LOUDEST)) / 100.0))
        };
        let gains: Volumes = people.filter_map(gain).collect();
        if gains != self.gains {
            self.gains.clone_from(&gains);
            self.audio.send(Control::Volumes(gains));
        }
    }

    /// Changes how the microphone's sound is processed.
    pub(crate) fn set_processing(&mut self, config: codecs::ApmConfig) {
        self.audio.send(Control::Processing(config));
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.capture.handle_timeout(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.capture.poll_timeout(), self.sounding].into_iter().flatten().min()
    }

    /// Opens the wanted devices and closes the others.
    pub(crate) fn update(&mut self, now: Instant, in_call: bool) {
        self.sounding.take_if(|until| *until <= now);
        let speaker = in_call || self.preview.microphone || self.sounding.is_some() || self.checking;
        let used = self.allowed.microphone || self.preview.microphone || self.checking;
        let listening = in_call && self.listens && !used;
        if std::mem::replace(&mut self.listening, listening) != listening {
            self.found_changed = true;
            self.capture.retry(DeviceKind::Microphone, now); // the person may want it now
        }
        let sending = in_call && self.allowed.microphone;
        if std::mem::replace(&mut self.sending, sending) != sending {
            self.audio.send(Control::Sending(sending));
        }
        let wanted = MediaState {
            microphone: used || listening,
            camera: self.allowed.camera || self.preview.camera,
            screen: false,
        };
        self.capture.want(now, wanted, speaker, &self.audio);
    }

    /// Whether microphone and camera should appear as working to the others, as far as they are wanted.
    pub(crate) fn able(&self, now: Instant) -> MediaState {
        self.capture.able(now)
    }

    /// The slot of our own pictures.
    pub(crate) fn pictures(&self) -> FrameSlot {
        self.capture.slot.clone()
    }

    /// The loudness of everybody.
    pub(crate) fn levels(&self) -> watch::Receiver<Levels> {
        self.audio.levels.clone()
    }

    /// Returns true once after each change of the devices found, the devices chosen or the problems.
    pub(crate) fn take_changed(&mut self) -> bool {
        self.capture.take_changed() | std::mem::take(&mut self.found_changed)
    }

    /// The devices found by the last search.
    pub(crate) fn found(&self) -> Arc<[DeviceInfo]> {
        self.found.clone()
    }

    /// The chosen devices.
    pub(crate) fn choice(&self) -> &DeviceChoice {
        self.capture.choice()
    }

    /// The current problems. Those of a microphone that is off do not matter to anybody.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut all = self.capture.problems();
        all.retain(|problem| !(self.listening && problem.device == Some(DeviceKind::Microphone)));
        all
    }

    /// Closes all devices, and waits up to two seconds until they are closed.
    pub(crate) async fn end(self) {
        self.capture.end().await;
    }
}
