//! The text messages of a data channel (PROTOCOL.md, *Files*).

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Longest text message in bytes.
pub const MAX_MESSAGE_BYTES: usize = 4096;
/// Largest file in bytes: numbers in JSON are exact up to here.
pub const MAX_SIZE: u64 = (1 << 53) - 1;
/// Longest file name and longest media type in a message, in bytes.
const MAX_NAME_BYTES: usize = 1024;
const MAX_MIME_BYTES: usize = 128;

/// Identifies a transfer: a random number of its sender.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(pub [u8; 16]);

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

/// Why a transfer ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS), ts(rename = "TransferReason"))]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A person cancelled it.
    Cancelled,
    /// The receiver has too many offers.
    TooMany,
    /// The file is too large for the receiver.
    TooLarge,
    /// The sender sent more than it announced.
    TooMuch,
    /// What arrived is not what was sent.
    WrongHash,
    /// The file changed or vanished while it was sent.
    Changed,
    /// A disk is full.
    DiskFull,
    /// A file cannot be read or written.
    Disk,
    /// The other side broke the rules of the protocol.
    Protocol,
    /// A reason that this version does not know.
    #[serde(other)]
    Unknown,
}

/// A text message. Messages of unknown types are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Message {
    /// The sender offers a file, for the first time or after a break.
    Offer {
        /// The transfer.
        id: TransferId,
        /// The file's name, as the sender has it.
        name: String,
        /// Bytes.
        size: u64,
        /// Media type, empty if unknown.
        #[serde(default)]
        mime: String,
    },
    /// The receiver wants the file from an offset, and has what is before it.
    Accept {
        /// The transfer.
        id: TransferId,
        /// Bytes that the receiver has.
        offset: u64,
        /// The SHA-256 of these bytes.
        sha256: Digest,
    },
    /// The receiver does not want the file.
    Decline {
        /// The transfer.
        id: TransferId,
    },
    /// The sender's file begins differently, so it sends from the beginning.
    Restart {
        /// The transfer.
        id: TransferId,
    },
    /// What has arrived.
    Ack {
        /// The transfer.
        id: TransferId,
        /// Bytes without a gap.
        received: u64,
        /// The time of the newest chunk.
        time: u32,
        /// The receiver's clock when that chunk arrived, in microseconds. It wraps.
        arrived: u32,
    },
    /// A side pauses the transfer.
    Pause {
        /// The transfer.
        id: TransferId,
    },
    /// The sender no longer pauses. A receiver sends `accept` for that.
    Resume {
        /// The transfer.
        id: TransferId,
    },
    /// A side ends the transfer.
    Cancel {
        /// The transfer.
        id: TransferId,
        /// Why.
        reason: Reason,
    },
    /// Everything has been sent.
    Done {
        /// The transfer.
        id: TransferId,
        /// The SHA-256 of the file.
        sha256: Digest,
    },
    /// The receiver has checked and stored the file.
    Stored {
        /// The transfer.
        id: TransferId,
    },
}

/// Why a text is not a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Longer than [`MAX_MESSAGE_BYTES`].
    #[error("a message has at most {MAX_MESSAGE_BYTES} bytes")]
    TooLong,
    /// Not one of our messages, or of an unknown type.
    #[error("it is not a message about files: {0}")]
    Syntax(String),
    /// A number or text is out of range.
    #[error("a value is out of range")]
    Range,
}

impl Message {
    /// Parses a text message.
    ///
    /// # Errors
    /// See [`MessageError`].
    pub fn parse(text: &str) -> Result<Message, MessageError> {
        if text.len() > MAX_MESSAGE_BYTES {
            return Err(MessageError::TooLong);
        }
        let message: Message = serde_json::from_str(text).map_err(|error| MessageError::Syntax(error.to_string()))?;
        let fits = match &message {
            Message::Offer { name, size, mime, .. } => {
                name.len() <= MAX_NAME_BYTES && mime.len() <= MAX_MIME_BYTES && *size <= MAX_SIZE
            }
            Message::Accept { offset: number, .. } | Message::Ack { received: number, .. } => *number <= MAX_SIZE,
            _ => true,
        };
        if fits { Ok(message) } else { Err(MessageError::Range) }
    }

    /// The message as text. An offer's name is cut to fit.
    pub fn write(&self) -> String {
        let fitting = match self {
            Message::Offer { id, name, size, mime } if name.len() > MAX_NAME_BYTES || mime.len() > MAX_MIME_BYTES => {
                let name = name[..name.floor_char_boundary(MAX_NAME_BYTES)].to_owned();
                let mime = mime[..mime.floor_char_boundary(MAX_MIME_BYTES)].to_owned();
                &Message::Offer { id: *id, name, size: *size, mime }
            }
            other => other,
        };
        serde_json::to_string(fitting).unwrap_or_default() // strings and numbers only, which cannot fail
    }

    /// The transfer.
    pub fn id(&self) -> TransferId {
        match self {
            Message::Offer { id, .. }
            | Message::Accept { id, .. }
            | Message::Decline { id }
            | Message::Restart { id }
            | Message::Ack { id, .. }
            | Message::Pause { id }
            | Message::Resume { id }
            | Message::Cancel { id, .. }
            | Message::Done { id, .. }
            | Message::Stored { id } => *id,
        }
    }
}

/// Lower-case hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N || !digits.iter().all(|d| matches!(d, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

impl TransferId {
    /// Parses 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<TransferId> {
        from_hex(text).map(TransferId)
    }
}

impl Digest {
    /// Parses 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Digest> {
        from_hex(text).map(Digest)
    }
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TransferId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TransferId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        TransferId::parse(&text).ok_or_else(|| D::Error::custom("not 32 hexadecimal digits"))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::parse(&text).ok_or_else(|| D::Error::custom("not 64 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_offer_has_the_documented_form() {
        let text = r#"{"type":"offer","id":"000102030405060708090a0b0c0d0e0f","name":"점심.pdf","size":20,"mime":""}"#;
        let id = TransferId(std::array::from_fn(|n| n as u8));
        let offer = Message::Offer { id, name: "점심.pdf".into(), size: 20, mime: String::new() };
        assert_eq!(Message::parse(text), Ok(offer.clone()));
        assert_eq!(offer.write(), text);
    }

    #[test]
    fn wrong_messages_are_refused() {
        let id = "00".repeat(16);
        for (text, range) in [
            (format!(r#"{{"type":"offer","id":"{id}","name":"x","size":9007199254740992}}"#), true),
            (format!(r#"{{"type":"offer","id":"{id}","name":"{}","size":1}}"#, "x".repeat(1025)), true),
            (format!(r#"{{"type":"offer","id":"{id}","name":"x","size":-1}}"#), false),
            (format!(r#"{{"type":"decline","id":"{}"}}"#, "0A".repeat(16)), false),
            (format!(r#"{{"type":"unheard_of","id":"{id}"}}"#), false),
            ("[".repeat(4000), false),
        ] {
            let error = Message::parse(&text).unwrap_err();
            assert_eq!(error == MessageError::Range, range, "{text}: {error}");
        }
        assert_eq!(Message::parse(&" ".repeat(MAX_MESSAGE_BYTES + 1)), Err(MessageError::TooLong));
        let strange = Message::parse(&format!(r#"{{"type":"cancel","id":"{id}","reason":"from_the_future"}}"#));
        assert_eq!(strange, Ok(Message::Cancel { id: TransferId([0; 16]), reason: Reason::Unknown }));
    }

    proptest! {
        #[test]
        fn a_written_offer_is_parsed(name in ".*", mime in ".*", size in 0..=MAX_SIZE, id: [u8; 16]) {
            let offer = Message::Offer { id: TransferId(id), name: name.repeat(100), size, mime };
            let text = offer.write();
            prop_assert!(Message::parse(&text).is_ok() || text.len() > MAX_MESSAGE_BYTES);
        }

        #[test]
        fn any_text_is_a_message_or_an_error(text in ".*") {
            let _ = Message::parse(&text);
        }
    }
}
