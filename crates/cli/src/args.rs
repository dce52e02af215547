//! The command line.

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use engine::VideoLimits;
use engine::media::encoded::VideoCodec;
use std::path::PathBuf;
use tracing::level_filters::LevelFilter;

/// Lunchroom without a window.
#[derive(Debug, Parser)]
#[command(name = "lunchroom-cli", version, about)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Action,
    /// Log more to standard error; repeat for debug and trace.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl Args {
    pub(crate) fn verbosity(&self) -> LevelFilter {
        match self.verbose {
            0 => LevelFilter::WARN,
            1 => LevelFilter::INFO,
            2 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Join a room. Stay until the time is up, Ctrl-C is pressed, or everybody else has left.
    Call(CallOptions),
    /// List cameras, microphones, loudspeakers, and the screens and windows that can be shared.
    Devices {
        /// Print one JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Show a server's board and execute commands from standard input: lay, take, wait, leave, eat-now, ...
    Board(BoardOptions),
    /// Open many sessions and rooms on a server of your own, and measure it (docs/benchmarks.md).
    Load(LoadOptions),
    /// Find out what this network lets through to a server, and what to ask its owner for. Exit status: 0 if calls work,
    /// 1 if they work with a restriction, 2 if they do not work.
    Doctor(DoctorOptions),
    /// Be one end of a measured call: commands on standard input, JSON lines on standard output (docs/benchmarks.md).
    Measure(MeasureOptions),
}

/// Options of `call`.
#[derive(Debug, ClapArgs)]
pub(crate) struct CallOptions {
    /// Link to the room: lunchroom://join/ROOM?server=wss://HOST, or https://HOST/r/ROOM.
    #[arg(conflicts_with_all = ["server", "room"], required_unless_present = "server")]
    pub(crate) link: Option<String>,
    /// Server URL: ws://HOST:PORT or wss://HOST.
    #[arg(long, requires = "room")]
    pub(crate) server: Option<url::Url>,
    /// SHA-256 fingerprint of the server's self-signed certificate, 64 hexadecimal digits.
    #[arg(long, requires = "server")]
    pub(crate) fingerprint: Option<String>,
    /// Name of the room.
    #[arg(long)]
    pub(crate) room: Option<String>,
    /// Your display name.
    #[arg(long, default_value = "Guest")]
    pub(crate) name: String,
    /// Camera: off, test (a test pattern), clip:FILE@WxH (raw I420), or an id or name. Default: the system's camera.
    #[arg(long)]
    pub(crate) camera: Option<String>,
    /// Microphone: off, tone, wav:FILE, or an id or name. Default: the system's microphone.
    #[arg(long)]
    pub(crate) microphone: Option<String>,
    /// Loudspeaker: off, null (discards the audio), wav:FILE, or an id or name. Default: the system's loudspeaker.
    #[arg(long)]
    pub(crate) speaker: Option<String>,
    /// Share a screen or window (X11): an id or a part of a title, as `devices` lists them, or `screen` for the first one.
    #[arg(long)]
    pub(crate) share: Option<String>,
    #[command(flatten)]
    pub(crate) video: VideoOptions,
    /// Leave after this many seconds.
    #[arg(long)]
    pub(crate) seconds: Option<f64>,
    /// Use only relayed paths, which hides your address.
    #[arg(long)]
    pub(crate) relay_only: bool,
    /// Use only the loopback address, for tests on one machine.
    #[arg(long)]
    pub(crate) loopback: bool,
    /// Send this chat message when another participant is present.
    #[arg(long)]
    pub(crate) say: Option<String>,
    /// Print statistics and events as JSON lines.
    #[arg(long)]
    pub(crate) json: bool,
    /// File with the device's key, created if it does not exist. Default: a new key for each run.
    #[arg(long)]
    pub(crate) key: Option<PathBuf>,
}

/// Options of `board`.
#[derive(Debug, ClapArgs)]
pub(crate) struct BoardOptions {
    /// Server URL: ws://HOST:PORT or wss://HOST.
    #[arg(long)]
    pub(crate) server: url::Url,
    /// SHA-256 fingerprint of the server's self-signed certificate, 64 hexadecimal digits.
    #[arg(long)]
    pub(crate) fingerprint: Option<String>,
    /// Your display name.
    #[arg(long, default_value = "Guest")]
    pub(crate) name: String,
    /// Secret of the community, if the server has one. Prefer the environment variable.
    #[arg(long, env = "LUNCHROOM_MEMBER_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    /// Print the board as JSON. Results of commands are always JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// File with the device's key, created if it does not exist. Default: a new key for each run.
    #[arg(long)]
    pub(crate) key: Option<PathBuf>,
}

/// Options of `load`.
#[derive(Debug, ClapArgs)]
pub(crate) struct LoadOptions {
    /// Server URL: ws://HOST:PORT or wss://HOST.
    #[arg(long)]
    pub(crate) server: url::Url,
    /// SHA-256 fingerprint of the server's self-signed certificate, 64 hexadecimal digits.
    #[arg(long)]
    pub(crate) fingerprint: Option<String>,
    /// Secret of the community. Without one, the server limits the sessions of one address. Prefer the environment
    /// variable.
    #[arg(long, env = "LUNCHROOM_MEMBER_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    /// Number of sessions. Each needs a file descriptor here and on the server.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub(crate) sessions: u32,
    /// Number of rooms, which the sessions join in turn. 0: they join none.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) rooms: u32,
    /// Sessions to open, and rooms to join, per second.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rate: u32,
    /// Seconds for which the idle sessions are measured before they join.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(crate) seconds: u32,
    /// Process id of the server on this machine, to measure its CPU time and memory (Linux).
    #[arg(long)]
    pub(crate) pid: Option<u32>,
}

/// Options of `doctor`.
#[derive(Debug, ClapArgs)]
pub(crate) struct DoctorOptions {
    /// The server: a link to a room, or an address such as wss://HOST:PORT or HOST.
    #[arg(value_name = "SERVER", value_parser = target)]
    pub(crate) target: doctor::Target,
    /// SHA-256 fingerprint of the server's self-signed certificate, 64 hexadecimal digits. A link may contain it.
    #[arg(long, value_parser = crate::call::fingerprint)]
    pub(crate) fingerprint: Option<[u8; 32]>,
    /// Secret of the community, if the server has one. Prefer the environment variable.
    #[arg(long, env = "LUNCHROOM_MEMBER_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    /// Language. Default: the system's.
    #[arg(long, value_enum)]
    pub(crate) lang: Option<Lang>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Languages by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    En,
    Ko,
}

impl From<Lang> for doctor::Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::En => doctor::Language::En,
            Lang::Ko => doctor::Language::Ko,
        }
    }
}

/// Options for sending video.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct VideoOptions {
    /// Codec to offer first; auto offers all in the usual order.
    #[arg(long, value_enum, default_value_t = Codec::Auto)]
    pub(crate) codec: Codec,
    /// Largest frame to send, WIDTHxHEIGHT.
    #[arg(long, default_value = "640x360", value_parser = size)]
    pub(crate) size: (u32, u32),
    /// Maximum frame rate.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) fps: u32,
}

impl VideoOptions {
    pub(crate) fn limits(&self) -> VideoLimits {
        VideoLimits { width: self.size.0, height: self.size.1, fps: self.fps }
    }
}

/// Options of `measure`.
#[derive(Debug, ClapArgs)]
pub(crate) struct MeasureOptions {
    /// Name of this end.
    #[arg(long)]
    pub(crate) name: String,
    /// Server URL.
    #[arg(long)]
    pub(crate) signal: url::Url,
    /// Name of the room.
    #[arg(long)]
    pub(crate) room: String,
    #[command(flatten)]
    pub(crate) video: VideoOptions,
    /// Folder that contains clip-WxH.i420 and speech.wav.
    #[arg(long)]
    pub(crate) media: PathBuf,
    /// 0 receives video without sending.
    #[arg(long, default_value_t = 1)]
    pub(crate) send: u8,
    /// ICE servers as a JSON list of RTCIceServer, instead of the server's.
    #[arg(long)]
    pub(crate) ice: Option<String>,
    /// Use only relayed paths.
    #[arg(long)]
    pub(crate) relay_only: bool,
    /// Use only the loopback address.
    #[arg(long)]
    pub(crate) loopback: bool,
}

/// Codecs by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Codec {
    Auto,
    Vp8,
    Vp9,
    H264,
}

impl Codec {
    /// The codecs to offer: the named one alone, or all.
    pub(crate) fn offered(self) -> Vec<VideoCodec> {
        match self {
            Codec::Auto => VideoCodec::ALL.to_vec(),
            Codec::Vp8 => vec![VideoCodec::Vp8],
            Codec::Vp9 => vec![VideoCodec::Vp9],
            Codec::H264 => vec![VideoCodec::H264],
        }
    }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    text.parse::<VideoLimits>().map(|limits| (limits.width, limits.height))
}

fn target(text: &str) -> Result<doctor::Target, String> {
    doctor::Target::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_valid() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_link_and_a_server_exclude_each_other() {
        assert!(
            Args::try_parse_from(["x", "call", "lunchroom://join/a?server=wss://h", "--server", "ws://h"]).is_err()
        );
        assert!(Args::try_parse_from(["x", "call"]).is_err());
        assert!(Args::try_parse_from(["x", "call", "--server", "ws://h", "--room", "a"]).is_ok());
    }
}
