//! Errors of WAV files.

/// The longest file in seconds, about 115 MB in memory.
pub(super) const MAX_SECONDS: u32 = 600;
/// The largest file in bytes: ten minutes of 32-bit stereo at 96 kHz.
pub(super) const MAX_BYTES: u64 = 512 << 20;

/// Why a file cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// Reading failed.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The file has another format.
    #[error("it is not a WAV file")]
    NoWav,
    /// The file has no format chunk.
    #[error("the WAV file does not declare its format")]
    NoFormat,
    /// A property of the file is not supported.
    #[error("the WAV file has {0}, which cannot be played")]
    Unsupported(String),
    /// The file contains no audio.
    #[error("the WAV file contains no audio")]
    Empty,
    /// The file exceeds [`Wav::MAX_SECONDS`](super::Wav::MAX_SECONDS) or [`Wav::MAX_BYTES`](super::Wav::MAX_BYTES).
    #[error("the WAV file is longer than {} minutes or {} MiB", MAX_SECONDS / 60, MAX_BYTES >> 20)]
    TooLong,
}
