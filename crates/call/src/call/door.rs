//! The door of the room: who keeps it, who knocks, and what the host does.

use super::{Call, Phase};
use signaling::board::{RoomNews, RoomRequest};
use signaling::message::{ErrorCode, MediaState, ParticipantId};

impl Call {
    /// A request with the server's ids in place of ours.
    pub(super) fn addressed(&self, request: RoomRequest) -> RoomRequest {
        let address = |id: ParticipantId| self.address(&id).unwrap_or(id);
        match request {
            RoomRequest::Mute { id } => RoomRequest::Mute { id: address(id) },
            RoomRequest::LowerHand { id } => RoomRequest::LowerHand { id: address(id) },
            RoomRequest::Remove { id } => RoomRequest::Remove { id: address(id) },
            RoomRequest::HandOver { id } => RoomRequest::HandOver { id: address(id) },
            RoomRequest::Spotlight { id } => RoomRequest::Spotlight { id: id.map(address) },
            // The ids of the lobby are the server's.
            request @ (RoomRequest::Lock { .. } | RoomRequest::Admit { .. } | RoomRequest::Refuse { .. }) => request,
        }
    }

    pub(super) fn room_news(&mut self, news: RoomNews) {
        match news {
            RoomNews::Knocking { room } => {
                let asked = matches!(self.phase, Phase::Joining | Phase::Rejoining { .. });
                if asked && room == self.room {
                    self.end_forwarding();
                    self.close_peers(); // of the lost seat: no media before the host admits us
                    self.phase = Phase::Knocking;
                }
            }
            RoomNews::Lobby { knocking } if self.in_room() => self.lobby = knocking,
            RoomNews::State { host, locked, spotlight } if self.in_room() => {
                let mine = self.you().is_some() && self.you() == host.as_ref();
                if !mine {
                    self.lobby.clear(); // somebody else admits people now
                }
                (self.host, self.locked, self.spotlight) = (host, locked, spotlight);
            }
            RoomNews::Muted if self.in_room() => {
                self.set_media(MediaState { microphone: false, ..self.media });
                self.notify(ErrorCode::Muted);
            }
            // Whether there is somebody who can admit us.
            RoomNews::State { host, .. } if matches!(self.phase, Phase::Knocking) => self.host = host,
            RoomNews::Lobby { .. } | RoomNews::State { .. } | RoomNews::Muted => return, // no longer in the room
        }
        self.changed = true;
    }

    pub(super) fn forget_door(&mut self) {
        self.host = None;
        self.locked = false;
        self.spotlight = None;
        self.lobby.clear();
    }
}
