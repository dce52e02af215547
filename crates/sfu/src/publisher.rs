//! What one person publishes.

use std::time::Instant;

use crate::encoding::{Encoding, RateMeter};
use crate::limits::{MAX_ENCODINGS, PUBLISHED_DATAGRAMS};
use crate::packet::{Kind, ParticipantId};
use crate::rate::{Meter, Rate};
use crate::voice::Voice;

/// Heights in pixels of the largest encoding where keyframes say none.
const CAMERA_HEIGHT: u32 = 720;
const SCREEN_HEIGHT: u32 = 1_080;
/// Greatest height that counts.
const MAX_HEIGHT: u32 = 4_320;

/// Slots that receive a source.
pub(crate) type Watchers = Vec<(ParticipantId, u8)>;

/// One person's publications.
#[derive(Debug)]
pub(crate) struct Publisher {
    datagrams: Meter,
    bytes: Meter,
    pub(crate) voice: Voice,
    pub(crate) sound: RateMeter,
    /// Those to whom the person is audible.
    pub(crate) listeners: Watchers,
    pub(crate) camera: Picture,
    pub(crate) screen: Picture,
}

/// A published picture.
#[derive(Debug)]
pub(crate) struct Picture {
    /// Height of the largest encoding.
    pub(crate) height: u32,
    /// Smallest first.
    pub(crate) encodings: [Encoding; MAX_ENCODINGS],
    pub(crate) watchers: Watchers,
}

impl Publisher {
    pub(crate) fn new() -> Publisher {
        Publisher {
            datagrams: Meter::default(),
            bytes: Meter::default(),
            voice: Voice::default(),
            sound: RateMeter::default(),
            listeners: Vec::new(),
            camera: Picture::new(CAMERA_HEIGHT),
            screen: Picture::new(SCREEN_HEIGHT),
        }
    }

    /// Whether a datagram of this size is within the person's limits, one of which is their `most` bytes.
    pub(crate) fn admits(&mut self, now: Instant, most: Rate, bytes: usize) -> bool {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.datagrams.take(now, PUBLISHED_DATAGRAMS, 1) && self.bytes.take(now, most, bytes)
    }

    /// The picture of this kind; `None` for sound.
    pub(crate) fn picture(&self, kind: Kind) -> Option<&Picture> {
        match kind {
            Kind::Audio => None,
            Kind::Camera => Some(&self.camera),
            Kind::Screen => Some(&self.screen),
        }
    }

    /// As [`Publisher::picture`].
    pub(crate) fn picture_mut(&mut self, kind: Kind) -> Option<&mut Picture> {
        match kind {
            Kind::Audio => None,
            Kind::Camera => Some(&mut self.camera),
            Kind::Screen => Some(&mut self.screen),
        }
    }
}

impl Picture {
    fn new(height: u32) -> Picture {
        Picture { height, encodings: Default::default(), watchers: Vec::new() }
    }

    pub(crate) fn announce(&mut self, height: u32) {
        self.height = height.clamp(2, MAX_HEIGHT);
    }

    /// The encodings that are sent at present, smallest first: their index, with their height and rate in bit/s. Heights are
    /// those of their keyframes, and rates were measured. Neither is ever below a smaller encoding's, whatever the publisher
    /// does.
    pub(crate) fn sent(&self, now: Instant) -> Vec<(u8, layers::Encoding)> {
        let all = self.encodings.iter().enumerate().filter(|(_, encoding)| encoding.is_sent(now));
        let indices: Vec<usize> = all.map(|(index, _)| index).collect();
        let (mut rate, mut lowest) = (0, 2);
        let sent = indices.iter().enumerate().map(|(place, index)| {
            rate = self.encodings[*index].rate.bits().max(rate).max(1);
            let said = Some(self.encodings[*index].height).filter(|height| *height > 0);
            let height = said.unwrap_or(self.height >> (indices.len() - 1 - place)).clamp(lowest, MAX_HEIGHT);
            lowest = height;
            (*index as u8, layers::Encoding { height, floor: rate, ceiling: rate })
        });
        sent.collect()
    }
}
