//! Statistics of a series of measurements, by the rules of the call rig that produced the baseline.

/// The value at a share, from 0 to 1, of the sorted values.
pub(crate) fn percentile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    values.get((share * last as f64).round() as usize).copied()
}

/// The latency of a picture whose stamp says `sent`, in milliseconds. The stamp has 40 bits and wraps.
pub(crate) fn latency_ms(shown: f64, sent: f64) -> f64 {
    let (whole, half) = ((1_u64 << 40) as f64, (1_u64 << 39) as f64);
    (shown - sent + half).rem_euclid(whole) - half
}

/// The durations of the freezes in a series of times, in milliseconds: intervals longer than max(3 × average, average +
/// 150 ms) over the 30 intervals before them (W3C webrtc-stats, `freezeCount`).
pub(crate) fn freezes(times: &[f64]) -> Vec<f64> {
    const BEFORE: usize = 30;
    const ENOUGH: usize = 5;
    let intervals: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let frozen = |&n: &usize| {
        let before = &intervals[n.saturating_sub(BEFORE)..n];
        let average = before.iter().sum::<f64>() / before.len() as f64;
        before.len() >= ENOUGH && intervals[n] > (3.0 * average).max(average + 150.0)
    };
    (0..intervals.len()).filter(frozen).map(|n| intervals[n]).collect()
}

/// The change of a value per hour, by least squares over (hours, value).
pub(crate) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let together: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    (spread > 0.0).then(|| together / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values = vec![5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(percentile(values.clone(), 0.5), Some(3.0));
        assert_eq!(percentile(values.clone(), 0.95), Some(5.0));
        assert_eq!(percentile(values, 0.0), Some(1.0));
        assert_eq!(percentile(Vec::new(), 0.5), None);
    }

    #[test]
    fn a_wrapped_stamp_is_unwrapped() {
        assert_eq!(latency_ms(1050.0, 1000.0), 50.0);
        assert_eq!(latency_ms((1_u64 << 40) as f64 + 20.0, 1.0), 19.0);
        assert_eq!(latency_ms(10.0, 15.0), -5.0);
    }

    #[test]
    fn a_long_gap_after_steady_pictures_is_a_freeze() {
        let mut times: Vec<f64> = (0..40).map(|n| f64::from(n) * 33.0).collect();
        assert!(freezes(&times).is_empty());
        times.push(39.0 * 33.0 + 184.0);
        assert_eq!(freezes(&times), [184.0]);
        let slow: Vec<f64> = (0..40).map(|n| f64::from(n) * 200.0).collect();
        assert!(freezes(&slow).is_empty());
    }

    #[test]
    fn a_steady_climb_has_its_slope() {
        let points: Vec<(f64, f64)> = (0..10).map(|n| (f64::from(n) / 60.0, 100.0 + f64::from(n))).collect();
        assert!((slope(&points).unwrap() - 60.0).abs() < 1e-9);
        assert_eq!(slope(&[(1.0, 1.0)]), None);
    }
}
