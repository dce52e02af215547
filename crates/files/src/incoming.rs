//! A file that we receive.

use crate::chunk::Chunk;
use crate::message::{Digest, Message, Reason, TransferId};
use crate::view::{TransferState, TransferView};
use crate::work::{DiskError, DiskRequest, Effects, Person};
use std::time::{Duration, Instant};

/// Bytes that are collected before they are written, while the disk is busy or the file goes on.
const BLOCK: usize = 128 * 1024;
/// Interval of acknowledgements.
const ACKS: Duration = Duration::from_millis(30);

/// ```text
///  Finding ─nothing there─▶ Asked ─accept─▶ Preparing ─prepared─▶ Receiving ─done─▶ Finishing ─written─▶ Checking
///     └── was accepted before ────────────────▲ ▲ ▲                  │                               equal │
///                                   offered   │ │ └──── resume ── Stalled (disk error)                   Keeping
///                     Waiting ────────────────┘ └────── resume ── Receiving, paused                        │
///                        ▲                                                                                 ▼
///                        └─ connection lost (any after accept)           cancel, wrong data ─▶ Failed     Done
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The disk looks for an earlier part.
    Finding,
    /// The person has not answered.
    Asked,
    /// The disk opens the file, and hashes what is there.
    Preparing,
    Receiving,
    /// The disk refuses to write. The person can free space and resume.
    Stalled(Reason),
    /// Everything has arrived, and has this hash.
    Finishing(Digest),
    /// Everything is written. The disk finishes the hash.
    Checking(Digest),
    /// The disk gives the file its name.
    Keeping,
    /// There is no connection.
    Waiting,
    Done,
    Declined,
    Failed(Reason),
}

/// A file that one person sends us.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) id: TransferId,
    pub(crate) person: Person,
    name: String,
    size: u64,
    state: State,
    connected: bool,
    paused_here: bool,
    paused_there: bool,
    /// Bytes received without a gap.
    received: u64,
    /// Received and not given to the disk.
    pending: Vec<u8>,
    writing: bool,
    /// Answers of the disk to requests with other numbers are out of date.
    epoch: u32,
    /// The times of the newest chunk that is not acknowledged.
    unacknowledged: Option<(u32, u32)>,
    acknowledged_at: Option<Instant>,
}

impl Incoming {
    /// Someone offers a file.
    pub(crate) fn new(id: TransferId, person: Person, name: &str, size: u64, out: &mut Effects) -> Incoming {
        let name = crate::safe(name);
        out.disk(DiskRequest::Find { id, key: person.key.clone(), size });
        Incoming {
            id,
            person,
            name,
            size,
            state: State::Finding,
            connected: true,
            paused_here: false,
            paused_there: false,
            received: 0,
            pending: Vec::new(),
            writing: false,
            epoch: 0,
            unacknowledged: None,
            acknowledged_at: None,
        }
    }

    /// The same file is offered after a break.
    pub(crate) fn offered(&mut self, out: &mut Effects) {
        self.connected = true;
        self.paused_there = false;
        match self.state {
            State::Finding | State::Asked => {}
            State::Done => out.send(&self.person, Message::Stored { id: self.id }),
            State::Declined => out.send(&self.person, Message::Decline { id: self.id }),
            State::Failed(reason) => out.send(&self.person, Message::Cancel { id: self.id, reason }),
            // Everything is here; the answer follows.
            State::Checking(_) | State::Keeping => {}
            State::Stalled(_) => {}
            // It was offered again before our answer.
            State::Preparing if !self.paused_here => {}
            State::Waiting | State::Preparing | State::Receiving | State::Finishing(_) if self.paused_here => {
                self.state = State::Waiting;
                out.send(&self.person, Message::Pause { id: self.id });
            }
            State::Waiting | State::Preparing | State::Receiving | State::Finishing(_) => self.prepare(out),
        }
    }

    pub(crate) fn disconnected(&mut self, out: &mut Effects) {
        self.connected = false;
        self.unacknowledged = None;
        match self.state {
            State::Receiving | State::Finishing(_) | State::Preparing => {
                self.flush(out);
                self.state = State::Waiting;
            }
            State::Finding
            | State::Asked
            | State::Stalled(_)
            | State::Checking(_)
            | State::Keeping
            | State::Waiting
            | State::Done
            | State::Declined
            | State::Failed(_) => {}
        }
    }

    /// The disk has looked for an earlier part of this very offer, which the person had accepted.
    pub(crate) fn found(&mut self, accepted: bool, out: &mut Effects) {
        if self.state == State::Finding {
            self.state = State::Asked;
            if accepted {
                self.accept(out);
            }
        }
    }

    pub(crate) fn accept(&mut self, out: &mut Effects) {
        if self.state == State::Asked {
            self.prepare(out);
        }
    }

    pub(crate) fn decline(&mut self, out: &mut Effects) {
        if self.state == State::Asked {
            self.state = State::Declined;
            out.send(&self.person, Message::Decline { id: self.id });
            out.disk(DiskRequest::Discard { id: self.id });
        }
    }

    fn prepare(&mut self, out: &mut Effects) {
        self.flush(out);
        self.epoch = self.epoch.wrapping_add(1);
        self.writing = false;
        self.unacknowledged = None;
        self.state = State::Preparing;
        let (key, name) = (self.person.key.clone(), self.name.clone());
        out.disk(DiskRequest::Prepare { id: self.id, epoch: self.epoch, key, name, size: self.size });
    }

    /// The file is open; this much of it is there.
    pub(crate) fn prepared(&mut self, epoch: u32, offset: u64, sha256: Digest, out: &mut Effects) {
        if epoch != self.epoch || self.state != State::Preparing {
            return;
        }
        self.received = offset;
        self.state = if self.connected { State::Receiving } else { State::Waiting };
        out.send(&self.person, Message::Accept { id: self.id, offset, sha256 });
    }

    pub(crate) fn message(&mut self, message: &Message, out: &mut Effects) {
        match (message, self.state) {
            (_, State::Done | State::Declined | State::Failed(_)) => {}
            (Message::Restart { .. }, State::Receiving) => {
                self.pending.clear();
                self.epoch = self.epoch.wrapping_add(1);
                (self.received, self.writing) = (0, false);
                out.disk(DiskRequest::Reset { id: self.id });
            }
            (Message::Pause { .. }, _) => self.paused_there = true,
            (Message::Resume { .. }, _) => self.paused_there = false,
            (Message::Cancel { reason, .. }, _) => self.discard(*reason, out),
            // Shorter than announced.
            (Message::Done { .. }, State::Receiving) if self.received != self.size => self.fail(Reason::Changed, out),
            (Message::Done { sha256, .. }, State::Receiving) => {
                self.state = State::Finishing(*sha256);
                self.flush(out);
                self.finish_if_written(out);
            }
            // What only a receiver says, or what does not fit.
            (
                Message::Offer { .. }
                | Message::Accept { .. }
                | Message::Decline { .. }
                | Message::Restart { .. }
                | Message::Ack { .. }
                | Message::Done { .. }
                | Message::Stored { .. },
                _,
            ) => {}
        }
    }

    /// A part of the file. What is there already is left out. A part that does not follow was sent before the sender
    /// heard where we continue.
    pub(crate) fn chunk(&mut self, now: Instant, arrived: u32, chunk: &Chunk<'_>, out: &mut Effects) {
        if self.state != State::Receiving || chunk.offset > self.received {
            return;
        }
        if chunk.offset + chunk.data.len() as u64 > self.size {
            return self.fail(Reason::TooMuch, out);
        }
        let known = usize::try_from(self.received - chunk.offset).unwrap_or(usize::MAX);
        let Some(new) = chunk.data.get(known..) else { return };
        self.pending.extend_from_slice(new);
        self.received += new.len() as u64;
        self.unacknowledged = Some((chunk.time, arrived));
        if !self.writing && self.pending.len() >= BLOCK || self.pending.len() >= 4 * BLOCK {
            self.flush(out);
        }
        if self.received == self.size {
            self.acknowledge(now, out);
        }
        self.handle_timeout(now, out);
    }

    /// When an acknowledgement is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.unacknowledged?;
        self.acknowledged_at.map(|at| at + ACKS)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, out: &mut Effects) {
        let is_due = self.acknowledged_at.is_none_or(|at| now.saturating_duration_since(at) >= ACKS);
        if self.unacknowledged.is_some() && is_due {
            self.acknowledge(now, out);
        }
    }

    fn acknowledge(&mut self, now: Instant, out: &mut Effects) {
        let Some((time, arrived)) = self.unacknowledged.take() else { return };
        self.acknowledged_at = Some(now);
        out.send(&self.person, Message::Ack { id: self.id, received: self.received, time, arrived });
    }

    /// The disk has written one block.
    pub(crate) fn written(&mut self, epoch: u32, out: &mut Effects) {
        if epoch != self.epoch {
            return;
        }
        self.writing = false;
        if self.pending.len() >= BLOCK {
            self.flush(out);
        }
        self.finish_if_written(out);
    }

    /// The hash of the whole file.
    pub(crate) fn finished(&mut self, sha256: Digest, out: &mut Effects) {
        let State::Checking(expected) = self.state else { return };
        if sha256 == expected {
            self.state = State::Keeping;
            out.disk(DiskRequest::Keep { id: self.id });
        } else {
            self.fail(Reason::WrongHash, out);
        }
    }

    /// The file has its name now.
    pub(crate) fn kept(&mut self, name: String, out: &mut Effects) {
        if self.state == State::Keeping {
            (self.state, self.name) = (State::Done, name);
            out.send(&self.person, Message::Stored { id: self.id });
        }
    }

    /// The disk refuses. What is written stays, and the person can try it later.
    pub(crate) fn disk_failed(&mut self, error: DiskError, out: &mut Effects) {
        if self.view().state.is_over() {
            return;
        }
        self.pending.clear();
        (self.writing, self.unacknowledged) = (false, None);
        self.epoch = self.epoch.wrapping_add(1);
        self.state = State::Stalled(error.reason());
        out.send(&self.person, Message::Pause { id: self.id });
    }

    pub(crate) fn pause(&mut self, out: &mut Effects) {
        if matches!(self.state, State::Receiving | State::Preparing | State::Waiting) && !self.paused_here {
            self.paused_here = true;
            out.send(&self.person, Message::Pause { id: self.id });
        }
    }

    pub(crate) fn resume(&mut self, out: &mut Effects) {
        self.paused_here = false;
        match self.state {
            State::Receiving | State::Stalled(_) | State::Waiting if self.connected => self.prepare(out),
            State::Stalled(_) => self.state = State::Waiting,
            _ => {}
        }
    }

    pub(crate) fn cancel(&mut self, out: &mut Effects) {
        match self.state {
            State::Done | State::Declined | State::Failed(_) | State::Keeping => {}
            State::Asked => self.decline(out),
            _ => self.fail(Reason::Cancelled, out),
        }
    }

    pub(crate) fn view(&self) -> TransferView {
        let paused = self.paused_here || self.paused_there;
        let (state, reason) = match self.state {
            State::Finding => (TransferState::Preparing, None),
            State::Asked => (TransferState::Offered, None),
            State::Stalled(reason) => (TransferState::Paused, Some(reason)),
            State::Preparing | State::Receiving if paused => {
                (if self.paused_here { TransferState::Paused } else { TransferState::PausedThere }, None)
            }
            State::Preparing => (TransferState::Preparing, None),
            State::Receiving => (TransferState::Moving, None),
            State::Finishing(_) | State::Checking(_) | State::Keeping => (TransferState::Checking, None),
            State::Waiting if self.paused_here => (TransferState::Paused, None),
            State::Waiting => (TransferState::Waiting, None),
            State::Done => (TransferState::Done, None),
            State::Declined => (TransferState::Declined, None),
            State::Failed(reason) => (TransferState::Failed, Some(reason)),
        };
        TransferView {
            id: self.id.to_string(),
            outgoing: false,
            key: self.person.key.clone(),
            person: self.person.name.clone(),
            name: self.name.clone(),
            size: self.size,
            moved: self.received,
            state,
            reason,
        }
    }

    /// Gives everything to the disk.
    fn flush(&mut self, out: &mut Effects) {
        if !self.pending.is_empty() {
            let data = std::mem::take(&mut self.pending);
            self.writing = true;
            out.disk(DiskRequest::Write { id: self.id, epoch: self.epoch, data });
        }
    }

    fn finish_if_written(&mut self, out: &mut Effects) {
        if let State::Finishing(sha256) = self.state {
            self.flush(out);
            // The disk works in order, so the hash includes what is being written.
            self.state = State::Checking(sha256);
            out.disk(DiskRequest::Finish { id: self.id });
        }
    }

    fn fail(&mut self, reason: Reason, out: &mut Effects) {
        out.send(&self.person, Message::Cancel { id: self.id, reason });
        self.discard(reason, out);
    }

    fn discard(&mut self, reason: Reason, out: &mut Effects) {
        self.state = State::Failed(reason);
        self.pending = Vec::new();
        self.unacknowledged = None;
        out.disk(DiskRequest::Discard { id: self.id });
    }
}
