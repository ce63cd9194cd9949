//! The catalogue as a table of rows, for files: Shopify's columns, and simpler ones of our own. Reading such a table, comparing it with
//! the catalogue, and writing it.
//!
//! A product is one row or several: one for each variant, and further ones for pictures. What is read here was written by anybody: each
//! mistake becomes a [`FileProblem`] with its row and column, and nothing that was typed is changed silently.

mod cell;
mod columns;
mod compare;
mod plan;
mod read;
mod write;

use serde::{Deserialize, Serialize};

use super::{Minor, Product, ProductPicture, ProductStatus, Titles};

pub use cell::{escape_formula, unescape_formula};
pub use columns::{Column, FileKind, TableHead};
pub use plan::{Plan, Target, WayBack, plan, plan_back};
pub use read::{ParsedProduct, TableReader};
pub use write::{head_row, rows_of};

/// The most characters of a handle.
pub const HANDLE_LENGTH_MAX: usize = 255;
/// The most rows of one product: its variants, and pictures that need rows of their own.
pub const ROWS_PER_PRODUCT_MAX: usize = super::product::VARIANTS_MAX + super::picture::GALLERY_MAX;
/// The most bytes of one row. A longer one has a quote that does not end.
pub const ROW_BYTES_MAX: usize = 1_000_000;
/// The most bytes of an imported file.
pub const FILE_BYTES_MAX: usize = 100_000_000;
/// The most problems that are kept of one product: the rest is most likely the same again.
pub const PROBLEMS_PER_PRODUCT_MAX: usize = 50;

/// A product as a file has it. What is `None` was not in the file or was empty, and stays as it is.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FileProduct {
    pub handle: String,
    /// The number of its first row in the file; the row with the names of the columns is 1.
    pub row: u64,
    pub title: Option<String>,
    pub titles: Titles,
    pub category: Option<String>,
    pub description: Option<String>,
    pub descriptions: Titles,
    pub delivery: Option<String>,
    pub deliveries: Titles,
    pub status: Option<ProductStatus>,
    /// The names of its options. Empty: its variants have names of their own.
    pub options: Vec<String>,
    pub variants: Vec<FileVariant>,
    pub pictures: Vec<FilePicture>,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct FileVariant {
    pub row: u64,
    /// One value for each option; without options its name, or nothing.
    pub values: Vec<String>,
    pub names: Titles,
    pub sku: Option<String>,
    pub barcode: Option<String>,
    pub price: Option<Minor>,
    pub cost: Option<Minor>,
    pub weight_g: Option<i64>,
    pub stock: Option<i64>,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct FilePicture {
    pub row: u64,
    /// As products have it: with a focus behind it, if it has one.
    pub address: String,
    pub alt: Option<String>,
}

/// What is wrong with a cell.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileProblem {
    pub row: u64,
    /// The name of the column; empty: the whole row.
    pub column: String,
    pub code: FileProblemCode,
    /// For a developer, and where the code is not enough.
    pub message: String,
}

/// Each code has a text on the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileProblemCode {
    /// A value is needed here.
    Missing,
    /// It is not a number as this file writes numbers.
    Number,
    /// It can be read as two different numbers; `message` has both.
    TwoReadings,
    /// A spreadsheet has shortened the number: digits are lost.
    CutNumber,
    /// A spreadsheet has made a date of it. The product can be imported.
    LooksLikeDate,
    /// The same handle was used further above, with other products between.
    RepeatedHandle,
    /// It is none of the words that are known here.
    UnknownWord,
    /// The product has more rows than a product may have.
    TooManyRows,
    /// Its letters could not be read in the encoding of the file.
    Encoding,
    /// The value breaks a rule of products; `message` says which.
    Refused,
    /// The picture could not be fetched; the product has its address.
    Picture,
    /// Somebody changed the product after the import, so it was not undone.
    ChangedSince,
    /// Somebody changed the product after the author of the edit had read it.
    Outdated,
    /// The stock is another one than the author of the edit has seen.
    StockChanged,
    /// More units would be taken away than the stock has.
    NotEnough,
    /// The product or the variant does not exist any more.
    Gone,
}

impl FileProblemCode {
    pub const ALL: [Self; 16] = {
        use FileProblemCode::*;
        [
            Missing,
            Number,
            TwoReadings,
            CutNumber,
            LooksLikeDate,
            RepeatedHandle,
            UnknownWord,
            TooManyRows,
            Encoding,
            Refused,
            Picture,
            ChangedSince,
            Outdated,
            StockChanged,
            NotEnough,
            Gone,
        ]
    };

    /// The product can be imported all the same.
    pub fn is_warning(self) -> bool {
        matches!(self, FileProblemCode::LooksLikeDate | FileProblemCode::Picture | FileProblemCode::ChangedSince)
    }
}

/// A product of the catalogue as files know it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CatalogueProduct {
    pub handle: String,
    pub product: Product,
    pub pictures: Vec<ProductPicture>,
}

/// A value that differs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FieldChange {
    pub row: u64,
    pub column: String,
    pub before: String,
    pub after: String,
    /// The variant, in an edit of a product that has several; else the row says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// A handle made from a title, as Shopify makes them: `Desk lamp (red)` gives `desk-lamp-red`.
pub fn handle_of(title: &str) -> String {
    let mut handle = String::new();
    for c in title.chars().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            handle.push(c);
        } else if !handle.is_empty() && !handle.ends_with('-') {
            handle.push('-');
        }
    }
    let handle: String = handle.trim_end_matches('-').chars().take(HANDLE_LENGTH_MAX).collect();
    handle.trim_end_matches('-').to_owned()
}
