//! What can be wrong with a WAV file.

/// The longest file, about 115 MB in memory.
pub(super) const MAX_SECONDS: u32 = 600;
/// The largest file: ten minutes of stereo in 32 bits at 96 kHz.
pub(super) const MAX_BYTES: u64 = 512 << 20;

/// Why a file gives no sound.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// The disk failed.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is something else.
    #[error("it is no WAV file")]
    NoWav,
    /// Nothing in it says how its samples lie.
    #[error("the WAV file does not say what format it has")]
    NoFormat,
    /// Something in its head is out of what we play.
    #[error("the WAV file has {0}, which cannot be played")]
    Unsupported(String),
    /// There is nothing in it.
    #[error("the WAV file has no sound in it")]
    Empty,
    /// More than [`Wav::MAX_SECONDS`](super::Wav::MAX_SECONDS) or [`Wav::MAX_BYTES`](super::Wav::MAX_BYTES).
    #[error("the WAV file is longer than {} minutes or {} MiB", MAX_SECONDS / 60, MAX_BYTES >> 20)]
    TooLong,
}
