//! The schema of the file, and its migrations.

use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::StoreFault;

/// The migrations. `user_version` is the number of those that a file has been through. Only ever append.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE tables (
        id TEXT PRIMARY KEY,
        room TEXT NOT NULL UNIQUE,
        topic TEXT NOT NULL,
        place TEXT NOT NULL,
        seats INTEGER NOT NULL,
        starts INTEGER NOT NULL,
        ends INTEGER NOT NULL,
        kind TEXT NOT NULL,
        weekly_at TEXT,
        host TEXT NOT NULL,
        door TEXT NOT NULL,
        locked INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE sitters (
        table_id TEXT NOT NULL REFERENCES tables (id) ON DELETE CASCADE,
        list TEXT NOT NULL,
        place INTEGER NOT NULL,
        key TEXT NOT NULL,
        name TEXT NOT NULL,
        told INTEGER NOT NULL,
        PRIMARY KEY (table_id, list, place)
    ) WITHOUT ROWID;
    CREATE TABLE met (a TEXT NOT NULL, b TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (a, b)) WITHOUT ROWID;
    CREATE INDEX met_b ON met (b);
    CREATE TABLE invite_uses (
        id BLOB NOT NULL, key TEXT NOT NULL, expires INTEGER NOT NULL, PRIMARY KEY (id, key)
    ) WITHOUT ROWID;
    CREATE TABLE hungry (
        key TEXT PRIMARY KEY, name TEXT NOT NULL, since INTEGER NOT NULL, friends TEXT NOT NULL
    ) WITHOUT ROWID;
",
    "
    ALTER TABLE tables ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE tables ADD COLUMN stamped INTEGER NOT NULL DEFAULT 0;
    UPDATE tables SET stamped = CAST(strftime('%s', 'now') AS INTEGER) * 1000;
    CREATE TABLE feeds (key TEXT PRIMARY KEY, id BLOB NOT NULL UNIQUE, used INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE cancelled (
        key TEXT NOT NULL,
        table_id TEXT NOT NULL,
        topic TEXT NOT NULL,
        place TEXT NOT NULL,
        starts INTEGER NOT NULL,
        ends INTEGER NOT NULL,
        sequence INTEGER NOT NULL,
        stamped INTEGER NOT NULL,
        PRIMARY KEY (key, table_id)
    ) WITHOUT ROWID;
",
    "
    CREATE TABLE accounts (
        person TEXT PRIMARY KEY, issuer TEXT NOT NULL, subject TEXT NOT NULL, name TEXT NOT NULL,
        UNIQUE (issuer, subject)
    ) WITHOUT ROWID;
    CREATE TABLE devices (
        key TEXT PRIMARY KEY,
        person TEXT NOT NULL REFERENCES accounts (person) ON DELETE CASCADE,
        name TEXT NOT NULL,
        added INTEGER NOT NULL,
        used INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX devices_person ON devices (person);
",
    "
    CREATE TABLE avatars (
        key TEXT PRIMARY KEY, color INTEGER, glyph TEXT, jpeg BLOB, seen INTEGER NOT NULL
    ) WITHOUT ROWID;
",
    "
    ALTER TABLE accounts ADD COLUMN steward INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE blocks (
        key TEXT NOT NULL, other TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (key, other)
    ) WITHOUT ROWID;
    CREATE TABLE reports (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        author TEXT NOT NULL,
        author_name TEXT NOT NULL,
        person TEXT NOT NULL,
        person_name TEXT NOT NULL,
        text TEXT NOT NULL,
        in_call INTEGER NOT NULL
    );
    CREATE TABLE suspensions (
        key TEXT PRIMARY KEY, name TEXT NOT NULL, since INTEGER NOT NULL, until INTEGER, reason TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE acts (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        name TEXT NOT NULL,
        topic TEXT NOT NULL,
        reason TEXT NOT NULL,
        until INTEGER,
        steward TEXT NOT NULL,
        steward_name TEXT NOT NULL,
        seen INTEGER NOT NULL
    );
",
    "
    CREATE TABLE rounds (
        id TEXT PRIMARY KEY,
        title TEXT NOT NULL,
        host TEXT NOT NULL,
        starts INTEGER NOT NULL,
        minutes INTEGER NOT NULL,
        weekly_at TEXT,
        size TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE sign_ups (
        round_id TEXT NOT NULL REFERENCES rounds (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        name TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (round_id, key)
    ) WITHOUT ROWID;
    CREATE TABLE round_news (
        key TEXT NOT NULL,
        round_id TEXT NOT NULL,
        title TEXT NOT NULL,
        starts INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        PRIMARY KEY (key, round_id)
    ) WITHOUT ROWID;
",
];
const INVITE_SECRET: &str = "invite_secret";

/// Prepares a file for this version.
pub(super) fn prepare(connection: &mut Connection) -> Result<(), StoreFault> {
    // No second process may write to the file.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Data of people who ask to be forgotten must be overwritten, not only unlinked.
    connection.pragma_update(None, "secure_delete", true)?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if !(0..=known).contains(&version) {
        return Err(StoreFault::Newer { found: version, known });
    }
    let transaction = connection.transaction()?;
    for step in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    Ok(transaction.commit()?)
}

/// The secret that signs invites: the stored one, otherwise `fresh`, which is then stored.
pub(super) fn invite_secret(connection: &Connection, fresh: [u8; 32]) -> rusqlite::Result<[u8; 32]> {
    let kept = connection
        .query_row("SELECT value FROM meta WHERE name = ?1", [INVITE_SECRET], |row| row.get::<_, [u8; 32]>(0))
        .optional()?;
    if let Some(kept) = kept {
        return Ok(kept);
    }
    connection.execute("INSERT INTO meta (name, value) VALUES (?1, ?2)", params![INVITE_SECRET, fresh])?;
    Ok(fresh)
}
