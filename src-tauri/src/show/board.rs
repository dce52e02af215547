//! Converts the board for the window, and requests back.

use crate::state::{
    BoardState, Door, Mine, Person, Presence, Reminder, ReminderKind, Sitting, Table, TableDraft, Waiting,
};
use engine::signaling::board::{self as wire, Draft, Notice, NoticeKind};
use engine::signaling::board_fold as fold;
use std::sync::Arc;

/// Converts the board as this person sees it. Its tables and people were converted by [`table`] and [`person`].
pub(crate) fn board(board: &fold::BoardState, tables: Vec<Arc<Table>>, people: Vec<Arc<Person>>) -> BoardState {
    BoardState {
        now_ms: board.now_ms,
        zone: board.zone.clone(),
        member: board.member,
        tables,
        people,
        free_count: board.free_count,
        waiting: board.waiting.as_ref().map(|w| Waiting { since_ms: w.since_ms, with: w.with.clone() }),
        seated: board.seated.clone(),
    }
}

/// Converts a notice of the board. `None` if this version does not know its kind.
pub(crate) fn reminder(number: u64, notice: &Notice) -> Option<Reminder> {
    let kind = match notice.kind {
        NoticeKind::Soon => ReminderKind::Soon,
        NoticeKind::Begins => ReminderKind::Begins,
        NoticeKind::MovedUp => ReminderKind::MovedUp,
        NoticeKind::Seated => ReminderKind::Seated,
        NoticeKind::Deleted => ReminderKind::Deleted,
        NoticeKind::Unknown => return None,
    };
    let Notice { table, room, topic, starts_ms, .. } = notice.clone();
    Some(Reminder { number, kind, table, room, topic, starts_ms })
}

/// Converts the draft of a table.
pub(crate) fn draft(draft: TableDraft) -> Draft {
    let TableDraft { topic, place, seats, now, starts_ms, minutes, weekly, door } = draft;
    // A number of seats that exceeds a byte exceeds every server's limit too.
    let seats = u8::try_from(seats).unwrap_or(u8::MAX);
    let door = match door {
        Door::Open => wire::Door::Open,
        Door::Knock => wire::Door::Knock,
    };
    Draft { topic, place, seats, now, starts_ms, minutes, weekly, door }
}

pub(crate) fn presence(presence: Presence) -> wire::Presence {
    match presence {
        Presence::Free => wire::Presence::Free,
        Presence::AtTable => wire::Presence::AtTable,
        Presence::Away => wire::Presence::Away,
    }
}

pub(crate) fn table(table: &fold::TableView) -> Table {
    Table {
        id: table.id.clone(),
        room: table.room.clone(),
        topic: table.topic.clone(),
        place: table.place.clone(),
        seats: table.seats.into(),
        starts_ms: table.starts_ms,
        ends_ms: table.ends_ms,
        now: table.now,
        weekly: table.weekly,
        host: table.host.clone(),
        door: match table.door {
            wire::Door::Open => Door::Open,
            wire::Door::Knock => Door::Knock,
        },
        locked: table.locked,
        taken: table.taken.iter().map(|s| Sitting { id: s.id.clone(), name: s.name.clone() }).collect(),
        taken_count: table.taken_count.into(),
        waiting_count: table.waiting_count.into(),
        mine: match table.mine {
            fold::Mine::None => Mine::None,
            fold::Mine::Seat => Mine::Seat,
            fold::Mine::Waiting => Mine::Waiting,
            fold::Mine::Host => Mine::Host,
        },
        in_call: table.in_call.into(),
    }
}

pub(crate) fn person(person: &wire::PersonInfo) -> Person {
    Person {
        id: person.id.clone(),
        name: person.name.clone(),
        presence: match person.presence {
            wire::Presence::Free => Presence::Free,
            wire::Presence::AtTable => Presence::AtTable,
            wire::Presence::Away => Presence::Away,
        },
    }
}
