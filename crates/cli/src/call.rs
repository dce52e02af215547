//! `lunchroom-cli call`.

use crate::args::CallOptions;
use crate::{key, report};
use anyhow::{Context, Result, anyhow, bail};
use engine::signaling::link::Link;
use engine::signaling::message::MediaState;
use engine::{
    ApmConfig, AppView, Command, DeviceChoice, DeviceKind, Ended, Engine, EngineConfig, JoinRequest, LinkState,
    MicrophoneOptions, NotSaid, ParticipantView, ScreenInfo, ScreenKind, ServerAddress, SessionView, Stage,
};
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, interval, sleep_until};

/// Longest wait for a server that cannot be reached.
const GIVE_UP: Duration = Duration::from_secs(15);

pub(crate) async fn run(options: CallOptions) -> Result<()> {
    let request = request(&options)?;
    let on = |choice: &Option<String>| choice.as_deref() != Some("off");
    let media = MediaState { microphone: on(&options.microphone), camera: on(&options.camera), screen: false };
    let engine = Engine::start(EngineConfig {
        client: concat!("lunchroom-cli ", env!("CARGO_PKG_VERSION")).into(),
        key: key::device_key(options.key.as_deref())?,
        codecs: options.video.codec.offered(),
        video: options.video.limits(),
        processing: ApmConfig::default(),
        ice_servers: None,
        relay_only: options.relay_only,
        include_loopback: options.loopback,
        meets: None,
        microphone: MicrophoneOptions::default(),
        devices: DeviceChoice {
            camera: options.camera.clone().filter(|c| c != "off"),
            microphone: options.microphone.clone().filter(|m| m != "off"),
            speaker: options.speaker.clone(),
        },
        audio_tap: None,
    })?;
    engine.command(Command::Join(JoinRequest { media, ..request })).await?;
    let outcome = follow(&engine, &options).await;
    engine.stop().await;
    outcome
}

fn request(options: &CallOptions) -> Result<JoinRequest> {
    let media = MediaState::default(); // set by the caller
    if let Some(link) = &options.link {
        let link = Link::parse(link).context("not a link to a room")?;
        return Ok(JoinRequest::from_link(link, options.name.clone(), media));
    }
    let (Some(url), Some(room)) = (options.server.clone(), options.room.clone()) else {
        bail!("give a link, or both --server and --room");
    };
    let fingerprint = options.fingerprint.as_deref().map(fingerprint).transpose()?;
    let server = ServerAddress { url, fingerprint };
    Ok(JoinRequest { server, room, invite: None, name: options.name.clone(), media })
}

pub(crate) fn fingerprint(text: &str) -> Result<[u8; 32]> {
    let digits: Vec<u8> = text.bytes().filter(|b| *b != b':').collect();
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok());
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    match bytes.and_then(|b| <[u8; 32]>::try_from(b).ok()) {
        Some(bytes) if digits.len() == 64 => Ok(bytes),
        Some(_) | None => bail!("a fingerprint must have 64 hexadecimal digits"),
    }
}

/// What has been printed already.
#[derive(Default)]
struct Printed {
    stage: Option<Stage>,
    people: Vec<(String, String, &'static str)>,
    lines: usize,
    unsent: u64,
    problems: Vec<String>,
    said: bool,
    joined: bool,
    sharing: Vec<String>,
}

async fn follow(engine: &Engine, options: &CallOptions) -> Result<()> {
    let mut view = engine.view();
    let mut printed = Printed::default();
    let end = options.seconds.map(|s| Instant::now() + Duration::from_secs_f64(s.clamp(0.0, 1e9)));
    let mut each_second = interval(Duration::from_secs(1));
    let mut out_of_reach = None;
    loop {
        tokio::select! {
            changed = view.changed() => {
                changed.context("the engine has stopped")?;
                let now = view.borrow_and_update().clone();
                printed.print_changes(&now, options.json);
                if printed.greets(&now) && let Some(line) = &options.say {
                    let taken = engine.send_chat(line.clone()).await;
                    taken.map_err(|problem| anyhow!("{} ({})", problem.message, problem.code))?;
                }
                if printed.joins(&now) && let Some(wanted) = &options.share {
                    share(engine, wanted).await?;
                }
                if let Stage::Ended(why) = now.call.stage {
                    return ended(why, &now);
                }
            }
            _ = each_second.tick() => {
                let session = view.borrow().session.clone();
                out_of_reach = waiting(&session, out_of_reach, GIVE_UP)?;
                if options.json {
                    figures(engine).await?;
                }
            }
            () = until(end) => return Ok(()),
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// Shares the screen or window that was asked for.
async fn share(engine: &Engine, wanted: &str) -> Result<()> {
    let found = tokio::task::spawn_blocking(engine::screens).await?;
    let found = found.map_err(|problem| anyhow!("{} ({})", problem.message, problem.code))?;
    let is_wanted = |one: &&ScreenInfo| {
        one.id == wanted || one.name.contains(wanted) || wanted == "screen" && one.kind == ScreenKind::Screen
    };
    let one = found.iter().find(is_wanted).ok_or_else(|| anyhow!("there is no screen or window {wanted}"))?;
    Ok(engine.command(Command::Share { id: one.id.clone(), name: one.name.clone() }).await?)
}

/// Fails if the first connection takes longer than `patience`; a connection that was lost is waited for. Returns the
/// start of the current interruption.
pub(crate) fn waiting(session: &SessionView, since: Option<Instant>, patience: Duration) -> Result<Option<Instant>> {
    match session {
        SessionView::Closed { problem: Some(problem) } => bail!("{} ({})", problem.message, problem.code),
        SessionView::Connecting { problem: Some(problem), .. } => {
            let since = since.unwrap_or_else(Instant::now);
            let hopeless = matches!(problem.code.as_str(), "wrong_certificate" | "certificate_refused" | "bad_server");
            if hopeless || since.elapsed() >= patience {
                bail!("{} ({})", problem.message, problem.code);
            }
            Ok(Some(since))
        }
        SessionView::Closed { problem: None } | SessionView::Connecting { problem: None, .. } => Ok(since),
        SessionView::Open { .. } => Ok(None),
    }
}

fn ended(why: Ended, view: &AppView) -> Result<()> {
    match why {
        Ended::Left => Ok(()),
        Ended::Removed(reason) => bail!("the call was ended: {reason:?}"),
        Ended::Untrusted(why) => bail!("the server cannot be trusted: {}", why.code()),
        Ended::Refused(code) => {
            let code = serde_json::to_value(code)?;
            bail!("{} cannot be joined: {}", view.call.room, code.as_str().unwrap_or("unknown"))
        }
    }
}

impl Printed {
    /// Returns true once, when another participant is present.
    fn greets(&mut self, view: &AppView) -> bool {
        let there = view.call.stage == Stage::Joined && !view.call.participants.is_empty();
        there && !std::mem::replace(&mut self.said, true)
    }

    /// Returns true once, when the room has been joined.
    fn joins(&mut self, view: &AppView) -> bool {
        view.call.stage == Stage::Joined && !std::mem::replace(&mut self.joined, true)
    }

    fn print_changes(&mut self, view: &AppView, as_json: bool) {
        let print = |event: &str, text: String| {
            if as_json {
                println!("{}", json!({"t": "ev", "name": event, "text": text}));
            } else {
                println!("{event}: {}", report::one_line(&text));
            }
        };
        if self.stage.as_ref() != Some(&view.call.stage) {
            self.stage = Some(view.call.stage.clone());
            print(stage(&view.call.stage), view.call.room.clone());
        }
        let people: Vec<_> =
            view.call.participants.iter().map(|p| (p.info.id.0.clone(), p.info.name.clone(), link(p))).collect();
        for (id, name, link) in people.iter().filter(|p| !self.people.contains(p)) {
            print(link, format!("{name} ({id})"));
        }
        for (id, name, _) in self.people.iter().filter(|old| !people.iter().any(|p| p.0 == old.0)) {
            print("gone", format!("{name} ({id})"));
        }
        self.people = people;
        let sharing: Vec<_> = view.sharing.iter().map(|id| id.0.clone()).collect();
        sharing.iter().filter(|id| !self.sharing.contains(id)).for_each(|id| print("shares", id.clone()));
        self.sharing.iter().filter(|id| !sharing.contains(id)).for_each(|id| print("shares no more", id.clone()));
        self.sharing = sharing;
        for line in view.chat.iter().skip(self.lines) {
            print("chat", format!("{}: {}", if line.name.is_empty() { "you" } else { &line.name }, line.text));
        }
        self.lines = view.chat.len();
        let last_printed = self.unsent;
        for line in view.call.unsent.iter().filter(|line| line.number > last_printed) {
            if let Some(why) = line.failed {
                self.unsent = line.number;
                print("not said", format!("{}: {}", reason_not_sent(why), line.text));
            }
        }
        let problems: Vec<_> =
            view.problems.iter().map(|p| format!("{}{} ({})", device(p.device), p.message, p.code)).collect();
        for problem in problems.iter().filter(|p| !self.problems.contains(p)) {
            print("problem", problem.clone());
        }
        self.problems = problems;
    }
}

fn reason_not_sent(why: NotSaid) -> String {
    match why {
        NotSaid::Unconfirmed => "it may not have arrived".into(),
        NotSaid::CallEnded => "the call ended first".into(),
        NotSaid::Refused(code) => {
            serde_json::to_value(code).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
        }
    }
}

fn link(participant: &ParticipantView) -> &'static str {
    match (participant.distrust, participant.link) {
        (Some(error), _) => error.code(),
        (None, LinkState::Connected) => "connected",
        (None, LinkState::Connecting | LinkState::Interrupted) => "connecting",
    }
}

fn stage(stage: &Stage) -> &'static str {
    match stage {
        Stage::Idle => "idle",
        Stage::Joining => "joining",
        Stage::Knocking => "knocking",
        Stage::Joined => "joined",
        Stage::Reconnecting => "reconnecting",
        Stage::Ended(_) => "ended",
    }
}

fn device(kind: Option<DeviceKind>) -> &'static str {
    match kind {
        Some(DeviceKind::Camera) => "Camera: ",
        Some(DeviceKind::Microphone) => "Microphone: ",
        Some(DeviceKind::Speaker) => "Loudspeaker: ",
        None => "",
    }
}

async fn figures(engine: &Engine) -> Result<()> {
    let stats = engine.stats().await?;
    for who in &stats.participants {
        let mut line = report::participant(&stats, who);
        line["t"] = json!("s");
        println!("{line}");
    }
    Ok(())
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_with_and_without_colons() {
        let plain = "0f".repeat(32);
        assert_eq!(fingerprint(&plain).expect("plain"), [15; 32]);
        let colons = vec!["0f"; 32].join(":");
        assert_eq!(fingerprint(&colons).expect("colons"), [15; 32]);
        for bad in ["", "0f", &"0g".repeat(32), &"0f".repeat(33), "äöü"] {
            assert!(fingerprint(bad).is_err(), "{bad}");
        }
    }
}
