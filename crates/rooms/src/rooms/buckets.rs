//! Rate limits: for one person over all their sessions, and for one source over all its people.

use std::collections::HashMap;
use std::time::Instant;

use signaling::board::BoardRequest;
use signaling::forwarding::FORWARDER;
use signaling::message::ClientMessage;

use crate::bucket::{Bucket, Rate};
use crate::limits::{Rates, Shares};

/// People to whom one person has sent messages lately. When full, and no entry can be dropped, a message to another
/// is refused with `rate_limited`. A room has eleven others.
const MAX_ADDRESSEES: usize = 16;

/// Rate limits of one person (device key) over all their sessions.
#[derive(Debug)]
pub(super) struct PersonBuckets {
    messages: Bucket,
    bytes: Bucket,
    joins: Bucket,
    chat: Bucket,
    hands: Bucket,
    reactions: Bucket,
    board: Bucket,
    photos: Bucket,
    forward_offers: Bucket,
    views: Bucket,
    frame_keys: Bucket,
    sender_keys: Bucket,
    addressees: HashMap<String, PairBuckets>,
}

/// Rate limits of all non-members from one source.
#[derive(Debug)]
pub(super) struct SourceBuckets {
    messages: Bucket,
    bytes: Bucket,
    joins: Bucket,
}

/// Rate limits from one person to one other.
#[derive(Debug)]
struct PairBuckets {
    messages: Bucket,
    bytes: Bucket,
}

impl PersonBuckets {
    pub(super) fn new(rates: &Rates, now: Instant) -> PersonBuckets {
        PersonBuckets {
            messages: Bucket::new(rates.messages, now),
            bytes: Bucket::new(rates.bytes, now),
            joins: Bucket::new(rates.joins, now),
            chat: Bucket::new(rates.chat, now),
            hands: Bucket::new(rates.hands, now),
            reactions: Bucket::new(rates.reactions, now),
            board: Bucket::new(rates.board, now),
            photos: Bucket::new(rates.photos, now),
            forward_offers: Bucket::new(rates.forward_offers, now),
            views: Bucket::new(rates.views, now),
            frame_keys: Bucket::new(rates.frame_keys, now),
            sender_keys: Bucket::new(rates.sender_keys, now),
            addressees: HashMap::new(),
        }
    }

    /// Takes the tokens for a message. Returns false if its rate is exceeded.
    pub(super) fn take(&mut self, now: Instant, bytes: usize, message: Option<&ClientMessage>) -> bool {
        let kind = match message {
            Some(ClientMessage::Join { .. }) => Some(&mut self.joins),
            Some(ClientMessage::Offer { to, .. }) if to.0 == FORWARDER => Some(&mut self.forward_offers),
            Some(ClientMessage::View { .. }) => Some(&mut self.views),
            Some(ClientMessage::FrameKey(_)) => Some(&mut self.frame_keys),
            Some(ClientMessage::SenderKeys { .. }) => Some(&mut self.sender_keys),
            Some(ClientMessage::Chat { .. }) => Some(&mut self.chat),
            Some(ClientMessage::Hand { .. }) => Some(&mut self.hands),
            Some(ClientMessage::Reaction { .. }) => Some(&mut self.reactions),
            Some(ClientMessage::Board(BoardRequest::Photo { .. })) => Some(&mut self.photos),
            Some(ClientMessage::Board(_) | ClientMessage::Room(_) | ClientMessage::Account(_)) => Some(&mut self.board),
            Some(
                ClientMessage::Hello(_)
                | ClientMessage::Leave
                | ClientMessage::Offer { .. }
                | ClientMessage::Answer { .. }
                | ClientMessage::Candidate { .. }
                | ClientMessage::EndOfCandidates { .. }
                | ClientMessage::Resolution { .. }
                | ClientMessage::CheckConnection { .. }
                | ClientMessage::ConnectionReport { .. }
                | ClientMessage::Media(_)
                | ClientMessage::Ping { .. }
                | ClientMessage::Ack,
            )
            | None => None,
        };
        self.messages.take(now, 1.0)
            && self.bytes.take(now, bytes as f64)
            && kind.is_none_or(|bucket| bucket.take(now, 1.0))
    }

    /// Takes the tokens for a message to one other, by device key.
    pub(super) fn take_to(&mut self, now: Instant, shares: &Shares, to: &str, bytes: usize) -> bool {
        if self.addressees.len() >= MAX_ADDRESSEES && !self.addressees.contains_key(to) {
            self.forget_addressees(now);
            if self.addressees.len() >= MAX_ADDRESSEES {
                return false;
            }
        }
        let new = || PairBuckets {
            messages: Bucket::new(shares.pair_messages, now),
            bytes: Bucket::new(shares.pair_bytes, now),
        };
        let pair = self.addressees.entry(to.to_owned()).or_insert_with(new);
        pair.messages.take(now, 1.0) && pair.bytes.take(now, bytes as f64)
    }

    /// Whether all buckets are full, so the entry can be dropped.
    pub(super) fn is_full(&mut self, now: Instant) -> bool {
        self.forget_addressees(now);
        let kinds =
            [&mut self.joins, &mut self.chat, &mut self.hands, &mut self.reactions, &mut self.board, &mut self.photos];
        let forwarding = [&mut self.forward_offers, &mut self.views, &mut self.frame_keys, &mut self.sender_keys];
        let buckets = [&mut self.messages, &mut self.bytes].into_iter().chain(kinds).chain(forwarding);
        self.addressees.is_empty() && { buckets }.all(|bucket| bucket.is_full(now))
    }

    fn forget_addressees(&mut self, now: Instant) {
        self.addressees.retain(|_, pair| !(pair.messages.is_full(now) && pair.bytes.is_full(now)));
    }
}

impl SourceBuckets {
    pub(super) fn new(shares: &Shares, weight: usize, now: Instant) -> SourceBuckets {
        let bucket = |rate: Rate| {
            let weight = weight as f64;
            Bucket::new(Rate::new(rate.per_second * weight, rate.burst * weight), now)
        };
        SourceBuckets {
            messages: bucket(shares.source_messages),
            bytes: bucket(shares.source_bytes),
            joins: bucket(shares.source_joins),
        }
    }

    /// Takes the tokens for a message from this source.
    pub(super) fn take(&mut self, now: Instant, bytes: usize, message: Option<&ClientMessage>) -> bool {
        let is_join = matches!(message, Some(ClientMessage::Join { .. }));
        self.messages.take(now, 1.0) && self.bytes.take(now, bytes as f64) && (!is_join || self.joins.take(now, 1.0))
    }

    /// Whether all buckets are full, so the entry can be dropped.
    pub(super) fn is_full(&mut self, now: Instant) -> bool {
        let buckets = [&mut self.messages, &mut self.bytes, &mut self.joins];
        buckets.into_iter().all(|bucket| bucket.is_full(now))
    }
}
