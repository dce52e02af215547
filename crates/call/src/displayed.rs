//! The size at which somebody's camera is displayed here, and when it is sent to them.

use signaling::message::Resolution;
use std::time::{Duration, Instant};

/// A smaller size is sent after this time. A tile that disappears is often back immediately, and each new size begins
/// with a keyframe.
const PATIENCE: Duration = Duration::from_secs(2);
/// A larger size is sent immediately, but not sooner than this after the last one: resizing a window passes through
/// many sizes.
const SPACING: Duration = Duration::from_millis(500);

/// The display size of one person's camera.
#[derive(Debug, Default)]
pub(crate) struct DisplayedSize {
    /// The current size and when it was reported. `None` if no window has reported one.
    now: Option<(Resolution, Instant)>,
    /// The size that was sent last and when. `None` if none was sent, so they send what they can.
    sent: Option<(Resolution, Instant)>,
}

impl DisplayedSize {
    /// Records the current display size.
    pub(crate) fn show(&mut self, now: Instant, size: Resolution) {
        if self.now.is_none_or(|(before, _)| before != size) {
            self.now = Some((size, now));
        }
    }

    /// The size that was sent last.
    pub(crate) fn sent(&self) -> Option<Resolution> {
        self.sent.map(|(size, _)| size)
    }

    /// Whether a window shows the camera, as far as is known.
    pub(crate) fn is_shown(&self) -> bool {
        self.now.is_none_or(|(size, _)| !size.is_none())
    }

    /// There is another connection: the size is sent on it, too.
    pub(crate) fn renew(&mut self) {
        self.sent = None;
    }

    /// When to send the current size, if it differs from the last one sent.
    pub(crate) fn due(&self) -> Option<Instant> {
        let (size, since) = self.now?;
        match self.sent {
            None if size.is_none() => Some(since + PATIENCE),
            None => Some(since),
            Some((sent, _)) if is_close(sent, size) => None,
            Some((sent, at)) if is_larger(size, sent) => Some(since.max(at + SPACING)),
            Some(_) => Some(since + PATIENCE),
        }
    }

    /// Returns the size to send now, if it is due.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Resolution> {
        let (size, _) = self.now.filter(|_| self.due().is_some_and(|due| due <= now))?;
        self.sent = Some((size, now));
        Some(size)
    }
}

fn is_larger(size: Resolution, than: Resolution) -> bool {
    size.max_width > than.max_width || size.max_height > than.max_height
}

/// Whether the sizes differ by at most a sixteenth, which is not worth a keyframe. Zero is never close to another
/// size.
fn is_close(a: Resolution, b: Resolution) -> bool {
    let close = |a: u32, b: u32| u64::from(a.abs_diff(b)) * 16 <= u64::from(a.min(b));
    a.is_none() == b.is_none() && close(a.max_width, b.max_width) && close(a.max_height, b.max_height)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(max_width: u32, max_height: u32) -> Resolution {
        Resolution { max_width, max_height }
    }

    /// Returns what is sent and when, polled every 10 ms for ten seconds.
    fn sent(displayed: &mut DisplayedSize, start: Instant) -> Vec<(u128, Resolution)> {
        let times = (0..1000).map(|n| start + Duration::from_millis(n * 10));
        times
            .filter_map(|now| displayed.take_due(now).map(|size| (now.duration_since(start).as_millis(), size)))
            .collect()
    }

    #[test]
    fn the_first_size_is_sent_at_once_and_only_once() {
        let (mut displayed, start) = (DisplayedSize::default(), Instant::now());
        assert_eq!(displayed.due(), None);
        displayed.show(start, size(640, 360));
        assert_eq!(sent(&mut displayed, start), [(0, size(640, 360))]);
    }

    #[test]
    fn a_tile_without_layout_is_not_reported_as_hidden() {
        let (mut displayed, start) = (DisplayedSize::default(), Instant::now());
        displayed.show(start, Resolution::NONE);
        assert_eq!(displayed.take_due(start), None);
        displayed.show(start, size(640, 360));
        assert_eq!(sent(&mut displayed, start), [(0, size(640, 360))]);
        let mut hidden = DisplayedSize::default();
        hidden.show(start, Resolution::NONE);
        assert_eq!(sent(&mut hidden, start), [(2000, Resolution::NONE)]);
    }

    #[test]
    fn larger_sizes_are_sent_at_once_and_smaller_ones_delayed() {
        let (mut displayed, start) = (DisplayedSize::default(), Instant::now());
        displayed.show(start, size(640, 360));
        sent(&mut displayed, start);
        let later = start + Duration::from_secs(20);
        displayed.show(later, size(1280, 720));
        assert_eq!(sent(&mut displayed, later), [(0, size(1280, 720))]);
        let last = later + Duration::from_secs(20);
        displayed.show(last, Resolution::NONE);
        assert_eq!(sent(&mut displayed, last), [(2000, Resolution::NONE)]);
    }

    #[test]
    fn a_briefly_hidden_camera_is_not_reported() {
        let (mut displayed, start) = (DisplayedSize::default(), Instant::now());
        displayed.show(start, size(640, 360));
        sent(&mut displayed, start);
        let later = start + Duration::from_secs(20);
        displayed.show(later, Resolution::NONE);
        assert_eq!(displayed.take_due(later + PATIENCE / 2), None);
        displayed.show(later + PATIENCE / 2, size(650, 366));
        assert_eq!(sent(&mut displayed, later), []);
    }

    #[test]
    fn resizing_a_window_sends_few_sizes() {
        let (mut displayed, start) = (DisplayedSize::default(), Instant::now());
        let mut steps = vec![];
        for n in 0..200 {
            let now = start + Duration::from_millis(u64::from(n) * 10);
            displayed.show(now, size(320 + n * 8, 180 + n * 4));
            steps.extend(displayed.take_due(now).map(|_| now));
        }
        assert!(steps.windows(2).all(|two| two[1] - two[0] >= SPACING) && (3..=5).contains(&steps.len()), "{steps:?}");
    }
}
