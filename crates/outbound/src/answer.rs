//! Parses a proxy's answer, RFC 9112 section 4. Pure.

use httparse::{EMPTY_HEADER, Response, Status};

/// Longest answer: status line and headers. A longer one is invalid.
pub(crate) const MAX_ANSWER: usize = 16 * 1024;
/// Most headers.
const MAX_HEADERS: usize = 64;

/// The answer is not HTTP, or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Invalid;

/// Collects an answer.
#[derive(Debug, Default)]
pub(crate) struct Answer(Vec<u8>);

impl Answer {
    /// Adds what was received. Returns the status when the headers are complete. Interim answers (1xx) are skipped.
    ///
    /// # Errors
    /// [`Invalid`]. A successful answer has no content, and the destination does not speak first, so more bytes are
    /// invalid too.
    pub(crate) fn push(&mut self, received: &[u8]) -> Result<Option<u16>, Invalid> {
        self.0.extend_from_slice(received);
        loop {
            let mut headers = [EMPTY_HEADER; MAX_HEADERS];
            let mut response = Response::new(&mut headers);
            let Status::Complete(length) = response.parse(&self.0).map_err(|_| Invalid)? else {
                return if self.0.len() < MAX_ANSWER { Ok(None) } else { Err(Invalid) };
            };
            match response.code.ok_or(Invalid)? {
                ..100 => return Err(Invalid), // no status, RFC 9110 section 15
                100..=199 => drop(self.0.drain(..length)),
                200..=299 if self.0.len() > length => return Err(Invalid),
                status => return Ok(Some(status)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(answer: &[u8]) -> Result<Option<u16>, Invalid> {
        Answer::default().push(answer)
    }

    #[test]
    fn a_status_is_known_when_the_headers_are_complete() {
        assert_eq!(read(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 x\r\n\r\n"), Ok(Some(200)));
        assert_eq!(read(b"HTTP/1.0 407 No\r\n\r\n"), Ok(Some(407)));
        assert_eq!(read(b"HTTP/1.1 200 OK\r\nVia: 1.1 x\r\n"), Ok(None));
        assert_eq!(read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), Ok(Some(200)));
    }

    #[test]
    fn what_is_not_http_or_speaks_first_is_invalid() {
        for invalid in
            [&b"\x16\x03\x01"[..], b"220 mail\r\n", b"HTTP/1.1 200 OK\r\n\r\nhello", b"HTTP/1.1 000 OK\r\n\r\n"]
        {
            assert_eq!(read(invalid), Err(Invalid), "{invalid:?}");
        }
    }

    #[test]
    fn an_answer_without_an_end_is_invalid() {
        let mut answer = Answer::default();
        assert_eq!(answer.push(b"HTTP/1.1 200 OK\r\nX: "), Ok(None));
        let pushed = (0..MAX_ANSWER).map(|_| answer.push(b"xxxx")).take_while(Result::is_ok).count();
        assert!(pushed < MAX_ANSWER / 4 + 1 && answer.0.len() <= MAX_ANSWER + 4);
    }

    proptest! {
        /// The status does not depend on how the answer is split, and nothing panics or grows without bound.
        #[test]
        fn any_split_and_any_bytes(answer in answers(), cuts in prop::collection::vec(1usize..40, 1..60)) {
            let whole = read(&answer);
            let (mut split, mut rest, mut last) = (Answer::default(), &answer[..], Ok(None));
            for cut in cuts.iter().cycle() {
                if rest.is_empty() || last != Ok(None) {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                last = split.push(now);
                rest = later;
            }
            prop_assert!(split.0.len() <= MAX_ANSWER + 40);
            if !matches!(whole, Err(Invalid)) {
                prop_assert_eq!(last, whole);
            }
        }
    }

    fn answers() -> impl Strategy<Value = Vec<u8>> {
        let valid = (100u16..600, "[ -~]{0,40}", prop::collection::vec(("[A-Za-z-]{1,12}", "[ -~]{0,30}"), 0..10));
        let valid = valid.prop_map(|(status, reason, headers)| {
            let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            format!("HTTP/1.1 {status} {reason}\r\n{headers}\r\n").into_bytes()
        });
        prop_oneof![valid, prop::collection::vec(any::<u8>(), 0..2000)]
    }
}
