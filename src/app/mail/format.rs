//! Money and dates in mails, in the language of the reader, as the pages show them: Latin digits in all languages.

use time::OffsetDateTime;

use super::mail_text::left_to_right;
use crate::domain::{Language, Millis, Minor, currency};

const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const ARABIC_MONTHS: [&str; 12] =
    ["يناير", "فبراير", "مارس", "أبريل", "مايو", "يونيو", "يوليو", "أغسطس", "سبتمبر", "أكتوبر", "نوفمبر", "ديسمبر"];
const INDONESIAN_MONTHS: [&str; 12] = [
    "Januari",
    "Februari",
    "Maret",
    "April",
    "Mei",
    "Juni",
    "Juli",
    "Agustus",
    "September",
    "Oktober",
    "November",
    "Desember",
];

/// `SAR 1,234.50`; in Indonesian `SAR 1.234,50`. Whole amounts have no decimals, as on the pages.
pub fn money(language: Language, amount: Minor, code: &str) -> String {
    let decimals = currency::decimals(code).unwrap_or(2);
    let (group, point) = match language {
        Language::Indonesian => ('.', ','),
        Language::English | Language::Arabic => (',', '.'),
    };
    let unit = 10_u64.pow(u32::from(decimals));
    let (whole, rest) = (amount.unsigned_abs() / unit, amount.unsigned_abs() % unit);
    let sign = if amount < 0 { "-" } else { "" };
    let mut text = format!("{code} {sign}{}", grouped(whole, group));
    if rest > 0 {
        text.push_str(&format!("{point}{rest:0width$}", width = usize::from(decimals)));
    }
    left_to_right(language, &text)
}

fn grouped(number: u64, separator: char) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(separator);
        }
        text.push(digit);
    }
    text
}

/// `29 November 2026, 09:05 UTC`. A time that no calendar has is left out.
pub fn date_time(language: Language, at: Millis) -> String {
    let Ok(date) = OffsetDateTime::from_unix_timestamp(at.div_euclid(1_000)) else { return String::new() };
    let month = usize::from(u8::from(date.month())) - 1;
    let (day, year) = (date.day(), date.year());
    let time = left_to_right(language, &format!("{:02}:{:02} UTC", date.hour(), date.minute()));
    match language {
        Language::English => format!("{day} {} {year}, {time}", ENGLISH_MONTHS[month]),
        Language::Arabic => format!("{day} {} {year}، {time}", ARABIC_MONTHS[month]),
        Language::Indonesian => format!("{day} {} {year}, {time}", INDONESIAN_MONTHS[month]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_in_the_language_of_the_reader() {
        for (language, amount, code, expected) in [
            (Language::English, 123_450, "SAR", "SAR 1,234.50"),
            (Language::Indonesian, 123_450, "SAR", "SAR 1.234,50"),
            (Language::Arabic, 123_450, "SAR", "\u{2066}SAR 1,234.50\u{2069}"),
            (Language::English, 100, "SAR", "SAR 1"),
            (Language::English, 1_005, "KWD", "KWD 1.005"),
            (Language::English, 1_234_567, "JPY", "JPY 1,234,567"),
            (Language::English, 5, "SAR", "SAR 0.05"),
            (Language::English, -250, "SAR", "SAR -2.50"),
            (Language::English, 0, "SAR", "SAR 0"),
        ] {
            assert_eq!(money(language, amount, code), expected);
        }
    }

    #[test]
    fn dates_name_the_month_and_the_zone() {
        let at = 1_795_943_100_000;
        assert_eq!(date_time(Language::English, at), "29 November 2026, 09:05 UTC");
        assert_eq!(date_time(Language::Indonesian, at), "29 November 2026, 09:05 UTC");
        assert_eq!(date_time(Language::Arabic, at), "29 نوفمبر 2026، \u{2066}09:05 UTC\u{2069}");
        assert_eq!(date_time(Language::English, i64::MAX), "");
    }
}
