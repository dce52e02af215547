//! A client of canned pictures and sound, by str0m, on a simulated path.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2ee::Sealer;
use sfu::{Forwarded, Kind, ParticipantId, Person, Source};
use str0m::change::SdpAnswer;
use str0m::crypto::dtls::DtlsCert;
use str0m::format::Codec;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid, Pt, Rid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpPacket, RtpWrite, Ssrc};
use str0m::{Candidate, Event, Input, Output, Rtc};
use testkit::net::{Path, SimulatedLink};

use super::{Encoder, Received, sound};

/// The RIDs of the encodings, smallest first.
pub(crate) const RIDS: [&str; 3] = ["q", "h", "f"];
/// Bytes of the headers of IP and UDP.
const HEADERS: usize = 28;

/// A client.
pub(crate) struct Client {
    pub(crate) person: Person,
    pub(crate) address: SocketAddr,
    pub(crate) up: SimulatedLink<Vec<u8>>,
    pub(crate) down: SimulatedLink<Vec<u8>>,
    pub(crate) encoders: Vec<Encoder>,
    /// The level of the sound.
    pub(crate) level: u8,
    /// What encrypts the sound.
    pub(crate) encryption: Option<Sealer>,
    pub(crate) received: BTreeMap<String, Received>,
    pub(crate) shown: BTreeMap<String, Option<Source>>,
    pub(crate) keyframe_requests: usize,
    rtc: Rtc,
    microphone: Mid,
    camera: Mid,
    audio: Vec<Mid>,
    video: Vec<Mid>,
    sounds: u64,
    opus: Option<Pt>,
    vp8: Option<Pt>,
    mids: BTreeMap<Ssrc, Mid>,
    next: Instant,
}

/// A certificate of DTLS and its key.
pub(crate) fn certificate() -> (Vec<u8>, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::new(vec!["lunchroom".to_owned()]).unwrap().self_signed(&key).unwrap();
    (made.der().to_vec(), key.serialize_der())
}

impl Client {
    /// Connects: `offer` has the server's answer to a description.
    pub(crate) fn new(
        now: Instant,
        person: Person,
        slots: (usize, usize),
        offer: impl FnOnce(&str) -> String,
    ) -> Client {
        let (certificate, private_key) = certificate();
        let mut rtc = Rtc::builder()
            .set_rtp_mode(true)
            .set_crypto_provider(sfu::crypto_provider().into())
            .set_dtls_cert(DtlsCert { certificate, private_key })
            .clear_codecs()
            .enable_opus(true, false)
            .enable_vp8(true)
            .build(now);
        let address = SocketAddr::from(([198, 51, 100, 1], 10_000 + person.id.0 as u16));
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap()).unwrap();
        let mut change = rtc.sdp_api();
        let mut simulcast = Simulcast::new();
        RIDS.iter().for_each(|rid| simulcast.add_send_layer(SimulcastLayer::new(rid)));
        let microphone = change.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let camera = change.add_media(MediaKind::Video, Direction::SendOnly, None, None, Some(simulcast));
        let mut receive = |kind| change.add_media(kind, Direction::RecvOnly, None, None, None);
        let audio = (0..slots.0).map(|_| receive(MediaKind::Audio)).collect();
        let video = (0..slots.1).map(|_| receive(MediaKind::Video)).collect();
        let (description, pending) = change.apply().unwrap();
        let answer = SdpAnswer::from_sdp_string(&offer(&description.to_sdp_string())).unwrap();
        rtc.sdp_api().accept_answer(pending, answer).unwrap();
        let pt = |codec| rtc.codec_config().find(|params| params.spec().codec == codec).map(|params| params.pt());
        let source = Source { from: person.id, kind: Kind::Camera };
        Client {
            person,
            address,
            up: SimulatedLink::new(Path::default(), u64::from(person.id.0)),
            down: SimulatedLink::new(Path::default(), 100 + u64::from(person.id.0)),
            encoders: (0..3).map(|layer| Encoder::new(source, layer)).collect(),
            level: 127,
            encryption: None,
            received: BTreeMap::new(),
            shown: BTreeMap::new(),
            keyframe_requests: 0,
            opus: pt(Codec::Opus),
            vp8: pt(Codec::Vp8),
            rtc,
            microphone,
            camera,
            audio,
            video,
            sounds: 0,
            mids: BTreeMap::new(),
            next: now,
        }
    }

    /// Sends one frame in each encoding.
    pub(crate) fn send_frame(&mut self, now: Instant) {
        let Some(pt) = self.vp8 else { return };
        for (encoder, rid) in self.encoders.iter_mut().zip(RIDS) {
            for packet in encoder.frame() {
                let mut direct = self.rtc.direct_api();
                let Some(stream) = direct.stream_tx_by_mid(self.camera, Some(Rid::from(rid))) else { continue };
                let write = RtpWrite::new(pt, packet.sequence.into(), packet.timestamp, now, packet.payload);
                let values = ExtensionValues::default();
                stream.write_rtp(write.marker(packet.marker).nackable(true).ext_vals(values));
            }
        }
        self.next = now;
    }

    /// Sends 20 ms of sound.
    pub(crate) fn send_sound(&mut self, now: Instant) {
        let (Some(pt), mut packet) = (self.opus, sound(self.person.id, self.sounds, self.level)) else { return };
        self.sounds += 1;
        if let Some(sealer) = &mut self.encryption {
            let mut sealed = Vec::new();
            sealer.seal(&packet.payload, &mut sealed).unwrap();
            packet.payload = sealed.into();
        }
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(self.microphone, None) else { return };
        let values = ExtensionValues { audio_level: Some(-(self.level as i8)), ..ExtensionValues::default() };
        let sequence = packet.sequence.into();
        stream.write_rtp(RtpWrite::new(pt, sequence, packet.timestamp, now, packet.payload).ext_vals(values));
        self.next = now;
    }

    /// Takes another SSRC for each encoding. str0m does not find the stream of a request then, so they begin with keyframes.
    pub(crate) fn change_ssrcs(&mut self, from: u32) {
        for (index, rid) in (0..).zip(RIDS) {
            let (main, rtx) = (Ssrc::from(from + 2 * index), Ssrc::from(from + 2 * index + 1));
            let rid = Some(Rid::from(rid));
            self.rtc.direct_api().reset_stream_tx(self.camera, rid, main, Some(rtx));
        }
        for encoder in &mut self.encoders {
            encoder.sequence %= 1 << 15;
            encoder.request_keyframe();
        }
    }

    /// Requests a keyframe of everything that it receives.
    pub(crate) fn request_keyframes(&mut self, now: Instant) {
        for mid in self.video.clone() {
            if let Some(stream) = self.rtc.direct_api().stream_rx_by_mid(mid, None) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
            }
        }
        self.next = now;
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.rtc.is_connected()
    }

    /// What has been received in the n-th video slot.
    pub(crate) fn video(&self, slot: usize) -> &Received {
        static NOTHING: std::sync::LazyLock<Received> = std::sync::LazyLock::new(Received::default);
        self.received.get(&self.video[slot].to_string()).unwrap_or(&NOTHING)
    }

    /// Packets of sound that have been received of somebody.
    pub(crate) fn sound_of(&self, from: ParticipantId) -> usize {
        self.sounds_of(from).count()
    }

    pub(crate) fn sounds_of(&self, from: ParticipantId) -> impl Iterator<Item = &Forwarded> {
        let slots = self.audio.iter().filter_map(|mid| self.received.get(&mid.to_string()));
        slots.flat_map(|received| received.packets.values()).filter(move |packet| packet.from == from)
    }

    /// Does what is due, and takes what has arrived.
    pub(crate) fn step(&mut self, now: Instant, server: SocketAddr) {
        while let Some(datagram) = self.down.poll(now) {
            let Ok(receive) = Receive::new(Protocol::Udp, server, self.address, &datagram) else { continue };
            self.rtc.handle_input(Input::Receive(now, receive)).unwrap();
            self.drive(now);
        }
        if self.next <= now {
            self.rtc.handle_input(Input::Timeout(now)).unwrap();
            self.drive(now);
        }
    }

    fn drive(&mut self, now: Instant) {
        loop {
            match self.rtc.poll_output().unwrap() {
                Output::Timeout(at) => {
                    self.next = at.max(now + Duration::from_millis(1));
                    return;
                }
                Output::Transmit(transmit) => {
                    let datagram = transmit.contents.to_vec();
                    self.up.send(now, datagram.len() + HEADERS, datagram);
                }
                Output::Event(Event::RtpPacket(packet)) => self.take(packet),
                Output::Event(Event::KeyframeRequest(request)) => {
                    self.keyframe_requests += 1;
                    let layer = RIDS.iter().position(|rid| request.rid == Some(Rid::from(*rid)));
                    if let Some(encoder) = layer.and_then(|layer| self.encoders.get_mut(layer)) {
                        encoder.request_keyframe();
                    }
                }
                Output::Event(_) => {}
            }
        }
    }

    fn take(&mut self, packet: RtpPacket) {
        let ssrc = packet.header.ssrc;
        if let Some(mid) = self.rtc.direct_api().stream_rx(&ssrc).map(|stream| stream.mid()) {
            self.mids.insert(ssrc, mid);
        }
        let Some(mid) = self.mids.get(&ssrc) else { return };
        let payload: Arc<[u8]> = packet.payload;
        self.received.entry(mid.to_string()).or_default().push(Forwarded {
            from: ParticipantId(packet.header.csrc[0]),
            sequence: *packet.seq_no,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            level: packet.header.ext_vals.audio_level.map(i8::unsigned_abs),
            orientation: None,
            payload,
            picture: None,
            base: None,
        });
    }
}
