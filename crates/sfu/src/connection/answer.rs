//! The answer to a client's offer.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};
use str0m::bwe::Bitrate;
use str0m::change::SdpOffer;
use str0m::crypto::dtls::DtlsCert;
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid, Rid};
use str0m::{Candidate, IceCreds, Rtc};

use super::{Connection, Line, Outgoing};
use crate::crypto;
use crate::limits::{HISTORY_PACKETS, MAX_AUDIO_SLOTS, MAX_DESCRIPTION_BYTES, MAX_ENCODINGS, MAX_VIDEO_SLOTS};
use crate::packet::Kind;

/// Estimate of a downlink before it is measured.
const FIRST_ESTIMATE: Bitrate = Bitrate::kbps(500);
/// Lines of a description: slots, a microphone, a camera, a screen, and a data channel that is not used.
const MAX_LINES: usize = MAX_AUDIO_SLOTS + MAX_VIDEO_SLOTS + 4;

/// How often the loss of packets is measured.
const STATS_EVERY: Duration = Duration::from_secs(5);

/// Why an offer is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OfferRefused {
    /// It is longer than [`MAX_DESCRIPTION_BYTES`], or has more lines than there may be slots and sources.
    #[error("the description is too long")]
    TooLong,
    /// It cannot be read, or asks for what is not supported.
    #[error("the description is not valid: {0}")]
    Invalid(String),
    /// The server cannot make a connection.
    #[error("there is no address to connect to, or no randomness")]
    NoAddress,
    /// Nobody of this number is in the room.
    #[error("not in the room")]
    NotHere,
}

/// A connection, and the description for the client.
pub(crate) struct Answered {
    pub(crate) connection: Connection,
    pub(crate) description: String,
}

impl Connection {
    /// Makes a connection for an offer. `addresses` are those at which clients reach the server.
    pub(crate) fn answer(
        now: Instant,
        offer: &str,
        certificate: &DtlsCert,
        addresses: &[SocketAddr],
    ) -> Result<Answered, OfferRefused> {
        let lines = offer.lines().filter(|line| line.starts_with("m=")).count();
        if offer.len() > MAX_DESCRIPTION_BYTES || lines > MAX_LINES {
            return Err(OfferRefused::TooLong);
        }
        let invalid = |error: &dyn std::fmt::Display| OfferRefused::Invalid(error.to_string());
        let offer = SdpOffer::from_sdp_string(offer).map_err(|error| invalid(&error))?;
        let credentials = credentials().ok_or(OfferRefused::NoAddress)?;
        let ufrag = credentials.ufrag.clone();
        let mut rtc = rtc(now, certificate, credentials);
        for address in addresses {
            let candidate = Candidate::host(*address, "udp").map_err(|error| invalid(&error))?;
            rtc.add_local_candidate(candidate).ok_or(OfferRefused::NoAddress)?;
        }
        let answer = rtc.sdp_api().accept_offer(offer).map_err(|error| invalid(&error))?;
        let description = answer.to_sdp_string();
        let pt =
            |codec: Codec| rtc.codec_config().find(|params| params.spec().codec == codec).map(|params| params.pt());
        let (opus, vp8) = (pt(Codec::Opus), pt(Codec::Vp8));
        let mut connection = Connection {
            rtc,
            sources: Vec::new(),
            audio: Vec::new(),
            video: Vec::new(),
            opus,
            vp8,
            streams: HashMap::new(),
            ufrag,
            last_received: now,
            is_connected: false,
            loss_down: None,
            loss_up: None,
        };
        connection.read_lines(&description);
        Ok(Answered { connection, description })
    }

    /// Reads what was negotiated from the answer. str0m reports it only when the connection works.
    fn read_lines(&mut self, description: &str) {
        for section in description.split("\nm=").skip(1) {
            let mut attributes = section.lines().filter_map(|line| line.trim_end().strip_prefix("a="));
            let Some(mid) = attributes.clone().find_map(|attribute| attribute.strip_prefix("mid:")) else { continue };
            let layers = attributes.find_map(|attribute| attribute.strip_prefix("simulcast:recv "));
            let layers = layers.into_iter().flat_map(|layers| layers.split(';'));
            let rids = layers.map(|rid| Rid::from(rid.trim_start_matches('~'))).take(MAX_ENCODINGS).collect();
            let mid = Mid::from(mid);
            if let Some((kind, direction)) = self.rtc.media(mid).map(|media| (media.kind(), media.direction())) {
                self.add_line(mid, kind, direction, rids);
            }
        }
    }

    fn add_line(&mut self, mid: Mid, kind: MediaKind, direction: Direction, rids: Vec<Rid>) {
        let count = |kind| self.sources.iter().filter(|line| line.kind == kind).count();
        match direction {
            Direction::RecvOnly | Direction::SendRecv => {
                let kind = match kind {
                    MediaKind::Audio if count(Kind::Audio) == 0 => Kind::Audio,
                    MediaKind::Video if count(Kind::Camera) == 0 => Kind::Camera,
                    MediaKind::Video if count(Kind::Screen) == 0 => Kind::Screen,
                    _ => return,
                };
                self.sources.push(Line { mid, kind, rids });
            }
            Direction::SendOnly => {
                let mut direct = self.rtc.direct_api();
                let Some(ssrc) = direct.stream_tx_by_mid(mid, None).map(|stream| stream.ssrc()) else { return };
                let (lines, most) = match kind {
                    MediaKind::Audio => (&mut self.audio, MAX_AUDIO_SLOTS),
                    MediaKind::Video => (&mut self.video, MAX_VIDEO_SLOTS),
                };
                if lines.len() < most {
                    lines.push(Outgoing { mid, ssrc });
                }
            }
            Direction::Inactive => {}
        }
    }
}

fn rtc(now: Instant, certificate: &DtlsCert, credentials: IceCreds) -> Rtc {
    Rtc::builder()
        .set_rtp_mode(true)
        .set_ice_lite(true)
        .set_local_ice_credentials(credentials)
        .set_crypto_provider(crypto::provider().into())
        .set_dtls_cert(certificate.clone())
        .clear_codecs()
        .enable_opus(true, false)
        .enable_vp8(true)
        .enable_bwe(Some(FIRST_ESTIMATE))
        .set_send_buffer_video(HISTORY_PACKETS)
        .set_stats_interval(Some(STATS_EVERY))
        .build(now)
}

/// Credentials that cannot be guessed: 96 bits in the name by which connections are found, and 192 in the password
/// (RFC 8445 section 5.3).
fn credentials() -> Option<IceCreds> {
    let mut bytes = [0; 36];
    SystemRandom::new().fill(&mut bytes).ok()?;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    Some(IceCreds { ufrag: hex(&bytes[..12]), pass: hex(&bytes[12..]) })
}
