//! Statistics of a call as JSON, and the log on standard error.

use engine::{EngineStats, ParticipantStats, PeerStats, VideoInStats};
use serde_json::{Value, json};
use std::io::{self, IsTerminal as _};
use std::time::UNIX_EPOCH;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{fmt, registry};

/// One line for each participant with the values of getStats, cumulative where getStats is.
pub(crate) fn participant(stats: &EngineStats, who: &ParticipantStats) -> Value {
    let VideoInStats { decoded, freezes, jitter_s, jitter_n, decode_s, size, keyframes, refused, latency, .. } =
        who.video_in;
    let (out, share, screen) = (&stats.video_out, &stats.share_out, who.video_in.screen_size);
    let mut line = json!({
        "id": who.id.0,
        "v_frames": decoded, "v_key": keyframes, "v_refused": refused, "v_freezes": freezes,
        "v_jb_s": jitter_s, "v_jb_n": jitter_n, "v_dec_time": decode_s, "v_w": size.0, "v_h": size.1,
        "v_latency_ms": latency.map(|l| l.ms), "v_latency_uncertainty_ms": latency.map(|l| l.uncertainty_ms),
        "v_enc_frames": out.encoded, "v_enc_key": out.keyframes, "v_enc_time": out.encode_s,
        "s_frames": who.video_in.screen_decoded, "s_w": screen.0, "s_h": screen.1,
        "s_enc_frames": share.encoded, "s_enc_key": share.keyframes, "s_enc_time": share.encode_s,
        "v_enc_w": out.size.0, "v_enc_h": out.size.1, "v_target_kbps": out.target as f64 / 1000.0,
    });
    let Some(fields) = line.as_object_mut() else { return line };
    let mut put = |name: &str, value: Value| fields.insert(name.into(), value);
    if let Some(path) = &who.path {
        let (s, r) = (&path.sender, &path.receiver);
        put("pair", json!(pair(path)));
        put("relay", json!(path.relay.map(|transport| transport.word())));
        put("rtt_ms", json!(path.rtt.map(|rtt| rtt.as_secs_f64() * 1000.0)));
        put("codec", json!(path.video_codec.map(|c| c.mime())));
        put("rx_codec", json!(path.received_codec.map(|c| c.mime())));
        put("tx_bytes", json!(path.bytes_sent));
        put("rx_bytes", json!(path.bytes_received));
        put("bwe_kbps", json!(s.estimate as f64 / 1000.0));
        put("path_queue_ms", json!(s.path_queue_delay.as_secs_f64() * 1000.0));
        put("loss", json!(s.loss));
        put("v_nack_rx", json!(s.nacked_packets));
        put("v_pli_rx", json!(s.keyframe_requests));
        put("v_retx", json!(s.retransmitted_packets_sent));
        put("probes", json!(s.padding_packets_sent));
        put("v_rx_bytes", json!(r.video_bytes));
        put("a_rx_bytes", json!(r.audio_bytes));
        put("v_nack_tx", json!(r.nacked_packets));
        put("v_recovered", json!(r.retransmitted_packets_received));
        put("v_pli_tx", json!(r.keyframe_requests));
    }
    if let Some(audio) = &who.audio_in {
        put("a_concealed", json!(audio.concealed_samples));
        put("a_silent_concealed", json!(audio.silent_concealed_samples));
        put("a_samples", json!(audio.total_samples));
        put("a_jb_s", json!(audio.jitter_buffer_delay_s));
        put("a_jb_n", json!(audio.jitter_buffer_emitted));
    }
    line
}

/// The pair with the transport to our relay, `relay/tls-host udp`.
fn pair(path: &PeerStats) -> Option<String> {
    let pair = path.pair.as_deref()?;
    Some(match (path.relay, pair.strip_prefix("relay-")) {
        (Some(transport), Some(rest)) => format!("relay/{transport}-{rest}"),
        _ => pair.to_owned(),
    })
}

/// Crates whose log lines are for people.
const OURS: [&str; 6] = ["engine", "outbound", "peer", "devices", "codecs", "lunchroom_cli"];

/// Sends log lines to standard error, so that standard output stays readable for programs.
pub(crate) fn start_log(level: LevelFilter) {
    let terminal = fmt::layer().with_ansi(io::stderr().is_terminal()).with_timer(UnixTime).with_writer(io::stderr);
    if let Err(error) = registry().with(terminal.with_filter(shown(level))).try_init() {
        eprintln!("lunchroom-cli: cannot start the log: {error}");
    }
}

/// Libraries warn about many harmless events, such as a refused candidate or an early packet.
fn shown(level: LevelFilter) -> Targets {
    if level >= LevelFilter::DEBUG {
        return Targets::new().with_default(level);
    }
    Targets::new().with_targets(OURS.map(|name| (name, level)))
}

/// Unix time in seconds, as in the statistics.
struct UnixTime;

impl FormatTime for UnixTime {
    fn format_time(&self, to: &mut Writer<'_>) -> std::fmt::Result {
        write!(to, "{:.4}", UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64())
    }
}

/// Escapes external text for one line of output: line breaks, and characters that would control a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let acts = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_messages_appear_from_debug_level() {
        use tracing::Level;
        assert!(shown(LevelFilter::WARN).would_enable("engine::capture", &Level::WARN));
        assert!(!shown(LevelFilter::INFO).would_enable("rtc_ice", &Level::ERROR));
        assert!(shown(LevelFilter::DEBUG).would_enable("rtc_ice", &Level::DEBUG));
    }

    #[test]
    fn untrusted_text_stays_on_one_line() {
        assert_eq!(one_line("a\nV2: forged line"), "a\\nV2: forged line");
        assert_eq!(
            one_line("a\r\n\u{85}\u{2028}\u{2029}b\u{1b}[2J\t"),
            "a\\r\\n\\u{85}\\u{2028}\\u{2029}b\\u{1b}[2J\\t"
        );
        assert_eq!(one_line("박지훈 👩\u{200D}🍳"), "박지훈 👩\u{200D}🍳");
    }
}
