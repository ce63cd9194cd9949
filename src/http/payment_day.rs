//! REST routes of the payments by day.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::AppState;
use super::csv::{self, CsvWriter};
use super::error::{ApiResult, Problem};
use super::extract::{Caller, QueryParams};
use crate::domain::PaymentSums;
use crate::domain::payment_day::CountedMoney;
use crate::protocol::PaymentDays;

/// Which days are summed up, at most 92.
#[derive(Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PaymentDaysQuery {
    /// The first day in the time zone of the shop, such as `2026-11-01`. Without it: 29 days before the last one.
    first_day: Option<String>,
    /// The last day, such as `2026-11-30`. Without it: today.
    last_day: Option<String>,
}

/// Payments, refunds, fees and disputes by day in the time zone of the shop, and what waits for somebody: open disputes and owed refunds.
/// For those who see the numbers of the whole shop.
#[utoipa::path(get, operation_id = "shop_payment_days", path = "/v1/shop/payment-days", tag = "shop", params(PaymentDaysQuery),
    responses((status = 200, body = PaymentDays), (status = "default", body = Problem)))]
pub async fn show(
    State(state): State<AppState>,
    Caller(actor): Caller,
    QueryParams(query): QueryParams<PaymentDaysQuery>,
) -> ApiResult<Json<PaymentDays>> {
    let PaymentDaysQuery { first_day, last_day } = query;
    Ok(Json(state.app.checkout.payment_days(&actor, first_day.as_deref(), last_day.as_deref()).await?))
}

/// The same as CSV, the oldest day first: a row for each day and currency, and the totals with `total` in place of the day. Amounts are in
/// minor units.
#[utoipa::path(get, operation_id = "shop_payment_days_csv", path = "/v1/shop/payment-days.csv", tag = "shop", params(PaymentDaysQuery),
    responses((status = 200, body = String, content_type = "text/csv"), (status = "default", body = Problem)))]
pub async fn export(
    State(state): State<AppState>,
    Caller(actor): Caller,
    QueryParams(query): QueryParams<PaymentDaysQuery>,
) -> ApiResult<Response> {
    let PaymentDaysQuery { first_day, last_day } = query;
    let days = state.app.checkout.payment_days(&actor, first_day.as_deref(), last_day.as_deref()).await?;
    let name = format!("payments-{}-{}.csv", days.first_day, days.last_day);
    Ok(csv::download(write_csv(&days).into_bytes().into(), csv::CSV_CONTENT_TYPE, &name))
}

const COLUMNS: [&str; 26] = [
    "day",
    "currency",
    "captured",
    "captured_amount",
    "cash_on_delivery",
    "cash_on_delivery_amount",
    "bank_transfer",
    "bank_transfer_amount",
    "refunded",
    "refunded_amount",
    "refunds_sent_back",
    "refunds_sent_back_amount",
    "owed",
    "owed_amount",
    "owed_returned",
    "owed_returned_amount",
    "fees",
    "fees_amount",
    "fees_unknown",
    "disputes_opened",
    "disputes_opened_amount",
    "disputes_won",
    "disputes_won_amount",
    "disputes_lost",
    "disputes_lost_amount",
    "left_amount",
];

fn write_csv(days: &PaymentDays) -> CsvWriter {
    let mut table = CsvWriter::new(&COLUMNS);
    let nothing = PaymentSums { currency: days.currency.clone(), ..PaymentSums::default() };
    for day in days.days.iter().rev() {
        // A day without payments has a row too, so that no day seems to be missing.
        let sums = if day.sums.is_empty() { std::slice::from_ref(&nothing) } else { &day.sums[..] };
        sums.iter().for_each(|sums| table.write_row(&row(&day.date, sums)));
    }
    days.totals.iter().for_each(|sums| table.write_row(&row("total", sums)));
    table
}

fn row(day: &str, sums: &PaymentSums) -> Vec<String> {
    let mut cells = vec![day.to_owned(), sums.currency.clone()];
    let mut add = |parts: &[CountedMoney]| {
        cells.extend(parts.iter().flat_map(|part| [part.count.to_string(), part.amount.to_string()]));
    };
    add(&[sums.captured, sums.cash_on_delivery, sums.bank_transfer, sums.refunded, sums.refunds_sent_back]);
    add(&[sums.owed, sums.owed_returned, sums.fees]);
    cells.push(sums.fees_unknown.to_string());
    let mut add = |part: CountedMoney| cells.extend([part.count.to_string(), part.amount.to_string()]);
    [sums.disputes_opened, sums.disputes_won, sums.disputes_lost].into_iter().for_each(&mut add);
    cells.push(sums.left.to_string());
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PaymentDay;

    #[test]
    fn every_day_has_a_row_and_every_cell_its_column() {
        let day = |date: &str, sums: Vec<PaymentSums>| PaymentDay { date: date.to_owned(), since: 0, until: 1, sums };
        let money = |amount| CountedMoney { count: 1, amount };
        let sums = PaymentSums {
            currency: "SAR".into(),
            captured: money(100),
            fees: money(3),
            fees_unknown: 7,
            disputes_lost: money(20),
            left: 77,
            ..PaymentSums::default()
        };
        let days = PaymentDays {
            time_zone: "UTC".into(),
            now: 0,
            today: "2026-11-30".into(),
            first_day: "2026-11-29".into(),
            last_day: "2026-11-30".into(),
            currency: "SAR".into(),
            totals: vec![sums.clone()],
            days: vec![day("2026-11-30", vec![sums]), day("2026-11-29", Vec::new())],
            disputes: Vec::new(),
            owed_refunds: Vec::new(),
        };
        let text = String::from_utf8(write_csv(&days).into_bytes()).unwrap().replace('"', "");
        let lines: Vec<&str> = text.trim_start_matches('\u{feff}').lines().collect();
        assert_eq!(lines[0], COLUMNS.join(","));
        assert_eq!(lines[1], "2026-11-29,SAR,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0");
        assert_eq!(lines[2], "2026-11-30,SAR,1,100,0,0,0,0,0,0,0,0,0,0,0,0,1,3,7,0,0,0,0,1,20,77");
        assert_eq!(lines[3], lines[2].replace("2026-11-30", "total"));
        assert!(lines.iter().all(|line| line.split(',').count() == COLUMNS.len()));
    }
}
