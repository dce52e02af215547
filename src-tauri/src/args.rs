//! The command line. It also carries links: systems start a link's handler with the link as an argument.

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
    /// Run as another person on this machine, with separate settings, key and window.
    #[arg(long, value_name = "NAME", value_parser = profile)]
    pub(crate) profile: Option<String>,
    /// Server for this launch, ws://HOST:PORT or wss://HOST. It is not saved in the settings.
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<Url>,
    /// Camera for this launch: id or name, test (a test pattern) or clip:FILE@WxH. It is not saved in the settings.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) camera: Option<String>,
    /// Microphone for this launch: id or name, tone or wav:FILE.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) microphone: Option<String>,
    /// Loudspeaker for this launch: id or name, off, null (discards the sound) or wav:FILE.
    #[arg(long, value_name = "DEVICE")]
    pub(crate) speaker: Option<String>,
    /// Largest camera picture to send, WIDTHxHEIGHT. Default: 1280x720.
    #[arg(long, value_name = "SIZE")]
    pub(crate) size: Option<VideoLimits>,
    /// Connect to others only over this machine's loopback, for tests.
    #[arg(long)]
    pub(crate) loopback: bool,
    /// Start without the window, in the tray. It opens when the app is started another time.
    #[arg(long)]
    pub(crate) hidden: bool,
    /// Do not open the socket for pictures. The window then requests each picture.
    #[arg(long)]
    pub(crate) no_frame_socket: bool,
    /// Log level: off, error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", env = "LUNCHROOM_LOG", default_value = "info")]
    pub(crate) log: LevelFilter,
}

impl Args {
    /// Returns the link that a second start was given, and whether it is to show the window. Anybody on this machine can
    /// start one with any arguments. Arguments that are not understood are ignored, and the start only shows the window.
    pub(crate) fn of_second_start(argv: Vec<String>) -> (Option<String>, bool) {
        Args::try_parse_from(argv).map_or((None, true), |args| (args.link, !args.hidden))
    }
}

/// Parses a profile's name, which becomes part of folder and bus names.
fn profile(name: &str) -> Result<String, String> {
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    let rest = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts && rest && name.len() <= 24 {
        Ok(name.to_owned())
    } else {
        Err("use at most 24 lowercase letters and digits, starting with a letter".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_valid() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn profile_names_are_plain_words() {
        assert_eq!(profile("anna2").as_deref(), Ok("anna2"));
        for bad in ["", "../x", "Anna", "2a", "a.b", "a b", &"a".repeat(25)] {
            assert!(profile(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_second_start_can_only_pass_a_link_and_show_the_window() {
        let argv = |words: &[&str]| Args::of_second_start(words.iter().map(|w| (*w).to_owned()).collect());
        let link = "lunchroom://join/a?server=wss://h";
        assert_eq!(argv(&["x", link]), (Some(link.to_owned()), true));
        assert_eq!(argv(&["x", "--nonsense", "y"]), (None, true));
        assert_eq!(argv(&[]), (None, true));
        assert_eq!(argv(&["x", "--hidden"]), (None, false), "the login of a person whose app runs already");
    }
}
