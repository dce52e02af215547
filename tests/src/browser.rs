//! A browser, driven by `drive.mjs`.

use crate::skip::{find, skip};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Longest wait for one answer of the browser, its start included.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is asked while something is waited for.
const PACE: Duration = Duration::from_millis(250);

/// Which browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Chromium with the test page.
    Chromium,
    /// Chromium with a made-up camera and microphone, at no page yet.
    Guest,
    /// Firefox with the test page.
    Firefox,
    /// Firefox with a made-up camera and microphone, at no page yet.
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
    /// As `drive.mjs` calls it.
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

    /// Whether it and what drives it are installed; if not, that is reported as a skip.
    pub fn available(self) -> bool {
        if !self.program().is_file() {
            return skip(&format!("{} is not installed", self.name()));
        }
        folder().join("node_modules/puppeteer-core").is_dir()
            || skip("puppeteer-core is not installed: run `cargo xtask setup`")
    }
}

impl Browser {
    /// Starts it and opens the page.
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

    /// Of its driver, whose child the browser is.
    pub fn process(&self) -> u32 {
        self.process.id()
    }

    /// Calls a function of the page.
    pub fn call(&mut self, name: &str, arguments: Value) -> Value {
        self.order(json!({ "do": "call", "name": name, "args": [arguments] }), name)
    }

    /// Opens an address as somebody who was never there.
    pub fn visit(&mut self, url: &str) {
        self.order(json!({ "do": "visit", "url": url }), url);
    }

    /// As [`Self::visit`]; the first request whose address has `part` in it is lost.
    pub fn visit_without(&mut self, url: &str, part: &str) {
        self.order(json!({ "do": "visit", "url": url, "without": part }), url);
    }

    /// As [`Self::visit`], with a camera that gives pictures of this size.
    pub fn visit_with_camera(&mut self, url: &str, (width, height): (u32, u32)) {
        self.order(json!({ "do": "visit", "url": url, "camera": [width, height] }), url);
    }

    /// Presses what a CSS selector names, once it can be seen.
    pub fn press(&mut self, selector: &str) {
        self.order(json!({ "do": "press", "selector": selector }), selector);
    }

    /// Types into a field.
    pub fn type_in(&mut self, selector: &str, text: &str) {
        self.order(json!({ "do": "type", "selector": selector, "text": text }), selector);
    }

    /// What can be read in an element once it says `words`; the end of the test if it never does.
    pub fn reads(&mut self, selector: &str, words: &str, patience: Duration) -> String {
        let start = Instant::now();
        loop {
            let text = self.order(json!({ "do": "text", "selector": selector }), selector);
            match text.as_str() {
                Some(text) if text.contains(words) => return text.to_owned(),
                seen => assert!(start.elapsed() < patience, "{selector} never says {words:?}: {seen:?}"),
            }
            std::thread::sleep(PACE);
        }
    }

    /// What all the page's connections have received once it is as wished: `framesDecoded`, `energy`, and the `frameWidth` of
    /// the largest picture.
    pub fn receives(&mut self, what: &str, patience: Duration, wish: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let received = self.order(json!({ "do": "received" }), what);
            if wish(&received) {
                return received;
            }
            assert!(start.elapsed() < patience, "waited in vain for {what}: {received}");
            std::thread::sleep(PACE);
        }
    }

    /// Opens the page anew: a new call.
    pub fn reload(&mut self) {
        self.order(json!({ "do": "open" }), "open");
    }

    /// What `getStats` says once it is as wished; the end of the test if that never comes.
    pub fn report_when(&mut self, what: &str, patience: Duration, wish: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let report = self.call("report", Value::Null);
            if wish(&report) {
                return report;
            }
            assert!(start.elapsed() < patience, "waited in vain for {what}: {report:#}");
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
        drop(self.orders.take()); // the driver closes the browser then, and ends
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
