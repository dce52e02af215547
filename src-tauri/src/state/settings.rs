//! What the person decided, as it is kept in the settings file.

use engine::DeviceChoice;
use serde::{Deserialize, Serialize};

/// What the person decided. Whatever is missing in a file is as in [`Settings::default`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct Settings {
    /// What people call this person; empty before the first run.
    pub name: String,
    /// Language of the window; null: the system's.
    pub language: Option<Language>,
    /// Light or dark.
    pub theme: Theme,
    /// Servers this person agreed to.
    pub servers: Vec<KnownServer>,
    /// Which of them the window opens with.
    pub server: Option<u32>,
    /// How much noise is taken from the microphone.
    pub noise: Noise,
    /// Send music as it is: no noise suppression, no gain.
    pub music: bool,
    /// Whether the camera was on last time.
    pub camera_on: bool,
    /// Whether the microphone was on last time.
    pub microphone_on: bool,
    /// Chosen devices.
    pub devices: DeviceChoice,
    /// Size of text in percent, 100 to 200.
    pub text_percent: u32,
    /// Say by a notification when somebody comes or writes while the window is not looked at.
    pub notifications: bool,
    /// People whose keys this person has compared, in the order of comparing; at most [`Settings::MOST_KNOWN`].
    pub known: Vec<KnownPerson>,
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

    /// Adds somebody whose key was compared.
    pub fn know(&mut self, person: KnownPerson) {
        self.known.retain(|known| known.server != person.server || known.key != person.key);
        self.known.push(person);
        let over = self.known.len().saturating_sub(Self::MOST_KNOWN);
        self.known.drain(..over);
    }
}

/// A server this person agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct KnownServer {
    /// `ws:` or `wss:` address.
    pub url: String,
    /// SHA-256 of the only certificate to accept, 64 hexadecimal digits.
    #[serde(default)]
    pub fingerprint: Option<String>,
    /// For people.
    #[serde(default)]
    pub name: String,
    /// The secret of its community, which makes one a member; null: a guest there, if it asks for one.
    #[serde(default)]
    #[cfg_attr(test, ts(optional = nullable))]
    pub secret: Option<String>,
}

/// Language of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Korean.
    Ko,
    /// English.
    En,
}

/// Light or dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// How much noise is taken from the microphone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// None.
    Off,
    /// As much as a room needs.
    #[default]
    Normal,
    /// As much as a canteen needs.
    Strong,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name: String::new(),
            language: None,
            theme: Theme::System,
            servers: vec![],
            server: None,
            noise: Noise::Normal,
            music: false,
            camera_on: true,
            microphone_on: true,
            devices: DeviceChoice::default(),
            text_percent: 100,
            notifications: true,
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
