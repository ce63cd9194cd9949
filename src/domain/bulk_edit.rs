//! Bulk edits: prices, stock and categories of many products at once, from a grid or from a stock take.
//!
//! Each variant of the request is a row, and so is a product without variants in it. A product is changed as a whole or not at all.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::catalogue_file::{CatalogueProduct, Column, FieldChange, FileKind, FileProblem, FileProblemCode, Target};
use super::catalogue_import::{ImportSource, ImportedRows};
use super::number_text::{latin_digits, write_amount};
use super::product::{in_range, validate_price};
use super::{Minor, Product, ProductId, Refusal, VariantId, limits, text};

/// The most rows of one bulk edit.
pub const BULK_ROWS_MAX: usize = 500;
/// The most variants that the products of one bulk edit have together: they are compared in memory.
pub const BULK_VARIANTS_MAX: usize = 20_000;
/// The most characters of what a scanner reads.
pub const SCAN_LENGTH_MAX: usize = 120;

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct BulkEdit {
    pub source: ImportSource,
    pub rows: ImportedRows,
    pub products: Vec<ProductEdit>,
}

/// The new values of one product. What is `None` stays.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ProductEdit {
    pub product: ProductId,
    /// The version that the author of the change has seen. Needed for a category and for prices; the stock changes without it.
    pub version: Option<i64>,
    /// The inner `None` takes the category away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Option<String>>,
    pub variants: Vec<VariantEdit>,
}

#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct VariantEdit {
    pub variant: VariantId,
    pub price: Option<Minor>,
    pub stock: Option<StockEdit>,
}

/// A new number of units. In a grid, `from` is the stock that its author has seen: another one is a conflict. In a stock take, `from`
/// is what was expected when the units were counted, and the difference is applied to the stock as it is now: units that were sold
/// or moved since stay sold or moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct StockEdit {
    pub from: i64,
    pub to: i64,
}

/// A product after a bulk edit.
#[derive(Clone, PartialEq, Debug)]
pub struct EditedProduct {
    /// Its version is the next one, unless nothing but the stock changes.
    pub target: Target,
    pub changes: Vec<FieldChange>,
    pub back: EditBack,
}

/// What an undo needs to know about a product that a bulk edit changed.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct EditBack {
    /// `None`: it was not changed.
    pub category: Option<OldCategory>,
    /// The prices before.
    pub prices: Vec<(VariantId, Minor)>,
    /// The units that were added; less than 0: taken away.
    pub added: Vec<(VariantId, i64)>,
}

/// A category before it was changed. A type of its own, because JSON does not distinguish a missing value from `null`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OldCategory {
    pub was: Option<String>,
}

impl BulkEdit {
    pub fn validated(self) -> Result<Self, Refusal> {
        let refuse = |why| Err(Refusal::invalid_value("products", why));
        if self.source == ImportSource::File {
            return Err(Refusal::invalid_value("source", "must be `grid` or `stock_take`."));
        }
        let rows: usize = self.products.iter().map(ProductEdit::rows).sum();
        if !(1..=BULK_ROWS_MAX).contains(&rows) {
            return Err(Refusal::bad_field("products", format!("must be 1 to {BULK_ROWS_MAX} rows.")));
        }
        let (mut products, mut variants) = (HashSet::new(), HashSet::new());
        if !self.products.iter().all(|edit| products.insert(edit.product)) {
            return refuse("must be different products.");
        }
        if !self.products.iter().flat_map(|edit| &edit.variants).all(|edit| variants.insert(edit.variant)) {
            return refuse("must have different variants.");
        }
        let needs_version = |edit: &ProductEdit| edit.version.is_none() && edit.changes_more_than_stock();
        if self.products.iter().any(needs_version) {
            return refuse("must have a `version` where a price or a category is changed.");
        }
        Ok(self)
    }
}

impl ProductEdit {
    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.variants.len().max(1)
    }

    fn changes_more_than_stock(&self) -> bool {
        self.category.is_some() || self.variants.iter().any(|edit| edit.price.is_some())
    }

    /// The product after the change, or everything that is wrong with it. `None`: nothing changes. `row` is the number of its first row.
    pub fn apply(
        &self,
        (source, row, decimals): (ImportSource, u64, usize),
        current: Option<&CatalogueProduct>,
    ) -> Result<Option<EditedProduct>, Vec<FileProblem>> {
        let mut problems = Problems { row, found: Vec::new() };
        let Some(current) = current else {
            problems.add(None, FileProblemCode::Gone, "There is no such product.");
            return Err(problems.found);
        };
        let product = &current.product;
        if self.version.is_some_and(|seen| seen != product.version) {
            problems.add(None, FileProblemCode::Outdated, "Somebody changed the product meanwhile.");
            return Err(problems.found);
        }
        let mut edited = Editing::new(current, (row, decimals));
        if let Some(category) = &self.category {
            match category.as_deref().map(text::category).transpose() {
                Ok(category) => edited.set_category(category),
                Err(refusal) => problems.refuse(Column::Category, &refusal),
            }
        }
        for (row, edit) in (row..).zip(&self.variants) {
            problems.row = row;
            edited.row = row;
            let Some(at) = product.variants.iter().position(|one| one.id == edit.variant) else {
                problems.add(None, FileProblemCode::Gone, "The product has no such variant.");
                continue;
            };
            match edit.price.map(validate_price).transpose() {
                Ok(price) => edited.set_price(at, price),
                Err(refusal) => problems.refuse(Column::Price, &refusal),
            }
            match edit.stock.map(|stock| stock.units(source, product.variants[at].stock)).transpose() {
                Ok(units) => edited.set_stock(at, units),
                Err((code, why)) => problems.add(Some(Column::Stock), code, why),
            }
        }
        problems.row = row;
        edited.finish(problems)
    }
}

impl StockEdit {
    /// The stock after the change; the stock is `now`.
    fn units(self, source: ImportSource, now: i64) -> Result<i64, (FileProblemCode, String)> {
        let refused = |refusal: Refusal| (FileProblemCode::Refused, refusal.to_string());
        for units in [self.from, self.to] {
            in_range(units, limits::STOCK, "stock").map_err(refused)?;
        }
        if source == ImportSource::StockTake {
            let units = now + self.to - self.from;
            let missing = self.from - self.to;
            return match units {
                ..0 => {
                    Err((FileProblemCode::NotEnough, format!("{missing} units are missing, and the stock has {now}.")))
                }
                _ => in_range(units, limits::STOCK, "stock").map_err(refused),
            };
        }
        match now == self.from {
            true => Ok(self.to),
            false => Err((FileProblemCode::StockChanged, format!("The stock is {now} now."))),
        }
    }
}

struct Problems {
    row: u64,
    found: Vec<FileProblem>,
}

impl Problems {
    fn add(&mut self, column: Option<Column>, code: FileProblemCode, message: impl Into<String>) {
        let column = column.map(|column| column.name_in(FileKind::Simple)).unwrap_or_default().to_owned();
        self.found.push(FileProblem { row: self.row, column, code, message: message.into() });
    }

    fn refuse(&mut self, column: Column, refusal: &Refusal) {
        self.add(Some(column), FileProblemCode::Refused, refusal.to_string());
    }
}

/// A product while it is changed.
struct Editing<'a> {
    before: &'a CatalogueProduct,
    product: Product,
    stock: Vec<(VariantId, i64)>,
    changes: Vec<FieldChange>,
    back: EditBack,
    /// The row whose cells are changed.
    row: u64,
    decimals: usize,
}

impl<'a> Editing<'a> {
    fn new(before: &'a CatalogueProduct, (row, decimals): (u64, usize)) -> Self {
        let (product, back) = (before.product.clone(), EditBack::default());
        Self { before, product, stock: Vec::new(), changes: Vec::new(), back, row, decimals }
    }

    fn set_category(&mut self, category: Option<String>) {
        if category == self.product.category {
            return;
        }
        let shown = |category: &Option<String>| category.clone().unwrap_or_default();
        let (before, after) = (shown(&self.product.category), shown(&category));
        self.note(Column::Category, None, (before, after));
        self.back.category = Some(OldCategory { was: std::mem::replace(&mut self.product.category, category) });
    }

    fn set_price(&mut self, at: usize, price: Option<Minor>) {
        let old = self.product.variants[at].price;
        let Some(price) = price.filter(|price| *price != old) else { return };
        let amounts = (write_amount(old, self.decimals), write_amount(price, self.decimals));
        self.note(Column::Price, Some(at), amounts);
        self.back.prices.push((self.product.variants[at].id, old));
        self.product.variants[at].price = price;
    }

    /// The stock of the product stays that of before: the new one stands beside it.
    fn set_stock(&mut self, at: usize, units: Option<i64>) {
        let (id, old) = (self.product.variants[at].id, self.product.variants[at].stock);
        let Some(units) = units.filter(|units| *units != old) else { return };
        self.note(Column::Stock, Some(at), (old.to_string(), units.to_string()));
        self.back.added.push((id, units - old));
        self.stock.push((id, units));
    }

    fn note(&mut self, column: Column, variant: Option<usize>, (before, after): (String, String)) {
        let is_named = self.product.variants.len() > 1;
        let variant = variant.filter(|_| is_named).map(|at| self.product.variants[at].name.clone());
        let column = column.name_in(FileKind::Simple).to_owned();
        self.changes.push(FieldChange { row: self.row, column, before, after, variant });
    }

    fn finish(self, mut problems: Problems) -> Result<Option<EditedProduct>, Vec<FileProblem>> {
        if !problems.found.is_empty() {
            return Err(problems.found);
        }
        if self.changes.is_empty() {
            return Ok(None);
        }
        let mut product = self.product;
        if !self.back.is_stock_only() {
            product.version += 1;
            product = match product.validated() {
                Ok(product) => product,
                Err(refusal) => {
                    problems.add(None, FileProblemCode::Refused, refusal.to_string());
                    return Err(problems.found);
                }
            };
        }
        let target = Target { product, pictures: self.before.pictures.clone(), stock: self.stock };
        Ok(Some(EditedProduct { target, changes: self.changes, back: self.back }))
    }
}

impl EditBack {
    /// Nothing but the stock was changed: this is undone whatever happened to the product since.
    pub fn is_stock_only(&self) -> bool {
        self.category.is_none() && self.prices.is_empty()
    }

    /// The product after the undo. Refused, with the reason, if fewer units are in the stock than the edit added: the others were moved
    /// or sold since.
    pub fn plan_back(&self, current: &CatalogueProduct) -> Result<Target, String> {
        let mut product = current.product.clone();
        if !self.is_stock_only() {
            product.version += 1;
        }
        if let Some(OldCategory { was }) = &self.category {
            product.category.clone_from(was);
        }
        for variant in &mut product.variants {
            let before = self.prices.iter().find(|(id, _)| *id == variant.id);
            variant.price = before.map_or(variant.price, |(_, price)| *price);
        }
        let mut stock = Vec::with_capacity(self.added.len());
        for (id, added) in &self.added {
            let Some(variant) = current.product.variants.iter().find(|one| one.id == *id) else { continue };
            let left = variant.stock - added;
            if left < 0 {
                return Err(format!("{added} units were added, and the stock has {} now.", variant.stock));
            }
            stock.push((*id, left));
        }
        Ok(Target { product, pictures: current.pictures.clone(), stock })
    }
}

/// A variant that a scanner has found, and where its units are.
#[derive(Clone, PartialEq, Debug)]
pub struct CountedVariant {
    pub product: ProductId,
    pub title: String,
    pub titles: text::Titles,
    pub image: Option<String>,
    pub variant: VariantId,
    pub name: String,
    pub names: text::Titles,
    pub sku: Option<String>,
    pub barcode: Option<String>,
    /// The units in stock.
    pub stock: i64,
    /// Units of offers that are not closed, without those that are held or sold.
    pub in_offers: i64,
    /// Units that are held, placed or sold, and not sent.
    pub to_send: i64,
}

impl CountedVariant {
    /// The units that should be in the shop: sold ones too, until they are sent.
    pub fn expected(&self) -> i64 {
        self.stock + self.in_offers + self.to_send
    }
}

/// What a scanned code may be in the catalogue: scanners read a UPC as an EAN with a zero before it or without it, a keyboard in Arabic
/// types other digits. The store compares SKUs without their case.
pub fn codes_of(scanned: &str) -> Result<Vec<String>, Refusal> {
    let code = latin_digits(&text::line(scanned, "scan", SCAN_LENGTH_MAX)?);
    let mut codes = vec![code.clone()];
    if code.bytes().all(|byte| byte.is_ascii_digit()) {
        match code.len() {
            12 => codes.push(format!("0{code}")),
            13 => codes.extend(code.strip_prefix('0').map(str::to_owned)),
            _ => {}
        }
    }
    Ok(codes)
}

#[cfg(test)]
#[path = "bulk_edit_test.rs"]
mod tests;
