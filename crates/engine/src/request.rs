//! Requests of the engine's handle and of the feeds to the driver.

use crate::board::Answer;
use crate::config::Command;
use crate::stats::EngineStats;
use crate::view::{Picture, Problem, Tile};
use media::slot::FrameSlot;
use signaling::board::BoardRequest;
use tokio::sync::oneshot;

/// A request to the driver, with the sender for its answer.
pub(crate) enum Request {
    Command(Command),
    Picture(Picture, oneshot::Sender<Option<FrameSlot>>),
    /// The tiles that the window of this feed displays. `None`: the feed has ended.
    Tiles(u64, Option<Vec<Tile>>),
    Stats(oneshot::Sender<EngineStats>),
    Board(BoardRequest, Answer),
    Chat(String, oneshot::Sender<Result<u64, Problem>>),
    End(oneshot::Sender<()>),
}
