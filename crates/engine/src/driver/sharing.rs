//! Our shared screen: what is captured, and how that goes.

use crate::view::{Problem, Share, ShareState};
use devices::{ScreenCapture, ScreenError, ScreenEvent};
use media::slot::FrameSlot;
use tokio::sync::mpsc;

/// Events of captures on their way to the driver. When full, the capture waits.
pub(crate) const EVENTS: usize = 16;

/// An event of the capture with this number.
pub(crate) type FromScreen = (u64, ScreenEvent);

/// Owns the capture.
///
/// ```text
/// nothing ──start──▶ Starting ──first picture──▶ Live ⇄ Hidden
///    ▲                  └──────── stop, ended ─────┴──────┘
///    └──────────────────────────────┘
/// ```
pub(crate) struct Sharing {
    slot: FrameSlot,
    events: mpsc::Sender<FromScreen>,
    current: Option<Current>,
    /// The last capture, which may not have ended yet.
    former: Option<ScreenCapture>,
    /// Why the last share ended, until the next one.
    problem: Option<Problem>,
    started: u64,
    changed: bool,
}

struct Current {
    number: u64,
    capture: ScreenCapture,
    share: Share,
}

impl Sharing {
    /// Starts without a share. Pictures go to `slot`.
    pub(crate) fn new(slot: FrameSlot, events: mpsc::Sender<FromScreen>) -> Self {
        Self { slot, events, current: None, former: None, problem: None, started: 0, changed: false }
    }

    /// Starts to share a screen or window, in place of the present one.
    pub(crate) fn start(&mut self, id: String, name: String) {
        self.stop();
        self.problem = None;
        self.started += 1;
        let (number, events) = (self.started, self.events.clone());
        let report = Box::new(move |event| {
            let _ = events.blocking_send((number, event)); // the engine may be gone
        });
        match ScreenCapture::open_after(self.former.take(), &id, self.slot.clone(), report) {
            Ok(capture) => {
                let share = Share { id, name, state: ShareState::Starting };
                self.current = Some(Current { number, capture, share });
            }
            Err(error) => self.fail(&error),
        }
        self.changed = true;
    }

    /// Stops sharing.
    pub(crate) fn stop(&mut self) {
        if let Some(Current { capture, .. }) = self.current.take() {
            capture.stop();
            self.former = Some(capture);
            self.slot.clear();
            self.slot.nudge();
            self.changed = true;
        }
    }

    /// Takes an event. Those of a former capture are ignored.
    pub(crate) fn handle(&mut self, (number, event): FromScreen) {
        let Some(current) = self.current.as_mut().filter(|current| current.number == number) else { return };
        match event {
            ScreenEvent::Live => current.share.state = ShareState::Live,
            ScreenEvent::Hidden => current.share.state = ShareState::Hidden,
            ScreenEvent::Ended(error) => {
                self.stop();
                self.fail(&error);
            }
        }
        self.changed = true;
    }

    fn fail(&mut self, error: &ScreenError) {
        tracing::info!("the share has ended: {error}");
        self.problem = Some(Problem { code: error.code().into(), message: error.to_string(), device: None });
    }

    /// Whether the others receive something.
    pub(crate) fn is_on(&self) -> bool {
        self.current.is_some()
    }

    /// What is shared.
    pub(crate) fn view(&self) -> Option<Share> {
        self.current.as_ref().map(|current| current.share.clone())
    }

    /// Why the last share ended.
    pub(crate) fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// Forgets why the last share ended.
    pub(crate) fn clear_problem(&mut self) {
        self.changed |= self.problem.take().is_some();
    }

    /// Returns true once after each change.
    pub(crate) fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }
}
