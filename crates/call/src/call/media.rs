//! The state of the microphone and the camera: what the person wants, what works, and what the others know of it.

use super::Call;
use crate::event::Output;
use signaling::message::{ClientMessage, MediaState};

impl Call {
    pub(super) fn set_media(&mut self, media: MediaState) {
        if media == self.media {
            return;
        }
        self.media = media;
        self.announce_media();
        self.capture();
    }

    pub(super) fn able(&mut self, able: MediaState) {
        if able != self.able {
            self.able = able;
            self.announce_media();
        }
    }

    /// What to tell the others about our media: devices that are on and work.
    pub(super) fn shown_media(&self) -> MediaState {
        MediaState {
            microphone: self.media.microphone && self.able.microphone,
            camera: self.media.camera && self.able.camera,
            screen: self.media.screen,
        }
    }

    pub(super) fn announce_media(&mut self) {
        let shown = self.shown_media();
        if self.is_active() && shown != self.announced {
            self.announced = shown;
            self.send(ClientMessage::Media(shown));
            self.changed = true;
        }
    }

    /// Opens devices as wanted while a call is active, and closes them otherwise.
    pub(super) fn capture(&mut self) {
        let wanted = MediaState { screen: false, ..self.media };
        let allowed = if self.is_active() { wanted } else { MediaState::default() };
        if allowed != self.captured {
            self.captured = allowed;
            self.outputs.push_back(Output::Capture(allowed));
        }
    }
}
