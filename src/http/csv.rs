//! CSV files for spreadsheets (RFC 4180). No cell can be mistaken for a formula.

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

    /// Every text is quoted: in locales where a semicolon separates cells, an unquoted semicolon would split a text in two, and
    /// the second part could be a formula.
    fn with_prefix(begun: Vec<u8>) -> Self {
        let mut format = WriterBuilder::new();
        format.quote_style(QuoteStyle::NonNumeric).terminator(Terminator::CRLF).flexible(true);
        Self(format.from_writer(begun))
    }

    pub fn write_row<T: AsRef<str>>(&mut self, cells: &[T]) {
        // Writing to memory cannot fail.
        let _ = self.0.write_record(cells.iter().map(|cell| escape_formula(cell.as_ref()).into_owned()));
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap_or_default()
    }
}

/// Puts a `'` before a text that starts like a formula, so that spreadsheets show it as text. White space before it and full-width
/// signs are recognized too. Numbers stay numbers.
fn escape_formula(cell: &str) -> Cow<'_, str> {
    let first = cell.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').chars().next();
    let runs = first.is_some_and(|c| "=+-@|%＝＋－＠".contains(c)) || cell.starts_with(['\t', '\r', '\n']);
    if runs && cell.parse::<i64>().is_err() { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
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
            ("a,b;=c", "\"a,b;=c\"\r\n"),
            ("a\nb", "\"a\nb\"\r\n"),
            ("say \"hi\"", "\"say \"\"hi\"\"\"\r\n"),
            ("=1+1", "\"'=1+1\"\r\n"),
            (" =1+1", "\"' =1+1\"\r\n"),
            ("=HYPERLINK(\"http://x\",\"y\")", "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"\r\n"),
            ("+SUM(A1)", "\"'+SUM(A1)\"\r\n"),
            ("-2+3", "\"'-2+3\"\r\n"),
            ("@cmd", "\"'@cmd\"\r\n"),
            ("\t=1", "\"'\t=1\"\r\n"),
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
