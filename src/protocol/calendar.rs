//! A show as a calendar event (iCalendar, RFC 5545). The `icalendar` crate escapes the text and folds lines after 75 bytes.

use chrono::{DateTime, TimeDelta, Utc};
use icalendar::{Alarm, Calendar, Component, Event, EventLike, Property, Trigger};

use crate::domain::Millis;

/// The facts of a show that its calendar event contains.
#[derive(Clone, Copy, Debug)]
pub struct CalendarEvent<'a> {
    pub id: &'a str,
    pub title: &'a str,
    pub host: &'a str,
    pub link: &'a str,
    pub starts_at: Millis,
    /// The time at which the file is made.
    pub now: Millis,
    /// The show was cancelled: a calendar that has the event removes it.
    pub is_cancelled: bool,
}

/// A show has no planned end, so its calendar event lasts one hour.
const DURATION: &str = "PT1H";
/// The alarm rings 10 minutes before the start.
const ALARM_BEFORE: TimeDelta = TimeDelta::minutes(10);

/// The whole calendar file with one event and one alarm. Lines end with CRLF.
pub fn ics(event: &CalendarEvent<'_>) -> String {
    let title = without_control_characters(event.title);
    let description = format!("{}\n{}", without_control_characters(event.host), event.link);
    // Without a time and an id the crate would take the clock and a random id, and the same show would not give the same file.
    let alarm = Alarm::display(&title, Trigger::before_start(ALARM_BEFORE))
        .timestamp(utc(event.now))
        .uid(&format!("{}-alarm@livesouk", event.id))
        .done();
    let mut entry = Event::with_uid(&format!("{}@livesouk", event.id))
        .timestamp(utc(event.now))
        .starts(utc(event.starts_at))
        .add_property("DURATION", DURATION)
        .summary(&title)
        .description(&description)
        .url(event.link)
        .alarm(alarm)
        .done();
    if event.is_cancelled {
        entry.add_property("STATUS", "CANCELLED");
    }
    let mut calendar = Calendar::empty();
    for (key, value) in
        [("VERSION", "2.0"), ("PRODID", "-//Livesouk//Shows//EN"), ("CALSCALE", "GREGORIAN"), ("METHOD", "PUBLISH")]
    {
        calendar.append_property(Property::new(key, value));
    }
    calendar.push(entry).to_string()
}

/// A time that no calendar can hold becomes the beginning of 1970.
fn utc(at: Millis) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at).unwrap_or_default()
}

/// `icalendar` escapes line feeds but passes other control characters on, which RFC 5545 does not allow in a text.
fn without_control_characters(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_of_a_show_that_was_called_off_says_so() {
        let event = CalendarEvent {
            id: "1",
            title: "Bags",
            host: "Faisal",
            link: "/",
            starts_at: 0,
            now: 0,
            is_cancelled: true,
        };
        assert!(ics(&event).contains("STATUS:CANCELLED\r\n"));
        assert!(!ics(&CalendarEvent { is_cancelled: false, ..event }).contains("STATUS"));
    }

    #[test]
    fn calendar_file_has_folded_lines_and_escaped_text() {
        let title = "هدايا من المدينة, الجزء الأول; مع الكثير من\u{7} الأشياء الجميلة \\ كل مساء";
        let link = "https://shop.example/watch?stream=1";
        let event = CalendarEvent {
            id: "1",
            title,
            host: "Faisal",
            link,
            starts_at: 1_795_392_000_000,
            now: 0,
            is_cancelled: false,
        };
        let text = ics(&event);
        assert_eq!(text, ics(&event), "the same event gives the same file");
        assert!(text.split("\r\n").all(|line| line.len() <= 75 && !line.contains('\n')), "{text}");
        let unfolded = text.replace("\r\n ", "");
        for expected in [
            "UID:1@livesouk\r\n",
            "DTSTAMP:19700101T000000Z\r\n",
            "DTSTART:20261123T000000Z\r\n",
            "DURATION:PT1H\r\n",
            "المدينة\\, الجزء الأول\\; مع الكثير من الأشياء",
            "الجميلة \\\\ كل",
            "DESCRIPTION:Faisal\\nhttps://shop.example/watch?stream=1\r\n",
            "URL:https://shop.example/watch?stream=1\r\n",
            "ACTION:DISPLAY\r\n",
            "TRIGGER;RELATED=START:-PT600S\r\n",
        ] {
            assert!(unfolded.contains(expected), "{expected}: {unfolded}");
        }
        assert!(text.starts_with("BEGIN:VCALENDAR\r\n") && text.ends_with("END:VCALENDAR\r\n"));
    }
}
