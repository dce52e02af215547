//! Files that somebody chose.

use media::sources::Wav;

/// A WAV file. Whatever is accepted can be played.
pub(crate) fn wav(data: &[u8]) {
    let Ok(mut wav) = Wav::read(data) else { return };
    let mut out = vec![f32::NAN; 4_800];
    wav.fill(&mut out);
    let longest = media::audio::SAMPLE_RATE as usize * Wav::MAX_SECONDS as usize;
    assert!((1..=longest).contains(&wav.period()) && out.iter().all(|sample| sample.is_finite()));
}
