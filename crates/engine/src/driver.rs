//! The one task that owns an engine's state. Everything that happens comes to it as a message; it asks the pure
//! machines what to do and does it.

mod people;

use crate::audio::{self, Audio};
use crate::board::{self, Board};
use crate::capture::{self, Capture, News};
use crate::chime;
use crate::config::{Command, EngineConfig, JoinRequest, ServerAddress};
use crate::feed::Tile;
use crate::levels::Levels;
use crate::participant::{FromPeer, Order, Participant};
use crate::sights::Sights;
use crate::signal::{self, Signalling};
use crate::stats::{EngineStats, ParticipantStats};
use crate::video_out::{self, VideoOut};
use crate::view::{AppView, Picture, Problem};
use call::{Call, Input, Output, Said, Signal};
use devices::DeviceInfo;
use media::slot::FrameSlot;
use peer::{CheckPacer, FarSession};
use signaling::board::{BoardRequest, Notice};
use signaling::message::{ClientMessage, MediaState, ParticipantId};
use signaling::session::SendError;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot, watch};

/// News of connections on their way to the driver. When full the connection's task waits.
const TOLD: usize = 256;

/// What the handle asks of the driver.
pub(crate) enum Request {
    Command(Command),
    Picture(Picture, oneshot::Sender<Option<FrameSlot>>),
    /// What the window at the end of this feed shows; `None`: the feed has ended.
    Shown(u64, Option<Vec<Tile>>),
    Stats(oneshot::Sender<EngineStats>),
    Board(BoardRequest, board::Answer),
    Chat(String, oneshot::Sender<Result<u64, Problem>>),
    End(oneshot::Sender<()>),
}

/// All of an engine's state.
pub(crate) struct Driver {
    config: EngineConfig,
    call: Call,
    signalling: Signalling,
    participants: HashMap<ParticipantId, Participant>,
    capture: Capture,
    audio: Audio,
    video: VideoOut,
    preview: MediaState,
    sights: Sights,
    /// What the call allows to be open.
    captured: MediaState,
    /// The loudspeaker is tried out until then.
    sounding: Option<Instant>,
    /// The session that is kept outside of calls, and under which name.
    connected: Option<(ServerAddress, String)>,
    board: Board,
    /// The last notices of the board.
    notices: VecDeque<(u64, Notice)>,
    devices: Vec<DeviceInfo>,
    /// Why something the person asked for could not be done.
    problem: Option<Problem>,
    view: watch::Sender<AppView>,
    told: mpsc::Sender<FromPeer>,
    seeds: u64,
    /// Connections opened so far.
    opened: u64,
    /// Bounds the checks of all connections together.
    checks: CheckPacer,
    /// With which connection of somebody the last one here was, now that it is closed.
    former: HashMap<ParticipantId, FarSession>,
}

/// What the driver listens to.
pub(crate) struct Ears {
    pub(crate) requests: mpsc::Receiver<Request>,
    news: mpsc::Receiver<News>,
    sockets: mpsc::Receiver<signal::FromSocket>,
    told: mpsc::Receiver<FromPeer>,
    devices: mpsc::Receiver<Vec<DeviceInfo>>,
    find_devices: mpsc::Sender<Vec<DeviceInfo>>,
}

impl Driver {
    /// Builds the state and starts the media threads.
    pub(crate) fn new(
        mut config: EngineConfig,
        requests: mpsc::Receiver<Request>,
    ) -> std::io::Result<(Self, Ears, watch::Receiver<AppView>)> {
        let (news_in, news) = mpsc::channel(capture::EVENTS);
        let (sockets_in, sockets) = mpsc::channel(signal::QUEUE);
        let (told_in, told) = mpsc::channel(TOLD);
        let (find_devices, devices) = mpsc::channel(1);
        let trouble = audio::trouble_to(news_in.clone());
        let capture = Capture::start(news_in, config.video, config.devices.clone(), config.microphone)?;
        let audio = Audio::start(config.processing, config.audio_tap.take(), trouble)?;
        let video = VideoOut::start(capture.slot.clone(), config.video)?;
        let seed = signal::random_seed()?;
        let signalling = Signalling::new(config.key.clone(), config.client.clone(), seed, sockets_in);
        let call = Call::new();
        let first = AppView {
            session: signalling.view(),
            call: call.view(),
            devices: vec![],
            choice: config.devices.clone(),
            board: None,
            notices: vec![],
            problems: vec![],
        };
        let (view, watch) = watch::channel(first);
        let driver = Self {
            config,
            call,
            signalling,
            participants: HashMap::new(),
            capture,
            audio,
            video,
            preview: MediaState::default(),
            sights: Sights::default(),
            captured: MediaState::default(),
            sounding: None,
            connected: None,
            board: Board::new(),
            notices: VecDeque::new(),
            devices: vec![],
            problem: None,
            view,
            told: told_in,
            seeds: seed,
            opened: 0,
            checks: CheckPacer::default(),
            former: HashMap::new(),
        };
        Ok((driver, Ears { requests, news, sockets, told, devices, find_devices }, watch))
    }

    /// How loud everybody is.
    pub(crate) fn levels(&self) -> watch::Receiver<Levels> {
        self.audio.levels.clone()
    }

    /// Runs until the handle is dropped.
    pub(crate) async fn run(mut self, mut ears: Ears) {
        find_devices(&ears);
        let done = loop {
            let timeout = self.poll_timeout();
            tokio::select! {
                request = ears.requests.recv() => match request {
                    Some(Request::Command(Command::RefreshDevices)) => find_devices(&ears),
                    Some(Request::End(done)) => break Some(done),
                    Some(request) => self.request(request),
                    None => break None,
                },
                Some(event) = ears.sockets.recv() => self.signalling.handle(Instant::now(), event),
                Some(news) = ears.told.recv() => self.told(news),
                Some(news) = ears.news.recv() => self.capture.handle(Instant::now(), news, &self.audio),
                Some(devices) = ears.devices.recv() => self.found(devices),
                () = sleep_until(timeout) => {}
            }
            self.settle();
        };
        self.leave_in_peace().await;
        drop(ears); // devices that have something to tell do not wait for us
        self.capture.end().await;
        if let Some(done) = done {
            let _ = done.send(()); // whoever waited may have given up
        }
    }

    /// Lets every machine react until nothing is left to do, then shows the outcome.
    fn settle(&mut self) {
        let now = Instant::now();
        self.signalling.handle_timeout(now);
        self.call.handle_timeout(now);
        self.capture.handle_timeout(now);
        self.call.handle(now, Input::Able(self.capture.able(now)));
        loop {
            // What the call wants is done before it hears more: an answer never comes before its question is numbered.
            if let Some(output) = self.call.poll_output() {
                self.obey(now, output);
            } else if let Some(signal) = self.signalling.poll_signal() {
                self.hear(now, signal);
            } else {
                break;
            }
        }
        self.sounding.take_if(|until| *until <= now);
        let speaker = self.call.is_active() || self.preview.microphone || self.sounding.is_some();
        self.capture.want(now, self.wanted(), speaker, &self.audio);
        self.come_home(now);
        self.keep_board();
        self.signalling.keep_while(now, self.call.is_active() || self.connected.is_some());
        self.call.take_changed();
        self.show();
    }

    fn found(&mut self, devices: Vec<DeviceInfo>) {
        if self.devices != devices {
            self.devices = devices;
            self.capture.devices_changed(Instant::now());
        }
    }

    fn show(&self) {
        let mut problems = self.capture.problems();
        problems.extend(self.problem.clone());
        let view = AppView {
            session: self.signalling.view(),
            call: self.call.view(),
            devices: self.devices.clone(),
            choice: self.capture.choice().clone(),
            board: self.board.state().cloned(),
            notices: self.notices.iter().cloned().collect(),
            problems,
        };
        self.view.send_if_modified(|shown| {
            let new = *shown != view;
            if new {
                *shown = view;
            }
            new
        });
    }

    /// Outside of calls: back to the session that is kept.
    fn come_home(&mut self, now: Instant) {
        let away = |server: &ServerAddress| self.signalling.server() != Some(server);
        if let Some((server, name)) =
            self.connected.clone().filter(|(server, _)| away(server) && !self.call.is_active())
            && let Err(problem) = self.signalling.open(now, server, &name)
        {
            (self.problem, self.connected) = (Some(problem), None);
        }
    }

    /// The board's messages go to the board, everything else to the call.
    fn hear(&mut self, now: Instant, signal: Signal) {
        match &signal {
            Signal::Welcome { .. } => self.board.begin(&self.signalling.key()),
            Signal::Message(message) if self.board.handle(unix_ms(), message) => {
                while let Some(notice) = self.board.poll_notice() {
                    let number = self.notices.back().map_or(0, |(number, _)| number + 1);
                    self.notices.push_back((number, notice));
                    if self.notices.len() > NOTICES {
                        self.notices.pop_front();
                    }
                }
                return;
            }
            Signal::Ended(_) | Signal::Untrusted(_) => self.board.end(),
            Signal::Lost => self.board.lost(),
            Signal::Message(_) | Signal::Resumed { .. } | Signal::Disconnected => {}
        }
        self.call.handle(now, Input::Signal(signal));
    }

    /// A session that is kept shows the board of its server.
    fn keep_board(&mut self) {
        let home = self.connected.as_ref().is_some_and(|(server, _)| self.signalling.server() == Some(server));
        if !home {
            return self.board.end();
        }
        if self.signalling.is_open()
            && let Some(request) = self.board.subscribe()
        {
            // A server that knows no board says so to nobody in particular: that must not end a call.
            self.ask_board(request, oneshot::channel().0);
        }
    }

    fn ask_board(&mut self, request: BoardRequest, answer: board::Answer) {
        match self.signalling.ask(Instant::now(), ClientMessage::Board(request.clone())) {
            Ok(about) => self.board.sent(about, &request, answer),
            Err(problem) => drop(answer.send(Err(problem))), // whoever asked may have gone
        }
    }

    fn wanted(&self) -> MediaState {
        MediaState {
            microphone: self.captured.microphone || self.preview.microphone,
            camera: self.captured.camera || self.preview.camera,
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let all =
            [self.signalling.poll_timeout(), self.call.poll_timeout(), self.capture.poll_timeout(), self.sounding];
        all.into_iter().flatten().min()
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Command(command) => self.command(command),
            Request::Picture(picture, answer) => {
                let _ = answer.send(self.picture(&picture)); // whoever asked may have gone
            }
            Request::Shown(feed, tiles) => {
                if let Some(sizes) = self.sights.set(feed, tiles) {
                    self.call.handle(Instant::now(), Input::Command(call::Command::Show(sizes)));
                }
            }
            Request::Stats(answer) => self.stats(answer),
            Request::Board(request, answer) => self.ask_board(request, answer),
            Request::Chat(text, answer) => self.chat(&text, answer),
            Request::End(_) => {} // the loop has it
        }
    }

    fn command(&mut self, command: Command) {
        let now = Instant::now();
        self.problem = None;
        let command = match command {
            Command::Join(request) => return self.join(now, request),
            Command::Leave => call::Command::Leave,
            Command::SetMicrophone(on) => call::Command::SetMicrophone(on),
            Command::SetCamera(on) => call::Command::SetCamera(on),
            Command::DropLine(number) => call::Command::DropLine(number),
            Command::Preview(media) => {
                self.preview = media;
                return;
            }
            Command::SelectDevices(choice) => return self.capture.choose(choice, &self.audio),
            Command::RefreshDevices => return, // the ears have it
            Command::TestSound => {
                let until = now + chime::LENGTH + OPENING;
                self.sounding = Some(until);
                return self.audio.tell(audio::Control::Chime(until));
            }
            Command::SetSecret { server, secret } => return self.signalling.set_secret(now, &server, secret),
            Command::Room(request) => return self.say(now, ClientMessage::Room(request)),
            Command::SetProcessing(config) => return self.audio.tell(audio::Control::Processing(config)),
            Command::Connect { server, name } => return self.connect(now, server, name),
            Command::Disconnect => {
                self.connected = None;
                return;
            }
        };
        self.call.handle(now, Input::Command(command));
    }

    /// Also a server that was refused is asked again: the person wishes it.
    fn connect(&mut self, now: Instant, server: ServerAddress, name: String) {
        if !self.call.is_active()
            && let Err(problem) = self.signalling.open(now, server.clone(), &name)
        {
            self.problem = Some(problem);
            return;
        }
        self.connected = Some((server, name));
    }

    fn join(&mut self, now: Instant, request: JoinRequest) {
        if let Err(problem) = self.signalling.open(now, request.server, &request.name) {
            self.problem = Some(problem);
            return;
        }
        // From here on the call decides what is open.
        self.preview = MediaState::default();
        let JoinRequest { room, invite, media, .. } = request;
        self.call.handle(now, Input::Command(call::Command::Join { room, invite, media }));
    }

    fn obey(&mut self, now: Instant, output: Output) {
        match output {
            Output::Send(message) => self.send(now, message),
            Output::OpenPeer { id, .. } | Output::RenewPeer { id, .. } if !self.meets(&id) => {}
            Output::OpenPeer { id, polite, offer, ice_servers } => self.open(id, polite, offer, ice_servers),
            Output::RenewPeer { id, polite, offer, ice_servers } => {
                self.disconnect(&id);
                self.open(id, polite, offer, ice_servers);
            }
            Output::Signal { id, signal } => self.pass_on(now, id, signal),
            Output::RestartIce { id } => self.order(&id, Order::RestartIce),
            Output::Resolution { id, most } => {
                if let Some(participant) = self.participants.get_mut(&id) {
                    participant.most = Some(most);
                }
                self.video.tell(video_out::Control::Resolution(id, most));
            }
            Output::ClosePeer { id } => self.close(&id),
            Output::Capture(media) => self.captured = media,
        }
    }

    fn chat(&mut self, text: &str, answer: oneshot::Sender<Result<u64, Problem>>) {
        let taken = self.call.send_chat(Instant::now(), text);
        let outcome = taken.map_err(|why| Problem { code: why.code().into(), message: why.to_string(), device: None });
        let _ = answer.send(outcome); // whoever wrote it may have gone
    }

    /// Says what the call wants said. It hears the numbers of what it has to recognise in the answers.
    fn send(&mut self, now: Instant, message: ClientMessage) {
        let said = match message {
            ClientMessage::Join { .. } => match self.signalling.ask(now, message) {
                Ok(about) => Said::Join { about },
                Err(problem) => {
                    self.problem = Some(problem);
                    return;
                }
            },
            ClientMessage::Chat { .. } => match self.signalling.number(now, message) {
                Ok(about) => Said::Chat { about },
                Err(SendError::QueueFull | SendError::Closed | SendError::Reserved) => Said::ChatWaits,
                Err(SendError::Invalid(code)) => Said::ChatRefused(code),
            },
            message => return self.say(now, message),
        };
        self.call.handle(now, Input::Said(said));
    }

    fn say(&mut self, now: Instant, message: ClientMessage) {
        if let Err(problem) = self.signalling.send(now, message) {
            self.problem = Some(problem);
        }
    }

    fn picture(&self, picture: &Picture) -> Option<FrameSlot> {
        let of = |id, n: usize| self.participants.get(id).and_then(|p: &Participant| p.video.slots.get(n).cloned());
        match picture {
            Picture::Own => Some(self.capture.slot.clone()),
            Picture::Camera(id) => of(id, 0),
            Picture::Share(id) => of(id, 1),
        }
    }

    /// Asks everybody at once and answers when all have; a connection that does not answer is left out.
    fn stats(&self, answer: oneshot::Sender<EngineStats>) {
        let (sound, heard) = oneshot::channel();
        self.audio.tell(audio::Control::Stats(sound));
        let mut asked = vec![];
        for (id, participant) in &self.participants {
            let (to, from) = oneshot::channel();
            let asking = participant.orders.try_send(Order::Stats(to)).is_ok();
            asked.push((id.clone(), participant.video.stats(), asking.then_some(from)));
        }
        let video_out = self.video.stats();
        tokio::spawn(async move {
            let sounds = tokio::time::timeout(PATIENCE, heard).await.ok().and_then(Result::ok).unwrap_or_default();
            let mut participants = vec![];
            for (id, video_in, from) in asked {
                let path = match from {
                    Some(from) => tokio::time::timeout(PATIENCE, from).await.ok().and_then(Result::ok),
                    None => None,
                };
                let audio_in = sounds.iter().find(|(who, _)| *who == id).map(|(_, stats)| *stats);
                participants.push(ParticipantStats { id, path, video_in, audio_in });
            }
            let _ = answer.send(EngineStats { video_out, participants }); // whoever asked may have gone
        });
    }

    /// The window is gone: the others should see an empty chair at once, not a frozen picture.
    async fn leave_in_peace(&mut self) {
        self.call.handle(Instant::now(), Input::Command(call::Command::Leave));
        self.settle();
        self.signalling.flush().await;
    }
}

/// Notices of the board that are kept for the window; the oldest goes first.
const NOTICES: usize = 8;
/// How long a loudspeaker may take to open before the test sound is given up.
const OPENING: Duration = Duration::from_secs(2);
/// How long figures are waited for.
const PATIENCE: Duration = Duration::from_millis(500);

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// Looking for devices blocks, so it happens elsewhere; one look at a time is enough.
fn find_devices(ears: &Ears) {
    let found = ears.find_devices.clone();
    tokio::task::spawn_blocking(move || {
        let _ = found.blocking_send(devices::list()); // the engine may be gone
    });
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
