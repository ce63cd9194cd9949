//! Reads the rows of a file into products. Rows of one product stand together; each mistake in a cell is noted, and the rest is read on.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::cell::{Exponent, exponent, looks_like_date, unescape_formula};
use super::columns::{Column, FileKind, TableHead};
use super::{
    FilePicture, FileProblem, FileProblemCode, FileProduct, FileVariant, HANDLE_LENGTH_MAX, PROBLEMS_PER_PRODUCT_MAX,
    ROWS_PER_PRODUCT_MAX, handle_of,
};
use crate::domain::ProductStatus;
use crate::domain::number_text::{NumberFault, NumberLanguage, latin_digits, parse_number};
use crate::domain::product::OPTIONS_MAX;

/// A product of a file, and what is wrong with its cells.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct ParsedProduct {
    pub product: FileProduct,
    pub rows: u64,
    pub problems: Vec<FileProblem>,
}

/// Reads rows one after the other.
pub struct TableReader {
    head: TableHead,
    language: NumberLanguage,
    decimals: usize,
    /// The product whose rows are read now, and the hash of its handle.
    open: Option<(u64, ParsedProduct)>,
    /// The hashes of the handles of earlier products: a file may have a million.
    seen: HashSet<u64>,
}

/// One row with its number.
struct Row<'a> {
    number: u64,
    cells: &'a [&'a str],
    head: &'a TableHead,
}

impl Row<'_> {
    /// The text of a cell as it was before the export; `None`: there is none, or it is empty.
    fn text(&self, column: Column) -> Option<&str> {
        let at = self.head.columns.iter().position(|one| *one == Some(column))?;
        let text = unescape_formula(self.cells.get(at)?);
        (text.len() <= bytes_max(column) && !text.trim().is_empty()).then_some(text)
    }

    fn line(&self, column: Column) -> Option<String> {
        self.text(column).map(|text| text.trim().to_owned())
    }
}

impl ParsedProduct {
    fn note(&mut self, (row, column): (u64, &str), code: FileProblemCode, message: String) {
        if self.problems.len() < PROBLEMS_PER_PRODUCT_MAX {
            self.problems.push(FileProblem { row, column: column.to_owned(), code, message });
        }
    }
}

impl TableReader {
    /// `decimals` are those of the currency of the shop.
    pub fn new(head: TableHead, language: NumberLanguage, decimals: usize) -> Self {
        Self { head, language, decimals, open: None, seen: HashSet::new() }
    }

    /// Reads a row. Gives the product before it, if this row begins another one.
    pub fn push(&mut self, number: u64, cells: &[&str]) -> Option<ParsedProduct> {
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            return None;
        }
        let head = std::mem::take(&mut self.head);
        let row = Row { number, cells, head: &head };
        let handle = row.line(Column::Handle).or_else(|| row.text(Column::Title).map(handle_of));
        let handle = handle.filter(|handle| !handle.is_empty());
        let hash = handle.as_ref().map(|handle| hash_of(handle));
        let is_next = match (&self.open, hash) {
            (None, _) => true,
            // A row without a handle and a title belongs to the product above it.
            (Some(_), None) => false,
            (Some((open, _)), Some(hash)) => *open != hash,
        };
        let mut ended = None;
        if is_next {
            ended = self.finish();
            let handle = handle.unwrap_or_default();
            let hash = hash.unwrap_or_default();
            let mut parsed =
                ParsedProduct { product: FileProduct { row: number, ..FileProduct::default() }, ..Default::default() };
            if handle.is_empty() {
                let column = Column::Title.name_in(head.kind);
                parsed.note(
                    (number, column),
                    FileProblemCode::Missing,
                    "The row has neither a handle nor a title.".into(),
                );
            } else if HANDLE_LENGTH_MAX < handle.chars().count() {
                let message = format!("A handle has at most {HANDLE_LENGTH_MAX} characters.");
                parsed.note((number, Column::Handle.name_in(head.kind)), FileProblemCode::Refused, message);
            } else if !self.seen.insert(hash) {
                let column = Column::Handle.name_in(head.kind);
                parsed.note(
                    (number, column),
                    FileProblemCode::RepeatedHandle,
                    "This handle was used further above.".into(),
                );
            }
            parsed.product.handle = handle.chars().take(HANDLE_LENGTH_MAX).collect();
            self.open = Some((hash, parsed));
        }
        if let Some((_, parsed)) = &mut self.open {
            parsed.rows += 1;
            if parsed.rows as usize <= ROWS_PER_PRODUCT_MAX {
                CellReader { row: &row, language: self.language, decimals: self.decimals, parsed }.read();
            } else if parsed.rows as usize == ROWS_PER_PRODUCT_MAX + 1 {
                let message = format!("A product has at most {ROWS_PER_PRODUCT_MAX} rows.");
                parsed.note((number, ""), FileProblemCode::TooManyRows, message);
            }
        }
        self.head = head;
        ended
    }

    /// The product of the last rows.
    pub fn finish(&mut self) -> Option<ParsedProduct> {
        self.open.take().map(|(_, parsed)| parsed)
    }
}

fn hash_of(handle: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    handle.hash(&mut hasher);
    hasher.finish()
}

/// Reads the cells of one row into its product.
struct CellReader<'a> {
    row: &'a Row<'a>,
    language: NumberLanguage,
    decimals: usize,
    parsed: &'a mut ParsedProduct,
}

impl CellReader<'_> {
    fn read(&mut self) {
        if self.row.cells.iter().any(|cell| cell.contains('\u{fffd}')) {
            self.note(None, FileProblemCode::Encoding, "A character could not be read.".into());
        }
        for (column, cell) in self.row.head.columns.iter().zip(self.row.cells) {
            if let Some(column) = column.filter(|column| bytes_max(*column) < cell.len()) {
                let message = format!("It has more than {} bytes.", bytes_max(column));
                self.note(Some(column), FileProblemCode::Refused, message);
            }
        }
        let row = self.row;
        self.read_texts();
        if let Some(address) = row.line(Column::Picture) {
            let alt = row.line(Column::PictureAlt);
            self.parsed.product.pictures.push(FilePicture { row: row.number, address, alt });
        }
        self.read_variant();
    }

    /// What is of the whole product: the first row that has it counts.
    fn read_texts(&mut self) {
        let row = self.row;
        let status = match row.line(Column::Status).map(|word| word.to_lowercase()).as_deref() {
            None => None,
            Some("active") => Some(ProductStatus::Active),
            Some("archived" | "draft" | "unlisted") => Some(ProductStatus::Archived),
            Some(other) => {
                let message = format!("`{other}` is not `active`, `draft` or `archived`.");
                self.note(Some(Column::Status), FileProblemCode::UnknownWord, message);
                None
            }
        };
        let is_shopify = row.head.kind == FileKind::Shopify;
        let markdown = |text: &str| if is_shopify { super::write::markdown_of(text) } else { text.to_owned() };
        let product = &mut self.parsed.product;
        let first = |field: &mut Option<String>, given: Option<String>| {
            if field.is_none() {
                *field = given;
            }
        };
        first(&mut product.title, row.line(Column::Title));
        first(&mut product.category, row.line(Column::Category));
        first(&mut product.description, row.text(Column::Description).map(markdown));
        first(&mut product.delivery, row.text(Column::Delivery).map(str::to_owned));
        product.status = product.status.or(status);
        for language in LANGUAGES {
            let set = |titles: &mut crate::domain::Titles, given: Option<&str>| {
                if let Some(text) = given {
                    titles.entry(language.to_owned()).or_insert_with(|| text.to_owned());
                }
            };
            set(&mut product.titles, row.text(Column::TitleIn(language)).map(str::trim));
            set(&mut product.descriptions, row.text(Column::DescriptionIn(language)));
            set(&mut product.deliveries, row.text(Column::DeliveryIn(language)));
        }
        if product.options.is_empty() {
            let names: Vec<String> =
                (0..OPTIONS_MAX).map_while(|n| row.line(Column::OptionName(n))).map(single_spaced).collect();
            product.options = names;
        }
    }

    /// A row that has nothing of a variant is one of a picture.
    fn read_variant(&mut self) {
        let row = self.row;
        let values: Vec<String> =
            (0..OPTIONS_MAX).map_while(|n| row.line(Column::OptionValue(n))).map(single_spaced).collect();
        let name = row.line(Column::VariantName);
        let is_first = self.parsed.product.variants.is_empty();
        let has_price = row.text(Column::Price).is_some();
        let has_other = [Column::Sku, Column::Barcode, Column::Stock].iter().any(|column| row.text(*column).is_some());
        if !is_first && values.is_empty() && name.is_none() && !has_price && !has_other {
            return;
        }
        for (at, value) in values.iter().enumerate() {
            self.warn_of_date(Column::OptionValue(at), value);
        }
        let values = if values.is_empty() { name.into_iter().collect() } else { values };
        let names = LANGUAGES
            .into_iter()
            .filter_map(|language| row.line(Column::VariantNameIn(language)).map(|text| (language.to_owned(), text)));
        let names = names.collect();
        let sku = row.line(Column::Sku);
        if let Some(sku) = &sku {
            self.warn_of_date(Column::Sku, sku);
        }
        let variant = FileVariant {
            row: row.number,
            values,
            names,
            sku,
            barcode: self.barcode(),
            price: self.number(Column::Price, self.decimals),
            cost: self.number(Column::Cost, self.decimals),
            weight_g: self.number(Column::WeightG, 0),
            stock: self.number(Column::Stock, 0),
        };
        self.parsed.product.variants.push(variant);
    }

    fn barcode(&mut self) -> Option<String> {
        let text = latin_digits(&self.row.line(Column::Barcode)?);
        match exponent(&text) {
            Exponent::None => Some(text),
            Exponent::Whole(digits) => Some(digits),
            Exponent::Cut => {
                let message = format!("`{text}` has lost digits in a spreadsheet: make the column a text there.");
                self.note(Some(Column::Barcode), FileProblemCode::CutNumber, message);
                None
            }
        }
    }

    fn number(&mut self, column: Column, decimals: usize) -> Option<i64> {
        let text = self.row.line(column)?;
        // Whole numbers come with decimals that are zero from some spreadsheets: `5.0` pieces are 5.
        let whole = text.strip_suffix(".0").filter(|_| decimals == 0).unwrap_or(&text);
        match parse_number(whole, self.language, decimals) {
            Ok(number) => return Some(number),
            Err(NumberFault::Readings(readings)) => {
                let message = format!("`{text}` can be read as {}.", readings.join(" or as "));
                self.note(Some(column), FileProblemCode::TwoReadings, message);
            }
            Err(_) if exponent(&text) != Exponent::None => {
                self.note(Some(column), FileProblemCode::CutNumber, format!("`{text}` is a number of a spreadsheet."));
            }
            Err(fault) => {
                let why = match fault {
                    NumberFault::Decimals => "has too many decimals",
                    NumberFault::Grouping => "is grouped irregularly",
                    NumberFault::Negative => "is below zero",
                    NumberFault::TooLarge => "is too large",
                    _ => "is not a number",
                };
                self.note(Some(column), FileProblemCode::Number, format!("`{text}` {why}."));
            }
        }
        None
    }

    fn warn_of_date(&mut self, column: Column, text: &str) {
        if looks_like_date(text) {
            let message = format!("`{text}` looks like a date that a spreadsheet created from another value.");
            self.note(Some(column), FileProblemCode::LooksLikeDate, message);
        }
    }

    fn note(&mut self, column: Option<Column>, code: FileProblemCode, message: String) {
        let name = column.map_or("", |column| column.name_in(self.row.head.kind));
        // A long cell would fill the list of problems.
        let message = message.chars().take(MESSAGE_LENGTH_MAX).collect();
        self.parsed.note((self.row.number, name), code, message);
    }
}

/// Options are stored with one space for each run of white space.
fn single_spaced(text: String) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A longer cell is not read: no text of a product is so long.
fn bytes_max(column: Column) -> usize {
    match column {
        Column::Description | Column::DescriptionIn(_) => 60_000,
        Column::Delivery | Column::DeliveryIn(_) => 10_000,
        _ => 2_100,
    }
}

/// The languages that have columns of their own.
pub(super) const LANGUAGES: [&str; 3] = ["ar", "en", "id"];
const MESSAGE_LENGTH_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(language: NumberLanguage, table: &[&[&str]]) -> Vec<ParsedProduct> {
        let head = TableHead::recognise(table[0].iter().copied());
        let mut reader = TableReader::new(head, language, 2);
        let mut products = Vec::new();
        for (number, row) in (2..).zip(&table[1..]) {
            products.extend(reader.push(number, row));
        }
        products.extend(reader.finish());
        products
    }

    fn problems(parsed: &ParsedProduct) -> Vec<(u64, &str, FileProblemCode)> {
        parsed.problems.iter().map(|one| (one.row, one.column.as_str(), one.code)).collect()
    }

    #[test]
    fn rows_of_one_product_stand_together_and_pictures_may_have_rows_of_their_own() {
        let table: [&[&str]; 6] = [
            &["Handle", "Title", "Option1 Name", "Option1 Value", "Variant Price", "Image Src", "Image Alt Text"],
            &["mug", "Mug", "Colour", "Red", "12.50", "https://cdn.example/1.jpg", "Red mug"],
            &["mug", "", "", "Blue", "13", "https://cdn.example/2.jpg", ""],
            &["mug", "", "", "", "", "https://cdn.example/3.jpg", ""],
            &["", "", "", "", "", "", ""],
            &["pot", "Pot", "Title", "Default Title", "5", "", ""],
        ];
        let products = read(NumberLanguage::En, &table);
        let mug = &products[0].product;
        assert_eq!(
            (products.len(), mug.handle.as_str(), mug.options.as_slice()),
            (2, "mug", ["Colour".to_owned()].as_slice())
        );
        let variants: Vec<_> = mug.variants.iter().map(|one| (one.row, one.values[0].as_str(), one.price)).collect();
        assert_eq!(variants, [(2, "Red", Some(1_250)), (3, "Blue", Some(1_300))]);
        let pictures: Vec<_> = mug.pictures.iter().map(|one| (one.row, one.alt.as_deref())).collect();
        assert_eq!(pictures, [(2, Some("Red mug")), (3, None), (4, None)]);
        assert_eq!((products[1].product.row, products[1].problems.len()), (6, 0));
    }

    #[test]
    fn every_mistake_has_its_row_and_column() {
        let table: [&[&str]; 7] = [
            &["title", "price", "barcode", "stock", "status", "sku", "handle"],
            &["Mug", "1.200", "6.28E+12", "two", "sold", "05-Mar", ""],
            &["", "", "", "", "", "", ""],
            &["Pot", "1,200.00", "6.281234567890E+12", "5.0", "Active", "A1", ""],
            &["Mug", "-5", "", "1.5", "archived", "", ""],
            &["", "3", "", "", "", "B", ""],
            &["\u{fffd}", "1", "", "", "", "", "x"],
        ];
        let products = read(NumberLanguage::En, &table);
        assert_eq!(
            problems(&products[0]),
            [
                (2, "status", FileProblemCode::UnknownWord),
                (2, "sku", FileProblemCode::LooksLikeDate),
                (2, "barcode", FileProblemCode::CutNumber),
                (2, "price", FileProblemCode::TwoReadings),
                (2, "stock", FileProblemCode::Number),
            ]
        );
        assert_eq!(products[0].problems[3].message, "`1.200` can be read as 1,200.00 or as 1.20.");
        assert_eq!(problems(&products[1]), []);
        let pot = &products[1].product.variants[0];
        assert_eq!((pot.price, pot.barcode.as_deref(), pot.stock), (Some(120_000), Some("6281234567890"), Some(5)));
        let again = problems(&products[2]);
        assert_eq!(again[0], (5, "handle", FileProblemCode::RepeatedHandle));
        assert!(again.contains(&(5, "price", FileProblemCode::Number)), "{again:?}");
        assert_eq!(products[2].product.variants.len(), 2, "a row without a title belongs to the product above it");
        assert_eq!(problems(&products[3]), [(7, "", FileProblemCode::Encoding)]);
        let indonesian = read(NumberLanguage::Id, &[&["title", "price"], &["Mug", "150.000,50"]]);
        assert_eq!(indonesian[0].product.variants[0].price, Some(15_000_050));
    }

    #[test]
    fn rows_cells_and_handles_have_limits() {
        let long = "x".repeat(bytes_max(Column::Sku) + 1);
        let products = read(NumberLanguage::En, &[&["title", "price", "sku"], &["Mug", "5", &long]]);
        assert_eq!(problems(&products[0]), [(2, "sku", FileProblemCode::Refused)]);
        let handle = "h".repeat(HANDLE_LENGTH_MAX + 1);
        let products = read(NumberLanguage::En, &[&["handle", "title", "price"], &[&handle, "Mug", "5"]]);
        assert_eq!(problems(&products[0]), [(2, "handle", FileProblemCode::Refused)]);
        let mut table: Vec<&[&str]> = vec![&["handle", "title", "variant", "price"]];
        table.extend(std::iter::repeat_n::<&[&str]>(&["mug", "Mug", "Red", "5"], ROWS_PER_PRODUCT_MAX + 10));
        let products = read(NumberLanguage::En, &table);
        assert_eq!(problems(&products[0]), [(2 + ROWS_PER_PRODUCT_MAX as u64, "", FileProblemCode::TooManyRows)]);
        assert_eq!(products[0].product.variants.len(), ROWS_PER_PRODUCT_MAX, "the others need no memory");
        let mistakes: Vec<&[&str]> = std::iter::repeat_n::<&[&str]>(&["mug", "", "Red", "none"], 200).collect();
        let table: Vec<&[&str]> =
            [&["handle", "title", "variant", "price"] as &[&str]].into_iter().chain(mistakes).collect();
        let products = read(NumberLanguage::En, &table);
        assert_eq!(products[0].problems.len(), super::super::PROBLEMS_PER_PRODUCT_MAX);
    }
}
