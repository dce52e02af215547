//! Detects a growing delay: compares the slope of a line through recent delays with a threshold that adapts to the
//! jitter of the path (Carlucci et al. 2017 sections 4 and 5). The constants are those of libwebrtc's
//! `TrendlineEstimator`.

use super::BandwidthUsage;
use super::inter_arrival::GroupDelta;
use crate::arrival::RemoteMicros;
use std::collections::VecDeque;

/// Number of deltas in the line.
const WINDOW: usize = 20;
const SMOOTHING: f64 = 0.9;
const THRESHOLD_GAIN: f64 = 4.0;
const MAX_DELTAS: usize = 60;
/// Overuse is reported after the delay has grown for this time, in ms.
const OVERUSE_TIME_MS: f64 = 10.0;
const THRESHOLD: std::ops::RangeInclusive<f64> = 6.0..=600.0;
const INITIAL_THRESHOLD: f64 = 12.5;
const THRESHOLD_UP: f64 = 0.0087;
const THRESHOLD_DOWN: f64 = 0.039;
/// The threshold does not adapt to a trend further above it than this: that is a spike and not jitter.
const MAX_ADAPT_OFFSET: f64 = 15.0;

#[derive(Debug)]
pub(crate) struct TrendlineEstimator {
    points: VecDeque<(f64, f64)>,
    first_arrival: Option<RemoteMicros>,
    deltas: usize,
    accumulated: f64,
    smoothed: f64,
    threshold: f64,
    threshold_updated: Option<RemoteMicros>,
    previous_trend: f64,
    overuse_ms: Option<(f64, u32)>,
    usage: BandwidthUsage,
}

impl TrendlineEstimator {
    pub(crate) fn new() -> Self {
        TrendlineEstimator {
            points: VecDeque::new(),
            first_arrival: None,
            deltas: 0,
            accumulated: 0.0,
            smoothed: 0.0,
            threshold: INITIAL_THRESHOLD,
            threshold_updated: None,
            previous_trend: 0.0,
            overuse_ms: None,
            usage: BandwidthUsage::Normal,
        }
    }

    pub(crate) fn usage(&self) -> BandwidthUsage {
        self.usage
    }

    pub(crate) fn add(&mut self, delta: &GroupDelta) {
        let first_arrival = *self.first_arrival.get_or_insert(delta.arrived);
        self.deltas = (self.deltas + 1).min(MAX_DELTAS);
        self.accumulated += delta.delay_ms;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        self.points.push_back(((delta.arrived - first_arrival) as f64 / 1e3, self.smoothed));
        if self.points.len() > WINDOW {
            self.points.pop_front();
        }
        if self.points.len() == WINDOW {
            let trend = slope(&self.points).unwrap_or(self.previous_trend);
            self.detect(trend, delta);
        }
    }

    fn detect(&mut self, trend: f64, delta: &GroupDelta) {
        let scaled = self.deltas as f64 * trend * THRESHOLD_GAIN;
        if scaled > self.threshold {
            let (overuse_ms, count) = self.overuse_ms.unwrap_or((-delta.sent_ms / 2.0, 0));
            let (overuse_ms, count) = (overuse_ms + delta.sent_ms, count + 1);
            self.overuse_ms = Some((overuse_ms, count));
            if overuse_ms > OVERUSE_TIME_MS && count > 1 && trend >= self.previous_trend {
                self.overuse_ms = None;
                self.usage = BandwidthUsage::Overusing;
            }
        } else {
            self.overuse_ms = None;
            self.usage = if scaled < -self.threshold { BandwidthUsage::Underusing } else { BandwidthUsage::Normal };
        }
        self.previous_trend = trend;
        self.update_threshold(scaled.abs(), delta.arrived);
    }

    fn update_threshold(&mut self, scaled: f64, arrived: RemoteMicros) {
        let last = self.threshold_updated.replace(arrived).unwrap_or(arrived);
        if scaled > self.threshold + MAX_ADAPT_OFFSET {
            return;
        }
        let gain = if scaled < self.threshold { THRESHOLD_DOWN } else { THRESHOLD_UP };
        let millis = ((arrived - last) as f64 / 1e3).clamp(0.0, 100.0);
        self.threshold += gain * (scaled - self.threshold) * millis;
        self.threshold = self.threshold.clamp(*THRESHOLD.start(), *THRESHOLD.end());
    }
}

/// The slope of the least-squares line. `None` if all points have the same time.
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

    fn feed(trendline: &mut TrendlineEstimator, from: i64, count: i64, delay_ms: impl Fn(i64) -> f64) {
        for i in 0..count {
            let arrived = (from + i) * 20_000;
            trendline.add(&GroupDelta { delay_ms: delay_ms(i), sent_ms: 20.0, arrived });
        }
    }

    #[test]
    fn steady_growth_is_overuse_and_shrinking_is_underuse() {
        let mut trendline = TrendlineEstimator::new();
        feed(&mut trendline, 0, 25, |_| 0.0);
        assert_eq!(trendline.usage(), BandwidthUsage::Normal);
        feed(&mut trendline, 25, 15, |_| 4.0);
        assert_eq!(trendline.usage(), BandwidthUsage::Overusing);
        feed(&mut trendline, 40, 25, |_| -4.0);
        assert_eq!(trendline.usage(), BandwidthUsage::Underusing);
    }

    #[test]
    fn symmetric_jitter_is_normal() {
        let mut trendline = TrendlineEstimator::new();
        let mut overuses = 0;
        for i in 0..50 {
            feed(&mut trendline, i * 20, 20, |i| if i % 2 == 0 { 8.0 } else { -8.0 });
            overuses += usize::from(trendline.usage() == BandwidthUsage::Overusing);
        }
        assert_eq!(overuses, 0);
    }
}
