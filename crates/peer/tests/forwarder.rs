//! Connections to a forwarder, on loopback: the real one of the server.
#![allow(clippy::unwrap_used)] // Helpers of tests.

mod pair;

use bytes::Bytes;
use media::encoded::{EncodedFrame, VideoCodec};
use media::level::AudioLevel;
use pair::{ReceivedMedia, Side, picture};
use peer::{DescriptionKind, OutgoingSound, PeerConfig, PeerEvent, Slots, TrackHandle};
use sfu::{Bounds, Config, Event, Kind, Person, RoomId, Sfu, Source, Wanted};
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const ROOM: RoomId = RoomId(1);
/// Heights of the encodings, and their bytes for each picture.
const ENCODINGS: [(u32, usize); 3] = [(90, 300), (180, 900), (360, 2_400)];
/// The bytes of each picture of the screen.
const SCREEN: usize = 1_700;

/// A forwarder on a thread of its own. It ends with the last reference.
struct Forwarder(Arc<Mutex<Sfu>>);

impl Forwarder {
    fn start() -> Forwarder {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["lunchroom".to_owned()]).unwrap().self_signed(&key).unwrap();
        let sfu = Arc::new(Mutex::new(Sfu::new(Config {
            certificate: certificate.der().to_vec(),
            private_key: key.serialize_der(),
            addresses: vec![address],
            bounds: Bounds::default(),
        })));
        let weak = Arc::downgrade(&sfu);
        socket.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        std::thread::spawn(move || {
            let mut datagram = [0; 2_000];
            while let Some(sfu) = weak.upgrade() {
                let received = socket.recv_from(&mut datagram);
                let mut sfu = sfu.lock().unwrap();
                if let Ok((length, from)) = received {
                    sfu.receive(Instant::now(), from, address, &datagram[..length]);
                }
                sfu.handle_timeout(Instant::now());
                while let Some(event) = sfu.poll() {
                    if let Event::Transmit { to, datagram, .. } = event {
                        socket.send_to(&datagram, to).unwrap();
                    }
                }
            }
        });
        Forwarder(sfu)
    }

    fn join(&self) -> Person {
        self.0.lock().unwrap().join(Instant::now(), ROOM).unwrap()
    }

    /// Connects somebody.
    async fn connect(&self, person: Person, seed: u64) -> Side {
        let slots = Slots { voices: 8, pictures: 25 };
        let config = PeerConfig { forwarder: Some(slots), seed, codecs: vec![VideoCodec::Vp8], ..pair::config(false) };
        let mut side = Side::new(config).await;
        side.peer.offer().await.unwrap();
        let events = side.events.as_mut().unwrap();
        let offer = loop {
            if let PeerEvent::LocalDescription { sdp, .. } = events.recv().await.unwrap() {
                break sdp;
            }
        };
        assert!(offer.len() < 48 * 1_024, "{}", offer.len());
        let answer = self.0.lock().unwrap().offer(Instant::now(), person, &offer).unwrap();
        side.peer.remote_description(DescriptionKind::Answer, &answer, None).await.unwrap();
        side.listen();
        side.connected().await;
        side
    }

    fn view(&self, person: Person, of: Person, kind: Kind, height: u32) {
        let wanted = Wanted { source: Source { from: of.id, kind }, height, priority: 0 };
        let mut sfu = self.0.lock().unwrap();
        ENCODINGS.iter().for_each(|(height, _)| sfu.announce(of, kind, *height));
        assert!(sfu.view(Instant::now(), person, &[wanted]));
    }
}

/// Sends sound, all encodings of a camera, and a screen, with a keyframe on each request.
fn publish(side: &Side) -> JoinHandle<()> {
    let media = side.peer.media();
    let (camera, screen) = side.peer.forwarded().unwrap();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(33));
        for number in 0.. {
            tick.tick().await;
            let send = |track: &TrackHandle, height: u32, size| {
                let keyframe = track.take_keyframe_request().is_some() || number == 0;
                let frame = picture(VideoCodec::Vp8, keyframe, number, size);
                let data = if keyframe { with_height(&frame.data, height) } else { frame.data };
                track.video(&EncodedFrame { data, ..frame });
            };
            camera.iter().zip(ENCODINGS).for_each(|(track, (height, size))| send(track, height, size));
            send(&screen, 1_080, SCREEN);
            let level = AudioLevel { below_full_scale: 20, voice: true };
            let (rtp_timestamp, data) = (number * 960, Bytes::from_static(&[0xfc, 0xff, 0xfe]));
            media.audio_captured(OutgoingSound {
                captured: Instant::now(),
                rtp_timestamp,
                data,
                marker: number == 0,
                level,
            });
        }
    })
}

/// A keyframe of VP8 that says this height (RFC 6386 section 9.1).
fn with_height(keyframe: &[u8], height: u32) -> Bytes {
    let mut data = keyframe.to_vec();
    data[8..10].copy_from_slice(&(height as u16).to_le_bytes());
    data.into()
}

/// Whether pictures of this size have come from somebody.
fn shows(media: &ReceivedMedia, from: Person, size: usize) -> bool {
    let mut frames = media.frames.values().flatten();
    frames.any(|frame| frame.source == Some(from.id.0) && frame.data.len() == size)
}

fn plays(media: &ReceivedMedia, from: Person) -> bool {
    media.audio.values().flatten().any(|packet| packet.source == Some(from.id.0))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_in_three_encodings_a_screen_and_sound_are_forwarded_and_name_their_author() {
    let forwarder = Forwarder::start();
    let (ada, ben) = (forwarder.join(), forwarder.join());
    let (a, b) = (forwarder.connect(ada, 1).await, forwarder.connect(ben, 2).await);
    let _publishing = [publish(&a), publish(&b)];
    for (height, size) in ENCODINGS {
        forwarder.view(ada, ben, Kind::Camera, height);
        a.wait_for_media("pictures", |media| shows(media, ben, size)).await;
    }
    forwarder.view(ben, ada, Kind::Screen, 1_080);
    b.wait_for_media("the screen", |media| shows(media, ada, SCREEN)).await;
    a.wait_for_media("sound", |media| plays(media, ben)).await;
    b.wait_for_media("sound", |media| plays(media, ada)).await;
}
