//! Writes changes of the board to the file.

mod rounds;

use rooms::board::{
    Cancelled, Change, Feed, Kind, LastReminder, OrderChange, SavedAct, SavedAvatar, SavedReport, Table,
};
use rusqlite::{Connection, Transaction, params};
use signaling::board::{ActKind, Door};

use super::Changes;
use crate::accounts::{self, Account, Device};

/// Writes all changes in one transaction.
pub(super) fn batches<'a>(
    connection: &mut Connection,
    changes: impl Iterator<Item = &'a Changes>,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for Changes { board, accounts } in changes {
        board.iter().try_for_each(|change| one(&transaction, change))?;
        accounts.iter().try_for_each(|change| account(&transaction, change))?;
    }
    transaction.commit()
}

fn account(to: &Transaction<'_>, change: &accounts::Change) -> rusqlite::Result<()> {
    match change {
        accounts::Change::Account(Account { person, issuer, subject, name, steward }) => run(
            to,
            // Replacing the row would delete its devices.
            "INSERT INTO accounts (person, issuer, subject, name, steward) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (person) DO UPDATE SET issuer = ?2, subject = ?3, name = ?4, steward = ?5",
            params![person, issuer, subject, name, steward],
        ),
        accounts::Change::Device(Device { key, person, name, added, used }) => run(
            to,
            "INSERT OR REPLACE INTO devices (key, person, name, added, used) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![key, person, name, time(*added), time(*used)],
        ),
        accounts::Change::DeviceGone { key } => run(to, "DELETE FROM devices WHERE key = ?1", params![key]),
        accounts::Change::Forget { person } => {
            run(to, "DELETE FROM devices WHERE person = ?1", params![person])?;
            run(to, "DELETE FROM accounts WHERE person = ?1", params![person])
        }
    }
}

fn one(to: &Transaction<'_>, change: &Change) -> rusqlite::Result<()> {
    match change {
        Change::Table(table) => write_table(to, table)?,
        Change::Gone { id } => run(to, "DELETE FROM tables WHERE id = ?1", params![id])?,
        Change::Met { a, b, at } => {
            run(to, "INSERT OR REPLACE INTO met (a, b, at) VALUES (?1, ?2, ?3)", params![a, b, time(*at)])?;
        }
        Change::Forget { key } => {
            run(to, "DELETE FROM met WHERE a = ?1 OR b = ?1", params![key])?;
            run(to, "DELETE FROM invite_uses WHERE key = ?1", params![key])?;
            run(to, "DELETE FROM hungry WHERE key = ?1", params![key])?;
            run(to, "DELETE FROM sitters WHERE key = ?1", params![key])?;
            run(to, "DELETE FROM blocks WHERE key = ?1 OR other = ?1", params![key])?;
            run(to, "DELETE FROM suspensions WHERE key = ?1", params![key])?;
            run(to, "DELETE FROM sign_ups WHERE key = ?1", params![key])?;
            run(to, "DELETE FROM round_news WHERE key = ?1", params![key])?;
        }
        Change::Prune { met_before, invites_before } => {
            run(to, "DELETE FROM met WHERE at < ?1", params![time(*met_before)])?;
            run(to, "DELETE FROM invite_uses WHERE expires < ?1", params![time(*invites_before)])?;
        }
        Change::InviteUsed { id, key, expires } => run(
            to,
            "INSERT OR IGNORE INTO invite_uses (id, key, expires) VALUES (?1, ?2, ?3)",
            params![id, key, time(*expires)],
        )?,
        Change::Hungry { key, wish: Some(wish) } => run(
            to,
            "INSERT OR REPLACE INTO hungry (key, name, since, friends) VALUES (?1, ?2, ?3, ?4)",
            // Keys are base64url, so they contain no space.
            params![key, wish.name, time(wish.since), wish.with.join(" ")],
        )?,
        Change::Hungry { key, wish: None } => run(to, "DELETE FROM hungry WHERE key = ?1", params![key])?,
        Change::Feed { key, feed: Some(Feed { id, used }) } => {
            run(to, "INSERT OR REPLACE INTO feeds (key, id, used) VALUES (?1, ?2, ?3)", params![key, id, time(*used)])?;
        }
        Change::Feed { key, feed: None } => run(to, "DELETE FROM feeds WHERE key = ?1", params![key])?,
        Change::Avatar { key, avatar: Some(SavedAvatar { color, glyph, jpeg, seen }) } => run(
            to,
            "INSERT OR REPLACE INTO avatars (key, color, glyph, jpeg, seen) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![key, color, glyph, jpeg.as_deref(), time(*seen)],
        )?,
        Change::Avatar { key, avatar: None } => run(to, "DELETE FROM avatars WHERE key = ?1", params![key])?,
        Change::Order(change) => order(to, change)?,
        Change::Round(change) => rounds::one(to, change)?,
        Change::Cancelled { key, table, lunch: Some(lunch) } => write_cancelled(to, key, table, lunch)?,
        Change::Cancelled { key, table, lunch: None } => {
            run(to, "DELETE FROM cancelled WHERE key = ?1 AND table_id = ?2", params![key, table])?;
        }
    }
    Ok(())
}

fn order(to: &Transaction<'_>, change: &OrderChange) -> rusqlite::Result<()> {
    match change {
        OrderChange::Block { key, other, name: Some(name) } => {
            run(to, "INSERT OR REPLACE INTO blocks (key, other, name) VALUES (?1, ?2, ?3)", params![key, other, name])
        }
        OrderChange::Block { key, other, name: None } => {
            run(to, "DELETE FROM blocks WHERE key = ?1 AND other = ?2", params![key, other])
        }
        OrderChange::Report { id, report: Some(report) } => write_report(to, *id, report),
        OrderChange::Report { id, report: None } => run(to, "DELETE FROM reports WHERE id = ?1", params![id]),
        OrderChange::Suspension { key, suspension: Some(one) } => run(
            to,
            "INSERT OR REPLACE INTO suspensions (key, name, since, until, reason) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![key, one.name, time(one.since), one.until.map(time), one.reason],
        ),
        OrderChange::Suspension { key, suspension: None } => {
            run(to, "DELETE FROM suspensions WHERE key = ?1", params![key])
        }
        OrderChange::Act { id, act: Some(act) } => write_act(to, *id, act),
        OrderChange::Act { id, act: None } => run(to, "DELETE FROM acts WHERE id = ?1", params![id]),
    }
}

fn write_report(to: &Transaction<'_>, id: u32, one: &SavedReport) -> rusqlite::Result<()> {
    run(
        to,
        "INSERT OR REPLACE INTO reports (id, at, author, author_name, person, person_name, text, in_call)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![id, time(one.at), one.by, one.by_name, one.of, one.of_name, one.text, one.in_call],
    )
}

fn write_act(to: &Transaction<'_>, id: u32, act: &SavedAct) -> rusqlite::Result<()> {
    let kind = match act.kind {
        ActKind::Closed => "closed",
        ActKind::Suspended => "suspended",
        ActKind::Lifted => "lifted",
        ActKind::Unknown => "unknown",
    };
    run(
        to,
        "INSERT OR REPLACE INTO acts (id, at, kind, key, name, topic, reason, until, steward, steward_name, seen)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            id,
            time(act.at),
            kind,
            act.key,
            act.name,
            act.topic,
            act.reason,
            act.until.map(time),
            act.steward,
            act.steward_name,
            act.seen
        ],
    )
}

fn write_cancelled(to: &Transaction<'_>, key: &str, table: &str, lunch: &Cancelled) -> rusqlite::Result<()> {
    let Cancelled { topic, place, starts, ends, sequence, stamped } = lunch;
    run(
        to,
        "INSERT OR REPLACE INTO cancelled (key, table_id, topic, place, starts, ends, sequence, stamped)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![key, table, topic, place, time(*starts), time(*ends), sequence, time(*stamped)],
    )
}

fn write_table(to: &Transaction<'_>, table: &Table) -> rusqlite::Result<()> {
    let (kind, weekly_at) = match &table.kind {
        Kind::Now => ("now", None),
        Kind::EatNow => ("eat_now", None),
        Kind::Round => ("round", None),
        Kind::Slot => ("slot", None),
        Kind::Weekly { at } => ("weekly", Some(at.to_string())),
    };
    let door = match table.door {
        Door::Open => "open",
        Door::Knock => "knock",
    };
    // Deleting the table also deletes its people.
    run(to, "DELETE FROM tables WHERE id = ?1", params![table.id])?;
    run(
        to,
        "INSERT INTO tables (id, room, topic, place, seats, starts, ends, kind, weekly_at, host, door, locked, sequence,
            stamped)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        params![
            table.id,
            table.room,
            table.topic,
            table.place,
            table.seats,
            time(table.starts),
            time(table.ends),
            kind,
            weekly_at,
            table.host,
            door,
            table.locked,
            table.sequence,
            time(table.stamped)
        ],
    )?;
    let number = |reminder| match reminder {
        LastReminder::Nothing => 0,
        LastReminder::Soon => 1,
        LastReminder::Begins => 2,
        LastReminder::Unannounced => 3,
    };
    let taken =
        table.taken.iter().map(|seat| ("taken", seat.key.as_str(), seat.name.as_str(), number(seat.last_reminder)));
    let waiting = table.waiting.iter().map(|waiting| ("waiting", waiting.id.as_str(), waiting.name.as_str(), 0));
    let inside = table.inside.iter().map(|key| ("inside", key.as_str(), "", 0));
    let removed = table.removed.iter().map(|key| ("removed", key.as_str(), "", 0));
    let mut insert = to.prepare_cached(
        "INSERT INTO sitters (table_id, list, place, key, name, told) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (place, (list, key, name, last_reminder)) in taken.chain(waiting).chain(inside).chain(removed).enumerate() {
        insert.execute(params![table.id, list, i64::try_from(place).unwrap_or(i64::MAX), key, name, last_reminder])?;
    }
    Ok(())
}

fn run(to: &Transaction<'_>, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<()> {
    to.prepare_cached(sql)?.execute(values).map(|_| ())
}

fn time(unix_ms: u64) -> i64 {
    i64::try_from(unix_ms).unwrap_or(i64::MAX)
}
