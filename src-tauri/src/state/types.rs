//! The shapes in TypeScript. `cargo test -p lunchroom` fails when the file in `ui/` is not what is written here;
//! with `WRITE_TYPES=1` it writes the file.

use super::*;
use crate::commands::files::TransferChoice;
use engine::signaling::account::AccountDevice;
use engine::signaling::avatar::Avatar;
use engine::signaling::board::{
    AboutAccount, AboutMe, AboutReport, AboutRound, AboutTable, Act, ActKind, Door, Draft, Knocker, Meeting, Notice,
    NoticeKind, Order, OrderBook, OrderReport, PersonInfo, Presence, RoundDraft, RoundInfo, RoundSize, Sitter,
    StewardAct, SuspendedPerson, Suspension, TableInfo, UsedInvite, Waiting,
};
use engine::signaling::board_fold::{BoardState, Mine, RoundView, TableView};
use engine::signaling::connection_report::{ConnectionReport, ConnectionVerdict};
use engine::signaling::message::{MediaState, Participant, ParticipantId, Reaction};
use engine::{
    CallView, ChatLine, DeviceChoice, DeviceInfo, DeviceKind, FindingReport, Hop, HopReport, LinkState,
    ParticipantView, Picture, Problem, Reminder, Repair, Report, SessionView, Severity, Share, ShareState,
    ShownReaction, SoundCheckView, Stage, Tile, TransferReason, TransferState, TransferView, UnsentLine, Verdict,
};
use ts_rs::{Config, TS};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../ui/shared/types/state.d.ts");

const HEAD: &str = "// Written from the types of Rust by `WRITE_TYPES=1 cargo test -p lunchroom types`. Do not edit.\n";

#[test]
fn the_types_of_the_ui_are_those_of_rust() {
    let wanted = file();
    if std::env::var_os("WRITE_TYPES").is_some() {
        std::fs::create_dir_all(std::path::Path::new(FILE).parent().unwrap()).unwrap();
        std::fs::write(FILE, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(FILE).unwrap_or_default().replace("\r\n", "\n");
    assert!(found == wanted, "stale: run WRITE_TYPES=1 cargo test -p lunchroom types");
}

fn file() -> String {
    let config = Config::default().with_large_int("number");
    let mut text = HEAD.to_owned();
    let mut add = |docs: Option<String>, declaration: String| {
        text.push('\n');
        text.push_str(&docs.unwrap_or_default());
        text.push_str(&format!("export {declaration}\n"));
    };
    macro_rules! all {
        ($($name:ident)*) => { $(add($name::docs(), $name::decl(&config));)* };
    }
    all! {
        AppState AppUpdate ChatUpdate SessionView You PendingLink Hosting FrameAccess Abilities
        CallView Stage ParticipantView Participant ParticipantId Reaction ShownReaction ConnectionReport ConnectionVerdict LinkState Repair ChatLine UnsentLine Knocker
        DeviceInfo DeviceKind DeviceChoice Share ShareState ScreenChoice SoundCheckView Problem
        Settings OwnAvatar KnownPerson KnownServer Language Theme Noise
        AboutMe AboutAccount AccountDevice AboutTable AboutRound AboutReport UsedInvite Meeting
        Order Act ActKind Suspension OrderBook OrderReport SuspendedPerson StewardAct
        BoardState RoundView RoundInfo RoundSize TableView TableInfo Sitter Avatar Mine Door PersonInfo Presence Waiting Reminder Notice NoticeKind
        TransferView TransferState TransferReason TransferChoice
        MediaState Join Tile Picture Draft RoundDraft SavedCalendar CalendarAddress CommandError
        Report Verdict FindingReport Severity Hop HopReport
        Stats VideoOutFigures PersonStats PathFigures VideoInFigures AudioFigures
    }
    text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}
