//! Actions and expectations of people at lunch.

use engine::signaling::board::{BoardRequest, Door, Draft, TableInfo};
use engine::signaling::board_fold::{Mine, TableView};
use engine::signaling::link::Link;
use engine::signaling::message::MediaState;
use engine::{AppView, BoardAnswer, Command, JoinRequest, LinkState, Picture, ServerAddress, Stage};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use whole_system::people::{Habits, Person};

pub(crate) const VOICE_ONLY: MediaState = MediaState { microphone: true, camera: false, screen: false };
const MEMBERS: [&str; 11] = ["Ada", "Ben", "Cem", "Dan", "Eve", "Fay", "Hal", "Ida", "Jon", "Kim", "Leo"];

/// Starts eleven members who subscribe to the board.
pub(crate) async fn members(server: &ServerAddress, secret: &str) -> Vec<Person> {
    let people: Vec<Person> =
        MEMBERS.iter().enumerate().map(|(n, name)| Person::new(Habits::new(name, 300 + 40 * n as u32))).collect();
    for person in &people {
        let secret = Some(secret.to_owned());
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

/// Waits for five pictures of somebody. Other tests check their age: twelve engines share this machine.
pub(crate) async fn pictures(person: &Person, name: &str) {
    let (who, start) = (person.reaches(name).await, Instant::now());
    let (mut seen, mut count) = (0, 0);
    while count < 5 {
        assert!(start.elapsed() < Duration::from_secs(120), "{} sees nothing of {name}", person.name());
        tokio::time::sleep(Duration::from_millis(20)).await;
        let slot = person.engine.picture(Picture::Camera(who.info.id.clone())).await;
        count += usize::from(slot.is_some_and(|slot| slot.newer_than(&mut seen).is_some()));
    }
}

pub(crate) async fn lay(person: &Person, topic: &str, draft: Draft) -> TableInfo {
    person.engine.board(BoardRequest::Lay(draft)).await.expect("laid");
    let laid = |view: &AppView| {
        let mut tables = view.board.iter().flat_map(|board| &board.tables).map(|table| &table.info);
        tables.find(|table| table.topic == topic).cloned()
    };
    let view = person.until("shown the table", |view| laid(view).is_some()).await;
    laid(&view).expect("there")
}

pub(crate) async fn take(person: &Person, id: &str, wait: bool) -> Result<BoardAnswer, String> {
    person.engine.board(BoardRequest::Take { table: id.into(), wait }).await.map_err(|problem| problem.code)
}

pub(crate) async fn join(person: &Person, server: &ServerAddress, room: &str, invite: Option<&str>, media: MediaState) {
    let request = JoinRequest {
        server: server.clone(),
        room: room.into(),
        invite: invite.map(str::to_owned),
        name: person.name().into(),
        media,
    };
    person.tell(Command::Join(request)).await;
}

pub(crate) async fn enter(person: &Person, server: &ServerAddress, room: &str, media: MediaState) {
    join(person, server, room, None, media).await;
    person.until("at the table", |view| view.call.stage == Stage::Joined && view.call.room == room).await;
}

/// Returns a link with an invite for one person.
pub(crate) async fn invite(host: &Person, server: &ServerAddress, room: &str) -> Link {
    let asked = BoardRequest::Invite { room: room.into(), uses: 1, hours: 1 };
    let Ok(BoardAnswer::Invite { invite, .. }) = host.engine.board(asked).await else { panic!("no invite") };
    Link::parse(&format!("lunchroom://join/{room}?server={}&invite={invite}", server.url)).expect("a link")
}

pub(crate) fn draft(topic: &str) -> Draft {
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

pub(crate) fn table(view: &AppView, id: &str) -> Option<Arc<TableView>> {
    view.board.as_ref()?.tables.iter().find(|table| table.info.id == id).cloned()
}

pub(crate) fn mine(view: &AppView, id: &str) -> Option<Mine> {
    table(view, id).map(|table| table.mine)
}

pub(crate) fn key(view: &AppView, name: &str) -> String {
    let people = view.board.iter().flat_map(|board| &board.people);
    people.filter(|person| person.name == name).map(|person| person.id.clone()).next().expect("here")
}

pub(crate) fn in_call(view: &AppView) -> u16 {
    view.board.iter().flat_map(|board| &board.tables).map(|table| table.info.in_call).sum()
}

pub(crate) fn all_connected(view: &AppView, others: usize) -> bool {
    let connected = view.call.participants.iter().filter(|who| who.link == LinkState::Connected);
    connected.count() == others
}

pub(crate) fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
