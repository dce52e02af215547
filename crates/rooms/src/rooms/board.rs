//! The board and those who watch it.

use std::sync::Arc;

use signaling::board::{BoardNews, BoardRequest};
use signaling::message::{ErrorCode, ServerMessage, SessionId};
use signaling::numbering::body;

use super::{Output, Rooms, refusal};
use crate::board::{Board, Who};
use crate::room::Person;

/// Whether a session watches the board.
///
/// ```text
///        subscribe          flush: a snapshot
///  No ──────────────▶ Asked ────────────────▶ Yes ─┐ flush: patches
///  ▲                                           │ ◀─┘
///  └──────────────── unsubscribe ──────────────┘
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Watching {
    No,
    Asked(View),
    Yes(View),
}

/// What of it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum View {
    /// Everything.
    Member,
    /// One room's table, without names.
    Guest(String),
}

/// Somebody as the board knows them.
pub(super) fn who(person: &Person) -> Who {
    Who { key: person.key.clone(), name: person.name.clone(), member: person.member }
}

impl Rooms {
    /// Lets the board's time pass. Call it several times a second.
    pub fn tick(&mut self, unix_ms: u64) {
        self.unix_ms = unix_ms;
        self.board.tick(unix_ms);
        self.settle_board();
    }

    /// Whether [`Rooms::flush_board`] has something to tell somebody.
    pub fn wants_flush(&self) -> bool {
        self.asked || self.board.is_dirty()
    }

    /// Tells those who watch what has changed, in as few texts as there are views. What changes between two calls is
    /// told once: how often it is called is how much a busy board costs.
    pub fn flush_board(&mut self, unix_ms: u64) {
        self.unix_ms = unix_ms;
        if let Some(news) = self.board.take_patch(unix_ms) {
            let members = self.watching(&Watching::Yes(View::Member));
            for patch in news.patches {
                self.publish(&members, BoardNews::Patch(patch));
            }
            for (room, patch) in news.guests {
                let guests = self.watching(&Watching::Yes(View::Guest(room)));
                self.publish(&guests, BoardNews::Patch(patch));
            }
        }
        if std::mem::take(&mut self.asked) {
            self.show_all();
        }
    }

    /// The board, for tests and figures.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// What was decided could not be written down: goes on with what was. Everybody who watches gets it anew.
    pub fn replace_board(&mut self, board: Board) {
        self.board = board;
        for session in self.sessions.values_mut() {
            self.board.come(&who(&session.person));
            if session.room.is_some() {
                self.board.in_room(&session.person.key, true);
            }
            if let Watching::Yes(view) = &session.watching {
                session.watching = Watching::Asked(view.clone());
                self.asked = true;
            }
        }
        for (name, room) in &self.rooms {
            let keys = room.participants().map(|participant| participant.key).collect();
            self.board.set_call(self.unix_ms, name, keys);
        }
        self.settle_board();
    }

    /// Hands out what the board has to write down and to tell single people.
    pub(super) fn settle_board(&mut self) {
        let changes = self.board.take_changes();
        if !changes.is_empty() {
            self.outputs.push_back(Output::Write(changes));
        }
        while let Some((key, news)) = self.board.poll_told() {
            for to in self.people.sessions(&key) {
                let watches = self.sessions.get(to).is_some_and(|session| session.watching != Watching::No);
                if watches {
                    let message = ServerMessage::Board(news.clone());
                    self.outputs.push_back(Output::Kept { to: to.clone(), message });
                }
            }
        }
    }

    pub(super) fn forget_session(&mut self, key: &str) {
        self.board.go(key);
        self.settle_board();
    }

    pub(super) fn board_request(&mut self, session: &SessionId, seq: u64, request: BoardRequest) {
        let Some(found) = self.sessions.get(session) else { return };
        let who = who(&found.person);
        let done = self.ask_board(session, &who, request);
        // First what it takes to keep it, then the answer: also an error waits for what was asked before.
        self.settle_board();
        let answer = match done {
            Ok(news) => {
                let to = session.clone();
                self.outputs.extend(news.map(|news| Output::Kept { to, message: ServerMessage::Board(news) }));
                ServerMessage::Board(BoardNews::Done { about: seq })
            }
            Err(code) => refusal(seq, code),
        };
        self.outputs.push_back(Output::Kept { to: session.clone(), message: answer });
    }

    fn ask_board(
        &mut self,
        session: &SessionId,
        who: &Who,
        request: BoardRequest,
    ) -> Result<Option<BoardNews>, ErrorCode> {
        let (now, board) = (self.unix_ms, &mut self.board);
        match request {
            BoardRequest::Subscribe { room, invite } => {
                let view = self.view(who, room, invite.as_deref())?;
                self.asked = true;
                self.watch(session, Watching::Asked(view));
            }
            BoardRequest::Unsubscribe => self.watch(session, Watching::No),
            BoardRequest::Lay(draft) => board.lay(now, who, draft).map(|_| ())?,
            BoardRequest::Take { table, wait } => board.take(now, who, &table, wait)?,
            BoardRequest::Leave { table } => board.leave(now, &who.key, &table)?,
            // Whether there is such a table is no guest's business.
            BoardRequest::Delete { .. } if !who.member => return Err(ErrorCode::NotMember),
            BoardRequest::Delete { table } => board.delete(&who.key, &table)?,
            BoardRequest::EatNow { with } => board.eat_now(now, who, with)?,
            BoardRequest::StopWaiting => board.stop_waiting(&who.key),
            BoardRequest::Presence { presence } => board.set_presence(&who.key, presence),
            BoardRequest::ForgetMe => board.forget(&who.key),
            BoardRequest::Invite { room, uses, hours } => {
                let (invite, expires_ms) = board.invite(now, who, &room, uses, hours)?;
                return Ok(Some(BoardNews::Invite { room, invite, expires_ms }));
            }
        }
        Ok(None)
    }

    /// A guest sees the table to which they have an invite, or at which they have a seat; whether there is another
    /// they do not learn.
    fn view(&self, who: &Who, room: Option<String>, invite: Option<&str>) -> Result<View, ErrorCode> {
        if who.member {
            return Ok(View::Member);
        }
        let room = room.ok_or(ErrorCode::NotMember)?;
        let seated = self.board.table_of_room(&room).is_some_and(|table| table.seats_key(&who.key));
        if !seated {
            self.board.check_invite(self.unix_ms, &who.key, &room, invite)?;
        }
        Ok(View::Guest(room))
    }

    fn watch(&mut self, session: &SessionId, watching: Watching) {
        if let Some(found) = self.sessions.get_mut(session) {
            found.watching = watching;
        }
    }

    fn watching(&self, watching: &Watching) -> Vec<SessionId> {
        let watch = self.sessions.iter().filter(|(_, session)| session.watching == *watching);
        watch.map(|(id, _)| id.clone()).collect()
    }

    fn publish(&mut self, to: &[SessionId], news: BoardNews) {
        if !to.is_empty() {
            let body: Arc<str> = body(&ServerMessage::Board(news)).into();
            self.outputs.push_back(Output::Publish { to: to.to_vec(), body });
        }
    }

    /// The whole board to those who asked for it.
    fn show_all(&mut self) {
        let mut members = Vec::new();
        let mut guests = Vec::new();
        for (id, session) in &mut self.sessions {
            let Watching::Asked(view) = &session.watching else { continue };
            match view {
                View::Member => members.push((id.clone(), session.person.key.clone())),
                View::Guest(room) => guests.push((id.clone(), room.clone())),
            }
            session.watching = Watching::Yes(view.clone());
        }
        if !members.is_empty() {
            let to: Vec<SessionId> = members.iter().map(|(id, _)| id.clone()).collect();
            for piece in self.board.snapshot(self.unix_ms) {
                self.publish(&to, BoardNews::Snapshot(piece));
            }
        }
        for (to, key) in members {
            let message = ServerMessage::Board(self.board.you(&key));
            self.outputs.push_back(Output::Kept { to, message });
        }
        for (id, room) in guests {
            for piece in self.board.guest_snapshot(self.unix_ms, &room) {
                self.publish(std::slice::from_ref(&id), BoardNews::Snapshot(piece));
            }
        }
    }
}
