//! A piece of a file, as a binary message (PROTOCOL.md, *Files*).

use crate::message::TransferId;

/// Longest binary message in bytes.
pub const MAX_CHUNK_BYTES: usize = 16 * 1024;
/// Bytes before the data: version, transfer, offset, time.
pub const HEADER_BYTES: usize = 1 + 16 + 8 + 4;
/// Longest data of a chunk in bytes.
pub const MAX_DATA_BYTES: usize = MAX_CHUNK_BYTES - HEADER_BYTES;
const VERSION: u8 = 1;

/// A piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// The transfer.
    pub id: TransferId,
    /// Where the data belongs in the file.
    pub offset: u64,
    /// The sender's clock in microseconds, which wraps.
    pub time: u32,
    /// 1 to [`MAX_DATA_BYTES`] bytes.
    pub data: &'a [u8],
}

/// Why a binary message is not a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// It has no data, or more than [`MAX_CHUNK_BYTES`].
    #[error("a chunk has {HEADER_BYTES} to {MAX_CHUNK_BYTES} bytes")]
    Length,
    /// A version that we do not know.
    #[error("the version of the chunk is not known")]
    Version,
    /// The offset is beyond any file.
    #[error("the offset of the chunk is too large")]
    Offset,
}

impl<'a> Chunk<'a> {
    /// Parses a binary message.
    ///
    /// # Errors
    /// See [`ChunkError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Chunk<'a>, ChunkError> {
        if bytes.len() > MAX_CHUNK_BYTES {
            return Err(ChunkError::Length);
        }
        let (version, rest) = bytes.split_first().ok_or(ChunkError::Length)?;
        if *version != VERSION {
            return Err(ChunkError::Version);
        }
        let (id, rest) = rest.split_first_chunk::<16>().ok_or(ChunkError::Length)?;
        let (offset, rest) = rest.split_first_chunk::<8>().ok_or(ChunkError::Length)?;
        let (time, data) = rest.split_first_chunk::<4>().ok_or(ChunkError::Length)?;
        let offset = u64::from_be_bytes(*offset);
        if data.is_empty() {
            return Err(ChunkError::Length);
        }
        if offset > crate::MAX_SIZE {
            return Err(ChunkError::Offset);
        }
        Ok(Chunk { id: TransferId(*id), offset, time: u32::from_be_bytes(*time), data })
    }

    /// The binary message.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.data.len());
        bytes.push(VERSION);
        bytes.extend(self.id.0);
        bytes.extend(self.offset.to_be_bytes());
        bytes.extend(self.time.to_be_bytes());
        bytes.extend(self.data);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_written_chunk_is_parsed_as_the_same(
            id: [u8; 16], offset in 0..=crate::MAX_SIZE, time: u32, data in prop::collection::vec(any::<u8>(), 1..100),
        ) {
            let chunk = Chunk { id: TransferId(id), offset, time, data: &data };
            let written = chunk.write();
            prop_assert_eq!(Chunk::parse(&written), Ok(chunk));
        }

        #[test]
        fn any_bytes_are_a_chunk_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(chunk) = Chunk::parse(&bytes) {
                prop_assert_eq!(chunk.write(), bytes);
            }
        }
    }

    #[test]
    fn empty_long_and_strange_chunks_are_refused() {
        let chunk = Chunk { id: TransferId([7; 16]), offset: 1, time: 2, data: &[3; MAX_DATA_BYTES] };
        let mut bytes = chunk.write();
        assert_eq!(bytes.len(), MAX_CHUNK_BYTES);
        assert_eq!(Chunk::parse(&bytes[..HEADER_BYTES]), Err(ChunkError::Length));
        bytes.push(0);
        assert_eq!(Chunk::parse(&bytes), Err(ChunkError::Length));
        bytes.truncate(100);
        bytes[17] = 0xff;
        assert_eq!(Chunk::parse(&bytes), Err(ChunkError::Offset));
        bytes[0] = 2;
        assert_eq!(Chunk::parse(&bytes), Err(ChunkError::Version));
    }
}
