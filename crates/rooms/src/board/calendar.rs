//! The community's calendar, which determines when a weekly table repeats.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

/// Weeks searched for the next time of a weekly table. A server that was off for more than two years drops the table.
const MOST_WEEKS: i64 = 105;

/// The clocks of one time zone, by the built-in IANA time zone database.
#[derive(Debug, Clone)]
pub struct Calendar {
    zone: TimeZone,
    name: String,
}

impl Calendar {
    /// Creates the calendar of a zone from its IANA name. Returns `None` if there is no such zone.
    pub fn new(zone: &str) -> Option<Calendar> {
        // Not the database of the machine: all members must see the same times, wherever the server runs.
        let found = jiff::tz::TimeZoneDatabase::bundled().get(zone).ok()?;
        let name = found.iana_name().unwrap_or(zone).to_owned();
        Some(Calendar { zone: found, name })
    }

    /// IANA name of the zone.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Local time at a Unix time in milliseconds. `None` beyond the calendar's end.
    pub fn civil(&self, unix_ms: u64) -> Option<DateTime> {
        let at = Timestamp::from_millisecond(i64::try_from(unix_ms).ok()?).ok()?;
        Some(at.to_zoned(self.zone.clone()).datetime())
    }

    /// Unix time in milliseconds of a local time. A time in a gap is shifted forward by the length of the gap; of a
    /// time that occurs twice, the first is used (RFC 5545 section 3.3.5).
    pub fn unix_ms(&self, civil: DateTime) -> Option<u64> {
        let zoned = self.zone.to_ambiguous_zoned(civil).compatible().ok()?;
        u64::try_from(zoned.timestamp().as_millisecond()).ok()
    }

    /// Returns the next repetition of a weekly table that began at local time `at`: the first one, whole weeks later,
    /// that begins after `after`. Returns its nominal local time (a gap does not shift the weeks after it) and its
    /// Unix time.
    pub fn next_week(&self, at: DateTime, after: u64) -> Option<(DateTime, u64)> {
        (1..=MOST_WEEKS).find_map(|weeks| {
            let next = at.checked_add(Span::new().weeks(weeks)).ok()?;
            let starts = self.unix_ms(next)?;
            (starts > after).then_some((next, starts))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::datetime;

    const HOUR: u64 = 3_600_000;

    fn at(text: &str) -> u64 {
        u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap()
    }

    #[test]
    fn noon_in_berlin_stays_noon_across_clock_changes() {
        let berlin = Calendar::new("Europe/Berlin").unwrap();
        let friday = datetime(2026, 3, 27, 12, 0, 0, 0);
        let starts = berlin.unix_ms(friday).unwrap();
        assert_eq!(starts, at("2026-03-27T11:00:00Z"));
        let (next, summer) = berlin.next_week(friday, starts).unwrap();
        assert_eq!((next, summer), (datetime(2026, 4, 3, 12, 0, 0, 0), at("2026-04-03T10:00:00Z")));
        assert_eq!(summer - starts, 7 * 24 * HOUR - HOUR);
        let autumn = berlin.unix_ms(datetime(2026, 10, 23, 12, 0, 0, 0)).unwrap();
        let (_, winter) = berlin.next_week(datetime(2026, 10, 23, 12, 0, 0, 0), autumn).unwrap();
        assert_eq!(winter - autumn, 7 * 24 * HOUR + HOUR);
    }

    #[test]
    fn noon_in_seoul_is_the_same_all_year() {
        let seoul = Calendar::new("Asia/Seoul").unwrap();
        let mut civil = datetime(2026, 1, 7, 12, 0, 0, 0);
        let mut starts = seoul.unix_ms(civil).unwrap();
        assert_eq!(starts, at("2026-01-07T03:00:00Z"));
        for _ in 0..60 {
            let (next, later) = seoul.next_week(civil, starts).unwrap();
            assert_eq!(later - starts, 7 * 24 * HOUR);
            (civil, starts) = (next, later);
        }
    }

    #[test]
    fn a_table_in_the_clock_gap_is_an_hour_later_once() {
        let berlin = Calendar::new("Europe/Berlin").unwrap();
        let before = datetime(2026, 3, 22, 2, 30, 0, 0);
        let (skipped, starts) = berlin.next_week(before, berlin.unix_ms(before).unwrap()).unwrap();
        assert_eq!((skipped, starts), (datetime(2026, 3, 29, 2, 30, 0, 0), at("2026-03-29T01:30:00Z")), "03:30 CEST");
        let (after, starts) = berlin.next_week(skipped, starts).unwrap();
        assert_eq!((after, starts), (datetime(2026, 4, 5, 2, 30, 0, 0), at("2026-04-05T00:30:00Z")), "02:30 CEST");
    }

    #[test]
    fn an_ambiguous_hour_means_the_first() {
        let berlin = Calendar::new("Europe/Berlin").unwrap();
        assert_eq!(berlin.unix_ms(datetime(2026, 10, 25, 2, 30, 0, 0)), Some(at("2026-10-25T00:30:00Z")));
    }

    #[test]
    fn missed_weeks_are_skipped() {
        let seoul = Calendar::new("Asia/Seoul").unwrap();
        let first = datetime(2026, 1, 7, 12, 0, 0, 0);
        let (next, starts) = seoul.next_week(first, at("2026-02-20T00:00:00Z")).unwrap();
        assert_eq!((next, starts), (datetime(2026, 2, 25, 12, 0, 0, 0), at("2026-02-25T03:00:00Z")));
        assert_eq!(seoul.next_week(first, at("2036-01-01T00:00:00Z")), None);
    }

    #[test]
    fn only_iana_zone_names_are_accepted() {
        for zone in ["Europe/Berlin", "Asia/Seoul", "UTC", "America/New_York"] {
            assert_eq!(Calendar::new(zone).unwrap().name(), zone);
        }
        for nonsense in ["", "Mars/Olympus", "../../etc/passwd", "GMT+99"] {
            assert!(Calendar::new(nonsense).is_none(), "{nonsense}");
        }
    }

    #[test]
    fn a_time_past_the_end_of_the_calendar_is_none() {
        let berlin = Calendar::new("Europe/Berlin").unwrap();
        assert_eq!(berlin.civil(u64::MAX), None);
        assert_eq!(berlin.next_week(DateTime::MAX, 0), None);
    }
}
