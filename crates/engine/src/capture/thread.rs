//! The thread of one kind of device. Only this thread opens and closes devices of its kind, one at a time: it closes
//! one device before it opens the next. If a driver hangs, only this thread waits.

use super::event::{CaptureEvent, Opened};
use devices::{DeviceError, DeviceEvent, DeviceKind, EventSink, Hold};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

/// Opens the device with this id. An empty id means the system's default. Blocks.
pub(super) type Open = Box<dyn FnMut(&str, EventSink) -> Result<(Opened, Hold), DeviceError> + Send>;

/// The device that should be open. The channel holds one request: a newer one replaces it.
#[derive(Debug, Clone, Default)]
struct Wish {
    number: u64,
    id: Option<String>,
}

/// The owner's handle. Dropping it closes the device and ends the thread, without waiting for either.
pub(super) struct DeviceThread {
    wish: watch::Sender<Wish>,
}

impl DeviceThread {
    /// Starts the thread with no device open. `ended` is dropped when the thread ends.
    pub(super) fn start(
        kind: DeviceKind,
        open: Open,
        reports: mpsc::Sender<CaptureEvent>,
        ended: mpsc::Sender<()>,
    ) -> std::io::Result<Self> {
        let (wish, wishes) = watch::channel(Wish::default());
        let runtime = Handle::current();
        let body = move || {
            run(kind, open, wishes, &reports, &runtime);
            drop(ended);
        };
        std::thread::Builder::new().name(format!("{kind:?}").to_lowercase()).spawn(body)?;
        Ok(Self { wish })
    }

    /// Requests this device in place of the open one. The result is reported under `number`.
    pub(super) fn open(&self, number: u64, id: String) {
        self.wish.send_replace(Wish { number, id: Some(id) });
    }

    /// Requests that no device is open.
    pub(super) fn close(&self) {
        self.wish.send_replace(Wish::default());
    }
}

fn run(
    kind: DeviceKind,
    mut open: Open,
    mut wishes: watch::Receiver<Wish>,
    reports: &mpsc::Sender<CaptureEvent>,
    runtime: &Handle,
) {
    let mut held: Option<Hold> = None;
    while runtime.block_on(wishes.changed()).is_ok() {
        close(held.take());
        let Wish { number, id } = wishes.borrow_and_update().clone();
        let Some(id) = id else { continue };
        let events = events(kind, number, reports.clone());
        // The bindings of drivers may panic on unexpected input from a device.
        let opened = catch_unwind(AssertUnwindSafe(|| open(&id, events)));
        let failed = || Err(DeviceError::Backend("the interface to its driver failed".into()));
        let result = opened.unwrap_or_else(|_| failed()).map(|(opened, hold)| {
            held = Some(hold);
            opened
        });
        let _ = reports.blocking_send(CaptureEvent::Opened(kind, number, result)); // the engine may be gone
    }
    close(held);
}

fn close(held: Option<Hold>) {
    if catch_unwind(AssertUnwindSafe(|| drop(held))).is_err() {
        tracing::warn!("closing a device panicked");
    }
}

/// Forwards events of a device. Called on the device's own threads, which may wait until the driver accepts the report.
fn events(kind: DeviceKind, number: u64, reports: mpsc::Sender<CaptureEvent>) -> EventSink {
    Arc::new(move |event: DeviceEvent| {
        let _ = reports.blocking_send(CaptureEvent::Device(kind, number, event)); // the engine may be gone
    })
}
