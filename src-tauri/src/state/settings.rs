//! What the person decided, as it is kept in the settings file.

use super::device::Choice;
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
    pub devices: Choice,
    /// Size of text in percent, 100 to 200.
    pub text_percent: u32,
    /// Say by a notification when somebody comes or writes while the window is not looked at.
    pub notifications: bool,
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
            devices: Choice::default(),
            text_percent: 100,
            notifications: true,
        }
    }
}
