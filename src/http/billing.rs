//! REST routes of invoices and credit notes.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::AppState;
use super::client_address::ClientIp;
use super::error::{ApiResult, Problem};
use super::export_body::{self, ExportFormat, ExportWriter};
use super::extract::{Caller, JsonBody, List, PageQuery, PageRequest, PathId, QueryParams};
use super::order::OrderOfLinkRequest;
use crate::app::{App, BillingFilter, Error};
use crate::domain::{Actor, BillingDocumentId, DocumentKind, Millis, OrderId, Refusal, TaxSum};
use crate::protocol::BillingDocumentView;

/// The filters of the list. Every one that is given must match.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DocumentsQuery {
    /// Only documents of this kind.
    document_kind: Option<DocumentKind>,
    /// Only documents that were made at this time or later, in milliseconds since 1970.
    since: Option<Millis>,
    /// Only documents that were made before this time, in milliseconds since 1970.
    until: Option<Millis>,
}

impl DocumentsQuery {
    fn into_filter(self) -> BillingFilter {
        let Self { document_kind, since, until } = self;
        BillingFilter { kind: document_kind, since, until }
    }
}

/// The documents of one order, in the order in which they were made.
#[derive(Serialize, ToSchema)]
pub struct OrderDocuments {
    items: Vec<BillingDocumentView>,
}

/// The invoice of an order and its credit notes, for its buyer and for those who sell in its show. Empty: it was not paid, or its invoice
/// is made in a moment.
#[utoipa::path(get, path = "/v1/orders/{order}/documents", operation_id = "documents", tag = "orders",
    params(("order" = OrderId, Path)), responses((status = 200, body = OrderDocuments), (status = "default", body = Problem)))]
pub async fn of_order(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(order): PathId<OrderId>,
) -> ApiResult<Json<OrderDocuments>> {
    Ok(Json(OrderDocuments { items: state.app.checkout.order_documents(&actor, order).await? }))
}

/// The documents of the order of a link, without the name and the address of the buyer. A POST, because addresses end up in logs; it
/// changes nothing.
#[utoipa::path(post, path = "/v1/order-links/documents", operation_id = "documents_of_link", tag = "orders", request_body = OrderOfLinkRequest,
    responses((status = 200, body = OrderDocuments), (status = "default", body = Problem)))]
pub async fn of_link(
    State(state): State<AppState>,
    ClientIp(client): ClientIp,
    JsonBody(form): JsonBody<OrderOfLinkRequest>,
) -> ApiResult<Json<OrderDocuments>> {
    state.sign_in_attempts.take(client, state.app.now())?;
    Ok(Json(OrderDocuments { items: state.app.checkout.documents_of_link(&form.secret).await? }))
}

/// Invoices and credit notes of the shop, newest first, for those who sell in the whole shop.
#[utoipa::path(get, path = "/v1/shop/documents", operation_id = "documents_of_shop", tag = "orders", params(DocumentsQuery, PageQuery),
    responses((status = 200, body = List<BillingDocumentView>), (status = "default", body = Problem)))]
pub async fn of_shop(
    State(state): State<AppState>,
    Caller(actor): Caller,
    page: PageRequest<BillingDocumentId>,
    QueryParams(query): QueryParams<DocumentsQuery>,
) -> ApiResult<Json<List<BillingDocumentView>>> {
    let filter = query.into_filter();
    let documents = state.app.checkout.shop_documents(&actor, filter, page.after, page.fetch_limit()).await?;
    Ok(Json(page.to_list(documents, |document| document.id)))
}

/// Exports invoices and credit notes for the bookkeeping, newest first: `documents.csv` has a line for each tax rate of each document,
/// `documents.jsonl` the same. Amounts are in minor units, those of credit notes less than 0; times are in milliseconds since 1970. The
/// audit log records each export.
#[utoipa::path(get, operation_id = "documents_export", path = "/v1/shop/documents/{documents_file}", tag = "orders",
    params(("documents_file" = String, Path), DocumentsQuery),
    responses((status = 200, description = "The file", content_type = "text/csv"), (status = "default", body = Problem)))]
pub async fn export(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(file): PathId<String>,
    QueryParams(query): QueryParams<DocumentsQuery>,
) -> ApiResult<Response> {
    let format = match file.as_str() {
        "documents.csv" => ExportFormat::Csv,
        "documents.jsonl" => ExportFormat::Jsonl,
        _ => return Err(Refusal::bad_field("file", "must be documents.csv or documents.jsonl.").into()),
    };
    let filter = query.into_filter();
    state.app.checkout.begin_document_export(&actor).await?;
    let app = state.app.clone();
    Ok(export_body::respond(&state.app, format, &COLUMNS, file, move |writer| write_export(app, actor, filter, writer)))
}

async fn write_export(app: App, actor: Actor, filter: BillingFilter, mut writer: ExportWriter) -> Result<(), Error> {
    let mut after = None;
    loop {
        let (documents, next) = app.checkout.export_documents(&actor, filter, after).await?;
        if app.stopping().is_cancelled() {
            return Err(Error::Unavailable);
        }
        writer.write(documents.iter().flat_map(rows).collect()).await?;
        if next.is_none() {
            return Ok(());
        }
        after = next;
    }
}

const COLUMNS: [&str; 16] = [
    "number",
    "kind",
    "year",
    "sequence",
    "issued_at",
    "paid_at",
    "order",
    "order_number",
    "invoice_number",
    "currency",
    "tax_bp",
    "net",
    "tax",
    "gross",
    "document_total",
    "buyer_country",
];

fn rows(document: &BillingDocumentView) -> Vec<Vec<Value>> {
    let BillingDocumentView { body, kind, .. } = document;
    let sign = if *kind == DocumentKind::CreditNote { -1 } else { 1 };
    let row = |sum: &TaxSum| {
        vec![
            json!(document.number),
            json!(kind),
            json!(document.year),
            json!(document.sequence),
            json!(document.issued_at),
            json!(body.at),
            json!(document.order),
            json!(body.order_number),
            json!(body.invoice_number),
            json!(body.currency),
            json!(sum.tax_bp),
            json!(sign * sum.net),
            json!(sign * sum.tax),
            json!(sign * sum.gross),
            json!(sign * body.total),
            json!(body.buyer.as_ref().and_then(|buyer| buyer.country.as_ref())),
        ]
    };
    body.taxes.iter().map(row).collect()
}
