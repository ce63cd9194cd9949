//! Changes of products: a new version with its revision, the offers that follow, the log of prices and the log of stock.
//!
//! Changes of products wait for each other (`lock_name`), so that `changed` grows by one with each: a node asks for what is newer
//! than what it has seen, and misses nothing. They lock variants and offers in the order of the store.

use uuid::Uuid;

use super::audit::insert_audit_entry;
use super::picture::{read_gallery, replace_first_picture, write_gallery};
use super::product::{insert_variant, read_product};
use super::row::from_row;
use super::transaction::Transaction;
use super::{Error, Result, Store, from_json, require_known, titles_from_json, titles_to_json, to_json};
use crate::domain::product_change::{ChangeAuthor, ProductRevision, is_called_differently, is_seen_in_offers};
use crate::domain::{
    AuditEntry, Millis, Minor, OfferId, PriceChange, Product, ProductForm, ProductId, ProductPicture, ProductStatus,
    Refusal, StockChange, StockReason, UserId, Variant, VariantId,
};

/// Changed products that one call of [`Store::products_changed_after`] finds at most.
const CHANGED_READ_TOGETHER_MAX: i64 = 1_000;

/// Revisions of one product that are read at most: they are kept in memory beside those of other products.
pub const REVISIONS_READ_MAX: i64 = 200;

/// A product after a change.
#[derive(Clone, PartialEq, Debug)]
pub struct ChangedProduct {
    pub product: Product,
    /// The offers that look different now; their versions were raised.
    pub offers: Vec<OfferId>,
}

impl Store {
    /// Changes a product, and makes its offers follow. A form that changes nothing leaves the version as it is. Refused as [`Refusal::Outdated`] if it has another version than the form.
    pub async fn change_product(
        &self,
        id: ProductId,
        form: &ProductForm,
        entry: &AuditEntry,
    ) -> Result<ChangedProduct> {
        self.transaction(async |tx| {
            let before = lock_product(tx, id).await?;
            let after = form.apply(&before)?;
            if (Product { version: before.version, ..after.clone() }) == before {
                return Ok(ChangedProduct { product: before, offers: Vec::new() });
            }
            if before.image != after.image {
                replace_first_picture(tx, id, after.image.as_deref()).await?;
            }
            write_change(tx, (&before, &after), (&ChangeAuthor::from(&entry.by), Some(entry))).await
        })
        .await
    }

    /// Replaces the gallery of a product; its first picture is the one that lists and offers show. The same gallery again changes
    /// nothing. Refused as [`Refusal::Outdated`] if the product has another version than the one on which the gallery is based.
    pub async fn set_gallery(
        &self,
        id: ProductId,
        (version, pictures): (i64, &[ProductPicture]),
        entry: &AuditEntry,
    ) -> Result<ChangedProduct> {
        self.transaction(async |tx| {
            let before = lock_product(tx, id).await?;
            if before.version != version {
                return Err(Refusal::Outdated.into());
            }
            if read_gallery(tx, &before).await?.iter().map(without_source).eq(pictures.iter().map(without_source)) {
                return Ok(ChangedProduct { product: before, offers: Vec::new() });
            }
            write_gallery(tx, id, pictures).await?;
            let image = pictures.first().map(ProductPicture::shown_address);
            let after = Product { image, version: before.version + 1, ..before.clone() };
            write_change(tx, (&before, &after), (&ChangeAuthor::from(&entry.by), Some(entry))).await
        })
        .await
    }

    /// Archives or restores a product. To do it again changes nothing.
    pub async fn set_product_status(
        &self,
        id: ProductId,
        status: ProductStatus,
        entry: &AuditEntry,
    ) -> Result<Product> {
        self.transaction(async |tx| {
            let before = lock_product(tx, id).await?;
            if before.status == status {
                return Ok(before);
            }
            let now = tx.now().await?;
            let at = (status == ProductStatus::Archived).then_some(now);
            let set = "update products set archived_at = $2, version = version + 1 where id = $1";
            tx.query(set).bind(id.0).bind(at).execute().await?;
            mark_changed(tx, id).await?;
            insert_audit_entry(tx, entry).await?;
            Ok(Product { status, version: before.version + 1, ..before })
        })
        .await
    }

    /// The number of the last change of any product.
    pub async fn last_product_change(&self) -> Result<i64> {
        self.query("select cast(coalesce(max(changed), 0) as bigint) from products").fetch_value().await
    }

    /// Reads the products that changed after the change with this number, and the number of the last of them.
    pub async fn products_changed_after(&self, number: i64) -> Result<Vec<(ProductId, i64)>> {
        let read = "select id, changed from products where changed > $1 order by changed limit $2";
        let rows: Vec<(Uuid, i64)> = self.query(read).bind(number).bind(CHANGED_READ_TOGETHER_MAX).fetch_all().await?;
        Ok(rows.into_iter().map(|(id, changed)| (ProductId(id), changed)).collect())
    }

    /// Reads what a product was called, the oldest revision first. A product that was never renamed has none. Of one that was renamed
    /// very often, the newest [`REVISIONS_READ_MAX`] are read; older orders show the oldest of them.
    pub async fn product_revisions(&self, id: ProductId) -> Result<Vec<ProductRevision>> {
        let read = "select version, at, title, titles, variants from product_revisions
            where product = $1 order by version desc limit $2";
        let query = self.query(read).bind(id.0).bind(REVISIONS_READ_MAX);
        let rows: Vec<(i64, i64, String, String, String)> = query.fetch_all().await?;
        rows.into_iter()
            .rev()
            .map(|(version, at, title, titles, variants)| {
                let (titles, variants) = (titles_from_json(&titles)?, from_json(&variants)?);
                Ok(ProductRevision { version, at, title, titles, variants })
            })
            .collect()
    }

    /// Reads a page of the stock log of a variant, newest first, before `after`.
    pub async fn stock_changes(&self, id: VariantId, after: Option<Uuid>, limit: i64) -> Result<Vec<StockChange>> {
        let read = "select id, at, units, stock, reason, note, by_user, by_name from stock_changes
            where variant = $1 and id < $2 order by id desc limit $3";
        let query = self.report_query(read).bind(id.0).bind(after.unwrap_or(Uuid::max())).bind(limit);
        let rows: Vec<StockChangeRow> = query.fetch_all().await?;
        rows.into_iter().map(StockChangeRow::into_change).collect()
    }

    /// Reads a page of the prices of a variant, newest first, before `after`.
    pub async fn price_changes(&self, id: VariantId, after: Option<Uuid>, limit: i64) -> Result<Vec<PriceChange>> {
        let read = "select id, at, price, by_user, by_name from price_changes
            where variant = $1 and id < $2 order by id desc limit $3";
        let query = self.report_query(read).bind(id.0).bind(after.unwrap_or(Uuid::max())).bind(limit);
        let rows: Vec<(Uuid, i64, i64, String, String)> = query.fetch_all().await?;
        rows.into_iter()
            .map(|(id, at, price, user, name)| Ok(PriceChange { id, at, price, by: author(&user, name)? }))
            .collect()
    }
}

struct StockChangeRow {
    id: Uuid,
    at: i64,
    units: i64,
    stock: i64,
    reason: String,
    note: Option<String>,
    by_user: String,
    by_name: String,
}

from_row!(StockChangeRow { id, at, units, stock, reason, note, by_user, by_name });

impl StockChangeRow {
    fn into_change(self) -> Result<StockChange> {
        let Self { id, at, units, stock, reason, note, by_user, by_name } = self;
        let known = StockReason::ALL.into_iter().find(|known| known.name() == reason);
        let reason = require_known(known, "reason", &reason)?;
        Ok(StockChange { id, at, units, stock, reason, note, by: author(&by_user, by_name)? })
    }
}

fn author(user: &str, name: String) -> Result<Option<ChangeAuthor>> {
    if user.is_empty() {
        return Ok(None);
    }
    let user = UserId::parse(user).map_err(|_| Error::CorruptRow(format!("user `{user}`")))?;
    Ok(Some(ChangeAuthor { user, name }))
}

fn without_source(picture: &ProductPicture) -> ProductPicture {
    ProductPicture { source: None, ..picture.clone() }
}

// Parts of a transaction.

/// Waits for other changes of products, locks the variants, and reads the product.
pub(super) async fn lock_product(tx: &mut Transaction<'_>, id: ProductId) -> Result<Product> {
    tx.lock_name("products").await?;
    let lock = tx.choose(
        "select id from variants where product = $1 order by id for no key update",
        "select id from variants where product = $1 order by id",
    );
    tx.query(lock).bind(id.0).fetch_values::<Uuid>().await?;
    read_product(tx, id).await?.ok_or(Refusal::NoSuchProduct.into())
}

/// Writes a product that is another one now, and the audit log entry if the change has one of its own.
pub(super) async fn write_change(
    tx: &mut Transaction<'_>,
    (before, after): (&Product, &Product),
    (by, entry): (&ChangeAuthor, Option<&AuditEntry>),
) -> Result<ChangedProduct> {
    let now = tx.now().await?;
    if is_called_differently(before, after) {
        insert_first_revision(tx, before).await?;
        insert_revision(tx, after.id, &ProductRevision::of(after, now)).await?;
    }
    update_product(tx, after).await?;
    update_variants(tx, (before, after), (by, now)).await?;
    if let Some(entry) = entry {
        insert_audit_entry(tx, entry).await?;
    }
    let offers = match is_seen_in_offers(before, after) {
        true => raise_offers(tx, before).await?,
        false => Vec::new(),
    };
    // Variants that were restocked or sold meanwhile have their stock in the row.
    let product = read_product(tx, after.id).await?.ok_or(Refusal::NoSuchProduct)?;
    Ok(ChangedProduct { product, offers })
}

async fn mark_changed(tx: &mut Transaction<'_>, id: ProductId) -> Result<()> {
    let mark = "update products set changed = (select coalesce(max(changed), 0) + 1 from products) where id = $1";
    tx.query(mark).bind(id.0).execute().await.map(drop)
}

async fn update_product(tx: &mut Transaction<'_>, after: &Product) -> Result<()> {
    let update = "update products set version = $2, title = $3, titles = $4, image = $5, category = $6, options = $7,
        description = $8, descriptions = $9, delivery = $10, deliveries = $11,
        search_stale = 1 where id = $1";
    tx.query(update)
        .bind(after.id.0)
        .bind(after.version)
        .bind(&after.title)
        .bind(titles_to_json(&after.titles))
        .bind(&after.image)
        .bind(&after.category)
        .bind(to_json(&after.options)?)
        .bind(&after.texts.description)
        .bind(titles_to_json(&after.texts.descriptions))
        .bind(&after.texts.delivery)
        .bind(titles_to_json(&after.texts.deliveries))
        .execute()
        .await?;
    mark_changed(tx, after.id).await
}

/// Writes the variants that changed, that are new, and that were left out.
async fn update_variants(
    tx: &mut Transaction<'_>,
    (before, after): (&Product, &Product),
    (by, now): (&ChangeAuthor, Millis),
) -> Result<()> {
    let by = Some(by);
    for removed in before.variants.iter().filter(|old| !after.variants.iter().any(|new| new.id == old.id)) {
        let remove = "update variants set removed_at = $2 where id = $1";
        tx.query(remove).bind(removed.id.0).bind(now).execute().await?;
    }
    for (position, variant) in after.variants.iter().enumerate() {
        match before.variants.iter().position(|old| old.id == variant.id) {
            None => match restore_variant(tx, after.id, variant.id).await? {
                None => insert_variant(tx, after.id, (variant, position), (by, now)).await?,
                Some(price) => {
                    update_variant(tx, variant, position).await?;
                    if price != variant.price {
                        insert_price_change(tx, variant.id.0, variant.price, (by, now)).await?;
                    }
                }
            },
            Some(at) if at == position && before.variants[at] == *variant => {}
            Some(at) => {
                update_variant(tx, variant, position).await?;
                if before.variants[at].price != variant.price {
                    insert_price_change(tx, variant.id.0, variant.price, (by, now)).await?;
                }
            }
        }
    }
    Ok(())
}

/// A variant that was left out earlier comes back with the stock that it has. Gives its price; `None`: there is no such variant.
async fn restore_variant(tx: &mut Transaction<'_>, product: ProductId, variant: VariantId) -> Result<Option<Minor>> {
    let restore = "update variants set removed_at = null where id = $1 and product = $2 returning price";
    tx.query(restore).bind(variant.0).bind(product.0).fetch_optional_value().await
}

/// Its stock stays: sales change it.
async fn update_variant(tx: &mut Transaction<'_>, variant: &Variant, position: usize) -> Result<()> {
    let update = "update variants set name = $2, names = $3, option_values = $4, sku = $5, barcode = $6, price = $7,
        cost = $8, weight_g = $9, position = $10 where id = $1";
    tx.query(update)
        .bind(variant.id.0)
        .bind(&variant.name)
        .bind(titles_to_json(&variant.names))
        .bind(to_json(&variant.options)?)
        .bind(&variant.sku)
        .bind(&variant.barcode)
        .bind(variant.price)
        .bind(variant.cost)
        .bind(variant.weight_g)
        .bind(position as i64)
        .execute()
        .await
        .map(drop)
}

/// Before the first change: what the product was called until then.
async fn insert_first_revision(tx: &mut Transaction<'_>, before: &Product) -> Result<()> {
    let count = "select cast(count(*) as bigint) from product_revisions where product = $1";
    if tx.query(count).bind(before.id.0).fetch_value::<i64>().await? > 0 {
        return Ok(());
    }
    insert_revision(tx, before.id, &ProductRevision::of(before, 0)).await
}

async fn insert_revision(tx: &mut Transaction<'_>, product: ProductId, revision: &ProductRevision) -> Result<()> {
    let insert = "insert into product_revisions (product, version, at, title, titles, variants)
        values ($1, $2, $3, $4, $5, $6)";
    tx.query(insert)
        .bind(product.0)
        .bind(revision.version)
        .bind(revision.at)
        .bind(&revision.title)
        .bind(titles_to_json(&revision.titles))
        .bind(to_json(&revision.variants)?)
        .execute()
        .await
        .map(drop)
}

/// Raises the versions of the offers of these variants that are not closed, so that every node shows what they are called now.
async fn raise_offers(tx: &mut Transaction<'_>, product: &Product) -> Result<Vec<OfferId>> {
    let mut raised = Vec::new();
    let read = "select o.id from offers o join variants v on v.id = o.variant
        where v.product = $1 and o.stage <> 'closed' order by o.id";
    let ids: Vec<Uuid> = tx.query(read).bind(product.id.0).fetch_values().await?;
    for id in ids {
        // One after the other, ascending: this is the order in which offers are locked.
        let raise = "update offers set version = version + 1 where id = $1 and stage <> 'closed'";
        if tx.query(raise).bind(id).execute().await? > 0 {
            raised.push(OfferId(id));
        }
    }
    Ok(raised)
}

pub(super) async fn insert_price_change(
    tx: &mut Transaction<'_>,
    variant: Uuid,
    price: Minor,
    (by, now): (Option<&ChangeAuthor>, Millis),
) -> Result<()> {
    let insert = "insert into price_changes (id, variant, at, price, by_user, by_name) values ($1, $2, $3, $4, $5, $6)";
    tx.query(insert)
        .bind(Uuid::now_v7())
        .bind(variant)
        .bind(now)
        .bind(price)
        .bind(by.map_or("", |by| by.user.as_str()))
        .bind(by.map_or("", |by| by.name.as_str()))
        .execute()
        .await
        .map(drop)
}

/// Writes an entry of the stock log, in the transaction of the change and after it: the stock is read from the row.
pub(super) async fn insert_stock_change(
    tx: &mut Transaction<'_>,
    variant: Uuid,
    (units, reason, note): (i64, StockReason, Option<&str>),
    (by, now): (Option<&ChangeAuthor>, Millis),
) -> Result<()> {
    let insert = "insert into stock_changes (id, variant, at, units, stock, reason, note, by_user, by_name)
        select $1, v.id, $3, $4, v.stock, $5, $6, $7, $8 from variants v where v.id = $2";
    tx.query(insert)
        .bind(Uuid::now_v7())
        .bind(variant)
        .bind(now)
        .bind(units)
        .bind(reason.name())
        .bind(note)
        .bind(by.map_or("", |by| by.user.as_str()))
        .bind(by.map_or("", |by| by.name.as_str()))
        .execute()
        .await
        .map(drop)
}
