//! Gives the sound of one stream out without gaps, as early as its packets' unevenness allows.
//!
//! The measure of everything is lateness: a moment on our clock minus RTP time. [`DelayEstimator`] says which lateness of playout
//! nearly all packets would have come in time for; that and a guard is the target. Sound that plays later is shortened by
//! pitch periods, sound that plays earlier is lengthened ([`stretch`]), and after silence it simply begins at the target.
//! What is missing when its time has come is taken from the next packet's in-band FEC if that is there, else the decoder
//! invents it. A packet that comes after all is played from its beginning: what was invented meanwhile has made the delay
//! longer, which is just what a path that became uneven needs.
//!
//! A block is made at once: a packet whose first sample falls into the middle of a block must be there when the block
//! begins. So what counts against the target is the lateness less that fraction of a block.
//!
//! Against losses FEC helps only if the next packet is there in time: as long as packets are lost and carry FEC, the target
//! is a packet longer.

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

/// Played later than a packet needs, for the unevenness of our own threads: 5 ms.
const SAFETY_MARGIN: i64 = 240;
/// Delay to begin with, before the path is known: 30 ms.
const INITIAL_DELAY: i64 = 1_440;
/// The most delay for unevenness: 500 ms.
const MAX_DELAY: i64 = 24_000;
/// The most delay that [`AudioBuffer::set_extra_delay`] adds: 300 ms.
const MAX_EXTRA: i64 = 14_400;
/// Lateness around the target that is left alone: from 2.5 ms too early to 12.5 ms too late.
const TOO_EARLY: i64 = -120;
const TOO_LATE: i64 = 600;
/// So much too late (100 ms), sound is shortened faster and with less care.
const MUCH_TOO_LATE: i64 = 4_800;
/// So much too late (400 ms), the oldest packets are skipped.
const SKIP_ABOVE: i64 = 19_200;
/// Blocks between two changes of length, so that a voice does not buzz.
const STRETCH_PAUSE: u32 = 4;
/// How alike sound must be to be joined there.
const MIN_CORRELATION: f32 = 0.9;
const MIN_CORRELATION_MUCH_TOO_LATE: f32 = 0.5;
/// Concealment is faded out from 100 ms to 200 ms; then there is silence.
const FADE_OUT_START: usize = 4_800;
const FADE_OUT_LEN: usize = 4_800;
/// Comfort noise goes on for so long (1 s) after the last word of the sender.
const MAX_COMFORT_NOISE: usize = 48_000;
/// Opus works in steps of 2.5 ms.
const OPUS_STEP: usize = 120;
/// Loss above which FEC is waited for, and below which no longer.
const FEC_WAIT_START: f32 = 0.01;
const FEC_WAIT_END: f32 = 0.004;
/// Packets without FEC after which none is expected.
const MAX_PACKETS_WITHOUT_FEC: u32 = 250;

/// What is being played.
///
/// ```text
///            first packet due                    nothing to play
///  Silent ──────────────────────► Playing ──────────────────────────► Concealing ──┐ still nothing
///    ▲ ▲                           │   ▲ ▲      packet or FEC            │   ▲     │ there: more
///    │ │            silent packet  │   │ └───────────────────────────────┘   └─────┘
///    │ │                           ▼   │ packet with sound is due          │
///    │ └───── 1 s without word ── Comfort                                  │
///    └──────────────────────────────────────────────────── for 200 ms ─────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing, until a packet is due. `lost`: though there should be something.
    Silent { lost: bool },
    /// Packets follow each other.
    Playing,
    /// The next packet is missing; so many samples were invented since the last one.
    Concealing { samples: usize },
    /// The sender is silent by its own word; so many samples of noise were made since.
    ComfortNoise { samples: usize },
}

/// What a block from [`AudioBuffer::pull`] is, by its first sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockKind {
    /// Out of packets.
    Decoded,
    /// Invented in place of what is missing.
    Concealed,
    /// Comfort noise: the sender said that it is silent.
    ComfortNoise,
    /// Nothing is being received.
    Silence,
}

/// What was pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PulledBlock {
    /// What the first sample is.
    pub kind: BlockKind,
    /// RTP time of the first sample, if it is [`BlockKind::Decoded`].
    pub rtp_timestamp: Option<u32>,
}

/// The jitter buffer of one audio stream.
///
/// Holds at most 64 packets; when one more comes, the oldest is dropped. Samples decoded ahead are bounded by two packets.
#[derive(Debug)]
pub struct AudioBuffer {
    origin: Option<Instant>,
    unwrap: Unwrap32,
    packets: PacketBuffer,
    delay_estimator: DelayEstimator,
    pull_clock: PullClock,
    state: State,
    /// Samples to be played next, ending at `next`.
    ready: Vec<f32>,
    tracker: SampleTracker,
    history: Vec<f32>,
    /// RTP time up to which everything was decoded or given up.
    next: Option<i64>,
    /// Of the packet that ended at `next`.
    sequence: u16,
    gain: f32,
    stretch_pause: u32,
    loss: f32,
    packets_without_fec: u32,
    waits_for_fec: bool,
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
    /// An empty buffer.
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
            loss: 0.0,
            packets_without_fec: MAX_PACKETS_WITHOUT_FEC,
            waits_for_fec: false,
            packet_samples: 960,
            extra: 0,
            lateness: 0,
        }
    }

    /// Takes a packet, in whatever order they come.
    pub fn push(&mut self, packet: AudioPacket) {
        self.tracker.stats.packets_received += 1;
        let Some(toc) = Toc::parse(&packet.data) else {
            self.tracker.stats.packets_discarded += 1;
            return;
        };
        let arrived = self.samples_at(packet.arrived);
        let start = self.unwrap.unwrap(packet.rtp_timestamp);
        if self.delay_estimator.record(arrived, arrived - start) == Continuity::Restarted {
            self.restart();
        }
        self.packets_without_fec = if toc.fec { 0 } else { self.packets_without_fec.saturating_add(1) };
        self.packet_samples = toc.samples as i64;
        if self.next.is_some_and(|next| start < next) {
            self.tracker.stats.packets_discarded += 1;
            return;
        }
        match self.packets.insert(Packet::new(packet, toc, start, arrived)) {
            Inserted::New => {}
            Inserted::Duplicate | Inserted::Overflow => self.tracker.stats.packets_discarded += 1,
        }
    }

    /// The next 10 ms, to be played as soon as all that was pulled before. Call it in the rhythm of playing; bursts of a
    /// device's period are fine.
    pub fn pull(&mut self, now: Instant, decoder: &mut dyn AudioDecoder, out: &mut [f32; BLOCK]) -> PulledBlock {
        let now = self.samples_at(now);
        let at = self.pull_clock.tick(now);
        self.update_fec_wait();
        self.skip_overdue(at);
        while self.ready.len() < BLOCK {
            self.fill_ready(at, decoder);
        }
        if self.state == State::Playing {
            self.adjust(at, decoder);
        }
        self.emit(now, at, out)
    }

    /// Counters since the beginning.
    pub fn stats(&self) -> AudioBufferStats {
        self.tracker.stats
    }

    /// How much later than the fastest packet's sound is played now.
    pub fn delay(&self) -> Duration {
        duration(self.lateness - self.delay_estimator.base())
    }

    /// How much later than the fastest packet's sound should be played.
    pub fn target_delay(&self) -> Duration {
        duration(self.target() - self.delay_estimator.base())
    }

    /// A delay on top of what the path needs, at most 300 ms: to keep pace with the picture. Change it slowly.
    pub fn set_extra_delay(&mut self, extra: Duration) {
        self.extra = ((extra.as_secs_f64() * f64::from(SAMPLE_RATE)) as i64).min(MAX_EXTRA);
    }

    /// Packets that wait.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether no packet waits.
    pub fn is_empty(&self) -> bool {
        self.packets.len() == 0
    }

    /// The lateness at which sound should be played.
    fn target(&self) -> i64 {
        let base = self.delay_estimator.base();
        let needed = self.delay_estimator.needed().unwrap_or(base) - base + SAFETY_MARGIN;
        let fec = if self.waits_for_fec { self.packet_samples } else { 0 };
        let min_delay = if self.delay_estimator.settled() { 0 } else { INITIAL_DELAY };
        // waiting alone must not fill the queue
        let room = self.packet_samples * (MAX_PACKETS as i64 - 8);
        base + (needed + fec).clamp(min_delay, MAX_DELAY.min(room)) + self.extra.min(room)
    }

    fn update_fec_wait(&mut self) {
        let limit = if self.waits_for_fec { FEC_WAIT_END } else { FEC_WAIT_START };
        self.waits_for_fec = self.loss > limit && self.packets_without_fec < MAX_PACKETS_WITHOUT_FEC;
    }

    /// The sender's clock jumped: what waits belongs to another time.
    fn restart(&mut self) {
        while self.packets.pop().is_some() {
            self.tracker.stats.packets_discarded += 1;
        }
        self.next = None;
        if !matches!(self.state, State::Silent { .. }) {
            self.state = State::Silent { lost: true };
        }
    }

    /// Far behind, the oldest packets are given up until sound is at the target again.
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
            // as if all that had been concealed, and a little more: so the next is joined
            self.next = Some(packet.start);
            self.state = State::Concealing { samples: FADE_LEN };
        }
    }

    /// Adds to `ready`, or changes to a state that will.
    fn fill_ready(&mut self, at: i64, decoder: &mut dyn AudioDecoder) {
        match self.state {
            State::Silent { .. } | State::ComfortNoise { .. } if self.is_front_due(at) => self.decode_front(decoder),
            State::Silent { lost } => self.add_silence(lost),
            State::ComfortNoise { samples } => self.add_comfort_noise(samples, decoder),
            State::Playing => self.continue_playing(at, 0, decoder),
            State::Concealing { samples } => self.continue_playing(at, samples, decoder),
        }
    }

    /// Whether the first waiting packet should begin now, after silence.
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

    /// The first packet after silence.
    fn decode_front(&mut self, decoder: &mut dyn AudioDecoder) {
        if let Some(packet) = self.packets.pop() {
            self.decode(packet, decoder);
        }
    }

    /// The next of a stream that flows, `concealed` samples after the last packet.
    fn continue_playing(&mut self, at: i64, concealed: usize, decoder: &mut dyn AudioDecoder) {
        let next = self.next.unwrap_or(at);
        let Some(front) = self.packets.front() else {
            return self.conceal(BLOCK, concealed, decoder);
        };
        let gap = (front.start - next).max(0) as usize;
        // numbers that follow each other over a gap in time: the sender paused, and FEC would tell of before the pause
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
        if gap > 0 && lost {
            self.count_loss(gap);
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
            self.loss -= self.loss / 128.0;
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

    /// What came before the first waiting packet, out of that packet. `over`: samples of it that were concealed already.
    fn decode_fec(&mut self, at: i64, over: usize, decoder: &mut dyn AudioDecoder) {
        let Some(packet) = self.packets.front() else { return };
        let (before, frame, start, arrived) = (self.ready.len(), packet.toc.frame, packet.start, packet.arrived);
        let decoded = decoder.decode_fec(&packet.data, frame, &mut self.ready).is_ok() && self.ready.len() > before;
        self.count_loss(frame);
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

    /// Packets were lost for good.
    fn count_loss(&mut self, samples: usize) {
        for _ in 0..(samples as i64 / self.packet_samples.max(1)).clamp(1, 8) {
            self.loss += (1.0 - self.loss) / 128.0;
        }
    }

    /// Fades what was decoded from `from` on into what was concealed before it. `over` samples of its time have passed by
    /// already: as many are left out as it is late, but for some choice of a place that fits.
    fn crossfade(&mut self, from: usize, over: usize, at: i64) {
        let skip = self.removable(at).clamp(FADE_LEN, BLOCK).min(over);
        let preceding = self.preceding(from);
        let mut fresh = self.ready.split_off(from);
        let skipped = stretch::join(&preceding, &mut fresh, skip);
        self.ready.append(&mut fresh);
        self.tracker.remove_last(skipped);
    }

    /// How late the first sample of `ready` plays, beyond the target.
    fn excess_lateness(&self, at: i64) -> i64 {
        let starts = self.next.map_or(0, |next| next - self.ready.len() as i64);
        at - starts - self.target()
    }

    /// Samples that can be left out so that the next packets are still there when they are needed.
    fn removable(&self, at: i64) -> usize {
        let fraction = self.ready.len() % BLOCK;
        let whole = (self.excess_lateness(at) - fraction as i64).div_euclid(BLOCK as i64);
        usize::try_from(whole).map_or(0, |whole| fraction + whole * BLOCK)
    }

    /// The sound before `ready[from]`.
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

    /// Exactly `samples` from the decoder.
    fn append_concealment(&mut self, samples: usize, decoder: &mut dyn AudioDecoder) {
        let before = self.ready.len();
        decoder.conceal(samples, &mut self.ready);
        self.ready.resize(before + samples, 0.0);
    }

    /// Lowers what was invented from `from` on, `concealed` samples into the concealment.
    fn fade_out(&mut self, from: usize, concealed: usize) {
        for (i, sample) in self.ready[from..].iter_mut().enumerate() {
            let into = (concealed + i).saturating_sub(FADE_OUT_START) as f32;
            self.gain = self.gain.min(1.0 - into / FADE_OUT_LEN as f32).max(0.0);
            *sample *= self.gain;
        }
    }

    /// Lowers the last noise, from `from` on, to nothing.
    fn fade_to_silence(&mut self, from: usize) {
        let len = self.ready.len() - from;
        for (i, sample) in self.ready[from..].iter_mut().enumerate() {
            *sample *= (len - i - 1) as f32 / len as f32;
        }
    }

    /// Brings the gain back up within what was decoded from `from` on.
    fn ramp_up_gain(&mut self, from: usize) {
        for sample in &mut self.ready[from..] {
            if self.gain >= 1.0 {
                return;
            }
            self.gain = (self.gain + 1.0 / FADE_LEN as f32).min(1.0);
            *sample *= self.gain;
        }
    }

    /// Shortens or lengthens what is ready if it plays too late or too early.
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

    /// Decodes what follows, so that there is enough sound to find a period in.
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
            None => -((origin - time).as_micros() as i64), // a packet that came before the first pull
        };
        micros * i64::from(SAMPLE_RATE) / 1_000_000
    }
}

fn duration(samples: i64) -> Duration {
    Duration::from_secs_f64(samples.max(0) as f64 / f64::from(SAMPLE_RATE))
}
