//! Writes changes of rounds to the file.

use rooms::board::{Outcome, RoundChange, RoundNews, SignUp};
use rusqlite::{Transaction, params};
use signaling::board::RoundSize;

use super::{run, time};

pub(super) fn one(to: &Transaction<'_>, change: &RoundChange) -> rusqlite::Result<()> {
    match change {
        RoundChange::Round(round) => {
            let size = match round.size {
                RoundSize::Threes => "threes",
                RoundSize::Fours => "fours",
            };
            let weekly_at = round.weekly_at.map(|at| at.to_string());
            run(
                to,
                // Replacing the row would delete its sign-ups.
                "INSERT INTO rounds (id, title, host, starts, minutes, weekly_at, size)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (id) DO UPDATE SET title = ?2, host = ?3, starts = ?4, minutes = ?5, weekly_at = ?6,
                    size = ?7",
                params![round.id, round.title, round.host, time(round.starts), round.minutes, weekly_at, size],
            )
        }
        RoundChange::Gone { id } => run(to, "DELETE FROM rounds WHERE id = ?1", params![id]),
        RoundChange::SignUp { round, sign_up: SignUp { key, name, at } } => run(
            to,
            "INSERT OR REPLACE INTO sign_ups (round_id, key, name, at) VALUES (?1, ?2, ?3, ?4)",
            params![round, key, name, time(*at)],
        ),
        RoundChange::Withdrawn { round, key } => {
            run(to, "DELETE FROM sign_ups WHERE round_id = ?1 AND key = ?2", params![round, key])
        }
        RoundChange::Cleared { round } => run(to, "DELETE FROM sign_ups WHERE round_id = ?1", params![round]),
        RoundChange::News(news) => write_news(to, news),
        RoundChange::NewsGone { key, round } => {
            run(to, "DELETE FROM round_news WHERE key = ?1 AND round_id = ?2", params![key, round])
        }
    }
}

fn write_news(to: &Transaction<'_>, news: &RoundNews) -> rusqlite::Result<()> {
    let outcome = match news.outcome {
        Outcome::Unmatched => "unmatched",
        Outcome::Missed => "missed",
        Outcome::Cancelled => "cancelled",
    };
    run(
        to,
        "INSERT OR REPLACE INTO round_news (key, round_id, title, starts, outcome) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![news.key, news.round, news.title, time(news.starts), outcome],
    )
}
