//! The tray icon, for muting and leaving without the window.

use crate::desk::DeskHandle;
use crate::state::{AppState, Language};
use crate::window;
use crate::words::Words;
use engine::signaling::board_fold::{BoardState, Mine};
use engine::{Command, Engine, Stage};
use std::sync::Arc;
use tauri::image::Image;
use tauri::menu::{Menu, MenuItem, PredefinedMenuItem};
use tauri::tray::{TrayIcon, TrayIconBuilder};
use tauri::{AppHandle, Manager, Wry};

/// The icon with its menu.
pub(crate) struct Tray {
    icon: TrayIcon,
    show: MenuItem<Wry>,
    seat: MenuItem<Wry>,
    mute: MenuItem<Wry>,
    stop_sharing: MenuItem<Wry>,
    leave: MenuItem<Wry>,
    quit: MenuItem<Wry>,
    shown: Option<Shown>,
}

/// What the tray shows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    language: Language,
    muted: bool,
    /// Whether this person shares a screen.
    shares: bool,
    /// Others in the room; `None` outside of calls.
    people: Option<usize>,
    /// The next seat of this person. The inner value is `None` without a seat, the outer one without a board.
    seat: Option<Option<String>>,
}

impl Tray {
    /// Creates the tray. `None` if the system does not support one.
    pub(crate) fn put_up(app: &AppHandle) -> Option<Tray> {
        if !is_possible() {
            tracing::info!("no tray: its library is not installed");
            return None;
        }
        Tray::build(app).inspect_err(|error| tracing::warn!("no tray: {error}")).ok()
    }

    fn build(app: &AppHandle) -> tauri::Result<Tray> {
        let item = |id: &str| MenuItem::with_id(app, id, "", true, None::<&str>);
        let (show, mute, leave, quit) = (item("show")?, item("mute")?, item("leave")?, item("quit")?);
        let (seat, stop_sharing) = (item("seat")?, item("stop_sharing")?);
        let (line, other) = (PredefinedMenuItem::separator(app)?, PredefinedMenuItem::separator(app)?);
        let menu = Menu::with_items(app, &[&seat, &show, &line, &mute, &stop_sharing, &leave, &other, &quit])?;
        let icon = TrayIconBuilder::with_id("lunchroom")
            .icon(Image::from_bytes(include_bytes!("../../icons/tray.png"))?)
            .icon_as_template(true) // macOS draws it in the colour of the menu bar
            .tooltip("Lunchroom")
            .menu(&menu)
            .on_menu_event(|app, event| clicked(app, event.id().as_ref()))
            .build(app)?;
        Ok(Tray { icon, show, seat, mute, stop_sharing, leave, quit, shown: None })
    }

    /// Updates the tray to the state.
    pub(crate) fn show(&mut self, state: &AppState) {
        let new = Shown {
            language: Words::language(&state.settings),
            muted: !state.call.media.microphone,
            shares: state.share.is_some(),
            people: in_call(&state.call.stage).then_some(state.call.participants.len()),
            seat: state.board.as_deref().map(next_seat),
        };
        if self.shown.as_ref() != Some(&new) {
            if let Err(error) = self.draw(&new) {
                tracing::warn!("the tray: {error}");
            }
            self.shown = Some(new);
        }
    }

    fn draw(&self, Shown { language, muted, shares, people, seat }: &Shown) -> tauri::Result<()> {
        let words = Words::in_language(*language);
        let of_mine = seat.as_ref().and_then(Option::as_deref);
        self.seat.set_text(of_mine.unwrap_or(words.no_seat))?;
        self.seat.set_enabled(of_mine.is_some())?;
        self.show.set_text(words.show)?;
        self.mute.set_text(if *muted { words.unmute } else { words.mute })?;
        self.stop_sharing.set_text(words.stop_sharing)?;
        self.stop_sharing.set_enabled(*shares)?;
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
        "show" | "seat" => window::show(app),
        "mute" => tell(app, Command::SetMicrophone(!microphone)),
        "stop_sharing" => tell(app, Command::StopShare),
        "leave" => tell(app, Command::Leave),
        "quit" => app.exit(0),
        _ => {} // separators
    }
}

fn tell(app: &AppHandle, command: Command) {
    let engine = app.state::<Arc<Engine>>().inner().clone();
    tauri::async_runtime::spawn(async move {
        if let Err(error) = engine.command(command).await {
            tracing::warn!("{error}");
        }
    });
}

/// The time and topic of the person's next lunch, and how many seats are taken: "12:30 Soup (3/4)".
fn next_seat(board: &BoardState) -> Option<String> {
    let mine = board.tables.iter().filter(|table| matches!(table.mine, Mine::Seat | Mine::Host));
    let mine = mine.map(|table| &table.info);
    let next = mine.filter(|table| table.ends_ms > board.now_ms).min_by_key(|table| table.starts_ms)?;
    let zone = jiff::tz::TimeZone::get(&board.zone).unwrap_or_else(|_| jiff::tz::TimeZone::system());
    let start = i64::try_from(next.starts_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())?;
    let today =
        jiff::Timestamp::from_millisecond(i64::try_from(board.now_ms).ok()?).ok()?.to_zoned(zone.clone()).date();
    let start = start.to_zoned(zone);
    let when = start.strftime(if start.date() == today { "%H:%M" } else { "%m-%d %H:%M" });
    Some(format!("{when} {} ({}/{})", next.topic, next.taken_count, next.seats))
}

/// Whether we are in a room.
pub(crate) fn in_call(stage: &Stage) -> bool {
    match stage {
        Stage::Joined | Stage::Reconnecting => true,
        Stage::Idle | Stage::Joining | Stage::Knocking | Stage::Ended(_) => false,
    }
}

/// Whether the library for trays is installed. Without it, the toolkit's binding would end the program.
#[cfg(target_os = "linux")]
pub(crate) fn is_possible() -> bool {
    let names = ["libayatana-appindicator3.so.1", "libappindicator3.so.1"];
    // SAFETY: loading these libraries has no relevant side effects, and the toolkit loads them next anyway.
    names.into_iter().any(|name| unsafe { libloading::Library::new(name) }.map(std::mem::forget).is_ok())
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_possible() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::signaling::board::{Door, TableInfo};
    use engine::signaling::board_fold::TableView;
    use std::sync::Arc;

    #[test]
    fn the_tray_shows_the_next_seat_in_server_time() {
        let table = |topic: &str, mine, starts_ms| {
            let info = TableInfo {
                id: topic.into(),
                room: topic.into(),
                topic: topic.into(),
                place: String::new(),
                seats: 4,
                starts_ms,
                ends_ms: starts_ms + 3_600_000,
                now: false,
                weekly: false,
                host: String::new(),
                door: Door::Open,
                locked: false,
                taken: vec![],
                taken_count: 3,
                waiting: vec![],
                waiting_count: 0,
                in_call: 0,
                sequence: 0,
            };
            Arc::new(TableView { info, mine, my_place: 0 })
        };
        // 2026-03-02 12:00 in Seoul.
        let noon = 1_772_420_400_000;
        let mut board = BoardState {
            now_ms: noon,
            skew_ms: 0,
            zone: "Asia/Seoul".into(),
            member: true,
            tables: vec![
                table("gone", Mine::Seat, noon - 7_200_000),
                table("later", Mine::Host, noon + 86_400_000),
                table("full", Mine::Waiting, noon),
                table("Soup", Mine::Seat, noon + 1_800_000),
            ],
            rounds: vec![],
            people: vec![],
            free_count: 0,
            hungry_count: 0,
            waiting: None,
            seated: None,
            order: Default::default(),
        };
        assert_eq!(next_seat(&board).as_deref(), Some("12:30 Soup (3/4)"));
        board.tables.pop();
        assert_eq!(next_seat(&board).as_deref(), Some("03-03 12:00 later (3/4)"));
        board.tables.clear();
        assert_eq!(next_seat(&board), None);
    }
}
