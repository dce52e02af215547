//! A separate PulseAudio server: real audio devices without hardware.
//!
//! ```text
//! paplay ──► mic_feed (null sink) ──monitor──► vmic ──► the program's default microphone
//! the program's default loudspeaker ──► spk (null sink) ──monitor──► parec
//! ```
//! It has its own runtime directory and socket, and affects no other sound server.

use crate::scratch::Scratch;
use crate::skip::skip_unless;
use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running sound server, which is stopped on drop.
#[derive(Debug)]
pub struct Pulse {
    dir: Scratch,
    server: Child,
}

/// The parts of a headset that is plugged in.
#[derive(Debug)]
pub struct Headset(Vec<String>);

/// Sample rate of recordings.
pub const RATE: u32 = 48_000;

impl Pulse {
    /// Whether the necessary tools are installed. Reports a skip if not.
    pub fn available() -> bool {
        ["pulseaudio", "pactl", "paplay", "parec"].into_iter().all(skip_unless)
    }

    /// Starts the server and waits until it answers.
    pub fn start() -> Pulse {
        let dir = Scratch::new("pulse");
        let script = format!(
            "load-module module-native-protocol-unix auth-anonymous=1 socket={}\n\
             load-module module-null-sink sink_name=spk rate=48000 channels=2 norewinds=1\n\
             load-module module-null-sink sink_name=mic_feed rate=48000 channels=2 norewinds=1\n\
             load-module module-remap-source master=mic_feed.monitor source_name=vmic\n\
             set-default-sink spk\n\
             set-default-source vmic\n",
            dir.join("native").display()
        );
        std::fs::write(dir.join("pulse.pa"), script).expect("pulse.pa");
        // The stock configuration, then the default device.
        let named =
            |name: &str| format!("pcm.{name} {{ type pulse device {name} hint {{ show on description {name} }} }}\n");
        let alsa = "pcm.!default { type pulse }\nctl.!default { type pulse }\n".to_owned();
        let alsa = alsa + &named("headset_out") + &named("headset_in");
        std::fs::write(dir.join("asound.conf"), alsa).expect("asound.conf");
        let log = std::fs::File::create(dir.join("log")).expect("a log");
        let mut command = Command::new("pulseaudio");
        command.args(["--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes", "-n", "-F"]);
        command.arg(dir.join("pulse.pa")).envs(environment(&dir));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let server = command.spawn().expect("pulseaudio starts");
        let mut pulse = Pulse { dir, server };
        pulse.wait_until_ready();
        pulse
    }

    /// Returns a command that runs a program with only the devices of this server.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.envs(environment(&self.dir)).stdin(Stdio::null());
        command
    }

    /// Plays a WAV file into the microphone. Kill the process or wait for it.
    pub fn speak(&self, wav: &Path) -> Child {
        self.command("paplay").args(["-d", "mic_feed"]).arg(wav).spawn().expect("paplay")
    }

    /// Starts recording what the loudspeaker plays.
    pub fn listen(&self) -> Listener {
        let arguments = ["-d", "spk.monitor", "--raw", "--format=s16le", "--rate=48000", "--channels=1"];
        let mut command = self.command("parec");
        let child = command.args(arguments).arg("--latency-msec=20").stdout(Stdio::piped()).spawn().expect("parec");
        Listener(child)
    }

    /// Plugs in a headset: the loudspeaker `headset_out` and the microphone `headset_in`, which hears what is played to
    /// `headset_feed`. Programs open them by these names.
    pub fn plug_in_headset(&self) -> Headset {
        let rate = "rate=48000 channels=2 norewinds=1";
        let load = |module: &str, arguments: String| {
            let mut command = self.command("pactl");
            let output = command.args(["load-module", module]).args(arguments.split(' ')).output().expect("pactl");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        Headset(vec![
            load("module-null-sink", format!("sink_name=headset_out {rate}")),
            load("module-null-sink", format!("sink_name=headset_feed {rate}")),
            load("module-remap-source", "master=headset_feed.monitor source_name=headset_in".into()),
        ])
    }

    /// Unplugs a headset.
    pub fn unplug(&self, headset: Headset) {
        for module in headset.0.iter().rev() {
            let status = self.command("pactl").args(["unload-module", module]).status().expect("pactl");
            assert!(status.success(), "module {module}");
        }
    }

    /// Plays a WAV file into a sink.
    pub fn play_to(&self, sink: &str, wav: &Path) -> Child {
        self.command("paplay").args(["-d", sink]).arg(wav).spawn().expect("paplay")
    }

    /// The names of the sources that are being recorded.
    pub fn recorded_sources(&self) -> Vec<String> {
        let list = |what: &str| {
            let mut command = self.command("pactl");
            let output = command.args(["list", "short", what]).output().expect("pactl");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let rows = text.lines().map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
            rows.collect::<Vec<_>>()
        };
        let sources = list("sources");
        let name = |number: &String| sources.iter().find(|row| row.first() == Some(number)).map(|row| row[1].clone());
        list("source-outputs").iter().filter_map(|row| name(row.get(1)?)).collect()
    }

    /// Folder for the test's files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn wait_until_ready(&mut self) {
        let start = Instant::now();
        while !self.answers() {
            let ended = self.server.try_wait().expect("pulseaudio").is_some();
            if ended || start.elapsed() > Duration::from_secs(60) {
                let log = std::fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                panic!("pulseaudio does not answer:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        let mut command = self.command("pactl");
        let output = command.args(["list", "short", "sources"]).stderr(Stdio::null()).output().expect("pactl");
        String::from_utf8_lossy(&output.stdout).contains("vmic")
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A recording in progress.
#[derive(Debug)]
pub struct Listener(Child);

impl Listener {
    /// Blocks until this much has been recorded, then ends the recording. Returns samples at 48 kHz, one channel.
    pub fn record(mut self, seconds: f64) -> Vec<f32> {
        let mut bytes = vec![0; (f64::from(RATE) * seconds) as usize * 2];
        self.0.stdout.take().expect("a pipe").read_exact(&mut bytes).expect("a recording");
        bytes.chunks_exact(2).map(|s| f32::from(i16::from_le_bytes([s[0], s[1]])) / f32::from(i16::MAX)).collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn environment(dir: &Scratch) -> Vec<(&'static str, OsString)> {
    let mut alsa = OsString::from("/usr/share/alsa/alsa.conf:");
    alsa.push(dir.join("asound.conf"));
    let mut server = OsString::from("unix:");
    server.push(dir.join("native"));
    vec![
        ("XDG_RUNTIME_DIR", dir.path().into()),
        ("PULSE_RUNTIME_PATH", dir.path().into()),
        ("PULSE_STATE_PATH", dir.path().into()),
        ("HOME", dir.path().into()),
        ("PULSE_SERVER", server),
        ("ALSA_CONFIG_PATH", alsa),
    ]
}
