//! The command line. Links come by it too: systems start a link's handler with the link as argument.

use clap::Parser;
use engine::VideoLimits;
use tracing::level_filters::LevelFilter;
use url::Url;

/// Video calls for people who eat together.
#[derive(Debug, Clone, Parser)]
#[command(name = "lunchroom", version)]
pub(crate) struct Args {
    /// A link to open: lunchroom://join/ROOM?server=wss://HOST, or https://HOST/r/ROOM.
    pub(crate) link: Option<String>,
    /// Be another person on this machine: settings, key and window of their own.
    #[arg(long, value_name = "NAME", value_parser = profile)]
    pub(crate) profile: Option<String>,
    /// Server of this launch, ws://HOST:PORT or wss://HOST; it is not kept in the settings.
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<Url>,
    /// Camera of this launch by id or name, test (a test pattern) or clip:FILE@WxH; it is not kept in the settings.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) camera: Option<String>,
    /// Microphone of this launch by id or name, tone or wav:FILE.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) microphone: Option<String>,
    /// Loudspeaker of this launch by id or name, off, null (played to nobody) or wav:FILE.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) speaker: Option<String>,
    /// Largest picture of the camera that is sent, WIDTHxHEIGHT. Default: 1280x720.
    #[arg(long, value_name = "SIZE")]
    pub(crate) size: Option<VideoLimits>,
    /// Meet others only on this machine's loopback, for tests.
    #[arg(long)]
    pub(crate) loopback: bool,
    /// Do not open the socket for pictures: the window asks for each one.
    #[arg(long)]
    pub(crate) no_frame_socket: bool,
    /// How much is logged: off, error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", env = "LUNCHROOM_LOG", default_value = "info")]
    pub(crate) log: LevelFilter,
}

impl Args {
    /// The link that a second start was given. Anybody on this machine can start one with anything: of what is not
    /// understood only the wish to see the window is left.
    pub(crate) fn link_of(argv: Vec<String>) -> Option<String> {
        Args::try_parse_from(argv).ok().and_then(|args| args.link)
    }
}

/// A profile is part of folder and bus names.
fn profile(name: &str) -> Result<String, String> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts && rest && name.len() <= 24 {
        Ok(name.to_owned())
    } else {
        Err("at most 24 small letters and digits, a letter first".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn profiles_are_plain_words() {
        assert_eq!(profile("anna2").as_deref(), Ok("anna2"));
        for bad in ["", "../x", "Anna", "2a", "a.b", "a b", &"a".repeat(25)] {
            assert!(profile(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn another_start_can_only_bring_a_link() {
        let argv = |words: &[&str]| Args::link_of(words.iter().map(|w| (*w).to_owned()).collect());
        assert_eq!(
            argv(&["x", "lunchroom://join/a?server=wss://h"]).as_deref(),
            Some("lunchroom://join/a?server=wss://h")
        );
        assert_eq!(argv(&["x", "--nonsense", "y"]), None);
        assert_eq!(argv(&[]), None);
    }
}
