//! A lunch of twelve on one server: seats are booked and waited for, the hungry are matched, a guest comes by link and
//! knocks, three tables talk, and the server is killed in the middle of a burst of bookings.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use engine::signaling::board::{BoardRequest, Door, Draft, NoticeKind, RoomRequest};
use engine::signaling::board_fold::{Mine, TableView};
use engine::signaling::ics;
use engine::signaling::link::Link;
use engine::signaling::message::{ErrorCode, MediaState};
use engine::{
    AppView, BoardAnswer, Command, Ended, JoinRequest, LinkState, Picture, ServerAddress, SessionView, Stage,
};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use whole_system::people::{BOTH, Habits, Person};
use whole_system::scratch::Scratch;

const SECRET: &str = "what we had on the first day";
/// How long it may take until everybody is back at the table after the server is.
const BACK: Duration = Duration::from_secs(5);
const VOICE_ONLY: MediaState = MediaState { microphone: true, camera: false };
const MEMBERS: [&str; 11] = ["Ada", "Ben", "Cem", "Dan", "Eve", "Fay", "Hal", "Ida", "Jon", "Kim", "Leo"];

#[tokio::test(flavor = "multi_thread")]
async fn twelve_people_have_lunch_and_a_killed_server_spoils_nothing() {
    let folder = Scratch::new("lunch");
    let (mut process, server) = serve("127.0.0.1:0", &folder).await;
    let people = members(&server).await;
    let [ada, ben, cem, dan, eve, fay, hal, ida, jon, kim, leo] = &people[..] else { panic!("eleven") };
    let gus = Person::new(Habits::new("Gus", 700));

    // A booked table, a line, and a move up.
    let soup = lay(ada, "Soup", Draft { starts_ms: unix_ms() + 300_000, ..draft("Soup") }).await;
    for person in [ben, cem, dan] {
        take(person, &soup.id, false).await.expect("a seat");
    }
    assert_eq!(take(eve, &soup.id, false).await, Err("table_full".to_owned()));
    take(eve, &soup.id, true).await.expect("a place in line");
    eve.until("in line", |view| mine(view, &soup.id) == Some(Mine::Waiting)).await;
    dan.engine.board(BoardRequest::Leave { table: soup.id.clone() }).await.expect("up");
    eve.until("moved up", |view| mine(view, &soup.id) == Some(Mine::Seat)).await;
    eve.until("told so", |view| view.notices.iter().any(|(_, n)| n.kind == NoticeKind::MovedUp)).await;
    let view = eve.until("on the board", |view| table(view, &soup.id).is_some()).await;
    let file = ics::event(&table(&view, &soup.id).expect("there"), "Lunch", None, unix_ms());
    assert!(file.contains("SUMMARY:Soup\r\n"), "{file}");

    // Four hungry people are matched while the others sit down.
    for person in [hal, ida, jon] {
        person.engine.board(BoardRequest::EatNow { with: vec![] }).await.expect("hungry");
    }
    let with = vec![key(&hal.engine.view().borrow(), "Hal")];
    kim.engine.board(BoardRequest::EatNow { with }).await.expect("hungry");
    for person in [ada, ben, cem, eve] {
        enter(person, &server, &soup.room, if person.name() == "Ada" { BOTH } else { VOICE_ONLY }).await;
    }
    let seated =
        |view: &AppView| view.notices.iter().find(|(_, n)| n.kind == NoticeKind::Seated).map(|(_, n)| n.clone());
    let view = hal.until("seated", |view| seated(view).is_some()).await;
    let quick = seated(&view).expect("seated");
    for person in [hal, ida, jon, kim] {
        person.until("at the same table", |view| mine(view, &quick.table).is_some_and(|mine| mine != Mine::None)).await;
        enter(person, &server, &quick.room, VOICE_ONLY).await;
    }

    // A table with a door, a guest with a link, and one without.
    let talk = lay(fay, "Talk", Draft { now: true, door: Door::Knock, ..draft("Talk") }).await;
    enter(fay, &server, &talk.room, VOICE_ONLY).await;
    join(gus_alone(&gus), &server, &talk.room, None, VOICE_ONLY).await;
    let outside = Stage::Ended(Ended::Refused(ErrorCode::NotMember));
    gus.until("not let in without an invite", |view| view.call.stage == outside).await;
    let asked = BoardRequest::Invite { room: talk.room.clone(), uses: 1, hours: 1 };
    let Ok(BoardAnswer::Invite { invite, .. }) = fay.engine.board(asked).await else { panic!("no invite") };
    let link = Link::parse(&format!("lunchroom://join/{}?server={}&invite={invite}", talk.room, server.url));
    let link = link.expect("a link");
    join(&gus, &server, &link.room, link.invite.as_deref(), VOICE_ONLY).await;
    join(dan, &server, &talk.room, None, VOICE_ONLY).await;
    for person in [&gus, dan] {
        person.until("knocking", |view| view.call.stage == Stage::Knocking).await;
    }
    let view = fay.until("told who knocks", |view| view.call.lobby.len() == 2).await;
    for knocker in view.call.lobby {
        fay.tell(Command::Room(RoomRequest::Admit { id: knocker.id })).await;
    }
    for person in [&gus, dan] {
        person.until("let in", |view| view.call.stage == Stage::Joined).await;
    }

    // Three tables talk.
    let tables: [(&str, Vec<&Person>); 3] =
        [("Soup", vec![ada, ben, cem, eve]), ("quick", vec![hal, ida, jon, kim]), ("Talk", vec![fay, dan, &gus])];
    for (what, table) in &tables {
        for person in table {
            person.until(&format!("connected to all of {what}"), |view| all_connected(view, table.len() - 1)).await;
        }
    }
    tokio::join!(pictures(ben, "Ada"), gus.reaches("Dan"), leo.until("told", |view| in_call(view) == 11));

    // A burst of bookings, and the server dies in it.
    let bookings = people.iter().enumerate().map(|(index, person)| book(person, index));
    let listen = server.url.socket_addrs(|| None).expect("an address")[0];
    let killed = async {
        // As soon as somebody's board shows the first of them.
        leo.until("bookings on the board", |view| booked(view) > 0).await;
        process.start_kill().expect("SIGKILL");
        process.wait().await.expect("dead");
        let (again, address) = serve(&listen.to_string(), &folder).await;
        assert_eq!(address.url, server.url);
        (again, Instant::now())
    };
    // Whose booking was not answered learns so when the server is back.
    let (acknowledged, (_process, start)) = tokio::join!(all(bookings), killed);
    assert!(!acknowledged.is_empty(), "nothing was acknowledged: the test proves nothing");

    for (what, table) in &tables {
        for person in table {
            let back =
                |view: &AppView| view.call.stage == Stage::Joined && view.call.participants.len() == table.len() - 1;
            person.until(&format!("back at {what}"), back).await;
        }
    }
    let took = start.elapsed();
    println!("{} bookings acknowledged before the kill, everybody back in {took:?}", acknowledged.len());
    assert!(took < BACK, "everybody was back after {took:?}");

    let seats = |view: &AppView| -> BTreeSet<String> {
        let tables = view.board.iter().flat_map(|board| &board.tables);
        tables.filter(|table| table.mine == Mine::Host).map(|table| table.topic.clone()).collect()
    };
    for (index, person) in people.iter().enumerate() {
        let expected: BTreeSet<String> =
            acknowledged.iter().filter(|(who, _)| *who == index).map(|(_, t)| t.clone()).collect();
        let there =
            |view: &AppView| matches!(view.session, SessionView::Open { .. }) && seats(view).is_superset(&expected);
        person.until("in all seats that were acknowledged", there).await;
    }
    for (id, person) in [(&soup.id, eve), (&quick.table, kim), (&talk.id, dan)] {
        person.until("in the seat of before", |view| mine(view, id).is_some_and(|mine| mine != Mine::None)).await;
    }
}

/// Eleven members with open boards.
async fn members(server: &ServerAddress) -> Vec<Person> {
    let people: Vec<Person> =
        MEMBERS.iter().enumerate().map(|(n, name)| Person::new(Habits::new(name, 300 + 40 * n as u32))).collect();
    for person in &people {
        let secret = Some(SECRET.to_owned());
        person.tell(Command::SetSecret { server: server.clone(), secret }).await;
        person.tell(Command::Connect { server: server.clone(), name: person.name().into() }).await;
    }
    for person in &people {
        let all = |view: &AppView| {
            view.board.as_ref().is_some_and(|board| board.member && board.people.len() == MEMBERS.len())
        };
        person.until("shown everybody", all).await;
    }
    people
}

/// Waits for five pictures of somebody. How old they are is other tests' business: twelve engines share this machine.
async fn pictures(person: &Person, name: &str) {
    let (who, start) = (person.reaches(name).await, Instant::now());
    let (mut seen, mut count) = (0, 0);
    while count < 5 {
        assert!(start.elapsed() < Duration::from_secs(30), "{} sees nothing of {name}", person.name());
        tokio::time::sleep(Duration::from_millis(20)).await;
        let slot = person.engine.picture(Picture::Camera(who.id.clone())).await;
        count += usize::from(slot.is_some_and(|slot| slot.newer_than(&mut seen).is_some()));
    }
}

/// Lays fifteen tables for later days as fast as the server answers; those it has acknowledged.
async fn book(person: &Person, index: usize) -> Vec<(usize, String)> {
    let mut acknowledged = Vec::new();
    for day in 1..=15u64 {
        let topic = format!("day {day} of {}", person.name());
        let starts_ms = unix_ms() + day * 86_400_000;
        match person.engine.board(BoardRequest::Lay(Draft { starts_ms, ..draft(&topic) })).await {
            Ok(_) => acknowledged.push((index, topic)),
            Err(_) => break, // the server has died
        }
    }
    acknowledged
}

async fn all<F>(bookings: impl Iterator<Item = F>) -> Vec<(usize, String)>
where
    F: Future<Output = Vec<(usize, String)>>,
{
    let mut pending: Vec<_> = bookings.map(Box::pin).collect();
    let mut done = Vec::new();
    // All at once: each is asked whenever any has something new.
    std::future::poll_fn(|context| {
        pending.retain_mut(|booking| match booking.as_mut().poll(context) {
            std::task::Poll::Ready(mut acknowledged) => {
                done.append(&mut acknowledged);
                false
            }
            std::task::Poll::Pending => true,
        });
        if pending.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

async fn lay(person: &Person, topic: &str, draft: Draft) -> TableView {
    person.engine.board(BoardRequest::Lay(draft)).await.expect("laid");
    let laid = |view: &AppView| {
        view.board.as_ref().and_then(|board| board.tables.iter().find(|table| table.topic == topic).cloned())
    };
    let view = person.until("shown the table", |view| laid(view).is_some()).await;
    laid(&view).expect("there")
}

async fn take(person: &Person, id: &str, wait: bool) -> Result<BoardAnswer, String> {
    person.engine.board(BoardRequest::Take { table: id.into(), wait }).await.map_err(|problem| problem.code)
}

async fn join(person: &Person, server: &ServerAddress, room: &str, invite: Option<&str>, media: MediaState) {
    let request = JoinRequest {
        server: server.clone(),
        room: room.into(),
        invite: invite.map(str::to_owned),
        name: person.name().into(),
        media,
    };
    person.tell(Command::Join(request)).await;
}

async fn enter(person: &Person, server: &ServerAddress, room: &str, media: MediaState) {
    join(person, server, room, None, media).await;
    person.until("at the table", |view| view.call.stage == Stage::Joined && view.call.room == room).await;
}

/// A guest knows no secret.
fn gus_alone(gus: &Person) -> &Person {
    assert!(gus.engine.view().borrow().board.is_none());
    gus
}

fn draft(topic: &str) -> Draft {
    Draft {
        topic: topic.into(),
        place: String::new(),
        seats: 4,
        now: false,
        starts_ms: 0,
        minutes: 60,
        weekly: false,
        door: Door::Open,
    }
}

fn table(view: &AppView, id: &str) -> Option<TableView> {
    view.board.as_ref()?.tables.iter().find(|table| table.id == id).cloned()
}

fn mine(view: &AppView, id: &str) -> Option<Mine> {
    table(view, id).map(|table| table.mine)
}

fn key(view: &AppView, name: &str) -> String {
    let people = view.board.iter().flat_map(|board| &board.people);
    people.filter(|person| person.name == name).map(|person| person.id.clone()).next().expect("here")
}

fn in_call(view: &AppView) -> u16 {
    view.board.iter().flat_map(|board| &board.tables).map(|table| table.in_call).sum()
}

fn booked(view: &AppView) -> usize {
    view.board.iter().flat_map(|board| &board.tables).filter(|table| table.topic.starts_with("day ")).count()
}

fn all_connected(view: &AppView, others: usize) -> bool {
    let connected = view.call.participants.iter().filter(|who| who.link == LinkState::Connected);
    connected.count() == others
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// The server in a process of its own. The dead one's socket may hold the port for a moment.
async fn serve(listen: &str, folder: &Scratch) -> (Child, ServerAddress) {
    for _ in 0..100 {
        let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_board-server"))
            .args([listen, &folder.join("board").display().to_string(), SECRET])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a process");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let line = lines.next_line().await.expect("text").unwrap_or_default();
        if let Some(url) = line.strip_prefix("listening on ") {
            let address: SocketAddr = url.trim_start_matches("ws://").parse().expect("an address");
            let url = format!("ws://{address}").parse().expect("a URL");
            return (process, ServerAddress { url, fingerprint: None });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{listen} is taken");
}
