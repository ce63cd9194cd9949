//! The sums of payments by day, from the rows themselves: payments, refunds, owed refunds and disputes by the time at which they
//! happened. Each day is one range of an index, so a report reads what it shows and no more. What a demo's simulated viewers pay
//! ([`UserId::SIMULATED`](crate::domain::UserId::SIMULATED)) is left out.

use uuid::Uuid;

use super::row::from_row;
use super::{Result, Store, require_known, to_json};
use crate::domain::payment_day::{CountedMoney, FigureKind};
use crate::domain::{DaySpan, OpenOwedRefund, OrderId, PaymentFigure};

struct FigureRow {
    n: i64,
    kind: String,
    method: String,
    currency: String,
    entries: i64,
    amount: i64,
    fee_currency: Option<String>,
    fees: i64,
    fee: i64,
}

from_row!(FigureRow { n, kind, method, currency, entries, amount, fee_currency, fees, fee });

struct OwedRow {
    order_id: Uuid,
    number: Option<i64>,
    provider: String,
    reference: Option<String>,
    amount: i64,
    currency: String,
    created_at: i64,
    tries: i64,
}

from_row!(OwedRow { order_id, number, provider, reference, amount, currency, created_at, tries });

/// The rows `r` of a table whose time is in each day. Written as a join, it turns into a join over the whole table once the statistics say
/// so. `offset 0` keeps it a look-up.
macro_rules! of_each_day_on_postgres {
    ($table:literal, $time:literal, $condition:literal) => {
        concat!(
            " from days d cross join lateral (select * from ",
            $table,
            " where ",
            $condition,
            " and ",
            $time,
            " >= d.since and ",
            $time,
            " < d.until offset 0) r "
        )
    };
}

macro_rules! of_each_day_on_sqlite {
    ($table:literal, $time:literal, $condition:literal) => {
        concat!(
            " from days d cross join ",
            $table,
            " r on ",
            $condition,
            " and ",
            $time,
            " >= d.since and ",
            $time,
            " < d.until "
        )
    };
}

/// One statement, so that it sees one moment. `$days`: the days as they were given; `$of_each_day`: see above.
macro_rules! payment_figures {
    ($days:literal, $of_each_day:ident) => {
        concat!(
            "with days as materialized (",
            $days,
            ") select d.n, 'captured' as kind, r.provider as method, r.currency, count(*) as entries,
                cast(sum(r.amount) as bigint) as amount, r.fee_currency, cast(count(r.fee) as bigint) as fees,
                cast(coalesce(sum(r.fee), 0) as bigint) as fee",
            $of_each_day!("payments", "coalesce(captured_at, changed_at)", "status = 'captured'"),
            "where r.amount > 0 and coalesce(r.buyer, '') not like 'crowd:%'
                and (select w.attempt from owed_refunds w where w.order_id = r.order_id and w.attempt = r.attempt) is null
            group by d.n, r.provider, r.currency, r.fee_currency
            union all select d.n, 'refunded', '', r.currency, count(*), cast(sum(r.amount) as bigint), null, 0, 0",
            $of_each_day!("refunds", "coalesce(done_at, changed_at)", "(status = 'done' or was_done = 1)"),
            "where r.amount > 0 and (select o.buyer from orders o where o.id = r.order_id) not like 'crowd:%'
            group by d.n, r.currency
            union all select d.n, 'refund_sent_back', '', r.currency, count(*), cast(sum(r.amount) as bigint), null, 0, 0",
            $of_each_day!("refunds", "changed_at", "was_done = 1"),
            "where r.amount > 0 and (select o.buyer from orders o where o.id = r.order_id) not like 'crowd:%'
            group by d.n, r.currency
            union all select d.n, 'owed', '', r.currency, count(*), cast(sum(r.amount) as bigint), null, 0, 0",
            $of_each_day!("owed_refunds", "created_at", "true"),
            "group by d.n, r.currency
            union all select x.n, 'owed_fee', '', x.currency, 0, 0, x.currency, count(*), cast(sum(x.fee) as bigint) from (
                select d.n, (select p.fee_currency from payments p where p.order_id = r.order_id and p.attempt = r.attempt) as currency,
                    (select p.fee from payments p where p.order_id = r.order_id and p.attempt = r.attempt) as fee",
            $of_each_day!("owed_refunds", "created_at", "true"),
            ") x where x.fee is not null group by x.n, x.currency
            union all select d.n, 'owed_returned', '', r.currency, count(*), cast(sum(r.amount) as bigint), null, 0, 0",
            $of_each_day!("owed_refunds", "changed_at", "status = 'returned'"),
            "group by d.n, r.currency
            union all select d.n, 'dispute_opened', '', r.currency, count(*), cast(sum(r.amount) as bigint), null, 0, 0",
            $of_each_day!("disputes", "opened_at", "true"),
            "group by d.n, r.currency
            union all select d.n, 'dispute_' || r.status, '', r.currency, count(*), cast(sum(r.amount) as bigint), null, 0, 0",
            $of_each_day!("disputes", "closed_at", "closed_at is not null"),
            "group by d.n, r.status, r.currency"
        )
    };
}

const PAYMENT_FIGURES_ON_POSTGRES: &str = payment_figures!(
    "select n - 1 as n, (v ->> 0)::bigint as since, (v ->> 1)::bigint as until
        from json_array_elements($1::json) with ordinality e(v, n)",
    of_each_day_on_postgres
);
const PAYMENT_FIGURES_ON_SQLITE: &str = payment_figures!(
    "select key as n, json_extract(value, '$[0]') as since, json_extract(value, '$[1]') as until from json_each($1)",
    of_each_day_on_sqlite
);

impl Store {
    /// Sums up what came in and went out on each of these days.
    pub async fn payment_figures(&self, days: &[DaySpan]) -> Result<Vec<PaymentFigure>> {
        let read = self.choose(PAYMENT_FIGURES_ON_POSTGRES, PAYMENT_FIGURES_ON_SQLITE);
        let spans = to_json(&days.iter().map(|day| [day.since, day.until]).collect::<Vec<_>>())?;
        let rows: Vec<FigureRow> = self.report_query(read).bind(spans).fetch_all().await?;
        let figure = |row: FigureRow| {
            let fees = CountedMoney { count: row.fees, amount: row.fee };
            Ok(PaymentFigure {
                day: usize::try_from(row.n).unwrap_or(usize::MAX),
                kind: require_known(FigureKind::parse(&row.kind), "kind of a sum", &row.kind)?,
                method: row.method,
                currency: row.currency,
                money: CountedMoney { count: row.entries, amount: row.amount },
                fees: row.fee_currency.filter(|_| fees.count > 0).map(|currency| (currency, fees)),
            })
        };
        rows.into_iter().map(figure).collect()
    }

    /// Reads what is still to be given back, what is owed longest first.
    pub async fn open_owed_refunds(&self, most: i64) -> Result<Vec<OpenOwedRefund>> {
        let read = "select w.order_id, (select o.number from orders o where o.id = w.order_id) as number, p.provider, p.reference,
                w.amount, w.currency, w.created_at, w.tries
            from (select * from owed_refunds where status = 'owed' order by created_at, order_id, attempt limit $1) w
            join payments p on p.order_id = w.order_id and p.attempt = w.attempt order by w.created_at, w.order_id, w.attempt";
        let rows: Vec<OwedRow> = self.report_query(read).bind(most).fetch_all().await?;
        let owed = |row: OwedRow| OpenOwedRefund {
            order: OrderId(row.order_id),
            order_number: row.number,
            provider: row.provider,
            reference: row.reference,
            amount: row.amount,
            currency: row.currency,
            owed_at: row.created_at,
            tries: row.tries,
        };
        Ok(rows.into_iter().map(owed).collect())
    }
}
