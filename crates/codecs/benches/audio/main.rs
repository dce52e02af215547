//! Simulated calls with recorded speech: `cargo bench -p codecs --bench audio -- CLIPS OUT [NAME [DELAY [SCHEME...]]]`.
//!
//! CLIPS is a folder of WAV files (mono, 48 kHz), one for each seed. OUT gets the sound of each call, for a tool that
//! rates it. Prints a line of figures for each call, with tabs between: scenario, clip, sound, mean and 95 % of the delay
//! in ms, share concealed, kbit/s of payload and on the wire. NAME selects the scenarios whose name contains it; DELAY is
//! that of the path in ms; a SCHEME is described in `scheme.rs`. Time is virtual.

mod call;
mod scenario;
mod scheme;

use call::Figures;
use scenario::Scenario;
use scheme::Scheme;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [clips, out, rest @ ..] = &arguments[..] else {
        println!("SKIPPED: no folder of recorded speech; `cargo xtask bench audio` prepares it");
        return;
    };
    let mut clips: Vec<PathBuf> = std::fs::read_dir(clips).expect("clips").flatten().map(|file| file.path()).collect();
    clips.sort();
    let only = rest.first().map_or("", String::as_str);
    let delay = rest.get(1).map_or(50, |delay| delay.parse().expect("ms"));
    let schemes: Vec<Scheme> = match rest.get(2..) {
        Some(schemes @ [_, ..]) => schemes.iter().map(|scheme| scheme::parse(scheme)).collect(),
        _ => vec![scheme::parse("app")],
    };
    let scenarios: Vec<Scenario> = scenario::all(Duration::from_millis(delay));
    let mut jobs: Vec<(&Scenario, &Scheme, usize)> = vec![];
    for scenario in scenarios.iter().filter(|s| s.name.contains(only)) {
        jobs.extend(schemes.iter().flat_map(|scheme| (0..clips.len()).map(move |seed| (scenario, scheme, seed))));
    }
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((scenario, scheme, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            call(scenario, scheme, *seed, &clips[*seed], Path::new(out));
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (0..cores).for_each(|_| drop(scope.spawn(work)));
    });
}

fn call(scenario: &Scenario, scheme: &Scheme, seed: usize, clip: &Path, out: &Path) {
    let (played, figures) = call::run(scenario, scheme, &read(clip), seed as u64);
    let name = format!("{} {}", scenario.name, scheme.name);
    let sound = out.join(format!("{}-{seed:02}.wav", name.replace([' ', '/'], "-")));
    write(&sound, &played);
    let Figures { concealed, payload, wire, .. } = figures;
    let (mean, most) = summary(figures.delays);
    println!(
        "{name}\t{}\t{}\t{mean:.2}\t{most:.2}\t{concealed:.5}\t{payload:.2}\t{wire:.2}",
        clip.display(),
        sound.display()
    );
}

/// The mean and the 95th percentile.
fn summary(mut delays: Vec<f64>) -> (f64, f64) {
    delays.sort_by(f64::total_cmp);
    let mean = delays.iter().sum::<f64>() / delays.len() as f64;
    (mean, delays.get(delays.len() * 95 / 100).copied().unwrap_or(f64::NAN))
}

fn read(path: &Path) -> Vec<f32> {
    let mut file = hound::WavReader::open(path).expect("a WAV file");
    assert_eq!((file.spec().sample_rate, file.spec().channels), (48_000, 1), "{}", path.display());
    file.samples::<i16>().map(|sample| f32::from(sample.expect("a sample")) / 32_768.0).collect()
}

fn write(path: &Path, samples: &[f32]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 48_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).expect("a WAV file");
    for sample in samples {
        file.write_sample((sample.clamp(-1.0, 1.0) * 32_767.0) as i16).expect("written");
    }
    file.finalize().expect("written");
}
