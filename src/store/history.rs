//! When an order became what it is: read from the rows that are there anyway.

use super::{Result, Store, known, on_reader};
use crate::domain::{OrderId, PaymentStatus, RefundStatus, Traces};

impl Store {
    pub async fn traces(&self, order: OrderId) -> Result<Traces> {
        let read = "select changed_at from orders where id = $1";
        let changed_at: Option<i64> =
            on_reader!(self, pool => sqlx::query_scalar(read).bind(order.0).fetch_optional(pool).await?);
        let read = "select status, changed_at from payments where order_id = $1 order by attempt limit 100";
        let payments: Vec<(String, i64)> =
            on_reader!(self, pool => sqlx::query_as(read).bind(order.0).fetch_all(pool).await?);
        let read = "select status, created_at, changed_at from refunds where order_id = $1 order by n limit 100";
        let refunds: Vec<(String, i64, i64)> =
            on_reader!(self, pool => sqlx::query_as(read).bind(order.0).fetch_all(pool).await?);
        Ok(Traces {
            changed_at: changed_at.unwrap_or_default(),
            payments: payments
                .into_iter()
                .map(|(text, at)| Ok((known(PaymentStatus::parse(&text), "payment status", &text)?, at)))
                .collect::<Result<_>>()?,
            refunds: refunds
                .into_iter()
                .map(|(text, asked, at)| Ok((known(RefundStatus::parse(&text), "refund status", &text)?, asked, at)))
                .collect::<Result<_>>()?,
        })
    }
}
