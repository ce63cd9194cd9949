//! REST routes that change products: the form, the archive, the stock; and the logs of prices and stock.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::AppState;
use super::error::{ApiError, ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId, given, idempotency_key};
use super::product::ProductOptionRequest;
use crate::app::Error;
use crate::domain::product_change::StockChangeForm;
use crate::domain::{
    Minor, ProductForm, ProductId, ProductOption, ProductStatus, Refusal, StockReason, Titles, VariantForm, VariantId,
};
use crate::protocol::{PriceChangeView, ProductDetailView, StockChangeView, VariantView};

/// What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
pub struct ChangeProductRequest {
    /// The version that the change is based on.
    version: i64,
    title: Option<String>,
    titles: Option<Titles>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    image: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    category: Option<Option<String>>,
    options: Option<Vec<ProductOptionRequest>>,
    /// Markdown.
    description: Option<String>,
    descriptions: Option<Titles>,
    /// Delivery and returns, as plain text.
    delivery: Option<String>,
    deliveries: Option<Titles>,
    /// The whole list, in its new order: a variant that is left out is removed. Its offers and orders stay.
    variants: Option<Vec<ChangeVariantRequest>>,
}

#[derive(Deserialize, ToSchema)]
pub struct ChangeVariantRequest {
    /// Left out: a new variant.
    id: Option<VariantId>,
    /// Needed where the product has no options.
    #[serde(default)]
    name: String,
    #[serde(default)]
    names: Titles,
    /// One value for each option of the product.
    #[serde(default)]
    options: Vec<String>,
    sku: Option<String>,
    barcode: Option<String>,
    price: Minor,
    cost: Option<Minor>,
    weight_g: Option<i64>,
    /// Of a new variant only.
    stock: Option<i64>,
}

impl From<ChangeVariantRequest> for VariantForm {
    fn from(form: ChangeVariantRequest) -> Self {
        let ChangeVariantRequest { id, name, names, options, sku, barcode, price, cost, weight_g, stock } = form;
        Self { id, name, names, options, sku, barcode, price, cost, weight_g, stock }
    }
}

impl From<ChangeProductRequest> for ProductForm {
    fn from(form: ChangeProductRequest) -> Self {
        Self {
            version: form.version,
            title: form.title,
            titles: form.titles,
            image: form.image,
            category: form.category,
            options: form.options.map(|options| options.into_iter().map(ProductOption::from).collect()),
            description: form.description,
            descriptions: form.descriptions,
            delivery: form.delivery,
            deliveries: form.deliveries,
            variants: form.variants.map(|variants| variants.into_iter().map(VariantForm::from).collect()),
        }
    }
}

/// Changes a product. Offers of it follow at once with their title and picture and keep their price and quantity; orders keep what
/// was sold. With another version than the newest the answer is 409 `outdated`, and its `current` is the product as it is now.
#[utoipa::path(patch, path = "/v1/products/{product}", tag = "products", params(("product" = ProductId, Path)),
    request_body = ChangeProductRequest,
    responses((status = 200, body = ProductDetailView), (status = "default", body = Problem)))]
pub async fn change(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(product): PathId<ProductId>,
    JsonBody(form): JsonBody<ChangeProductRequest>,
) -> ApiResult<Json<ProductDetailView>> {
    match state.app.catalogue.change_product(&actor, product, form.into()).await {
        Ok(changed) => Ok(Json(changed)),
        Err(Error::Refused(Refusal::Outdated)) => {
            Err(ApiError(Problem::outdated(&state.app.catalogue.product(&actor, product).await?)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Archives a product: it gets no new offer, and only producers and hosts find it. Its offers and orders stay. To archive it again is
/// no error.
#[utoipa::path(post, path = "/v1/products/{product}/archive", tag = "products", params(("product" = ProductId, Path)),
    responses((status = 200, body = ProductDetailView), (status = "default", body = Problem)))]
pub async fn archive(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(product): PathId<ProductId>,
) -> ApiResult<Json<ProductDetailView>> {
    Ok(Json(state.app.catalogue.set_product_status(&actor, product, ProductStatus::Archived).await?))
}

/// Restores an archived product. To restore it again is no error.
#[utoipa::path(post, path = "/v1/products/{product}/restore", tag = "products", params(("product" = ProductId, Path)),
    responses((status = 200, body = ProductDetailView), (status = "default", body = Problem)))]
pub async fn restore(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(product): PathId<ProductId>,
) -> ApiResult<Json<ProductDetailView>> {
    Ok(Json(state.app.catalogue.set_product_status(&actor, product, ProductStatus::Active).await?))
}

#[derive(Deserialize, ToSchema)]
pub struct StockChangeRequest {
    /// The units to add; less than 0: to take away.
    units: i64,
    /// `received`, `counted`, `damaged`, `lost`, `returned` or `correction`; the others are set by the server only.
    reason: StockReason,
    note: Option<String>,
}

/// Adds units to the stock of a variant or removes some, and records why. A retry with the same key changes it once.
#[utoipa::path(post, path = "/v1/variants/{variant}/stock-changes", tag = "products", request_body = StockChangeRequest,
    params(("variant" = VariantId, Path), ("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    responses((status = 200, body = VariantView), (status = "default", body = Problem)))]
pub async fn change_stock(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(variant): PathId<VariantId>,
    headers: HeaderMap,
    JsonBody(StockChangeRequest { units, reason, note }): JsonBody<StockChangeRequest>,
) -> ApiResult<Json<VariantView>> {
    // Authorization comes before validation: a refused caller learns nothing about the form.
    state.app.catalogue.authorize_catalogue(&actor).await?;
    let key = idempotency_key(&headers)?;
    let form = StockChangeForm { units, reason, note };
    Ok(Json(state.app.catalogue.change_stock(&actor, variant, form, key).await?))
}

/// The stock log of a variant, newest first: who changed the stock and why, and the units that moved into offers and back.
#[utoipa::path(get, path = "/v1/variants/{variant}/stock-changes", tag = "products",
    params(("variant" = VariantId, Path), PageQuery),
    responses((status = 200, body = List<StockChangeView>), (status = "default", body = Problem)))]
pub async fn stock_log(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(variant): PathId<VariantId>,
    page: PageRequest<Uuid>,
) -> ApiResult<Json<List<StockChangeView>>> {
    let changes = state.app.catalogue.stock_changes(&actor, variant, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(changes, |change| change.id)))
}

/// The prices that a variant had, newest first. The price of an offer is in the offer.
#[utoipa::path(get, path = "/v1/variants/{variant}/price-changes", tag = "products",
    params(("variant" = VariantId, Path), PageQuery),
    responses((status = 200, body = List<PriceChangeView>), (status = "default", body = Problem)))]
pub async fn prices(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(variant): PathId<VariantId>,
    page: PageRequest<Uuid>,
) -> ApiResult<Json<List<PriceChangeView>>> {
    let changes = state.app.catalogue.price_changes(&actor, variant, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(changes, |change| change.id)))
}
