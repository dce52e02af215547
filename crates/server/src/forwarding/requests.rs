//! What the hub asks of the forwarder's thread.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use mio::Waker;
use rooms::ForwarderRequest;
use signaling::message::SessionId;

/// Requests waiting for the forwarder's thread, which takes all of them before it reads datagrams. When full, an offer is
/// refused, and of each session the newest of the others waits in the hub until its next tick.
pub(super) const REQUESTS: usize = 1_024;

/// The forwarder cannot take an offer now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy;

/// The hub's end.
pub(crate) struct Requests {
    requests: SyncSender<ForwarderRequest>,
    waker: Arc<Waker>,
    /// Those that found the queue full. One entry for each session that has a seat or has just lost it, at most.
    waiting: HashMap<SessionId, Waiting>,
}

#[derive(Default)]
struct Waiting {
    /// `Take` or `Drop`. A `Take` includes the `Drop` before it.
    seat: Option<ForwarderRequest>,
    view: Option<ForwarderRequest>,
}

impl Requests {
    pub(super) fn new(requests: SyncSender<ForwarderRequest>, waker: Arc<Waker>) -> Requests {
        Requests { requests, waker, waiting: HashMap::new() }
    }

    /// Hands a request to the thread.
    ///
    /// # Errors
    /// [`Busy`], for an offer only. Others wait.
    pub(crate) fn send(&mut self, request: ForwarderRequest) -> Result<(), Busy> {
        let session = session(&request).clone();
        let rest = if self.waiting.contains_key(&session) { Some(request) } else { self.try_send(request) };
        let Some(rest) = rest else { return Ok(()) };
        if matches!(rest, ForwarderRequest::Answer { .. }) {
            return Err(Busy);
        }
        let waiting = self.waiting.entry(session).or_default();
        if matches!(rest, ForwarderRequest::View { .. }) {
            waiting.view = Some(rest);
        } else {
            *waiting = Waiting { seat: Some(rest), view: None };
        }
        Ok(())
    }

    /// Sends what found the queue full.
    pub(crate) fn tick(&mut self) {
        for (id, Waiting { seat, view }) in std::mem::take(&mut self.waiting) {
            let seat = seat.and_then(|seat| self.try_send(seat));
            let view = match view {
                Some(view) if seat.is_none() => self.try_send(view),
                view => view,
            };
            if seat.is_some() || view.is_some() {
                self.waiting.insert(id, Waiting { seat, view });
            }
        }
    }

    /// Returns the request if the queue is full.
    fn try_send(&self, request: ForwarderRequest) -> Option<ForwarderRequest> {
        let rest = match self.requests.try_send(request) {
            // If the forwarder has ended, nobody needs it.
            Ok(()) | Err(TrySendError::Disconnected(_)) => None,
            Err(TrySendError::Full(request)) => Some(request),
        };
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "cannot wake the forwarder");
        }
        rest
    }
}

fn session(request: &ForwarderRequest) -> &SessionId {
    match request {
        ForwarderRequest::Take { session, .. }
        | ForwarderRequest::Drop { session }
        | ForwarderRequest::Answer { session, .. }
        | ForwarderRequest::View { session, .. } => session,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signaling::message::ParticipantId;
    use std::sync::mpsc::sync_channel;

    #[test]
    fn a_full_queue_keeps_the_newest_of_each_session_and_refuses_offers() {
        let poll = mio::Poll::new().expect("a poll");
        let waker = Arc::new(Waker::new(poll.registry(), mio::Token(0)).expect("a waker"));
        let (sender, receiver) = sync_channel(1);
        let mut requests = Requests::new(sender, waker);
        let [ada, eve] = ["ada", "eve"].map(|id| SessionId(id.into()));
        let drop = |session: &SessionId| ForwarderRequest::Drop { session: session.clone() };
        let id = || ParticipantId("p1".into());
        let take = ForwarderRequest::Take { session: eve.clone(), room: "soup".into(), id: id() };
        let view = ForwarderRequest::View { session: eve.clone(), pictures: Vec::new() };
        assert_eq!(requests.send(drop(&ada)), Ok(()));
        for request in [view.clone(), drop(&eve), take.clone(), view.clone()] {
            assert_eq!(requests.send(request), Ok(()));
        }
        let offer = ForwarderRequest::Answer { session: eve.clone(), id: id(), seq: 1, sdp: String::new() };
        assert_eq!(requests.send(offer), Err(Busy), "nothing overtakes what waits");
        let mut received = Vec::new();
        for _ in 0..3 {
            received.extend(receiver.try_iter());
            requests.tick();
        }
        assert_eq!(received, [drop(&ada), take, view]);
        assert!(requests.waiting.is_empty());
    }
}
