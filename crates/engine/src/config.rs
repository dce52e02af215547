//! What an engine is built from, and what it is asked to do.

use crate::audio::AudioTap;
use crate::video_out::VideoLimits;
use media::encoded::VideoCodec;
use peer::IceServer;
use signaling::board::RoomRequest;
use signaling::identity::DeviceKey;
use signaling::link::Link;
use signaling::message::MediaState;
use url::Url;

/// What an engine is built from.
pub struct EngineConfig {
    /// Software and version, told to servers.
    pub client: String,
    /// Who this device is.
    pub key: DeviceKey,
    /// Video codecs in the order of preference.
    pub codecs: Vec<VideoCodec>,
    /// What the camera may cost.
    pub video: VideoLimits,
    /// Echo cancelling, noise, gain.
    pub processing: codecs::ApmConfig,
    /// STUN and TURN servers to use in place of those the server names.
    pub ice_servers: Option<Vec<IceServer>>,
    /// Hide our addresses: only relayed paths.
    pub relay_only: bool,
    /// Gather on 127.0.0.1 alone, for tests.
    pub include_loopback: bool,
    /// Connect to the participant of this name alone, for benchmarks: many clients on one machine would be busy with
    /// each other.
    pub meets: Option<String>,
    /// How microphones are opened.
    pub microphone: devices::MicrophoneOptions,
    /// Devices at the start.
    pub devices: DeviceChoice,
    /// Hears what is played.
    pub audio_tap: Option<Box<dyn AudioTap>>,
}

/// Which devices are used; `None`: the system's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeviceChoice {
    /// Camera by id or name.
    pub camera: Option<String>,
    /// Microphone by id or name.
    pub microphone: Option<String>,
    /// Loudspeaker by id or name; `off` for none.
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

/// Everything that entering a room takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// Where.
    pub server: ServerAddress,
    /// Room name.
    pub room: String,
    /// Invite token of the link.
    pub invite: Option<String>,
    /// What people call this person.
    pub name: String,
    /// Microphone and camera at the start.
    pub media: MediaState,
}

impl ServerAddress {
    /// What makes it this server, as in [`Link::origin`].
    pub fn origin(&self) -> String {
        signaling::link::origin(&self.url, self.fingerprint)
    }
}

impl JoinRequest {
    /// What a link asks for, under a name.
    pub fn from_link(link: Link, name: String, media: MediaState) -> Self {
        let server = ServerAddress { url: link.server, fingerprint: link.fingerprint };
        Self { server, room: link.room, invite: link.invite, name, media }
    }
}

/// What the person wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Enter a room: the only way to a first packet.
    Join(JoinRequest),
    /// Leave it.
    Leave,
    /// Microphone on or off.
    SetMicrophone(bool),
    /// Camera on or off.
    SetCamera(bool),
    /// Forget a line of one's own that was not said, or not yet: `UnsentLine::number` of [`call::UnsentLine`].
    DropLine(u64),
    /// Open devices for the person's own eyes and ears before joining; nothing is sent.
    Preview(MediaState),
    /// Use other devices from now on.
    SelectDevices(DeviceChoice),
    /// Look for devices anew.
    RefreshDevices,
    /// Play the test sound on the chosen loudspeaker.
    TestSound,
    /// Process the microphone's sound like this from now on.
    SetProcessing(codecs::ApmConfig),
    /// Keep a session with this server while in no call, under this name; it shows what goes on there.
    Connect {
        /// With whom.
        server: ServerAddress,
        /// What people call this person.
        name: String,
    },
    /// No longer keep one outside of calls.
    Disconnect,
    /// The secret of the community behind a server; without one the person is a guest there, if it wants one. Said
    /// before the first session with that server; later it ends the session, and a kept one begins anew.
    SetSecret {
        /// Whose.
        server: ServerAddress,
        /// Which; `None`: forget it.
        secret: Option<String>,
    },
    /// Something that the host of a table does in its room.
    Room(RoomRequest),
}
