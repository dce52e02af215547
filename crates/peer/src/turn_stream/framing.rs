//! TURN messages on a stream: STUN as it is (RFC 8489 section 6.2.2), ChannelData padded to four bytes (RFC 8656 section
//! 12.5). Pure.

/// Length of the header of a STUN message, RFC 8489 section 5.
const STUN_HEADER: usize = 20;
/// Length of the header of ChannelData, RFC 8656 section 12.4.
const CHANNEL_HEADER: usize = 4;
/// The magic cookie of RFC 8489 section 5.
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// The message type of a Refresh request, RFC 8656 section 17.
const REFRESH: [u8; 2] = [0, 4];
/// The attribute LIFETIME, RFC 8656 section 18.2.
const LIFETIME: [u8; 2] = [0, 0x0d];

/// The stream contains something other than TURN messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server sends something other than TURN")]
pub(crate) struct Invalid;

/// The transaction id of RFC 8489 section 5.
pub(crate) type TransactionId = [u8; 12];

/// What a datagram is, as far as sending goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A request, which the library sends again until it is answered.
    Request(TransactionId),
    /// ChannelData or an indication: data for a peer, of use only while it is fresh.
    Data,
    /// Not TURN.
    Unknown,
}

/// Classifies a datagram.
pub(crate) fn kind(datagram: &[u8]) -> Kind {
    match datagram {
        [0x40..=0x4f, ..] if datagram.len() >= CHANNEL_HEADER => Kind::Data,
        [first @ 0..=0x3f, second, _, _, rest @ ..] if rest.starts_with(&COOKIE) => {
            let id = rest.get(4..16).and_then(|id| id.try_into().ok());
            // The class, RFC 8489 section 5.
            match (first & 1, second & 0x10, id) {
                (0, 0, Some(id)) => Kind::Request(id),
                (_, _, Some(_)) => Kind::Data,
                (_, _, None) => Kind::Unknown,
            }
        }
        _ => Kind::Unknown,
    }
}

/// Whether it is the request that releases the allocation: a Refresh with the lifetime 0, RFC 8656 section 7.
pub(crate) fn is_release(datagram: &[u8]) -> bool {
    let mut attributes = datagram.get(STUN_HEADER..).unwrap_or_default();
    if !datagram.starts_with(&REFRESH) {
        return false;
    }
    while let [type_high, type_low, high, low, rest @ ..] = attributes {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if [*type_high, *type_low] == LIFETIME {
            return rest.get(..length) == Some(&[0; 4]);
        }
        attributes = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

/// Appends a datagram to what goes to the stream.
pub(crate) fn write(datagram: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(datagram);
    let is_channel_data = datagram.first().is_some_and(|first| first & 0xc0 == 0x40);
    if is_channel_data {
        to.resize(to.len() + datagram.len().next_multiple_of(4) - datagram.len(), 0);
    }
}

/// Splits a stream into datagrams. It holds one incomplete message, of 64 KiB at most, and what was pushed last.
#[derive(Debug, Default)]
pub(crate) struct Deframer {
    buffer: Vec<u8>,
    /// How much of the buffer has been returned.
    taken: usize,
    /// Whether there was a STUN message. A server answers before it sends data, and text looks like ChannelData.
    has_answered: bool,
}

impl Deframer {
    /// Adds what was received.
    pub(crate) fn push(&mut self, received: &[u8]) {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(received);
    }

    /// The next datagram, without its padding, if it is complete.
    ///
    /// # Errors
    /// [`Invalid`]. Where the next message begins is then unknown, so the stream is of no more use.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, Invalid> {
        let rest = &self.buffer[self.taken..];
        if !self.has_answered && rest.first().is_some_and(|first| *first > 0x3f) {
            return Err(Invalid);
        }
        let Some((length, padded)) = lengths(rest)? else { return Ok(None) };
        if rest.len() < padded {
            return Ok(None);
        }
        self.has_answered = true;
        let start = self.taken;
        self.taken += padded;
        Ok(Some(&self.buffer[start..start + length]))
    }
}

/// Length of the message that begins here, without and with its padding.
fn lengths(bytes: &[u8]) -> Result<Option<(usize, usize)>, Invalid> {
    let &[first, _, high, low, ref rest @ ..] = bytes else {
        return if bytes.first().is_some_and(|first| *first >= 0x50) { Err(Invalid) } else { Ok(None) };
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    match first {
        0..=0x3f if length.is_multiple_of(4) && rest.iter().zip(COOKIE).all(|(one, other)| *one == other) => {
            Ok(Some((STUN_HEADER + length, STUN_HEADER + length)))
        }
        0x40..=0x4f => Ok(Some((CHANNEL_HEADER + length, CHANNEL_HEADER + length.next_multiple_of(4)))),
        _ => Err(Invalid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stun(kind: u16, attributes: &[u8]) -> Vec<u8> {
        let mut message = kind.to_be_bytes().to_vec();
        message.extend((attributes.len() as u16).to_be_bytes());
        message.extend(COOKIE);
        message.extend([7; 12]);
        message.extend(attributes);
        message
    }

    fn channel_data(data: &[u8]) -> Vec<u8> {
        let mut message = vec![0x40, 1];
        message.extend((data.len() as u16).to_be_bytes());
        message.extend(data);
        message
    }

    fn drain(deframer: &mut Deframer) -> Result<Vec<Vec<u8>>, Invalid> {
        let mut all = Vec::new();
        while let Some(datagram) = deframer.next()? {
            all.push(datagram.to_vec());
        }
        Ok(all)
    }

    #[test]
    fn channel_data_is_padded_and_stun_is_not() {
        let mut stream = Vec::new();
        write(&channel_data(b"abcde"), &mut stream);
        assert_eq!(stream, [0x40, 1, 0, 5, b'a', b'b', b'c', b'd', b'e', 0, 0, 0]);
        stream.clear();
        write(&stun(1, &[0; 8]), &mut stream);
        assert_eq!(stream, stun(1, &[0; 8]));
    }

    #[test]
    fn requests_and_data_are_distinguished() {
        assert_eq!(kind(&stun(0x0003, &[])), Kind::Request([7; 12]), "Allocate");
        assert_eq!(kind(&stun(0x0016, &[])), Kind::Data, "Send indication");
        assert_eq!(kind(&stun(0x0103, &[])), Kind::Data, "a response");
        assert_eq!(kind(&channel_data(b"x")), Kind::Data);
        assert_eq!(kind(&stun(1, &[])[..19]), Kind::Unknown);
        assert_eq!(kind(&[22, 3, 1]), Kind::Unknown, "DTLS");
    }

    #[test]
    fn a_release_is_a_refresh_with_no_lifetime() {
        let refresh =
            |seconds| stun(4, &[&[0, 6, 0, 1, b'u', 0, 0, 0, 0, 0x0d, 0, 4, 0, 0, 0][..], &[seconds]].concat());
        assert!(is_release(&refresh(0)) && !is_release(&refresh(1)));
        assert!(!is_release(&stun(4, &[])) && !is_release(&stun(3, &[0, 0x0d, 0, 4, 0, 0, 0, 0])));
    }

    #[test]
    fn what_is_not_turn_ends_the_stream() {
        let mut wrong_cookie = stun(1, &[]);
        wrong_cookie[5] = 0;
        let mut wrong_length = stun(1, &[]);
        wrong_length[3] = 2;
        for invalid in [&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], &[0x50], &[0xff; 3], &wrong_cookie, &wrong_length] {
            let mut deframer = Deframer::default();
            deframer.push(invalid);
            assert_eq!(drain(&mut deframer), Err(Invalid), "{invalid:?}");
        }
    }

    proptest! {
        /// Any datagrams, written to a stream and split anywhere, come out as they were.
        #[test]
        fn any_split_gives_the_same_datagrams(
            messages in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..300)), 0..20),
            cuts in prop::collection::vec(1usize..200, 1..40),
        ) {
            let messages: Vec<Vec<u8>> = messages
                .into_iter()
                .map(|(is_stun, data)| if is_stun { stun(0x0017, &data[..data.len() / 4 * 4]) } else { channel_data(&data) })
                .collect();
            let messages = [vec![stun(0x0113, &[])], messages].concat();
            let mut stream = Vec::new();
            messages.iter().for_each(|message| write(message, &mut stream));
            let (mut deframer, mut rest, mut read) = (Deframer::default(), &stream[..], Vec::new());
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                deframer.push(now);
                read.extend(drain(&mut deframer).unwrap());
                prop_assert!(deframer.buffer.len() < 600, "it keeps no more than a message and a push");
                rest = later;
            }
            prop_assert_eq!(read, messages);
        }

        #[test]
        fn no_bytes_panic(received in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..10)) {
            let mut deframer = Deframer::default();
            for bytes in &received {
                deframer.push(bytes);
                if drain(&mut deframer).is_err() {
                    break;
                }
                kind(bytes);
                is_release(bytes);
            }
        }
    }
}
