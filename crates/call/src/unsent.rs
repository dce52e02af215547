//! Lines of chat that the person has written and the room has not seen yet.
//!
//! A line waits here while nobody would hear it, goes out no faster than a server takes lines, and stays until the
//! server repeats it to everybody, its writer included. What cannot be said goes back to the person with the reason.

use signaling::limits::CHAT_RATE;
use signaling::message::ErrorCode;
use signaling::text::{ChatError, clean_chat};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Lines kept; one more is refused at once, and stays where it was written.
pub const MAX_LINES: usize = 50;
/// Bytes of text kept, of all lines together; the same happens when full.
pub const MAX_BYTES: usize = 64 * 1024;
/// Lines that go out at once: fewer than a server takes ([`signaling::limits::CHAT_BURST`]), so that order is kept.
const BURST: f64 = 8.0;
/// How long a line waits after the server has said that it was too fast, or the session that it is full.
const PAUSE: Duration = Duration::from_secs(2);

/// Where a line of one's own stands.
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
    /// The session has it. `about`: its number there, once known.
    InFlight { about: Option<u64> },
    /// It was not said.
    Failed(NotSaid),
}

/// Why a line was not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSaid {
    /// The session broke off for good while it was on its way: the others may have it or not.
    Unconfirmed,
    /// The call ended before it could go out.
    CallEnded,
    /// The server refused it.
    Refused(ErrorCode),
}

/// Why a line is not taken at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChatRefusal {
    /// There is no call.
    #[error("there is nobody to read it: join a room first")]
    NoCall,
    /// It says nothing, or too much.
    #[error(transparent)]
    Text(#[from] ChatError),
    /// [`MAX_LINES`] or [`MAX_BYTES`] wait already.
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

/// A line of one's own that is not in the chat yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsentLine {
    /// Names it towards [`crate::Command::DropLine`]; later lines have higher numbers.
    pub number: u64,
    /// Plain text, never markup.
    pub text: String,
    /// Why it was not said; `None`: it waits or is on its way.
    pub failed: Option<NotSaid>,
}

#[derive(Debug)]
struct Line {
    number: u64,
    text: String,
    state: Delivery,
}

/// The lines, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Unsent {
    lines: VecDeque<Line>,
    numbers: u64,
    /// How many lines may go out, at that time.
    credit: Option<(f64, Instant)>,
}

impl Unsent {
    /// Takes a line over; its number.
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

    /// Forgets a line that has not gone out, or was not said. True if there was one.
    pub(crate) fn drop_line(&mut self, number: u64) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| line.number != number || matches!(line.state, Delivery::InFlight { .. }));
        self.lines.len() != before
    }

    /// The next line to be said now, while somebody listens.
    pub(crate) fn next(&mut self, now: Instant) -> Option<String> {
        let due = self.due()?;
        let line = self.lines.iter_mut().find(|line| line.state == Delivery::Waiting).filter(|_| due <= now)?;
        line.state = Delivery::InFlight { about: None };
        let text = line.text.clone();
        self.credit = Some((self.credit_at(now) - 1.0, now));
        Some(text)
    }

    /// When the next line may be said, if one waits.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.lines.iter().find(|line| line.state == Delivery::Waiting)?;
        let (credit, at) = self.credit?;
        Some(at + Duration::from_secs_f64((1.0 - credit).max(0.0) / CHAT_RATE))
    }

    /// The session has taken the line that was said last, under this number.
    pub(crate) fn taken(&mut self, about: u64) {
        if let Some(state) = self.flying() {
            *state = Delivery::InFlight { about: Some(about) };
        }
    }

    /// The session could not take the line that was said last: it waits again.
    pub(crate) fn put_back(&mut self, now: Instant) {
        if let Some(state) = self.flying() {
            *state = Delivery::Waiting;
        }
        self.pause(now);
    }

    /// The session refuses the line that was said last.
    pub(crate) fn refused(&mut self, code: ErrorCode) {
        if let Some(state) = self.flying() {
            *state = Delivery::Failed(NotSaid::Refused(code));
        }
    }

    /// The server has refused message `about`. True if that was one of these lines.
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

    /// The server has repeated a line of ours to everybody: the oldest that is on its way.
    pub(crate) fn repeated(&mut self) {
        let first = self.lines.iter().position(|line| matches!(line.state, Delivery::InFlight { .. }));
        first.and_then(|place| self.lines.remove(place));
    }

    /// The session is gone, and with it every answer.
    pub(crate) fn session_lost(&mut self) {
        for line in &mut self.lines {
            if let Delivery::InFlight { .. } = line.state {
                line.state = Delivery::Failed(NotSaid::Unconfirmed);
            }
        }
    }

    /// The call is over: what has not gone out does not any more.
    pub(crate) fn call_ended(&mut self) {
        for line in self.lines.iter_mut().filter(|line| line.state == Delivery::Waiting) {
            line.state = Delivery::Failed(NotSaid::CallEnded);
        }
    }

    /// Another room has nothing to do with these lines.
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
    }

    /// As a window shows them.
    pub(crate) fn view(&self) -> Vec<UnsentLine> {
        let failed = |state| match state {
            Delivery::Waiting | Delivery::InFlight { .. } => None,
            Delivery::Failed(why) => Some(why),
        };
        let show =
            |line: &Line| UnsentLine { number: line.number, text: line.text.clone(), failed: failed(line.state) };
        self.lines.iter().map(show).collect()
    }

    /// The line that was handed out and not yet answered for by the session.
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
    fn a_line_stays_until_the_server_repeats_it() {
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
    fn lines_go_out_in_order_and_no_faster_than_a_server_takes_them() {
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
    fn too_fast_is_no_reason_to_lose_a_line() {
        let (mut unsent, now) = (Unsent::default(), Instant::now());
        unsent.push(now, "a").unwrap();
        unsent.next(now);
        unsent.taken(7);
        assert!(!unsent.error(now, 6, ErrorCode::RateLimited), "about something else");
        assert!(unsent.error(now, 7, ErrorCode::RateLimited));
        assert_eq!(unsent.next(now), None, "not at once");
        assert_eq!(unsent.next(now + PAUSE).as_deref(), Some("a"));
    }

    #[test]
    fn a_refused_line_goes_back_with_the_reason_and_the_others_stay() {
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
    fn a_session_that_takes_no_more_is_asked_again_later() {
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
    fn what_is_lost_on_its_way_is_handed_back_and_what_waited_goes_on_waiting() {
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
    fn lines_and_bytes_are_bounded_and_a_line_over_the_bound_is_refused_at_once() {
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
        /// Whatever happens: each line is in exactly one place, said, waiting, failed or taken back.
        #[test]
        fn no_line_is_lost_and_none_is_said_twice(steps in prop::collection::vec((0u8..8, 0u64..3), 0..200)) {
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
