//! CSV files for spreadsheets (RFC 4180). No cell can be mistaken for a formula, with any separator that a spreadsheet uses: in many
//! locales that is the semicolon, and then the quotes of all cells but the first do not count.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use csv::{QuoteStyle, Terminator, Writer, WriterBuilder};

pub const CSV_CONTENT_TYPE: &str = "text/csv; charset=utf-8";

/// A response that the browser saves as a file. `name` must be ASCII without quotes.
pub fn download(body: Body, kind: &'static str, name: &str) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// The byte order mark: with it spreadsheets read the file as UTF-8, which they need for Arabic.
const UTF8_BOM: &str = "\u{feff}";

/// Writes a CSV file row by row.
pub struct CsvWriter(Writer<Vec<u8>>);

impl CsvWriter {
    pub fn new(heads: &[&str]) -> Self {
        let mut table = Self::with_prefix(UTF8_BOM.into());
        table.write_row(heads);
        table
    }

    /// Continues a file whose beginning was sent before: no byte order mark, no column names.
    pub fn continued() -> Self {
        Self::with_prefix(Vec::new())
    }

    /// Every text is quoted, so that commas and line breaks in it stay in the cell.
    fn with_prefix(begun: Vec<u8>) -> Self {
        let mut format = WriterBuilder::new();
        format.quote_style(QuoteStyle::NonNumeric).terminator(Terminator::CRLF).flexible(true);
        Self(format.from_writer(begun))
    }

    pub fn write_row<T: AsRef<str>>(&mut self, cells: &[T]) {
        // Writing to memory cannot fail.
        let _ = self.0.write_record(cells.iter().map(|cell| escape_formulas(cell.as_ref()).into_owned()));
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap_or_default()
    }
}

/// Characters at which a spreadsheet may split a text, if it was set to that separator.
const SEPARATORS: &str = ",;|:\t\r\n";
/// With these a formula begins, in full width too.
const STARTS: &str = "=+-@＝＋－＠";

/// Puts a `'` before everything that a spreadsheet could take for the start of a formula: at the start of the text, and after each
/// separator in it. White space and quotes before the sign do not hide it. A text that is a
/// number stays a number.
fn escape_formulas(cell: &str) -> Cow<'_, str> {
    if cell.parse::<i64>().is_ok() {
        return Cow::Borrowed(cell);
    }
    // Where a part begins that a spreadsheet may see as a cell: the text itself, and what follows each separator.
    let mut marks: Vec<usize> = Vec::new();
    let mut part = Some(0);
    for (at, c) in cell.char_indices() {
        let is_control_in_front = at == 0 && matches!(c, '\t' | '\r' | '\n');
        match part {
            _ if is_control_in_front => marks.push(0),
            Some(0) if "|%".contains(c) => marks.push(0),
            // In the middle the mark is right before the sign: quotes in front of it may be read as those of a cell.
            Some(begin) if STARTS.contains(c) => marks.push(if begin == 0 { 0 } else { at }),
            _ => {}
        }
        if SEPARATORS.contains(c) {
            part = Some(at + c.len_utf8());
        } else if !c.is_whitespace() && !matches!(c, '"' | '\u{feff}') {
            part = None;
        }
    }
    if marks.is_empty() {
        return Cow::Borrowed(cell);
    }
    marks.dedup();
    let mut escaped = cell.to_owned();
    marks.iter().rev().for_each(|at| escaped.insert(*at, '\''));
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(cells: &[&str]) -> String {
        let mut table = CsvWriter::continued();
        table.write_row(cells);
        String::from_utf8(table.into_bytes()).unwrap()
    }

    #[test]
    fn formulas_are_escaped() {
        for (cell, expected) in [
            ("Lamp", "\"Lamp\"\r\n"),
            ("كم السعر؟", "\"كم السعر؟\"\r\n"),
            ("17", "17\r\n"),
            ("-17", "-17\r\n"),
            ("", "\"\"\r\n"),
            ("a,b;=c", "\"a,b;'=c\"\r\n"),
            ("a;b", "\"a;b\"\r\n"),
            ("x\t=c", "\"x\t'=c\"\r\n"),
            ("x|@c", "\"x|'@c\"\r\n"),
            ("x\n=c", "\"x\n'=c\"\r\n"),
            ("x; \"=c", "\"x; \"\"'=c\"\r\n"),
            ("x;=a;=b", "\"x;'=a;'=b\"\r\n"),
            ("x: -5", "\"x: '-5\"\r\n"),
            ("me@example.com - you", "\"me@example.com - you\"\r\n"),
            ("a\nb", "\"a\nb\"\r\n"),
            ("say \"hi\"", "\"say \"\"hi\"\"\"\r\n"),
            ("=1+1", "\"'=1+1\"\r\n"),
            (" =1+1", "\"' =1+1\"\r\n"),
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"\r\n"),
            ("+SUM(A1)", "\"'+SUM(A1)\"\r\n"),
            ("-2+3", "\"'-2+3\"\r\n"),
            ("@cmd", "\"'@cmd\"\r\n"),
            ("\t=1", "\"'\t'=1\"\r\n"),
            ("\u{a0}＝1", "\"'\u{a0}＝1\"\r\n"),
        ] {
            assert_eq!(written(&[cell]), expected, "{cell:?}");
        }
    }

    #[test]
    fn file_starts_with_the_byte_order_mark_and_the_column_names() {
        let mut table = CsvWriter::new(&["name", "units"]);
        table.write_row(&["سراج", "2"]);
        let text = String::from_utf8(table.into_bytes()).unwrap();
        assert_eq!(text, "\u{feff}\"name\",\"units\"\r\n\"سراج\",2\r\n");
    }
}
