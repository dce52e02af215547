//! Perfect negotiation (W3C WebRTC section 10.7) as a state machine: decides who may offer, and which offer wins on
//! glare.

/// ```text
///               our offer                      their offer
///   ┌────────────────────────── Stable ──────────────────────────┐
///   ▼                           ▲ ▲  ▲                            ▼
/// HaveLocalOffer ── their answer ┘ │  └────── our answer ── HaveRemoteOffer
///   │      │                       │
/// |      └── our offer failed ───┘
///   └── their offer, and we are polite: ours is rolled back ──► HaveRemoteOffer
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Negotiation {
    /// No negotiation is in progress.
    Stable,
    /// Our offer has been sent, and waits for the answer.
    HaveLocalOffer,
    /// Their offer has been received, and waits for our answer.
    HaveRemoteOffer,
}

/// How to handle a received offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnOffer {
    /// Apply and answer it.
    Answer,
    /// Roll back our offer first, and offer again afterwards.
    TakeBackAndAnswer,
    /// Ignore it and its candidates; our offer wins.
    Ignore,
}

impl Negotiation {
    /// Whether an offer may be sent now.
    pub(crate) fn may_offer(self) -> bool {
        match self {
            Negotiation::Stable => true,
            Negotiation::HaveLocalOffer | Negotiation::HaveRemoteOffer => false,
        }
    }

    /// Our offer has been sent.
    pub(crate) fn offered(&mut self) {
        *self = Negotiation::HaveLocalOffer;
    }

    /// An offer has been received. The state is then `HaveRemoteOffer`, unless the offer is ignored.
    pub(crate) fn remote_offer(&mut self, polite: bool) -> OnOffer {
        let decision = match (*self, polite) {
            (Negotiation::Stable | Negotiation::HaveRemoteOffer, _) => OnOffer::Answer,
            (Negotiation::HaveLocalOffer, true) => OnOffer::TakeBackAndAnswer,
            (Negotiation::HaveLocalOffer, false) => return OnOffer::Ignore,
        };
        *self = Negotiation::HaveRemoteOffer;
        decision
    }

    /// An answer has been received. Returns `false` if none was expected.
    pub(crate) fn remote_answer(&mut self) -> bool {
        match self {
            Negotiation::HaveLocalOffer => {
                *self = Negotiation::Stable;
                true
            }
            Negotiation::Stable | Negotiation::HaveRemoteOffer => false,
        }
    }

    /// Our answer has been sent, or the negotiation has been rolled back.
    pub(crate) fn settled(&mut self) {
        *self = Negotiation::Stable;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    #[test]
    fn the_polite_side_rolls_back_on_glare() {
        let mut side = Negotiation::HaveLocalOffer;
        assert_eq!(side.remote_offer(true), OnOffer::TakeBackAndAnswer);
        assert_eq!(side, Negotiation::HaveRemoteOffer);
    }

    #[test]
    fn the_impolite_side_keeps_its_offer_on_glare() {
        let mut side = Negotiation::HaveLocalOffer;
        assert_eq!(side.remote_offer(false), OnOffer::Ignore);
        assert_eq!(side, Negotiation::HaveLocalOffer);
    }

    #[test]
    fn an_unexpected_answer_is_ignored() {
        for mut side in [Negotiation::Stable, Negotiation::HaveRemoteOffer] {
            let before = side;
            assert!(!side.remote_answer());
            assert_eq!(side, before);
        }
    }

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Message {
        Offer(u32),
        Answer(u32),
    }

    struct Side {
        state: Negotiation,
        polite: bool,
        wants: bool,
        offers: u32,
        inbox: VecDeque<Message>,
    }

    impl Side {
        fn new(polite: bool) -> Side {
            Side { state: Negotiation::Stable, polite, wants: false, offers: 0, inbox: VecDeque::new() }
        }

        fn send_offer(&mut self) -> Option<Message> {
            (self.wants && self.state.may_offer()).then(|| {
                self.wants = false;
                self.offers += 1;
                self.state.offered();
                Message::Offer(self.offers)
            })
        }

        fn receive(&mut self) -> Option<Message> {
            match self.inbox.pop_front()? {
                Message::Offer(number) => match self.state.remote_offer(self.polite) {
                    OnOffer::Ignore => None,
                    decision => {
                        self.wants |= decision == OnOffer::TakeBackAndAnswer;
                        self.state.settled();
                        Some(Message::Answer(number))
                    }
                },
                Message::Answer(number) => {
                    assert!(self.state.remote_answer(), "every answer is waited for");
                    assert_eq!(number, self.offers, "and answers the current offer");
                    None
                }
            }
        }
    }

    proptest! {
        /// In whatever order both sides want to offer, send and receive, both end stable with nothing left to offer.
        #[test]
        fn two_sides_always_become_stable(steps in prop::collection::vec(0u8..6, 0..200)) {
            let mut sides = [Side::new(true), Side::new(false)];
            let drain = std::iter::repeat_n([2u8, 3, 4, 5], 40).flatten();
            for step in steps.into_iter().chain(drain) {
                let (me, other) = (step as usize % 2, (step as usize + 1) % 2);
                let message = match step / 2 {
                    0 => { sides[me].wants = true; None }
                    1 => sides[me].send_offer(),
                    _ => sides[me].receive(),
                };
                sides[other].inbox.extend(message);
            }
            for side in &sides {
                prop_assert_eq!(side.state, Negotiation::Stable);
                prop_assert!(!side.wants && side.inbox.is_empty());
            }
        }
    }
}
