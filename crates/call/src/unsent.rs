//! Lines of chat that the person has written and the server has not sent back yet.
//!
//! A line waits here while nobody can receive it. It is sent no faster than a server accepts lines, and stays until
//! the server sends it to everybody, including its author. A line that cannot be sent goes back to the person with
//! the reason.

use serde::Serialize;
use signaling::limits::CHAT_RATE;
use signaling::message::ErrorCode;
use signaling::text::{ChatError, clean_chat};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Lines kept. When full, another line is refused immediately and stays in the input field.
pub const MAX_LINES: usize = 50;
/// Total bytes of text kept. When full, the same happens.
pub const MAX_BYTES: usize = 64 * 1024;
/// Lines sent in one burst: fewer than a server accepts ([`signaling::limits::CHAT_BURST`]), to keep them in order.
const BURST: f64 = 8.0;
/// How long a line waits after the server refused it as too fast, or the session's queue was full.
const PAUSE: Duration = Duration::from_secs(2);

/// Delivery state of an own line.
///
/// ```text
///  Waiting ──sent──▶ InFlight ──repeated by the server──▶ (chat)
///     ▲ │               │ │
///     │ └──call over──┐ │ └──refused, session lost──┐
///     └──too fast─────│─┘                           │
///                     └────────▶ Failed ◀───────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delivery {
    /// It has not been sent yet.
    Waiting,
    /// The session has it. `about` is its number there, if it is known yet.
    InFlight { about: Option<u64> },
    /// It could not be sent.
    Failed(NotSaid),
}

/// Why a line could not be sent. Serialized as a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum NotSaid {
    /// The session was lost while the line was in flight. The others may or may not have it.
    #[serde(rename = "chat_unconfirmed")]
    Unconfirmed,
    /// The call ended before the line was sent.
    #[serde(rename = "chat_call_ended")]
    CallEnded,
    /// The server refused it.
    #[serde(untagged)]
    Refused(ErrorCode),
}

/// Why a line is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChatRefusal {
    /// There is no active call.
    #[error("there is nobody to read it: join a room first")]
    NoCall,
    /// The text is empty or too long.
    #[error(transparent)]
    Text(#[from] ChatError),
    /// [`MAX_LINES`] or [`MAX_BYTES`] are already waiting.
    #[error("too many lines wait for the connection: send it again later")]
    Full,
}

impl ChatRefusal {
    /// Stable code for programs and translations.
    pub fn code(self) -> &'static str {
        match self {
            ChatRefusal::NoCall => "chat_no_call",
            ChatRefusal::Text(error) => error.code(),
            ChatRefusal::Full => "chat_full",
        }
    }
}

/// An own line that is not in the chat yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "typescript", derive(ts_rs::TS))]
pub struct UnsentLine {
    /// Identifies the line in [`crate::Command::DropLine`]. Later lines have higher numbers.
    pub number: u64,
    /// Plain text, never markup.
    pub text: String,
    /// Why it could not be sent; `None` while it waits or is in flight.
    #[cfg_attr(feature = "typescript", ts(type = "string | null"))]
    pub failed: Option<NotSaid>,
}

#[derive(Debug)]
struct Line {
    number: u64,
    text: String,
    state: Delivery,
}

/// The unsent lines, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    lines: VecDeque<Line>,
    numbers: u64,
    /// Tokens for sending lines, and when they were counted.
    credit: Option<(f64, Instant)>,
}

impl Unsent {
    /// Queues a line and returns its number.
    pub(crate) fn push(&mut self, now: Instant, text: &str) -> Result<u64, ChatRefusal> {
        let text = clean_chat(text)?;
        let bytes: usize = self.lines.iter().map(|line| line.text.len()).sum();
        if self.lines.len() >= MAX_LINES || bytes + text.len() > MAX_BYTES {
            return Err(ChatRefusal::Full);
        }
        self.credit.get_or_insert((BURST, now));
        self.numbers += 1;
        self.lines.push_back(Line { number: self.numbers, text, state: Delivery::Waiting });
        Ok(self.numbers)
    }

    /// Drops a line that has not been sent or has failed. Returns whether there was one.
    pub(crate) fn drop_line(&mut self, number: u64) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| line.number != number || matches!(line.state, Delivery::InFlight { .. }));
        self.lines.len() != before
    }

    /// Returns the next line to send now.
    pub(crate) fn next(&mut self, now: Instant) -> Option<String> {
        let due = self.due()?;
        let line = self.lines.iter_mut().find(|line| line.state == Delivery::Waiting).filter(|_| due <= now)?;
        line.state = Delivery::InFlight { about: None };
        let text = line.text.clone();
        self.credit = Some((self.credit_at(now) - 1.0, now));
        Some(text)
    }

    /// When the next waiting line may be sent.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.lines.iter().find(|line| line.state == Delivery::Waiting)?;
        let (credit, at) = self.credit?;
        Some(at + Duration::from_secs_f64((1.0 - credit).max(0.0) / CHAT_RATE))
    }

    /// The session accepted the last line, under this number.
    pub(crate) fn taken(&mut self, about: u64) {
        if let Some(state) = self.flying() {
            *state = Delivery::InFlight { about: Some(about) };
        }
    }

    /// The session could not accept the last line, which waits again.
    pub(crate) fn put_back(&mut self, now: Instant) {
        if let Some(state) = self.flying() {
            *state = Delivery::Waiting;
        }
        self.pause(now);
    }

    /// The session refused the last line.
    pub(crate) fn refused(&mut self, code: ErrorCode) {
        if let Some(state) = self.flying() {
            *state = Delivery::Failed(NotSaid::Refused(code));
        }
    }

    /// The server refused message `about`. Returns whether that was one of these lines.
    pub(crate) fn error(&mut self, now: Instant, about: u64, code: ErrorCode) -> bool {
        let asked = Delivery::InFlight { about: Some(about) };
        let Some(line) = self.lines.iter_mut().find(|line| line.state == asked) else { return false };
        if code == ErrorCode::RateLimited {
            line.state = Delivery::Waiting;
            self.pause(now);
        } else {
            line.state = Delivery::Failed(NotSaid::Refused(code));
        }
        true
    }

    /// The server sent back one of our lines: the oldest in flight.
    pub(crate) fn repeated(&mut self) {
        let first = self.lines.iter().position(|line| matches!(line.state, Delivery::InFlight { .. }));
        first.and_then(|place| self.lines.remove(place));
    }

    /// The session is lost, and so are all pending answers.
    pub(crate) fn session_lost(&mut self) {
        for line in &mut self.lines {
            if let Delivery::InFlight { .. } = line.state {
                line.state = Delivery::Failed(NotSaid::Unconfirmed);
            }
        }
    }

    /// The call ended. Lines that were not sent fail.
    pub(crate) fn call_ended(&mut self) {
        for line in self.lines.iter_mut().filter(|line| line.state == Delivery::Waiting) {
            line.state = Delivery::Failed(NotSaid::CallEnded);
        }
    }

    /// Drops all lines, because they belong to another room.
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
    }

    /// Returns the lines as a window displays them.
    pub(crate) fn view(&self) -> Vec<UnsentLine> {
        let failed = |state| match state {
            Delivery::Waiting | Delivery::InFlight { .. } => None,
            Delivery::Failed(why) => Some(why),
        };
        let show =
            |line: &Line| UnsentLine { number: line.number, text: line.text.clone(), failed: failed(line.state) };
        self.lines.iter().map(show).collect()
    }

    /// The line that was returned by [`Unsent::next`] and whose result the session has not reported.
    fn flying(&mut self) -> Option<&mut Delivery> {
        let unnumbered = Delivery::InFlight { about: None };
        self.lines.iter_mut().map(|line| &mut line.state).find(|state| **state == unnumbered)
    }

    fn credit_at(&self, now: Instant) -> f64 {
        let Some((credit, at)) = self.credit else { return BURST };
        (credit + now.saturating_duration_since(at).as_secs_f64() * CHAT_RATE).min(BURST)
    }

    fn pause(&mut self, now: Instant) {
        let credit = 1.0 - PAUSE.as_secs_f64() * CHAT_RATE;
        self.credit = Some((credit.min(self.credit_at(now)), now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use signaling::limits::CHAT_BURST;

    fn texts(unsent: &Unsent) -> Vec<(String, Option<NotSaid>)> {
        unsent.view().into_iter().map(|line| (line.text, line.failed)).collect()
    }

    #[test]
    fn a_line_stays_until_the_server_confirms_it() {
        let (mut unsent, now) = (Unsent::default(), Instant::now());
        unsent.push(now, " soup ").unwrap();
        assert_eq!(unsent.next(now).as_deref(), Some("soup"));
        unsent.taken(4);
        assert_eq!(unsent.next(now), None, "once");
        assert_eq!(texts(&unsent), [("soup".into(), None)]);
        unsent.repeated();
        assert_eq!(texts(&unsent), []);
    }

    #[test]
    fn lines_are_sent_in_order_within_the_rate() {
        let (mut unsent, start) = (Unsent::default(), Instant::now());
        (0..30).for_each(|n| assert!(unsent.push(start, &n.to_string()).is_ok()));
        let (mut said, mut now) = (vec![], start);
        while let Some(due) = unsent.due() {
            now = now.max(due);
            if let Some(text) = unsent.next(now) {
                said.push((text, now));
                unsent.taken(said.len() as u64);
            }
        }
        assert_eq!(
            said.iter().map(|(text, _)| text.clone()).collect::<Vec<_>>(),
            (0..30).map(|n| n.to_string()).collect::<Vec<_>>()
        );
        for (n, (_, at)) in said.iter().enumerate() {
            let most = CHAT_BURST + at.duration_since(start).as_secs_f64() * CHAT_RATE;
            assert!(n as f64 + 1.0 <= most, "line {n} after {:?}", at.duration_since(start));
        }
    }

    #[test]
    fn a_rate_limited_line_is_retried() {
        let (mut unsent, now) = (Unsent::default(), Instant::now());
        unsent.push(now, "a").unwrap();
        unsent.next(now);
        unsent.taken(7);
        assert!(!unsent.error(now, 6, ErrorCode::RateLimited), "about something else");
        assert!(unsent.error(now, 7, ErrorCode::RateLimited));
        assert_eq!(unsent.next(now), None, "not immediately");
        assert_eq!(unsent.next(now + PAUSE).as_deref(), Some("a"));
    }

    #[test]
    fn a_refused_line_is_returned_with_the_reason() {
        let (mut unsent, now) = (Unsent::default(), Instant::now());
        for (number, text) in [(1, "a"), (2, "b")] {
            unsent.push(now, text).unwrap();
            unsent.next(now);
            unsent.taken(number);
        }
        assert!(unsent.error(now, 1, ErrorCode::TooLarge));
        let why = Some(NotSaid::Refused(ErrorCode::TooLarge));
        assert_eq!(texts(&unsent), [("a".into(), why), ("b".into(), None)]);
        unsent.repeated();
        assert_eq!(texts(&unsent), [("a".into(), why)]);
        assert!(unsent.drop_line(1) && !unsent.drop_line(1));
    }

    #[test]
    fn a_full_session_is_retried_later() {
        let (mut unsent, now) = (Unsent::default(), Instant::now());
        unsent.push(now, "a").unwrap();
        unsent.next(now);
        unsent.put_back(now);
        assert_eq!(unsent.next(now), None);
        assert_eq!(unsent.next(now + PAUSE).as_deref(), Some("a"));
        unsent.refused(ErrorCode::TooLarge);
        assert_eq!(texts(&unsent), [("a".into(), Some(NotSaid::Refused(ErrorCode::TooLarge)))]);
    }

    #[test]
    fn lines_of_unknown_fate_are_returned_and_others_wait() {
        let (mut unsent, now) = (Unsent::default(), Instant::now());
        unsent.push(now, "a").unwrap();
        unsent.next(now);
        unsent.taken(1);
        unsent.push(now, "b").unwrap();
        unsent.session_lost();
        assert_eq!(texts(&unsent), [("a".into(), Some(NotSaid::Unconfirmed)), ("b".into(), None)]);
        assert_eq!(unsent.next(now).as_deref(), Some("b"));
    }

    #[test]
    fn lines_and_bytes_are_bounded() {
        let (mut unsent, now) = (Unsent::default(), Instant::now());
        (0..MAX_LINES).for_each(|_| assert!(unsent.push(now, "x").is_ok()));
        assert_eq!(unsent.push(now, "x"), Err(ChatRefusal::Full));
        let mut unsent = Unsent::default();
        let long = "x".repeat(4_000);
        let taken = (0..MAX_LINES).take_while(|_| unsent.push(now, &long).is_ok()).count();
        assert_eq!(taken, MAX_BYTES / 4_000);
        assert_eq!(unsent.push(now, " \n"), Err(ChatRefusal::Text(ChatError::Empty)));
    }

    proptest! {
        /// In any sequence of events each line is in exactly one place: sent, waiting, failed or dropped.
        #[test]
        fn lines_are_neither_lost_nor_duplicated(steps in prop::collection::vec((0u8..8, 0u64..3), 0..200)) {
            let (mut unsent, mut now) = (Unsent::default(), Instant::now());
            let (mut written, mut said, mut dropped, mut about) = (0u64, 0u64, 0u64, 0u64);
            for (step, n) in steps {
                now += Duration::from_millis(200 * n);
                match step {
                    0 | 1 => written += u64::from(unsent.push(now, "x").is_ok()),
                    2 => if unsent.next(now).is_some() { about += 1; unsent.taken(about); },
                    3 => if unsent.next(now).is_some() { unsent.put_back(now) },
                    4 => {
                        let before = unsent.lines.len();
                        unsent.repeated();
                        said += (before - unsent.lines.len()) as u64;
                    }
                    5 => drop(unsent.error(now, about, ErrorCode::RateLimited)),
                    6 => unsent.session_lost(),
                    _ => dropped += u64::from(unsent.drop_line(n + 1)),
                }
                prop_assert_eq!(written, said + dropped + unsent.view().len() as u64);
                prop_assert!(unsent.flying().is_none());
            }
        }
    }
}
