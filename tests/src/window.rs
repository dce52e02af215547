//! The app on a desktop, driven through its page by WebDriver (W3C, "WebDriver 2").

use crate::PATIENCE;
use crate::desktop::{Desktop, Ended, Rect};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest time for an app to end.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A running app, which is ended on drop.
pub struct App {
    driver_addr: SocketAddr,
    session: String,
    /// Title of its window.
    pub title: String,
    /// Arguments that identify its process.
    words: [String; 3],
    /// The `HOME` of its desktop. Other tests run apps of the same profile at the same time, on other desktops.
    home: String,
    _driver: Ended,
}

impl App {
    /// Starts `program` as the person `name`, in a profile of that name, with additional settings and arguments.
    pub fn start(desktop: &Desktop, program: &str, name: &str, more: Value, arguments: &[&str]) -> App {
        let devices = ["--camera", "test", "--microphone", "tone", "--speaker", "null"];
        App::start_with(desktop, program, name, more, &devices, arguments)
    }

    /// Like [`Self::start`], with other devices.
    pub fn start_with(
        desktop: &Desktop,
        program: &str,
        name: &str,
        more: Value,
        devices: &[&str],
        arguments: &[&str],
    ) -> App {
        let profile = name.to_lowercase();
        let folder = desktop.home().join("config").join(format!("org.lunchroom.desktop.{profile}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut settings = json!({"name": name, "language": "en"});
        if let (Some(settings), Value::Object(more)) = (settings.as_object_mut(), more) {
            settings.extend(more);
        }
        std::fs::write(folder.join("settings.json"), settings.to_string()).expect("settings");
        let driver_addr = testkit::loopback::address();
        let driver = desktop
            .program("WebKitWebDriver")
            .args([format!("--host={}", driver_addr.ip()), format!("--port={}", driver_addr.port())])
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("WebKitWebDriver");
        let title = format!("Lunchroom ({profile})");
        let words = [program.to_owned(), "--profile".to_owned(), profile.clone()];
        let home = desktop.home().display().to_string();
        let mut app = App { driver_addr, session: String::new(), title, words, home, _driver: Ended(driver) };
        let fixed = ["--profile", &profile, "--loopback"];
        let all: Vec<&str> =
            fixed.into_iter().chain(devices.iter().copied()).chain(arguments.iter().copied()).collect();
        let options = json!({"binary": program, "args": all});
        let wanted = json!({"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}});
        let answer = app.request("POST", "/session", &wanted);
        app.session = answer["sessionId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        app
    }

    /// Runs a script in the page and returns its result.
    pub fn run(&self, script: &str) -> Value {
        self.request("POST", &format!("/session/{}/execute/sync", self.session), &json!({"script": script, "args": []}))
    }

    /// Waits until a script returns true.
    pub fn until(&self, what: &str, script: &str) {
        let end = Instant::now() + PATIENCE;
        while self.run(script) != Value::Bool(true) {
            assert!(
                Instant::now() < end,
                "{}: never {what}: {}",
                self.title,
                self.run("return document.body.innerText")
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until the selected element exists and is enabled, and presses it.
    pub fn press(&self, selector: &str) {
        let there = format!(
            "const e = document.querySelector('{selector}'); return !!e && !e.disabled && e.getClientRects().length > 0"
        );
        self.until(selector, &there);
        self.run(&format!("document.querySelector('{selector}').click()"));
    }

    /// The positions of the others' drawn pictures on the screen, for a window at `window`.
    pub fn pictures(&self, window: Rect) -> Vec<Rect> {
        let found = self.run(
            "return [...document.querySelectorAll('lr-tile:not(.own) canvas.drawn')].map(c => {
             const r = c.getBoundingClientRect(), fit = getComputedStyle(c).objectFit;
             const by = fit === 'cover' ? Math.max : Math.min, k = by(r.width / c.width, r.height / c.height);
             const w = fit === 'fill' ? r.width : c.width * k, h = fit === 'fill' ? r.height : c.height * k;
             return [r.left + (r.width - w) / 2, r.top + (r.height - h) / 2, w, h].map(v => v * devicePixelRatio); })",
        );
        let side = |found: &Value, n: usize| found[n].as_f64().filter(|v| *v >= 0.0).map(|v| v.round() as u32);
        let place = |found: &Value| {
            let (x, y) = (window.x + side(found, 0)?, window.y + side(found, 1)?);
            Some(Rect { x, y, width: side(found, 2)?, height: side(found, 3)? })
        };
        found.as_array().map(|all| all.iter().filter_map(place).collect()).unwrap_or_default()
    }

    /// The position of the picture of the only other person.
    pub fn other_picture(&self, window: Rect) -> Option<Rect> {
        self.pictures(window).into_iter().next()
    }

    fn request(&self, method: &str, path: &str, body: &Value) -> Value {
        let end = Instant::now() + PATIENCE;
        let mut stream = loop {
            match TcpStream::connect(self.driver_addr) {
                Ok(stream) => break stream,
                Err(error) => assert!(Instant::now() < end, "no WebDriver: {error}"),
            }
            std::thread::sleep(Duration::from_millis(50));
        };
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        let body = body.to_string();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).expect("asked");
        let text = answer(&mut stream);
        let value: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!(value["value"]["error"].is_null(), "{path}: {value}");
        value["value"].clone()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.request("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
        // The app may outlive its driver. The next app of this profile would then only pass its link to it.
        let start = Instant::now();
        while let Some(process) = process_of(&self.words, &self.home).filter(|_| start.elapsed() < LAST_WORDS * 2) {
            if start.elapsed() > LAST_WORDS {
                let _ = Command::new("kill").args(["-9", &process.to_string()]).status(); // it may have just ended
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The process that was started with these arguments and this `HOME`.
fn process_of(words: &[String], home: &str) -> Option<u32> {
    let home = format!("HOME={home}");
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).find(|process| {
        let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let environment = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        line.split(|byte| *byte == 0).take(words.len()).eq(words.iter().map(String::as_bytes))
            && environment.split(|byte| *byte == 0).any(|variable| variable == home.as_bytes())
    })
}

/// Reads the body of an HTTP response with a Content-Length.
fn answer(stream: &mut TcpStream) -> String {
    let mut all = vec![];
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&all).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length:").map(|n| n.trim().to_owned()));
            let length: usize = length.and_then(|n| n.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return body.to_owned();
            }
        }
        let read = match stream.read(&mut chunk) {
            // A child of the test has ended in the meantime.
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read.expect("an answer in time"),
        };
        assert!(read > 0, "the answer was cut off: {text}");
        all.extend_from_slice(&chunk[..read]);
    }
}
