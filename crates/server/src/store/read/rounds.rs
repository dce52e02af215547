//! Reads rounds from the file.

use std::collections::HashMap;

use rooms::board::{Outcome, Round, RoundNews, SavedRounds, SignUp};
use rusqlite::{Connection, Row};
use signaling::board::RoundSize;

use super::{rows, time};

pub(super) fn all(connection: &Connection) -> rusqlite::Result<SavedRounds> {
    let mut rounds = rows(connection, "SELECT id, title, host, starts, minutes, weekly_at, size FROM rounds", round)?;
    let index: HashMap<String, usize> = rounds.iter().enumerate().map(|(at, round)| (round.id.clone(), at)).collect();
    let sign_ups = rows(connection, "SELECT round_id, key, name, at FROM sign_ups ORDER BY at, key", |row| {
        Ok((row.get::<_, String>(0)?, SignUp { key: row.get(1)?, name: row.get(2)?, at: time(row, 3)? }))
    })?;
    for (id, sign_up) in sign_ups {
        if let Some(round) = index.get(&id).and_then(|at| rounds.get_mut(*at)) {
            round.signed_up.push(sign_up);
        }
    }
    let sql = "SELECT key, round_id, title, starts, outcome FROM round_news ORDER BY starts";
    let news = rows(connection, sql, |row| {
        let (key, round, title) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok(RoundNews { key, round, title, starts: time(row, 3)?, outcome: outcome(&row.get::<_, String>(4)?) })
    })?;
    Ok(SavedRounds { rounds, news })
}

fn round(row: &Row<'_>) -> rusqlite::Result<Round> {
    let (weekly_at, size): (Option<String>, String) = (row.get(5)?, row.get(6)?);
    Ok(Round {
        id: row.get(0)?,
        title: row.get(1)?,
        host: row.get(2)?,
        starts: time(row, 3)?,
        minutes: row.get(4)?,
        weekly_at: weekly_at.and_then(|at| at.parse().ok()),
        size: if size == "fours" { RoundSize::Fours } else { RoundSize::Threes },
        signed_up: Vec::new(),
    })
}

fn outcome(word: &str) -> Outcome {
    match word {
        "unmatched" => Outcome::Unmatched,
        "missed" => Outcome::Missed,
        _ => Outcome::Cancelled,
    }
}
