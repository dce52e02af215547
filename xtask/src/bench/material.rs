//! Test media for a measured call, generated if no media folder is given.
//!
//! The picture is a moving pattern of plaid and grain, so that a codec has both easy and hard areas. The sound consists
//! of artificial syllables. Every run generates the same bytes.

use std::f64::consts::TAU;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Pictures in a clip, which is played forwards and backwards.
const FRAMES: usize = 64;
/// Sample rate in Hz. The sound is mono with 16 bits.
const RATE: u32 = 48_000;
const SPEECH_SECONDS: u32 = 10;

/// Returns a folder with `clip-WxH.i420` and `speech.wav`, after generating what is missing.
pub(crate) fn provide(folder: PathBuf, width: usize, height: usize) -> Result<PathBuf> {
    fs::create_dir_all(&folder)?;
    once(&folder.join(format!("clip-{width}x{height}.i420")), |out| write_clip(out, width, height))?;
    once(&folder.join("speech.wav"), write_speech)?;
    Ok(folder)
}

/// Writes a file under another name and renames it, so that an interrupted run leaves no partial file.
fn once(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let half = path.with_extension("half");
    let mut out = BufWriter::new(File::create(&half).with_context(|| half.display().to_string())?);
    write(&mut out)?;
    out.flush()?;
    fs::rename(&half, path).with_context(|| path.display().to_string())
}

fn write_clip(out: &mut dyn Write, width: usize, height: usize) -> std::io::Result<()> {
    for n in 0..FRAMES {
        let (dx, dy) = (n * 3, n * 2);
        let luma: Vec<u8> = pixels(width, height).map(|(x, y)| luma(x + dx, y + dy)).collect();
        out.write_all(&luma)?;
        for (around, slope) in [(110, 1), (140, 2)] {
            let chroma = |(x, y): (usize, usize)| (around + wave((x * slope + y + n) as f64 / 40.0, 20.0)) as u8;
            out.write_all(&pixels(width.div_ceil(2), height.div_ceil(2)).map(chroma).collect::<Vec<u8>>())?;
        }
    }
    Ok(())
}

fn pixels(width: usize, height: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..height).flat_map(move |y| (0..width).map(move |x| (x, y)))
}

/// Luma in limited range, as in video.
fn luma(x: usize, y: usize) -> u8 {
    let plaid = wave(x as f64 / 37.0, 35.0) + wave(y as f64 / 23.0, 35.0);
    (125 + plaid + grain(x, y)).clamp(16, 235) as u8
}

fn wave(turns: f64, height: f64) -> i32 {
    ((turns * TAU).sin() * height) as i32
}

/// Noise from -8 to 7, fixed for each position.
fn grain(x: usize, y: usize) -> i32 {
    let mut hash = (x as u32).wrapping_mul(0x9E37_79B1) ^ (y as u32).wrapping_mul(0x85EB_CA77);
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x2C1B_3C6D);
    (hash >> 28) as i32 - 8
}

fn write_speech(out: &mut dyn Write) -> std::io::Result<()> {
    let samples = RATE * SPEECH_SECONDS;
    let bytes = samples * 2;
    out.write_all(b"RIFF")?;
    out.write_all(&(36 + bytes).to_le_bytes())?;
    out.write_all(b"WAVEfmt ")?;
    out.write_all(&16_u32.to_le_bytes())?;
    for half in [1, 1] {
        out.write_all(&u16::to_le_bytes(half))?; // PCM, one channel
    }
    out.write_all(&RATE.to_le_bytes())?;
    out.write_all(&(RATE * 2).to_le_bytes())?;
    for half in [2, 16] {
        out.write_all(&u16::to_le_bytes(half))?; // bytes and bits of a sample
    }
    out.write_all(b"data")?;
    out.write_all(&bytes.to_le_bytes())?;
    (0..samples).try_for_each(|n| out.write_all(&voice(f64::from(n) / f64::from(RATE)).to_le_bytes()))
}

/// Harmonics of 140 Hz with four syllables a second, every fourth of them silent.
fn voice(second: f64) -> i16 {
    let syllable = (second * 4.0).fract();
    let open = if (second * 4.0) as u64 % 4 == 3 { 0.0 } else { (syllable * TAU / 2.0).sin() };
    let harmonics: f64 = (1..=12).map(|k| (second * 140.0 * f64::from(k) * TAU).sin() / f64::from(k)).sum();
    (harmonics * open * 5_000.0) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clip_has_all_its_frames_and_they_move() {
        let (width, height) = (32, 18);
        let mut clip = Vec::new();
        write_clip(&mut clip, width, height).unwrap();
        let picture = width * height * 3 / 2;
        assert_eq!(clip.len(), picture * FRAMES);
        assert_ne!(clip[..picture], clip[picture..2 * picture]);
    }

    #[test]
    fn speech_is_audible_and_never_clipped() {
        let mut wav = Vec::new();
        write_speech(&mut wav).unwrap();
        assert_eq!(wav.len(), 44 + (RATE * SPEECH_SECONDS * 2) as usize);
        let loudest = (0..RATE).map(|n| voice(f64::from(n) / f64::from(RATE)).unsigned_abs()).max().unwrap();
        assert!((5_000..32_000).contains(&loudest), "{loudest}");
    }
}
