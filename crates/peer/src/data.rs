//! The data channel of a connection (RFC 8831).
//!
//! It is made with the connection, because the library opens an SCTP association only together with the handshake. It has
//! a fixed id, so no message opens it (RFC 8832 section 4), and it is reliable and ordered.

use crate::error::PeerError;
use crate::library::guarded;
use bytes::{Bytes, BytesMut};
use std::fmt;
use std::sync::Arc;
use webrtc::data_channel::{DataChannel as LibraryChannel, DataChannelEvent, RTCDataChannelInit};
use webrtc::peer_connection::PeerConnection;

/// The channel's id, the same on both sides.
const ID: u16 = 0;
const LABEL: &str = "files";

/// A message, or a change of the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataMessage {
    /// The channel is open: messages can be sent.
    Open,
    /// A text.
    Text(String),
    /// Bytes.
    Binary(Bytes),
}

/// The data channel of a connection. Cheap to clone. Nothing is read from the network while nobody calls
/// [`DataChannel::next`] and a few hundred messages wait, so a slow reader slows the sender down.
#[derive(Clone)]
pub struct DataChannel(Arc<dyn LibraryChannel>);

impl DataChannel {
    /// Adds the channel to a connection that has not been negotiated.
    pub(crate) async fn open(connection: &dyn PeerConnection) -> Result<DataChannel, PeerError> {
        let init = RTCDataChannelInit { ordered: true, negotiated: Some(ID), ..RTCDataChannelInit::default() };
        Ok(DataChannel(guarded(connection.create_data_channel(LABEL, Some(init))).await?))
    }

    /// The next message. `None` when the channel or its connection is closed. A text that is not UTF-8 is left out.
    pub async fn next(&self) -> Option<DataMessage> {
        loop {
            match self.0.poll().await? {
                DataChannelEvent::OnOpen => return Some(DataMessage::Open),
                DataChannelEvent::OnMessage(message) if message.is_string => {
                    match String::from_utf8(message.data.to_vec()) {
                        Ok(text) => return Some(DataMessage::Text(text)),
                        Err(error) => tracing::debug!("a text that is not UTF-8: {error}"),
                    }
                }
                DataChannelEvent::OnMessage(message) => return Some(DataMessage::Binary(message.data.freeze())),
                DataChannelEvent::OnClose => return None,
                _ => {}
            }
        }
    }

    /// Queues a text of at most [`MAX_DATA_BYTES`] bytes.
    ///
    /// # Errors
    /// [`PeerError::Refused`]: the channel is not open.
    pub async fn send_text(&self, text: &str) -> Result<(), PeerError> {
        guarded(self.0.send_text(text)).await
    }

    /// Queues at most [`MAX_DATA_BYTES`] bytes. The caller limits what waits; see [`DataChannel::waiting`].
    ///
    /// # Errors
    /// [`PeerError::Refused`]: the channel is not open.
    pub async fn send(&self, data: &[u8]) -> Result<(), PeerError> {
        guarded(self.0.send(BytesMut::from(data))).await
    }

    /// The bytes that the far side has not acknowledged.
    ///
    /// # Errors
    /// [`PeerError::Refused`]: the channel is closed.
    pub async fn waiting(&self) -> Result<usize, PeerError> {
        guarded(self.0.outstanding_bytes()).await
    }
}

impl fmt::Debug for DataChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataChannel").finish_non_exhaustive()
    }
}
