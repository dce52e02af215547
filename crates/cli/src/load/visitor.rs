//! The sessions of a load test.

use crate::args::LoadOptions;
use crate::key;
use anyhow::{Context, Result};
use engine::signaling::message::{ClientMessage, ErrorCode, MediaState, ServerMessage};
use engine::signaling::session::{SessionConfig, SessionEnd, SessionEvent};
use engine::{Line, ServerAddress};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// The server, and how to be admitted to it.
pub(super) struct Origin {
    server: ServerAddress,
    secret: Option<String>,
}

impl Origin {
    pub(super) fn new(options: &LoadOptions) -> Result<Origin> {
        let fingerprint = options.fingerprint.as_deref().map(crate::call::fingerprint).transpose()?;
        let server = ServerAddress { url: options.server.clone(), fingerprint };
        Ok(Origin { server, secret: options.secret.clone() })
    }

    /// A session of somebody new.
    pub(super) fn line(&self, name: String, seed: u64) -> Result<Line> {
        let config = SessionConfig {
            key: key::device_key(None)?.for_server(&self.server.origin()),
            name,
            client: concat!("lunchroom-cli ", env!("CARGO_PKG_VERSION")).into(),
            member: self.secret.clone(),
            features: Vec::new(),
            seed,
        };
        Line::new(self.server.clone(), config).context("a name")
    }
}

/// A join without microphone and camera.
pub(super) fn join(room: String) -> ClientMessage {
    ClientMessage::Join { room, media: MediaState::default(), invite: None, nonce: None }
}

/// What a session reports.
pub(super) enum News {
    Opened,
    /// It did not open, for this reason.
    Refused(String),
    Joined,
    /// It did not join, for this reason.
    NotJoined(String),
    /// Its connection broke. It reconnects.
    Broken,
}

/// All sessions.
pub(super) struct Crowd {
    pub(super) size: u32,
    pub(super) rooms: u32,
    /// Time between two of them.
    pub(super) every: Duration,
    /// When the first one joins.
    pub(super) joins: watch::Receiver<Option<Instant>>,
    pub(super) news: mpsc::Sender<News>,
}

impl Crowd {
    /// Opens one session after the other. They run until the program ends.
    pub(super) async fn arrive(self, origin: Origin) -> Result<()> {
        let start = Instant::now();
        for number in 0..self.size {
            sleep_until(start + self.every * number).await;
            let line = origin.line(format!("Load {number}"), number.into())?;
            let room = (self.rooms > 0).then(|| format!("load-{}", number % self.rooms));
            let visitor = Visitor { line, room, wait: self.every * number, opened: false, news: self.news.clone() };
            tokio::spawn(visitor.run(self.joins.clone()));
        }
        Ok(())
    }
}

struct Visitor {
    line: Line,
    room: Option<String>,
    /// Time from the first join to this one.
    wait: Duration,
    opened: bool,
    news: mpsc::Sender<News>,
}

impl Visitor {
    async fn run(mut self, mut joins: watch::Receiver<Option<Instant>>) {
        loop {
            tokio::select! {
                event = self.line.next() => if !self.handle(event).await { return },
                at = due(&mut joins, self.wait), if self.room.is_some() => {
                    let Some(room) = at.and(self.room.take()) else { return };
                    if let Err(error) = self.line.send(join(room)) {
                        self.report(News::NotJoined(error.code().into())).await;
                    }
                }
            }
        }
    }

    /// Returns whether the session goes on.
    async fn handle(&mut self, event: SessionEvent) -> bool {
        match event {
            SessionEvent::Welcome(_) if !self.opened => {
                self.opened = true;
                self.report(News::Opened).await;
            }
            SessionEvent::Message(ServerMessage::Joined { .. }) => self.report(News::Joined).await,
            SessionEvent::Message(ServerMessage::Error(error)) => {
                self.report(News::NotJoined(code(error.code))).await;
            }
            SessionEvent::Disconnected { .. } if self.opened => self.report(News::Broken).await,
            SessionEvent::Disconnected { cause, .. } => {
                self.report(News::Refused(format!("{cause:?}"))).await;
                return false;
            }
            SessionEvent::Ended(end) => {
                let why = match end {
                    SessionEnd::Refused(error) => code(error.code),
                    SessionEnd::Closed => "Closed".to_owned(),
                };
                self.report(if self.opened { News::Broken } else { News::Refused(why) }).await;
                return false;
            }
            SessionEvent::Welcome(_) | SessionEvent::Resumed { .. } | SessionEvent::Message(_) | SessionEvent::Lost => {
            }
        }
        true
    }

    async fn report(&mut self, news: News) {
        let _ = self.news.send(news).await; // the measurement is over
    }
}

/// The code as sent on the wire.
fn code(code: ErrorCode) -> String {
    serde_json::to_value(code).ok().and_then(|code| code.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Waits until the joins have begun and `wait` has passed. `None`: they will not begin.
async fn due(joins: &mut watch::Receiver<Option<Instant>>, wait: Duration) -> Option<()> {
    let begin = *joins.wait_for(Option::is_some).await.ok()?;
    sleep_until(begin? + wait).await;
    Some(())
}
