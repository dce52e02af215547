//! Whether the delay grows: a line through its recent values, against a threshold that adapts to the path's
//! jitter. Carlucci et al. 2017 sections 4 and 5; constants as in libwebrtc, where they have been tuned for years.

use super::Usage;
use super::inter_arrival::Delta;
use crate::arrival::RemoteMicros;
use std::collections::VecDeque;

/// Deltas in the line.
const WINDOW: usize = 20;
const SMOOTHING: f64 = 0.9;
const GAIN: f64 = 4.0;
const MOST_DELTAS: usize = 60;
/// The delay must have grown for so long, ms.
const OVERUSE_MS: f64 = 10.0;
const THRESHOLD: std::ops::RangeInclusive<f64> = 6.0..=600.0;
const START_THRESHOLD: f64 = 12.5;
const THRESHOLD_UP: f64 = 0.0087;
const THRESHOLD_DOWN: f64 = 0.039;
/// A trend so far above the threshold is a spike to react to, not jitter to get used to.
const SPIKE: f64 = 15.0;

#[derive(Debug)]
pub(crate) struct Trendline {
    points: VecDeque<(f64, f64)>,
    first: Option<RemoteMicros>,
    deltas: usize,
    accumulated: f64,
    smoothed: f64,
    threshold: f64,
    threshold_updated: Option<RemoteMicros>,
    last_trend: f64,
    over_ms: Option<(f64, u32)>,
    usage: Usage,
}

impl Trendline {
    pub(crate) fn new() -> Self {
        Trendline {
            points: VecDeque::new(),
            first: None,
            deltas: 0,
            accumulated: 0.0,
            smoothed: 0.0,
            threshold: START_THRESHOLD,
            threshold_updated: None,
            last_trend: 0.0,
            over_ms: None,
            usage: Usage::Normal,
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    pub(crate) fn add(&mut self, delta: &Delta) {
        let first = *self.first.get_or_insert(delta.arrived);
        self.deltas = (self.deltas + 1).min(MOST_DELTAS);
        self.accumulated += delta.delay_ms;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        self.points.push_back(((delta.arrived - first) as f64 / 1e3, self.smoothed));
        if self.points.len() > WINDOW {
            self.points.pop_front();
        }
        if self.points.len() == WINDOW {
            let trend = slope(&self.points).unwrap_or(self.last_trend);
            self.detect(trend, delta);
        }
    }

    fn detect(&mut self, trend: f64, delta: &Delta) {
        let scaled = self.deltas as f64 * trend * GAIN;
        if scaled > self.threshold {
            let (over_ms, count) = self.over_ms.unwrap_or((-delta.sent_ms / 2.0, 0));
            let (over_ms, count) = (over_ms + delta.sent_ms, count + 1);
            self.over_ms = Some((over_ms, count));
            if over_ms > OVERUSE_MS && count > 1 && trend >= self.last_trend {
                self.over_ms = None;
                self.usage = Usage::Over;
            }
        } else {
            self.over_ms = None;
            self.usage = if scaled < -self.threshold { Usage::Under } else { Usage::Normal };
        }
        self.last_trend = trend;
        self.adapt(scaled.abs(), delta.arrived);
    }

    fn adapt(&mut self, scaled: f64, arrived: RemoteMicros) {
        let last = self.threshold_updated.replace(arrived).unwrap_or(arrived);
        if scaled > self.threshold + SPIKE {
            return;
        }
        let gain = if scaled < self.threshold { THRESHOLD_DOWN } else { THRESHOLD_UP };
        let millis = ((arrived - last) as f64 / 1e3).clamp(0.0, 100.0);
        self.threshold += gain * (scaled - self.threshold) * millis;
        self.threshold = self.threshold.clamp(*THRESHOLD.start(), *THRESHOLD.end());
    }
}

/// Least squares; `None` if all points have one time.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let n = points.len() as f64;
    let (sum_x, sum_y) = points.iter().fold((0.0, 0.0), |s, p| (s.0 + p.0, s.1 + p.1));
    let (mean_x, mean_y) = (sum_x / n, sum_y / n);
    let (num, den) = points.iter().fold((0.0, 0.0), |s, p| {
        let x = p.0 - mean_x;
        (s.0 + x * (p.1 - mean_y), s.1 + x * x)
    });
    (den > 0.0).then(|| num / den)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(trendline: &mut Trendline, from: i64, count: i64, delay_ms: impl Fn(i64) -> f64) {
        for i in 0..count {
            let arrived = (from + i) * 20_000;
            trendline.add(&Delta { delay_ms: delay_ms(i), sent_ms: 20.0, arrived });
        }
    }

    #[test]
    fn steady_growth_is_overuse_and_shrinking_is_underuse() {
        let mut trendline = Trendline::new();
        feed(&mut trendline, 0, 25, |_| 0.0);
        assert_eq!(trendline.usage(), Usage::Normal);
        feed(&mut trendline, 25, 15, |_| 4.0);
        assert_eq!(trendline.usage(), Usage::Over);
        feed(&mut trendline, 40, 25, |_| -4.0);
        assert_eq!(trendline.usage(), Usage::Under);
    }

    #[test]
    fn symmetric_jitter_is_normal() {
        let mut trendline = Trendline::new();
        let mut over = 0;
        for i in 0..50 {
            feed(&mut trendline, i * 20, 20, |i| if i % 2 == 0 { 8.0 } else { -8.0 });
            over += usize::from(trendline.usage() == Usage::Over);
        }
        assert_eq!(over, 0);
    }
}
