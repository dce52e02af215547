//! The signalling session and the call that is held over it.

use crate::config::{JoinRequest, ServerAddress};
use crate::displayed::DisplayedSizes;
use crate::signal::{FromSocket, Signalling};
use crate::view::{Problem, SessionView, Tile};
use call::{Call, CallView, Command, Input, Output, SendOutcome, Signal};
use signaling::message::{ClientMessage, MediaState, ParticipantId};
use signaling::session::SendError;
use std::time::Instant;

/// Owns the session with a server, the call, and which session is kept outside of calls.
pub(crate) struct CallSession {
    signalling: Signalling,
    call: Call,
    kept: Option<KeptSession>,
    displayed: DisplayedSizes,
    /// Why something the person asked for could not be done.
    problem: Option<Problem>,
    problem_changed: bool,
}

/// A session that is open also outside of calls.
#[derive(Debug, Clone)]
struct KeptSession {
    server: ServerAddress,
    /// What people call this person there.
    name: String,
}

impl CallSession {
    /// No session, no call.
    pub(crate) fn new(signalling: Signalling) -> Self {
        Self {
            signalling,
            call: Call::new(),
            kept: None,
            displayed: DisplayedSizes::default(),
            problem: None,
            problem_changed: false,
        }
    }

    /// Enters a room; false if it cannot be asked for.
    pub(crate) fn join(&mut self, now: Instant, request: JoinRequest) -> bool {
        if let Err(problem) = self.signalling.open(now, request.server, &request.name) {
            self.set_problem(Some(problem));
            return false;
        }
        let JoinRequest { room, invite, media, .. } = request;
        self.handle_command(now, Command::Join { room, invite, media });
        true
    }

    /// A command to the call.
    pub(crate) fn handle_command(&mut self, now: Instant, command: Command) {
        self.call.handle(now, Input::Command(command));
    }

    /// Keeps a session with this server outside of calls. One that refused us is asked again: the person wishes it.
    pub(crate) fn connect(&mut self, now: Instant, server: ServerAddress, name: String) {
        if !self.call.is_active()
            && let Err(problem) = self.signalling.open(now, server.clone(), &name)
        {
            return self.set_problem(Some(problem));
        }
        self.kept = Some(KeptSession { server, name });
    }

    /// Keeps no session outside of calls.
    pub(crate) fn disconnect(&mut self) {
        self.kept = None;
    }

    /// The secret of the community behind a server.
    pub(crate) fn set_secret(&mut self, now: Instant, server: &ServerAddress, secret: Option<String>) {
        self.signalling.set_secret(now, server, secret);
    }

    /// Sends a message that expects no answer of its own.
    pub(crate) fn send(&mut self, now: Instant, message: ClientMessage) {
        if let Err(problem) = self.signalling.send(now, message) {
            self.set_problem(Some(problem));
        }
    }

    /// Sends a message; the number by which the server's answer names it.
    pub(crate) fn request(&mut self, now: Instant, message: ClientMessage) -> Result<u64, Problem> {
        self.signalling.ask(now, message)
    }

    /// Sends what the call wants sent. The call learns the numbers that it has to recognise in the answers.
    pub(crate) fn send_for_call(&mut self, now: Instant, message: ClientMessage) {
        let outcome = match message {
            ClientMessage::Join { .. } => match self.signalling.ask(now, message) {
                Ok(about) => SendOutcome::Join { about },
                Err(problem) => return self.set_problem(Some(problem)),
            },
            ClientMessage::Chat { .. } => match self.signalling.number(now, message) {
                Ok(about) => SendOutcome::Chat { about },
                Err(SendError::QueueFull | SendError::Closed | SendError::Reserved) => SendOutcome::ChatDeferred,
                Err(SendError::Invalid(code)) => SendOutcome::ChatRefused(code),
            },
            message => return self.send(now, message),
        };
        self.call.handle(now, Input::Sent(outcome));
    }

    /// Takes a line for the chat; its number.
    pub(crate) fn send_chat(&mut self, now: Instant, text: &str) -> Result<u64, Problem> {
        let taken = self.call.send_chat(now, text);
        taken.map_err(|why| Problem { code: why.code().into(), message: why.to_string(), device: None })
    }

    /// Takes the tiles of a window, or the end of its feed.
    pub(crate) fn handle_tiles(&mut self, now: Instant, feed: u64, tiles: Option<Vec<Tile>>) {
        if let Some(sizes) = self.displayed.set(feed, tiles) {
            self.handle_command(now, Command::Show(sizes));
        }
    }

    /// Takes what a socket reports.
    pub(crate) fn handle_socket(&mut self, now: Instant, event: FromSocket) {
        self.signalling.handle(now, event);
    }

    /// Takes a signal of the session that is not for the board.
    pub(crate) fn handle_signal(&mut self, now: Instant, signal: Signal) {
        self.call.handle(now, Input::Signal(signal));
    }

    /// Takes what a peer connection has for the call.
    pub(crate) fn handle_peer(&mut self, now: Instant, input: Input) {
        self.call.handle(now, input);
    }

    /// Which of microphone and camera work.
    pub(crate) fn set_able(&mut self, now: Instant, able: MediaState) {
        self.call.handle(now, Input::Able(able));
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.signalling.handle_timeout(now);
        self.call.handle_timeout(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.signalling.poll_timeout(), self.call.poll_timeout()].into_iter().flatten().min()
    }

    /// What the call wants done next. To be done before the next signal is taken: the number of a message is known to the
    /// call before the answer to it comes.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.call.poll_output()
    }

    /// The session's next signal.
    pub(crate) fn poll_signal(&mut self) -> Option<Signal> {
        self.signalling.poll_signal()
    }

    /// Outside of calls: goes back to the session that is kept.
    pub(crate) fn restore_kept(&mut self, now: Instant) {
        if self.call.is_active() || self.is_with_kept() {
            return;
        }
        if let Some(KeptSession { server, name }) = self.kept.clone()
            && let Err(problem) = self.signalling.open(now, server, &name)
        {
            self.set_problem(Some(problem));
            self.kept = None;
        }
    }

    /// Closes a session that neither the call nor the person needs, after a while.
    pub(crate) fn close_unneeded(&mut self, now: Instant) {
        self.signalling.keep_while(now, self.call.is_active() || self.kept.is_some());
    }

    /// Whether the present session is the one that is kept: its server's board is shown.
    pub(crate) fn is_with_kept(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| self.signalling.server() == Some(&kept.server))
    }

    /// Whether what is sent now reaches the server.
    pub(crate) fn is_open(&self) -> bool {
        self.signalling.is_open()
    }

    /// In a room, or on the way into one.
    pub(crate) fn is_in_call(&self) -> bool {
        self.call.is_active()
    }

    /// The key by which the present server knows us.
    pub(crate) fn key(&self) -> String {
        self.signalling.key()
    }

    /// What somebody in the room is called.
    pub(crate) fn name_of(&self, id: &ParticipantId) -> Option<&str> {
        self.call.name_of(id)
    }

    /// A new command makes the problem of an earlier one void.
    pub(crate) fn clear_problem(&mut self) {
        if self.problem.is_some() {
            self.set_problem(None);
        }
    }

    fn set_problem(&mut self, problem: Option<Problem>) {
        self.problem = problem;
        self.problem_changed = true;
    }

    /// True once after each change of [`CallSession::session_view`].
    pub(crate) fn take_session_changed(&mut self) -> bool {
        self.signalling.take_changed()
    }

    /// True once after each change of [`CallSession::call_view`].
    pub(crate) fn take_call_changed(&mut self) -> bool {
        self.call.take_changed()
    }

    /// True once after each change of [`CallSession::problem`].
    pub(crate) fn take_problem_changed(&mut self) -> bool {
        std::mem::take(&mut self.problem_changed)
    }

    pub(crate) fn session_view(&self) -> SessionView {
        self.signalling.view()
    }

    pub(crate) fn call_view(&self) -> CallView {
        self.call.view()
    }

    pub(crate) fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// Ends the session, and gives its last messages a moment to leave.
    pub(crate) async fn flush(&mut self) {
        self.signalling.flush().await;
    }
}
