//! People with a screen: Wes with the app's window, and Gil, a guest with a browser.

use engine::ServerAddress;
use engine::signaling::link::Link;
use serde_json::json;
use std::time::Duration;
use whole_system::browser::{Browser, Kind};
use whole_system::desktop::{Desktop, Rect};
use whole_system::window::App;

const PROGRAM: &str = env!("CARGO_BIN_EXE_lunchroom");
const WINDOW: Rect = Rect { x: 0, y: 0, width: 1100, height: 800 };
/// Longest wait for a change on a page.
const PATIENCE: Duration = Duration::from_secs(120);
/// New pictures that the guest must decode.
const PICTURES: u64 = 10;

/// Both, as far as this machine has the necessary tools.
pub(crate) struct Watchers {
    wes: Option<App>,
    gil: Option<Browser>,
    _desktop: Option<Desktop>,
}

impl Watchers {
    pub(crate) fn new(server: &ServerAddress, secret: &str, with_guest: bool) -> Watchers {
        let desktop = Desktop::available().then(Desktop::start);
        let wes = desktop.as_ref().map(|desktop| {
            // A member has agreed to the server before and has its secret.
            let known = json!({"url": server.url, "secret": secret});
            let app =
                App::start(desktop, PROGRAM, "Wes", json!({"servers": [known], "server": 0, "camera_on": false}), &[]);
            desktop.place(&app.title, WINDOW);
            app
        });
        Watchers { wes, gil: with_guest.then(|| Browser::start(Kind::Guest)), _desktop: desktop }
    }

    /// How many of them there are.
    pub(crate) fn count(&self) -> usize {
        usize::from(self.wes.is_some()) + usize::from(self.gil.is_some())
    }

    /// Wes takes a seat at this table on his board and joins; Gil joins by the link. Both knock.
    pub(crate) fn knock(&mut self, topic: &str, link: &Link) {
        if let Some(wes) = &self.wes {
            let card =
                format!("[...document.querySelectorAll('lr-card')].find(card => card.table?.topic === '{topic}')");
            wes.until("the table on the board", &format!("return !!{card}"));
            wes.run(&format!("{card}.querySelector('.take').click()"));
            wes.press("#go-to-table");
            wes.press("#join");
            wes.until("knocking", "return !!document.querySelector('lr-knocking')");
        }
        if let Some(gil) = &mut self.gil {
            let origin = link.server.as_str().replacen("ws", "http", 1);
            let invite = link.invite.as_deref().expect("an invite");
            gil.visit(&format!("{}/r/{}?invite={invite}", origin.trim_end_matches('/'), link.room));
            gil.reads("lr-guest", topic, PATIENCE);
            gil.press("#join-here");
            gil.type_in("lr-check input[type=text]", "Gil");
            gil.press("#self-camera");
            gil.press("#join");
            gil.reads("lr-knocking", topic, PATIENCE);
        }
    }

    /// Both are at the table with this person, and no error is displayed.
    pub(crate) fn are_back(&mut self, name: &str) {
        if let Some(wes) = &self.wes {
            let there = format!(
                "const call = document.querySelector('lr-call');
                 return !!call && !call.classList.contains('away') && call.innerText.includes('{name}')"
            );
            wes.until("at the table", &there);
        }
        if let Some(gil) = &mut self.gil {
            gil.reads("lr-call:not(.away)", name, PATIENCE);
        }
    }

    /// Both see moving pictures of this person.
    pub(crate) fn see(&mut self, name: &str) {
        if let Some(wes) = &self.wes {
            let tile =
                format!("[...document.querySelectorAll('lr-tile')].find(tile => tile.innerText.includes('{name}'))");
            let drawn = format!(
                "const now = {tile}?.querySelector('canvas.drawn')?.toDataURL(); const before = window.before;
                 window.before = now; return !!now && !!before && now !== before"
            );
            wes.until("shown moving pictures", &drawn);
        }
        if let Some(gil) = &mut self.gil {
            let decoded = |received: &serde_json::Value| received["framesDecoded"].as_u64().unwrap_or(0);
            let before = decoded(&gil.receives("figures", PATIENCE, |_| true));
            gil.receives("moving pictures", PATIENCE, |received| decoded(received) >= before + PICTURES);
        }
    }
}
