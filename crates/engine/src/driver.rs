//! The task that owns an engine's state. Every event arrives as a message. The task passes it to the part concerned,
//! passes the outputs of the parts to each other, and publishes what changed.
//!
//! ```text
//!             ┌──▶ CallSession: signalling session, call         signals, outputs
//!  messages ──┼──▶ BoardSession: tables, notices, requests  ◀──▶ between the parts,
//!             ├──▶ Devices: what is wanted and open              through the driver
//!             └──▶ Peers: connections, encode thread
//! ```
//! The parts do not know each other.

mod board_session;
mod call_session;
mod devices;
mod peers;
mod sharing;
#[cfg(test)]
mod tests;

use self::board_session::BoardSession;
use self::call_session::CallSession;
use self::devices::Devices;
use self::peers::{Opening, PeerSettings, Peers};
use self::sharing::{FromScreen, Sharing};
use crate::audio::Audio;
use crate::capture::{self, Capture, CaptureEvent};
use crate::check::Checks;
use crate::config::{Command, EngineConfig};
use crate::files::{self, Control, Files};
use crate::levels::Levels;
use crate::network::{self, NetworkReport};
use crate::participant::{self, ConnectionEvent, FromConnection, Lines};
use crate::request::Request;
use crate::share_out::ShareOut;
use crate::signal::{self, FromSocket, Signalling};
use crate::video_out::VideoOut;
use crate::view::{AppView, Picture, Problem};
use ::devices::DeviceInfo;
use ::files::{Person, TransferView};
use call::{Output, Signal};
use media::slot::FrameSlot;
use signaling::connection_report::ConnectionReport;
use signaling::message::{MediaState, ParticipantId};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, watch};

/// Owns the parts of an engine and the view of them.
pub(crate) struct Driver {
    session: CallSession,
    board: BoardSession,
    devices: Devices,
    peers: Peers,
    sharing: Sharing,
    checks: Checks,
    files: Files,
    transfers_changed: bool,
    network: NetworkReport,
    offline_changed: bool,
    view: watch::Sender<AppView>,
}

/// The channels into the driver.
pub(crate) struct Inbox {
    requests: mpsc::Receiver<Request>,
    captures: mpsc::Receiver<CaptureEvent>,
    sockets: mpsc::Receiver<FromSocket>,
    connections: mpsc::Receiver<FromConnection>,
    screens: mpsc::Receiver<FromScreen>,
    devices: mpsc::Receiver<Vec<DeviceInfo>>,
    checks: mpsc::Receiver<ConnectionReport>,
    network: watch::Receiver<NetworkReport>,
    transfers: watch::Receiver<Arc<[TransferView]>>,
    find_devices: mpsc::Sender<Vec<DeviceInfo>>,
}

impl Driver {
    /// Builds the state and starts the media threads.
    pub(crate) fn new(
        mut config: EngineConfig,
        requests: mpsc::Receiver<Request>,
    ) -> std::io::Result<(Self, Inbox, watch::Receiver<AppView>)> {
        let (capture_events, captures) = mpsc::channel(capture::EVENTS);
        let (socket_events, sockets) = mpsc::channel(signal::EVENTS);
        let (connection_events, connections) = mpsc::channel(participant::MESSAGES);
        let (screen_events, screens) = mpsc::channel(sharing::EVENTS);
        let (find_devices, devices) = mpsc::channel(1); // one search at a time; a second one waits for the first
        let (reports, checks) = mpsc::channel(1); // one check at a time
        let on_report = capture::on_report(capture_events.clone());
        let capture = Capture::start(capture_events, config.video, config.devices, config.microphone)?;
        let audio = Audio::start(config.processing, config.audio_tap.take(), on_report)?;
        let video = VideoOut::start(capture.slot.clone(), config.video)?;
        let share = ShareOut::start()?;
        let sharing = Sharing::new(share.slot.clone(), screen_events);
        let seed = signal::random_seed()?;
        let settings = PeerSettings {
            ice_servers: config.ice_servers,
            relay_only: config.relay_only,
            codecs: config.codecs,
            include_loopback: config.include_loopback,
            meets: config.meets,
        };
        let session = CallSession::new(Signalling::new(config.key, config.client, seed, socket_events));
        let devices_part = Devices::new(capture, audio.clone());
        let network = network::watch();
        let files = Files::start(files::default_folder());
        let transfers = files.view.clone();
        let (view, watch) = watch::channel(first_view(&session, &devices_part));
        let driver = Self {
            session,
            board: BoardSession::new(),
            devices: devices_part,
            peers: Peers::new(settings, seed, audio, video, share, connection_events)?,
            sharing,
            checks: Checks::new(reports),
            files,
            transfers_changed: false,
            network: *network.borrow(),
            offline_changed: false,
            view,
        };
        let inbox = Inbox {
            requests,
            captures,
            sockets,
            connections,
            screens,
            devices,
            checks,
            network,
            transfers,
            find_devices,
        };
        Ok((driver, inbox, watch))
    }

    /// The loudness of everybody.
    pub(crate) fn levels(&self) -> watch::Receiver<Levels> {
        self.devices.levels()
    }

    /// Runs until the handle is dropped.
    pub(crate) async fn run(mut self, mut inbox: Inbox) {
        inbox.find_devices();
        let done = loop {
            let timeout = self.poll_timeout();
            tokio::select! {
                request = inbox.requests.recv() => match request {
                    Some(Request::Command(Command::RefreshDevices)) => inbox.find_devices(),
                    Some(Request::End(done)) => break Some(done),
                    Some(request) => self.handle_request(Instant::now(), request),
                    None => break None,
                },
                Some(event) = inbox.sockets.recv() => self.session.handle_socket(Instant::now(), event),
                Some(event) = inbox.connections.recv() => {
                    self.share_files(&event);
                    self.peers.handle(event);
                }
                Some(event) = inbox.screens.recv() => self.sharing.handle(event),
                Ok(()) = inbox.transfers.changed() => self.handle_transfers(Instant::now()),
                Some(event) = inbox.captures.recv() => self.devices.handle(Instant::now(), event),
                Some(found) = inbox.devices.recv() => self.devices.handle_found(Instant::now(), found),
                Some(report) = inbox.checks.recv() => self.session.handle_checked(Instant::now(), report),
                Ok(()) = inbox.network.changed() => {
                    let report = *inbox.network.borrow_and_update();
                    self.handle_network(Instant::now(), report);
                }
                () = sleep_until(timeout) => {}
            }
            self.settle(Instant::now());
        };
        // Leave immediately, so that the others do not see a frozen picture.
        self.session.handle_command(Instant::now(), call::Command::Leave);
        self.sharing.stop();
        self.settle(Instant::now());
        self.session.flush().await;
        drop(inbox); // so that no device waits to deliver a report
        self.devices.end().await;
        if let Some(done) = done {
            let _ = done.send(()); // the receiver may be dropped
        }
    }

    /// Drives every part until none has output, then publishes the view.
    fn settle(&mut self, now: Instant) {
        self.hand_over_inputs(now);
        self.session.handle_timeout(now);
        self.devices.handle_timeout(now);
        self.session.set_able(now, self.devices.able(now));
        self.session.set_sharing(now, self.sharing.is_on());
        loop {
            self.hand_over_inputs(now);
            if let Some(output) = self.session.poll_output() {
                self.apply(now, output);
            } else if let Some(signal) = self.session.poll_signal() {
                self.handle_signal(now, signal);
            } else {
                break;
            }
        }
        self.devices.update(now, self.session.is_in_call());
        if !self.session.is_in_call() {
            self.sharing.stop();
        }
        self.peers.set_share(self.sharing.is_on());
        self.session.restore_kept(now);
        self.update_board(now);
        self.session.close_unneeded(now);
        self.publish();
    }

    /// A connection has been made: its data channel is for files.
    fn share_files(&self, (_, id, event): &FromConnection) {
        if let ConnectionEvent::Ready(media, Lines::Direct(Some(channel))) = event
            && let Some(person) = self.people(std::slice::from_ref(id)).pop()
        {
            self.files.send(Control::Connected { person, channel: channel.clone(), media: media.clone() });
        }
    }

    fn handle_transfers(&mut self, now: Instant) {
        self.transfers_changed = true;
        let transfers = self.files.view.borrow().clone();
        let moving = transfers.iter().filter(|transfer| transfer.state.needs_connection());
        self.session.set_transferring(now, moving.map(|transfer| transfer.key.clone()).collect());
    }

    /// The people behind ids that are in the room.
    fn people(&self, ids: &[ParticipantId]) -> Vec<Person> {
        let call = self.session.call_view();
        let wanted = call.participants.iter().filter(|one| ids.contains(&one.info.id));
        wanted.map(|one| Person { key: one.info.key.clone(), name: one.info.name.clone() }).collect()
    }

    /// Passes what connections report to the call.
    fn hand_over_inputs(&mut self, now: Instant) {
        while let Some(input) = self.peers.poll_input() {
            self.session.handle_peer(now, input);
        }
    }

    /// Applies an output of the call.
    fn apply(&mut self, now: Instant, output: Output) {
        match output {
            Output::Send(message) => self.session.send_for_call(now, message),
            Output::OpenPeer { id, .. } | Output::RenewPeer { id, .. }
                if !self.peers.meets(self.session.name_of(&id)) => {}
            Output::OpenPeer { id, polite, offer, ice_servers } => {
                let fingerprint = self.session.fingerprint();
                self.peers.open(id, Opening { polite, offer, ice_servers, fingerprint });
            }
            Output::RenewPeer { id, polite, offer, ice_servers } => {
                let fingerprint = self.session.fingerprint();
                self.peers.renew(id, Opening { polite, offer, ice_servers, fingerprint });
            }
            Output::Signal { id, signal } => self.peers.handle_signal(id, signal),
            Output::RestartIce { id, ice_servers } => self.peers.restart_ice(&id, ice_servers),
            Output::Reoffer { id } => self.peers.reoffer(&id),
            Output::CheckConnection => self.checks.start(self.session.to_check()),
            Output::ProbeServer => self.session.probe_server(now),
            Output::Resolution { id, most } => self.peers.set_resolution(id, most),
            Output::ClosePeer { id } => self.peers.close(&id),
            Output::CloseDirect { id } => self.peers.close_direct(&id),
            Output::Forwarder(output) => self.peers.forward(output, self.session.fingerprint()),
            Output::Capture(media) => self.devices.set_allowed(media),
        }
    }

    /// Passes the board's messages to the board, and every other signal to the call.
    fn handle_signal(&mut self, now: Instant, signal: Signal) {
        if let Signal::Welcome { .. } = signal {
            self.board.begin(&self.session.person());
        }
        if !self.board.handle_signal(unix_ms(), &signal) {
            self.session.handle_signal(now, signal);
        }
        if self.board.take_device_added() {
            self.session.begin_again();
        }
    }

    /// Shows the board of the kept server, and of no other.
    fn update_board(&mut self, now: Instant) {
        if !self.session.is_with_kept() {
            self.board.end();
            if !self.session.exists() {
                self.board.give_up();
            }
            return;
        }
        if self.session.is_open() {
            self.board.subscribe(now, &mut self.session.signalling);
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.session.poll_timeout(), self.devices.poll_timeout()].into_iter().flatten().min()
    }

    fn handle_request(&mut self, now: Instant, request: Request) {
        match request {
            Request::Command(command) => self.handle_command(now, command),
            Request::Picture(picture, answer) => {
                let _ = answer.send(self.picture(&picture)); // the receiver may be dropped
            }
            Request::Tiles(feed, tiles) => {
                if let Some(sizes) = self.session.handle_tiles(now, feed, tiles) {
                    self.peers.set_displayed(sizes);
                }
            }
            Request::Stats(answer) => self.peers.stats(answer),
            Request::Board(request, answer) => {
                self.board.request(now, &mut self.session.signalling, request, answer);
            }
            Request::Account(request, answer) => {
                self.board.request_account(now, &mut self.session.signalling, request, answer);
            }
            Request::Chat(text, answer) => {
                let _ = answer.send(self.session.send_chat(now, &text)); // the receiver may be dropped
            }
            Request::Offer(paths, to, answer) => {
                let (people, forwarded) = (self.people(&to), self.session.call_view().forwarded);
                self.files.send(Control::Offer { paths, people, forwarded, answer });
            }
            Request::Received(id, answer) => self.files.send(Control::Stored { id, answer }),
            Request::End(_) => {} // handled in `run`
        }
    }

    fn handle_command(&mut self, now: Instant, command: Command) {
        self.session.clear_problem();
        self.sharing.clear_problem();
        match command {
            Command::Join(request) => {
                if self.session.join(now, request) {
                    self.devices.set_preview(MediaState::default()); // the call decides what is open
                    self.devices.check_sound(false);
                }
            }
            Command::Leave => self.session.handle_command(now, call::Command::Leave),
            Command::SetMicrophone(on) => self.session.handle_command(now, call::Command::SetMicrophone(on)),
            Command::SetCamera(on) => self.session.handle_command(now, call::Command::SetCamera(on)),
            Command::Share { id, name } => {
                if self.session.is_in_call() {
                    self.sharing.start(id, name);
                }
            }
            Command::StopShare => self.sharing.stop(),
            Command::SetHand(raised) => self.session.handle_command(now, call::Command::SetHand(raised)),
            Command::React(reaction) => self.session.handle_command(now, call::Command::React(reaction)),
            Command::DropLine(number) => self.session.handle_command(now, call::Command::DropLine(number)),
            Command::CheckOthers => self.session.handle_command(now, call::Command::CheckOthers),
            Command::Room(request) => self.session.handle_command(now, call::Command::Room(request)),
            Command::Connect { server, name } => self.session.connect(now, server, name),
            Command::Disconnect => self.session.disconnect(),
            Command::SetSecret { server, secret } => self.session.set_secret(now, &server, secret),
            Command::Preview(media) => self.devices.set_preview(media),
            Command::SelectDevices(choice) => self.devices.choose(choice),
            Command::SetListens(on) => self.devices.set_listens(on),
            Command::SetVolumes(volumes) => {
                self.devices.set_volumes(volumes);
                self.set_volumes();
            }
            Command::PlayAnyway(id) => self.devices.play_anyway(id),
            Command::TestSound => self.devices.test_sound(now),
            Command::CheckSound(on) => self.devices.check_sound(on && !self.session.is_in_call()),
            Command::SetProcessing(config) => self.devices.set_processing(config),
            Command::SetRelayOnly(on) => self.peers.set_relay_only(on),
            Command::SetDataSaver(on) => {
                self.peers.set_data_saver(on);
                self.session.set_data_saver(now, on);
            }
            Command::Transfer { id, action } => self.files.send(Control::Act { id, action }),
            Command::SetDownloads(folder) => self.files.send(Control::SetFolder(folder)),
            Command::RefreshDevices => {} // handled in `run`
        }
    }

    /// Passes on how loud each participant is to be.
    fn set_volumes(&mut self) {
        let call = self.session.call_view();
        self.devices.set_participants(call.participants.iter().map(|one| (&one.info.id, one.info.key.as_str())));
    }

    fn handle_network(&mut self, now: Instant, report: NetworkReport) {
        let before = std::mem::replace(&mut self.network, report);
        self.offline_changed |= report.offline != before.offline;
        if report.changes != before.changes {
            self.session.network_changed(now);
        }
    }

    fn picture(&self, picture: &Picture) -> Option<FrameSlot> {
        match picture {
            Picture::Own => Some(self.devices.pictures()),
            Picture::Camera(id) => self.peers.pictures(id, 0),
            Picture::Share(id) => self.peers.pictures(id, 1),
        }
    }

    /// Publishes the parts of the view that changed. Wakes no receiver if none did.
    fn publish(&mut self) {
        let session = self.session.take_session_changed();
        let call = self.session.take_call_changed();
        let board = self.board.take_changed();
        let devices = self.devices.take_changed();
        let offline = std::mem::take(&mut self.offline_changed);
        let share = self.sharing.take_changed();
        let problems = self.session.take_problem_changed() | self.peers.take_changed() | devices | offline | share;
        if call {
            self.set_volumes();
            let call = self.session.call_view();
            let screens = call.participants.iter().map(|one| (&one.info.id, one.info.media.screen));
            self.peers.set_forwarded_screens(screens);
        }
        let sharing = self.peers.take_sharing_changed();
        let transfers = std::mem::take(&mut self.transfers_changed);
        if !(session | call | board | devices | problems | sharing | transfers) {
            return;
        }
        self.view.send_if_modified(|view| {
            let mut modified = false;
            if session {
                modified |= replace(&mut view.session, self.session.session_view());
                modified |= replace(&mut view.account, self.session.account().clone());
            }
            if call {
                modified |= view.replace_call(self.session.call_view());
                modified |= replace(&mut view.chat, self.session.chat());
            }
            if call | sharing {
                let everybody = view.call.participants.iter().map(|one| &one.info.id);
                let those = everybody.filter(|id| self.peers.is_sharing(id)).cloned().collect();
                modified |= replace(&mut view.sharing, those);
            }
            if share {
                modified |= replace(&mut view.share, self.sharing.view());
            }
            if board {
                modified |= replace(&mut view.board, self.board.state());
                modified |= replace(&mut view.reminders, self.board.reminders().cloned().collect());
            }
            if devices {
                modified |= replace(&mut view.devices, self.devices.found());
                modified |= replace(&mut view.choice, self.devices.choice().clone());
                modified |= replace(&mut view.same_room, self.devices.same_room().to_vec());
                modified |= replace(&mut view.listening, self.devices.is_listening());
                modified |= replace(&mut view.sound_check, self.devices.sound_check().clone());
            }
            if transfers {
                modified |= replace(&mut view.transfers, self.files.view.borrow().clone());
            }
            if problems {
                let (devices, peers) = (self.devices.problems().into_iter(), self.peers.problem().cloned());
                let all = devices.chain(peers).chain(self.session.problem().cloned());
                let all = all.chain(self.sharing.problem().cloned()).chain(self.network.offline.then(no_network));
                modified |= replace(&mut view.problems, all.collect());
            }
            modified
        });
    }
}

impl Inbox {
    /// Looks for devices. That blocks, so it runs on another thread.
    fn find_devices(&self) {
        let found = self.find_devices.clone();
        tokio::task::spawn_blocking(move || {
            let _ = found.blocking_send(::devices::list()); // the engine may be gone
        });
    }
}

fn first_view(session: &CallSession, devices: &Devices) -> AppView {
    AppView {
        session: session.session_view(),
        account: session.account().clone(),
        call: Arc::new(session.call_view()),
        chat: session.chat(),
        devices: devices.found(),
        choice: devices.choice().clone(),
        listening: devices.is_listening(),
        same_room: vec![],
        sound_check: devices.sound_check().clone(),
        share: None,
        sharing: vec![],
        board: None,
        reminders: Arc::default(),
        transfers: Arc::default(),
        problems: Arc::default(),
    }
}

/// Replaces a value if the new one differs. Returns whether it differs.
fn replace<T: PartialEq>(place: &mut T, new: T) -> bool {
    let other = *place != new;
    if other {
        *place = new;
    }
    other
}

fn no_network() -> Problem {
    Problem { code: "offline".into(), message: "this machine has no network".into(), device: None }
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
