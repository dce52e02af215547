//! Simulated calls with recorded speech: `cargo bench -p codecs --bench audio -- CLIPS OUT [NAME]`.
//!
//! CLIPS is a folder of WAV files (mono, 48 kHz), one for each seed. OUT gets the sound of each call as
//! `SCENARIO-SEED.wav`, for a tool that rates it. Prints a line of figures for each call, with tabs between:
//! scenario, clip, sound, mean and 95 % of the delay in ms, share concealed, kbit/s of payload and on the wire.
//! NAME selects the scenarios whose name contains it. Time is virtual.

mod call;
mod scenario;

use call::Figures;
use codecs::OpusConfig;
use scenario::Scenario;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [clips, out, only @ ..] = &arguments[..] else {
        println!("SKIPPED: no folder of recorded speech; `cargo xtask bench audio` prepares it");
        return;
    };
    let mut clips: Vec<PathBuf> = std::fs::read_dir(clips).expect("clips").flatten().map(|file| file.path()).collect();
    clips.sort();
    let only = only.first().map_or("", String::as_str);
    let scenarios: Vec<Scenario> = scenario::all().into_iter().filter(|s| s.name.contains(only)).collect();
    let jobs: Vec<(&Scenario, usize)> = scenarios.iter().flat_map(|s| (0..clips.len()).map(move |n| (s, n))).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((scenario, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            call(scenario, *seed, &clips[*seed], Path::new(out));
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (0..cores).for_each(|_| drop(scope.spawn(work)));
    });
}

fn call(scenario: &Scenario, seed: usize, clip: &Path, out: &Path) {
    let config = OpusConfig { expected_loss_percent: 5, ..OpusConfig::default() };
    let (played, figures) = call::run(scenario, config, &read(clip), seed as u64);
    let sound = out.join(format!("{}-{seed:02}.wav", scenario.name));
    write(&sound, &played);
    let Figures { concealed, payload, wire, .. } = figures;
    let (mean, most) = summary(figures.delays);
    println!(
        "{}\t{}\t{}\t{mean:.2}\t{most:.2}\t{concealed:.5}\t{payload:.2}\t{wire:.2}",
        scenario.name,
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
