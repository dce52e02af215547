//! Keeps the display on during a call, in which nobody touches the keyboard.

use crate::desk::DeskHandle;
use crate::tray::in_call;
use keepawake::KeepAwake;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tauri::{AppHandle, Manager};
use tokio::sync::mpsc;

/// Changes that wait for the thread. When full, the next one waits; a call begins and ends rarely.
const WAITING: usize = 2;

/// Follows the state until the app ends.
pub(crate) fn follow(app: &AppHandle) {
    let (tell, wanted) = mpsc::channel(WAITING);
    // On Windows the wish belongs to the thread that has made it.
    let thread = std::thread::Builder::new().name("awake".into()).spawn(move || hold(wanted, request));
    if let Err(error) = thread {
        tracing::warn!("the display may go off during calls: {error}");
        return;
    }
    let mut shown = app.state::<DeskHandle>().shown.clone();
    tauri::async_runtime::spawn(async move {
        let mut before = false;
        loop {
            let now = in_call(&shown.borrow_and_update().call.stage);
            if now != before && tell.send(now).await.is_err() {
                return;
            }
            before = now;
            if shown.changed().await.is_err() {
                return;
            }
        }
    });
}

/// Asks the system to keep the display on, as long as the result lives.
fn request() -> Option<KeepAwake> {
    let mut wish = keepawake::Builder::default();
    wish.display(true).reason("A video call").app_name("Lunchroom").app_reverse_domain("org.lunchroom.desktop");
    // There may be no session bus, or nothing on it that switches the display off.
    wish.create().inspect_err(|error| tracing::info!("the display may go off during calls: {error}")).ok()
}

/// Holds what `request` returns while it is wanted.
fn hold<Held>(mut wanted: mpsc::Receiver<bool>, request: impl Fn() -> Option<Held>) {
    let mut held = None;
    while let Some(on) = wanted.blocking_recv() {
        // The library panics if the system's service is no longer there at the end.
        let ended = catch_unwind(AssertUnwindSafe(|| drop(held.take())));
        if ended.is_err() {
            tracing::warn!("the service that keeps the display on has gone");
        }
        if on {
            held = request();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    /// Counts how many are held, and breaks at its end if told to.
    struct Held(Rc<Cell<usize>>, bool);

    impl Drop for Held {
        fn drop(&mut self) {
            self.0.set(self.0.get() - 1);
            assert!(!self.1, "the service has gone");
        }
    }

    #[test]
    fn the_display_is_kept_on_during_each_call_and_no_longer() {
        let (tell, wanted) = mpsc::channel(8);
        for on in [true, false, true, false, true] {
            tell.try_send(on).unwrap();
        }
        drop(tell);
        let (held, most, requests) = (Rc::new(Cell::new(0)), Cell::new(0), Cell::new(0));
        hold(wanted, || {
            requests.set(requests.get() + 1);
            if requests.get() == 1 {
                return None; // there is no service yet
            }
            held.set(held.get() + 1);
            most.set(most.get().max(held.get()));
            Some(Held(held.clone(), requests.get() == 2))
        });
        assert_eq!((requests.get(), most.get(), held.get()), (3, 1, 0));
    }
}
