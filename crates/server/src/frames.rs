//! Splits a client's long frames into short fragments before the WebSocket library sees them (RFC 6455 section 5.4).
//!
//! The library's read buffer grows to the longest frame it has ever read and never shrinks. With thousands of
//! connections that would be most of a server's memory. For fragments it holds at most one.
//!
//! ```text
//!        header complete             payload, or a fragment of it, passed on
//!  Head ───────────────▶ Payload ◀──────────────────────────────────────────▶ (header of the next fragment)
//!   ▲                       │ nothing left
//!   └───────────────────────┘
//! ```

use signaling::limits::MAX_FRAME_BYTES;

/// Longest fragment, in bytes. A multiple of four, so that the next fragment starts at the same byte of the mask.
pub(crate) const FRAGMENT: usize = 4 * 1024;
/// Longest frame header, in bytes.
const HEAD: usize = 14;
const FINAL: u8 = 0x80;
const MASKED: u8 = 0x80;
const OPCODE: u8 = 0x0f;
/// The first opcode of control frames.
const CONTROL: u8 = 0x08;

/// Splits the frames of one connection.
#[derive(Debug)]
pub(crate) struct Fragments {
    state: ParseState,
    /// A header to pass on.
    head: Head,
}

#[derive(Debug)]
enum ParseState {
    Head(Head),
    Payload { left: u64, rest: Option<Rest> },
}

#[derive(Debug, Clone, Copy, Default)]
struct Head {
    bytes: [u8; HEAD],
    from: usize,
    to: usize,
}

/// The part of a frame that is not in a fragment yet.
#[derive(Debug, Clone, Copy)]
struct Rest {
    left: u64,
    is_final: bool,
    mask: [u8; 4],
}

impl Default for Fragments {
    fn default() -> Fragments {
        Fragments { state: ParseState::Head(Head::default()), head: Head::default() }
    }
}

impl Fragments {
    /// Reads bytes from `from` and writes the resulting bytes to `to`. Returns how many were read and written.
    pub(crate) fn pass(&mut self, from: &[u8], to: &mut [u8]) -> (usize, usize) {
        let (mut used, mut put) = (0, 0);
        loop {
            put += self.head.hand_on(&mut to[put..]);
            if put == to.len() {
                return (used, put);
            }
            match &mut self.state {
                ParseState::Head(head) => {
                    let Some(&byte) = from.get(used) else { return (used, put) };
                    used += 1;
                    head.push(byte);
                    if head.is_whole() {
                        let head = *head;
                        self.begin(head);
                    }
                }
                ParseState::Payload { left: 0, rest: None } => self.state = ParseState::Head(Head::default()),
                ParseState::Payload { left: 0, rest: Some(rest) } => {
                    let rest = *rest;
                    self.go_on(0, rest);
                }
                ParseState::Payload { left, .. } => {
                    let most = (from.len() - used).min(to.len() - put);
                    let passed = usize::try_from(*left).map_or(most, |left| left.min(most));
                    if passed == 0 {
                        return (used, put);
                    }
                    to[put..put + passed].copy_from_slice(&from[used..used + passed]);
                    (used, put) = (used + passed, put + passed);
                    *left -= passed as u64;
                }
            }
        }
    }

    /// Whether bytes of a header wait to be passed on.
    pub(crate) fn has_more(&self) -> bool {
        self.head.from < self.head.to
    }

    fn begin(&mut self, head: Head) {
        let first = head.bytes[0];
        let (length, mask) = head.read();
        // Frames that the library would reject pass unchanged.
        let is_plain = first & OPCODE >= CONTROL || first & !(FINAL | OPCODE) != 0;
        match mask {
            Some(mask) if !is_plain && length > FRAGMENT as u64 && length <= MAX_FRAME_BYTES as u64 => {
                let rest = Rest { left: length, is_final: first & FINAL != 0, mask };
                self.go_on(first & OPCODE, rest);
            }
            _ => {
                self.head = head;
                self.state = ParseState::Payload { left: length, rest: None };
            }
        }
    }

    fn go_on(&mut self, opcode: u8, rest: Rest) {
        let length = rest.left.min(FRAGMENT as u64);
        let left = rest.left - length;
        let is_last = left == 0;
        let first = opcode | if is_last && rest.is_final { FINAL } else { 0 };
        self.head = Head::new(first, length as u16, rest.mask);
        self.state = ParseState::Payload { left: length, rest: (!is_last).then_some(Rest { left, ..rest }) };
    }
}

impl Head {
    fn new(first: u8, length: u16, mask: [u8; 4]) -> Head {
        let mut head = Head::default();
        head.push(first);
        if length < 126 {
            head.push(MASKED | length as u8);
        } else {
            head.push(MASKED | 126);
            length.to_be_bytes().into_iter().for_each(|byte| head.push(byte));
        }
        mask.into_iter().for_each(|byte| head.push(byte));
        head
    }

    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.to) {
            *place = byte;
            self.to += 1;
        }
    }

    /// Number of bytes of the extended payload length.
    fn extended(&self) -> usize {
        match self.bytes[1] & !MASKED {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    fn is_whole(&self) -> bool {
        let mask = if self.bytes[1] & MASKED == 0 { 0 } else { 4 };
        self.to >= 2 && self.to == 2 + self.extended() + mask
    }

    /// The payload length, and the mask if there is one.
    fn read(&self) -> (u64, Option<[u8; 4]>) {
        let extended = self.extended();
        let length = self.bytes[2..2 + extended].iter().fold(0, |length, &byte| length << 8 | u64::from(byte));
        let length = if extended == 0 { u64::from(self.bytes[1] & !MASKED) } else { length };
        let mask = self.bytes[2 + extended..].first_chunk().copied();
        (length, mask.filter(|_| self.bytes[1] & MASKED != 0))
    }

    fn hand_on(&mut self, to: &mut [u8]) -> usize {
        let most = (self.to - self.from).min(to.len());
        to[..most].copy_from_slice(&self.bytes[self.from..self.from + most]);
        self.from += most;
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Cursor;
    use tokio_tungstenite::tungstenite::Message;
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

    /// A frame of any kind, including ones that no client sends.
    fn frame(first: u8, length_form: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
        let mask_bit = if masked { MASKED } else { 0 };
        let mut bytes = vec![first];
        match (length_form, payload.len()) {
            (0, 0..=125) => bytes.push(mask_bit | payload.len() as u8),
            (0 | 1, 0..=65_535) => {
                bytes.push(mask_bit | 126);
                bytes.extend((payload.len() as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit | 127);
                bytes.extend((payload.len() as u64).to_be_bytes());
            }
        }
        let mask = [7, 77, 177, 27];
        if masked {
            bytes.extend(mask);
        }
        bytes.extend(payload.iter().enumerate().map(|(n, byte)| if masked { byte ^ mask[n % 4] } else { *byte }));
        bytes
    }

    fn cut(bytes: &[u8], take: usize, give: usize) -> Vec<u8> {
        let mut fragments = Fragments::default();
        let (mut cut, mut from) = (Vec::new(), 0);
        loop {
            let mut to = vec![0; give];
            let until = bytes.len().min(from + take);
            let (used, put) = fragments.pass(&bytes[from..until], &mut to);
            from += used;
            cut.extend(&to[..put]);
            if used == 0 && put == 0 {
                return cut;
            }
        }
    }

    /// What the library reads: the messages, and the kind of error at the end.
    fn read_by_library(bytes: Vec<u8>) -> (Vec<Message>, String) {
        let most = Some(MAX_FRAME_BYTES);
        let config = WebSocketConfig::default().max_message_size(most).max_frame_size(most);
        let mut socket = WebSocket::from_raw_socket(Cursor::new(bytes), Role::Server, Some(config));
        let mut messages = Vec::new();
        loop {
            match socket.read() {
                Ok(message) => messages.push(message),
                Err(error) => {
                    return (messages, format!("{error:?}").split(['(', ' ']).next().unwrap_or_default().into());
                }
            }
        }
    }

    #[test]
    fn a_long_frame_is_split_into_short_ones() {
        let bytes = frame(FINAL | 1, 0, true, &[b'x'; 60_000]);
        let cut = cut(&bytes, 1_000, 700);
        assert_eq!(read_by_library(cut.clone()), read_by_library(bytes.clone()));
        assert_eq!(cut.len() - bytes.len(), 60_000 / FRAGMENT * 8);
        assert_eq!(cut[..4], [1, MASKED | 126, 0x10, 0]);
    }

    #[test]
    fn a_text_that_is_too_long_and_not_utf8_is_refused() {
        let bytes = [frame(1, 0, true, &[b'x'; 3_000]), frame(FINAL, 0, true, &[128; 62_537])].concat();
        assert_eq!(read_by_library(bytes.clone()), (vec![], "Capacity".to_owned()));
        assert_eq!(read_by_library(cut(&bytes, 9_000, 9_000)), (vec![], "Utf8".to_owned()));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

        /// The library reads the same messages and ends with the same error, whatever the input and however it is split.
        #[test]
        fn the_library_reads_the_same_messages(
            frames in prop::collection::vec(
                (prop_oneof![8 => prop::sample::select(vec![0x81, 0x01, 0x00, 0x80, 0x82, 0x89, 0x88]), 1 => any::<u8>()],
                 0..3u8, prop::bool::weighted(0.97),
                 prop_oneof![4 => 0..200usize, 3 => 3_000..10_000usize, 1 => 60_000..70_000usize], any::<u8>()),
                0..12),
            take in 1..9_000usize,
            give in 1..9_000usize,
        ) {
            let mut bytes = Vec::new();
            for (first, form, masked, length, byte) in frames {
                bytes.extend(frame(first, form, masked, &vec![byte; length]));
            }
            let (of_short, of_whole) = (read_by_library(cut(&bytes, take, give)), read_by_library(bytes));
            prop_assert_eq!(of_short.0, of_whole.0);
            // The text of a short frame is checked before the whole length is known.
            let sooner = (of_short.1.as_str(), of_whole.1.as_str()) == ("Utf8", "Capacity");
            prop_assert!(sooner || of_short.1 == of_whole.1, "{} instead of {}", of_short.1, of_whole.1);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), take in 1..50usize) {
            prop_assert_eq!(read_by_library(cut(&bytes, take, 64)), read_by_library(bytes));
        }
    }
}
