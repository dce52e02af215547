//! Keys that mute and unmute in a call while another app is focused. They are taken from other apps only during calls.

use crate::desk::{Ask, DeskHandle};
use crate::state::AppState;
use crate::tray::in_call;
use engine::{Command, Engine, Problem};
use std::collections::BTreeSet;
use std::str::FromStr as _;
use std::sync::Arc;
use tauri::{AppHandle, Manager};
use tauri_plugin_global_shortcut::{GlobalShortcutExt as _, Shortcut, ShortcutEvent, ShortcutState};
use tokio::sync::mpsc;

/// Presses and releases that wait. When full, further ones are ignored: the engine is stuck.
const PRESSES: usize = 16;

/// What the keys do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    /// Mutes or unmutes.
    Mute,
    /// Unmutes while the keys are held.
    Talk,
}

type Wanted = BTreeSet<(Action, String)>;

/// Whether this system tells an app of keys that are not for it.
pub(crate) fn are_possible() -> bool {
    !cfg!(target_os = "linux") || std::env::var_os("WAYLAND_DISPLAY").is_none_or(|display| display.is_empty())
}

/// Follows the settings and the call until the app ends.
pub(crate) fn follow(app: AppHandle) {
    let (presses, mut pressed) = mpsc::channel(PRESSES);
    let mut shown = app.state::<DeskHandle>().shown.clone();
    tauri::async_runtime::spawn(async move {
        let mut keys = Keys { app, presses, is_ready: false, taken: Wanted::new() };
        let mut talk = Talk::default();
        loop {
            let wanted = wanted(&shown.borrow_and_update());
            if wanted != keys.taken {
                // A key that is held while it is given back is never reported as released.
                keys.switch(talk.released());
                keys.take(wanted).await;
            }
            tokio::select! {
                Some((action, state)) = pressed.recv() => {
                    let is_on = shown.borrow().call.media.microphone;
                    keys.switch(talk.handle(action, state, is_on));
                }
                changed = shown.changed() => if changed.is_err() { return },
            }
        }
    });
}

/// The keys to take now.
fn wanted(state: &AppState) -> Wanted {
    if !state.abilities.global_keys || !in_call(&state.call.stage) {
        return Wanted::new();
    }
    let keys = [(Action::Mute, &state.settings.mute_keys), (Action::Talk, &state.settings.talk_keys)];
    keys.into_iter().filter_map(|(action, keys)| Some((action, keys.clone()?))).collect()
}

/// Whether the microphone is on because the keys are held.
#[derive(Debug, Default)]
struct Talk {
    is_held: bool,
}

impl Talk {
    /// Returns what to switch the microphone to.
    fn handle(&mut self, action: Action, state: ShortcutState, is_on: bool) -> Option<bool> {
        match (action, state) {
            (Action::Mute, ShortcutState::Pressed) => {
                self.is_held = false;
                Some(!is_on)
            }
            (Action::Mute, ShortcutState::Released) => None,
            (Action::Talk, ShortcutState::Pressed) => {
                self.is_held = !is_on;
                (!is_on).then_some(true)
            }
            (Action::Talk, ShortcutState::Released) => self.released(),
        }
    }

    fn released(&mut self) -> Option<bool> {
        std::mem::take(&mut self.is_held).then_some(false)
    }
}

struct Keys {
    app: AppHandle,
    presses: mpsc::Sender<(Action, ShortcutState)>,
    /// Whether the plugin runs. It has a thread that polls, so it is not started before it is needed.
    is_ready: bool,
    taken: Wanted,
}

impl Keys {
    fn switch(&self, microphone: Option<bool>) {
        let Some(on) = microphone else { return };
        let engine = self.app.state::<Arc<Engine>>().inner().clone();
        tauri::async_runtime::spawn(async move {
            if let Err(error) = engine.command(Command::SetMicrophone(on)).await {
                tracing::warn!("{error}");
            }
        });
    }

    /// Takes these keys from the system, and gives back all others.
    async fn take(&mut self, wanted: Wanted) {
        if self.is_ready || !wanted.is_empty() {
            let (app, presses, is_ready) = (self.app.clone(), self.presses.clone(), self.is_ready);
            let (old, new) = (self.taken.clone(), wanted.clone());
            // It waits for the main thread.
            let done = tokio::task::spawn_blocking(move || register(&app, &presses, is_ready, old, new)).await;
            self.is_ready = true;
            for problem in done.unwrap_or_default() {
                self.app.state::<DeskHandle>().tell(Ask::Problem(problem)).await;
            }
        }
        self.taken = wanted;
    }
}

/// Returns a problem for each key that cannot be taken.
fn register(
    app: &AppHandle,
    presses: &mpsc::Sender<(Action, ShortcutState)>,
    is_ready: bool,
    old: Wanted,
    new: Wanted,
) -> Vec<Problem> {
    if !is_ready && let Err(error) = start_plugin(app) {
        return vec![problem("keys_impossible", &error)];
    }
    let shortcuts = app.global_shortcut();
    // Not `unregister_all`, which holds a lock while it waits for the main thread.
    for shortcut in old.iter().filter_map(|(_, keys)| Shortcut::from_str(keys).ok()) {
        if let Err(error) = shortcuts.unregister(shortcut) {
            tracing::warn!("keys are not given back: {error}");
        }
    }
    let take = |(action, keys): (Action, String)| {
        let shortcut = Shortcut::from_str(&keys).map_err(|error| problem("keys_unknown", &error))?;
        let presses = presses.clone();
        let report = move |_: &AppHandle, _: &Shortcut, event: ShortcutEvent| {
            let _ = presses.try_send((action, event.state)); // see PRESSES
        };
        shortcuts.on_shortcut(shortcut, report).map_err(|error| problem("keys_taken", &error))
    };
    let wants_some = !new.is_empty();
    let problems = new.into_iter().filter_map(|keys| take(keys).err()).collect();
    tracing::debug!("keys are {}", if wants_some { "taken" } else { "given back" });
    problems
}

/// Starts the plugin on the main thread, where macOS wants it.
fn start_plugin(app: &AppHandle) -> Result<(), String> {
    let (done, started) = std::sync::mpsc::sync_channel(1);
    let handle = app.clone();
    let start = move || {
        let started = handle.plugin(tauri_plugin_global_shortcut::Builder::new().build());
        let _ = done.send(started.map_err(|error| error.to_string())); // the receiver waits
    };
    app.run_on_main_thread(start).map_err(|error| error.to_string())?;
    started.recv().map_err(|error| error.to_string())?
}

fn problem(code: &str, error: &dyn std::fmt::Display) -> Problem {
    tracing::warn!("{code}: {error}");
    Problem { code: code.into(), message: error.to_string(), device: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use ShortcutState::{Pressed, Released};
    use engine::{CallView, Stage};

    #[test]
    fn holding_the_keys_unmutes_only_who_is_muted() {
        let mut talk = Talk::default();
        assert_eq!(talk.handle(Action::Talk, Pressed, false), Some(true));
        assert_eq!(talk.handle(Action::Talk, Released, true), Some(false));
        assert_eq!(talk.handle(Action::Talk, Pressed, true), None);
        assert_eq!(talk.handle(Action::Talk, Released, true), None, "it was on before");
    }

    #[test]
    fn muting_while_the_keys_are_held_is_not_undone() {
        let mut talk = Talk::default();
        assert_eq!(talk.handle(Action::Talk, Pressed, false), Some(true));
        assert_eq!(talk.handle(Action::Mute, Pressed, true), Some(false));
        assert_eq!(talk.handle(Action::Mute, Released, false), None);
        assert_eq!(talk.handle(Action::Talk, Released, false), None);
    }

    #[test]
    fn keys_are_taken_during_calls_only() {
        let mut state = testing::state();
        state.settings.mute_keys = Some("Ctrl+Shift+KeyM".into());
        state.abilities.global_keys = true;
        assert_eq!(wanted(&state), Wanted::new());
        state.call = Arc::new(CallView { stage: Stage::Joined, ..testing::call() });
        assert_eq!(wanted(&state), Wanted::from([(Action::Mute, "Ctrl+Shift+KeyM".into())]));
        state.abilities.global_keys = false;
        assert_eq!(wanted(&state), Wanted::new());
    }
}
