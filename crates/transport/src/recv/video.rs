//! One video stream that we receive.

use super::assembler::{Assembler, Inserted};
use super::keyframe::KeyframeRequests;
use super::nack::Nacks;
use super::segments::Piece;
use super::stats::ReceiverStats;
use crate::payload;
use crate::repair::{RepairDecoder, Source, covered_until};
use crate::sequence::Unwrapper;
use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};
use std::time::{Duration, Instant};

/// Packets so far behind the newest are of another life of the stream.
const STALE: u64 = 4096;
/// So many of them in a row, and the stream has begun anew.
const STALE_IN_A_ROW: u32 = 50;
/// So many first sendings in a row that were there already: the sender's numbers were set back by less than that.
const USELESS_IN_A_ROW: u32 = 100;

/// Packets that may precede the one by which a keyframe is known: parameter sets of H.264.
const PARAMETER_SETS: u64 = 4;

/// A media packet, unwrapped if it came as retransmission.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) codec: VideoCodec,
    pub(crate) payload: Bytes,
    /// Came as retransmission, or was restored.
    pub(crate) again: bool,
}

/// How a packet came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Wire,
    Repair,
}

/// What a stream wants to say.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    pub(crate) missing: Vec<u16>,
    pub(crate) keyframe: bool,
}

#[derive(Debug)]
pub(crate) struct VideoStream {
    unwrapper: Unwrapper,
    nacks: Nacks,
    /// Made by the first repair packet: sources before it are not kept.
    repair: Option<RepairDecoder>,
    assembler: Assembler,
    requests: KeyframeRequests,
    blocked: Option<Instant>,
    /// Where the keyframe begins that was last seen coming.
    keyframe_begun: Option<u64>,
    stale: u32,
    useless: u32,
}

impl VideoStream {
    pub(crate) fn new(now: Instant) -> Self {
        VideoStream {
            unwrapper: Unwrapper::default(),
            nacks: Nacks::new(now),
            repair: None,
            assembler: Assembler::new(),
            requests: KeyframeRequests::new(),
            blocked: None,
            keyframe_begun: None,
            stale: 0,
            useless: 0,
        }
    }

    pub(crate) fn on_packet(&mut self, now: Instant, packet: Incoming, rtt: Duration, stats: &mut ReceiverStats) {
        let Incoming { sequence, timestamp, marker, codec, .. } = packet;
        let source = self.repair.is_some().then(|| Source { marker, timestamp, payload: packet.payload.clone() });
        self.take(now, packet, Origin::Wire, rtt, stats);
        if let (Some(repair), Some(source)) = (&mut self.repair, source) {
            let restored = repair.source(self.unwrapper.peek(sequence), source);
            self.take_restored(now, restored, codec, rtt, stats);
        }
    }

    /// A repair packet arrived.
    pub(crate) fn on_repair(
        &mut self,
        now: Instant,
        payload: &[u8],
        codec: VideoCodec,
        rtt: Duration,
        stats: &mut ReceiverStats,
    ) {
        if self.unwrapper.newest().is_none() {
            return;
        }
        let unwrapper = self.unwrapper.clone();
        let extend = |sequence| unwrapper.peek(sequence);
        self.nacks.repair_arrived(now);
        let restored = self.repair.get_or_insert_default().repair(payload, extend);
        self.take_restored(now, restored, codec, rtt, stats);
        if let Some(number) = covered_until(payload, extend) {
            self.nacks.expedite(now, number);
        }
    }

    fn take_restored(
        &mut self,
        now: Instant,
        restored: Vec<(u64, Source)>,
        codec: VideoCodec,
        rtt: Duration,
        stats: &mut ReceiverStats,
    ) {
        for (number, Source { marker, timestamp, payload }) in restored {
            let packet = Incoming { sequence: number as u16, timestamp, marker, codec, payload, again: true };
            self.take(now, packet, Origin::Repair, rtt, stats);
        }
    }

    fn take(&mut self, now: Instant, packet: Incoming, origin: Origin, rtt: Duration, stats: &mut ReceiverStats) {
        let known = self.unwrapper.newest();
        if known.is_none() && packet.again {
            return;
        }
        let number = self.unwrapper.peek(packet.sequence);
        if known.is_some_and(|newest| number + STALE < newest) && !self.is_new_life(now) {
            stats.duplicates += 1;
            return;
        }
        let number = self.unwrapper.unwrap(packet.sequence);
        self.stale = 0;
        let piece = match Self::piece(now, &packet) {
            Ok(piece) => piece,
            Err(payload::Malformed) => {
                // Its number is left missing: a retransmission may be whole.
                stats.malformed += 1;
                return;
            }
        };
        match self.assembler.insert(number, piece) {
            Inserted::New => {
                self.useless = 0;
                stats.packets_received += u64::from(!packet.again);
                match origin {
                    Origin::Wire => stats.recovered += u64::from(packet.again),
                    Origin::Repair => stats.repaired += 1,
                }
            }
            Inserted::Useless => {
                stats.duplicates += 1;
                self.useless += u32::from(!packet.again);
                if self.useless >= USELESS_IN_A_ROW {
                    *self = VideoStream::new(now);
                    self.requests.want(now);
                    return;
                }
            }
            Inserted::Overflow => self.nacks.forget_all(),
        }
        if !self.nacks.arrived(now, number, packet.again) {
            self.assembler.lose();
            self.requests.want(now);
        }
        if self.assembler.is_lost()
            && let Some(begin) = self.assembler.keyframe_begins()
        {
            self.nacks.forget_before(begin.saturating_sub(PARAMETER_SETS));
            if self.keyframe_begun.replace(begin) != Some(begin) {
                self.requests.begun(now, rtt);
            }
        }
    }

    /// The next frame that can be decoded.
    pub(crate) fn pop(&mut self, now: Instant, rtt: Duration) -> Option<EncodedFrame> {
        let skip = self.blocked.is_some_and(|since| now.saturating_duration_since(since) > skip_after(rtt));
        let frame = self.assembler.pop(skip);
        if frame.is_some() {
            self.nacks.forget_before(self.assembler.floor());
            self.requests.satisfied();
            self.blocked = None;
            return frame;
        }
        self.blocked = if self.assembler.is_blocked() { self.blocked.or(Some(now)) } else { None };
        if self.assembler.is_lost() && self.assembler.is_blocked() {
            self.requests.want_soon(now);
        }
        None
    }

    /// The decoder cannot go on.
    pub(crate) fn need_keyframe(&mut self, now: Instant) {
        self.assembler.lose();
        self.nacks.forget_all();
        self.requests.want(now);
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, rtt: Duration, stats: &mut ReceiverStats) -> Wishes {
        let (missing, given_up) = self.nacks.due(now, rtt);
        if let Some(number) = given_up.filter(|number| *number >= self.assembler.floor()) {
            stats.given_up += 1;
            self.assembler.lose_until(number);
            self.nacks.forget_before(self.assembler.floor());
            self.requests.want(now);
        }
        if self.blocked.is_some_and(|since| now.saturating_duration_since(since) >= keyframe_after(rtt)) {
            // Asking goes on meanwhile; whichever comes first ends the wait.
            self.requests.want(now);
        }
        Wishes { missing, keyframe: self.requests.due(now, rtt) }
    }

    pub(crate) fn poll_timeout(&self, rtt: Duration) -> Option<Instant> {
        let asking = self.requests.poll_timeout();
        let blocked = self.blocked.filter(|_| asking.is_none()).map(|since| since + keyframe_after(rtt));
        self.nacks.poll_timeout().into_iter().chain(asking).chain(blocked).min()
    }

    fn piece(now: Instant, packet: &Incoming) -> Result<Option<Piece>, payload::Malformed> {
        if packet.payload.is_empty() {
            return Ok(None);
        }
        let part = payload::parse(packet.codec, &packet.payload)?;
        let Incoming { timestamp, marker, codec, again: retransmitted, .. } = *packet;
        Ok(Some(Piece { codec, timestamp, marker, arrived: now, retransmitted, part }))
    }

    /// Whether so much came from far behind that the sender must have begun anew.
    fn is_new_life(&mut self, now: Instant) -> bool {
        self.stale += 1;
        if self.stale < STALE_IN_A_ROW {
            return false;
        }
        *self = VideoStream::new(now);
        true
    }
}

/// Upper layers are left out when a retransmission could have come.
fn skip_after(rtt: Duration) -> Duration {
    rtt + rtt / 2 + Duration::from_millis(30)
}

/// A picture that stands so long is worth a keyframe.
fn keyframe_after(rtt: Duration) -> Duration {
    (6 * rtt + Duration::from_millis(200)).clamp(Duration::from_millis(500), Duration::from_millis(1500))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn packet(n: u64, sequence: u16, keyframe: bool) -> Incoming {
        let payload: &[u8] = match keyframe {
            true => &[0x10, 0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xb4, 0x00, 0x00],
            false => &[0x10, 0x11, 0x02, 0x00, 0x00, 0x00],
        };
        let (timestamp, payload) = ((n * 3_000) as u32, Bytes::from_static(payload));
        Incoming { sequence, timestamp, marker: true, codec: VideoCodec::Vp8, payload, again: false }
    }

    /// The packets it takes until pictures come again after the sender's numbers jumped.
    fn silent_after(jump: i64) -> u64 {
        let start = Instant::now();
        let (mut video, mut stats) = (VideoStream::new(start), ReceiverStats::default());
        let mut keyframe = true;
        for n in 0..1_000u64 {
            let now = start + Duration::from_millis(33 * n);
            let jump = if n < 300 { 0 } else { jump };
            let sequence = (40_000 + n as i64 + jump) as u16;
            video.on_packet(now, packet(n, sequence, std::mem::take(&mut keyframe)), RTT, &mut stats);
            let shown = video.pop(now, RTT).is_some();
            assert!(shown || n >= 300, "packet {n} is shown");
            if shown && n >= 300 {
                return n - 300;
            }
            keyframe |= video.handle_timeout(now, RTT, &mut stats).keyframe;
        }
        u64::MAX
    }

    #[test]
    fn pictures_come_again_after_numbers_were_set_back_or_forward() {
        for jump in [-1, -30, -99, -150, -1_000, -4_000, -4_200, -10_000, -32_000, 100, 1_000, 20_000, 32_000] {
            let silent = silent_after(jump);
            assert!(silent <= 130, "{jump}: {silent} packets without a picture");
        }
    }
}
