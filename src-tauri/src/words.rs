//! Texts outside the page: the tray, notifications, and messages when there is no window.

use crate::state::{Language, Settings};
use engine::signaling::board::NoticeKind;

/// Texts in one language.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) show: &'static str,
    pub(crate) mute: &'static str,
    pub(crate) unmute: &'static str,
    pub(crate) stop_sharing: &'static str,
    pub(crate) leave: &'static str,
    pub(crate) quit: &'static str,
    /// The person has no seat at any table.
    pub(crate) no_seat: &'static str,
    came: fn(&str) -> String,
    reminder: fn(NoticeKind) -> &'static str,
    pub(crate) table: &'static str,
    pub(crate) somebody: &'static str,
}

impl Words {
    /// Somebody joined the table.
    pub(crate) fn came(&self, name: &str) -> String {
        (self.came)(name)
    }

    /// The text of a reminder. Its title is the table's topic.
    pub(crate) fn reminder(&self, kind: NoticeKind) -> &'static str {
        (self.reminder)(kind)
    }

    /// The texts in the language of the settings, or else of the system.
    pub(crate) fn of(settings: &Settings) -> &'static Words {
        Words::in_language(Words::language(settings))
    }

    /// The language of the settings, or else of the system.
    pub(crate) fn language(settings: &Settings) -> Language {
        settings.language.unwrap_or_else(system)
    }

    /// The texts in this language.
    pub(crate) fn in_language(language: Language) -> &'static Words {
        match language {
            Language::Ko => &KOREAN,
            Language::En => &ENGLISH,
        }
    }
}

static ENGLISH: Words = Words {
    show: "Show window",
    mute: "Mute",
    unmute: "Unmute",
    stop_sharing: "Stop sharing",
    leave: "Leave call",
    quit: "Quit",
    no_seat: "No seat yet",
    came: |name| format!("{name} joined the table"),
    reminder: |kind| match kind {
        NoticeKind::Soon => "Lunch starts in five minutes.",
        NoticeKind::Begins => "Your table is open. Come and sit down.",
        NoticeKind::MovedUp => "A seat opened up, and it’s yours.",
        NoticeKind::Seated => "We found you a table.",
        NoticeKind::Deleted => "The host cancelled this table.",
        NoticeKind::Moved => "The host moved this table to another time.",
        NoticeKind::Matched => "You’ve got a table. See who’s eating with you.",
        NoticeKind::Unmatched => "Not enough people signed up to seat you this time.",
        NoticeKind::RoundMissed => "The server was down when tables were made, so nobody was seated.",
        NoticeKind::RoundCancelled => "This lunch roulette was cancelled.",
        NoticeKind::Unknown => "",
    },
    table: "Your table",
    somebody: "Someone",
};

static KOREAN: Words = Words {
    show: "창 열기",
    mute: "음소거",
    unmute: "음소거 해제",
    stop_sharing: "화면 공유 중지",
    leave: "통화에서 나가기",
    quit: "종료",
    no_seat: "아직 자리가 없어요",
    came: |name| format!("{name}님이 들어왔어요"),
    reminder: |kind| match kind {
        NoticeKind::Soon => "5분 뒤에 점심이 시작돼요.",
        NoticeKind::Begins => "테이블이 열렸어요. 와서 앉아 주세요.",
        NoticeKind::MovedUp => "자리가 나서 앉게 됐어요.",
        NoticeKind::Seated => "같이 먹을 자리를 찾았어요.",
        NoticeKind::Deleted => "호스트가 테이블을 없앴어요.",
        NoticeKind::Moved => "호스트가 테이블 시간을 바꿨어요.",
        NoticeKind::Matched => "자리가 정해졌어요. 누구와 먹는지 확인해 보세요.",
        NoticeKind::Unmatched => "이번에는 같이 먹을 사람이 부족해서 자리를 만들지 못했어요.",
        NoticeKind::RoundMissed => "자리를 정할 때 서버가 꺼져 있어서 이번 모임은 열리지 못했어요.",
        NoticeKind::RoundCancelled => "랜덤 점심이 취소됐어요.",
        NoticeKind::Unknown => "",
    },
    table: "내 테이블",
    somebody: "게스트",
};

/// There is no display.
pub(crate) const NO_DISPLAY: &str = "\
Lunchroom needs a display, but found none (check DISPLAY and WAYLAND_DISPLAY).
Start it from a desktop session. Without a display, use lunchroom-cli.
화면을 찾을 수 없어요. 데스크톱 환경에서 실행해 주세요. 화면이 없으면 lunchroom-cli로 통화할 수 있어요.";

/// The system's web view is missing or broken.
pub(crate) const NO_WEBVIEW: &str = "\
Lunchroom could not open its window: the system's web view is missing or does not work.
Linux: install libwebkit2gtk-4.1-0. Windows: install the WebView2 runtime from Microsoft.
창을 열 수 없어요. 웹 뷰(리눅스: libwebkit2gtk-4.1-0, 윈도: WebView2)를 설치한 뒤 다시 실행해 주세요.";

fn system() -> Language {
    match sys_locale::get_locale() {
        Some(locale) if locale.to_lowercase().starts_with("ko") => Language::Ko,
        Some(_) | None => Language::En,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_choose_the_language() {
        let of = |language| Words::of(&Settings { language: Some(language), ..Settings::default() });
        assert_eq!(of(Language::Ko).came("하늘"), "하늘님이 들어왔어요");
        assert_eq!(of(Language::En).came("Ada"), "Ada joined the table");
    }
}
