//! The door of a table's room: knocking, and the requests of its keeper.

use signaling::backlog::Cause;
use signaling::board::RoomRequest;
use signaling::message::{ErrorCode, LeaveReason, ParticipantId, SessionId};

use super::board::who;
use super::{Output, Rooms, refusal};
use crate::board::Entry;
use crate::room::{Arrival, Person, Room, Waiter};

impl Rooms {
    pub(super) fn knock(
        &mut self,
        session: &SessionId,
        name: String,
        person: &Person,
        arrival: Arrival,
    ) -> Result<(), ErrorCode> {
        let room = self.rooms.entry(name.clone()).or_insert_with(|| Room::new(name.clone()));
        let knocked = room.knock(session, person, arrival);
        if knocked.is_ok()
            && let Some(found) = self.sessions.get_mut(session)
        {
            found.knocks = Some(name.clone());
        }
        self.drain(&name);
        knocked
    }

    /// Removes somebody from the lobby. Returns whether they were knocking.
    pub(super) fn stop_knocking(&mut self, session: &SessionId) -> bool {
        let Some(name) = self.sessions.get_mut(session).and_then(|found| found.knocks.take()) else { return false };
        if let Some(room) = self.rooms.get_mut(&name) {
            room.stop_knocking(session);
        }
        self.drain(&name);
        true
    }

    /// Somebody leaves a table's call on purpose. Their seat becomes free if the table has begun; a host's is kept
    /// for a while.
    pub(super) fn get_up(&mut self, session: &SessionId) {
        let Some(found) = self.sessions.get(session) else { return };
        if let Some(room) = found.room.clone() {
            let key = found.person.key.clone();
            self.board.left_call(self.unix_ms, &room, &key);
        }
    }

    /// Somebody in a table's call lost the connection.
    pub(super) fn lose(&mut self, session: &SessionId) {
        let Some(found) = self.sessions.get(session) else { return };
        if let Some(room) = found.room.clone() {
            let key = found.person.key.clone();
            self.board.lost_call(self.unix_ms, &room, &key);
        }
    }

    /// Handles a request of the door's keeper.
    pub(super) fn room_request(&mut self, session: &SessionId, request: RoomRequest) -> Result<(), ErrorCode> {
        let name = self.sessions.get(session).and_then(|found| found.room.clone());
        let name = name.ok_or(ErrorCode::UnexpectedMessage)?;
        let room = self.rooms.get_mut(&name).ok_or(ErrorCode::UnexpectedMessage)?;
        if !room.keeps_door(session) {
            return Err(ErrorCode::NotHost);
        }
        let done = match request {
            RoomRequest::Lock { locked } => {
                self.board.lock(self.unix_ms, &name, locked);
                Ok(())
            }
            RoomRequest::Mute { id } => self.mute(&name, &id),
            RoomRequest::LowerHand { id } => room.lower_hand(&id),
            RoomRequest::Spotlight { id } => room.set_spotlight(id),
            RoomRequest::HandOver { id } => self.hand_over(session, &name, &id),
            RoomRequest::Admit { id } => self.admit_one(&name, &id),
            RoomRequest::Refuse { id } => self.refuse(&name, &id),
            RoomRequest::Remove { id } => self.send_out(session, &name, &id),
        };
        self.drain(&name);
        done
    }

    fn mute(&mut self, name: &str, id: &ParticipantId) -> Result<(), ErrorCode> {
        let room = self.rooms.get(name).ok_or(ErrorCode::UnexpectedMessage)?;
        let (addressee, _) = room.session_of(id).ok_or(ErrorCode::NoSuchParticipant)?;
        if !self.finds_room(&addressee, Cause::Directed, 0) {
            return Err(ErrorCode::RateLimited);
        }
        self.rooms.get_mut(name).map_or(Err(ErrorCode::UnexpectedMessage), |room| room.mute(id))
    }

    fn admit_one(&mut self, name: &str, id: &ParticipantId) -> Result<(), ErrorCode> {
        let waiter = self.rooms.get(name).and_then(|room| room.waiter(id)).cloned();
        self.let_in(name, &waiter.ok_or(ErrorCode::NoSuchParticipant)?)
    }

    fn let_in(&mut self, name: &str, waiter: &Waiter) -> Result<(), ErrorCode> {
        // Somebody who cannot be seated continues to wait; the keeper receives the reason.
        let Entry::Seated { seats } = self.board.admit(self.unix_ms, &who(&waiter.person), name)? else {
            return Err(ErrorCode::Internal);
        };
        self.stop_knocking(&waiter.session);
        let seats = usize::from(seats).min(self.limits.participants);
        self.take_in(&waiter.session, name, &waiter.person, waiter.arrival.clone(), seats)
    }

    /// In empty rooms that wait for no host, admits the first person who knocks and can be seated.
    pub(super) fn open_doors(&mut self) {
        for name in self.board.knocked_rooms() {
            if !self.board.opens_itself(self.unix_ms, &name) {
                continue;
            }
            let knocking = self.rooms.get(&name).map(Room::knocking_alone).unwrap_or_default();
            // Somebody who cannot be seated continues to wait.
            let _ = knocking.iter().find(|waiter| self.let_in(&name, waiter).is_ok());
        }
    }

    /// Informs people of changes to their doors: who admits people now, and that a table no longer exists.
    pub(super) fn look_at_doors(&mut self) {
        for name in self.board.take_doors() {
            if self.board.table_of_room(&name).is_none() {
                let knocking: Vec<SessionId> =
                    self.rooms.get(&name).map(|room| room.knocking().cloned().collect()).unwrap_or_default();
                for to in knocking {
                    self.stop_knocking(&to);
                    self.outputs.push_back(Output::Send { to, message: refusal(0, ErrorCode::NoSuchTable) });
                }
            }
            self.drain(&name);
        }
    }

    fn refuse(&mut self, name: &str, id: &ParticipantId) -> Result<(), ErrorCode> {
        let waiter = self.rooms.get(name).and_then(|room| room.waiter(id)).cloned();
        let waiter = waiter.ok_or(ErrorCode::NoSuchParticipant)?;
        self.stop_knocking(&waiter.session);
        self.outputs.push_back(Output::Send { to: waiter.session, message: refusal(0, ErrorCode::KnockingRefused) });
        Ok(())
    }

    /// The host makes somebody else at the table the host.
    fn hand_over(&mut self, keeper: &SessionId, name: &str, id: &ParticipantId) -> Result<(), ErrorCode> {
        let room = self.rooms.get(name).ok_or(ErrorCode::UnexpectedMessage)?;
        let (_, heir) = room.session_of(id).ok_or(ErrorCode::NoSuchParticipant)?;
        let host = self.sessions.get(keeper).map(|found| found.person.key.clone()).unwrap_or_default();
        self.board.give_host(name, &host, &heir)
    }

    fn send_out(&mut self, keeper: &SessionId, name: &str, id: &ParticipantId) -> Result<(), ErrorCode> {
        let room = self.rooms.get_mut(name).ok_or(ErrorCode::UnexpectedMessage)?;
        let found = room.session_of(id).filter(|(session, _)| session != keeper);
        let (session, key) = found.ok_or(ErrorCode::NoSuchParticipant)?;
        room.leave(&session, LeaveReason::Removed);
        self.set_room(&session, None);
        self.board.remove(self.unix_ms, name, &key);
        Ok(())
    }
}
