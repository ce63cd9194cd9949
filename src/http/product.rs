//! REST for the catalogue.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Door;
use super::error::{Answer, Problem};
use super::extract::{Body, Caller, Id, List, Page, PageQuery};
use super::offer::Restock;
use crate::app;
use crate::domain::{Minor, ProductId, Titles, VariantId};
use crate::protocol::{ProductView, VariantView};

/// The catalogue, oldest first; pools are shown to those who sell.
#[utoipa::path(get, path = "/v1/products", tag = "products", params(PageQuery),
    responses((status = 200, body = List<ProductView>), (status = "default", body = Problem)))]
pub async fn list(
    State(door): State<Door>,
    Caller(actor): Caller,
    page: Page<ProductId>,
) -> Answer<Json<List<ProductView>>> {
    let products = door.app.products(&actor, page.after, page.fetch()).await?;
    Ok(Json(page.list(products, |product| product.id)))
}

#[derive(Deserialize, ToSchema)]
pub struct NewProduct {
    title: String,
    #[serde(default)]
    titles: Titles,
    image: Option<String>,
    /// What kind of thing it is, at most 40 characters: the shop's front filters by it.
    category: Option<String>,
    variants: Vec<NewVariant>,
}

#[derive(Deserialize, ToSchema)]
pub struct NewVariant {
    name: String,
    #[serde(default)]
    names: Titles,
    sku: Option<String>,
    price: Minor,
    stock: i64,
}

/// Adds a product with its variants and their pools.
#[utoipa::path(post, path = "/v1/products", tag = "products", request_body = NewProduct,
    responses((status = 201, body = ProductView), (status = "default", body = Problem)))]
pub async fn create(
    State(door): State<Door>,
    Caller(actor): Caller,
    Body(new): Body<NewProduct>,
) -> Answer<(StatusCode, Json<ProductView>)> {
    let NewProduct { title, titles, image, category, variants } = new;
    let variants = variants.into_iter().map(|NewVariant { name, names, sku, price, stock }| app::NewVariant {
        name,
        names,
        sku,
        price,
        stock,
    });
    let variants = variants.collect();
    let new = app::NewProduct { title, titles, image, category, variants };
    Ok((StatusCode::CREATED, Json(door.app.create_product(&actor, new).await?)))
}

/// Adds units to a variant's pool.
#[utoipa::path(post, path = "/v1/variants/{variant}/restock", tag = "products", request_body = Restock,
    params(("variant" = VariantId, Path)),
    responses((status = 200, body = VariantView), (status = "default", body = Problem)))]
pub async fn restock(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(variant): Id<VariantId>,
    Body(body): Body<Restock>,
) -> Answer<Json<VariantView>> {
    Ok(Json(door.app.restock_variant(&actor, variant, body.add).await?))
}
