//! A publisher of canned pictures and sound, and what a receiver's slot has received.

// Each test uses a part of it.
#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod client;
pub(crate) mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use e2ee::{Sealer, SenderKey, Stream};
use sfu::{Forwarded, Kind, Packet, ParticipantId, Source};

/// Time between two frames.
pub(crate) const FRAME: Duration = Duration::from_millis(33);
/// The pattern of three temporal layers.
const TEMPORAL: [u8; 4] = [0, 2, 1, 2];

/// Bytes of the payload descriptor of each packet.
pub(crate) const DESCRIPTOR: usize = 6;

/// What encrypts the frames of all encodings of one camera.
#[derive(Clone)]
pub(crate) struct Encryption(Rc<RefCell<Sealer>>);

impl Encryption {
    pub(crate) fn new(key: &SenderKey) -> Encryption {
        Encryption(Rc::new(RefCell::new(Sealer::new(key, Stream::Camera).unwrap())))
    }
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Encryption")
    }
}

/// A simulcast encoder of one encoding, with three temporal layers. All counters begin just before they wrap around.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    pub(crate) source: Source,
    pub(crate) layer: u8,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u64,
    timestamp: u32,
    picture: u16,
    base: u8,
    frames: u64,
    key: bool,
    /// Bytes of a packet and packets of a frame.
    pub(crate) bytes: usize,
    pub(crate) packets: usize,
    /// Frames are encrypted before they become packets.
    pub(crate) encryption: Option<Encryption>,
}

impl Encoder {
    pub(crate) fn new(source: Source, layer: u8) -> Encoder {
        Encoder {
            source,
            layer,
            ssrc: 1_000 + u32::from(layer),
            sequence: 65_530 - u64::from(layer),
            timestamp: u32::MAX - 50_000 - u32::from(layer) * 1_000,
            picture: 0x7ff0,
            base: 250,
            frames: 0,
            key: true,
            bytes: 100 << layer,
            packets: 1 + usize::from(layer),
            encryption: None,
        }
    }

    /// The next frame is a keyframe.
    pub(crate) fn request_keyframe(&mut self) {
        self.key = true;
    }

    /// The packets of the next frame.
    pub(crate) fn frame(&mut self) -> Vec<Packet> {
        let key = std::mem::take(&mut self.key);
        if key {
            self.frames = 0;
        }
        let temporal = TEMPORAL[(self.frames % 4) as usize];
        self.frames += 1;
        self.timestamp = self.timestamp.wrapping_add(2_970);
        self.picture = (self.picture + 1) & 0x7fff;
        self.base = self.base.wrapping_add(u8::from(temporal == 0));
        let packets = (0..self.packets).map(|index| self.packet(index, key, temporal)).collect();
        match &self.encryption {
            Some(encryption) => encrypted(&mut encryption.0.borrow_mut(), packets),
            None => packets,
        }
    }

    fn packet(&mut self, index: usize, key: bool, temporal: u8) -> Packet {
        self.sequence += 1;
        let [high, low] = (0x8000 | self.picture).to_be_bytes();
        let first = if index == 0 { 0x90 } else { 0x80 };
        let layer = temporal << 6 | 0x20;
        let mut payload = vec![first, 0xe0, high, low, self.base, layer, u8::from(!key)];
        // Whose packet it is, in which encoding.
        payload.extend([self.source.from.0 as u8, self.source.kind as u8, self.layer, temporal]);
        payload.resize(self.bytes.max(payload.len()), 0);
        Packet {
            ssrc: self.ssrc,
            sequence: self.sequence,
            timestamp: self.timestamp,
            marker: index + 1 == self.packets,
            level: None,
            orientation: None,
            payload: Arc::from(payload),
        }
    }
}

/// The packets of a frame after it was encrypted.
fn encrypted(sealer: &mut Sealer, mut packets: Vec<Packet>) -> Vec<Packet> {
    let frame: Vec<u8> = packets.iter().flat_map(|packet| packet.payload[DESCRIPTOR..].to_vec()).collect();
    let mut sealed = Vec::new();
    sealer.seal(&frame, &mut sealed).unwrap();
    let count = packets.len();
    for (index, packet) in packets.iter_mut().enumerate() {
        let part = &sealed[sealed.len() * index / count..sealed.len() * (index + 1) / count];
        packet.payload = [&packet.payload[..DESCRIPTOR], part].concat().into();
    }
    packets
}

/// One packet of sound of 20 ms.
pub(crate) fn sound(from: ParticipantId, n: u64, level: u8) -> Packet {
    Packet {
        ssrc: 7,
        sequence: 65_500 + n,
        timestamp: (u32::MAX - 9_000).wrapping_add(960 * n as u32),
        marker: false,
        level: Some(level),
        orientation: None,
        payload: Arc::from(vec![from.0 as u8; 60]),
    }
}

/// Whose picture a payload is, with its encoding and temporal layer. `None` if it is empty.
pub(crate) fn origin(packet: &Forwarded) -> Option<(Source, u8, u8)> {
    let owner = packet.payload.get(7..11)?;
    let kind = if owner[1] == Kind::Screen as u8 { Kind::Screen } else { Kind::Camera };
    Some((Source { from: ParticipantId(owner[0].into()), kind }, owner[2], owner[3]))
}

/// What has been received in one slot.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) packets: BTreeMap<u64, Forwarded>,
    /// Packets with a sequence number that was there already.
    pub(crate) twice: usize,
}

impl Received {
    pub(crate) fn push(&mut self, packet: Forwarded) {
        self.twice += usize::from(self.packets.insert(packet.sequence, packet).is_some());
    }

    /// Sequence numbers that are missing between the first and the last.
    pub(crate) fn missing(&self) -> usize {
        let (Some((first, _)), Some((last, _))) = (self.packets.first_key_value(), self.packets.last_key_value())
        else {
            return 0;
        };
        (last - first + 1) as usize - self.packets.len()
    }

    /// Whether no timestamp is older than that of an earlier packet.
    pub(crate) fn is_monotonic(&self) -> bool {
        let timestamps: Vec<u32> = self.packets.values().map(|packet| packet.timestamp).collect();
        timestamps.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) as i32 >= 0)
    }

    /// The encodings in order, each once for each time that it is reached.
    pub(crate) fn layers(&self) -> Vec<u8> {
        let mut layers: Vec<u8> = self.packets.values().filter_map(|packet| origin(packet).map(|o| o.1)).collect();
        layers.dedup();
        layers
    }
}

/// A time that virtual time starts from.
pub(crate) fn start() -> Instant {
    Instant::now()
}
