//! A show as a calendar entry: RFC 5545, lines of at most 75 bytes, CRLF, text escaped.

use super::date::ical_utc;
use crate::domain::Millis;

/// What the entry tells.
#[derive(Clone, Copy, Debug)]
pub struct CalendarEvent<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub host: &'a str,
    pub link: &'a str,
    pub starts_at: Millis,
    pub now: Millis,
}

/// How long an evening is in a calendar when nobody said so.
const DEFAULT_DURATION: &str = "PT1H";
const LINE_BYTES_MAX: usize = 75;

pub fn ics(entry: &CalendarEvent<'_>) -> String {
    let title = escaped(entry.title);
    let lines = [
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//Livesouk//Shows//EN".to_owned(),
        "CALSCALE:GREGORIAN".to_owned(),
        "METHOD:PUBLISH".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{}@livesouk", entry.id),
        format!("DTSTAMP:{}", ical_utc(entry.now)),
        format!("DTSTART:{}", ical_utc(entry.starts_at)),
        format!("DURATION:{DEFAULT_DURATION}"),
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
    fn an_entry_has_folded_lines_and_escaped_text() {
        let title = "هدايا من المدينة, الجزء الأول; مع الكثير من الأشياء الجميلة \\ كل مساء";
        let link = "https://shop.example/watch?stream=1";
        let entry = CalendarEvent { id: "1", title, host: "Faisal", link, starts_at: 1_795_392_000_000, now: 0 };
        let text = ics(&entry);
        assert!(text.split("\r\n").all(|line| line.len() <= LINE_BYTES_MAX && !line.contains('\n')), "{text}");
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains("DTSTART:20261123T000000Z\r\n"), "{unfolded}");
        assert!(unfolded.contains("المدينة\\, الجزء الأول\\; مع"), "{unfolded}");
        assert!(unfolded.contains("الجميلة \\\\ كل"), "{unfolded}");
        assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
    }
}
