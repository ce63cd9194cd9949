//! REST routes for many products at once: the grid and the stock take of the desk.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::AppState;
use super::error::{ApiResult, Problem};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, QueryParams, given, idempotency_key};
use super::import::ImportProblemView;
use super::product::parse_search;
use crate::app::BulkResult;
use crate::domain::bulk_edit::{BulkEdit, CountedVariant, ProductEdit, StockEdit, VariantEdit};
use crate::domain::catalogue_import::ImportedRows;
use crate::domain::{ImportId, ImportSource, ImportedState, Minor, Product, ProductId, Titles, VariantId};
use crate::protocol::ProductView;

#[derive(Deserialize, ToSchema)]
pub struct BulkEditRequest {
    /// `grid` or `stock_take`: it decides what a stock means, and the stock log shows it.
    source: ImportSource,
    /// `all`: nothing is saved if a product is refused; `good`: such products are left out.
    rows: ImportedRows,
    /// At most 500 rows: each variant is one, and so is a product without variants.
    products: Vec<ProductEditRequest>,
}

/// The new values of a product. What is left out stays as it is.
#[derive(Deserialize, ToSchema)]
pub struct ProductEditRequest {
    product: ProductId,
    /// The version that the change is based on. Needed where a price or the category changes.
    version: Option<i64>,
    /// Null takes it away.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    category: Option<Option<String>>,
    #[serde(default)]
    variants: Vec<VariantEditRequest>,
}

#[derive(Deserialize, ToSchema)]
pub struct VariantEditRequest {
    variant: VariantId,
    price: Option<Minor>,
    stock: Option<StockEditRequest>,
}

/// In a grid, `from` is the stock that was seen: if it is another one now, the product is refused as `stock_changed`. In a stock take,
/// `from` is what was expected when the units were counted, and `to − from` is added to the stock as it is now.
#[derive(Deserialize, ToSchema)]
pub struct StockEditRequest {
    from: i64,
    to: i64,
}

impl From<BulkEditRequest> for BulkEdit {
    fn from(BulkEditRequest { source, rows, products }: BulkEditRequest) -> Self {
        let stock = |StockEditRequest { from, to }| StockEdit { from, to };
        let variant = |VariantEditRequest { variant, price, stock: given }| VariantEdit {
            variant,
            price,
            stock: given.map(stock),
        };
        let product = |ProductEditRequest { product, version, category, variants }| ProductEdit {
            product,
            version,
            category,
            variants: variants.into_iter().map(variant).collect(),
        };
        Self { source, rows, products: products.into_iter().map(product).collect() }
    }
}

/// What became of a bulk edit.
#[derive(Serialize, ToSchema)]
#[schema(as = BulkEditResult)]
pub struct BulkEditView {
    /// The import under which it can be undone: `POST /v1/imports/{import}/undo`. Null: nothing was saved.
    pub import: Option<ImportId>,
    /// In the order of the request.
    pub products: Vec<EditedProductView>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = EditedProduct)]
pub struct EditedProductView {
    pub product: ProductId,
    /// `changed`, `same` or `refused`; `change`: it would be changed, if nothing else was refused.
    pub state: ImportedState,
    /// Where `row` is that of the request, from 1.
    pub problems: Vec<ImportProblemView>,
    /// The product as it is now. Null: it does not exist, or the products have more than 4,096 variants together.
    pub current: Option<ProductView>,
}

impl BulkEditView {
    fn of(result: BulkResult, currency: &str) -> Self {
        let view = |product: Product| (product.id, ProductView::of(&product, currency, true));
        let mut current: HashMap<ProductId, ProductView> = result.current.into_iter().map(view).collect();
        let products = result.products.into_iter().map(|one| EditedProductView {
            product: one.product,
            state: one.state,
            problems: one.problems.into_iter().map(ImportProblemView::from).collect(),
            current: current.remove(&one.product),
        });
        Self { import: result.import, products: products.collect() }
    }
}

/// Changes the prices, the stock and the categories of many products by one request: all or only the valid ones, and says for each what
/// became of it. A product that somebody else changed is refused as `outdated`, with the product as it is now. What was saved is an
/// import: it can be undone as a whole for 30 days. A retry with the same key saves nothing twice.
#[utoipa::path(post, operation_id = "bulk_edit", path = "/v1/bulk-edits", tag = "products", request_body = BulkEditRequest,
    params(("Idempotency-Key" = String, Header, description = "8 to 255 visible ASCII characters")),
    responses((status = 200, body = BulkEditView), (status = "default", body = Problem)))]
pub async fn save(
    State(state): State<AppState>,
    Caller(actor): Caller,
    headers: HeaderMap,
    JsonBody(form): JsonBody<BulkEditRequest>,
) -> ApiResult<Json<BulkEditView>> {
    // Authorization comes before validation: a refused caller learns nothing about the form.
    state.app.catalogue.authorize_catalogue(&actor).await?;
    let key = idempotency_key(&headers)?;
    let result = state.app.imports.bulk_edit(&actor, form.into(), key).await?;
    Ok(Json(BulkEditView::of(result, &state.app.shop().currency)))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VariantQuery {
    /// A barcode or an SKU, as a scanner reads it: the variants that have it, at most 20.
    scan: Option<String>,
    /// Without `scan`: words of products, as in `GET /v1/products`. Without it: the whole catalogue.
    search: Option<String>,
}

/// The most products of a page of variants: where the units of each variant are is counted from its reservations.
const COUNTED_PRODUCTS_MAX: i64 = 20;

/// A variant of a stock take, and where its units are.
#[derive(Serialize, ToSchema)]
#[schema(as = CountedVariant)]
pub struct CountedVariantView {
    pub product: ProductId,
    pub title: String,
    pub titles: Titles,
    pub image: Option<String>,
    pub variant: VariantId,
    pub name: String,
    pub names: Titles,
    pub sku: Option<String>,
    pub barcode: Option<String>,
    /// The units in stock.
    pub stock: i64,
    /// Units of offers that are not closed, without those that somebody holds or bought.
    pub in_offers: i64,
    /// Units that somebody holds or bought, and that are not sent.
    pub to_send: i64,
    /// The sum of these three: the units that should be in the shop.
    pub expected: i64,
}

impl From<CountedVariant> for CountedVariantView {
    fn from(counted: CountedVariant) -> Self {
        let expected = counted.expected();
        let CountedVariant { product, title, titles, image, variant, name, names, .. } = counted;
        let CountedVariant { sku, barcode, stock, in_offers, to_send, .. } = counted;
        Self { product, title, titles, image, variant, name, names, sku, barcode, stock, in_offers, to_send, expected }
    }
}

/// Variants, and how many units of each should be in the shop: for a stock take. With `scan` those with this barcode or SKU: a UPC is found
/// with and without the zero before it, and the case of an SKU does not matter. Without it all variants of products that are not archived,
/// oldest product first; a page has those of 20 products at most.
#[utoipa::path(get, path = "/v1/variants", tag = "products", params(VariantQuery, PageQuery),
    responses((status = 200, body = List<CountedVariantView>), (status = "default", body = Problem)))]
pub async fn find_variants(
    State(state): State<AppState>,
    Caller(actor): Caller,
    page: PageRequest<ProductId>,
    QueryParams(VariantQuery { scan, search }): QueryParams<VariantQuery>,
) -> ApiResult<Json<List<CountedVariantView>>> {
    // Authorization comes before validation.
    state.app.catalogue.authorize_catalogue(&actor).await?;
    let (found, next) = match scan {
        Some(scan) => (state.app.imports.counted_variants(&actor, &scan).await?, None),
        None => {
            let search = parse_search(search)?;
            let limit = page.limit.min(COUNTED_PRODUCTS_MAX);
            state.app.imports.variants_to_count(&actor, search, page.after, limit).await?
        }
    };
    let next = next.map(|product| product.to_string());
    Ok(Json(List { items: found.into_iter().map(CountedVariantView::from).collect(), next }))
}
