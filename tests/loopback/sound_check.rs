//! The check of one's own sound with a real sound server: what is said of a good microphone, and of one that picks up its own
//! loudspeaker.

use engine::{Command, SoundCheckView};
use std::process::{Child, Stdio};
use testkit::voice::Voice;
use whole_system::only;
use whole_system::people::{Habits, Person};
use whole_system::pulse::{Pulse, RATE};
use whole_system::tone;

/// Set if the devices are those of the test's own sound server.
const INSIDE: &str = "LUNCHROOM_TEST_SOUND_CHECK";
/// What the check says, after this word.
const SAID: &str = "said ";

#[test]
fn a_good_microphone_is_played_back_and_found_good() {
    if !Pulse::available() {
        return;
    }
    let pulse = Pulse::start();
    let speaking = speak(&pulse);
    let playback = pulse.listen();
    let check = checked(&pulse);
    let samples = playback.record(13.0);
    let said = said(check);
    drop(speaking);
    // A busy machine may drop some sound.
    assert!(said == "[]" || said == "[\"drop_outs\"]", "{said}");
    let loud = samples.chunks(RATE as usize / 100).filter(|block| block.iter().any(|s| s.abs() > 0.02)).count();
    assert!(loud > 200, "{loud} blocks of 10 ms were audible");
}

#[test]
fn a_microphone_that_picks_up_its_loudspeaker_is_found() {
    if !Pulse::available() {
        return;
    }
    let pulse = Pulse::start();
    let speaking = speak(&pulse);
    let mut command = pulse.command("pactl");
    let through_the_air = ["load-module", "module-loopback", "source=spk.monitor", "sink=mic_feed", "latency_msec=60"];
    assert!(command.args(through_the_air).stdout(Stdio::null()).status().expect("pactl").success());
    let said = said(checked(&pulse));
    drop(speaking);
    assert!(said.contains("echo"), "{said}");
}

/// Somebody in a quiet room who speaks for seven seconds and then listens.
fn speak(pulse: &Pulse) -> Killed {
    let (mut voice, second) = (Voice::new(5), RATE as usize);
    let mut sample = |n: usize| {
        let talk = if n < 7 * second && n % second < second * 3 / 4 { voice.sample() } else { 0.0 };
        talk + 0.001 * (voice.random() - 0.5)
    };
    let talk: Vec<f32> = (0..60 * second).map(&mut sample).collect();
    let file = pulse.dir().join("talk.wav");
    tone::write_wav(&file, RATE, &talk);
    Killed(pulse.speak(&file))
}

/// Starts the check in a process of its own, with the devices of the sound server.
fn checked(pulse: &Pulse) -> Child {
    let mut command = pulse.command(std::env::current_exe().expect("this program"));
    command.args(only::arguments(module_path!(), "a_check")).env(INSIDE, "1");
    command.stdout(Stdio::piped()).spawn().expect("it starts")
}

fn said(check: Child) -> String {
    let output = check.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}");
    let said = text.lines().find_map(|line| line.split(SAID).nth(1));
    said.map(|said| said.trim().to_owned()).expect("an answer")
}

/// The check, when the other tests run it with a sound server; otherwise does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_check() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let devices = Habits { microphone: Some("default"), speaker: Some("default"), ..Habits::new("Ada", 0) };
    let ada = Person::new(devices);
    ada.tell(Command::CheckSound(true)).await;
    ada.until("listening", |view| view.sound_check == SoundCheckView::Listening).await;
    ada.tell(Command::CheckSound(false)).await;
    ada.until("stopped", |view| view.sound_check == SoundCheckView::Idle).await;
    ada.tell(Command::CheckSound(true)).await;
    let over = |view: &SoundCheckView| matches!(view, SoundCheckView::Done { .. } | SoundCheckView::Failed);
    let view = ada.until("over", |view| over(&view.sound_check)).await.sound_check;
    match view {
        SoundCheckView::Done { defects } => println!("\n{SAID}{defects:?}"),
        other => panic!("{other:?}"),
    }
    ada.engine.stop().await;
}

/// A process that is killed on drop.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
