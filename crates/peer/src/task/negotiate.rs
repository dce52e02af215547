//! Offers and answers: applies the decisions of [`Descriptions`](crate::descriptions::Descriptions) to the library.

use super::Task;
use crate::error::PeerError;
use crate::event::{DescriptionKind, PeerEvent, PeerState};
use crate::negotiation::{Negotiation, OnOffer};
use crate::sdp::Description;
use std::time::Instant;

impl Task {
    pub(super) async fn offer_if_needed(&mut self) -> Result<(), PeerError> {
        let outcome = self.make_offer().await;
        // Otherwise the offer would be lost, and nothing could be negotiated again.
        self.broken |= outcome.is_err();
        outcome
    }

    async fn make_offer(&mut self) -> Result<(), PeerError> {
        if self.owner.state == PeerState::Closed {
            return Ok(());
        }
        let Some(restarts) = self.descriptions.start_offer() else { return Ok(()) };
        let (offer, library) = self.library.create_offer(restarts).await?;
        let description = self.descriptions.offer_for_far_side(library);
        if restarts {
            self.gathered.begin();
        }
        self.library.set_local(offer).await?;
        self.publish(DescriptionKind::Offer, &description);
        self.descriptions.offered(description);
        Ok(())
    }

    /// Takes an offer back that nobody answers any more. It is made again as soon as the task goes on.
    pub(super) async fn reoffer(&mut self) -> Result<(), PeerError> {
        match self.descriptions.negotiation {
            Negotiation::HaveLocalOffer => {
                self.roll_back().await?;
                self.descriptions.negotiation.settled();
                Ok(())
            }
            Negotiation::Stable | Negotiation::HaveRemoteOffer => Ok(()),
        }
    }

    async fn roll_back(&mut self) -> Result<(), PeerError> {
        if let Err(error) = self.library.roll_back_local().await {
            self.broken = true;
            return Err(error);
        }
        self.descriptions.rolled_back();
        Ok(())
    }

    pub(super) async fn remote_offer(&mut self, remote: Description) -> Result<(), PeerError> {
        match self.descriptions.negotiation.remote_offer(self.config.polite) {
            OnOffer::Ignore => {
                self.candidates.ignore(remote);
                return Ok(());
            }
            OnOffer::TakeBackAndAnswer => self.roll_back().await?,
            OnOffer::Answer => {}
        }
        self.descriptions.begin();
        let outcome = self.answer(remote).await;
        if outcome.is_err()
            && let Err(error) = self.library.roll_back_remote().await
        {
            tracing::debug!("a refused offer could not be rolled back: {error}");
        }
        self.descriptions.negotiation.settled();
        outcome
    }

    async fn answer(&mut self, remote: Description) -> Result<(), PeerError> {
        let before = self.descriptions.remote();
        let (shown, sdp) = self.descriptions.for_library(&remote, before, &self.config.codecs);
        self.runtime.expect(&remote.transport);
        self.library.set_remote_offer(sdp).await?;
        let (answer, library) = self.library.create_answer().await?;
        let local = self.descriptions.answer_for_far_side(library, &remote);
        if self.begin_generation(&remote) {
            self.descriptions.restarted_by_far_side();
            if self.descriptions.remote().is_some() {
                self.gathered.begin();
            }
        }
        self.library.set_local(answer).await?;
        self.descriptions.shown.settle(&shown);
        self.publish(DescriptionKind::Answer, &local);
        self.conclude(&local, remote);
        self.add_early_candidates().await;
        Ok(())
    }

    pub(super) async fn remote_answer(&mut self, mut remote: Description) -> Result<(), PeerError> {
        let offer = self.descriptions.take_answer(&mut remote)?;
        let (shown, sdp) = self.descriptions.for_library(&remote, Some(&offer), &self.config.codecs);
        self.begin_generation(&remote);
        self.runtime.expect(&remote.transport);
        self.library.set_remote_answer(sdp).await?;
        self.descriptions.answered(&shown, &remote);
        self.conclude(&offer, remote);
        self.add_early_candidates().await;
        Ok(())
    }

    /// Records the ICE generation. Returns whether the far side's ICE credentials are new.
    fn begin_generation(&mut self, remote: &Description) -> bool {
        let is_new = self.descriptions.is_new_generation(remote);
        if is_new {
            self.candidates.begin_generation(&remote.candidates, self.descriptions.remote_ufrag());
        }
        is_new
    }

    fn publish(&mut self, kind: DescriptionKind, description: &Description) {
        self.descriptions.published(description);
        self.runtime.accept_checks(&description.transport.ufrag, &description.transport.password);
        let origin = self.descriptions.next_origin();
        let sdp = self.outward().description(description, origin);
        self.owner.push(PeerEvent::LocalDescription { kind, sdp });
    }

    /// Both descriptions have been applied.
    fn conclude(&mut self, local: &Description, remote: Description) {
        let events = self.descriptions.conclude(local, remote);
        self.path.apply(self.descriptions.agreed(), Instant::now());
        events.into_iter().for_each(|event| self.owner.push(event));
    }
}
