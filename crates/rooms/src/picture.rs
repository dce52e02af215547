//! What one person in a room has been told of the others.
//!
//! Who acknowledges what they are told hears each change as it happens. Who does not falls behind: nothing more is
//! said of the others, and once there is room again only what differs from the last picture.
//!
//! ```text
//!          backlog is open                     backlog is full
//! Following ◀───────────── Behind    Following ───────────────▶ Behind
//!   each change at once     └─▶ the differences, then Following
//! ```

use signaling::message::{LeaveReason, MediaState, Participant, ParticipantId, ServerMessage};

/// One person's picture of the others.
#[derive(Debug)]
pub(crate) struct Picture {
    /// Following, not behind.
    pub(crate) is_open: bool,
    /// The door is otherwise than they were told.
    pub(crate) door_is_news: bool,
    /// They keep the door, and the lobby is otherwise than they were told.
    pub(crate) lobby_is_news: bool,
    /// At most the others in the room and those who left it since they fell behind.
    known: Vec<Known>,
}

/// Somebody they were told of, as they were told.
#[derive(Debug)]
struct Known {
    id: ParticipantId,
    media: MediaState,
    connected: bool,
    /// They have left, and how; that has not been told.
    left: Option<LeaveReason>,
}

impl Picture {
    /// Of a newcomer who hears of the others in `joined`.
    pub(crate) fn new(others: impl Iterator<Item = (ParticipantId, MediaState)>) -> Picture {
        let known = others.map(|(id, media)| Known { id, media, connected: true, left: None }).collect();
        Picture { is_open: true, door_is_news: false, lobby_is_news: false, known }
    }

    /// Somebody leaves: what is said of it, if anything is now.
    pub(crate) fn left(&mut self, id: &ParticipantId, reason: LeaveReason) -> Option<ServerMessage> {
        let index = self.known.iter().position(|known| known.id == *id)?;
        if !self.is_open {
            self.known[index].left = Some(reason);
            return None;
        }
        self.known.remove(index);
        Some(ServerMessage::ParticipantLeft { id: id.clone(), reason })
    }

    /// Somebody has something to say: what is said first, if they are not known.
    pub(crate) fn introduce(&mut self, other: Participant) -> Option<ServerMessage> {
        if self.known.iter().any(|known| known.id == other.id) {
            return None;
        }
        self.known.push(Known { id: other.id.clone(), media: other.media, connected: true, left: None });
        Some(ServerMessage::ParticipantJoined { participant: other })
    }

    /// The others as they are, and whether they are connected: what makes the picture true.
    pub(crate) fn draw(&mut self, others: &[(Participant, bool)]) -> Vec<ServerMessage> {
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
            if known.connected != *connected {
                known.connected = *connected;
                news.push(ServerMessage::ParticipantConnection { id: other.id.clone(), connected: *connected });
            }
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(id: u32, camera: bool) -> Participant {
        let media = MediaState { microphone: false, camera };
        Participant { id: ParticipantId(format!("p{id}")), name: "x".into(), key: "k".into(), media }
    }

    #[test]
    fn who_is_behind_hears_the_newest_state_once_and_nothing_of_what_came_and_went() {
        let mut picture = Picture::new([(person(1, false).id, person(1, false).media)].into_iter());
        picture.is_open = false;
        assert_eq!(picture.left(&person(1, false).id, LeaveReason::Left), None);
        assert_eq!(picture.left(&person(2, false).id, LeaveReason::Left), None);
        let joined = ServerMessage::ParticipantJoined { participant: person(3, true) };
        assert_eq!(picture.introduce(person(3, true)), Some(joined));
        assert_eq!(picture.introduce(person(3, true)), None);
        picture.is_open = true;
        let now = [(person(3, false), true), (person(4, true), false)];
        let id = |id| person(id, false).id;
        assert_eq!(
            picture.draw(&now),
            [
                ServerMessage::ParticipantLeft { id: id(1), reason: LeaveReason::Left },
                ServerMessage::Media { from: id(3), media: person(3, false).media },
                ServerMessage::ParticipantJoined { participant: person(4, true) },
                ServerMessage::ParticipantConnection { id: id(4), connected: false },
            ]
        );
        assert_eq!(picture.draw(&now), []);
    }
}
