//! Sessions and rooms of the hub as the forwarder knows them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Instant;

use sfu::{Kind, NoRoom, Person, RoomId, Sfu, Source, Wanted};
use signaling::forwarding::{Displayed, OwnDisplayed, Published, SlotInfo};
use signaling::message::{ParticipantId, SessionId};

/// Everybody for whom the forwarder works.
#[derive(Default)]
pub(super) struct People {
    seated: HashMap<SessionId, Seated>,
    sessions: HashMap<Person, SessionId>,
    rooms: HashMap<String, ForwardedRoom>,
    /// Number of the last room. Never used again, so that nobody is taken for somebody in an earlier room.
    last_room: u64,
}

struct ForwardedRoom {
    number: RoomId,
    people: HashMap<ParticipantId, Person>,
}

/// Somebody in a forwarded room.
pub(super) struct Seated {
    pub(super) person: Person,
    /// Their id in the room.
    pub(super) id: ParticipantId,
    room: String,
    /// What each line carries, with the id of its author. At most one entry for each line.
    lines: BTreeMap<String, (Source, ParticipantId)>,
    /// The pictures that they display: no more than `rooms` allows in one message.
    wanted: Vec<Wanted>,
    /// How large others display theirs.
    pub(super) displayed: OwnDisplayed,
    /// When their slots were last reported.
    pub(super) reported: Option<Instant>,
}

impl Seated {
    /// What the lines carry.
    pub(super) fn slots(&self) -> Vec<SlotInfo> {
        let slot = |(mid, (source, id)): (&String, &(Source, ParticipantId))| SlotInfo {
            mid: mid.clone(),
            id: id.clone(),
            kind: published(source.kind),
            csrc: source.from.0,
        };
        self.lines.iter().map(slot).collect()
    }
}

impl People {
    pub(super) fn get(&self, session: &SessionId) -> Option<&Seated> {
        self.seated.get(session)
    }

    pub(super) fn get_mut(&mut self, session: &SessionId) -> Option<&mut Seated> {
        self.seated.get_mut(session)
    }

    /// Lets somebody into a room. Their earlier seat must be gone.
    pub(super) fn take(
        &mut self,
        now: Instant,
        sfu: &mut Sfu,
        session: &SessionId,
        room: String,
        id: ParticipantId,
    ) -> Result<(), NoRoom> {
        let number = match self.rooms.get(&room) {
            Some(known) => known.number,
            None => RoomId(self.last_room + 1),
        };
        let person = sfu.join(now, number)?;
        self.last_room = self.last_room.max(number.0);
        let new = || ForwardedRoom { number, people: HashMap::new() };
        self.rooms.entry(room.clone()).or_insert_with(new).people.insert(id.clone(), person);
        self.sessions.insert(person, session.clone());
        let (lines, wanted, displayed) = (BTreeMap::new(), vec![], OwnDisplayed::default());
        self.seated.insert(session.clone(), Seated { person, id, room, lines, wanted, displayed, reported: None });
        Ok(())
    }

    /// Removes somebody. Returns the sessions whose pictures are displayed in another size now.
    pub(super) fn remove(&mut self, now: Instant, sfu: &mut Sfu, session: &SessionId) -> Vec<SessionId> {
        let Some(gone) = self.seated.remove(session) else { return vec![] };
        sfu.leave(now, gone.person);
        self.sessions.remove(&gone.person);
        if let Some(room) = self.rooms.get_mut(&gone.room) {
            room.people.remove(&gone.id);
            if room.people.is_empty() {
                self.rooms.remove(&gone.room);
            }
        }
        self.update_displayed(gone.person.room, &gone.wanted)
    }

    /// Records the pictures that somebody displays. Returns the sessions whose pictures are displayed in another size now.
    pub(super) fn display(&mut self, session: &SessionId, wanted: Vec<Wanted>) -> Vec<SessionId> {
        let Some(seated) = self.seated.get_mut(session) else { return vec![] };
        let room = seated.person.room;
        let mut changed = std::mem::replace(&mut seated.wanted, wanted.clone());
        changed.extend(wanted);
        self.update_displayed(room, &changed)
    }

    fn update_displayed(&mut self, room: RoomId, pictures: &[Wanted]) -> Vec<SessionId> {
        let authors: BTreeSet<_> = pictures.iter().map(|one| one.source.from).collect();
        let here = |seated: &&Seated| seated.person.room == room;
        let mut changed = vec![];
        for author in authors {
            let Some(session) = self.sessions.get(&Person { room, id: author }).cloned() else { continue };
            let of_author = |one: &&Wanted| one.source.from == author;
            let mut displayed = OwnDisplayed::default();
            for one in self.seated.values().filter(here).flat_map(|seated| &seated.wanted).filter(of_author) {
                match one.source.kind {
                    Kind::Camera => displayed.camera = displayed.camera.max(one.height),
                    Kind::Screen => displayed.screen = displayed.screen.max(one.height),
                    Kind::Audio => {}
                }
            }
            if let Some(seated) = self.seated.get_mut(&session)
                && std::mem::replace(&mut seated.displayed, displayed) != displayed
            {
                changed.push(session);
            }
        }
        changed
    }

    /// The pictures that somebody displays, without those of people who are not there.
    pub(super) fn wanted(&self, session: &SessionId, pictures: &[Displayed]) -> Option<(Person, Vec<Wanted>)> {
        let seated = self.seated.get(session)?;
        let people = &self.rooms.get(&seated.room)?.people;
        let wanted = |one: &Displayed| {
            let source = Source { from: people.get(&one.id)?.id, kind: kind(one.kind)? };
            Some(Wanted { source, height: one.height, priority: one.priority })
        };
        Some((seated.person, pictures.iter().filter_map(wanted).collect()))
    }

    /// Records what a line carries. Returns whose line it is.
    pub(super) fn assigned(&mut self, to: Person, mid: String, source: Option<Source>) -> Option<SessionId> {
        let author = source.and_then(|source| {
            let author = self.sessions.get(&Person { room: to.room, id: source.from })?;
            Some((source, self.seated.get(author)?.id.clone()))
        });
        let session = self.sessions.get(&to)?;
        let lines = &mut self.seated.get_mut(session)?.lines;
        match author {
            Some(carried) => lines.insert(mid, carried),
            None => lines.remove(&mid),
        };
        Some(session.clone())
    }

    /// Somebody's connection has ended. Returns whose.
    pub(super) fn disconnected(&mut self, person: Person) -> Option<SessionId> {
        let session = self.sessions.get(&person)?.clone();
        self.clear_lines(&session);
        Some(session)
    }

    /// Somebody makes a new connection, whose lines carry nothing yet.
    pub(super) fn clear_lines(&mut self, session: &SessionId) {
        if let Some(seated) = self.seated.get_mut(session) {
            seated.lines.clear();
        }
    }
}

fn kind(published: Published) -> Option<Kind> {
    match published {
        Published::Audio => Some(Kind::Audio),
        Published::Camera => Some(Kind::Camera),
        Published::Screen => Some(Kind::Screen),
        Published::Unknown => None,
    }
}

fn published(kind: Kind) -> Published {
    match kind {
        Kind::Audio => Published::Audio,
        Kind::Camera => Published::Camera,
        Kind::Screen => Published::Screen,
    }
}
