//! The task that owns the shell's own state: settings, the link that waits for an answer, the server in the app. It
//! combines that with the engine's view and sends the result to the window.

mod passing;

use crate::address;
use crate::args::Args;
use crate::figures::Moments;
use crate::folders::Folders;
use crate::frames::FrameSocket;
use crate::host::Hosted;
use crate::settings::SettingsFile;
use crate::state::{
    Abilities, AppState, AppUpdate, CommandError, FrameAccess, Join, KnownPerson, KnownServer, Noise, PendingLink,
    Settings, You,
};
use engine::signaling::identity::{DeviceKey, PublicKey};
use engine::signaling::link::Link;
use engine::signaling::message::{Participant, ParticipantId};
use engine::{
    ApmConfig, AppView, CallView, Command, DeviceChoice, Engine, JoinRequest, NoiseSuppression, Problem, Reminder,
    ServerAddress, SessionView,
};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;
use tauri::ipc::Channel;
use tokio::sync::{mpsc, oneshot, watch};

/// Requests of the window to the desk. When full, the command waits.
const ASKS: usize = 32;
/// Problems of the shell that are kept. When full, the oldest is dropped.
const PROBLEMS: usize = 8;

/// The result of a command.
pub(crate) type Answer = Result<(), CommandError>;

/// A request that only the desk can handle.
pub(crate) enum Ask {
    /// The window is open and receives the state from now on.
    Subscribe(Channel<AppUpdate>),
    Join(Join, oneshot::Sender<Answer>),
    /// Keeps a session without a room. The first field is the server, the second its fingerprint.
    Connect(Option<String>, Option<String>, oneshot::Sender<Answer>),
    Save(Box<Settings>, oneshot::Sender<Answer>),
    Select(DeviceChoice, oneshot::Sender<Answer>),
    OpenLink(String, oneshot::Sender<Answer>),
    /// The person has compared keys with the participant of this id, who has this key.
    MarkCompared(String, String, oneshot::Sender<Answer>),
    DismissLink,
    DismissNotice,
    /// Files were dropped on the window, and wait until the person says for whom. Empty: they are forgotten.
    Dropped(Vec<PathBuf>),
    /// Takes the dropped files.
    TakeDropped(oneshot::Sender<Vec<PathBuf>>),
    /// Dismisses the reminders up to this number.
    DismissReminders(u64),
    Host(oneshot::Sender<Answer>),
    StopHosting,
    /// A problem that occurred outside of the desk.
    Problem(Problem),
    /// Ends the desk.
    Stop(oneshot::Sender<()>),
}

/// The handle to the desk. Clones lead to the same desk.
#[derive(Debug, Clone)]
pub(crate) struct DeskHandle {
    asks: mpsc::Sender<Ask>,
    /// The state that was last sent to the window.
    pub(crate) shown: watch::Receiver<AppState>,
}

impl DeskHandle {
    /// Sends a request that needs no answer.
    pub(crate) async fn tell(&self, ask: Ask) {
        let _ = self.asks.send(ask).await; // an error: the app is exiting
    }

    /// Sends a request and waits for the answer.
    pub(crate) async fn ask(&self, ask: impl FnOnce(oneshot::Sender<Answer>) -> Ask) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.tell(ask(answer)).await;
        answered.await.unwrap_or_else(|_| Err(fault("stopped", "The app is exiting.")))
    }

    /// The server to check, and its community's secret: the named server, that of the session, or the selected one.
    pub(crate) fn to_check(
        &self,
        url: Option<&str>,
        fingerprint: Option<&str>,
    ) -> Result<(ServerAddress, Option<String>), CommandError> {
        let shown = self.shown.borrow();
        let server = match (url, shown.session.server()) {
            (Some(url), _) => address::server(url, fingerprint)?,
            (None, Some(server)) => server.clone(),
            (None, None) => chosen_server(&shown.settings)?,
        };
        let secret = secret_of(&server, shown.settings.servers.clone());
        Ok((server, secret))
    }

    /// Our key at the present server, and that of a participant.
    pub(crate) fn keys(&self, id: &str, key: &str) -> Result<(PublicKey, PublicKey), CommandError> {
        let shown = self.shown.borrow();
        let key = &participant(&shown, id, key)?.key;
        let keys = PublicKey::parse(&shown.you.key).zip(PublicKey::parse(key));
        keys.ok_or_else(|| fault("statement_missing", "The participant has no valid key."))
    }
}

/// The initial values of the desk.
pub(crate) struct Opening {
    pub(crate) args: Args,
    pub(crate) folders: Folders,
    pub(crate) engine: Arc<Engine>,
    pub(crate) key: DeviceKey,
    pub(crate) settings: SettingsFile,
    pub(crate) problems: Vec<Problem>,
    pub(crate) frames: Option<FrameSocket>,
    pub(crate) abilities: Abilities,
}

struct Desk {
    engine: Arc<Engine>,
    view: watch::Receiver<AppView>,
    folders: Folders,
    key: DeviceKey,
    settings: SettingsFile,
    /// The server of this launch, which is not saved.
    launch_server: Option<KnownServer>,
    /// Whether that server or the one in the app is selected, rather than the one in the file.
    passing_chosen: bool,
    /// Whether devices were chosen for this launch. Choices are then not saved.
    launch_devices: bool,
    link: Option<PendingLink>,
    /// The link whose server the person accepted, until that server has answered.
    agreed: Option<Link>,
    hosted: Option<Hosted>,
    problems: Vec<Problem>,
    /// The number of the last notice that the person dismissed.
    read: u64,
    /// When connections broke.
    interruptions: Moments,
    /// The number of the first reminder that was not dismissed.
    reminders_from: u64,
    /// Files that were dropped on the window.
    dropped: Vec<PathBuf>,
    frames: Option<FrameAccess>,
    abilities: Abilities,
    window: Option<Channel<AppUpdate>>,
    shown: watch::Sender<AppState>,
}

/// Starts the desk on the current tokio runtime.
pub(crate) fn start(opening: Opening) -> DeskHandle {
    let Opening { args, folders, engine, key, settings, problems, frames, abilities } = opening;
    let launch_server = args.server.as_ref().map(|url| known(&address::plain(url), None));
    let frames = frames.map(|FrameSocket { url, token }| FrameAccess { url, token });
    let view = engine.view();
    let launch_devices = args.camera.is_some() || args.microphone.is_some() || args.speaker.is_some();
    let first = view.borrow().clone();
    let (shown, watched) = watch::channel(nothing(&first, frames.clone(), abilities));
    let desk = Desk {
        engine,
        view,
        folders,
        key,
        settings,
        passing_chosen: launch_server.is_some(),
        launch_server,
        launch_devices,
        link: None,
        agreed: None,
        hosted: None,
        problems,
        read: 0,
        interruptions: Moments::default(),
        reminders_from: 0,
        dropped: vec![],
        frames,
        abilities,
        window: None,
        shown,
    };
    let (asks, inbox) = mpsc::channel(ASKS);
    tokio::spawn(desk.run(inbox));
    DeskHandle { asks, shown: watched }
}

impl Desk {
    async fn run(mut self, mut inbox: mpsc::Receiver<Ask>) {
        self.tell_engine(Command::SetProcessing(processing(self.settings.get()))).await;
        self.tell_engine(Command::SetListens(self.settings.get().listen_while_muted)).await;
        self.tell_engine(Command::SetVolumes(self.settings.get().volumes.clone())).await;
        self.tell_engine(Command::SetDataSaver(self.settings.get().data_saver)).await;
        loop {
            self.show();
            tokio::select! {
                ask = inbox.recv() => match ask {
                    Some(Ask::Stop(done)) => {
                        if let Some(hosted) = self.hosted.take() {
                            hosted.stop().await;
                        }
                        let _ = done.send(()); // the receiver may be dropped
                        return;
                    }
                    Some(ask) => self.handle(ask).await,
                    None => return,
                },
                changed = self.view.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.remember();
                }
            }
        }
    }

    async fn handle(&mut self, ask: Ask) {
        match ask {
            Ask::Subscribe(window) => {
                tracing::debug!("the page subscribes");
                let _ = window.send(AppUpdate::whole(&self.state())); // a window that is gone subscribes again
                self.window = Some(window);
            }
            Ask::Join(join, answer) => reply(answer, self.join(join).await),
            Ask::Connect(server, fingerprint, answer) => {
                reply(answer, self.connect(server.as_deref(), fingerprint.as_deref()).await);
            }
            Ask::Save(settings, answer) => reply(answer, self.save(*settings).await),
            Ask::Select(choice, answer) => reply(answer, self.select(choice).await),
            Ask::OpenLink(text, answer) => reply(answer, self.open_link(&text)),
            Ask::MarkCompared(id, key, answer) => reply(answer, self.mark_compared(&id, &key)),
            Ask::DismissLink => self.link = None,
            Ask::DismissNotice => {
                self.problems.clear();
                self.read = self.view.borrow().call.notices;
            }
            Ask::Dropped(paths) => self.dropped = paths,
            Ask::TakeDropped(answer) => {
                let _ = answer.send(std::mem::take(&mut self.dropped)); // the window may have been reloaded
            }
            Ask::DismissReminders(last) => self.reminders_from = self.reminders_from.max(last.saturating_add(1)),
            Ask::Host(answer) => reply(answer, self.host().await),
            Ask::StopHosting => self.stop_hosting().await,
            Ask::Problem(problem) => self.problem(problem),
            Ask::Stop(_) => {} // handled in `run`
        }
    }

    async fn join(&mut self, join: Join) -> Answer {
        let server = self.server(join.server.as_deref(), join.fingerprint.as_deref())?;
        let fingerprint = server.fingerprint.as_ref().map(address::hex);
        let link = address::link(&join.room, server.url.as_str(), fingerprint.as_deref(), join.invite.as_deref())?;
        let name = self.name()?;
        self.agreed = (!address::pending(&link, &self.servers()).known).then(|| link.clone());
        if self.link.as_ref().is_some_and(|pending| pending.room == link.room) {
            self.link = None;
        }
        self.tell_secret(&server).await;
        Ok(self.engine.command(Command::Join(JoinRequest::from_link(link, name, join.media))).await?)
    }

    /// Adds the server of an accepted link to the known servers as soon as it has answered with the certificate that
    /// the link names.
    fn remember(&mut self) {
        let SessionView::Open { server } = self.view.borrow().session.clone() else { return };
        let Some(link) = self.agreed.take_if(|link| link.origin() == server.origin()) else { return };
        let _ = self.keep(with(self.settings.get().clone(), &link)); // reported as a problem
    }

    async fn connect(&mut self, server: Option<&str>, fingerprint: Option<&str>) -> Answer {
        let server = self.server(server, fingerprint)?;
        let name = self.name()?;
        self.tell_secret(&server).await;
        Ok(self.engine.command(Command::Connect { server, name }).await?)
    }

    /// Passes the server's secret to the engine, so that a member is one from the start of the session.
    async fn tell_secret(&self, server: &ServerAddress) {
        let secret = secret_of(server, self.servers());
        self.tell_engine(Command::SetSecret { server: server.clone(), secret }).await;
    }

    async fn save(&mut self, mut settings: Settings) -> Answer {
        if !settings.name.is_empty() {
            let clean = engine::signaling::text::clean_name(&settings.name);
            settings.name = clean.map_err(|error| fault("bad_name", &error.to_string()))?;
        }
        settings.tidy_volumes();
        self.passing_chosen = passing::forget(&mut settings, &self.passing_servers(), self.settings.get().server);
        let old = self.settings.get().clone();
        let autostart = self.set_autostart(&mut settings, old.autostart);
        let kept = self.keep(settings);
        let new = self.settings.get().clone();
        if processing(&new) != processing(&old) {
            self.tell_engine(Command::SetProcessing(processing(&new))).await;
        }
        if new.listen_while_muted != old.listen_while_muted {
            self.tell_engine(Command::SetListens(new.listen_while_muted)).await;
        }
        if new.volumes != old.volumes {
            self.tell_engine(Command::SetVolumes(new.volumes)).await;
        }
        if new.relay_only != old.relay_only {
            self.tell_engine(Command::SetRelayOnly(new.relay_only)).await;
        }
        if new.data_saver != old.data_saver {
            self.tell_engine(Command::SetDataSaver(new.data_saver)).await;
        }
        if new.devices != old.devices {
            self.tell_engine(Command::SelectDevices(new.devices)).await;
        }
        kept.and(autostart)
    }

    /// Makes the system start the app or not. The setting stays as it was if that fails.
    fn set_autostart(&self, settings: &mut Settings, was_on: bool) -> Answer {
        if settings.autostart == was_on {
            return Ok(());
        }
        let set = match self.abilities.autostart {
            true => self.folders.autostart.set(settings.autostart).map_err(|error| error.to_string()),
            false => Err("a profile does not start by itself".into()),
        };
        if set.is_err() {
            settings.autostart = was_on;
        }
        set.map_err(|error| fault("autostart_failed", &error))
    }

    async fn select(&mut self, choice: DeviceChoice) -> Answer {
        if !self.launch_devices {
            let settings = Settings { devices: choice.clone(), ..self.settings.get().clone() };
            let _ = self.keep(settings); // reported as a problem
        }
        Ok(self.engine.command(Command::SelectDevices(choice)).await?)
    }

    /// Remembers the key of a participant as one that the person has compared.
    fn mark_compared(&mut self, id: &str, key: &str) -> Answer {
        let shown = self.shown.borrow().clone();
        let Participant { key, name, .. } = participant(&shown, id, key)?.clone();
        let server = shown.session.server().ok_or_else(gone)?.plain().to_owned();
        let mut settings = self.settings.get().clone();
        settings.know(KnownPerson { server, key, name });
        self.keep(settings)
    }

    fn open_link(&mut self, text: &str) -> Answer {
        let link = Link::parse(text).map_err(|error| {
            let refused = address::refusal(error);
            // A link that was opened outside the app has no caller to receive the error.
            self.problem(Problem { code: refused.code.clone(), message: refused.message.clone(), device: None });
            refused
        })?;
        tracing::debug!("a link to {} is shown", link.room);
        self.link = Some(address::pending(&link, &self.servers()));
        Ok(())
    }

    async fn host(&mut self) -> Answer {
        if self.hosted.is_none() {
            self.hosted = Some(Hosted::start(self.folders.server.clone()).await?);
            self.passing_chosen = true;
        }
        // The host connects to the new server immediately, to see its board.
        if self.settings.get().name.is_empty() { Ok(()) } else { self.connect(None, None).await }
    }

    async fn stop_hosting(&mut self) {
        let Some(hosted) = self.hosted.take() else { return };
        self.passing_chosen = self.launch_server.is_some();
        let url = hosted.shown.url.clone();
        hosted.stop().await;
        if self.view.borrow().session.server().is_some_and(|server| server.plain() == url) {
            self.tell_engine(Command::Disconnect).await;
        }
    }

    /// The named server, or the one selected in the settings.
    fn server(&self, url: Option<&str>, fingerprint: Option<&str>) -> Result<ServerAddress, CommandError> {
        if let Some(url) = url {
            return address::server(url, fingerprint);
        }
        chosen_server(&self.shown_settings())
    }

    fn name(&self) -> Result<String, CommandError> {
        let name = self.settings.get().name.clone();
        if name.is_empty() { Err(fault("no_name", "Enter your name first.")) } else { Ok(name) }
    }

    fn keep(&mut self, settings: Settings) -> Answer {
        self.settings.set(settings).map_err(|problem| {
            self.problem(problem.clone());
            fault(&problem.code, &problem.message)
        })
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.retain(|old| old.code != problem.code);
        self.problems.push(problem);
        let over = self.problems.len().saturating_sub(PROBLEMS);
        self.problems.drain(..over);
    }

    async fn tell_engine(&self, command: Command) {
        if let Err(error) = self.engine.command(command).await {
            tracing::error!("{error}");
        }
    }

    fn servers(&self) -> Vec<KnownServer> {
        self.shown_settings().servers
    }

    /// Temporary servers: the one of this launch, and the one in the app.
    fn passing_servers(&self) -> Vec<KnownServer> {
        let hosted =
            self.hosted.as_ref().map(|hosted| known(&hosted.shown.url, Some(hosted.shown.fingerprint.clone())));
        self.launch_server.iter().cloned().chain(hosted).collect()
    }

    /// The settings, with the temporary servers among the known ones.
    fn shown_settings(&self) -> Settings {
        passing::show(self.settings.get().clone(), &self.passing_servers(), self.passing_chosen)
    }

    fn show(&mut self) {
        let state = self.state();
        let update = AppUpdate::between(&self.shown.borrow(), &state);
        let Some(update) = update else { return };
        self.shown.send_replace(state);
        if self.window.as_ref().is_some_and(|window| window.send(update).is_err()) {
            self.window = None; // it is gone, and subscribes again when it is back
        }
    }

    fn reminders(&self, view: &AppView) -> Vec<Reminder> {
        view.reminders.iter().filter(|one| one.number >= self.reminders_from).cloned().collect()
    }

    /// Since when the server has been out of reach, and since when participants have been.
    fn interruptions(&mut self, call: &CallView) -> (Option<u64>, BTreeMap<ParticipantId, u64>) {
        let links = || call.participants.iter().filter_map(|one| Some((&one.info.id, one.interrupted_since?)));
        let present: Vec<Instant> = call.reconnecting_since.into_iter().chain(links().map(|(_, at)| at)).collect();
        self.interruptions.retain(&present);
        let reconnecting = call.reconnecting_since.map(|at| self.interruptions.unix_ms(at));
        (reconnecting, links().map(|(id, at)| (id.clone(), self.interruptions.unix_ms(at))).collect())
    }

    fn state(&mut self) -> AppState {
        let view = self.view.borrow().clone(); // cheap: its large parts are shared
        let (reconnecting_since_ms, interrupted_since_ms) = self.interruptions(&view.call);
        AppState {
            reconnecting_since_ms,
            interrupted_since_ms,
            notice: view.call.notice.filter(|_| view.call.notices > self.read),
            problems: view.problems.iter().chain(&self.problems).cloned().collect(),
            settings: self.shown_settings(),
            you: you(&self.key, &view),
            link: self.link.clone(),
            hosting: self.hosted.as_ref().map(|hosted| hosted.shown.clone()),
            reminders: self.reminders(&view),
            session: view.session,
            call: view.call,
            chat: view.chat,
            transfers: view.transfers,
            dropped: self.dropped.iter().map(|path| name_of(path)).collect(),
            devices: view.devices,
            choice: view.choice,
            listening: view.listening,
            same_room: view.same_room,
            sound_check: view.sound_check,
            share: view.share,
            sharing: view.sharing,
            board: view.board,
            frames: self.frames.clone(),
            abilities: self.abilities,
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }
}

/// Adds the server of a link to the known servers.
fn with(mut settings: Settings, link: &Link) -> Settings {
    if !address::pending(link, &settings.servers).known {
        let name = link.server.host_str().unwrap_or_default().to_owned();
        let fingerprint = link.fingerprint.as_ref().map(address::hex);
        settings.servers.push(KnownServer { name, ..known(&address::plain(&link.server), fingerprint) });
        settings.server = settings.server.or(Some(settings.servers.len() as u32 - 1));
    }
    settings
}

/// The processing of the microphone's sound that the settings ask for.
pub(crate) fn processing(settings: &Settings) -> ApmConfig {
    let noise = match settings.noise {
        _ if settings.music => NoiseSuppression::Off,
        Noise::Off => NoiseSuppression::Off,
        Noise::Normal => NoiseSuppression::High,
        Noise::Strong => NoiseSuppression::VoiceOnly,
    };
    ApmConfig { noise, gain: !settings.music, ..ApmConfig::default() }
}

fn nothing(view: &AppView, frames: Option<FrameAccess>, abilities: Abilities) -> AppState {
    AppState {
        session: view.session.clone(),
        call: view.call.clone(),
        reconnecting_since_ms: None,
        interrupted_since_ms: BTreeMap::new(),
        chat: view.chat.clone(),
        transfers: Arc::default(),
        dropped: vec![],
        notice: None,
        devices: Arc::default(),
        choice: DeviceChoice::default(),
        listening: false,
        same_room: vec![],
        sound_check: view.sound_check.clone(),
        share: None,
        sharing: vec![],
        problems: vec![],
        settings: Settings::default(),
        you: You::default(),
        link: None,
        hosting: None,
        board: None,
        reminders: vec![],
        frames,
        abilities,
        version: env!("CARGO_PKG_VERSION").into(),
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn you(key: &DeviceKey, view: &AppView) -> You {
    let own = view.account.own.as_ref();
    You {
        key: own_key(key, &view.session),
        person: own.map(|own| own.person.clone()),
        account: own.map(|own| own.name.clone()),
        sign_in: view.account.sign_in,
    }
}

fn own_key(key: &DeviceKey, session: &SessionView) -> String {
    match session {
        SessionView::Open { server } | SessionView::Connecting { server, .. } => {
            key.for_server(&server.origin()).public().to_string()
        }
        SessionView::Closed { .. } => String::new(),
    }
}

fn known(url: &str, fingerprint: Option<String>) -> KnownServer {
    KnownServer { url: url.into(), fingerprint, name: String::new(), secret: None, calendar: None }
}

fn reply(to: oneshot::Sender<Answer>, answer: Answer) {
    let _ = to.send(answer); // the window may have been reloaded
}

/// The server that is selected in the settings.
fn chosen_server(settings: &Settings) -> Result<ServerAddress, CommandError> {
    let chosen = settings.server.and_then(|n| settings.servers.get(n as usize));
    let chosen = chosen.ok_or_else(|| fault("no_server", "Choose a server in the settings first."))?;
    address::server(&chosen.url, chosen.fingerprint.as_deref())
}

/// The secret of the server's community, if it is known.
fn secret_of(server: &ServerAddress, known: Vec<KnownServer>) -> Option<String> {
    let origin = server.origin();
    let is_it = |known: &KnownServer| address::origin(known).is_some_and(|of| of == origin);
    known.into_iter().find(is_it).and_then(|known| known.secret)
}

/// The participant with this id. A server could give the id to another key meanwhile, so the key is part of the question.
fn participant<'a>(shown: &'a AppState, id: &str, key: &str) -> Result<&'a Participant, CommandError> {
    let mut all = shown.call.participants.iter().map(|one| &one.info);
    all.find(|one| one.id.0 == id && one.key == key).ok_or_else(gone)
}

fn gone() -> CommandError {
    fault("no_such_participant", "The participant has left.")
}

fn fault(code: &str, message: &str) -> CommandError {
    CommandError { code: code.into(), message: message.into() }
}
