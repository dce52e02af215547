//! Plays one audio stream without gaps, with the shortest delay that its jitter allows.
//!
//! All delays are computed as lateness: local time minus RTP time. The target is the lateness for which nearly all packets
//! arrive in time ([`DelayEstimator`]), plus a safety margin. Audio that plays later than the target is shortened by pitch
//! periods, and audio that plays earlier is lengthened ([`stretch`]). After silence, playback starts at the target.
//!
//! A packet that is missing when it is due is recovered from the in-band FEC of the next packet, if that has arrived, or
//! concealed by the decoder. A packet that arrives during its concealment is played from its start. The concealment has
//! then increased the delay, as the increased jitter requires.
//!
//! Each block is produced in one step: a packet that starts within a block must have arrived at the start of the block.
//! The lateness is therefore compared with the target without that fraction of a block.
//!
//! Audio whose packet was lost arrives later, as in-band FEC or as a copy (RFC 2198) in a later packet. While packets are
//! lost, these arrivals count for the target as packets do, so that playback waits exactly for the redundancy that comes
//! ([`Arrivals`]), and at most [`MAX_REDUNDANCY_WAIT`].

use super::arrivals::{Arrivals, Form};
use super::delay_estimator::{Continuity, DelayEstimator};
use super::packet_buffer::{Inserted, MAX_PACKETS, Packet, PacketBuffer};
use super::pull_clock::PullClock;
use super::sample_tracker::{SampleKind, SampleTracker};
use super::stats::AudioBufferStats;
use super::stretch::{self, FADE_LEN, HISTORY_LEN, LAGS};
use super::toc::Toc;
use super::unwrap::Unwrap32;
use crate::audio::{AudioDecoder, BLOCK, MAX_PACKET_SAMPLES, SAMPLE_RATE};
use crate::encoded::AudioPacket;
use std::time::{Duration, Instant};

/// Margin for the scheduling of our own threads: 5 ms.
const SAFETY_MARGIN: i64 = 240;
/// Shortest delay before the jitter of the path is known: 30 ms.
const INITIAL_DELAY: i64 = 1_440;
/// Longest delay for jitter: 500 ms.
const MAX_DELAY: i64 = 24_000;
/// Longest delay that [`AudioBuffer::set_extra_delay`] adds: 300 ms.
const MAX_EXTRA: i64 = 14_400;
/// Deviations from the target that are tolerated: from 2.5 ms too early to 12.5 ms too late.
const TOO_EARLY: i64 = -120;
const TOO_LATE: i64 = 600;
/// Above this deviation (100 ms), audio is shortened without pauses and at lower correlation.
const MUCH_TOO_LATE: i64 = 4_800;
/// Above this deviation (400 ms), the oldest packets are skipped.
const SKIP_ABOVE: i64 = 19_200;
/// Number of blocks between two stretches, because more frequent ones make a voice buzz.
const STRETCH_PAUSE: u32 = 4;
/// Lowest correlation at which audio is stretched.
const MIN_CORRELATION: f32 = 0.9;
const MIN_CORRELATION_MUCH_TOO_LATE: f32 = 0.5;
/// Concealment fades out between 100 ms and 200 ms, and silence follows.
const FADE_OUT_START: usize = 4_800;
const FADE_OUT_LEN: usize = 4_800;
/// Comfort noise ends this long (1 s) after the last packet.
const MAX_COMFORT_NOISE: usize = 48_000;
/// Opus conceals in multiples of 2.5 ms.
const OPUS_STEP: usize = 120;
/// Redundancy in packets that start later than the audio by more than this (40 ms) is not waited for.
const MAX_REDUNDANCY_WAIT: i64 = 1_920;

/// The state of playback.
///
/// ```text
///            first packet due                    packet missing
///  Silent ──────────────────────► Playing ──────────────────────────► Concealing ──┐ still missing
///    ▲ ▲                           │   ▲ ▲      packet or FEC            │   ▲     │
///    │ │               DTX packet  │   │ └───────────────────────────────┘   └─────┘
///    │ │                           ▼   │ packet with audio due             │
///    │ └─ 1 s without packets ─ ComfortNoise                               │
///    └───────────────────────────────────────────────── after 200 ms ──────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing plays until a packet is due. `lost`: packets are missing.
    Silent { lost: bool },
    /// Consecutive packets play.
    Playing,
    /// The next packet is missing. `samples` have been concealed since the last one.
    Concealing { samples: usize },
    /// The sender is in DTX. `samples` of noise have been generated since its last packet.
    ComfortNoise { samples: usize },
}

/// The kind of a block from [`AudioBuffer::pull`], which is that of its first sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// Decoded from packets, including FEC.
    Decoded,
    /// Concealed in place of missing packets.
    Concealed,
    /// Comfort noise: the sender is in DTX.
    ComfortNoise,
    /// Silence: no packets arrive.
    Silence,
}

/// The result of [`AudioBuffer::pull`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PulledBlock {
    /// The kind of the first sample.
    pub kind: BlockKind,
    /// RTP timestamp of the first sample, if it is [`BlockKind::Decoded`].
    pub rtp_timestamp: Option<u32>,
}

/// The jitter buffer of one audio stream, with a design similar to NetEQ.
///
/// Holds at most 64 packets; when full, the oldest is dropped. At most two packets are decoded ahead.
#[derive(Debug)]
pub struct AudioBuffer {
    origin: Option<Instant>,
    unwrap: Unwrap32,
    packets: PacketBuffer,
    delay_estimator: DelayEstimator,
    pull_clock: PullClock,
    state: State,
    /// Decoded samples to play next. They end at `next`.
    ready: Vec<f32>,
    tracker: SampleTracker,
    history: Vec<f32>,
    /// RTP time up to which everything was decoded or skipped.
    next: Option<i64>,
    /// Sequence number of the packet that ended at `next`.
    sequence: u16,
    gain: f32,
    stretch_pause: u32,
    arrivals: Arrivals,
    packet_samples: i64,
    extra: i64,
    lateness: i64,
}

impl Default for AudioBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl AudioBuffer {
    /// Creates an empty buffer.
    pub fn new() -> Self {
        Self {
            origin: None,
            unwrap: Unwrap32::default(),
            packets: PacketBuffer::default(),
            delay_estimator: DelayEstimator::default(),
            pull_clock: PullClock::default(),
            state: State::Silent { lost: false },
            ready: Vec::with_capacity(3 * MAX_PACKET_SAMPLES),
            tracker: SampleTracker::default(),
            history: vec![0.0; HISTORY_LEN],
            next: None,
            sequence: 0,
            gain: 0.0,
            stretch_pause: 0,
            arrivals: Arrivals::default(),
            packet_samples: 960,
            extra: 0,
            lateness: 0,
        }
    }

    /// Adds a packet, or a copy of one from a later packet. Packets may arrive in any order.
    pub fn push(&mut self, packet: AudioPacket) {
        let is_copy = packet.age > 0;
        self.tracker.stats.packets_received += u64::from(!is_copy);
        let Some(toc) = Toc::parse(&packet.data) else {
            self.tracker.stats.packets_discarded += u64::from(!is_copy);
            return;
        };
        let arrived = self.samples_at(packet.arrived);
        let age = i64::from(packet.age);
        let start = self.unwrap.unwrap(packet.rtp_timestamp);
        let packet = Packet::new(packet, toc, start, arrived);
        self.record_arrival(&packet, age);
        self.packet_samples = toc.samples as i64;
        if self.next.is_some_and(|next| start < next) {
            self.tracker.stats.packets_discarded += u64::from(!is_copy);
            return;
        }
        match self.packets.insert(packet) {
            Inserted::New => {}
            Inserted::Duplicate if is_copy => {}
            Inserted::Duplicate | Inserted::Overflow => self.tracker.stats.packets_discarded += 1,
        }
    }

    /// Takes the arrival of a packet or copy, and of the in-band FEC in it, into account for the target.
    fn record_arrival(&mut self, packet: &Packet, age: i64) {
        if age > 0 {
            self.record_redundancy(packet.start, packet.sequence, age, packet.arrived);
        } else {
            self.arrivals.record(packet.start, packet.sequence, Form::Packet);
            if self.delay_estimator.record(packet.arrived, packet.arrived - packet.start) == Continuity::Restarted {
                self.restart();
            }
        }
        let before = packet.sequence.wrapping_sub(1);
        if packet.toc.fec && !self.arrivals.has(before) {
            let frame = packet.toc.frame as i64;
            self.record_redundancy(packet.start - frame, before, age + frame, packet.arrived);
        }
    }

    /// Records the redundancy of the audio from `start` on, in a packet that starts `wait` later.
    fn record_redundancy(&mut self, start: i64, sequence: u16, wait: i64, arrived: i64) {
        if self.arrivals.record(start, sequence, Form::Redundancy) && wait <= MAX_REDUNDANCY_WAIT {
            self.delay_estimator.record(arrived, arrived - start);
        }
    }

    /// Returns the next 10 ms ([`BLOCK`] samples) in `out`, to be played directly after the previous block. Call it at the
    /// rate of playback. Bursts of a device period are fine.
    pub fn pull(&mut self, now: Instant, decoder: &mut dyn AudioDecoder, out: &mut [f32; BLOCK]) -> PulledBlock {
        let now = self.samples_at(now);
        let at = self.pull_clock.tick(now);
        self.skip_overdue(at);
        while self.ready.len() < BLOCK {
            self.fill_ready(at, decoder);
        }
        if self.state == State::Playing {
            self.adjust(at, decoder);
        }
        self.emit(now, at, out)
    }

    /// Counters since the start.
    pub fn stats(&self) -> AudioBufferStats {
        self.tracker.stats
    }

    /// The current delay of playback relative to the fastest packet.
    pub fn delay(&self) -> Duration {
        duration(self.lateness - self.delay_estimator.base())
    }

    /// The target delay of playback relative to the fastest packet.
    pub fn target_delay(&self) -> Duration {
        duration(self.target() - self.delay_estimator.base())
    }

    /// Sets an additional delay for lip sync, at most 300 ms. Change it slowly.
    pub fn set_extra_delay(&mut self, extra: Duration) {
        self.extra = ((extra.as_secs_f64() * f64::from(SAMPLE_RATE)) as i64).min(MAX_EXTRA);
    }

    /// Number of waiting packets.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether no packet waits.
    pub fn is_empty(&self) -> bool {
        self.packets.len() == 0
    }

    /// The target lateness of playback.
    fn target(&self) -> i64 {
        let base = self.delay_estimator.base();
        let needed = self.delay_estimator.needed().unwrap_or(base) - base + SAFETY_MARGIN;
        let min_delay = if self.delay_estimator.settled() { 0 } else { INITIAL_DELAY };
        // The delay must not fill the packet buffer.
        let room = self.packet_samples * (MAX_PACKETS as i64 - 8);
        base + needed.clamp(min_delay, MAX_DELAY.min(room)) + self.extra.min(room)
    }

    /// Drops all packets after a jump of the sender's clock.
    fn restart(&mut self) {
        while self.packets.pop().is_some() {
            self.tracker.stats.packets_discarded += 1;
        }
        self.next = None;
        self.arrivals.clear();
        if !matches!(self.state, State::Silent { .. }) {
            self.state = State::Silent { lost: true };
        }
    }

    /// Skips the oldest packets if playback is far behind, until it reaches the target.
    fn skip_overdue(&mut self, at: i64) {
        let ends = at + self.ready.len() as i64;
        let target = self.target();
        if self.packets.front().is_none_or(|packet| ends - packet.start <= target + SKIP_ABOVE) {
            return;
        }
        while self.packets.len() > 1 && self.packets.front().is_some_and(|packet| ends - packet.start > target) {
            self.packets.pop();
            self.tracker.stats.packets_discarded += 1;
        }
        if let (Some(packet), State::Playing | State::Concealing { .. }) = (self.packets.front(), self.state) {
            // As after a concealment that is slightly too long, so that the next packet is crossfaded.
            self.next = Some(packet.start);
            self.state = State::Concealing { samples: FADE_LEN };
        }
    }

    /// Appends samples to `ready`, or enters a state that does.
    fn fill_ready(&mut self, at: i64, decoder: &mut dyn AudioDecoder) {
        match self.state {
            State::Silent { .. } | State::ComfortNoise { .. } if self.is_front_due(at) => self.decode_front(decoder),
            State::Silent { lost } => self.add_silence(lost),
            State::ComfortNoise { samples } => self.add_comfort_noise(samples, decoder),
            State::Playing => self.continue_playing(at, 0, decoder),
            State::Concealing { samples } => self.continue_playing(at, samples, decoder),
        }
    }

    /// Whether playback should start with the first waiting packet now, after silence.
    fn is_front_due(&self, at: i64) -> bool {
        self.packets.front().is_some_and(|packet| at - packet.start >= self.target())
    }

    fn add_silence(&mut self, lost: bool) {
        let samples = BLOCK - self.ready.len();
        self.ready.resize(BLOCK, 0.0);
        self.tracker.add(samples, if lost { SampleKind::SilentConcealed } else { SampleKind::Silence });
        self.gain = 0.0;
    }

    fn add_comfort_noise(&mut self, made: usize, decoder: &mut dyn AudioDecoder) {
        if made >= MAX_COMFORT_NOISE {
            self.state = State::Silent { lost: false };
            return;
        }
        let before = self.ready.len();
        self.append_concealment(BLOCK, decoder);
        if made + BLOCK >= MAX_COMFORT_NOISE {
            self.fade_to_silence(before);
        }
        self.tracker.add(BLOCK, SampleKind::ComfortNoise);
        self.state = State::ComfortNoise { samples: made + BLOCK };
    }

    /// Decodes the first waiting packet.
    fn decode_front(&mut self, decoder: &mut dyn AudioDecoder) {
        if let Some(packet) = self.packets.pop() {
            self.decode(packet, decoder);
        }
    }

    /// Continues playback, `concealed` samples after the last packet.
    fn continue_playing(&mut self, at: i64, concealed: usize, decoder: &mut dyn AudioDecoder) {
        let next = self.next.unwrap_or(at);
        let Some(front) = self.packets.front() else {
            return self.conceal(BLOCK, concealed, decoder);
        };
        let gap = (front.start - next).max(0) as usize;
        // Consecutive sequence numbers with a gap in time are a pause of the sender. FEC would cover the time before it.
        let lost = front.sequence.wrapping_sub(self.sequence) != 1;
        let (fec, frame) = (front.toc.fec && lost, front.toc.frame);
        if gap > 0 {
            if fec && gap >= frame && concealed + frame >= gap {
                let over = concealed + frame - gap;
                return self.decode_fec(at, over, decoder);
            }
            if concealed < gap {
                let missing = (gap - concealed).min(BLOCK).next_multiple_of(OPUS_STEP);
                return self.conceal(missing, concealed, decoder);
            }
        }
        let over = concealed - gap;
        if let Some(packet) = self.packets.pop() {
            let before = self.ready.len();
            self.decode(packet, decoder);
            if over > 0 {
                self.crossfade(before, over, at);
            }
        }
    }

    fn decode(&mut self, packet: Packet, decoder: &mut dyn AudioDecoder) {
        let before = self.ready.len();
        self.next = Some(packet.end());
        self.sequence = packet.sequence;
        let decoded = decoder.decode(&packet.data, &mut self.ready).is_ok() && self.ready.len() > before;
        if decoded {
            self.tracker.add(self.ready.len() - before, SampleKind::Decoded { arrived: packet.arrived });
        } else {
            self.tracker.stats.packets_discarded += 1;
            self.ready.truncate(before);
            self.append_concealment(packet.toc.samples, decoder);
            self.tracker.add(packet.toc.samples, SampleKind::Concealed);
            self.tracker.stats.concealment_events += 1;
        }
        self.ramp_up_gain(before);
        self.state = if packet.toc.dtx { State::ComfortNoise { samples: 0 } } else { State::Playing };
    }

    /// Recovers the samples before the first waiting packet from its FEC. `over` of them have already been concealed.
    fn decode_fec(&mut self, at: i64, over: usize, decoder: &mut dyn AudioDecoder) {
        let Some(packet) = self.packets.front() else { return };
        let (before, frame, start, arrived) = (self.ready.len(), packet.toc.frame, packet.start, packet.arrived);
        let decoded = decoder.decode_fec(&packet.data, frame, &mut self.ready).is_ok() && self.ready.len() > before;
        self.next = Some(start);
        if decoded {
            self.tracker.stats.fec_samples += (self.ready.len() - before) as u64;
            self.tracker.add(self.ready.len() - before, SampleKind::Decoded { arrived });
        } else {
            self.ready.truncate(before);
            self.append_concealment(frame, decoder);
            self.tracker.add(frame, SampleKind::Concealed);
        }
        self.ramp_up_gain(before);
        self.state = State::Playing;
        if over > 0 {
            self.crossfade(before, over, at);
        }
    }

    /// Crossfades from the concealment to the samples decoded from `from` on. The first `over` of these have already been
    /// concealed. Playback skips as many of them as it is late, to within a search range for the best match.
    fn crossfade(&mut self, from: usize, over: usize, at: i64) {
        let skip = self.removable(at).clamp(FADE_LEN, BLOCK).min(over);
        let preceding = self.preceding(from);
        let mut fresh = self.ready.split_off(from);
        let skipped = stretch::join(&preceding, &mut fresh, skip);
        self.ready.append(&mut fresh);
        self.tracker.remove_last(skipped);
    }

    /// Lateness of the first sample of `ready`, minus the target.
    fn excess_lateness(&self, at: i64) -> i64 {
        let starts = self.next.map_or(0, |next| next - self.ready.len() as i64);
        at - starts - self.target()
    }

    /// Number of samples that can be removed so that later packets still arrive in time.
    fn removable(&self, at: i64) -> usize {
        let fraction = self.ready.len() % BLOCK;
        let whole = (self.excess_lateness(at) - fraction as i64).div_euclid(BLOCK as i64);
        usize::try_from(whole).map_or(0, |whole| fraction + whole * BLOCK)
    }

    /// The samples before `ready[from]`.
    fn preceding(&self, from: usize) -> Vec<f32> {
        let fresh = &self.ready[from.saturating_sub(HISTORY_LEN)..from];
        let mut preceding = self.history[fresh.len()..].to_vec();
        preceding.extend_from_slice(fresh);
        preceding
    }

    fn conceal(&mut self, samples: usize, concealed: usize, decoder: &mut dyn AudioDecoder) {
        if concealed >= FADE_OUT_START + FADE_OUT_LEN {
            self.state = State::Silent { lost: true };
            return;
        }
        if concealed == 0 {
            self.tracker.stats.concealment_events += 1;
        }
        let before = self.ready.len();
        self.append_concealment(samples, decoder);
        self.fade_out(before, concealed);
        self.tracker.add(samples, SampleKind::Concealed);
        self.state = State::Concealing { samples: concealed + samples };
    }

    /// Appends exactly `samples` of concealment from the decoder.
    fn append_concealment(&mut self, samples: usize, decoder: &mut dyn AudioDecoder) {
        let before = self.ready.len();
        decoder.conceal(samples, &mut self.ready);
        self.ready.resize(before + samples, 0.0);
    }

    /// Fades out the concealment from `from` on, which starts `concealed` samples after its beginning.
    fn fade_out(&mut self, from: usize, concealed: usize) {
        for (i, sample) in self.ready[from..].iter_mut().enumerate() {
            let into = (concealed + i).saturating_sub(FADE_OUT_START) as f32;
            self.gain = self.gain.min(1.0 - into / FADE_OUT_LEN as f32).max(0.0);
            *sample *= self.gain;
        }
    }

    /// Fades the samples from `from` on to silence.
    fn fade_to_silence(&mut self, from: usize) {
        let len = self.ready.len() - from;
        for (i, sample) in self.ready[from..].iter_mut().enumerate() {
            *sample *= (len - i - 1) as f32 / len as f32;
        }
    }

    /// Fades in the samples from `from` on.
    fn ramp_up_gain(&mut self, from: usize) {
        for sample in &mut self.ready[from..] {
            if self.gain >= 1.0 {
                return;
            }
            self.gain = (self.gain + 1.0 / FADE_LEN as f32).min(1.0);
            *sample *= self.gain;
        }
    }

    /// Shortens or lengthens `ready` if it plays too late or too early.
    fn adjust(&mut self, at: i64, decoder: &mut dyn AudioDecoder) {
        let excess_lateness = self.excess_lateness(at);
        let fraction = (self.ready.len() % BLOCK) as i64;
        if self.stretch_pause > 0 && excess_lateness < MUCH_TOO_LATE {
            self.stretch_pause -= 1;
        } else if excess_lateness > TOO_LATE {
            self.decode_ahead(decoder);
            self.shorten(at);
        } else if excess_lateness - fraction < TOO_EARLY {
            self.lengthen();
        }
    }

    /// Decodes further packets, so that there are enough samples to find a pitch period.
    fn decode_ahead(&mut self, decoder: &mut dyn AudioDecoder) {
        let enough = 2 * LAGS.end();
        while self.ready.len() < enough
            && self.state == State::Playing
            && self.packets.front().is_some_and(|packet| Some(packet.start) == self.next)
        {
            self.decode_front(decoder);
        }
    }

    fn shorten(&mut self, at: i64) {
        let much_too_late = self.excess_lateness(at) >= MUCH_TOO_LATE;
        let longest = self.removable(at).min(self.ready.len().saturating_sub(BLOCK));
        let Some(found) = stretch::find_removal(&self.ready, longest) else { return };
        if found.correlation < if much_too_late { MIN_CORRELATION_MUCH_TOO_LATE } else { MIN_CORRELATION } {
            return;
        }
        stretch::shorten(&mut self.ready, found.lag);
        self.tracker.shorten(found.lag);
        self.stretch_pause = STRETCH_PAUSE;
    }

    fn lengthen(&mut self) {
        let Some(found) = stretch::find_insertion(&self.history, &self.ready) else { return };
        if found.correlation < MIN_CORRELATION {
            return;
        }
        stretch::lengthen(&self.history, &mut self.ready, found.lag);
        self.tracker.lengthen(found.lag);
        self.stretch_pause = STRETCH_PAUSE;
    }

    fn emit(&mut self, now: i64, at: i64, out: &mut [f32; BLOCK]) -> PulledBlock {
        let starts = self.next.map(|next| next - self.ready.len() as i64);
        self.lateness = starts.map_or(self.lateness, |starts| at - starts);
        for (to, from) in out.iter_mut().zip(&self.ready) {
            *to = if from.is_finite() { *from } else { 0.0 };
        }
        self.ready.drain(..BLOCK);
        self.history.drain(..BLOCK);
        self.history.extend_from_slice(out);
        let kind = match self.tracker.play(now, self.target() - self.delay_estimator.base()) {
            SampleKind::Decoded { .. } => BlockKind::Decoded,
            SampleKind::Concealed => BlockKind::Concealed,
            SampleKind::ComfortNoise => BlockKind::ComfortNoise,
            SampleKind::SilentConcealed | SampleKind::Silence => BlockKind::Silence,
        };
        let rtp_timestamp = starts.filter(|_| kind == BlockKind::Decoded).map(|starts| starts as u32);
        PulledBlock { kind, rtp_timestamp }
    }

    fn samples_at(&mut self, time: Instant) -> i64 {
        let origin = *self.origin.get_or_insert(time);
        let micros = match time.checked_duration_since(origin) {
            Some(after) => after.as_micros() as i64,
            None => -((origin - time).as_micros() as i64), // a time before the origin
        };
        micros * i64::from(SAMPLE_RATE) / 1_000_000
    }
}

fn duration(samples: i64) -> Duration {
    Duration::from_secs_f64(samples.max(0) as f64 / f64::from(SAMPLE_RATE))
}
