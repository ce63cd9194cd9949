//! Times as dates, in UTC.

use time::OffsetDateTime;

use crate::domain::Millis;

/// `2026-01-31T20:15:00Z` (RFC 3339), for people and spreadsheets.
pub fn rfc3339(at: Millis) -> String {
    let (date, time) = parts(at);
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", date.0, date.1, date.2, time.0, time.1, time.2)
}

/// `20260131T201500Z`, as calendars write it (RFC 5545).
pub fn ical_utc(at: Millis) -> String {
    let (date, time) = parts(at);
    format!("{:04}{:02}{:02}T{:02}{:02}{:02}Z", date.0, date.1, date.2, time.0, time.1, time.2)
}

/// A time outside the years that have four digits is nobody's: the beginning of 1970 stands for it.
fn parts(at: Millis) -> ((i32, u8, u8), (u8, u8, u8)) {
    let moment = OffsetDateTime::from_unix_timestamp(at.div_euclid(1_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = moment.to_calendar_date();
    ((year, month.into(), day), moment.to_hms())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_dates() {
        for (at, people, calendar) in [
            (0, "1970-01-01T00:00:00Z", "19700101T000000Z"),
            (951_827_696_000, "2000-02-29T12:34:56Z", "20000229T123456Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59Z", "20240229T235959Z"),
            (-1, "1969-12-31T23:59:59Z", "19691231T235959Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z", "21000301T000000Z"),
            (i64::MAX, "1970-01-01T00:00:00Z", "19700101T000000Z"),
        ] {
            assert_eq!((rfc3339(at).as_str(), ical_utc(at).as_str()), (people, calendar));
        }
    }
}
