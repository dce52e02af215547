//! Reads a board from the file.

mod rounds;

use std::collections::HashMap;

use rooms::board::{
    Cancelled, Feed, Hungry, Kind, LastReminder, Saved, SavedAct, SavedAvatar, SavedOrder, SavedReport,
    SavedSuspension, Seat, Table,
};
use rusqlite::{Connection, Row};
use signaling::board::{ActKind, Door, Sitter};

use crate::accounts::{self, Account, Device};

/// Reads all accounts and their devices.
pub(super) fn accounts(connection: &Connection) -> rusqlite::Result<accounts::Saved> {
    Ok(accounts::Saved {
        accounts: rows(connection, "SELECT person, issuer, subject, name, steward FROM accounts", |row| {
            let (person, issuer, subject) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Account { person, issuer, subject, name: row.get(3)?, steward: row.get(4)? })
        })?,
        devices: rows(connection, "SELECT key, person, name, added, used FROM devices", |row| {
            let (key, person, name) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(Device { key, person, name, added: time(row, 3)?, used: time(row, 4)? })
        })?,
    })
}

/// Reads the whole board.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Saved> {
    Ok(Saved {
        tables: tables(connection)?,
        met: rows(connection, "SELECT a, b, at FROM met", |row| Ok((row.get(0)?, row.get(1)?, time(row, 2)?)))?,
        invites: rows(connection, "SELECT id, key, expires FROM invite_uses", |row| {
            Ok((row.get(0)?, row.get(1)?, time(row, 2)?))
        })?,
        hungry: rows(connection, "SELECT key, name, since, friends FROM hungry", |row| {
            let friends: String = row.get(3)?;
            let with = friends.split_whitespace().map(str::to_owned).collect();
            Ok((row.get(0)?, Hungry { name: row.get(1)?, since: time(row, 2)?, with }))
        })?,
        feeds: rows(connection, "SELECT key, id, used FROM feeds", |row| {
            Ok((row.get(0)?, Feed { id: row.get(1)?, used: time(row, 2)? }))
        })?,
        avatars: rows(connection, "SELECT key, color, glyph, jpeg, seen FROM avatars", |row| {
            let (key, color, glyph, jpeg) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Option<Vec<u8>>>(3)?);
            Ok((key, SavedAvatar { color, glyph, jpeg: jpeg.map(Into::into), seen: time(row, 4)? }))
        })?,
        cancelled: rows(
            connection,
            "SELECT key, table_id, topic, place, starts, ends, sequence, stamped FROM cancelled",
            |row| Ok((row.get(0)?, row.get(1)?, cancelled(row)?)),
        )?,
        order: order(connection)?,
        rounds: rounds::all(connection)?,
    })
}

fn order(connection: &Connection) -> rusqlite::Result<SavedOrder> {
    Ok(SavedOrder {
        blocks: rows(connection, "SELECT key, other, name FROM blocks", |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?,
        reports: rows(
            connection,
            "SELECT id, at, author, author_name, person, person_name, text, in_call FROM reports ORDER BY id",
            |row| Ok((row.get(0)?, report(row)?)),
        )?,
        suspended: rows(connection, "SELECT key, name, since, until, reason FROM suspensions", |row| {
            let (name, since, until) = (row.get(1)?, time(row, 2)?, some_time(row, 3)?);
            Ok((row.get(0)?, SavedSuspension { name, since, until, reason: row.get(4)? }))
        })?,
        acts: rows(
            connection,
            "SELECT id, at, kind, key, name, topic, reason, until, steward, steward_name, seen FROM acts ORDER BY id",
            |row| Ok((row.get(0)?, act(row)?)),
        )?,
    })
}

fn report(row: &Row<'_>) -> rusqlite::Result<SavedReport> {
    Ok(SavedReport {
        at: time(row, 1)?,
        by: row.get(2)?,
        by_name: row.get(3)?,
        of: row.get(4)?,
        of_name: row.get(5)?,
        text: row.get(6)?,
        in_call: row.get(7)?,
    })
}

fn act(row: &Row<'_>) -> rusqlite::Result<SavedAct> {
    let kind: String = row.get(2)?;
    Ok(SavedAct {
        at: time(row, 1)?,
        kind: match kind.as_str() {
            "closed" => ActKind::Closed,
            "suspended" => ActKind::Suspended,
            "lifted" => ActKind::Lifted,
            _ => ActKind::Unknown,
        },
        key: row.get(3)?,
        name: row.get(4)?,
        topic: row.get(5)?,
        reason: row.get(6)?,
        until: some_time(row, 7)?,
        steward: row.get(8)?,
        steward_name: row.get(9)?,
        seen: row.get(10)?,
    })
}

fn some_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(|time| u64::try_from(time).unwrap_or(0)))
}

/// A cancelled lunch, after its person and its table.
fn cancelled(row: &Row<'_>) -> rusqlite::Result<Cancelled> {
    Ok(Cancelled {
        topic: row.get(2)?,
        place: row.get(3)?,
        starts: time(row, 4)?,
        ends: time(row, 5)?,
        sequence: row.get(6)?,
        stamped: time(row, 7)?,
    })
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<Table>> {
    let mut tables = rows(
        connection,
        "SELECT id, room, topic, place, seats, starts, ends, kind, weekly_at, host, door, locked, sequence,
            stamped
         FROM tables",
        table,
    )?;
    let index: HashMap<String, usize> = tables.iter().enumerate().map(|(at, table)| (table.id.clone(), at)).collect();
    let mut statement =
        connection.prepare("SELECT table_id, list, key, name, told FROM sitters ORDER BY table_id, list, place")?;
    let mut sitters = statement.query([])?;
    while let Some(row) = sitters.next()? {
        let id: String = row.get(0)?;
        let Some(table) = index.get(&id).and_then(|at| tables.get_mut(*at)) else { continue };
        let (list, key, name): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
        match list.as_str() {
            "taken" => table.taken.push(Seat { key, name, last_reminder: last_reminder(row.get(4)?) }),
            "waiting" => table.waiting.push(Sitter::new(&key, &name)),
            "inside" => table.inside.push(key),
            "removed" => table.removed.push(key),
            other => tracing::warn!(list = other, "ignoring an unknown list of a table"),
        }
    }
    Ok(tables)
}

fn table(row: &Row<'_>) -> rusqlite::Result<Table> {
    let (kind, weekly_at, door): (String, Option<String>, String) = (row.get(7)?, row.get(8)?, row.get(10)?);
    let kind = match (kind.as_str(), weekly_at.and_then(|at| at.parse().ok())) {
        ("weekly", Some(at)) => Kind::Weekly { at },
        ("now", _) => Kind::Now,
        ("eat_now", _) => Kind::EatNow,
        ("round", _) => Kind::Round,
        (_, _) => Kind::Slot,
    };
    Ok(Table {
        id: row.get(0)?,
        room: row.get(1)?,
        topic: row.get(2)?,
        place: row.get(3)?,
        seats: row.get(4)?,
        starts: time(row, 5)?,
        ends: time(row, 6)?,
        kind,
        host: row.get(9)?,
        // Treat an unknown value as the stricter one.
        door: if door == "open" { Door::Open } else { Door::Knock },
        locked: row.get(11)?,
        taken: Vec::new(),
        waiting: Vec::new(),
        inside: Vec::new(),
        removed: Vec::new(),
        sequence: row.get(12)?,
        stamped: time(row, 13)?,
    })
}

/// In `sitters.told`, where earlier numbers had their meaning before.
const UNANNOUNCED: u8 = 3;

fn last_reminder(number: u8) -> LastReminder {
    match number {
        0 => LastReminder::Nothing,
        1 => LastReminder::Soon,
        UNANNOUNCED => LastReminder::Unannounced,
        _ => LastReminder::Begins,
    }
}

fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare(sql)?.query_map([], read)?.collect()
}
