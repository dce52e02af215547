//! The handle to a running engine.

use crate::config::{Command, EngineConfig};
use crate::driver::Driver;
use crate::feed::{self, FeedControl, FeedFrames};
use crate::levels::Levels;
use crate::request::{BoardAnswer, Request};
use crate::stats::EngineStats;
use crate::view::{AppView, Picture, Problem};
use media::slot::FrameSlot;
use signaling::account::AccountRequest;
use signaling::board::BoardRequest;
use signaling::message::ParticipantId;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Commands on their way to the driver. When full, the caller waits.
const COMMANDS: usize = 32;

/// A running engine. Dropping it leaves the call and closes everything.
pub struct Engine {
    requests: mpsc::Sender<Request>,
    view: watch::Receiver<AppView>,
    levels: watch::Receiver<Levels>,
    driver: JoinHandle<()>,
    /// Feeds started so far.
    feeds: AtomicU64,
}

/// Why an engine could not be started or does not answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The system could not start a thread.
    #[error("the media threads could not be started: {0}")]
    Threads(#[from] std::io::Error),
    /// The engine has stopped.
    #[error("the engine has stopped")]
    Stopped,
}

impl Engine {
    /// Starts an engine on the current tokio runtime. No packet is sent and no device opens before a command asks for
    /// it.
    pub fn start(config: EngineConfig) -> Result<Self, EngineError> {
        let (requests, received) = mpsc::channel(COMMANDS);
        let (driver, inbox, view) = Driver::new(config, received)?;
        let levels = driver.levels();
        let driver = tokio::spawn(driver.run(inbox));
        Ok(Self { requests, view, levels, driver, feeds: AtomicU64::new(0) })
    }

    /// Sends a command. Its effect appears in the view.
    pub async fn command(&self, command: Command) -> Result<(), EngineError> {
        self.requests.send(Request::Command(command)).await.map_err(|_| EngineError::Stopped)
    }

    /// The state that a window shows. The newest value wins.
    pub fn view(&self) -> watch::Receiver<AppView> {
        self.view.clone()
    }

    /// Returns the slot with the newest frame of a picture, or `None` if there is no such person.
    pub async fn picture(&self, picture: Picture) -> Option<FrameSlot> {
        let (answer, slot) = oneshot::channel();
        self.requests.send(Request::Picture(picture, answer)).await.ok()?;
        slot.await.ok().flatten()
    }

    /// Queues a chat line and returns its number. The line is listed in `CallView::unsent` until the room has it.
    ///
    /// # Errors
    /// Returns the reason if the line is not accepted, for example because too many lines are waiting. The caller keeps
    /// the text.
    pub async fn send_chat(&self, text: String) -> Result<u64, Problem> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::Chat(text, answer)).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Offers files to participants. Each of them is asked. The transfers appear in the view.
    ///
    /// # Errors
    /// Returns the reason if a file cannot be offered, or nobody can receive it.
    pub async fn offer_files(&self, paths: Vec<PathBuf>, to: Vec<ParticipantId>) -> Result<(), Problem> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::Offer(paths, to, answer)).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// The path of a file that was received, by [`crate::TransferView::id`].
    pub async fn received_file(&self, id: String) -> Option<PathBuf> {
        let (answer, path) = oneshot::channel();
        self.requests.send(Request::Received(id, answer)).await.ok()?;
        path.await.ok().flatten()
    }

    /// Sends a request to the board of the server with the current session, and returns the server's answer.
    pub async fn board(&self, request: BoardRequest) -> Result<BoardAnswer, Problem> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::Board(request, answer)).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Sends a request about the person's account on the server with the current session, and returns the server's answer.
    /// After a device was added, another session begins.
    pub async fn account(&self, request: AccountRequest) -> Result<BoardAnswer, Problem> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::Account(request, answer)).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Starts a feed of frames for a window, which reports the tiles that it shows. The feed ends with the engine or
    /// with the last [`FeedControl`].
    pub fn frame_feed(&self) -> Result<(FeedControl, FeedFrames), EngineError> {
        let number = self.feeds.fetch_add(1, Ordering::Relaxed);
        Ok(feed::start(self.requests.downgrade(), self.view.clone(), number)?)
    }

    /// The loudness of everybody, ten times a second while there is sound.
    pub fn levels(&self) -> watch::Receiver<Levels> {
        self.levels.clone()
    }

    /// Returns current statistics.
    pub async fn stats(&self) -> Result<EngineStats, EngineError> {
        let (answer, stats) = oneshot::channel();
        self.requests.send(Request::Stats(answer)).await.map_err(|_| EngineError::Stopped)?;
        stats.await.map_err(|_| EngineError::Stopped)
    }

    /// Like [`stop`](Self::stop), for a shared engine. Afterwards the engine answers no requests.
    pub async fn end(&self) {
        let (done, ended) = oneshot::channel();
        if self.requests.send(Request::End(done)).await.is_ok() {
            let _ = ended.await; // an error: the engine has ended already
        }
    }

    /// Leaves the call, closes the session with the server and ends.
    pub async fn stop(self) {
        let Self { requests, view, levels, driver, feeds: _ } = self;
        drop((requests, view, levels));
        let _ = driver.await; // an error: the driver panicked, so it has ended too
    }
}

fn gone() -> Problem {
    Problem { code: "engine_stopped".into(), message: EngineError::Stopped.to_string(), device: None }
}
