//! How often one session may say something.

use std::time::Instant;

use signaling::message::ClientMessage;

use crate::bucket::Bucket;
use crate::limits::{MAX_REFUSED_IN_A_ROW, Rates};

/// One session's buckets.
#[derive(Debug)]
pub(super) struct Buckets {
    messages: Bucket,
    bytes: Bucket,
    joins: Bucket,
    chat: Bucket,
    board: Bucket,
    refused_in_a_row: u32,
}

/// What was said is not listened to.
pub(super) enum Refused {
    /// This time.
    Once,
    /// So often in a row that the session ends.
    TooOften,
}

impl Buckets {
    pub(super) fn new(rates: &Rates, now: Instant) -> Buckets {
        Buckets {
            messages: Bucket::new(rates.messages, now),
            bytes: Bucket::new(rates.bytes, now),
            joins: Bucket::new(rates.joins, now),
            chat: Bucket::new(rates.chat, now),
            board: Bucket::new(rates.board, now),
            refused_in_a_row: 0,
        }
    }

    pub(super) fn take(&mut self, now: Instant, bytes: usize, message: Option<&ClientMessage>) -> Result<(), Refused> {
        let kind = match message {
            Some(ClientMessage::Join { .. }) => Some(&mut self.joins),
            Some(ClientMessage::Chat { .. }) => Some(&mut self.chat),
            Some(ClientMessage::Board(_) | ClientMessage::Room(_)) => Some(&mut self.board),
            Some(
                ClientMessage::Hello(_)
                | ClientMessage::Leave
                | ClientMessage::Offer { .. }
                | ClientMessage::Answer { .. }
                | ClientMessage::Candidate { .. }
                | ClientMessage::EndOfCandidates { .. }
                | ClientMessage::Resolution { .. }
                | ClientMessage::Media(_)
                | ClientMessage::Ping { .. }
                | ClientMessage::Ack,
            )
            | None => None,
        };
        let within = self.messages.take(now, 1.0)
            && self.bytes.take(now, bytes as f64)
            && kind.is_none_or(|bucket| bucket.take(now, 1.0));
        if within {
            self.refused_in_a_row = 0;
            return Ok(());
        }
        self.refused_in_a_row += 1;
        if self.refused_in_a_row > MAX_REFUSED_IN_A_ROW { Err(Refused::TooOften) } else { Err(Refused::Once) }
    }
}
