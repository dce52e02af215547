//! The tray and the notifications, which follow the state while nobody looks at the window.

use crate::desk::DeskHandle;
use crate::state::{AppState, Settings};
use crate::tray::{Tray, in_call};
use crate::window;
use crate::words::Words;
use engine::ParticipantView;
use engine::signaling::text;
use std::time::{SystemTime, UNIX_EPOCH};
use tauri::{AppHandle, Manager};
use tauri_plugin_notification::NotificationExt as _;

/// The longest text of a notification, in characters.
const LONGEST: usize = 200;

/// Follows the state until the app ends.
pub(crate) fn follow(app: AppHandle) {
    let mut tray = Tray::put_up(&app);
    let mut shown = app.state::<DeskHandle>().shown.clone();
    tauri::async_runtime::spawn(async move {
        let mut before = shown.borrow_and_update().clone();
        loop {
            let state = shown.borrow_and_update().clone();
            if let Some(tray) = &mut tray {
                tray.show(&state);
            }
            if may_disturb(&state.settings, now_ms()) && !is_looked_at(&app) {
                news(&before, &state).into_iter().for_each(|(title, body)| notify(&app, &title, &body));
            }
            before = state;
            if shown.changed().await.is_err() {
                return;
            }
        }
    });
}

/// Whether the person wants notifications at this time, Unix milliseconds.
fn may_disturb(settings: &Settings, now_ms: u64) -> bool {
    settings.notifications && settings.quiet_until_ms.is_none_or(|until| until <= now_ms)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The notifications for a change of state, as title and text: reminders, new participants, chat lines.
fn news(before: &AppState, now: &AppState) -> Vec<(String, String)> {
    let words = Words::of(&now.settings);
    let last = before.reminders.last().map(|old| old.number);
    let new = now.reminders.iter().filter(|reminder| Some(reminder.number) > last);
    // A person at that table needs no reminder.
    let new = new.filter(|reminder| !in_call(&now.call.stage) || now.call.room != reminder.notice.room);
    let reminders = new.map(|reminder| {
        let topic = if reminder.notice.topic.is_empty() { words.table } else { &reminder.notice.topic };
        (topic.to_owned(), words.reminder(reminder.notice.kind).to_owned())
    });
    reminders.chain(of_the_call(before, now, words)).collect()
}

fn of_the_call(before: &AppState, now: &AppState, words: &Words) -> Vec<(String, String)> {
    if !in_call(&before.call.stage) || !in_call(&now.call.stage) || before.call.room != now.call.room {
        return vec![];
    }
    let name = |name: &str| if name.is_empty() { words.somebody.to_owned() } else { name.to_owned() };
    let was_there = |who: &ParticipantView| before.call.participants.iter().any(|old| old.info.id == who.info.id);
    let came = now.call.participants.iter().filter(|who| !was_there(who));
    let came = came.map(|who| (title(now), words.came(&name(&who.info.name))));
    let last = before.chat.last();
    let new = now.chat.iter().rev().take_while(|line| Some(*line) != last);
    let others = new.filter(|line| Some(&line.from) != now.call.you.as_ref());
    let mut written: Vec<_> = others.map(|line| (name(&line.name), line.text.clone())).collect();
    written.reverse();
    came.chain(written).collect()
}

/// The title of the room: the topic of its table, or else its name.
fn title(state: &AppState) -> String {
    let mut tables = state.board.iter().flat_map(|board| &board.tables).map(|table| &table.info);
    let table = tables.find(|table| table.room == state.call.room && !table.topic.is_empty());
    table.map_or(&state.call.room, |table| &table.topic).clone()
}

fn is_looked_at(app: &AppHandle) -> bool {
    app.get_webview_window(window::MAIN).is_some_and(|window| window.is_focused().unwrap_or(false))
}

fn notify(app: &AppHandle, title: &str, body: &str) {
    let body = escaped(&text::cut(body, LONGEST, 4 * LONGEST));
    if let Err(error) = app.notification().builder().title(title).body(body).show() {
        tracing::info!("no notification: {error}");
    }
}

/// Escapes markup, which Linux desktops interpret (Desktop Notifications Specification, "Markup"). Other systems show
/// plain text.
fn escaped(text: &str) -> String {
    if cfg!(target_os = "linux") {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Language;
    use crate::testing;
    use engine::signaling::avatar::Avatar;
    use engine::signaling::board::{Notice, NoticeKind};
    use engine::signaling::message::{MediaState, Participant, ParticipantId};
    use engine::{CallView, ChatLine, LinkState, Reminder, Stage};
    use std::sync::Arc;

    fn state(people: &[&str], chat: &[(&str, &str)]) -> AppState {
        let id = |id: &str| ParticipantId(id.into());
        let participant = |who: &&str| {
            let (name, key, media) = (format!("Name of {who}"), String::new(), MediaState::default());
            let info =
                Participant { id: id(who), name, key, nonce: None, media, hand: None, avatar: Avatar::default() };
            let (link, distrust) = (LinkState::Connected, None);
            ParticipantView {
                info,
                link,
                interrupted_since: None,
                repair: None,
                distrust,
                lacks_key: false,
                connected: true,
                report: None,
                reaction: None,
            }
        };
        let line = |(n, (from, text)): (usize, &(&str, &str))| {
            Arc::new(ChatLine { from: id(from), name: (*from).into(), text: (*text).into(), at: n as u64 })
        };
        let call = CallView {
            stage: Stage::Joined,
            room: "soup".into(),
            you: Some(id("me")),
            participants: people.iter().map(participant).collect(),
            ..testing::call()
        };
        AppState {
            call: Arc::new(call),
            chat: Arc::new(chat.iter().enumerate().map(line).collect()),
            settings: Settings { language: Some(Language::En), ..Settings::default() },
            ..testing::state()
        }
    }

    #[test]
    fn nothing_disturbs_until_the_chosen_time() {
        let quiet = Settings { quiet_until_ms: Some(1_000), ..Settings::default() };
        assert!(!may_disturb(&quiet, 999));
        assert!(may_disturb(&quiet, 1_000));
        assert!(may_disturb(&Settings::default(), 0));
        assert!(!may_disturb(&Settings { notifications: false, ..Settings::default() }, 1_000));
    }

    #[test]
    fn arrivals_and_messages_of_others_are_notified() {
        let before = state(&["a"], &[("a", "hi")]);
        let now = state(&["a", "b"], &[("a", "hi"), ("me", "hello"), ("b", "one"), ("b", "two")]);
        let notifications = news(&before, &now);
        let expected = [("soup", "Name of b joined the table"), ("b", "one"), ("b", "two")];
        assert_eq!(notifications, expected.map(|(t, b)| (t.to_owned(), b.to_owned())));
        assert!(news(&now, &now).is_empty());
    }

    #[test]
    fn joining_a_room_notifies_nothing_about_those_present() {
        let mut before = state(&[], &[]);
        Arc::make_mut(&mut before.call).stage = Stage::Joining;
        assert!(news(&before, &state(&["a", "b"], &[])).is_empty());
    }

    #[test]
    fn a_reminder_is_shown_once_and_only_to_those_elsewhere() {
        let reminder = |number, room: &str| {
            let (kind, table, topic) = (NoticeKind::Soon, "t1".into(), "Ramen".into());
            Reminder { number, notice: Notice { kind, table, room: room.into(), topic, starts_ms: 0 } }
        };
        let mut now = state(&[], &[]);
        now.reminders = vec![reminder(0, "ramen"), reminder(1, "soup")];
        let notifications = news(&state(&[], &[]), &now);
        assert_eq!(notifications, [("Ramen".to_owned(), "Lunch starts in five minutes.".to_owned())]);
        assert!(news(&now, &now).is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn markup_in_a_notification_is_escaped() {
        assert_eq!(escaped("<b>&"), "&lt;b&gt;&amp;");
    }
}
