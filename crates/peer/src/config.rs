//! The configuration of a connection.

use crate::paced::CheckPacer;
use media::encoded::VideoCodec;
use outbound::Proxies;

/// A STUN or TURN server, `RTCIceServer` of W3C WebRTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IceServer {
    /// `stun:host:port`, `turn:host:port?transport=udp` or `tcp`, or `turns:host:port`, RFC 7064 and RFC 7065.
    pub urls: Vec<String>,
    /// TURN user name; empty for STUN.
    pub username: String,
    /// TURN password; empty for STUN.
    pub credential: String,
}

/// The lines on which we only receive, in a connection to a forwarder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    /// For voices.
    pub voices: usize,
    /// For pictures.
    pub pictures: usize,
}

/// The configuration of a connection. It does not change while the connection lives.
#[derive(Debug, Clone)]
pub struct PeerConfig {
    /// STUN and TURN servers. Without any, only host candidates are gathered.
    pub ice_servers: Vec<IceServer>,
    /// Hides our addresses: gathers and uses only relayed candidates.
    pub relay_only: bool,
    /// Supported video codecs in order of preference, at least one. Offers and answers contain only these; an answer
    /// keeps the order of the offer.
    pub codecs: Vec<VideoCodec>,
    /// On glare, the polite side rolls back its own offer (perfect negotiation of W3C WebRTC). Exactly one side must be
    /// polite.
    pub polite: bool,
    /// Initial bandwidth estimate in bit/s.
    pub start_bitrate: u64,
    /// Largest bandwidth estimate in bit/s.
    pub max_bitrate: u64,
    /// Gathers only on 127.0.0.1, for tests.
    pub include_loopback: bool,
    /// Whether to resolve `.local` candidates (draft-ietf-mmusic-mdns-ice-candidates), with which browsers hide their
    /// addresses.
    pub mdns: bool,
    /// Proxies for TURN over TCP and TLS. The servers are also tried directly.
    pub proxies: Proxies,
    /// SHA-256 of the signalling server's certificate, if a link pins it. TURN servers may have it too.
    pub fingerprint: Option<[u8; 32]>,
    /// The limiter of ICE checks. Connections that get clones of it share the limit.
    pub checks: CheckPacer,
    /// If the far side is a forwarder: what we receive of it. We send a camera in several encodings and a screen, and there is
    /// no data channel. Such a connection is offered once; whoever needs another one, makes a new connection.
    pub forwarder: Option<Slots>,
    /// Seed for the random numbers of transport.
    pub seed: u64,
}

impl PeerConfig {
    /// Whether `.local` names are resolved. The multicast query reveals our address to whoever made up the name, so it
    /// is not sent with `relay_only`.
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
            proxies: Proxies::System,
            fingerprint: None,
            checks: CheckPacer::default(),
            forwarder: None,
            seed: 1,
        }
    }
}
