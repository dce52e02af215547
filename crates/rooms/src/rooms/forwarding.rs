//! Forwarded rooms: who may be in them, and the requests to the forwarder.

use signaling::backlog::Cause;
use signaling::forwarding::{Displayed, FEATURE, FrameKey, OwnDisplayed, SealedKey, SlotInfo};
use signaling::message::{ErrorCode, ParticipantId, SessionId};

use super::{Output, Rooms, refusal};
use crate::room::{ForwarderRequest, Policy, Room};

/// Bytes of a `sender_key` besides the sealed key and its signature, at most: names of fields, the epoch and an id.
const SENDER_KEY_FRAME: usize = 160;

impl Rooms {
    /// Records what a client can do beyond version 1 of the protocol. Call it right after [`Rooms::open`].
    pub fn set_features(&mut self, session: &SessionId, features: &[String]) {
        if let Some(found) = self.sessions.get_mut(session) {
            found.forwards = features.iter().any(|feature| feature == FEATURE);
        }
    }

    /// The forwarder has answered message `seq` of somebody who had this `id`, or has refused it.
    pub fn forwarder_answered(
        &mut self,
        session: &SessionId,
        id: &ParticipantId,
        seq: u64,
        answer: Result<String, ErrorCode>,
    ) {
        if self.seat(session).is_none_or(|(_, seat)| seat != id) {
            return;
        }
        let bytes = answer.as_ref().map_or(0, String::len);
        let fits = self.finds_room(session, Cause::Directed, bytes);
        let answer = answer.and_then(|sdp| if fits { Ok(sdp) } else { Err(ErrorCode::RateLimited) });
        match answer {
            Ok(sdp) => {
                self.in_room(session, |room| room.answer_of_forwarder(session, sdp));
            }
            Err(code) => self.outputs.push_back(Output::Send { to: session.clone(), message: refusal(seq, code) }),
        }
    }

    /// The lines of a connection to the forwarder carry this now. It is of somebody who had this `id`.
    pub fn forwarder_assigned(
        &mut self,
        session: &SessionId,
        id: &ParticipantId,
        slots: Vec<SlotInfo>,
        displayed: OwnDisplayed,
    ) {
        if self.seat(session).is_some_and(|(_, seat)| seat == id) {
            self.in_room(session, |room| room.set_slots(session, slots, displayed));
        }
    }

    /// The number of rooms for which the forwarder works.
    pub fn forwarded_rooms(&self) -> usize {
        self.rooms.values().filter(|room| room.uses_forwarder()).count()
    }

    /// Handles an offer to the forwarder.
    pub(super) fn offer_to_forwarder(&mut self, session: &SessionId, seq: u64, sdp: String) -> Result<(), ErrorCode> {
        let from = session.clone();
        self.ask_forwarder(session, |id| ForwarderRequest::Answer { session: from, id, seq, sdp })
    }

    /// Somebody displays these pictures.
    pub(super) fn display(&mut self, session: &SessionId, pictures: Vec<Displayed>) -> Result<(), ErrorCode> {
        let from = session.clone();
        self.ask_forwarder(session, |_| ForwarderRequest::View { session: from, pictures })
    }

    /// Announces somebody's frame key, also before the room is forwarded.
    pub(super) fn announce_key(&mut self, session: &SessionId, key: FrameKey) -> Result<(), ErrorCode> {
        if self.limits.forwarding.is_none() {
            return Err(ErrorCode::UnexpectedMessage);
        }
        self.seated(session, |room| room.announce(session, key))?
    }

    /// Gives somebody's key to others.
    pub(super) fn give_keys(&mut self, session: &SessionId, epoch: u32, keys: Vec<SealedKey>) -> Result<(), ErrorCode> {
        // The room is taken out so that it can ask about the backlogs of others.
        let name = self.sessions.get(session).and_then(|found| found.room.clone());
        let Some((name, mut room)) = name.and_then(|name| self.rooms.remove_entry(&name)) else {
            return Err(ErrorCode::UnexpectedMessage);
        };
        let has_room = |to: &SessionId, bytes| self.finds_room(to, Cause::Keys, bytes + SENDER_KEY_FRAME);
        let given = room.give_keys(session, epoch, keys, has_room);
        self.rooms.insert(name.clone(), room);
        self.drain(&name);
        given
    }

    fn ask_forwarder(
        &mut self,
        session: &SessionId,
        ask: impl FnOnce(ParticipantId) -> ForwarderRequest,
    ) -> Result<(), ErrorCode> {
        let asked = self.seated(session, |room| room.ask_forwarder(session, ask))?;
        if asked { Ok(()) } else { Err(ErrorCode::UnexpectedMessage) }
    }

    /// How many people may be in a room without a table if somebody joins who can be in a forwarded room, or cannot.
    pub(super) fn plain_seats(&self, name: &str, forwards: bool) -> usize {
        let (direct, room) = (self.limits.participants, self.rooms.get(name));
        let all_can = forwards && room.is_none_or(Room::all_can_forward);
        let may = room.is_some_and(Room::uses_forwarder) || self.may_forward_another();
        let forwarded = self.limits.forwarding.filter(|_| all_can && may);
        forwarded.map_or(direct, |forwarded| forwarded.participants.max(direct))
    }

    /// The rules by which rooms are forwarded at present, if they are.
    pub(super) fn forward_policy(&self) -> Option<Policy> {
        let limits = self.limits.forwarding?;
        let (direct, may_begin) = (self.limits.participants, self.may_forward_another());
        Some(Policy { limits, direct, may_begin, now_ms: self.unix_ms })
    }

    /// Lets time pass for the rooms' paths.
    pub(super) fn choose_paths(&mut self) {
        if self.limits.forwarding.is_none() {
            return;
        }
        for name in self.rooms.keys().cloned().collect::<Vec<String>>() {
            let Some(policy) = self.forward_policy() else { return };
            if let Some(room) = self.rooms.get_mut(&name) {
                room.choose_path(&policy, None);
            }
            self.drain(&name);
        }
    }

    fn may_forward_another(&self) -> bool {
        self.limits.forwarding.is_some_and(|limits| self.forwarded_rooms() < limits.rooms)
    }
}
