//! The board of the kept server, its notices, and the requests that wait for an answer.
//!
//! ```text
//!  Off ──session is kept──▶ Subscribed ──first snapshot──▶ Shown
//!   ▲                         │                              │
//!   └──no longer kept, new session, other server─────────────┘
//! ```

use crate::request::{Answer, BoardAnswer};
use crate::signal::Signalling;
use crate::view::{Problem, Reminder};
use call::Signal;
use signaling::account::{AccountNews, AccountRequest};
use signaling::board::{BoardNews, BoardRequest, Notice};
use signaling::board_fold::{BoardFold, BoardState};
use signaling::message::{ClientMessage, ErrorCode, ErrorMessage, ServerMessage};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::oneshot;

/// Requests that wait for the server's answer. When full, the oldest is dropped, and its caller receives an error.
const WAITING: usize = 32;
/// Notices kept for the window. When full, the oldest is dropped.
const NOTICES: usize = 8;

/// The board of one server.
#[derive(Debug)]
pub(crate) struct BoardSession {
    fold: BoardFold,
    subscribed: bool,
    shown: Option<Arc<BoardState>>,
    reminders: VecDeque<Reminder>,
    /// Keyed by the number of the message, which some answers do not name.
    waiting: VecDeque<(u64, Awaited, Answer)>,
    /// The server has added this device to an account since the last [`BoardSession::take_device_added`].
    device_added: bool,
    /// Whether the board or the reminders have changed since the last [`BoardSession::take_changed`].
    changed: bool,
}

/// The answer to a request.
#[derive(Debug, PartialEq, Eq)]
enum Awaited {
    /// `done`, with the number of the request.
    Done,
    /// An invite for this room.
    Invite(String),
    /// That the avatar is stored.
    Avatar,
    /// The photo with this id.
    Photo(String),
    /// The address of the calendar.
    Calendar,
    /// What the server holds about this person.
    AboutMe,
    /// Reports, suspensions and acts.
    OrderBook,
    /// That a round is stored.
    Round,
    /// The devices of the person's account.
    Devices,
    /// `done`, after which this device belongs to an account.
    AddedDevice,
}

impl BoardSession {
    pub(crate) fn new() -> Self {
        Self {
            fold: BoardFold::new(""),
            subscribed: false,
            shown: None,
            reminders: VecDeque::new(),
            waiting: VecDeque::new(),
            device_added: false,
            changed: false,
        }
    }

    /// Starts a new session with a server whose board knows us by this id. Discards the state of the old session.
    pub(crate) fn begin(&mut self, you: &str) {
        self.fold.reset(you);
        self.subscribed = false;
        self.give_up();
    }

    /// Ends the board: it is no longer wanted, or its server is gone for good. Requests go on: a call on another server has
    /// no board, but people with photos.
    pub(crate) fn end(&mut self) {
        self.fold.reset("");
        self.subscribed = false;
        self.changed |= self.shown.take().is_some();
    }

    /// The session is lost. Its requests receive no more answers. The board stays until there is a new one.
    fn lost(&mut self) {
        self.subscribed = false;
        self.give_up();
    }

    /// Subscribes to the board, once per session. A server without a board refuses this. That error must not end a call,
    /// so the answer is discarded.
    pub(crate) fn subscribe(&mut self, now: Instant, session: &mut Signalling) {
        if !std::mem::replace(&mut self.subscribed, true) {
            self.request(now, session, BoardRequest::Subscribe { room: None, invite: None }, oneshot::channel().0);
        }
    }

    /// Sends a request. `answer` receives the server's answer, or the error if sending failed.
    pub(crate) fn request(&mut self, now: Instant, session: &mut Signalling, request: BoardRequest, answer: Answer) {
        match session.ask(now, ClientMessage::Board(request.clone())) {
            Ok(about) => self.sent(about, &request, answer),
            Err(problem) => drop(answer.send(Err(problem))), // whoever asked may have gone
        }
    }

    /// Like [`BoardSession::request`], about the person's account.
    pub(crate) fn request_account(
        &mut self,
        now: Instant,
        session: &mut Signalling,
        request: AccountRequest,
        answer: Answer,
    ) {
        let awaited = match &request {
            AccountRequest::AddDevice { .. } => Awaited::AddedDevice,
            AccountRequest::Devices => Awaited::Devices,
            AccountRequest::RemoveDevice { .. } => Awaited::Done,
        };
        match session.ask(now, ClientMessage::Account(request)) {
            Ok(about) => self.wait(about, awaited, answer),
            Err(problem) => drop(answer.send(Err(problem))), // whoever asked may have gone
        }
    }

    /// Returns true once after this device was added to an account.
    pub(crate) fn take_device_added(&mut self) -> bool {
        std::mem::take(&mut self.device_added)
    }

    /// Remembers the sender for the answer by the number of the message.
    fn sent(&mut self, about: u64, request: &BoardRequest, answer: Answer) {
        let awaited = match request {
            BoardRequest::Invite { room, .. } => Awaited::Invite(room.clone()),
            BoardRequest::SetAvatar { .. } => Awaited::Avatar,
            BoardRequest::Photo { id } => Awaited::Photo(id.clone()),
            BoardRequest::Calendar { .. } => Awaited::Calendar,
            BoardRequest::AboutMe => Awaited::AboutMe,
            BoardRequest::OrderBook => Awaited::OrderBook,
            BoardRequest::LayRound(_) => Awaited::Round,
            BoardRequest::Subscribe { .. }
            | BoardRequest::Unsubscribe
            | BoardRequest::Lay(_)
            | BoardRequest::Take { .. }
            | BoardRequest::Leave { .. }
            | BoardRequest::Delete { .. }
            | BoardRequest::CancelDate { .. }
            | BoardRequest::Move { .. }
            | BoardRequest::CancelRound { .. }
            | BoardRequest::SignUp { .. }
            | BoardRequest::Withdraw { .. }
            | BoardRequest::EatNow { .. }
            | BoardRequest::StopWaiting
            | BoardRequest::Presence { .. }
            | BoardRequest::ForgetMe
            | BoardRequest::Report { .. }
            | BoardRequest::Block { .. }
            | BoardRequest::Unblock { .. }
            | BoardRequest::Seen
            | BoardRequest::CloseTable { .. }
            | BoardRequest::Suspend { .. }
            | BoardRequest::Lift { .. }
            | BoardRequest::CloseReport { .. }
            | BoardRequest::RevokeCalendar => Awaited::Done,
        };
        self.wait(about, awaited, answer);
    }

    fn wait(&mut self, about: u64, awaited: Awaited, answer: Answer) {
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back((about, awaited, answer));
    }

    /// Takes a signal of the session. `local_ms` is this machine's clock in Unix milliseconds. Returns true if the
    /// signal concerns only the board.
    pub(crate) fn handle_signal(&mut self, local_ms: u64, signal: &Signal) -> bool {
        match signal {
            Signal::Message(message) => return self.handle(local_ms, message),
            Signal::Ended(_) | Signal::Untrusted(_) => {
                self.end();
                self.give_up();
            }
            Signal::Lost => self.lost(),
            Signal::Welcome { .. } | Signal::Resumed { .. } | Signal::Disconnected => {}
        }
        false
    }

    fn handle(&mut self, local_ms: u64, message: &ServerMessage) -> bool {
        match message {
            ServerMessage::Board(news) => {
                self.news(local_ms, news);
                true
            }
            ServerMessage::Account(news) => {
                self.account(news);
                true
            }
            ServerMessage::Error(error) => self.refused(error),
            _ => false,
        }
    }

    /// Returns true once after each change of [`BoardSession::state`] or [`BoardSession::reminders`].
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// The current board, as soon as all of it has arrived.
    pub(crate) fn state(&self) -> Option<Arc<BoardState>> {
        self.shown.clone()
    }

    /// The latest notices, oldest first.
    pub(crate) fn reminders(&self) -> impl Iterator<Item = &Reminder> {
        self.reminders.iter()
    }

    fn account(&mut self, news: &AccountNews) {
        match news {
            AccountNews::Done { about } => {
                if let Some((awaited, answer)) = self.take(|(seq, ..)| seq == about) {
                    self.device_added |= awaited == Awaited::AddedDevice;
                    let _ = answer.send(Ok(BoardAnswer::Done)); // the receiver may be dropped
                }
            }
            AccountNews::Devices { devices } => {
                if let Some((_, answer)) = self.take(|(_, awaited, _)| *awaited == Awaited::Devices) {
                    let _ = answer.send(Ok(BoardAnswer::Devices(devices.clone())));
                }
            }
        }
    }

    fn news(&mut self, local_ms: u64, news: &BoardNews) {
        match news {
            BoardNews::Done { about } => {
                if let Some((_, answer)) = self.take(|(seq, ..)| seq == about) {
                    let _ = answer.send(Ok(BoardAnswer::Done)); // the receiver may be dropped
                }
            }
            BoardNews::Invite { room, invite, expires_ms } => {
                if let Some((_, answer)) =
                    self.take(|(_, awaited, _)| matches!(awaited, Awaited::Invite(of) if of == room))
                {
                    let (room, invite, expires_ms) = (room.clone(), invite.clone(), *expires_ms);
                    let _ = answer.send(Ok(BoardAnswer::Invite { room, invite, expires_ms }));
                }
            }
            BoardNews::AboutMe(about) => {
                if let Some((_, answer)) = self.take(|(_, awaited, _)| *awaited == Awaited::AboutMe) {
                    let _ = answer.send(Ok(BoardAnswer::AboutMe(about.clone())));
                }
            }
            BoardNews::Photo { id, jpeg } => {
                if let Some((_, answer)) =
                    self.take(|(_, awaited, _)| matches!(awaited, Awaited::Photo(of) if of == id))
                {
                    let _ = answer.send(Ok(BoardAnswer::Photo(jpeg.clone())));
                }
            }
            BoardNews::Calendar { token } => {
                if let Some((_, answer)) = self.take(|(_, awaited, _)| *awaited == Awaited::Calendar) {
                    let _ = answer.send(Ok(BoardAnswer::Calendar { token: token.clone() }));
                }
            }
            BoardNews::OrderBook(book) => {
                if let Some((_, answer)) = self.take(|(_, awaited, _)| *awaited == Awaited::OrderBook) {
                    let _ = answer.send(Ok(BoardAnswer::OrderBook(book.clone())));
                }
            }
            BoardNews::Snapshot(_)
            | BoardNews::Patch(_)
            | BoardNews::You { .. }
            | BoardNews::Order(_)
            | BoardNews::Notice(_) => {}
        }
        if self.fold.handle(local_ms, news) {
            self.shown = self.fold.state().map(Arc::new);
            self.changed = true;
        }
        while let Some(notice) = self.fold.poll_notice() {
            self.notify(notice);
        }
    }

    fn notify(&mut self, notice: Notice) {
        let number = self.reminders.back().map_or(0, |last| last.number + 1);
        self.reminders.push_back(Reminder { number, notice });
        if self.reminders.len() > NOTICES {
            self.reminders.pop_front();
        }
        self.changed = true;
    }

    fn refused(&mut self, error: &ErrorMessage) -> bool {
        let Some(about) = error.about else { return false };
        let Some((expected, answer)) = self.take(|(seq, ..)| *seq == about) else { return false };
        let code = match (expected, error.code) {
            // A server from before this request does not know it.
            (
                Awaited::AboutMe | Awaited::OrderBook | Awaited::Round | Awaited::Avatar | Awaited::Photo(_),
                ErrorCode::Malformed,
            ) => "server_too_old".into(),
            (_, code) => crate::signal::code(code),
        };
        let _ = answer.send(Err(Problem { code, message: error.message.clone(), device: None }));
        true
    }

    fn take(&mut self, is: impl Fn(&(u64, Awaited, Answer)) -> bool) -> Option<(Awaited, Answer)> {
        let at = self.waiting.iter().position(is)?;
        self.waiting.remove(at).map(|(_, expected, answer)| (expected, answer))
    }

    /// There is no session any more, so nothing that was asked is answered.
    pub(crate) fn give_up(&mut self) {
        for (.., answer) in self.waiting.drain(..) {
            let message =
                "The connection was lost before the server answered. Check whether the request took effect.".into();
            let _ = answer.send(Err(Problem { code: "unanswered".into(), message, device: None }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signaling::avatar::Avatar;
    use signaling::board::{AboutMe, CalendarToken, Presence, Snapshot};
    use signaling::message::ErrorCode;

    fn ask(
        board: &mut BoardSession,
        about: u64,
        request: BoardRequest,
    ) -> oneshot::Receiver<Result<BoardAnswer, Problem>> {
        let (answer, answered) = oneshot::channel();
        board.sent(about, &request, answer);
        answered
    }

    fn error(about: Option<u64>) -> ServerMessage {
        ServerMessage::Error(ErrorMessage { code: ErrorCode::TableFull, message: "full".into(), about })
    }

    #[test]
    fn an_added_device_is_reported_once_after_the_server_has_stored_it() {
        let mut board = BoardSession::new();
        let (answer, mut added) = oneshot::channel();
        board.wait(3, Awaited::AddedDevice, answer);
        let (answer, mut listed) = oneshot::channel();
        board.wait(4, Awaited::Devices, answer);
        assert!(board.handle(0, &ServerMessage::Account(AccountNews::Devices { devices: vec![] })));
        assert_eq!(listed.try_recv(), Ok(Ok(BoardAnswer::Devices(vec![]))));
        assert!(!board.take_device_added());
        board.handle(0, &ServerMessage::Account(AccountNews::Done { about: 3 }));
        assert_eq!(added.try_recv(), Ok(Ok(BoardAnswer::Done)));
        assert!(board.take_device_added() && !board.take_device_added());
    }

    #[test]
    fn answers_are_matched_to_requests() {
        let mut board = BoardSession::new();
        let mut first = ask(&mut board, 3, BoardRequest::StopWaiting);
        let mut second = ask(&mut board, 4, BoardRequest::ForgetMe);
        assert!(board.handle(0, &error(Some(4))));
        assert!(!board.handle(0, &error(Some(9))) && !board.handle(0, &error(None)), "somebody else's");
        assert!(board.handle(0, &ServerMessage::Board(BoardNews::Done { about: 3 })));
        assert_eq!(first.try_recv(), Ok(Ok(BoardAnswer::Done)));
        assert_eq!(
            second.try_recv().map(|answer| answer.map_err(|problem| problem.code)),
            Ok(Err("table_full".into()))
        );
    }

    #[test]
    fn an_invite_answers_the_request_for_its_room() {
        let mut board = BoardSession::new();
        let mut asked = ask(&mut board, 1, BoardRequest::Invite { room: "soup".into(), uses: 1, hours: 1 });
        let invite = |room: &str| BoardNews::Invite { room: room.into(), invite: "t".into(), expires_ms: 5 };
        board.handle(0, &ServerMessage::Board(invite("noodles")));
        assert!(asked.try_recv().is_err());
        board.handle(0, &ServerMessage::Board(invite("soup")));
        assert!(matches!(asked.try_recv(), Ok(Ok(BoardAnswer::Invite { .. }))));
    }

    #[test]
    fn what_the_server_knows_answers_the_request_for_it() {
        let mut board = BoardSession::new();
        let mut other = ask(&mut board, 1, BoardRequest::StopWaiting);
        let mut asked = ask(&mut board, 2, BoardRequest::AboutMe);
        let about = AboutMe {
            avatar: Avatar::default(),
            now_ms: 1,
            zone: "UTC".into(),
            key: "me".into(),
            names: vec![],
            member: true,
            presence: Presence::Free,
            sessions: 1,
            tables: vec![],
            rounds: vec![],
            waiting: None,
            named_by: 0,
            calendar: false,
            invites: vec![],
            met: vec![],
            account: None,
            blocked: 0,
            reports: vec![],
            acts: vec![],
            suspension: None,
            met_days: 30,
            left_out: 0,
        };
        board.handle(0, &ServerMessage::Board(BoardNews::AboutMe(Box::new(about))));
        assert!(matches!(asked.try_recv(), Ok(Ok(BoardAnswer::AboutMe(about))) if about.key == "me"));
        assert!(other.try_recv().is_err());
    }

    #[test]
    fn a_server_from_before_a_request_is_said_to_be_too_old() {
        let mut board = BoardSession::new();
        let mut asked = ask(&mut board, 1, BoardRequest::AboutMe);
        let mut other = ask(&mut board, 2, BoardRequest::StopWaiting);
        for about in [1, 2] {
            let error = ErrorMessage { code: ErrorCode::Malformed, message: "no".into(), about: Some(about) };
            board.handle(0, &ServerMessage::Error(error));
        }
        let code = |answer: Result<BoardAnswer, Problem>| answer.map_err(|problem| problem.code);
        assert_eq!(asked.try_recv().map(code), Ok(Err("server_too_old".into())));
        assert_eq!(other.try_recv().map(code), Ok(Err("malformed".into())));
    }

    #[test]
    fn a_calendar_answers_the_oldest_request_for_one() {
        let mut board = BoardSession::new();
        let mut revoked = ask(&mut board, 1, BoardRequest::RevokeCalendar);
        let mut asked = ask(&mut board, 2, BoardRequest::Calendar { token: None });
        let token = CalendarToken("t".into());
        board.handle(0, &ServerMessage::Board(BoardNews::Calendar { token: token.clone() }));
        assert!(revoked.try_recv().is_err());
        assert_eq!(asked.try_recv(), Ok(Ok(BoardAnswer::Calendar { token })));
    }

    #[test]
    fn a_new_session_resubscribes_and_drops_old_requests() {
        let mut board = BoardSession::new();
        board.subscribed = true;
        let mut asked = ask(&mut board, 1, BoardRequest::StopWaiting);
        board.begin("me");
        assert!(matches!(asked.try_recv(), Ok(Err(problem)) if problem.code == "unanswered"));
        assert!(!board.subscribed);
    }

    #[test]
    fn a_lost_session_fails_pending_requests() {
        let mut board = BoardSession::new();
        let mut asked = ask(&mut board, 1, BoardRequest::StopWaiting);
        board.lost();
        assert!(matches!(asked.try_recv(), Ok(Err(problem)) if problem.code == "unanswered"));
    }

    #[test]
    fn the_board_appears_when_complete_and_stays_until_unsubscribed() {
        let piece = |first, last| {
            let (now_ms, zone) = (1, "Asia/Seoul".to_owned());
            let (tables, people) = (vec![], vec![]);
            let whole = Snapshot {
                first,
                last,
                now_ms,
                zone,
                member: true,
                tables,
                rounds: vec![],
                people,
                free_count: 2,
                hungry_count: 0,
            };
            ServerMessage::Board(BoardNews::Snapshot(whole))
        };
        let mut board = BoardSession::new();
        board.handle(1, &piece(true, false));
        assert!(board.state().is_none());
        board.handle(1, &piece(false, true));
        assert_eq!(board.state().map(|state| state.free_count), Some(2));
        board.begin("me");
        assert!(board.state().is_some(), "shown until the new one is whole");
        board.end();
        assert!(board.state().is_none());
    }
}
