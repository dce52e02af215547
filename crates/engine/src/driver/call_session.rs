//! The signalling session, and the call that uses it.

use crate::check::Checked;
use crate::config::{JoinRequest, ServerAddress};
use crate::data_saver;
use crate::displayed::DisplayedSizes;
use crate::signal::{FromSocket, Signalling};
use crate::view::{AccountView, Problem, SessionView, Tile};
use call::{Call, CallView, ChatLine, Command, Input, Output, SendOutcome, Signal};
use signaling::connection_report::ConnectionReport;
use signaling::message::{ClientMessage, MediaState, ParticipantId, Resolution};
use signaling::session::SendError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// Owns the session with a server, the call, and the choice of the session to keep outside of calls.
pub(crate) struct CallSession {
    pub(super) signalling: Signalling,
    call: Call,
    kept: Option<KeptSession>,
    /// The server knows more of this device than at the beginning of the session.
    is_outdated: bool,
    displayed: DisplayedSizes,
    /// Why the person's last command failed.
    problem: Option<Problem>,
    problem_changed: bool,
}

/// A session that stays open outside of calls.
#[derive(Debug, Clone)]
struct KeptSession {
    server: ServerAddress,
    /// The name that other people there see.
    name: String,
}

impl CallSession {
    /// Starts without a session and without a call.
    pub(crate) fn new(signalling: Signalling) -> Self {
        Self {
            signalling,
            call: Call::new(),
            kept: None,
            is_outdated: false,
            displayed: DisplayedSizes::default(),
            problem: None,
            problem_changed: false,
        }
    }

    /// Enters a room. Returns false if the request cannot be made.
    pub(crate) fn join(&mut self, now: Instant, request: JoinRequest) -> bool {
        if let Err(problem) = self.signalling.open(now, request.server, &request.name) {
            self.set_problem(Some(problem));
            return false;
        }
        let signer = match self.signalling.signer() {
            Ok(signer) => Box::new(signer),
            Err(problem) => {
                self.set_problem(Some(problem));
                return false;
            }
        };
        let JoinRequest { room, invite, media, .. } = request;
        self.handle_command(now, Command::Join { room, invite, media, signer });
        true
    }

    /// SHA-256 of the certificate of the session's server, if a link pins it.
    pub(crate) fn fingerprint(&self) -> Option<[u8; 32]> {
        self.signalling.server().and_then(|server| server.fingerprint)
    }

    /// Passes a command to the call.
    pub(crate) fn handle_command(&mut self, now: Instant, command: Command) {
        self.call.handle(now, Input::Command(command));
    }

    /// Keeps a session with this server outside of calls. A server that refused us is tried again, because the person
    /// asked for it.
    pub(crate) fn connect(&mut self, now: Instant, server: ServerAddress, name: String) {
        if !self.call.is_active()
            && let Err(problem) = self.signalling.open(now, server.clone(), &name)
        {
            return self.set_problem(Some(problem));
        }
        self.kept = Some(KeptSession { server, name });
    }

    /// Stops keeping a session outside of calls.
    pub(crate) fn disconnect(&mut self) {
        self.kept = None;
    }

    /// Sets the secret of the community behind a server.
    pub(crate) fn set_secret(&mut self, now: Instant, server: &ServerAddress, secret: Option<String>) {
        self.signalling.set_secret(now, server, secret);
    }

    /// Sends a message that has no answer of its own.
    pub(crate) fn send(&mut self, now: Instant, message: ClientMessage) {
        if let Err(problem) = self.signalling.send(now, message) {
            self.set_problem(Some(problem));
        }
    }

    /// Sends a message for the call, and reports to the call the number by which it recognises the answer.
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

    /// Queues a chat line. Returns its number.
    pub(crate) fn send_chat(&mut self, now: Instant, text: &str) -> Result<u64, Problem> {
        let taken = self.call.send_chat(now, text);
        taken.map_err(|why| Problem { code: why.code().into(), message: why.to_string(), device: None })
    }

    /// Takes the tiles of a window, or the end of its feed. Returns the sizes of the cameras, unless there is no window.
    pub(crate) fn handle_tiles(
        &mut self,
        now: Instant,
        feed: u64,
        tiles: Option<Vec<Tile>>,
    ) -> Option<BTreeMap<ParticipantId, Resolution>> {
        let sizes = self.displayed.set(feed, tiles)?;
        self.handle_command(now, Command::Show(sizes.clone()));
        Some(sizes)
    }

    /// Asks for small pictures, or for those that fit the tiles.
    pub(crate) fn set_data_saver(&mut self, now: Instant, on: bool) {
        if let Some(sizes) = self.displayed.set_limit(on.then_some(data_saver::ASKED)) {
            self.handle_command(now, Command::Show(sizes));
        }
    }

    /// Takes an event of a socket.
    pub(crate) fn handle_socket(&mut self, now: Instant, event: FromSocket) {
        self.signalling.handle(now, event);
    }

    /// Takes a signal of the session that is not for the board.
    pub(crate) fn handle_signal(&mut self, now: Instant, signal: Signal) {
        self.call.handle(now, Input::Signal(signal));
    }

    /// Takes an input of a peer connection for the call.
    pub(crate) fn handle_peer(&mut self, now: Instant, input: Input) {
        self.call.handle(now, input);
    }

    /// What to check for the others: the way to the session's server.
    pub(crate) fn to_check(&self) -> Option<Checked> {
        self.signalling.to_check()
    }

    /// Takes the result of that check.
    pub(crate) fn handle_checked(&mut self, now: Instant, report: ConnectionReport) {
        self.call.handle(now, Input::Checked(report));
    }

    /// The network of this machine has changed.
    pub(crate) fn network_changed(&mut self, now: Instant) {
        self.signalling.network_changed(now);
        self.call.handle(now, Input::NetworkChanged);
    }

    /// Checks whether the server still answers.
    pub(crate) fn probe_server(&mut self, now: Instant) {
        self.signalling.probe(now);
    }

    /// Reports to the call whether microphone and camera work.
    pub(crate) fn set_able(&mut self, now: Instant, able: MediaState) {
        self.call.handle(now, Input::Able(able));
    }

    /// Reports to the call whether we share a screen.
    pub(crate) fn set_sharing(&mut self, now: Instant, on: bool) {
        self.call.handle(now, Input::Sharing(on));
    }

    /// Says with whom files are being transferred.
    pub(super) fn set_transferring(&mut self, now: Instant, keys: BTreeSet<String>) {
        self.call.handle(now, Input::Transferring(keys));
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.signalling.handle_timeout(now);
        self.call.handle_timeout(now);
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        [self.signalling.poll_timeout(), self.call.poll_timeout()].into_iter().flatten().min()
    }

    /// Returns the call's next output. Call it before [`poll_signal`](Self::poll_signal): the call must know the number
    /// of a message before the answer to it arrives.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.call.poll_output()
    }

    /// Returns the session's next signal.
    pub(crate) fn poll_signal(&mut self) -> Option<Signal> {
        self.signalling.poll_signal()
    }

    /// Outside of calls, returns to the kept session.
    pub(crate) fn restore_kept(&mut self, now: Instant) {
        if !self.call.is_active() && std::mem::take(&mut self.is_outdated) {
            self.signalling.begin_again(now);
        }
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

    /// Closes a session that neither the call nor the person needs, after a delay.
    pub(crate) fn close_unneeded(&mut self, now: Instant) {
        self.signalling.keep_while(now, self.call.is_active() || self.kept.is_some());
    }

    /// Whether the current session is the kept one, whose board is shown.
    pub(crate) fn is_with_kept(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| self.signalling.server() == Some(&kept.server))
    }

    /// Whether there is a session with any server, be it interrupted.
    pub(crate) fn exists(&self) -> bool {
        self.signalling.server().is_some()
    }

    /// Whether a message that is sent now reaches the server.
    pub(crate) fn is_open(&self) -> bool {
        self.signalling.is_open()
    }

    /// Whether we are in a room or entering one.
    pub(crate) fn is_in_call(&self) -> bool {
        self.call.is_active()
    }

    /// The id by which the board of the current server knows us.
    pub(crate) fn person(&self) -> String {
        self.signalling.person()
    }

    /// What the server of the session says about accounts.
    pub(crate) fn account(&self) -> &AccountView {
        self.signalling.account()
    }

    /// Begins another session as soon as there is no call, in which the server knows this device as one of an account.
    pub(crate) fn begin_again(&mut self) {
        self.is_outdated = true;
    }

    /// The name of a participant in the room.
    pub(crate) fn name_of(&self, id: &ParticipantId) -> Option<&str> {
        self.call.name_of(id)
    }

    /// Clears the problem of an earlier command, because a new command was given.
    pub(crate) fn clear_problem(&mut self) {
        if self.problem.is_some() {
            self.set_problem(None);
        }
    }

    fn set_problem(&mut self, problem: Option<Problem>) {
        self.problem = problem;
        self.problem_changed = true;
    }

    /// Returns true once after each change of [`CallSession::session_view`].
    pub(crate) fn take_session_changed(&mut self) -> bool {
        self.signalling.take_changed()
    }

    /// Returns true once after each change of [`CallSession::call_view`] or [`CallSession::chat`].
    pub(crate) fn take_call_changed(&mut self) -> bool {
        self.call.take_changed()
    }

    /// Returns true once after each change of [`CallSession::problem`].
    pub(crate) fn take_problem_changed(&mut self) -> bool {
        std::mem::take(&mut self.problem_changed)
    }

    pub(crate) fn session_view(&self) -> SessionView {
        self.signalling.view()
    }

    pub(crate) fn call_view(&self) -> CallView {
        self.call.view()
    }

    pub(crate) fn chat(&self) -> Arc<Vec<Arc<ChatLine>>> {
        self.call.chat()
    }

    pub(crate) fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// Ends the session and waits briefly, so that its last messages are sent.
    pub(crate) async fn flush(&mut self) {
        self.signalling.flush().await;
    }
}
