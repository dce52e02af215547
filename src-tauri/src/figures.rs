//! Converts the engine's statistics, levels and times to numbers for the page.

use crate::state::{AudioFigures, PathFigures, PersonStats, Stats, VideoInFigures, VideoOutFigures};
use engine::{EngineStats, Levels, ParticipantStats, PeerStats, VideoInStats, VideoOutStats};
use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Converts all statistics.
pub(crate) fn stats(stats: &EngineStats) -> Stats {
    Stats {
        at_ms: unix_ms(Instant::now()),
        video_out: video_out(&stats.video_out),
        people: stats.participants.iter().map(person).collect(),
    }
}

/// How loud everybody is, dBFS by participant, who speaks, and who is the active speaker. One's own sound is called `own`.
pub(crate) fn levels(levels: &Levels) -> serde_json::Value {
    let round = |dbfs: f32| serde_json::Value::from((f64::from(dbfs) * 10.0).round() / 10.0);
    let own = levels.own.map(|dbfs| ("own".to_owned(), round(dbfs)));
    let others = levels.others.iter().map(|(id, dbfs)| (id.0.clone(), round(*dbfs)));
    let own_speaking = levels.own_speaking.then_some("own");
    let speaking: Vec<&str> = own_speaking.into_iter().chain(levels.speaking.iter().map(|id| id.0.as_str())).collect();
    serde_json::json!({
        "levels": serde_json::Map::from_iter(own.into_iter().chain(others)),
        "speaking": speaking,
        "active": levels.active.as_ref().map(|id| &id.0),
    })
}

/// Unix time in milliseconds of a moment.
pub(crate) fn unix_ms(at: Instant) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(at.elapsed()).as_millis() as u64
}

/// Unix times of moments. Each is converted once, because the clocks drift apart.
#[derive(Debug, Default)]
pub(crate) struct Moments(HashMap<Instant, u64>);

impl Moments {
    /// Unix time in milliseconds.
    pub(crate) fn unix_ms(&mut self, at: Instant) -> u64 {
        *self.0.entry(at).or_insert_with(|| unix_ms(at))
    }

    /// Forgets all others.
    pub(crate) fn retain(&mut self, present: &[Instant]) {
        self.0.retain(|at, _| present.contains(at));
    }
}

fn video_out(out: &VideoOutStats) -> VideoOutFigures {
    VideoOutFigures {
        encoded: out.encoded,
        keyframes: out.keyframes,
        encode_ms: each_ms(out.encode_s, out.encoded),
        target: out.target,
        width: out.size.0,
        height: out.size.1,
    }
}

fn person(stats: &ParticipantStats) -> PersonStats {
    PersonStats {
        id: stats.id.0.clone(),
        path: stats.path.as_ref().map(path),
        video_in: video_in(&stats.video_in),
        audio_in: stats.audio_in.map(|audio| AudioFigures {
            samples: audio.total_samples,
            concealed: audio.concealed_samples,
            jitter_ms: each_ms(audio.jitter_buffer_delay_s, audio.jitter_buffer_emitted),
        }),
    }
}

fn path(path: &PeerStats) -> PathFigures {
    let name = |codec: engine::media::encoded::VideoCodec| format!("{codec:?}").to_uppercase();
    PathFigures {
        pair: path.pair.clone(),
        relayed: path.relayed,
        relay: path.relay.map(|transport| transport.word().to_owned()),
        rtt_ms: path.rtt.map(ms),
        bytes_sent: path.bytes_sent,
        bytes_received: path.bytes_received,
        video_codec: path.video_codec.map(name),
        received_codec: path.received_codec.map(name),
        estimate: path.sender.estimate,
        loss: path.sender.loss,
        queue_ms: ms(path.sender.path_queue_delay),
        nacked: path.receiver.nacked_packets,
        recovered: path.receiver.retransmitted_packets_received,
    }
}

fn video_in(video: &VideoInStats) -> VideoInFigures {
    VideoInFigures {
        decoded: video.decoded,
        decode_ms: each_ms(video.decode_s, video.decoded),
        jitter_ms: each_ms(video.jitter_s, video.jitter_n),
        freezes: video.freezes,
        width: video.size.0,
        height: video.size.1,
        latency_ms: video.latency.map(|latency| latency.ms),
        latency_uncertainty_ms: video.latency.map(|latency| latency.uncertainty_ms),
    }
}

fn each_ms(seconds: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { seconds * 1_000.0 / count as f64 }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
