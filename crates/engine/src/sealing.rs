//! The encryption of our frames for the forwarder, on the thread of their stream.

use bytes::Bytes;
use e2ee::{SealError, Sealer, SenderKey, Stream};

/// Encrypts the frames of one stream. It lives as long as the thread: a key must not get a second [`Sealer`], whose
/// counter would begin anew.
pub(crate) struct FrameSeal {
    stream: Stream,
    sealer: Option<Sealer>,
}

impl FrameSeal {
    /// Without a key.
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, sealer: None }
    }

    /// Encrypts with this new key from now on. Without one, nothing may be sent.
    pub(crate) fn set_key(&mut self, key: Option<&SenderKey>) {
        self.sealer = key.and_then(|key| {
            let sealer = Sealer::new(key, self.stream);
            sealer.map_err(|error| tracing::error!("frames cannot be encrypted: {error}")).ok()
        });
    }

    /// Whether there is a key.
    pub(crate) fn is_ready(&self) -> bool {
        self.sealer.is_some()
    }

    /// A frame as it is sent. `None` if it must not be.
    pub(crate) fn seal(&mut self, frame: &Bytes) -> Option<Bytes> {
        match seal(self.sealer.as_mut()?, frame) {
            Ok(sealed) => Some(sealed),
            Err(error) => {
                tracing::debug!("a frame of {} bytes is not sent: {error}", frame.len());
                None
            }
        }
    }
}

fn seal(sealer: &mut Sealer, frame: &[u8]) -> Result<Bytes, SealError> {
    let mut sealed = Vec::with_capacity(frame.len() + e2ee::limits::MAX_OVERHEAD);
    sealer.seal(frame, &mut sealed).map(|()| sealed.into())
}
