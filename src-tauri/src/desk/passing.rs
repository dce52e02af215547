//! Temporary servers, named on the command line or running in the app. They are shown with the settings but not saved
//! with them.

use crate::state::{KnownServer, Settings};

/// Appends the temporary servers to the known ones, and selects the last of them if `chosen` is set.
pub(super) fn show(mut settings: Settings, passing: &[KnownServer], chosen: bool) -> Settings {
    settings.servers.extend(passing.iter().cloned());
    if chosen && !passing.is_empty() {
        settings.server = Some(settings.servers.len() as u32 - 1);
    }
    settings
}

/// The inverse: removes the temporary servers from the settings that the window saved. Returns true if one of them is
/// selected. In that case the file keeps its previous selection, `kept`.
pub(super) fn forget(settings: &mut Settings, passing: &[KnownServer], kept: Option<u32>) -> bool {
    let is_passing =
        |server: &KnownServer| passing.iter().any(|p| p.url == server.url && p.fingerprint == server.fingerprint);
    let chosen = settings.server.and_then(|n| settings.servers.get(n as usize)).cloned();
    settings.servers.retain(|server| !is_passing(server));
    let of_passing = chosen.as_ref().is_some_and(is_passing);
    settings.server = match chosen {
        Some(chosen) if !of_passing => settings.servers.iter().position(|server| *server == chosen).map(|n| n as u32),
        Some(_) => kept.filter(|n| (*n as usize) < settings.servers.len()),
        None => None,
    };
    of_passing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(url: &str) -> KnownServer {
        KnownServer { url: url.into(), fingerprint: None, name: String::new(), secret: None, calendar: None }
    }

    fn settings(urls: &[&str], chosen: Option<u32>) -> Settings {
        Settings { servers: urls.iter().map(|url| server(url)).collect(), server: chosen, ..Settings::default() }
    }

    #[test]
    fn temporary_servers_are_not_saved() {
        let kept = settings(&["wss://a", "wss://b"], Some(1));
        let passing = [server("ws://127.0.0.1:1"), server("wss://10.0.0.2:7077")];
        let mut shown = show(kept.clone(), &passing, true);
        assert_eq!((shown.servers.len(), shown.server), (4, Some(3)));
        assert!(forget(&mut shown, &passing, kept.server));
        assert_eq!(shown, kept);
    }

    #[test]
    fn a_saved_choice_survives_reordering() {
        let passing = [server("ws://127.0.0.1:1")];
        let mut saved = settings(&["ws://127.0.0.1:1", "wss://a", "wss://b"], Some(2));
        assert!(!forget(&mut saved, &passing, Some(0)));
        assert_eq!((saved.servers.len(), saved.server), (2, Some(1)));
        let mut first = settings(&["wss://a"], Some(0));
        assert!(!forget(&mut first, &passing, None));
        assert_eq!(first.server, Some(0));
    }

    #[test]
    fn without_servers_there_is_no_choice() {
        let passing = [server("ws://127.0.0.1:1")];
        assert_eq!(show(settings(&[], None), &[], true).server, None);
        let mut saved = settings(&["ws://127.0.0.1:1"], Some(0));
        assert!(forget(&mut saved, &passing, Some(7)));
        assert_eq!(saved.server, None);
        let mut wild = settings(&["wss://a"], Some(99));
        assert!(!forget(&mut wild, &passing, None));
        assert_eq!(wild.server, None);
    }
}
