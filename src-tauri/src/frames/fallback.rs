//! Pictures one at a time, for a window that cannot open the socket: `tiles` sets which pictures are shown, and
//! `next_frame` waits for the next picture of one stream.

use super::packet;
use engine::{Engine, FeedControl, FeedFrame, FeedFrames, Tile};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Commands to the task. When full, the window waits.
const ORDERS: usize = 64;
/// How long a request waits for a picture. After that it returns nothing, and the window asks again.
const PATIENCE: Duration = Duration::from_secs(2);

enum Order {
    Tiles(Vec<Tile>),
    Next(u16, oneshot::Sender<Vec<u8>>),
}

/// The window's handle. Clones lead to the same task.
#[derive(Debug, Clone)]
pub(crate) struct Fallback {
    orders: mpsc::Sender<Order>,
}

impl Fallback {
    /// Starts the task on the current tokio runtime. The feed opens when the first tiles arrive.
    pub(crate) fn start(engine: Arc<Engine>) -> Fallback {
        let (orders, inbox) = mpsc::channel(ORDERS);
        tokio::spawn(run(engine, inbox));
        Fallback { orders }
    }

    /// Sets the tiles that the window shows. An empty list closes the feed.
    pub(crate) async fn tiles(&self, tiles: Vec<Tile>) {
        let _ = self.orders.send(Order::Tiles(tiles)).await; // an error: the app is exiting
    }

    /// Returns the next picture of a stream as a packet. Empty if none arrives within [`PATIENCE`].
    pub(crate) async fn next(&self, stream: u16) -> Vec<u8> {
        let (answer, packet) = oneshot::channel();
        if self.orders.send(Order::Next(stream, answer)).await.is_err() {
            return vec![];
        }
        tokio::time::timeout(PATIENCE, packet).await.ok().and_then(Result::ok).unwrap_or_default()
    }
}

async fn run(engine: Arc<Engine>, mut inbox: mpsc::Receiver<Order>) {
    let mut feed: Option<(FeedControl, FeedFrames)> = None;
    let mut desk = Desk::default();
    loop {
        tokio::select! {
            order = inbox.recv() => match order {
                Some(Order::Tiles(tiles)) if tiles.is_empty() => (feed, desk) = (None, Desk::default()),
                Some(Order::Tiles(tiles)) => {
                    if feed.is_none() {
                        feed = engine.frame_feed().inspect_err(|error| tracing::error!("no pictures: {error}")).ok();
                    }
                    if let Some((control, _)) = &feed {
                        control.set_tiles(tiles);
                    }
                }
                Some(Order::Next(stream, answer)) => {
                    if let Some((control, _)) = &feed {
                        control.credit(stream);
                        desk.ask(stream, answer);
                    }
                }
                None => return,
            },
            frame = next(&mut feed) => match frame {
                Some(frame) => desk.take(frame),
                None => feed = None,
            },
        }
    }
}

async fn next(feed: &mut Option<(FeedControl, FeedFrames)>) -> Option<FeedFrame> {
    match feed {
        Some((_, frames)) => frames.next().await,
        None => std::future::pending().await,
    }
}

/// Matches pictures with requests. Each stream has at most one waiting picture or one waiting request.
#[derive(Default)]
struct Desk {
    held: HashMap<u16, FeedFrame>,
    asked: HashMap<u16, oneshot::Sender<Vec<u8>>>,
}

impl Desk {
    fn ask(&mut self, stream: u16, answer: oneshot::Sender<Vec<u8>>) {
        match self.held.remove(&stream) {
            Some(frame) => drop(answer.send(packet::encode(&frame))), // the receiver may be dropped
            None => drop(self.asked.insert(stream, answer)),
        }
    }

    fn take(&mut self, frame: FeedFrame) {
        match self.asked.remove(&frame.stream).filter(|answer| !answer.is_closed()) {
            Some(answer) => drop(answer.send(packet::encode(&frame))),
            None => drop(self.held.insert(frame.stream, frame)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::media::frame::FramePool;
    use std::time::Instant;

    fn frame(stream: u16, sequence: u32) -> FeedFrame {
        FeedFrame { stream, sequence, frame: FramePool::new().take(2, 2).freeze(Instant::now()) }
    }

    #[test]
    fn a_request_gets_the_next_frame_and_the_newest_is_kept() {
        let mut desk = Desk::default();
        let (answer, mut packet) = oneshot::channel();
        desk.ask(1, answer);
        desk.take(frame(2, 0));
        assert!(packet.try_recv().is_err());
        desk.take(frame(1, 5));
        assert_eq!(packet.try_recv().map(|bytes| bytes[12]), Ok(5));
        desk.take(frame(2, 1));
        let (answer, mut packet) = oneshot::channel();
        desk.ask(2, answer);
        assert_eq!(packet.try_recv().map(|bytes| bytes[12]), Ok(1));
    }

    #[test]
    fn a_cancelled_request_takes_no_frame() {
        let mut desk = Desk::default();
        desk.ask(1, oneshot::channel().0);
        desk.take(frame(1, 3));
        let (answer, mut packet) = oneshot::channel();
        desk.ask(1, answer);
        assert_eq!(packet.try_recv().map(|bytes| bytes[12]), Ok(3));
    }
}
