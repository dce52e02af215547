//! Rotates frames upright.

use media::frame::{FramePool, Rotation, VideoFrame};

/// Side of the blocks that are rotated at a time. They fit into the first-level cache.
const BLOCK: usize = 16;

/// Applies the frame's `rotation`; the result has none. An upright frame is returned unchanged.
pub fn rotate(frame: &VideoFrame, pool: &FramePool) -> VideoFrame {
    let (width, height) = match frame.rotation {
        Rotation::None => return frame.clone(),
        Rotation::Half => (frame.width(), frame.height()),
        Rotation::Clockwise90 | Rotation::Clockwise270 => (frame.height(), frame.width()),
    };
    let mut out = pool.take(width, height);
    let (y, u, v) = out.planes_mut();
    turn(frame.y(), y, frame.width() as usize, frame.rotation);
    turn(frame.u(), u, frame.chroma_width(), frame.rotation);
    turn(frame.v(), v, frame.chroma_width(), frame.rotation);
    let mut out = out.freeze(frame.time);
    (out.color, out.rtp_timestamp) = (frame.color, frame.rtp_timestamp);
    out
}

fn turn(from: &[u8], to: &mut [u8], width: usize, rotation: Rotation) {
    if from.is_empty() {
        return;
    }
    let height = from.len() / width;
    match rotation {
        Rotation::None => to.copy_from_slice(from),
        Rotation::Half => to.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from),
        Rotation::Clockwise90 => transpose(to, height, width, |column, row| from[(height - 1 - column) * width + row]),
        Rotation::Clockwise270 => transpose(to, height, width, |column, row| from[column * width + width - 1 - row]),
    }
}

/// Fills `to`, block by block, with `from(column, row)`.
fn transpose(to: &mut [u8], width: usize, height: usize, from: impl Fn(usize, usize) -> u8) {
    for top in (0..height).step_by(BLOCK) {
        for left in (0..width).step_by(BLOCK) {
            let right = (left + BLOCK).min(width);
            for row in top..(top + BLOCK).min(height) {
                for (column, to) in (left..right).zip(&mut to[row * width + left..row * width + right]) {
                    *to = from(column, row);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn picture(width: u32, height: u32) -> VideoFrame {
        let mut frame = FramePool::new().take(width, height);
        frame.data_mut().iter_mut().enumerate().for_each(|(n, byte)| *byte = (n * 7 % 253) as u8);
        frame.freeze(Instant::now())
    }

    fn turned(frame: &VideoFrame, rotation: Rotation) -> VideoFrame {
        let mut frame = frame.clone();
        frame.rotation = rotation;
        rotate(&frame, &FramePool::new())
    }

    #[test]
    fn a_quarter_turn_clockwise_moves_the_first_row_to_the_last_column() {
        let frame = picture(5, 3);
        let quarter = turned(&frame, Rotation::Clockwise90);
        assert_eq!((quarter.width(), quarter.height()), (3, 5));
        for n in 0..5 {
            assert_eq!(quarter.y()[n * 3 + 2], frame.y()[n]);
        }
        assert_eq!(quarter.rotation, Rotation::None);
    }

    #[test]
    fn rotations_compose_for_odd_and_even_sizes() {
        for (width, height) in [(37, 19), (64, 48), (1, 7)] {
            let frame = picture(width, height);
            let quarter = turned(&frame, Rotation::Clockwise90);
            let half = turned(&quarter, Rotation::Clockwise90);
            assert_eq!(half.data(), turned(&frame, Rotation::Half).data());
            assert_eq!(turned(&quarter, Rotation::Clockwise270).data(), frame.data());
        }
    }
}
