//! The data channel of one connection: a task that reads and one that writes.

use super::{READ_BYTES, SENDS, Sent};
use ::files::Person;
use peer::{DataChannel, DataMessage, MediaOut};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::AbortHandle;

/// What happened on a data channel.
pub(super) enum LinkEvent {
    Open,
    Text(String),
    /// The permit bounds what is in memory.
    Binary(bytes::Bytes, OwnedSemaphorePermit),
    Closed,
}

/// An event, with the connection's number.
pub(super) type FromLink = (u64, LinkEvent);

/// A data channel. Dropping it ends its tasks.
pub(super) struct Link {
    pub(super) person: Person,
    pub(super) sends: mpsc::Sender<Sent>,
    media: MediaOut,
    tasks: [AbortHandle; 2],
}

impl Link {
    pub(super) fn start(
        number: u64,
        person: Person,
        channel: DataChannel,
        media: MediaOut,
        events: mpsc::Sender<FromLink>,
    ) -> Link {
        let (sends, outbox) = mpsc::channel(SENDS);
        let reader = tokio::spawn(read(number, channel.clone(), events.clone()));
        let writer = tokio::spawn(write(channel, outbox));
        Link { person, sends, media, tasks: [reader.abort_handle(), writer.abort_handle()] }
    }

    /// Whether media drains a queue.
    pub(super) fn is_media_short(&self) -> bool {
        self.media.uplink_flow().draining
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

async fn read(number: u64, channel: DataChannel, events: mpsc::Sender<FromLink>) {
    let reads = Arc::new(Semaphore::new(READ_BYTES));
    while let Some(message) = channel.next().await {
        let event = match message {
            DataMessage::Open => LinkEvent::Open,
            DataMessage::Text(text) => LinkEvent::Text(text),
            DataMessage::Binary(bytes) => {
                let Ok(permit) = reads.clone().acquire_many_owned(bytes.len().min(READ_BYTES) as u32).await else {
                    break;
                };
                LinkEvent::Binary(bytes, permit)
            }
        };
        if events.send((number, event)).await.is_err() {
            return; // the engine has ended
        }
    }
    let _ = events.send((number, LinkEvent::Closed)).await; // the engine may have ended
}

async fn write(channel: DataChannel, mut outbox: mpsc::Receiver<Sent>) {
    while let Some(sent) = outbox.recv().await {
        let outcome = match sent {
            Sent::Text(text) => channel.send_text(&text).await,
            Sent::Binary(bytes) => channel.send(&bytes).await,
        };
        if let Err(error) = outcome {
            // The reader learns that the channel is closed.
            tracing::debug!("a data channel: {error}");
        }
    }
}
