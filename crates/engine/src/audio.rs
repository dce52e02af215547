//! Sound in both directions: one thread captures, processes, encodes, decodes, mixes and plays blocks of 10 ms.

use crate::chime::Chime;
use crate::incoming_sound::IncomingSound;
use crate::levels::{Levels, Loudness, PacketLevels};
use crate::lip_sync::SoundIn;
use crate::playing::{Playing, Room, Volumes, volume_of};
use crate::sealing::FrameSeal;
use crate::sound_check::{SoundCheck, SoundCheckView};
use crate::voice::{Voice, VoiceEncoder};
use codecs::{Apm, ApmConfig};
use devices::{Microphone, Speaker};
use e2ee::{SenderKey, Stream};
use media::active_speaker::{self, ActiveSpeaker, Speech};
use media::audio::BLOCK;
use media::jitter::AudioBufferStats;
use media::level::{AudioLevel, SILENCE_DBFS};
use media::mixer::Mixer;
use peer::{MediaOut, OutgoingSound};
use signaling::message::ParticipantId;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often the thread checks its devices and its controls.
const TICK: Duration = Duration::from_millis(5);
/// Controls on their way to the thread, which takes all of them every [`TICK`]. When full, the driver waits for that.
const CONTROLS: usize = 64;

/// What the audio thread notices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AudioReport {
    /// Processing fails repeatedly (`true`), or works again (`false`).
    Failing(bool),
    /// These participants are in the same room, and are not played.
    SameRoom(Vec<ParticipantId>),
    /// The check of one's own sound has come this far.
    SoundCheck(SoundCheckView),
}

/// Receives reports. It runs on the audio thread and must not block. Returns false if it could not take the report, which
/// is then made again.
pub(crate) type OnReport = Box<dyn Fn(AudioReport) -> bool + Send>;

/// Receives the sound that is played, for measuring and recording. It runs on the audio thread and must return quickly.
pub trait AudioTap: Send {
    /// A block of 10 ms at 48 kHz, mono. It is audible from the loudspeaker at `at`.
    fn played(&mut self, block: &[f32; BLOCK], at: Instant);
}

/// A command to the audio thread.
pub(crate) enum Control {
    /// Plays what arrives of this participant by the route with this number. It replaces those with lower numbers as soon
    /// as sound comes.
    Play(ParticipantId, u64, Arc<SoundIn>),
    /// The route with this number has ended.
    StopPlaying(ParticipantId, u64),
    /// Removes a participant who has left.
    Remove(ParticipantId),
    /// This connection is established: starts sending to this participant.
    Send(ParticipantId, MediaOut),
    /// Stops that.
    StopSending(ParticipantId),
    /// Sends to the forwarder, or stops. Nothing is sent before there is a key.
    SendToForwarder(Option<MediaOut>),
    /// Encrypts with this key for the forwarder from now on.
    Key(Option<SenderKey>),
    /// Replaces or removes the microphone.
    Microphone(Option<Microphone>),
    /// Replaces or removes the loudspeaker.
    Speaker(Option<Speaker>),
    /// Sends the microphone's sound, or stops immediately. The sound is measured in both cases.
    Sending(bool),
    /// Changes how the microphone's sound is processed.
    Processing(ApmConfig),
    /// Sets the volumes of all participants; those without an entry are played as they were sent.
    Volumes(Volumes),
    /// Plays a participant even if they are in the same room.
    PlayAnyway(ParticipantId),
    /// Plays the test sound, if a loudspeaker opens before this time.
    Chime(Instant),
    /// Starts a check of one's own sound, or stops it.
    SoundCheck(bool),
    /// Requests the statistics of all jitter buffers.
    Stats(tokio::sync::oneshot::Sender<Vec<(ParticipantId, AudioBufferStats)>>),
}

/// The handle to the audio thread. Clones lead to the same thread, which ends when the last one is dropped.
#[derive(Clone)]
pub(crate) struct Audio {
    control: SyncSender<Control>,
    /// The loudness of everybody, ten times a second while there is somebody or a microphone.
    pub(crate) levels: watch::Receiver<Levels>,
}

impl Audio {
    /// Starts the thread without devices.
    pub(crate) fn start(
        processing: ApmConfig,
        tap: Option<Box<dyn AudioTap>>,
        on_report: OnReport,
    ) -> std::io::Result<Self> {
        let (control, inbox) = sync_channel(CONTROLS);
        let (levels, watched) = watch::channel(Levels::default());
        std::thread::Builder::new().name("audio".into()).spawn(move || {
            let worker = Worker {
                inbox,
                tap,
                others: vec![],
                receivers: vec![],
                forwarder: None,
                seal: FrameSeal::new(Stream::Audio),
                microphone: None,
                speaker: None,
                sending: false,
                apm: Apm::new(processing),
                on_report,
                troubled: false,
                room: Room::default(),
                same_room: vec![],
                volumes: vec![],
                voice: VoiceEncoder::new(Instant::now()),
                clock: SendClock::new(Instant::now()),
                mixer: Mixer::new(),
                chime: None,
                check: None,
                check_reported: SoundCheckView::Idle,
                own: Loudness::default(),
                own_speech: Speech::default(),
                speakers: ActiveSpeaker::default(),
                levels,
                leveled: Instant::now(),
            };
            worker.run();
        })?;
        Ok(Self { control, levels: watched })
    }

    pub(crate) fn send(&self, control: Control) {
        let _ = self.control.send(control); // the thread ends only with the last sender
    }
}

struct Worker {
    inbox: Receiver<Control>,
    tap: Option<Box<dyn AudioTap>>,
    others: Vec<Other>,
    /// The connections that are sent our sound, but for the one to the forwarder.
    receivers: Vec<(ParticipantId, MediaOut)>,
    forwarder: Option<MediaOut>,
    seal: FrameSeal,
    microphone: Option<Microphone>,
    speaker: Option<Speaker>,
    /// The gate of the microphone: while it is false, no sound reaches the encoder.
    sending: bool,
    apm: Apm,
    on_report: OnReport,
    /// Whether the last report was of trouble.
    troubled: bool,
    room: Room,
    /// The participants in the same room, as last reported.
    same_room: Vec<ParticipantId>,
    volumes: Volumes,
    voice: VoiceEncoder,
    clock: SendClock,
    mixer: Mixer,
    chime: Option<(Chime, Instant)>,
    check: Option<SoundCheck>,
    /// The state of the check, as last reported.
    check_reported: SoundCheckView,
    own: Loudness,
    own_speech: Speech,
    speakers: ActiveSpeaker<ParticipantId>,
    levels: watch::Sender<Levels>,
    /// When the levels were last published.
    leveled: Instant,
}

struct Other {
    id: ParticipantId,
    incoming: IncomingSound,
    block: [f32; BLOCK],
    loudness: Loudness,
    packet_levels: PacketLevels,
    playing: Playing,
}

impl Worker {
    fn run(mut self) {
        let mut next = Instant::now();
        loop {
            loop {
                match self.inbox.try_recv() {
                    Ok(control) => self.control(control),
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return,
                }
            }
            self.guarded(Worker::capture, Worker::renew_capture);
            self.guarded(Worker::play, Worker::renew_play);
            self.report_trouble();
            self.report_same_room();
            self.report_sound_check();
            self.show_levels();
            next += TICK;
            let now = Instant::now();
            match next.checked_duration_since(now) {
                Some(rest) => std::thread::sleep(rest),
                None => next = now, // the machine was busy or asleep: do not catch up in a burst
            }
        }
    }

    /// Runs a step. A panic costs one block: `renew` then replaces the state that the step may have left inconsistent.
    fn guarded(&mut self, step: fn(&mut Self), renew: fn(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| step(self))).is_err() {
            tracing::error!("a block of sound was lost to a bug in the program");
            renew(self);
        }
    }

    fn renew_capture(&mut self) {
        self.apm = Apm::new(self.apm.config());
        self.voice = VoiceEncoder::new(Instant::now());
        self.check = None;
    }

    fn renew_play(&mut self) {
        self.mixer = Mixer::new();
        self.apm = Apm::new(self.apm.config());
        self.check = None;
        self.others.iter_mut().for_each(|other| other.incoming.renew());
    }

    fn report_trouble(&mut self) {
        let resting = self.apm.is_resting();
        if self.troubled != resting && (self.on_report)(AudioReport::Failing(resting)) {
            tracing::warn!("sound processing failed {} times; paused: {resting}", self.apm.faults());
            self.troubled = resting;
        }
    }

    fn report_same_room(&mut self) {
        let here = || self.others.iter().filter(|o| o.playing.is_here()).map(|o| &o.id);
        if here().eq(&self.same_room) {
            return;
        }
        let here: Vec<_> = here().cloned().collect();
        if (self.on_report)(AudioReport::SameRoom(here.clone())) {
            tracing::info!("{} participants are in the same room and are not played", here.len());
            self.same_room = here;
        }
    }

    fn report_sound_check(&mut self) {
        if let Some(check) = &mut self.check {
            check.handle_timeout(Instant::now());
        }
        let view = self.check.as_ref().map_or(SoundCheckView::Idle, SoundCheck::view);
        if view != self.check_reported && (self.on_report)(AudioReport::SoundCheck(view.clone())) {
            self.check_reported = view;
        }
    }

    fn control(&mut self, control: Control) {
        match control {
            Control::Play(id, route, sound) => self.play_route(id, route, sound),
            Control::StopPlaying(id, route) => {
                self.others.iter_mut().filter(|o| o.id == id).for_each(|o| o.incoming.remove(route));
            }
            Control::Remove(id) => self.others.retain(|o| o.id != id),
            Control::Send(id, media) => {
                self.receivers.retain(|(receiver, _)| *receiver != id);
                self.receivers.push((id, media));
            }
            Control::StopSending(id) => self.receivers.retain(|(receiver, _)| *receiver != id),
            Control::SendToForwarder(media) => self.forwarder = media,
            Control::Key(key) => self.seal.set_key(key.as_ref()),
            Control::Microphone(microphone) => {
                self.microphone = microphone;
                self.voice.clear();
                (self.own, self.own_speech) = (Loudness::default(), Speech::default());
                self.room.closed();
            }
            Control::Speaker(speaker) => self.speaker = speaker,
            Control::Sending(on) => {
                self.sending = on;
                self.voice.clear(); // what was captured before the change
            }
            Control::Processing(config) if config == self.apm.config() => {}
            Control::Processing(config) => self.apm = Apm::new(config),
            Control::Volumes(volumes) => {
                self.others.iter_mut().for_each(|o| o.playing.volume = volume_of(&volumes, &o.id));
                self.volumes = volumes;
            }
            Control::PlayAnyway(id) => {
                self.others.iter_mut().filter(|o| o.id == id).for_each(|o| o.playing.allow());
            }
            Control::Chime(until) => self.chime = Some((Chime::default(), until)),
            Control::SoundCheck(on) => self.check = on.then(|| SoundCheck::start(Instant::now())).flatten(),
            Control::Stats(answer) => {
                let stats = self.others.iter().map(|o| (o.id.clone(), o.incoming.stats())).collect();
                let _ = answer.send(stats); // the receiver may be dropped
            }
        }
    }

    fn play_route(&mut self, id: ParticipantId, route: u64, sound: Arc<SoundIn>) {
        if let Some(other) = self.others.iter_mut().find(|o| o.id == id) {
            return other.incoming.add(route, sound);
        }
        let mut incoming = IncomingSound::default();
        incoming.add(route, sound);
        self.others.push(Other {
            playing: Playing::new(volume_of(&self.volumes, &id)),
            id,
            incoming,
            block: [0.0; BLOCK],
            loudness: Loudness::default(),
            packet_levels: PacketLevels::default(),
        });
    }

    fn capture(&mut self) {
        let delay = self.speaker.as_ref().map_or(Duration::ZERO, Speaker::latency);
        let mut block = [0.0; BLOCK];
        while let Some(microphone) = &mut self.microphone {
            if !microphone.read(&mut block) {
                return;
            }
            let late = Duration::from_secs_f64(microphone.buffered() as f64 / 48_000.0);
            self.room.captured(&block);
            let captured = block;
            self.apm.process_capture(&mut block, (delay + late).as_millis() as u32);
            self.own.push(&block);
            if let Some(check) = &mut self.check {
                check.captured(Instant::now(), &captured, &block);
            }
            if !self.sending {
                continue;
            }
            if let Some(voice) = self.voice.push(&block) {
                self.send(voice);
            }
        }
    }

    fn send(&mut self, voice: Voice) {
        let now = Instant::now();
        let (rtp_timestamp, marker) = self.clock.next(now, voice.samples);
        let captured = now - Duration::from_secs_f64(voice.samples as f64 / 48_000.0);
        let level = AudioLevel::new(voice.rms_dbfs, self.own_speech.is_voice(voice.rms_dbfs));
        let forwarder = self.forwarder.as_ref().filter(|_| self.seal.is_ready());
        if voice.needed {
            let sound = |data| OutgoingSound { captured, rtp_timestamp, data, marker, level };
            self.receivers.iter().for_each(|(_, media)| media.audio_captured(sound(voice.packet.clone())));
            if let Some(media) = forwarder
                && let Some(sealed) = self.seal.seal(&voice.packet)
            {
                media.audio_captured(sound(sealed));
            }
        }
        let all = || self.receivers.iter().map(|(_, media)| media).chain(forwarder);
        self.voice.follow(now, || all().map(MediaOut::audio_need));
    }

    fn play(&mut self) {
        let now = Instant::now();
        for other in &mut self.others {
            let levels = &mut other.packet_levels;
            other.incoming.take_in(|level| levels.push(level));
        }
        self.chime.take_if(|(_, until)| *until <= now);
        let Some(speaker) = &mut self.speaker else { return };
        while speaker.wanted() >= BLOCK {
            for other in &mut self.others {
                other.incoming.pull(now, speaker.latency(), &mut other.block);
                other.loudness.push(&other.block);
                other.playing.play(&mut other.block, &mut self.room);
            }
            let mut mixed = [0.0; BLOCK];
            self.mixer.mix(self.others.iter().map(|o| &o.block), &mut mixed);
            self.chime.take_if(|(chime, _)| !chime.add(&mut mixed));
            if let Some(check) = &mut self.check {
                check.play(now, &mut mixed);
            }
            self.apm.process_render(&mixed);
            if let Some(tap) = &mut self.tap {
                tap.played(&mixed, now + speaker.latency());
            }
            speaker.write(&mixed);
        }
    }
}

impl Worker {
    /// Publishes the levels, and once that nobody is left.
    fn show_levels(&mut self) {
        let now = Instant::now();
        let nobody = self.microphone.is_none() && self.others.is_empty() && *self.levels.borrow() == Levels::default();
        if nobody || now.saturating_duration_since(self.leveled) < active_speaker::TICK {
            return;
        }
        // Ticks stay a tenth of a second on average, and are not caught up after a pause.
        self.leveled = (self.leveled + active_speaker::TICK).max(now - active_speaker::TICK);
        let own = self.microphone.is_some().then(|| self.own.take());
        self.own_speech.update(own.unwrap_or(SILENCE_DBFS));
        let level = |o: &mut Other| (o.packet_levels.take(), o.loudness.take());
        let others = self.others.iter_mut().map(|o| match level(o) {
            (Some(said), _) => (o.id.clone(), said),
            (None, decoded) => (o.id.clone(), decoded),
        });
        let others: Vec<_> = others.collect();
        self.speakers.update(&others);
        self.levels.send_replace(Levels {
            own,
            others,
            own_speaking: self.own_speech.is_speaking(),
            speaking: self.speakers.speaking().cloned().collect(),
            active: self.speakers.active().cloned(),
        });
    }
}

/// The RTP time of outgoing packets. It counts samples, and skips the time while the microphone was off.
struct SendClock {
    epoch: Instant,
    /// Samples since the epoch at the end of the last packet.
    sent: Option<u64>,
}

impl SendClock {
    /// A gap longer than this starts a new talk spurt, in samples.
    const GAP: u64 = 48_000 / 5;

    fn new(epoch: Instant) -> Self {
        Self { epoch, sent: None }
    }

    /// Returns the RTP time of the packet that ends at `now`, and whether it starts a talk spurt.
    fn next(&mut self, now: Instant, samples: usize) -> (u32, bool) {
        let samples = samples as u64;
        let by_clock = (now.saturating_duration_since(self.epoch).as_nanos() * 48 / 1_000_000) as u64;
        let (start, marker) = match self.sent {
            Some(sent) if by_clock < sent + samples + Self::GAP => (sent, false),
            Some(sent) => (by_clock.saturating_sub(samples).max(sent), true),
            None => (by_clock.saturating_sub(samples), true),
        };
        self.sent = Some(start + samples);
        (start as u32, marker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtp_time_counts_samples_and_jumps_over_a_muted_minute() {
        let epoch = Instant::now();
        let mut clock = SendClock::new(epoch);
        let at = |ms| epoch + Duration::from_millis(ms);
        let (first, marker) = clock.next(at(100), 960);
        assert!(marker);
        assert_eq!(clock.next(at(119), 960), (first + 960, false));
        assert_eq!(clock.next(at(143), 960), (first + 1920, false));
        let (later, marker) = clock.next(at(60_143), 960);
        assert!(marker);
        assert_eq!(later, 60_143 * 48 - 960);
    }

    /// Panics once, then counts blocks.
    struct Fragile(Arc<std::sync::atomic::AtomicU32>);

    impl AudioTap for Fragile {
        fn played(&mut self, _: &[f32; BLOCK], _: Instant) {
            let blocks = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            assert!(blocks != 3, "a bug");
        }
    }

    #[test]
    fn audio_continues_after_a_panic() {
        let blocks = Arc::default();
        let tap = Box::new(Fragile(Arc::clone(&blocks)));
        let audio = Audio::start(ApmConfig::default(), Some(tap), Box::new(|_| true)).unwrap();
        audio.send(Control::Speaker(Some(Speaker::open("null", devices::ignore_events()).unwrap())));
        let deadline = Instant::now() + Duration::from_secs(20);
        while blocks.load(std::sync::atomic::Ordering::SeqCst) < 20 {
            assert!(Instant::now() < deadline, "it stopped playing");
            std::thread::sleep(TICK);
        }
    }
}
