//! The export of orders for the seller: what the list shows, with the delivery address of each order.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::AppState;
use super::error::{ApiResult, Problem};
use super::export_body::{self, ExportFormat, ExportWriter};
use super::extract::{Caller, PathId, QueryParams};
use super::order::OrdersQuery;
use super::shop_order::ShopOrdersQuery;
use crate::app::{App, Error, ExportedOrder};
use crate::domain::{Actor, OrderStatus, Refusal, ReservationStatus, ShopOrderFilter};
use crate::protocol::{ReservationView, ShopOrderView};

/// Exports orders of the shop with their delivery addresses, newest first, one row a line: `orders.csv` or `orders.jsonl`. The filters are those of
/// `/v1/shop/orders`. Amounts are in minor units, times in milliseconds since 1970. The audit log records each export.
#[utoipa::path(get, operation_id = "orders_export", path = "/v1/shop/export/{orders_file}", tag = "orders",
    params(("orders_file" = String, Path), OrdersQuery, ShopOrdersQuery),
    responses((status = 200, description = "The file", content_type = "text/csv"), (status = "default", body = Problem)))]
pub async fn export(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(file): PathId<String>,
    QueryParams(OrdersQuery { stream }): QueryParams<OrdersQuery>,
    QueryParams(query): QueryParams<ShopOrdersQuery>,
) -> ApiResult<Response> {
    let format = match file.as_str() {
        "orders.csv" => ExportFormat::Csv,
        "orders.jsonl" => ExportFormat::Jsonl,
        _ => return Err(Refusal::bad_field("file", "must be orders.csv or orders.jsonl.").into()),
    };
    let filter = query.into_filter(stream)?;
    state.app.checkout.begin_order_export(&actor, &filter).await?;
    let app = state.app.clone();
    Ok(export_body::respond(&state.app, format, &COLUMNS, file, |writer| write_export(app, actor, filter, writer)))
}

async fn write_export(app: App, actor: Actor, filter: ShopOrderFilter, mut writer: ExportWriter) -> Result<(), Error> {
    let mut after = None;
    loop {
        // Each page checks the permission again: a user who is banned meanwhile gets no further page.
        let (orders, next) = app.checkout.export_orders(&actor, &filter, after).await?;
        if app.stopping().is_cancelled() {
            return Err(Error::Unavailable);
        }
        writer.write(orders.into_iter().flat_map(rows).collect()).await?;
        if next.is_none() {
            return Ok(());
        }
        after = next;
    }
}

const COLUMNS: [&str; 44] = [
    "id",
    "created_at",
    "paid_at",
    "status",
    "fulfilment",
    "stream",
    "offer",
    "title",
    "variant",
    "qty",
    "amount",
    "currency",
    "buyer",
    "buyer_name",
    "packed_at",
    "sent_at",
    "delivered_at",
    "carrier",
    "tracking",
    "tags",
    "name",
    "line1",
    "line2",
    "line3",
    "city",
    "region",
    "postcode",
    "country",
    "phone",
    "reason",
    "number",
    "line",
    "sku",
    "line_tax_bp",
    "line_tax",
    "order_delivery",
    "order_tax",
    "order_tax_included",
    "order_total",
    "returned",
    "order_refunded",
    "line_discount",
    "order_discount",
    "coupon",
];

/// One row for each line that counts: lines that ended do not, unless the whole order has ended.
fn rows(exported: ExportedOrder) -> Vec<Vec<Value>> {
    let listed = &exported.listed;
    let has_ended =
        |line: &&ReservationView| matches!(line.status, ReservationStatus::Expired | ReservationStatus::Cancelled);
    let is_over = matches!(listed.order.status, OrderStatus::Expired | OrderStatus::Cancelled);
    let lines = listed.order.lines.iter().filter(|line| is_over || !has_ended(line));
    lines.map(|line| row(&exported, line)).collect()
}

fn row(ExportedOrder { listed, address, refunded }: &ExportedOrder, reserved: &ReservationView) -> Vec<Value> {
    let address = address.as_ref();
    let ShopOrderView { order, buyer, buyer_name, fulfilment_status, fulfilment, tags } = listed;
    let quote = order.quote.as_deref();
    let quoted = quote.and_then(|quote| quote.lines.iter().find(|line| line.reservation == reserved.id));
    let line = |n: usize| address.and_then(|address| address.lines.get(n));
    vec![
        json!(order.id),
        json!(order.created_at),
        json!(order.paid_at),
        json!(order.status),
        json!(fulfilment_status),
        json!(order.stream),
        json!(reserved.offer),
        json!(reserved.title),
        json!(reserved.variant_name),
        json!(reserved.qty),
        json!(reserved.amount),
        json!(order.currency),
        json!(buyer),
        json!(buyer_name),
        json!(fulfilment.packed_at),
        json!(fulfilment.sent_at),
        json!(fulfilment.delivered_at),
        json!(fulfilment.carrier),
        json!(fulfilment.tracking),
        json!(tags.join(", ")),
        json!(address.map(|address| &address.name)),
        json!(line(0)),
        json!(line(1)),
        json!(line(2)),
        json!(address.map(|address| &address.city)),
        json!(address.and_then(|address| address.region.as_ref())),
        json!(address.and_then(|address| address.postcode.as_ref())),
        json!(address.map(|address| &address.country)),
        json!(address.and_then(|address| address.phone.as_ref())),
        json!(order.reason),
        json!(order.number),
        json!(reserved.id),
        json!(quoted.and_then(|line| line.item.sku.as_deref())),
        json!(quoted.map(|line| line.tax_bp)),
        json!(quoted.map(|line| line.tax)),
        json!(quote.map(|quote| quote.delivery)),
        json!(quote.map(|quote| quote.tax)),
        json!(quote.map(|quote| quote.tax_included)),
        json!(quote.map(|quote| quote.total)),
        json!(reserved.returned),
        json!(refunded),
        json!(quoted.map(|line| line.discount)),
        json!(quote.map(|quote| quote.discount)),
        json!(quote.and_then(|quote| quote.coupon.as_ref()).map(|coupon| &coupon.code)),
    ]
}
