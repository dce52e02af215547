//! The command line.

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use engine::VideoLimits;
use engine::media::encoded::VideoCodec;
use std::path::PathBuf;

/// Lunchroom without a window.
#[derive(Debug, Parser)]
#[command(name = "lunchroom-cli", version, about)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Action,
    /// Say more on standard error; twice for everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl Args {
    pub(crate) fn verbosity(&self) -> log::LevelFilter {
        match self.verbose {
            0 => log::LevelFilter::Warn,
            1 => log::LevelFilter::Info,
            2 => log::LevelFilter::Debug,
            _ => log::LevelFilter::Trace,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Join a room, and stay until the time is up, Ctrl-C, or everybody has gone.
    Call(CallOptions),
    /// List cameras, microphones and loudspeakers.
    Devices {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show a server's board and do what lines on standard input say: lay, take, wait, leave, eat-now, ...
    Board(BoardOptions),
    /// Be one end of a measured call: orders on standard input, JSON lines on standard output (docs/benchmarks.md).
    Measure(MeasureOptions),
}

/// Options of `call`.
#[derive(Debug, ClapArgs)]
pub(crate) struct CallOptions {
    /// A link: lunchroom://join/ROOM?server=wss://HOST, or https://HOST/r/ROOM.
    #[arg(conflicts_with_all = ["server", "room"], required_unless_present = "server")]
    pub(crate) link: Option<String>,
    /// Server: ws://HOST:PORT or wss://HOST.
    #[arg(long, requires = "room")]
    pub(crate) server: Option<url::Url>,
    /// SHA-256 of the server's own certificate, 64 hexadecimal digits.
    #[arg(long, requires = "server")]
    pub(crate) fingerprint: Option<String>,
    /// Room.
    #[arg(long)]
    pub(crate) room: Option<String>,
    /// What people call you.
    #[arg(long, default_value = "Guest")]
    pub(crate) name: String,
    /// off, test (a test pattern), clip:FILE@WxH (raw I420), or a camera's id or name. Default: the system's camera.
    #[arg(long)]
    pub(crate) camera: Option<String>,
    /// off, tone, wav:FILE, or a microphone's id or name. Default: the system's microphone.
    #[arg(long)]
    pub(crate) microphone: Option<String>,
    /// off, null (played to nobody), wav:FILE, or a loudspeaker's id or name. Default: the system's loudspeaker.
    #[arg(long)]
    pub(crate) speaker: Option<String>,
    #[command(flatten)]
    pub(crate) video: VideoOptions,
    /// End after this many seconds.
    #[arg(long)]
    pub(crate) seconds: Option<f64>,
    /// Only relayed paths: hides your address.
    #[arg(long)]
    pub(crate) relay_only: bool,
    /// Gather only the loopback address, for tests on one machine.
    #[arg(long)]
    pub(crate) loopback: bool,
    /// Say this line in the chat once somebody is there.
    #[arg(long)]
    pub(crate) say: Option<String>,
    /// Figures and events as JSON lines on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    /// File with the device's key, made if it is not there. Default: a new key for each run.
    #[arg(long)]
    pub(crate) key: Option<PathBuf>,
}

/// Options of `board`.
#[derive(Debug, ClapArgs)]
pub(crate) struct BoardOptions {
    /// Server: ws://HOST:PORT or wss://HOST.
    #[arg(long)]
    pub(crate) server: url::Url,
    /// SHA-256 of the server's own certificate, 64 hexadecimal digits.
    #[arg(long)]
    pub(crate) fingerprint: Option<String>,
    /// What people call you.
    #[arg(long, default_value = "Guest")]
    pub(crate) name: String,
    /// The community's secret, if the server wants one. Better given by environment.
    #[arg(long, env = "LUNCHROOM_MEMBER_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
    /// The board as JSON. What comes of orders is JSON always.
    #[arg(long)]
    pub(crate) json: bool,
    /// File with the device's key, made if it is not there. Default: a new key for each run.
    #[arg(long)]
    pub(crate) key: Option<PathBuf>,
}

/// How video is sent.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct VideoOptions {
    /// Codec to offer first; auto: the usual order.
    #[arg(long, value_enum, default_value_t = Codec::Auto)]
    pub(crate) codec: Codec,
    /// Largest picture sent, WIDTHxHEIGHT.
    #[arg(long, default_value = "640x360", value_parser = size)]
    pub(crate) size: (u32, u32),
    /// Most pictures a second.
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
    /// This end's name.
    #[arg(long)]
    pub(crate) name: String,
    /// Server.
    #[arg(long)]
    pub(crate) signal: url::Url,
    /// Room.
    #[arg(long)]
    pub(crate) room: String,
    #[command(flatten)]
    pub(crate) video: VideoOptions,
    /// Folder with clip-WxH.i420 and speech.wav.
    #[arg(long)]
    pub(crate) media: PathBuf,
    /// 0: receive video only.
    #[arg(long, default_value_t = 1)]
    pub(crate) send: u8,
    /// RTCIceServer list as JSON, in place of the server's.
    #[arg(long)]
    pub(crate) ice: Option<String>,
    /// Only relayed paths.
    #[arg(long)]
    pub(crate) relay_only: bool,
    /// Gather only the loopback address.
    #[arg(long)]
    pub(crate) loopback: bool,
}

/// Codec by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Codec {
    Auto,
    Vp8,
    Vp9,
    H264,
}

impl Codec {
    /// What is offered: the named codec alone, or all.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
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
