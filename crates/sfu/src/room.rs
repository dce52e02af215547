//! One forwarded room: who publishes what, who gets which part of it, and what is to be sent.
//!
//! It takes packets and the time and returns [`Output`]s. It knows nothing of connections.

mod video;
mod voices;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::limits::{Bounds, MAX_ENCODINGS, MAX_PARTICIPANTS, MAX_PAYLOAD_BYTES, VIEW_CHANGES};
use crate::packet::{Forwarded, Kind, Packet, ParticipantId, Slot, Source};
use crate::publisher::Publisher;
use crate::receiver::{Receiver, Wanted};
use crate::selection::select;

/// Time between two turns of what is not done for each packet.
const TICK: Duration = Duration::from_millis(100);
/// Turns between two selections, if nothing has changed.
const SELECT_EVERY: u32 = 5;

/// The room has as many people as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the room is full")]
pub struct Full;

/// What the caller is to do. All must be taken after each call, in order.
#[derive(Debug)]
pub enum Output {
    /// Send a packet in a slot of this person.
    Forward {
        /// The receiver.
        to: ParticipantId,
        /// Their slot.
        slot: Slot,
        /// The packet.
        packet: Forwarded,
    },
    /// Request a keyframe.
    RequestKeyframe {
        /// Whose picture.
        source: Source,
        /// The encoding, from the smallest.
        layer: u8,
    },
    /// From now on, a slot has another picture or voice, or none. Nothing of the previous one follows.
    Assigned {
        /// The receiver.
        to: ParticipantId,
        /// Their slot.
        slot: Slot,
        /// Whose picture or voice it is.
        source: Option<Source>,
    },
    /// The rate in bit/s that a receiver could use.
    Desired {
        /// The receiver.
        to: ParticipantId,
        /// The rate.
        bits: u64,
    },
}

/// What has happened in a room since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that were received and handled.
    pub received: u64,
    /// Packets to receivers.
    pub forwarded: u64,
    /// Payload of these packets in bytes.
    pub forwarded_bytes: u64,
    /// Datagrams and packets beyond a publisher's limits.
    pub refused: u64,
    /// Keyframe requests to publishers.
    pub keyframe_requests: u64,
    /// Changes to another encoding of a picture.
    pub switches: u64,
}

/// A room.
#[derive(Debug, Default)]
pub struct Room {
    bounds: Bounds,
    members: BTreeMap<ParticipantId, Member>,
    last_id: u32,
    outputs: VecDeque<Output>,
    next_tick: Option<Instant>,
    ticks: u32,
    /// Something has changed that a selection depends on.
    changed: bool,
    counters: Counters,
}

#[derive(Debug)]
struct Member {
    publisher: Publisher,
    receiver: Receiver,
}

impl Room {
    /// An empty room.
    pub fn new() -> Room {
        Room::default()
    }

    /// An empty room with these bounds.
    pub fn bounded(bounds: Bounds) -> Room {
        Room { bounds, ..Room::default() }
    }

    /// Lets somebody in.
    pub fn join(&mut self, now: Instant) -> Result<ParticipantId, Full> {
        if self.members.len() >= MAX_PARTICIPANTS {
            return Err(Full);
        }
        self.last_id += 1;
        let id = ParticipantId(self.last_id);
        self.members.insert(id, Member { publisher: Publisher::new(), receiver: Receiver::default() });
        self.next_tick = Some(self.next_tick.map_or(now, |at| at.max(now)).min(now + TICK));
        for to in self.ids() {
            self.assign(now, to);
        }
        Ok(id)
    }

    /// Somebody leaves. Their packets and requests have no effect from now on.
    pub fn leave(&mut self, now: Instant, id: ParticipantId) {
        if self.members.remove(&id).is_none() {
            return;
        }
        self.forget_watcher(id);
        for to in self.ids() {
            self.release_voice(to, id);
            self.assign(now, to);
        }
    }

    /// The number of people.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether somebody is in the room.
    pub fn has(&self, id: ParticipantId) -> bool {
        self.members.contains_key(&id)
    }

    /// Whether nobody is in the room.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// What has happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Somebody's connection has slots for this many voices and pictures. Those of an earlier connection are gone.
    pub fn open_slots(&mut self, now: Instant, id: ParticipantId, audio: usize, video: usize) {
        self.forget_watcher(id);
        let Some(member) = self.members.get_mut(&id) else { return };
        member.receiver.open(audio, video);
        self.assign(now, id);
    }

    /// Somebody's camera or screen has this height in its largest encoding.
    pub fn announce(&mut self, id: ParticipantId, kind: Kind, height: u32) {
        if let Some(picture) = self.picture_mut(Source { from: id, kind }) {
            picture.announce(height);
            self.changed = true;
        }
    }

    /// Sets which pictures somebody wants to see. Those of people who are not here are sent when they come. Returns false if
    /// they have changed it too often; then nothing changes.
    pub fn view(&mut self, now: Instant, id: ParticipantId, wanted: &[Wanted]) -> bool {
        let Some(member) = self.members.get_mut(&id) else { return false };
        if !member.receiver.changes.take(now, VIEW_CHANGES, 1) {
            return false;
        }
        member.receiver.want(wanted);
        self.assign(now, id);
        self.select_for(now, id);
        true
    }

    /// Sets the estimate of somebody's downlink in bit/s.
    pub fn set_downlink(&mut self, id: ParticipantId, bits: u64) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let before = member.receiver.estimate.replace(bits);
        self.changed |= before.is_none_or(|before| bits < before);
    }

    /// The estimate of somebody's downlink in bit/s, if there is one.
    pub fn downlink(&self, id: ParticipantId) -> Option<u64> {
        self.members.get(&id).and_then(|member| member.receiver.estimate)
    }

    /// Whether a datagram from somebody is within their limits. To be asked before it is decrypted.
    pub fn admits(&mut self, now: Instant, id: ParticipantId, bytes: usize) -> bool {
        let most = self.bounds.published;
        let admitted = self.members.get_mut(&id).is_some_and(|member| member.publisher.admits(now, most, bytes));
        self.counters.refused += u64::from(!admitted);
        admitted
    }

    /// Handles a packet of somebody. `layer` is the encoding of a picture, from the smallest.
    pub fn receive(&mut self, now: Instant, source: Source, layer: u8, packet: &Packet) {
        if packet.payload.len() > MAX_PAYLOAD_BYTES || usize::from(layer) >= MAX_ENCODINGS {
            self.counters.refused += 1;
            return;
        }
        self.counters.received += 1;
        match source.kind {
            Kind::Audio => self.receive_voice(now, source.from, packet),
            Kind::Camera | Kind::Screen => self.receive_picture(now, source, layer, packet),
        }
    }

    /// When to call [`Room::handle_timeout`] next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next_tick.filter(|_| !self.members.is_empty())
    }

    /// Does what is due at this time.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|at| now < at) {
            return;
        }
        self.next_tick = Some(now + TICK);
        self.ticks = self.ticks.wrapping_add(1);
        self.poll_keyframes(now);
        if self.changed || self.ticks.is_multiple_of(SELECT_EVERY) {
            self.changed = false;
            self.ids().into_iter().for_each(|id| self.select_for(now, id));
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front()?;
        match &output {
            Output::Forward { packet, .. } => {
                self.counters.forwarded += 1;
                self.counters.forwarded_bytes += packet.payload.len() as u64;
            }
            Output::RequestKeyframe { .. } => self.counters.keyframe_requests += 1,
            Output::Assigned { .. } | Output::Desired { .. } => {}
        }
        Some(output)
    }

    fn ids(&self) -> Vec<ParticipantId> {
        self.members.keys().copied().collect()
    }

    /// Chooses the encodings for one receiver.
    fn select_for(&mut self, now: Instant, id: ParticipantId) {
        let Some(member) = self.members.get(&id) else { return };
        if member.receiver.video.is_empty() {
            return;
        }
        let audible = member.receiver.audio.iter().filter_map(|slot| slot.from);
        let sound = audible.filter_map(|from| self.members.get(&from)).map(|from| from.publisher.sound.bits()).sum();
        let publisher = |from: ParticipantId| self.members.get(&from).map(|from| &from.publisher);
        let people = self.members.len() as u64;
        let share = self.bounds.room_bits.map_or(u64::MAX, |bits| bits / people.max(1));
        let selection = select(now, &member.receiver, share, sound, publisher);
        let Some(member) = self.members.get_mut(&id) else { return };
        for (slot, target) in member.receiver.video.iter_mut().zip(selection.targets) {
            slot.aim(now, target);
        }
        let desired = selection.desired;
        if desired.abs_diff(member.receiver.desired) > member.receiver.desired / 10 {
            member.receiver.desired = desired;
            self.outputs.push_back(Output::Desired { to: id, bits: desired });
        }
        let slots = member.receiver.video.len();
        (0..slots).for_each(|slot| self.settle(now, id, slot));
    }
}
