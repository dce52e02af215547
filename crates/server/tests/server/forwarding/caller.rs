//! A client in a forwarded room: signalling over a real socket, and media by str0m over another.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use signaling::forwarding::{Displayed, FEATURE, FORWARDER, OwnDisplayed, Published, SlotInfo};
use signaling::message::{ClientMessage, ErrorCode, Hello, LeaveReason, ParticipantId, ServerMessage};
use signaling::numbering::body;
use str0m::change::SdpAnswer;
use str0m::crypto::dtls::DtlsCert;
use str0m::format::Codec;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc};
use tokio::net::UdpSocket;
use tokio::time::{Interval, interval, timeout};

use crate::client::{PATIENCE, Raw, join};
use crate::loopback;

/// Height at which pictures are displayed.
pub(crate) const VIEW_HEIGHT: u32 = 360;
/// Time between two packets of sound and two pictures.
const PACE: Duration = Duration::from_millis(20);
/// Longest datagram.
const DATAGRAM: usize = 2_000;

/// What is received of one author.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) sound: usize,
    pub(crate) pictures: usize,
}

pub(crate) struct Caller {
    pub(crate) raw: Raw,
    pub(crate) id: ParticipantId,
    /// What the server says about the room's media.
    pub(crate) forwarded: Vec<bool>,
    pub(crate) slots: Vec<SlotInfo>,
    /// How large others display the pictures.
    pub(crate) displayed: Option<OwnDisplayed>,
    pub(crate) left: Option<LeaveReason>,
    pub(crate) errors: Vec<ErrorCode>,
    /// By the contributing source.
    pub(crate) received: BTreeMap<u32, Count>,
    /// Packets that are not what was published.
    pub(crate) spoiled: usize,
    pub(crate) publishes: bool,
    media: Option<Media>,
}

struct Media {
    rtc: Rtc,
    socket: UdpSocket,
    address: SocketAddr,
    microphone: Mid,
    camera: Mid,
    opus: Pt,
    vp8: Pt,
    sent: u64,
}

/// The payload of the n-th picture: a VP8 keyframe of one packet, with picture id, TL0PICIDX and temporal layer 0.
fn picture(n: u64) -> Vec<u8> {
    let [high, low] = (0x8000 | (n & 0x7fff) as u16).to_be_bytes();
    [&[0x90, 0xe0, high, low, n as u8, 0x20, 0][..], &b"kimbap".repeat(40)].concat()
}

fn sound() -> Vec<u8> {
    b"bibimbap".repeat(8)
}

fn certificate() -> DtlsCert {
    let key = rcgen::KeyPair::generate().expect("a key");
    let made = rcgen::CertificateParams::new(vec!["client".to_owned()]).expect("a name").self_signed(&key);
    DtlsCert { certificate: made.expect("signed").der().to_vec(), private_key: key.serialize_der() }
}

impl Caller {
    /// Joins a room as somebody who can be in a forwarded one.
    pub(crate) async fn join(server: SocketAddr, seed: u8, room: &str) -> Caller {
        let mut raw = Raw::connect(server, seed).await;
        let hello = Hello { features: vec!["flying".into(), FEATURE.into()], ..raw.make_hello() };
        raw.send_text(body(&ClientMessage::Hello(hello))).await;
        raw.say(join(room)).await;
        raw.welcome().await;
        let mut forwarded = Vec::new();
        let id = loop {
            match raw.receive().await {
                ServerMessage::Forwarded { on } => forwarded.push(on),
                ServerMessage::Joined { you, .. } => break you,
                other => panic!("{other:?}"),
            }
        };
        Caller {
            raw,
            id,
            forwarded,
            slots: Vec::new(),
            displayed: None,
            left: None,
            errors: Vec::new(),
            received: BTreeMap::new(),
            spoiled: 0,
            publishes: false,
            media: None,
        }
    }

    /// Offers to the forwarder and takes its answer, after `change`.
    pub(crate) async fn connect(&mut self, change: impl Fn(String) -> String) {
        let socket = UdpSocket::bind(loopback()).await.expect("a port");
        let address = socket.local_addr().expect("bound");
        let builder = Rtc::builder().set_rtp_mode(true).set_crypto_provider(sfu::crypto_provider().into());
        let builder = builder.set_dtls_cert(certificate()).clear_codecs().enable_opus(true, false).enable_vp8(true);
        let mut rtc = builder.build(Instant::now());
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("valid")).expect("new");
        let mut offer = rtc.sdp_api();
        let microphone = offer.add_media(MediaKind::Audio, Direction::SendOnly, None, None, None);
        let camera = offer.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        for _ in 0..2 {
            offer.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
            offer.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        }
        let (description, pending) = offer.apply().expect("a change");
        self.offer(&description.to_sdp_string()).await;
        let answer = loop {
            match self.raw.receive().await {
                ServerMessage::Answer { from, sdp, signature: None } if from.0 == FORWARDER => break sdp,
                other => self.take_message(other),
            }
        };
        let answer = SdpAnswer::from_sdp_string(&change(answer)).expect("an answer");
        rtc.sdp_api().accept_answer(pending, answer).expect("fits the offer");
        let pt = |codec| rtc.codec_config().find(|params| params.spec().codec == codec).expect("enabled").pt();
        let (opus, vp8) = (pt(Codec::Opus), pt(Codec::Vp8));
        self.media = Some(Media { rtc, socket, address, microphone, camera, opus, vp8, sent: 0 });
    }

    pub(crate) async fn offer(&mut self, sdp: &str) {
        let to = ParticipantId(FORWARDER.into());
        self.raw.say(ClientMessage::Offer { to, sdp: sdp.into(), signature: None }).await;
    }

    /// Displays the cameras of these people.
    pub(crate) async fn view(&mut self, of: &[&ParticipantId]) {
        let (kind, height) = (Published::Camera, VIEW_HEIGHT);
        let picture = |id: &&ParticipantId| Displayed { id: (*id).clone(), kind, height, priority: 0 };
        self.raw.say(ClientMessage::View { pictures: of.iter().map(picture).collect() }).await;
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.media.as_ref().is_some_and(|media| media.rtc.is_connected())
    }

    /// What has been received of somebody, by what the slots have said about them.
    pub(crate) fn of(&self, id: &ParticipantId) -> Count {
        let csrc = self.slots.iter().find(|slot| slot.id == *id).map(|slot| slot.csrc);
        csrc.and_then(|csrc| self.received.get(&csrc)).copied().unwrap_or_default()
    }

    /// Everything that has been received.
    pub(crate) fn total(&self) -> usize {
        self.received.values().map(|count| count.sound + count.pictures).sum()
    }

    /// Reads what has come, and publishes one packet of each kind.
    fn step(&mut self) {
        while let Some(message) = self.raw.next().now_or_never() {
            self.take_message(message);
        }
        let publishes = self.publishes;
        let Some(mut media) = self.media.take() else { return };
        let mut datagram = [0; DATAGRAM];
        while let Ok((length, from)) = media.socket.try_recv_from(&mut datagram) {
            let now = Instant::now();
            let Ok(receive) = Receive::new(Protocol::Udp, from, media.address, &datagram[..length]) else { continue };
            media.rtc.handle_input(Input::Receive(now, receive)).expect("handled");
            self.drive(&mut media);
        }
        if publishes && media.rtc.is_connected() {
            media.publish();
        }
        media.rtc.handle_input(Input::Timeout(Instant::now())).expect("handled");
        self.drive(&mut media);
        self.media = Some(media);
    }

    fn take_message(&mut self, message: ServerMessage) {
        match message {
            ServerMessage::Forwarded { on } => self.forwarded.push(on),
            ServerMessage::Slots { slots, displayed } => (self.slots, self.displayed) = (slots, displayed),
            ServerMessage::Left { reason } => self.left = Some(reason),
            ServerMessage::Error(error) => self.errors.push(error.code),
            _ => {}
        }
    }

    fn drive(&mut self, media: &mut Media) {
        loop {
            match media.rtc.poll_output().expect("works") {
                Output::Timeout(_) => return,
                Output::Transmit(transmit) => {
                    // A full socket loses datagrams, like any network.
                    let _ = media.socket.try_send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    let count = self.received.entry(packet.header.csrc[0]).or_default();
                    let is_sound = packet.header.payload_type == media.opus;
                    let whole = if is_sound { sound() } else { picture(0) };
                    // The descriptor's counters are the slot's own.
                    let skipped = if is_sound { 0 } else { 7 };
                    self.spoiled += usize::from(packet.payload.get(skipped..) != whole.get(skipped..));
                    *(if is_sound { &mut count.sound } else { &mut count.pictures }) += 1;
                }
                Output::Event(_) => {}
            }
        }
    }
}

impl Media {
    fn publish(&mut self) {
        let (n, now) = (self.sent, Instant::now());
        self.sent += 1;
        let kinds = [(self.microphone, self.opus, sound(), 960), (self.camera, self.vp8, picture(n), 1_800)];
        for (mid, pt, payload, ticks) in kinds {
            let mut direct = self.rtc.direct_api();
            let stream = direct.stream_tx_by_mid(mid, None).expect("negotiated");
            let payload: Arc<[u8]> = payload.into();
            let write = RtpWrite::new(pt, n.into(), (n as u32).wrapping_mul(ticks), now, payload);
            stream.write_rtp(write.marker(true).ext_vals(ExtensionValues::default()));
        }
    }
}

/// People who run together.
pub(crate) struct Call {
    pub(crate) people: Vec<Caller>,
    pace: Interval,
}

impl Call {
    pub(crate) fn new(people: Vec<Caller>) -> Call {
        Call { people, pace: interval(PACE) }
    }

    /// Runs until something is so.
    pub(crate) async fn until(&mut self, what: &str, done: impl Fn(&[Caller]) -> bool) {
        let run = async {
            while !done(&self.people) {
                self.pace.tick().await;
                self.people.iter_mut().for_each(Caller::step);
            }
        };
        assert!(timeout(PATIENCE, run).await.is_ok(), "{what}");
    }
}
