//! Problems that people meet when they first use the app, in its real window.

use super::*;
use serde_json::json;

/// A server that can be killed and started again at the same address.
fn serve(runtime: &Runtime, at: SocketAddr, tls: bool) -> Server {
    let data_dir = tls.then(|| std::env::temp_dir().join(format!("lunchroom-trouble-{}", std::process::id())));
    let tls = if tls { server::Tls::SelfSigned } else { server::Tls::Off };
    let config = Config { listen: at, turn: Turn::Off, tls, data_dir, ..Config::default() };
    let end = Instant::now() + PATIENCE;
    loop {
        match runtime.block_on(Server::start(config.clone())) {
            Ok(server) => return server,
            // Connections of the previous server may still hold the port.
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The app's saved settings for a profile.
fn settings(place: &Place, profile: &str) -> Value {
    let file = place.desktop.home().join("config").join(format!("org.lunchroom.desktop.{profile}/settings.json"));
    serde_json::from_str(&std::fs::read_to_string(file).expect("settings")).expect("JSON")
}

/// Writes a line of chat by typing it.
fn write(app: &App, line: &str) {
    app.run(&format!(
        "const field = document.querySelector('#chat-input'); field.focus(); field.value = {};
         field.dispatchEvent(new Event('input', {{ bubbles: true }}));
         field.dispatchEvent(new KeyboardEvent('keydown', {{ key: 'Enter', bubbles: true, cancelable: true }}));",
        json!(line)
    ));
}

#[test]
fn a_line_written_during_an_outage_is_sent_once() {
    let Some(mut place) = Place::new() else { return };
    let ben = place.runtime.block_on(place.headless("Ben"));
    let ada = place.sits_down("Ada", LEFT, &[]);
    ada.press("#call-chat");
    write(&ada, "before");
    ada.until("said", "return [...document.querySelectorAll('lr-chat .lines:not(.waiting) .text')].length === 1");

    let at = place.server.take().map(|server| {
        let at = server.addr();
        place.runtime.block_on(server.stop());
        at
    });
    ada.until("reconnecting", "return !document.querySelector('.call-top .line').hidden");
    write(&ada, "meanwhile");
    ada.until("waiting", "return document.querySelector('lr-chat .waiting .text')?.textContent === 'meanwhile'");
    assert_eq!(ada.run("return document.querySelector('#chat-input').value"), json!(""));

    place.server = Some(serve(&place.runtime, at.expect("a server"), false));
    let said = "[...document.querySelectorAll('lr-chat .lines:not(.waiting) .text')].map(line => line.textContent)";
    ada.until("said", &format!("return {said}.includes('meanwhile')"));
    place.runtime.block_on(async {
        let received = |view: &engine::AppView| view.chat.iter().filter(|line| line.text == "meanwhile").count();
        ben.until("notified", |view| received(view) > 0).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await; // time for a line that must not be sent
        assert_eq!(received(&ben.engine.view().borrow()), 1);
    });
    assert_eq!(ada.run(&format!("return {said}.filter(line => line === 'meanwhile').length")), json!(1));
}

#[test]
fn an_unexpected_server_is_not_saved() {
    let Some(place) = Place::new() else { return };
    let stranger = serve(&place.runtime, SocketAddr::from(([127, 0, 0, 1], 0)), true);
    let link = format!("lunchroom://join/soup?server=wss://{}&fp={}", stranger.addr(), "00".repeat(32));
    let more = json!({"camera_on": true, "microphone_on": true});
    let ada = App::start(&place.desktop, PROGRAM, "Ada", more, &["--server", &place.url, &link]);
    ada.until("at the device check", &at_check("soup"));
    ada.press("#join");
    ada.until("refused", "return !!document.querySelector('lr-ended h1')");
    assert_eq!(
        ada.run("return !!document.querySelector('#leave, #join')"),
        json!(false),
        "the call ends instead of retrying forever"
    );
    let kept = settings(&place, "ada");
    assert!(!kept.to_string().contains("wss://"), "{kept}");
    assert_eq!((&kept["camera_on"], &kept["microphone_on"]), (&json!(true), &json!(true)));
    drop(ada);
    place.runtime.block_on(stranger.stop());
}

#[test]
fn a_missing_device_is_off_and_reported_once() {
    let Some(place) = Place::new() else { return };
    let ben = place.runtime.block_on(place.headless("Ben"));
    let devices = ["--camera", "no such camera", "--microphone", "no such microphone"];
    let link = format!("lunchroom://join/soup?server={}", place.url);
    let arguments: Vec<&str> = ["--server", &place.url].into_iter().chain(devices).chain([link.as_str()]).collect();
    let ada = App::start_with(&place.desktop, PROGRAM, "Ada", Value::Null, &["--speaker", "null"], &arguments);
    place.desktop.place(&ada.title, LEFT);
    ada.press("#join");
    ada.until("in the room", "return !!document.querySelector('#leave')");
    let media = place.runtime.block_on(ben.reaches("Ada")).info.media;
    assert!(!media.camera && !media.microphone, "{media:?}");
    ada.press("#call-camera");
    let trouble = "document.querySelector('.call-trouble')";
    ada.until("notified", &format!("const e = {trouble}; return !!e && !e.hidden"));
    let media = place.runtime.block_on(ben.reaches("Ada")).info.media;
    assert!(!media.camera, "reported to the others as off: {media:?}");
    ada.run(&format!("[...{trouble}.querySelectorAll('button')].at(-1).click()"));
    ada.until("put away", &format!("return {trouble}.hidden"));
    std::thread::sleep(Duration::from_millis(2_500)); // time for a further attempt
    assert_eq!(ada.run(&format!("return {trouble}.hidden")), json!(true), "said once");
}

#[test]
fn the_connection_check_names_what_fails_before_anybody_has_a_seat() {
    let Some(place) = Place::new() else { return };
    let closed = testkit::loopback::address();
    let ada = App::start(&place.desktop, PROGRAM, "Ada", Value::Null, &["--server", &format!("ws://{closed}")]);
    ada.press("#check-connection");
    ada.until("a finding", "return !!document.querySelector('dialog .finding[data-severity=blocks]')");
    assert_eq!(ada.run("return document.querySelector('dialog .verdict').dataset.verdict"), json!("blocked"));
    let failed = "[...document.querySelectorAll('dialog .hops [data-passed=false]')].map(hop => hop.textContent)";
    let failed = ada.run(&format!("return {failed}"));
    assert!(failed.to_string().contains(&closed.to_string()), "{failed}");

    // With the server there, the same dialog finds nothing that blocks calls.
    let server = serve(&place.runtime, closed, false);
    ada.press("#check-again");
    ada.until(
        "the server is there",
        "const found = document.querySelector('dialog .verdict'); return !!found && found.dataset.verdict !== 'blocked'",
    );
    drop(ada);
    place.runtime.block_on(server.stop());
}

#[test]
fn a_damaged_link_during_a_call_is_explained() {
    let Some(place) = Place::new() else { return };
    let ada = place.sits_down("Ada", LEFT, &[]);
    let broken = "lunchroom://join/soup?server=wss://lunch.example&amp;fp=ABEiM0RVZneImaq7zN3u_wARIjNEVWZ3iJmqu8zd7v8";
    assert!(place.second_start("ada", broken).success());
    ada.until("notified", "return (document.querySelector('.errors')?.textContent ?? '').length > 10");
    assert_eq!(ada.run("return !!document.querySelector('#leave')"), json!(true), "the call continues");
}

#[test]
fn an_unreachable_server_can_be_retried_at_once() {
    let Some(mut place) = Place::new() else { return };
    let at = place.server.take().map(|server| {
        let at = server.addr();
        place.runtime.block_on(server.stop());
        at
    });
    let ada = App::start(&place.desktop, PROGRAM, "Ada", Value::Null, &["--server", &place.url]);
    ada.until("offers to try again", "return !!document.querySelector('#connect-again')?.getClientRects().length");
    place.server = Some(serve(&place.runtime, at.expect("a server"), false));
    // The app's own attempt may be faster. Then the button is gone.
    ada.run("document.querySelector('#connect-again')?.click()");
    ada.until("the board", "return !!document.querySelector('#lay-table')?.getClientRects().length");
}
