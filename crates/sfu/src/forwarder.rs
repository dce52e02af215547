//! Makes one continuous stream for a receiver of what is forwarded to one of their slots.
//!
//! Sequence numbers, timestamps and picture ids continue when the slot changes to another encoding or person, and when
//! temporal layers are left out. The place of a packet that has not arrived is kept. If the packet comes later, it takes
//! its place; if it then is of a temporal layer that is left out, an empty packet takes it. So a receiver misses only
//! packets that the server misses too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::gaps::{Gap, Gaps};
use crate::limits::MAX_GAP;
use crate::packet::{Forwarded, Packet, ParticipantId};
use crate::vp8::Vp8;

/// Steps of a publisher's timestamps that are passed on. A longer one counts as a new clock.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Time between two frames whose true distance is unknown, if none has passed.
const FRAME: Duration = Duration::from_millis(10);

/// Most empty packets at once, when a stream begins anew. Further places stay open.
const MAX_FILLERS: usize = 128;

/// The stream of one slot.
#[derive(Debug)]
pub(crate) struct Forwarder {
    /// Ticks of the clock in a second.
    clock: u32,
    origin: Option<Origin>,
    /// The next sequence number.
    sequence: u64,
    /// The newest timestamp, and when its first packet was forwarded.
    timestamp: u32,
    at: Option<Instant>,
    /// The newest picture id and TL0PICIDX.
    picture: u16,
    base: u8,
    gaps: Gaps,
}

/// What is forwarded now, and how its numbers become the slot's.
#[derive(Debug, Clone, Copy)]
struct Origin {
    from: ParticipantId,
    /// The publisher's newest sequence number and timestamp.
    newest: u64,
    frame: u32,
    /// Whether the newest frame is forwarded.
    kept: bool,
    /// The highest temporal layer that is forwarded.
    highest: u8,
    sequence_offset: u64,
    timestamp_offset: u32,
    picture_offset: u16,
    base_offset: u8,
}

/// What became of a packet.
#[derive(Debug)]
pub(crate) enum Forward {
    Packet(Forwarded),
    /// It is a duplicate, of a temporal layer that is left out, or too late.
    Nothing,
    /// Too much is missing. The stream must begin anew.
    Lost,
}

impl Forwarder {
    /// A stream whose first packet has these numbers.
    pub(crate) fn new(clock: u32, sequence: u64, timestamp: u32, picture: u16) -> Forwarder {
        let picture = picture.wrapping_sub(1);
        Forwarder { clock, origin: None, sequence, timestamp, at: None, picture, base: 0, gaps: Gaps::default() }
    }

    /// Whether something is forwarded.
    pub(crate) fn is_running(&self) -> bool {
        self.origin.is_some()
    }

    /// Stops until the next start.
    pub(crate) fn stop(&mut self) {
        self.origin = None;
    }

    /// Begins with this packet. Packets that were missing before are given up: empty packets take the places of the newest, so
    /// that the receiver does not request them, and then comes this packet.
    pub(crate) fn start(
        &mut self,
        now: Instant,
        from: ParticipantId,
        packet: &Packet,
        vp8: Option<Vp8>,
        highest: u8,
    ) -> Vec<Forwarded> {
        let mut forwarded = self.fillers(from, packet);
        let timestamp = self.continued(now);
        let vp8 = vp8.unwrap_or_default();
        let origin = Origin {
            from,
            newest: packet.sequence,
            frame: packet.timestamp,
            kept: true,
            highest,
            sequence_offset: self.sequence.wrapping_sub(packet.sequence),
            timestamp_offset: timestamp.wrapping_sub(packet.timestamp),
            picture_offset: self.picture.wrapping_add(1).wrapping_sub(vp8.picture.unwrap_or(0)),
            base_offset: self.base.wrapping_add(1).wrapping_sub(vp8.base.unwrap_or(0)),
        };
        self.origin = Some(origin);
        self.advance(now, packet, timestamp);
        forwarded.push(self.written(origin.place(), packet, timestamp, vp8, true));
        forwarded
    }

    /// Empty packets for the places that are open.
    fn fillers(&mut self, from: ParticipantId, packet: &Packet) -> Vec<Forwarded> {
        let mut fillers = Vec::new();
        for gap in self.gaps.drain() {
            let open = (gap.first..=gap.last).take(MAX_FILLERS.saturating_sub(fillers.len()));
            fillers.extend(open.map(|sequence| empty(from, gap, gap.before, &Packet { sequence, ..packet.clone() })));
        }
        fillers
    }

    /// Forwards a packet of what was started. `highest` is the highest temporal layer from the next suitable frame on.
    pub(crate) fn forward(&mut self, now: Instant, packet: &Packet, vp8: Option<Vp8>, highest: u8) -> Forward {
        let Some(mut origin) = self.origin else { return Forward::Nothing };
        let vp8 = vp8.unwrap_or_default();
        if packet.sequence <= origin.newest {
            return self.late(packet, vp8);
        }
        if packet.sequence - origin.newest > MAX_GAP {
            self.stop();
            return Forward::Lost;
        }
        let begins_frame = packet.timestamp != origin.frame;
        let before = self.timestamp;
        let gap = Gap { first: origin.newest + 1, last: packet.sequence - 1, before, ..origin.place() };
        let timestamp = self.timestamp_of(now, packet, &mut origin);
        let has_gap = gap.first <= gap.last;
        if begins_frame {
            origin.begin_frame(vp8, highest, has_gap);
        }
        if has_gap {
            self.gaps.push(Gap { after: timestamp, highest: gap.highest.min(origin.highest), ..gap });
        }
        (origin.newest, origin.frame) = (packet.sequence, packet.timestamp);
        let place = origin.place();
        if !origin.kept {
            // The following packets move up, and the following frames.
            origin.sequence_offset = origin.sequence_offset.wrapping_sub(1);
            origin.picture_offset = origin.picture_offset.wrapping_sub(u16::from(begins_frame));
            self.origin = Some(origin);
            self.advance(now, packet, timestamp);
            return Forward::Nothing;
        }
        self.origin = Some(origin);
        self.advance(now, packet, timestamp);
        Forward::Packet(self.written(place, packet, timestamp, vp8, true))
    }

    /// Forwards a packet that was missing.
    fn late(&mut self, packet: &Packet, vp8: Vp8) -> Forward {
        let Some((gap, timestamp, is_own)) = self.gaps.take(packet.sequence, packet.timestamp) else {
            return Forward::Nothing;
        };
        if is_own && vp8.temporal <= gap.highest {
            Forward::Packet(self.written(gap, packet, timestamp, vp8, false))
        } else {
            Forward::Packet(empty(self.from(), gap, timestamp, packet))
        }
    }

    /// The timestamp of a packet that is newer than all before. The publisher's clock is followed unless it goes back or
    /// leaps.
    fn timestamp_of(&self, now: Instant, packet: &Packet, origin: &mut Origin) -> u32 {
        let step = packet.timestamp.wrapping_sub(origin.frame);
        let longest = u32::try_from(LONGEST_PAUSE.as_secs()).unwrap_or(u32::MAX).saturating_mul(self.clock);
        if step > longest {
            origin.timestamp_offset = self.continued(now).wrapping_sub(packet.timestamp);
        }
        packet.timestamp.wrapping_add(origin.timestamp_offset)
    }

    /// The timestamp of a frame at this time, after the newest.
    fn continued(&self, now: Instant) -> u32 {
        let Some(at) = self.at else { return self.timestamp };
        let elapsed = now.saturating_duration_since(at).max(FRAME).min(LONGEST_PAUSE);
        let ticks = elapsed.as_millis() as u64 * u64::from(self.clock) / 1_000;
        self.timestamp.wrapping_add(ticks as u32)
    }

    /// Whose packets are forwarded.
    fn from(&self) -> ParticipantId {
        self.origin.map_or(ParticipantId(0), |origin| origin.from)
    }

    fn advance(&mut self, now: Instant, packet: &Packet, timestamp: u32) {
        if self.at.is_none() || timestamp != self.timestamp {
            self.at = Some(now);
        }
        self.timestamp = timestamp;
        if let Some(origin) = self.origin {
            self.sequence = packet.sequence.wrapping_add(origin.sequence_offset) + 1;
        }
    }

    fn written(&mut self, place: Gap, packet: &Packet, timestamp: u32, vp8: Vp8, newest: bool) -> Forwarded {
        let width = if vp8.wide { 0x7fff } else { 0x7f };
        let picture = vp8.picture.map(|id| id.wrapping_add(place.picture_offset) & width);
        let base = vp8.base.map(|id| id.wrapping_add(place.base_offset));
        if newest {
            self.picture = picture.unwrap_or(self.picture);
            self.base = base.unwrap_or(self.base);
        }
        Forwarded {
            from: self.from(),
            sequence: packet.sequence.wrapping_add(place.sequence_offset),
            timestamp,
            marker: packet.marker,
            level: packet.level,
            orientation: packet.orientation,
            payload: Arc::clone(&packet.payload),
            picture,
            base,
        }
    }
}

/// A packet without contents in the place of `packet`.
fn empty(from: ParticipantId, gap: Gap, timestamp: u32, packet: &Packet) -> Forwarded {
    Forwarded {
        from,
        sequence: packet.sequence.wrapping_add(gap.sequence_offset),
        timestamp,
        marker: false,
        level: None,
        orientation: None,
        payload: Arc::from([]),
        picture: None,
        base: None,
    }
}

impl Origin {
    /// The place of packets with the present offsets. Its range and limits are not set.
    fn place(&self) -> Gap {
        Gap {
            first: 0,
            last: 0,
            sequence_offset: self.sequence_offset,
            picture_offset: self.picture_offset,
            base_offset: self.base_offset,
            timestamp_offset: self.timestamp_offset,
            before: 0,
            after: 0,
            highest: self.highest,
        }
    }

    /// Decides whether a frame is forwarded. Temporal layers are added where a frame says that it depends on the base only,
    /// and where its first packet is not missing.
    fn begin_frame(&mut self, vp8: Vp8, highest: u8, has_gap: bool) {
        let may_rise = vp8.starts_keyframe || (vp8.synchronized && vp8.temporal > self.highest && !has_gap);
        if highest < self.highest || may_rise {
            self.highest = highest;
        }
        self.kept = vp8.temporal <= self.highest;
    }
}
