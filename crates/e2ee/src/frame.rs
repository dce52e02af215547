//! Frames of one stream, encrypted and decrypted by SFrame (RFC 9605).
//!
//! ```text
//! | clear bytes | SFrame header | encrypted rest | tag |
//! ```

use std::collections::VecDeque;
use std::time::Instant;

use sframe::CipherSuite;
use sframe::error::SframeError;
use sframe::frame::validation::{ReplayAttackProtection, ReplayAttackProtectionError, Tolerance};
use sframe::frame::{EncryptedFrameView, MediaFrameView, MonotonicCounter};
use sframe::key::{DecryptionKey, EncryptionKey};

use crate::limits::{MAX_FRAME_BYTES, MAX_FRAMES, MAX_KEYS, MAX_OVERHEAD, OLD_KEY_TIME, RENEW_AFTER, REPLAY_WINDOW};
use crate::sender_key::SenderKey;
use crate::stream::Stream;

const SUITE: CipherSuite = CipherSuite::AesGcm128Sha256;

/// Why a frame cannot be encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Empty, shorter than what stays clear, or longer than [`MAX_FRAME_BYTES`].
    #[error("not a frame of this stream")]
    Malformed,
    /// The key has encrypted as many frames as it may.
    #[error("the key is used up")]
    UsedUp,
    /// The library failed.
    #[error("encryption failed")]
    Failed,
}

/// Why a frame is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Too short or too long, or the header is not one.
    #[error("not an encrypted frame")]
    Malformed,
    /// The sender's key of this epoch is unknown, too old, or for another stream.
    #[error("no key for this frame")]
    NoKey,
    /// The frame has been decrypted before, or is older than [`REPLAY_WINDOW`] allows.
    #[error("an old frame")]
    Old,
    /// Not of this sender, or changed.
    #[error("not authentic")]
    Forged,
}

/// How many frames were decrypted and dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Decrypted.
    pub opened: u64,
    /// [`OpenError::Malformed`].
    pub malformed: u64,
    /// [`OpenError::NoKey`].
    pub no_key: u64,
    /// [`OpenError::Old`].
    pub old: u64,
    /// [`OpenError::Forged`].
    pub forged: u64,
}

/// Encrypts the frames of one stream with one key. A new key needs a new one.
pub struct Sealer {
    stream: Stream,
    key: EncryptionKey,
    counter: MonotonicCounter,
}

/// Decrypts the frames of one stream of one sender.
///
/// It has at most [`MAX_KEYS`] keys of 300 bytes each, whatever the sender does.
pub struct Opener {
    stream: Stream,
    /// The newest last.
    keys: VecDeque<Key>,
    counts: Counts,
}

struct Key {
    epoch: u32,
    key: DecryptionKey,
    seen: ReplayAttackProtection,
    /// When it is dropped. The newest has no such time.
    until: Option<Instant>,
}

impl Sealer {
    /// Encrypts with this key from now on. Create at most one for each key and stream: a second one would repeat the
    /// first one's counters.
    ///
    /// # Errors
    /// [`SealError::Failed`].
    pub fn new(key: &SenderKey, stream: Stream) -> Result<Sealer, SealError> {
        Sealer::with_frames(key, stream, MAX_FRAMES)
    }

    fn with_frames(key: &SenderKey, stream: Stream, frames: u64) -> Result<Sealer, SealError> {
        let key = EncryptionKey::derive_from(SUITE, stream.key_id(key.epoch()), key.base());
        let counter = MonotonicCounter::new(frames - 1);
        Ok(Sealer { stream, key: key.map_err(|_| SealError::Failed)?, counter })
    }

    /// Encrypts a frame. `sealed` is replaced by the result.
    ///
    /// # Errors
    /// [`SealError`]; the frame must not be sent.
    pub fn seal(&mut self, frame: &[u8], sealed: &mut Vec<u8>) -> Result<(), SealError> {
        sealed.clear();
        let clear = self.stream.clear_bytes(frame).filter(|_| frame.len() <= MAX_FRAME_BYTES);
        let (clear, rest) = frame.split_at(clear.ok_or(SealError::Malformed)?);
        let media = MediaFrameView::try_with_meta_data(&mut self.counter, rest, clear);
        let media = media.map_err(|_| SealError::UsedUp)?;
        media.encrypt_into(&self.key, sealed).map(|_| ()).map_err(|_| SealError::Failed)
    }

    /// Whether the key has encrypted so many frames that another is wanted ([`crate::KeyExchange::renew`]).
    pub fn wants_new_key(&self) -> bool {
        self.counter.current() >= RENEW_AFTER
    }
}

impl Opener {
    /// An opener without keys.
    pub fn new(stream: Stream) -> Opener {
        Opener { stream, keys: VecDeque::new(), counts: Counts::default() }
    }

    /// Decrypts with this key of the sender too. Older ones are dropped in a while.
    ///
    /// Returns whether the key is new: each must have a higher epoch than those before.
    pub fn accept(&mut self, now: Instant, key: &SenderKey) -> bool {
        let epoch = key.epoch();
        if self.keys.back().is_some_and(|newest| newest.epoch >= epoch) {
            return false;
        }
        let id = self.stream.key_id(epoch);
        // Deriving a key of fixed lengths does not fail.
        let Ok(key) = DecryptionKey::derive_from(SUITE, id, key.base()) else { return false };
        self.forget(now);
        for old in &mut self.keys {
            old.until.get_or_insert(now + OLD_KEY_TIME);
        }
        if self.keys.len() == MAX_KEYS {
            self.keys.pop_front();
        }
        let seen = ReplayAttackProtection::new(id, Tolerance::new(REPLAY_WINDOW));
        self.keys.push_back(Key { epoch, key, seen, until: None });
        true
    }

    /// Decrypts a frame. `frame` is replaced by the result, and is empty after an error.
    ///
    /// # Errors
    /// [`OpenError`], which is counted too.
    pub fn open(&mut self, now: Instant, sealed: &[u8], frame: &mut Vec<u8>) -> Result<(), OpenError> {
        frame.clear();
        self.forget(now);
        let opened = self.decrypt(sealed, frame).inspect_err(|_| frame.clear());
        match opened {
            Ok(()) => self.counts.opened += 1,
            Err(OpenError::Malformed) => self.counts.malformed += 1,
            Err(OpenError::NoKey) => self.counts.no_key += 1,
            Err(OpenError::Old) => self.counts.old += 1,
            Err(OpenError::Forged) => self.counts.forged += 1,
        }
        opened
    }

    /// What has become of the frames.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn decrypt(&mut self, sealed: &[u8], frame: &mut Vec<u8>) -> Result<(), OpenError> {
        let clear = self.stream.clear_bytes(sealed).filter(|_| sealed.len() <= MAX_FRAME_BYTES + MAX_OVERHEAD);
        let (clear, rest) = sealed.split_at(clear.ok_or(OpenError::Malformed)?);
        let view = EncryptedFrameView::try_with_meta_data(rest, clear).map_err(|_| OpenError::Malformed)?;
        // A tag has this length; the library looks at the length only after it has made room for the rest.
        if view.cipher_text().len() < SUITE.auth_tag_len() || view.header().counter() >= MAX_FRAMES {
            return Err(OpenError::Malformed);
        }
        let id = view.header().key_id();
        let key = self.keys.iter_mut().find(|key| key.key.key_id() == id).ok_or(OpenError::NoKey)?;
        let opened = view.validated_decrypt_into(&key.key, frame, &mut key.seen);
        opened.map(|_| ()).map_err(|error| reason(&error))
    }

    fn forget(&mut self, now: Instant) {
        self.keys.retain(|key| key.until.is_none_or(|until| now < until));
    }
}

fn reason(error: &SframeError) -> OpenError {
    if error.source_as::<ReplayAttackProtectionError>().is_some() { OpenError::Old } else { OpenError::Forged }
}

#[cfg(test)]
mod tests;
