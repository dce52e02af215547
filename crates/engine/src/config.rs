//! The engine's configuration, and the commands that it accepts.

use crate::audio::AudioTap;
use crate::video_out::VideoLimits;
use files::Action as TransferAction;
use media::encoded::VideoCodec;
use peer::IceServer;
use serde::{Deserialize, Serialize, Serializer};
use signaling::board::RoomRequest;
use signaling::identity::DeviceKey;
use signaling::link::Link;
use signaling::message::{MediaState, ParticipantId, Reaction};
use std::collections::BTreeMap;
use std::path::PathBuf;
use url::Url;

/// The configuration of an engine.
pub struct EngineConfig {
    /// Software and version, sent to servers.
    pub client: String,
    /// The identity of this device.
    pub key: DeviceKey,
    /// Video codecs in order of preference.
    pub codecs: Vec<VideoCodec>,
    /// Limits on the camera's size and rate.
    pub video: VideoLimits,
    /// Echo cancellation, noise suppression and gain.
    pub processing: codecs::ApmConfig,
    /// STUN and TURN servers to use instead of those that the server names.
    pub ice_servers: Option<Vec<IceServer>>,
    /// Hides our addresses: only relayed candidates are used.
    pub relay_only: bool,
    /// Gathers candidates on 127.0.0.1 only, for tests.
    pub include_loopback: bool,
    /// Connects only to the participant with this name. For benchmarks: many clients on one machine would load it with
    /// connections to each other.
    pub meets: Option<String>,
    /// How microphones are opened.
    pub microphone: devices::MicrophoneOptions,
    /// The devices to use at the start.
    pub devices: DeviceChoice,
    /// Receives what is played.
    pub audio_tap: Option<Box<dyn AudioTap>>,
}

/// Which devices are used. `None` means the system's default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
#[serde(default)]
pub struct DeviceChoice {
    /// Camera by id or name.
    pub camera: Option<String>,
    /// Microphone by id or name.
    pub microphone: Option<String>,
    /// Loudspeaker by id or name. `off` means none.
    pub speaker: Option<String>,
}

/// A signalling server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// `ws://` or `wss://`.
    pub url: Url,
    /// SHA-256 of the only certificate that is accepted.
    pub fingerprint: Option<[u8; 32]>,
}

/// Everything needed to enter a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// The server.
    pub server: ServerAddress,
    /// Room name.
    pub room: String,
    /// Invite token of the link.
    pub invite: Option<String>,
    /// The name that other people see.
    pub name: String,
    /// Whether microphone and camera are on at the start.
    pub media: MediaState,
}

impl ServerAddress {
    /// Returns `wss://host[:port]`, without the slash at the end of a URL.
    pub fn plain(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// Identifies this server, as [`Link::origin`] does.
    pub fn origin(&self) -> String {
        signaling::link::origin(&self.url, self.fingerprint)
    }
}

/// Serialized as [`ServerAddress::plain`].
impl Serialize for ServerAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.plain())
    }
}

impl JoinRequest {
    /// Builds the request for a link, with this name.
    pub fn from_link(link: Link, name: String, media: MediaState) -> Self {
        let server = ServerAddress { url: link.server, fingerprint: link.fingerprint };
        Self { server, room: link.room, invite: link.invite, name, media }
    }
}

/// What the person asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Enters a room. No packet is sent to other participants before this command.
    Join(JoinRequest),
    /// Leaves the room.
    Leave,
    /// Switches the microphone on or off.
    SetMicrophone(bool),
    /// Switches the camera on or off.
    SetCamera(bool),
    /// Shares a screen or window with everybody in the call, in place of the present one. Ignored outside of a call.
    Share {
        /// The id of the source ([`devices::ScreenInfo`]).
        id: String,
        /// Its name, to be shown to this person.
        name: String,
    },
    /// Stops sharing.
    StopShare,
    /// Raises or lowers the hand.
    SetHand(bool),
    /// Shows everybody a reaction.
    React(Reaction),
    /// Drops one of our own chat lines that failed or still waits. The number is [`call::UnsentLine::number`].
    DropLine(u64),
    /// Opens devices before joining, so that the person can see and hear themselves. Nothing is sent.
    Preview(MediaState),
    /// Changes the devices in use.
    SelectDevices(DeviceChoice),
    /// Looks for devices again.
    RefreshDevices,
    /// Sets whether the microphone stays open in a call while it is off, so that a person who speaks can be told. At
    /// the start it does not. Nothing of that is sent.
    SetListens(bool),
    /// Sets how loud people are played, in percent by key, at most 200. People without an entry have 100.
    SetVolumes(BTreeMap<String, u16>),
    /// Plays a participant even if they are in the same room; see [`crate::AppView::same_room`].
    PlayAnyway(ParticipantId),
    /// Plays the test sound on the chosen loudspeaker.
    TestSound,
    /// Records five seconds of the microphone as others would hear them, plays them and judges them; or stops that. Ignored
    /// in a call. Nothing is sent.
    CheckSound(bool),
    /// Changes how the microphone's sound is processed.
    SetProcessing(codecs::ApmConfig),
    /// Uses only relayed paths for new connections, so that other people do not see this device's addresses. Existing
    /// connections stay.
    SetRelayOnly(bool),
    /// Uses little data: cameras are sent and received small, at a low frame rate or bitrate. Sound is as
    /// usual, and shared screens have a limit. At the start this is off.
    SetDataSaver(bool),
    /// Ask everybody in the call what their networks let through. Their answers appear in the view.
    CheckOthers,
    /// Keeps a session with this server outside of calls, under this name. The view then shows the server's board.
    Connect {
        /// The server.
        server: ServerAddress,
        /// The name that other people see.
        name: String,
    },
    /// Stops keeping a session outside of calls.
    Disconnect,
    /// Sets the secret of the community behind a server. Without one, the person is a guest there if the server
    /// requires a secret. Send it before the first session with that server: later it ends the session, and a kept
    /// session starts again.
    SetSecret {
        /// The server.
        server: ServerAddress,
        /// The secret. `None` forgets it.
        secret: Option<String>,
    },
    /// Does something with a file that is sent or received, by its id.
    Transfer {
        /// [`crate::TransferView::id`].
        id: String,
        /// What to do.
        action: TransferAction,
    },
    /// Where received files go.
    SetDownloads(PathBuf),
    /// A request of a table's host about its room.
    Room(RoomRequest),
}
