//! A headset that is unplugged during a call.

use engine::ServerAddress;
use server::{Config, Server, Turn};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};
use whole_system::only;
use whole_system::people::{Habits, Person};
use whole_system::pulse::{Pulse, RATE};
use whole_system::tone;

/// What the headset's microphone hears, what the built-in one hears, and the voice of the far side, Hz.
const HEADSET: u32 = 440;
const BUILT_IN: u32 = 523;
const FAR: u32 = 600;
/// The longest interruption that people accept.
const GAP: Duration = Duration::from_secs(1);
/// Set if the devices are those of the test's own sound server.
const INSIDE: &str = "LUNCHROOM_TEST_HEADSET";

#[test]
fn a_headset_that_is_unplugged_is_replaced_within_a_second() {
    if !Pulse::available() {
        return;
    }
    let pulse = Pulse::start();
    let tone_of = |hertz: u32| {
        let file = pulse.dir().join(format!("{hertz}.wav"));
        tone::write_wav(&file, RATE, &tone::sine(f64::from(hertz), RATE, 60.0));
        file
    };
    let (headset_voice, built_in_voice) = (tone_of(HEADSET), tone_of(BUILT_IN));
    let headset = pulse.plug_in_headset();
    let _built_in = Killed(pulse.speak(&built_in_voice));
    let speaking = Killed(pulse.play_to("headset_feed", &headset_voice));
    let mut call = Call::start(&pulse);
    call.ask(&format!("plays {HEADSET}"));
    let mut sources = pulse.recorded_sources();
    sources.retain(|source| source == "vmic");
    assert!(sources.is_empty(), "only the chosen microphone is open: a headset keeps its music profile");
    call.ask("gap");

    drop(speaking);
    let playback = pulse.listen();
    let unplugged = Instant::now();
    pulse.unplug(headset);
    call.ask(&format!("plays {BUILT_IN}"));
    let gap = Duration::from_millis(call.ask("gap"));
    assert!(gap < GAP, "the far side heard nothing for {gap:?}");
    let samples = playback.record(2.0);
    let silent = first_tone(&samples);
    assert!(silent < GAP, "nothing was played here for {silent:?} after {:?}", unplugged.elapsed());
    // PulseAudio may move the streams itself, so the app need not notice that the devices were replaced.
    call.end();
}

/// The time until the first sound of a recording.
fn first_tone(samples: &[f32]) -> Duration {
    let block = RATE as usize / 100;
    let loud = |block: &[f32]| block.iter().any(|sample| sample.abs() > 0.01);
    let silent = samples.chunks(block).take_while(|block| !loud(block)).count();
    Duration::from_millis(silent as u64 * 10)
}

/// The call in a process of its own, which answers questions with a number.
struct Call {
    child: Killed,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Call {
    fn start(pulse: &Pulse) -> Call {
        let mut command = pulse.command(std::env::current_exe().expect("this program"));
        command.args(only::arguments(module_path!(), "a_call")).env(INSIDE, "1");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let (questions, answers) = (child.stdin.take(), child.stdout.take().expect("a pipe"));
        Call { child: Killed(child), questions, answers: BufReader::new(answers) }
    }

    fn ask(&mut self, question: &str) -> u64 {
        writeln!(self.questions.as_mut().expect("open"), "{question}").expect("it listens");
        for line in self.answers.by_ref().lines() {
            let line = line.expect("text");
            if let Some(answer) = line.split("answer ").nth(1) {
                return answer.trim().parse().expect("a number");
            }
        }
        panic!("the call ended at {question:?}");
    }

    fn end(mut self) {
        drop(self.questions.take());
        for line in self.answers.by_ref().lines() {
            drop(line);
        }
        assert!(self.child.0.wait().expect("a process").success(), "the call itself");
    }
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
    let headset =
        Habits { microphone: Some("alsa:headset_in"), speaker: Some("alsa:headset_out"), ..Habits::new("Ada", 0) };
    let (ada, ben) = (Person::new(headset), Person::new(Habits::new("Ben", FAR)));
    ada.enter(&address, "lunch").await;
    ben.enter(&address, "lunch").await;
    loop {
        let mut question = String::new();
        let read = tokio::task::spawn_blocking(move || std::io::stdin().read_line(&mut question).map(|_| question));
        let question = read.await.expect("no panic").expect("text");
        let answer = match question.trim().split_once(' ').unwrap_or((question.trim(), "")) {
            ("plays", voice) => {
                ben.plays(voice.parse().expect("a frequency")).await;
                0
            }
            ("gap", _) => ben.longest_silence().as_millis() as u64,
            _ => break,
        };
        println!("answer {answer}");
    }
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
