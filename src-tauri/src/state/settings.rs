//! What the person decided, as it is kept in the settings file.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::DeviceChoice;
use engine::signaling::avatar::{AVATAR_COLORS, Avatar, PhotoError, clean_glyph, photo_id, without_metadata};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The person's settings. Fields that a file lacks are as in [`Settings::default`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct Settings {
    /// The name that others see. Empty before the first run.
    pub name: String,
    /// How others see the person where there is no camera.
    pub avatar: OwnAvatar,
    /// The language of the window. Null means the system's.
    pub language: Option<Language>,
    /// Light or dark.
    pub theme: Theme,
    /// The servers that the person accepted.
    pub servers: Vec<KnownServer>,
    /// The index of the server that is selected at launch.
    pub server: Option<u32>,
    /// The strength of noise suppression.
    pub noise: Noise,
    /// Whether music is sent unchanged, without noise suppression and gain control.
    pub music: bool,
    /// Whether the microphone stays open in a call while it is off, so that a person who speaks is told.
    pub listen_while_muted: bool,
    /// Whether calls use only relayed paths, so that other people do not see this device's addresses.
    pub relay_only: bool,
    /// Whether the camera was on in the last call.
    pub camera_on: bool,
    /// Whether the microphone was on in the last call.
    pub microphone_on: bool,
    /// The chosen devices.
    pub devices: DeviceChoice,
    /// Whether the own picture is mirrored, as people know themselves. Others never see it mirrored.
    pub mirror_own: bool,
    /// Whether the own tile is shown in a call with others.
    pub show_own: bool,
    /// The text size in percent, 100 to 200.
    pub text_percent: u32,
    /// Whether a notification is shown when somebody joins or writes while the window is not focused.
    pub notifications: bool,
    /// Until when there are no notifications nevertheless, Unix milliseconds.
    #[cfg_attr(test, ts(type = "number | null"))]
    pub quiet_until_ms: Option<u64>,
    /// Whether calls use little data: small pictures in both directions, and whole sound.
    pub data_saver: bool,
    /// Whether the app stays in the tray when its window is closed, for reminders.
    pub close_to_tray: bool,
    /// Whether the app starts when the person logs in, without its window.
    pub autostart: bool,
    /// The keys that mute and unmute in a call, also while another app is focused, such as `Ctrl+Shift+KeyM`.
    pub mute_keys: Option<String>,
    /// The keys that unmute as long as they are held, in the same way.
    pub talk_keys: Option<String>,
    /// How loud people are played, in percent by key; those without an entry have 100. At most [`Settings::MOST_KNOWN`].
    pub volumes: BTreeMap<String, u16>,
    /// People whose keys this person has compared, in the order of comparing; at most [`Settings::MOST_KNOWN`].
    pub known: Vec<KnownPerson>,
}

/// How others see the person, with the photo itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct OwnAvatar {
    /// The number of a colour. Null: the one that follows from the key.
    pub color: Option<u8>,
    /// A letter or an emoji. Null: the initials of the name.
    pub glyph: Option<String>,
    /// A photo without metadata: a JPEG, base64url.
    pub photo: Option<String>,
}

impl OwnAvatar {
    /// Removes what a server would refuse, and the metadata of the photo.
    ///
    /// # Errors
    /// The photo is not a JPEG or too large.
    pub fn cleaned(mut self) -> Result<Self, PhotoError> {
        self.color = self.color.filter(|color| *color < AVATAR_COLORS);
        self.glyph = self.glyph.and_then(|glyph| clean_glyph(&glyph).ok().flatten());
        let bytes = self.photo.map(|photo| URL_SAFE_NO_PAD.decode(photo)).transpose();
        let clean = bytes.map_err(|_| PhotoError::NotJpeg)?.map(|bytes| without_metadata(&bytes)).transpose()?;
        self.photo = clean.map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        Ok(self)
    }

    /// What others see of it.
    pub fn shown(&self) -> Avatar {
        let bytes = self.photo.as_ref().and_then(|photo| URL_SAFE_NO_PAD.decode(photo).ok());
        Avatar { photo: bytes.map(|bytes| photo_id(&bytes)), color: self.color, glyph: self.glyph.clone() }
    }
}

/// A person whose key was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct KnownPerson {
    /// Address of the server: a device has another key at each.
    pub server: String,
    /// Device key, base64url.
    pub key: String,
    /// Their name at that time.
    pub name: String,
}

impl Settings {
    /// People that are kept. When there are more, the oldest is dropped.
    pub const MOST_KNOWN: usize = 1_000;

    /// Keeps only volumes that differ from the usual one, and drops some of too many.
    pub fn tidy_volumes(&mut self) {
        self.volumes.retain(|_, percent| *percent != 100);
        while self.volumes.len() > Self::MOST_KNOWN {
            self.volumes.pop_first();
        }
    }

    /// Adds somebody whose key was compared.
    pub fn know(&mut self, person: KnownPerson) {
        self.known.retain(|known| known.server != person.server || known.key != person.key);
        self.known.push(person);
        let over = self.known.len().saturating_sub(Self::MOST_KNOWN);
        self.known.drain(..over);
    }
}

/// A server that the person accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct KnownServer {
    /// The `ws:` or `wss:` address.
    pub url: String,
    /// SHA-256 of the only accepted certificate, 64 hexadecimal digits.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// The displayed name.
    #[serde(default)]
    pub name: String,
    /// The secret of its community, which makes the person a member. Null: a guest, if the server requires a secret.
    #[serde(default)]
    #[cfg_attr(test, ts(optional = nullable))]
    pub secret: Option<String>,
    /// The token in the address of the person's calendar there. Null: they have not asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(optional = nullable))]
    pub calendar: Option<String>,
}

/// The language of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Korean.
    Ko,
    /// English.
    En,
}

impl From<Language> for engine::Language {
    fn from(language: Language) -> engine::Language {
        match language {
            Language::Ko => engine::Language::Ko,
            Language::En => engine::Language::En,
        }
    }
}

/// Light or dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// The system's choice.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// The strength of noise suppression.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// No suppression.
    Off,
    /// Enough for a quiet room.
    #[default]
    Normal,
    /// Enough for a canteen.
    Strong,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            avatar: OwnAvatar::default(),
            language: None,
            theme: Theme::System,
            servers: vec![],
            server: None,
            noise: Noise::Normal,
            music: false,
            listen_while_muted: true,
            relay_only: false,
            camera_on: true,
            microphone_on: true,
            devices: DeviceChoice::default(),
            mirror_own: true,
            show_own: true,
            text_percent: 100,
            notifications: true,
            quiet_until_ms: None,
            data_saver: false,
            close_to_tray: false,
            autostart: false,
            mute_keys: None,
            talk_keys: None,
            volumes: BTreeMap::new(),
            known: vec![],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(n: usize) -> KnownPerson {
        KnownPerson { server: "wss://lunch.example".into(), key: format!("key {n}"), name: format!("Person {n}") }
    }

    #[test]
    fn a_person_is_known_once_and_the_oldest_of_too_many_is_dropped() {
        let mut settings = Settings::default();
        (0..Settings::MOST_KNOWN).for_each(|n| settings.know(person(n)));
        settings.know(KnownPerson { name: "Ada B.".into(), ..person(0) });
        assert_eq!(settings.known.len(), Settings::MOST_KNOWN);
        assert_eq!(settings.known.last().map(|known| known.name.as_str()), Some("Ada B."));
        settings.know(person(Settings::MOST_KNOWN));
        assert_eq!(settings.known.len(), Settings::MOST_KNOWN);
        assert!(!settings.known.contains(&person(1)));
        settings.know(KnownPerson { server: "wss://tea.example".into(), ..person(5) });
        assert!(settings.known.contains(&person(5)), "at another server it is another key");
    }
}
