//! A series of shows: every week at the same time of day in the time zone of the shop, over daylight saving.

use chrono::offset::LocalResult;
use chrono::{Days, NaiveDateTime, TimeDelta, TimeZone};
use chrono_tz::Tz;

use super::limits;
use super::product::in_range;
use super::{Millis, Refusal};

/// How a start is written: the local time of the shop, without a zone.
const FORMAT: &str = "%Y-%m-%dT%H:%M";

/// The starts of a weekly series, in order. `first` is the local time of its first show, like `2026-12-03T20:00`; `zone` a name of the
/// IANA database.
///
/// A time that the clocks skip becomes the first one after the gap, and of a time that comes twice it is the earlier one: the show
/// before the change of the clocks and the one after it begin at the same time of day.
pub fn weekly(first: &str, zone: &str, count: i64) -> Result<Vec<Millis>, Refusal> {
    let why = "must be a local time like 2026-12-03T20:00.";
    let first = NaiveDateTime::parse_from_str(first, FORMAT).map_err(|_| Refusal::invalid_value("first", why))?;
    let zone: Tz =
        zone.parse().map_err(|_| Refusal::WrongStatus("The time zone of the shop is unknown. See its settings."))?;
    let count = in_range(count, limits::SERIES, "count")?;
    let at = |week: u64| {
        let local = first.checked_add_days(Days::new(7 * week))?;
        starts_at(local, zone).filter(|at| (limits::SCHEDULED_AT.0..=limits::SCHEDULED_AT.1).contains(at))
    };
    let starts: Option<Vec<Millis>> = (0..count.unsigned_abs()).map(at).collect();
    starts.ok_or(Refusal::invalid_value("first", why))
}

/// The clocks never skip more than a day.
pub(super) fn starts_at(local: NaiveDateTime, zone: Tz) -> Option<Millis> {
    (0..=24 * 60).find_map(|minutes| {
        match zone.from_local_datetime(&local.checked_add_signed(TimeDelta::minutes(minutes))?) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(at.timestamp_millis()),
            LocalResult::None => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn utc(first: &str, zone: &str, count: i64) -> Vec<String> {
        let starts = weekly(first, zone, count).unwrap();
        starts.iter().map(|at| DateTime::from_timestamp_millis(*at).unwrap().format(FORMAT).to_string()).collect()
    }

    #[test]
    fn series_keeps_its_time_of_day_when_the_clocks_change() {
        for (zone, first, expected) in [
            // The clocks of London go back on 25 October 2026, and forward on 28 March 2027.
            ("Europe/London", "2026-10-22T20:00", ["2026-10-22T19:00", "2026-10-29T20:00"]),
            ("Europe/London", "2027-03-25T20:00", ["2027-03-25T20:00", "2027-04-01T19:00"]),
            // Those of New York on 1 November 2026 and 14 March 2027.
            ("America/New_York", "2026-10-29T20:00", ["2026-10-30T00:00", "2026-11-06T01:00"]),
            ("America/New_York", "2027-03-11T20:00", ["2027-03-12T01:00", "2027-03-19T00:00"]),
            ("Asia/Riyadh", "2026-10-22T20:00", ["2026-10-22T17:00", "2026-10-29T17:00"]),
        ] {
            assert_eq!(utc(first, zone, 2), expected, "{zone} {first}");
        }
    }

    #[test]
    fn skipped_time_is_the_first_after_the_gap_and_a_doubled_one_is_the_earlier() {
        assert_eq!(utc("2027-03-21T01:30", "Europe/London", 2), ["2027-03-21T01:30", "2027-03-28T01:00"]);
        assert_eq!(utc("2027-03-07T02:30", "America/New_York", 2), ["2027-03-07T07:30", "2027-03-14T07:00"]);
        assert_eq!(utc("2026-10-18T01:30", "Europe/London", 2), ["2026-10-18T00:30", "2026-10-25T00:30"]);
        assert_eq!(utc("2026-10-25T01:30", "America/New_York", 2), ["2026-10-25T05:30", "2026-11-01T05:30"]);
    }

    #[test]
    fn what_is_no_time_zone_or_count_is_refused() {
        let code = |first, zone, count| weekly(first, zone, count).map_err(|refusal| refusal.code());
        assert_eq!(code("2026-10-22 20:00", "Europe/London", 2), Err("invalid_value"));
        assert_eq!(code("2026-10-22T20:00", "Europe/Nowhere", 2), Err("wrong_status"));
        assert_eq!(code("2026-10-22T20:00", "Europe/London", 0), Err("bad_request"));
        assert_eq!(code("2026-10-22T20:00", "Europe/London", 53), Err("bad_request"));
        assert_eq!(code("9999-10-22T20:00", "Europe/London", 1), Err("invalid_value"));
    }
}
