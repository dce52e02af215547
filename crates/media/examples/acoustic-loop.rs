//! Counts how often recorded speech is taken for an acoustic loop: `cargo run --release -p media --example acoustic-loop --
//! FILE`. The file has 16-bit samples at 48 kHz, one channel, without a header.

use media::acoustic_loop::{Correlator, LoopDetector};
use media::audio::BLOCK;

fn main() -> std::io::Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: acoustic-loop FILE");
        std::process::exit(2);
    };
    let bytes = std::fs::read(path)?;
    let sample = |two: &[u8]| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0;
    let samples: Vec<f32> = bytes.chunks_exact(2).map(sample).collect();
    let (mut detector, mut correlator, mut silenced) = (LoopDetector::default(), Correlator::default(), 0);
    for block in samples.chunks_exact(BLOCK) {
        let Ok(block) = block.try_into() else { break };
        detector.push(block, None, &mut correlator);
        silenced += usize::from(detector.is_silenced());
    }
    println!("silenced for {:.2} s of {:.2} s", silenced as f64 / 100.0, samples.len() as f64 / 48_000.0);
    Ok(())
}
