//! Times as text, in UTC.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::domain::Millis;

/// `2026-01-31T20:15:00Z` (RFC 3339, whole seconds), for people and spreadsheets. A time outside the years 0 to 9999, which
/// RFC 3339 cannot write, becomes the beginning of 1970.
pub fn rfc3339(at: Millis) -> String {
    let seconds = |at: Millis| OffsetDateTime::from_unix_timestamp(at.div_euclid(1_000)).ok()?.format(&Rfc3339).ok();
    seconds(at).unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        for (at, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_827_696_000, "2000-02-29T12:34:56Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00Z"),
            (i64::MAX, "1970-01-01T00:00:00Z"),
            (i64::MIN, "1970-01-01T00:00:00Z"),
            (-62_198_755_200_000, "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(at), expected, "{at}");
        }
    }
}
