//! Builds the library's connection: codecs, interceptors, timeouts, sockets, certificate.

use crate::config::PeerConfig;
use crate::error::PeerError;
use crate::outgoing::Outgoing;
use crate::path::MediaPath;
use crate::receiving::Incoming;
use crate::recorder::Recorder;
use crate::runtime::DriverRuntime;
use crate::sdp::{LEVEL_URI, MID_URI, TRANSPORT_CC_URI};
use crate::servers::Servers;
use media::encoded::VideoCodec;
use rtc::crypto::RTCCryptoProvider;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{ReceiverReportBuilder, Slot, TwccReceiverBuilder};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::certificate::{CertificateParams, RTCCertificate};
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RTCRtpRtxParameters, RtpCodecKind,
};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCConfigurationBuilder,
    RTCIceTransportPolicy, Registry, SettingEngine, SettingEngineBuilder, crypto,
};

/// Interval between rounds of ICE checks. The library nominates a pair one round after its check succeeded, so this
/// adds to the setup time of a call.
const ICE_CHECK_INTERVAL: Duration = Duration::from_millis(10);
/// Number of checks of one pair before it fails: three seconds. After that it is checked only when the far side checks
/// it. How many of them are sent is limited elsewhere (`checks`).
const ICE_CHECKS: u16 = 300;
/// Silence after which the state is `Disconnected`. While the path works, something arrives far more often, even with
/// both cameras and microphones off: see [`ICE_KEEPALIVE`].
const ICE_DISCONNECTED: Duration = Duration::from_millis(1_500);
/// Further silence after which the state is `Failed`.
const ICE_FAILED: Duration = Duration::from_millis(13_500);
/// Interval between consent checks of the selected pair, in each direction. Of the about twelve packets of a second
/// (checks and answers of both sides) at least one arrives even where a fifth of all is lost.
const ICE_KEEPALIVE: Duration = Duration::from_millis(300);
/// How long a relayed pair waits for a direct one before it is selected.
const RELAY_WAIT: Duration = Duration::from_millis(100);
/// Interval of transport-wide feedback to the far side.
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(50);
/// Number of threads that run the drivers of all connections.
const DRIVER_THREADS: usize = 1;
/// Most interfaces on which a connection gathers. A machine with dozens of bridges would flood the far side with
/// candidates.
const MAX_INTERFACES: usize = 8;

/// Builds the library's connection.
pub(crate) async fn build(
    config: &PeerConfig,
    servers: &Servers,
    path: Arc<MediaPath>,
    feedback_ssrc: u32,
    runtime: Arc<DriverRuntime>,
    handler: Arc<dyn PeerConnectionEventHandler>,
) -> Result<Arc<dyn PeerConnection>, PeerError> {
    let now = Instant::now();
    let mut engine = media_engine(&config.codecs).map_err(setup)?;
    let (audio, video) = (RtpCodecKind::Audio, RtpCodecKind::Video);
    let extensions = [TRANSPORT_CC_URI, MID_URI].into_iter().flat_map(|uri| [(uri, audio), (uri, video)]);
    for (uri, kind) in extensions.chain([(LEVEL_URI, audio)]) {
        let extension = RTCRtpHeaderExtensionCapability { uri: uri.into() };
        engine.register_header_extension(extension, kind, None).map_err(setup)?;
    }
    // Read from the wire upwards: arrivals are recorded before `Incoming` takes the packets.
    let arrivals = TwccReceiverBuilder::new().with_interval(FEEDBACK_INTERVAL).build();
    let reports = ReceiverReportBuilder::new().build();
    let registry = Registry::new()
        .with(Slot::CongestionControl, Outgoing::new(path.clone(), now))
        .with(Slot::TwccReceiver, Recorder::new(arrivals, path.receiving.clone()))
        .with(Slot::ReceiverReport, Recorder::new(reports, path.receiving.clone()))
        .with(Slot::JitterBuffer, Incoming::new(path.receiving.clone(), feedback_ssrc));
    if config.relay_only && servers.relays().is_empty() {
        return Err(PeerError::NoRelay);
    }
    let policy = if config.relay_only { RTCIceTransportPolicy::Relay } else { RTCIceTransportPolicy::All };
    let configuration = RTCConfigurationBuilder::new()
        .with_ice_servers(servers.library.clone())
        .with_ice_transport_policy(policy)
        .with_certificates(vec![certificate()?])
        .build();
    let connection = PeerConnectionBuilder::new()
        .with_runtime(runtime.clone())
        .with_configuration(configuration)
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .with_setting_engine(settings(config, runtime.crypto().map_err(setup)?))
        .with_handler(handler)
        .with_udp_addrs(vec![Interfaces { loopback: config.include_loopback }])
        .with_dedicated_reactor_pool_size(DRIVER_THREADS)
        .build()
        .await
        .map_err(setup)?;
    Ok(Arc::new(connection))
}

fn setup(error: impl std::fmt::Display) -> PeerError {
    PeerError::Setup(error.to_string())
}

fn settings(config: &PeerConfig, crypto: Arc<dyn RTCCryptoProvider>) -> SettingEngine {
    let mdns = config.asks_for_names() && mdns_works();
    let mode = if mdns { MulticastDnsMode::QueryOnly } else { MulticastDnsMode::Disabled };
    SettingEngineBuilder::default()
        .with_crypto_provider(crypto)
        .with_ice_connection_attempts(Some(ICE_CHECK_INTERVAL), Some(ICE_CHECKS))
        .with_ice_timeouts(Some(ICE_DISCONNECTED), Some(ICE_FAILED), Some(ICE_KEEPALIVE))
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_relay_acceptance_min_wait(Some(if config.relay_only { Duration::ZERO } else { RELAY_WAIT }))
        // Loopback is bound only in tests, and if there is no other interface (`Interfaces`).
        .with_include_loopback_candidate(true)
        .with_multicast_dns_mode(mode)
        // ICE is restarted after a change of network, when old sockets are useless.
        .with_discard_local_candidates_during_ice_restart(true)
        .build()
}

/// Whether the multicast DNS port can be used. Without it `.local` names are not resolved, but in most networks the far
/// side's checks of our own addresses still find a path.
fn mdns_works() -> bool {
    static WORKS: OnceLock<bool> = OnceLock::new();
    *WORKS.get_or_init(|| match rtc::mdns::MulticastSocket::new().into_std() {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!("`.local` candidates will not be resolved: {error}");
            false
        }
    })
}

/// The certificate of all connections in this process: generating a key takes longer than the whole handshake.
fn certificate() -> Result<RTCCertificate, PeerError> {
    static CERTIFICATE: OnceLock<Result<RTCCertificate, String>> = OnceLock::new();
    let made = CERTIFICATE.get_or_init(|| {
        let provider = crypto::default_provider().map_err(|error| error.to_string())?;
        let mut params = CertificateParams::new(vec!["lunchroom".to_owned()]).map_err(|error| error.to_string())?;
        params.not_before =
            SystemTime::now().checked_sub(Duration::from_secs(86_400)).unwrap_or(SystemTime::UNIX_EPOCH).into();
        params.not_after = (SystemTime::now() + Duration::from_secs(365 * 86_400)).into();
        RTCCertificate::generate(provider.crypto(), crypto::SignatureScheme::EcdsaP256Sha256, params)
            .map_err(|error| error.to_string())
    });
    made.clone().map_err(PeerError::Setup)
}

fn media_engine(codecs: &[VideoCodec]) -> Result<MediaEngine, webrtc::error::Error> {
    let mut engine = MediaEngine::default();
    engine.register_codec(
        parameters(111, "audio/opus", 48_000, 2, "minptime=10;useinbandfec=1", feedback(false)),
        RtpCodecKind::Audio,
    )?;
    for codec in codecs {
        let (payload_type, fmtp) = match codec {
            VideoCodec::Vp8 => (96, ""),
            VideoCodec::Vp9 => (98, "profile-id=0"),
            VideoCodec::H264 => (102, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"),
        };
        let media = parameters(payload_type, codec.mime(), 90_000, 0, fmtp, feedback(true));
        let apt = format!("apt={payload_type}");
        let rtx = parameters(payload_type + 1, "video/rtx", 90_000, 0, &apt, Vec::new());
        engine.register_codec(media, RtpCodecKind::Video)?;
        engine.register_codec(rtx, RtpCodecKind::Video)?;
    }
    Ok(engine)
}

fn parameters(
    payload_type: u8,
    mime: &str,
    clock_rate: u32,
    channels: u16,
    fmtp: &str,
    rtcp_feedback: Vec<RTCPFeedback>,
) -> RTCRtpCodecParameters {
    let (mime_type, sdp_fmtp_line) = (mime.into(), fmtp.into());
    RTCRtpCodecParameters {
        rtp_codec: RTCRtpCodec { mime_type, clock_rate, channels, sdp_fmtp_line, rtcp_feedback },
        payload_type,
    }
}

fn feedback(video: bool) -> Vec<RTCPFeedback> {
    let words: &[(&str, &str)] = &[("transport-cc", ""), ("ccm", "fir"), ("nack", ""), ("nack", "pli")];
    let words = if video { words } else { &words[..1] };
    words.iter().map(|(typ, parameter)| RTCPFeedback { typ: (*typ).into(), parameter: (*parameter).into() }).collect()
}

/// A dummy track. Only its media line and SSRCs matter; packets never pass through it.
pub(crate) fn track(ssrc: u32, rtx: Option<u32>) -> Arc<dyn TrackLocal> {
    let (kind, name) = if rtx.is_some() { (RtpCodecKind::Video, "video") } else { (RtpCodecKind::Audio, "audio") };
    let coding = RTCRtpCodingParameters {
        ssrc: Some(ssrc),
        rtx: rtx.map(|ssrc| RTCRtpRtxParameters { ssrc }),
        ..Default::default()
    };
    let encoding = RTCRtpEncodingParameters { rtp_coding_parameters: coding, ..Default::default() };
    let id = format!("{name}{ssrc}");
    Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new("lunchroom".into(), id.clone(), id, kind, vec![encoding])))
}

/// Whether a connection uses the loopback address: in tests, and without a network.
pub(crate) fn uses_loopback(config: &PeerConfig) -> bool {
    config.include_loopback || interfaces().is_ok_and(|addresses| addresses.is_empty())
}

/// Whether there is IPv6 here and no IPv4.
pub(crate) fn has_only_v6() -> bool {
    interfaces().is_ok_and(|addresses| !addresses.is_empty() && addresses.iter().all(IpAddr::is_ipv6))
}

/// The addresses to bind. Looked up again at each ICE restart, because the network may have changed.
struct Interfaces {
    loopback: bool,
}

impl ToSocketAddrs for Interfaces {
    type Iter = std::vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let mut addresses = if self.loopback { vec![loopback] } else { interfaces()? };
        if addresses.is_empty() {
            // Without a network, two clients on one machine can still connect.
            addresses.push(loopback);
        }
        let sockets: Vec<SocketAddr> = addresses.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect();
        Ok(sockets.into_iter())
    }
}

fn interfaces() -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for ip in rtc::shared::ifaces::ifaces()?.into_iter().filter_map(|interface| Some(interface.addr?.ip())) {
        let usable = match ip {
            IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local() && !v4.is_unspecified(),
            IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local() && !v6.is_unspecified(),
        };
        if usable && !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    addresses.truncate(MAX_INTERFACES);
    Ok(addresses)
}
