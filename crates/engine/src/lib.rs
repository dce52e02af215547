//! The driver: tasks, threads and clocks that turn commands into calls. Every shell (the window, the headless client)
//! uses this crate and nothing below it.
//!
//! ```text
//!  Command ──▶ ┌────────┐ ──▶ signalling session ⇄ WebSocket
//!              │ driver │ ──▶ participants: peer connection, decode thread
//!  AppView ◀── │  task  │ ──▶ encode thread (own pictures)
//!              └────────┘ ──▶ audio thread, devices
//! ```
//! The driver task owns all state, in parts that do not know each other. Threads own their encoders, decoders and
//! buffers, and receive messages from the driver task.

mod access;
mod audio;
mod capture;
mod check;
mod chime;
mod codec_choice;
mod config;
mod data_saver;
mod displayed;
mod driver;
mod encode_load;
mod engine;
mod feed;
mod files;
mod forwarded_in;
#[cfg(test)]
mod howling;
mod incoming_sound;
mod ladder;
mod levels;
mod line;
#[cfg(test)]
mod lip_skew;
mod lip_sync;
mod network;
mod participant;
mod playing;
mod request;
mod sealing;
mod share_out;
mod signal;
mod slowness;
mod socket;
mod sound_check;
mod stats;
mod video_in;
mod video_out;
mod view;
mod voice;

pub use audio::AudioTap;
pub use check::check_connection;
pub use config::{Command, DeviceChoice, EngineConfig, JoinRequest, ServerAddress};
pub use engine::{Engine, EngineError};
pub use feed::{FeedControl, FeedFrame, FeedFrames, MAX_STREAMS};
pub use levels::Levels;
pub use line::Line;
pub use request::BoardAnswer;
pub use share_out::ShareOutStats;
pub use sound_check::SoundCheckView;
pub use stats::{EngineStats, ParticipantStats};
pub use video_in::{Latency, VideoInStats};
pub use video_out::{VideoLimits, VideoOutStats};
pub use view::{AccountView, AppView, Picture, Problem, Reminder, SessionView, Share, ShareState, Tile};

/// Returns the cameras, microphones and loudspeakers that are present now. Blocks while the system looks for them.
pub fn devices_now() -> Vec<DeviceInfo> {
    devices::list()
}

/// Lists the screens and windows that can be shared, with previews. Blocks for about 10 ms for each.
///
/// # Errors
/// A problem with a stable code, such as `screen_wayland`, if none can be shared here.
pub fn screens() -> Result<Vec<ScreenInfo>, Problem> {
    let problem =
        |error: devices::ScreenError| Problem { code: error.code().into(), message: error.to_string(), device: None };
    devices::screens().map_err(problem)
}

// Types of lower crates that a user of the engine needs.
pub use ::files::{Action as TransferAction, Reason as TransferReason, TransferState, TransferView};
pub use call::{
    CallView, ChatLine, Distrust, Ended, LinkState, NotSaid, ParticipantView, Repair, ShownReaction, Stage, UnsentLine,
};
pub use codecs::{ApmConfig, NoiseSuppression};
pub use devices::{DeviceInfo, DeviceKind, MicrophoneOptions, ScreenInfo, ScreenKind};
pub use doctor::{FindingReport, Hop, HopReport, Language, Report, Severity, Verdict, Words};
pub use media;
pub use peer::{IceServer, PeerState, PeerStats, RelayTransport};
pub use signaling;
