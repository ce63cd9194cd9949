//! REST routes of the catalogue.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId, idempotency_key};
use crate::app;
use crate::domain::{Minor, ProductId, Titles, VariantId};
use crate::protocol::{ProductView, VariantView};

/// The catalogue, oldest product first. Stock is shown to producers and hosts only.
#[utoipa::path(get, path = "/v1/products", tag = "products", params(PageQuery),
    responses((status = 200, body = List<ProductView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    page: PageRequest<ProductId>,
) -> ApiResult<Json<List<ProductView>>> {
    let products = state.app.catalogue.products(&actor, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(products, |product| product.id)))
}

#[derive(Deserialize, ToSchema)]
pub struct NewProductRequest {
    title: String,
    #[serde(default)]
    titles: Titles,
    image: Option<String>,
    /// The category, at most 40 characters; the shop page filters by it.
    category: Option<String>,
    variants: Vec<NewVariantRequest>,
}

#[derive(Deserialize, ToSchema)]
pub struct NewVariantRequest {
    name: String,
    #[serde(default)]
    names: Titles,
    sku: Option<String>,
    price: Minor,
    stock: i64,
}

/// Adds a product with its variants and their stock. With a key, a retry gives the same product.
#[utoipa::path(post, path = "/v1/products", tag = "products", request_body = NewProductRequest,
    responses((status = 201, body = ProductView), (status = "default", body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    headers: HeaderMap,
    JsonBody(new): JsonBody<NewProductRequest>,
) -> ApiResult<(StatusCode, Json<ProductView>)> {
    let key = headers.contains_key("idempotency-key").then(|| idempotency_key(&headers)).transpose()?;
    let NewProductRequest { title, titles, image, category, variants } = new;
    let variants = variants.into_iter().map(|NewVariantRequest { name, names, sku, price, stock }| app::NewVariant {
        name,
        names,
        sku,
        price,
        stock,
    });
    let variants = variants.collect();
    let new = app::NewProduct { title, titles, image, category, variants };
    Ok((StatusCode::CREATED, Json(state.app.catalogue.create_product(&actor, new, key).await?)))
}

#[derive(Deserialize, ToSchema)]
pub struct RestockRequest {
    /// The number of units to add.
    add: i64,
}

/// Adds units to the pool of a variant.
#[utoipa::path(post, path = "/v1/variants/{variant}/restock", tag = "products", request_body = RestockRequest,
    params(("variant" = VariantId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    responses((status = 200, body = VariantView), (status = "default", body = Problem)))]
pub async fn restock(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(variant): PathId<VariantId>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RestockRequest>,
) -> ApiResult<Json<VariantView>> {
    let key = idempotency_key(&headers)?;
    Ok(Json(state.app.catalogue.restock_variant(&actor, variant, body.add, key).await?))
}
