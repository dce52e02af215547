//! What a connection is built from.

use crate::paced::CheckPacer;
use media::encoded::VideoCodec;

/// A STUN or TURN server, `RTCIceServer` of W3C WebRTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:host:port` or `turn:host:port?transport=udp`, RFC 7064 and RFC 7065.
    pub urls: Vec<String>,
    /// TURN user name; empty for STUN.
    pub username: String,
    /// TURN password; empty for STUN.
    pub credential: String,
}

/// What a connection is built from. It does not change while the connection lives.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// STUN and TURN servers; with none only host candidates are gathered.
    pub ice_servers: Vec<IceServer>,
    /// Hide our addresses: only relayed candidates are gathered and used.
    pub relay_only: bool,
    /// Video codecs we can send and receive, the preferred one first. Offers and answers name only these; an answer
    /// keeps the order of the offer. At least one.
    pub codecs: Vec<VideoCodec>,
    /// On glare the polite side takes its own offer back (perfect negotiation of W3C WebRTC). Exactly one of the two
    /// sides must be polite.
    pub polite: bool,
    /// Where the estimate starts, bit/s.
    pub start_bitrate: u64,
    /// Where the estimate ends, bit/s.
    pub max_bitrate: u64,
    /// Gather on 127.0.0.1 alone, for tests.
    pub include_loopback: bool,
    /// Resolve candidates that name a `.local` host (draft-ietf-mmusic-mdns-ice-candidates): browsers hide their
    /// addresses so.
    pub mdns: bool,
    /// What bounds ICE checks over all connections that are given clones of it.
    pub checks: CheckPacer,
    /// Seed of what transport draws at random.
    pub seed: u64,
}

impl PeerConfig {
    /// Whether `.local` names are looked up. The question goes to everybody on the local network: who made the name up
    /// would see in it the address that `relay_only` hides.
    pub(crate) fn asks_for_names(&self) -> bool {
        self.mdns && !self.relay_only
    }
}

impl Default for PeerConfig {
    fn default() -> Self {
        PeerConfig {
            ice_servers: Vec::new(),
            relay_only: false,
            codecs: VideoCodec::ALL.to_vec(),
            polite: false,
            start_bitrate: 1_000_000,
            max_bitrate: 8_000_000,
            include_loopback: false,
            mdns: true,
            checks: CheckPacer::default(),
            seed: 1,
        }
    }
}
