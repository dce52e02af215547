//! Finds the actual memory layout of a frame. Drivers mislabel formats and pad rows, above all on macOS, so the layout
//! is derived from the frame's own length and header.

use super::SourceFormat;

/// Where the planes of a frame are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Luma starts at `luma` and interleaved chroma at `chroma` (offsets in bytes); strides in bytes.
    Nv12 { luma: usize, luma_stride: usize, chroma: usize, chroma_stride: usize },
    /// Bytes per row.
    Yuyv { stride: usize },
    /// A JPEG, which contains its size.
    Mjpeg,
}

/// Largest plausible padding of a row, in bytes. A larger stride is ignored.
const MAX_PADDING: usize = 1024;

/// Detects the layout. `stride` is the driver's value, if it reports one. `None` means too short for a frame.
pub(super) fn detect(
    claimed: SourceFormat,
    width: usize,
    height: usize,
    stride: Option<usize>,
    bytes: &[u8],
) -> Option<Layout> {
    if bytes.starts_with(&[0xFF, 0xD8, 0xFF]) {
        return Some(Layout::Mjpeg);
    }
    let (nv12_len, yuyv_len) = (width * height.div_ceil(2) * 3, width.next_multiple_of(2) * 2 * height);
    match claimed {
        SourceFormat::Mjpeg | SourceFormat::I420 => None,
        SourceFormat::Nv12 if stride.is_none() && bytes.len() == yuyv_len => {
            Some(Layout::Yuyv { stride: yuyv_len / height.max(1) })
        }
        SourceFormat::Yuyv if stride.is_none() && bytes.len() == nv12_len => Some(nv12(0, width, height)),
        SourceFormat::Nv12 => planar_header(width, height, bytes).or_else(|| {
            let rows = height + height.div_ceil(2);
            let stride = row_stride(width.next_multiple_of(2), rows, stride, bytes.len())?;
            Some(nv12(0, stride, height))
        }),
        SourceFormat::Yuyv => {
            let stride = row_stride(width.next_multiple_of(2) * 2, height, stride, bytes.len())?;
            Some(Layout::Yuyv { stride })
        }
    }
}

fn nv12(luma: usize, stride: usize, height: usize) -> Layout {
    Layout::Nv12 { luma, luma_stride: stride, chroma: luma + stride * height, chroma_stride: stride }
}

/// The driver's stride if the frame is long enough for it; otherwise the stride with which the rows fill the bytes;
/// otherwise none.
fn row_stride(row: usize, rows: usize, said: Option<usize>, len: usize) -> Option<usize> {
    let fits = |stride: &usize| {
        let before_last = stride.checked_mul(rows.saturating_sub(1));
        *stride >= row && before_last.and_then(|b| b.checked_add(row)).is_some_and(|end| end <= len)
    };
    if let Some(stride) = said.filter(fits) {
        return Some(stride);
    }
    let even = len.checked_div(rows)?;
    let padded = len.is_multiple_of(rows) && even > row && even - row <= MAX_PADDING && even.is_multiple_of(16);
    if padded { Some(even) } else { (row * rows <= len).then_some(row) }
}

/// Parses `CVPlanarPixelBufferInfo_YCbCrBiPlanar`, which precedes the planes if Core Video returns the base address of
/// a planar buffer: offset and bytes per row of luma, then of chroma, big-endian.
fn planar_header(width: usize, height: usize, bytes: &[u8]) -> Option<Layout> {
    let word = |at: usize| {
        let four: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_be_bytes(four) as usize)
    };
    let (luma, luma_stride, chroma, chroma_stride) = (word(0)?, word(4)?, word(8)?, word(12)?);
    let plausible = luma >= 16
        && (width..=width + MAX_PADDING).contains(&luma_stride)
        && (width..=width + MAX_PADDING).contains(&chroma_stride)
        && chroma >= luma + luma_stride * height
        && chroma + chroma_stride * height.div_ceil(2) <= bytes.len();
    plausible.then_some(Layout::Nv12 { luma, luma_stride, chroma, chroma_stride })
}

#[cfg(test)]
mod tests {
    use super::*;

    const W: usize = 64;
    const H: usize = 36;

    #[test]
    fn unpadded_frames_use_the_labelled_format() {
        let nv12 = vec![0; W * H * 3 / 2];
        assert_eq!(
            detect(SourceFormat::Nv12, W, H, None, &nv12),
            Some(Layout::Nv12 { luma: 0, luma_stride: W, chroma: W * H, chroma_stride: W })
        );
        assert_eq!(detect(SourceFormat::Yuyv, W, H, None, &vec![0; W * H * 2]), Some(Layout::Yuyv { stride: 2 * W }));
    }

    #[test]
    fn a_wrong_format_label_is_detected_by_length() {
        assert_eq!(detect(SourceFormat::Nv12, W, H, None, &vec![0; W * H * 2]), Some(Layout::Yuyv { stride: 2 * W }));
        let found = detect(SourceFormat::Yuyv, W, H, None, &vec![0; W * H * 3 / 2]);
        assert!(matches!(found, Some(Layout::Nv12 { luma_stride: W, .. })));
        assert_eq!(detect(SourceFormat::Yuyv, W, H, None, &[0xFF, 0xD8, 0xFF, 0xE0]), Some(Layout::Mjpeg));
    }

    #[test]
    fn padded_rows_are_detected_by_length() {
        let found = detect(SourceFormat::Yuyv, W, H, None, &vec![0; (2 * W + 64) * H]);
        assert_eq!(found, Some(Layout::Yuyv { stride: 2 * W + 64 }));
    }

    #[test]
    fn the_driver_stride_is_used_if_the_buffer_is_long_enough() {
        let bytes = vec![0; (2 * W + 10) * H];
        assert_eq!(
            detect(SourceFormat::Yuyv, W, H, Some(2 * W + 10), &bytes),
            Some(Layout::Yuyv { stride: 2 * W + 10 })
        );
        let found = detect(SourceFormat::Yuyv, W, H, Some(4 * W), &vec![0; 2 * W * H]);
        assert_eq!(found, Some(Layout::Yuyv { stride: 2 * W }));
    }

    #[test]
    fn a_page_rounded_buffer_is_not_mistaken_for_padded_rows() {
        let found = detect(SourceFormat::Yuyv, W, H, None, &vec![0; 8192]);
        assert_eq!(found, Some(Layout::Yuyv { stride: 2 * W }));
    }

    #[test]
    fn the_core_video_header_is_parsed() {
        let mut bytes = vec![0; 64 + 128 * H + 128 * H / 2];
        for (at, value) in [(0, 64), (4, 128), (8, 64 + 128 * H as u32), (12, 128)] {
            bytes[at..at + 4].copy_from_slice(&u32::to_be_bytes(value));
        }
        assert_eq!(
            detect(SourceFormat::Nv12, W, H, None, &bytes),
            Some(Layout::Nv12 { luma: 64, luma_stride: 128, chroma: 64 + 128 * H, chroma_stride: 128 })
        );
    }

    #[test]
    fn short_frames_are_refused() {
        assert_eq!(detect(SourceFormat::Yuyv, W, H, None, &vec![0; W * H * 2 - 1]), None);
        assert_eq!(detect(SourceFormat::Nv12, W, H, Some(W), &vec![0; W * H]), None);
        assert_eq!(detect(SourceFormat::Mjpeg, W, H, None, &vec![0; W * H]), None);
        assert_eq!(detect(SourceFormat::Yuyv, W, H, None, &[]), None);
    }

    #[test]
    fn every_layout_is_within_the_buffer() {
        for len in (0..9000).step_by(7) {
            let bytes = vec![0x10; len];
            for claimed in [SourceFormat::Nv12, SourceFormat::Yuyv] {
                for stride in [None, Some(0), Some(W), Some(150), Some(usize::MAX / H)] {
                    match detect(claimed, W, H, stride, &bytes) {
                        Some(Layout::Nv12 { chroma, chroma_stride, .. }) => {
                            assert!(chroma + chroma_stride * (H / 2 - 1) + W <= len);
                        }
                        Some(Layout::Yuyv { stride }) => assert!(stride * (H - 1) + 2 * W <= len),
                        Some(Layout::Mjpeg) => panic!("no JPEG here"),
                        None => {}
                    }
                }
            }
        }
    }
}
