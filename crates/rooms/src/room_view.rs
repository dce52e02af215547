//! What one person in a room knows about the others.
//!
//! A client that acknowledges its messages receives each change as it happens. One that does not falls behind: it
//! receives nothing about the others until there is room again, and then only the differences from its last state.
//!
//! ```text
//!          backlog is open                     backlog is full
//! Following ◀───────────── Behind    Following ───────────────▶ Behind
//!   each change immediately └─▶ the differences, then Following
//! ```

use signaling::avatar::Avatar;
use signaling::forwarding::FrameKey;
use signaling::message::{Hand, LeaveReason, MediaState, Participant, ParticipantId, ServerMessage};

/// One client's knowledge of the others.
#[derive(Debug)]
pub(crate) struct RoomView {
    /// Whether the client is following, not behind.
    pub(crate) is_open: bool,
    /// Where the room's media goes differs from what the client knows.
    pub(crate) path_is_news: bool,
    /// What the lines to the forwarder carry differs from what the client knows.
    pub(crate) slots_are_news: bool,
    /// The door's state differs from what the client knows.
    pub(crate) door_is_news: bool,
    /// This client admits people, and the lobby differs from what it knows.
    pub(crate) lobby_is_news: bool,
    /// The client's own hand differs from what it knows.
    pub(crate) hand_is_news: bool,
    /// At most the others in the room, and those who left since the client fell behind.
    known: Vec<Known>,
}

/// A participant as the client knows them.
#[derive(Debug)]
struct Known {
    id: ParticipantId,
    media: MediaState,
    hand: Option<Hand>,
    avatar: Avatar,
    connected: bool,
    /// Whether the client knows their frame key.
    announced: bool,
    /// The reason if they have left and the client does not know it yet.
    left: Option<LeaveReason>,
}

impl RoomView {
    /// Creates the view of a newcomer, who receives the others in `joined`.
    pub(crate) fn new(others: impl Iterator<Item = Participant>) -> RoomView {
        let known = others.map(Known::new).collect();
        RoomView {
            is_open: true,
            path_is_news: false,
            slots_are_news: false,
            door_is_news: false,
            lobby_is_news: false,
            hand_is_news: false,
            known,
        }
    }

    /// Records that somebody left. Returns the message to send now, if any.
    pub(crate) fn left(&mut self, id: &ParticipantId, reason: LeaveReason) -> Option<ServerMessage> {
        let index = self.known.iter().position(|known| known.id == *id)?;
        if !self.is_open {
            self.known[index].left = Some(reason);
            return None;
        }
        self.known.remove(index);
        Some(ServerMessage::ParticipantLeft { id: id.clone(), reason })
    }

    /// Somebody is about to send a message. Returns the message that introduces them if the client does not know
    /// them.
    pub(crate) fn introduce(&mut self, other: Participant) -> Option<ServerMessage> {
        if self.known.iter().any(|known| known.id == other.id) {
            return None;
        }
        self.known.push(Known::new(other.clone()));
        Some(ServerMessage::ParticipantJoined { participant: other })
    }

    /// Compares the view with the others and whether they are connected. Returns the messages that bring it up to
    /// date.
    pub(crate) fn update(&mut self, others: &[(Participant, bool)]) -> Vec<ServerMessage> {
        let mut news = Vec::new();
        self.known.retain(|known| {
            let Some(reason) = known.left else { return true };
            news.push(ServerMessage::ParticipantLeft { id: known.id.clone(), reason });
            false
        });
        for (other, connected) in others {
            news.extend(self.introduce(other.clone()));
            let Some(known) = self.known.iter_mut().find(|known| known.id == other.id) else { continue };
            if known.media != other.media {
                known.media = other.media;
                news.push(ServerMessage::Media { from: other.id.clone(), media: other.media });
            }
            if known.hand != other.hand {
                known.hand = other.hand;
                news.push(ServerMessage::Hand { from: other.id.clone(), hand: other.hand });
            }
            if known.avatar != other.avatar {
                known.avatar.clone_from(&other.avatar);
                news.push(ServerMessage::Avatar { from: other.id.clone(), avatar: other.avatar.clone() });
            }
            if known.connected != *connected {
                known.connected = *connected;
                news.push(ServerMessage::ParticipantConnection { id: other.id.clone(), connected: *connected });
            }
        }
        news
    }

    /// Returns the frame keys of others that the client knows without their key. A stay has one key at most.
    pub(crate) fn announce<'a>(
        &mut self,
        others: impl Iterator<Item = (&'a ParticipantId, &'a FrameKey)>,
    ) -> Vec<ServerMessage> {
        let mut news = Vec::new();
        for (id, key) in others {
            let found = self.known.iter_mut().find(|known| known.id == *id && !known.announced);
            if let Some(known) = found {
                known.announced = true;
                news.push(ServerMessage::FrameKey { from: id.clone(), key: key.clone() });
            }
        }
        news
    }
}

impl Known {
    fn new(Participant { id, media, hand, avatar, .. }: Participant) -> Known {
        Known { id, media, hand, avatar, connected: true, announced: false, left: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(id: u32, camera: bool) -> Participant {
        let media = MediaState { microphone: false, camera, screen: false };
        let (name, key) = ("x".into(), "k".into());
        Participant {
            id: ParticipantId(format!("p{id}")),
            name,
            key,
            nonce: None,
            media,
            hand: None,
            avatar: Avatar::default(),
        }
    }

    #[test]
    fn a_client_that_is_behind_receives_only_the_latest_state() {
        let mut view = RoomView::new([person(1, false)].into_iter());
        view.is_open = false;
        assert_eq!(view.left(&person(1, false).id, LeaveReason::Left), None);
        assert_eq!(view.left(&person(2, false).id, LeaveReason::Left), None);
        let joined = ServerMessage::ParticipantJoined { participant: person(3, true) };
        assert_eq!(view.introduce(person(3, true)), Some(joined));
        assert_eq!(view.introduce(person(3, true)), None);
        view.is_open = true;
        let now = [(person(3, false), true), (person(4, true), false)];
        let id = |id| person(id, false).id;
        assert_eq!(
            view.update(&now),
            [
                ServerMessage::ParticipantLeft { id: id(1), reason: LeaveReason::Left },
                ServerMessage::Media { from: id(3), media: person(3, false).media },
                ServerMessage::ParticipantJoined { participant: person(4, true) },
                ServerMessage::ParticipantConnection { id: id(4), connected: false },
            ]
        );
        assert_eq!(view.update(&now), []);
    }
}
