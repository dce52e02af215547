//! A file that we send.

use crate::message::{Digest, Message, Reason, TransferId};
use crate::view::{TransferState, TransferView};
use crate::work::{DiskError, DiskRequest, Effects, Person};
use std::time::{Duration, Instant};

/// Bytes in memory below which more are read. The disk returns a few hundred kilobytes at a time.
const LOW: usize = 128 * 1024;

/// When an offer that is not answered is made again, each time after the last. A far side whose channel is not open yet
/// loses what arrives: its library acknowledges the packet and drops the message. Who has the offer ignores a second one.
const OFFER_AGAIN: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(8)];

/// ```text
///            ┌───────── connection lost ─────────┐
///            ▼                                   │
///         Waiting ─connected─▶ Offered ─accept─▶ Checking ─checked─▶ Sending ─all sent─▶ Finishing ─stored─▶ Done
///                               │  ▲              ▲                     │ accept             │ accept
///                               │  │              └─────────────────────┴────────────────────┘
///                               └ decline ─▶ Declined          any but the last: cancel, disk error ─▶ Failed
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    Offered,
    /// The disk compares the receiver's part with the file.
    Checking,
    Sending,
    /// Everything has been sent. The receiver has not stored it.
    Finishing,
    Done,
    Declined,
    Failed(Reason),
}

/// A file that we send to one person.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) id: TransferId,
    pub(crate) person: Person,
    name: String,
    size: u64,
    mime: String,
    state: State,
    /// How often it was offered on this connection without an answer, and when it is offered next.
    offers: usize,
    offer_at: Option<Instant>,
    /// Whether the receiver has accepted it once.
    accepted: bool,
    paused_here: bool,
    paused_there: bool,
    /// Where reading continues after the check.
    from: u64,
    /// The next byte to send.
    position: u64,
    /// What the receiver has acknowledged.
    received: u64,
    /// Bytes from `position` on, after `taken` that have been sent.
    buffer: Vec<u8>,
    taken: usize,
    reading: bool,
    /// The file's hash, when all of it has been read.
    end: Option<Digest>,
    /// Answers of the disk to requests with other numbers are out of date.
    epoch: u32,
}

impl Outgoing {
    pub(crate) fn new(id: TransferId, person: Person, name: String, size: u64, mime: String) -> Outgoing {
        Outgoing {
            id,
            person,
            name,
            size,
            mime,
            state: State::Waiting,
            offers: 0,
            offer_at: None,
            accepted: false,
            paused_here: false,
            paused_there: false,
            from: 0,
            position: 0,
            received: 0,
            buffer: Vec::new(),
            taken: 0,
            reading: false,
            end: None,
            epoch: 0,
        }
    }

    /// There is a connection: offers the file, also after a break.
    pub(crate) fn connected(&mut self, out: &mut Effects) {
        if self.view().state.is_over() {
            return;
        }
        self.state = State::Offered;
        (self.offers, self.offer_at) = (0, None);
        self.forget_buffer();
        self.offer(out);
    }

    /// Offers the file again if nobody has answered.
    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Effects) {
        if self.state != State::Offered {
            return;
        }
        if self.offer_at.is_some_and(|at| at <= now) {
            self.offer_at = None;
            self.offers += 1;
            self.offer(out);
        }
        if self.offer_at.is_none() {
            self.offer_at = OFFER_AGAIN.get(self.offers).map(|after| now + *after);
        }
    }

    /// When [`Outgoing::handle_timeout`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.offer_at.filter(|_| self.state == State::Offered)
    }

    fn offer(&self, out: &mut Effects) {
        let (name, mime) = (self.name.clone(), self.mime.clone());
        out.send(&self.person, Message::Offer { id: self.id, name, size: self.size, mime });
    }

    pub(crate) fn disconnected(&mut self) {
        if !self.view().state.is_over() {
            self.state = State::Waiting;
            self.forget_buffer();
        }
    }

    pub(crate) fn message(&mut self, message: &Message, out: &mut Effects) {
        if self.view().state.is_over() {
            return;
        }
        match message {
            Message::Accept { offset, sha256, .. } => self.accept(*offset, *sha256, out),
            Message::Decline { .. } => self.end(State::Declined, out),
            Message::Pause { .. } => self.paused_there = true,
            Message::Cancel { reason, .. } => self.end(State::Failed(*reason), out),
            // After a break it may come before we have asked.
            Message::Stored { .. } if self.accepted => {
                self.received = self.size;
                self.end(State::Done, out);
            }
            // What only a sender says, or what comes too late.
            Message::Offer { .. }
            | Message::Restart { .. }
            | Message::Ack { .. }
            | Message::Resume { .. }
            | Message::Done { .. }
            | Message::Stored { .. } => {}
        }
    }

    fn accept(&mut self, offset: u64, sha256: Digest, out: &mut Effects) {
        if offset > self.size {
            return self.fail(Reason::Protocol, out);
        }
        (self.accepted, self.paused_there, self.from) = (true, false, offset);
        self.forget_buffer();
        self.state = State::Checking;
        out.disk(DiskRequest::Check { id: self.id, epoch: self.epoch, offset, sha256 });
    }

    /// The receiver has this much. Returns how much is new.
    pub(crate) fn acknowledged(&mut self, received: u64) -> u64 {
        let received = received.min(self.position);
        let new = received.saturating_sub(self.received);
        self.received += new;
        new
    }

    /// Bytes that were sent and are not acknowledged.
    pub(crate) fn in_flight(&self) -> u64 {
        match self.state {
            State::Sending | State::Finishing => self.position.saturating_sub(self.received),
            State::Waiting | State::Offered | State::Checking | State::Done | State::Declined | State::Failed(_) => 0,
        }
    }

    /// The disk has compared the receiver's part with the file.
    pub(crate) fn checked(&mut self, epoch: u32, same: bool, out: &mut Effects) {
        if epoch != self.epoch || self.state != State::Checking {
            return;
        }
        if !same {
            self.from = 0;
            out.send(&self.person, Message::Restart { id: self.id });
        }
        (self.position, self.received) = (self.from, self.from);
        self.state = State::Sending;
        self.read_more(out);
    }

    /// The disk has read more; `end` is the hash of the whole file, with the last part.
    pub(crate) fn read(&mut self, epoch: u32, data: &[u8], end: Option<Digest>, out: &mut Effects) {
        if epoch != self.epoch || self.state != State::Sending {
            return;
        }
        self.reading = false;
        self.buffer.drain(..self.taken);
        self.taken = 0;
        self.buffer.extend_from_slice(data);
        self.end = end;
        self.finish_if_sent(out);
    }

    pub(crate) fn disk_failed(&mut self, error: DiskError, out: &mut Effects) {
        if !self.view().state.is_over() {
            self.fail(error.reason(), out);
        }
    }

    /// Whether there is something to send now.
    pub(crate) fn is_ready(&self) -> bool {
        self.state == State::Sending && !self.paused_here && !self.paused_there && self.taken < self.buffer.len()
    }

    /// Takes up to `most` bytes to send, with their offset.
    pub(crate) fn take(&mut self, most: usize, out: &mut Effects) -> Option<(u64, Vec<u8>)> {
        if !self.is_ready() {
            return None;
        }
        let end = self.buffer.len().min(self.taken + most);
        let (offset, data) = (self.position, self.buffer[self.taken..end].to_vec());
        self.position += data.len() as u64;
        self.taken = end;
        self.read_more(out);
        self.finish_if_sent(out);
        Some((offset, data))
    }

    pub(crate) fn pause(&mut self, out: &mut Effects) {
        if !self.view().state.is_over() && !self.paused_here {
            self.paused_here = true;
            out.send(&self.person, Message::Pause { id: self.id });
        }
    }

    pub(crate) fn resume(&mut self, out: &mut Effects) {
        if std::mem::take(&mut self.paused_here) {
            out.send(&self.person, Message::Resume { id: self.id });
            self.finish_if_sent(out);
        }
    }

    pub(crate) fn cancel(&mut self, out: &mut Effects) {
        if !self.view().state.is_over() {
            self.fail(Reason::Cancelled, out);
        }
    }

    pub(crate) fn view(&self) -> TransferView {
        let (state, reason) = match self.state {
            State::Waiting => (TransferState::Waiting, None),
            State::Offered if self.accepted => (TransferState::Preparing, None),
            State::Offered => (TransferState::Offered, None),
            State::Checking => (TransferState::Preparing, None),
            State::Sending | State::Finishing if self.paused_here => (TransferState::Paused, None),
            State::Sending if self.paused_there => (TransferState::PausedThere, None),
            State::Sending => (TransferState::Moving, None),
            State::Finishing => (TransferState::Checking, None),
            State::Done => (TransferState::Done, None),
            State::Declined => (TransferState::Declined, None),
            State::Failed(reason) => (TransferState::Failed, Some(reason)),
        };
        TransferView {
            id: self.id.to_string(),
            outgoing: true,
            key: self.person.key.clone(),
            person: self.person.name.clone(),
            name: crate::safe(&self.name),
            size: self.size,
            moved: self.received,
            state,
            reason,
        }
    }

    fn forget_buffer(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.buffer = Vec::new();
        (self.taken, self.reading, self.end) = (0, false, None);
    }

    fn read_more(&mut self, out: &mut Effects) {
        if !self.reading && self.end.is_none() && self.buffer.len() - self.taken < LOW {
            self.reading = true;
            out.disk(DiskRequest::Read { id: self.id, epoch: self.epoch });
        }
    }

    fn finish_if_sent(&mut self, out: &mut Effects) {
        let is_sent = self.state == State::Sending && self.taken == self.buffer.len();
        if let Some(sha256) = self.end.filter(|_| is_sent) {
            self.state = State::Finishing;
            out.send(&self.person, Message::Done { id: self.id, sha256 });
        }
    }

    fn fail(&mut self, reason: Reason, out: &mut Effects) {
        out.send(&self.person, Message::Cancel { id: self.id, reason });
        self.end(State::Failed(reason), out);
    }

    fn end(&mut self, state: State, out: &mut Effects) {
        self.state = state;
        self.forget_buffer();
        out.disk(DiskRequest::Close { id: self.id });
    }
}
