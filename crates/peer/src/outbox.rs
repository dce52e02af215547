//! Events waiting for the connection's owner.

use crate::event::PeerEvent;
use std::collections::VecDeque;

/// Most events that wait. When full, the owner has not read for a long time: the connection's task accepts no further
/// command until some have been read, and further events from the network are dropped.
pub(crate) const EVENTS: usize = 256;

/// Events in order. Only the newest target is kept.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    events: VecDeque<PeerEvent>,
}

impl Outbox {
    pub(crate) fn push(&mut self, event: PeerEvent) {
        if let PeerEvent::Target(_) = event {
            self.events.retain(|waiting| !matches!(waiting, PeerEvent::Target(_)));
        }
        if self.events.len() < 2 * EVENTS {
            self.events.push_back(event);
        } else {
            tracing::warn!("an event was dropped because the connection's owner does not read");
        }
    }

    pub(crate) fn pop(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.events.len() >= EVENTS
    }

    pub(crate) fn clear(&mut self) {
        self.events.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_target_waits() {
        let mut outbox = Outbox::default();
        outbox.push(PeerEvent::Target(1));
        outbox.push(PeerEvent::EndOfCandidates);
        outbox.push(PeerEvent::Target(2));
        assert_eq!(outbox.pop(), Some(PeerEvent::EndOfCandidates));
        assert_eq!(outbox.pop(), Some(PeerEvent::Target(2)));
        assert_eq!(outbox.pop(), None);
    }

    #[test]
    fn the_outbox_is_bounded_if_nobody_reads() {
        let mut outbox = Outbox::default();
        for _ in 0..10 * EVENTS {
            outbox.push(PeerEvent::EndOfCandidates);
        }
        assert!(outbox.is_full());
        assert_eq!(std::iter::from_fn(|| outbox.pop()).count(), 2 * EVENTS);
    }
}
