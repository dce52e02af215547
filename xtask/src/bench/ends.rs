//! The two ends of one measured call, each a `lunchroom-cli measure`, with our server between them.
//!
//! The client speaks the line protocol of the call rig, so that the same client can be measured there under an emulated
//! network.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use super::records::Records;
use super::usage::{self, Usage};
use crate::local::{Process, Programs, Server};

/// How long an end may take to open its devices, and to show a picture after joining.
const READY: Duration = Duration::from_secs(40);
const FIRST_PICTURE: Duration = Duration::from_secs(30);

/// The parameters of both ends.
pub(crate) struct Setting<'a> {
    pub(crate) codec: &'a str,
    pub(crate) size: &'a str,
    pub(crate) fps: &'a str,
    pub(crate) media: &'a Path,
}

/// One end.
pub(crate) struct End {
    pub(crate) name: &'static str,
    process: Process,
    pub(crate) records: Records,
}

/// A running call.
pub(crate) struct Ends {
    pub(crate) ends: [End; 2],
    _server: Server,
}

impl Ends {
    /// Starts a server and both ends, and waits until each shows the other's picture.
    pub(crate) fn connect(programs: &Programs, setting: &Setting<'_>) -> Result<Ends> {
        let server = programs.start_server()?;
        let end = |name| End::start(programs, &server, setting, name);
        let mut call = Ends { ends: [end("a")?, end("b")?], _server: server };
        let [a, b] = &mut call.ends;
        for end in [&mut *a, &mut *b] {
            end.wait_for("ready", READY)?;
        }
        b.join("joined")?;
        a.join("first_frame")?;
        b.wait_for("first_frame", FIRST_PICTURE)?;
        Ok(call)
    }

    /// Reads the ends' reports until then.
    pub(crate) fn follow(&mut self, until: Instant) {
        for end in &mut self.ends {
            end.follow(until);
        }
    }

    /// Ends the call as a person would.
    pub(crate) fn hang_up(self) -> Result<[Records; 2]> {
        let [a, b] = self.ends;
        Ok([a.quit()?, b.quit()?])
    }
}

impl End {
    fn start(programs: &Programs, server: &Server, setting: &Setting<'_>, name: &'static str) -> Result<End> {
        let mut command = programs.client();
        command
            .args(["measure", "--name", name, "--signal", &server.url, "--room", "bench", "--loopback"])
            .args(["--codec", setting.codec, "--size", setting.size, "--fps", setting.fps, "--send", "1"])
            .arg("--media")
            .arg(setting.media);
        Ok(End { name, process: Process::start(&mut command)?, records: Records::default() })
    }

    /// The resources that the process has used so far.
    pub(crate) fn usage(&self) -> Option<Usage> {
        usage::of(self.process.id())
    }

    fn join(&mut self, until: &str) -> Result<()> {
        self.process.tell("join")?;
        self.wait_for(until, FIRST_PICTURE)
    }

    fn wait_for(&mut self, event: &str, limit: Duration) -> Result<()> {
        if self.records.event(event).is_some() {
            return Ok(());
        }
        let (process, records) = (&mut self.process, &mut self.records);
        process
            .wait_for(limit, |line| {
                records.add(line);
                records.event(event).map(drop)
            })
            .with_context(|| format!("end {} never reported {event}", self.name))
    }

    fn follow(&mut self, until: Instant) {
        while let Some(line) = self.process.line_until(until) {
            self.records.add(&line.text);
        }
    }

    fn quit(mut self) -> Result<Records> {
        self.process.tell("quit")?;
        self.process.finish()?;
        Ok(self.records)
    }
}

/// The current time, in the unit of the ends' reports.
pub(crate) fn unix_ms() -> Result<f64> {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => Ok(since.as_secs_f64() * 1000.0),
        Err(_) => bail!("this machine's clock is before 1970"),
    }
}

/// Parses a size such as `640x360`.
pub(crate) fn size(text: &str) -> Result<(usize, usize)> {
    let (width, height) = text.split_once('x').with_context(|| format!("{text} is not a WIDTHxHEIGHT"))?;
    Ok((width.parse()?, height.parse()?))
}
