//! People's calendars over HTTP.

use std::net::SocketAddr;
use std::process::Stdio;

use server::Config;
use signaling::board::{BoardNews, BoardRequest, CalendarToken};
use signaling::message::ErrorCode;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::board::{Folder, SECRET, draft, look, member, table, unix_ms};
use crate::client::{PATIENCE, Raw};
use crate::http::{ask, get, status};
use crate::{config, start};

/// Returns the token of a person's calendar.
async fn token(raw: &mut Raw, kept: Option<&str>) -> String {
    let token = kept.map(|token| CalendarToken(token.into()));
    let news = raw.asked(BoardRequest::Calendar { token }).await.expect("a calendar");
    let token = news.into_iter().find_map(|news| match news {
        BoardNews::Calendar { token } => Some(token.0),
        _ => None,
    });
    token.expect("a token")
}

async fn calendar(addr: SocketAddr, token: &str) -> String {
    get(addr, &format!("/calendar/{token}.ics")).await
}

async fn request(addr: SocketAddr, method: &str, token: &str, header: &str) -> String {
    let head = format!("{method} /calendar/{token}.ics HTTP/1.1\r\nHost: {addr}\r\n{header}Connection: close\r\n\r\n");
    ask(addr, head.as_bytes()).await
}

/// The value of a header.
fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer.lines().take_while(|line| !line.is_empty()).find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

#[tokio::test]
async fn a_calendar_follows_the_board() {
    let server = start(config()).await;
    let addr = server.addr();
    let (mut ada, mut ben) = (member(addr, 1).await, member(addr, 2).await);
    look(&mut ben).await;
    let secret = token(&mut ben, None).await;
    let empty = calendar(addr, &secret).await;
    assert_eq!(status(&empty), "200");
    assert!(empty.contains("BEGIN:VTIMEZONE") && !empty.contains("VEVENT"), "{empty}");
    ada.asked(BoardRequest::Lay(draft("김치찌개", unix_ms() + 3_600_000))).await.expect("laid");
    let laid = table(&mut ben, "김치찌개").await;
    ben.asked(BoardRequest::Take { table: laid.id.clone(), wait: false }).await.expect("seated");
    let seated = calendar(addr, &secret).await;
    assert!(seated.contains(&format!("UID:{}@lunchroom\r\n", laid.id)), "{seated}");
    assert!(seated.contains("SUMMARY:김치찌개\r\n") && seated.contains("STATUS:CONFIRMED\r\n"), "{seated}");
    assert!(seated.contains(&format!("URL:http://{addr}/r/{}\r\n", laid.room)), "{seated}");
    assert!(!seated.contains("Ada"), "other people are not in it");
    ben.asked(BoardRequest::Leave { table: laid.id.clone() }).await.expect("left");
    let left = calendar(addr, &secret).await;
    assert!(left.contains("STATUS:CANCELLED\r\n") && left.contains("SEQUENCE:1\r\n"), "{left}");
    ben.asked(BoardRequest::Take { table: laid.id, wait: false }).await.expect("seated");
    let again = calendar(addr, &secret).await;
    assert!(again.contains("STATUS:CONFIRMED\r\n") && again.contains("SEQUENCE:2\r\n"), "{again}");
    assert_eq!(again.matches("BEGIN:VEVENT").count(), 1);
}

#[tokio::test]
async fn a_calendar_is_private_and_is_sent_only_if_it_has_changed() {
    let server = start(config()).await;
    let addr = server.addr();
    let mut ada = member(addr, 1).await;
    let secret = token(&mut ada, None).await;
    let first = calendar(addr, &secret).await;
    assert_eq!(header(&first, "content-type"), Some("text/calendar; charset=utf-8"));
    assert!(header(&first, "cache-control").is_some_and(|value| value.contains("private")), "{first}");
    assert!(header(&first, "content-disposition").is_some_and(|value| value.contains("lunchroom.ics")), "{first}");
    let tag = header(&first, "etag").expect("a tag").to_owned();
    let same = request(addr, "GET", &secret, &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((status(&same), same.ends_with("\r\n\r\n")), ("304", true));
    let head = request(addr, "HEAD", &secret, "").await;
    assert_eq!((status(&head), head.ends_with("\r\n\r\n")), ("200", true));
    let body = first.split_once("\r\n\r\n").expect("a body").1;
    assert_eq!(header(&head, "content-length"), Some(body.len().to_string().as_str()));
    assert_eq!(status(&request(addr, "POST", &secret, "Content-Length: 0\r\n").await), "405");
    ada.asked(BoardRequest::Lay(draft("soup", unix_ms() + 3_600_000))).await.expect("laid");
    let changed = request(addr, "GET", &secret, &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!(status(&changed), "200");
}

#[tokio::test]
async fn an_address_is_valid_until_it_is_revoked_replaced_or_forgotten() {
    let server = start(Config { member_secret: Some(SECRET.into()), ..config() }).await;
    let addr = server.addr();
    let mut ada = member(addr, 1).await;
    let first = token(&mut ada, None).await;
    assert_eq!(token(&mut ada, Some(&first)).await, first);
    let second = token(&mut ada, None).await;
    assert_ne!(second, first);
    assert_eq!(status(&calendar(addr, &first).await), "404");
    assert_eq!(status(&calendar(addr, &second).await), "200");
    ada.asked(BoardRequest::RevokeCalendar).await.expect("revoked");
    assert_eq!(status(&calendar(addr, &second).await), "404");
    let third = token(&mut ada, Some(&second)).await;
    assert_ne!(third, second);
    ada.asked(BoardRequest::ForgetMe).await.expect("forgotten");
    assert_eq!(status(&calendar(addr, &third).await), "404");
    for unknown in ["", "a", &"a".repeat(5_000), "%2e%2e", &third.to_uppercase()] {
        assert_eq!(status(&calendar(addr, unknown).await), "404", "{unknown}");
    }
    assert_eq!(status(&get(addr, "/calendar/").await), "404");
    let mut gus = Raw::connect(addr, 9).await;
    gus.hello_with("a guess").await;
    gus.welcome().await;
    assert_eq!(gus.asked(BoardRequest::Calendar { token: None }).await, Err(ErrorCode::NotMember));
}

#[tokio::test]
async fn somebody_elses_token_is_not_accepted_as_ones_own() {
    let server = start(config()).await;
    let (mut ada, mut ben) = (member(server.addr(), 1).await, member(server.addr(), 2).await);
    let of_ada = token(&mut ada, None).await;
    let of_ben = token(&mut ben, Some(&of_ada)).await;
    assert_ne!(of_ben, of_ada);
    assert_eq!(status(&calendar(server.addr(), &of_ada).await), "200");
}

#[tokio::test]
async fn an_address_survives_a_restart_and_is_stored_only_as_a_hash() {
    let folder = Folder::new("calendar");
    let kept = || Config { data_dir: Some(folder.0.clone()), ..config() };
    let server = start(kept()).await;
    let mut ada = member(server.addr(), 1).await;
    ada.asked(BoardRequest::Lay(draft("soup", unix_ms() + 3_600_000))).await.expect("laid");
    let secret = token(&mut ada, None).await;
    let before = calendar(server.addr(), &secret).await;
    let files = || std::fs::read_dir(&folder.0).expect("a folder").map(|entry| entry.expect("a file").path());
    let holds = |text: &[u8]| {
        files().any(|path| std::fs::read(path).expect("bytes").windows(text.len()).any(|window| window == text))
    };
    assert!(!holds(secret.as_bytes()) && holds(&rooms::board::feed_id(&secret)));
    server.stop().await;
    let server = start(kept()).await;
    let after = calendar(server.addr(), &secret).await;
    let lines = |answer: &str| {
        let body = answer.split_once("\r\n\r\n").expect("a body").1;
        // The server has another port.
        body.lines().filter(|line| !line.contains("/r/")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(status(&after), "200");
    assert_eq!(lines(&before), lines(&after), "also the time of its last change");
    let mut ada = member(server.addr(), 1).await;
    assert_eq!(token(&mut ada, Some(&secret)).await, secret);
    ada.asked(BoardRequest::ForgetMe).await.expect("forgotten");
    assert!(!holds(&rooms::board::feed_id(&secret)));
}

#[tokio::test]
async fn a_calendar_that_is_asked_for_too_often_is_answered_later() {
    let server = start(Config { limit_loopback: true, ..config() }).await;
    let mut ada = member(server.addr(), 1).await;
    let secret = token(&mut ada, None).await;
    let mut answer = calendar(server.addr(), &secret).await;
    for _ in 0..40 {
        if status(&answer) != "200" {
            break;
        }
        answer = calendar(server.addr(), &secret).await;
    }
    assert_eq!(status(&answer), "429");
    assert_eq!(header(&answer, "retry-after"), Some("2"));
}

#[tokio::test]
async fn no_log_has_the_token() {
    let folder = Folder::new("calendar-log");
    let mut child = Command::new(env!("CARGO_BIN_EXE_lunchroom-server"))
        .args(["--listen", "127.0.0.1:0", "--no-turn", "--log", "trace"])
        .env("LUNCHROOM_DATA_DIR", &folder.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut errors = child.stderr.take().expect("piped");
    let log = tokio::spawn(async move {
        let mut text = String::new();
        errors.read_to_string(&mut text).await.map(|_| text)
    });
    let first = timeout(PATIENCE, lines.next_line()).await.expect("in time").expect("a line").expect("a line");
    let addr = first.strip_prefix("listening on ws://").expect("the address").parse().expect("an address");
    let mut ada = member(addr, 1).await;
    let secret = token(&mut ada, None).await;
    assert_eq!(token(&mut ada, Some(&secret)).await, secret);
    assert_eq!(status(&calendar(addr, &secret).await), "200");
    ada.asked(BoardRequest::RevokeCalendar).await.expect("revoked");
    assert_eq!(status(&calendar(addr, &secret).await), "404");
    child.kill().await.expect("ended");
    let log = timeout(PATIENCE, log).await.expect("in time").expect("read").expect("text");
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "{log}");
    assert!(!log.contains(&secret));
}
