//! Bulk edits of products: all of one request in one transaction, kept as an import that can be undone. And the variants that a
//! scanner finds.

use std::collections::HashMap;

use serde::Serialize;
use uuid::Uuid;

use super::audit::insert_audit_entry;
use super::catalogue_import::{as_json_text, insert_import};
use super::catalogue_product::read_catalogue_products;
use super::product::PAGE_VARIANTS_MAX;
use super::product_change::{insert_stock_change, write_change};
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, KeyedRequest, Result, Store, ids_to_json, titles_from_json, to_json};
use crate::domain::bulk_edit::{BULK_VARIANTS_MAX, BulkEdit, CountedVariant, EditBack, EditedProduct, ProductEdit};
use crate::domain::catalogue_file::{CatalogueProduct, FieldChange, FileProblem};
use crate::domain::catalogue_import::ImportedRows;
use crate::domain::product_change::ChangeAuthor;
use crate::domain::{
    AuditEntry, CatalogueImport, ImportId, ImportSource, ImportedState, Product, ProductId, Refusal, StockReason,
    VariantId,
};

/// Variants that one code finds at most.
const FOUND_MAX: i64 = 20;

/// A bulk edit as it is written.
pub struct BulkWrite<'a> {
    pub edit: &'a BulkEdit,
    /// The import under which it is kept.
    pub import: &'a CatalogueImport,
    /// Of the currency of the shop.
    pub decimals: usize,
    pub request: &'a KeyedRequest,
    pub entry: &'a AuditEntry,
}

/// What became of a bulk edit.
#[derive(Clone, PartialEq, Debug)]
pub enum BulkOutcome {
    /// It was saved, now or by an earlier request with the same key.
    Saved(ImportId),
    /// Nothing was saved.
    Nothing(Vec<EditOutcome>),
}

/// What became of a product of a bulk edit, or would have become of it.
#[derive(Clone, PartialEq, Debug)]
pub struct EditOutcome {
    pub product: ProductId,
    pub state: ImportedState,
    pub problems: Vec<FileProblem>,
}

/// A product of a bulk edit in the table of imported products.
#[derive(Serialize)]
struct KeptEdit {
    position: i64,
    handle: String,
    title: String,
    row_number: i64,
    rows: i64,
    state: &'static str,
    #[serde(serialize_with = "as_json_text")]
    problems: Vec<FileProblem>,
    #[serde(serialize_with = "as_json_text")]
    changes: Vec<FieldChange>,
    product: String,
    version: Option<i64>,
    before: Option<String>,
}

/// A product of a bulk edit, compared with what it is now.
struct Checked<'a> {
    edit: &'a ProductEdit,
    row: i64,
    current: Option<&'a CatalogueProduct>,
    result: std::result::Result<Option<EditedProduct>, Vec<FileProblem>>,
}

impl Store {
    /// Saves a bulk edit. A retry with the same key saves nothing more. Nothing is saved if no product changes, or if one is refused
    /// and the edit wants all or nothing.
    pub async fn save_bulk_edit(&self, write: &BulkWrite<'_>) -> Result<BulkOutcome> {
        self.transaction(async |tx| {
            if let Some(earlier) = tx.take_key(Some(write.request), write.import.id.0).await? {
                return Ok(BulkOutcome::Saved(ImportId(earlier)));
            }
            let current = lock_products(tx, write.edit).await?;
            let checked = check(write, &current);
            let is_refused = checked.iter().any(|one| one.result.is_err());
            let changes = checked.iter().any(|one| matches!(one.result, Ok(Some(_))));
            if !changes || (is_refused && write.edit.rows == ImportedRows::All) {
                // The same key may be used for the next try.
                tx.query("delete from idempotency_keys where buyer = $1 and verb = $2 and key = $3")
                    .bind(write.request.user.as_str())
                    .bind(write.request.verb)
                    .bind(write.request.key.as_str())
                    .execute()
                    .await?;
                return Ok(BulkOutcome::Nothing(checked.into_iter().map(EditOutcome::from).collect()));
            }
            write_all(tx, write, checked).await?;
            insert_audit_entry(tx, write.entry).await?;
            Ok(BulkOutcome::Saved(write.import.id))
        })
        .await
    }

    /// Reads these products with their variants, without their texts.
    pub async fn products_by_id(&self, ids: &[ProductId]) -> Result<Vec<Product>> {
        let found = self.catalogue_products(ids).await?;
        Ok(found.into_iter().map(|one| one.product).collect())
    }

    /// Finds the variants with one of these barcodes or SKUs, and where their units are, all at one moment. Reads all reservations of
    /// each, so it is a query of a report.
    pub async fn counted_variants(&self, codes: &[String]) -> Result<Vec<CountedVariant>> {
        let read = self.choose(COUNTED_ON_POSTGRES, COUNTED_ON_SQLITE);
        let rows: Vec<CountedRow> = self.report_query(read).bind(to_json(&codes)?).bind(FOUND_MAX).fetch_all().await?;
        rows.into_iter().map(CountedRow::into_counted).collect()
    }

    /// The same for all variants of these products, which have at most [`PAGE_VARIANTS_MAX`] together.
    pub async fn counted_variants_of(&self, products: &[ProductId]) -> Result<Vec<CountedVariant>> {
        let read = self.choose(COUNTED_OF_PRODUCTS_ON_POSTGRES, COUNTED_OF_PRODUCTS_ON_SQLITE);
        let ids = ids_to_json(products.iter().map(|id| id.0))?;
        let rows: Vec<CountedRow> =
            self.report_query(read).bind(ids).bind(PAGE_VARIANTS_MAX as i64).fetch_all().await?;
        rows.into_iter().map(CountedRow::into_counted).collect()
    }
}

/// One statement: a sale between two of them would move a unit from one number into another. Subqueries for one value stay look-ups; joins
/// would read whole tables where the statistics say that a variant has many offers.
macro_rules! counted {
    ($codes:literal) => {
        concat!(
            "select v.id, v.product, v.name, v.names, v.sku, v.barcode, v.stock, p.title, p.titles, p.image,
                cast((select coalesce(sum(o.quantity - o.reserved), 0) from offers o
                    where o.variant = v.id and o.stage <> 'closed') as bigint) as in_offers,
                cast((select coalesce(sum((select coalesce(sum(r.qty - r.returned), 0) from reservations r
                    where r.offer = o.id and r.status in ('held', 'capturing', 'placed', 'sold')
                        and (select s.order_id from shipments s where s.order_id = r.order_id) is null)), 0)
                    from offers o where o.variant = v.id) as bigint) as to_send
            from variants v join products p on p.id = v.product
            where v.removed_at is null and v.id in (",
            $codes,
            ") order by p.id, v.position limit $2"
        )
    };
}

const COUNTED_ON_POSTGRES: &str = counted!(
    "select id from variants where barcode = any (array(select json_array_elements_text($1::json)))
    union select id from variants where lower(sku) = any (array(select lower(json_array_elements_text($1::json))))"
);
const COUNTED_ON_SQLITE: &str = counted!(
    "select id from variants where barcode in (select value from json_each($1))
    union select id from variants where lower(sku) in (select lower(value) from json_each($1))"
);

const COUNTED_OF_PRODUCTS_ON_POSTGRES: &str = counted!(
    "select id from variants where product = any (array(select value::uuid from json_array_elements_text($1::json)))"
);
const COUNTED_OF_PRODUCTS_ON_SQLITE: &str =
    counted!("select id from variants where product in (select unhex(value) from json_each($1))");

struct CountedRow {
    id: Uuid,
    product: Uuid,
    name: String,
    names: String,
    sku: Option<String>,
    barcode: Option<String>,
    stock: i64,
    title: String,
    titles: String,
    image: Option<String>,
    in_offers: i64,
    to_send: i64,
}

from_row!(CountedRow { id, product, name, names, sku, barcode, stock, title, titles, image, in_offers, to_send });

impl CountedRow {
    fn into_counted(self) -> Result<CountedVariant> {
        Ok(CountedVariant {
            product: ProductId(self.product),
            title: self.title,
            titles: titles_from_json(&self.titles)?,
            image: self.image,
            variant: VariantId(self.id),
            name: self.name,
            names: titles_from_json(&self.names)?,
            sku: self.sku,
            barcode: self.barcode,
            stock: self.stock,
            in_offers: self.in_offers,
            to_send: self.to_send,
        })
    }
}

/// Waits for other changes of products, locks the variants of all products of the edit in ascending order, and reads the products.
async fn lock_products(tx: &mut Transaction<'_>, edit: &BulkEdit) -> Result<HashMap<ProductId, CatalogueProduct>> {
    tx.lock_name("products").await?;
    let ids = ids_to_json(edit.products.iter().map(|one| one.product.0))?;
    let lock = tx.choose(
        "select id from variants where product = any (array(select value::uuid from json_array_elements_text($1::json)))
            order by id for no key update",
        "select id from variants where product in (select unhex(value) from json_each($1)) order by id",
    );
    let variants = tx.query(lock).bind(&ids).fetch_values::<Uuid>().await?;
    if BULK_VARIANTS_MAX < variants.len() {
        return Err(Refusal::invalid_value("products", "have too many variants together: send fewer at once.").into());
    }
    let found = read_catalogue_products(tx, &ids).await?;
    Ok(found.into_iter().map(|one| (one.product.id, one)).collect())
}

fn check<'a>(write: &BulkWrite<'a>, current: &'a HashMap<ProductId, CatalogueProduct>) -> Vec<Checked<'a>> {
    let mut row = 1;
    let check = |edit: &'a ProductEdit| {
        let first = row;
        row += edit.rows() as i64;
        let current = current.get(&edit.product);
        let result = edit.apply((write.edit.source, first as u64, write.decimals), current);
        Checked { edit, row: first, current, result }
    };
    write.edit.products.iter().map(check).collect()
}

impl From<Checked<'_>> for EditOutcome {
    fn from(Checked { edit, result, .. }: Checked<'_>) -> Self {
        let (state, problems) = match result {
            Ok(Some(_)) => (ImportedState::Change, Vec::new()),
            Ok(None) => (ImportedState::Same, Vec::new()),
            Err(problems) => (ImportedState::Refused, problems),
        };
        Self { product: edit.product, state, problems }
    }
}

/// Writes the products that change, and keeps what was done with each.
async fn write_all(tx: &mut Transaction<'_>, write: &BulkWrite<'_>, checked: Vec<Checked<'_>>) -> Result<()> {
    let mut kept = Vec::with_capacity(checked.len());
    for (position, one) in (0..).zip(checked) {
        let edited = match &one.result {
            Ok(Some(edited)) => one.current.zip(Some(edited)),
            _ => None,
        };
        if let Some((current, edited)) = edited {
            write_edited(tx, write, (current, edited)).await?;
        }
        kept.push(kept_edit(position, one)?);
    }
    let json = to_json(&kept)?;
    let import = CatalogueImport { bytes: json.len() as i64, rows: kept.len() as i64, ..write.import.clone() };
    insert_import(tx, &import).await?;
    let insert = tx.choose(INSERT_KEPT_ON_POSTGRES, INSERT_KEPT_ON_SQLITE);
    tx.query(insert).bind(import.id.0).bind(&json).execute().await.map(drop)
}

const INSERT_KEPT_ON_POSTGRES: &str =
    "insert into catalogue_import_products (import, position, handle, title, row_number, rows, state, problems, changes,
        data, product, version, before)
    select $1, position, handle, title, row_number, rows, state, problems, changes, '{}', product::uuid, version, before
    from json_to_recordset($2::json) as kept(position bigint, handle text, title text, row_number bigint, rows bigint,
        state text, problems text, changes text, product text, version bigint, before text)";
const INSERT_KEPT_ON_SQLITE: &str =
    "insert into catalogue_import_products (import, position, handle, title, row_number, rows, state, problems, changes,
        data, product, version, before)
    select $1, value ->> 'position', value ->> 'handle', value ->> 'title', value ->> 'row_number', value ->> 'rows',
        value ->> 'state', value ->> 'problems', value ->> 'changes', '{}', unhex(value ->> 'product'),
        value ->> 'version', value ->> 'before'
    from json_each($2)";

fn kept_edit(position: i64, Checked { edit, row, current, result }: Checked<'_>) -> Result<KeptEdit> {
    let (state, problems, edited) = match result {
        Ok(Some(edited)) => (ImportedState::Changed, Vec::new(), Some(edited)),
        Ok(None) => (ImportedState::Same, Vec::new(), None),
        Err(problems) => (ImportedState::Refused, problems, None),
    };
    let id = edit.product.0.simple().to_string();
    let version = edited.as_ref().filter(|edited| !edited.back.is_stock_only());
    Ok(KeptEdit {
        position,
        handle: current.map_or_else(|| id.clone(), |one| one.handle.clone()),
        title: current.map(|one| one.product.title.clone()).unwrap_or_default(),
        row_number: row,
        rows: edit.rows() as i64,
        state: state.name(),
        problems,
        product: id,
        version: version.map(|edited| edited.target.product.version),
        before: edited.as_ref().map(|edited| to_json(&edited.back)).transpose()?,
        changes: edited.map(|edited| edited.changes).unwrap_or_default(),
    })
}

async fn write_edited(
    tx: &mut Transaction<'_>,
    write: &BulkWrite<'_>,
    (current, edited): (&CatalogueProduct, &EditedProduct),
) -> Result<()> {
    let by = ChangeAuthor::from(&write.import.by);
    if !edited.back.is_stock_only() {
        write_change(tx, (&current.product, &edited.target.product), (&by, None)).await?;
    }
    write_stock(tx, (current, &edited.target.stock), (reason_of(write.edit.source), &by)).await
}

/// Writes the new stock of variants, and why, into the stock log.
pub(super) async fn write_stock(
    tx: &mut Transaction<'_>,
    (current, stock): (&CatalogueProduct, &[(VariantId, i64)]),
    (reason, by): (StockReason, &ChangeAuthor),
) -> Result<()> {
    let now = tx.now().await?;
    for (id, units) in stock {
        let Some(old) = current.product.variants.iter().find(|one| one.id == *id) else { continue };
        let set = "update variants set stock = $2 where id = $1";
        tx.query(set).bind(id.0).bind(*units).execute().await?;
        insert_stock_change(tx, id.0, (units - old.stock, reason, None), (Some(by), now)).await?;
    }
    Ok(())
}

/// Why an import changes a stock, and why its undo does.
pub(super) fn reason_of(source: ImportSource) -> StockReason {
    match source {
        ImportSource::File => StockReason::Counted,
        ImportSource::Grid => StockReason::Correction,
        ImportSource::StockTake => StockReason::StockTake,
    }
}

/// How an undo finds out what a bulk edit changed.
pub(super) fn edit_back(source: ImportSource, before: Option<&str>) -> Result<Option<EditBack>> {
    match (source, before) {
        (ImportSource::File, _) => Ok(None),
        (_, Some(json)) => super::from_json(json).map(Some),
        (_, None) => Err(Error::CorruptRow("a bulk edit without a way back".to_owned())),
    }
}
