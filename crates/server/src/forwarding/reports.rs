//! What the forwarder's thread reports to the hub.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use signaling::forwarding::{OwnDisplayed, SlotInfo};
use signaling::message::{ErrorCode, ParticipantId, SessionId};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::people::People;

/// Reports waiting for the hub. When full, the answers and the newest slots of each person wait in the thread.
pub(super) const REPORTS: usize = 1_024;
/// Shortest time between two reports of one person's slots. The first change after a pause is reported immediately.
const SLOTS_EVERY: Duration = Duration::from_millis(250);

/// How long after a full queue it is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(10);

/// A report. The id tells which stay of the person it is about.
#[derive(Debug)]
pub(crate) enum Report {
    /// The answer to an offer, or why it is refused.
    Answered { session: SessionId, id: ParticipantId, seq: u64, answer: Result<String, ErrorCode> },
    /// What the lines of a connection carry now, and how large its person's pictures are displayed.
    Assigned { session: SessionId, id: ParticipantId, slots: Vec<SlotInfo>, displayed: OwnDisplayed },
}

/// The thread's end.
pub(super) struct Reports {
    sender: Sender<Report>,
    /// In the order of the offers, whose rate for each person is bounded by `rooms`.
    answers: VecDeque<(SessionId, Report)>,
    /// Whose slots have changed since the last report.
    changed: HashSet<SessionId>,
}

impl Reports {
    pub(super) fn new(sender: Sender<Report>) -> Reports {
        Reports { sender, answers: VecDeque::new(), changed: HashSet::new() }
    }

    /// Reports an answer with the next [`Reports::flush`].
    pub(super) fn answer(&mut self, session: &SessionId, report: Report) {
        self.answers.push_back((session.clone(), report));
    }

    /// Somebody's slots have changed, or how large their pictures are displayed.
    pub(super) fn slots_changed(&mut self, session: &SessionId) {
        self.changed.insert(session.clone());
    }

    /// Somebody is gone.
    pub(super) fn forget(&mut self, session: &SessionId) {
        self.answers.retain(|(of, _)| of != session);
        self.changed.remove(session);
    }

    /// Sends what is due, as far as the queue has room. Returns when the next is due.
    pub(super) fn flush(&mut self, now: Instant, people: &mut People) -> Option<Instant> {
        while let Some((session, report)) = self.answers.pop_front() {
            if let Err(TrySendError::Full(report)) = self.sender.try_send(report) {
                self.answers.push_front((session, report));
                break;
            }
        }
        let again = now + RETRY_AFTER;
        let mut next: Option<Instant> = (!self.answers.is_empty()).then_some(again);
        for session in std::mem::take(&mut self.changed) {
            let Some(seated) = people.get_mut(&session) else { continue };
            let due = seated.reported.map_or(now, |at| at + SLOTS_EVERY);
            let (id, slots, displayed) = (seated.id.clone(), seated.slots(), seated.displayed);
            let report = Report::Assigned { session: session.clone(), id, slots, displayed };
            if due <= now && !matches!(self.sender.try_send(report), Err(TrySendError::Full(_))) {
                seated.reported = Some(now);
                continue;
            }
            let again = due.max(again);
            next = Some(next.map_or(again, |next| next.min(again)));
            self.changed.insert(session);
        }
        next
    }
}
