//! REST for a show in numbers.

use axum::Json;
use axum::extract::State;
use axum::response::Response;

use super::Door;
use super::error::{Answer, Problem};
use super::extract::{Caller, Id};
use super::table::{self, Table};
use crate::domain::{Millis, StreamId};
use crate::protocol::date::extended;
use crate::protocol::{FullReport, Report};

/// The show in numbers, for the team.
#[utoipa::path(get, path = "/v1/streams/{stream}/report", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = Report), (status = "default", body = Problem)))]
pub async fn sums(State(door): State<Door>, Caller(actor): Caller, Id(stream): Id<StreamId>) -> Answer<Json<Report>> {
    Ok(Json(door.app.report(&actor, stream).await?))
}

/// The same with its course: the last day by minute, what was pinned, what each offer brought.
#[utoipa::path(get, path = "/v1/streams/{stream}/report/full", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = FullReport), (status = "default", body = Problem)))]
pub async fn full(
    State(door): State<Door>,
    Caller(actor): Caller,
    Id(stream): Id<StreamId>,
) -> Answer<Json<FullReport>> {
    Ok(Json(door.app.full_report(&actor, stream).await?))
}

/// The same as one table for a spreadsheet; `row` says what a line is: `total`, `minute`, `pin` or `offer`. Money is in
/// minor units, times are UTC.
#[utoipa::path(get, path = "/v1/streams/{stream}/report.csv", tag = "streams", params(("stream" = StreamId, Path)),
    responses((status = 200, body = String, content_type = "text/csv"), (status = "default", body = Problem)))]
pub async fn csv(State(door): State<Door>, Caller(actor): Caller, Id(stream): Id<StreamId>) -> Answer<Response> {
    let full = door.app.full_report(&actor, stream).await?;
    let body = table(&full).into_bytes().into();
    Ok(table::download(body, table::CSV, &format!("report-{stream}.csv")))
}

const HEADS: [&str; 15] = [
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

/// The cells of a line by their heads; what is not given stays empty.
fn line(cells: &[(&str, String)]) -> Vec<String> {
    let cell = |head: &&str| cells.iter().find(|(name, _)| name == head).map(|(_, text)| text.clone());
    HEADS.iter().map(|head| cell(head).unwrap_or_default()).collect()
}

fn table(full: &FullReport) -> Table {
    let FullReport { stream, report, minutes, pins, offers } = full;
    let when = |at: Option<Millis>| at.map(extended).unwrap_or_default();
    let mut table = Table::new(&HEADS);
    let made = report.orders_held
        + report.orders_paid
        + report.orders_refunded
        + report.orders_expired
        + report.orders_cancelled;
    table.row(&line(&[
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
        table.row(&line(&[
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
        table.row(&line(&[
            ("row", "pin".to_owned()),
            ("from", extended(pin.at)),
            ("until", when(pin.until)),
            ("name", offer.map(|offer| offer.title.clone()).unwrap_or_default()),
            ("variant", offer.map(|offer| offer.variant_name.clone()).unwrap_or_default()),
        ]));
    }
    for minute in minutes {
        table.row(&line(&[
            ("row", "minute".to_owned()),
            ("from", extended(minute.at)),
            ("viewers", minute.viewers.to_string()),
            ("messages", minute.messages.to_string()),
            ("orders", minute.orders.to_string()),
        ]));
    }
    table
}
