//! Files that people in a call send each other: the task that owns all transfers.
//!
//! ```text
//!  driver ──▶ ┌───────┐ ──▶ writer of each connection ──▶ data channel
//!             │ Files │ ◀── reader of each connection ◀── data channel
//!     view ◀── └───────┘ ◀─▶ a thread for each file (disk.rs)
//! ```
//! `files::Transfers` decides everything; this task only carries it out.

mod disk;
mod link;

use self::disk::{FromDisk, Place, Work};
use self::link::{FromLink, Link, LinkEvent};
use crate::view::Problem;
use ::files::{Action, DiskAnswer, DiskError, DiskRequest, Offered, Person, Sent, TransferId, TransferView, Transfers};
use peer::{DataChannel, MediaOut};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

/// Requests of the driver. When full, the driver waits; the task never waits for it.
const CONTROLS: usize = 64;
/// Events of all connections and answers of all disks. When full, a reader or a disk waits.
const EVENTS: usize = 256;
/// Bytes of one connection that are in memory until the disk has them. When full, the connection is not read, so its
/// sender waits. It is twice what all transfers of a person can collect before they write.
const READ_BYTES: usize = 4 * 1024 * 1024;
/// Messages that wait for the writer of one connection. The rate bounds what is in flight to less; when full, the
/// connection counts as broken.
const SENDS: usize = 512;
/// Requests that wait for the disk of one transfer. Permits bound them to less.
const WRITES: usize = 256;
/// Most files that are offered at a time.
const MAX_FILES: usize = 32;
/// Interval of the view while files move.
const VIEWS: Duration = Duration::from_millis(150);
/// How often media is looked after.
const MEDIA: Duration = Duration::from_millis(200);

/// A request to the task.
pub(crate) enum Control {
    /// A connection to a person has been made.
    Connected { person: Person, channel: DataChannel, media: MediaOut },
    /// Offers files to people. Whether the room is forwarded: then there may be no connection to them that carries files.
    Offer { paths: Vec<PathBuf>, people: Vec<Person>, forwarded: bool, answer: oneshot::Sender<Result<(), Problem>> },
    /// Does something with a transfer.
    Act { id: String, action: Action },
    /// Where received files go.
    SetFolder(PathBuf),
    /// The path of a file that has been received.
    Stored { id: String, answer: oneshot::Sender<Option<PathBuf>> },
}

/// The handle of the task, which ends with it.
pub(crate) struct Files {
    controls: mpsc::Sender<Control>,
    pub(crate) view: watch::Receiver<Arc<[TransferView]>>,
}

impl Files {
    /// Starts the task.
    pub(crate) fn start(folder: PathBuf) -> Files {
        let (controls, inbox) = mpsc::channel(CONTROLS);
        let (publish, view) = watch::channel(Arc::default());
        tokio::spawn(Task::new(folder, publish).run(inbox));
        Files { controls, view }
    }

    /// Sends a request. It is lost only if the task has ended.
    pub(crate) fn send(&self, control: Control) {
        if let Err(error) = self.controls.try_send(control) {
            tracing::warn!("a request about files was lost: {error}");
        }
    }
}

struct Task {
    transfers: Transfers,
    folder: PathBuf,
    links: HashMap<u64, Link>,
    /// Number of the newest connection.
    newest: u64,
    disks: HashMap<TransferId, SyncSender<Work>>,
    sources: HashMap<TransferId, PathBuf>,
    stored: HashMap<TransferId, PathBuf>,
    from_links: mpsc::Sender<FromLink>,
    events: mpsc::Receiver<FromLink>,
    from_disks: mpsc::Sender<FromDisk>,
    answers: mpsc::Receiver<FromDisk>,
    publish: watch::Sender<Arc<[TransferView]>>,
    published: Instant,
    looked_at_media: Instant,
    /// Of the binary message that is being handled.
    permit: Option<OwnedSemaphorePermit>,
    /// Of messages whose data waits for a write.
    permits: HashMap<TransferId, Vec<OwnedSemaphorePermit>>,
}

impl Task {
    fn new(folder: PathBuf, publish: watch::Sender<Arc<[TransferView]>>) -> Task {
        let now = Instant::now();
        let (from_links, events) = mpsc::channel(EVENTS);
        let (from_disks, answers) = mpsc::channel(EVENTS);
        Task {
            transfers: Transfers::new(now),
            folder,
            links: HashMap::new(),
            newest: 0,
            disks: HashMap::new(),
            sources: HashMap::new(),
            stored: HashMap::new(),
            from_links,
            events,
            from_disks,
            answers,
            publish,
            published: now,
            looked_at_media: now,
            permit: None,
            permits: HashMap::new(),
        }
    }

    async fn run(mut self, mut inbox: mpsc::Receiver<Control>) {
        let mut changed = false;
        loop {
            let timeout = self.poll_timeout(changed);
            tokio::select! {
                control = inbox.recv() => match control {
                    Some(control) => self.control(control).await,
                    None => break,
                },
                Some(event) = self.events.recv() => self.link_event(event),
                Some(answer) = self.answers.recv() => self.disk_answer(answer),
                () = tokio::time::sleep_until(timeout.into()) => {}
            }
            let now = Instant::now();
            self.transfers.handle_timeout(now);
            self.look_after_media(now);
            self.settle(now);
            changed |= self.transfers.take_changed();
            if changed && now.saturating_duration_since(self.published) >= VIEWS {
                (changed, self.published) = (false, now);
                self.publish.send_replace(self.transfers.view().into());
            }
        }
    }

    fn poll_timeout(&self, changed: bool) -> Instant {
        let media = self.is_busy().then(|| self.looked_at_media + MEDIA);
        let view = changed.then(|| self.published + VIEWS);
        let all = [self.transfers.poll_timeout(), media, view];
        all.into_iter().flatten().min().unwrap_or_else(|| Instant::now() + Duration::from_secs(60))
    }

    fn is_busy(&self) -> bool {
        self.links.values().any(|link| self.transfers.is_busy(&link.person.key))
    }

    async fn control(&mut self, control: Control) {
        match control {
            Control::Connected { person, channel, media } => {
                self.newest += 1;
                let link = Link::start(self.newest, person, channel, media, self.from_links.clone());
                self.links.insert(self.newest, link);
            }
            Control::Offer { paths, people, forwarded, answer } => {
                let _ = answer.send(self.offer(paths, &people, forwarded).await); // the receiver may be dropped
            }
            Control::Act { id, action } => {
                if let Some(id) = TransferId::parse(&id) {
                    self.transfers.act(id, action);
                }
            }
            Control::SetFolder(folder) => self.folder = folder,
            Control::Stored { id, answer } => {
                let path = TransferId::parse(&id).and_then(|id| self.stored.get(&id).cloned());
                let _ = answer.send(path); // the receiver may be dropped
            }
        }
    }

    async fn offer(&mut self, paths: Vec<PathBuf>, people: &[Person], forwarded: bool) -> Result<(), Problem> {
        if paths.len() > MAX_FILES {
            return Err(problem("file_too_many", format!("at most {MAX_FILES} files at a time")));
        }
        let wanted = people.len();
        let people: Vec<_> = people.iter().filter(|person| self.transfers.is_connected(&person.key)).collect();
        if forwarded && people.len() < wanted {
            return Err(problem("file_large_room", "files need direct connections, which a large room has not".into()));
        }
        if people.is_empty() {
            return Err(problem("file_nobody", "nobody in the call can receive files".into()));
        }
        for path in paths {
            let size = match tokio::fs::metadata(&path).await {
                Ok(metadata) if metadata.is_file() => metadata.len(),
                Ok(_) => return Err(problem("file_folder", "only files can be sent, not folders".into())),
                Err(error) => return Err(problem("file_unreadable", error.to_string())),
            };
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for person in &people {
                let id = random_id().map_err(|error| problem("file_unreadable", error.to_string()))?;
                let offered = Offered { id, name: name.clone(), size, mime: String::new() };
                if !self.transfers.offer(person, offered) {
                    return Err(problem("file_too_many", "too many files are being transferred".into()));
                }
                self.sources.insert(id, path.clone());
            }
        }
        Ok(())
    }

    fn link_event(&mut self, (number, event): FromLink) {
        let now = Instant::now();
        let Some(person) = self.links.get(&number).map(|link| link.person.clone()) else { return };
        match event {
            LinkEvent::Open => self.transfers.connected(now, &person, number),
            LinkEvent::Text(text) => self.transfers.handle_text(now, &person, &text),
            LinkEvent::Binary(bytes, permit) => {
                self.permit = Some(permit);
                self.transfers.handle_binary(now, &person, &bytes);
                if let Ok(chunk) = ::files::Chunk::parse(&bytes)
                    && self.disks.contains_key(&chunk.id)
                {
                    self.permits.entry(chunk.id).or_default().extend(self.permit.take());
                }
                self.permit = None;
            }
            LinkEvent::Closed => {
                self.transfers.disconnected(&person.key, number);
                self.links.remove(&number);
            }
        }
    }

    fn disk_answer(&mut self, answer: FromDisk) {
        match answer {
            FromDisk::Answer(id, answer) => self.transfers.handle_disk(id, answer),
            FromDisk::Stored(id, path) => _ = self.stored.insert(id, path),
        }
    }

    /// Carries out everything that the transfers want.
    fn settle(&mut self, now: Instant) {
        while let Some(request) = self.transfers.poll_disk() {
            self.disk(request);
        }
        while let Some((number, sent)) = self.transfers.poll_send(now) {
            let Some(link) = self.links.get(&number) else { continue };
            if link.sends.try_send(sent).is_err() {
                tracing::warn!("a data channel does not take what it should");
                let key = link.person.key.clone();
                self.transfers.disconnected(&key, number);
                self.links.remove(&number);
            }
            while let Some(request) = self.transfers.poll_disk() {
                self.disk(request);
            }
        }
    }

    fn disk(&mut self, request: DiskRequest) {
        let id = id_of(&request);
        let is_last =
            matches!(request, DiskRequest::Close { .. } | DiskRequest::Discard { .. } | DiskRequest::Keep { .. });
        let permits = self.permits.remove(&id).unwrap_or_default();
        if !self.disks.contains_key(&id) {
            let place = self.sources.get(&id).cloned().map_or(Place::Folder(self.folder.clone()), Place::Source);
            match disk::start(place, self.from_disks.clone()) {
                Ok(disk) => _ = self.disks.insert(id, disk),
                Err(error) => {
                    tracing::error!("no thread for a file: {error}");
                    return self.transfers.handle_disk(id, DiskAnswer::Failed { error: DiskError::Other });
                }
            }
        }
        let sent = self.disks.get(&id).is_some_and(|disk| disk.try_send((request, permits)).is_ok());
        if !sent {
            self.transfers.handle_disk(id, DiskAnswer::Failed { error: DiskError::Other });
        }
        if is_last {
            self.disks.remove(&id);
        }
    }

    /// Files step back where media drains a queue.
    fn look_after_media(&mut self, now: Instant) {
        if now.saturating_duration_since(self.looked_at_media) < MEDIA {
            return;
        }
        self.looked_at_media = now;
        for link in self.links.values() {
            if self.transfers.is_busy(&link.person.key) && link.is_media_short() {
                self.transfers.media_short(now, &link.person.key);
            }
        }
    }
}

fn id_of(request: &DiskRequest) -> TransferId {
    match request {
        DiskRequest::Check { id, .. }
        | DiskRequest::Read { id, .. }
        | DiskRequest::Close { id }
        | DiskRequest::Find { id, .. }
        | DiskRequest::Prepare { id, .. }
        | DiskRequest::Write { id, .. }
        | DiskRequest::Reset { id }
        | DiskRequest::Finish { id }
        | DiskRequest::Keep { id }
        | DiskRequest::Discard { id } => *id,
    }
}

fn random_id() -> Result<TransferId, getrandom::Error> {
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    Ok(TransferId(id))
}

fn problem(code: &str, message: String) -> Problem {
    Problem { code: code.into(), message, device: None }
}

/// The folder for received files where nobody chose one: the system's, otherwise one in the temporary folder.
pub(crate) fn default_folder() -> PathBuf {
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
    home.map_or_else(std::env::temp_dir, |home| Path::new(&home).join("Downloads"))
}
