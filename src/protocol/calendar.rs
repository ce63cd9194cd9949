//! A show as a calendar entry: RFC 5545, lines of at most 75 bytes, CRLF, text escaped.

use crate::domain::Millis;

/// What the entry tells.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub host: &'a str,
    pub link: &'a str,
    pub starts_at: Millis,
    pub now: Millis,
}

/// How long an evening is in a calendar when nobody said so.
const LASTS: &str = "PT1H";
const LINE_BYTES_MAX: usize = 75;

pub fn ics(entry: &Entry<'_>) -> String {
    let title = escaped(entry.title);
    let lines = [
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Livesouk//Shows//EN".to_owned(),
        "CALSCALE:GREGORIAN".to_owned(),
        "METHOD:PUBLISH".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}@livesouk", entry.id),
        format!("DTSTAMP:{}", utc(entry.now)),
        format!("DTSTART:{}", utc(entry.starts_at)),
        format!("DURATION:{LASTS}"),
        format!("SUMMARY:{title}"),
        format!("DESCRIPTION:{}\\n{}", escaped(entry.host), escaped(entry.link)),
        format!("URL:{}", entry.link),
        "BEGIN:VALARM".to_owned(),
        "ACTION:DISPLAY".to_owned(),
        format!("DESCRIPTION:{title}"),
        "TRIGGER:-PT10M".to_owned(),
        "END:VALARM".to_owned(),
        "END:VEVENT".to_owned(),
        "END:VCALENDAR".to_owned(),
    ];
    lines.iter().map(|line| folded(line)).collect()
}

/// `20260101T180000Z`. Days to a date after Howard Hinnant's civil calendar: eras of 400 years that begin in March.
fn utc(at: Millis) -> String {
    let seconds = at.div_euclid(1_000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let (era, day_of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// A long line goes on in the next one, after a space; never in the middle of a character.
fn folded(line: &str) -> String {
    let mut out = String::with_capacity(line.len() + 8);
    let mut used = 0;
    for c in line.chars() {
        if used + c.len_utf8() > LINE_BYTES_MAX {
            out.push_str("\r\n ");
            used = 1;
        }
        out.push(c);
        used += c.len_utf8();
    }
    out.push_str("\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_dates() {
        for (at, text) in [
            (0, "19700101T000000Z"),
            (951_782_400_000, "20000229T000000Z"),
            (1_709_251_199_999, "20240229T235959Z"),
            (1_795_392_000_000, "20261123T000000Z"),
            (4_107_542_400_000, "21000301T000000Z"),
        ] {
            assert_eq!(utc(at), text);
        }
    }

    #[test]
    fn an_entry_has_folded_lines_and_escaped_text() {
        let title = "هدايا من المدينة, الجزء الأول; مع الكثير من الأشياء الجميلة \\ كل مساء";
        let link = "https://shop.example/watch?stream=1";
        let entry = Entry { id: "1", title, host: "Faisal", link, starts_at: 1_795_392_000_000, now: 0 };
        let text = ics(&entry);
        assert!(text.split("\r\n").all(|line| line.len() <= LINE_BYTES_MAX && !line.contains('\n')), "{text}");
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains("DTSTART:20261123T000000Z\r\n"), "{unfolded}");
        assert!(unfolded.contains("المدينة\\, الجزء الأول\\; مع"), "{unfolded}");
        assert!(unfolded.contains("الجميلة \\\\ كل"), "{unfolded}");
        assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
    }
}
