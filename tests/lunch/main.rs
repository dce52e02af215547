//! A lunch of fourteen people on one server. They book seats and wait in line, are matched by "eat now", join by link
//! and by knocking, and talk at three tables. The server is killed during a burst of bookings. Twelve people are
//! engines without a window, one has the app's window, and one is a guest with a browser.

mod burst;
mod habits;
mod served;
mod watchers;

use burst::{book, booked, together};
use engine::AppView;
use engine::signaling::board::{BoardRequest, Door, Draft, NoticeKind, RoomRequest, TableInfo};
use engine::signaling::board_fold::Mine;
use engine::signaling::ics;
use engine::signaling::message::ErrorCode;
use engine::{Command, Ended, ServerAddress, SessionView, Stage};
use habits::{
    VOICE_ONLY, all_connected, draft, enter, in_call, invite, join, key, lay, members, mine, pictures, table, take,
    unix_ms,
};
use std::collections::BTreeSet;
use std::time::Instant;
use watchers::Watchers;
use whole_system::browser::Kind;
use whole_system::people::{BOTH, Habits, Person};
use whole_system::scratch::Scratch;
use whole_system::seclusion;

/// Secret of the community.
const SECRET: &str = "what we had on the first day";

#[test]
fn a_lunch_of_all_clients_survives_a_killed_server() {
    const NAME: &str = "a_lunch_of_all_clients_survives_a_killed_server";
    if served::instead() {
        return;
    }
    // Browsers gather all addresses of the machine. Without a browser, loopback suffices.
    let with_guest = Kind::Guest.available();
    if !with_guest
        || !seclusion::within(NAME, || {
            seclusion::set_up();
            lunch(NAME, true)
        })
    {
        lunch(NAME, false);
    }
}

fn lunch(test: &str, with_guest: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let folder = Scratch::new("lunch");
        let listen = testkit::loopback::address().to_string();
        let (mut process, server) = served::start(test, &listen, &folder, SECRET).await;
        let people = members(&server, SECRET).await;
        let gus = Person::new(Habits::new("Gus", 700));
        let mut watchers = Watchers::new(&server, SECRET, with_guest);
        let soup = book_seats(&people).await;
        let quick = eat_now(&people, &server, &soup).await;
        let talk = knock(&people, &gus, &mut watchers, &server).await;

        let [ada, ben, cem, dan, eve, fay, hal, ida, jon, kim, leo] = &people[..] else { panic!("eleven") };
        let tables = [
            Table { what: "soup", people: vec![ada, ben, cem, eve], others: 3 },
            Table { what: "quick", people: vec![hal, ida, jon, kim], others: 3 },
            Table { what: "talk", people: vec![fay, dan, &gus], others: 2 + watchers.count() },
        ];
        for table in &tables {
            table.talks().await;
        }
        let all = 11 + watchers.count() as u16;
        tokio::join!(pictures(ben, "Ada"), pictures(&gus, "Fay"), leo.until("notified", |view| in_call(view) == all));
        watchers.see("Fay");

        // The server is killed during a burst of bookings.
        let bookings = people.iter().enumerate().map(|(index, person)| book(person, index));
        let killed = async {
            // As soon as the first of them is on somebody's board.
            leo.until("bookings on the board", |view| booked(view) > 0).await;
            process.start_kill().expect("SIGKILL");
            process.wait().await.expect("dead");
            let (again, address) = served::start(test, &listen, &folder, SECRET).await;
            assert_eq!(address.url, server.url);
            (again, Instant::now())
        };
        // Unanswered bookings fail when the server is back.
        let (acknowledged, (_process, start)) = tokio::join!(together(bookings), killed);
        let bookings = people.len() * burst::EACH;
        assert!(
            (1..bookings).contains(&acknowledged.len()),
            "{} acknowledged: the burst was not cut",
            acknowledged.len()
        );

        for table in &tables {
            table.is_back().await;
        }
        let engines = start.elapsed();
        watchers.are_back("Fay");
        let everybody = start.elapsed();
        println!(
            "{} of {bookings} bookings acknowledged; engines back in {engines:?}, all in {everybody:?}",
            acknowledged.len()
        );
        watchers.see("Fay");
        seats_are_kept(&people, &acknowledged).await;
        for (id, person) in [(&soup.id, eve), (&quick, kim), (&talk, dan)] {
            person.until("in the seat of before", |view| mine(view, id).is_some_and(|mine| mine != Mine::None)).await;
        }
    });
}

/// People at one table, and the number of others whom each of them meets.
struct Table<'a> {
    what: &'a str,
    people: Vec<&'a Person>,
    others: usize,
}

impl Table<'_> {
    async fn talks(&self) {
        for person in &self.people {
            person.until(&format!("connected to all of {}", self.what), |view| all_connected(view, self.others)).await;
        }
    }

    async fn is_back(&self) {
        let back = |view: &AppView| view.call.stage == Stage::Joined && view.call.participants.len() == self.others;
        for person in &self.people {
            person.until(&format!("back at {}", self.what), back).await;
        }
    }
}

/// A booked table, a line, and a move up.
async fn book_seats(people: &[Person]) -> TableInfo {
    let [ada, ben, cem, dan, eve, ..] = people else { panic!("eleven") };
    let soup = lay(ada, "Soup", Draft { starts_ms: unix_ms() + 300_000, ..draft("Soup") }).await;
    for person in [ben, cem, dan] {
        take(person, &soup.id, false).await.expect("a seat");
    }
    assert_eq!(take(eve, &soup.id, false).await, Err("table_full".to_owned()));
    take(eve, &soup.id, true).await.expect("a place in line");
    eve.until("in line", |view| mine(view, &soup.id) == Some(Mine::Waiting)).await;
    dan.engine.board(BoardRequest::Leave { table: soup.id.clone() }).await.expect("up");
    eve.until("moved up", |view| mine(view, &soup.id) == Some(Mine::Seat)).await;
    eve.until("notified of the seat", |view| view.reminders.iter().any(|one| one.notice.kind == NoticeKind::MovedUp))
        .await;
    let view = eve.until("on the board", |view| table(view, &soup.id).is_some()).await;
    let file = ics::event(&table(&view, &soup.id).expect("there").info, "Lunch", None, unix_ms());
    assert!(file.contains("SUMMARY:Soup\r\n"), "{file}");
    soup
}

/// Matches four people by "eat now" while the others sit down. Returns their table.
async fn eat_now(people: &[Person], server: &ServerAddress, soup: &TableInfo) -> String {
    let [ada, ben, cem, _, eve, _, hal, ida, jon, kim, _] = people else { panic!("eleven") };
    for person in [hal, ida, jon] {
        person.engine.board(BoardRequest::EatNow { with: vec![] }).await.expect("hungry");
    }
    let with = vec![key(&hal.engine.view().borrow(), "Hal")];
    kim.engine.board(BoardRequest::EatNow { with }).await.expect("hungry");
    for person in [ada, ben, cem, eve] {
        enter(person, server, &soup.room, if person.name() == "Ada" { BOTH } else { VOICE_ONLY }).await;
    }
    let seated = |view: &AppView| {
        view.reminders.iter().find(|one| one.notice.kind == NoticeKind::Seated).map(|one| one.notice.clone())
    };
    let view = hal.until("seated", |view| seated(view).is_some()).await;
    let quick = seated(&view).expect("seated");
    for person in [hal, ida, jon, kim] {
        person.until("at the same table", |view| mine(view, &quick.table).is_some_and(|mine| mine != Mine::None)).await;
        enter(person, server, &quick.room, VOICE_ONLY).await;
    }
    quick.table
}

/// A table with a door: somebody without an invite is refused, and Fay admits everybody else. Returns the table.
async fn knock(people: &[Person], gus: &Person, watchers: &mut Watchers, server: &ServerAddress) -> String {
    let (dan, fay) = (&people[3], &people[5]);
    let talk = lay(fay, "Talk", Draft { now: true, seats: 6, door: Door::Knock, ..draft("Talk") }).await;
    enter(fay, server, &talk.room, BOTH).await;
    assert!(gus.engine.view().borrow().board.is_none(), "a guest knows no secret");
    join(gus, server, &talk.room, None, VOICE_ONLY).await;
    let outside = Stage::Ended(Ended::Refused(ErrorCode::NotMember));
    gus.until("not let in without an invite", |view| view.call.stage == outside).await;
    let link = invite(fay, server, &talk.room).await;
    join(gus, server, &link.room, link.invite.as_deref(), VOICE_ONLY).await;
    join(dan, server, &talk.room, None, VOICE_ONLY).await;
    for person in [gus, dan] {
        person.until("knocking", |view| view.call.stage == Stage::Knocking).await;
    }
    watchers.knock("Talk", &invite(fay, server, &talk.room).await);
    let view = fay.until("sees everybody who knocks", |view| view.call.lobby.len() == 2 + watchers.count()).await;
    for knocker in &view.call.lobby {
        fay.tell(Command::Room(RoomRequest::Admit { id: knocker.id.clone() })).await;
    }
    for person in [gus, dan] {
        person.until("let in", |view| view.call.stage == Stage::Joined).await;
    }
    watchers.are_back("Fay");
    talk.id.clone()
}

/// Every acknowledged seat still exists.
async fn seats_are_kept(people: &[Person], acknowledged: &[(usize, String)]) {
    let seats = |view: &AppView| -> BTreeSet<String> {
        let tables = view.board.iter().flat_map(|board| &board.tables);
        tables.filter(|table| table.mine == Mine::Host).map(|table| table.info.topic.clone()).collect()
    };
    for (index, person) in people.iter().enumerate() {
        let expected: BTreeSet<String> =
            acknowledged.iter().filter(|(who, _)| *who == index).map(|(_, t)| t.clone()).collect();
        let there =
            |view: &AppView| matches!(view.session, SessionView::Open { .. }) && seats(view).is_superset(&expected);
        person.until("in all seats that were acknowledged", there).await;
    }
}
