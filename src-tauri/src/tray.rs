//! The tray: mute and leave without looking for the window.

use crate::desk::DeskHandle;
use crate::state::{AppState, Language, Stage};
use crate::window;
use crate::words::Words;
use engine::{Command, Engine};
use std::sync::Arc;
use tauri::image::Image;
use tauri::menu::{Menu, MenuItem, PredefinedMenuItem};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Manager, Wry};

/// The icon with its menu.
pub(crate) struct Tray {
    icon: TrayIcon,
    show: MenuItem<Wry>,
    mute: MenuItem<Wry>,
    leave: MenuItem<Wry>,
    quit: MenuItem<Wry>,
    shown: Option<Shown>,
}

/// What it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    language: Language,
    muted: bool,
    /// Others in the room; `None` outside of calls.
    people: Option<usize>,
}

impl Tray {
    /// Puts it up; `None` where the system has no place for it.
    pub(crate) fn put_up(app: &AppHandle) -> Option<Tray> {
        if !is_possible() {
            log::info!("no tray: the library for it is not there");
            return None;
        }
        Tray::build(app).inspect_err(|error| log::warn!("no tray: {error}")).ok()
    }

    fn build(app: &AppHandle) -> tauri::Result<Tray> {
        let item = |id: &str| MenuItem::with_id(app, id, "", true, None::<&str>);
        let (show, mute, leave, quit) = (item("show")?, item("mute")?, item("leave")?, item("quit")?);
        let line = PredefinedMenuItem::separator(app)?;
        let menu = Menu::with_items(app, &[&show, &mute, &leave, &line, &quit])?;
        let icon = TrayIconBuilder::with_id("lunchroom")
            .icon(Image::from_bytes(include_bytes!("../../icons/tray.png"))?)
            .tooltip("Lunchroom")
            .menu(&menu)
            .on_menu_event(|app, event| clicked(app, event.id().as_ref()))
            .build(app)?;
        Ok(Tray { icon, show, mute, leave, quit, shown: None })
    }

    /// Shows how things are.
    pub(crate) fn show(&mut self, state: &AppState) {
        let new = Shown {
            language: Words::language(&state.settings),
            muted: !state.call.media.microphone,
            people: in_call(&state.call.stage).then_some(state.call.participants.len()),
        };
        if self.shown != Some(new) {
            if let Err(error) = self.draw(new) {
                log::warn!("the tray: {error}");
            }
            self.shown = Some(new);
        }
    }

    fn draw(&self, Shown { language, muted, people }: Shown) -> tauri::Result<()> {
        let words = Words::in_language(language);
        self.show.set_text(words.show)?;
        self.mute.set_text(if muted { words.unmute } else { words.mute })?;
        self.leave.set_text(words.leave)?;
        self.quit.set_text(words.quit)?;
        self.mute.set_enabled(people.is_some())?;
        self.leave.set_enabled(people.is_some())?;
        self.icon.set_title(people.map(|others| (others + 1).to_string()))
    }
}

fn clicked(app: &AppHandle, item: &str) {
    let microphone = app.state::<DeskHandle>().shown.borrow().call.media.microphone;
    match item {
        "show" => window::show(app),
        "mute" => tell(app, Command::SetMicrophone(!microphone)),
        "leave" => tell(app, Command::Leave),
        "quit" => app.exit(0),
        _ => {} // separators
    }
}

fn tell(app: &AppHandle, command: Command) {
    let engine = app.state::<Arc<Engine>>().inner().clone();
    tauri::async_runtime::spawn(async move {
        if let Err(error) = engine.command(command).await {
            log::warn!("{error}");
        }
    });
}

/// Whether one is in a room.
pub(crate) fn in_call(stage: &Stage) -> bool {
    match stage {
        Stage::Joined | Stage::Reconnecting { .. } => true,
        Stage::Idle | Stage::Joining | Stage::Knocking | Stage::Ended { .. } => false,
    }
}

/// Asked for a tray without its library, the toolkit's binding ends the program.
#[cfg(target_os = "linux")]
fn is_possible() -> bool {
    let names = ["libayatana-appindicator3.so.1", "libappindicator3.so.1"];
    // SAFETY: these libraries run no code of consequence when they are loaded; the toolkit would load them next.
    names.into_iter().any(|name| unsafe { libloading::Library::new(name) }.map(std::mem::forget).is_ok())
}

#[cfg(not(target_os = "linux"))]
fn is_possible() -> bool {
    true
}
