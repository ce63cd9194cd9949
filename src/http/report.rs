//! REST routes of the sales report of a show, and its log.

use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::AppState;
use super::csv::{self, CsvWriter};
use super::error::{ApiResult, Problem};
use super::extract::{Caller, PathId};
use crate::domain::{Millis, StreamId};
use crate::protocol::date::rfc3339;
use crate::protocol::{FullStreamReport, ShowLog, StreamReport};

/// The totals of a show. Team only.
#[utoipa::path(get, path = "/v1/streams/{stream}/report", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = StreamReport), (status = "default", body = Problem)))]
pub async fn summary(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<StreamReport>> {
    Ok(Json(state.app.streams.report(&actor, stream).await?))
}

/// The full report: totals, the last day minute by minute, the pinned offers, and the sales of each offer.
#[utoipa::path(get, path = "/v1/streams/{stream}/report/full", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = FullStreamReport), (status = "default", body = Problem)))]
pub async fn full_report(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Json<FullStreamReport>> {
    Ok(Json(state.app.streams.full_report(&actor, stream).await?))
}

/// What happened in a show: which offers were pinned, and since when its chat is kept. With a recording, `replay_started_at` of the show
/// and these times say which second shows what.
#[utoipa::path(get, path = "/v1/streams/{stream}/log", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = ShowLog), (status = "default", body = Problem)))]
pub async fn show_log(State(state): State<AppState>, PathId(stream): PathId<StreamId>) -> ApiResult<Json<ShowLog>> {
    Ok(Json(state.app.streams.show_log(stream).await?))
}

/// The full report as CSV. The column `row` is the kind of a row: `total`, `minute`, `pin` or `offer`. Amounts are in minor units,
/// times are UTC.
#[utoipa::path(get, path = "/v1/streams/{stream}/report.csv", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = String, content_type = "text/csv"), (status = "default", body = Problem)))]
pub async fn report_csv(
    State(state): State<AppState>,
    Caller(actor): Caller,
    PathId(stream): PathId<StreamId>,
) -> ApiResult<Response> {
    let full = state.app.streams.full_report(&actor, stream).await?;
    let body = write_csv(&full).into_bytes().into();
    Ok(csv::download(body, csv::CSV_CONTENT_TYPE, &format!("report-{stream}.csv")))
}

const CSV_COLUMNS: [&str; 15] = [
    "row",
    "from",
    "until",
    "name",
    "variant",
    "viewers",
    "messages",
    "orders",
    "paid",
    "units",
    "amount_minor",
    "currency",
    "refunded",
    "expired",
    "cancelled",
];

/// The cells of a row, in the order of the columns; missing ones stay empty.
fn csv_row(cells: &[(&str, String)]) -> Vec<String> {
    let cell = |head: &&str| cells.iter().find(|(name, _)| name == head).map(|(_, text)| text.clone());
    CSV_COLUMNS.iter().map(|head| cell(head).unwrap_or_default()).collect()
}

fn write_csv(full: &FullStreamReport) -> CsvWriter {
    let FullStreamReport { stream, report, minutes, pins, offers } = full;
    let when = |at: Option<Millis>| at.map(rfc3339).unwrap_or_default();
    let mut table = CsvWriter::new(&CSV_COLUMNS);
    let made = report.orders_held
        + report.orders_paid
        + report.orders_refunded
        + report.orders_expired
        + report.orders_cancelled;
    table.write_row(&csv_row(&[
        ("row", "total".to_owned()),
        ("from", when(stream.started_at)),
        ("until", when(stream.ended_at)),
        ("name", stream.title.clone()),
        ("viewers", report.viewers_peak.to_string()),
        ("messages", report.messages.to_string()),
        ("orders", made.to_string()),
        ("paid", report.orders_paid.to_string()),
        ("units", report.units_paid.to_string()),
        ("amount_minor", report.amount_paid.to_string()),
        ("currency", report.currency.clone()),
        ("refunded", report.orders_refunded.to_string()),
        ("expired", report.orders_expired.to_string()),
        ("cancelled", report.orders_cancelled.to_string()),
    ]));
    for offer in offers {
        let made = offer.held + offer.paid + offer.refunded + offer.expired + offer.cancelled;
        table.write_row(&csv_row(&[
            ("row", "offer".to_owned()),
            ("from", when(offer.opens_at)),
            ("until", when(offer.closes_at)),
            ("name", offer.title.clone()),
            ("variant", offer.variant_name.clone()),
            ("orders", made.to_string()),
            ("paid", offer.paid.to_string()),
            ("units", offer.units.to_string()),
            ("amount_minor", offer.amount.to_string()),
            ("currency", report.currency.clone()),
            ("refunded", offer.refunded.to_string()),
            ("expired", offer.expired.to_string()),
            ("cancelled", offer.cancelled.to_string()),
        ]));
    }
    for pin in pins {
        let offer = offers.iter().find(|offer| offer.offer == pin.offer);
        table.write_row(&csv_row(&[
            ("row", "pin".to_owned()),
            ("from", rfc3339(pin.at)),
            ("until", when(pin.until)),
            ("name", offer.map(|offer| offer.title.clone()).unwrap_or_default()),
            ("variant", offer.map(|offer| offer.variant_name.clone()).unwrap_or_default()),
        ]));
    }
    for minute in minutes {
        table.write_row(&csv_row(&[
            ("row", "minute".to_owned()),
            ("from", rfc3339(minute.at)),
            ("viewers", minute.viewers.to_string()),
            ("messages", minute.messages.to_string()),
            ("orders", minute.orders.to_string()),
        ]));
    }
    table
}
