//! The thread of one kind of device. It alone opens and closes devices of that kind, one after the other: none is opened
//! before the one before is closed, and a driver that hangs is waited for by nobody else.

use super::event::{CaptureEvent, Opened};
use devices::{DeviceError, DeviceEvent, DeviceKind, EventSink, Hold};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

/// Opens the device of this id, the system's choice where it is empty. Blocks.
pub(super) type Open = Box<dyn FnMut(&str, EventSink) -> Result<(Opened, Hold), DeviceError> + Send>;

/// What shall be open. There is room for one: of several wishes that the thread had no time for, the newest counts.
#[derive(Debug, Clone, Default)]
struct Wish {
    number: u64,
    id: Option<String>,
}

/// The owner's end: dropping it closes the device and ends the thread, in the thread's own time.
pub(super) struct DeviceThread {
    wish: watch::Sender<Wish>,
}

impl DeviceThread {
    /// Starts the thread with nothing open. `ended` falls when it ends.
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

    /// Wants this device open, in place of whatever is. What becomes of it is reported under `number`.
    pub(super) fn open(&self, number: u64, id: String) {
        self.wish.send_replace(Wish { number, id: Some(id) });
    }

    /// Wants nothing open.
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
        // Bindings of drivers assert and unwrap on what a device does.
        let opened = catch_unwind(AssertUnwindSafe(|| open(&id, events)));
        let failed = || Err(DeviceError::Backend("its driver's interface failed".into()));
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
        tracing::warn!("a device was not closed in order");
    }
}

/// Called on a device's own threads, which may wait until the driver takes the report.
fn events(kind: DeviceKind, number: u64, reports: mpsc::Sender<CaptureEvent>) -> EventSink {
    Arc::new(move |event: DeviceEvent| {
        let _ = reports.blocking_send(CaptureEvent::Device(kind, number, event)); // the engine may be gone
    })
}
