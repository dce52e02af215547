//! Shows the person's avatar on the servers that they use. The settings have it; each server has a copy for the others.

use crate::desk::{Ask, DeskHandle};
use crate::state::{AppState, OwnAvatar};
use engine::Engine;
use engine::signaling::avatar::Avatar;
use engine::signaling::board::BoardRequest;
use std::sync::Arc;

/// Starts the task. It ends with the desk.
pub(crate) fn start(engine: Arc<Engine>, desk: DeskHandle) {
    tauri::async_runtime::spawn(async move {
        let (mut copies, mut shown) = (Copies::default(), desk.shown.clone());
        while shown.changed().await.is_ok() {
            let due = copies.due(&shown.borrow_and_update());
            let Some(OwnAvatar { color, glyph, photo }) = due else { continue };
            if let Err(problem) = engine.board(BoardRequest::SetAvatar { color, glyph, jpeg: photo }).await {
                tracing::warn!("the avatar could not be sent: {}", problem.message);
                desk.tell(Ask::Problem(problem)).await;
            }
        }
    });
}

/// What is known of the copies.
#[derive(Debug, Default)]
struct Copies {
    /// The server whose board is there.
    server: Option<String>,
    /// The avatar in the settings, when it was last looked at.
    own: Option<OwnAvatar>,
    /// Whether it was changed since it was last sent.
    changed: bool,
}

impl Copies {
    /// Returns the avatar if it must be sent now: the person has changed it; or the board of a server has arrived that
    /// shows another one. With an account, that may be from another device, and stays.
    fn due(&mut self, state: &AppState) -> Option<OwnAvatar> {
        let own = &state.settings.avatar;
        if self.own.as_ref() != Some(own) {
            self.changed |= self.own.is_some();
            self.own = Some(own.clone());
        }
        let board = state.board.as_ref().filter(|board| board.member);
        let server = board.and(state.session.server()).map(|server| server.url.to_string());
        let is_new = self.server != server;
        self.server = server;
        let board = board?;
        if std::mem::take(&mut self.changed) {
            return Some(own.clone());
        }
        let me = state.you.person.as_ref().unwrap_or(&state.you.key);
        let there = board.people.iter().find(|person| person.id == *me);
        let there = there.map_or_else(Avatar::default, |person| person.avatar.clone());
        let ours = *own != OwnAvatar::default() && (state.you.account.is_none() || there.is_default());
        (is_new && ours && there != own.shown()).then(|| own.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;
    use engine::signaling::board::{PersonInfo, Presence};
    use engine::{ServerAddress, SessionView};

    fn green() -> OwnAvatar {
        OwnAvatar { color: Some(2), ..OwnAvatar::default() }
    }

    /// A state with a board that shows the person like this.
    fn at_board(own: OwnAvatar, there: Avatar) -> AppState {
        let mut state = testing::state();
        state.settings.avatar = own;
        state.you.key = "me".into();
        let url = "wss://lunch.example".parse().unwrap();
        state.session = SessionView::Open { server: ServerAddress { url, fingerprint: None } };
        let person = PersonInfo { id: "me".into(), name: "Ada".into(), presence: Presence::Free, avatar: there };
        state.board = Some(Arc::new(testing::board(vec![person])));
        state
    }

    #[test]
    fn a_server_that_shows_nothing_receives_the_avatar_once() {
        let mut copies = Copies::default();
        let state = at_board(green(), Avatar::default());
        assert_eq!(copies.due(&state), Some(green()));
        assert_eq!(copies.due(&state), None, "it is on its way");
        let away = AppState { board: None, ..state.clone() };
        assert_eq!((copies.due(&away), copies.due(&state)), (None, Some(green())), "another session");
        assert_eq!(Copies::default().due(&at_board(green(), green().shown())), None);
    }

    #[test]
    fn a_change_is_sent_at_once_or_when_the_board_is_back() {
        let mut copies = Copies::default();
        let state = at_board(OwnAvatar::default(), Avatar::default());
        assert_eq!(copies.due(&state), None, "nothing was chosen");
        assert_eq!(copies.due(&at_board(green(), Avatar::default())), Some(green()));
        let away = AppState { board: None, ..at_board(OwnAvatar::default(), green().shown()) };
        assert_eq!(copies.due(&away), None);
        let back = at_board(OwnAvatar::default(), green().shown());
        assert_eq!(copies.due(&back), Some(OwnAvatar::default()), "removed meanwhile");
    }

    #[test]
    fn another_device_of_the_account_is_not_overruled() {
        let mut state = at_board(green(), Avatar { color: Some(5), ..Avatar::default() });
        state.you.account = Some("Ada".into());
        assert_eq!(Copies::default().due(&state), None);
        state.you.account = None;
        assert_eq!(Copies::default().due(&state), Some(green()));
    }
}
