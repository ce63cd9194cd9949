//! Inserts new products of an import, many by four statements: the database gets them as JSON.

use serde::Serialize;
use uuid::Uuid;

use super::catalogue_import_apply::ImportWriter;
use super::picture::write_gallery;
use super::transaction::Transaction;
use super::{Result, titles_to_json, to_json};
use crate::domain::ProductStatus;
use crate::domain::catalogue_file::Target;
use crate::domain::catalogue_import::ImportedProduct;

#[derive(Serialize)]
struct NewProductJson<'a> {
    id: String,
    handle: &'a str,
    title: &'a str,
    titles: String,
    image: Option<&'a str>,
    category: Option<&'a str>,
    options: String,
    description: &'a str,
    descriptions: String,
    delivery: &'a str,
    deliveries: String,
    archived: bool,
}

/// Which product of an import is which one of the catalogue.
#[derive(Serialize)]
struct CreatedJson {
    id: String,
    position: i64,
}

#[derive(Serialize)]
struct NewVariantJson<'a> {
    id: String,
    price_id: String,
    stock_id: String,
    product: String,
    name: &'a str,
    names: String,
    option_values: String,
    sku: Option<&'a str>,
    barcode: Option<&'a str>,
    price: i64,
    cost: Option<i64>,
    weight_g: Option<i64>,
    stock: i64,
    place: usize,
}

/// Inserts new products with their variants, prices and stock by four statements.
pub(super) async fn insert_products(
    tx: &mut Transaction<'_>,
    writer: &ImportWriter,
    targets: &[(&ImportedProduct, Target)],
) -> Result<()> {
    if targets.is_empty() {
        return Ok(());
    }
    tx.lock_name("products").await?;
    let now = tx.now().await?;
    let hex = |id: Uuid| id.simple().to_string();
    let mut products = Vec::with_capacity(targets.len());
    let (mut variants, mut created) = (Vec::new(), Vec::with_capacity(targets.len()));
    for (imported, Target { product, .. }) in targets {
        products.push(NewProductJson {
            id: hex(product.id.0),
            handle: &imported.handle,
            title: &product.title,
            titles: titles_to_json(&product.titles),
            image: product.image.as_deref(),
            category: product.category.as_deref(),
            options: to_json(&product.options)?,
            description: &product.texts.description,
            descriptions: titles_to_json(&product.texts.descriptions),
            delivery: &product.texts.delivery,
            deliveries: titles_to_json(&product.texts.deliveries),
            archived: product.status == ProductStatus::Archived,
        });
        created.push(CreatedJson { id: hex(product.id.0), position: imported.position });
        for (place, variant) in product.variants.iter().enumerate() {
            variants.push(NewVariantJson {
                id: hex(variant.id.0),
                price_id: hex(Uuid::now_v7()),
                stock_id: hex(Uuid::now_v7()),
                product: hex(product.id.0),
                name: &variant.name,
                names: titles_to_json(&variant.names),
                option_values: to_json(&variant.options)?,
                sku: variant.sku.as_deref(),
                barcode: variant.barcode.as_deref(),
                price: variant.price,
                cost: variant.cost,
                weight_g: variant.weight_g,
                stock: variant.stock,
                place,
            });
        }
    }
    let (products, variants) = (to_json(&products)?, to_json(&variants)?);
    let insert = tx.choose(INSERT_PRODUCTS_ON_POSTGRES, INSERT_PRODUCTS_ON_SQLITE);
    tx.query(insert).bind(writer.shop.0).bind(now).bind(&products).execute().await?;
    let insert = tx.choose(INSERT_VARIANTS_ON_POSTGRES, INSERT_VARIANTS_ON_SQLITE);
    tx.query(insert).bind(&variants).execute().await?;
    let (user, name) = (writer.by.id.as_str(), &writer.by.name);
    let insert = tx.choose(INSERT_PRICES_ON_POSTGRES, INSERT_PRICES_ON_SQLITE);
    tx.query(insert).bind(now).bind(user).bind(name).bind(&variants).execute().await?;
    let insert = tx.choose(INSERT_STOCK_ON_POSTGRES, INSERT_STOCK_ON_SQLITE);
    tx.query(insert).bind(now).bind(user).bind(name).bind(&variants).execute().await?;
    let note = tx.choose(NOTE_CREATED_ON_POSTGRES, NOTE_CREATED_ON_SQLITE);
    tx.query(note).bind(writer.import.0).bind(to_json(&created)?).execute().await?;
    for (imported, target) in targets {
        if !target.pictures.is_empty() {
            write_gallery(tx, target.product.id, &target.pictures).await?;
            writer.note_pictures(tx, (target.product.id, imported.position), &target.pictures).await?;
        }
    }
    Ok(())
}

const INSERT_PRODUCTS_ON_POSTGRES: &str =
    "insert into products (id, shop, created_at, handle, title, titles, image, category,
        options, description, descriptions, delivery, deliveries, archived_at)
    select id, $1, $2, handle, title, titles, image, category, options, description, descriptions, delivery, deliveries,
        case when archived then $2 end
    from json_to_recordset($3::json) as new(id uuid, handle text, title text, titles text, image text, category text,
        options text, description text, descriptions text, delivery text, deliveries text, archived boolean)";
const INSERT_PRODUCTS_ON_SQLITE: &str =
    "insert into products (id, shop, created_at, handle, title, titles, image, category,
        options, description, descriptions, delivery, deliveries, archived_at)
    select unhex(value ->> 'id'), $1, $2, value ->> 'handle', value ->> 'title', value ->> 'titles', value ->> 'image',
        value ->> 'category', value ->> 'options', value ->> 'description', value ->> 'descriptions',
        value ->> 'delivery', value ->> 'deliveries', case when value ->> 'archived' then $2 end
    from json_each($3)";
const INSERT_VARIANTS_ON_POSTGRES: &str =
    "insert into variants (id, product, name, names, option_values, sku, barcode, price,
        cost, weight_g, stock, position)
    select id, product, name, names, option_values, sku, barcode, price, cost, weight_g, stock, place
    from json_to_recordset($1::json) as new(id uuid, product uuid, name text, names text, option_values text, sku text,
        barcode text, price bigint, cost bigint, weight_g bigint, stock bigint, place bigint)";
const INSERT_VARIANTS_ON_SQLITE: &str =
    "insert into variants (id, product, name, names, option_values, sku, barcode, price,
        cost, weight_g, stock, position)
    select unhex(value ->> 'id'), unhex(value ->> 'product'), value ->> 'name', value ->> 'names',
        value ->> 'option_values', value ->> 'sku', value ->> 'barcode', value ->> 'price', value ->> 'cost',
        value ->> 'weight_g', value ->> 'stock', value ->> 'place'
    from json_each($1)";
const INSERT_PRICES_ON_POSTGRES: &str = "insert into price_changes (id, variant, at, price, by_user, by_name)
    select price_id, id, $1, price, $2, $3 from json_to_recordset($4::json) as new(price_id uuid, id uuid, price bigint)";
const INSERT_PRICES_ON_SQLITE: &str = "insert into price_changes (id, variant, at, price, by_user, by_name)
    select unhex(value ->> 'price_id'), unhex(value ->> 'id'), $1, value ->> 'price', $2, $3 from json_each($4)";
const INSERT_STOCK_ON_POSTGRES: &str =
    "insert into stock_changes (id, variant, at, units, stock, reason, note, by_user, by_name)
    select stock_id, id, $1, stock, stock, 'created', null, $2, $3
    from json_to_recordset($4::json) as new(stock_id uuid, id uuid, stock bigint) where stock > 0";
const INSERT_STOCK_ON_SQLITE: &str = "insert into stock_changes (id, variant, at, units, stock, reason, note, by_user, by_name)
    select unhex(value ->> 'stock_id'), unhex(value ->> 'id'), $1, value ->> 'stock', value ->> 'stock', 'created', null, $2, $3
    from json_each($4) where value ->> 'stock' > 0";
const NOTE_CREATED_ON_POSTGRES: &str = "update catalogue_import_products as p set state = 'created', product = new.id, version = 1
    from json_to_recordset($2::json) as new(id uuid, position bigint) where p.import = $1 and p.position = new.position";
// Materialized: otherwise the list would be read again for every product of the import.
const NOTE_CREATED_ON_SQLITE: &str = "with new as materialized
        (select unhex(value ->> 'id') as id, value ->> 'position' as position from json_each($2))
    update catalogue_import_products as p set state = 'created', product = new.id, version = 1
    from new where p.import = $1 and p.position = new.position";
