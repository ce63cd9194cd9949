//! The shop's catalogue and its pools.

use std::collections::HashMap;

use uuid::Uuid;

use super::{Error, Result, Store, in_transaction, now_in, on_reader, titles_from_json, titles_to_json};
use crate::domain::{Millis, Product, ProductId, Refusal, Shop, ShopId, Variant, VariantId};

/// A page of products.
pub type ProductPage = Vec<Product>;

#[derive(sqlx::FromRow)]
struct ProductRow {
    id: Uuid,
    title: String,
    titles: String,
    image: Option<String>,
    category: Option<String>,
}

#[derive(sqlx::FromRow)]
struct VariantRow {
    id: Uuid,
    product: Uuid,
    name: String,
    names: String,
    sku: Option<String>,
    price: i64,
    stock: i64,
}

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

impl Store {
    /// The one shop of this server; `None` before it is made.
    pub async fn shop(&self) -> Result<Option<Shop>> {
        let read = "select id, title, titles, currency from shops order by created_at limit 1";
        let row: Option<(Uuid, String, String, String)> =
            on_reader!(self, pool => sqlx::query_as(read).fetch_optional(pool).await?);
        row.map(|(id, title, titles, currency)| {
            Ok(Shop { id: ShopId(id), title, titles: titles_from_json(&titles)?, currency })
        })
        .transpose()
    }

    /// Makes the shop, unless another node was first; gives the one there is.
    pub async fn create_shop(&self, shop: Shop) -> Result<Shop> {
        in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let insert = "insert into shops (id, title, titles, currency, created_at) values ($1, $2, $3, $4, $5)
                on conflict (one) do nothing";
            sqlx::query(insert)
                .bind(shop.id.0)
                .bind(&shop.title)
                .bind(titles_to_json(&shop.titles))
                .bind(&shop.currency)
                .bind(now)
                .execute(&mut *tx)
                .await?;
        });
        Ok(self.shop().await?.unwrap_or(shop))
    }

    pub async fn create_product(&self, shop: ShopId, product: &Product) -> Result<()> {
        in_transaction!(self, |tx, _dialect| {
            let now: Millis = now_in!(self, tx);
            let insert = "insert into products (id, shop, title, titles, image, category, created_at)
                values ($1, $2, $3, $4, $5, $6, $7)";
            sqlx::query(insert)
                .bind(product.id.0)
                .bind(shop.0)
                .bind(&product.title)
                .bind(titles_to_json(&product.titles))
                .bind(&product.image)
                .bind(&product.category)
                .bind(now)
                .execute(&mut *tx)
                .await?;
            let insert = "insert into variants (id, product, name, names, sku, price, stock, position)
                values ($1, $2, $3, $4, $5, $6, $7, $8)";
            for (position, variant) in product.variants.iter().enumerate() {
                sqlx::query(insert)
                    .bind(variant.id.0)
                    .bind(product.id.0)
                    .bind(&variant.name)
                    .bind(titles_to_json(&variant.names))
                    .bind(&variant.sku)
                    .bind(variant.price)
                    .bind(variant.stock)
                    .bind(position as i64)
                    .execute(&mut *tx)
                    .await?;
            }
        });
        Ok(())
    }

    /// Products with their variants, oldest first, after `after`.
    pub async fn products(&self, after: Option<ProductId>, limit: i64) -> Result<ProductPage> {
        let read = "select id, title, titles, image, category from products where id > $1 order by id limit $2";
        let first = after.map_or(Uuid::nil(), |id| id.0);
        let rows: Vec<ProductRow> =
            on_reader!(self, pool => sqlx::query_as(read).bind(first).bind(limit).fetch_all(pool).await?);
        let Some(last) = rows.last().map(|row| row.id) else { return Ok(Vec::new()) };
        let read = "select id, product, name, names, sku, price, stock from variants
            where product > $1 and product <= $2 order by product, position";
        let variants: Vec<VariantRow> =
            on_reader!(self, pool => sqlx::query_as(read).bind(first).bind(last).fetch_all(pool).await?);
        let mut of_product: HashMap<Uuid, Vec<Variant>> = HashMap::new();
        for row in variants {
            of_product.entry(row.product).or_default().push(row.into_variant()?);
        }
        rows.into_iter()
            .map(|row| {
                Ok(Product {
                    id: ProductId(row.id),
                    title: row.title,
                    titles: titles_from_json(&row.titles)?,
                    image: row.image,
                    category: row.category,
                    variants: of_product.remove(&row.id).unwrap_or_default(),
                })
            })
            .collect()
    }

    /// Adds units to a pool.
    pub async fn restock_variant(&self, id: VariantId, add: i64) -> Result<Variant> {
        let row: VariantRow = in_transaction!(self, |tx, _dialect| {
            let grow = "update variants set stock = stock + $2 where id = $1
                returning id, product, name, names, sku, price, stock";
            sqlx::query_as(grow)
                .bind(id.0)
                .bind(add)
                .fetch_optional(&mut *tx)
                .await?
                .ok_or(Error::Refused(Refusal::NoSuchProduct))?
        });
        row.into_variant()
    }
}
