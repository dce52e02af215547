//! Chooses a camera mode.

use super::{CameraMode, CameraRequest, SourceFormat};

/// The best mode for a request, `None` if there are no modes.
///
/// The frame rate counts most, then the size, then cheap conversion. A compressed format costs decoding time and some
/// sharpness, so it is chosen only if the raw ones are too slow or too small (USB 2 carries raw 720p at 10 fps).
pub(super) fn choose(offers: &[CameraMode], request: CameraRequest) -> Option<CameraMode> {
    offers.iter().copied().min_by(|a, b| cost(*a, request).total_cmp(&cost(*b, request)))
}

fn cost(offer: CameraMode, request: CameraRequest) -> f64 {
    rate_cost(offer.fps, request.fps) + size_cost(offer, request) + format_cost(offer.format)
}

/// 2 for no frames at all. A surplus costs next to nothing, because frames can be skipped.
fn rate_cost(offered: u32, wanted: u32) -> f64 {
    let ratio = f64::from(offered) / f64::from(wanted.max(1));
    if ratio < 1.0 { 2.0 * (1.0 - ratio) } else { 0.01 * (ratio - 1.0) }
}

/// Missing pixels cost their share, surplus ones the scaling, and a different aspect ratio the cropping or bars.
fn size_cost(offer: CameraMode, request: CameraRequest) -> f64 {
    let (w, h) = (f64::from(offer.width.max(1)), f64::from(offer.height.max(1)));
    let (want_w, want_h) = (f64::from(request.width.max(1)), f64::from(request.height.max(1)));
    let missing = 1.0 - (w.min(want_w) * h.min(want_h)) / (want_w * want_h);
    let surplus = ((w * h) / (want_w * want_h)).max(1.0).log2();
    let shape = ((w / h) / (want_w / want_h)).log2().abs();
    missing + 0.1 * surplus + 0.3 * shape
}

fn format_cost(format: SourceFormat) -> f64 {
    match format {
        SourceFormat::I420 => 0.0,
        SourceFormat::Nv12 => 0.001,
        SourceFormat::Yuyv => 0.002,
        SourceFormat::Mjpeg => 0.05,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SourceFormat::{Mjpeg, Nv12, Yuyv};

    const WANT_720: CameraRequest = CameraRequest { width: 1280, height: 720, fps: 30 };
    const WANT_360: CameraRequest = CameraRequest { width: 640, height: 360, fps: 30 };

    fn mode(width: u32, height: u32, fps: u32, format: SourceFormat) -> CameraMode {
        CameraMode { width, height, fps, format }
    }

    /// A common USB 2 webcam.
    fn webcam() -> Vec<CameraMode> {
        let mut modes = Vec::new();
        for fps in [30, 24, 15] {
            modes.push(mode(640, 480, fps, Yuyv));
            modes.push(mode(640, 360, fps, Yuyv));
            for (w, h) in [(640, 360), (640, 480), (1280, 720), (1920, 1080)] {
                modes.push(mode(w, h, fps, Mjpeg));
            }
        }
        modes.push(mode(1280, 720, 10, Yuyv));
        modes.push(mode(1920, 1080, 5, Yuyv));
        modes
    }

    #[test]
    fn a_raw_format_is_chosen_if_it_reaches_the_rate() {
        assert_eq!(choose(&webcam(), WANT_360), Some(mode(640, 360, 30, Yuyv)));
    }

    #[test]
    fn mjpeg_is_chosen_if_only_it_reaches_the_rate() {
        assert_eq!(choose(&webcam(), WANT_720), Some(mode(1280, 720, 30, Mjpeg)));
    }

    #[test]
    fn nv12_is_preferred_over_yuyv() {
        let offers = [mode(1280, 720, 30, Yuyv), mode(1280, 720, 30, Nv12), mode(1280, 720, 30, Mjpeg)];
        assert_eq!(choose(&offers, WANT_720).map(|m| m.format), Some(Nv12));
    }

    #[test]
    fn the_nearest_rate_is_chosen_if_none_fits() {
        let offers = [mode(1280, 720, 5, Nv12), mode(1280, 720, 20, Nv12), mode(1280, 720, 60, Nv12)];
        assert_eq!(choose(&offers, WANT_720).map(|m| m.fps), Some(60));
        assert_eq!(choose(&offers[..2], WANT_720).map(|m| m.fps), Some(20));
    }

    #[test]
    fn a_larger_size_of_the_same_ratio_is_preferred_over_a_smaller_one() {
        let offers = [mode(320, 180, 30, Nv12), mode(1280, 720, 30, Nv12), mode(640, 480, 30, Nv12)];
        assert_eq!(choose(&offers, WANT_360).map(|m| m.height), Some(480));
        assert_eq!(choose(&offers[..2], WANT_360).map(|m| m.height), Some(720));
    }

    #[test]
    fn without_modes_nothing_is_chosen() {
        assert_eq!(choose(&[], WANT_720), None);
    }
}
