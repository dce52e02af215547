//! Frames from a file of raw I420, played forwards and backwards, with stamps.

use crate::frame::{Color, FrameMut, FramePool, Matrix, VideoFrame};
use crate::stamp;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::Instant;

/// Number of frames in the clips for measurements. 4096 is a multiple of twice this, so the number in a stamp
/// identifies the original frame.
pub const CLIP_FRAMES: u64 = 64;

/// The index of frame `n` of the endless playback in a clip of [`CLIP_FRAMES`].
pub fn clip_index(n: u64) -> u64 {
    ping_pong(n, CLIP_FRAMES)
}

/// Why a clip cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClipError {
    /// Reading failed.
    #[error("the clip cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is empty or not a multiple of the frame size.
    #[error("the clip has {bytes} bytes, which is not a multiple of a {width}x{height} frame")]
    Size {
        /// Length of the file.
        bytes: u64,
        /// Requested width.
        width: u32,
        /// Requested height.
        height: u32,
    },
}

/// An open clip. Reads only the requested frame.
#[derive(Debug)]
pub struct Clip<R> {
    input: R,
    width: u32,
    height: u32,
    frames: u64,
}

impl<R: Read + Seek> Clip<R> {
    /// Opens `input` as raw I420 frames of this size, limited-range BT.709.
    pub fn new(mut input: R, width: u32, height: u32) -> Result<Self, ClipError> {
        let (bytes, picture) = (input.seek(SeekFrom::End(0))?, VideoFrame::byte_len(width, height) as u64);
        if picture == 0 || bytes < picture || bytes % picture != 0 {
            return Err(ClipError::Size { bytes, width, height });
        }
        Ok(Self { input, width, height, frames: bytes / picture })
    }

    /// Number of frames in the file.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Frame `n` of the endless playback, stamped with `unix_ms` and `n`.
    pub fn frame(&mut self, n: u64, unix_ms: u64, pool: &FramePool, time: Instant) -> Result<VideoFrame, ClipError> {
        let mut frame = pool.take(self.width, self.height);
        self.read(n, &mut frame)?;
        stamp::write(&mut frame, unix_ms, (n % 4096) as u16);
        let mut frame = frame.freeze(time);
        frame.color = Color { matrix: Matrix::Bt709, full_range: false };
        Ok(frame)
    }

    /// Reads frame `n` of the endless playback unchanged into a frame of the clip's size.
    pub fn read(&mut self, n: u64, frame: &mut FrameMut) -> Result<(), ClipError> {
        let picture = VideoFrame::byte_len(self.width, self.height) as u64;
        self.input.seek(SeekFrom::Start(ping_pong(n, self.frames) * picture))?;
        let len = (picture as usize).min(frame.data_mut().len());
        self.input.read_exact(&mut frame.data_mut()[..len])?;
        Ok(())
    }
}

fn ping_pong(n: u64, frames: u64) -> u64 {
    let k = n % (2 * frames);
    if k < frames { k } else { 2 * frames - 1 - k }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn clip(frames: u8) -> Clip<Cursor<Vec<u8>>> {
        let bytes = (0..frames).flat_map(|i| vec![i; VideoFrame::byte_len(64, 40)]).collect();
        Clip::new(Cursor::new(bytes), 64, 40).unwrap()
    }

    #[test]
    fn a_clip_plays_forwards_and_backwards() {
        let (mut clip, pool) = (clip(3), FramePool::new());
        let seen: Vec<u8> =
            (0..8).map(|n| *clip.frame(n, 0, &pool, Instant::now()).unwrap().y().last().unwrap()).collect();
        assert_eq!(seen, [0, 1, 2, 2, 1, 0, 0, 1]);
        assert_eq!([0, 63, 64, 127, 128].map(clip_index), [0, 63, 63, 0, 0]);
    }

    #[test]
    fn each_clip_frame_carries_its_number() {
        let frame = clip(3).frame(4_100, 77, &FramePool::new(), Instant::now()).unwrap();
        assert_eq!(stamp::read(&frame), Some(stamp::Stamp { unix_ms: 77, seq: 4 }));
    }

    #[test]
    fn a_file_of_another_size_is_refused() {
        for bytes in [0, 100, VideoFrame::byte_len(64, 40) + 1] {
            let error = Clip::new(Cursor::new(vec![0; bytes]), 64, 40).unwrap_err();
            assert!(error.to_string().contains("64x40"), "{error}");
        }
        assert!(Clip::new(Cursor::new(vec![0; 10]), 0, 0).is_err());
    }
}
