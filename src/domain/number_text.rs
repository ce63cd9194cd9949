//! Numbers as people type them, in files: prices and quantities. The rules are those of the pages (`web-demo/number_input.js`), and
//! one table of inputs tests both.
//!
//! The language decides which sign is the decimal sign and which one groups thousands. What can be read in two ways is refused with
//! both readings, because a wrong guess would be a price a thousand times too high.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How numbers are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NumberLanguage {
    /// `1,500.25`
    #[default]
    En,
    /// `1,500.25` or `١٬٥٠٠٫٢٥`
    Ar,
    /// `1.500,25`
    Id,
}

/// The first sign of each is the one that we write.
struct Signs {
    decimal: &'static [char],
    grouping: &'static [char],
}

/// Why a number is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NumberFault {
    /// It has something other than digits and signs.
    Digits,
    /// Signs in wrong places.
    Grouping,
    /// Too many decimals.
    Decimals,
    Negative,
    TooLarge,
    /// It can be read in another way; each way as this language writes it.
    Readings(Vec<String>),
}

/// The digits before and after the decimal sign.
#[derive(Clone)]
struct Parts {
    whole: String,
    decimals: String,
    groups: usize,
}

const GROUP: usize = 3;
/// A page could not read more digits without losing some.
const DIGITS_MAX: usize = 15;
const SIGNS: &[char] = &['.', ',', '٫', '٬'];
const MINUS: &[char] = &['-', '−', '‐', '‑', '–'];
/// Marks of direction, which come along when a number is copied from an Arabic page.
const DIRECTION_MARKS: &[char] = &['\u{200e}', '\u{200f}', '\u{61c}'];

impl NumberLanguage {
    pub const ALL: [Self; 3] = [NumberLanguage::En, NumberLanguage::Ar, NumberLanguage::Id];

    pub fn name(self) -> &'static str {
        match self {
            NumberLanguage::En => "en",
            NumberLanguage::Ar => "ar",
            NumberLanguage::Id => "id",
        }
    }

    fn signs(self) -> Signs {
        match self {
            NumberLanguage::En => Signs { decimal: &['.'], grouping: &[','] },
            NumberLanguage::Ar => Signs { decimal: &['.', '٫'], grouping: &[',', '٬'] },
            NumberLanguage::Id => Signs { decimal: &[','], grouping: &['.'] },
        }
    }
}

/// Reads a number with at most `decimals` decimals. The value is whole: with 2 decimals, `1.5` gives 150.
pub fn parse_number(text: &str, language: NumberLanguage, decimals: usize) -> Result<i64, NumberFault> {
    let typed = latin_digits(&text.replace(DIRECTION_MARKS, ""));
    let typed = typed.trim();
    let is_sign_or_digit = |c: char| c.is_ascii_digit() || SIGNS.contains(&c);
    if let Some(rest) = typed.strip_prefix(MINUS)
        && rest.starts_with(is_sign_or_digit)
    {
        return Err(NumberFault::Negative);
    }
    if !typed.chars().all(is_sign_or_digit) || !typed.contains(|c: char| c.is_ascii_digit()) {
        return Err(NumberFault::Digits);
    }
    let parts = split(typed, &language.signs());
    if let Some(parts) = parts.as_ref().filter(|parts| parts.decimals.len() <= decimals) {
        let is_like_decimals = parts.groups == 1 && parts.decimals.is_empty() && decimals == GROUP;
        if is_like_decimals {
            return Err(NumberFault::Readings(both_readings(typed, language, decimals)));
        }
        return value_of(parts, decimals);
    }
    let elsewhere: Vec<Parts> = NumberLanguage::ALL
        .into_iter()
        .filter_map(|other| split(typed, &other.signs()).filter(|parts| parts.decimals.len() <= decimals))
        .collect();
    if elsewhere.is_empty() {
        return Err(if parts.is_some() { NumberFault::Decimals } else { NumberFault::Grouping });
    }
    let mut readings = both_readings(typed, language, decimals);
    if readings.is_empty() {
        for reading in elsewhere.iter().map(|parts| write(parts, language, decimals)) {
            if !readings.contains(&reading) {
                readings.push(reading);
            }
        }
    }
    Err(NumberFault::Readings(readings))
}

/// A whole number of minor units without grouping, with every decimal of its currency and a `.`: `1500.20`.
pub fn write_amount(minor: i64, decimals: usize) -> String {
    let digits = format!("{:0>width$}", minor, width = decimals + 1);
    let (whole, rest) = digits.split_at(digits.len() - decimals);
    if rest.is_empty() { whole.to_owned() } else { format!("{whole}.{rest}") }
}

/// Arabic-Indic (٤٩) and Persian (۴۹) digits as Latin ones. They are the same digits in every language.
pub fn latin_digits(text: &str) -> String {
    let digit = |c: char| match c {
        '٠'..='٩' => char::from_digit(c as u32 - 0x660, 10).unwrap_or(c),
        '۰'..='۹' => char::from_digit(c as u32 - 0x6f0, 10).unwrap_or(c),
        other => other,
    };
    text.chars().map(digit).collect()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The parts of a number; `None` if the signs of this language do not fit.
fn split(text: &str, Signs { decimal, grouping }: &Signs) -> Option<Parts> {
    let (whole, rest) = match text.split_once(*decimal) {
        Some((_, rest)) if !is_digits(rest) => return None,
        Some((whole, rest)) => (whole, Some(rest)),
        None => (text, None),
    };
    let decimals = rest.unwrap_or_default().to_owned();
    if is_digits(whole) || (rest.is_some() && whole.is_empty()) {
        let whole = if whole.is_empty() { "0" } else { whole };
        return Some(Parts { whole: whole.to_owned(), decimals, groups: 0 });
    }
    grouping.iter().any(|sign| is_grouped(whole, *sign)).then(|| {
        let digits: String = whole.chars().filter(char::is_ascii_digit).collect();
        let groups = digits.len().div_ceil(GROUP) - 1;
        Parts { whole: digits, decimals, groups }
    })
}

/// `1,500,000`: at most three digits, of which the first is not 0, and then groups of three.
fn is_grouped(text: &str, sign: char) -> bool {
    let mut groups = text.split(sign);
    let first = groups.next().unwrap_or_default();
    let mut rest = groups.peekable();
    is_digits(first)
        && first.len() <= GROUP
        && !first.starts_with('0')
        && rest.peek().is_some()
        && rest.all(|group| group.len() == GROUP && is_digits(group))
}

/// The two readings of a number whose only sign may group or be the decimal sign. None for any other number.
fn both_readings(text: &str, language: NumberLanguage, decimals: usize) -> Vec<String> {
    let Some(at) = text.find(['.', ',', '٬']) else { return Vec::new() };
    let sign = text[at..].chars().next().unwrap_or_default();
    let (whole, rest) = (&text[..at], &text[at + sign.len_utf8()..]);
    if !is_digits(whole) || !is_digits(rest) || (sign == '٬' && language != NumberLanguage::Ar) {
        return Vec::new();
    }
    let grouped = Parts { whole: format!("{whole}{rest}"), decimals: String::new(), groups: 1 };
    let pointed = Parts { whole: whole.to_owned(), decimals: rest.to_owned(), groups: 0 };
    vec![write(&grouped, language, decimals), write(&pointed, language, decimals)]
}

fn write(parts: &Parts, language: NumberLanguage, decimals: usize) -> String {
    let Signs { decimal, grouping } = language.signs();
    let digits = match parts.whole.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let mut whole = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % GROUP == 0 {
            whole.push(grouping[0]);
        }
        whole.push(digit);
    }
    let mut rest = format!("{:0<decimals$}", parts.decimals);
    while decimals < rest.len() && rest.ends_with('0') {
        rest.pop();
    }
    if rest.is_empty() { whole } else { format!("{whole}{}{rest}", decimal[0]) }
}

fn value_of(parts: &Parts, decimals: usize) -> Result<i64, NumberFault> {
    let digits = format!("{}{:0<decimals$}", parts.whole, parts.decimals);
    match digits.trim_start_matches('0') {
        "" => Ok(0),
        digits if DIGITS_MAX < digits.len() => Err(NumberFault::TooLarge),
        digits => digits.parse().map_err(|_| NumberFault::TooLarge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table that the pages are tested with.
    #[test]
    fn every_typed_number_has_its_one_meaning_or_is_refused() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/numbers.tsv");
        let table = std::fs::read_to_string(file).unwrap();
        let mut rows = table.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let head: Vec<&str> = rows.next().unwrap().split('\t').collect();
        let mut judged = 0;
        for row in rows {
            let mut cells = row.split('\t');
            let typed = unescape(cells.next().unwrap());
            for (column, expected) in head[1..].iter().zip(cells) {
                let language = NumberLanguage::ALL.into_iter().find(|one| column.starts_with(one.name())).unwrap();
                let found = match parse_number(&typed, language, column[2..].parse().unwrap()) {
                    Ok(value) => value.to_string(),
                    Err(NumberFault::Readings(readings)) => readings.join(" | "),
                    Err(NumberFault::Digits) => "digits".into(),
                    Err(NumberFault::Grouping) => "grouping".into(),
                    Err(NumberFault::Decimals) => "decimals".into(),
                    Err(NumberFault::Negative) => "negative".into(),
                    Err(NumberFault::TooLarge) => "too_large".into(),
                };
                assert_eq!(found, expected, "{typed:?} in {column}");
                judged += 1;
            }
        }
        assert!(judged >= 60 * 9, "{judged}");
    }

    /// `\u{661}` as the character.
    fn unescape(text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("\\u{") {
            let (code, end) = after.split_once('}').unwrap();
            plain.push_str(before);
            plain.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
            rest = end;
        }
        plain + rest
    }

    #[test]
    fn amount_is_written_with_every_decimal_of_its_currency() {
        for (minor, decimals, expected) in
            [(150_020, 2, "1500.20"), (5, 2, "0.05"), (0, 3, "0.000"), (7, 0, "7"), (1_234, 3, "1.234")]
        {
            assert_eq!(write_amount(minor, decimals), expected);
            assert_eq!(parse_number(expected, NumberLanguage::En, decimals), Ok(minor));
        }
    }
}
