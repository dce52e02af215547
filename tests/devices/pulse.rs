//! Our audio devices with a real sound server: a tone in, a tone out.

use std::path::Path;
use whole_system::pulse::{Pulse, RATE};
use whole_system::tone;

const PROBE: &str = env!("CARGO_BIN_EXE_device-probe");

#[test]
fn the_default_devices_are_listed_with_stable_ids() {
    if !Pulse::available() {
        return;
    }
    let pulse = Pulse::start();
    let output = pulse.command(PROBE).arg("list").output().expect("the probe runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for kind in ["Microphone", "Speaker"] {
        let line = format!("device kind={kind} default=true synthetic=false id=alsa:default");
        assert!(text.contains(&line), "no {line} in\n{text}");
    }
}

#[test]
fn a_tone_played_into_the_microphone_is_captured() {
    if !Pulse::available() {
        return;
    }
    let pulse = Pulse::start();
    let (spoken, recorded) = (pulse.dir().join("spoken.wav"), pulse.dir().join("heard.wav"));
    tone::write_wav(&spoken, 44_100, &tone::sine(440.0, 44_100, 10.0));
    let mut speaker = pulse.speak(&spoken);
    let mut probe = pulse.command(PROBE);
    let output = probe.args(["microphone", "default", "4"]).arg(&recorded).output().expect("the probe runs");
    let _ = speaker.kill();
    let _ = speaker.wait();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("event=Live"), "{text}");
    assert_tone(&recorded, 440.0, 2.0, &text);
}

#[test]
fn a_tone_written_to_the_speaker_is_played() {
    if !Pulse::available() {
        return;
    }
    let pulse = Pulse::start();
    let listener = pulse.listen();
    let mut probe = pulse.command(PROBE);
    let probe = probe.args(["speaker", "default", "4", "523"]).stdout(std::process::Stdio::piped());
    let probe = probe.spawn().expect("the probe runs");
    let samples = listener.record(4.0);
    let output = probe.wait_with_output().expect("the probe ends");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("event=Live") && text.contains("verdict left=0"), "{text}");
    let recorded = pulse.dir().join("heard.wav");
    tone::write_wav(&recorded, RATE, &samples);
    assert_tone(&recorded, 523.0, 2.0, &text);
}

#[test]
fn reopening_immediately_works_without_alsa_messages() {
    if !Pulse::available() {
        return;
    }
    let pulse = Pulse::start();
    let output = pulse.command(PROBE).args(["again", "default", "default", "10"]).output().expect("the probe runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("verdict opened=10 live=20"), "{text}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains("ALSA lib"), "{said}");
}

#[test]
fn an_unknown_device_is_not_found() {
    if !Pulse::available() {
        return;
    }
    let pulse = Pulse::start();
    let output = pulse.command(PROBE).args(["speaker", "no such device", "1", "440"]).output().expect("the probe runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("error=device_not_found"), "{text}");
}

/// Asserts at least `seconds` of only this tone. A busy machine occasionally causes a gap.
fn assert_tone(file: &Path, frequency: f64, seconds: f64, context: &str) {
    let (samples, rate) = tone::read_wav(file);
    let measured = tone::frequency(&samples, rate);
    let (length, pure) = tone::pure_share(&samples, rate, frequency);
    let found = format!("{length} s of sound of {measured:.1} Hz, {:.0} % of it pure", 100.0 * pure);
    assert!(length >= seconds && pure >= 0.8 && (measured - frequency).abs() < 5.0, "{found}\n{context}");
}
