//! How large somebody's camera is shown here, and when they are told.

use signaling::message::Resolution;
use std::time::{Duration, Instant};

/// A smaller size is told when it has stood for so long: what goes out of sight is often back at once, and each size begins
/// with a keyframe.
const PATIENCE: Duration = Duration::from_secs(2);
/// A larger size is told at once, but no sooner than this after the last: a window's edge is pulled in many steps.
const SPACING: Duration = Duration::from_millis(500);

/// One person's picture here.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    /// How large it is, since when. `None`: no window has said anything yet.
    now: Option<(Resolution, Instant)>,
    /// What was told, when. `None`: nothing, so that they send what they can.
    told: Option<(Resolution, Instant)>,
}

impl Sight {
    /// It is shown so.
    pub(crate) fn show(&mut self, now: Instant, size: Resolution) {
        if self.now.is_none_or(|(before, _)| before != size) {
            self.now = Some((size, now));
        }
    }

    /// When they should be told, if there is news for them.
    pub(crate) fn due(&self) -> Option<Instant> {
        let (size, since) = self.now?;
        match self.told {
            None if size.is_none() => Some(since + PATIENCE),
            None => Some(since),
            Some((told, _)) if is_close(told, size) => None,
            Some((told, at)) if is_larger(size, told) => Some(since.max(at + SPACING)),
            Some(_) => Some(since + PATIENCE),
        }
    }

    /// What to tell them now, if it is time.
    pub(crate) fn tell(&mut self, now: Instant) -> Option<Resolution> {
        let (size, _) = self.now.filter(|_| self.due().is_some_and(|due| due <= now))?;
        self.told = Some((size, now));
        Some(size)
    }
}

fn is_larger(size: Resolution, than: Resolution) -> bool {
    size.max_width > than.max_width || size.max_height > than.max_height
}

/// A sixteenth more or less is not worth a keyframe. Something and nothing are never close.
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

    /// When and what is told, looking every 10 ms for ten seconds.
    fn told(sight: &mut Sight, start: Instant) -> Vec<(u128, Resolution)> {
        let times = (0..1000).map(|n| start + Duration::from_millis(n * 10));
        times.filter_map(|now| sight.tell(now).map(|size| (now.duration_since(start).as_millis(), size))).collect()
    }

    #[test]
    fn the_first_size_is_told_at_once_and_only_once() {
        let (mut sight, start) = (Sight::default(), Instant::now());
        assert_eq!(sight.due(), None);
        sight.show(start, size(640, 360));
        assert_eq!(told(&mut sight, start), [(0, size(640, 360))]);
    }

    #[test]
    fn what_is_not_laid_out_yet_is_not_told_to_be_out_of_sight() {
        let (mut sight, start) = (Sight::default(), Instant::now());
        sight.show(start, Resolution::NONE);
        assert_eq!(sight.tell(start), None);
        sight.show(start, size(640, 360));
        assert_eq!(told(&mut sight, start), [(0, size(640, 360))]);
        let mut hidden = Sight::default();
        hidden.show(start, Resolution::NONE);
        assert_eq!(told(&mut hidden, start), [(2000, Resolution::NONE)]);
    }

    #[test]
    fn more_is_told_at_once_and_less_when_it_has_stood() {
        let (mut sight, start) = (Sight::default(), Instant::now());
        sight.show(start, size(640, 360));
        told(&mut sight, start);
        let later = start + Duration::from_secs(20);
        sight.show(later, size(1280, 720));
        assert_eq!(told(&mut sight, later), [(0, size(1280, 720))]);
        let last = later + Duration::from_secs(20);
        sight.show(last, Resolution::NONE);
        assert_eq!(told(&mut sight, last), [(2000, Resolution::NONE)]);
    }

    #[test]
    fn who_is_back_in_time_was_never_away() {
        let (mut sight, start) = (Sight::default(), Instant::now());
        sight.show(start, size(640, 360));
        told(&mut sight, start);
        let later = start + Duration::from_secs(20);
        sight.show(later, Resolution::NONE);
        assert_eq!(sight.tell(later + PATIENCE / 2), None);
        sight.show(later + PATIENCE / 2, size(650, 366));
        assert_eq!(told(&mut sight, later), []);
    }

    #[test]
    fn a_window_pulled_larger_tells_its_steps_apart() {
        let (mut sight, start) = (Sight::default(), Instant::now());
        let mut said = vec![];
        for n in 0..200 {
            let now = start + Duration::from_millis(u64::from(n) * 10);
            sight.show(now, size(320 + n * 8, 180 + n * 4));
            said.extend(sight.tell(now).map(|_| now));
        }
        assert!(said.windows(2).all(|two| two[1] - two[0] >= SPACING) && (3..=5).contains(&said.len()), "{said:?}");
    }
}
