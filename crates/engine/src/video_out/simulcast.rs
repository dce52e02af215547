//! The camera for the forwarder: each picture in up to three encodings, of which the forwarder sends each receiver one.

use super::encoding::{Context, Encoding, EncodingKey};
use super::{BACKLOG, LEAST_FOR_VIDEO};
use crate::access::Sending;
use crate::ladder::{self, RecentPeak, Size};
use crate::sealing::FrameSeal;
use media::encoded::{EncodedFrame, VideoCodec};
use media::frame::VideoFrame;
use peer::{MediaOut, TrackHandle};
use std::time::Instant;

/// The encodings that are sent to the forwarder.
pub(super) struct Simulcast {
    media: MediaOut,
    /// Smallest first.
    layers: [Layer; 3],
    /// The target bitrate, as far as it determines which encodings there are.
    steady_target: RecentPeak,
    /// The height at which the camera is displayed at most, if it is known.
    height: Option<u32>,
}

struct Layer {
    track: TrackHandle,
    /// `None` while the uplink is too narrow for it, or the camera too small.
    encoding: Option<Encoding>,
}

impl Simulcast {
    /// Sends on these lines, smallest encoding first.
    pub(super) fn new(media: MediaOut, tracks: [TrackHandle; 3]) -> Self {
        let layers = tracks.map(|track| Layer { track, encoding: None });
        Self { media, layers, steady_target: RecentPeak::default(), height: None }
    }

    /// Whether nothing has been sent yet.
    pub(super) fn is_waiting(&self) -> bool {
        self.height != Some(0) && self.layers.iter().all(|layer| layer.encoding.is_none())
    }

    /// Nobody displays the camera taller than this, in pixels.
    pub(super) fn set_height(&mut self, height: u32) {
        self.height = Some(height);
    }

    /// What is sent.
    pub(super) fn sending(&self) -> Sending {
        match self.height {
            Some(0) => Sending::Nothing,
            Some(_) | None if self.is_waiting() => Sending::Paused,
            Some(_) | None => Sending::Video,
        }
    }

    /// The camera was switched off: its next picture is a keyframe.
    pub(super) fn stop(&mut self) {
        self.layers.iter_mut().for_each(|layer| layer.encoding = None);
    }

    /// Encodes a picture, encrypts and sends it. `refused`: the uplink is too narrow for video.
    pub(super) fn send(
        &mut self,
        frame: &VideoFrame,
        refused: bool,
        reductions: usize,
        seal: &mut FrameSeal,
        context: Context<'_>,
    ) {
        let source = Size { width: frame.width(), height: frame.height() };
        let mut sizes = ladder::simulcast(source);
        sizes.truncate(self.height.map_or(sizes.len(), |height| needed(&sizes, height)));
        let target = if refused { 0 } else { self.media.camera_bitrate() };
        let steady = self.steady_target.add(frame.time, target);
        let most = sizes.len().saturating_sub(reductions).max(1).min(sizes.len());
        let bitrates = allocate(&sizes[..most], steady, target);
        let useful: u64 = sizes.iter().map(|size| most_useful(*size)).sum();
        self.media.set_desired_bitrate(useful + self.media.sound_bitrate());
        for (n, layer) in self.layers.iter_mut().enumerate() {
            let wanted = sizes.get(n).copied().zip(bitrates.get(n).copied());
            layer.follow(wanted, context.fps);
            if self.media.queue_delay() > BACKLOG {
                continue; // it could not be sent in time
            }
            if let Some(encoded) = layer.encode(frame, context)
                && let Some(data) = seal.seal(&encoded.data)
            {
                layer.track.video(&EncodedFrame { data, layer: n as u8, ..encoded });
            }
        }
    }
}

impl Layer {
    /// Encodes this size at this bitrate from now on.
    fn follow(&mut self, wanted: Option<(Size, u64)>, fps: u32) {
        let Some((size, bitrate)) = wanted else { return self.encoding = None };
        let key = EncodingKey { codec: VideoCodec::Vp8, size };
        match self.encoding.as_mut().filter(|encoding| encoding.key == key) {
            Some(encoding) => encoding.set_bitrate(bitrate, fps),
            None => self.encoding = Some(Encoding::new(key, bitrate)),
        }
    }

    fn encode(&mut self, frame: &VideoFrame, context: Context<'_>) -> Option<EncodedFrame> {
        let encoding = self.encoding.as_mut()?;
        if let Some(at) = self.track.take_keyframe_request() {
            encoding.request_keyframe(at);
        }
        let keyframe = encoding.take_keyframe(Instant::now(), 1);
        encoding.encode(frame, keyframe, context)
    }
}

/// How many of these sizes, smallest first, fill a tile of this height when enlarged by at most an eighth, which is not
/// visible. None, if nobody displays the camera.
fn needed(sizes: &[Size], height: u32) -> usize {
    let smaller = sizes.iter().take_while(|size| u64::from(size.height) * 9 < u64::from(height) * 8).count();
    if height == 0 { 0 } else { (smaller + 1).min(sizes.len()) }
}

/// The bitrates of the encodings of these sizes, smallest first, in bit/s. `steady` decides which there are: the larger
/// ones are left out where the path is too narrow. All but the largest get what shows them well, and it gets the rest.
fn allocate(sizes: &[Size], steady: u64, target: u64) -> Vec<u64> {
    let mut bitrates = vec![];
    let (mut reserved, mut rest) = (0, target);
    for size in sizes {
        if steady < reserved + least(*size) {
            break;
        }
        reserved += usual(*size);
        let bitrate = usual(*size).min(rest).max(least(*size));
        rest = rest.saturating_sub(bitrate);
        bitrates.push(bitrate);
    }
    let sent = bitrates.len();
    if let (Some(largest), Some(size)) = (bitrates.last_mut(), sent.checked_sub(1).and_then(|n| sizes.get(n))) {
        *largest = (*largest + rest).min(most_useful(*size));
    }
    bitrates
}

/// The rate with which a size is good enough among several, in bit/s.
fn usual(size: Size) -> u64 {
    ladder::most_useful(size, 30) / 3
}

/// The rate above which the largest encoding does not become visibly better, in bit/s.
fn most_useful(size: Size) -> u64 {
    ladder::most_useful(size, 30)
}

/// The rate below which an encoding is not sent, in bit/s.
fn least(size: Size) -> u64 {
    ladder::floor(size).max(LEAST_FOR_VIDEO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_720p(target: u64) -> Vec<u64> {
        allocate(&ladder::simulcast(Size { width: 1280, height: 720 }), target, target)
    }

    #[test]
    fn a_wide_path_carries_all_encodings_and_the_largest_gets_most() {
        let bitrates = of_720p(10_000_000);
        assert_eq!(bitrates.len(), 3);
        assert_eq!(bitrates[2], 2_500_000);
        assert!(bitrates[0] < bitrates[1] && bitrates[1] < bitrates[2], "{bitrates:?}");
    }

    #[test]
    fn a_narrow_path_carries_the_smaller_encodings_only() {
        let counts = [0, 30_000, 100_000, 500_000, 1_000_000, 4_000_000].map(|target| of_720p(target).len());
        assert_eq!(counts, [0, 0, 1, 2, 2, 3]);
        assert_eq!(of_720p(100_000), [100_000]);
    }

    #[test]
    fn the_encodings_together_never_exceed_a_steady_target() {
        for target in (0..5_000_000).step_by(10_000) {
            assert!(of_720p(target).iter().sum::<u64>() <= target, "{target}: {:?}", of_720p(target));
        }
    }

    #[test]
    fn no_encoding_is_sent_that_nobody_displays() {
        let sizes = ladder::simulcast(Size { width: 1280, height: 720 });
        let counts = [0, 90, 180, 200, 202, 203, 360, 500, 720, 2_000].map(|height| needed(&sizes, height));
        assert_eq!(counts, [0, 1, 1, 1, 1, 2, 2, 3, 3, 3]);
    }

    #[test]
    fn a_target_that_drops_for_a_moment_ends_no_encoding() {
        let sizes = ladder::simulcast(Size { width: 1280, height: 720 });
        let bitrates = allocate(&sizes, 4_000_000, 400_000);
        assert_eq!(bitrates.len(), 3);
        assert!(bitrates.iter().sum::<u64>() < 1_200_000, "{bitrates:?}");
    }
}
