//! Whether a room's media goes through the server's forwarder.
//!
//! ```text
//!           enough people, and all can                  somebody cannot, or few for a while
//! Direct ───────────────────────────────▶ Forwarded ──────────────────────────────────────▶ Ending
//!    ▲                                        ▲              enough again, and all can         │  │
//!    │                                        └────────────────────────────────────────────────┘  │
//!    └──────────────────────────────── the direct connections have had their time ────────────────┘
//! ```

use signaling::forwarding::{Displayed, FORWARDER, OwnDisplayed, SlotInfo};
use signaling::message::{ParticipantId, ServerMessage, SessionId};

use super::{Room, Seat};
use crate::limits::ForwardLimits;

/// How long few people must have been there before a room is direct, and how long it is then at least, in milliseconds.
const REST_MS: u64 = 10_000;
/// How long the forwarder goes on while people make direct connections, in milliseconds.
const ENDING_MS: u64 = 20_000;
/// A room is direct again with this many people fewer than it needs to be forwarded.
const FEWER: usize = 2;

/// What the server's forwarder is to do. An id stands for one stay of one person in one room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwarderRequest {
    /// Forward for somebody from now on.
    Take {
        /// Their session.
        session: SessionId,
        /// The room.
        room: String,
        /// Their id there.
        id: ParticipantId,
    },
    /// Forward nothing to or from them any more.
    Drop {
        /// Their session.
        session: SessionId,
    },
    /// Answer an offer.
    Answer {
        /// Whose it is.
        session: SessionId,
        /// Their id in the room.
        id: ParticipantId,
        /// Number of the message.
        seq: u64,
        /// The description.
        sdp: String,
    },
    /// Somebody displays these pictures and no others.
    View {
        /// Who.
        session: SessionId,
        /// The pictures.
        pictures: Vec<Displayed>,
    },
}

/// The rules of the server at one moment. Without them nothing is forwarded.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// The limits of forwarded rooms.
    pub limits: ForwardLimits,
    /// People in a direct room.
    pub direct: usize,
    /// Whether there may be another forwarded room.
    pub may_begin: bool,
    /// Unix time in milliseconds.
    pub now_ms: u64,
}

/// Where a room's media goes.
#[derive(Debug, Default)]
pub(super) struct MediaPath {
    state: State,
    /// Since when the room is no longer forwarded.
    stopped_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Direct,
    /// `few_ms`: since when there are few people.
    Forwarded {
        few_ms: Option<u64>,
    },
    Ending {
        until_ms: u64,
    },
}

/// A change of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Begins,
    Stops,
    /// The forwarder is not needed any more.
    Ended,
}

impl MediaPath {
    /// Takes the next step for this many people, all of whom can be forwarded or not.
    fn step(&mut self, policy: &Policy, people: usize, all_can: bool) -> Option<Change> {
        let Policy { limits, direct, may_begin, now_ms } = *policy;
        let rested = self.stopped_ms.is_none_or(|at| now_ms.saturating_sub(at) >= REST_MS) || people > direct;
        let begins = all_can && people >= limits.from && may_begin && rested;
        match self.state {
            State::Direct | State::Ending { .. } if begins => {
                self.state = State::Forwarded { few_ms: None };
                Some(Change::Begins)
            }
            State::Direct => None,
            State::Ending { until_ms } => {
                let is_over = now_ms >= until_ms || until_ms - now_ms > ENDING_MS;
                is_over.then(|| self.state = State::Direct).map(|()| Change::Ended)
            }
            State::Forwarded { few_ms } => {
                let few = (people + FEWER <= limits.from).then(|| few_ms.unwrap_or(now_ms));
                self.state = State::Forwarded { few_ms: few };
                let stops = !all_can || few.is_some_and(|since| now_ms.saturating_sub(since) >= REST_MS);
                stops.then(|| self.stop(now_ms))
            }
        }
    }

    fn stop(&mut self, now_ms: u64) -> Change {
        self.stopped_ms = Some(now_ms);
        self.state = State::Ending { until_ms: now_ms.saturating_add(ENDING_MS) };
        Change::Stops
    }

    pub(super) fn is_forwarded(&self) -> bool {
        matches!(self.state, State::Forwarded { .. })
    }
}

impl Room {
    /// Whether the forwarder has something to do for this room.
    pub fn uses_forwarder(&self) -> bool {
        self.path.state != State::Direct
    }

    /// Whether everybody's client can be in a forwarded room.
    pub fn all_can_forward(&self) -> bool {
        self.seats.iter().all(|seat| seat.arrival.forwards)
    }

    /// Decides anew where the media goes, as if the `newcomer` were here already, and informs everybody of a change.
    pub fn choose_path(&mut self, policy: &Policy, newcomer: Option<bool>) {
        let people = self.seats.len() + usize::from(newcomer.is_some());
        let all_can = self.all_can_forward() && newcomer.unwrap_or(true);
        match self.path.step(policy, people, all_can) {
            None => {}
            Some(Change::Begins) => {
                (0..self.seats.len()).for_each(|index| self.take_to_forwarder(index));
                self.tell_path_to_all();
            }
            Some(Change::Stops) => self.tell_path_to_all(),
            Some(Change::Ended) => {
                for seat in &mut self.seats {
                    seat.slots.clear();
                    seat.displayed = OwnDisplayed::default();
                    if std::mem::take(&mut seat.is_forwarded) {
                        self.for_forwarder.push_back(ForwarderRequest::Drop { session: seat.session.clone() });
                    }
                }
            }
        }
    }

    /// The next request for the forwarder.
    pub fn poll_forwarder(&mut self) -> Option<ForwarderRequest> {
        self.for_forwarder.pop_front()
    }

    /// The request of somebody with a seat, if the forwarder works for them.
    pub fn ask_forwarder(&mut self, session: &SessionId, ask: impl FnOnce(ParticipantId) -> ForwarderRequest) -> bool {
        let found = self.seats.iter().find(|seat| &seat.session == session && seat.is_forwarded);
        let Some(id) = found.map(|seat| seat.id.clone()) else { return false };
        self.for_forwarder.push_back(ask(id));
        true
    }

    /// Sends somebody the forwarder's answer.
    pub fn answer_of_forwarder(&mut self, session: &SessionId, sdp: String) {
        let from = ParticipantId(FORWARDER.into());
        self.outputs.push_back((session.clone(), ServerMessage::Answer { from, sdp, signature: None }));
    }

    /// The lines of somebody's connection to the forwarder carry this now, and their own pictures are displayed like this.
    pub fn set_slots(&mut self, session: &SessionId, slots: Vec<SlotInfo>, displayed: OwnDisplayed) {
        let Some(index) = self.seats.iter().position(|seat| &seat.session == session && seat.is_forwarded) else {
            return;
        };
        (self.seats[index].slots, self.seats[index].displayed) = (slots, displayed);
        self.tell_slots(index);
    }

    /// The forwarder need no longer know somebody who has left.
    pub(super) fn drop_from_forwarder(&mut self, seat: &Seat) {
        if seat.is_forwarded {
            self.for_forwarder.push_back(ForwarderRequest::Drop { session: seat.session.clone() });
        }
    }

    pub(super) fn tell_slots(&mut self, index: usize) {
        let Seat { session, slots, displayed, view, .. } = &mut self.seats[index];
        view.slots_are_news = !view.is_open;
        if view.is_open {
            let (slots, displayed) = (slots.clone(), Some(*displayed));
            self.outputs.push_back((session.clone(), ServerMessage::Slots { slots, displayed }));
        }
    }

    pub(super) fn tell_path(&mut self, index: usize) {
        let on = self.path.is_forwarded();
        let Seat { session, view, .. } = &mut self.seats[index];
        view.path_is_news = !view.is_open;
        if view.is_open {
            self.outputs.push_back((session.clone(), ServerMessage::Forwarded { on }));
        }
    }

    fn tell_path_to_all(&mut self) {
        (0..self.seats.len()).for_each(|index| self.tell_path(index));
    }

    /// The forwarder works for somebody from now on.
    pub(super) fn take_to_forwarder(&mut self, index: usize) {
        let seat = &mut self.seats[index];
        if !std::mem::replace(&mut seat.is_forwarded, true) {
            let (session, id) = (seat.session.clone(), seat.id.clone());
            self.for_forwarder.push_back(ForwarderRequest::Take { session, room: self.name.clone(), id });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(now_ms: u64) -> Policy {
        Policy { limits: ForwardLimits::default(), direct: 12, may_begin: true, now_ms }
    }

    #[test]
    fn a_room_is_forwarded_from_the_seventh_person_if_all_can() {
        let mut path = MediaPath::default();
        assert_eq!(path.step(&policy(0), 6, true), None);
        assert_eq!(path.step(&policy(0), 7, false), None);
        assert_eq!(path.step(&Policy { may_begin: false, ..policy(0) }, 7, true), None);
        assert_eq!(path.step(&policy(0), 7, true), Some(Change::Begins));
        assert_eq!(path.step(&policy(0), 8, true), None);
        assert_eq!(path.step(&policy(1), 8, false), Some(Change::Stops));
    }

    #[test]
    fn a_room_that_shrinks_stays_forwarded_for_a_while_and_then_direct_for_a_while() {
        let mut path = MediaPath::default();
        assert_eq!(path.step(&policy(0), 7, true), Some(Change::Begins));
        assert_eq!(path.step(&policy(60_000), 6, true), None, "one fewer is not few");
        assert_eq!(path.step(&policy(60_000), 5, true), None);
        assert_eq!(path.step(&policy(60_000 + REST_MS - 1), 5, true), None);
        assert_eq!(path.step(&policy(60_000 + REST_MS), 6, true), None, "enough again");
        assert_eq!(path.step(&policy(80_000), 5, true), None);
        assert_eq!(path.step(&policy(80_000 + REST_MS), 5, true), Some(Change::Stops));
        assert_eq!(path.step(&policy(91_000), 7, true), None, "it rests");
        assert_eq!(path.step(&policy(91_000), 13, true), Some(Change::Begins), "unless a direct room is too small");
        assert_eq!(path.step(&policy(92_000), 7, false), Some(Change::Stops));
        assert_eq!(path.step(&policy(92_000 + ENDING_MS), 5, true), Some(Change::Ended));
        assert_eq!(path.step(&policy(200_000), 7, true), Some(Change::Begins));
    }

    #[test]
    fn a_clock_that_goes_back_delays_nothing_for_long() {
        let mut path = MediaPath::default();
        path.step(&policy(1_000_000), 7, true);
        path.step(&policy(1_000_000), 7, false);
        assert_eq!(path.step(&policy(0), 5, false), Some(Change::Ended));
    }
}
