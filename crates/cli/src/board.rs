//! `lunchroom-cli board`: shows the board and executes commands from standard input.

use crate::args::BoardOptions;
use crate::call::waiting;
use crate::{key, report};
use anyhow::{Context, Result, anyhow, bail};
use engine::signaling::board::{BoardRequest, Door, Draft, Presence};
use engine::signaling::board_fold::{BoardState, Mine, TableView};
use engine::signaling::limits::MAX_EAT_WITH;
use engine::{
    ApmConfig, AppView, BoardAnswer, Command, DeviceChoice, Engine, EngineConfig, MicrophoneOptions, Reminder,
    ServerAddress, SessionView, VideoLimits,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Longest wait for a board that the server does not send.
const GIVE_UP: Duration = Duration::from_secs(15);
/// Longest wait for a server that cannot be reached.
const UNREACHABLE: Duration = Duration::from_secs(3);
/// The syntax of commands.
const ORDERS: &str = "lay MINUTES_FROM_NOW TOPIC | take TABLE | wait TABLE | leave TABLE | delete TABLE | cancel TABLE | move TABLE MINUTES_FROM_NOW | eat-now [PERSON...] | \
                      sign-up ROUND | withdraw ROUND | \
                      stop | free | away | about | order-book | forget | invite ROOM | calendar | revoke-calendar | board | quit";

pub(crate) async fn run(options: BoardOptions) -> Result<()> {
    let engine = Engine::start(EngineConfig {
        client: concat!("lunchroom-cli ", env!("CARGO_PKG_VERSION")).into(),
        key: key::device_key(options.key.as_deref())?,
        codecs: vec![],
        video: VideoLimits { width: 16, height: 16, fps: 1 },
        processing: ApmConfig::default(),
        ice_servers: None,
        relay_only: false,
        include_loopback: false,
        meets: None,
        microphone: MicrophoneOptions::default(),
        devices: DeviceChoice::default(),
        audio_tap: None,
    })?;
    let fingerprint = options.fingerprint.as_deref().map(crate::call::fingerprint).transpose()?;
    let server = ServerAddress { url: options.server, fingerprint };
    engine.command(Command::SetSecret { server: server.clone(), secret: options.secret }).await?;
    engine.command(Command::Connect { server, name: options.name }).await?;
    let outcome = follow(&engine, options.json).await;
    engine.stop().await;
    outcome
}

async fn follow(engine: &Engine, as_json: bool) -> Result<()> {
    let mut view = engine.view();
    first(&mut view).await?;
    print(&view.borrow(), as_json);
    let mut lines = BufReader::new(stdin()).lines();
    let mut next_notice = 0;
    loop {
        tokio::select! {
            changed = view.changed() => {
                changed.context("the engine has stopped")?;
                next_notice = notices(&view.borrow_and_update(), next_notice);
            }
            line = lines.next_line() => match line?.as_deref().map(str::trim) {
                None | Some("quit") => return Ok(()),
                Some("") => {}
                Some("board") => print(&view.borrow(), as_json),
                Some(order) => {
                    let request = request(order, view.borrow().board.as_deref());
                    println!("{}", answer(engine, request).await);
                }
            },
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// Waits for the board, or fails with the reason that it does not arrive.
async fn first(view: &mut watch::Receiver<AppView>) -> Result<()> {
    let end = Instant::now() + GIVE_UP;
    let mut trouble = None;
    loop {
        let session = {
            let now = view.borrow_and_update();
            if now.board.is_some() {
                return Ok(());
            }
            now.session.clone()
        };
        trouble = waiting(&session, trouble, UNREACHABLE)?;
        if Instant::now() >= end {
            return Err(no_board(&session));
        }
        let wake = trouble.map_or(end, |since| end.min(since + UNREACHABLE));
        tokio::select! {
            changed = view.changed() => changed.context("the engine has stopped")?,
            () = sleep_until(wake) => {}
        }
    }
}

/// The most likely reason for a missing board.
fn no_board(session: &SessionView) -> anyhow::Error {
    match session {
        SessionView::Open { .. } => {
            anyhow!("the server did not send a board; if it belongs to a community, give --secret")
        }
        SessionView::Connecting { server, .. } => {
            anyhow!("{} does not answer. Check the address and the network (server_silent)", server.url)
        }
        SessionView::Closed { .. } => anyhow!("there is no session with the server"),
    }
}

/// Executes a request. Returns the result as one line of JSON.
async fn answer(engine: &Engine, request: Result<BoardRequest>) -> Value {
    let request = match request {
        Ok(request) => request,
        Err(error) => return json!({"t": "error", "code": "bad_order", "message": error.to_string()}),
    };
    match engine.board(request).await {
        Ok(BoardAnswer::Done) => json!({"t": "done"}),
        Ok(BoardAnswer::Invite { room, invite, expires_ms }) => {
            json!({"t": "invite", "room": room, "invite": invite, "expires_ms": expires_ms})
        }
        Ok(BoardAnswer::AboutMe(about)) => json!({"t": "about", "about": about}),
        Ok(BoardAnswer::Devices(devices)) => json!({"t": "devices", "devices": devices}),
        Ok(BoardAnswer::Photo(jpeg)) => json!({"t": "photo", "jpeg": jpeg}),
        Ok(BoardAnswer::OrderBook(book)) => json!({"t": "order_book", "order_book": book}),
        Ok(BoardAnswer::Calendar { token }) => json!({"t": "calendar", "path": format!("/calendar/{}.ics", token.0)}),
        Err(problem) => json!({"t": "error", "code": problem.code, "message": problem.message}),
    }
}

fn request(order: &str, board: Option<&BoardState>) -> Result<BoardRequest> {
    let (word, rest) = order.split_once(char::is_whitespace).unwrap_or((order, ""));
    let rest = rest.trim();
    let table = || if rest.is_empty() { bail!("which table?") } else { Ok(rest.to_owned()) };
    let round = || if rest.is_empty() { bail!("which round?") } else { Ok(rest.to_owned()) };
    Ok(match word {
        "lay" => BoardRequest::Lay(draft(rest, board)?),
        "take" => BoardRequest::Take { table: table()?, wait: false },
        "wait" => BoardRequest::Take { table: table()?, wait: true },
        "leave" => BoardRequest::Leave { table: table()? },
        "delete" => BoardRequest::Delete { table: table()? },
        "cancel" => BoardRequest::CancelDate { table: table()? },
        "move" => moved(rest, board)?,
        "eat-now" => {
            BoardRequest::EatNow { with: rest.split_whitespace().take(MAX_EAT_WITH).map(str::to_owned).collect() }
        }
        "sign-up" => BoardRequest::SignUp { round: round()? },
        "withdraw" => BoardRequest::Withdraw { round: round()? },
        "stop" => BoardRequest::StopWaiting,
        "free" => BoardRequest::Presence { presence: Presence::Free },
        "away" => BoardRequest::Presence { presence: Presence::Away },
        "about" => BoardRequest::AboutMe,
        "order-book" => BoardRequest::OrderBook,
        "forget" => BoardRequest::ForgetMe,
        "calendar" => BoardRequest::Calendar { token: None },
        "revoke-calendar" => BoardRequest::RevokeCalendar,
        "invite" => BoardRequest::Invite { room: table()?, uses: 1, hours: 24 },
        _ => bail!("expected one of: {ORDERS}"),
    })
}

/// `TABLE 30` moves a table to half an hour from now by the server's clock. Its length stays.
fn moved(text: &str, board: Option<&BoardState>) -> Result<BoardRequest> {
    let (id, minutes) = text.split_once(char::is_whitespace).context("move TABLE MINUTES_FROM_NOW")?;
    let minutes: u64 = minutes.trim().parse().context("move TABLE MINUTES_FROM_NOW")?;
    let board = board.context("there is no board")?;
    let table = board.tables.iter().find(|table| table.info.id == id).context("there is no such table")?;
    let length = (table.info.ends_ms - table.info.starts_ms) / 60_000;
    Ok(BoardRequest::Move {
        table: id.to_owned(),
        starts_ms: board.now_ms.saturating_add(minutes.saturating_mul(60_000)),
        minutes: u32::try_from(length)?,
    })
}

/// `0 Soup` starts now, `30 Soup` in half an hour by the server's clock.
fn draft(text: &str, board: Option<&BoardState>) -> Result<Draft> {
    let (minutes, topic) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let minutes: u64 = minutes.parse().context("lay MINUTES_FROM_NOW TOPIC")?;
    let now_ms = board.map_or(0, |board| board.now_ms);
    Ok(Draft {
        topic: topic.trim().into(),
        place: String::new(),
        seats: 4,
        now: minutes == 0,
        starts_ms: now_ms.saturating_add(minutes.saturating_mul(60_000)),
        minutes: 60,
        weekly: false,
        door: Door::Open,
    })
}

/// Prints the notices from number `next_notice` on. Returns the number of the next one.
fn notices(view: &AppView, next_notice: u64) -> u64 {
    for Reminder { notice, .. } in view.reminders.iter().filter(|reminder| reminder.number >= next_notice) {
        let kind = serde_json::to_value(notice.kind).unwrap_or_default();
        println!("{}", json!({"t": "notice", "kind": kind, "table": notice.table, "topic": notice.topic}));
    }
    view.reminders.last().map_or(next_notice, |last| last.number + 1)
}

fn print(view: &AppView, as_json: bool) {
    let Some(board) = &view.board else { return };
    if as_json {
        let tables: Vec<Value> = board.tables.iter().map(|table| row(table)).collect();
        println!("{}", json!({"t": "board", "zone": board.zone, "people": board.people.len(), "tables": tables}));
        return;
    }
    println!("{} here, {} free ({})", board.people.len(), board.free_count, board.zone);
    for TableView { info: table, mine: part, .. } in board.tables.iter().map(|table| &**table) {
        let names: Vec<&str> = table.taken.iter().map(|sitter| sitter.name.as_str()).collect();
        let minutes = (table.starts_ms as i64 - board.now_ms as i64) / 60_000;
        let (id, topic, names) = (&table.id, &table.topic, names.join(", "));
        let (taken, seats, mine) = (table.taken_count, table.seats, mine(*part));
        let line = format!("{id} in {minutes} min: {topic:?} {taken}/{seats} {names} {mine}");
        println!("{}", report::one_line(&line));
    }
}

fn row(TableView { info: table, mine: part, .. }: &TableView) -> Value {
    json!({
        "id": table.id, "room": table.room, "topic": table.topic, "starts_ms": table.starts_ms, "seats": table.seats,
        "taken": table.taken.iter().map(|sitter| sitter.name.as_str()).collect::<Vec<_>>(),
        "waiting": table.waiting_count, "mine": mine(*part),
    })
}

fn mine(mine: Mine) -> &'static str {
    match mine {
        Mine::None => "none",
        Mine::Seat => "seat",
        Mine::Waiting => "waiting",
        Mine::Host => "host",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unreachable_server_is_reported_quickly() {
        let gone = testkit::loopback::address();
        let options = BoardOptions {
            server: format!("ws://{gone}").parse().unwrap(),
            fingerprint: None,
            name: "Ada".into(),
            secret: None,
            json: false,
            key: None,
        };
        let start = Instant::now();
        let error = run(options).await.unwrap_err().to_string();
        assert!(error.contains("cannot be reached") && error.contains("server_unreachable"), "{error}");
        assert!(start.elapsed() < GIVE_UP, "{:?}", start.elapsed());
    }

    #[test]
    fn missing_arguments_are_reported() {
        let server = ServerAddress { url: "ws://127.0.0.1:9".parse().unwrap(), fingerprint: None };
        let open = no_board(&SessionView::Open { server: server.clone() }).to_string();
        let silent = no_board(&SessionView::Connecting { server, problem: None }).to_string();
        assert!(open.contains("--secret") && silent.contains("does not answer"), "{open}; {silent}");
    }

    #[test]
    fn orders_are_parsed_and_invalid_ones_reported() {
        let read = |order| request(order, None);
        assert_eq!(read("take abc").unwrap(), BoardRequest::Take { table: "abc".into(), wait: false });
        assert_eq!(read("eat-now a b").unwrap(), BoardRequest::EatNow { with: vec!["a".into(), "b".into()] });
        let BoardRequest::Lay(draft) = read("lay 30 Soup of the day").unwrap() else { panic!("no table") };
        assert_eq!((draft.topic.as_str(), draft.starts_ms, draft.now), ("Soup of the day", 1_800_000, false));
        for wrong in ["take", "lay soon Soup", "dance", "invite"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
