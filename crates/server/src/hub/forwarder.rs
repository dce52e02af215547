//! Between the rooms and the forwarder of their media.

use rooms::ForwarderRequest;
use signaling::message::ErrorCode;
use tokio::sync::mpsc;

use super::Hub;
use crate::forwarding::{Busy, Report};

/// The next report of the forwarder. Never, if there is none.
pub(super) async fn next(reports: &mut Option<mpsc::Receiver<Report>>) -> Option<Report> {
    match reports {
        Some(reports) => reports.recv().await,
        None => std::future::pending().await,
    }
}

impl Hub {
    /// Hands a request to the forwarder. An offer that it cannot take now is refused.
    pub(super) fn ask_forwarder(&mut self, request: ForwarderRequest) {
        let Some(forwarder) = &mut self.forwarder else { return };
        let offer = match &request {
            ForwarderRequest::Answer { session, id, seq, .. } => Some((session.clone(), id.clone(), *seq)),
            ForwarderRequest::Take { .. } | ForwarderRequest::Drop { .. } | ForwarderRequest::View { .. } => None,
        };
        if let (Err(Busy), Some((session, id, seq))) = (forwarder.send(request), offer) {
            self.rooms.forwarder_answered(&session, &id, seq, Err(ErrorCode::RateLimited));
        }
    }

    /// Passes on what the forwarder reports.
    pub(super) fn reported(&mut self, report: Report) {
        match report {
            Report::Answered { session, id, seq, answer } => {
                self.rooms.forwarder_answered(&session, &id, seq, answer);
            }
            Report::Assigned { session, id, slots, displayed } => {
                self.rooms.forwarder_assigned(&session, &id, slots, displayed);
            }
        }
        self.drain();
    }
}
