//! A voice in a call from a real microphone to a real loudspeaker.

use engine::{AppView, DeviceKind, ServerAddress};
use server::{Config, Server, Turn};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use whole_system::only;
use whole_system::people::{Habits, Person};
use whole_system::pulse::{Pulse, RATE};
use whole_system::tone;

const VOICE: u32 = 523;
/// Set if the devices are those of the test's own sound server.
const INSIDE: &str = "LUNCHROOM_TEST_SOUND";

#[test]
fn a_tone_in_a_microphone_is_played_by_the_remote_speaker() {
    if !Pulse::available() {
        return;
    }
    let pulse = Pulse::start();
    let spoken = pulse.dir().join("spoken.wav");
    tone::write_wav(&spoken, RATE, &tone::sine(f64::from(VOICE), RATE, 25.0));
    let _speaking = Killed(pulse.speak(&spoken));
    let mut call = pulse.command(std::env::current_exe().expect("this program"));
    call.args(only::arguments(module_path!(), "a_call")).env(INSIDE, "1").stdin(Stdio::piped());
    let mut call = Killed(call.spawn().expect("it starts"));
    let start = std::time::Instant::now();
    loop {
        let samples = pulse.listen().record(1.0);
        let measured = tone::frequency(&samples, RATE);
        let (seconds, pure) = tone::pure_share(&samples, RATE, f64::from(VOICE));
        if seconds >= 0.8 && pure >= 0.8 && (measured - f64::from(VOICE)).abs() < 3.0 {
            break;
        }
        let ended = call.0.try_wait().expect("a process").is_some();
        let late = start.elapsed().as_secs() > 20;
        assert!(!ended && !late, "{seconds} s of sound of {measured:.1} Hz, {pure} of it pure; ended: {ended}");
    }
    drop(call.0.stdin.take());
    assert!(call.0.wait().expect("a process").success(), "the call itself");
}

/// The call, when the other test runs it with a sound server; otherwise does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_call() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let server = Server::start(Config { listen, turn: Turn::Off, ..Config::default() }).await.expect("a server");
    let address = ServerAddress { url: server.url().parse().expect("a URL"), fingerprint: None };
    let speaks = Habits { microphone: Some("default"), ..Habits::new("Ada", 0) };
    let listens = Habits { speaker: Some("default"), ..Habits::new("Ben", 600) };
    let (ada, ben) = (Person::new(speaks), Person::new(listens));
    ada.enter(&address, "lunch").await;
    ben.enter(&address, "lunch").await;
    tokio::join!(ada.plays(600), ben.plays(VOICE));
    let sound = |view: &AppView| view.problems.iter().all(|p| p.device == Some(DeviceKind::Camera));
    ben.until("without problems", sound).await;
    let _ = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await;
    tokio::join!(ada.engine.stop(), ben.engine.stop());
}

/// A process that is killed on drop.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
