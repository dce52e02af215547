//! Divides a client's stream into frames: STUN messages and channel data.
//!
//! A STUN message carries its length (RFC 8489 section 6.2.2). Channel data does too, and is padded to a multiple of
//! four bytes on a stream (RFC 8656 section 12.5).

use std::time::Instant;

use crate::limits::{MAX_STREAM_FRAME_BYTES, STREAM_FRAME_TIME};
use crate::message::COOKIE;

/// Length of the header of channel data.
pub(crate) const CHANNEL_HEADER: usize = 4;
/// Length of the header of a STUN message.
const STUN_HEADER: usize = 20;
/// Bytes needed to know the length of a frame.
const LENGTH_KNOWN: usize = 4;

/// Whether a stream that begins with this byte can carry TURN.
///
/// Every message that a client may send first has 0 there (the two zero bits and the high bits of its type), and
/// neither an HTTP method nor a TLS record begins with it. [`Framer`] checks the magic cookie.
pub fn begins_stun(first: u8) -> bool {
    first == 0
}

/// Why a stream cannot be continued. Close it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The bytes are neither a STUN message nor channel data.
    NotTurn,
    /// A frame is longer than [`MAX_STREAM_FRAME_BYTES`].
    TooLong,
}

/// Collects the bytes of one stream until they are whole frames.
///
/// Its buffer of [`MAX_STREAM_FRAME_BYTES`] never grows.
///
/// ```
/// # use std::time::Instant;
/// let (mut framer, now) = (relay::stream::Framer::new(), Instant::now());
/// let bytes = [0x40, 0, 0, 2, b'h', b'i', 0, 0];
/// framer.space()[..5].copy_from_slice(&bytes[..5]);
/// framer.filled(now, 5)?;
/// assert_eq!(framer.take(), None);
/// framer.space()[..3].copy_from_slice(&bytes[5..]);
/// framer.filled(now, 3)?;
/// assert_eq!(framer.take().as_deref(), Some(&bytes[..]));
/// # Ok::<(), relay::stream::Broken>(())
/// ```
#[derive(Debug)]
pub struct Framer {
    buffer: Box<[u8]>,
    filled: usize,
    /// The bytes at the beginning that are whole frames.
    whole: usize,
    /// When the unfinished frame behind them began.
    began: Option<Instant>,
}

impl Framer {
    /// Creates a framer without bytes.
    #[allow(clippy::new_without_default)] // it allocates its buffer
    pub fn new() -> Framer {
        Framer { buffer: vec![0; MAX_STREAM_FRAME_BYTES].into(), filled: 0, whole: 0, began: None }
    }

    /// Where the next bytes of the stream go. Not empty after [`Framer::take`].
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.buffer[self.filled..]
    }

    /// Records that `count` bytes were written to [`Framer::space`].
    ///
    /// # Errors
    /// [`Broken`] if they can never become a frame.
    pub fn filled(&mut self, now: Instant, count: usize) -> Result<(), Broken> {
        self.filled = (self.filled + count).min(self.buffer.len());
        let before = self.whole;
        while let Some(length) = frame_length(&self.buffer[self.whole..self.filled])? {
            self.whole += length;
        }
        if self.whole == self.filled {
            self.began = None;
        } else if self.began.is_none() || self.whole > before {
            self.began = Some(now);
        }
        Ok(())
    }

    /// Removes the whole frames and returns them, one after another. `None` if there is none.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let whole = std::mem::take(&mut self.whole);
        let frames = (whole > 0).then(|| self.buffer[..whole].to_vec());
        self.buffer.copy_within(whole..self.filled, 0);
        self.filled -= whole;
        frames
    }

    /// When the unfinished frame must be whole. A client that trickles bytes is disconnected then.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.began.map(|began| began + STREAM_FRAME_TIME)
    }
}

/// The frames of [`Framer::take`], each with its padding.
pub fn frames(mut whole: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let length = frame_length(whole).ok().flatten()?;
        let (frame, rest) = whole.split_at_checked(length)?;
        whole = rest;
        Some(frame)
    })
}

/// The length of the first frame with its padding, if all of it is here.
fn frame_length(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    let kind = match bytes.first() {
        Some(first) => first >> 6,
        None => return Ok(None),
    };
    if kind > 1 {
        return Err(Broken::NotTurn);
    }
    let Some(head) = bytes.first_chunk::<LENGTH_KNOWN>() else { return Ok(None) };
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let whole = if kind == 0 { STUN_HEADER + length } else { (CHANNEL_HEADER + length).next_multiple_of(4) };
    // In the order in which the bytes arrive, so that it does not matter how they are split.
    if kind == 0 && !length.is_multiple_of(4) {
        return Err(Broken::NotTurn);
    }
    if whole > MAX_STREAM_FRAME_BYTES {
        return Err(Broken::TooLong);
    }
    if kind == 0 && bytes[LENGTH_KNOWN..].iter().zip(&COOKIE).any(|(byte, expected)| byte != expected) {
        return Err(Broken::NotTurn);
    }
    Ok((bytes.len() >= whole).then_some(whole))
}
