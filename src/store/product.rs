//! The shop, its products, and the stock of their variants.

use std::collections::HashMap;

use uuid::Uuid;

use super::picture::claim_picture;
use super::product_change::{insert_price_change, insert_stock_change};
use super::row::from_row;
use super::transaction::Transaction;
use super::{KeyedRequest, Result, Store, from_json, ids_to_json, titles_from_json, titles_to_json, to_json};
use crate::domain::product::{ProductFilter, UNITS_MAX, VARIANTS_MAX};
use crate::domain::product_change::{ChangeAuthor, StockChangeForm};
use crate::domain::{
    Millis, Product, ProductId, ProductStatus, ProductTexts, Refusal, Shop, ShopId, StockReason, Variant, VariantId,
};

/// The variants of a page of products. A product has at most half as many, so a page has at least one product.
pub const PAGE_VARIANTS_MAX: usize = 2 * VARIANTS_MAX;

/// A page of products with their variants, without their texts.
#[derive(Debug)]
pub struct ProductPage {
    pub products: Vec<Product>,
    /// The page ended early, because its products have many variants: the next page begins after its last product.
    pub is_cut: bool,
}

pub(super) struct ProductRow {
    id: Uuid,
    version: i64,
    is_archived: bool,
    title: String,
    titles: String,
    image: Option<String>,
    category: Option<String>,
    options: String,
}

from_row!(ProductRow { id, version, is_archived, title, titles, image, category, options });

struct TextsRow {
    description: String,
    descriptions: String,
    delivery: String,
    deliveries: String,
}

from_row!(TextsRow { description, descriptions, delivery, deliveries });

pub(super) struct VariantRow {
    id: Uuid,
    pub product: Uuid,
    name: String,
    names: String,
    option_values: String,
    sku: Option<String>,
    barcode: Option<String>,
    price: i64,
    cost: Option<i64>,
    weight_g: Option<i64>,
    stock: i64,
}

from_row!(VariantRow { id, product, name, names, option_values, sku, barcode, price, cost, weight_g, stock });

impl VariantRow {
    pub fn into_variant(self) -> Result<Variant> {
        Ok(Variant {
            id: VariantId(self.id),
            name: self.name,
            names: titles_from_json(&self.names)?,
            options: from_json(&self.option_values)?,
            sku: self.sku,
            barcode: self.barcode,
            price: self.price,
            cost: self.cost,
            weight_g: self.weight_g,
            stock: self.stock,
        })
    }
}

impl TextsRow {
    fn into_texts(self) -> Result<ProductTexts> {
        let Self { description, descriptions, delivery, deliveries } = self;
        let (descriptions, deliveries) = (titles_from_json(&descriptions)?, titles_from_json(&deliveries)?);
        Ok(ProductTexts { description, descriptions, delivery, deliveries })
    }
}

impl ProductRow {
    fn into_product(self, variants: Vec<Variant>) -> Result<Product> {
        Ok(Product {
            id: ProductId(self.id),
            version: self.version,
            status: if self.is_archived { ProductStatus::Archived } else { ProductStatus::Active },
            title: self.title,
            titles: titles_from_json(&self.titles)?,
            image: self.image,
            category: self.category,
            options: from_json(&self.options)?,
            texts: ProductTexts::default(),
            variants,
        })
    }
}

/// A statement with every column of a product between its two halves.
macro_rules! products {
    ($after:literal) => {
        concat!(
            "select id, version, archived_at is not null as is_archived, title, titles, image, category, options
            from products ",
            $after
        )
    };
}

/// A page of products with a condition on their status.
macro_rules! product_list {
    ($status:literal) => {
        concat!(
            "select id, version, archived_at is not null as is_archived, title, titles, image, category, options
            from products where id > $1 ",
            $status,
            " order by id limit $2"
        )
    };
}

/// The same for the products that the index of words finds.
macro_rules! found_products {
    ($found:literal, $status:literal) => {
        concat!(
            "select id, version, archived_at is not null as is_archived, title, titles, image, category, options
            from products where id in (",
            $found,
            ") and id > $1 ",
            $status,
            " order by id limit $2"
        )
    };
    ($status:literal) => {
        (
            found_products!(
                "select w.product from product_words w where w.vector @@ cast($3 as text)::tsquery",
                $status
            ),
            found_products!(
                "select w.product from product_words w
                where w.number in (select rowid from product_words_index where product_words_index match $3)",
                $status
            ),
        )
    };
}

/// The same for a variant.
macro_rules! variants {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " id, product, name, names, option_values, sku, barcode, price, cost, weight_g, stock ",
            $after
        )
    };
}

const READ_TEXTS: &str = "select description, descriptions, delivery, deliveries from products where id = $1";
const READ_VARIANTS: &str =
    variants!("select", "from variants where product = $1 and removed_at is null order by position");

/// Reads a product with its texts and variants, in a transaction.
pub(super) async fn read_product(tx: &mut Transaction<'_>, id: ProductId) -> Result<Option<Product>> {
    let row: Option<ProductRow> = tx.query(products!("where id = $1")).bind(id.0).fetch_optional().await?;
    let Some(row) = row else { return Ok(None) };
    let texts: TextsRow = tx.query(READ_TEXTS).bind(id.0).fetch_one().await?;
    let variants: Vec<VariantRow> = tx.query(READ_VARIANTS).bind(id.0).fetch_all().await?;
    let variants = variants.into_iter().map(VariantRow::into_variant).collect::<Result<_>>()?;
    Ok(Some(Product { texts: texts.into_texts()?, ..row.into_product(variants)? }))
}

/// Writes a new variant at this place of its product.
pub(super) async fn insert_variant(
    tx: &mut Transaction<'_>,
    product: ProductId,
    (variant, position): (&Variant, usize),
    (by, now): (Option<&ChangeAuthor>, Millis),
) -> Result<()> {
    let insert = "insert into variants (id, product, name, names, option_values, sku, barcode, price, cost, weight_g,
        stock, position) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    tx.query(insert)
        .bind(variant.id.0)
        .bind(product.0)
        .bind(&variant.name)
        .bind(titles_to_json(&variant.names))
        .bind(to_json(&variant.options)?)
        .bind(&variant.sku)
        .bind(&variant.barcode)
        .bind(variant.price)
        .bind(variant.cost)
        .bind(variant.weight_g)
        .bind(variant.stock)
        .bind(position as i64)
        .execute()
        .await?;
    insert_price_change(tx, variant.id.0, variant.price, (by, now)).await?;
    if variant.stock > 0 {
        insert_stock_change(tx, variant.id.0, (variant.stock, StockReason::Created, None), (by, now)).await?;
    }
    Ok(())
}

/// Part of a transaction: writes a new product with its variants and their stock.
pub(super) async fn insert_product(
    tx: &mut Transaction<'_>,
    shop: ShopId,
    product: &Product,
    by: Option<&ChangeAuthor>,
) -> Result<()> {
    if let Some(image) = &product.image {
        claim_picture(tx, image, "image").await?;
    }
    let now = tx.now().await?;
    let insert = "insert into products (id, shop, title, titles, image, category, options, description,
        descriptions, delivery, deliveries, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    tx.query(insert)
        .bind(product.id.0)
        .bind(shop.0)
        .bind(&product.title)
        .bind(titles_to_json(&product.titles))
        .bind(&product.image)
        .bind(&product.category)
        .bind(to_json(&product.options)?)
        .bind(&product.texts.description)
        .bind(titles_to_json(&product.texts.descriptions))
        .bind(&product.texts.delivery)
        .bind(titles_to_json(&product.texts.deliveries))
        .bind(now)
        .execute()
        .await?;
    for (position, variant) in product.variants.iter().enumerate() {
        insert_variant(tx, product.id, (variant, position), (by, now)).await?;
    }
    Ok(())
}

pub(super) const SELECT_SHOP: &str = "select id, title, titles, currency from shops order by created_at limit 1";

/// Id, title, titles and currency.
pub(super) type ShopRow = (Uuid, String, String, String);

pub(super) fn read_shop((id, title, titles, currency): ShopRow) -> Result<Shop> {
    Ok(Shop { id: ShopId(id), title, titles: titles_from_json(&titles)?, currency })
}

impl Store {
    /// The one shop of this server; `None` before it is created.
    pub async fn shop(&self) -> Result<Option<Shop>> {
        let row: Option<ShopRow> = self.query(SELECT_SHOP).fetch_optional().await?;
        row.map(read_shop).transpose()
    }

    /// Creates the shop, unless another node created it first. Gives the shop that exists.
    pub async fn create_shop(&self, shop: Shop) -> Result<Shop> {
        self.transaction(async |tx| {
            let now = tx.now().await?;
            let insert = "insert into shops (id, title, titles, currency, created_at) values ($1, $2, $3, $4, $5)
                on conflict (singleton) do nothing";
            tx.query(insert)
                .bind(shop.id.0)
                .bind(&shop.title)
                .bind(titles_to_json(&shop.titles))
                .bind(&shop.currency)
                .bind(now)
                .execute()
                .await?;
            Ok(())
        })
        .await?;
        Ok(self.shop().await?.unwrap_or(shop))
    }

    /// Creates a product with its variants and their stock. Gives the id of the product, which is another one if the request
    /// was carried out before.
    pub async fn create_product(
        &self,
        shop: ShopId,
        product: &Product,
        request: Option<&KeyedRequest>,
    ) -> Result<ProductId> {
        self.transaction(async |tx| {
            if let Some(earlier) = tx.take_key(request, product.id.0).await? {
                return Ok(ProductId(earlier));
            }
            let by = request.map(KeyedRequest::author);
            insert_product(tx, shop, product, by.as_ref()).await?;
            Ok(product.id)
        })
        .await
    }

    /// Reads a product with its texts and variants.
    pub async fn product(&self, id: ProductId) -> Result<Option<Product>> {
        let row: Option<ProductRow> = self.query(products!("where id = $1")).bind(id.0).fetch_optional().await?;
        let Some(row) = row else { return Ok(None) };
        let texts: TextsRow = self.query(READ_TEXTS).bind(id.0).fetch_one().await?;
        let variants: Vec<VariantRow> = self.query(READ_VARIANTS).bind(id.0).fetch_all().await?;
        let variants = variants.into_iter().map(VariantRow::into_variant).collect::<Result<_>>()?;
        Ok(Some(Product { texts: texts.into_texts()?, ..row.into_product(variants)? }))
    }

    /// Reads a page of products with their variants, oldest first, after `after`: at most `limit` products and
    /// [`PAGE_VARIANTS_MAX`] variants.
    pub async fn products(&self, filter: &ProductFilter, after: Option<ProductId>, limit: i64) -> Result<ProductPage> {
        let mut rows: Vec<ProductRow> = match filter.search.as_deref().unwrap_or_default() {
            "" => self.listed_products(filter.status, after, limit).await?,
            search => self.found_products((filter.status, search), after, limit).await?,
        };
        let read = variants!(
            "select",
            "from variants where product in (select unhex(value) from json_each($1)) and removed_at is null
                order by product, position limit $2"
        );
        let on_postgres = variants!(
            "select",
            "from variants where product = any (array(select value::uuid from json_array_elements_text($1::json)))
                and removed_at is null order by product, position limit $2"
        );
        let ids = ids_to_json(rows.iter().map(|row| row.id))?;
        let one_more = PAGE_VARIANTS_MAX as i64 + 1;
        let variants: Vec<VariantRow> =
            self.query(self.choose(on_postgres, read)).bind(ids).bind(one_more).fetch_all().await?;
        // The product of the last variant that was read may have more of them.
        let cut = variants.last().filter(|_| variants.len() > PAGE_VARIANTS_MAX).map(|last| last.product);
        let is_cut = cut.is_some();
        if let Some(whole) = cut.and_then(|product| rows.iter().position(|row| row.id == product)) {
            rows.truncate(whole);
        }
        let mut of_product: HashMap<Uuid, Vec<Variant>> = HashMap::new();
        for row in variants {
            of_product.entry(row.product).or_default().push(row.into_variant()?);
        }
        let products = rows
            .into_iter()
            .map(|row| {
                let variants = of_product.remove(&row.id).unwrap_or_default();
                row.into_product(variants)
            })
            .collect::<Result<_>>()?;
        Ok(ProductPage { products, is_cut })
    }

    async fn listed_products(
        &self,
        status: Option<ProductStatus>,
        after: Option<ProductId>,
        limit: i64,
    ) -> Result<Vec<ProductRow>> {
        // Three texts, because few products are archived: they are read along an index of their own.
        let read = match status {
            None => product_list!(""),
            Some(ProductStatus::Active) => product_list!("and archived_at is null"),
            Some(ProductStatus::Archived) => product_list!("and archived_at is not null"),
        };
        let first = after.map_or(Uuid::nil(), |id| id.0);
        self.query(read).bind(first).bind(limit).fetch_all().await
    }

    /// The products that have the words of a search, as far as the words are written ([`Store::index_products`]).
    async fn found_products(
        &self,
        (status, search): (Option<ProductStatus>, &str),
        after: Option<ProductId>,
        limit: i64,
    ) -> Result<Vec<ProductRow>> {
        let Some(found) = self.search_query(search).await? else { return Ok(Vec::new()) };
        let (on_postgres, on_sqlite) = match status {
            None => found_products!(""),
            Some(ProductStatus::Active) => found_products!("and archived_at is null"),
            Some(ProductStatus::Archived) => found_products!("and archived_at is not null"),
        };
        let first = after.map_or(Uuid::nil(), |id| id.0);
        let read = self.choose(on_postgres, on_sqlite);
        self.report_query(read).bind(first).bind(limit).bind(found).fetch_all().await
    }

    /// Adds units to the stock of a variant, or takes them away, unless the request was carried out before. Gives the variant as it is
    /// now. Refused when it has fewer.
    pub async fn change_stock(
        &self,
        id: VariantId,
        change: &StockChangeForm,
        request: Option<&KeyedRequest>,
    ) -> Result<Variant> {
        let row: VariantRow = self
            .transaction(async |tx| {
                let read = variants!("select", "from variants where id = $1 and removed_at is null");
                if tx.take_key(request, id.0).await?.is_some() {
                    return tx.query(read).bind(id.0).fetch_optional().await?.ok_or(Refusal::NoSuchProduct.into());
                }
                let change_units = variants!(
                    "update variants set stock = stock + $2
                    where id = $1 and removed_at is null and stock + $2 between 0 and $3 returning",
                    ""
                );
                let update = tx.query(change_units).bind(id.0).bind(change.units).bind(UNITS_MAX);
                let row: Option<VariantRow> = update.fetch_optional().await?;
                let Some(row) = row else {
                    // An error, so that the key is not taken.
                    let found: Option<VariantRow> = tx.query(read).bind(id.0).fetch_optional().await?;
                    let left = found.ok_or(Refusal::NoSuchProduct)?.stock;
                    return Err(match change.units < 0 {
                        true => Refusal::NotEnoughStock { left }.into(),
                        false => Refusal::invalid_value("units", "would make the stock too large.").into(),
                    });
                };
                let now = tx.now().await?;
                let by = request.map(KeyedRequest::author);
                let what = (change.units, change.reason, change.note.as_deref());
                insert_stock_change(tx, id.0, what, (by.as_ref(), now)).await?;
                Ok(row)
            })
            .await?;
        row.into_variant()
    }

    /// Adds units that arrived to the stock of a variant, as [`Store::change_stock`] does.
    pub async fn restock_variant(&self, id: VariantId, add: i64, request: Option<&KeyedRequest>) -> Result<Variant> {
        let change = StockChangeForm { units: add, reason: StockReason::Received, note: None };
        self.change_stock(id, &change, request).await
    }
}
