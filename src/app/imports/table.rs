//! Reads a file as a table, on a thread of its own: parts of bytes go in, products come out. Both ways are bounded, so a large file
//! needs no more memory than a small one.

use std::io::Read;

use bytes::Bytes;
use csv::{ReaderBuilder, StringRecord};
use tokio::sync::mpsc;

use super::encoding::TextDecoder;
use crate::domain::catalogue_file::{FileKind, ParsedProduct, ROW_BYTES_MAX, TableHead, TableReader};
use crate::domain::number_text::NumberLanguage;

/// So much text is read to recognise the separator and the columns.
const HEAD_BYTES: usize = 64 * 1024;
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// How a file is read.
#[derive(Clone, Debug)]
pub struct TableFormat {
    pub encoding: String,
    pub language: NumberLanguage,
    /// Of the currency of the shop.
    pub decimals: usize,
}

/// What the thread finds.
#[derive(Debug)]
pub enum Found {
    /// First: the file is of this kind.
    Kind(FileKind),
    Product(Box<ParsedProduct>),
    /// The file cannot be used, or not further than this.
    Unusable(String),
    /// Everything was read.
    End,
}

/// Reads a table from its parts. It ends early when nobody takes what it finds.
pub fn read_table(format: &TableFormat, parts: mpsc::Receiver<Bytes>, found: &mpsc::Sender<Found>) {
    let end = match read(format, parts, found) {
        Ok(()) => Found::End,
        Err(why) => Found::Unusable(why),
    };
    let _ = found.blocking_send(end);
}

fn read(format: &TableFormat, parts: mpsc::Receiver<Bytes>, found: &mpsc::Sender<Found>) -> Result<(), String> {
    let mut text = PartReader {
        decoder: TextDecoder::new(&format.encoding),
        parts,
        text: String::new(),
        at: 0,
        has_ended: false,
        of_row: 0,
    };
    text.fill(HEAD_BYTES);
    let (separator, skipped) = separator_of(text.rest());
    text.at += skipped;
    let mut reader = ReaderBuilder::new()
        .delimiter(separator)
        .has_headers(false)
        .flexible(true)
        .buffer_capacity(16 * 1024)
        .from_reader(text);
    let mut record = StringRecord::new();
    let head = loop {
        if !next_row(&mut reader, &mut record)? {
            return Err("The file is empty.".to_owned());
        }
        if record.iter().any(|cell| !cell.trim().is_empty()) {
            break TableHead::recognise(record.iter());
        }
    };
    if !head.is_usable() {
        return Err("The first row has no column that is called `title` or `handle`.".to_owned());
    }
    if found.blocking_send(Found::Kind(head.kind)).is_err() {
        return Ok(());
    }
    let mut table = TableReader::new(head, format.language, format.decimals);
    let mut rows = 1;
    while next_row(&mut reader, &mut record)? {
        rows += 1;
        // A database takes no zero character.
        let cells: Vec<String> = record.iter().map(|cell| cell.replace('\0', "\u{fffd}")).collect();
        let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
        if let Some(product) = table.push(rows, &cells)
            && found.blocking_send(Found::Product(Box::new(product))).is_err()
        {
            return Ok(());
        }
    }
    if let Some(product) = table.finish() {
        let _ = found.blocking_send(Found::Product(Box::new(product)));
    }
    Ok(())
}

fn next_row(reader: &mut csv::Reader<PartReader>, record: &mut StringRecord) -> Result<bool, String> {
    reader.get_mut().of_row = 0;
    reader.read_record(record).map_err(|error| {
        let row = reader.position().record() + 1;
        match error.kind() {
            csv::ErrorKind::Io(_) => {
                format!("Row {row} has more than {ROW_BYTES_MAX} bytes: most likely a quote before it does not end.")
            }
            _ => format!("Row {row} cannot be read."),
        }
    })
}

/// The separator with which most names of columns are known, and how many bytes in front of the table are none of it: spreadsheets
/// write `sep=;`.
fn separator_of(beginning: &str) -> (u8, usize) {
    let line = beginning.split('\n').next().unwrap_or_default();
    if let Some(rest) = line.strip_prefix("sep=")
        && let Some(separator) = rest.bytes().next().filter(|byte| SEPARATORS.contains(byte))
    {
        return (separator, (line.len() + 1).min(beginning.len()));
    }
    let known = |separator: u8| {
        let mut reader = ReaderBuilder::new()
            .delimiter(separator)
            .has_headers(false)
            .flexible(true)
            .from_reader(beginning.as_bytes());
        let first = reader.records().flatten().find(|row| row.iter().any(|cell| !cell.trim().is_empty()));
        first.map_or(0, |row| TableHead::recognise(row.iter()).known())
    };
    let best = SEPARATORS.into_iter().rev().max_by_key(|separator| known(*separator));
    (best.unwrap_or(b','), 0)
}

/// The text of a file, decoded while it is read.
struct PartReader {
    decoder: TextDecoder,
    parts: mpsc::Receiver<Bytes>,
    text: String,
    /// What is before this was read.
    at: usize,
    has_ended: bool,
    /// Bytes since the last row began.
    of_row: usize,
}

impl PartReader {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Decodes parts until there are this many bytes, or the file ends.
    fn fill(&mut self, bytes: usize) {
        while self.text.len() - self.at < bytes && !self.has_ended {
            if self.at > 0 {
                self.text.drain(..self.at);
                self.at = 0;
            }
            match self.parts.blocking_recv() {
                Some(part) => self.decoder.decode(&part, false, &mut self.text),
                None => {
                    self.decoder.decode(&[], true, &mut self.text);
                    self.has_ended = true;
                }
            }
        }
    }
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.fill(1);
        let rest = &self.text.as_bytes()[self.at..];
        let taken = rest.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&rest[..taken]);
        self.at += taken;
        self.of_row += taken;
        // The reader reads ahead, so a row may begin with what it has in its buffer.
        if ROW_BYTES_MAX < self.of_row {
            return Err(std::io::Error::other("the row is too long"));
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(file: &[u8], encoding: &str) -> (Option<FileKind>, Vec<ParsedProduct>, Result<(), String>) {
        let (part_sender, parts) = mpsc::channel(10_000);
        for part in file.chunks(1_000) {
            part_sender.try_send(Bytes::copy_from_slice(part)).unwrap();
        }
        drop(part_sender);
        let (sender, mut found) = mpsc::channel(100_000);
        let format = TableFormat { encoding: encoding.to_owned(), language: NumberLanguage::En, decimals: 2 };
        read_table(&format, parts, &sender);
        let (mut kind, mut products) = (None, Vec::new());
        loop {
            match found.try_recv().unwrap() {
                Found::Kind(found) => kind = Some(found),
                Found::Product(product) => products.push(*product),
                Found::Unusable(why) => return (kind, products, Err(why)),
                Found::End => return (kind, products, Ok(())),
            }
        }
    }

    #[test]
    fn separator_quotes_line_breaks_and_empty_lines_are_read() {
        for file in [
            "title,description,price\r\n\"Mug, red\",\"Two\r\nlines\",12.50\r\n\r\nPot,,5\r\n",
            "\u{feff}title;description;price\n\"Mug, red\";\"Two\r\nlines\";12.50\nPot;;5",
            "title\tdescription\tprice\nMug, red\t\"Two\r\nlines\"\t12.50\nPot\t\t5\n",
            "sep=;\r\ntitle;description;price\r\n\"Mug, red\";\"Two\r\nlines\";12.50\r\nPot;;5\r\n",
        ] {
            let (kind, products, end) = read_all(file.as_bytes(), "UTF-8");
            assert_eq!((kind, end.is_ok()), (Some(FileKind::Simple), true), "{file}");
            let mug = &products[0].product;
            assert_eq!((mug.title.as_deref(), mug.variants[0].price), (Some("Mug, red"), Some(1_250)), "{file}");
            assert_eq!(mug.description.as_deref(), Some("Two\r\nlines"));
            assert_eq!((products.len(), products[1].product.title.as_deref()), (2, Some("Pot")), "{file}");
        }
    }

    #[test]
    fn quote_that_does_not_end_is_named_and_needs_no_memory() {
        let file = format!("title,price\nMug,5\nPot,\"6\n{}", "x,1\n".repeat(1_000_000));
        let (_, products, end) = read_all(file.as_bytes(), "UTF-8");
        assert_eq!(products.len(), 0, "the first product is still open");
        assert!(end.unwrap_err().contains("a quote before it does not end"));
        for unusable in ["", "\n\n", "a,b\n1,2\n", "\u{0}\u{1}\u{2}"] {
            assert!(read_all(unusable.as_bytes(), "UTF-8").2.is_err(), "{unusable:?}");
        }
    }

    /// Ten thousand files that were broken by chance: each is read or refused with a sentence, and none stops the thread.
    #[test]
    fn broken_files_are_refused_in_words_and_never_panic() {
        let whole = "handle,title,option1 name,option1 value,price,stock,barcode,status,picture,description\r\n\
            mug,\"Mug, \"\"red\"\"\",Size,\"S\",12.50,3,6281234567890,active,https://cdn.example/1.jpg,\"<p>Two\nlines</p>\"\r\n\
            mug,,,M,\"1,200.00\",٣,6.28E+12,draft,,\r\n'=pot,مصباح,,,-5,1e3,05-Mar,sold,http://x,&amp;\r\n"
            .as_bytes();
        let mut seed = 11_u64;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let noise = [b'"', b',', b';', b'\t', b'\r', b'\n', b'\'', b'=', 0, 0xff, 0xfe, 0xd8, 0x80, b'E', b'&', b'<'];
        let encodings = ["UTF-8", "UTF-16LE", "windows-1256", "windows-1252", "UTF-16BE"];
        for round in 0..10_000 {
            let mut file = whole.to_vec();
            for _ in 0..=random(6) {
                if file.is_empty() {
                    break;
                }
                let at = random(file.len());
                match random(4) {
                    0 => file[at] = noise[random(noise.len())],
                    1 => file.insert(at, noise[random(noise.len())]),
                    2 => drop(file.remove(at)),
                    _ => file.truncate(at.max(1)),
                }
            }
            let (kind, products, end) = read_all(&file, encodings[round % encodings.len()]);
            match end {
                Err(why) => assert!(why.ends_with('.'), "{why}"),
                Ok(_) => assert!(kind.is_some()),
            }
            for problem in products.iter().flat_map(|product| &product.problems) {
                assert!(problem.row > 1 && !problem.message.is_empty());
            }
            for parsed in products {
                let _ = crate::domain::catalogue_file::plan(kind.unwrap(), &parsed.product, None, 2);
            }
        }
    }
}
