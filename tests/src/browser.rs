//! A browser, driven by `drive.mjs`.

use crate::PATIENCE;
use crate::skip::{find, skip};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Interval between polls while waiting for a condition.
const PACE: Duration = Duration::from_millis(250);

/// Kinds of browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Chromium with the test page.
    Chromium,
    /// Chromium with a fake camera and microphone, on no page yet.
    Guest,
    /// Firefox with the test page.
    Firefox,
    /// Firefox with a fake camera and microphone, on no page yet.
    FirefoxGuest,
}

/// A running browser with the test page open. Dropping it closes the browser.
pub struct Browser {
    /// Which one it is.
    pub kind: Kind,
    process: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
    /// The page's origin, as the server sees it.
    pub origin: String,
}

impl Kind {
    /// Its name in `drive.mjs`.
    fn name(self) -> &'static str {
        match self {
            Kind::Chromium => "chromium",
            Kind::Guest => "chromium-guest",
            Kind::Firefox => "firefox",
            Kind::FirefoxGuest => "firefox-guest",
        }
    }

    fn program(self) -> PathBuf {
        let (variable, default) = match self {
            Kind::Chromium | Kind::Guest => ("CHROMIUM", "chromium"),
            Kind::Firefox | Kind::FirefoxGuest => ("FIREFOX", "firefox-esr"),
        };
        let given = std::env::var_os(variable).map(PathBuf::from);
        given.or_else(|| find(default)).unwrap_or_else(|| default.into())
    }

    /// Whether the browser and its driver are installed. Reports a skip if not.
    pub fn available(self) -> bool {
        if !self.program().is_file() {
            return skip(&format!("{} is not installed", self.name()));
        }
        folder().join("node_modules/puppeteer-core").is_dir()
            || skip("puppeteer-core is not installed: run `cargo xtask setup`")
    }
}

impl Browser {
    /// Starts the browser and opens the page.
    pub fn start(kind: Kind) -> Browser {
        let program = kind.program();
        let mut command = Command::new("node");
        command.arg(folder().join("drive.mjs")).arg(kind.name()).arg(folder()).arg(folder().join("../../ui"));
        command.env("CHROMIUM", &program).env("FIREFOX", &program).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("node starts");
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let (sender, answers) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let orders = process.stdin.take();
        let mut browser = Browser { kind, process, orders, answers, origin: String::new() };
        let hello = browser.answer("start");
        println!("{}", hello["version"]);
        browser.origin = hello["origin"].as_str().expect("an origin").into();
        browser
    }

    /// Process id of the driver. The browser is its child.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Calls a function of the page.
    pub fn call(&mut self, name: &str, arguments: Value) -> Value {
        self.order(json!({ "do": "call", "name": name, "args": [arguments] }), name)
    }

    /// Opens an address in a new profile.
    pub fn visit(&mut self, url: &str) {
        self.order(json!({ "do": "visit", "url": url }), url);
    }

    /// Like [`Self::visit`], but requests whose address contains `part` fail until the page is loaded again.
    pub fn visit_without(&mut self, url: &str, part: &str) {
        self.order(json!({ "do": "visit", "url": url, "without": part }), url);
    }

    /// Like [`Self::visit`], with a camera of this resolution.
    pub fn visit_with_camera(&mut self, url: &str, (width, height): (u32, u32)) {
        self.order(json!({ "do": "visit", "url": url, "camera": [width, height] }), url);
    }

    /// Like [`Self::visit`], in a window of this size. Chromium behaves like a phone if it is narrow.
    pub fn visit_in(&mut self, url: &str, (width, height): (u32, u32)) {
        self.order(json!({ "do": "visit", "url": url, "window": [width, height] }), url);
    }

    /// Waits until the element with this CSS selector is visible and presses it.
    pub fn press(&mut self, selector: &str) {
        self.order(json!({ "do": "press", "selector": selector }), selector);
    }

    /// Types into a field.
    pub fn type_in(&mut self, selector: &str, text: &str) {
        self.order(json!({ "do": "type", "selector": selector, "text": text }), selector);
    }

    /// Presses an element that lets people choose files, and chooses these. Chromium only.
    pub fn choose(&mut self, selector: &str, files: &[&Path]) {
        self.order(json!({ "do": "choose", "selector": selector, "files": files }), selector);
    }

    /// Takes away the page's means to write to files, which would open a dialog of the browser.
    pub fn keep_files_in_memory(&mut self) {
        self.order(json!({ "do": "memory" }), "memory");
    }

    /// Waits until an element's text contains `words` and returns the text. Panics after `patience`.
    pub fn reads(&mut self, selector: &str, words: &str, patience: Duration) -> String {
        let start = Instant::now();
        loop {
            let text = self.order(json!({ "do": "text", "selector": selector }), selector);
            match text.as_str() {
                Some(text) if text.contains(words) => return text.to_owned(),
                seen => assert!(start.elapsed() < patience, "{selector} never contains {words:?}: {seen:?}"),
            }
            std::thread::sleep(PACE);
        }
    }

    /// Waits until the totals that the page's connections have received satisfy `wish`, and returns them:
    /// `framesDecoded`, `energy`, and the `frameWidth` of the largest picture.
    pub fn receives(&mut self, what: &str, patience: Duration, wish: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let received = self.order(json!({ "do": "received" }), what);
            if wish(&received) {
                return received;
            }
            assert!(start.elapsed() < patience, "timed out waiting for {what}: {received}");
            std::thread::sleep(PACE);
        }
    }

    /// Reloads the page for a new call.
    pub fn reload(&mut self) {
        self.order(json!({ "do": "open" }), "open");
    }

    /// Waits until the report of `getStats` satisfies `wish` and returns it. Panics after `patience`.
    pub fn report_when(&mut self, what: &str, patience: Duration, wish: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let report = self.call("report", Value::Null);
            if wish(&report) {
                return report;
            }
            assert!(start.elapsed() < patience, "timed out waiting for {what}: {report:#}");
            std::thread::sleep(PACE);
        }
    }

    fn order(&mut self, order: Value, what: &str) -> Value {
        let orders = self.orders.as_mut().expect("open until it is dropped");
        writeln!(orders, "{order}").expect("the driver reads");
        self.answer(what)
    }

    fn answer(&mut self, what: &str) -> Value {
        let line = self.answers.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|error| panic!("no answer to {what}: {error}"));
        let mut answer: Value = serde_json::from_str(&line).expect("JSON of the driver");
        assert!(answer["error"].is_null(), "{what}: {}", answer["error"]);
        answer["ok"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.orders.take()); // the driver then closes the browser and ends
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(8) && matches!(self.process.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("browser")
}
