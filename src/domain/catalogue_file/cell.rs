//! Single cells: the apostrophe before formulas, and what spreadsheets do to numbers that are none.

/// With these a formula begins in a spreadsheet.
const STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Whether the text is any number of apostrophes, also none, before a sign with which a formula begins.
fn begins_like_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(STARTS)
}

/// Puts one apostrophe before a text that a spreadsheet would take for a formula, and before an apostrophe that stands before one, so
/// that [`unescape_formula`] gives exactly the text again.
pub fn escape_formula(text: &str) -> String {
    if begins_like_formula(text) { format!("'{text}") } else { text.to_owned() }
}

/// Takes exactly one apostrophe away where [`escape_formula`] would have put one.
pub fn unescape_formula(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|rest| begins_like_formula(rest)).unwrap_or(cell)
}

/// What became of a number that a spreadsheet has written with an exponent.
#[derive(PartialEq, Eq, Debug)]
pub enum Exponent {
    /// It has none.
    None,
    /// Every digit is there: `6.281E+3` is 6281.
    Whole(String),
    /// Digits are lost: `6.28E+12`.
    Cut,
}

/// Reads `6,28E+12`, as spreadsheets write barcodes that they take for numbers.
pub fn exponent(text: &str) -> Exponent {
    let Some((mantissa, power)) = text.split_once(['E', 'e']) else { return Exponent::None };
    let Some(power) = power.strip_prefix('+').and_then(|power| power.parse::<usize>().ok()) else {
        return Exponent::None;
    };
    let (whole, decimals) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 1 || !are_digits(whole) || !are_digits(decimals) {
        return Exponent::None;
    }
    if power == decimals.len() { Exponent::Whole(format!("{whole}{decimals}")) } else { Exponent::Cut }
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Whether a spreadsheet may have made this date of something else: `3-5` becomes `05-Mar`, `1/2` becomes `2026-02-01`.
pub fn looks_like_date(text: &str) -> bool {
    let date = text.trim().split(' ').next().unwrap_or_default().to_ascii_lowercase();
    let parts: Vec<&str> = date.split(['-', '/', '.']).collect();
    let is_month = |part: &&str| MONTHS.contains(part);
    let is_number = |part: &str, lengths: std::ops::RangeInclusive<usize>| {
        lengths.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    match parts.as_slice() {
        [first, second] => {
            (is_number(first, 1..=2) && is_month(second)) || (is_month(first) && is_number(second, 1..=4))
        }
        [day, month, year] if is_month(month) => is_number(day, 1..=2) && is_number(year, 2..=4),
        [year, month, day] if is_number(year, 4..=4) => is_number(month, 2..=2) && is_number(day, 2..=2),
        [first, second, year] => is_number(first, 1..=2) && is_number(second, 1..=2) && is_number(year, 4..=4),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_apostrophe_guards_a_formula_and_the_same_one_is_taken_away() {
        for (text, cell) in [
            ("Lamp", "Lamp"),
            ("", ""),
            ("=1+1", "'=1+1"),
            ("+966", "'+966"),
            ("-5", "'-5"),
            ("@shop", "'@shop"),
            ("\ttab", "'\ttab"),
            ("\rreturn", "'\rreturn"),
            ("'=1", "''=1"),
            ("''=1", "'''=1"),
            ("'n Roll", "'n Roll"),
            ("''quoted''", "''quoted''"),
            ("'", "'"),
            ("a=b", "a=b"),
            (" =1", " =1"),
        ] {
            assert_eq!(escape_formula(text), cell, "{text:?}");
            assert_eq!(unescape_formula(cell), text, "{cell:?}");
        }
        assert_eq!(unescape_formula("=1"), "=1", "a file of somebody else has none");
    }

    #[test]
    fn number_with_an_exponent_is_read_only_if_no_digit_is_lost() {
        for (text, expected) in [
            ("6.28E+12", Exponent::Cut),
            ("6,28e+12", Exponent::Cut),
            ("6.281234567890E+12", Exponent::Whole("6281234567890".into())),
            ("6E+0", Exponent::Whole("6".into())),
            ("E+12", Exponent::None),
            ("SIZE+12", Exponent::None),
            ("62812345", Exponent::None),
            ("1E5", Exponent::None),
        ] {
            assert_eq!(exponent(text), expected, "{text}");
        }
    }

    #[test]
    fn dates_of_spreadsheets_are_recognised() {
        for date in ["05-Mar", "Mar-24", "5-mar-2026", "2026-03-05", "2026-03-05 00:00:00", "03/05/2026", "5.3.2026"] {
            assert!(looks_like_date(date), "{date}");
        }
        for other in ["3-5", "S-M", "LAMP-24", "2026", "12-2026-5-1", "Mar", "1.5", "45296", "May flower"] {
            assert!(!looks_like_date(other), "{other}");
        }
    }
}
