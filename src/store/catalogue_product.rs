//! Products as files know them: with their handle and their gallery, many at once.

use std::collections::HashMap;

use uuid::Uuid;

use super::product::VariantRow;
use super::row::from_row;
use super::transaction::Transaction;
use super::{Result, Store, from_json, ids_to_json, titles_from_json, to_json};
use crate::domain::catalogue_file::CatalogueProduct;
use crate::domain::{PictureFocus, Product, ProductId, ProductPicture, ProductStatus, ProductTexts, Variant};

struct Row {
    id: Uuid,
    version: i64,
    is_archived: bool,
    handle: Option<String>,
    title: String,
    titles: String,
    image: Option<String>,
    category: Option<String>,
    options: String,
    description: String,
    descriptions: String,
    delivery: String,
    deliveries: String,
}

from_row!(Row {
    id,
    version,
    is_archived,
    handle,
    title,
    titles,
    image,
    category,
    options,
    description,
    descriptions,
    delivery,
    deliveries
});

struct PictureRow {
    product: Uuid,
    address: String,
    alt: Option<String>,
    focus_x: Option<i64>,
    focus_y: Option<i64>,
    source: Option<String>,
}

from_row!(PictureRow { product, address, alt, focus_x, focus_y, source });

/// A statement with every column of a product.
macro_rules! products {
    ($after:literal) => {
        concat!(
            "select id, version, archived_at is not null as is_archived, handle, title, titles, image, category, options,
                description, descriptions, delivery, deliveries from products ",
            $after
        )
    };
}

const PRODUCTS_ON_POSTGRES: &str =
    products!("where id = any (array(select value::uuid from json_array_elements_text($1::json)))");
const PRODUCTS_ON_SQLITE: &str = products!("where id in (select unhex(value) from json_each($1))");
const VARIANTS_ON_POSTGRES: &str =
    "select id, product, name, names, option_values, sku, barcode, price, cost, weight_g, stock
    from variants where product = any (array(select value::uuid from json_array_elements_text($1::json)))
        and removed_at is null order by product, position";
const VARIANTS_ON_SQLITE: &str =
    "select id, product, name, names, option_values, sku, barcode, price, cost, weight_g, stock
    from variants where product in (select unhex(value) from json_each($1)) and removed_at is null
    order by product, position";
const PICTURES_ON_POSTGRES: &str = "select product, address, alt, focus_x, focus_y, source from product_pictures
    where product = any (array(select value::uuid from json_array_elements_text($1::json))) order by product, position";
const PICTURES_ON_SQLITE: &str = "select product, address, alt, focus_x, focus_y, source from product_pictures
    where product in (select unhex(value) from json_each($1)) order by product, position";

/// What files call a product that was given no handle: its id.
fn handle_of_id(id: Uuid) -> String {
    id.simple().to_string()
}

impl Store {
    /// Reads the products with these handles, at most some hundred.
    pub async fn products_by_handle(&self, handles: &[&str]) -> Result<Vec<CatalogueProduct>> {
        // A handle may be the id of a product that has none.
        let ids =
            handles.iter().filter_map(|handle| Uuid::try_parse(handle).ok().filter(|id| handle_of_id(*id) == **handle));
        let ids = ids_to_json(ids)?;
        let read = self.choose(
            products!(
                "where handle = any (array(select json_array_elements_text($1::json)))
                    or (id = any (array(select value::uuid from json_array_elements_text($2::json))) and handle is null)"
            ),
            products!(
                "where handle in (select value from json_each($1))
                    or (id in (select unhex(value) from json_each($2)) and handle is null)"
            ),
        );
        let rows = self.query(read).bind(to_json(&handles)?).bind(ids).fetch_all().await?;
        self.with_variants(rows).await
    }

    /// Reads a page of the catalogue for an export, oldest first, after `after`.
    pub async fn products_for_export(&self, after: Option<ProductId>, limit: i64) -> Result<Vec<CatalogueProduct>> {
        let query = self.report_query(products!("where id > $1 order by id limit $2"));
        let rows = query.bind(after.map_or(Uuid::nil(), |id| id.0)).bind(limit).fetch_all().await?;
        self.with_variants(rows).await
    }

    /// Reads these products.
    pub(super) async fn catalogue_products(&self, ids: &[ProductId]) -> Result<Vec<CatalogueProduct>> {
        let ids = ids_to_json(ids.iter().map(|id| id.0))?;
        let read = self.choose(PRODUCTS_ON_POSTGRES, PRODUCTS_ON_SQLITE);
        let rows = self.query(read).bind(ids).fetch_all().await?;
        self.with_variants(rows).await
    }

    async fn with_variants(&self, rows: Vec<Row>) -> Result<Vec<CatalogueProduct>> {
        let ids = ids_to_json(rows.iter().map(|row| row.id))?;
        let read = self.choose(VARIANTS_ON_POSTGRES, VARIANTS_ON_SQLITE);
        let variants = self.query(read).bind(&ids).fetch_all().await?;
        let read = self.choose(PICTURES_ON_POSTGRES, PICTURES_ON_SQLITE);
        let pictures = self.query(read).bind(&ids).fetch_all().await?;
        assemble(rows, variants, pictures)
    }
}

/// Reads a product in a transaction, with its handle and gallery.
pub(super) async fn read_catalogue_product(
    tx: &mut Transaction<'_>,
    id: ProductId,
) -> Result<Option<CatalogueProduct>> {
    Ok(read_catalogue_products(tx, &ids_to_json([id.0].into_iter())?).await?.pop())
}

/// Reads products in a transaction, in any order. `ids` is a list for a placeholder.
pub(super) async fn read_catalogue_products(tx: &mut Transaction<'_>, ids: &str) -> Result<Vec<CatalogueProduct>> {
    let rows: Vec<Row> = tx.query(tx.choose(PRODUCTS_ON_POSTGRES, PRODUCTS_ON_SQLITE)).bind(ids).fetch_all().await?;
    let read = tx.choose(VARIANTS_ON_POSTGRES, VARIANTS_ON_SQLITE);
    let variants = tx.query(read).bind(ids).fetch_all().await?;
    let read = tx.choose(PICTURES_ON_POSTGRES, PICTURES_ON_SQLITE);
    let pictures = tx.query(read).bind(ids).fetch_all().await?;
    assemble(rows, variants, pictures)
}

fn assemble(rows: Vec<Row>, variants: Vec<VariantRow>, pictures: Vec<PictureRow>) -> Result<Vec<CatalogueProduct>> {
    let mut variants_of: HashMap<Uuid, Vec<Variant>> = HashMap::new();
    for row in variants {
        variants_of.entry(row.product).or_default().push(row.into_variant()?);
    }
    let mut pictures_of: HashMap<Uuid, Vec<ProductPicture>> = HashMap::new();
    for PictureRow { product, address, alt, focus_x, focus_y, source } in pictures {
        let focus = focus_x.zip(focus_y).map(|(x, y)| PictureFocus { x, y });
        pictures_of.entry(product).or_default().push(ProductPicture { address, alt, focus, source });
    }
    rows.into_iter()
        .map(|row| {
            let variants = variants_of.remove(&row.id).unwrap_or_default();
            let pictures = pictures_of.remove(&row.id).unwrap_or_default();
            row.into_product(variants, pictures)
        })
        .collect()
}

impl Row {
    fn into_product(self, variants: Vec<Variant>, pictures: Vec<ProductPicture>) -> Result<CatalogueProduct> {
        let pictures = match (pictures.is_empty(), &self.image) {
            (true, Some(image)) => vec![ProductPicture::of_address(image.clone())],
            _ => pictures,
        };
        let texts = ProductTexts {
            description: self.description,
            descriptions: titles_from_json(&self.descriptions)?,
            delivery: self.delivery,
            deliveries: titles_from_json(&self.deliveries)?,
        };
        let product = Product {
            id: ProductId(self.id),
            version: self.version,
            status: if self.is_archived { ProductStatus::Archived } else { ProductStatus::Active },
            title: self.title,
            titles: titles_from_json(&self.titles)?,
            image: self.image,
            category: self.category,
            options: from_json(&self.options)?,
            texts,
            variants,
        };
        let handle = self.handle.unwrap_or_else(|| handle_of_id(self.id));
        Ok(CatalogueProduct { handle, product, pictures })
    }
}
