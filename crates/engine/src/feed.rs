//! Frames for windows: for each stream that a window shows, the newest frame, scaled to the displayed size, and only
//! after the window has drawn the previous one.
//!
//! ```text
//!  slots ──wake──▶ ┌────────┐  newest frame, rotated upright,
//!  tiles ────────▶ │ thread │  scaled to the tile ──▶ FeedFrames
//!  credit ───────▶ └────────┘
//! ```

use crate::request::Request;
use crate::view::{AppView, Tile};
use codecs::pixels;
use media::frame::{FramePool, VideoFrame};
use media::slot::{FrameSlot, Wake};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::Thread;
use tokio::sync::{mpsc, oneshot, watch};

/// The maximum number of streams of one window. Further tiles are not shown.
pub const MAX_STREAMS: usize = 64;
/// The most frames of one stream in flight: one, and one that was requested early.
const MAX_CREDIT: u8 = 2;
/// Frames on their way to the window. When full, the thread waits. With up to eight streams, credit keeps it below
/// that.
const FRAMES: usize = 16;
/// Lists of tiles on their way. When full, the newest is dropped. The next one replaces it.
const LISTS: usize = 16;

/// Commands on their way to the thread: a credit for each frame that can be in flight, and room for lists of tiles.
/// When full, a command is dropped. Only a window that grants more credit than it received frames can cause that.
const COMMANDS: usize = MAX_STREAMS * (MAX_CREDIT as usize + 1);

/// A frame for a tile.
#[derive(Debug, Clone)]
pub struct FeedFrame {
    /// The stream.
    pub stream: u16,
    /// Counts the frames of the stream from 0.
    pub sequence: u32,
    /// Upright, no larger than the tile or the original.
    pub frame: VideoFrame,
}

/// The window's handle. Clones share one feed, which ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct FeedControl {
    lists: mpsc::Sender<Vec<Tile>>,
    thread: Arc<Feeder>,
}

/// The receiver of the frames.
#[derive(Debug)]
pub struct FeedFrames(mpsc::Receiver<FeedFrame>);

impl FeedControl {
    /// Sets the tiles that the window shows. Streams that stay keep their credit. New ones start with a credit of one
    /// frame.
    pub fn set_tiles(&self, mut tiles: Vec<Tile>) {
        tiles.truncate(MAX_STREAMS);
        if self.lists.try_send(tiles).is_err() {
            tracing::warn!("a list of tiles was lost");
        }
    }

    /// Grants credit for another frame, after the window has drawn one of this stream.
    pub fn credit(&self, stream: u16) {
        self.thread.send(FeedCommand::Credit(stream));
    }
}

impl FeedFrames {
    /// Returns the next frame, or `None` when the feed has ended.
    pub async fn next(&mut self) -> Option<FeedFrame> {
        self.0.recv().await
    }
}

/// Starts a feed on the current tokio runtime.
pub(crate) fn start(
    requests: mpsc::WeakSender<Request>,
    view: watch::Receiver<AppView>,
    number: u64,
) -> std::io::Result<(FeedControl, FeedFrames)> {
    let (frames, out) = mpsc::channel(FRAMES);
    let (commands, inbox) = sync_channel(COMMANDS);
    let thread = std::thread::Builder::new().name("feed".into()).spawn(move || run(&inbox, &frames))?.thread().clone();
    let thread = Arc::new(Feeder { commands, thread });
    let (lists, tiles) = mpsc::channel(LISTS);
    let feeder = Arc::downgrade(&thread);
    tokio::spawn(async move {
        resolve(number, tiles, view, requests.clone(), feeder).await;
        send(&requests, Request::Tiles(number, None)).await;
    });
    Ok((FeedControl { lists, thread }, FeedFrames(out)))
}

async fn send(requests: &mpsc::WeakSender<Request>, request: Request) {
    if let Some(requests) = requests.upgrade() {
        let _ = requests.send(request).await; // the engine may be gone
    }
}

/// Looks up the slots of the tiles, again whenever the view changes: participants may have joined, left or been
/// reconnected.
async fn resolve(
    number: u64,
    mut lists: mpsc::Receiver<Vec<Tile>>,
    mut view: watch::Receiver<AppView>,
    requests: mpsc::WeakSender<Request>,
    thread: std::sync::Weak<Feeder>,
) {
    let mut tiles = vec![];
    loop {
        tokio::select! {
            list = lists.recv() => match list {
                Some(list) => {
                    send(&requests, Request::Tiles(number, Some(list.clone()))).await;
                    tiles = list;
                }
                None => return,
            },
            changed = view.changed() => if changed.is_err() { return },
        }
        let Some(requests) = requests.upgrade() else { return };
        let mut found = vec![];
        for tile in &tiles {
            let (answer, slot) = oneshot::channel();
            if requests.send(Request::Picture(tile.picture.clone(), answer)).await.is_err() {
                return;
            }
            found.push((tile.clone(), slot.await.ok().flatten()));
        }
        let Some(thread) = thread.upgrade() else { return };
        thread.send(FeedCommand::Tiles(found));
    }
}

/// A command to the feed's thread.
enum FeedCommand {
    Tiles(Vec<(Tile, Option<FrameSlot>)>),
    Credit(u16),
}

/// The handle to the thread. Dropping it ends the thread.
#[derive(Debug)]
struct Feeder {
    commands: SyncSender<FeedCommand>,
    thread: Thread,
}

impl Feeder {
    fn send(&self, command: FeedCommand) {
        if self.commands.try_send(command).is_err() {
            tracing::debug!("a command to the feed was lost");
        }
        self.thread.unpark();
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        // The fields are dropped after this function. Close the channel first, so that the thread finds it closed when
        // it wakes.
        self.commands = sync_channel(1).0;
        self.thread.unpark();
    }
}

fn run(inbox: &Receiver<FeedCommand>, frames: &mpsc::Sender<FeedFrame>) {
    let me = std::thread::current();
    let wake: Arc<Wake> = Arc::new(move || me.unpark());
    let (mut feed, pool) = (Feed::default(), FramePool::new());
    loop {
        match inbox.try_recv() {
            Ok(FeedCommand::Tiles(tiles)) => feed.set(tiles, &wake),
            Ok(FeedCommand::Credit(stream)) => feed.credit(stream),
            Err(TryRecvError::Disconnected) => return,
            Err(TryRecvError::Empty) => match feed.next() {
                Some(due) => {
                    if frames.blocking_send(due.cut(&pool)).is_err() {
                        return; // the receiver is gone
                    }
                }
                None => std::thread::park(),
            },
        }
    }
}

/// Decides which frame is due, without a clock or a thread.
#[derive(Default)]
struct Feed {
    streams: BTreeMap<u16, Stream>,
    /// The stream to consider first, so that all streams take turns.
    turn: u16,
}

struct Stream {
    tile: Tile,
    slot: Option<FrameSlot>,
    seen: u64,
    credit: u8,
    sequence: u32,
}

/// A frame to be scaled to a tile.
struct Due {
    stream: u16,
    sequence: u32,
    frame: VideoFrame,
    within: (u32, u32),
}

impl Feed {
    fn set(&mut self, tiles: Vec<(Tile, Option<FrameSlot>)>, wake: &Arc<Wake>) {
        let mut old = std::mem::take(&mut self.streams);
        for (tile, slot) in tiles {
            let kept = old.remove(&tile.stream).filter(|stream| stream.tile.picture == tile.picture);
            let mut stream = kept.unwrap_or_else(|| Stream::new(tile.clone()));
            if stream.slot.as_ref().zip(slot.as_ref()).is_none_or(|(old, new)| !old.is(new)) {
                slot.iter().for_each(|slot| slot.on_frame(wake));
                (stream.slot, stream.seen) = (slot, 0);
            }
            if (stream.tile.width, stream.tile.height, stream.tile.visible) != (tile.width, tile.height, tile.visible) {
                stream.seen = 0; // send a still picture again in the new size
            }
            stream.tile = tile;
            self.streams.insert(stream.tile.stream, stream);
        }
    }

    fn credit(&mut self, stream: u16) {
        if let Some(stream) = self.streams.get_mut(&stream) {
            stream.credit = (stream.credit + 1).min(MAX_CREDIT);
        }
    }

    fn next(&mut self) -> Option<Due> {
        let (before, after) = (..self.turn, self.turn..);
        let order: Vec<u16> = self.streams.range(after).chain(self.streams.range(before)).map(|(n, _)| *n).collect();
        let due = order.into_iter().find_map(|n| self.streams.get_mut(&n).and_then(Stream::due))?;
        self.turn = due.stream.wrapping_add(1);
        Some(due)
    }
}

impl Stream {
    fn new(tile: Tile) -> Self {
        Self { tile, slot: None, seen: 0, credit: 1, sequence: 0 }
    }

    fn due(&mut self) -> Option<Due> {
        let Tile { stream, width, height, visible, .. } = self.tile;
        if !visible || self.credit == 0 || width == 0 || height == 0 {
            return None;
        }
        let frame = self.slot.as_ref()?.newer_than(&mut self.seen)?;
        self.credit -= 1;
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        Some(Due { stream, sequence, frame, within: (width, height) })
    }
}

impl Due {
    fn cut(self, pool: &FramePool) -> FeedFrame {
        let upright = pixels::rotate(&self.frame, pool);
        let (width, height) = fit((upright.width(), upright.height()), self.within);
        let frame = pixels::scale(&upright, width, height, pool);
        FeedFrame { stream: self.stream, sequence: self.sequence, frame }
    }
}

/// The largest size of the same aspect ratio within the limits, never above the original, with even sides.
fn fit((width, height): (u32, u32), (most_wide, most_high): (u32, u32)) -> (u32, u32) {
    if width <= most_wide && height <= most_high {
        return (width, height);
    }
    let (w, h) = (u64::from(width), u64::from(height));
    let (mw, mh) = (u64::from(most_wide), u64::from(most_high));
    // Compares the ratios without fractions to find the limiting side.
    let (new_w, new_h) = if w * mh > h * mw { (mw, (mw * h).div_ceil(w)) } else { ((mh * w).div_ceil(h), mh) };
    let even = |side: u64, most: u32| ((side as u32).next_multiple_of(2)).min(most).max(1);
    (even(new_w, width), even(new_h, height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Picture;
    use std::time::Instant;

    fn tile(stream: u16, width: u32, height: u32) -> Tile {
        Tile { stream, picture: Picture::Own, width, height, visible: true }
    }

    fn frame(width: u32, height: u32) -> VideoFrame {
        FramePool::new().take(width, height).freeze(Instant::now())
    }

    fn feed(slot: &FrameSlot, tiles: &[Tile]) -> Feed {
        let mut feed = Feed::default();
        set(&mut feed, slot, tiles);
        feed
    }

    fn set(feed: &mut Feed, slot: &FrameSlot, tiles: &[Tile]) {
        let wake: Arc<Wake> = Arc::new(|| {});
        feed.set(tiles.iter().map(|tile| (tile.clone(), Some(slot.clone()))).collect(), &wake);
    }

    #[test]
    fn a_stream_sends_the_newest_frame_on_credit() {
        let slot = FrameSlot::new();
        let mut feed = feed(&slot, &[tile(7, 64, 64)]);
        slot.put(frame(16, 16));
        assert_eq!(feed.next().map(|due| (due.stream, due.sequence)), Some((7, 0)));
        slot.put(frame(18, 16));
        slot.put(frame(20, 16));
        assert!(feed.next().is_none(), "no credit");
        feed.credit(7);
        assert_eq!(feed.next().map(|due| (due.sequence, due.frame.width())), Some((1, 20)));
        feed.credit(7);
        assert!(feed.next().is_none(), "seen already");
    }

    #[test]
    fn credit_does_not_accumulate() {
        let slot = FrameSlot::new();
        let mut feed = feed(&slot, &[tile(1, 64, 64)]);
        (0..10).for_each(|_| feed.credit(1));
        feed.credit(9); // a stream that does not exist
        let sent = (0..10)
            .filter(|_| {
                slot.put(frame(16, 16));
                feed.next().is_some()
            })
            .count();
        assert_eq!(sent, usize::from(MAX_CREDIT));
    }

    #[test]
    fn streams_take_turns() {
        let slot = FrameSlot::new();
        let tiles = [tile(1, 64, 64), tile(2, 64, 64), tile(3, 64, 64)];
        let mut feed = feed(&slot, &tiles);
        let mut order = vec![];
        for _ in 0..6 {
            slot.put(frame(16, 16));
            tiles.iter().for_each(|tile| feed.credit(tile.stream));
            order.extend(feed.next().map(|due| due.stream));
        }
        assert_eq!(order, [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn hidden_tiles_get_no_frames_and_a_resize_resends_the_last() {
        let slot = FrameSlot::new();
        let hidden = Tile { visible: false, ..tile(1, 64, 64) };
        let mut feed = feed(&slot, std::slice::from_ref(&hidden));
        slot.put(frame(640, 360));
        assert!(feed.next().is_none());
        set(&mut feed, &slot, &[tile(1, 64, 64)]);
        assert_eq!(feed.next().map(|due| due.within), Some((64, 64)));
        feed.credit(1);
        assert!(feed.next().is_none());
        set(&mut feed, &slot, &[tile(1, 320, 180)]);
        assert_eq!(feed.next().map(|due| due.within), Some((320, 180)));
    }

    #[test]
    fn another_picture_under_the_same_number_starts_over() {
        let (one, two) = (FrameSlot::new(), FrameSlot::new());
        let mut feed = feed(&one, &[tile(1, 64, 64)]);
        one.put(frame(16, 16));
        two.put(frame(18, 18));
        assert!(feed.next().is_some());
        let other = Tile { picture: Picture::Camera(signaling::message::ParticipantId("p".into())), ..tile(1, 64, 64) };
        set(&mut feed, &two, &[other]);
        assert_eq!(feed.next().map(|due| (due.sequence, due.frame.width())), Some((0, 18)));
    }

    #[test]
    fn frames_are_scaled_down_to_the_tile_and_never_up() {
        for (original, tile, want) in [
            ((1280, 720), (426, 240), (426, 240)),
            ((1280, 720), (640, 640), (640, 360)),
            ((640, 360), (1920, 1080), (640, 360)),
            ((360, 640), (200, 200), (114, 200)),
            ((641, 361), (640, 640), (640, 362)),
            ((1280, 720), (1, 1), (2, 2)),
        ] {
            let got = fit(original, tile);
            assert!(got.0.abs_diff(want.0) <= 1 && got.1.abs_diff(want.1) <= 2, "{original:?} {tile:?}: {got:?}");
            assert!(got.0 <= original.0 && got.1 <= original.1);
        }
        let mut turned = frame(64, 32);
        turned.rotation = media::frame::Rotation::Clockwise90;
        let cut = Due { stream: 1, sequence: 0, frame: turned, within: (16, 100) }.cut(&FramePool::new());
        assert_eq!((cut.frame.width(), cut.frame.height()), (16, 32));
    }

    #[test]
    fn a_thread_ends_with_its_feed() {
        let (commands, inbox) = sync_channel(COMMANDS);
        let (frames, _out) = mpsc::channel(FRAMES);
        let handle = std::thread::spawn(move || run(&inbox, &frames));
        drop(Feeder { commands, thread: handle.thread().clone() });
        handle.join().expect("it ends");
    }
}
