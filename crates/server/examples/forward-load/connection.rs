//! A client's WebRTC connection by str0m, over a socket of its own. What it receives is not decoded.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use anyhow::{Context as _, Result};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::crypto::dtls::DtlsCert;
use str0m::format::Codec;
use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid, Pt, Rid, Simulcast, SimulcastLayer};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpPacket, RtpWrite, Ssrc};
use str0m::{Candidate, Event, Input, Output, Rtc};

use crate::impair::Path;
use crate::pictures::{ENCODINGS, Encoder, FRAME_TICKS, SOUND_TICKS, sound};
use crate::port::{Batch, Port};
use crate::tally::Tally;

/// Level of the voices in dBov: everybody who sends sound speaks.
const LEVEL: i8 = -25;

pub(crate) struct Connection {
    pub(crate) port: Port,
    pub(crate) path: Path,
    pub(crate) tally: Tally,
    /// The number of the person whose it is. Those with the lowest publish.
    pub(crate) person: usize,
    pub(crate) publisher: Option<Publisher>,
    receives: bool,
    /// When str0m wants to be called next.
    next: Instant,
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    /// When the datagram came that is being handled. `None` if its path is impaired, or there is none.
    arrived: Option<u64>,
    stuck: Vec<Ssrc>,
}

/// What a client sends.
pub(crate) struct Publisher {
    author: u8,
    speaks: bool,
    microphone: Mid,
    camera: Mid,
    encoders: Vec<Encoder>,
    /// The next sequence number of each encoding.
    sequences: [u64; ENCODINGS.len()],
}

/// Where a connection is made, and for whom.
pub(crate) struct Place<'a> {
    pub(crate) ip: IpAddr,
    pub(crate) certificate: &'a DtlsCert,
    /// The number of the person.
    pub(crate) person: usize,
}

/// What a client offers: to publish a camera as this author, and a voice, and slots for voices and pictures.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lines {
    pub(crate) author: Option<u8>,
    pub(crate) speaks: bool,
    pub(crate) voices: usize,
    pub(crate) pictures: usize,
}

impl Connection {
    /// A connection that offers, and its offer. [`Connection::accept`] has the answer.
    pub(crate) fn offer(at: &Place<'_>, lines: Lines) -> Result<(Connection, String)> {
        let mut connection = Connection::new(at)?;
        let mut change = connection.rtc.sdp_api();
        if let Some(author) = lines.author {
            let mut simulcast = Simulcast::new();
            ENCODINGS.iter().for_each(|encoding| simulcast.add_send_layer(SimulcastLayer::new(encoding.rid)));
            connection.publisher = Some(Publisher {
                author,
                speaks: lines.speaks,
                microphone: change.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None),
                camera: change.add_media(MediaKind::Video, Direction::SendOnly, None, None, Some(simulcast)),
                encoders: (0..ENCODINGS.len()).map(|encoding| Encoder::new(author, encoding)).collect(),
                sequences: [1; ENCODINGS.len()],
            });
        }
        connection.receives = lines.pictures > 0;
        for (kind, count) in [(MediaKind::Audio, lines.voices), (MediaKind::Video, lines.pictures)] {
            for _ in 0..count {
                change.add_media(kind, Direction::RecvOnly, None, None, None);
            }
        }
        let (offer, pending) = change.apply().context("nothing to offer")?;
        connection.pending = Some(pending);
        Ok((connection, offer.to_sdp_string()))
    }

    pub(crate) fn accept(&mut self, answer: &str) -> Result<()> {
        let pending = self.pending.take().context("nothing was offered")?;
        let answer = SdpAnswer::from_sdp_string(answer)?;
        Ok(self.rtc.sdp_api().accept_answer(pending, answer)?)
    }

    /// A connection for a server's offer, and the answer.
    pub(crate) fn answer(at: &Place<'_>, offer: &str) -> Result<(Connection, String)> {
        let mut connection = Connection::new(at)?;
        let answer = connection.rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(offer)?)?;
        Ok((connection, answer.to_sdp_string()))
    }

    fn new(&Place { ip, certificate, person }: &Place<'_>) -> Result<Connection> {
        let port = Port::bind(ip)?;
        let builder = Rtc::builder().set_rtp_mode(true).set_crypto_provider(sfu::crypto_provider().into());
        let builder = builder.set_dtls_cert(certificate.clone()).clear_codecs();
        let mut rtc = builder.enable_opus(true, false).enable_vp8(true).build(Instant::now());
        rtc.add_local_candidate(Candidate::host(port.address, "udp")?).context("no candidate")?;
        Ok(Connection {
            port,
            path: Path::Clear,
            tally: Tally::default(),
            person,
            publisher: None,
            receives: true,
            next: Instant::now(),
            rtc,
            pending: None,
            arrived: None,
            stuck: Vec::new(),
        })
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.rtc.is_connected()
    }

    /// Whether it receives what others publish.
    pub(crate) fn receives(&self) -> bool {
        self.receives
    }

    /// Reads everything that has come.
    pub(crate) fn receive(&mut self, now: Instant, batch: &mut Batch) -> Result<()> {
        loop {
            let more = self.port.receive(batch);
            for (from, at, datagram) in batch.datagrams() {
                self.tally.datagrams += 1;
                self.tally.bytes += datagram.len() as u64;
                if self.path.passes(now, from, datagram) {
                    self.arrived = self.path.is_clear().then_some(at);
                    self.handle(now, from, datagram)?;
                    self.arrived = None;
                }
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Takes what has passed the bottleneck, and does what is due.
    pub(crate) fn handle_due(&mut self, now: Instant) -> Result<()> {
        while let Some((from, datagram)) = self.path.poll(now) {
            self.handle(now, from, &datagram)?;
        }
        if self.next <= now { self.handle_timeout(now) } else { Ok(()) }
    }

    /// When [`Connection::handle_due`] has something to do.
    pub(crate) fn next(&self) -> Instant {
        self.path.next().map_or(self.next, |at| at.min(self.next))
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<()> {
        self.rtc.handle_input(Input::Timeout(now))?;
        self.drive(now)
    }

    /// Sends the frame of this number in all encodings.
    pub(crate) fn send_frame(&mut self, now: Instant, number: u32) -> Result<()> {
        let vp8 = self.payload_type(Codec::Vp8)?;
        let Some(publisher) = &mut self.publisher else { return Ok(()) };
        for ((encoder, sequence), encoding) in
            publisher.encoders.iter_mut().zip(&mut publisher.sequences).zip(&ENCODINGS)
        {
            let payloads = encoder.frame(number);
            let last = payloads.len() - 1;
            for (index, payload) in payloads.into_iter().enumerate() {
                let mut direct = self.rtc.direct_api();
                let stream = direct.stream_tx_by_mid(publisher.camera, Some(Rid::from(encoding.rid)));
                let timestamp = number.wrapping_mul(FRAME_TICKS);
                let write = RtpWrite::new(vp8, (*sequence).into(), timestamp, now, payload).marker(index == last);
                stream.context("the encoding was refused")?.write_rtp(write.nackable(true));
                *sequence += 1;
            }
        }
        self.handle_timeout(now)
    }

    /// Sends the n-th packet of the voice, if the person speaks.
    pub(crate) fn send_sound(&mut self, now: Instant, n: u32) -> Result<()> {
        let opus = self.payload_type(Codec::Opus)?;
        let Some(publisher) = self.publisher.as_ref().filter(|publisher| publisher.speaks) else { return Ok(()) };
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(publisher.microphone, None).context("the voice was refused")?;
        let payload = sound(publisher.author, n);
        let values = ExtensionValues { audio_level: Some(LEVEL), ..ExtensionValues::default() };
        let write = RtpWrite::new(opus, u64::from(n).into(), n.wrapping_mul(SOUND_TICKS), now, payload);
        stream.write_rtp(write.ext_vals(values));
        self.handle_timeout(now)
    }

    fn payload_type(&self, codec: Codec) -> Result<Pt> {
        let found = self.rtc.codec_config().find(|params| params.spec().codec == codec);
        Ok(found.context("the codec was refused")?.pt())
    }

    fn handle(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) -> Result<()> {
        let Ok(receive) = Receive::new(Protocol::Udp, from, self.port.address, datagram) else { return Ok(()) };
        self.rtc.handle_input(Input::Receive(now, receive))?;
        self.drive(now)
    }

    fn drive(&mut self, now: Instant) -> Result<()> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => {
                    self.next = at;
                    break;
                }
                Output::Transmit(transmit) => self.port.send(transmit.destination, &transmit.contents),
                Output::Event(Event::RtpPacket(packet)) => self.take(now, &packet),
                Output::Event(Event::KeyframeRequest(request)) => {
                    self.tally.requested += 1;
                    let layer = ENCODINGS.iter().position(|one| request.rid == Some(Rid::from(one.rid)));
                    if let (Some(layer), Some(publisher)) = (layer, &mut self.publisher) {
                        publisher.encoders[layer].key = true;
                    }
                }
                Output::Event(_) => {}
            }
        }
        for ssrc in std::mem::take(&mut self.stuck) {
            if let Some(stream) = self.rtc.direct_api().stream_rx(&ssrc) {
                stream.request_keyframe(KeyframeRequestKind::Pli);
                self.next = now;
            }
        }
        Ok(())
    }

    fn take(&mut self, now: Instant, packet: &RtpPacket) {
        if self.tally.take(now, self.arrived, packet) {
            self.stuck.push(packet.header.ssrc);
        }
    }
}
