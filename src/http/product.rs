//! REST routes of the catalogue: list, show, create, restock.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId, QueryParams, idempotency_key};
use crate::app;
use crate::domain::product::{ProductFilter, SEARCH_LENGTH_MAX};
use crate::domain::{Minor, ProductId, ProductOption, ProductStatus, Refusal, Titles, VariantId};
use crate::protocol::{ProductDetailView, ProductView, VariantView};

/// Which products a list has.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProductListStatus {
    Active,
    Archived,
    Any,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ProductQuery {
    /// `active` (the default), `archived` or `any`. Only producers and hosts see archived products.
    #[param(inline)]
    status: Option<ProductListStatus>,
    /// Words of the titles, the category, the variants, the SKUs or the barcodes, or their beginnings: a product has all of them. The
    /// case, the forms of Arabic letters and the style of digits do not matter, and a mistyped word finds those that are like it.
    search: Option<String>,
}

impl ProductQuery {
    fn into_filter(self) -> Result<ProductFilter, Refusal> {
        let status = match self.status {
            None | Some(ProductListStatus::Active) => Some(ProductStatus::Active),
            Some(ProductListStatus::Archived) => Some(ProductStatus::Archived),
            Some(ProductListStatus::Any) => None,
        };
        Ok(ProductFilter { status, search: parse_search(self.search)? })
    }
}

/// The words of a search; `None`: there are none.
pub fn parse_search(given: Option<String>) -> Result<Option<String>, Refusal> {
    let search = given.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    if search.as_ref().is_some_and(|text| SEARCH_LENGTH_MAX < text.chars().count()) {
        return Err(Refusal::bad_field("search", format!("must have at most {SEARCH_LENGTH_MAX} characters.")));
    }
    Ok(search)
}

/// The catalogue, oldest product first. Stock and cost are shown to producers and hosts only. A page whose products have thousands of
/// variants may have fewer products than `limit`; `next` is null only on the last page.
#[utoipa::path(get, path = "/v1/products", tag = "products", params(ProductQuery, PageQuery),
    responses((status = 200, body = List<ProductView>), (status = "default", body = Problem)))]
pub async fn list(
    State(state): State<AppState>,
    Caller(actor): Caller,
    page: PageRequest<ProductId>,
    QueryParams(query): QueryParams<ProductQuery>,
) -> ApiResult<Json<List<ProductView>>> {
    let filter = query.into_filter()?;
    let (products, is_cut) = state.app.catalogue.products(&actor, filter, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_cut_list(products, is_cut, |product| product.id)))
}

/// One product with its texts. Stock and cost are shown to producers and hosts only, and so is an archived product.
#[utoipa::path(get, path = "/v1/products/{product}", tag = "products", params(("product" = ProductId, Path)),
    responses((status = 200, body = ProductDetailView), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(product): PathId<ProductId>,
) -> ApiResult<Json<ProductDetailView>> {
    Ok(Json(state.app.catalogue.product(&actor, product).await?))
}

/// Something in which variants differ: a size, a colour.
#[derive(Deserialize, ToSchema)]
pub struct ProductOptionRequest {
    name: String,
    values: Vec<String>,
}

impl From<ProductOptionRequest> for ProductOption {
    fn from(ProductOptionRequest { name, values }: ProductOptionRequest) -> Self {
        Self { name, values }
    }
}

#[derive(Deserialize, ToSchema)]
pub struct NewProductRequest {
    title: String,
    #[serde(default)]
    titles: Titles,
    image: Option<String>,
    /// The category, at most 40 characters; the shop page filters by it.
    category: Option<String>,
    /// What the variants differ in, at most three. Then each variant has one value of each, and its name is made from them.
    #[serde(default)]
    options: Vec<ProductOptionRequest>,
    /// Markdown.
    #[serde(default)]
    description: String,
    #[serde(default)]
    descriptions: Titles,
    /// Delivery and returns, as plain text.
    #[serde(default)]
    delivery: String,
    #[serde(default)]
    deliveries: Titles,
    variants: Vec<NewVariantRequest>,
}

#[derive(Deserialize, ToSchema)]
pub struct NewVariantRequest {
    /// Needed where the product has no options.
    #[serde(default)]
    name: String,
    #[serde(default)]
    names: Titles,
    /// One value for each option of the product.
    #[serde(default)]
    options: Vec<String>,
    sku: Option<String>,
    /// What a scanner reads: an EAN or UPC.
    barcode: Option<String>,
    price: Minor,
    /// What the shop pays for one unit; only the team sees it.
    cost: Option<Minor>,
    weight_g: Option<i64>,
    stock: i64,
}

impl From<NewVariantRequest> for app::NewVariant {
    fn from(new: NewVariantRequest) -> Self {
        let NewVariantRequest { name, names, options, sku, barcode, price, cost, weight_g, stock } = new;
        Self { name, names, options, sku, barcode, price, cost, weight_g, stock }
    }
}

/// Adds a product with its variants and their stock. With a key, a retry gives the same product.
#[utoipa::path(post, path = "/v1/products", tag = "products", request_body = NewProductRequest,
    responses((status = 201, body = ProductDetailView), (status = "default", body = Problem)))]
pub async fn create(
    State(state): State<AppState>,
    Caller(actor): Caller,
    headers: HeaderMap,
    JsonBody(new): JsonBody<NewProductRequest>,
) -> ApiResult<(StatusCode, Json<ProductDetailView>)> {
    let key = headers.contains_key("idempotency-key").then(|| idempotency_key(&headers)).transpose()?;
    let new = app::NewProduct {
        title: new.title,
        titles: new.titles,
        image: new.image,
        category: new.category,
        options: new.options.into_iter().map(ProductOption::from).collect(),
        description: new.description,
        descriptions: new.descriptions,
        delivery: new.delivery,
        deliveries: new.deliveries,
        variants: new.variants.into_iter().map(app::NewVariant::from).collect(),
    };
    Ok((StatusCode::CREATED, Json(state.app.catalogue.create_product(&actor, new, key).await?)))
}

#[derive(Deserialize, ToSchema)]
pub struct RestockRequest {
    /// The number of units to add.
    add: i64,
}

/// Adds units to the stock of a variant.
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
