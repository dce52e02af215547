//! Connection checks: the others are asked what their networks let through, and we answer when they ask.

use super::Call;
use crate::event::Output;
use signaling::connection_report::ConnectionReport;
use signaling::message::{ClientMessage, ParticipantId};
use std::time::{Duration, Instant};

/// A result is passed on for this long without a new check. A check takes up to 20 seconds and sends test packets.
const FRESH: Duration = Duration::from_secs(60);
/// A participant gets at most one answer in this time, however often they ask.
const SPACING: Duration = Duration::from_secs(5);

/// Our own check, which the others asked for.
///
/// ```text
///  Idle ──asked──▶ Running ──checked──▶ Done ──asked after FRESH──▶ Running
/// ```
#[derive(Debug, Default)]
pub(super) enum OwnCheck {
    #[default]
    Idle,
    Running,
    Done {
        at: Instant,
        report: ConnectionReport,
    },
}

/// What one participant asked of us, and what they answered us.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// They wait for our report.
    waits: bool,
    /// When we last answered them.
    answered: Option<Instant>,
    /// We wait for their report.
    expected: bool,
    /// Their last report.
    pub(super) report: Option<ConnectionReport>,
}

impl Call {
    /// Asks everybody in the room for a report.
    pub(super) fn check_others(&mut self) {
        if !self.reaches_server() {
            return;
        }
        for other in self.others.iter_mut().filter(|other| other.is_seated() && other.is_trusted()) {
            (other.asked.expected, other.asked.report) = (true, None);
            let to = other.participant.id.clone();
            self.outputs.push_back(Output::Send(ClientMessage::CheckConnection { to }));
        }
    }

    /// A participant asks for our report.
    pub(super) fn asked_to_check(&mut self, now: Instant, from: &ParticipantId) {
        let in_room = self.in_room();
        let known = self.others.iter_mut().find(|other| in_room && other.is(from) && other.is_trusted());
        let Some(other) = known else { return };
        if other.asked.answered.is_some_and(|at| now < at + SPACING) {
            return;
        }
        other.asked.waits = true;
        match &self.check {
            OwnCheck::Running => {}
            OwnCheck::Done { at, report } if now < *at + FRESH => {
                let report = report.clone();
                self.answer_waiting(now, &report);
            }
            OwnCheck::Idle | OwnCheck::Done { .. } => {
                self.check = OwnCheck::Running;
                self.outputs.push_back(Output::CheckConnection);
            }
        }
    }

    /// Our check has ended with this report.
    pub(super) fn checked(&mut self, now: Instant, report: ConnectionReport) {
        if !matches!(self.check, OwnCheck::Running) {
            return; // the check of a call that has ended
        }
        self.answer_waiting(now, &report);
        self.check = OwnCheck::Done { at: now, report };
    }

    /// A participant's report. One that nobody asked for is ignored.
    pub(super) fn reported(&mut self, from: &ParticipantId, report: ConnectionReport) {
        if let Some(other) = self.others.iter_mut().find(|other| other.is(from) && other.asked.expected) {
            (other.asked.expected, other.asked.report) = (false, Some(report));
            self.changed = true;
        }
    }

    fn answer_waiting(&mut self, now: Instant, report: &ConnectionReport) {
        if !self.reaches_server() {
            return; // they ask again, and the result is there then
        }
        for other in self.others.iter_mut().filter(|other| other.is_seated() && other.is_trusted()) {
            if std::mem::take(&mut other.asked.waits) {
                other.asked.answered = Some(now);
                let (to, report) = (other.participant.id.clone(), report.clone());
                self.outputs.push_back(Output::Send(ClientMessage::ConnectionReport { to, report }));
            }
        }
    }
}
