//! RED, redundant audio data (RFC 2198): a packet with copies of earlier ones.

use bytes::{BufMut, Bytes, BytesMut};

/// Longest age of a copy, in units of the RTP timestamp (14 bits).
const MAX_AGE: u32 = (1 << 14) - 1;
/// Longest copy in bytes (10 bits).
const MAX_COPY: usize = (1 << 10) - 1;
/// Most copies that are read from a packet. Browsers send at most nine.
const MAX_COPIES: usize = 16;
/// The first bit of a header that others follow.
const FOLLOWED: u8 = 0x80;

/// The bytes are not a RED payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a RED payload")]
pub struct NotRed;

/// One block of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedBlock {
    /// Payload type of the data.
    pub payload_type: u8,
    /// How much earlier than the packet's its RTP timestamp is. 0 for the last block, which is the packet itself.
    pub age: u32,
    /// The payload.
    pub data: Bytes,
}

impl RedBlock {
    /// Splits a payload into its blocks, in their order: copies first, the packet itself last. Empty copies are left out.
    ///
    /// # Errors
    ///
    /// Returns [`NotRed`] if a header is incomplete, if a block is longer than the payload, or for more than 16 copies.
    pub fn split(payload: &Bytes) -> Result<Vec<RedBlock>, NotRed> {
        let mut rest = payload.clone();
        let mut headers = Vec::new();
        let payload_type = loop {
            let first = *rest.first().ok_or(NotRed)?;
            if first & FOLLOWED == 0 {
                break first;
            }
            let header: [u8; 4] = *rest.first_chunk().ok_or(NotRed)?;
            if headers.len() == MAX_COPIES {
                return Err(NotRed);
            }
            let bits = u32::from_be_bytes(header);
            headers.push((first & !FOLLOWED, bits >> 10 & MAX_AGE, bits as usize & MAX_COPY));
            rest = rest.slice(4..);
        };
        rest = rest.slice(1..);
        let mut blocks = Vec::with_capacity(headers.len() + 1);
        for (payload_type, age, length) in headers {
            if length > rest.len() {
                return Err(NotRed);
            }
            let data = rest.split_to(length);
            if !data.is_empty() {
                blocks.push(RedBlock { payload_type, age, data });
            }
        }
        blocks.push(RedBlock { payload_type, age: 0, data: rest });
        Ok(blocks)
    }

    /// Joins a packet and copies, given with their ages and oldest first. All have the same payload type, whose lower 7
    /// bits are used. A copy that is too old, too long or empty is left out, and so are the oldest ones beyond `room`
    /// bytes in all.
    pub fn join<'a>(
        payload_type: u8,
        copies: impl DoubleEndedIterator<Item = (u32, &'a Bytes)>,
        packet: &Bytes,
        room: usize,
    ) -> Bytes {
        let mut length = 1 + packet.len();
        let mut fitting: Vec<(u32, &Bytes)> = copies
            .rev()
            .filter(|(age, data)| (1..=MAX_AGE).contains(age) && (1..=MAX_COPY).contains(&data.len()))
            .take(MAX_COPIES)
            .take_while(|(_, data)| {
                length += 4 + data.len();
                length <= room
            })
            .collect();
        fitting.reverse();
        let mut joined = BytesMut::with_capacity(length);
        for (age, data) in &fitting {
            joined.put_u32(u32::from(payload_type | FOLLOWED) << 24 | age << 10 | data.len() as u32);
        }
        joined.put_u8(payload_type & !FOLLOWED);
        fitting.iter().for_each(|(_, data)| joined.put_slice(data));
        joined.put_slice(packet);
        joined.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOM: usize = 1_180;

    fn block(age: u32, data: &'static [u8]) -> RedBlock {
        RedBlock { payload_type: 111, age, data: Bytes::from_static(data) }
    }

    #[test]
    fn the_headers_are_those_of_the_rfc() {
        let copy = Bytes::from_static(b"old");
        let joined = RedBlock::join(111, [(960, &copy)].into_iter(), &Bytes::from_static(b"new"), ROOM);
        assert_eq!(&joined[..], [&[0x80 | 111, 0x0f, 0x00, 0x03, 111][..], b"oldnew"].concat());
        assert_eq!(RedBlock::split(&joined), Ok(vec![block(960, b"old"), block(0, b"new")]));
    }

    #[test]
    fn a_packet_without_copies_costs_one_byte() {
        let joined = RedBlock::join(111, std::iter::empty(), &Bytes::from_static(b"new"), ROOM);
        assert_eq!(&joined[..], b"\x6fnew");
        assert_eq!(RedBlock::split(&joined), Ok(vec![block(0, b"new")]));
    }

    #[test]
    fn unfit_copies_are_left_out() {
        let (long, empty, good) = (Bytes::from(vec![0; 1_024]), Bytes::new(), Bytes::from_static(b"ok"));
        let copies = [(20_000, &good), (1_920, &long), (1_440, &empty), (960, &good), (0, &good)];
        let joined = RedBlock::join(111, copies.into_iter(), &Bytes::from_static(b"new"), ROOM);
        assert_eq!(RedBlock::split(&joined), Ok(vec![block(960, b"ok"), block(0, b"new")]));
    }

    #[test]
    fn the_oldest_copies_give_way() {
        let copy = Bytes::from(vec![7; 300]);
        let copies = [(2_880, &copy), (1_920, &copy), (960, &copy)];
        let joined = RedBlock::join(111, copies.into_iter(), &copy, 900);
        let ages: Vec<u32> = RedBlock::split(&joined).unwrap().iter().map(|block| block.age).collect();
        assert_eq!(ages, [960, 0]);
    }

    #[test]
    fn truncated_payloads_are_refused() {
        let whole = Bytes::from_static(&[0x80 | 111, 0, 0, 3, 111, 1, 2, 3]);
        assert_eq!(RedBlock::split(&whole).unwrap().len(), 2);
        for len in 0..whole.len() {
            assert_eq!(RedBlock::split(&whole.slice(..len)), Err(NotRed), "{len}");
        }
        assert_eq!(RedBlock::split(&Bytes::from([[0x80 | 111, 0, 0, 0]; 17].concat())), Err(NotRed));
    }

    proptest! {
        #[test]
        fn what_was_joined_is_split(
            copies in prop::collection::vec((1u32..20_000, prop::collection::vec(any::<u8>(), 0..1_100)), 0..20),
            packet in prop::collection::vec(any::<u8>(), 0..200), payload_type in 0u8..128
        ) {
            let copies: Vec<(u32, Bytes)> = copies.into_iter().map(|(age, data)| (age, data.into())).collect();
            let packet = Bytes::from(packet);
            let joined = RedBlock::join(payload_type, copies.iter().map(|(age, data)| (*age, data)), &packet, ROOM);
            prop_assert!(joined.len() <= ROOM);
            let blocks = RedBlock::split(&joined).unwrap();
            let (last, others) = blocks.split_last().unwrap();
            prop_assert_eq!((last.payload_type, last.age, &last.data), (payload_type, 0, &packet));
            prop_assert!(others.iter().all(|block| copies.contains(&(block.age, block.data.clone()))));
        }

        #[test]
        fn any_bytes_are_split_within_bounds(payload in prop::collection::vec(any::<u8>(), 0..80)) {
            let payload = Bytes::from(payload);
            if let Ok(blocks) = RedBlock::split(&payload) {
                let bytes: usize = blocks.iter().map(|block| block.data.len()).sum();
                prop_assert!(bytes < payload.len() && blocks.len() <= MAX_COPIES + 1);
            }
        }
    }
}
