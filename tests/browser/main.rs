//! Calls between our client and browsers, in both directions, with video and audio, in every codec that both support.
//! The browser's own `getStats` decides. As usual, the browsers hide their addresses behind mDNS names.

mod door;
mod files;
mod forwarded;
mod glare;
mod lunch;
mod ours;
mod relayed;
mod share;

use engine::media::encoded::VideoCodec;
use ours::{Ours, TONE_HZ};
use serde_json::{Value, json};
use server::{Config, Server, Turn};
use std::time::{Duration, Instant};
use whole_system::browser::{Browser, Kind};
use whole_system::seclusion;

/// Frequency of the page's tone.
const PAGE_HZ: f64 = 523.0;
/// Pictures that must be decoded: two seconds at 30 frames per second.
const PICTURES: u64 = 60;
/// Largest share of concealed samples after the call has settled.
const CONCEALED: f64 = 0.15;
/// The number of samples after which a call has settled, and the number that is then judged: three seconds each.
const SOUND: f64 = 3.0 * 48_000.0;
/// How many periods of three seconds are judged. A small machine that runs an unoptimised engine, a browser and other
/// programs is occasionally late. A call that conceals too much has no good period.
const LOOKS: u32 = 6;
/// Rounds of glare with one browser. Each end is the polite one in half of them.
const GLARES: u32 = 6;
/// Longest wait for them.
const PATIENCE: Duration = Duration::from_secs(120);

/// The end that joins later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Newcomer {
    Ours,
    Browser,
}

#[test]
fn a_guest_sees_a_shared_screen_and_shares_one() {
    const NAME: &str = "a_guest_sees_a_shared_screen_and_shares_one";
    seclusion::within(NAME, || share::guest(NAME, Kind::Guest));
}

#[test]
fn a_guest_with_firefox_sees_a_shared_screen_and_shares_one() {
    const NAME: &str = "a_guest_with_firefox_sees_a_shared_screen_and_shares_one";
    seclusion::within(NAME, || share::guest(NAME, Kind::FirefoxGuest));
}

#[test]
fn a_call_with_guests_moves_to_the_forwarder_and_back_without_an_interruption() {
    const NAME: &str = "a_call_with_guests_moves_to_the_forwarder_and_back_without_an_interruption";
    seclusion::within(NAME, forwarded::grow_and_shrink);
}

#[test]
fn chromium_calls_in_vp8() {
    seclusion::within("chromium_calls_in_vp8", || calls(Kind::Chromium, VideoCodec::Vp8));
}

#[test]
fn chromium_calls_in_vp9() {
    seclusion::within("chromium_calls_in_vp9", || calls(Kind::Chromium, VideoCodec::Vp9));
}

#[test]
fn chromium_calls_in_h264() {
    seclusion::within("chromium_calls_in_h264", || calls(Kind::Chromium, VideoCodec::H264));
}

#[test]
fn chromium_with_simulcast_is_received() {
    seclusion::within("chromium_with_simulcast_is_received", || unannounced("layers", &[Newcomer::Browser]));
}

#[test]
fn chromium_without_announced_streams_is_received() {
    seclusion::within("chromium_without_announced_streams_is_received", || {
        unannounced("unannounced", &[Newcomer::Browser, Newcomer::Ours])
    });
}

#[test]
fn firefox_calls_in_vp8() {
    seclusion::within("firefox_calls_in_vp8", || calls(Kind::Firefox, VideoCodec::Vp8));
}

#[test]
fn firefox_calls_in_vp9() {
    seclusion::within("firefox_calls_in_vp9", || calls(Kind::Firefox, VideoCodec::Vp9));
}

#[test]
fn firefox_calls_in_h264() {
    seclusion::within("firefox_calls_in_h264", || calls(Kind::Firefox, VideoCodec::H264));
}

#[test]
fn simultaneous_sharing_works_with_chromium() {
    seclusion::within("simultaneous_sharing_works_with_chromium", || share(Kind::Chromium));
}

#[test]
fn simultaneous_sharing_works_with_firefox() {
    seclusion::within("simultaneous_sharing_works_with_firefox", || share(Kind::Firefox));
}

#[test]
fn chromium_reconnects_to_a_new_session() {
    let name = "chromium_reconnects_to_a_new_session";
    seclusion::within(name, || made_anew(Kind::Chromium));
}

#[test]
fn firefox_reconnects_to_a_new_session() {
    let name = "firefox_reconnects_to_a_new_session";
    seclusion::within(name, || made_anew(Kind::Firefox));
}

#[test]
fn chromium_and_ours_restart_ice() {
    seclusion::within("chromium_and_ours_restart_ice", || restarts(Kind::Chromium));
}

#[test]
fn firefox_and_ours_restart_ice() {
    seclusion::within("firefox_and_ours_restart_ice", || restarts(Kind::Firefox));
}

#[test]
fn a_guest_with_a_link_knocks_and_joins() {
    seclusion::within("a_guest_with_a_link_knocks_and_joins", || lunch::guest(Kind::Guest));
}

#[test]
fn a_member_has_lunch_by_phone_from_the_door() {
    const NAME: &str = "a_member_has_lunch_by_phone_from_the_door";
    seclusion::within(NAME, || door::member(Kind::Guest, door::PHONE));
}

#[test]
fn a_member_has_lunch_with_firefox_from_the_door() {
    const NAME: &str = "a_member_has_lunch_with_firefox_from_the_door";
    seclusion::within(NAME, || door::member(Kind::FirefoxGuest, door::DESKTOP));
}

#[test]
fn a_guest_in_chromium_exchanges_files() {
    seclusion::within("a_guest_in_chromium_exchanges_files", || files::exchanged(Kind::Guest));
}

#[test]
fn a_guest_with_firefox_joins() {
    seclusion::within("a_guest_with_firefox_joins", || lunch::guest(Kind::FirefoxGuest));
}

#[test]
fn chromium_uses_the_relay_over_the_port_of_websockets() {
    let name = "chromium_uses_the_relay_over_the_port_of_websockets";
    seclusion::within(name, || relayed::over_the_port_of_websockets(Kind::Chromium));
}

/// Independent of which end is polite.
fn share(kind: Kind) {
    with(kind, async |browser| {
        for round in 0..GLARES {
            glare::both_share(browser, round % 2 == 0).await;
        }
    });
}

/// Independent of which end joined first.
fn made_anew(kind: Kind) {
    with(kind, async |browser| {
        for browser_yields in [true, false] {
            glare::ours_is_made_anew(browser, browser_yields).await;
        }
    });
}

/// Independent of which end is polite.
fn restarts(kind: Kind) {
    with(kind, async |browser| {
        for browser_yields in [true, false] {
            glare::ice_restarts(browser, browser_yields).await;
        }
    });
}

/// Runs with a browser in a separate network, if that browser is installed.
fn with(kind: Kind, run: impl AsyncFnOnce(&mut Browser)) {
    if !kind.available() {
        return;
    }
    seclusion::set_up();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut browser = Browser::start(kind);
        run(&mut browser).await;
    });
}

fn calls(kind: Kind, codec: VideoCodec) {
    if !kind.available() {
        return;
    }
    seclusion::set_up();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut browser = Browser::start(kind);
        let listed = browser.call("codecs", Value::Null);
        if !listed.as_array().is_some_and(|all| all.contains(&json!(name(codec)))) {
            return without(kind, codec, &listed);
        }
        let server = Server::start(config(&browser)).await.expect("the server starts");
        for newcomer in [Newcomer::Browser, Newcomer::Ours] {
            browser.reload();
            call(&mut browser, &server, codec, newcomer).await;
        }
        server.stop().await;
    });
}

/// Calls with a Chromium that does not announce its SSRCs. `silence` is one of the page's ways to omit them.
/// `newcomers`: simulcast needs a line of the browser's own. In an answer it would be a further line, which is a shared screen.
fn unannounced(silence: &str, newcomers: &[Newcomer]) {
    if !Kind::Chromium.available() {
        return;
    }
    seclusion::set_up();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut browser = Browser::start(Kind::Chromium);
        let server = Server::start(config(&browser)).await.expect("the server starts");
        for newcomer in newcomers {
            browser.reload();
            silent_call(&mut browser, &server, silence, *newcomer).await;
        }
        server.stop().await;
    });
}

async fn silent_call(browser: &mut Browser, server: &Server, silence: &str, newcomer: Newcomer) {
    let url = format!("ws://{}", server.addr());
    let room = if newcomer == Newcomer::Ours { "ours" } else { "browser" };
    let start = json!({ "url": url, "room": room, "name": "browser", "frequency": PAGE_HZ, "silence": silence });
    let ours = match newcomer {
        Newcomer::Browser => {
            let ours = Ours::join(&url, room, VideoCodec::Vp8).await;
            browser.call("start", start);
            ours
        }
        Newcomer::Ours => {
            browser.call("start", start);
            Ours::join(&url, room, VideoCodec::Vp8).await
        }
    };
    let begun = Instant::now();
    let stats = ours.stats_when("the browser's pictures", |stats| stats.video_in.decoded > PICTURES).await;
    let hz = ours.played_hz_when(|hz| near(hz, PAGE_HZ)).await;
    println!("{silence}, newcomer {newcomer:?}, {:?}: {:?} {hz:.1} Hz", begun.elapsed(), stats.video_in);
    assert_eq!(stats.video_in.refused, 0, "{stats:#?}");
    ours.leave().await;
}

/// Codecs depend on how the browser was built, which is not tested. Only H.264 may be missing.
fn without(kind: Kind, codec: VideoCodec, listed: &Value) {
    assert_eq!(codec, VideoCodec::H264, "{kind:?} lists only {listed}");
    println!("this {kind:?} has no H.264: {listed}");
}

fn config(browser: &Browser) -> Config {
    Config {
        listen: ([127, 0, 0, 1], 0).into(),
        // Only host candidates, the browser's hidden behind an mDNS name.
        turn: Turn::Off,
        allowed_origins: vec![browser.origin.clone()],
        ..Config::default()
    }
}

async fn call(browser: &mut Browser, server: &Server, codec: VideoCodec, newcomer: Newcomer) {
    let url = format!("ws://{}", server.addr());
    let room = format!("{}-{}", name(codec), if newcomer == Newcomer::Ours { "ours" } else { "browser" });
    let start = json!({
        "url": url, "room": room, "name": "browser", "codec": name(codec), "frequency": PAGE_HZ,
        "microphone": browser.kind == Kind::Firefox,
    });
    let ours = match newcomer {
        Newcomer::Browser => {
            let ours = Ours::join(&url, &room, codec).await;
            browser.call("start", start);
            ours
        }
        Newcomer::Ours => {
            browser.call("start", start);
            Ours::join(&url, &room, codec).await
        }
    };
    let report = browser.report_when("picture and sound of ours", PATIENCE, |report| {
        video(report, "inbound")["framesDecoded"].as_u64().unwrap_or(0) > PICTURES && has_audio(report)
    });
    judge_browser(&report, codec);
    let stats = ours.stats_when("the browser's pictures", |stats| stats.video_in.decoded > PICTURES).await;
    judge_ours(&stats, codec);
    let hz = ours.played_hz_when(|hz| near(hz, PAGE_HZ)).await;
    let invented = invented(browser, &ours).await;
    println!("{codec:?} newcomer {newcomer:?}: {report}");
    println!("{codec:?} newcomer {newcomer:?}: {:?} {:?}", stats.video_in, stats.audio_in);
    println!(
        "{codec:?} newcomer {newcomer:?}: played {hz:.1} Hz; concealed at the browser, at our end: {invented:.3?}"
    );
    assert!(invented.iter().all(|share| *share < CONCEALED), "{invented:?} of the sound was concealed");
    ours.leave().await;
}

fn judge_browser(report: &Value, codec: VideoCodec) {
    let mime = format!("video/{}", name(codec));
    for way in ["inbound", "outbound"] {
        let used = video(report, way)["codec"].as_str().unwrap_or_default().to_lowercase();
        assert_eq!(used, mime, "{way}: {report:#}");
    }
    assert_eq!(report["state"], "connected");
    assert_eq!(report["mdns"], true, "the browser hides its addresses: {report:#}");
    let picture = video(report, "inbound");
    assert_eq!(picture["lost"], 0, "a veth loses nothing: {report:#}");
    let sound = line(report, "inbound", "audio");
    assert_eq!(sound["codec"], "audio/opus");
    assert!(figure(sound, "samples") > 0.0, "{report:#}");
}

/// Shares of concealed samples at the browser and at our end after settling, in the same seconds.
async fn invented(browser: &mut Browser, ours: &Ours) -> [f64; 2] {
    let mut before = sound(browser, ours, [SOUND; 2]).await;
    let mut shares = [1.0; 2];
    for _ in 0..LOOKS {
        let after = sound(browser, ours, before.map(|(_, all)| all + SOUND)).await;
        shares = [0, 1].map(|end| (after[end].0 - before[end].0) / (after[end].1 - before[end].1));
        if shares.iter().all(|share| *share < CONCEALED) {
            break;
        }
        println!("concealed at the browser, at our end: {shares:.3?}");
        before = after;
    }
    shares
}

/// Concealed and total samples at both ends, as soon as there are more than `enough`.
async fn sound(browser: &mut Browser, ours: &Ours, enough: [f64; 2]) -> [(f64, f64); 2] {
    let there = |report: &Value| {
        let sound = line(report, "inbound", "audio");
        (figure(sound, "concealed"), figure(sound, "samples"))
    };
    let report = browser.report_when("more sound", PATIENCE, |report| there(report).1 > enough[0]);
    let here = |stats: &engine::ParticipantStats| {
        stats.audio_in.map_or((0.0, 0.0), |audio| (audio.concealed_samples as f64, audio.total_samples as f64))
    };
    let stats = ours.stats_when("more sound", |stats| here(stats).1 > enough[1]).await;
    [there(&report), here(&stats)]
}

fn judge_ours(stats: &engine::ParticipantStats, codec: VideoCodec) {
    let path = stats.path.as_ref().expect("a connection that answers");
    assert_eq!((path.video_codec, path.received_codec), (Some(codec), Some(codec)));
    assert_eq!(stats.video_in.refused, 0, "every frame of a browser must be decodable: {stats:#?}");
    assert!(!path.relayed);
    let audio = stats.audio_in.expect("sound");
    assert!(audio.total_samples > 48_000, "{audio:?}");
}

fn video<'a>(report: &'a Value, way: &str) -> &'a Value {
    line(report, way, "video")
}

/// The first RTP stream of a kind, or null.
fn line<'a>(report: &'a Value, way: &str, kind: &str) -> &'a Value {
    let lines = report[way].as_array().map(Vec::as_slice).unwrap_or_default();
    lines.iter().find(|line| line["kind"] == kind).unwrap_or(&Value::Null)
}

fn figure(line: &Value, name: &str) -> f64 {
    line[name].as_f64().unwrap_or(0.0)
}

/// Whether the page receives our tone, judged by its frequency. If the page's analyser receives silence (Firefox
/// without any sound device), the energy in `getStats` decides.
fn has_audio(report: &Value) -> bool {
    let analysed = report["tone"]["db"].is_number();
    near(hz(report), TONE_HZ) || (!analysed && figure(line(report, "inbound", "audio"), "energy") > 0.001)
}

fn hz(report: &Value) -> f64 {
    report["tone"]["hz"].as_f64().unwrap_or(0.0)
}

/// Within the width of two frequency bins of the page.
fn near(hz: f64, wished: f64) -> bool {
    (hz - wished).abs() < 12.0
}

fn name(codec: VideoCodec) -> &'static str {
    match codec {
        VideoCodec::Vp8 => "vp8",
        VideoCodec::Vp9 => "vp9",
        VideoCodec::H264 => "h264",
    }
}
