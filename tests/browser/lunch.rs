//! A guest at lunch with only a browser and a link: the page that the real server serves, at the table of a community
//! with a secret.

use engine::signaling::board::{BoardRequest, Door, Draft, RoomRequest};
use engine::signaling::message::{MediaState, ParticipantId};
use engine::{
    AppView, BoardAnswer, Command, JoinRequest, ParticipantView, Picture, ServerAddress, Stage, Tile, VideoLimits,
};
use server::{Config, Server, Turn};
use std::time::{Duration, Instant};
use whole_system::browser::{Browser, Kind};
use whole_system::people::{BOTH, Habits, Person, zone_at_noon};
use whole_system::seclusion;

pub(crate) const SECRET: &str = "what we had on the first day";
const VOICE_ONLY: MediaState = MediaState { microphone: true, camera: false, screen: false };
/// Longest wait for a change on the page.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Pictures that the guest must decode.
pub(crate) const PICTURES: u64 = 30;
/// Energy above that of silence.
pub(crate) const ENERGY: f64 = 0.001;
/// Width of the members' cameras. The guest's window displays three people, so half of it suffices there.
const WIDTH: u32 = 960;
/// Width and height of the tile in which the guest is displayed.
const TILE: u32 = 200;
/// Width of a camera while data is saved.
const SAVING: u32 = 320;

/// Joins the table from the link with two clicks and a name. The guest is then muted and removed, and nobody else can
/// use the invite again.
pub(crate) fn guest(kind: Kind) {
    if !kind.available() {
        return;
    }
    seclusion::set_up();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let server = Server::start(config()).await.expect("the server starts");
        let address = ServerAddress { url: server.url().parse().expect("a URL"), fingerprint: None };
        let (ada, ben, cem) =
            (member("Ada", 700, &address).await, member("Ben", 500, &address).await, cem(&address).await);
        let room = lay(&ada, Door::Knock, "Talk").await;
        enter(&ada, &address, &room, BOTH).await;
        join(&ben, &address, &room, VOICE_ONLY).await;
        let knocker = lobby(&ada, "Ben").await;
        ada.tell(Command::Room(RoomRequest::Admit { id: knocker })).await;
        ben.until("let in", |view| view.call.stage == Stage::Joined).await;
        let asked = BoardRequest::Invite { room: room.clone(), uses: 1, hours: 1 };
        let Ok(BoardAnswer::Invite { invite, .. }) = ada.engine.board(asked).await else { panic!("no invite") };
        let link = format!("http://{}/r/{room}?invite={invite}", server.addr());

        let mut gus = Browser::start(kind);
        let id = sits_down(&mut gus, &link, &ada).await;
        let received = gus.receives("Ada's pictures and voices", PATIENCE, |received| {
            let fits = received["frameWidth"].as_u64().is_some_and(|width| (1..=u64::from(WIDTH / 2)).contains(&width));
            received["framesDecoded"].as_u64() > Some(PICTURES) && received["energy"].as_f64() > Some(ENERGY) && fits
        });
        println!("the guest received {received}");
        pictures(&ada, &id).await;
        let (window, _pictures) = ada.engine.frame_feed().expect("a feed");
        let show = |side| {
            let picture = Picture::Camera(id.clone());
            window.set_tiles(vec![Tile { stream: 1, picture, width: side, height: side, visible: true }]);
        };
        show(WIDTH);
        for one in ["#call-more", ".menu:popover-open button:last-child", "#settings-data_saver"] {
            gus.press(one);
        }
        width(&ada, &id, SAVING).await;
        gus.receives("small pictures", PATIENCE, |received| {
            received["frameWidth"].as_u64().is_some_and(|width| width <= u64::from(SAVING))
        });
        gus.press("dialog button");
        show(TILE);
        // Upscaling by an eighth is not visible.
        width(&ada, &id, TILE + TILE / 8).await;

        ada.tell(Command::Room(RoomRequest::Mute { id: id.clone() })).await;
        ada.until("no voice of Gus", |view| find(view, "Gus").is_some_and(|gus| !gus.info.media.microphone)).await;
        gus.reads("body", "The host muted you", PATIENCE);
        ada.tell(Command::Room(RoomRequest::Remove { id })).await;
        gus.reads("lr-ended", "You were removed", PATIENCE);
        ada.until("without Gus", |view| find(view, "Gus").is_none() && find(view, "Ben").is_some()).await;

        gus.visit(&link);
        gus.reads("lr-guest", "This invite has been used", PATIENCE);
        gus.visit(&format!("http://{}/r/{room}", server.addr()));
        let outside = gus.reads("lr-guest", "Members only", PATIENCE);
        assert!(!outside.contains("Talk"), "a refused guest learns nothing about the table: {outside}");
        drop((gus, cem));
        server.stop().await;
    });
}

/// Joins as a guest, checks what they see, and returns their id at the table.
async fn sits_down(gus: &mut Browser, link: &str, host: &Person) -> ParticipantId {
    gus.visit_without(link, "/guest/welcome.js");
    gus.reads("body", "load completely", PATIENCE);
    gus.press("#again");
    let card = gus.reads("lr-guest", "2 people at the table", PATIENCE);
    assert!(card.contains("Talk") && card.contains("Knock, and"), "{card}");
    assert!(!card.contains("Ada") && !card.contains("Soup"), "a guest sees counts of one table: {card}");
    gus.press("#join-here");
    gus.type_in("lr-check input[type=text]", "Gus");
    gus.reads("#join", "Knock", PATIENCE);
    gus.press("#join");
    gus.reads("lr-knocking", "“Talk”", PATIENCE);
    let knocker = lobby(host, "Gus").await;
    host.tell(Command::Room(RoomRequest::Admit { id: knocker })).await;
    gus.reads("lr-call", "Ada", PATIENCE);
    host.reaches("Gus").await.info.id
}

/// Waits for five pictures of somebody.
pub(crate) async fn pictures(person: &Person, id: &ParticipantId) {
    let (start, mut seen, mut count) = (Instant::now(), 0, 0);
    while count < 5 {
        assert!(start.elapsed() < PATIENCE, "{} sees nothing of {id:?}", person.name());
        tokio::time::sleep(Duration::from_millis(20)).await;
        let slot = person.engine.picture(Picture::Camera(id.clone())).await;
        count += usize::from(slot.is_some_and(|slot| slot.newer_than(&mut seen).is_some()));
    }
}

/// Waits until somebody's pictures are at most so wide.
async fn width(person: &Person, id: &ParticipantId, most: u32) {
    let start = Instant::now();
    loop {
        let slot = person.engine.picture(Picture::Camera(id.clone())).await.expect("somebody");
        match slot.newer_than(&mut 0).map(|frame| frame.width()) {
            Some(width) if width <= most => return,
            width => assert!(start.elapsed() < PATIENCE, "{width:?} pixels from {id:?}, not {most}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn config() -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        member_secret: Some(SECRET.into()),
        zone: zone_at_noon(),
        turn: Turn::Off,
        ..Config::default()
    }
}

pub(crate) async fn member(name: &str, voice: u32, server: &ServerAddress) -> Person {
    let video = VideoLimits { width: WIDTH, height: 540, fps: 15 };
    let person = Person::new(Habits { loopback: false, video, ..Habits::new(name, voice) });
    person.tell(Command::SetSecret { server: server.clone(), secret: Some(SECRET.into()) }).await;
    person.tell(Command::Connect { server: server.clone(), name: name.into() }).await;
    person.until("a member", |view| view.board.as_ref().is_some_and(|board| board.member)).await;
    person
}

/// A member at another table of the same lunch.
async fn cem(server: &ServerAddress) -> Person {
    let cem = member("Cem", 300, server).await;
    let room = lay(&cem, Door::Open, "Soup").await;
    enter(&cem, server, &room, VOICE_ONLY).await;
    cem
}

/// Creates a table that begins now and returns its room.
pub(crate) async fn lay(person: &Person, door: Door, topic: &str) -> String {
    let draft = Draft {
        topic: topic.into(),
        place: String::new(),
        seats: 4,
        now: true,
        starts_ms: 0,
        minutes: 60,
        weekly: false,
        door,
    };
    person.engine.board(BoardRequest::Lay(draft)).await.expect("laid");
    let laid = |view: &AppView| {
        let tables = view.board.iter().flat_map(|board| &board.tables);
        tables.filter(|table| table.info.topic == topic).map(|table| table.info.room.clone()).next()
    };
    let view = person.until("shown the table", |view| laid(view).is_some()).await;
    laid(&view).expect("there")
}

async fn join(person: &Person, server: &ServerAddress, room: &str, media: MediaState) {
    let (server, room, name) = (server.clone(), room.into(), person.name().into());
    person.tell(Command::Join(JoinRequest { server, room, invite: None, name, media })).await;
}

pub(crate) async fn enter(person: &Person, server: &ServerAddress, room: &str, media: MediaState) {
    join(person, server, room, media).await;
    person.until("at the table", |view| view.call.stage == Stage::Joined).await;
}

/// Returns the id of the person with this name who knocks.
async fn lobby(host: &Person, name: &str) -> ParticipantId {
    let knocks = |view: &AppView| view.call.lobby.iter().find(|knocker| knocker.name == name).map(|one| one.id.clone());
    let view = host.until("sees the guest knocking", |view| knocks(view).is_some()).await;
    knocks(&view).expect("there")
}

fn find<'a>(view: &'a AppView, name: &str) -> Option<&'a ParticipantView> {
    view.call.participants.iter().find(|who| who.info.name == name)
}
