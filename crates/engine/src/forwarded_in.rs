//! What arrives from the forwarder: one thread decrypts frames and passes each to its author's threads.
//!
//! ```text
//!  connection ─▶ queue ─▶ thread: author (CSRC) ─▶ Opener of the stream ─▶ Sink of the participant
//! ```
//! The server says in a message whose packets have which CSRC, and keys come in messages too, so either may be late. Frames
//! wait for them a moment.

use crate::participant::{ConnectionEvent, FromConnection};
use crate::video_in::{Kind, Sink};
use bytes::Bytes;
use crossbeam_queue::ArrayQueue;
use e2ee::{OpenError, Opener, SenderKey, Stream};
use media::encoded::{AudioPacket, EncodedFrame};
use peer::MediaSink;
use signaling::forwarding::FORWARDER;
use signaling::message::ParticipantId;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::Thread;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Frames and packets on their way from the connection to the thread. When full, all are dropped and keyframes are
/// requested: 25 pictures and 8 voices fill it in half a second.
const QUEUE: usize = 512;
/// Controls on their way to the thread, which takes all of them before each frame. When full, the driver waits for that.
const CONTROLS: usize = 256;
/// Frames that wait for their author or key. When full, the oldest is dropped.
const HELD: usize = 128;
/// How long they wait.
const PATIENCE: Duration = Duration::from_millis(500);
/// The shortest time between two requests for a keyframe of a picture that cannot be decrypted.
const REQUEST_INTERVAL: Duration = Duration::from_millis(400);
/// The longest sleep of the thread.
const IDLE: Duration = Duration::from_millis(100);

/// A command to the thread.
pub(crate) enum Control {
    /// What arrives of a participant on the connection with this number goes there.
    Add(ParticipantId, u64, Sink),
    /// Nothing more is accepted of a participant.
    Remove(ParticipantId),
    /// A participant encrypts with this key.
    Key(ParticipantId, SenderKey),
    /// The participants with these numbers (CSRC).
    Authors(Vec<(u32, ParticipantId)>),
}

/// The owner's handle. Dropping it ends the thread.
pub(crate) struct ForwardedIn {
    control: SyncSender<Control>,
    queue: Arc<Queue>,
    thread: Thread,
}

/// Receives the media of one connection to the forwarder.
struct ForwarderSink {
    number: u64,
    queue: Arc<Queue>,
    thread: Thread,
}

struct Queue {
    arrived: ArrayQueue<Arrived>,
    overflow: AtomicBool,
}

/// A frame that has arrived on a connection.
struct Arrived {
    connection: u64,
    at: Instant,
    source: u32,
    mid: Arc<str>,
    media: Media,
}

enum Media {
    Sound(AudioPacket),
    Picture(EncodedFrame),
}

impl ForwardedIn {
    /// Starts the thread. Streams that have begun are reported to `reports`.
    pub(crate) fn start(reports: mpsc::Sender<FromConnection>) -> std::io::Result<Self> {
        let (control, inbox) = sync_channel(CONTROLS);
        let queue = Arc::new(Queue { arrived: ArrayQueue::new(QUEUE), overflow: AtomicBool::new(false) });
        let worker = Worker {
            inbox,
            queue: queue.clone(),
            reports,
            authors: HashMap::new(),
            people: HashMap::new(),
            held: VecDeque::new(),
        };
        let handle = std::thread::Builder::new().name("decrypt".into()).spawn(move || worker.run())?;
        Ok(Self { control, queue, thread: handle.thread().clone() })
    }

    pub(crate) fn send(&self, control: Control) {
        let _ = self.control.send(control); // the thread ends only when this handle is dropped
        self.thread.unpark();
    }

    /// Receives the media of the connection with this number.
    pub(crate) fn sink(&self, number: u64) -> impl MediaSink + use<> {
        ForwarderSink { number, queue: self.queue.clone(), thread: self.thread.clone() }
    }
}

impl ForwarderSink {
    fn push(&self, source: Option<u32>, mid: &str, media: Media) {
        let Some(source) = source else { return }; // nobody's
        let arrived = Arrived { connection: self.number, at: Instant::now(), source, mid: mid.into(), media };
        if self.queue.arrived.force_push(arrived).is_some() {
            self.queue.overflow.store(true, Relaxed);
        }
        self.thread.unpark();
    }
}

impl MediaSink for ForwarderSink {
    fn video(&self, mid: &str, frame: EncodedFrame) {
        self.push(frame.source, mid, Media::Picture(frame));
    }

    fn audio(&self, mid: &str, packet: AudioPacket) {
        self.push(packet.source, mid, Media::Sound(packet));
    }

    /// The forwarder's clock says nothing about when its participants captured anything.
    fn sender_report(&self, _: &str, _: u64, _: u32) {}
}

/// The state of the thread.
struct Worker {
    inbox: Receiver<Control>,
    queue: Arc<Queue>,
    reports: mpsc::Sender<FromConnection>,
    /// By CSRC. Each participant has one.
    authors: HashMap<u32, ParticipantId>,
    people: HashMap<ParticipantId, Author>,
    held: VecDeque<Arrived>,
}

/// Somebody whose frames are decrypted.
struct Author {
    /// The newest connection.
    connection: u64,
    sink: Sink,
    sound: Opener,
    camera: Opener,
    screen: Opener,
    /// Which streams have begun on this connection, and were reported.
    begun: Vec<Stream>,
    /// Lines of which a frame is missing. There are as many lines as the connection has slots.
    incomplete: Vec<Arc<str>>,
    /// When a keyframe was last requested.
    asked: Option<Instant>,
}

impl Worker {
    fn run(mut self) {
        loop {
            loop {
                match self.inbox.try_recv() {
                    Ok(control) => self.control(control),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            self.handle_overflow();
            match self.queue.arrived.pop() {
                Some(arrived) => self.take(arrived),
                None => {
                    self.expire();
                    std::thread::park_timeout(IDLE);
                }
            }
        }
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Add(id, connection, sink) => match self.people.get_mut(&id) {
                // The keys stay, and so does what was decrypted before.
                Some(author) => author.renew(connection, sink),
                None => drop(self.people.insert(id, Author::new(connection, sink))),
            },
            Control::Remove(id) => {
                self.people.remove(&id);
                self.authors.retain(|_, author| *author != id);
            }
            Control::Key(id, key) => {
                if let Some(author) = self.people.get_mut(&id) {
                    author.accept(&key);
                }
            }
            Control::Authors(authors) => {
                for (source, id) in authors {
                    self.authors.retain(|other, author| *author != id || *other == source);
                    self.authors.insert(source, id);
                }
            }
        }
        for arrived in std::mem::take(&mut self.held) {
            self.take(arrived);
        }
    }

    fn handle_overflow(&mut self) {
        if self.queue.overflow.swap(false, Relaxed) {
            tracing::warn!("frames from the forwarder were dropped, because they came too fast");
            while let Some(arrived) = self.queue.arrived.pop() {
                self.give_up(&arrived);
            }
        }
    }

    /// Drops frames that have waited in vain.
    fn expire(&mut self) {
        while self.held.front().is_some_and(|held| held.at.elapsed() >= PATIENCE) {
            if let Some(held) = self.held.pop_front() {
                self.give_up(&held);
            }
        }
    }

    /// A frame cannot be used. Those that follow a picture make no sense before the next keyframe.
    fn give_up(&mut self, arrived: &Arrived) {
        let author = self.authors.get(&arrived.source).and_then(|id| self.people.get_mut(id));
        if let (Some(author), Media::Picture(_)) = (author, &arrived.media) {
            author.await_keyframe(&arrived.mid);
        }
    }

    fn take(&mut self, arrived: Arrived) {
        let Some(id) = self.authors.get(&arrived.source) else { return self.hold(arrived) };
        let Some(author) = self.people.get_mut(id) else { return self.hold(arrived) };
        if arrived.connection != author.connection {
            return; // of a connection that was replaced
        }
        match author.open(&arrived) {
            Ok((stream, data)) => {
                if !author.begun.contains(&stream) {
                    let event = ConnectionEvent::Received(id.clone(), stream);
                    let report = (author.connection, ParticipantId(FORWARDER.into()), event);
                    // When the driver's queue is full, the next frame is reported.
                    if self.reports.try_send(report).is_ok() {
                        author.begun.push(stream);
                    }
                }
                // Frames of the line that still wait are older, and were encrypted with a key that will not come.
                let of_line = |held: &mut Arrived| held.source == arrived.source && held.mid == arrived.mid;
                if self.held.iter_mut().any(of_line) {
                    self.held.retain(|held| held.source != arrived.source || held.mid != arrived.mid);
                    author.await_keyframe(&arrived.mid);
                }
                author.deliver(stream, arrived, data);
            }
            Err(OpenError::NoKey) => self.hold(arrived),
            Err(OpenError::Old) => {} // decrypted before
            Err(OpenError::Malformed | OpenError::Forged) => self.give_up(&arrived),
        }
    }

    fn hold(&mut self, arrived: Arrived) {
        if arrived.at.elapsed() >= PATIENCE {
            return self.give_up(&arrived);
        }
        if self.held.len() == HELD
            && let Some(oldest) = self.held.pop_front()
        {
            self.give_up(&oldest);
        }
        self.held.push_back(arrived);
    }
}

impl Author {
    fn new(connection: u64, sink: Sink) -> Author {
        let [sound, camera, screen] = [Stream::Audio, Stream::Camera, Stream::Screen].map(Opener::new);
        Author { connection, sink, sound, camera, screen, begun: vec![], incomplete: vec![], asked: None }
    }

    /// There is another connection.
    fn renew(&mut self, connection: u64, sink: Sink) {
        (self.connection, self.sink) = (connection, sink);
        (self.begun, self.incomplete, self.asked) = (vec![], vec![], None);
    }

    fn accept(&mut self, key: &SenderKey) {
        for opener in [&mut self.sound, &mut self.camera, &mut self.screen] {
            opener.accept(Instant::now(), key);
        }
    }

    /// Decrypts a frame. Which picture it belongs to is said by the frame itself, and authenticated.
    fn open(&mut self, arrived: &Arrived) -> Result<(Stream, Bytes), OpenError> {
        let (now, mut frame) = (Instant::now(), Vec::new());
        let stream = match &arrived.media {
            Media::Sound(packet) => self.sound.open(now, &packet.data, &mut frame).map(|()| Stream::Audio),
            Media::Picture(picture) => match self.camera.open(now, &picture.data, &mut frame) {
                Err(OpenError::NoKey) => self.screen.open(now, &picture.data, &mut frame).map(|()| Stream::Screen),
                opened => opened.map(|()| Stream::Camera),
            },
        };
        Ok((stream?, frame.into()))
    }

    fn deliver(&mut self, stream: Stream, arrived: Arrived, data: Bytes) {
        let Arrived { mid, media, .. } = arrived;
        let frame = match media {
            Media::Sound(packet) => return self.sink.audio(&mid, AudioPacket { data, ..packet }),
            Media::Picture(frame) => frame,
        };
        if frame.keyframe {
            self.incomplete.retain(|line| *line != mid);
        } else if self.incomplete.contains(&mid) {
            return self.await_keyframe(&mid);
        }
        let kind = if stream == Stream::Screen { Kind::Screen } else { Kind::Camera };
        self.sink.picture(kind, mid, EncodedFrame { data, captured: None, ..frame });
    }

    /// Drops the pictures of this line until its next keyframe.
    fn await_keyframe(&mut self, mid: &Arc<str>) {
        if !self.incomplete.contains(mid) {
            self.incomplete.push(mid.clone());
        }
        let now = Instant::now();
        if self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= REQUEST_INTERVAL) {
            self.asked = Some(now);
            self.sink.ask_keyframe(mid);
        }
    }
}
