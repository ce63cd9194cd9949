//! The shop, its products, and the stock of their variants.

use std::collections::HashMap;

use uuid::Uuid;

use super::row::from_row;
use super::{KeyedRequest, Result, Store, titles_from_json, titles_to_json};
use crate::domain::{Product, ProductId, Refusal, Shop, ShopId, Variant, VariantId};

/// A page of products.
pub type ProductPage = Vec<Product>;

struct ProductRow {
    id: Uuid,
    title: String,
    titles: String,
    image: Option<String>,
    category: Option<String>,
}

from_row!(ProductRow { id, title, titles, image, category });

struct VariantRow {
    id: Uuid,
    product: Uuid,
    name: String,
    names: String,
    sku: Option<String>,
    price: i64,
    stock: i64,
}

from_row!(VariantRow { id, product, name, names, sku, price, stock });

impl VariantRow {
    fn into_variant(self) -> Result<Variant> {
        Ok(Variant {
            id: VariantId(self.id),
            name: self.name,
            names: titles_from_json(&self.names)?,
            sku: self.sku,
            price: self.price,
            stock: self.stock,
        })
    }
}

impl ProductRow {
    fn into_product(self, variants: Vec<Variant>) -> Result<Product> {
        Ok(Product {
            id: ProductId(self.id),
            title: self.title,
            titles: titles_from_json(&self.titles)?,
            image: self.image,
            category: self.category,
            variants,
        })
    }
}

impl Store {
    /// The one shop of this server; `None` before it is created.
    pub async fn shop(&self) -> Result<Option<Shop>> {
        let read = "select id, title, titles, currency from shops order by created_at limit 1";
        let row: Option<(Uuid, String, String, String)> = self.query(read).fetch_optional().await?;
        row.map(|(id, title, titles, currency)| {
            Ok(Shop { id: ShopId(id), title, titles: titles_from_json(&titles)?, currency })
        })
        .transpose()
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
            let now = tx.now().await?;
            let insert = "insert into products (id, shop, title, titles, image, category, created_at)
                values ($1, $2, $3, $4, $5, $6, $7)";
            tx.query(insert)
                .bind(product.id.0)
                .bind(shop.0)
                .bind(&product.title)
                .bind(titles_to_json(&product.titles))
                .bind(&product.image)
                .bind(&product.category)
                .bind(now)
                .execute()
                .await?;
            let insert = "insert into variants (id, product, name, names, sku, price, stock, position)
                values ($1, $2, $3, $4, $5, $6, $7, $8)";
            for (position, variant) in product.variants.iter().enumerate() {
                tx.query(insert)
                    .bind(variant.id.0)
                    .bind(product.id.0)
                    .bind(&variant.name)
                    .bind(titles_to_json(&variant.names))
                    .bind(&variant.sku)
                    .bind(variant.price)
                    .bind(variant.stock)
                    .bind(position as i64)
                    .execute()
                    .await?;
            }
            Ok(product.id)
        })
        .await
    }

    /// Reads a product with its variants.
    pub async fn product(&self, id: ProductId) -> Result<Option<Product>> {
        let read = "select id, title, titles, image, category from products where id = $1";
        let Some(row) = self.query(read).bind(id.0).fetch_optional::<ProductRow>().await? else { return Ok(None) };
        let read =
            "select id, product, name, names, sku, price, stock from variants where product = $1 order by position";
        let variants: Vec<VariantRow> = self.query(read).bind(id.0).fetch_all().await?;
        let variants = variants.into_iter().map(VariantRow::into_variant).collect::<Result<_>>()?;
        row.into_product(variants).map(Some)
    }

    /// Reads a page of products with their variants, oldest first, after `after`.
    pub async fn products(&self, after: Option<ProductId>, limit: i64) -> Result<ProductPage> {
        let read = "select id, title, titles, image, category from products where id > $1 order by id limit $2";
        let first = after.map_or(Uuid::nil(), |id| id.0);
        let rows: Vec<ProductRow> = self.query(read).bind(first).bind(limit).fetch_all().await?;
        let Some(last) = rows.last().map(|row| row.id) else { return Ok(Vec::new()) };
        let read = "select id, product, name, names, sku, price, stock from variants
            where product > $1 and product <= $2 order by product, position";
        let variants: Vec<VariantRow> = self.query(read).bind(first).bind(last).fetch_all().await?;
        let mut of_product: HashMap<Uuid, Vec<Variant>> = HashMap::new();
        for row in variants {
            of_product.entry(row.product).or_default().push(row.into_variant()?);
        }
        rows.into_iter()
            .map(|row| {
                let variants = of_product.remove(&row.id).unwrap_or_default();
                row.into_product(variants)
            })
            .collect()
    }

    /// Adds units to the stock of a variant, unless the request was carried out before. Gives the variant as it is now.
    pub async fn restock_variant(&self, id: VariantId, add: i64, request: Option<&KeyedRequest>) -> Result<Variant> {
        let row: VariantRow = self
            .transaction(async |tx| {
                let add = if tx.take_key(request, id.0).await?.is_some() { 0 } else { add };
                let add_units = "update variants set stock = stock + $2 where id = $1
                    returning id, product, name, names, sku, price, stock";
                let row = tx.query(add_units).bind(id.0).bind(add).fetch_optional().await?;
                // An error, so that the key is not taken.
                row.ok_or(Refusal::NoSuchProduct.into())
            })
            .await?;
        row.into_variant()
    }
}
